/* The family "meter": what a meter is, the messages about it, and the meter list.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef METER_FAMILY_H
#define METER_FAMILY_H

#include <meterloom/family.h>

extern const struct ml_family meter_family;

#endif
