/* An engine at a desk: commands are called and their outcomes looked at.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TESTS_COMMAND_DESK_H
#define TESTS_COMMAND_DESK_H

#include <meterloom/command.h>
#include <meterloom/engine.h>
#include <meterloom/family.h>

struct desk {
	char folder[64]; /* made by mkdtemp: data/ and the device key are in it */
	char data[96], key[96];
	void (*between)(struct desk *desk); /* called at the next restart, while it is away */
	ml_time wall;                       /* where its clock begins at the next start */
	struct ml_clock *clock;
	struct ml_log *log;
	struct ml_engine *engine;
	const struct ml_family *const *families;
	/* of the last call */
	int told; /* how often it was told */
	int code;
	char *result, *detail, *errors; /* owned; errors as JSON */
};

/* A simulated engine with a data directory of its own. */
struct desk *desk_new(const struct ml_family *const *families);
void desk_free(struct desk *desk); /* and removes the folder */
/* Ends the engine and makes another on the same data. */
void desk_restart(struct desk *desk);

/* Begins a call; parameters are written with ' for ". Returns the job. */
uint64_t desk_begin(struct desk *desk, enum ml_role role, const char *command, const char *params);
/* Runs until nothing more happens. */
void desk_settle(struct desk *desk);
/* Both, as an administrator: returns the code, and the outcome is in the desk. */
int desk_call(struct desk *desk, const char *command, const char *params);

/* Fails the test where `part` is not in `text`. */
void assert_has(const char *text, const char *part);

#endif
