/* Recordings that a gateway keeps: what the disk refuses is told, and what it took is there.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include <meterloom/engine.h>
#include <meterloom/family.h>
#include <meterloom/files.h>

#include "mbus/keeper.h"

/* A disk with so much room. */
struct disk {
	struct ml_files files;
	int64_t room;
	int refuses; /* what it says when it is full */
	bool no_names;
};

static int64_t write_some(void *user, int fd, const void *bytes, size_t length)
{
	struct disk *disk = user;
	if (disk->room <= 0)
		return disk->refuses;
	const size_t part = (int64_t)length < disk->room ? length : (size_t)disk->room;
	const int64_t n = ml_files_system.write(NULL, fd, bytes, part);
	disk->room -= n;
	return n;
}

static int open_if(void *user, const char *path, int flags, unsigned mode)
{
	const struct disk *disk = user;
	return disk->no_names && strstr(path, "recordings")
		       ? -EROFS
		       : ml_files_system.open(NULL, path, flags, mode);
}

struct desk {
	char folder[64];
	struct disk disk;
	struct ml_clock *clock;
	struct ml_log *log;
	struct ml_engine *engine;
	struct mbus_kept kept;
	unsigned told;
	bool real; /* its lanes are threads */
};

static int set_up_clock(void **state, bool real)
{
	static const struct ml_family *const none[] = {NULL};
	struct desk *d = calloc(1, sizeof *d);
	struct ml_error err = ML_ERROR_NONE;
	assert_non_null(d);
	*state = d;
	(void)snprintf(d->folder, sizeof d->folder, "/tmp/keeper-XXXXXX");
	assert_non_null(mkdtemp(d->folder));
	d->disk = (struct disk){.files = ml_files_system, .room = INT64_MAX, .refuses = -ENOSPC};
	d->disk.files.user = &d->disk;
	d->disk.files.write = write_some;
	d->disk.files.open = open_if;
	d->real = real;
	d->clock = real ? ml_clock_new_real() : ml_clock_new_simulated(0);
	d->log = ml_log_new(d->clock, 0);
	const struct ml_engine_options options = {.families = none,
		.clock = d->clock,
		.log = d->log,
		.data = d->folder,
		.files = &d->disk.files};
	if (ml_engine_new(&options, &d->engine, &err) < 0)
		fail_msg("%s", err.text);
	return 0;
}

static int set_up(void **state)
{
	return set_up_clock(state, false);
}

static int set_up_real(void **state)
{
	return set_up_clock(state, true);
}

static int tear_down(void **state)
{
	struct desk *d = *state;
	ml_engine_free(d->engine);
	ml_log_free(d->log);
	ml_clock_free(d->clock);
	const int result = ml_files_remove_tree(&ml_files_system, d->folder);
	free(d);
	return result;
}

static void on_done(void *user, const struct mbus_kept *kept)
{
	struct desk *d = user;
	d->kept = *kept;
	d->told++;
	if (d->real)
		ml_engine_quit(d->engine);
}

static struct mbus_keeper *begin(struct desk *d)
{
	struct mbus_keeper *keeper = NULL;
	struct ml_error err = ML_ERROR_NONE;
	if (mbus_keeper_new(d->engine, ml_engine_lane(d->engine, "control"), "my bus/1", 0, on_done,
		    d, &keeper, &err) < 0)
		fail_msg("%s", err.text);
	return keeper;
}

static size_t size_of(const struct desk *d)
{
	char path[256];
	struct ml_buffer text = {0};
	(void)snprintf(path, sizeof path, "%s/" MBUS_KEEPER_FOLDER "/%s", d->folder, d->kept.name);
	assert_int_equal(ml_files_read(&ml_files_system, path, 100000, &text, NULL), 0);
	const size_t size = text.length;
	ml_buffer_free(&text);
	return size;
}

static void what_was_put_is_there(void **state)
{
	struct desk *d = *state;
	struct mbus_keeper *keeper = begin(d);
	assert_string_equal(mbus_keeper_name(keeper), "19700101-000000.000-my_bus_1.txt");
	assert_true(mbus_keeper_put(keeper, "one\n", 4));
	assert_true(mbus_keeper_put(keeper, "two\n", 4));
	mbus_keeper_end(keeper);
	ml_engine_simulate(d->engine, 0);
	assert_int_equal(d->told, 1);
	assert_int_equal(d->kept.err.code, 0);
	assert_int_equal(d->kept.size, 8);
	assert_int_equal(size_of(d), 8);
}

static void full_disk_is_told_with_what_is_kept(void **state)
{
	struct desk *d = *state;
	char text[1000];
	struct mbus_keeper *keeper = begin(d);
	memset(text, '\n', sizeof text);
	ml_engine_simulate(d->engine, 0);
	d->disk.room = 1500;
	assert_true(mbus_keeper_put(keeper, text, sizeof text));
	assert_true(mbus_keeper_put(keeper, text, sizeof text));
	ml_engine_simulate(d->engine, 0);
	/* From now on whoever records knows. */
	assert_false(mbus_keeper_put(keeper, text, sizeof text));
	mbus_keeper_end(keeper);
	ml_engine_simulate(d->engine, 0);
	assert_int_equal(d->told, 1);
	assert_int_equal(d->kept.err.code, -ENOSPC);
	assert_non_null(strstr(d->kept.err.text, "its first 1500 bytes are kept"));
	assert_int_equal(size_of(d), 1500);
}

