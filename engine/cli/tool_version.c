/* `meterloom version`: what this program is.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "cli/tool_version.h"

#include <stdio.h>

int tool_version(int argc, char **argv, const struct ml_family *const *families)
{
	(void)argv;
	(void)families;
	if (argc > 1) {
		(void)fputs("Usage: meterloom version\n", stderr);
		return 2;
	}
	(void)puts("meterloom " METERLOOM_VERSION);
	return 0;
}
