/* A whole gateway on the simulated clock, its world failing at random: nothing is lost, and the
 * same seed is the same bytes. SPDX-License-Identifier: Apache-2.0
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "sim/stay.h"

#include "count.h"

static const char graph[] =
	"{'meterloom': 1, 'nodes': ["
	"{'id': 'tick', 'type': 'cron-trigger', 'params': {'schedule': '*/5 * * * *'}},"
	"{'id': 'bus', 'type': 'mbus-source', 'params': {'interface': 'serial:/dev/x',"
	" 'baud': 9600}},"
	"{'id': 'decode', 'type': 'decode'},"
	"{'id': 'store', 'type': 'store'},"
	"{'id': 'due', 'type': 'cron-trigger', 'params': {'schedule': '*/15 * * * *'}},"
	"{'id': 'unsent', 'type': 'store-query', 'params': {'destination': 'a'}},"
	"{'id': 'csv', 'type': 'template-render', 'params': {'template': '3101'}},"
	"{'id': 'sink', 'type': 'http-sink', 'params': {'url': 'http://a.example/'}}],"
	"'edges': [{'from': 'tick', 'to': 'bus'}, {'from': 'bus', 'to': 'decode'},"
	"{'from': 'decode', 'to': 'store'}, {'from': 'due', 'to': 'unsent.in'},"
	"{'from': 'unsent', 'to': 'csv'}, {'from': 'csv', 'to': 'sink'}]}";

static void a_day_without_faults_has_each_readout(void **state)
{
	(void)state;
	struct stay *stay = stay_new(graph, 1);
	stay_run(stay);
	expect_nothing_lost(stay);
	const struct sim_result *r = &stay->result;
	assert_int_equal(r->failed, 0);
	assert_true(r->rounds >= 288 && r->read == r->rounds * 5);
	assert_int_equal(r->head_end[0].failed, 0);
	assert_int_equal(r->head_end[0].delivery.repeated_documents, 0);
	stay_free(stay);
}

static void the_same_seed_is_the_same_bytes_and_nothing_is_lost(void **state)
{
	(void)state;
	struct stay *stays[3];
	for (unsigned i = 0; i < 3; i++) {
		stays[i] = stay_new(graph, i == 2 ? 12 : 11);
		sim_faults_default(&stays[i]->options.faults);
		/* So that a day has some of each. */
		for (size_t f = 0; f < stays[i]->options.faults.count; f++)
			stays[i]->options.faults.rules[f].every /= 8;
		stay_run(stays[i]);
		expect_nothing_lost(stays[i]);
	}
	const struct sim_result *r = &stays[0]->result;
	assert_true(r->failed > 0 && r->restarts > 0 && r->head_end[0].failed > 0);
	assert_true(r->head_end[0].delivery.repeated_documents > 0);
	assert_string_equal(r->documents, stays[1]->result.documents);
	assert_string_equal(r->readings, stays[1]->result.readings);
	assert_string_not_equal(r->documents, stays[2]->result.documents);
	assert_string_not_equal(r->readings, stays[2]->result.readings);
	for (unsigned i = 0; i < 3; i++)
		stay_free(stays[i]);
}

