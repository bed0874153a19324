/* What the parts of the node `store-query` share: waiting, sending, and what people ask of it.
 * SPDX-License-Identifier: Apache-2.0
 *
 * All on the lane "database".
 */
#ifndef STORE_QUERY_NODE_H
#define STORE_QUERY_NODE_H

#include <meterloom/command.h>
#include <meterloom/node.h>

#include "store/outbox.h"
#include "store/outstanding.h"
#include "store/query.h"
#include "store/writer.h"

enum { QUERY_IN, QUERY_AFTER, QUERY_OUT };
enum { QUERY_BATCHES, QUERY_DELIVERED, QUERY_OUTSTANDING }; /* metrics */
enum { QUERY_ROUNDS_MAX = 32, QUERY_WAIT_FOR_MAX = 32 };

#define QUERY_CLOCK_TIME ML_SEC /* how often it looks whether the clock is right by now */

/* A round that runs. */
struct query_round {
	uint64_t id;
	ml_time due;
	uint32_t names; /* bit per name of wait_for: it is meant */
};

struct query_params {
	char *destination, *period, *interval;
	struct ml_strings wait_for;
	ml_time max_wait;
	int64_t limit;
};

/* A test or a download that is on its way. */
struct query_extra {
	struct ml_job *job; /* NULL: none */
	enum meter_delivery_purpose purpose;
	struct meter_delivery *delivery;
	char key[METER_DELIVERY_KEY_MAX];
	struct store_range range;
};

struct store_query {
	struct query_params params; /* first: the table's offsets */
	struct ml_node *node;
	struct store_writer *writer;
	struct store_outbox *outbox;
	struct store_query *next; /* in the writer's list */
	char destination[METER_DESTINATION_MAX];
	bool fixed;
	ml_time length;  /* of a fixed period; 0: the schedule's */
	ml_time spacing; /* between readings; 0: all */

	bool asked;                       /* a trigger is yet to be served */
	struct ml_trigger trigger;        /* the newest */
	ml_time settle_until, wait_until; /* monotonic */
	struct query_round rounds[QUERY_ROUNDS_MAX];
	size_t round_count;
	uint32_t stored; /* bit per name of wait_for: a round of it was stored since the start */

	bool loaded;    /* it is known what is outstanding */
	uint64_t epoch; /* of the database it was loaded from */
	bool has;       /* outstanding, on the disk */
	struct store_outstanding out;
	bool emit_wanted;                /* there was no room */
	bool in_flight;                  /* sent, and not yet acknowledged */
	bool unwritten;                  /* delivered, but that could not be written down yet */
	bool unsaved;                    /* failed, but that could not be written down yet */
	bool more;                       /* the next follows without a trigger */
	bool again;                      /* the same for what is to be sent again */
	bool missed;                     /* a trigger came while an earlier range was outstanding */
	struct meter_delivery *delivery; /* of what is in flight or unwritten */
	ml_time delivered_at;            /* wall */
	struct query_extra extra;
	char download[METER_DELIVERY_KEY_MAX]; /* kept for whoever fetches it; "": none */
	struct ml_timer timer;
};

/* ---- query_wait.c ---- */

/* When what was asked for may go: 0 now, else the monotonic time to look again. */
ml_time query_wait_until(const struct store_query *query);
void query_wait_begin(struct store_query *query); /* a trigger came */
void query_wait_round(struct store_query *query, const struct ml_round *round);
void query_wait_stored(struct store_query *query, uint64_t round); /* told by the store */
/* Whether it waits for a round now, and not only for one that may begin. */
bool query_waits_for_round(const struct store_query *query);

/* Whether the trigger must wait since the clock may be wrong: its report would be named after a
 * time that never was. When it need not, the trigger has the time it would have had. */
bool query_waits_for_clock(struct store_query *query);

/* ---- query_send.c ---- */

/* Sends what is to be sent now, if anything is. */
void query_consider(struct store_query *query);
int query_load(struct store_query *query, struct ml_error *err);
void query_show_state(struct store_query *query);
/* Tells it, and tries again in a moment. */
void query_trouble(struct store_query *query, const struct ml_error *err);
void query_room(struct store_query *query);
void query_acked(struct store_query *query, bool ok);
void query_timer_fired(struct ml_timer *timer);
/* What is outstanding was changed by a command; NULL: there is nothing any more. */
void query_replace(
	struct store_query *query, const struct store_outstanding *outstanding, bool send);
/* Sends what is to be sent again, if anything is. */
void query_go_on(struct store_query *query);
/* A message that carries a batch. NULL: out of memory. */
struct ml_message *query_message(struct store_query *query, const struct store_range *range,
	struct meter_delivery *delivery, uint64_t cookie);
/* What a trigger would send now; count 0: nothing. */
int query_plan(struct store_query *query, struct store_range *range, struct ml_error *err);

enum { QUERY_COOKIE_REPORT, QUERY_COOKIE_EXTRA };

/* ---- What people ask; the job is ended now or later ---- */

void query_extra_begin(
	struct store_query *query, struct ml_job *job, enum meter_delivery_purpose purpose);
void query_extra_acked(struct store_query *query, bool ok);
void query_extra_stop(struct store_query *query);

/* ---- For the commands ---- */

/* The one that runs for a destination. NULL: none does. */
struct store_query *store_query_find(const struct store_writer *writer, const char *destination);

#endif
