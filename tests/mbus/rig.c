/* An engine with a bus, a meter list and somebody who writes down what comes from it.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "mbus/rig.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <meterloom/command.h>

#include "decode/family.h"
#include "mbus/family.h"
#include "meter/family.h"
#include "meter/reading_message.h"
#include "sim/family.h"

/* ---- Nodes of the test ---- */

struct mark {
	struct rig *rig;
};

struct rig *rig_of_engine(struct ml_engine *engine)
{
	struct mark *mark = ml_service(engine, "rig");
	return mark->rig;
}

static struct rig *rig_of(struct ml_node *node)
{
	return rig_of_engine(ml_node_engine(node));
}

static int mark_start(struct ml_engine *engine, void **ret_service, struct ml_error *err)
{
	(void)engine;
	(void)err;
	*ret_service = calloc(1, sizeof(struct mark));
	return *ret_service ? 0 : -1;
}

static const struct ml_service_class services[] = {{"rig", mark_start, free}, {0}};

static void prod_start(struct ml_node *node, void *self)
{
	(void)self;
	rig_of(node)->prod = node;
}

static const struct ml_port prod_ports[] = {
	{.name = "out", .direction = ML_OUTPUT, .type = &ml_trigger_type, .help = "out"}, {0}};

static const struct ml_node_class prod_class = {
	.type = "prod",
	.version = 1,
	.title = "prod",
	.help = "prod",
	.category = "trigger",
	.ports = prod_ports,
	.size = 1,
	.flags = ML_NODE_SOURCE,
	.start = prod_start,
};

static void taker_start(struct ml_node *node, void *self)
{
	(void)self;
	struct rig *rig = rig_of(node);
	rig->taker = node;
	if (rig->stuck)
		ml_node_demand(node, 0, 0);
}

static void write_down(struct rig_frame *out, const struct ml_message *message)
{
	const struct meter_frame *frame = meter_frame(message);
	out->head.point = frame->point;
	out->head.round = frame->round;
	out->head.telegram = frame->telegram;
	out->head.tries = frame->tries;
	out->head.length = frame->length;
	out->head.result = frame->result;
	out->head.flags = frame->flags;
	memcpy(out->head.bus, frame->bus, sizeof out->head.bus);
	memcpy(out->head.interface, frame->interface, sizeof out->head.interface);
	assert_true(frame->length <= sizeof out->bytes);
	memcpy(out->bytes, frame->bytes, frame->length);
	out->time = message->time;
	out->trace = message->trace;
}

static void taker_process(struct ml_node *node, void *self, unsigned port,
	struct ml_message *const *messages, size_t count)
{
	(void)self;
	(void)port;
	struct rig *rig = rig_of(node);
	for (size_t i = 0; i < count; i++) {
		assert_true(rig->frame_count < RIG_FRAMES_MAX);
		write_down(&rig->frames[rig->frame_count++], messages[i]);
		if (rig->refuse)
			ml_fail(node, messages[i], "the test refuses it");
		else
			ml_release(node, messages[i]);
	}
}

static void taker_round(struct ml_node *node, void *self, const struct ml_round *round)
{
	(void)self;
	struct rig *rig = rig_of(node);
	assert_true(rig->end_count < RIG_ROUNDS_MAX);
	/* Who sees the count sees what it counts. */
	if (round->phase == ML_ROUND_BEGIN) {
		rig->begins[rig->begin_count] = *round;
		rig->begin_count++;
	} else {
		rig->ends[rig->end_count] = *round;
		rig->end_count++;
	}
}

static const struct ml_port taker_ports[] = {
	{.name = "in", .direction = ML_INPUT, .type = &meter_frame_type, .help = "in"}, {0}};

static const struct ml_node_class taker_class = {
	.type = "taker",
	.version = 1,
	.title = "taker",
	.help = "taker",
	.category = "store",
	.ports = taker_ports,
	.size = 1,
	.start = taker_start,
	.process = taker_process,
	.round = taker_round,
};

