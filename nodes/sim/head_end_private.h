/* The head-end, for its own files.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef SIM_HEAD_END_PRIVATE_H
#define SIM_HEAD_END_PRIVATE_H

#include <pthread.h>
#include <stdbool.h>

#include <meterloom/json.h>
#include <meterloom/node.h>

#include "sim/head_end.h"

struct MHD_Daemon;
struct MHD_Connection;
struct uv_poll_s;

enum { HEAD_END_STEPS_MAX = 1000 };

/* What happens to one report. */
struct head_end_step {
	unsigned status; /* HEAD_END_CLOSED */
	unsigned times;
	unsigned retry_after; /* s; 0: no header */
	ml_time delay;        /* before the first of them */
};

struct head_end_script {
	struct head_end_step *steps; /* owned */
	size_t count, next;
	unsigned done; /* times of the next step */
	bool repeats;
};

int head_end_script_parse(const char *text, struct head_end_script *script, struct ml_error *err);
/* The step for one more report. */
struct head_end_step head_end_script_next(struct head_end_script *script);
void head_end_script_free(struct head_end_script *script);

struct head_end {
	struct ml_engine *engine;
	struct ml_lane *lane;
	struct ml_clock *clock;
	char *directory, *user, *password; /* owned; NULL: none */
	void (*received)(void *user_data, const struct head_end_report *report);
	void *user_data;

	/* the lane's */
	struct MHD_Daemon *daemon;
	struct uv_poll_s *poll; /* owned by the loop once it is closing */
	struct ml_timer timer;
	struct head_end_request *delayed; /* list */
	uint16_t port;

	/* everybody's */
	pthread_mutex_t lock;
	pthread_cond_t change;
	struct head_end_script script;
	struct head_end_report *reports; /* a ring; owned */
	size_t keep, first, held;
	size_t bytes; /* of the bodies held */
	uint64_t count, accepted;
	uint64_t *keys; /* hashes of the accepted ones; owned */
	size_t key_count, key_capacity;
	bool done; /* what was posted to the lane */
	int result;
	struct ml_error error;
};

/* ---- head_end.c, under the lock ---- */

struct head_end_report *head_end_find(struct head_end *h, uint64_t number);
/* Takes the report's body over. */
void head_end_keep(struct head_end *h, struct head_end_report *report);
bool head_end_knows(const struct head_end *h, const char *key);

/* ---- head_end_http.c, on the lane ---- */

int head_end_open(struct head_end *h, const char *address, uint16_t port, struct ml_error *err);
void head_end_close(struct head_end *h);

/* ---- head_end_page.c, under the lock ---- */

void head_end_page(struct head_end *h, struct ml_buffer *out);
void head_end_list(struct head_end *h, struct ml_buffer *out);

#endif
