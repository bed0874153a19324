/* The triggers in an engine on simulated time: when they come, what they tell, clock jumps.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <meterloom/engine.h>
#include <meterloom/family.h>

#include "cron/family.h"

enum { SEEN_MAX = 4096 };

/* What the node "t-seen" of an engine got. */
struct seen {
	struct ml_trigger triggers[SEEN_MAX];
	size_t count;
	bool stuck; /* takes one and no more */
};

struct catcher {
	struct seen *seen;
};

static int seen_start(struct ml_engine *engine, void **ret_service, struct ml_error *err)
{
	(void)engine;
	(void)err;
	*ret_service = calloc(1, sizeof(struct seen));
	return *ret_service ? 0 : -1;
}

static int catch_prepare(struct ml_node *node, void *self, struct ml_error *err)
{
	(void)err;
	((struct catcher *)self)->seen = ml_service(ml_node_engine(node), "seen");
	return 0;
}

static void catch_process(struct ml_node *node, void *self, unsigned port,
	struct ml_message *const *messages, size_t count)
{
	struct seen *seen = ((struct catcher *)self)->seen;
	for (size_t i = 0; i < count; i++) {
		if (seen->count < SEEN_MAX)
			memcpy(&seen->triggers[seen->count++], messages[i]->payload,
				sizeof(struct ml_trigger));
		ml_release(node, messages[i]);
	}
	if (seen->stuck)
		ml_node_demand(node, port, 0);
}

static const struct ml_port catch_ports[] = {
	{.name = "in", .direction = ML_INPUT, .type = &ml_trigger_type, .help = "Triggers."}, {0}};

static const struct ml_node_class catch_class = {
	.type = "t-seen",
	.version = 1,
	.title = "Seen",
	.help = "Keeps triggers.",
	.category = "sink",
	.ports = catch_ports,
	.size = sizeof(struct catcher),
	.prepare = catch_prepare,
	.process = catch_process,
};

static const struct ml_node_class *const classes[] = {&catch_class, NULL};
static const struct ml_service_class services[] = {{"seen", seen_start, free}, {0}};
static const struct ml_family test_family = {
	.abi = ML_FAMILY_ABI,
	.size = sizeof(struct ml_family),
	.name = "test",
	.node_classes = classes,
	.services = services,
};

struct fixture {
	struct ml_clock *clock;
	struct ml_log *log;
	struct ml_engine *engine;
	struct seen *seen;
};

static ml_time at(const char *text)
{
	ml_time time = 0;
	if (!ml_time_parse(text, strlen(text), &time))
		fail_msg("%s is no time", text);
	return time;
}

static struct fixture begin(const char *wall, const char *params)
{
	static const struct ml_family *const families[] = {&cron_family, &test_family, NULL};
	struct fixture f = {.clock = ml_clock_new_simulated(at(wall))};
	f.log = ml_log_new(f.clock, 0);
	const struct ml_engine_options options = {
		.families = families, .clock = f.clock, .log = f.log};
	struct ml_error err = ML_ERROR_NONE;
	if (ml_engine_new(&options, &f.engine, &err) != 0)
		fail_msg("engine: %s", err.text);
	f.seen = ml_service(f.engine, "seen");
	char graph[1024];
	const int length = snprintf(graph, sizeof graph,
		"{\"meterloom\": 1, \"nodes\": [{\"id\": \"t\", \"type\": \"cron-trigger\", "
		"\"params\": "
		"{%s}}, {\"id\": \"s\", \"type\": \"t-seen\"}], \"edges\": [{\"from\": \"t\", "
		"\"to\": "
		"\"s\", \"capacity\": 2}]}",
		params);
	struct ml_errors errors = {0};
	if (ml_engine_apply(f.engine, graph, (size_t)length, &errors) != 0)
		fail_msg("%s: %s", errors.items[0].pointer, errors.items[0].text);
	return f;
}

static void end(struct fixture *f)
{
	ml_engine_free(f->engine);
	ml_log_free(f->log);
	ml_clock_free(f->clock);
}

static void pass(struct fixture *f, ml_time time)
{
	ml_engine_simulate(f->engine, ml_clock_monotonic(f->clock) + time);
}

static void expect(const struct fixture *f, size_t index, const char *kind, const char *due)
{
	assert_true(index < f->seen->count);
	const struct ml_trigger *trigger = &f->seen->triggers[index];
	assert_string_equal(trigger->kind, kind);
	char text[ML_TIME_TEXT_MAX];
	(void)ml_time_format(trigger->due, text);
	if (trigger->due != at(due))
		fail_msg("run %zu is due %s, expected %s", index, text, due);
}

