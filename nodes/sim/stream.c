/* Virtual meters within the process, on the engine's own clock: the same bus for the same address.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "sim/stream.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#include <meterloom/engine.h>
#include <meterloom/node.h>

#include "sim/buses.h"
#include "sim/replay_stream.h"
#include "sim/world.h"

enum { INTERFACE_MAX = 256 };

struct sim_stream {
	struct ml_stream head;
	struct ml_lane *lane;
	struct sim_held *held;   /* the bus in common with commands; NULL: it is a world's */
	struct sim_bus *bus;     /* to be used between lock() and unlock() */
	struct sim_world *world; /* NULL: none */
	ml_time change;          /* when the line breaks, or comes back */
	struct ml_timer timer;
	bool opened, draining, closed, failed;
	bool touched; /* somebody changed the bus */
	bool telling; /* in a callback: closing must wait */
};

static struct sim_line *lock(struct sim_stream *s)
{
	if (s->held)
		(void)sim_held_lock(s->held);
	return sim_bus_line(s->bus);
}

static void unlock(struct sim_stream *s)
{
	if (s->held)
		sim_held_unlock(s->held);
}

static void free_stream(struct sim_stream *s)
{
	if (s->held)
		sim_held_give_back(s->held);
	free(s);
}

static ml_time wall_of(const struct sim_stream *s)
{
	return s->world ? sim_world_wall(s->world)
			: ml_clock_wall(ml_engine_clock(ml_lane_engine(s->lane)));
}

/* Whether the line has broken; that is then told. */
static bool tell_broken(struct sim_stream *s)
{
	struct ml_error err = ML_ERROR_NONE;
	const ml_time now = ml_lane_now(s->lane);
	if (s->opened && now < s->change && !s->touched)
		return false;
	struct sim_line *line = lock(s);
	s->touched = false;
	s->failed = sim_bus_broken(s->bus, now, &s->change);
	if (s->failed)
		sim_line_discard(line);
	unlock(s);
	if (!s->failed)
		return false;
	ml_error_set(&err, -EIO, "the simulated line is broken");
	s->head.events->failed(s->head.user, &err);
	return true;
}

static void plan(struct sim_stream *s)
{
	if (s->failed)
		return;
	const struct sim_line *line = lock(s);
	ml_time when = sim_line_when(line);
	when = s->change < when ? s->change : when;
	if (s->draining && sim_line_drained(line) < when)
		when = sim_line_drained(line);
	unlock(s);
	if (when == ML_NEVER)
		ml_timer_stop(&s->timer);
	else
		ml_timer_start(&s->timer, when);
}

static void tell_drained(struct sim_stream *s, ml_time now)
{
	if (!s->draining)
		return;
	s->draining = sim_line_drained(lock(s)) > now;
	unlock(s);
	if (!s->draining && s->head.events->drained)
		s->head.events->drained(s->head.user);
}

