/* Parameters: what is accepted, what is refused and how the error names it, and the schema.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <meterloom/param.h>

struct all {
	bool on;
	int64_t count;
	struct ml_decimal scale;
	ml_time timeout;
	char *name, *notes, *script;
	int parity;
	char *password;
	struct ml_strings words;
	struct ml_integers bauds;
	ml_time since;
	json_t *extra;
};

static const struct ml_choice parities[] = {
	{"none", 1, NULL}, {"even", 2, "as M-Bus has it"}, {"odd", 3, NULL}, {0}};

static int starts_with_slash(const json_t *value, struct ml_error *err)
{
	if (json_string_value(value)[0] != '/')
		return ml_error_set_at(err, -EINVAL, 0, "expected a path that begins with '/'");
	return 0;
}

#define AT(member) offsetof(struct all, member)
static const struct ml_param all_params[] = {
	{.name = "on", .kind = ML_PARAM_BOOL, .offset = AT(on), .title = "On", .preset = "true"},
	{.name = "count",
		.kind = ML_PARAM_INTEGER,
		.offset = AT(count),
		.title = "Count",
		.preset = "3",
		.min = 1,
		.max = 10,
		.unit = "meters"},
	{.name = "scale",
		.kind = ML_PARAM_DECIMAL,
		.offset = AT(scale),
		.title = "Scale",
		.preset = "0.10",
		.min = 0,
		.max = -1},
	{.name = "timeout",
		.kind = ML_PARAM_DURATION,
		.offset = AT(timeout),
		.unit = "s",
		.title = "Timeout",
		.preset = "0.5"},
	{.name = "name",
		.kind = ML_PARAM_STRING,
		.offset = AT(name),
		.title = "Name",
		.flags = ML_PARAM_INHERIT | ML_PARAM_REQUIRED,
		.setting = "gateway.name"},
	{.name = "notes",
		.kind = ML_PARAM_TEXT,
		.offset = AT(notes),
		.title = "Notes",
		.flags = ML_PARAM_NULLABLE | ML_PARAM_ADVANCED,
		.check = starts_with_slash},
	{.name = "script",
		.kind = ML_PARAM_SCRIPT,
		.offset = AT(script),
		.title = "Script",
		.min = 1,
		.max = 8},
	{.name = "parity",
		.kind = ML_PARAM_CHOICE,
		.offset = AT(parity),
		.title = "Parity",
		.preset = "\"even\"",
		.choices = parities},
	{.name = "password", .kind = ML_PARAM_SECRET, .offset = AT(password), .title = "Password"},
	{.name = "words", .kind = ML_PARAM_STRINGS, .offset = AT(words), .title = "Words"},
	{.name = "bauds",
		.kind = ML_PARAM_INTEGERS,
		.offset = AT(bauds),
		.title = "Rates",
		.min = 1,
		.max = 3},
	{.name = "since", .kind = ML_PARAM_TIME, .offset = AT(since), .title = "Since"},
	{.name = "extra", .kind = ML_PARAM_JSON, .offset = AT(extra), .title = "Extra"},
	{0},
};

/* The first error of parsing `text`, with the code; 0: none. */
static int parse(const char *text, struct all *all, struct ml_errors *errors)
{
	json_t *const object = json_loads(text, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
	assert_non_null(object);
	const struct ml_params_source source = {
		.pointer = "", .text = text, .length = strlen(text)};
	const int result = ml_params_parse(all_params, object, &source, all, errors);
	json_decref(object);
	return result;
}

static void every_kind_is_read(void **state)
{
	(void)state;
	struct all all;
	struct ml_errors errors = {0};
	assert_int_equal(
		parse("{\"on\": false, \"count\": 10, \"scale\": 12.3400, \"timeout\": 90,\n"
		      "\"name\": \"Süd\", \"notes\": \"/a\\nb\", \"script\": \"x=1\", \"parity\": "
		      "\"odd\","
		      "\"password\": {\"secret\": \"smtp\"}, \"words\": [\"a\", \"\"],"
		      "\"bauds\": [300, 2400], \"since\": \"2026-01-31T14:15:00Z\", \"extra\": "
		      "{\"k\": [1]}}",
			&all, &errors),
		0);
	assert_false(all.on);
	assert_int_equal(all.count, 10);
	assert_int_equal(all.scale.mantissa, 123400);
	assert_int_equal(all.scale.exponent, -4);
	assert_int_equal(all.timeout, 90 * ML_SEC);
	assert_string_equal(all.name, "Süd");
	assert_string_equal(all.notes, "/a\nb");
	assert_string_equal(all.script, "x=1");
	assert_int_equal(all.parity, 3);
	assert_string_equal(all.password, "smtp");
	assert_int_equal(all.words.count, 2);
	assert_string_equal(all.words.items[1], "");
	assert_int_equal(all.bauds.count, 2);
	assert_int_equal(all.bauds.items[1], 2400);
	assert_int_equal(all.since, 1769868900 * ML_SEC);
	assert_int_equal(json_integer_value(json_array_get(json_object_get(all.extra, "k"), 0)), 1);
	ml_params_free(all_params, &all);
	assert_null(all.name);
	assert_null(all.extra);
	assert_int_equal(all.words.count, 0);
	assert_int_equal(errors.count, 0);
}

static void defaults_hold_where_nothing_is_given(void **state)
{
	(void)state;
	struct all all;
	struct ml_errors errors = {0};
	assert_int_equal(parse("{\"name\": \"x\", \"notes\": null}", &all, &errors), 0);
	assert_true(all.on);
	assert_int_equal(all.count, 3);
	assert_int_equal(all.scale.mantissa, 10);
	assert_int_equal(all.scale.exponent, -2);
	assert_int_equal(all.timeout, 500 * ML_MSEC);
	assert_int_equal(all.parity, 2);
	assert_null(all.notes);
	assert_null(all.password);
	assert_null(all.extra);
	assert_true(all.since == ML_TIME_NONE);
	ml_params_free(all_params, &all);
	assert_int_equal(
		parse("{\"name\": \"x\", \"since\": \"1970-01-01T00:00:00Z\"}", &all, &errors), 0);
	assert_int_equal(all.since, 0);
	ml_params_free(all_params, &all);
}

static void wrong_values_are_told(void **state)
{
	(void)state;
	static const struct {
		const char *text, *pointer, *error;
	} cases[] = {
		{"{\"on\": 1}", "/on", "on: found an integer, expected true or false"},
		{"{\"on\": null}", "/on", "on: found null, expected true or false"},
		{"{\"count\": 1.0}", "/count",
			"count: found a number with decimals, expected an integer"},
		{"{\"count\": 0}", "/count", "count: found 0, expected 1 to 10 meters"},
		{"{\"count\": 11}", "/count", "count: found 11, expected 1 to 10 meters"},
		{"{\"scale\": -0.01}", "/scale", "scale: found -0.01, expected 0 or more"},
		{"{\"scale\": \"1\"}", "/scale", "scale: found a text, expected a number"},
		{"{\"scale\": 0.123456789012345678901}", "/scale", NULL},
		{"{\"timeout\": -1}", "/timeout", "timeout: found -1, expected 0 to 3155760000 s"},
		{"{\"timeout\": 0.0000001}", "/timeout",
			"timeout: found a time that is not a whole number of microseconds"},
		{"{\"name\": [\"x\"]}", "/name", "name: found a list, expected a text"},
		{"{\"name\": \"a\\u0000b\"}", "/name",
			"name: the text holds the character U+0000, which is not allowed"},
		{"{\"notes\": \"a\"}", "/notes", "notes: expected a path that begins with '/'"},
		{"{\"script\": \"\"}", "/script", "script: the text must not be empty"},
		{"{\"script\": \"123456789\"}", "/script",
			"script: found 9 bytes of text, expected 1 to 8"},
		{"{\"parity\": \"Evn\"}", "/parity",
			"parity: there is no choice 'Evn'; did you mean 'even'?"},
		{"{\"parity\": \"mark\\n\"}", "/parity",
			"parity: there is no choice 'mark?', expected one of: none, even, odd"},
		{"{\"parity\": 2}", "/parity",
			"parity: found an integer, expected one of: none, even, odd"},
		{"{\"words\": [\"a\", 2]}", "/words/1",
			"words: found an integer, expected a text of at most 4096 bytes"},
		{"{\"words\": \"a\"}", "/words", "words: found a text, expected a list of texts"},
		{"{\"bauds\": []}", "/bauds", "bauds: found 0 items, expected 1 to 3"},
		{"{\"bauds\": [1, 2.5]}", "/bauds/1",
			"bauds: found a number with decimals, expected an integer"},
		{"{\"since\": \"yesterday\"}", "/since",
			"since: found 'yesterday', expected a time such as 2026-01-31T14:15:00Z"},
		{"{\"cuont\": 1}", "/cuont",
			"there is no parameter 'cuont'; did you mean 'count'?"},
		{"{\"a~/b\": 1}", "/a~0~1b",
			"there is no parameter 'a~/b', expected one of: on, count, scale, timeout, "
			"name, "
			"notes, script, parity, password, words, bauds, since, extra"},
		{"[]", "", "expected an object of parameters: {\"NAME\": VALUE, ...}"},
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct all all;
		struct ml_errors errors = {0};
		assert_int_equal(parse(cases[i].text, &all, &errors), -EINVAL);
		assert_null(all.name);
		/* `name` is required: each case but those about it has that error too. */
		const struct ml_error *error = &errors.items[0];
		if (strcmp(error->pointer, "/name") == 0 && errors.count > 1)
			error = &errors.items[1];
		assert_string_equal(error->pointer, cases[i].pointer);
		if (cases[i].error)
			assert_string_equal(error->text, cases[i].error);
		assert_int_equal(error->code, -EINVAL);
		assert_int_equal(error->line, 1);
		ml_errors_free(&errors);
	}
}

static void all_errors_come_at_once_with_their_places(void **state)
{
	(void)state;
	struct all all;
	struct ml_errors errors = {0};
	assert_int_equal(
		parse("{\n  \"count\": 99,\n  \"prity\": 1,\n  \"on\": 2\n}", &all, &errors),
		-EINVAL);
	assert_int_equal(errors.count, 4);
	assert_string_equal(errors.items[0].pointer, "/prity");
	assert_int_equal(errors.items[0].line, 3);
	assert_int_equal(errors.items[0].column, 3);
	assert_string_equal(errors.items[1].pointer, "/on");
	assert_int_equal(errors.items[1].line, 4);
	assert_string_equal(errors.items[2].pointer, "/count");
	assert_int_equal(errors.items[2].line, 2);
	assert_string_equal(errors.items[3].pointer, "/name");
	assert_string_equal(errors.items[3].text, "'name' is missing (Name), and the setting "
						  "'gateway.name' it is taken from is not set");
	ml_errors_free(&errors);
}

static void no_error_shows_what_may_be_a_secret(void **state)
{
	(void)state;
	static const char *const texts[] = {
		"{\"name\": \"x\", \"password\": \"hunter2\"}",
		"{\"name\": \"x\", \"password\": {\"secret\": 1, \"hunter2\": 2}}",
		"{\"name\": \"x\", \"password\": {\"secret\": \"\"}}",
	};
	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
		struct all all;
		struct ml_errors errors = {0};
		assert_int_equal(parse(texts[i], &all, &errors), -EINVAL);
		assert_int_equal(errors.count, 1);
		assert_string_equal(errors.items[0].pointer, "/password");
		assert_null(strstr(errors.items[0].text, "hunter2"));
		ml_errors_free(&errors);
	}
}

