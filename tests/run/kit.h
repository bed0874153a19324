/* Nodes and an engine for the tests of engine/run.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TESTS_RUN_KIT_H
#define TESTS_RUN_KIT_H

#include <meterloom/engine.h>
#include <meterloom/family.h>
#include <pthread.h>
#include <stdatomic.h>

enum { KIT_ROUNDS_MAX = 512 };

/* What the nodes of one engine saw, by node id. Shared by all lanes. */
struct kit_record {
	char id[32];
	atomic_uint_fast64_t count; /* messages taken by a sink, or emitted by a source */
	atomic_uint_fast64_t
		last; /* the number in the last one; sinks check that it grows by one */
	atomic_uint_fast64_t gaps;              /* a number that did not follow the one before */
	atomic_uint_fast64_t repeats;           /* a number not above the one before */
	atomic_uint_fast64_t delivered, failed; /* acks told to a source */
	atomic_uint_fast64_t begins, ends;      /* rounds that came */
	atomic_uint_fast64_t at_end;            /* a sink's count when the last round ended */
	atomic_uint_fast64_t wrong;             /* begins that came twice, ends without a begin */
	/* Rounds that came to a sink and have not ended. One that was removed may still drain on
	 * its lane while another of its id runs on another. */
	pthread_mutex_t lock;
	uint64_t open[KIT_ROUNDS_MAX];
	atomic_size_t open_count;
	atomic_uint_fast64_t starts, stops;
	atomic_uint_fast64_t disposed; /* values that nobody took over */
};

struct kit {
	struct ml_clock *clock;
	struct ml_log *log;
	struct ml_engine *engine;
	struct kit_record records[1024];
	atomic_size_t record_count;
	atomic_int open[256]; /* things that holders have open, by their name's last byte */
};

/* An engine with the kit's node types; simulated or on the real clock. Fails the test on an error.
 */
struct kit *kit_new(bool simulated);
struct kit *kit_new_with(bool simulated, const char *data, const char *device_key);
void kit_free(struct kit *kit);

/* Applies a graph written with ' for "; fails the test where it is refused. */
void kit_apply(struct kit *kit, const char *format, ...) __attribute__((format(printf, 2, 3)));

struct kit_record *kit_record(struct kit *kit, const char *id);

/* Real clock: turns the control lane until the condition holds; fails the test after a minute. */
void kit_until(struct kit *kit, bool (*condition)(struct kit *kit, void *user), void *user);

extern const struct ml_family kit_family;

#endif
