/* The log: levels, the ring, sinks, flood control, and lines that are safe to show.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include <meterloom/log.h>
#include <meterloom/zone.h>

/* What came to a sink, a line an entry: `2 bus: no answer`. */
struct heard {
	struct ml_buffer lines;
	uint64_t last;
	struct ml_log *log; /* not NULL: logs from within the sink */
};

static void hear(const struct ml_log_entry *entry, void *context)
{
	struct heard *heard = context;
	ml_buffer_appendf(
		&heard->lines, "%d %s: %s\n", (int)entry->level, entry->origin, entry->text);
	assert_true(entry->sequence > heard->last);
	heard->last = entry->sequence;
	if (heard->log)
		ml_log(heard->log, ML_LOG_ERROR, "sink", "from within");
}

static void assert_heard(struct heard *heard, const char *lines)
{
	assert_string_equal(heard->lines.data ? heard->lines.data : "", lines);
	ml_buffer_clear(&heard->lines);
}

struct fixture {
	struct ml_clock *clock;
	struct ml_log *log;
	struct heard heard;
	int subscription;
};

static int set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof *f);
	assert_non_null(f);
	f->clock = ml_clock_new_simulated(INT64_C(1769868900000000));
	f->log = ml_log_new(f->clock, 5);
	assert_non_null(f->log);
	f->subscription = ml_log_subscribe(f->log, ML_LOG_DEBUG, hear, &f->heard);
	assert_true(f->subscription > 0);
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;
	ml_log_free(f->log);
	ml_clock_free(f->clock);
	ml_buffer_free(&f->heard.lines);
	free(f);
	return 0;
}

static void wait_seconds(struct fixture *f, int seconds)
{
	ml_clock_advance(f->clock, ml_clock_monotonic(f->clock) + seconds * ML_SEC);
}

static void levels_are_kept_from_the_minimum(void **state)
{
	struct fixture *f = *state;
	ml_log(f->log, ML_LOG_DEBUG, "bus", "hidden");
	ml_log(f->log, ML_LOG_INFO, "bus", "%d of %d", 1, 2);
	ml_log(f->log, ML_LOG_ERROR, NULL, "no origin");
	assert_heard(&f->heard, "1 bus: 1 of 2\n3 : no origin\n");
	ml_log_set_minimum(f->log, ML_LOG_DEBUG);
	assert_true(ml_log_wants(f->log, ML_LOG_DEBUG));
	ml_log(f->log, ML_LOG_DEBUG, "bus", "shown");
	ml_log_set_minimum(f->log, ML_LOG_ERROR);
	ml_log(f->log, ML_LOG_WARNING, "bus", "hidden too");
	assert_heard(&f->heard, "0 bus: shown\n");
	assert_false(ml_log_wants(NULL, ML_LOG_ERROR));
	ml_log(NULL, ML_LOG_ERROR, "bus", "nowhere");
	enum ml_log_level level;
	for (int i = ML_LOG_DEBUG; i <= ML_LOG_ERROR; i++) {
		assert_true(ml_log_level_parse(ml_log_level_name((enum ml_log_level)i), &level));
		assert_int_equal(level, i);
	}
	assert_false(ml_log_level_parse("loud", &level));
}

static void the_last_entries_can_be_listed(void **state)
{
	struct fixture *f = *state;
	struct heard listed = {0};
	assert_int_equal(ml_log_list(f->log, 0, ML_LOG_DEBUG, hear, &listed), 0);
	for (int i = 1; i <= 7; i++)
		ml_log(f->log, i == 5 ? ML_LOG_WARNING : ML_LOG_INFO, "n", "%d", i);
	const uint64_t newest = ml_log_list(f->log, 0, ML_LOG_DEBUG, hear, &listed);
	assert_heard(&listed, "1 n: 3\n1 n: 4\n2 n: 5\n1 n: 6\n1 n: 7\n");
	assert_int_equal(newest, 7);
	assert_int_equal(ml_log_list(f->log, newest, ML_LOG_DEBUG, hear, &listed), 7);
	assert_heard(&listed, "");
	ml_log(f->log, ML_LOG_INFO, "n", "8");
	(void)ml_log_list(f->log, newest, ML_LOG_DEBUG, hear, &listed);
	assert_heard(&listed, "1 n: 8\n");
	listed.last = 0;
	(void)ml_log_list(f->log, 0, ML_LOG_WARNING, hear, &listed);
	assert_heard(&listed, "2 n: 5\n");
	ml_buffer_free(&listed.lines);
}

