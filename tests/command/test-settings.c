/* Settings and secrets: checked, kept over a restart, and no secret's value ever comes out again.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include <meterloom/feed.h>
#include <meterloom/node.h>
#include <meterloom/setting.h>

#include "command/settings.h"
#include "desk.h"

static const struct ml_setting settings[] = {
	{.param = {.name = "test.retries",
		 .kind = ML_PARAM_INTEGER,
		 .title = "Retries",
		 .help = "How often.",
		 .preset = "3",
		 .min = 0,
		 .max = 10},
		.scope = ML_SETTING_SHARED},
	{{0}, 0},
};

static const struct ml_family family = {
	.abi = ML_FAMILY_ABI,
	.size = sizeof(struct ml_family),
	.name = "test",
	.settings = settings,
};

static const struct ml_family *const families[] = {&family, NULL};

static int set_up(void **state)
{
	*state = desk_new(families);
	return 0;
}

static int tear_down(void **state)
{
	desk_free(*state);
	return 0;
}

static json_int_t retries(struct desk *desk)
{
	json_t *value = ml_setting_get(desk->engine, "test.retries");
	const json_int_t number = json_integer_value(value);
	json_decref(value);
	return number;
}

static void a_setting_has_its_default_until_it_is_set(void **state)
{
	struct desk *desk = *state;
	assert_int_equal(retries(desk), 3);
	assert_int_equal(desk_call(desk, "setting.get", "{'name': 'test.retries'}"), 0);
	assert_has(desk->result, "\"value\":3,\"default\":3,\"set\":false");
	assert_int_equal(desk_call(desk, "setting.set", "{'name': 'test.retries', 'value': 5}"), 0);
	assert_has(desk->result, "\"value\":5,\"default\":3,\"set\":true");
	assert_int_equal(retries(desk), 5);
	assert_int_equal(json_integer_value(ml_setting_inherit(desk->engine, "test.retries")), 5);
	assert_int_equal(
		desk_call(desk, "setting.set", "{'name': 'test.retries', 'value': null}"), 0);
	assert_int_equal(retries(desk), 3);
	assert_null(ml_setting_get(desk->engine, "gateway.serial")); /* neither set nor preset */
	assert_null(ml_setting_get(desk->engine, "test.nothing"));
}

static void a_setting_is_kept_over_a_restart(void **state)
{
	struct desk *desk = *state;
	assert_int_equal(desk_call(desk, "setting.set", "{'name': 'test.retries', 'value': 5}"), 0);
	assert_int_equal(
		desk_call(desk, "setting.set", "{'name': 'gateway.name', 'value': 'Sub 7 é'}"), 0);
	desk_restart(desk);
	assert_int_equal(retries(desk), 5);
	assert_int_equal(desk_call(desk, "engine.status", NULL), 0);
	assert_has(desk->result, "\"name\":\"Sub 7 é\"");
	assert_has(desk->result, "\"epoch\":2");
}

static void a_wrong_value_is_refused_and_the_old_one_holds(void **state)
{
	struct desk *desk = *state;
	assert_int_equal(
		desk_call(desk, "setting.set", "{'name': 'test.retries', 'value': 11}"), -EINVAL);
	assert_has(desk->errors, "\"pointer\":\"/value\"");
	assert_has(desk->errors, "10");
	assert_int_equal(
		desk_call(desk, "setting.set", "{'name': 'test.retries', 'value': 'x'}"), -EINVAL);
	assert_int_equal(desk_call(desk, "setting.set",
				 "{'name': 'gateway.time_zone', 'value': 'Mars/Olympus'}"),
		-EINVAL);
	assert_int_equal(
		desk_call(desk, "setting.set", "{'name': 'test.retry', 'value': 1}"), -ENOENT);
	assert_int_equal(retries(desk), 3);
}

