/* What the two kinds of ports share.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef SIM_PORT_PRIVATE_H
#define SIM_PORT_PRIVATE_H

#include <stdbool.h>

#include <meterloom/node.h>

#include "sim/port.h"

enum { SIM_ADDRESS_MAX = 160 };

struct sim_port {
	struct ml_lane *lane;
	struct sim_behind behind;
	char address[SIM_ADDRESS_MAX];
	struct sim_bus *bus; /* behind it; NULL: something else */
	void (*send)(struct sim_port *port, const uint8_t *bytes, size_t length);
	int (*pull)(struct sim_port *port, bool pulled, struct ml_error *err);
	void (*touch)(struct sim_port *port); /* NULL: there is no bus */
	/* Closes what it holds and frees the port in the end. */
	void (*close)(struct sim_port *port);
};

/* Where it is known how the master sends and hears. */
void sim_port_set_rate(struct sim_port *port, struct sim_rate rate);
void sim_port_received(struct sim_port *port, const uint8_t *bytes, size_t length);

#endif
