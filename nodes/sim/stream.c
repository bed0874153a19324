/* Virtual meters within the process, on the engine's own clock: each stream that is opened is a bus
 * of its own, the same one for the same address. SPDX-License-Identifier: Apache-2.0
 */
#include "sim/stream.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>

#include <meterloom/engine.h>
#include <meterloom/node.h>

#include "sim/bus.h"
#include "sim/replay_stream.h"
#include "sim/world.h"

struct sim_stream {
	struct ml_stream head;
	struct ml_lane *lane;
	struct sim_bus *of;      /* owned, but where it is a world's */
	struct sim_line *line;   /* of it */
	struct sim_world *world; /* NULL: a line of its own */
	ml_time change;          /* when the line breaks, or comes back */
	struct ml_timer timer;
	bool opened, draining, closed, failed;
	bool telling; /* in a callback: closing must wait */
};

static void free_stream(struct sim_stream *s)
{
	if (!s->world)
		sim_bus_free(s->of);
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
	if ((s->opened && now < s->change) || !sim_bus_broken(s->of, now, &s->change))
		return false;
	ml_error_set(&err, -EIO, "the simulated line is broken");
	s->failed = true;
	sim_line_discard(s->line);
	s->head.events->failed(s->head.user, &err);
	return true;
}

static void plan(struct sim_stream *s)
{
	ml_time when = sim_line_when(s->line);
	if (s->failed)
		return;
	when = s->change < when ? s->change : when;
	if (s->draining && sim_line_drained(s->line) < when)
		when = sim_line_drained(s->line);
	if (when == ML_NEVER)
		ml_timer_stop(&s->timer);
	else
		ml_timer_start(&s->timer, when);
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
	if (s->draining && sim_line_drained(s->line) <= now) {
		s->draining = false;
		if (s->head.events->drained)
			s->head.events->drained(s->head.user);
	}
	if (s->closed)
		return;
	while (!s->closed) {
		bool damaged = false;
		const size_t length = sim_line_take_run(s->line, now, wall_of(s), &bytes, &damaged);
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
	sim_line_received(s->line, bytes, length, ml_lane_now(s->lane));
	s->draining = true;
	plan(s);
	return 0;
}

static int sim_set_line(struct ml_stream *stream, const struct ml_line *line)
{
	sim_line_set_rate(
		((struct sim_stream *)stream)->line, (struct sim_rate){line->baud, line->parity});
	return 0;
}

/* As converters that tell of a short circuit do. */
static int sim_signals(struct ml_stream *stream, unsigned *set)
{
	*set = sim_line_is_short(((struct sim_stream *)stream)->line) ? ML_SIGNAL_DCD : 0;
	return 0;
}

static void sim_discard(struct ml_stream *stream)
{
	struct sim_stream *s = (struct sim_stream *)stream;
	sim_line_discard(s->line);
	plan(s);
}

static void sim_close(struct ml_stream *stream)
{
	struct sim_stream *s = (struct sim_stream *)stream;
	s->closed = true;
	if (s->world)
		sim_line_discard(s->line);
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
	return recording ? sim_replay_stream_check(recording, err)
			 : sim_options_parse(rest, &options, err);
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
	const int result = sim_options_parse(rest, &options, err);
	if (result < 0)
		return result;
	struct sim_world *world = options.bus > 0 ? sim_world_of(engine) : NULL;
	struct sim_bus *bus = world ? sim_world_bus(world, options.bus) : NULL;
	if (options.bus > 0 && !bus)
		return ml_error_set(err, -ENOENT,
			"there is no simulated bus %u here: it is made by "
			"`meterloom simulate`",
			options.bus);
	struct sim_stream *s = calloc(1, sizeof *s);
	bus = bus ? bus : sim_bus_new(&options, NULL, ml_lane_now(lane));
	if (!s || !bus) {
		free(s);
		if (!world)
			sim_bus_free(bus);
		return ml_error_set(err, -ENOMEM, "out of memory");
	}
	s->world = world;
	s->of = bus;
	s->line = sim_bus_line(bus);
	sim_line_set_rate(s->line, (struct sim_rate){line->baud, line->parity});
	s->head = (struct ml_stream){.ops = &sim_ops, .events = events, .user = user};
	s->lane = lane;
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
