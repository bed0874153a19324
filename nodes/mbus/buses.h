/* Which wired buses an engine has: the running nodes mbus-source, by the names of their buses.
 * SPDX-License-Identifier: Apache-2.0
 *
 * The service "mbus-buses". A bus is listed while its node runs, whether its line is open or not.
 */
#ifndef MBUS_BUSES_H
#define MBUS_BUSES_H

#include <stdbool.h>
#include <stddef.h>

#include <meterloom/family.h>

#include "meter/list.h"

enum {
	MBUS_BUSES_MAX = 256,
	MBUS_NODE_MAX = 40,       /* bytes of a node's id, with the NUL */
	MBUS_INTERFACE_MAX = 256, /* bytes, with the NUL; longer ones are cut */
};

struct mbus_bus {
	char node[MBUS_NODE_MAX];
	char bus[METER_BUS_MAX]; /* "": the default bus */
	char interface[MBUS_INTERFACE_MAX];
};

struct mbus_buses;

struct mbus_buses *mbus_buses(struct ml_engine *engine); /* NULL: this engine has none */

/* Copies at most `size`, in the order of their names; returns how many it copied. Any thread. */
size_t mbus_buses_list(struct mbus_buses *buses, struct mbus_bus *out, size_t size);

/* false: no node reads this bus. Any thread. */
bool mbus_buses_find(struct mbus_buses *buses, const char *bus, struct mbus_bus *out);

/* For the node: `who` is any address of its own. */
void mbus_buses_join(struct mbus_buses *buses, const void *who, const char *node, const char *bus,
	const char *interface);
void mbus_buses_leave(struct mbus_buses *buses, const void *who);

extern const struct ml_service_class mbus_services[];

#endif
