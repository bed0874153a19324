/* Lengths of time as text.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <string.h>

#include "store/query.h"

int store_duration_parse(const char *text, ml_time *duration, struct ml_error *err)
{
	static const struct {
		const char *name;
		ml_time length;
	} units[] = {{"s", ML_SEC}, {"min", ML_MINUTE}, {"h", ML_HOUR}, {"d", ML_DAY}};
	const char *p = text;
	ml_time number = 0;
	while (*p >= '0' && *p <= '9' && number < 1000000)
		number = number * 10 + (*p++ - '0');
	const bool digits = p != text;
	while (*p == ' ')
		p++;
	for (size_t i = 0; digits && i < sizeof units / sizeof *units; i++) {
		if (strcmp(units[i].name, p) == 0 && number > 0 &&
			number <= 3660 * ML_DAY / units[i].length) {
			*duration = number * units[i].length;
			return 0;
		}
	}
	return ml_error_set(err, -EINVAL,
		"\"%.40s\": expected a whole number with s, min, h or d, such as \"15 min\"", text);
}
