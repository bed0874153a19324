/* The stable name of an adapter, looked up among links.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "mbus/source.h"

static void device_is_found_under_the_name_that_stays(void **state)
{
	(void)state;
	char folder[] = "/tmp/adapter-XXXXXX";
	char device[60], other[60], link[60], address[80], stable[100], expected[80];
	assert_non_null(mkdtemp(folder));
	(void)snprintf(device, sizeof device, "%s/.ttyUSB0", folder);
	(void)snprintf(other, sizeof other, "%s/.ttyUSB1", folder);
	(void)snprintf(link, sizeof link, "%s/usb-Converter_7", folder);
	(void)snprintf(address, sizeof address, "serial:%s", device);
	(void)snprintf(expected, sizeof expected, "serial:%s", link);
	/* A converter of the same device is known by no other name yet. */
	for (int i = 0; i < 2; i++) {
		FILE *file = fopen(i ? other : device, "w");
		assert_non_null(file);
		assert_int_equal(fclose(file), 0);
	}
	assert_false(mbus_adapter_stable(folder, address, stable, sizeof stable));
	assert_int_equal(symlink(device, link), 0);
	assert_true(mbus_adapter_stable(folder, address, stable, sizeof stable));
	assert_string_equal(stable, expected);
	/* Whoever has that name already has no better one. */
	assert_false(mbus_adapter_stable(folder, expected, stable, sizeof stable));
	/* Another device, no device, no folder, no serial line. */
	(void)snprintf(address, sizeof address, "serial:%s", other);
	assert_false(mbus_adapter_stable(folder, address, stable, sizeof stable));
	assert_false(mbus_adapter_stable(folder, "serial:/nowhere", stable, sizeof stable));
	assert_false(mbus_adapter_stable("/nowhere", expected, stable, sizeof stable));
	assert_false(mbus_adapter_stable(folder, "tcp:h:1", stable, sizeof stable));
	assert_int_equal(unlink(link) | unlink(device) | unlink(other), 0);
	assert_int_equal(rmdir(folder), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(device_is_found_under_the_name_that_stays),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
