/* A gateway that serves HTTP on a port of loopback, and a client that says exactly what it is told.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TESTS_HTTP_WEB_H
#define TESTS_HTTP_WEB_H

#include <meterloom/engine.h>
#include <meterloom/family.h>

#include "http/http.h"

struct web {
	struct ml_clock *clock;
	struct ml_log *log;
	struct ml_engine *engine;
	struct ml_http *http;
	int port;
	unsigned long thread; /* runs the control lane */
};

struct answer {
	int status; /* 0: the connection was closed without one */
	char *head; /* owned: all lines before the body */
	char *body; /* owned; NUL-terminated */
	size_t length;
};

/* Commands test.echo (gives its parameters), test.wait (waits for web_let_go()), meter.list and
 * meter.readings (give their parameters), and a node type test-node. */
extern const struct ml_family web_family;

/* `limits` and `assets` may be NULL. */
struct web *web_new(const struct ml_http_limits *limits, const struct ml_asset *assets);
void web_free(struct web *web);
/* Only ends the server: the engine goes on. */
void web_stop_http(struct web *web);

/* Ends the jobs of test.wait that wait; blocks until at least one has begun. */
void web_let_go(void);

/* A connection; reading gives up after half a minute. */
int web_connect(const struct web *web);
void web_say(int fd, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Reads one answer by its Content-Length (or to the end of the connection). */
struct answer web_hear(int fd);
/* Reads until `part` has come; fails the test where the connection ends before. Returns all text.
 */
char *web_hear_until(int fd, const char *part);
/* true: the server has closed it. Blocks until it does. */
bool web_is_closed(int fd);

/* One request on a connection of its own. `headers` are whole lines (NULL: none); a body makes a
 * Content-Length and, unless `headers` has one, a Content-Type. */
struct answer web_ask(const struct web *web, const char *method, const char *path,
	const char *headers, const char *body);
void answer_free(struct answer *answer);

void assert_has(const char *text, const char *part);

#endif