static const json_t *inherit(void *user, const char *setting)
{
	assert_string_equal(setting, "gateway.name");
	return user;
}

static void settings_are_inherited_and_checked(void **state)
{
	(void)state;
	json_t *const value = json_string("Substation 7");
	struct ml_params_source source = {
		.pointer = "/params", .inherit = inherit, .inherit_user = value};
	struct all all;
	struct ml_errors errors = {0};
	assert_int_equal(ml_params_parse(all_params, NULL, &source, &all, &errors), 0);
	assert_string_equal(all.name, "Substation 7");
	ml_params_free(all_params, &all);
	json_decref(value);

	json_t *const wrong = json_integer(7);
	source.inherit_user = wrong;
	assert_int_equal(ml_params_parse(all_params, NULL, &source, &all, &errors), -EINVAL);
	assert_string_equal(errors.items[0].text,
		"setting 'gateway.name' for name: found an integer, expected a text");
	assert_string_equal(errors.items[0].pointer, "/params/name");
	json_decref(wrong);
	ml_errors_free(&errors);
}

static void decimals_are_exact_in_a_part_of_a_document(void **state)
{
	(void)state;
	/* More digits than a double holds. */
	static const char part[] = "{\"scale\": 1234567890.123456789}";
	json_t *const object = json_loads(part, 0, NULL);
	const struct ml_params_source source = {
		.pointer = "/nodes/3/params",
		.text = part,
		.length = sizeof part - 1,
		.base = "/nodes/3/params",
	};
	const struct ml_param *const scale = &all_params[2];
	const struct ml_param table[] = {*scale, {0}};
	struct all all;
	struct ml_errors errors = {0};
	assert_int_equal(ml_params_parse(table, object, &source, &all, &errors), 0);
	assert_int_equal(all.scale.mantissa, 1234567890123456789);
	assert_int_equal(all.scale.exponent, -9);

	/* A value that was changed since is not taken from the text that no longer tells it. */
	json_object_set_new(object, "scale", json_real(0.1));
	assert_int_equal(ml_params_parse(table, object, &source, &all, &errors), 0);
	assert_int_equal(all.scale.mantissa, 1);
	assert_int_equal(all.scale.exponent, -1);
	json_decref(object);
}

