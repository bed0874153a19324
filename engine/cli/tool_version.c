/* `meterloom version`: what this program is.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "cli/tool_version.h"

#include <stdio.h>
#include <string.h>

static const char usage[] = "Usage: meterloom version\n"
			    "\n"
			    "Prints the name of the program and its version.\n";

int tool_version(int argc, char **argv, const struct ml_family *const *families)
{
	(void)families;
	if (argc == 2 && strcmp(argv[1], "--help") == 0) {
		(void)fputs(usage, stdout);
		return 0;
	}
	if (argc > 1) {
		(void)fputs(usage, stderr);
		return 2;
	}
	(void)puts("meterloom " METERLOOM_VERSION);
	return 0;
}
