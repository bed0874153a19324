/* A server for tests that answers HTTP requests with exactly the bytes it was told, or not at all.
 * SPDX-License-Identifier: Apache-2.0
 *
 * One thread, one connection at a time, on a free port of 127.0.0.1. Each request takes the next
 * line of the script; after the last one "HTTP/1.1 200 OK" is answered.
 */
#ifndef TESTS_PEERS_SCRIPT_SERVER_H
#define TESTS_PEERS_SCRIPT_SERVER_H

#include <stddef.h>
#include <stdint.h>

#define SCRIPT_CLOSE "close"   /* closes the connection after the request was read */
#define SCRIPT_SILENT "silent" /* reads the request and never answers */
#define SCRIPT_DEAF "deaf"     /* accepts the connection and never reads */
#define SCRIPT_RESET "reset"   /* resets the connection when a request comes */

struct script_request {
	char *head; /* request line and headers, NUL-terminated */
	char *body;
	size_t body_length;
};

struct script_server;

/* `answers` (ended by NULL) must stay. Fails the test where it cannot listen. */
struct script_server *script_server_start(const char *const *answers);
void script_server_stop(struct script_server *server);

uint16_t script_server_port(const struct script_server *server);

/* How many requests were read; the n-th of them, from 0. */
size_t script_server_count(struct script_server *server);
const struct script_request *script_server_request(struct script_server *server, size_t n);

/* The value of a header in a request, into `out`; "" where there is none. */
void script_request_header(
	const struct script_request *request, const char *name, char *out, size_t size);

#endif
