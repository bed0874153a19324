/* The simulated buses of a gateway: commands reach them, and they stay as they were left.
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

#include "command/desk.h"
#include "sim/buses.h"
#include "sim/list.h"

extern const struct ml_family *const ml_families[];

static const char graph[] =
	"{\"meterloom\": 1, \"nodes\": ["
	"{\"id\": \"bus\", \"type\": \"mbus-source\", \"params\": {\"interface\": \"%s\"}},"
	"{\"id\": \"decode\", \"type\": \"decode\"%s}],"
	"\"edges\": [{\"from\": \"bus\", \"to\": \"decode\"}]}";

static void apply(struct desk *desk, const char *interface, const char *more)
{
	char text[600];
	struct ml_errors errors = {0};
	(void)snprintf(text, sizeof text, graph, interface, more);
	if (ml_engine_apply(desk->engine, text, strlen(text), &errors) < 0)
		fail_msg("%s", errors.items[0].text);
	desk_settle(desk);
}

static int open_desk(void **state)
{
	struct desk *desk = desk_new(ml_families);
	struct sim_options options = SIM_OPTIONS_NONE;
	struct ml_buffer list = {0};
	struct ml_buffer params = {0};
	struct ml_json_writer w;
	options.meters = 3;
	struct sim_line *line = sim_line_new(&options);
	sim_list_csv(&(struct sim_list_part){line, 2400, ""}, 1, SIM_MIXED, &list);
	ml_json_writer_init(&w, &params);
	ml_json_begin_object(&w);
	ml_json_key(&w, "csv");
	ml_json_string(&w, list.data);
	ml_json_end_object(&w);
	ml_buffer_append(&params, "", 1);
	assert_int_equal(desk_call(desk, "meter.import", params.data), 0);
	sim_line_free(line);
	ml_buffer_free(&list);
	ml_buffer_free(&params);
	*state = desk;
	return 0;
}

static int close_desk(void **state)
{
	desk_free(*state);
	return 0;
}

/* Reads all meters; how many answered. */
static int read_all(struct desk *desk)
{
	(void)desk_begin(
		desk, ML_ROLE_ADMIN, "node.action", "{'node': 'bus', 'action': 'read-now'}");
	for (int i = 0; i < 600 && desk->told == 0; i++)
		ml_engine_simulate(desk->engine, ml_clock_monotonic(desk->clock) + ML_SEC);
	const char *read = desk->result ? strstr(desk->result, "\"read\":") : NULL;
	assert_non_null(read);
	return atoi(read + strlen("\"read\":"));
}

static void meters_are_unplugged_by_command(void **state)
{
	struct desk *desk = *state;
	apply(desk, "sim:3", "");
	assert_int_equal(read_all(desk), 3);
	assert_int_equal(desk_call(desk, "sim.unplug", "{'meter': 2}"), 0);
	assert_has(desk->result, "\"bus\":\"sim:3\"");
	assert_int_equal(read_all(desk), 2);
	/* Another graph and the same interface: it is the same bus. */
	apply(desk, "sim:3", ", \"params\": {}");
	assert_int_equal(read_all(desk), 2);
	assert_int_equal(desk_call(desk, "sim.plug", "{'meter': 2, 'bus': 'sim:3'}"), 0);
	assert_int_equal(read_all(desk), 3);
}

static void what_was_done_outlives_the_opening_of_an_interface(void **state)
{
	struct desk *desk = *state;
	apply(desk, "sim:name=east&meters=3", "");
	assert_int_equal(desk_call(desk, "sim.unplug", "{'meter': 1}"), 0);
	assert_int_equal(desk_call(desk, "sim.line", "{'line': 'break'}"), 0);
	(void)desk_call(desk, "sim.list", "{}");
	assert_has(desk->result, "\"bus\":\"east\"");
	assert_has(desk->result, "\"line\":\"broken\"");
	assert_has(desk->result, "\"unplugged\":true");
	assert_int_equal(desk_call(desk, "sim.line", "{'line': 'mend'}"), 0);
	/* The source comes back by itself. */
	assert_int_equal(read_all(desk), 2);
	(void)desk_call(desk, "sim.list", "{}");
	assert_has(desk->result, "\"line\":\"good\"");
	/* Another rate is another bus. */
	apply(desk, "sim:name=east&meters=3&baud=9600", "");
	(void)desk_call(desk, "sim.list", "{'bus': 'east'}");
	assert_has(desk->result, "\"unplugged\":false");
}

static void faults_come_by_command_and_by_address(void **state)
{
	struct desk *desk = *state;
	apply(desk, "sim:meters=3&fault=meter-silent,which=3", "");
	assert_int_equal(read_all(desk), 2);
	assert_int_equal(
		desk_call(desk, "sim.fault", "{'fault': 'meter-checksum which=1 lasts=1h'}"), 0);
	assert_int_equal(read_all(desk), 1);
	(void)desk_call(desk, "sim.list", "{}");
	assert_has(desk->result, "\"meter-silent which=3\"");
	assert_has(desk->result, "\"meter-checksum which=1 lasts=1h\"");
	assert_int_equal(desk_call(desk, "sim.heal", "{}"), 0);
	assert_int_equal(read_all(desk), 3);
	assert_int_equal(desk_call(desk, "sim.change", "{'meter': 1, 'primary': 77}"), 0);
	assert_int_equal(read_all(desk), 2);
	assert_int_equal(
		desk_call(desk, "sim.change", "{'meter': 1, 'primary': 1, 'baud': 300}"), 0);
	assert_int_equal(read_all(desk), 2);
	assert_int_equal(desk_call(desk, "sim.change", "{'meter': 1, 'baud': 2400}"), 0);
	assert_int_equal(read_all(desk), 3);
}

static void what_cannot_be_is_told(void **state)
{
	struct desk *desk = *state;
	assert_int_not_equal(desk_call(desk, "sim.unplug", "{'meter': 1}"), 0);
	assert_has(desk->errors, "no simulated bus");
	apply(desk, "sim:3", "");
	assert_int_not_equal(desk_call(desk, "sim.unplug", "{'meter': 4}"), 0);
	assert_has(desk->errors, "the bus has 3");
	assert_int_not_equal(desk_call(desk, "sim.unplug", "{'meter': 1, 'bus': 'west'}"), 0);
	assert_has(desk->errors, "expected one of sim:3");
	assert_int_not_equal(desk_call(desk, "sim.fault", "{'fault': 'meter-sick'}"), 0);
	assert_has(desk->errors, "/fault");
	/* A fault that nothing could have. */
	assert_int_not_equal(desk_call(desk, "sim.fault", "{'fault': 'meter-silent which=4'}"), 0);
	assert_has(desk->errors, "there are 3 meters");
	assert_int_not_equal(desk_call(desk, "sim.fault", "{'fault': 'line-cut which=2'}"), 0);
	assert_has(desk->errors, "there is 1 line");
	assert_int_not_equal(desk_call(desk, "sim.fault", "{'fault': 'head-end-down'}"), 0);
	assert_has(desk->errors, "meterloom simulate");
	assert_int_not_equal(desk_call(desk, "sim.fault", "{'fault': 'meter-silent which=0'}"), 0);
	assert_has(desk->errors, "from 1 to");
	assert_int_not_equal(desk_call(desk, "sim.change", "{'meter': 1, 'baud': 7}"), 0);
	assert_has(desk->errors, "300 to 115200");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_desk, close_desk)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(meters_are_unplugged_by_command),
		TEST(what_was_done_outlives_the_opening_of_an_interface),
		TEST(faults_come_by_command_and_by_address),
		TEST(what_cannot_be_is_told),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
