/* Tools: the subcommands of the program. One file each.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef METERLOOM_TOOL_H
#define METERLOOM_TOOL_H

#include <stddef.h>
#include <stdio.h>

#include <meterloom/error.h>
#include <meterloom/json.h>

struct ml_family;

struct ml_tool {
	const char *name;    /* "decode"; NULL ends the table */
	const char *usage;   /* "[OPTIONS] [HEX [KEY]]..." */
	const char *summary; /* one line for `meterloom --help` */
	/* argv[0] is the tool's name. Returns the exit code: 0 done, 1 failed, 2 wrong usage.
	 * `families` is the program's table, ended by NULL. */
	int (*run)(int argc, char **argv, const struct ml_family *const *families);
};

/* The whole of a file, "-" for standard input, at most `max` bytes; a NUL follows that is not
 * counted. -EFBIG, or what the system says, with the path in the text. */
int ml_tool_read_file(const char *path, size_t max, struct ml_buffer *out, struct ml_error *err);

/* "meterloom TOOL: text" on the standard error output; gives 2, the exit code of wrong usage. */
int ml_tool_complain(const char *tool, const char *format, ...) ML_PRINTF(2, 3);

/* FILE:LINE:COLUMN: /json/pointer: text; what is not known is left out. */
void ml_tool_print_errors(FILE *out, const char *file, const struct ml_errors *errors);

#endif
