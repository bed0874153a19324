/* The commands of the store.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef STORE_COMMANDS_H
#define STORE_COMMANDS_H

#include <meterloom/command.h>

extern const struct ml_command store_commands[];

#endif
