/* The services of the family.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef SIM_SERVICES_H
#define SIM_SERVICES_H

#include <meterloom/family.h>

#define SIM_BUSES "sim-buses"

int sim_place_start(struct ml_engine *engine, void **ret_service, struct ml_error *err);
int sim_buses_start(struct ml_engine *engine, void **ret_service, struct ml_error *err);
void sim_buses_stop(void *service);

/* sim.list, sim.unplug … */
extern const struct ml_command sim_commands[];

#endif
