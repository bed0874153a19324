/* One action on several buses, as one job.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "mbus/fleet.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <meterloom/engine.h>

enum {
	REAL_DIGITS = 15, /* a double gives back any decimal of so many */
	PROGRESS_MAX = 80,
	WORDS_MAX = 160, /* of a progress; as much as a line of a terminal or two has room for */
};

struct part {
	struct fleet *fleet;
	uint64_t job; /* 0: it has ended */
	uint64_t done, total;
	char progress[PROGRESS_MAX]; /* what it told last; "": nothing yet */
	char text[ML_ERROR_TEXT_MAX];
};

struct fleet {
	struct mbus_fleet_plan plan;
	char action[32];
	struct mbus_fleet_part *told; /* owned; `count` each */
	struct part *parts;           /* owned */
	size_t count, running;
	bool cancelled;
};

static void free_fleet(struct fleet *f)
{
	for (size_t i = 0; f->told && i < f->count; i++) {
		json_decref(f->told[i].params);
		json_decref(f->told[i].result);
		json_decref(f->told[i].detail);
	}
	free(f->told);
	free(f->parts);
	free(f);
}

/* ---- The end ---- */

/* All integer members, in the order in which they first appear. */
static void write_sums(struct fleet *f, struct ml_json_writer *w)
{
	json_t *sums = json_object();
	const char *key;
	json_t *value;
	for (size_t i = 0; i < f->count; i++) {
		json_object_foreach(f->told[i].result, key, value)
		{
			if (!json_is_integer(value))
				continue;
			const json_int_t before = json_integer_value(json_object_get(sums, key));
			(void)json_object_set_new(
				sums, key, json_integer(before + json_integer_value(value)));
		}
	}
	json_object_foreach(sums, key, value)
	{
		ml_json_key(w, key);
		ml_json_integer(w, json_integer_value(value));
	}
	json_decref(sums);
}

static void write_tree(struct ml_json_writer *w, const char *key, const json_t *tree)
{
	char *text = tree ? json_dumps(tree, JSON_COMPACT | JSON_ENCODE_ANY |
						     JSON_REAL_PRECISION(REAL_DIGITS))
			  : NULL;
	if (!text)
		return;
	ml_json_key(w, key);
	ml_json_raw(w, text, strlen(text));
	free(text);
}

static void write_parts(struct fleet *f, struct ml_json_writer *w)
{
	ml_json_key(w, "buses");
	ml_json_begin_array(w);
	for (size_t i = 0; i < f->count; i++) {
		const struct mbus_fleet_part *part = &f->told[i];
		ml_json_begin_object(w);
		ml_json_key(w, "bus");
		ml_json_string(w, part->bus.bus);
		ml_json_key(w, "node");
		ml_json_string(w, part->bus.node);
		if (part->code < 0) {
			ml_json_key(w, "error");
			ml_json_string(w, part->text);
			write_tree(w, "detail", part->detail);
		} else {
			write_tree(w, "result", part->result);
		}
		ml_json_end_object(w);
	}
	ml_json_end_array(w);
}

static void write_outcome(struct fleet *f, struct ml_json_writer *w)
{
	ml_json_begin_object(w);
	write_sums(f, w);
	write_parts(f, w);
	if (f->plan.finish)
		f->plan.finish(w, f->told, f->count, f->plan.user);
	ml_json_end_object(w);
}

static void fail_with_all(struct fleet *f)
{
	struct ml_errors errors = {0};
	for (size_t i = 0; i < f->count; i++) {
		const struct mbus_fleet_part *part = &f->told[i];
		if (f->count == 1)
			ml_errors_addf(&errors, part->code, "", "%s", part->text);
		else
			ml_errors_addf(&errors, part->code, "", "bus \"%s\": %s", part->bus.bus,
				part->text);
	}
	ml_job_fail_all(f->plan.job, &errors);
	ml_errors_free(&errors);
}

static void end(struct fleet *f)
{
	struct ml_job *job = f->plan.job;
	size_t failed = 0;
	for (size_t i = 0; i < f->count; i++)
		failed += f->told[i].code < 0;
	if (f->cancelled && failed > 0) {
		struct ml_error err = ML_ERROR_NONE;
		ml_error_set(&err, -ECANCELED, "cancelled");
		write_outcome(f, ml_job_detail(job));
		ml_job_fail(job, &err);
	} else if (failed > 0 && failed == f->count) {
		write_outcome(f, ml_job_detail(job));
		fail_with_all(f);
	} else {
		write_outcome(f, ml_job_result(job));
		ml_job_succeed(job);
	}
	if (f->plan.release)
		f->plan.release(f->plan.user);
	free_fleet(f);
}

/* ---- While they run ---- */

/* What each told last, behind the name of its bus. false: there is no room for all. */
static bool write_each(const struct fleet *f, char words[WORDS_MAX])
{
	size_t used = 0;
	words[0] = '\0';
	for (size_t i = 0; i < f->count; i++) {
		const struct mbus_bus *bus = &f->told[i].bus;
		if (!f->parts[i].progress[0])
			continue;
		const int length =
			snprintf(words + used, WORDS_MAX - used, "%s%s: %s", used > 0 ? "; " : "",
				bus->bus[0] ? bus->bus : bus->node, f->parts[i].progress);
		used += length > 0 ? (size_t)length : 0;
		if (used >= WORDS_MAX)
			return false;
	}
	return true;
}

