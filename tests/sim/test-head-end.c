/* The little head-end: takes, keeps and lists reports, knows a repetition, and fails by script.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <curl/curl.h>
#include <dirent.h>
#include <errno.h>
#include <jansson.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include <meterloom/engine.h>
#include <meterloom/family.h>

#include "sim/head_end.h"

#define PATIENCE (20 * ML_SEC)

struct rig {
	struct ml_clock *clock;
	struct ml_log *log;
	struct ml_engine *engine;
	struct head_end *head_end;
	char directory[64];
	/* of the last answer */
	char *body;
	size_t length;
	long retry_after;
};

static const struct ml_family *const no_families[] = {NULL};

static int set_up(void **state)
{
	struct rig *rig = calloc(1, sizeof *rig);
	rig->clock = ml_clock_new_real();
	rig->log = ml_log_new(rig->clock, 0);
	const struct ml_engine_options options = {
		.families = no_families, .clock = rig->clock, .log = rig->log};
	assert_int_equal(ml_engine_new(&options, &rig->engine, NULL), 0);
	(void)snprintf(rig->directory, sizeof rig->directory, "/tmp/head-end-XXXXXX");
	assert_non_null(mkdtemp(rig->directory));
	*state = rig;
	return 0;
}

static void each_file(const char *directory, void (*fn)(const char *path, void *user), void *user)
{
	char path[512];
	DIR *dir = opendir(directory);
	assert_non_null(dir);
	for (struct dirent *entry; (entry = readdir(dir));) {
		if (entry->d_name[0] == '.')
			continue;
		(void)snprintf(path, sizeof path, "%s/%s", directory, entry->d_name);
		fn(path, user);
	}
	closedir(dir);
}

static void remove_file(const char *path, void *user)
{
	(void)user;
	(void)unlink(path);
}

static int tear_down(void **state)
{
	struct rig *rig = *state;
	head_end_stop(rig->head_end);
	ml_engine_free(rig->engine);
	ml_log_free(rig->log);
	ml_clock_free(rig->clock);
	each_file(rig->directory, remove_file, NULL);
	(void)rmdir(rig->directory);
	free(rig->body);
	free(rig);
	return 0;
}

static void start(struct rig *rig, const struct head_end_options *options)
{
	struct ml_error err = ML_ERROR_NONE;
	if (head_end_start(rig->engine, options, &rig->head_end, &err) < 0)
		fail_msg("%s", err.text);
	assert_true(head_end_port(rig->head_end) != 0);
}

static size_t take(char *bytes, size_t size, size_t count, void *user)
{
	struct rig *rig = user;
	char *body = realloc(rig->body, rig->length + size * count + 1);
	assert_non_null(body);
	rig->body = body;
	memcpy(body + rig->length, bytes, size * count);
	rig->length += size * count;
	body[rig->length] = '\0';
	return size * count;
}

/* The status, or 0 where the connection was closed. */
static long ask(struct rig *rig, const char *path, const char *post, const char *filename,
	const char *key, const char *login)
{
	char url[128];
	char header[256];
	long status = 0;
	curl_off_t retry = 0;
	struct curl_slist *headers = NULL;
	CURL *curl = curl_easy_init();
	assert_non_null(curl);
	(void)snprintf(
		url, sizeof url, "http://127.0.0.1:%u%s", head_end_port(rig->head_end), path);
	rig->length = 0;
	curl_easy_setopt(curl, CURLOPT_URL, url);
	curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take);
	curl_easy_setopt(curl, CURLOPT_WRITEDATA, rig);
	curl_easy_setopt(curl, CURLOPT_TIMEOUT, 20L);
	if (post) {
		headers = curl_slist_append(headers, "Content-Type: text/csv");
		(void)snprintf(header, sizeof header, "filename: %s", filename);
		headers = curl_slist_append(headers, header);
		if (key) {
			(void)snprintf(header, sizeof header, "Idempotency-Key: %s", key);
			headers = curl_slist_append(headers, header);
		}
		curl_easy_setopt(curl, CURLOPT_POSTFIELDS, post);
		curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE, (long)strlen(post));
		curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
	}
	if (login)
		curl_easy_setopt(curl, CURLOPT_USERPWD, login);
	const CURLcode code = curl_easy_perform(curl);
	if (code == CURLE_OK) {
		curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
		curl_easy_getinfo(curl, CURLINFO_RETRY_AFTER, &retry);
	} else {
		assert_int_equal(code, CURLE_GOT_NOTHING);
	}
	rig->retry_after = (long)retry;
	curl_slist_free_all(headers);
	curl_easy_cleanup(curl);
	return status;
}

