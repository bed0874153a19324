/* The names of quantities, units and modifiers: each once, and each in docs/reference/readings.md.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdio.h>

#include "telegram.h"

static char text[64 * 1024];

static int load(void **state)
{
	(void)state;
	FILE *file = fopen(getenv("READINGS_DOC"), "r");
	if (!file)
		return -1;
	const size_t length = fread(text, 1, sizeof text - 1, file);
	text[length] = '\0';
	return fclose(file);
}

static void assert_told(const char *name)
{
	char quoted[128];
	(void)snprintf(quoted, sizeof quoted, "`%s`", name);
	if (!strstr(text, quoted))
		fail_msg("docs/reference/readings.md does not tell of %s", quoted);
}

static void test_told(void **state)
{
	(void)state;
	for (unsigned i = 0; i < METER_QUANTITIES; i++)
		assert_told(meter_quantity_name(i));
	for (unsigned i = 0; i < METER_UNITS; i++) {
		if (meter_unit_name(i)[0])
			assert_told(meter_unit_name(i));
	}
	for (unsigned i = 1; i < METER_PERS; i++)
		assert_told(meter_per_name(i));
	for (unsigned i = 0; i < METER_MODIFIERS; i++)
		assert_told(meter_modifier_name(i));
}

static void test_found_again(void **state)
{
	(void)state;
	for (unsigned i = 0; i < METER_QUANTITIES; i++) {
		const char *name = meter_quantity_name(i);
		unsigned found;
		assert_true(meter_quantity_parse(name, strlen(name), &found));
		assert_int_equal(found, i);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_told),
		cmocka_unit_test(test_found_again),
	};
	return cmocka_run_group_tests(tests, load, NULL);
}
