/* The options of a simulated bus as text.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "sim/line.h"

/* One option: NAME=VALUE, neither of which ends with a NUL. */
struct option {
	const char *name, *value;
	size_t name_length, value_length;
};

static bool is(const struct option *option, const char *name)
{
	return option->name_length == strlen(name) &&
	       memcmp(option->name, name, option->name_length) == 0;
}

static int set_number(struct sim_options *o, const struct option *option, unsigned long long value,
	struct ml_error *err)
{
	static const char expected[] =
		"expected meters (1 to 10000), seed, baud (300 to 115200), odd_baud, delay and gap "
		"(bit times), autobaud, echo or fast (0 or 1), name, fault or faults";
	const bool rate = value >= 300 && value <= 115200;
	if (is(option, "meters") && value >= 1 && value <= SIM_METERS_MAX)
		o->meters = (unsigned)value;
	else if (is(option, "seed"))
		o->seed = value;
	else if (is(option, "baud") && rate)
		o->baud = (unsigned)value;
	else if (is(option, "odd_baud") && rate)
		o->odd_baud = (unsigned)value;
	else if (is(option, "delay") && value <= 10000)
		o->delay = (unsigned)value;
	else if (is(option, "gap") && value <= 10000)
		o->gap = (unsigned)value;
	else if (is(option, "autobaud") && value <= 1)
		o->autobaud = value != 0;
	else if (is(option, "echo") && value <= 1)
		o->echo = value != 0;
	else if (is(option, "bus") && value >= 1 && value <= 1000)
		o->bus = (unsigned)value;
	else if (is(option, "fast") && value <= 1)
		o->fast = value != 0;
	else
		return ml_error_set(err, -EINVAL, "simulated bus: %.*s=%llu: %s",
			option->name_length < 32 ? (int)option->name_length : 32, option->name,
			value, expected);
	return 0;
}

static int set_text(const struct option *option, char *out, size_t size, struct ml_error *err)
{
	if (option->value_length == 0 || option->value_length >= size)
		return ml_error_set(err, -EINVAL, "simulated bus: %.*s: expected 1 to %zu bytes",
			(int)option->name_length, option->name, size - 1);
	memcpy(out, option->value, option->value_length);
	out[option->value_length] = '\0';
	return 0;
}

static int set_name(struct sim_options *o, const struct option *option, struct ml_error *err)
{
	for (size_t i = 0; i < option->value_length; i++) {
		const char c = option->value[i];
		if (c <= ' ' || c == '#' || c == 0x7F || c == ',')
			return ml_error_set(err, -EINVAL,
				"simulated bus: a name holds no blanks, commas and #");
	}
	return set_text(option, o->name, sizeof o->name, err);
}

/* *at: where the value is wrong within the option. */
static int set_option(
	struct sim_options *o, const struct option *option, size_t *at, struct ml_error *err)
{
	char *end = NULL;
	*at = 0;
	if (is(option, "name"))
		return set_name(o, option, err);
	if (is(option, "faults"))
		return set_text(option, o->faults_file, sizeof o->faults_file, err);
	if (is(option, "fault")) {
		struct sim_rule rule;
		struct ml_error wrong = ML_ERROR_NONE;
		if (sim_rule_parse(option->value, option->value_length, &rule, &wrong) == 0)
			return sim_faults_add(&o->faults, &rule, err);
		*at = wrong.at > 0 ? (size_t)wrong.at : 0;
		return ml_error_set(err, -EINVAL, "simulated bus: %s", wrong.text);
	}
	const unsigned long long value = strtoull(option->value, &end, 10);
	if (option->value_length == 0 || *option->value < '0' || *option->value > '9' ||
		end != option->value + option->value_length)
		return ml_error_set(err, -EINVAL,
			"simulated bus '%.60s': expected a number of meters, or "
			"meters=20&seed=1&baud=2400&delay=11&fast=0 or some of these",
			option->value);
	return set_number(o, option, value, err);
}

int sim_options_parse(const char *text, struct sim_options *options, struct ml_error *err)
{
	const char *at = text;
	while (*at) {
		struct option option = {.name = "meters", .name_length = 6};
		struct ml_error wrong = ML_ERROR_NONE;
		size_t within = 0;
		const char *equals = at + strcspn(at, "=&");
		if (*equals == '=') {
			option.name = at;
			option.name_length = (size_t)(equals - at);
			at = equals + 1;
		}
		option.value = at;
		option.value_length = strcspn(at, "&");
		const char *next = at + option.value_length;
		int result = set_option(options, &option, &within, &wrong);
		if (result == 0 && *next == '&' && next[1] == '\0')
			result = ml_error_set(&wrong, -EINVAL,
				"simulated bus: expected one more option after the last &");
		if (result < 0)
			return ml_error_set_at(
				err, result, at - text + (long long)within, "%s", wrong.text);
		at = *next ? next + 1 : next;
	}
	return 0;
}
