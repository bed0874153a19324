/* A gateway that lives through days of simulated time.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <meterloom/command.h>
#include <meterloom/files.h>

#include "sim/simulation_private.h"
#include "sim/world_private.h"

#define SLICE ML_MINUTE
#define PERSON_COMES (20 * ML_MINUTE)
enum { EVENT_QUEUE = 4096 };

/* ---- Commands ---- */

struct call {
	json_t *result;
	int code;
	bool done;
	struct ml_error *err;
};

static void on_done(void *user, const struct ml_outcome *outcome)
{
	struct call *call = user;
	call->done = true;
	call->code = outcome->code;
	if (outcome->code && outcome->error_count)
		(void)ml_error_set(call->err, outcome->code, "%s", outcome->errors[0].text);
	call->result = json_loadb(outcome->result, outcome->result_length, JSON_DECODE_ANY, NULL);
}

int sim_call(struct sim_simulation *s, const char *command, json_t *params, json_t **ret_result,
	struct ml_error *err)
{
	struct call call = {.err = err};
	const struct ml_call what = {
		.command = command,
		.params = params,
		.user = "simulation",
		.role = ML_ROLE_ADMIN,
		.done = on_done,
		.user_data = &call,
		.lane = ml_engine_lane(s->engine, "control"),
	};
	const uint64_t job = ml_command_call(s->engine, &what);
	json_decref(params);
	if (ret_result)
		*ret_result = NULL;
	if (!job)
		return ml_error_set(err, -ENOMEM, "out of memory");
	for (int i = 0; i < 1000 && !call.done; i++)
		ml_engine_simulate(s->engine, ml_clock_monotonic(s->clock) + (i > 0) * ML_MSEC);
	if (!call.done) {
		ml_command_forget(s->engine, job);
		return ml_error_set(err, -ETIMEDOUT, "%s does not end", command);
	}
	if (ret_result)
		*ret_result = call.result;
	else
		json_decref(call.result);
	return call.code;
}

/* ---- Counting ---- */

static void count_failure(struct sim_result *r, const char *name)
{
	size_t i = 0;
	while (i < r->failure_count && strcmp(r->failures[i].name, name) != 0)
		i++;
	if (i == SIM_FAILURES_MAX)
		return;
	if (i == r->failure_count)
		(void)snprintf(
			r->failures[r->failure_count++].name, SIM_FAILURE_NAME_MAX, "%s", name);
	r->failures[i].count++;
}

static void note_refusal(struct sim_simulation *s, const char *destination)
{
	if (s->refusal_count == SIM_LEDGER_HEAD_ENDS_MAX)
		return;
	struct sim_refusal *refusal = &s->refusals[s->refusal_count++];
	(void)snprintf(refusal->destination, sizeof refusal->destination, "%s", destination);
	refusal->at = ml_clock_monotonic(s->clock) + PERSON_COMES;
}

/* What a person does about a refused report, who then finds the head-end as it is. */
static void mend_refusals(struct sim_simulation *s)
{
	const ml_time now = ml_clock_monotonic(s->clock);
	size_t kept = 0;
	for (size_t i = 0; i < s->refusal_count; i++) {
		if (s->refusals[i].at > now) {
			s->refusals[kept++] = s->refusals[i];
			continue;
		}
		s->result.rebuilt +=
			sim_call(s, "report.rebuild",
				json_pack("{s:s}", "destination", s->refusals[i].destination), NULL,
				NULL) == 0;
	}
	s->refusal_count = kept;
}

static void take_event(struct sim_simulation *s, const json_t *event)
{
	const char *code = json_string_value(json_object_get(event, "code"));
	const json_t *arguments = json_object_get(event, "arguments");
	const char *result = json_string_value(json_object_get(arguments, "result"));
	const char *destination = json_string_value(json_object_get(arguments, "destination"));
	if (code && strcmp(code, "readout-failed") == 0 && result)
		count_failure(&s->result, result);
	if (code && strcmp(code, "delivery-stopped") == 0 && destination)
		note_refusal(s, destination);
}

static void take_events(struct sim_simulation *s)
{
	struct ml_feed_item item;
	while (ml_feed_take(s->events, &item)) {
		json_t *event = json_loadb(item.json, item.length, 0, NULL);
		take_event(s, event);
		json_decref(event);
		free(item.json);
	}
}

static void woken(void *user)
{
	(void)user; /* taken after each slice */
}

static uint64_t metric(const json_t *node, const char *name)
{
	return (uint64_t)json_integer_value(json_object_get(json_object_get(node, "own"), name));
}

