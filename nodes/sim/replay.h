/* A recording as a line: it answers what was asked in it as it was answered there.
 * SPDX-License-Identifier: Apache-2.0
 *
 * No clock, and no I/O once it is open: the times are told to it. What the master sends is looked
 * for among the frames of the recording's master: the next equal one behind that which was found
 * last, and so on from the beginning. What came from the line between that frame and the next then
 * comes once more, after the same times. docs/reference/recording.md tells all of it.
 */
#ifndef SIM_REPLAY_H
#define SIM_REPLAY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <meterloom/clock.h>
#include <meterloom/error.h>

struct sim_replay;

struct sim_replay_tally {
	uint64_t asked;   /* frames of the master */
	uint64_t unknown; /* of them, not in the recording */
};

/* Reads a recording; blocks on the disk. Errors name FILE:LINE. */
int sim_replay_open(const char *path, struct sim_replay **ret_replay, struct ml_error *err);
void sim_replay_free(struct sim_replay *replay); /* accepts NULL */

unsigned sim_replay_baud(const struct sim_replay *replay);    /* at its beginning */
size_t sim_replay_questions(const struct sim_replay *replay); /* frames of its master */
struct sim_replay_tally sim_replay_tally(const struct sim_replay *replay);

/* How the master sends and hears from now on; 0, as at first: it is not known, and each rate of the
 * recording is right. */
void sim_replay_set_baud(struct sim_replay *replay, unsigned baud);

/* The interface is open: what the recording holds before its first question begins to come. */
void sim_replay_begin(struct sim_replay *replay, ml_time now);

/* The master sent this. */
void sim_replay_received(
	struct sim_replay *replay, const uint8_t *bytes, size_t length, ml_time now);

/* When something comes next; ML_NEVER. */
ml_time sim_replay_when(const struct sim_replay *replay);

/* What has come up to `now` and was not yet taken, no further than a change between good and
 * damaged bytes: to be called until it gives 0. */
size_t sim_replay_take(
	struct sim_replay *replay, ml_time now, const uint8_t **bytes, bool *damaged);

/* Forgets what is on its way. */
void sim_replay_discard(struct sim_replay *replay);

#endif
