/* Retries: their number and gap by the period of a schedule, and their end before the next report.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "report/retry.h"

static void plan_follows_the_period(void **state)
{
	(void)state;
	static const struct {
		ml_time period;
		unsigned count;
		ml_time gap;
	} rows[] = {
		{ML_MINUTE, 1, 0},
		{15 * ML_MINUTE, 1, 0},
		{15 * ML_MINUTE + 1, 2, 300 * ML_SEC},
		{16 * ML_MINUTE, 2, 300 * ML_SEC},
		{60 * ML_MINUTE, 2, 300 * ML_SEC},
		{61 * ML_MINUTE, 3, 500 * ML_SEC},
		{23 * ML_HOUR, 3, 500 * ML_SEC},
		{23 * ML_HOUR + ML_MINUTE, 6, 3600 * ML_SEC},
		{31 * ML_DAY, 6, 3600 * ML_SEC},
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		const struct report_retry_plan plan = report_retry_adaptive(rows[i].period);
		assert_int_equal(plan.count, rows[i].count);
		assert_int_equal(plan.gap, rows[i].gap);
	}
}

static void retries_end_with_their_number(void **state)
{
	(void)state;
	const struct report_retry_plan plan = {2, 300 * ML_SEC};
	ml_time at = 0;
	assert_true(report_retry_at(&plan, 0, 1000 * ML_SEC, 0, ML_NEVER, &at));
	assert_int_equal(at, 1300 * ML_SEC);
	assert_true(report_retry_at(&plan, 1, 1400 * ML_SEC, 0, 0, &at));
	assert_int_equal(at, 1700 * ML_SEC);
	assert_false(report_retry_at(&plan, 2, 1800 * ML_SEC, 0, ML_NEVER, &at));
	const struct report_retry_plan none = {0, 0};
	assert_false(report_retry_at(&none, 0, 0, 0, ML_NEVER, &at));
}

static void no_retry_starts_when_the_next_report_is_due(void **state)
{
	(void)state;
	const struct report_retry_plan plan = {3, 500 * ML_SEC};
	ml_time at = 0;
	assert_true(report_retry_at(&plan, 0, 1000 * ML_SEC, 0, 1501 * ML_SEC, &at));
	assert_false(report_retry_at(&plan, 0, 1000 * ML_SEC, 0, 1500 * ML_SEC, &at));
}

static void the_receiver_may_ask_for_more_time_but_not_for_less(void **state)
{
	(void)state;
	const struct report_retry_plan plan = {3, 500 * ML_SEC};
	ml_time at = 0;
	assert_true(report_retry_at(&plan, 0, 1000 * ML_SEC, 900 * ML_SEC, ML_NEVER, &at));
	assert_int_equal(at, 1900 * ML_SEC);
	assert_true(report_retry_at(&plan, 0, 1000 * ML_SEC, 7 * ML_SEC, ML_NEVER, &at));
	assert_int_equal(at, 1500 * ML_SEC);
	assert_false(report_retry_at(&plan, 0, 1000 * ML_SEC, 900 * ML_SEC, 1800 * ML_SEC, &at));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(plan_follows_the_period),
		cmocka_unit_test(retries_end_with_their_number),
		cmocka_unit_test(no_retry_starts_when_the_next_report_is_due),
		cmocka_unit_test(the_receiver_may_ask_for_more_time_but_not_for_less),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