static void watcher_process(struct ml_node *node, void *self, unsigned port,
	struct ml_message *const *messages, size_t count)
{
	(void)self;
	(void)port;
	struct rig *rig = rig_of(node);
	for (size_t i = 0; i < count; i++) {
		write_down(&rig->continuous_last, messages[i]);
		rig->continuous_count++;
		ml_release(node, messages[i]);
	}
}

static const struct ml_node_class watcher_class = {
	.type = "watcher",
	.version = 1,
	.title = "watcher",
	.help = "watcher",
	.category = "sink",
	.ports = taker_ports,
	.size = 1,
	.process = watcher_process,
};

static void reader_process(struct ml_node *node, void *self, unsigned port,
	struct ml_message *const *messages, size_t count)
{
	(void)self;
	(void)port;
	rig_of(node)->reading_count += count;
	for (size_t i = 0; i < count; i++)
		ml_release(node, messages[i]);
}

static const struct ml_port reader_ports[] = {
	{.name = "in", .direction = ML_INPUT, .type = &meter_reading_type, .help = "in"}, {0}};

static const struct ml_node_class reader_class = {
	.type = "reader",
	.version = 1,
	.title = "reader",
	.help = "reader",
	.category = "sink",
	.ports = reader_ports,
	.size = 1,
	.process = reader_process,
};

static const struct ml_node_class *const classes[] = {
	&prod_class, &taker_class, &watcher_class, &reader_class, NULL};

static const struct ml_family rig_family = {
	.abi = ML_FAMILY_ABI,
	.size = sizeof(struct ml_family),
	.name = "rig",
	.node_classes = classes,
	.services = services,
	.streams = rig_schemes,
};

static const struct ml_family *const families[] = {
	&meter_family, &mbus_family, &decode_family, &sim_family, &rig_family, NULL};

/* ---- The rig ---- */

static struct rig *new_rig(struct ml_clock *clock, const char *data)
{
	struct rig *rig = calloc(1, sizeof *rig);
	struct ml_error err = ML_ERROR_NONE;
	assert_non_null(rig);
	rig->clock = clock;
	rig->log = ml_log_new(rig->clock, 0);
	const struct ml_engine_options options = {
		.families = families, .clock = rig->clock, .log = rig->log, .data = data};
	if (ml_engine_new(&options, &rig->engine, &err) < 0)
		fail_msg("%s", err.text);
	struct mark *mark = ml_service(rig->engine, "rig");
	mark->rig = rig;
	rig->list = meter_list(rig->engine);
	assert_non_null(rig->list);
	return rig;
}

struct rig *rig_new(bool simulated)
{
	ml_time wall = 0;
	assert_true(ml_time_parse("2026-03-01T00:00:00Z", 20, &wall));
	return new_rig(simulated ? ml_clock_new_simulated(wall) : ml_clock_new_real(), NULL);
}

struct rig *rig_new_at(const char *data, ml_time wall)
{
	return new_rig(ml_clock_new_simulated(wall), data);
}

void rig_free(struct rig *rig)
{
	ml_engine_free(rig->engine);
	ml_log_free(rig->log);
	ml_clock_free(rig->clock);
	sim_line_free(rig->line);
	free(rig);
}

void rig_list(struct rig *rig, const struct sim_options *options, size_t count, int mode)
{
	struct sim_line *line = sim_line_new(options);
	assert_non_null(line);
	for (size_t i = 0; i < count; i++) {
		const struct sim_meter *meter = sim_line_meter(line, i);
		struct meter_settings settings = {0};
		struct ml_error err = ML_ERROR_NONE;
		const bool primary = mode < 0 ? i % 2 == 0 : mode == METER_MODE_PRIMARY;
		settings.mode = primary ? METER_MODE_PRIMARY : METER_MODE_SECONDARY;
		if (primary) {
			settings.has_primary = true;
			settings.primary = meter->primary;
		} else {
			settings.has_secondary = true;
			settings.secondary = meter->identity;
		}
		(void)snprintf(settings.moid, sizeof settings.moid, "flat %zu", i);
		if (meter_list_add(
			    rig->list, &settings, 0, &rig->points[rig->point_count++], &err) < 0)
			fail_msg("%s", err.text);
	}
	sim_line_free(line);
}

