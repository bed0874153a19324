/* Ports: what the two kinds share.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdlib.h>

#include "sim/port_private.h"

void sim_port_set_rate(struct sim_port *port, struct sim_rate rate)
{
	if (port->behind.rate)
		port->behind.rate(port->behind.user, rate);
}

void sim_port_received(struct sim_port *port, const uint8_t *bytes, size_t length)
{
	port->behind.received(port->behind.user, bytes, length);
}

void sim_port_send(struct sim_port *port, const uint8_t *bytes, size_t length)
{
	port->send(port, bytes, length);
}

int sim_port_pull(struct sim_port *port, bool pulled, struct ml_error *err)
{
	return port->pull(port, pulled, err);
}

struct sim_bus *sim_port_bus(const struct sim_port *port)
{
	return port->bus;
}

void sim_port_touch(struct sim_port *port)
{
	if (port->touch)
		port->touch(port);
}

const char *sim_port_address(const struct sim_port *port)
{
	return port->address;
}

/* The handles are closed later: what stands behind them hears nothing any more. */
void sim_port_close(struct sim_port *port)
{
	if (!port)
		return;
	if (port->behind.closed)
		port->behind.closed(port->behind.user);
	port->close(port);
}
