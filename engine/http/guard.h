/* Who may ask: loopback addresses, and requests that no web page elsewhere can have made.
 * SPDX-License-Identifier: Apache-2.0
 *
 * Pure.
 */
#ifndef ML_HTTP_GUARD_H
#define ML_HTTP_GUARD_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>

#include <meterloom/error.h>

/* Reads "127.0.0.1:8080", "[::1]:8080" or "localhost:8080". -EINVAL: it has another form; -EPERM:
 * it can be reached from elsewhere. */
int http_listen_parse(const char *listen, struct sockaddr_storage *address, socklen_t *size,
	struct ml_error *err);

/* Whether a Host header names this machine to itself: then no foreign name was made to point here
 * (DNS rebinding). Any port, since it may be forwarded. NULL: none was sent. */
bool http_host_is_loopback(const char *host);

/* Whether an Origin header is the page that this host serves. */
bool http_origin_is_ours(const char *origin, const char *host);

/* A part of an address, of `length` bytes, without its percent escapes: to `out`, of length + 1
 * bytes, with a NUL. NULL: it is only looked at. false: an escape has no two hex digits, or is %00,
 * which would cut a name off. */
bool http_unescape(const char *text, size_t length, char *out);

/* Whether a Content-Type is JSON in UTF-8. */
bool http_type_is_json(const char *type);

#endif
