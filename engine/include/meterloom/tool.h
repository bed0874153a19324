/* Tools: the subcommands of the program. One file each.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef METERLOOM_TOOL_H
#define METERLOOM_TOOL_H

#include <stddef.h>

struct ml_family;

struct ml_tool {
	const char *name;    /* "decode"; NULL ends the table */
	const char *usage;   /* "[OPTIONS] [HEX [KEY]]..." */
	const char *summary; /* one line for `meterloom --help` */
	/* argv[0] is the tool's name. Returns the exit code: 0 done, 1 failed, 2 wrong usage.
	 * `families` is the program's table, ended by NULL. */
	int (*run)(int argc, char **argv, const struct ml_family *const *families);
};

#endif