static void a_kept_value_that_is_no_longer_allowed_is_not_used(void **state)
{
	struct desk *desk = *state;
	static const struct ml_setting narrow[] = {
		{.param = {.name = "test.retries",
			 .kind = ML_PARAM_INTEGER,
			 .title = "Retries",
			 .help = "How often.",
			 .preset = "1",
			 .min = 0,
			 .max = 2},
			.scope = ML_SETTING_SHARED},
		{{0}, 0},
	};
	static const struct ml_family later = {.abi = ML_FAMILY_ABI,
		.size = sizeof(struct ml_family),
		.name = "test",
		.settings = narrow};
	static const struct ml_family *const later_families[] = {&later, NULL};
	assert_int_equal(desk_call(desk, "setting.set", "{'name': 'test.retries', 'value': 5}"), 0);
	desk->families = later_families;
	desk_restart(desk);
	assert_int_equal(retries(desk), 1);
	assert_int_equal(desk_call(desk, "log.list", NULL), 0);
	assert_has(desk->result, "test.retries");
}

/* ---- What inherits ---- */

struct heir {
	int64_t retries;
};

static const struct ml_param heir_params[] = {
	{.name = "retries",
		.kind = ML_PARAM_INTEGER,
		.offset = offsetof(struct heir, retries),
		.title = "Retries",
		.help = "How often.",
		.min = 0,
		.max = 5,
		.flags = ML_PARAM_INHERIT,
		.setting = "test.retries"},
	{0},
};

static const struct ml_port heir_ports[] = {{0}};

static void heir_start(struct ml_node *node, void *self)
{
	const struct heir *heir = self;
	ml_node_state(node, ML_STATE_RUNNING, "retries %d", (int)heir->retries);
}

static const struct ml_node_class heir_class = {
	.type = "test-heir",
	.version = 1,
	.title = "Heir",
	.help = "Inherits a setting.",
	.category = "process",
	.params = heir_params,
	.ports = heir_ports,
	.size = sizeof(struct heir),
	.start = heir_start,
};

static const struct ml_node_class *const heir_classes[] = {&heir_class, NULL};

static void a_changed_setting_holds_for_the_nodes_that_inherit_it(void **state)
{
	static const struct ml_family with_heir = {.abi = ML_FAMILY_ABI,
		.size = sizeof(struct ml_family),
		.name = "test",
		.node_classes = heir_classes,
		.settings = settings};
	static const struct ml_family *const heir_families[] = {&with_heir, NULL};
	struct desk *desk = *state;
	desk->families = heir_families;
	desk_restart(desk);
	assert_int_equal(desk_call(desk, "graph.apply",
				 "{'graph': {'meterloom': 1, 'nodes': ["
				 "{'id': 'a', 'type': 'test-heir'}, {'id': 'b', 'type': "
				 "'test-heir', 'params': {'retries': 1}}], 'edges': []}}"),
		0);
	assert_int_equal(desk_call(desk, "setting.set", "{'name': 'test.retries', 'value': 4}"), 0);
	assert_int_equal(desk_call(desk, "node.list", NULL), 0);
	assert_has(desk->result, "retries 4");
	assert_has(desk->result, "retries 1");
	/* It is the same revision still. */
	assert_int_equal(desk_call(desk, "graph.get", NULL), 0);
	assert_has(desk->result, "\"revision\":1,");
	/* What the setting allows and the node does not. */
	assert_int_equal(
		desk_call(desk, "setting.set", "{'name': 'test.retries', 'value': 9}"), -EINVAL);
	assert_has(desk->errors, "\"pointer\":\"/value\"");
	assert_has(desk->errors, "/nodes/0");
	assert_int_equal(retries(desk), 4);
	desk_restart(desk);
	assert_int_equal(retries(desk), 4);
}

/* ---- Secrets ---- */

#define VALUE "correct horse battery"

