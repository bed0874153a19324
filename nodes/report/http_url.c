/* URLs: what may be logged of them, and which are taken.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <curl/curl.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "report/http_inside.h"

/* Takes a part out of a URL; NULL where it has none. The caller frees it with curl_free(). */
static char *part_of(CURLU *url, CURLUPart part)
{
	char *text = NULL;
	return curl_url_get(url, part, &text, 0) == CURLUE_OK ? text : NULL;
}

void http_url_public(const char *url, char *out, size_t size)
{
	(void)snprintf(out, size, "%s", http_inside_is(url) ? url : "the URL");
	if (http_inside_is(url))
		return;
	CURLU *parsed = curl_url();
	if (!parsed)
		return;
	char *whole = NULL;
	if (curl_url_set(parsed, CURLUPART_URL, url, 0) == CURLUE_OK &&
		curl_url_set(parsed, CURLUPART_USER, NULL, 0) == CURLUE_OK &&
		curl_url_set(parsed, CURLUPART_PASSWORD, NULL, 0) == CURLUE_OK &&
		curl_url_set(parsed, CURLUPART_QUERY, NULL, 0) == CURLUE_OK &&
		curl_url_set(parsed, CURLUPART_FRAGMENT, NULL, 0) == CURLUE_OK &&
		curl_url_get(parsed, CURLUPART_URL, &whole, 0) == CURLUE_OK)
		(void)snprintf(out, size, "%s", whole);
	curl_free(whole);
	curl_url_cleanup(parsed);
}

int http_url_check(const char *url, struct ml_error *err)
{
	if (http_inside_is(url) && url[4] && !strchr(url, '@'))
		return 0;
	int r = 0;
	char *scheme = NULL, *host = NULL, *user = NULL, *password = NULL;
	CURLU *parsed = curl_url();
	if (!parsed)
		return ml_error_set(err, -ENOMEM, "out of memory");
	if (!strstr(url, "://") || curl_url_set(parsed, CURLUPART_URL, url, 0) != CURLUE_OK) {
		r = ml_error_set(err, -EINVAL,
			"this is no URL: expected http://HOST/PATH or https://HOST/PATH");
		goto out;
	}
	scheme = part_of(parsed, CURLUPART_SCHEME);
	host = part_of(parsed, CURLUPART_HOST);
	user = part_of(parsed, CURLUPART_USER);
	password = part_of(parsed, CURLUPART_PASSWORD);
	if (!scheme || (strcmp(scheme, "http") != 0 && strcmp(scheme, "https") != 0))
		r = ml_error_set(err, -EINVAL,
			"'%.20s://' is not spoken here: expected http or https",
			scheme ? scheme : "");
	else if (!host || !host[0])
		r = ml_error_set(err, -EINVAL, "the URL names no host");
	else if (user || password)
		r = ml_error_set(err, -EINVAL,
			"the URL holds a user or a password: give them as 'user' and 'password' (a "
			"secret), with \"auth\": \"basic\"");
out:
	curl_free(scheme);
	curl_free(host);
	curl_free(user);
	curl_free(password);
	curl_url_cleanup(parsed);
	return r;
}
