/* Virtual meters behind a port: bytes in and out at the times of the line.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <stdlib.h>

#include <meterloom/engine.h>
#include <meterloom/node.h>

#include "sim/port_private.h"

/* When the port cannot come back yet. */
#define TRY_AGAIN ML_SEC

struct meters {
	struct ml_lane *lane;
	struct sim_bus *bus; /* owned */
	struct sim_line *line;
	struct sim_port *port; /* whose closing frees this */
	struct ml_timer timer;
	bool pulled;
};

static void plan(struct meters *m, ml_time soon)
{
	const ml_time when = sim_line_when(m->line);
	if (when == ML_NEVER && soon == ML_NEVER)
		ml_timer_stop(&m->timer);
	else
		ml_timer_start(&m->timer, when < soon ? when : soon);
}

/* Takes the port away and brings it back; when that changes next. */
static ml_time look_at_port(struct meters *m, ml_time now)
{
	struct ml_error err = ML_ERROR_NONE;
	ml_time change = ML_NEVER;
	const bool broken = sim_bus_broken(m->bus, now, &change);
	if (broken == m->pulled)
		return change;
	sim_line_discard(m->line);
	if (sim_port_pull(m->port, broken, &err) == 0) {
		m->pulled = broken;
		return change;
	}
	ml_log(ml_engine_log(ml_lane_engine(m->lane)), ML_LOG_WARNING, "sim", "%s", err.text);
	return now + TRY_AGAIN < change ? now + TRY_AGAIN : change;
}

static void fire(struct ml_timer *timer)
{
	struct meters *m = timer->user;
	const ml_time now = ml_lane_now(m->lane);
	const ml_time wall = ml_clock_wall(ml_engine_clock(ml_lane_engine(m->lane)));
	const uint8_t *bytes = NULL;
	const ml_time soon = look_at_port(m, now);
	const size_t length = sim_line_take(m->line, now, wall, &bytes);
	if (length > 0)
		sim_port_send(m->port, bytes, length);
	plan(m, soon);
}

static void touch(struct sim_port *port)
{
	struct meters *m = port->behind.user;
	ml_timer_start(&m->timer, ml_lane_now(m->lane));
}

static void on_received(void *user, const uint8_t *bytes, size_t length)
{
	struct meters *m = user;
	ml_time change = ML_NEVER;
	const ml_time now = ml_lane_now(m->lane);
	sim_line_received(m->line, bytes, length, now);
	(void)sim_bus_broken(m->bus, now, &change);
	plan(m, change);
}

static void on_rate(void *user, struct sim_rate rate)
{
	struct meters *m = user;
	sim_line_set_rate(m->line, rate);
}

static void on_closed(void *user)
{
	struct meters *m = user;
	ml_timer_stop(&m->timer);
	sim_bus_free(m->bus);
	free(m);
}

static struct meters *new_meters(struct ml_lane *lane, const struct sim_options *options,
	struct sim_behind *behind, struct ml_error *err)
{
	struct meters *m = calloc(1, sizeof *m);
	if (m)
		m->bus = sim_bus_new(options, NULL, ml_lane_now(lane));
	if (!m || !m->bus) {
		free(m);
		ml_error_set(err, -ENOMEM, "out of memory");
		return NULL;
	}
	m->lane = lane;
	m->line = sim_bus_line(m->bus);
	ml_timer_init(&m->timer, lane, fire, m);
	*behind = (struct sim_behind){
		.user = m,
		.received = on_received,
		.rate = on_rate,
		.closed = on_closed,
		.baud = options->baud,
	};
	return m;
}

static void begin(struct meters *m, struct sim_port *port)
{
	m->port = port;
	port->bus = m->bus;
	port->touch = touch;
	touch(port);
}

int sim_port_pty(struct ml_lane *lane, const struct sim_options *options, const char *link,
	struct sim_port **ret_port, struct ml_error *err)
{
	struct sim_behind behind;
	struct meters *m = new_meters(lane, options, &behind, err);
	*ret_port = NULL;
	if (!m)
		return -ENOMEM;
	const int result = sim_port_open_pty(lane, &behind, link, ret_port, err);
	if (result == 0)
		begin(m, *ret_port);
	return result;
}

int sim_port_tcp(struct ml_lane *lane, const struct sim_options *options, const char *address,
	uint16_t number, struct sim_port **ret_port, struct ml_error *err)
{
	struct sim_behind behind;
	struct meters *m = new_meters(lane, options, &behind, err);
	*ret_port = NULL;
	if (!m)
		return -ENOMEM;
	const int result = sim_port_open_tcp(lane, &behind, address, number, ret_port, err);
	if (result == 0)
		begin(m, *ret_port);
	return result;
}