/* One part's text alone would be read as that of all. */
static void tell_progress(struct fleet *f)
{
	char words[WORDS_MAX];
	uint64_t done = 0, total = 0;
	bool known = true;
	for (size_t i = 0; i < f->count; i++) {
		done += f->parts[i].done;
		total += f->parts[i].total;
		known = known && (f->parts[i].total > 0 || f->parts[i].job == 0);
	}
	if (f->count == 1)
		(void)snprintf(words, sizeof words, "%s", f->parts[0].progress);
	else if (!write_each(f, words))
		(void)snprintf(words, sizeof words, "%zu of %zu buses done", f->count - f->running,
			f->count);
	ml_job_progress(f->plan.job, done, known ? total : 0, words);
}

static size_t place_of(const struct part *part)
{
	return (size_t)(part - part->fleet->parts);
}

static void on_progress(void *user, uint64_t done, uint64_t total, const char *text)
{
	struct part *part = user;
	part->done = done;
	part->total = total;
	(void)snprintf(part->progress, sizeof part->progress, "%s", text);
	tell_progress(part->fleet);
}

static void part_ended(struct fleet *f, size_t i)
{
	f->parts[i].job = 0;
	f->parts[i].done = f->parts[i].total;
	/* What it told last need not be how it ended. */
	(void)snprintf(f->parts[i].progress, sizeof f->parts[i].progress, "%s",
		f->told[i].code < 0 ? "failed" : "done");
	if (--f->running == 0)
		end(f);
	else
		tell_progress(f);
}

static void on_row(void *user, const char *json, size_t length)
{
	struct part *part = user;
	ml_json_raw(ml_job_row(part->fleet->plan.job), json, length);
	ml_job_row_end(part->fleet->plan.job);
}

static void on_done(void *user, const struct ml_outcome *outcome)
{
	struct part *part = user;
	struct mbus_fleet_part *told = &part->fleet->told[place_of(part)];
	told->code = outcome->code;
	if (outcome->code == 0)
		told->result =
			json_loadb(outcome->result, outcome->result_length, JSON_DECODE_ANY, NULL);
	else
		(void)snprintf(part->text, sizeof part->text, "%s",
			outcome->error_count > 0 ? outcome->errors[0].text : "out of memory");
	if (outcome->code < 0 && outcome->detail)
		told->detail = json_loads(outcome->detail, JSON_DECODE_ANY, NULL);
	part_ended(part->fleet, place_of(part));
}

static void on_cancel(struct ml_job *job, void *user)
{
	struct fleet *f = user;
	(void)job;
	f->cancelled = true;
	for (size_t i = 0; i < f->count; i++) {
		if (f->parts[i].job)
			(void)ml_command_cancel(ml_job_engine(job), f->parts[i].job, NULL);
	}
}

/* ---- The beginning ---- */

static void begin_part(struct fleet *f, size_t i)
{
	struct part *part = &f->parts[i];
	struct mbus_fleet_part *told = &f->told[i];
	json_t *params = json_pack("{s:s, s:s, s:O*}", "node", told->bus.node, "action", f->action,
		"params", told->params);
	const struct ml_call call = {
		.command = "node.action",
		.params = params,
		.user = ml_job_user(f->plan.job),
		.role = ML_ROLE_ADMIN,
		.done = on_done,
		.user_data = part,
		.lane = ml_engine_lane(ml_job_engine(f->plan.job), "control"),
		.progress = on_progress,
		.row = on_row,
		.part = true,
	};
	part->job = params ? ml_command_call(ml_job_engine(f->plan.job), &call) : 0;
	json_decref(params);
	if (part->job)
		return;
	told->code = -ENOMEM;
	(void)snprintf(part->text, sizeof part->text, "out of memory");
	f->running--;
}

static struct fleet *make_fleet(
	const struct mbus_fleet_plan *plan, const struct mbus_fleet_part *parts, size_t count)
{
	struct fleet *f = calloc(1, sizeof *f);
	if (!f)
		return NULL;
	f->told = calloc(count + 1, sizeof *f->told);
	f->parts = calloc(count + 1, sizeof *f->parts);
	if (!f->told || !f->parts) {
		free_fleet(f);
		return NULL;
	}
	f->plan = *plan;
	f->count = f->running = count;
	(void)snprintf(f->action, sizeof f->action, "%s", plan->action);
	for (size_t i = 0; i < count; i++) {
		f->told[i] = (struct mbus_fleet_part){
			.bus = parts[i].bus, .params = parts[i].params, .text = f->parts[i].text};
		f->parts[i].fleet = f;
	}
	return f;
}

void mbus_fleet_run(
	const struct mbus_fleet_plan *plan, const struct mbus_fleet_part *parts, size_t count)
{
	struct fleet *f = make_fleet(plan, parts, count);
	if (!f) {
		struct ml_error err = ML_ERROR_NONE;
		for (size_t i = 0; i < count; i++)
			json_decref(parts[i].params);
		ml_error_set(&err, -ENOMEM, "out of memory");
		ml_job_fail(plan->job, &err);
		if (plan->release)
			plan->release(plan->user);
		return;
	}
	for (size_t i = 0; i < count; i++)
		begin_part(f, i);
	if (f->running == 0)
		end(f);
	else
		ml_job_on_cancel(plan->job, on_cancel, f);
}
