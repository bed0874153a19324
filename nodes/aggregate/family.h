/* The family "aggregate": sums over time.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef AGGREGATE_FAMILY_H
#define AGGREGATE_FAMILY_H

#include <meterloom/family.h>

extern const struct ml_node_class aggregate_class;
extern const struct ml_family aggregate_family;

#endif