static void a_secret_is_kept_and_only_read_by_name(void **state)
{
	struct desk *desk = *state;
	char text[64];
	struct ml_error err = ML_ERROR_NONE;
	assert_int_equal(ml_secret_get(desk->engine, "smtp", text, sizeof text, &err), -ENOENT);
	assert_has(err.text, "secret.set");
	assert_int_equal(
		desk_call(desk, "secret.set", "{'name': 'smtp', 'value': '" VALUE "'}"), 0);
	assert_string_equal(desk->result, "null");
	assert_int_equal(ml_secret_get(desk->engine, "smtp", text, sizeof text, NULL), 0);
	assert_string_equal(text, VALUE);
	assert_int_equal(ml_secret_get(desk->engine, "smtp", text, strlen(VALUE), NULL), -ENOBUFS);
	assert_int_equal(ml_secret_get(desk->engine, "smtp", text, strlen(VALUE) + 1, NULL), 0);
	desk_restart(desk);
	assert_int_equal(ml_secret_get(desk->engine, "smtp", text, sizeof text, NULL), 0);
	assert_string_equal(text, VALUE);
	assert_int_equal(desk_call(desk, "secret.remove", "{'name': 'smtp'}"), 0);
	assert_int_equal(ml_secret_get(desk->engine, "smtp", text, sizeof text, NULL), -ENOENT);
	assert_int_equal(desk_call(desk, "secret.remove", "{'name': 'smtp'}"), -ENOENT);
	desk_restart(desk);
	assert_int_equal(ml_secret_get(desk->engine, "smtp", text, sizeof text, NULL), -ENOENT);
}

static void on_wake(void *user)
{
	(void)user;
}

static void file_holds_no_value(const char *path)
{
	FILE *file = fopen(path, "rb");
	if (!file)
		return;
	char *bytes = malloc(1 << 20);
	assert_non_null(bytes);
	const size_t size = fread(bytes, 1, 1 << 20, file);
	assert_null(memmem(bytes, size, VALUE, strlen(VALUE)));
	assert_null(memmem(bytes, size, "horse", 5));
	free(bytes);
	assert_int_equal(fclose(file), 0);
}

static void no_answer_log_feed_or_file_holds_a_value(void **state)
{
	struct desk *desk = *state;
	static const char *const commands[] = {"secret.list", "job.list", "log.list", "event.list",
		"setting.list", "engine.status", "command.list", "metrics.get"};
	struct ml_feed *feed = ml_feed_subscribe(desk->engine, "log,job,event,metrics,graph", 1000,
		ml_engine_lane(desk->engine, "control"), on_wake, NULL);
	assert_int_equal(desk_call(desk, "log.level", "{'level': 'debug'}"), 0);
	assert_int_equal(
		desk_call(desk, "secret.set", "{'name': 'smtp', 'value': '" VALUE "'}"), 0);
	/* Nor where it is refused. */
	assert_int_equal(
		desk_call(desk, "secret.set", "{'name': 'Smtp!', 'value': '" VALUE "'}"), -EINVAL);
	assert_null(strstr(desk->errors, "horse"));
	assert_int_equal(
		desk_call(desk, "secret.set", "{'name': 'x', 'value': ['" VALUE "']}"), -EINVAL);
	assert_null(strstr(desk->errors, "horse"));
	assert_int_equal(desk_call(desk, "secret.set", "{'name': 'x', '" VALUE "': 1}"), -EINVAL);
	for (size_t i = 0; i < sizeof commands / sizeof *commands; i++) {
		assert_int_equal(desk_call(desk, commands[i], NULL), 0);
		assert_null(strstr(desk->result, "horse"));
	}
	assert_int_equal(desk_call(desk, "secret.list", NULL), 0);
	assert_has(desk->result, "\"name\":\"smtp\"");
	struct ml_feed_item item;
	size_t items = 0;
	while (ml_feed_take(feed, &item)) {
		assert_null(strstr(item.json, "horse"));
		free(item.json);
		items++;
	}
	assert_true(items > 0);
	ml_feed_unsubscribe(feed);
	char path[160];
	(void)snprintf(path, sizeof path, "%s/meterloom.db", desk->data);
	file_holds_no_value(path);
	(void)snprintf(path, sizeof path, "%s/meterloom.db-wal", desk->data);
	file_holds_no_value(path);
}

