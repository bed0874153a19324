/* Receivers of reports within the process: what stands for the network in simulated time, and
 * behind the URLs "sim:NAME". SPDX-License-Identifier: Apache-2.0
 *
 * The service "receivers" of an engine is a struct meter_receivers. A sink asks it what becomes of
 * an upload that begins now, and lets so much time pass.
 */
#ifndef METER_RECEIVER_H
#define METER_RECEIVER_H

#include <stdbool.h>
#include <stdint.h>

#include <meterloom/clock.h>

#define METER_RECEIVERS "receivers"

enum { METER_FATE_TEXT_MAX = 120 };

struct meter_upload {
	const char *url;
	const char *path; /* of the file that is sent */
	uint64_t size;
	const char *content_type, *filename, *key;
	const char *user, *password; /* NULL: none */
};

/* The lengths of time follow each other; ML_NEVER: this never happens. */
struct meter_fate {
	ml_time connect;                /* until there is a connection, or its refusal */
	bool refused;                   /* there is none */
	ml_time send;                   /* until all of it has come */
	ml_time answer;                 /* until the answer is there */
	bool closed;                    /* the connection is closed in place of the answer */
	int status;                     /* of HTTP */
	unsigned retry_after;           /* s; 0: not told */
	char text[METER_FATE_TEXT_MAX]; /* of the answer */
	uint64_t tag;                   /* the receiver's own */
};

/* Thread: any lane. No function calls back. */
struct meter_receivers {
	void *user;
	void (*begin)(void *user, const struct meter_upload *upload, struct meter_fate *fate);
	/* All of it has come; not called where the sink gave up before. */
	void (*received)(
		void *user, const struct meter_upload *upload, const struct meter_fate *fate);
};

#endif
