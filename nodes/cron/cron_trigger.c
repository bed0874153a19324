/* The node cron-trigger: triggers by a schedule.
 * SPDX-License-Identifier: Apache-2.0
 *
 * Schedules follow the wall clock, timers the monotonic one. So the node looks at the wall clock at
 * least every CHECK: when it was set forward over one or more runs, one of them (the last) is
 * caught up; when it was set back, what has run does not run again until the clock has come to
 * where it was. After a correction by more than BACK_MAX the schedule begins anew: a clock that was
 * years ahead must not stop a gateway for years.
 */
#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <meterloom/command.h>
#include <meterloom/wall.h>
#include <meterloom/zone.h>

#include "cron/cron.h"
#include "cron/trigger.h"

#define CHECK (20 * ML_SEC)
#define BACK_MAX ML_DAY

enum { RUNS, CAUGHT_UP, MERGED }; /* metrics */

struct trigger {
	/* parameters */
	char *schedule;
	char *time_zone;
	char *serial;
	bool at_start;

	struct ml_node *node;
	struct cron cron;
	struct ml_zone *zone;
	bool preset;
	struct ml_timer timer;
	ml_time seen;    /* wall time at the last look */
	ml_time next;    /* wall time of the next run */
	ml_time last;    /* the latest run that was done; INT64_MIN: none */
	ml_time waiting; /* a run that found no room; ML_NEVER: none */
};

/* ---- Parameters ---- */

static int parse_schedule(
	const char *text, struct cron *cron, bool *ret_preset, struct ml_error *err)
{
	const struct cron_preset *preset = cron_preset_find(text, strlen(text));
	*ret_preset = preset != NULL;
	if (preset)
		return cron_parse(preset->pattern, strlen(preset->pattern), cron, err);
	if (strpbrk(text, " \t*|?") || !((text[0] | 0x20) >= 'a' && (text[0] | 0x20) <= 'z'))
		return cron_parse(text, strlen(text), cron, err);
	char list[200] = "";
	size_t length = 0;
	for (preset = cron_presets; preset->name && length < sizeof list; preset++)
		length += (size_t)snprintf(list + length, sizeof list - length, "%s%s",
			length ? ", " : "", preset->name);
	return ml_error_set_at(err, -EINVAL, 0,
		"'%.40s' is no schedule: expected five fields (minute hour day month weekday) or "
		"one of %s",
		text, list);
}

static int check_schedule(const json_t *value, struct ml_error *err)
{
	struct cron cron;
	bool preset = false;
	return parse_schedule(json_string_value(value), &cron, &preset, err);
}

static const struct ml_param trigger_params[] = {
	{.name = "schedule",
		.kind = ML_PARAM_STRING,
		.offset = offsetof(struct trigger, schedule),
		.title = "Schedule",
		.help = "When to run: a name (every-minute, every-5-min, every-10-min, "
			"every-15-min, "
			"every-30-min, hourly, every-2-hours, every-4-hours, every-6-hours, "
			"every-12-hours, daily, weekly, monthly) or a cron pattern of five fields, "
			"minute "
			"hour day month weekday, that must all match: lists 1,2,3, ranges 10-16, "
			"steps "
			"*/15, names mon and jan, L for the last day, ?1-30 for one of them drawn "
			"at "
			"random, and | between patterns.",
		.max = CRON_PATTERN_MAX,
		.flags = ML_PARAM_REQUIRED,
		.check = check_schedule},
	{.name = "at_start",
		.kind = ML_PARAM_BOOL,
		.offset = offsetof(struct trigger, at_start),
		.title = "At start",
		.help = "Run once at once when the node starts, then by the schedule.",
		.preset = "false"},
	{.name = "time_zone",
		.kind = ML_PARAM_STRING,
		.offset = offsetof(struct trigger, time_zone),
		.title = "Time zone",
		.help = "The zone in whose time the schedule runs, such as Europe/Paris.",
		.preset = "\"UTC\"",
		.setting = "gateway.time_zone",
		.max = ML_ZONE_NAME_MAX - 1,
		.flags = ML_PARAM_INHERIT | ML_PARAM_ADVANCED},
	{.name = "serial",
		.kind = ML_PARAM_STRING,
		.offset = offsetof(struct trigger, serial),
		.title = "Serial number",
		.help = "What random values (?) are drawn from, so that gateways do not all run at "
			"the "
			"same time.",
		.preset = "\"\"",
		.setting = "gateway.serial",
		.max = 64,
		.flags = ML_PARAM_INHERIT | ML_PARAM_ADVANCED},
	{0},
};

/* ---- Running ---- */

static struct cron_place place_of(const struct trigger *self)
{
	return (struct cron_place){.zone = self->zone, .seed = cron_seed(self->serial)};
}

