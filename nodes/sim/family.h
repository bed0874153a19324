/* The family "sim": virtual meters and a head-end.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef SIM_FAMILY_H
#define SIM_FAMILY_H

#include <meterloom/family.h>

extern const struct ml_family sim_family;

#endif
