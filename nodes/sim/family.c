/* The family "sim": virtual meters and a head-end.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "sim/family.h"

#include "sim/stream.h"
#include "sim/tool_sim.h"

static const struct ml_tool tools[] = {
	{"sim", "[OPTIONS]", "virtual meters, and a head-end that receives reports", sim_tool_main},
	{0},
};

const struct ml_family sim_family = {
	.abi = ML_FAMILY_ABI,
	.size = sizeof(struct ml_family),
	.name = "sim",
	.streams = sim_stream_schemes,
	.tools = tools,
};
