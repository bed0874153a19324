/* The options of a simulated bus as text.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "sim/line.h"

static int set_option(struct sim_options *o, const char *name, size_t length,
	unsigned long long value, struct ml_error *err)
{
	static const char expected[] =
		"expected meters (1 to 10000), seed, baud (300 to 115200), odd_baud, delay and gap "
		"(bit times), autobaud, echo or fast (0 or 1)";
	const bool rate = value >= 300 && value <= 115200;
#define IS(text) (length == sizeof text - 1 && memcmp(name, text, length) == 0)
	if (IS("meters") && value >= 1 && value <= SIM_METERS_MAX)
		o->meters = (unsigned)value;
	else if (IS("seed"))
		o->seed = value;
	else if (IS("baud") && rate)
		o->baud = (unsigned)value;
	else if (IS("odd_baud") && rate)
		o->odd_baud = (unsigned)value;
	else if (IS("delay") && value <= 10000)
		o->delay = (unsigned)value;
	else if (IS("gap") && value <= 10000)
		o->gap = (unsigned)value;
	else if (IS("autobaud") && value <= 1)
		o->autobaud = value != 0;
	else if (IS("echo") && value <= 1)
		o->echo = value != 0;
	else if (IS("bus") && value >= 1 && value <= 1000)
		o->bus = (unsigned)value;
	else if (IS("fast") && value <= 1)
		o->fast = value != 0;
	else
		return ml_error_set(err, -EINVAL, "simulated bus: %.*s=%llu: %s",
			length < 32 ? (int)length : 32, name, value, expected);
#undef IS
	return 0;
}

int sim_options_parse(const char *text, struct sim_options *options, struct ml_error *err)
{
	const char *at = text;
	while (*at) {
		const char *name = "meters";
		size_t length = strlen(name);
		const char *equals = at + strcspn(at, "=&");
		if (*equals == '=') {
			name = at;
			length = (size_t)(equals - at);
			at = equals + 1;
		}
		char *end = NULL;
		const unsigned long long value = strtoull(at, &end, 10);
		if (end == at || *at < '0' || *at > '9' ||
			(*end != '\0' && (*end != '&' || end[1] == '\0')))
			return ml_error_set_at(err, -EINVAL, at - text,
				"simulated bus '%.60s': expected a number of meters, or "
				"meters=20&seed=1&baud=2400&delay=11&fast=0 or some of these",
				text);
		const int result = set_option(options, name, length, value, err);
		if (result < 0)
			return result;
		at = *end ? end + 1 : end;
	}
	return 0;
}
