/* The simulated buses of a gateway: what interfaces "sim:..." lead to, and commands reach.
 * SPDX-License-Identifier: Apache-2.0
 *
 * The service "sim-buses". A bus is made when its interface is opened first and stays as it is
 * until the engine ends: what was unplugged stays unplugged while a graph is applied.
 *
 * Thread-safety: all functions from any thread. The bus is touched between sim_held_lock(),
 * which gives it, and sim_held_unlock() alone.
 */
#ifndef SIM_BUSES_H
#define SIM_BUSES_H

#include <meterloom/family.h>
#include <meterloom/node.h>

#include "sim/bus.h"

struct sim_buses;
struct sim_held;

enum { SIM_HELD_MAX = 256 };

struct sim_buses *sim_buses(struct ml_engine *engine); /* NULL: this engine has none */

/* The bus behind `interface`, as it was left; a new one where it is not known or somebody has it.
 * `touch` is called on the lane after somebody changed it. NULL: out of memory. */
struct sim_held *sim_buses_take(struct sim_buses *buses, const char *interface,
	const struct sim_options *options, struct ml_lane *lane, void (*touch)(void *user),
	void *user);
void sim_held_give_back(struct sim_held *held);

struct sim_bus *sim_held_lock(struct sim_held *held);
void sim_held_unlock(struct sim_held *held);

/* ---- For commands ---- */

size_t sim_buses_count(struct sim_buses *buses);
struct sim_held *sim_buses_at(struct sim_buses *buses, size_t index);
/* By its name or interface; "": the only one. NULL: err tells which there are. */
struct sim_held *sim_buses_find(struct sim_buses *buses, const char *name, struct ml_error *err);
const char *sim_held_name(const struct sim_held *held); /* its interface where it has none */
const char *sim_held_interface(const struct sim_held *held);
bool sim_held_is_open(struct sim_held *held);
/* Its line is looked at soon. */
void sim_held_touch(struct sim_held *held);

#endif
