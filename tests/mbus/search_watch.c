/* A call of meter.search, and what it tells while it runs.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "mbus/search_watch.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <meterloom/command.h>

static void on_done(void *user, const struct ml_outcome *outcome)
{
	struct search_watch *w = user;
	w->done = true;
	w->code = outcome->code;
	w->took = ml_clock_monotonic(w->rig->clock) - w->began;
	const char *text = outcome->code == 0 ? outcome->result : outcome->detail;
	w->result = text ? json_loads(text, JSON_DECODE_ANY, NULL) : NULL;
}

static void on_row(void *user, const char *json, size_t length)
{
	struct search_watch *w = user;
	assert_true(w->row_count < SEARCH_ROWS_MAX);
	w->rows[w->row_count] = json_loadb(json, length, 0, NULL);
	assert_non_null(w->rows[w->row_count]);
	w->row_count++;
}

static void on_progress(void *user, uint64_t done, uint64_t total, const char *text)
{
	struct search_watch *w = user;
	(void)snprintf(w->text, sizeof w->text, "%s", text);
	assert_true(done >= w->progress && done <= total);
	w->progress = done;
}

void search_call(struct rig *rig, const char *params, struct search_watch *w)
{
	char text[300];
	const int length = snprintf(text, sizeof text, "{%s}", params);
	for (int i = 0; i < length; i++)
		text[i] = text[i] == '\'' ? '"' : text[i];
	json_t *json = json_loads(text, 0, NULL);
	assert_non_null(json);
	memset(w, 0, sizeof *w);
	w->rig = rig;
	w->began = ml_clock_monotonic(rig->clock);
	const struct ml_call search = {
		.command = "meter.search",
		.params = json,
		.role = ML_ROLE_ADMIN,
		.done = on_done,
		.user_data = w,
		.lane = ml_engine_lane(rig->engine, "control"),
		.row = on_row,
		.progress = on_progress,
	};
	w->job = ml_command_call(rig->engine, &search);
	assert_true(w->job != 0);
	json_decref(json);
}

void search_wait(struct search_watch *w, ml_time within)
{
	for (ml_time passed = 0; !w->done && passed < within; passed += ML_SEC)
		rig_pass(w->rig, ML_SEC);
	assert_true(w->done);
}

void search_let_go(struct search_watch *w)
{
	for (size_t i = 0; i < w->row_count; i++)
		json_decref(w->rows[i]);
	json_decref(w->result);
	memset(w, 0, sizeof *w);
}

unsigned search_number(const struct search_watch *w, const char *key)
{
	const json_t *value = json_object_get(w->result, key);
	assert_true(json_is_integer(value));
	return (unsigned)json_integer_value(value);
}

const char *search_text(const json_t *row, const char *key)
{
	const char *text = json_string_value(json_object_get(row, key));
	return text ? text : "";
}

/* Rows of this meter. */
size_t search_rows(const struct search_watch *w, struct meter_identity identity, const char *result)
{
	char secondary[METER_SECONDARY_TEXT_MAX];
	size_t count = 0;
	(void)meter_secondary_format(identity, secondary);
	for (size_t i = 0; i < w->row_count; i++)
		count += strcmp(search_text(w->rows[i], "secondary"), secondary) == 0 &&
			 (!result || strcmp(search_text(w->rows[i], "result"), result) == 0);
	return count;
}
