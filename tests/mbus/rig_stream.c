/* A simulated line that the test has in its hands: "rig:line".
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <stdlib.h>

#include "mbus/rig.h"

struct rig_stream {
	struct ml_stream head;
	struct rig *rig;
	struct ml_lane *lane;
	struct ml_timer timer;
	bool opened, draining, closed, telling;
};

static void release(struct rig_stream *s)
{
	if (s->rig->stream == s)
		s->rig->stream = NULL;
	free(s);
}

static void plan(struct rig_stream *s)
{
	ml_time when = sim_line_when(s->rig->line);
	if (s->draining && sim_line_drained(s->rig->line) < when)
		when = sim_line_drained(s->rig->line);
	if (s->rig->line_fails)
		when = ml_lane_now(s->lane);
	if (when == ML_NEVER)
		ml_timer_stop(&s->timer);
	else
		ml_timer_start(&s->timer, when);
}

static void tell_failed(struct rig_stream *s)
{
	struct ml_error err = ML_ERROR_NONE;
	ml_error_set(&err, -EIO, "the adapter was pulled");
	sim_line_discard(s->rig->line);
	s->head.events->failed(s->head.user, &err);
}

static void tell_heard(struct rig_stream *s)
{
	const uint8_t *bytes = s->rig->heard;
	s->rig->heard = NULL;
	if (s->rig->heard_broken)
		s->head.events->damaged(s->head.user, bytes, s->rig->heard_length);
	else
		s->head.events->received(s->head.user, bytes, s->rig->heard_length);
}

static void tell(struct rig_stream *s)
{
	struct rig *rig = s->rig;
	const ml_time now = ml_lane_now(s->lane);
	if (rig->line_fails) {
		tell_failed(s);
		return;
	}
	if (!s->opened) {
		s->opened = true;
		s->head.events->opened(s->head.user);
		return;
	}
	if (rig->heard)
		tell_heard(s);
	if (s->draining && sim_line_drained(rig->line) <= now) {
		s->draining = false;
		s->head.events->drained(s->head.user);
	}
	while (!s->closed) {
		const uint8_t *bytes = NULL;
		bool damaged = false;
		const size_t length = sim_line_take_run(
			rig->line, now, ml_clock_wall(rig->clock), &bytes, &damaged);
		if (length == 0)
			return;
		if (damaged)
			s->head.events->damaged(s->head.user, bytes, length);
		else
			s->head.events->received(s->head.user, bytes, length);
	}
}

static void fire(struct ml_timer *timer)
{
	struct rig_stream *s = timer->user;
	s->telling = true;
	tell(s);
	s->telling = false;
	if (s->closed)
		release(s);
	else if (!s->rig->line_fails)
		plan(s);
}

static int rig_write(struct ml_stream *stream, const uint8_t *bytes, size_t length)
{
	struct rig_stream *s = (struct rig_stream *)stream;
	s->rig->written += length;
	sim_line_received(s->rig->line, bytes, length, ml_lane_now(s->lane));
	s->draining = true;
	plan(s);
	return 0;
}

static int rig_set_line(struct ml_stream *stream, const struct ml_line *line)
{
	struct rig_stream *s = (struct rig_stream *)stream;
	s->rig->rate_changes++;
	sim_line_set_rate(s->rig->line, (struct sim_rate){line->baud, line->parity});
	return 0;
}

static int rig_signals(struct ml_stream *stream, unsigned *set)
{
	struct rig_stream *s = (struct rig_stream *)stream;
	*set = sim_line_is_short(s->rig->line) ? ML_SIGNAL_DCD : 0;
	return 0;
}

static void rig_discard(struct ml_stream *stream)
{
	sim_line_discard(((struct rig_stream *)stream)->rig->line);
}

static void rig_close(struct ml_stream *stream)
{
	struct rig_stream *s = (struct rig_stream *)stream;
	s->closed = true;
	ml_timer_stop(&s->timer);
	if (!s->telling)
		release(s);
}

static const struct ml_stream_ops ops = {
	.write = rig_write,
	.set_line = rig_set_line,
	.discard = rig_discard,
	.close = rig_close,
	.signals = rig_signals,
};

static int rig_open(struct ml_engine *engine, struct ml_lane *lane, const char *rest,
	const struct ml_line *line, const struct ml_stream_events *events, void *user,
	struct ml_stream **ret_stream, struct ml_error *err)
{
	struct rig *rig = rig_of_engine(engine);
	(void)rest;
	rig->opens++;
	if (rig->line_fails)
		return ml_error_set(err, -ENOENT, "there is no adapter");
	struct rig_stream *s = calloc(1, sizeof *s);
	if (!s)
		return ml_error_set(err, -ENOMEM, "out of memory");
	*s = (struct rig_stream){
		.head = {.ops = &ops, .events = events, .user = user}, .rig = rig, .lane = lane};
	rig->stream = s;
	rig->stream_user = user;
	sim_line_set_rate(rig->line, (struct sim_rate){line->baud, line->parity});
	ml_timer_init(&s->timer, lane, fire, s);
	ml_timer_start(&s->timer, ml_lane_now(lane));
	*ret_stream = &s->head;
	return 0;
}

const struct ml_stream_scheme rig_schemes[] = {
	{.name = "rig", .help = "LINE", .open = rig_open},
	{0},
};

void rig_line(struct rig *rig, const struct sim_options *options)
{
	sim_line_free(rig->line);
	rig->line = sim_line_new(options);
}

void rig_fail_line(struct rig *rig, bool fails)
{
	rig->line_fails = fails;
	if (fails && rig->stream)
		ml_timer_start(&rig->stream->timer, ml_lane_now(rig->stream->lane));
}

void rig_disturb(struct rig *rig, const uint8_t *bytes, size_t length, ml_time in)
{
	struct rig_stream *s = rig->stream;
	(void)sim_line_disturb(rig->line, bytes, length, (struct sim_rate){2400, ML_PARITY_EVEN},
		ml_lane_now(s->lane) + in);
	plan(s);
}

void rig_hear(struct rig *rig, const uint8_t *bytes, size_t length, bool broken)
{
	struct rig_stream *s = rig->stream;
	if (!s || !s->opened)
		return;
	rig->heard = bytes;
	rig->heard_length = length;
	rig->heard_broken = broken;
	ml_timer_start(&s->timer, ml_lane_now(s->lane));
}
