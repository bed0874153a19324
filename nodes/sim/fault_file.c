/* Rules of faults from a JSON file.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <jansson.h>
#include <stdio.h>

#include <meterloom/param.h>
#include <meterloom/tool.h>

#include "sim/line.h"

enum { NUMBER_MAX = 64, FILE_BYTES_MAX = 64 * 1024 };

/* What is wrong, with its place in the text. */
static void complain(const char *pointer, const char *text, size_t length, struct ml_error *wrong,
	struct ml_errors *errors)
{
	struct ml_error err = ML_ERROR_NONE;
	ml_error_set_pointer(&err, wrong->code, pointer, "%s", wrong->text);
	ml_json_locate_error(text, length, &err);
	ml_errors_add(errors, &err);
}

/* One member as it would be typed. */
static int set_member(
	struct sim_draft *draft, const char *key, const json_t *value, struct ml_error *err)
{
	char number[NUMBER_MAX];
	if (json_is_string(value))
		return sim_draft_set(draft, key, json_string_value(value), err);
	if (!json_is_number(value))
		return ml_error_set(err, -EINVAL, "%.40s is %s: expected a number or a text", key,
			ml_json_found(value));
	const size_t length = json_dumpb(
		value, number, sizeof number - 1, JSON_ENCODE_ANY | JSON_REAL_PRECISION(15));
	number[length < sizeof number ? length : 0] = '\0';
	return sim_draft_set(draft, key, number, err);
}

static void read_entry(const json_t *object, size_t index, const char *text, size_t length,
	struct sim_faults *faults, struct ml_errors *errors)
{
	char pointer[32];
	char place[ML_ERROR_POINTER_MAX];
	const char *key;
	const json_t *value;
	struct sim_draft draft = {0};
	bool good = true;
	(void)snprintf(pointer, sizeof pointer, "/faults/%zu", index);
	if (!json_is_object(object)) {
		struct ml_error err = ML_ERROR_NONE;
		ml_error_set(&err, -EINVAL,
			"%s: expected an object such as {\"fault\": "
			"\"meter-silent\", \"at\": 1, \"lasts\": 20}",
			ml_json_found(object));
		complain(pointer, text, length, &err, errors);
		return;
	}
	json_object_foreach((json_t *)(uintptr_t)object, key, value)
	{
		struct ml_error err = ML_ERROR_NONE;
		if (set_member(&draft, key, value, &err) == 0)
			continue;
		good = false;
		ml_json_pointer(place, sizeof place, pointer, key);
		complain(place, text, length, &err, errors);
	}
	struct ml_error err = ML_ERROR_NONE;
	if (good && (sim_draft_finish(&draft, &err) < 0 ||
			    sim_faults_add(faults, &draft.rule, &err) < 0))
		complain(pointer, text, length, &err, errors);
}

static int fail(struct ml_errors *errors, struct ml_error *err)
{
	ml_errors_add(errors, err);
	return err->code;
}

int sim_faults_parse(
	const char *text, size_t length, struct sim_faults *faults, struct ml_errors *errors)
{
	struct ml_error err = ML_ERROR_NONE;
	json_error_t wrong;
	faults->count = 0;
	json_t *root = json_loadb(text, length, JSON_REJECT_DUPLICATES, &wrong);
	if (!root) {
		ml_error_set(&err, -EINVAL, "%s", wrong.text);
		err.line = wrong.line;
		err.column = wrong.column;
		return fail(errors, &err);
	}
	const json_t *list = json_object_get(root, "faults");
	if (!json_is_array(list) || json_object_size(root) != 1) {
		ml_error_set(&err, -EINVAL, "expected {\"faults\": [...]} and nothing else");
		ml_json_locate_error(text, length, &err);
		(void)fail(errors, &err);
	} else if (json_array_size(list) > SIM_RULES_MAX) {
		ml_error_set_pointer(&err, -E2BIG, "/faults", "%zu faults: expected at most %d",
			json_array_size(list), SIM_RULES_MAX);
		ml_json_locate_error(text, length, &err);
		(void)fail(errors, &err);
	}
	for (size_t i = 0; i < json_array_size(list) && i < SIM_RULES_MAX; i++)
		read_entry(json_array_get(list, i), i, text, length, faults, errors);
	json_decref(root);
	return errors->count + errors->more > 0 ? -EINVAL : 0;
}

int sim_options_load(struct sim_options *options, struct ml_error *err)
{
	struct ml_buffer text = {0};
	struct ml_errors errors = {0};
	struct sim_faults faults = {0};
	int result = 0;
	if (!options->faults_file[0])
		return 0;
	result = ml_tool_read_file(options->faults_file, FILE_BYTES_MAX, &text, err);
	if (result == 0 &&
		(result = sim_faults_parse(text.data, text.length, &faults, &errors)) < 0) {
		const struct ml_error *first = &errors.items[0];
		ml_error_set(err, result, "%.80s:%d:%d: %s: %.150s", options->faults_file,
			first->line, first->column, first->pointer, first->text);
	}
	for (size_t i = 0; result == 0 && i < faults.count; i++)
		result = sim_faults_add(&options->faults, &faults.rules[i], err);
	ml_errors_free(&errors);
	ml_buffer_free(&text);
	return result;
}