static ml_time next_after(const struct trigger *self, ml_time after)
{
	const struct cron_place place = place_of(self);
	return cron_next(&self->cron, &place, after);
}

/* The latest run up to `wall`, which is not before `first`, a run. Windows that double, so that it
 * costs little whether minutes or decades were skipped. */
static ml_time latest_up_to(const struct trigger *self, ml_time first, ml_time wall)
{
	ml_time run = first;
	for (ml_time back = ML_MINUTE; back < wall - first; back *= 2) {
		const ml_time found = next_after(self, wall - back);
		if (found <= wall) {
			run = found;
			break;
		}
	}
	for (ml_time next = run; next <= wall; next = next_after(self, next))
		run = next;
	return run;
}

static void show_next(struct trigger *self)
{
	if (self->next == ML_NEVER) {
		ml_node_state(self->node, ML_STATE_FAULT,
			"the schedule '%s' has no run in the next 400 years", self->schedule);
		return;
	}
	char text[CRON_TIME_TEXT_MAX];
	cron_time_text(self->zone, self->next, text);
	/* Readouts go on by a wrong clock: they get their time later, and reports wait for that. */
	ml_node_state(self->node, ML_STATE_RUNNING, "next run %s%s", text,
		ml_wall_known(ml_node_engine(self->node))
			? ""
			: ", by a clock that is not known to be right");
}

static void send(struct trigger *self, const char *kind, ml_time due)
{
	const struct cron_place place = place_of(self);
	struct ml_trigger trigger = {
		.due = due,
		.next = self->next,
		.period = cron_period(&self->cron, &place, due),
	};
	(void)snprintf(trigger.kind, sizeof trigger.kind, "%s", kind);
	const int r = cron_send(self->node, &trigger);
	if (r == 0) {
		ml_node_count(self->node, RUNS, 1);
		return;
	}
	if (self->waiting != ML_NEVER || r != -EAGAIN) {
		char text[CRON_TIME_TEXT_MAX];
		cron_time_text(self->zone, due, text);
		ml_node_count(self->node, MERGED, 1);
		ml_node_log(self->node, ML_LOG_WARNING, "the run of %s is skipped: %s", text,
			r == -EAGAIN ? "what it triggers is still busy with an earlier one"
				     : "out of memory");
	}
	if (r == -EAGAIN)
		self->waiting = due;
}

static const char *kind_of(const struct trigger *self)
{
	return self->preset ? "preset" : "cron";
}

/* Looks at the wall clock: what is due, and when to look again. */
static void look(struct trigger *self)
{
	const ml_time wall = ml_node_wall(self->node);
	const ml_time before = self->next;
	if (wall >= self->next) {
		const ml_time due = latest_up_to(self, self->next, wall);
		if (due != self->next)
			ml_node_count(self->node, CAUGHT_UP, 1);
		self->last = due;
		self->next = next_after(self, wall);
		send(self, kind_of(self), due);
	} else if (wall < self->seen) {
		const bool anew = self->last == INT64_MIN || self->last - wall > BACK_MAX;
		if (anew)
			self->last = INT64_MIN;
		self->next = next_after(self, anew || self->last < wall ? wall : self->last);
	}
	self->seen = wall;
	if (self->next != before)
		show_next(self);
	const ml_time wait = self->next - wall;
	ml_timer_start(&self->timer, ml_node_now(self->node) + (wait < CHECK ? wait : CHECK));
}

static void trigger_fire(struct ml_timer *timer)
{
	look(timer->user);
}

static int trigger_prepare(struct ml_node *node, void *instance, struct ml_error *err)
{
	struct trigger *self = instance;
	self->node = node;
	int r = parse_schedule(self->schedule, &self->cron, &self->preset, err);
	if (r == 0)
		r = ml_zone_load(self->time_zone, NULL, &self->zone, err);
	return r;
}

static void trigger_start(struct ml_node *node, void *instance)
{
	struct trigger *self = instance;
	ml_timer_init(&self->timer, ml_node_lane(node), trigger_fire, self);
	const ml_time wall = ml_node_wall(node);
	self->seen = wall;
	self->last = INT64_MIN;
	self->waiting = ML_NEVER;
	self->next = next_after(self, wall);
	show_next(self);
	if (self->at_start)
		send(self, "start", wall);
	look(self);
}

static void trigger_room(struct ml_node *node, void *instance)
{
	(void)node;
	struct trigger *self = instance;
	const ml_time due = self->waiting;
	if (due == ML_NEVER)
		return;
	self->waiting = ML_NEVER;
	send(self, kind_of(self), due);
}