void rig_graph(struct rig *rig, const char *params)
{
	struct ml_errors errors = {0};
	char graph[2000];
	const int length = snprintf(graph, sizeof graph,
		"{'meterloom':1,'name':'t','nodes':[{'id':'go','type':'prod'},"
		"{'id':'bus','type':'mbus-source','params':{%s}},"
		"{'id':'taker','type':'taker'}%s%s],"
		"'edges':[{'from':'go','to':'bus'},{'from':'bus','to':'taker','capacity':4}%s%s]}",
		params, rig->continuous ? ",{'id':'watcher','type':'watcher'}" : "",
		rig->decode ? ",{'id':'decode','type':'decode'},{'id':'reader','type':'reader'}"
			    : "",
		rig->continuous ? ",{'from':'bus.continuous','to':'watcher'}" : "",
		rig->decode ? ",{'from':'bus.out','to':'decode'},{'from':'decode','to':'reader'}"
			    : "");
	for (int i = 0; i < length; i++) {
		if (graph[i] == '\'')
			graph[i] = '"';
	}
	if (ml_engine_apply(rig->engine, graph, (size_t)length, &errors) < 0)
		fail_msg("%s: %s", errors.items[0].pointer, errors.items[0].text);
	ml_errors_free(&errors);
}

static void do_trigger(void *user)
{
	struct ml_node *node = user;
	struct ml_message *message =
		ml_message_new(node, &ml_trigger_type, sizeof(struct ml_trigger), NULL);
	assert_non_null(message);
	const struct ml_trigger trigger = {
		.kind = "manual", .due = ml_node_wall(node), .next = ML_NEVER};
	memcpy(message->payload, &trigger, sizeof trigger);
	ml_emit(node, 0, message);
}

void rig_trigger(struct rig *rig)
{
	assert_int_equal(ml_lane_post(ml_node_lane(rig->prod), do_trigger, rig->prod), 0);
}

json_t *rig_bus(struct rig *rig)
{
	struct ml_buffer buffer = {0};
	struct ml_json_writer w;
	ml_json_writer_init(&w, &buffer);
	ml_engine_metrics(rig->engine, &w);
	json_t *all = json_loadb(buffer.data, buffer.length, 0, NULL);
	ml_buffer_free(&buffer);
	assert_non_null(all);
	json_t *bus = json_incref(json_object_get(json_object_get(all, "nodes"), "bus"));
	json_decref(all);
	assert_non_null(bus);
	return bus;
}

/* ---- Actions and events ---- */

struct act {
	bool done;
	int code;
	char text[500]; /* of the result, or of the error */
};

static void acted(void *user, const struct ml_outcome *outcome)
{
	struct act *act = user;
	act->done = true;
	act->code = outcome->code;
	(void)snprintf(act->text, sizeof act->text, "%s",
		outcome->code == 0 ? outcome->result : outcome->errors[0].text);
}

void rig_act(struct rig *rig, const char *action, const char *params, ml_time within,
	const char *expected)
{
	struct act act = {0};
	char text[500];
	const int length = snprintf(
		text, sizeof text, "{'node':'bus','action':'%s','params':{%s}}", action, params);
	for (int i = 0; i < length; i++) {
		if (text[i] == '\'')
			text[i] = '"';
	}
	json_t *json = json_loads(text, 0, NULL);
	assert_non_null(json);
	const struct ml_call call = {
		.command = "node.action",
		.params = json,
		.role = ML_ROLE_ADMIN,
		.done = acted,
		.user_data = &act,
		.lane = ml_engine_lane(rig->engine, "control"),
	};
	assert_true(ml_command_call(rig->engine, &call) != 0);
	for (ml_time passed = 0; !act.done && passed < within; passed += 100 * ML_MSEC)
		rig_pass(rig, 100 * ML_MSEC);
	json_decref(json);
	assert_true(act.done);
	if (expected ? act.code != 0 || strcmp(act.text, expected) != 0 : act.code == 0)
		fail_msg("%s: %d %s", action, act.code, act.text);
}