static long post(struct rig *rig, const char *body, const char *filename, const char *key)
{
	return ask(rig, "/meters", body, filename, key, NULL);
}

static void count_file(const char *path, void *user)
{
	unsigned *count = user;
	char text[64] = "";
	FILE *file = fopen(path, "rb");
	assert_non_null(file);
	(void)fread(text, 1, sizeof text - 1, file);
	fclose(file);
	assert_string_equal(text, "a;b\n1;2\n");
	assert_non_null(strstr(path, "000001-12_101_.._..csv"));
	++*count;
}

static void reports_are_kept_and_listed(void **state)
{
	struct rig *rig = *state;
	const struct head_end_options options = {.directory = rig->directory};
	start(rig, &options);
	assert_int_equal(post(rig, "a;b\n1;2\n", "12_101_../..csv", NULL), 200);
	assert_true(head_end_wait(rig->head_end, 1, PATIENCE));
	struct head_end_report report;
	assert_true(head_end_get(rig->head_end, 1, &report));
	assert_string_equal(report.body, "a;b\n1;2\n");
	assert_int_equal(report.length, 8);
	assert_string_equal(report.filename, "12_101_../..csv");
	assert_string_equal(report.type, "text/csv");
	assert_string_equal(report.path, "/meters");
	assert_int_equal(report.status, 200);
	free(report.body);
	unsigned files = 0;
	each_file(rig->directory, count_file, &files);
	assert_int_equal(files, 1);
	assert_int_equal(ask(rig, "/reports", NULL, NULL, NULL, NULL), 200);
	json_t *list = json_loads(rig->body, 0, NULL);
	assert_int_equal(json_integer_value(json_object_get(list, "accepted")), 1);
	const json_t *first = json_array_get(json_object_get(list, "reports"), 0);
	assert_string_equal(
		json_string_value(json_object_get(first, "filename")), "12_101_../..csv");
	json_decref(list);
	assert_int_equal(ask(rig, "/reports/1", NULL, NULL, NULL, NULL), 200);
	assert_string_equal(rig->body, "a;b\n1;2\n");
	assert_int_equal(ask(rig, "/reports/2", NULL, NULL, NULL, NULL), 404);
	assert_int_equal(ask(rig, "/", NULL, NULL, NULL, NULL), 200);
	assert_non_null(strstr(rig->body, "1 were accepted"));
}

static void page_runs_nothing_of_a_stranger(void **state)
{
	struct rig *rig = *state;
	const struct head_end_options options = {0};
	start(rig, &options);
	assert_int_equal(post(rig, "x", "<script>alert(1)</script>", NULL), 200);
	assert_int_equal(ask(rig, "/", NULL, NULL, NULL, NULL), 200);
	assert_null(strstr(rig->body, "<script>"));
	assert_non_null(strstr(rig->body, "&lt;script&gt;"));
}

static void repeated_key_counts_once(void **state)
{
	struct rig *rig = *state;
	const struct head_end_options options = {.directory = rig->directory};
	start(rig, &options);
	assert_int_equal(post(rig, "1", "a", "k1"), 200);
	assert_int_equal(post(rig, "1", "a", "k1"), 200);
	assert_int_equal(post(rig, "2", "a", "k2"), 200);
	assert_int_equal(head_end_count(rig->head_end), 3);
	assert_int_equal(head_end_accepted(rig->head_end), 2);
	struct head_end_report report;
	assert_true(head_end_get(rig->head_end, 2, &report));
	assert_true(report.repeated);
	free(report.body);
}

static void script_is_followed(void **state)
{
	struct rig *rig = *state;
	const struct head_end_options options = {
		.script = "503 x2\n# then\n429 retry 7, close\ndelay 20ms\n201"};
	start(rig, &options);
	assert_int_equal(post(rig, "1", "a", "k"), 503);
	assert_int_equal(post(rig, "1", "a", "k"), 503);
	assert_int_equal(post(rig, "1", "a", "k"), 429);
	assert_int_equal(rig->retry_after, 7);
	assert_int_equal(post(rig, "1", "a", "k"), 0);
	const ml_time before = ml_clock_monotonic(rig->clock);
	assert_int_equal(post(rig, "1", "a", "k"), 201);
	assert_true(ml_clock_monotonic(rig->clock) - before >= 20 * ML_MSEC);
	assert_int_equal(post(rig, "1", "a", "k"), 200);
	assert_int_equal(head_end_count(rig->head_end), 6);
	assert_int_equal(head_end_accepted(rig->head_end), 1);
	assert_int_equal(head_end_script(rig->head_end, "500, 200, repeat", NULL), 0);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(post(rig, "1", "a", NULL), 500);
		assert_int_equal(post(rig, "1", "a", NULL), 200);
	}
}