static void trigger_stop(struct ml_node *node, void *instance)
{
	(void)node;
	struct trigger *self = instance;
	ml_timer_stop(&self->timer);
}

static void trigger_destroy(void *instance)
{
	struct trigger *self = instance;
	ml_zone_free(self->zone);
	self->zone = NULL;
}

/* ---- What a person can ask ---- */

struct preview {
	int64_t count;
	ml_time from;
};

static const struct ml_param preview_params[] = {
	{.name = "count",
		.kind = ML_PARAM_INTEGER,
		.offset = offsetof(struct preview, count),
		.title = "Runs",
		.help = "How many runs to tell.",
		.preset = "10",
		.min = 1,
		.max = 1000},
	{.name = "from",
		.kind = ML_PARAM_TIME,
		.offset = offsetof(struct preview, from),
		.title = "From",
		.help = "The time after which they are looked for; now, where it is left out.",
		.flags = ML_PARAM_NULLABLE},
	{0},
};

static void trigger_preview(struct ml_node *node, void *instance, struct ml_job *job, void *params)
{
	const struct trigger *self = instance;
	const struct preview *preview = params;
	const struct cron_place place = place_of(self);
	ml_time run = preview->from != ML_TIME_NONE ? preview->from : ml_node_wall(node);
	const ml_time period = cron_period(&self->cron, &place, run);
	struct ml_json_writer *w = ml_job_result(job);
	ml_json_begin_object(w);
	ml_json_key(w, "schedule");
	ml_json_string(w, self->schedule);
	ml_json_key(w, "time_zone");
	ml_json_string(w, ml_zone_name(self->zone));
	ml_json_key(w, "period");
	if (period)
		ml_json_integer(w, period / ML_SEC);
	else
		ml_json_null(w);
	ml_json_key(w, "runs");
	ml_json_begin_array(w);
	for (int64_t i = 0; i < preview->count; i++) {
		run = cron_next(&self->cron, &place, run);
		if (run == ML_NEVER)
			break;
		char text[ML_ZONE_TEXT_MAX];
		ml_json_string_n(w, text, ml_zone_format(self->zone, run, text));
	}
	ml_json_end_array(w);
	ml_json_end_object(w);
	ml_job_succeed(job);
}

static void trigger_run(struct ml_node *node, void *instance, struct ml_job *job, void *params)
{
	(void)params;
	struct trigger *self = instance;
	const struct cron_place place = place_of(self);
	const ml_time now = ml_node_wall(node);
	const struct ml_trigger trigger = {.kind = "manual",
		.due = now,
		.next = self->next,
		.period = cron_period(&self->cron, &place, now)};
	const int r = cron_send(node, &trigger);
	if (r == 0) {
		ml_node_count(node, RUNS, 1);
		ml_job_succeed(job);
		return;
	}
	struct ml_error err = ML_ERROR_NONE;
	ml_error_set(&err, r, "%s",
		r == -EAGAIN ? "what it triggers is still busy; try again later" : "out of memory");
	ml_job_fail(job, &err);
}

static const struct ml_action trigger_actions[] = {
	{.name = "preview",
		.title = "Next runs",
		.help = "Tells the next runs, in the time of the schedule's zone, and the shortest "
			"gap "
			"between them in seconds.",
		.params = preview_params,
		.params_size = sizeof(struct preview),
		.run = trigger_preview},
	{.name = "run",
		.title = "Run now",
		.help = "Triggers what is wired to it at once, beside the schedule.",
		.run = trigger_run},
	{0},
};

static const struct ml_port trigger_ports[] = {
	[CRON_TRIGGER_OUT] = {"out", ML_OUTPUT, &ml_trigger_type, .help = "What is to run."},
	{0},
};

static const struct ml_metric trigger_metrics[] = {
	[RUNS] = {"runs", .help = "Triggers sent."},
	[CAUGHT_UP] = {"caught_up", .help = "Runs that stood for those that a clock jumped over."},
	[MERGED] = {"skipped", .help = "Runs left out while what they trigger was still busy."},
	{0},
};

const struct ml_node_class cron_trigger_class = {
	.type = "cron-trigger",
	.version = 1,
	.title = "Schedule",
	.help = "Triggers what is wired to it by a schedule. When the clock is set forward over "
		"one or "
		"more runs, one is caught up; when it is set back, none is repeated.",
	.category = "trigger",
	.params = trigger_params,
	.ports = trigger_ports,
	.actions = trigger_actions,
	.metrics = trigger_metrics,
	.size = sizeof(struct trigger),
	.flags = ML_NODE_SOURCE,
	.prepare = trigger_prepare,
	.start = trigger_start,
	.room = trigger_room,
	.stop = trigger_stop,
	.destroy = trigger_destroy,
};
