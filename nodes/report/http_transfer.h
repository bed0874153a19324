/* One HTTP upload at a time, by libcurl on a lane's loop; in simulated time, and to the URLs
 * "sim:NAME", to a receiver within the process. SPDX-License-Identifier: Apache-2.0
 *
 * Thread: all functions and the callback on the lane. No callback comes from within a call.
 */
#ifndef REPORT_HTTP_TRANSFER_H
#define REPORT_HTTP_TRANSFER_H

#include <stdbool.h>
#include <stdint.h>

#include <meterloom/clock.h>
#include <meterloom/error.h>
#include <meterloom/node.h>

enum {
	HTTP_REASON_MAX = 240,
	HTTP_BODY_MAX =
		64 * 1024, /* bytes of an answer that are read; its rest is not waited for */
	HTTP_REDIRECTS_MAX = 5,
};

struct http_request {
	const char *url;
	const char *path; /* the file that is sent */
	uint64_t size;    /* of it */
	const char *content_type;
	const char *filename;        /* the header `filename` */
	const char *key;             /* the header `Idempotency-Key` */
	bool test;                   /* the header `Report-Test: true` */
	const char *user, *password; /* Basic authentication; NULL: none */
	const char *ca_file;         /* PEM; NULL: those of the system */
	const char *proxy;           /* NULL: none, whatever the environment says */
	ml_time connect_timeout;     /* to find the host, to connect and for TLS; negative: none */
	ml_time send_timeout;        /* to send the file; negative: none */
	ml_time answer_timeout;      /* from then on; negative: none */
	bool other_hosts; /* redirects to other hosts are followed, without the password */
};

enum http_result {
	HTTP_DELIVERED, /* 2xx */
	HTTP_FAILED,    /* may be tried again */
	HTTP_REFUSED,   /* will not get better by itself */
};

struct http_answer {
	enum http_result result;
	int status;          /* 0: none came */
	ml_time retry_after; /* 0: none was told */
	ml_time took;
	char reason[HTTP_REASON_MAX]; /* "HTTP 503: the beginning of the answer"; "could not connect
					 …" */
};

struct http_client;

int http_client_new(struct ml_node *node,
	void (*done)(void *user, const struct http_answer *answer), void *user,
	struct http_client **ret_client, struct ml_error *err);

/* Gives up what runs; no callback comes after. Accepts NULL. */
void http_client_free(struct http_client *client);

/* Begins; all texts of the request are copied. -EBUSY: one runs. */
int http_client_send(
	struct http_client *client, const struct http_request *request, struct ml_error *err);

/* Gives up what runs: `done` is not called. */
void http_client_cancel(struct http_client *client);

/* scheme://host:port/path of a URL, without what may be secret (user, password, query): for logs.
 */
void http_url_public(const char *url, char *out, size_t size);

/* -EINVAL: not an http or https URL, or one with a password in it; nor "sim:NAME". */
int http_url_check(const char *url, struct ml_error *err);

/* ---- What both kinds of transfer share ---- */

enum http_result http_judge(long status);
/* What took too long, by phase: connecting, sending, the answer. */
const char *http_waits(unsigned phase);

#endif
