/* A recording as a stream of the engine: "sim:replay=FILE".
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef SIM_REPLAY_STREAM_H
#define SIM_REPLAY_STREAM_H

#include <meterloom/stream.h>

/* The file of "replay=FILE"; NULL: the address asks for something else. */
const char *sim_replay_file(const char *rest);

int sim_replay_stream_check(const char *file, struct ml_error *err);
int sim_replay_stream_open(struct ml_lane *lane, const char *file, const struct ml_line *line,
	const struct ml_stream_events *events, void *user, struct ml_stream **ret_stream,
	struct ml_error *err);

#endif
