/* Virtual meters for the outside world: on a pseudo-terminal or a TCP port.
 * SPDX-License-Identifier: Apache-2.0
 *
 * All on the lane of the port (real clock).
 */
#ifndef SIM_PORT_H
#define SIM_PORT_H

#include <stdint.h>

#include <meterloom/error.h>

#include "sim/line.h"

struct ml_lane;
struct sim_port;

/* A pseudo-terminal; `link` (may be NULL) becomes a symbolic link to it, replacing one that is
 * there, so that a gateway can name it. */
int sim_port_pty(struct ml_lane *lane, const struct sim_options *options, const char *link,
	struct sim_port **ret_port, struct ml_error *err);

/* A TCP port (0: a free one). One master at a time: the newest. */
int sim_port_tcp(struct ml_lane *lane, const struct sim_options *options, const char *address,
	uint16_t port, struct sim_port **ret_port, struct ml_error *err);

/* The address for a gateway: "serial:/dev/pts/3", "tcp:127.0.0.1:10001". */
const char *sim_port_address(const struct sim_port *port);

void sim_port_close(struct sim_port *port); /* accepts NULL */

#endif
