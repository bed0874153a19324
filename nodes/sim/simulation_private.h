/* A simulation, for its own files.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef SIM_SIMULATION_PRIVATE_H
#define SIM_SIMULATION_PRIVATE_H

#include <jansson.h>

#include <meterloom/feed.h>

#include "sim/simulation.h"

/* A destination whose report was refused: a person looks at it after a while. */
struct sim_refusal {
	char destination[64];
	ml_time at; /* monotonic */
};

struct sim_simulation {
	struct sim_simulation_options options;
	char *graph;           /* with the buses of the world; owned */
	json_t *tree;          /* the same; owned */
	struct ml_buffer list; /* the meter list as CSV */
	struct ml_zone *zone;  /* owned; NULL: UTC */
	char *key_file;
	struct ml_clock *clock;
	struct ml_log *log;
	struct ml_engine *engine;
	struct ml_feed *events;
	struct sim_world *world;
	struct sim_refusal refusals[SIM_LEDGER_HEAD_ENDS_MAX];
	size_t refusal_count;
	struct sim_result result;
};

/* ---- simulation_graph.c ---- */

/* Makes the buses that the graph names, and the graph that leads to them. */
int sim_graph_map(struct sim_simulation *s, struct ml_error *err);
/* Whether readings come from the buses into the store as they were decoded. */
bool sim_graph_plain(const struct sim_simulation *s);
/* Whether each reading is due at the head-end of this URL, in a form that can be read. */
bool sim_graph_reports_all(const struct sim_simulation *s, const char *url);

/* ---- simulation_check.c ---- */

/* The number of the last reading in the store. */
int sim_stored_sequence(struct sim_simulation *s, uint64_t *sequence, struct ml_error *err);
/* Books all readings of the store; those up to `due` must have been reported. */
int sim_book_store(struct sim_simulation *s, uint64_t due, struct ml_error *err);
int sim_settle_accounts(struct sim_simulation *s, struct ml_error *err);

/* ---- simulation.c ---- */

/* Calls a command and waits for its end; the result as a tree (a new reference; may be NULL). */
int sim_call(struct sim_simulation *s, const char *command, json_t *params, json_t **ret_result,
	struct ml_error *err);

#endif
