/* The family "sim": virtual meters and a head-end.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "sim/family.h"

#include <stdlib.h>

#include "meter/receiver.h"
#include "sim/services.h"
#include "sim/stream.h"
#include "sim/tool_record.h"
#include "sim/tool_sim.h"
#include "sim/tool_simulate.h"

static const struct ml_service_class services[] = {
	{.name = METER_RECEIVERS, .start = sim_place_start, .stop = free},
	{.name = SIM_BUSES, .start = sim_buses_start, .stop = sim_buses_stop},
	{0},
};

static const struct ml_tool tools[] = {
	{"record", "INTERFACE --out FILE [OPTIONS]",
		"what goes over the interface of a bus, kept, explained and shown",
		sim_tool_record},
	{"sim", "[OPTIONS]", "virtual meters, and a head-end that receives reports", sim_tool_main},
	{"simulate", "[OPTIONS] GRAPH.json",
		"a gateway lives through days within seconds, with faults", sim_tool_simulate},
	{0},
};

const struct ml_family sim_family = {
	.abi = ML_FAMILY_ABI,
	.size = sizeof(struct ml_family),
	.name = "sim",
	.commands = sim_commands,
	.services = services,
	.streams = sim_stream_schemes,
	.tools = tools,
};
