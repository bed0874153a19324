/* Virtual meters behind a port: bytes in and out at the times of the line.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <stdlib.h>

#include <meterloom/engine.h>
#include <meterloom/node.h>

#include "sim/port.h"

struct meters {
	struct ml_lane *lane;
	struct sim_line *line; /* owned */
	struct sim_port *port; /* whose closing frees this */
	struct ml_timer timer;
};

static void plan(struct meters *m)
{
	const ml_time when = sim_line_when(m->line);
	if (when == ML_NEVER)
		ml_timer_stop(&m->timer);
	else
		ml_timer_start(&m->timer, when);
}

static void fire(struct ml_timer *timer)
{
	struct meters *m = timer->user;
	const ml_time wall = ml_clock_wall(ml_engine_clock(ml_lane_engine(m->lane)));
	const uint8_t *bytes = NULL;
	const size_t length = sim_line_take(m->line, ml_lane_now(m->lane), wall, &bytes);
	if (length > 0)
		sim_port_send(m->port, bytes, length);
	plan(m);
}

static void on_received(void *user, const uint8_t *bytes, size_t length)
{
	struct meters *m = user;
	sim_line_received(m->line, bytes, length, ml_lane_now(m->lane));
	plan(m);
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
	sim_line_free(m->line);
	free(m);
}

static struct meters *new_meters(struct ml_lane *lane, const struct sim_options *options,
	struct sim_behind *behind, struct ml_error *err)
{
	struct meters *m = calloc(1, sizeof *m);
	if (m)
		m->line = sim_line_new(options);
	if (!m || !m->line) {
		free(m);
		ml_error_set(err, -ENOMEM, "out of memory");
		return NULL;
	}
	m->lane = lane;
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
		m->port = *ret_port;
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
		m->port = *ret_port;
	return result;
}
