/* The family "decode": telegrams to readings.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "decode/family.h"

#include <errno.h>
#include <stdlib.h>

#include "decode/decode.h"
#include "decode/explain.h"
#include "decode/tool_decode.h"

static const struct ml_node_class *const classes[] = {&decode_class, NULL};

static const struct ml_tool tools[] = {
	{"decode", "[OPTIONS] [HEX [KEY]]...", "decode telegrams", decode_tool_main},
	{0},
};

static int explainer_start(struct ml_engine *engine, void **ret_service, struct ml_error *err)
{
	struct meter_explainer *explainer = malloc(sizeof *explainer);
	(void)engine;
	*ret_service = explainer;
	if (!explainer)
		return ml_error_set(err, -ENOMEM, "out of memory");
	*explainer = (struct meter_explainer){decode_explain};
	return 0;
}

static const struct ml_service_class services[] = {
	{METER_EXPLAINER, explainer_start, free},
	{0},
};

const struct ml_family decode_family = {
	.abi = ML_FAMILY_ABI,
	.size = sizeof(struct ml_family),
	.name = "decode",
	.node_classes = classes,
	.services = services,
	.tools = tools,
};
