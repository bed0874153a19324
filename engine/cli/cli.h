/* What subcommands share.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef ML_CLI_CLI_H
#define ML_CLI_CLI_H

#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>

#include <meterloom/error.h>
#include <meterloom/family.h>
#include <meterloom/json.h>
#include <meterloom/tool.h>

/* {"pointer", "line", "column", "text"} of each, as one array. */
void cli_write_errors(const struct ml_errors *errors, struct ml_json_writer *w);

/* The defaults of all settings, by name; a new reference, NULL: out of memory. cli_inherit() gives
 * them to parameters; `user` is what this gave. */
json_t *cli_setting_defaults(const struct ml_family *const *families);
const json_t *cli_inherit(void *user, const char *setting);

/* Writes out what the buffer holds and frees it. The exit code: 0, or 1 with the reason on stderr.
 */
int cli_print_buffer(struct ml_buffer *buffer, const char *tool);

#endif