static void tell(struct sim_stream *s)
{
	const ml_time now = ml_lane_now(s->lane);
	const uint8_t *bytes = NULL;
	if (tell_broken(s))
		return;
	if (!s->opened) {
		s->opened = true;
		if (s->head.events->opened)
			s->head.events->opened(s->head.user);
		return;
	}
	tell_drained(s, now);
	while (!s->closed) {
		bool damaged = false;
		/* The bytes stay where they are until this lane takes more. */
		const size_t length = sim_line_take_run(lock(s), now, wall_of(s), &bytes, &damaged);
		unlock(s);
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
	struct sim_stream *s = timer->user;
	s->telling = true;
	tell(s);
	s->telling = false;
	if (s->closed)
		free_stream(s);
	else
		plan(s);
}

static int sim_write(struct ml_stream *stream, const uint8_t *bytes, size_t length)
{
	struct sim_stream *s = (struct sim_stream *)stream;
	if (!s->opened || s->failed)
		return -ENOTCONN;
	sim_line_received(lock(s), bytes, length, ml_lane_now(s->lane));
	unlock(s);
	s->draining = true;
	plan(s);
	return 0;
}

static int sim_set_line(struct ml_stream *stream, const struct ml_line *line)
{
	struct sim_stream *s = (struct sim_stream *)stream;
	sim_line_set_rate(lock(s), (struct sim_rate){line->baud, line->parity});
	unlock(s);
	return 0;
}

/* As converters that tell of a short circuit do. */
static int sim_signals(struct ml_stream *stream, unsigned *set)
{
	struct sim_stream *s = (struct sim_stream *)stream;
	*set = sim_line_is_short(lock(s)) ? ML_SIGNAL_DCD : 0;
	unlock(s);
	return 0;
}

static void sim_discard(struct ml_stream *stream)
{
	struct sim_stream *s = (struct sim_stream *)stream;
	sim_line_discard(lock(s));
	unlock(s);
	plan(s);
}

/* Somebody changed the bus. */
static void touch(void *user)
{
	struct sim_stream *s = user;
	s->touched = true;
	if (!s->failed && !s->closed)
		ml_timer_start(&s->timer, ml_lane_now(s->lane));
}

static void sim_close(struct ml_stream *stream)
{
	struct sim_stream *s = (struct sim_stream *)stream;
	s->closed = true;
	sim_line_discard(lock(s));
	unlock(s);
	ml_timer_stop(&s->timer);
	if (!s->telling)
		free_stream(s);
}

static const struct ml_stream_ops sim_ops = {
	.write = sim_write,
	.set_line = sim_set_line,
	.discard = sim_discard,
	.close = sim_close,
	.signals = sim_signals,
};

static int sim_check(const char *rest, struct ml_error *err)
{
	struct sim_options options = SIM_OPTIONS_NONE;
	const char *recording = sim_replay_file(rest);
	if (recording)
		return sim_replay_stream_check(recording, err);
	int result = sim_options_parse(rest, &options, err);
	for (size_t i = 0; result == 0 && i < options.faults.count; i++)
		result = sim_rule_check(&options.faults.rules[i], 1, options.meters, err);
	return result;
}

/* The bus that the options name. */
static int find_bus(struct sim_stream *s, struct ml_engine *engine, const char *rest,
	struct sim_options *options, struct ml_error *err)
{
	char interface[INTERFACE_MAX];
	if (options->bus > 0) {
		s->world = sim_world_of(engine);
		s->bus = s->world ? sim_world_bus(s->world, options->bus) : NULL;
		return s->bus ? 0
			      : ml_error_set(err, -ENOENT,
					"there is no simulated bus %u here: it is made by "
					"`meterloom simulate`",
					options->bus);
	}
	const int result = sim_options_load(options, err);
	if (result < 0)
		return result;
	(void)snprintf(interface, sizeof interface, "sim:%s", rest);
	s->held = sim_buses_take(sim_buses(engine), interface, options, s->lane, touch, s);
	if (!s->held)
		return ml_error_set(err, -ENOMEM, "out of memory");
	s->bus = sim_held_lock(s->held);
	sim_held_unlock(s->held);
	return 0;
}

static int sim_open(struct ml_engine *engine, struct ml_lane *lane, const char *rest,
	const struct ml_line *line, const struct ml_stream_events *events, void *user,
	struct ml_stream **ret_stream, struct ml_error *err)
{
	struct sim_options options = SIM_OPTIONS_NONE;
	const char *recording = sim_replay_file(rest);
	if (recording)
		return sim_replay_stream_open(lane, recording, line, events, user, ret_stream, err);
	options.baud = line->baud;
	int result = sim_options_parse(rest, &options, err);
	if (result < 0)
		return result;
	struct sim_stream *s = calloc(1, sizeof *s);
	if (!s)
		return ml_error_set(err, -ENOMEM, "out of memory");
	s->head = (struct ml_stream){.ops = &sim_ops, .events = events, .user = user};
	s->lane = lane;
	result = find_bus(s, engine, rest, &options, err);
	if (result < 0) {
		free(s);
		return result;
	}
	sim_line_set_rate(lock(s), (struct sim_rate){line->baud, line->parity});
	unlock(s);
	ml_timer_init(&s->timer, lane, fire, s);
	ml_timer_start(&s->timer, ml_lane_now(lane));
	*ret_stream = &s->head;
	return 0;
}

const struct ml_stream_scheme sim_stream_schemes[] = {
	{
		.name = "sim",
		.help = "METERS",
		.check = sim_check,
		.open = sim_open,
	},
	{0},
};
