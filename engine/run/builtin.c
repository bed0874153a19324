/* The engine's own family.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "run/builtin.h"

#include "command/metrics_feed.h"

static const struct ml_message_type *const types[] = {&ml_trigger_type, NULL};

/* How often this data directory was started: the upper bits of every trace. */
static const struct ml_migration migrations[] = {
	{"meterloom", 1, "CREATE TABLE ml_start(id INTEGER PRIMARY KEY, epoch INTEGER NOT NULL)"},
	{0},
};

static const struct ml_service_class services[] = {
	{"metrics-feed", ml_metrics_feed_start, ml_metrics_feed_stop},
	{0},
};

const struct ml_family ml_builtin_family = {
	.abi = ML_FAMILY_ABI,
	.size = sizeof(struct ml_family),
	.name = "engine",
	.message_types = types,
	.migrations = migrations,
	.services = services,
};
