/* `meterloom decode`: telegrams in, readings out.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef DECODE_TOOL_DECODE_H
#define DECODE_TOOL_DECODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include <meterloom/json.h>
#include <meterloom/tool.h>

/* The entry of the table of subcommands. */
int decode_tool_main(int argc, char **argv, const struct ml_family *const *families);

enum decode_format { DECODE_JSON, DECODE_PRETTY, DECODE_CSV };

/* One line of input, `HEX` or `HEX KEY`: its result is written to `out` as one object (JSON) or as
 * rows (CSV; `number` counts the telegrams from 1). true: it was decoded without an error. */
bool decode_line(const char *line, size_t length, const char *key, size_t key_length,
	enum decode_format format, unsigned long number, struct ml_buffer *out);

#endif
