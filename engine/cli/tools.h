/* The tables that main.c looks in.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef ML_CLI_TOOLS_H
#define ML_CLI_TOOLS_H

#include <meterloom/family.h>
#include <meterloom/tool.h>

/* The engine's own subcommands; ended by a NULL name. */
extern const struct ml_tool ml_engine_tools[];

/* The families of this program; ended by NULL. Defined outside the engine, beside the families. */
extern const struct ml_family *const ml_families[];

#endif
