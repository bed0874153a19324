/* The file layer: the system's table, and what is made of any.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <meterloom/files.h>

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static char folder[64];

static int setup(void **state)
{
	(void)state;
	(void)snprintf(folder, sizeof folder, "/tmp/meterloom-files-XXXXXX");
	return mkdtemp(folder) ? 0 : -1;
}

static int teardown(void **state)
{
	(void)state;
	assert_int_equal(ml_files_remove_tree(&ml_files_system, folder), 0);
	assert_int_equal(access(folder, F_OK), -1);
	return 0;
}

static const char *at(const char *name)
{
	static char path[2][256];
	static int turn;
	turn = !turn;
	(void)snprintf(path[turn], sizeof path[turn], "%s/%s", folder, name);
	return path[turn];
}

static void write_new(const char *name, const char *text)
{
	struct ml_error err = ML_ERROR_NONE;
	if (ml_files_write_new(&ml_files_system, at(name), 0600, text, strlen(text), &err) < 0)
		fail_msg("%s", err.text);
}

static void expect(const char *name, const char *text)
{
	struct ml_buffer buffer = {0};
	assert_int_equal(ml_files_read(&ml_files_system, at(name), 100, &buffer, NULL), 0);
	assert_int_equal(buffer.length, strlen(text));
	assert_memory_equal(buffer.data, text, strlen(text));
	ml_buffer_free(&buffer);
}

static void a_new_file_is_whole_and_no_other_is_touched(void **state)
{
	struct ml_error err = ML_ERROR_NONE;
	struct ml_buffer buffer = {0};
	(void)state;
	write_new("a", "one");
	expect("a", "one");
	assert_int_equal(
		ml_files_write_new(&ml_files_system, at("a"), 0600, "two", 3, &err), -EEXIST);
	assert_non_null(strstr(err.text, "/a: cannot be made"));
	expect("a", "one");
	assert_int_equal(ml_files_read(&ml_files_system, at("none"), 9, &buffer, NULL), -ENOENT);
	assert_int_equal(ml_files_read(&ml_files_system, at("a"), 2, &buffer, NULL), -EFBIG);
	ml_buffer_free(&buffer);
}

static void a_name_is_only_taken_when_it_may_be(void **state)
{
	const struct ml_files *files = &ml_files_system;
	(void)state;
	write_new("a", "one");
	write_new("b", "two");
	assert_int_equal(files->rename(NULL, at("a"), at("b"), false), -EEXIST);
	expect("b", "two");
	assert_int_equal(files->rename(NULL, at("a"), at("b"), true), 0);
	expect("b", "one");
	assert_int_equal(files->rename(NULL, at("b"), at("c"), false), 0);
	assert_int_equal(files->sync_folder(NULL, folder), 0);
	expect("c", "one");
}

static void links_are_not_followed(void **state)
{
	(void)state;
	write_new("a", "one");
	assert_int_equal(symlink("a", at("link")), 0);
	assert_int_equal(ml_files_system.open(NULL, at("link"), O_RDONLY, 0), -ELOOP);
	assert_int_equal(ml_files_system.open(NULL, at("link"), O_WRONLY | O_CREAT, 0600), -ELOOP);
}

/* A full disk: half of what is written goes, then nothing. */
static int64_t write_full(void *user, int fd, const void *bytes, size_t length)
{
	int *left = user;
	if ((*left)-- <= 0)
		return -ENOSPC;
	return write(fd, bytes, length / 2);
}

static void of_a_file_that_could_not_be_written_nothing_is_left(void **state)
{
	int left = 2;
	struct ml_files files = ml_files_system;
	struct ml_error err = ML_ERROR_NONE;
	(void)state;
	files.user = &left;
	files.write = write_full;
	assert_int_equal(
		ml_files_write_new(&files, at("a"), 0600, "0123456789", 10, &err), -ENOSPC);
	assert_non_null(strstr(err.text, "No space left"));
	assert_int_equal(access(at("a"), F_OK), -1);
}

static void folders_are_made_and_removed_with_all_in_them(void **state)
{
	struct ml_error err = ML_ERROR_NONE;
	(void)state;
	assert_int_equal(ml_files_make_folders(&ml_files_system, at("x/y/z"), 0700, &err), 0);
	assert_int_equal(ml_files_make_folders(&ml_files_system, at("x/y/z"), 0700, &err), 0);
	write_new("x/y/z/a", "one");
	write_new("x/b", "two");
	write_new("kept", "three");
	assert_int_equal(symlink("../kept", at("x/link")), 0);
	assert_int_equal(ml_files_remove_tree(&ml_files_system, at("x")), 0);
	assert_int_equal(access(at("x"), F_OK), -1);
	assert_int_equal(ml_files_remove_tree(&ml_files_system, at("x")), 0);
	expect("kept", "three");
	assert_int_equal(
		ml_files_make_folders(&ml_files_system, at("kept/y"), 0700, &err), -ENOTDIR);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			a_new_file_is_whole_and_no_other_is_touched, setup, teardown),
		cmocka_unit_test_setup_teardown(
			a_name_is_only_taken_when_it_may_be, setup, teardown),
		cmocka_unit_test_setup_teardown(links_are_not_followed, setup, teardown),
		cmocka_unit_test_setup_teardown(
			of_a_file_that_could_not_be_written_nothing_is_left, setup, teardown),
		cmocka_unit_test_setup_teardown(
			folders_are_made_and_removed_with_all_in_them, setup, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