static void runs_come_on_time_with_what_follows(void **state)
{
	(void)state;
	struct fixture f = begin("2026-01-31T14:07:00Z", "\"schedule\": \"*/15 * * * *\"");
	pass(&f, 8 * ML_MINUTE - 1);
	assert_int_equal(f.seen->count, 0);
	pass(&f, 1);
	assert_int_equal(f.seen->count, 1);
	expect(&f, 0, "cron", "2026-01-31T14:15:00Z");
	assert_int_equal(f.seen->triggers[0].next, at("2026-01-31T14:30:00Z"));
	assert_int_equal(f.seen->triggers[0].period, 15 * ML_MINUTE);
	assert_int_equal(f.seen->triggers[0].round, 0);
	pass(&f, ML_HOUR);
	assert_int_equal(f.seen->count, 5);
	expect(&f, 4, "cron", "2026-01-31T15:15:00Z");
	end(&f);
}

static void a_preset_is_told_as_such_and_starts_at_once(void **state)
{
	(void)state;
	struct fixture f =
		begin("2026-01-31T14:07:00Z", "\"schedule\": \"every-5-min\", \"at_start\": true");
	pass(&f, ML_SEC);
	assert_int_equal(f.seen->count, 1);
	expect(&f, 0, "start", "2026-01-31T14:07:00Z");
	assert_int_equal(f.seen->triggers[0].next, at("2026-01-31T14:10:00Z"));
	assert_int_equal(f.seen->triggers[0].period, 5 * ML_MINUTE);
	pass(&f, 3 * ML_MINUTE);
	assert_int_equal(f.seen->count, 2);
	expect(&f, 1, "preset", "2026-01-31T14:10:00Z");
	end(&f);
}

static void the_zone_rules(void **state)
{
	(void)state;
	struct fixture f = begin("2026-03-28T12:00:00Z",
		"\"schedule\": \"30 2 * * *\", \"time_zone\": \"Europe/Paris\"");
	pass(&f, 3 * ML_DAY);
	assert_int_equal(f.seen->count, 3);
	expect(&f, 0, "cron", "2026-03-29T01:00:00Z");
	expect(&f, 1, "cron", "2026-03-30T00:30:00Z");
	end(&f);
}

static void a_month_passes_without_a_miss(void **state)
{
	(void)state;
	struct fixture f = begin("2026-01-01T00:00:00Z", "\"schedule\": \"*/15 * * * *\"");
	pass(&f, 31 * ML_DAY);
	assert_int_equal(f.seen->count, 31 * 96);
	for (size_t i = 1; i < f.seen->count; i++)
		assert_int_equal(
			f.seen->triggers[i].due - f.seen->triggers[i - 1].due, 15 * ML_MINUTE);
	end(&f);
}

static void a_jump_forward_is_caught_up_once(void **state)
{
	(void)state;
	struct fixture f = begin("2026-01-31T14:07:00Z", "\"schedule\": \"*/15 * * * *\"");
	pass(&f, ML_MINUTE);
	ml_clock_set_wall(f.clock, at("2026-01-31T18:50:10Z"));
	/* Noticed without waiting for the old time. */
	pass(&f, ML_MINUTE);
	assert_int_equal(f.seen->count, 1);
	expect(&f, 0, "cron", "2026-01-31T18:45:00Z");
	assert_int_equal(f.seen->triggers[0].next, at("2026-01-31T19:00:00Z"));
	pass(&f, 10 * ML_MINUTE);
	assert_int_equal(f.seen->count, 2);
	expect(&f, 1, "cron", "2026-01-31T19:00:00Z");
	end(&f);
}

static void decades_are_caught_up_at_once(void **state)
{
	(void)state;
	/* A board without a battery boots in 1970. */
	struct fixture f = begin("1970-01-01T00:00:30Z", "\"schedule\": \"every-minute\"");
	pass(&f, ML_SEC);
	ml_clock_set_wall(f.clock, at("2026-01-31T18:50:10Z"));
	pass(&f, 30 * ML_SEC);
	assert_int_equal(f.seen->count, 1);
	expect(&f, 0, "preset", "2026-01-31T18:50:00Z");
	end(&f);
}

static void a_jump_back_repeats_nothing(void **state)
{
	(void)state;
	struct fixture f = begin("2026-01-31T14:07:00Z", "\"schedule\": \"*/15 * * * *\"");
	pass(&f, 10 * ML_MINUTE);
	assert_int_equal(f.seen->count, 1);
	ml_clock_set_wall(f.clock, at("2026-01-31T13:17:00Z"));
	pass(&f, ML_HOUR); /* 14:17 again */
	assert_int_equal(f.seen->count, 1);
	pass(&f, 13 * ML_MINUTE);
	assert_int_equal(f.seen->count, 2);
	expect(&f, 1, "cron", "2026-01-31T14:30:00Z");
	end(&f);
}

