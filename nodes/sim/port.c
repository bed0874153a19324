/* Ports: what the two kinds share.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

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

int sim_port_split(const char *text, char address[SIM_PORT_ADDRESS_MAX], uint16_t *port)
{
	const char *colon = strrchr(text, ':');
	const char *number = colon ? colon + 1 : text;
	size_t length = colon ? (size_t)(colon - text) : 0;
	char *end = NULL;
	const long value = strtol(number, &end, 10);
	if (colon && text[0] == '[' && length >= 2 && text[length - 1] == ']') {
		text++;
		length -= 2;
	}
	if (*number < '0' || *number > '9' || *end != '\0' || value > 65535 ||
		length >= SIM_PORT_ADDRESS_MAX)
		return -EINVAL;
	if (length > 0) {
		memcpy(address, text, length);
		address[length] = '\0';
	}
	*port = (uint16_t)value;
	return 0;
}
