/* Nearest names: what a person may have meant.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <meterloom/nearest.h>

static const char *nearest(const char *wanted)
{
	static const char *const names[] = {"baud", "response_timeout", "retries", "mode", "to"};
	struct ml_nearest near;
	ml_nearest_begin(&near, wanted);
	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		ml_nearest_try(&near, names[i]);
	return ml_nearest_name(&near);
}

static void a_slip_is_understood(void **state)
{
	(void)state;
	assert_string_equal(nearest("boud"), "baud");
	assert_string_equal(nearest("buad"), "baud");
	assert_string_equal(nearest("Response-Timeout"), "response_timeout");
	assert_string_equal(nearest("respnse_timeot"), "response_timeout");
	assert_string_equal(nearest("retires"), "retries");
	assert_string_equal(nearest("baud"), "baud");
}

static void what_is_far_is_not_guessed(void **state)
{
	(void)state;
	char long_name[200];
	memset(long_name, 'a', sizeof long_name - 1);
	long_name[sizeof long_name - 1] = '\0';
	assert_null(nearest("interface"));
	assert_null(nearest(""));
	assert_null(nearest("x"));
	assert_null(nearest(long_name));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_slip_is_understood),
		cmocka_unit_test(what_is_far_is_not_guessed),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
