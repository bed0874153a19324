/* The family "aggregate": sums over time.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "aggregate/family.h"

static const struct ml_node_class *const classes[] = {&aggregate_class, NULL};

const struct ml_family aggregate_family = {
	.abi = ML_FAMILY_ABI,
	.size = sizeof(struct ml_family),
	.name = "aggregate",
	.node_classes = classes,
};
