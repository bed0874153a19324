/* Ports of virtual meters: bytes in and out at the times of the line.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <stdlib.h>

#include <meterloom/engine.h>

#include "sim/port_private.h"

static void plan(struct sim_port *port)
{
	const ml_time when = sim_line_when(port->line);
	if (when == ML_NEVER)
		ml_timer_stop(&port->timer);
	else
		ml_timer_start(&port->timer, when);
}

static void fire(struct ml_timer *timer)
{
	struct sim_port *port = timer->user;
	const ml_time wall = ml_clock_wall(ml_engine_clock(ml_lane_engine(port->lane)));
	const uint8_t *bytes = NULL;
	const size_t length = sim_line_take(port->line, ml_lane_now(port->lane), wall, &bytes);
	if (length > 0)
		port->send(port, bytes, length);
	plan(port);
}

int sim_port_init(struct sim_port *port, struct ml_lane *lane, const struct sim_options *options,
	struct ml_error *err)
{
	port->lane = lane;
	port->line = sim_line_new(options);
	if (!port->line)
		return ml_error_set(err, -ENOMEM, "out of memory");
	ml_timer_init(&port->timer, lane, fire, port);
	return 0;
}

void sim_port_set_rate(struct sim_port *port, struct sim_rate rate)
{
	sim_line_set_rate(port->line, rate);
}

void sim_port_received(struct sim_port *port, const uint8_t *bytes, size_t length)
{
	sim_line_received(port->line, bytes, length, ml_lane_now(port->lane));
	plan(port);
}

const char *sim_port_address(const struct sim_port *port)
{
	return port->address;
}

void sim_port_close(struct sim_port *port)
{
	if (!port)
		return;
	ml_timer_stop(&port->timer);
	port->close(port);
}

void sim_port_free(struct sim_port *port)
{
	sim_line_free(port->line);
	free(port);
}
