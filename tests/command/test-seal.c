/* Sealed secrets and the device key: nothing but the right key and name opens, and a key that
 * others could read is not used. SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "command/device_key.h"

static const uint8_t key[ML_KEY_BYTES] = {1, 2, 3, 4, 5};

static void what_is_sealed_opens(void **state)
{
	(void)state;
	uint8_t sealed[5 + ML_SEAL_OVERHEAD];
	char plain[6] = "";
	assert_int_equal(ml_seal(key, "smtp", "hello", 5, sealed, NULL), 0);
	assert_null(memmem(sealed, sizeof sealed, "hello", 5));
	assert_int_equal(ml_unseal(key, "smtp", sealed, sizeof sealed, plain, NULL), 0);
	assert_string_equal(plain, "hello");
}

static void two_seals_of_one_text_differ(void **state)
{
	(void)state;
	uint8_t first[5 + ML_SEAL_OVERHEAD], second[5 + ML_SEAL_OVERHEAD];
	assert_int_equal(ml_seal(key, "smtp", "hello", 5, first, NULL), 0);
	assert_int_equal(ml_seal(key, "smtp", "hello", 5, second, NULL), 0);
	assert_memory_not_equal(first, second, sizeof first);
}

static void another_name_does_not_open(void **state)
{
	(void)state;
	uint8_t sealed[5 + ML_SEAL_OVERHEAD];
	char plain[5] = {'x'};
	struct ml_error err = ML_ERROR_NONE;
	assert_int_equal(ml_seal(key, "smtp", "hello", 5, sealed, NULL), 0);
	assert_int_equal(ml_unseal(key, "ftp", sealed, sizeof sealed, plain, &err), -EBADMSG);
	assert_non_null(strstr(err.text, "secret.set"));
	assert_memory_not_equal(plain, "hello", 5);
}

static void any_changed_bit_and_any_cut_is_found(void **state)
{
	(void)state;
	uint8_t sealed[5 + ML_SEAL_OVERHEAD];
	char plain[5];
	assert_int_equal(ml_seal(key, "smtp", "hello", 5, sealed, NULL), 0);
	for (size_t bit = 0; bit < sizeof sealed * 8; bit++) {
		sealed[bit / 8] ^= (uint8_t)(1u << bit % 8);
		assert_int_equal(
			ml_unseal(key, "smtp", sealed, sizeof sealed, plain, NULL), -EBADMSG);
		sealed[bit / 8] ^= (uint8_t)(1u << bit % 8);
	}
	for (size_t size = 0; size < sizeof sealed; size++)
		assert_int_equal(ml_unseal(key, "smtp", sealed, size, plain, NULL), -EBADMSG);
	uint8_t other[ML_KEY_BYTES] = {9};
	assert_int_equal(ml_unseal(other, "smtp", sealed, sizeof sealed, plain, NULL), -EBADMSG);
}

/* ---- The device key ---- */

static char folder[64], data[96], path[128];

static int set_up(void **state)
{
	(void)state;
	(void)snprintf(folder, sizeof folder, "/tmp/meterloom-test-XXXXXX");
	if (!mkdtemp(folder))
		return -1;
	(void)snprintf(data, sizeof data, "%s/data", folder);
	(void)snprintf(path, sizeof path, "%s/state/device.key", folder);
	return mkdir(data, 0700);
}

static int tear_down(void **state)
{
	char command[160];
	(void)state;
	(void)snprintf(command, sizeof command, "rm -rf %s", folder);
	return system(command);
}

static void a_key_is_made_once_and_read_again(void **state)
{
	(void)state;
	uint8_t made[ML_KEY_BYTES], read[ML_KEY_BYTES], again[ML_KEY_BYTES];
	struct stat status;
	assert_int_equal(ml_device_key_load(path, data, read, NULL), -ENOENT);
	assert_int_equal(ml_device_key_make(path, data, made, NULL), 0);
	assert_int_equal(stat(path, &status), 0);
	assert_int_equal(status.st_mode & 07777, 0600);
	assert_int_equal(status.st_size, 65);
	assert_int_equal(ml_device_key_load(path, data, read, NULL), 0);
	assert_memory_equal(made, read, sizeof made);
	/* Who makes it at the same time gets the one that is there. */
	assert_int_equal(ml_device_key_make(path, data, again, NULL), 0);
	assert_memory_equal(made, again, sizeof made);
}

