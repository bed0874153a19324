/* The names of quantities, units and what VIFEs add to them.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "meter/quantity.h"

#include <string.h>

static const char *const quantities[] = {
#define X(name, text) text,
	METER_QUANTITY_LIST(X)
#undef X
};

static const char *const units[] = {
#define X(name, text) text,
	METER_UNIT_LIST(X)
#undef X
};

static const char *const pers[] = {
#define X(name, text) text,
	METER_PER_LIST(X)
#undef X
};

static const char *const modifiers[] = {
#define X(name, text) text,
	METER_MODIFIER_LIST(X)
#undef X
};

_Static_assert(METER_QUANTITIES <= 256 && METER_UNITS <= 256 && METER_PERS <= 256,
	"a record holds each in a byte");
_Static_assert(METER_MODIFIERS <= 64, "a record holds them as bits");

const char *meter_quantity_name(unsigned quantity)
{
	return quantity < METER_QUANTITIES ? quantities[quantity] : "unknown";
}

const char *meter_unit_name(unsigned unit)
{
	return unit < METER_UNITS ? units[unit] : "";
}

const char *meter_per_name(unsigned per)
{
	return per < METER_PERS ? pers[per] : "";
}

const char *meter_modifier_name(unsigned modifier)
{
	return modifier < METER_MODIFIERS ? modifiers[modifier] : "unknown";
}

bool meter_quantity_parse(const char *text, size_t length, unsigned *quantity)
{
	for (unsigned i = 0; i < METER_QUANTITIES; i++) {
		if (strlen(quantities[i]) == length && memcmp(quantities[i], text, length) == 0) {
			*quantity = i;
			return true;
		}
	}
	return false;
}
