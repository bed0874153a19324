/* Rules of faults from a JSON file.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <jansson.h>
#include <stdio.h>

#include <meterloom/param.h>

#include "sim/fault.h"

static const struct ml_choice fault_choices[] = {
	{"meter-silent", SIM_METER_SILENT, "a meter does not answer"},
	{"meter-slow", SIM_METER_SLOW, "a meter's answers come later"},
	{"meter-corrupt", SIM_METER_CORRUPT, "bits of a meter's answers are turned"},
	{"meter-reset", SIM_METER_RESET, "a meter's counters begin again at 0"},
	{"line-broken", SIM_LINE_BROKEN, "the line, or its converter, is gone"},
	{"line-noise", SIM_LINE_NOISE, "bytes that nobody sent come before an answer"},
	{"head-end-down", SIM_HEAD_END_DOWN, "connections are refused"},
	{"head-end-silent", SIM_HEAD_END_SILENT, "it takes connections and says nothing"},
	{"head-end-slow", SIM_HEAD_END_SLOW, "its answers come later"},
	{"head-end-error", SIM_HEAD_END_ERROR, "it answers with HTTP 500"},
	{"head-end-busy", SIM_HEAD_END_BUSY, "it answers with HTTP 503 and Retry-After"},
	{"head-end-refusing", SIM_HEAD_END_REFUSING, "it answers with HTTP 400"},
	{"head-end-loses-answer", SIM_HEAD_END_LOSES_ANSWER,
		"it keeps the report, but its answer gets lost"},
	{"clock-jump", SIM_CLOCK_JUMP, "the gateway's clock jumps, and back after `lasts`"},
	{"restart", SIM_RESTART, "the gateway ends and starts again"},
	{0},
};

struct entry {
	int fault;
	struct ml_decimal per_day;
	ml_time at, lasts, by;
	int64_t share, which;
};

static int check_rate(const json_t *value, struct ml_error *err)
{
	/* Once in 27 years; less never happens here. */
	if (json_number_value(value) < 0.0001)
		return ml_error_set(err, -EINVAL, "expected 0.0001 or more");
	return 0;
}

static const struct ml_param entry_params[] = {
	{.name = "fault",
		.kind = ML_PARAM_CHOICE,
		.offset = offsetof(struct entry, fault),
		.choices = fault_choices,
		.flags = ML_PARAM_REQUIRED},
	{.name = "per_day",
		.kind = ML_PARAM_DECIMAL,
		.offset = offsetof(struct entry, per_day),
		.max = 1000,
		.flags = ML_PARAM_NULLABLE,
		.check = check_rate},
	{.name = "at",
		.kind = ML_PARAM_DURATION,
		.offset = offsetof(struct entry, at),
		.unit = "h",
		.flags = ML_PARAM_NULLABLE},
	{.name = "lasts",
		.kind = ML_PARAM_DURATION,
		.offset = offsetof(struct entry, lasts),
		.unit = "min",
		.flags = ML_PARAM_NULLABLE},
	{.name = "by",
		.kind = ML_PARAM_DURATION,
		.offset = offsetof(struct entry, by),
		.unit = "s",
		.min = -INT64_C(3155760000),
		.max = INT64_C(3155760000),
		.flags = ML_PARAM_NULLABLE},
	{.name = "share",
		.kind = ML_PARAM_INTEGER,
		.offset = offsetof(struct entry, share),
		.unit = "%",
		.preset = "100",
		.min = 1,
		.max = 100},
	{.name = "which",
		.kind = ML_PARAM_INTEGER,
		.offset = offsetof(struct entry, which),
		.preset = "0",
		.min = 0,
		.max = 100000},
	{0},
};

static ml_time gap_of(struct ml_decimal per_day)
{
	/* Days in millionths; the mantissa of 0.5 is 5 with exponent -1. */
	double rate = (double)per_day.mantissa;
	for (int i = per_day.exponent; i < 0; i++)
		rate /= 10;
	for (int i = 0; i < per_day.exponent; i++)
		rate *= 10;
	return (ml_time)((double)ML_DAY / rate);
}

static bool needs_length(int fault)
{
	return fault != SIM_METER_RESET && fault != SIM_RESTART && fault != SIM_CLOCK_JUMP;
}

static bool needs_amount(int fault)
{
	return fault == SIM_METER_SLOW || fault == SIM_HEAD_END_SLOW ||
	       fault == SIM_HEAD_END_BUSY || fault == SIM_CLOCK_JUMP;
}

/* What the table cannot say. */
static void check_entry(const json_t *object, const char *pointer, const char *text, size_t length,
	const struct entry *entry, struct ml_errors *errors)
{
	const bool rate = json_is_number(json_object_get(object, "per_day"));
	const bool at = json_is_number(json_object_get(object, "at"));
	const char *wrong = NULL;
	if (rate == at)
		wrong = "expected either \"per_day\" (so often in the mean) or \"at\" (once, so "
			"many hours after the beginning)";
	else if (needs_length(entry->fault) && entry->lasts <= 0)
		wrong = "expected \"lasts\": how many minutes";
	else if (needs_amount(entry->fault) && entry->by == 0)
		wrong = "expected \"by\": how many seconds";
	else if (entry->fault != SIM_CLOCK_JUMP && entry->by < 0)
		wrong = "\"by\" is negative: only a clock can jump back";
	if (!wrong)
		return;
	struct ml_error err = ML_ERROR_NONE;
	ml_error_set_pointer(&err, -EINVAL, pointer, "%s", wrong);
	ml_json_locate_error(text, length, &err);
	ml_errors_add(errors, &err);
}

static void read_entry(const json_t *object, size_t index, const char *text, size_t length,
	struct sim_faults *faults, struct ml_errors *errors)
{
	char pointer[32];
	struct entry entry = {0};
	(void)snprintf(pointer, sizeof pointer, "/faults/%zu", index);
	const struct ml_params_source source = {.pointer = pointer, .text = text, .length = length};
	if (ml_params_parse(entry_params, object, &source, &entry, errors) < 0)
		return;
	check_entry(object, pointer, text, length, &entry, errors);
	if (faults->count == SIM_RULES_MAX || errors->count > 0)
		return;
	faults->rules[faults->count++] = (struct sim_rule){
		.fault = entry.fault,
		.every = entry.per_day.mantissa > 0 ? gap_of(entry.per_day) : 0,
		.at = entry.at,
		.lasts = entry.lasts,
		.by = entry.by,
		.share = entry.share,
		.which = entry.which,
	};
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
	for (size_t i = 0; i < json_array_size(list); i++)
		read_entry(json_array_get(list, i), i, text, length, faults, errors);
	json_decref(root);
	return errors->count + errors->more > 0 ? -EINVAL : 0;
}
