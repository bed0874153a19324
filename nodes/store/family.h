/* The family "store": the database of readings, and what was delivered.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef STORE_FAMILY_H
#define STORE_FAMILY_H

#include <meterloom/family.h>

extern const struct ml_family store_family;

/* What is delivered of it: commands and events about reports. */
extern const struct ml_family store_delivery_family;

#endif