static const struct {
	struct sim_rule rule;
	const char *failure; /* of readouts; NULL: none */
} lone_faults[] = {
	{{.fault = SIM_METER_SILENT, .lasts = ML_HOUR, .which = 2}, "timeout"},
	{{.fault = SIM_METER_SLOW, .lasts = ML_HOUR, .by = 2 * ML_SEC, .which = 2}, "timeout"},
	{{.fault = SIM_METER_CORRUPT, .lasts = 2 * ML_HOUR}, NULL},
	{{.fault = SIM_METER_CHECKSUM, .lasts = ML_HOUR, .which = 2}, "checksum"},
	{{.fault = SIM_METER_CUT, .lasts = ML_HOUR, .which = 2}, NULL},
	{{.fault = SIM_METER_ENDLESS, .lasts = ML_HOUR, .by = ML_MINUTE, .which = 2}, NULL},
	{{.fault = SIM_METER_BABBLING, .lasts = ML_HOUR, .by = 5 * ML_SEC, .which = 2}, NULL},
	{{.fault = SIM_METER_COLLIDING, .lasts = ML_HOUR, .which = 2}, NULL},
	{{.fault = SIM_METER_STUCK, .lasts = ML_HOUR, .which = 2}, NULL},
	{{.fault = SIM_METER_NO_NKE, .lasts = 2 * ML_HOUR}, NULL},
	{{.fault = SIM_METER_NO_FCB, .lasts = 2 * ML_HOUR}, NULL},
	{{.fault = SIM_METER_SWAPPED, .lasts = ML_HOUR, .which = 2}, NULL},
	{{.fault = SIM_METER_RESET}, NULL},
	{{.fault = SIM_LINE_CUT, .lasts = ML_HOUR}, "timeout"},
	{{.fault = SIM_LINE_SHORT, .lasts = ML_HOUR}, "timeout"},
	{{.fault = SIM_LINE_ADDED_BYTE, .lasts = 2 * ML_HOUR}, NULL},
	{{.fault = SIM_LINE_DROPPED_BYTES, .lasts = 2 * ML_HOUR, .share = 30}, NULL},
	{{.fault = SIM_LINE_ECHO, .lasts = 2 * ML_HOUR}, NULL},
	{{.fault = SIM_LINE_BROKEN, .lasts = ML_HOUR}, "other"},
	{{.fault = SIM_LINE_NOISE, .lasts = 2 * ML_HOUR}, NULL},
	{{.fault = SIM_HEAD_END_DOWN, .lasts = 3 * ML_HOUR}, NULL},
	{{.fault = SIM_HEAD_END_SILENT, .lasts = 3 * ML_HOUR}, NULL},
	{{.fault = SIM_HEAD_END_SLOW, .lasts = 3 * ML_HOUR, .by = ML_MINUTE}, NULL},
	{{.fault = SIM_HEAD_END_ERROR, .lasts = ML_HOUR}, NULL},
	{{.fault = SIM_HEAD_END_BUSY, .lasts = ML_HOUR, .by = 30 * ML_SEC}, NULL},
	{{.fault = SIM_HEAD_END_REFUSING, .lasts = ML_HOUR}, NULL},
	{{.fault = SIM_HEAD_END_LOSES_ANSWER, .lasts = ML_HOUR}, NULL},
	{{.fault = SIM_RESTART}, NULL},
};

static void each_fault_alone_does_its_harm_and_nothing_is_lost(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof lone_faults / sizeof *lone_faults; i++) {
		struct stay *stay = stay_new(graph, 3);
		struct sim_rule rule = lone_faults[i].rule;
		const struct sim_result *r = &stay->result;
		bool found = lone_faults[i].failure == NULL;
		rule.at = 90 * ML_MINUTE + 1;
		stay->options.length = 6 * ML_HOUR;
		stay_add(stay, rule);
		stay_run(stay);
		expect_nothing_lost(stay);
		assert_true(r->faults[rule.fault] > 0);
		for (size_t f = 0; f < r->failure_count; f++)
			found = found ||
				(lone_faults[i].failure &&
					strcmp(r->failures[f].name, lone_faults[i].failure) == 0);
		if (!found || (r->failed > 0) < (lone_faults[i].failure != NULL))
			fail_msg("%s: %llu readouts failed",
				sim_fault_name((enum sim_fault)rule.fault),
				(unsigned long long)r->failed);
		assert_int_equal(r->head_end[0].failed > 0,
			rule.fault >= SIM_HEAD_END_DOWN &&
				rule.fault <= SIM_HEAD_END_LOSES_ANSWER &&
				rule.fault != SIM_HEAD_END_SLOW);
		assert_int_equal(r->head_end[0].delivery.repeated_documents > 0,
			rule.fault == SIM_HEAD_END_LOSES_ANSWER || rule.fault == SIM_HEAD_END_SLOW);
		stay_free(stay);
	}
}

