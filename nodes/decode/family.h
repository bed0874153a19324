/* The family "decode": telegrams to readings.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef DECODE_FAMILY_H
#define DECODE_FAMILY_H

#include <meterloom/family.h>

extern const struct ml_family decode_family;

#endif
