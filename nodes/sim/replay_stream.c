/* A recording within the process, on the engine's own clock. Each time it is opened it begins from
 * its beginning. SPDX-License-Identifier: Apache-2.0
 */
#include "sim/replay_stream.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <meterloom/engine.h>
#include <meterloom/node.h>

#include "sim/replay.h"
#include "sim/wire.h"

#define PREFIX "replay="

struct replay_stream {
	struct ml_stream head;
	struct ml_lane *lane;
	struct sim_replay *replay; /* owned */
	struct sim_rate rate;
	struct ml_timer timer;
	ml_time drained; /* when what was written has left the master */
	bool opened, draining, closed;
	bool telling; /* in a callback: closing must wait */
};

static void free_stream(struct replay_stream *s)
{
	sim_replay_free(s->replay);
	free(s);
}

static void plan(struct replay_stream *s)
{
	ml_time when = sim_replay_when(s->replay);
	if (s->draining && s->drained < when)
		when = s->drained;
	if (when == ML_NEVER)
		ml_timer_stop(&s->timer);
	else
		ml_timer_start(&s->timer, when);
}

static void tell_drained(struct replay_stream *s)
{
	s->draining = false;
	if (s->head.events->drained)
		s->head.events->drained(s->head.user);
}

static void tell(struct replay_stream *s)
{
	const ml_time now = ml_lane_now(s->lane);
	const uint8_t *bytes = NULL;
	bool damaged = false;
	if (!s->opened) {
		s->opened = true;
		sim_replay_begin(s->replay, now);
		if (s->head.events->opened)
			s->head.events->opened(s->head.user);
		return;
	}
	/* What answers has heard the whole question. */
	if (s->draining && (s->drained <= now || sim_replay_when(s->replay) <= now))
		tell_drained(s);
	while (!s->closed) {
		const size_t length = sim_replay_take(s->replay, now, &bytes, &damaged);
		if (length == 0)
			return;
		if (damaged && s->head.events->damaged)
			s->head.events->damaged(s->head.user, bytes, length);
		else
			s->head.events->received(s->head.user, bytes, length);
	}
}

static void fire(struct ml_timer *timer)
{
	struct replay_stream *s = timer->user;
	s->telling = true;
	tell(s);
	s->telling = false;
	if (s->closed)
		free_stream(s);
	else
		plan(s);
}

static int replay_write(struct ml_stream *stream, const uint8_t *bytes, size_t length)
{
	struct replay_stream *s = (struct replay_stream *)stream;
	const ml_time now = ml_lane_now(s->lane);
	if (!s->opened)
		return -ENOTCONN;
	sim_replay_received(s->replay, bytes, length, now);
	s->drained = (s->draining && s->drained > now ? s->drained : now) +
		     sim_bits(s->rate, sim_byte_bits(s->rate) * length);
	s->draining = true;
	plan(s);
	return 0;
}

static int replay_set_line(struct ml_stream *stream, const struct ml_line *line)
{
	struct replay_stream *s = (struct replay_stream *)stream;
	s->rate = (struct sim_rate){line->baud, line->parity};
	sim_replay_set_baud(s->replay, line->baud);
	return 0;
}

static void replay_discard(struct ml_stream *stream)
{
	struct replay_stream *s = (struct replay_stream *)stream;
	sim_replay_discard(s->replay);
	plan(s);
}

static void replay_close(struct ml_stream *stream)
{
	struct replay_stream *s = (struct replay_stream *)stream;
	s->closed = true;
	ml_timer_stop(&s->timer);
	if (!s->telling)
		free_stream(s);
}

static const struct ml_stream_ops ops = {
	.write = replay_write,
	.set_line = replay_set_line,
	.discard = replay_discard,
	.close = replay_close,
};

const char *sim_replay_file(const char *rest)
{
	return strncmp(rest, PREFIX, strlen(PREFIX)) == 0 ? rest + strlen(PREFIX) : NULL;
}

int sim_replay_stream_check(const char *file, struct ml_error *err)
{
	return file[0] != '\0' && strcmp(file, "-") != 0
		       ? 0
		       : ml_error_set(err, -EINVAL,
				 "sim:replay=%s: expected the name of a recording, as in "
				 "sim:replay=/home/me/bus.txt",
				 file);
}

int sim_replay_stream_open(struct ml_lane *lane, const char *file, const struct ml_line *line,
	const struct ml_stream_events *events, void *user, struct ml_stream **ret_stream,
	struct ml_error *err)
{
	struct sim_replay *replay = NULL;
	int result = sim_replay_stream_check(file, err);
	if (result == 0)
		result = sim_replay_open(file, &replay, err);
	if (result < 0)
		return result;
	struct replay_stream *s = calloc(1, sizeof *s);
	if (!s) {
		sim_replay_free(replay);
		return ml_error_set(err, -ENOMEM, "out of memory");
	}
	s->head = (struct ml_stream){.ops = &ops, .events = events, .user = user};
	s->lane = lane;
	s->replay = replay;
	(void)replay_set_line(&s->head, line);
	ml_timer_init(&s->timer, lane, fire, s);
	ml_timer_start(&s->timer, ml_lane_now(lane));
	*ret_stream = &s->head;
	return 0;
}
