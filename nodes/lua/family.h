/* The family "lua": nodes that are written in Lua.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef LUA_FAMILY_H
#define LUA_FAMILY_H

#include <meterloom/family.h>
#include <meterloom/script.h>

extern const struct ml_family lua_family;
extern const struct ml_node_class lua_filter_class;
extern const struct ml_script lua_shipped_scripts[]; /* of lua-scripts/, made by the build */

#endif
