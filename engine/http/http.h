/* The HTTP server of a gateway: REST, JSON-RPC, server-sent events, Prometheus and the page.
 * SPDX-License-Identifier: Apache-2.0
 *
 * It lives on the lane "http" without a thread a connection, and reaches the gateway through
 * commands and feeds alone: it knows no meter. Users and TLS are not there yet: it listens on
 * loopback only.
 */
#ifndef ML_HTTP_HTTP_H
#define ML_HTTP_HTTP_H

#include <meterloom/engine.h>

#include "http/assets.h"

struct ml_http;

/* What clients may take of the gateway. 0: the default. */
struct ml_http_limits {
	size_t connections;   /* 512; the slowest one makes room when three quarters are taken */
	size_t streams;       /* 32 watchers of events */
	size_t body;          /* 8 MiB of one request */
	size_t bodies;        /* 32 MiB of all requests at a time */
	size_t replies;       /* 64 MiB of all answers at a time */
	ml_time idle_time;    /* 30 s from the last answer (or the connect) to the end of a head */
	ml_time request_time; /* 60 s from the end of a head to that of the body, and for the answer
			       */
	ml_time heartbeat;    /* 15 s between signs of life on an event stream */
};

struct ml_http_options {
	struct ml_engine *engine;
	const char *listen;            /* ADDRESS:PORT, port 0: any that is free */
	const struct ml_asset *assets; /* NULL: no page */
	struct ml_http_limits limits;
};

/* Listens and serves. On the control thread, not within its loop. -EPERM: not a loopback address.
 */
int ml_http_start(
	const struct ml_http_options *options, struct ml_http **ret_http, struct ml_error *err);

/* Ends all connections. On the control thread, before ml_engine_free(). Accepts NULL. */
void ml_http_stop(struct ml_http *http);

/* "http://127.0.0.1:8080" with the port that was really taken. */
const char *ml_http_url(const struct ml_http *http);

#endif
