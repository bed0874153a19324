/* Routes: which path means which command.
 * SPDX-License-Identifier: Apache-2.0
 *
 * The table serves requests and is told as OpenAPI. {NAME} in a path is the command's parameter of
 * that name, and so is each part of a query.
 */
#ifndef ML_HTTP_ROUTE_H
#define ML_HTTP_ROUTE_H

#include "http/server.h"

enum http_body {
	HTTP_BODY_NONE,
	HTTP_BODY_PARAMS, /* a JSON object of parameters */
	HTTP_BODY_GRAPH,  /* a graph: the command's parameter `text` */
	HTTP_BODY_RPC,
};

enum http_shape {
	HTTP_SHAPE_RESULT,   /* the command's result as it is */
	HTTP_SHAPE_GRAPH,    /* its member `graph`, with `revision` as ETag */
	HTTP_SHAPE_REVISION, /* as it is, with its member `revision` as ETag */
	HTTP_SHAPE_METRICS,  /* as Prometheus text */
	HTTP_SHAPE_FILE,     /* the file that its members path, name, type and size tell of */
	HTTP_SHAPE_PAGES,    /* CSV, part by part: see pages.c */
};

struct http_route {
	const char *method; /* NULL ends the table */
	const char *path;
	const char *command; /* NULL: `handle` does it */
	void (*handle)(struct http_request *request);
	const char *title; /* of routes without a command of their own */
	enum http_body body;
	enum http_shape shape;
};

extern const struct http_route http_routes[];

/* Whether `path`, with its escapes, fits `pattern`; *argument then is the part (length bytes) in
 * the place of {NAME}, or NULL where the pattern has none. Pure. */
bool http_route_fits(const char *pattern, const char *path, const char **argument, size_t *length);

/* A part of an address without its escapes; the caller frees it. NULL: bad ones, or no memory. */
char *http_unescaped(const char *text);

/* The name between the braces of a pattern, of *length bytes; NULL: there is none. Pure. */
const char *http_route_argument(const char *pattern, size_t *length);

/* A value of a query or path as the command's parameter wants it. Pure. NULL: not UTF-8, or no
 * memory. */
json_t *http_route_value(const struct ml_param *params, const char *name, const char *text);

#endif