static void a_key_that_others_may_read_is_refused(void **state)
{
	(void)state;
	uint8_t bytes[ML_KEY_BYTES];
	static const mode_t wrong[] = {0604, 0640, 0620, 0601, 0666};
	assert_int_equal(ml_device_key_make(path, data, bytes, NULL), 0);
	for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
		struct ml_error err = ML_ERROR_NONE;
		assert_int_equal(chmod(path, wrong[i]), 0);
		assert_int_equal(ml_device_key_load(path, data, bytes, &err), -EPERM);
		assert_non_null(strstr(err.text, "chmod 600"));
		assert_non_null(strstr(err.text, path));
	}
	assert_int_equal(chmod(path, 0400), 0);
	assert_int_equal(ml_device_key_load(path, data, bytes, NULL), 0);
}

static void a_key_in_the_data_directory_is_refused(void **state)
{
	(void)state;
	uint8_t bytes[ML_KEY_BYTES];
	char inside[128];
	struct ml_error err = ML_ERROR_NONE;
	(void)snprintf(inside, sizeof inside, "%s/../data/device.key", data);
	assert_int_equal(ml_device_key_make(inside, data, bytes, &err), -EINVAL);
	assert_non_null(strstr(err.text, "data directory"));
	assert_int_equal(access(inside, F_OK), -1);
	/* A folder whose name only begins in the same way is another one. */
	(void)snprintf(inside, sizeof inside, "%s-key/device.key", data);
	assert_int_equal(ml_device_key_make(inside, data, bytes, NULL), 0);
}

static void what_is_no_key_is_refused(void **state)
{
	(void)state;
	static const char *const wrong[] = {"", "00", "zz",
		"0000000000000000000000000000000000000000000000000000000000000000 0",
		"g000000000000000000000000000000000000000000000000000000000000000"};
	uint8_t bytes[ML_KEY_BYTES];
	assert_int_equal(ml_device_key_make(path, data, bytes, NULL), 0);
	for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
		FILE *file = fopen(path, "w");
		assert_non_null(file);
		assert_true(fputs(wrong[i], file) >= 0);
		assert_int_equal(fclose(file), 0);
		struct ml_error err = ML_ERROR_NONE;
		assert_int_equal(ml_device_key_load(path, data, bytes, &err), -EINVAL);
		assert_non_null(strstr(err.text, "64 hexadecimal digits"));
	}
	assert_int_equal(ml_device_key_load(folder, data, bytes, NULL), -EINVAL);
}

static void the_default_place_is_as_documented(void **state)
{
	(void)state;
	char got[PATH_MAX], credential[128];
	assert_int_equal(ml_device_key_path("/x/y", got, NULL), 0);
	assert_string_equal(got, "/x/y");
	(void)setenv("CREDENTIALS_DIRECTORY", folder, 1);
	(void)snprintf(credential, sizeof credential, "%s/meterloom-device-key", folder);
	const int fd = open(credential, O_CREAT | O_WRONLY, 0440);
	assert_true(fd >= 0);
	(void)close(fd);
	assert_int_equal(ml_device_key_path(NULL, got, NULL), 0);
	assert_string_equal(got, credential);
	(void)unsetenv("CREDENTIALS_DIRECTORY");
	(void)setenv("XDG_STATE_HOME", "/state", 1);
	assert_int_equal(ml_device_key_path(NULL, got, NULL), 0);
	assert_string_equal(
		got, geteuid() == 0 ? "/var/lib/meterloom.key" : "/state/meterloom/device.key");
	(void)unsetenv("XDG_STATE_HOME");
}

int main(void)
{
#define FOLDER(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_sealed_opens),
		cmocka_unit_test(two_seals_of_one_text_differ),
		cmocka_unit_test(another_name_does_not_open),
		cmocka_unit_test(any_changed_bit_and_any_cut_is_found),
		FOLDER(a_key_is_made_once_and_read_again),
		FOLDER(a_key_that_others_may_read_is_refused),
		FOLDER(a_key_in_the_data_directory_is_refused),
		FOLDER(what_is_no_key_is_refused),
		FOLDER(the_default_place_is_as_documented),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
