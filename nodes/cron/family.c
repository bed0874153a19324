/* The family "cron": schedules.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <meterloom/family.h>

#include "cron/family.h"
#include "cron/trigger.h"

static const struct ml_node_class *const cron_classes[] = {
	&cron_trigger_class,
	&cron_manual_trigger_class,
	NULL,
};

const struct ml_family cron_family = {
	.abi = ML_FAMILY_ABI,
	.size = sizeof(struct ml_family),
	.name = "cron",
	.node_classes = cron_classes,
};