/* One that was selected with others stays so, also when it does not collide any more: what it then
 * sends is another meter's telegram to the master, which need not be stored. */
static void meters_that_collide_now_and_then_lose_nothing(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= test_count(20); seed++) {
		struct stay *stay = stay_new(graph, seed);
		stay->options.length = 6 * ML_HOUR;
		stay_add(stay, (struct sim_rule){.fault = SIM_METER_COLLIDING,
				       .at = 1,
				       .lasts = 5 * ML_HOUR,
				       .share = 50});
		/* Who is asked is often away, so that the wrong one is heard alone. */
		stay_add(stay, (struct sim_rule){.fault = SIM_METER_SILENT,
				       .at = 1,
				       .lasts = 5 * ML_HOUR,
				       .share = 50});
		stay_run(stay);
		expect_nothing_lost(stay);
		assert_true(stay->result.failed > 0);
		stay_free(stay);
	}
}

static void expect_each_readout(const struct stay *stay, uint64_t rounds)
{
	const struct sim_result *r = &stay->result;
	expect_nothing_lost(stay);
	assert_int_equal(r->failed, 0);
	if (r->rounds < rounds || r->rounds > rounds + 3)
		fail_msg("%llu rounds", (unsigned long long)r->rounds);
	assert_true(r->read == r->rounds * 5);
}

/* The nights with an hour too few and an hour too many. */
static void both_nights_of_daylight_saving_lose_nothing(void **state)
{
	(void)state;
	static const struct {
		ml_time begin;
		uint64_t rounds;
	} nights[] = {
		{INT64_C(1774738800), 72}, /* 2026-03-28T23:00:00Z */
		/* 2026-10-24T22:00:00Z: of the hour that comes twice the first one counts. */
		{INT64_C(1792879200), 60},
	};
	for (int i = 0; i < 2; i++) {
		struct stay *stay = stay_new(graph, 5);
		stay->options.begin = nights[i].begin * ML_SEC;
		stay->options.length = 6 * ML_HOUR;
		stay->options.zone = "Europe/Paris";
		stay_run(stay);
		expect_each_readout(stay, nights[i].rounds);
		stay_free(stay);
	}
}

static void a_clock_that_jumps_loses_nothing(void **state)
{
	(void)state;
	static const struct sim_rule jumps[] = {
		{.at = 2 * ML_HOUR, .by = 365 * ML_DAY, .lasts = ML_HOUR},
		{.at = 2 * ML_HOUR + 17, .by = 365 * ML_DAY},
		{.at = 2 * ML_HOUR + 17, .by = -3 * ML_HOUR},
		{.at = 2 * ML_HOUR, .by = -400 * ML_DAY, .lasts = 2 * ML_HOUR},
		{.at = 3 * ML_HOUR, .by = 7 * ML_SEC, .lasts = 10 * ML_MINUTE},
	};
	for (size_t i = 0; i < 2 * sizeof jumps / sizeof *jumps; i++) {
		struct stay *stay = stay_new(graph, 6);
		struct sim_rule jump = jumps[i / 2];
		jump.fault = SIM_CLOCK_JUMP;
		stay->options.length = 8 * ML_HOUR;
		stay_add(stay, jump);
		/* A start while the clock is wrong. */
		if (i % 2)
			stay_add(stay, (struct sim_rule){.fault = SIM_RESTART,
					       .at = 2 * ML_HOUR + 25 * ML_MINUTE});
		stay_run(stay);
		expect_nothing_lost(stay);
		assert_int_equal(stay->result.failed, 0);
		stay_free(stay);
	}
}

/* As boards without a battery do, until a time server is found. */
static void a_gateway_that_boots_in_1970_loses_nothing(void **state)
{
	(void)state;
	struct stay *stay = stay_new(graph, 7);
	stay->options.length = 8 * ML_HOUR;
	stay_add(stay,
		(struct sim_rule){
			.fault = SIM_CLOCK_JUMP, .by = -stay->options.begin, .lasts = 2 * ML_HOUR});
	stay_run(stay);
	expect_nothing_lost(stay);
	assert_int_equal(stay->result.failed, 0);
	stay_free(stay);
}

