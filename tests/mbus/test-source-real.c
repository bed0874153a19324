/* The node mbus-source over real transports: a pseudo-terminal, TCP, and both when they go away.
 * SPDX-License-Identifier: Apache-2.0
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

#include "mbus/rig.h"
#include "sim/port.h"

#include "count.h"

static int set_up(void **state)
{
	*state = rig_new(false);
	return 0;
}

static int tear_down(void **state)
{
	rig_free(*state);
	return 0;
}

static bool rounds_ended(struct rig *rig, void *user)
{
	const size_t *count = user;
	return rig->end_count >= *count;
}

static void until_rounds(struct rig *rig, size_t count)
{
	rig_until(rig, rounds_ended, &count);
}

static bool in_state(struct rig *rig, void *user)
{
	json_t *bus = rig_bus(rig);
	const bool is = strcmp(json_string_value(json_object_get(bus, "state")), user) == 0;
	json_decref(bus);
	return is;
}

static void until_state(struct rig *rig, const char *state)
{
	char text[16];
	(void)snprintf(text, sizeof text, "%s", state);
	rig_until(rig, in_state, text);
}

static void graph(struct rig *rig, const char *address)
{
	char params[200];
	/* A latency that a busy machine keeps. */
	(void)snprintf(
		params, sizeof params, "'interface':'%s','baud':38400,'latency':500", address);
	rig_graph(rig, params);
}

static struct ml_lane *control(struct rig *rig)
{
	return ml_engine_lane(rig->engine, "control");
}

static void expect_round(struct rig *rig, size_t index, unsigned read, unsigned failed)
{
	if (rig->ends[index].read == read && rig->ends[index].failed == failed)
		return;
	for (size_t i = 0; i < rig->frame_count; i++) {
		const struct rig_frame *frame = &rig->frames[i];
		if (frame->head.round == rig->ends[index].id)
			print_message("point %u: %s after %u tries, %u bytes\n",
				(unsigned)frame->head.point,
				meter_frame_result_name(frame->head.result), frame->head.tries,
				frame->head.length);
	}
	fail_msg("%u read and %u failed, expected %u and %u", rig->ends[index].read,
		rig->ends[index].failed, read, failed);
}

static void meters_are_read_over_a_terminal(void **state)
{
	struct rig *rig = *state;
	/* At the pace of a real line, if a quick one. */
	const struct sim_options options = {.meters = 6, .seed = 1, .baud = 38400};
	struct sim_port *port = NULL;
	assert_int_equal(sim_port_pty(control(rig), &options, NULL, &port, NULL), 0);
	rig_list(rig, &options, 6, -1);
	graph(rig, sim_port_address(port));
	until_state(rig, "running");
	for (size_t i = 0; i < 3; i++) {
		rig_trigger(rig);
		until_rounds(rig, i + 1);
		expect_round(rig, i, 6, 0);
	}
	assert_int_equal(rig->frame_count, 18);
	sim_port_close(port);
}

static void meters_are_read_over_tcp(void **state)
{
	struct rig *rig = *state;
	const struct sim_options options = {.meters = 20, .seed = 1, .baud = 38400, .fast = true};
	struct sim_port *port = NULL;
	assert_int_equal(sim_port_tcp(control(rig), &options, "127.0.0.1", 0, &port, NULL), 0);
	rig_list(rig, &options, 20, -1);
	graph(rig, sim_port_address(port));
	until_state(rig, "running");
	rig_trigger(rig);
	until_rounds(rig, 1);
	expect_round(rig, 0, 20, 0);
	assert_int_equal(rig->frame_count, 21);
	sim_port_close(port);
}

/* The adapter is pulled and comes back under its stable name. */
static void unplugged_adapter_comes_back(void **state)
{
	struct rig *rig = *state;
	const struct sim_options options = {.meters = 3, .seed = 1, .baud = 38400, .fast = true};
	struct sim_port *port = NULL;
	char folder[] = "/tmp/mbus-XXXXXX";
	char link[64];
	char address[80];
	assert_non_null(mkdtemp(folder));
	(void)snprintf(link, sizeof link, "%s/adapter", folder);
	(void)snprintf(address, sizeof address, "serial:%s", link);
	rig_list(rig, &options, 3, -1);
	graph(rig, address);
	until_state(rig, "waiting");
	/* Nothing there yet: the meters fail, and that is told. */
	rig_trigger(rig);
	until_rounds(rig, 1);
	expect_round(rig, 0, 0, 3);
	for (size_t i = 0; i < 3; i++)
		assert_int_equal(rig->frames[i].head.result, METER_FRAME_NO_BUS);
	for (size_t i = 1; i < 4; i++) {
		assert_int_equal(sim_port_pty(control(rig), &options, link, &port, NULL), 0);
		/* A trigger does not wait for the next try. */
		rig_trigger(rig);
		until_rounds(rig, i + 1);
		expect_round(rig, i, 3, 0);
		until_state(rig, "running");
		sim_port_close(port);
		until_state(rig, "waiting");
	}
	assert_int_equal(rmdir(folder), 0);
}