static void without_its_key_a_secret_is_no_use_and_says_so(void **state)
{
	struct desk *desk = *state;
	char text[64], moved[160];
	struct ml_error err = ML_ERROR_NONE;
	assert_int_equal(
		desk_call(desk, "secret.set", "{'name': 'smtp', 'value': '" VALUE "'}"), 0);
	(void)snprintf(moved, sizeof moved, "%s.moved", desk->key);
	assert_int_equal(rename(desk->key, moved), 0);
	desk_restart(desk);
	assert_true(ml_secret_get(desk->engine, "smtp", text, sizeof text, &err) < 0);
	assert_int_equal(desk_call(desk, "log.list", NULL), 0);
	assert_has(desk->result, "no secret can be used");
	/* The next secret makes a new key; what was sealed under the old one stays shut. */
	assert_int_equal(desk_call(desk, "secret.set", "{'name': 'ftp', 'value': 'x'}"), 0);
	err = ML_ERROR_NONE;
	assert_int_equal(ml_secret_get(desk->engine, "smtp", text, sizeof text, &err), -EBADMSG);
	assert_has(err.text, "another device key");
	/* A key that others may read is not used, and no other is put in its place. */
	assert_int_equal(chmod(desk->key, 0644), 0);
	desk_restart(desk);
	err = ML_ERROR_NONE;
	assert_int_equal(ml_secret_get(desk->engine, "ftp", text, sizeof text, &err), -EPERM);
	assert_has(err.text, "chmod 600");
	assert_int_equal(desk_call(desk, "secret.set", "{'name': 'b', 'value': 'x'}"), -EPERM);
	/* Mended while it runs. */
	assert_int_equal(chmod(desk->key, 0600), 0);
	assert_int_equal(ml_secret_get(desk->engine, "ftp", text, sizeof text, NULL), 0);
	assert_string_equal(text, "x");
}

static void names_and_values_have_bounds(void **state)
{
	struct desk *desk = *state;
	char params[5000];
	static const char *const names[] = {"", "A", "-a", "a b", "a/b", "é"};
	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		(void)snprintf(params, sizeof params, "{'name': '%s', 'value': 'x'}", names[i]);
		assert_int_equal(desk_call(desk, "secret.set", params), -EINVAL);
	}
	memset(params, 'x', sizeof params);
	memcpy(params, "{'name': 'a', 'value': '", 24);
	(void)snprintf(params + 24 + ML_SECRET_VALUE_MAX, 10, "'}");
	assert_int_equal(desk_call(desk, "secret.set", params), 0);
	memset(params + 24, 'x', ML_SECRET_VALUE_MAX + 1);
	(void)snprintf(params + 24 + ML_SECRET_VALUE_MAX + 1, 10, "'}");
	assert_int_equal(desk_call(desk, "secret.set", params), -EINVAL);
	assert_int_equal(desk_call(desk, "secret.set", "{'name': 'a', 'value': ''}"), -EINVAL);
}

int main(void)
{
#define DESK(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		DESK(a_setting_has_its_default_until_it_is_set),
		DESK(a_setting_is_kept_over_a_restart),
		DESK(a_wrong_value_is_refused_and_the_old_one_holds),
		DESK(a_kept_value_that_is_no_longer_allowed_is_not_used),
		DESK(a_changed_setting_holds_for_the_nodes_that_inherit_it),
		DESK(a_secret_is_kept_and_only_read_by_name),
		DESK(no_answer_log_feed_or_file_holds_a_value),
		DESK(without_its_key_a_secret_is_no_use_and_says_so),
		DESK(names_and_values_have_bounds),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
