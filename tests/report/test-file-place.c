/* Files that appear whole or not at all: names, collisions, repetitions, a full disk.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <dirent.h>
#include <errno.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "report/file_place.h"

static char base[64]; /* of one test */

static int make_base(void **state)
{
	(void)state;
	(void)snprintf(base, sizeof base, "/tmp/meterloom-test-XXXXXX");
	return mkdtemp(base) ? 0 : -1;
}

static int remove_base(void **state)
{
	(void)state;
	char command[128];
	(void)snprintf(command, sizeof command, "rm -rf '%s'", base);
	return system(command);
}

static const char *below(const char *name)
{
	static char paths[4][160];
	static unsigned turn;
	char *path = paths[turn++ % 4];
	(void)snprintf(path, sizeof paths[0], "%s/%s", base, name);
	return path;
}

static void write_file(const char *path, const char *content)
{
	FILE *file = fopen(path, "wb");
	assert_non_null(file);
	(void)fputs(content, file);
	assert_int_equal(fclose(file), 0);
}

static void expect_file(const char *path, const char *content)
{
	char text[256] = "";
	FILE *file = fopen(path, "rb");
	if (!file)
		fail_msg("%s is not there", path);
	const size_t length = fread(text, 1, sizeof text - 1, file);
	(void)fclose(file);
	text[length] = '\0';
	assert_string_equal(text, content);
}

static unsigned count_files(const char *folder)
{
	unsigned count = 0;
	DIR *dir = opendir(folder);
	assert_non_null(dir);
	for (const struct dirent *entry = readdir(dir); entry; entry = readdir(dir))
		count += strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
	(void)closedir(dir);
	return count;
}

/* Puts `content` into the folder "out" under `name`. */
static int place(const char *content, const char *name, enum file_collision collision, char *out,
	struct ml_error *err)
{
	write_file(below("source"), content);
	const struct file_job job = {.files = &ml_files_system,
		.folder = below("out/deep"),
		.source = below("source"),
		.size = strlen(content),
		.name = name,
		.tag = "sink",
		.collision = collision};
	return file_place(&job, out, err);
}

static void folders_are_made_and_the_file_is_whole(void **state)
{
	(void)state;
	char out[FILE_NAME_MAX];
	assert_int_equal(place("one", "a.csv", FILE_NUMBER, out, NULL), 0);
	assert_string_equal(out, "a.csv");
	expect_file(below("out/deep/a.csv"), "one");
	assert_int_equal(count_files(below("out/deep")), 1);
}

static void names_that_are_taken_get_a_number(void **state)
{
	(void)state;
	static const char *const names[] = {"a.b.csv", "a.b-2.csv", "a.b-3.csv"};
	static const char *const contents[] = {"one", "two", "three"};
	char out[FILE_NAME_MAX];
	for (int i = 0; i < 3; i++) {
		assert_int_equal(place(contents[i], "a.b.csv", FILE_NUMBER, out, NULL), 0);
		assert_string_equal(out, names[i]);
	}
	expect_file(below("out/deep/a.b.csv"), "one");
	expect_file(below("out/deep/a.b-3.csv"), "three");
	/* Without an ending, or with nothing before it. */
	assert_int_equal(place("1", "plain", FILE_NUMBER, out, NULL), 0);
	assert_int_equal(place("2", "plain", FILE_NUMBER, out, NULL), 0);
	assert_string_equal(out, "plain-2");
	assert_int_equal(place("1", ".csv", FILE_NUMBER, out, NULL), 0);
	assert_int_equal(place("2", ".csv", FILE_NUMBER, out, NULL), 0);
	assert_string_equal(out, ".csv-2");
}

static void the_same_report_again_is_the_same_file(void **state)
{
	(void)state;
	char out[FILE_NAME_MAX];
	assert_int_equal(place("one", "a.csv", FILE_NUMBER, out, NULL), 0);
	assert_int_equal(place("two", "a.csv", FILE_NUMBER, out, NULL), 0);
	/* A repetition after a crash: of the first, of the second, of one whose name is refused. */
	assert_int_equal(place("one", "a.csv", FILE_NUMBER, out, NULL), 0);
	assert_string_equal(out, "a.csv");
	assert_int_equal(place("two", "a.csv", FILE_NUMBER, out, NULL), 0);
	assert_string_equal(out, "a-2.csv");
	assert_int_equal(place("one", "a.csv", FILE_REFUSE, out, NULL), 0);
	assert_int_equal(count_files(below("out/deep")), 2);
}

