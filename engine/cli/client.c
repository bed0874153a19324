/* Asking a running gateway over HTTP.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "cli/client.h"

#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct cli_client {
	CURL *curl; /* owned; keeps its connection */
	const char *url;
};

struct cli_client *cli_client_new(const char *url)
{
	struct cli_client *client = calloc(1, sizeof *client);
	if (!client)
		return NULL;
	client->url = url;
	client->curl = curl_easy_init();
	if (client->curl)
		return client;
	free(client);
	return NULL;
}

void cli_client_free(struct cli_client *client)
{
	if (!client)
		return;
	curl_easy_cleanup(client->curl);
	free(client);
}

static size_t on_data(char *data, size_t size, size_t count, void *user)
{
	struct ml_buffer *answer = user;
	ml_buffer_append(answer, data, size * count);
	return answer->failed ? 0 : size * count;
}

static void set_body(CURL *curl, const char *body)
{
	(void)curl_easy_setopt(curl, CURLOPT_POSTFIELDS, body);
	(void)curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)strlen(body));
}

long cli_client_ask(struct cli_client *client, const char *method, const char *path,
	const char *body, bool background, struct ml_buffer *answer)
{
	CURL *curl = client->curl;
	struct curl_slist *headers = NULL;
	char url[2048];
	long status = 0;
	const size_t length = strlen(client->url);
	const int slash = length > 0 && client->url[length - 1] == '/';
	(void)snprintf(url, sizeof url, "%.*s/api/v1/%s", (int)length - slash, client->url, path);
	curl_easy_reset(curl);
	if (body) {
		headers = curl_slist_append(headers, "Content-Type: application/json");
		set_body(curl, body);
	}
	if (background)
		headers = curl_slist_append(headers, "Prefer: respond-async");
	(void)curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
	(void)curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, method);
	(void)curl_easy_setopt(curl, CURLOPT_URL, url);
	(void)curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
	(void)curl_easy_setopt(curl, CURLOPT_NOPROXY, "127.0.0.1,localhost,[::1]");
	(void)curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
	(void)curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT, 5L);
	(void)curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_data);
	(void)curl_easy_setopt(curl, CURLOPT_WRITEDATA, answer);
	const CURLcode code = curl_easy_perform(curl);
	(void)curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
	curl_slist_free_all(headers);
	if (code == CURLE_OK)
		return status;
	const char *reason = curl_easy_strerror(code);
	ml_buffer_clear(answer);
	ml_buffer_append(answer, reason, strlen(reason));
	return 0;
}
