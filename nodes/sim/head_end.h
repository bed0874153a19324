/* A little head-end: receives reports by HTTP POST, keeps and lists them, and fails by script.
 * SPDX-License-Identifier: Apache-2.0
 *
 * For demonstrations (`meterloom sim --head-end`) and for tests, which start it in their own
 * process on port 0. It runs on the lane "head-end" of the engine that is given (real clock).
 *
 *   POST /anything    takes a report: header `filename`, optional `Idempotency-Key`, any content
 * type GET /             a page with the last reports GET /reports      the same as JSON, newest
 * first GET /reports/N    the bytes of a report
 *
 * A report whose Idempotency-Key was accepted before is answered as accepted, counted, and kept but
 * marked as repeated: a head-end that forgets nothing.
 *
 * Thread-safety: all functions from any thread but the head-end's own lane; `received` is called
 * there.
 */
#ifndef SIM_HEAD_END_H
#define SIM_HEAD_END_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <meterloom/clock.h>
#include <meterloom/error.h>

struct head_end;
struct ml_engine;

enum {
	HEAD_END_NAME_MAX = 200,
	HEAD_END_KEEP = 256,          /* reports kept in memory, unless said otherwise */
	HEAD_END_BODY_MAX = 64 << 20, /* bytes; a longer one is answered with 413 */
	HEAD_END_CLOSED = 0,          /* status of a report whose connection was closed instead */
};

struct head_end_report {
	uint64_t number;                  /* from 1, in the order of their arrival */
	ml_time time;                     /* wall */
	unsigned status;                  /* what it was answered with; HEAD_END_CLOSED */
	bool repeated;                    /* its key was accepted before */
	char filename[HEAD_END_NAME_MAX]; /* the header `filename`; "" where there was none */
	char key[HEAD_END_NAME_MAX];      /* Idempotency-Key; "" */
	char type[HEAD_END_NAME_MAX];     /* Content-Type; "" */
	char path[HEAD_END_NAME_MAX];
	size_t length;
	char *body; /* `length` bytes and a NUL */
};

struct head_end_options {
	const char *address; /* to listen on; NULL: 127.0.0.1 */
	uint16_t port;       /* 0: a free one, see head_end_port() */
	const char *
		directory; /* accepted reports are written there too; made if missing; NULL: none */
	const char *user, *password; /* Basic authentication, else 401; NULL: everybody */
	const char *script;          /* see head_end_script(); NULL: always 200 */
	size_t keep;                 /* 0: HEAD_END_KEEP */
	/* Told of each report after it was answered. May be NULL. */
	void (*received)(void *user_data, const struct head_end_report *report);
	void *user_data;
};

int head_end_start(struct ml_engine *engine, const struct head_end_options *options,
	struct head_end **ret_head_end, struct ml_error *err);
void head_end_stop(struct head_end *h); /* accepts NULL; before its engine is freed */

uint16_t head_end_port(const struct head_end *h);

/* What it answers from now on, one step a line (or after a comma), each for one report:
 *
 *     200            accepts it (any 2xx)
 *     503 x3         answers three reports with 503
 *     503 retry 7    with the header Retry-After: 7
 *     close          closes the connection without an answer
 *     delay 2s       the next report's answer waits 2 s ("200ms", "1min"); goes with the next step
 *     repeat         begins with the first step again
 *
 * After the last step everything is accepted. # begins a comment. -EINVAL: err->line tells where.
 */
int head_end_script(struct head_end *h, const char *script, struct ml_error *err);

uint64_t head_end_count(struct head_end *h); /* reports that came, whatever was answered */
uint64_t head_end_accepted(
	struct head_end *h); /* reports answered with 2xx, without repeated ones */

/* Waits until `count` reports have come (or been accepted); false: not within `most`. */
bool head_end_wait(struct head_end *h, uint64_t count, ml_time most);
bool head_end_wait_accepted(struct head_end *h, uint64_t count, ml_time most);

/* A copy of a report; the caller frees report->body. false: it is not there, or no longer. */
bool head_end_get(struct head_end *h, uint64_t number, struct head_end_report *report);

#endif