static void sinks_come_and_go(void **state)
{
	struct fixture *f = *state;
	struct heard other = {0};
	const int subscription = ml_log_subscribe(f->log, ML_LOG_WARNING, hear, &other);
	ml_log(f->log, ML_LOG_INFO, "n", "low");
	ml_log(f->log, ML_LOG_WARNING, "n", "high");
	assert_heard(&other, "2 n: high\n");
	ml_log_unsubscribe(f->log, f->subscription);
	ml_log(f->log, ML_LOG_WARNING, "n", "after");
	assert_heard(&f->heard, "1 n: low\n2 n: high\n");
	assert_heard(&other, "2 n: after\n");
	/* A sink that logs is not called in circles, and does not hang. */
	other.log = f->log;
	ml_log(f->log, ML_LOG_WARNING, "n", "again");
	assert_heard(&other, "2 n: again\n");
	assert_int_equal(ml_log_lost(f->log), 1);
	ml_log_unsubscribe(f->log, subscription);
	ml_log_unsubscribe(f->log, subscription);
	ml_buffer_free(&other.lines);
}

static void copies_are_held_back_for_a_minute(void **state)
{
	struct fixture *f = *state;
	ml_log(f->log, ML_LOG_WARNING, "bus", "no answer from %d", 7);
	assert_int_equal(ml_log_due(f->log), ML_NEVER);
	for (int i = 0; i < 59; i++) {
		wait_seconds(f, 1);
		ml_log(f->log, ML_LOG_WARNING, "bus", "no answer from %d", 7);
	}
	assert_heard(&f->heard, "2 bus: no answer from 7\n");
	assert_int_equal(ml_log_due(f->log), ML_MINUTE);
	/* Another text, and another origin, are no copies. */
	ml_log(f->log, ML_LOG_WARNING, "bus", "no answer from %d", 8);
	ml_log(f->log, ML_LOG_WARNING, "bus2", "no answer from %d", 7);
	assert_heard(&f->heard, "2 bus: no answer from 8\n2 bus2: no answer from 7\n");
	/* The minute is over: the count, then one more copy, then silence again. */
	wait_seconds(f, 1);
	ml_log(f->log, ML_LOG_WARNING, "bus", "no answer from %d", 7);
	assert_heard(&f->heard, "2 bus: held back 59 copies of: no answer from 7\n"
				"2 bus: no answer from 7\n");
	ml_log(f->log, ML_LOG_WARNING, "bus", "no answer from %d", 7);
	assert_heard(&f->heard, "");
	/* Somebody else's entry, or the loop, tells the count when it is due. */
	wait_seconds(f, 60);
	ml_log(f->log, ML_LOG_INFO, "x", "other");
	assert_heard(&f->heard, "2 bus: held back 1 copy of: no answer from 7\n1 x: other\n");
	ml_log(f->log, ML_LOG_INFO, "x", "other");
	ml_log_flush(f->log);
	assert_heard(&f->heard, "");
	wait_seconds(f, 60);
	assert_int_equal(ml_log_due(f->log), ml_clock_monotonic(f->clock));
	ml_log_flush(f->log);
	assert_heard(&f->heard, "1 x: held back 1 copy of: other\n");
	ml_log_flush(f->log);
	assert_heard(&f->heard, "");
	/* Without copies a minute ends in silence, and the next one is logged. */
	ml_log(f->log, ML_LOG_INFO, "x", "other");
	wait_seconds(f, 60);
	ml_log(f->log, ML_LOG_INFO, "x", "other");
	assert_heard(&f->heard, "1 x: other\n1 x: other\n");
}