static void wrong_scripts_are_told(void **state)
{
	struct rig *rig = *state;
	const struct head_end_options options = {0};
	static const char *const bad[] = {"20", "600", "503 x0", "503 x", "fly", "delay", "delay 2",
		"close x2 y", "200\nrepeat 200", "200 retry", "-200"};
	start(rig, &options);
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		struct ml_error err = ML_ERROR_NONE;
		assert_int_equal(head_end_script(rig->head_end, bad[i], &err), -EINVAL);
		assert_non_null(strstr(err.text, "expected a status"));
	}
	struct ml_error err = ML_ERROR_NONE;
	assert_int_equal(head_end_script(rig->head_end, "200\n\n503 x3\nfly", &err), -EINVAL);
	assert_int_equal(err.line, 4);
}

static void login_is_asked_for(void **state)
{
	struct rig *rig = *state;
	const struct head_end_options options = {.user = "gw7", .password = "secret"};
	start(rig, &options);
	assert_int_equal(post(rig, "1", "a", NULL), 401);
	assert_int_equal(ask(rig, "/", "1", "a", NULL, "gw7:wrong"), 401);
	assert_int_equal(ask(rig, "/", "1", "a", NULL, "gw7:secret"), 200);
	assert_int_equal(head_end_accepted(rig->head_end), 1);
	assert_int_equal(head_end_count(rig->head_end), 3);
}

static void only_the_last_are_kept(void **state)
{
	struct rig *rig = *state;
	const struct head_end_options options = {.keep = 3};
	char body[8];
	start(rig, &options);
	for (int i = 1; i <= 10; i++) {
		(void)snprintf(body, sizeof body, "%d", i);
		assert_int_equal(post(rig, body, "a", NULL), 200);
	}
	struct head_end_report report;
	for (uint64_t i = 0; i <= 11; i++) {
		const bool kept = i >= 8 && i <= 10;
		assert_int_equal(head_end_get(rig->head_end, i, &report), kept);
		if (kept) {
			assert_int_equal(atoi(report.body), i);
			free(report.body);
		}
	}
}

static void port_in_use_is_told(void **state)
{
	struct rig *rig = *state;
	const struct head_end_options options = {0};
	start(rig, &options);
	const struct head_end_options same = {.port = head_end_port(rig->head_end)};
	struct head_end *other = NULL;
	struct ml_error err = ML_ERROR_NONE;
	assert_int_equal(head_end_start(rig->engine, &same, &other, &err), -EADDRINUSE);
	assert_null(other);
	assert_non_null(strstr(err.text, "is another program there"));
}

static void stop_while_an_answer_waits(void **state)
{
	struct rig *rig = *state;
	const struct head_end_options options = {.script = "delay 60min, 200"};
	char url[64];
	start(rig, &options);
	(void)snprintf(url, sizeof url, "http://127.0.0.1:%u/", head_end_port(rig->head_end));
	CURLM *multi = curl_multi_init();
	CURL *curl = curl_easy_init();
	curl_easy_setopt(curl, CURLOPT_URL, url);
	curl_easy_setopt(curl, CURLOPT_POSTFIELDS, "x");
	curl_multi_add_handle(multi, curl);
	int running = 1;
	for (int i = 0; i < 20 && running; i++) {
		curl_multi_perform(multi, &running);
		curl_multi_poll(multi, NULL, 0, 10, NULL);
	}
	assert_int_equal(running, 1);
	head_end_stop(rig->head_end);
	rig->head_end = NULL;
	curl_multi_remove_handle(multi, curl);
	curl_easy_cleanup(curl);
	curl_multi_cleanup(multi);
}

#define WITH_RIG(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_RIG(reports_are_kept_and_listed),
		WITH_RIG(page_runs_nothing_of_a_stranger),
		WITH_RIG(repeated_key_counts_once),
		WITH_RIG(script_is_followed),
		WITH_RIG(wrong_scripts_are_told),
		WITH_RIG(login_is_asked_for),
		WITH_RIG(only_the_last_are_kept),
		WITH_RIG(port_in_use_is_told),
		WITH_RIG(stop_while_an_answer_waits),
	};
	curl_global_init(CURL_GLOBAL_DEFAULT);
	const int result = cmocka_run_group_tests(tests, NULL, NULL);
	curl_global_cleanup();
	return result;
}
