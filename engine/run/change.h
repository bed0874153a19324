/* Changing the graph: check, keep as a revision, apply; and the graph of a start.
 * SPDX-License-Identifier: Apache-2.0
 *
 * All on the control lane, or on its thread while it does not run.
 */
#ifndef ML_RUN_CHANGE_H
#define ML_RUN_CHANGE_H

#include <stdint.h>

#include <meterloom/engine.h>

enum { ML_CHANGE_ANY = -1 };

struct ml_change {
	const char *graph; /* JSON text */
	size_t length;
	int64_t base; /* the revision it was made from; ML_CHANGE_ANY: takes the place of any */
	const char *author, *remark; /* NULL: "" */
};

/* It takes effect whole and is the newest revision, or nothing changes. A graph whose text is that
 * of the revision that runs is applied anew (settings may have changed) and makes no other one.
 * -ESTALE: another revision than `base` runs. */
int ml_engine_change(struct ml_engine *engine, const struct ml_change *change,
	int64_t *ret_revision, struct ml_errors *errors);

/* Applies a revision once more: its graph becomes the newest one. -ENOENT: there is none. */
int ml_engine_roll_back(struct ml_engine *engine, int64_t revision, int64_t base,
	const char *author, int64_t *ret_revision, struct ml_errors *errors);

/* Applies the graph that runs once more, for the nodes whose inherited settings have changed: they
 * restart, the others go on. Where it no longer checks, nothing changes. */
int ml_engine_refresh(struct ml_engine *engine, struct ml_errors *errors);

/* At the start: runs the newest revision that checks, and nothing where there is none (each that
 * cannot be run is logged). With a graph (NULL: none) that is not the one given at an earlier
 * start, it is checked and run as a new revision; given again, what was changed since goes on.
 * Errors only of the graph that was given. */
int ml_engine_boot(struct ml_engine *engine, const char *graph, size_t length, const char *name,
	struct ml_errors *errors);

/* The text of the graph that runs, and its revision (0: it is none); never NULL. */
const char *ml_engine_graph(struct ml_engine *engine, size_t *length, int64_t *revision);

#endif