struct answer {
	bool done;
	json_t *json;
};

static void answered(void *user, const struct ml_outcome *outcome)
{
	struct answer *answer = user;
	answer->done = true;
	answer->json = outcome->code == 0 ? json_loadb(outcome->result, outcome->result_length,
						    JSON_DECODE_ANY, NULL)
					  : json_pack("{s:s}", "error", outcome->errors[0].text);
}

json_t *rig_call(struct rig *rig, const char *command, const char *params, ml_time within)
{
	struct answer answer = {0};
	char text[500];
	(void)snprintf(text, sizeof text, "%s", params);
	for (size_t i = 0; text[i]; i++) {
		if (text[i] == '\'')
			text[i] = '"';
	}
	json_t *json = json_loads(text, 0, NULL);
	assert_non_null(json);
	const struct ml_call call = {
		.command = command,
		.params = json,
		.role = ML_ROLE_ADMIN,
		.done = answered,
		.user_data = &answer,
		.lane = ml_engine_lane(rig->engine, "control"),
	};
	assert_true(ml_command_call(rig->engine, &call) != 0);
	for (ml_time passed = 0; !answer.done && passed <= within; passed += 100 * ML_MSEC)
		rig_pass(rig, 100 * ML_MSEC);
	json_decref(json);
	assert_true(answer.done);
	assert_non_null(answer.json);
	return answer.json;
}

static void counted(void *user, const struct ml_outcome *outcome)
{
	json_t *all = json_loadb(outcome->result, outcome->result_length, 0, NULL);
	const json_t *events = all;
	size_t i = 0;
	json_t *event = NULL;
	struct {
		const char *code;
		size_t count;
		bool done;
	} *count = user;
	assert_int_equal(outcome->code, 0);
	assert_true(json_is_array(events));
	json_array_foreach(events, i, event)
	{
		const char *code = json_string_value(json_object_get(event, "code"));
		count->count += code && strcmp(code, count->code) == 0;
	}
	count->done = true;
	json_decref(all);
}

size_t rig_events(struct rig *rig, const char *code)
{
	struct {
		const char *code;
		size_t count;
		bool done;
	} count = {code, 0, false};
	const struct ml_call call = {
		.command = "event.list",
		.role = ML_ROLE_ADMIN,
		.done = counted,
		.user_data = &count,
		.lane = ml_engine_lane(rig->engine, "control"),
	};
	assert_true(ml_command_call(rig->engine, &call) != 0);
	for (int i = 0; !count.done && i < 100; i++)
		rig_pass(rig, ML_MSEC);
	assert_true(count.done);
	return count.count;
}

void rig_pass(struct rig *rig, ml_time time)
{
	ml_engine_simulate(rig->engine, ml_clock_monotonic(rig->clock) + time);
}

/* ---- Real clock ---- */

struct until {
	struct rig *rig;
	bool (*condition)(struct rig *rig, void *user);
	void *user;
	struct ml_timer timer;
	ml_time give_up;
	bool failed;
};

static void look(struct ml_timer *timer)
{
	struct until *until = timer->user;
	const ml_time now = ml_clock_monotonic(until->rig->clock);
	until->failed = now > until->give_up;
	if (until->failed || until->condition(until->rig, until->user))
		ml_engine_quit(until->rig->engine);
	else
		ml_timer_start(timer, now + 5 * ML_MSEC);
}

void rig_until(struct rig *rig, bool (*condition)(struct rig *rig, void *user), void *user)
{
	const ml_time now = ml_clock_monotonic(rig->clock);
	struct until until = {
		.rig = rig, .condition = condition, .user = user, .give_up = now + ML_MINUTE};
	ml_timer_init(&until.timer, ml_engine_lane(rig->engine, "control"), look, &until);
	ml_timer_start(&until.timer, now);
	ml_engine_run(rig->engine);
	ml_timer_stop(&until.timer);
	if (until.failed) {
		json_t *bus = rig_bus(rig);
		char *text = json_dumps(bus, 0);
		fail_msg("nothing happened: %s", text);
	}
}
