/* Kinds of parameters: names, units of time, bounds.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "param_value.h"

#include <assert.h>
#include <string.h>

enum {
	TEXT_MAX = 256 * 1024,
	LIST_MAX = 1000,
};

static const int64_t hundred_years = 36525 * ML_DAY;

const char *ml_param_kind_name(enum ml_param_kind kind)
{
	static const char *const names[] = {
		[ML_PARAM_BOOL] = "boolean",
		[ML_PARAM_INTEGER] = "integer",
		[ML_PARAM_DECIMAL] = "decimal",
		[ML_PARAM_DURATION] = "duration",
		[ML_PARAM_STRING] = "string",
		[ML_PARAM_TEXT] = "text",
		[ML_PARAM_SCRIPT] = "script",
		[ML_PARAM_CHOICE] = "choice",
		[ML_PARAM_SECRET] = "secret",
		[ML_PARAM_STRINGS] = "strings",
		[ML_PARAM_INTEGERS] = "integers",
		[ML_PARAM_TIME] = "time",
		[ML_PARAM_JSON] = "json",
	};
	return (size_t)kind < sizeof names / sizeof *names ? names[kind] : "unknown";
}

bool param_must_be_given(const struct ml_param *param)
{
	return (param->flags & ML_PARAM_REQUIRED) && !param->preset &&
	       !(param->flags & ML_PARAM_INHERIT);
}

size_t param_field_size(enum ml_param_kind kind)
{
	switch (kind) {
	case ML_PARAM_BOOL:
		return sizeof(bool);
	case ML_PARAM_INTEGER:
		return sizeof(int64_t);
	case ML_PARAM_DECIMAL:
		return sizeof(struct ml_decimal);
	case ML_PARAM_DURATION:
	case ML_PARAM_TIME:
		return sizeof(ml_time);
	case ML_PARAM_CHOICE:
		return sizeof(int);
	case ML_PARAM_STRINGS:
		return sizeof(struct ml_strings);
	case ML_PARAM_INTEGERS:
		return sizeof(struct ml_integers);
	case ML_PARAM_STRING:
	case ML_PARAM_TEXT:
	case ML_PARAM_SCRIPT:
	case ML_PARAM_SECRET:
	case ML_PARAM_JSON:
	default:
		return sizeof(void *);
	}
}

int64_t param_unit_time(const char *unit)
{
	static const struct {
		const char *name;
		int64_t time;
	} units[] = {
		{"ms", ML_MSEC}, {"s", ML_SEC}, {"min", ML_MINUTE}, {"h", ML_HOUR}, {"d", ML_DAY}};
	if (!unit)
		return ML_SEC;
	for (size_t i = 0; i < sizeof units / sizeof *units; i++) {
		if (strcmp(units[i].name, unit) == 0)
			return units[i].time;
	}
	assert(false); /* a unit that no duration has */
	return ML_SEC;
}

/* The engine's own bounds of a kind; false: none. */
static bool kind_bounds(const struct ml_param *param, int64_t *min, int64_t *max)
{
	*min = 0;
	switch (param->kind) {
	case ML_PARAM_DURATION:
		*max = hundred_years / param_unit_time(param->unit);
		return true;
	case ML_PARAM_STRING:
		*max = PARAM_STRING_MAX;
		return true;
	case ML_PARAM_TEXT:
	case ML_PARAM_SCRIPT:
		*max = TEXT_MAX;
		return true;
	case ML_PARAM_STRINGS:
	case ML_PARAM_INTEGERS:
		*max = LIST_MAX;
		return true;
	case ML_PARAM_INTEGER:
	case ML_PARAM_DECIMAL:
		*min = INT64_MIN;
		*max = INT64_MAX;
		return false;
	case ML_PARAM_BOOL:
	case ML_PARAM_CHOICE:
	case ML_PARAM_SECRET:
	case ML_PARAM_TIME:
	case ML_PARAM_JSON:
	default:
		*max = 0;
		return false;
	}
}

bool param_bounds(const struct ml_param *param, int64_t *min, int64_t *max)
{
	const bool bounded = kind_bounds(param, min, max);
	if (param->min == 0 && param->max == 0)
		return bounded;
	*min = param->min;
	if (param->max >= param->min)
		*max = param->max;
	return true;
}
