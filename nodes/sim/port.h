/* What a gateway takes for a converter: a pseudo-terminal or a TCP port, with virtual meters or
 * something else behind it.
 * SPDX-License-Identifier: Apache-2.0
 *
 * All on the lane of the port (real clock).
 */
#ifndef SIM_PORT_H
#define SIM_PORT_H

#include <stddef.h>
#include <stdint.h>

#include <meterloom/error.h>

#include "sim/bus.h"

struct ml_lane;
struct sim_port;
struct sim_replay;

/* What stands behind a port. */
struct sim_behind {
	void *user;
	/* What the master sent. It may send, and not close the port. */
	void (*received)(void *user, const uint8_t *bytes, size_t length);
	/* How the master sends and hears from now on, where the port can tell. May be NULL. */
	void (*rate)(void *user, struct sim_rate rate);
	/* The port is closed, or could not be opened. May be NULL. */
	void (*closed)(void *user);
	unsigned baud; /* that a pseudo-terminal is set to at first */
};

int sim_port_open_pty(struct ml_lane *lane, const struct sim_behind *behind, const char *link,
	struct sim_port **ret_port, struct ml_error *err);
int sim_port_open_tcp(struct ml_lane *lane, const struct sim_behind *behind, const char *address,
	uint16_t port, struct sim_port **ret_port, struct ml_error *err);

/* To the master. What it does not take is lost, as on a real line. */
void sim_port_send(struct sim_port *port, const uint8_t *bytes, size_t length);

/* Pulled out, it is gone for the master: the terminal and its link, or the listening port and its
 * connections. Put back in it has the same name (a pseudo-terminal without a link: another). */
int sim_port_pull(struct sim_port *port, bool pulled, struct ml_error *err);

/* ---- With virtual meters behind it ---- */

/* A pseudo-terminal; `link` (may be NULL) becomes a symbolic link to it, replacing one that is
 * there, so that a gateway can name it. */
int sim_port_pty(struct ml_lane *lane, const struct sim_options *options, const char *link,
	struct sim_port **ret_port, struct ml_error *err);

/* A TCP port (0: a free one). One master at a time: the newest. */
int sim_port_tcp(struct ml_lane *lane, const struct sim_options *options, const char *address,
	uint16_t port, struct sim_port **ret_port, struct ml_error *err);

/* The bus behind it; NULL: something else is. */
struct sim_bus *sim_port_bus(const struct sim_port *port);
/* Something was done to the bus by hand. */
void sim_port_touch(struct sim_port *port);
/* ---- With a recording behind it, which must outlive the port ---- */

int sim_port_replay_pty(struct ml_lane *lane, struct sim_replay *replay, const char *link,
	struct sim_port **ret_port, struct ml_error *err);
int sim_port_replay_tcp(struct ml_lane *lane, struct sim_replay *replay, const char *address,
	uint16_t port, struct sim_port **ret_port, struct ml_error *err);

/* The address for a gateway: "serial:/dev/pts/3", "tcp:127.0.0.1:10001". */
const char *sim_port_address(const struct sim_port *port);

void sim_port_close(struct sim_port *port); /* accepts NULL */

enum { SIM_PORT_ADDRESS_MAX = 64 };

/* Splits [ADDRESS:]PORT; the address stays as it is where none is given. -EINVAL. */
int sim_port_split(const char *text, char address[SIM_PORT_ADDRESS_MAX], uint16_t *port);

#endif