static void flood_control_runs_on_monotonic_time(void **state)
{
	struct fixture *f = *state;
	ml_log(f->log, ML_LOG_INFO, "x", "t");
	ml_clock_set_wall(f->clock, ml_clock_wall(f->clock) + ML_HOUR);
	ml_log(f->log, ML_LOG_INFO, "x", "t");
	assert_heard(&f->heard, "1 x: t\n");
}

static void the_table_of_floods_is_bounded_and_counts_are_told(void **state)
{
	struct fixture *f = *state;
	ml_log(f->log, ML_LOG_INFO, "x", "first");
	ml_log(f->log, ML_LOG_ERROR, "x", "first");
	wait_seconds(f, 1);
	for (int i = 0; i < ML_LOG_FLOODS - 1; i++)
		ml_log(f->log, ML_LOG_INFO, "x", "%d", i);
	ml_buffer_clear(&f->heard.lines);
	ml_log(f->log, ML_LOG_INFO, "x", "0");
	assert_heard(&f->heard, "");
	ml_log(f->log, ML_LOG_INFO, "x", "one too many");
	assert_heard(&f->heard, "3 x: held back 1 copy of: first\n1 x: one too many\n");
	ml_log_free(f->log);
	assert_heard(&f->heard, "1 x: held back 1 copy of: 0\n");
	f->log = NULL;
}

static void texts_are_one_safe_line(void **state)
{
	struct fixture *f = *state;
	ml_log(f->log, ML_LOG_INFO, "a\nb", "x\r\ny\033[31m\x7Fz\tm³ \xB0 \xC2\x9B 𝄞");
	assert_heard(&f->heard, "1 a b: x  y?[31m?z m³ ? ?? 𝄞\n");
	/* Cut between characters, whatever their width. */
	static const char *const characters[] = {"x", "é", "€", "𝄞"};
	for (size_t c = 0; c < 4; c++) {
		char text[2 * ML_LOG_TEXT_MAX] = "";
		for (size_t at = 0; at + 4 < sizeof text; at += strlen(characters[c]))
			strcpy(text + at, characters[c]);
		for (size_t shift = 0; shift < 4; shift++) {
			ml_log(f->log, ML_LOG_INFO, "", "%.*s%s", (int)shift, "...", text);
			const size_t length = f->heard.lines.length - strlen("1 : \n");
			assert_true(length < ML_LOG_TEXT_MAX && length > ML_LOG_TEXT_MAX - 5);
			assert_null(memchr(f->heard.lines.data, '?', f->heard.lines.length));
			ml_buffer_clear(&f->heard.lines);
		}
	}
	char origin[200];
	memset(origin, 'o', sizeof origin);
	origin[199] = '\0';
	ml_log(f->log, ML_LOG_INFO, origin, "long origin");
	assert_int_equal(f->heard.lines.length, 2 + ML_LOG_ORIGIN_MAX - 1 + 2 + 11 + 1);
}

static void print_all(struct fixture *f, const struct ml_log_terminal *form, char *out, size_t size)
{
	int ends[2];
	assert_int_equal(pipe(ends), 0);
	struct ml_log_terminal terminal = *form;
	terminal.fd = ends[1];
	(void)ml_log_list(f->log, 0, ML_LOG_DEBUG, ml_log_to_terminal, &terminal);
	assert_int_equal(close(ends[1]), 0);
	const ssize_t got = read(ends[0], out, size - 1);
	assert_true(got >= 0);
	out[got] = '\0';
	(void)close(ends[0]);
}

static void a_terminal_gets_lines(void **state)
{
	struct fixture *f = *state;
	char out[500];
	ml_log(f->log, ML_LOG_INFO, "bus", "ready");
	ml_clock_advance(f->clock, 250 * ML_MSEC);
	ml_log(f->log, ML_LOG_ERROR, "", "lost");
	print_all(f, &(struct ml_log_terminal){0}, out, sizeof out);
	assert_string_equal(out, "2026-01-31 14:15:00.000 info    bus: ready\n"
				 "2026-01-31 14:15:00.250 error   lost\n");
	print_all(f, &(struct ml_log_terminal){.colour = true}, out, sizeof out);
	assert_string_equal(out, "2026-01-31 14:15:00.000 info    bus: ready\n"
				 "2026-01-31 14:15:00.250 \033[31merror   lost\033[0m\n");
}

