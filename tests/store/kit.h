/* An engine with a store, and nodes around it, for the tests of nodes/store and the meter list.
 * SPDX-License-Identifier: Apache-2.0
 *
 * Simulated clock, real files in a directory of its own.
 */
#ifndef TESTS_STORE_KIT_H
#define TESTS_STORE_KIT_H

#include <meterloom/engine.h>
#include <meterloom/family.h>

#include "meter/batch.h"
#include "meter/list.h"
#include "meter/reading_message.h"

enum { KIT_SEEN_MAX = 8192, KIT_BATCHES_MAX = 64 };

/* What a test's receiver did with a batch. */
struct kit_batch {
	uint64_t first, last, count, due;
	bool more;
	size_t seen;             /* readings of its pages */
	uint64_t traces[1024];   /* theirs, in their order */
	uint64_t by_meter[1024]; /* the same meter by meter */
};

enum kit_mode { KIT_DELIVER, KIT_FAIL, KIT_HOLD };

struct kit {
	char data[64];
	bool keep_data;
	const struct ml_family *families[8];
	struct ml_clock *clock;
	struct ml_log *log;
	struct ml_engine *engine;
	/* nodes of the graph; NULL: it has none */
	struct ml_node *source, *clock_node, *end_node;
	uint64_t delivered, failed; /* acks of readings */
	void (*on_delivered)(struct kit *kit, uint64_t trace);
	size_t seen; /* readings that came behind the store, with their traces */
	uint64_t traces[KIT_SEEN_MAX];
	size_t begins, ends; /* rounds behind the store */
	size_t seen_at_end;  /* readings behind the store when the last round ended */
	size_t told;         /* triggers of `round-stored` */
	bool sink_stuck;
	enum kit_mode mode;
	struct ml_message *held;
	struct kit_batch batches[KIT_BATCHES_MAX];
	size_t batch_count;
	char *result; /* of the last command, or its error's text; owned */
	int code;
};

/* data NULL: a new directory. Fails the test on an error. */
struct kit *kit_new(const char *data);

struct kit_options {
	const char *data;
	const struct ml_files *files;    /* NULL: the system's */
	const struct ml_family *more[3]; /* families beside those of the kit */
	ml_time wall;                    /* 0: of the kit */
	bool lonely;                     /* no time server keeps the clock right */
	uint64_t seed;
	bool may_fail; /* then NULL is given where the engine does not start */
};
struct kit *kit_new_with(const struct kit_options *options);
/* The kit of an engine with the family of the kit. */
struct kit *kit_of_engine(struct ml_engine *engine);
void kit_free(struct kit *kit); /* removes the directory unless keep_data */

/* Applies a graph written with ' for ". */
void kit_apply(struct kit *kit, const char *graph);
/* source → store → sink, told, and a query to an end. */
extern const char kit_graph[];

void kit_settle(struct kit *kit);                /* until nothing happens at this time */
void kit_run(struct kit *kit, ml_time duration); /* and so much longer */
ml_time kit_wall(struct kit *kit);

/* A reading of the meter with that id goes into the source at the present time: a telegram of two
 * records with `value`. Its trace is what it is known by, and its ack's cookie. */
void kit_give(struct kit *kit, unsigned id, uint32_t point, uint64_t trace, int64_t value);
/* The same, as if it was received at that wall time. */
void kit_give_at(
	struct kit *kit, unsigned id, uint32_t point, uint64_t trace, int64_t value, ml_time time);
/* A readout that failed. */
void kit_give_failed(struct kit *kit, uint32_t point, uint64_t trace);
/* Many at once, with traces from `trace` on. */
void kit_give_many(struct kit *kit, unsigned id, uint64_t trace, size_t count);
void kit_round(struct kit *kit, bool begin);
void kit_trigger(struct kit *kit);
/* By another schedule: "preset", "start". */
void kit_trigger_as(struct kit *kit, const char *kind);
/* As kit_round(), of a readout that was due then, of this bus. */
void kit_round_of(struct kit *kit, bool begin, ml_time due, const char *bus);
void kit_let_go(struct kit *kit); /* of the batch that is held: delivered */

/* Calls a command with parameters written with ' for "; `result` and `code` are set. */
void kit_call(struct kit *kit, const char *command, const char *params);

/* A number from a database of the kit's, by SQL. */
int64_t kit_sql(struct kit *kit, const char *database, const char *sql);

/* Changes one; of a kit that is not open only `data` counts. */
void kit_run_sql(struct kit *kit, const char *database, const char *sql);

extern const struct ml_family kit_family;

#endif
