/* Asking a running gateway over HTTP.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef ML_CLI_CLIENT_H
#define ML_CLI_CLIENT_H

#include <stdbool.h>

#include <meterloom/json.h>

struct cli_client;

/* `url` is kept. NULL: it cannot be made. curl_global_init() was called. */
struct cli_client *cli_client_new(const char *url);
void cli_client_free(struct cli_client *client); /* accepts NULL */

/* Asks for /api/v1/`path`; a body (may be NULL) is JSON. `background`: it is only to be started.
 * The status of HTTP, or 0 where the gateway was not reached; the answer then holds the reason. */
long cli_client_ask(struct cli_client *client, const char *method, const char *path,
	const char *body, bool background, struct ml_buffer *answer);

#endif
