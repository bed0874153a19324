/* A gateway that lives through days of simulated time: `meterloom simulate`, and tests.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef SIM_SIMULATION_H
#define SIM_SIMULATION_H

#include <stdbool.h>
#include <stdint.h>

#include <meterloom/engine.h>
#include <meterloom/family.h>

#include "sim/fault.h"
#include "sim/ledger.h"
#include "sim/world.h"

enum { SIM_FAILURES_MAX = 16, SIM_FAILURE_NAME_MAX = 32 };

struct sim_simulation;

struct sim_simulation_options {
	const struct ml_family *const *families;
	const char *graph; /* JSON */
	size_t graph_length;
	const char *data; /* an empty or missing folder for all that is kept */
	const char *keep; /* a folder for the documents that come; NULL: none */
	const char *zone; /* of the gateway; NULL: UTC */
	ml_time begin;    /* wall; of the world and, at first, of the gateway */
	ml_time length;
	uint64_t seed;
	unsigned meters; /* of each bus whose interface says none */
	struct sim_faults faults;
	ml_log_sink log; /* NULL: nobody reads it */
	void *log_user;
};

/* What became of it. */
struct sim_result {
	ml_time simulated; /* with the time after the end in which all was delivered */
	unsigned buses;
	size_t meters;
	uint64_t rounds, read, failed, telegrams; /* by the gateway's own count */
	struct {
		char name[SIM_FAILURE_NAME_MAX];
		uint64_t count;
	} failures[SIM_FAILURES_MAX];
	size_t failure_count;
	uint64_t faults[SIM_FAULTS];
	uint64_t restarts;
	uint64_t rebuilt;   /* reports that were refused, and rendered anew a while later */
	bool store_checked; /* nothing between the bus and the store changes readings */
	struct sim_account account;
	unsigned head_ends;
	struct {
		const char *url;
		uint64_t uploads, failed;
		bool checked; /* all that is stored is due there, in a form that is known here */
		struct sim_delivery delivery;
	} head_end[SIM_LEDGER_HEAD_ENDS_MAX];
	uint64_t store_bytes;
	char documents[2 * SIM_DIGEST_SIZE + 1]; /* SHA-256 over all documents, hex */
	char readings[2 * SIM_DIGEST_SIZE + 1];  /* over all readings in the store */
	const char *examples;                    /* of what is lost, a line each */
	bool lost;                               /* something is not where it should be */
};

/* `errors` tells all that is wrong with the graph. */
int sim_simulation_new(const struct sim_simulation_options *options,
	struct sim_simulation **ret_simulation, struct ml_errors *errors);
void sim_simulation_free(struct sim_simulation *simulation); /* accepts NULL */

/* Lives on to this time after the begin; the length is the end. -errno: the gateway did not come up
 * again. */
int sim_simulation_run(struct sim_simulation *simulation, ml_time until, struct ml_error *err);

/* After the end: heals the world, lets the gateway deliver what is left, and counts. */
int sim_simulation_finish(
	struct sim_simulation *simulation, struct sim_result *result, struct ml_error *err);

/* The gateway as it is now, for tests. */
struct ml_engine *sim_simulation_engine(struct sim_simulation *simulation);
struct sim_world *sim_simulation_world(struct sim_simulation *simulation);

#endif
