/* Waiting for a job of a running gateway, with what it tells meanwhile on the terminal.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef ML_CLI_WATCH_H
#define ML_CLI_WATCH_H

#include <meterloom/json.h>

#include "cli/client.h"

enum cli_watched {
	CLI_WATCHED_RESULT,  /* `answer` is the result */
	CLI_WATCHED_PROBLEM, /* `answer` is {"errors": ...}, and what else the job tells */
	CLI_WATCHED_LOST,    /* the gateway does not answer any more; `answer` is the reason */
};

/* `answer` begins as the answer that named the job, and ends as above. Rows and progress go to the
 * standard error output; Ctrl-C asks the job to end, a second one ends this program. */
enum cli_watched cli_watch(struct cli_client *client, struct ml_buffer *answer);

#endif