/* What the nodes of the gateway have counted since it started. */
static void take_metrics(struct sim_simulation *s)
{
	struct ml_buffer text = {0};
	struct ml_json_writer w;
	const char *id;
	json_t *node;
	ml_json_writer_init(&w, &text);
	ml_engine_metrics(s->engine, &w);
	json_t *root = text.data ? json_loadb(text.data, text.length, 0, NULL) : NULL;
	json_object_foreach(json_object_get(root, "nodes"), id, node)
	{
		s->result.rounds += metric(node, "rounds");
		s->result.read += metric(node, "meters_read");
		s->result.failed += metric(node, "meters_failed");
		s->result.telegrams += metric(node, "telegrams");
	}
	json_decref(root);
	ml_buffer_free(&text);
}

/* ---- The gateway's life ---- */

static int start_gateway(struct sim_simulation *s, struct ml_errors *errors)
{
	struct ml_error err = ML_ERROR_NONE;
	const struct ml_engine_options options = {
		.families = s->options.families,
		.clock = s->clock,
		.log = s->log,
		.data = s->options.data,
		.device_key = s->key_file,
		.seed = s->options.seed,
		.no_sync = true,
		.files = &ml_files_unsynced,
	};
	if (ml_engine_new(&options, &s->engine, &err) < 0) {
		ml_errors_add(errors, &err);
		return err.code;
	}
	sim_world_enter(s->world, s->engine);
	s->events = ml_feed_subscribe(
		s->engine, "event", EVENT_QUEUE, ml_engine_lane(s->engine, "control"), woken, s);
	return 0;
}

static void end_gateway(struct sim_simulation *s)
{
	if (!s->engine)
		return;
	take_metrics(s);
	take_events(s);
	ml_feed_unsubscribe(s->events);
	s->events = NULL;
	ml_engine_free(s->engine);
	s->engine = NULL;
}

static int furnish(struct sim_simulation *s, struct ml_error *err)
{
	int result = 0;
	if (s->options.zone)
		result = sim_call(s, "setting.set",
			json_pack("{s:s, s:s}", "name", "gateway.time_zone", "value",
				s->options.zone),
			NULL, err);
	if (result == 0 && s->list.length > 0)
		result = sim_call(
			s, "meter.import", json_pack("{s:s}", "csv", s->list.data), NULL, err);
	return result;
}

static int apply(struct sim_simulation *s, struct ml_errors *errors)
{
	return ml_engine_apply(s->engine, s->graph, strlen(s->graph), errors);
}

static int restart(struct sim_simulation *s, struct ml_error *err)
{
	struct ml_errors errors = {0};
	end_gateway(s);
	s->result.restarts++;
	int result = start_gateway(s, &errors);
	if (result == 0)
		result = apply(s, &errors);
	if (result < 0)
		(void)ml_error_set(err, result, "the gateway does not start again: %s",
			errors.count > 0 ? errors.items[0].text : "out of memory");
	ml_errors_free(&errors);
	return result;
}

struct ml_engine *sim_simulation_engine(struct sim_simulation *simulation)
{
	return simulation->engine;
}

struct sim_world *sim_simulation_world(struct sim_simulation *simulation)
{
	return simulation->world;
}

/* The gateway's clock, as wrong as it is to be. */
static void set_clock(struct sim_simulation *s)
{
	const ml_time wall = sim_world_wall(s->world) + sim_world_clock_error(s->world);
	if (wall != ml_clock_wall(s->clock))
		ml_clock_set_wall(s->clock, wall);
}

/* ---- Making ---- */

static int prepare(struct sim_simulation *s, struct ml_error *err)
{
	const struct sim_simulation_options *o = &s->options;
	if (o->zone && ml_zone_load(o->zone, NULL, &s->zone, err) < 0)
		return err ? err->code : -ENOENT;
	s->clock = ml_clock_new_simulated(o->begin);
	s->log = s->clock ? ml_log_new(s->clock, 0) : NULL;
	const struct sim_world_options world = {
		.clock = s->clock,
		.seed = o->seed,
		.faults = o->faults,
		.zone = s->zone ? s->zone : ml_zone_utc(),
		.keep = o->keep,
	};
	if (!s->log || asprintf(&s->key_file, "%s.key", o->data) < 0 ||
		sim_world_new(&world, &s->world) < 0)
		return ml_error_set(err, -ENOMEM, "out of memory");
	if (mkdir(o->data, 0700) < 0 && errno != EEXIST)
		return ml_error_set(err, -errno, "the data directory %s cannot be made: %s",
			o->data, strerror(errno));
	ml_log_set_minimum(s->log, o->log ? ML_LOG_INFO : ML_LOG_ERROR);
	if (o->log)
		(void)ml_log_subscribe(s->log, ML_LOG_INFO, o->log, o->log_user);
	return sim_graph_map(s, err);
}

