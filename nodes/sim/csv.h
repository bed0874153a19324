/* Rows of values in the reports of the templates 3101 and 3115.
 * SPDX-License-Identifier: Apache-2.0
 *
 * Pure.
 */
#ifndef SIM_CSV_H
#define SIM_CSV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Calls `row` for each row of values: the meter's number, the time, and the sum of `hash` over the
 * texts of the values. false: the text has not the header lines of these templates. */
bool sim_csv_rows(const char *text, size_t length,
	uint64_t (*hash)(const char *text, size_t length),
	void (*row)(void *user, const char *id, size_t id_length, const char *created,
		size_t created_length, uint64_t values),
	void *user);

#endif