static void replacing_and_refusing(void **state)
{
	(void)state;
	char out[FILE_NAME_MAX];
	struct ml_error err = ML_ERROR_NONE;
	assert_int_equal(place("one", "a.csv", FILE_REPLACE, out, NULL), 0);
	assert_int_equal(place("other", "a.csv", FILE_REPLACE, out, NULL), 0);
	expect_file(below("out/deep/a.csv"), "other");
	assert_int_equal(place("third", "a.csv", FILE_REFUSE, out, &err), -EEXIST);
	assert_non_null(strstr(err.text, "there is already a file"));
	expect_file(below("out/deep/a.csv"), "other");
	assert_int_equal(count_files(below("out/deep")), 1);
}

static void names_cannot_leave_the_folder(void **state)
{
	(void)state;
	static const char *const names[] = {"", ".", "..", "../x", "a/b", "/etc/x"};
	char out[FILE_NAME_MAX];
	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		assert_int_equal(place("x", names[i], FILE_NUMBER, out, NULL), -EINVAL);
	/* A link that somebody put there is not followed. */
	assert_int_equal(place("x", "a.csv", FILE_NUMBER, out, NULL), 0);
	write_file(below("victim"), "mine");
	assert_int_equal(symlink(below("victim"), below("out/deep/.sink.part")), 0);
	assert_int_equal(symlink(below("victim"), below("out/deep/b.csv")), 0);
	assert_int_equal(place("x", "b.csv", FILE_REPLACE, out, NULL), 0);
	expect_file(below("victim"), "mine");
	expect_file(below("out/deep/b.csv"), "x");
}

static void what_a_crash_left_is_cleared(void **state)
{
	(void)state;
	char out[FILE_NAME_MAX];
	assert_int_equal(place("one", "a.csv", FILE_NUMBER, out, NULL), 0);
	write_file(below("out/deep/.sink.part"), "half of a rep");
	assert_int_equal(place("two", "b.csv", FILE_NUMBER, out, NULL), 0);
	assert_int_equal(count_files(below("out/deep")), 2);
}

static void a_cut_report_is_not_delivered(void **state)
{
	(void)state;
	char out[FILE_NAME_MAX];
	struct ml_error err = ML_ERROR_NONE;
	write_file(below("source"), "12345");
	const struct file_job job = {.files = &ml_files_system,
		.folder = below("out"),
		.source = below("source"),
		.size = 6,
		.name = "a.csv",
		.tag = "sink",
		.collision = FILE_NUMBER};
	assert_int_equal(file_place(&job, out, &err), -EIO);
	assert_non_null(strstr(err.text, "has 5 bytes where 6 were rendered"));
	assert_int_equal(count_files(below("out")), 0);
	const struct file_job gone = {.files = &ml_files_system,
		.folder = below("out"),
		.source = below("nothing"),
		.size = 6,
		.name = "a.csv",
		.tag = "sink",
		.collision = FILE_NUMBER};
	assert_int_equal(file_place(&gone, out, NULL), -ENOENT);
}

static void a_full_disk_leaves_nothing_behind(void **state)
{
	(void)state;
	/* A disk of its own, of 64 KiB; where that is not allowed there is nothing to try. */
	if (unshare(CLONE_NEWNS) != 0 && unshare(CLONE_NEWUSER | CLONE_NEWNS) != 0)
		skip();
	assert_int_equal(mkdir(below("disk"), 0777), 0);
	(void)mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL);
	if (mount("tmpfs", below("disk"), "tmpfs", 0, "size=64k") != 0)
		skip();
	char *large = malloc(100001);
	assert_non_null(large);
	memset(large, 'x', 100000);
	large[100000] = '\0';
	write_file(below("source"), large);
	char out[FILE_NAME_MAX];
	struct ml_error err = ML_ERROR_NONE;
	struct file_job job = {.files = &ml_files_system,
		.folder = below("disk/reports"),
		.source = below("source"),
		.size = 100000,
		.name = "a.csv",
		.tag = "sink",
		.collision = FILE_NUMBER};
	assert_int_equal(file_place(&job, out, &err), -ENOSPC);
	assert_non_null(strstr(err.text, "no space left in"));
	assert_int_equal(count_files(below("disk/reports")), 0);
	/* A smaller one has room. */
	large[1000] = '\0';
	write_file(below("source"), large);
	job.size = 1000;
	job.folder = below("disk/reports");
	job.source = below("source");
	assert_int_equal(file_place(&job, out, NULL), 0);
	assert_int_equal(umount(below("disk")), 0);
	free(large);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, make_base, remove_base)
	const struct CMUnitTest tests[] = {
		TEST(folders_are_made_and_the_file_is_whole),
		TEST(names_that_are_taken_get_a_number),
		TEST(the_same_report_again_is_the_same_file),
		TEST(replacing_and_refusing),
		TEST(names_cannot_leave_the_folder),
		TEST(what_a_crash_left_is_cleared),
		TEST(a_cut_report_is_not_delivered),
		TEST(a_full_disk_leaves_nothing_behind),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
