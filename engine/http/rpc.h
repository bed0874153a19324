/* JSON-RPC 2.0 without HTTP: a text comes, commands are called, a text goes.
 * SPDX-License-Identifier: Apache-2.0
 *
 * All on one lane.
 */
#ifndef ML_HTTP_RPC_H
#define ML_HTTP_RPC_H

#include <stdbool.h>
#include <stddef.h>

#include <meterloom/command.h>
#include <meterloom/json.h>

struct http_rpc;

/* The text is copied. NULL: out of memory. */
struct http_rpc *http_rpc_new(struct ml_engine *engine, struct ml_lane *lane, const char *text,
	size_t length, void (*finished)(void *user), void *user);
/* true: it is at its end already; else `finished` is called later, on the lane. */
bool http_rpc_start(struct http_rpc *rpc);
/* At its end: what is to be sent; NULL: nothing (only notifications came). */
struct ml_buffer *http_rpc_answer(struct http_rpc *rpc);
/* Also before its end: then `finished` is not called. Accepts NULL. */
void http_rpc_free(struct http_rpc *rpc);

#endif
