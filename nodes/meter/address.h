/* Secondary addresses as text, with the wildcards of a selection.
 * SPDX-License-Identifier: Apache-2.0
 *
 * Three forms are read: "12345678" (the id; fewer digits are filled with zeros in front),
 * "12345678.KAM.1B.04" (with manufacturer, version and medium; trailing parts may be left out, "*"
 * is any) and the 16 hex digits that other tools print ("12345678" and the four bytes that follow
 * on the bus: "123456782D2C1B04"). All functions are pure and thread-safe.
 */
#ifndef METER_ADDRESS_H
#define METER_ADDRESS_H

#include <stdbool.h>
#include <stddef.h>

#include <meterloom/error.h>

#include "meter/identity.h"

enum { METER_SECONDARY_TEXT_MAX = 24 }; /* with the NUL */

/* -EINVAL with what was expected. What is not given is METER_ANY_* (list.h). */
int meter_secondary_parse(
	const char *text, size_t length, struct meter_identity *address, struct ml_error *err);

/* "12345678" where all else is any, or "12345678.KAM.1B.04" with "*" for what is any, and a NUL.
 * Returns the length. */
size_t meter_secondary_format(struct meter_identity address, char out[METER_SECONDARY_TEXT_MAX]);

/* Whether an identity is what a secondary address selects. */
bool meter_identity_matches(struct meter_identity identity, struct meter_identity address);

#endif