static void restarted_converter_comes_back(void **state)
{
	struct rig *rig = *state;
	const struct sim_options options = {.meters = 3, .seed = 1, .baud = 38400, .fast = true};
	struct sim_port *port = NULL;
	char address[80];
	assert_int_equal(sim_port_tcp(control(rig), &options, "127.0.0.1", 0, &port, NULL), 0);
	(void)snprintf(address, sizeof address, "%s", sim_port_address(port));
	const long number = strtol(strrchr(address, ':') + 1, NULL, 10);
	rig_list(rig, &options, 3, -1);
	graph(rig, address);
	until_state(rig, "running");
	sim_port_close(port);
	until_state(rig, "waiting");
	assert_int_equal(
		sim_port_tcp(control(rig), &options, "127.0.0.1", (uint16_t)number, &port, NULL),
		0);
	rig_trigger(rig);
	until_rounds(rig, 1);
	expect_round(rig, 0, 3, 0);
	sim_port_close(port);
}

/* A graph that is applied again hands the line from the old node to the new one. */
static void new_graph_takes_the_line_over(void **state)
{
	struct rig *rig = *state;
	const struct sim_options options = {.meters = 3, .seed = 1, .baud = 38400, .fast = true};
	struct sim_port *port = NULL;
	char params[200];
	assert_int_equal(sim_port_pty(control(rig), &options, NULL, &port, NULL), 0);
	rig_list(rig, &options, 3, -1);
	for (size_t i = 0; i < 5; i++) {
		(void)snprintf(params, sizeof params,
			"'interface':'%s','baud':38400,'telegram_limit':%zu",
			sim_port_address(port), i + 1);
		rig_graph(rig, params);
		until_state(rig, "running");
		rig_trigger(rig);
		until_rounds(rig, i + 1);
		expect_round(rig, i, 3, 0);
	}
	sim_port_close(port);
}

struct moment {
	ml_time due;
};

static bool is_due(struct rig *rig, void *user)
{
	const struct moment *moment = user;
	return ml_clock_monotonic(rig->clock) >= moment->due;
}

static void for_a_while(struct rig *rig, ml_time time)
{
	struct moment moment = {ml_clock_monotonic(rig->clock) + time};
	rig_until(rig, is_due, &moment);
}

static bool is_at_rest(struct rig *rig, void *user)
{
	(void)user;
	return rig->begin_count == rig->end_count;
}

/* Two triggers for each time: the second trigger makes the node look for the line at once. */
static void pull_at_random_moments(struct rig *rig, const struct sim_options *options,
	struct sim_port *(*plug)(struct rig *rig, const struct sim_options *options, void *user),
	void *user)
{
	const size_t times = (size_t)test_count(100);
	struct sim_port *port = plug(rig, options, user);
	rig_trigger(rig);
	until_rounds(rig, 1);
	for (size_t i = 0; i < times; i++) {
		const size_t before = rig->end_count;
		rig_trigger(rig);
		for_a_while(rig, (ml_time)(sim_hash(7, i) % 400) * ML_MSEC);
		sim_port_close(port);
		for_a_while(rig, (ml_time)(sim_hash(8, i) % 50) * ML_MSEC);
		port = plug(rig, options, user);
		rig_trigger(rig);
		/* Whether the first was over before decides whether there is another. */
		until_rounds(rig, before + 1);
		until_state(rig, "running");
		rig_until(rig, is_at_rest, NULL);
		for (size_t n = before; n < rig->end_count; n++)
			expect_round(rig, n, options->meters, 0);
	}
	sim_port_close(port);
}

static struct sim_port *plug_adapter(struct rig *rig, const struct sim_options *options, void *user)
{
	struct sim_port *port = NULL;
	assert_int_equal(sim_port_pty(control(rig), options, user, &port, NULL), 0);
	return port;
}

static void adapter_pulled_at_random_moments_loses_no_meter(void **state)
{
	struct rig *rig = *state;
	const struct sim_options options = {.meters = 8, .seed = 1, .baud = 38400};
	char folder[] = "/tmp/mbus-XXXXXX";
	char link[64];
	char address[80];
	assert_non_null(mkdtemp(folder));
	(void)snprintf(link, sizeof link, "%s/adapter", folder);
	(void)snprintf(address, sizeof address, "serial:%s", link);
	rig_list(rig, &options, 8, -1);
	graph(rig, address);
	until_state(rig, "waiting");
	pull_at_random_moments(rig, &options, plug_adapter, link);
	assert_int_equal(rmdir(folder), 0);
}

static struct sim_port *plug_converter(
	struct rig *rig, const struct sim_options *options, void *user)
{
	struct sim_port *port = NULL;
	uint16_t *number = user;
	assert_int_equal(sim_port_tcp(control(rig), options, "127.0.0.1", *number, &port, NULL), 0);
	*number = (uint16_t)strtol(strrchr(sim_port_address(port), ':') + 1, NULL, 10);
	return port;
}

static void converter_restarted_at_random_moments_loses_no_meter(void **state)
{
	struct rig *rig = *state;
	const struct sim_options options = {.meters = 8, .seed = 1, .baud = 38400};
	uint16_t number = 0;
	struct sim_port *port = plug_converter(rig, &options, &number);
	rig_list(rig, &options, 8, -1);
	graph(rig, sim_port_address(port));
	until_state(rig, "running");
	sim_port_close(port);
	until_state(rig, "waiting");
	pull_at_random_moments(rig, &options, plug_converter, &number);
}

#define WITH_RIG(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_RIG(meters_are_read_over_a_terminal),
		WITH_RIG(meters_are_read_over_tcp),
		WITH_RIG(unplugged_adapter_comes_back),
		WITH_RIG(restarted_converter_comes_back),
		WITH_RIG(new_graph_takes_the_line_over),
		WITH_RIG(adapter_pulled_at_random_moments_loses_no_meter),
		WITH_RIG(converter_restarted_at_random_moments_loses_no_meter),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
