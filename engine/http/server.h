/* The server's own structures: connections, requests, replies. All of it on the lane "http".
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef ML_HTTP_SERVER_H
#define ML_HTTP_SERVER_H

#include <jansson.h>
#include <microhttpd.h>
#include <uv.h>

#include <meterloom/command.h>
#include <meterloom/json.h>
#include <meterloom/node.h>

#include "http/http.h"

enum http_phase {
	HTTP_IDLE,     /* between requests, or in the head of one */
	HTTP_READING,  /* a body comes */
	HTTP_WORKING,  /* a command runs */
	HTTP_SENDING,  /* the answer goes */
	HTTP_STREAMING /* events go, as long as the client likes */
};

/* A connection. */
struct http_link {
	struct ml_http *http;
	struct http_link *prev, *next; /* oldest phase first */
	struct MHD_Connection *connection;
	enum http_phase phase;
	ml_time deadline; /* monotonic */
	bool shut;
};

struct http_route;
struct http_rpc;
struct http_stream;
struct http_pages;

enum { HTTP_HEADERS_MAX = 4 };

/* One request and its answer; lives until its connection is done with both. */
struct http_request {
	struct ml_http *http;
	struct http_request *prev, *next;
	struct http_link *link;
	struct MHD_Connection *connection;
	const char *method; /* of the connection; valid while it lives */
	char *path;         /* owned; as it was sent, with its escapes */
	const struct http_route *route;
	char *argument; /* owned: what stands in the path in the place of {NAME}, without escapes;
			   NULL: none */

	struct ml_buffer body;
	bool body_refused; /* no memory was left for it: the rest of it is thrown away */
	bool dispatched, answered, suspended;
	uint64_t job; /* whose end is awaited; 0: none */
	struct http_rpc *rpc;
	struct http_stream *stream;
	struct http_pages *pages; /* owned */

	int status;
	const char *type;
	struct ml_buffer reply;
	size_t reply_counted;
	const void *fixed; /* instead of `reply`: bytes that outlive the server */
	size_t fixed_length;
	bool has_file; /* instead of `reply`: an open file */
	int file;
	uint64_t file_size;
	struct {
		const char *name;
		char value[256];
	} headers[HTTP_HEADERS_MAX];
	size_t header_count;
};

struct ml_http {
	struct ml_engine *engine;
	struct ml_lane *lane;
	struct ml_http_limits limits;
	const struct ml_asset *assets;
	char url[80];
	int listener;
	struct MHD_Daemon *daemon;
	uv_poll_t *poll;       /* frees itself when closed */
	struct ml_timer turn;  /* when the library wants to be called again */
	struct ml_timer sweep; /* looks for what is overdue */
	struct ml_timer beat;  /* keeps event streams alive */
	struct http_link *first, *last;
	size_t link_count;
	struct http_request *requests;
	struct http_stream *streams;
	size_t stream_count;
	size_t body_bytes, reply_bytes;
	bool running, stopping;
};

/* server.c */
void http_turn(struct ml_http *http); /* lets the library work soon */
void http_phase(struct http_link *link, enum http_phase phase);

/* request.c: the library's callbacks */
enum MHD_Result http_access(void *cls, struct MHD_Connection *connection, const char *url,
	const char *method, const char *version, const char *upload, size_t *upload_size,
	void **request_cls);
void http_completed(void *cls, struct MHD_Connection *connection, void **request_cls,
	enum MHD_RequestTerminationCode code);
/* The answer is ready: goes on with a suspended request. */
void http_resume(struct http_request *request);
/* The connection waits for http_resume(). */
void http_suspend(struct http_request *request);
const char *http_header(const struct http_request *request, const char *name);
/* Ends all requests that wait for a command. */
void http_abandon(struct ml_http *http);

/* reply.c: fill in the answer; the first one counts */
void http_reply_header(struct http_request *request, const char *name, const char *format, ...)
	ML_PRINTF(3, 4);
/* An answer with a text about what is wrong (RFC 9457). */
void http_reply_problem(struct http_request *request, int status, const char *format, ...)
	ML_PRINTF(3, 4);
void http_reply_outcome(struct http_request *request, const struct ml_outcome *outcome);
void http_reply_text(struct http_request *request, int status, const char *type, const char *text);
/* Takes the buffer's memory over. */
void http_reply_buffer(
	struct http_request *request, int status, const char *type, struct ml_buffer *buffer);
void http_reply_empty(struct http_request *request, int status);
int http_status_of(int code);         /* negative errno */
const char *http_code_name(int code); /* "EINVAL" */

/* route.c */
/* Starts the work of a whole request; fills in an answer, or suspends. */
void http_dispatch(struct http_request *request);
/* Finds the route; fills in an answer where there is none, or the address has bad escapes. */
void http_route_find(struct http_request *request);
bool http_route_takes_body(const struct http_route *route);

/* rpc.c */
void http_rpc_begin(struct http_request *request);

/* events.c */
void http_stream_begin(struct http_request *request);
struct MHD_Response *http_stream_response(struct http_request *request);
void http_streams_beat(struct ml_http *http);
void http_streams_end(struct ml_http *http);

/* pages.c */
void http_pages_begin(struct http_request *request, const char *command, json_t *params);
struct MHD_Response *http_pages_response(struct http_request *request);
void http_pages_abandon(struct http_pages *pages); /* no more parts come */
void http_pages_free(struct http_pages *pages);    /* accepts NULL */

/* static.c */
void http_static(struct http_request *request);

/* openapi.c */
void http_openapi(struct http_request *request);

/* prometheus.c; pure: `metrics` is the result of metrics.get */
void http_prometheus(const json_t *metrics, struct ml_buffer *out);

#endif