static void file_that_cannot_be_made_is_told(void **state)
{
	struct desk *d = *state;
	d->disk.no_names = true;
	struct mbus_keeper *keeper = begin(d);
	mbus_keeper_end(keeper);
	ml_engine_simulate(d->engine, 0);
	assert_int_equal(d->told, 1);
	assert_int_equal(d->kept.err.code, -EROFS);
	assert_non_null(strstr(d->kept.err.text, "cannot be begun"));
}

/* A disk that hangs does not eat the memory. */
static void what_the_disk_has_not_taken_is_bounded(void **state)
{
	struct desk *d = *state;
	struct mbus_keeper *keeper = begin(d);
	char *text = calloc(1, 100000);
	unsigned taken = 0;
	assert_non_null(text);
	while (mbus_keeper_put(keeper, text, 100000))
		taken++;
	assert_in_range(taken, 10, 100);
	free(text);
	mbus_keeper_leave(keeper);
	ml_engine_simulate(d->engine, 0);
	/* Who left is not told. */
	assert_int_equal(d->told, 0);
}

static void leaving_while_it_ends_is_heard(void **state)
{
	struct desk *d = *state;
	struct mbus_keeper *keeper = begin(d);
	mbus_keeper_end(keeper);
	mbus_keeper_leave(keeper);
	ml_engine_simulate(d->engine, 0);
	assert_int_equal(d->told, 0);
}

/* The oldest of many stays while it is written, and so does what is no recording. */
static void what_is_written_is_not_removed(void **state)
{
	struct desk *d = *state;
	char path[256];
	struct mbus_keeper *first = begin(d);
	ml_engine_simulate(d->engine, 0);
	(void)snprintf(path, sizeof path, "%s/" MBUS_KEEPER_FOLDER "/00-notes.txt", d->folder);
	assert_int_equal(ml_files_write_new(&ml_files_system, path, 0600, "mine", 4, NULL), 0);
	for (unsigned i = 1; i <= 12; i++) {
		struct mbus_keeper *keeper = NULL;
		assert_int_equal(mbus_keeper_new(d->engine, ml_engine_lane(d->engine, "control"),
					 "other", i * ML_HOUR, on_done, d, &keeper, NULL),
			0);
		assert_true(mbus_keeper_put(keeper, "x\n", 2));
		mbus_keeper_end(keeper);
		ml_engine_simulate(d->engine, 0);
	}
	assert_true(mbus_keeper_put(first, "one\n", 4));
	mbus_keeper_end(first);
	ml_engine_simulate(d->engine, 0);
	assert_string_equal(d->kept.name, "19700101-000000.000-my_bus_1.txt");
	assert_int_equal(size_of(d), 4);
	assert_int_equal(access(path, F_OK), 0);
	/* Another was, in its place. */
	(void)snprintf(path, sizeof path, "%s/" MBUS_KEEPER_FOLDER "/19700101-010000.000-other.txt",
		d->folder);
	assert_int_not_equal(access(path, F_OK), 0);
}

static void threads_hand_it_on_in_order(void **state)
{
	struct desk *d = *state;
	char path[256], line[32];
	struct ml_buffer text = {0}, expected = {0};
	struct mbus_keeper *keeper = begin(d);
	for (unsigned i = 0; i < 2000; i++) {
		const int length = snprintf(line, sizeof line, "line %u\n", i);
		ml_buffer_append(&expected, line, (size_t)length);
		assert_true(mbus_keeper_put(keeper, line, (size_t)length));
	}
	mbus_keeper_end(keeper);
	ml_engine_run(d->engine);
	assert_int_equal(d->told, 1);
	assert_int_equal(d->kept.err.code, 0);
	(void)snprintf(path, sizeof path, "%s/" MBUS_KEEPER_FOLDER "/%s", d->folder, d->kept.name);
	assert_int_equal(ml_files_read(&ml_files_system, path, 100000, &text, NULL), 0);
	assert_int_equal(text.length, expected.length);
	assert_memory_equal(text.data, expected.data, text.length);
	ml_buffer_free(&text);
	ml_buffer_free(&expected);
}

static void gateway_that_ends_lets_go_of_it(void **state)
{
	struct desk *d = *state;
	struct mbus_keeper *keeper = begin(d);
	assert_true(mbus_keeper_put(keeper, "one\n", 4));
	mbus_keeper_leave(keeper);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(what_was_put_is_there),
		TEST(full_disk_is_told_with_what_is_kept),
		TEST(file_that_cannot_be_made_is_told),
		TEST(what_the_disk_has_not_taken_is_bounded),
		TEST(leaving_while_it_ends_is_heard),
		TEST(what_is_written_is_not_removed),
		cmocka_unit_test_setup_teardown(
			threads_hand_it_on_in_order, set_up_real, tear_down),
		cmocka_unit_test_setup_teardown(
			gateway_that_ends_lets_go_of_it, set_up_real, tear_down),
	};
#undef TEST
	return cmocka_run_group_tests(tests, NULL, NULL);
}