static void a_clock_years_ahead_does_not_stop_it(void **state)
{
	(void)state;
	struct fixture f = begin("2036-01-31T14:07:00Z", "\"schedule\": \"*/15 * * * *\"");
	pass(&f, 10 * ML_MINUTE);
	assert_int_equal(f.seen->count, 1);
	ml_clock_set_wall(f.clock, at("2026-01-31T14:07:00Z"));
	pass(&f, 10 * ML_MINUTE);
	assert_int_equal(f.seen->count, 2);
	expect(&f, 1, "cron", "2026-01-31T14:15:00Z");
	end(&f);
}

static void a_busy_wire_merges_runs_and_says_so(void **state)
{
	(void)state;
	struct fixture f = begin("2026-01-31T14:07:00Z", "\"schedule\": \"every-minute\"");
	f.seen->stuck = true;
	pass(&f, ML_HOUR);
	assert_int_equal(f.seen->count, 1);
	struct ml_buffer buffer = {0};
	struct ml_json_writer w;
	ml_json_writer_init(&w, &buffer);
	ml_engine_metrics(f.engine, &w);
	/* One taken, two on the wire, one waits, the rest of 60 was skipped. */
	assert_non_null(strstr(buffer.data, "\"runs\":3,"));
	assert_non_null(strstr(buffer.data, "\"skipped\":56"));
	ml_buffer_free(&buffer);
	end(&f);
}

/* Readouts go on by a clock that is wrong; when it is set, one run stands for all that were due. */
static void a_clock_in_1970_runs_it_all_the_same(void **state)
{
	(void)state;
	struct fixture f = begin("1970-01-01T00:00:20Z", "\"schedule\": \"*/15 * * * *\"");
	struct ml_buffer buffer = {0};
	struct ml_json_writer w;
	pass(&f, 6 * ML_HOUR);
	assert_int_equal(f.seen->count, 24);
	ml_json_writer_init(&w, &buffer);
	ml_engine_metrics(f.engine, &w);
	assert_non_null(strstr(buffer.data, "by a clock that is not known to be right"));
	ml_buffer_clear(&buffer);
	ml_clock_set_wall(f.clock, at("2026-05-05T10:07:00Z"));
	pass(&f, ML_MINUTE);
	assert_int_equal(f.seen->count, 25);
	pass(&f, ML_HOUR);
	assert_int_equal(f.seen->count, 29);
	ml_json_writer_init(&w, &buffer);
	ml_engine_metrics(f.engine, &w);
	assert_null(strstr(buffer.data, "by a clock"));
	ml_buffer_free(&buffer);
	end(&f);
}

static void wrong_schedules_are_refused_in_their_place(void **state)
{
	(void)state;
	static const struct {
		const char *params, *pointer, *text;
	} rows[] = {
		{"\"schedule\": \"every-quarter\"", "/nodes/0/params/schedule",
			"'every-quarter' is no schedule: expected five fields"},
		{"\"schedule\": \"61 * * * *\"", "/nodes/0/params/schedule", "minute '61'"},
		{"", "/nodes/0/params", "'schedule' is missing"},
	};
	struct fixture f = begin("2026-01-31T14:07:00Z", "\"schedule\": \"daily\"");
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		char graph[512];
		const int length = snprintf(graph, sizeof graph,
			"{\"meterloom\": 1, \"nodes\": [{\"id\": \"t\", \"type\": "
			"\"cron-trigger\", "
			"\"params\": {%s}}]}",
			rows[i].params);
		struct ml_errors errors = {0};
		assert_true(ml_engine_check(f.engine, graph, (size_t)length, &errors) < 0);
		assert_int_equal(errors.count, 1);
		if (!strstr(errors.items[0].pointer, rows[i].pointer) ||
			!strstr(errors.items[0].text, rows[i].text))
			fail_msg("%s: %s", errors.items[0].pointer, errors.items[0].text);
		ml_errors_free(&errors);
	}
	end(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(runs_come_on_time_with_what_follows),
		cmocka_unit_test(a_preset_is_told_as_such_and_starts_at_once),
		cmocka_unit_test(the_zone_rules),
		cmocka_unit_test(a_month_passes_without_a_miss),
		cmocka_unit_test(a_jump_forward_is_caught_up_once),
		cmocka_unit_test(decades_are_caught_up_at_once),
		cmocka_unit_test(a_jump_back_repeats_nothing),
		cmocka_unit_test(a_clock_years_ahead_does_not_stop_it),
		cmocka_unit_test(a_busy_wire_merges_runs_and_says_so),
		cmocka_unit_test(a_clock_in_1970_runs_it_all_the_same),
		cmocka_unit_test(wrong_schedules_are_refused_in_their_place),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
