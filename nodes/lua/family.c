/* The family "lua": nodes that are written in Lua.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "lua/family.h"

static const struct ml_node_class *const classes[] = {&lua_filter_class, NULL};

const struct ml_family lua_family = {
	.abi = ML_FAMILY_ABI,
	.size = sizeof(struct ml_family),
	.name = "lua",
	.node_classes = classes,
};