static void write_entry(const struct ml_log_entry *entry, void *context)
{
	ml_log_write_json(entry, context);
}

static void an_entry_is_json(void **state)
{
	struct fixture *f = *state;
	struct ml_buffer out = {0};
	struct ml_json_writer w;
	ml_json_writer_init(&w, &out);
	ml_json_begin_array(&w);
	for (int i = 0; i < 3; i++)
		ml_log(f->log, ML_LOG_WARNING, "bus", "\"7\"");
	wait_seconds(f, 60);
	ml_log_flush(f->log);
	(void)ml_log_list(f->log, 0, ML_LOG_DEBUG, write_entry, &w);
	ml_json_end_array(&w);
	assert_string_equal(out.data,
		"[{\"sequence\":1,\"time\":\"2026-01-31T14:15:00.000Z\",\"level\":\"warning\","
		"\"origin\":\"bus\",\"text\":\"\\\"7\\\"\"},"
		"{\"sequence\":2,\"time\":\"2026-01-31T14:16:00.000Z\",\"level\":\"warning\","
		"\"origin\":\"bus\",\"text\":\"held back 2 copies of: "
		"\\\"7\\\"\",\"suppressed\":2}]");
	ml_buffer_free(&out);
}

enum { THREADS = 4, ENTRIES = 500 };

struct crowd {
	struct ml_log *log;
	int number;
};

static void *log_many(void *context)
{
	const struct crowd *crowd = context;
	for (int i = 0; i < ENTRIES; i++)
		ml_log(crowd->log, ML_LOG_INFO, "crowd", "%d %d", crowd->number, i);
	return NULL;
}

static void count_entry(const struct ml_log_entry *entry, void *context)
{
	(void)entry;
	++*(size_t *)context;
}

static void threads_may_log_together(void **state)
{
	(void)state;
	struct ml_clock *clock = ml_clock_new_real();
	struct ml_log *log = ml_log_new(clock, 0);
	size_t told = 0;
	assert_true(ml_log_subscribe(log, ML_LOG_DEBUG, count_entry, &told) > 0);
	pthread_t threads[THREADS];
	struct crowd crowds[THREADS];
	for (int i = 0; i < THREADS; i++) {
		crowds[i] = (struct crowd){log, i};
		assert_int_equal(pthread_create(&threads[i], NULL, log_many, &crowds[i]), 0);
	}
	for (int i = 0; i < THREADS; i++)
		assert_int_equal(pthread_join(threads[i], NULL), 0);
	assert_int_equal(told, THREADS * ENTRIES);
	size_t kept = 0;
	assert_int_equal(ml_log_list(log, 0, ML_LOG_DEBUG, count_entry, &kept), THREADS * ENTRIES);
	assert_int_equal(kept, ML_LOG_KEEP);
	assert_int_equal(ml_log_lost(log), 0);
	ml_log_free(log);
	ml_clock_free(clock);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			levels_are_kept_from_the_minimum, set_up, tear_down),
		cmocka_unit_test_setup_teardown(the_last_entries_can_be_listed, set_up, tear_down),
		cmocka_unit_test_setup_teardown(sinks_come_and_go, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			copies_are_held_back_for_a_minute, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			flood_control_runs_on_monotonic_time, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			the_table_of_floods_is_bounded_and_counts_are_told, set_up, tear_down),
		cmocka_unit_test_setup_teardown(texts_are_one_safe_line, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_terminal_gets_lines, set_up, tear_down),
		cmocka_unit_test_setup_teardown(an_entry_is_json, set_up, tear_down),
		cmocka_unit_test(threads_may_log_together),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