static void one_value_is_checked_alone(void **state)
{
	(void)state;
	struct ml_errors errors = {0};
	json_t *const value = json_integer(11);
	const struct ml_params_source source = {.pointer = "/value"};
	assert_int_equal(ml_param_check(&all_params[1], value, &source, &errors), -EINVAL);
	assert_string_equal(errors.items[0].pointer, "/value");
	json_integer_set(value, 10);
	assert_int_equal(ml_param_check(&all_params[1], value, NULL, &errors), 0);
	assert_int_equal(errors.count, 1);
	json_decref(value);
	ml_errors_free(&errors);
}

static void no_table_takes_no_parameter(void **state)
{
	(void)state;
	struct ml_errors errors = {0};
	json_t *const object = json_pack("{s:i}", "x", 1);
	assert_int_equal(ml_params_parse(NULL, object, NULL, NULL, &errors), -EINVAL);
	assert_string_equal(
		errors.items[0].text, "there is no parameter 'x': none is expected here");
	assert_int_equal(ml_params_parse(NULL, NULL, NULL, NULL, &errors), 0);
	json_decref(object);
	ml_errors_free(&errors);
}

static void the_schema_says_what_the_table_says(void **state)
{
	(void)state;
	struct ml_buffer buffer = {0};
	struct ml_json_writer w;
	ml_json_writer_init(&w, &buffer);
	ml_params_schema(all_params, &w);
	assert_false(buffer.failed);
	json_t *const schema = json_loadb(buffer.data, buffer.length, JSON_REJECT_DUPLICATES, NULL);
	assert_non_null(schema);
	json_t *const properties = json_object_get(schema, "properties");
	assert_int_equal(json_object_size(properties), 13);
	assert_true(json_is_false(json_object_get(schema, "additionalProperties")));
	/* What can be inherited need not be given. */
	assert_null(json_object_get(schema, "required"));
	json_t *const count = json_object_get(properties, "count");
	const char *type = NULL, *unit = NULL, *kind = NULL;
	int preset = 0, min = 0, max = 0;
	assert_int_equal(
		json_unpack(count, "{s:s, s:s, s:s, s:i, s:i, s:i}", "type", &type, "x-unit", &unit,
			"x-kind", &kind, "default", &preset, "minimum", &min, "maximum", &max),
		0);
	assert_string_equal(type, "integer");
	assert_string_equal(unit, "meters");
	assert_string_equal(kind, "integer");
	assert_int_equal(preset, 3);
	assert_int_equal(min, 1);
	assert_int_equal(max, 10);
	json_t *const parity = json_object_get(properties, "parity");
	assert_int_equal(json_array_size(json_object_get(parity, "enum")), 3);
	assert_string_equal(
		json_string_value(json_object_get(json_object_get(parity, "x-choices"), "even")),
		"as M-Bus has it");
	assert_true(
		json_is_true(json_object_get(json_object_get(properties, "notes"), "x-advanced")));
	assert_string_equal(json_string_value(json_object_get(
				    json_object_get(properties, "name"), "x-setting")),
		"gateway.name");
	json_decref(schema);
	ml_buffer_free(&buffer);
}

