/* One upload at a time to a receiver within the process.
 * SPDX-License-Identifier: Apache-2.0
 *
 * As http_transfer.h, whose timeouts, results and reasons it keeps; that is where it is called.
 */
#ifndef REPORT_HTTP_INSIDE_H
#define REPORT_HTTP_INSIDE_H

#include "report/http_transfer.h"

struct http_inside;

/* NULL: out of memory. */
struct http_inside *http_inside_new(struct ml_node *node,
	void (*done)(void *user, const struct http_answer *answer), void *user);
void http_inside_free(struct http_inside *inside); /* accepts NULL */

int http_inside_send(
	struct http_inside *inside, const struct http_request *request, struct ml_error *err);
void http_inside_cancel(struct http_inside *inside);

/* Whether a URL leads there: "sim:NAME". */
bool http_inside_is(const char *url);

#endif