/* The check itself: a gateway that loses something is found out. */
static void a_graph_that_drops_readings_is_found_out(void **state)
{
	(void)state;
	struct stay *stay = stay_new(graph, 1);
	stay->options.length = ML_HOUR;
	stay_begin(stay);
	/* The store is taken away while the bus goes on. */
	struct ml_errors errors = {0};
	struct ml_error err = ML_ERROR_NONE;
	assert_int_equal(sim_simulation_run(stay->simulation, 30 * ML_MINUTE, &err), 0);
	static const char empty[] = "{\"meterloom\": 1, \"nodes\": ["
				    "{\"id\": \"tick\", \"type\": \"cron-trigger\", \"params\": "
				    "{\"schedule\": \"*/5 * * * *\"}}, {\"id\": \"bus\", \"type\": "
				    "\"mbus-source\", \"params\": {\"interface\": \"sim:bus=1\", "
				    "\"baud\": 9600}}, {\"id\": \"decode\", \"type\": \"decode\"}],"
				    "\"edges\": [{\"from\": \"tick\", \"to\": \"bus\"}, {\"from\": "
				    "\"bus\", \"to\": \"decode\"}]}";
	assert_int_equal(ml_engine_apply(sim_simulation_engine(stay->simulation), empty,
				 sizeof empty - 1, &errors),
		0);
	stay_run(stay);
	assert_true(stay->result.lost);
	assert_true(stay->result.account.lost > 0);
	assert_non_null(strstr(stay->result.examples, "given, and not stored: meter "));
	stay_free(stay);
}

static void faults_of_an_interface_are_of_its_bus_alone(void **state)
{
	(void)state;
	char two[sizeof graph + 400];
	static const char node[] = "{'id': 'bus-2', 'type': 'mbus-source', 'params': {'interface':"
				   " 'sim:meters=3&fault=meter-silent,which=2&fault=line-noise',"
				   " 'bus': 'b'}},";
	static const char edges[] =
		"{'from': 'tick', 'to': 'bus-2'}, {'from': 'bus-2', 'to': 'decode'}, ";
	const char *here = strstr(graph, "{'id': 'decode'");
	const char *there = strstr(graph, "{'from': 'bus', 'to': 'decode'}");
	assert_true(here && there);
	(void)snprintf(two, sizeof two, "%.*s%s%.*s%s%s", (int)(here - graph), graph, node,
		(int)(there - here), here, edges, there);
	struct stay *stay = stay_new(two, 4);
	stay->options.length = 3 * ML_HOUR;
	stay_run(stay);
	expect_nothing_lost(stay);
	const struct sim_result *r = &stay->result;
	assert_int_equal(r->buses, 2);
	assert_int_equal(r->meters, 8);
	assert_int_equal(r->faults[SIM_METER_SILENT], 1);
	assert_int_equal(r->faults[SIM_LINE_NOISE], 1);
	/* One of three on that bus, and none on the other. */
	assert_in_range(r->failed, r->rounds / 2 - 1, r->rounds / 2 + 1);
	stay_free(stay);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_day_without_faults_has_each_readout),
		cmocka_unit_test(the_same_seed_is_the_same_bytes_and_nothing_is_lost),
		cmocka_unit_test(each_fault_alone_does_its_harm_and_nothing_is_lost),
		cmocka_unit_test(meters_that_collide_now_and_then_lose_nothing),
		cmocka_unit_test(faults_of_an_interface_are_of_its_bus_alone),
		cmocka_unit_test(both_nights_of_daylight_saving_lose_nothing),
		cmocka_unit_test(a_clock_that_jumps_loses_nothing),
		cmocka_unit_test(a_gateway_that_boots_in_1970_loses_nothing),
		cmocka_unit_test(a_graph_that_drops_readings_is_found_out),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
