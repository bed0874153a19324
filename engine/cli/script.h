/* Scripts of commands: one a line, `NAME [JSON]`, as the console takes them.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef ML_CLI_SCRIPT_H
#define ML_CLI_SCRIPT_H

#include <meterloom/engine.h>

enum { CLI_SCRIPT_BYTES_MAX = 16 << 20 };

/* Calls the commands of a file, one after the other, and waits for each; empty lines and lines that
 * begin with # are passed over. Ends at the first that fails: -EINVAL and the like, with FILE:LINE
 * in the text. On the thread of ml_engine_run(), while that does not run. */
int cli_run_script(struct ml_engine *engine, const char *path, struct ml_error *err);

#endif
