/* Killed again and again: each stored reading counts once in its window.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <jansson.h>
#include <math.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "aggregate/family.h"
#include "count.h"
#include "store/kit.h"

enum { METERS = 7, BATCH = 23 };
#define WALL (1790000000 / 86400 * 86400 * ML_SEC)

static const char graph[] =
	"{'meterloom': 1, 'nodes': [{'id': 'source', 'type': 't-source'},"
	" {'id': 'raw', 'type': 'store'},"
	" {'id': 'sums', 'type': 'aggregate', 'params': {'quantity': 'volume', 'window': '1 h', "
	"'lateness': 120, 'delay': 1, 'results': ['count', 'consumption']}},"
	" {'id': 'results', 'type': 'store'}],"
	" 'edges': [{'from': 'source', 'to': 'raw', 'capacity': 4096},"
	" {'from': 'raw.out', 'to': 'sums'}, {'from': 'sums', 'to': 'results'}]}";

static int report_to;

static void tell(struct kit *kit, uint64_t trace)
{
	(void)kit;
	if (write(report_to, &trace, sizeof trace) != sizeof trace)
		_exit(1);
}

static struct kit *new_kit(const char *data, ml_time wall)
{
	const struct kit_options options = {
		.data = data, .wall = wall, .more = {&aggregate_family}};
	return kit_new_with(&options);
}

static void read_for_ever(const char *data, ml_time wall, uint64_t trace)
{
	struct kit *kit = new_kit(data, wall);
	kit->on_delivered = tell;
	kit_apply(kit, graph);
	for (;; trace++) {
		kit_give(kit, 1 + (unsigned)(trace % METERS), 0, trace, (int64_t)trace);
		if (trace % BATCH == 0)
			kit_run(kit, 3 * ML_MINUTE);
	}
}

/* Runs a child until it told so many acks; returns the last trace that it told. */
static uint64_t run_and_kill(const char *data, ml_time wall, uint64_t first, unsigned after)
{
	int ends[2];
	uint64_t trace, last = first;
	unsigned count = 0;
	int status;
	assert_int_equal(pipe(ends), 0);
	const pid_t child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		(void)close(ends[0]);
		report_to = ends[1];
		read_for_ever(data, wall, first);
	}
	(void)close(ends[1]);
	while (read(ends[0], &trace, sizeof trace) == sizeof trace) {
		last = trace > last ? trace : last;
		if (++count == after)
			assert_int_equal(kill(child, SIGKILL), 0);
	}
	(void)close(ends[0]);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFSIGNALED(status));
	return last;
}

/* What the windows of all meters counted, each as it was told last; `advanced` is how far all
 * counters went, in thousandths. */
static int64_t told_counts(struct kit *kit, int64_t *advanced)
{
	int64_t total = 0;
	*advanced = 0;
	for (unsigned meter = 1; meter <= METERS; meter++) {
		json_t *windows = json_object();
		char params[160], cursor[64] = "";
		size_t i;
		json_t *reading;
		do {
			(void)snprintf(params, sizeof params,
				cursor[0] ? "{'meter': '%u', 'limit': 1000, 'cursor': '%s'}"
					  : "{'meter': '%u', 'limit': 1000, 'from': "
					    "'2000-01-01T00:00:00Z'}",
				meter, cursor);
			kit_call(kit, "meter.readings", params);
			assert_int_equal(kit->code, 0);
			json_t *page = json_loads(kit->result, 0, NULL);
			json_array_foreach(json_object_get(page, "readings"), i, reading)
			{
				if (!json_object_get(reading, "derived"))
					continue;
				json_t *records = json_object_get(reading, "records");
				json_object_set(windows,
					json_string_value(json_object_get(reading, "time")),
					records);
			}
			const char *next = json_string_value(json_object_get(page, "next"));
			(void)snprintf(cursor, sizeof cursor, "%s", next ? next : "");
			json_decref(page);
		} while (cursor[0]);
		const char *key;
		json_t *value;
		json_object_foreach(windows, key, value)
		{
			total += json_integer_value(
				json_object_get(json_array_get(value, 0), "value"));
			*advanced += llround(1000 * json_number_value(json_object_get(
							    json_array_get(value, 1), "value")));
		}
		json_decref(windows);
	}
	return total;
}

static void each_stored_reading_counts_once(void **state)
{
	char data[] = "/tmp/meterloom-aggregate-XXXXXX";
	uint64_t trace = 1;
	int64_t advanced = 0;
	ml_time wall = WALL;
	(void)state;
	assert_non_null(mkdtemp(data));
	srand(7);
	for (unsigned i = 0; i < test_count(60); i++) {
		trace = run_and_kill(data, wall, trace, 10 + (unsigned)rand() % 300) + 1000;
		struct kit peek = {0};
		(void)snprintf(peek.data, sizeof peek.data, "%s", data);
		wall = kit_sql(&peek, "readings",
			       "SELECT coalesce(max(time), 0) FROM reading WHERE trace < "
			       "1000000000") +
		       ML_SEC;
		wall = wall > WALL ? wall : WALL;
	}
	struct kit *kit = new_kit(data, wall);
	kit_apply(kit, graph);
	kit_run(kit, 2 * ML_HOUR);
	const int64_t stored =
		kit_sql(kit, "readings", "SELECT count(*) FROM reading WHERE trace < 1000000000");
	assert_true(stored > 0);
	assert_int_equal(told_counts(kit, &advanced), stored);
	/* Each counter shows the trace. */
	assert_int_equal(advanced,
		kit_sql(kit, "readings",
			"SELECT sum(way) FROM (SELECT max(trace) - min(trace) AS way FROM reading "
			"WHERE trace < 1000000000 GROUP BY trace % 7)"));
	kit_free(kit);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_stored_reading_counts_once),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