int sim_simulation_new(const struct sim_simulation_options *options,
	struct sim_simulation **ret_simulation, struct ml_errors *errors)
{
	struct ml_error err = ML_ERROR_NONE;
	struct sim_simulation *s = calloc(1, sizeof *s);
	*ret_simulation = NULL;
	if (!s)
		return -ENOMEM;
	s->options = *options;
	int result = prepare(s, &err);
	if (result == 0) {
		set_clock(s);
		result = start_gateway(s, errors);
	}
	/* As it is written: errors name its places. */
	if (result == 0)
		result = ml_engine_check(s->engine, options->graph, options->graph_length, errors);
	if (result == 0)
		result = furnish(s, &err);
	if (result == 0)
		result = apply(s, errors);
	if (err.code)
		ml_errors_add(errors, &err);
	if (result < 0) {
		sim_simulation_free(s);
		return result;
	}
	*ret_simulation = s;
	return 0;
}

void sim_simulation_free(struct sim_simulation *s)
{
	if (!s)
		return;
	end_gateway(s);
	sim_world_free(s->world);
	ml_log_free(s->log);
	ml_clock_free(s->clock);
	ml_zone_free(s->zone);
	ml_buffer_free(&s->list);
	json_decref(s->tree);
	/* It keeps no secrets, and lies beside the data. */
	if (s->key_file)
		(void)unlink(s->key_file);
	free(s->graph);
	free(s->key_file);
	free(s);
}

/* ---- Time goes by ---- */

static ml_time next_change(struct sim_simulation *s, ml_time until)
{
	static const enum sim_fault faults[] = {SIM_RESTART, SIM_CLOCK_JUMP};
	ml_time next = ml_clock_monotonic(s->clock) + SLICE;
	next = next < until ? next : until;
	for (size_t i = 0; i < sizeof faults / sizeof *faults; i++) {
		const ml_time change = sim_world_change(s->world, faults[i]);
		next = change < next ? change : next;
	}
	return next;
}

int sim_simulation_run(struct sim_simulation *s, ml_time until, struct ml_error *err)
{
	while (ml_clock_monotonic(s->clock) < until) {
		ml_engine_simulate(s->engine, next_change(s, until));
		take_events(s);
		mend_refusals(s);
		set_clock(s);
		if (sim_world_restarts(s->world)) {
			const int result = restart(s, err);
			if (result < 0)
				return result;
		}
	}
	return 0;
}

/* ---- The end ---- */

/* A lost line, and a meter that fails again and again, have one event. */
static void count_others(struct sim_result *r)
{
	uint64_t told = 0;
	for (size_t i = 0; i < r->failure_count; i++)
		told += r->failures[i].count;
	if (r->failed > told && r->failure_count < SIM_FAILURES_MAX) {
		(void)snprintf(r->failures[r->failure_count].name, SIM_FAILURE_NAME_MAX, "other");
		r->failures[r->failure_count++].count = r->failed - told;
	}
}

static void count_faults(struct sim_simulation *s)
{
	for (int i = 0; i < SIM_FAULTS; i++)
		s->result.faults[i] = sim_world_fault_count(s->world, (enum sim_fault)i);
}

/* Whether each destination has had all up to this number. */
static bool delivered(struct sim_simulation *s, uint64_t sequence)
{
	size_t i;
	const json_t *destination;
	json_t *status = NULL;
	bool all = sim_call(s, "store.status", NULL, &status, NULL) == 0;
	json_array_foreach(json_object_get(status, "destinations"), i, destination) all =
		all &&
		(uint64_t)json_integer_value(json_object_get(destination, "sequence")) >= sequence;
	s->result.store_bytes = (uint64_t)json_integer_value(json_object_get(status, "bytes"));
	json_decref(status);
	return all;
}

int sim_simulation_finish(struct sim_simulation *s, struct sim_result *result, struct ml_error *err)
{
	uint64_t due = 0;
	count_faults(s);
	sim_world_heal(s->world);
	set_clock(s);
	int code = sim_stored_sequence(s, &due, err);
	const ml_time patience = ml_clock_monotonic(s->clock) + 2 * ML_DAY;
	while (code == 0 && !delivered(s, due) && ml_clock_monotonic(s->clock) < patience)
		code = sim_simulation_run(s, ml_clock_monotonic(s->clock) + 5 * ML_MINUTE, err);
	/* What is on its way comes to its end before the books are closed. */
	for (int i = 0; code == 0 && i < 600 && !sim_world_quiet(s->world, 5 * ML_SEC); i++)
		code = sim_simulation_run(s, ml_clock_monotonic(s->clock) + ML_SEC, err);
	s->result.simulated = ml_clock_monotonic(s->clock);
	if (code == 0)
		code = sim_book_store(s, due, err);
	take_metrics(s);
	take_events(s);
	count_others(&s->result);
	if (code == 0)
		code = sim_settle_accounts(s, err);
	*result = s->result;
	return code;
}