/* ---- Out of memory at every allocation ---- */

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *memory, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *memory, size_t size);

static long allocations_left = -1; /* -1: no end */

static bool may_allocate(void)
{
	if (allocations_left < 0)
		return true;
	return allocations_left > 0 && allocations_left-- > 0;
}

void *__wrap_malloc(size_t size)
{
	return may_allocate() ? __real_malloc(size) : NULL;
}

void *__wrap_calloc(size_t count, size_t size)
{
	return may_allocate() ? __real_calloc(count, size) : NULL;
}

void *__wrap_realloc(void *memory, size_t size)
{
	return may_allocate() ? __real_realloc(memory, size) : NULL;
}

static void nothing_is_left_behind_when_memory_ends(void **state)
{
	(void)state;
	json_t *const object = json_pack("{s:s, s:s, s:{s:s}, s:[s,s,s], s:[i,i], s:{}}", "name",
		"a", "script", "b", "password", "secret", "c", "words", "d", "e", "f", "bauds", 1,
		2, "extra");
	int result = -ENOMEM;
	long tries = 0;
	for (; result == -ENOMEM; tries++) {
		assert_true(tries < 100);
		struct all all;
		struct ml_errors errors = {0};
		allocations_left = tries;
		result = ml_params_parse(all_params, object, NULL, &all, &errors);
		allocations_left = -1;
		if (result != 0) {
			assert_int_equal(result, -ENOMEM);
			assert_null(all.name);
			assert_null(all.words.items);
			assert_null(all.extra);
			assert_true(errors.count + errors.more > 0);
		} else {
			ml_params_free(all_params, &all);
		}
		ml_errors_free(&errors);
	}
	assert_int_equal(result, 0);
	assert_true(tries > 7); /* each text, list and item is one */
	json_decref(object);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_kind_is_read),
		cmocka_unit_test(defaults_hold_where_nothing_is_given),
		cmocka_unit_test(wrong_values_are_told),
		cmocka_unit_test(all_errors_come_at_once_with_their_places),
		cmocka_unit_test(no_error_shows_what_may_be_a_secret),
		cmocka_unit_test(settings_are_inherited_and_checked),
		cmocka_unit_test(decimals_are_exact_in_a_part_of_a_document),
		cmocka_unit_test(one_value_is_checked_alone),
		cmocka_unit_test(no_table_takes_no_parameter),
		cmocka_unit_test(the_schema_says_what_the_table_says),
		cmocka_unit_test(nothing_is_left_behind_when_memory_ends),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
