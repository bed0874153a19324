/* Node classes for the tests of graphs: shaped like those of a gateway, and never run.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TESTS_GRAPH_CLASSES_H
#define TESTS_GRAPH_CLASSES_H

#include <meterloom/family.h>

extern const struct ml_family *const test_families[]; /* ended by NULL */

/* The instance of "bus-source". */
struct test_bus {
	char *interface;
	int64_t baud;
	int parity;
	struct ml_decimal scale;
	char *password;
};

/* The instance of "aged", whose first version said "interval_s". */
struct test_aged {
	ml_time interval;
};

#endif
