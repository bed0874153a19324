/* The engine's own family.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "run/builtin.h"

#include "command/log_keeper.h"
#include "command/metrics_feed.h"
#include "run/wall.h"

static const struct ml_message_type *const types[] = {&ml_trigger_type, NULL};

/* How often this data directory was started: the upper bits of every trace. */
static const struct ml_migration migrations[] = {
	{"meterloom", 1, "CREATE TABLE ml_start(id INTEGER PRIMARY KEY, epoch INTEGER NOT NULL)"},
	/* The newest time seen, microseconds: an earlier one is of a stale clock. */
	{"meterloom", 2, "CREATE TABLE ml_clock(id INTEGER PRIMARY KEY, newest INTEGER NOT NULL)"},
	{0},
};

static const struct ml_service_class services[] = {
	{"log", ml_log_keeper_start, ml_log_keeper_stop},
	{"wall", ml_wall_start, ml_wall_stop},
	{"metrics-feed", ml_metrics_feed_start, ml_metrics_feed_stop},
	{0},
};

static const struct ml_event_class events[] = {
	{"clock-unknown", ML_LOG_WARNING,
		"The clock shows {time}, which cannot be right: the newest time seen here is "
		"{newest}. What is read is kept and gets its time when the clock is set",
		"Connect the gateway to a time server, or set the clock; where it is right, say so "
		"with clock.confirm."},
	{"clock-known", ML_LOG_INFO, "The clock is right from now on: {time}",
		"Nothing is to be done."},
	{"clock-jumped", ML_LOG_WARNING, "The clock was set from {from} to {to} ({seconds} s)",
		"Nothing is to be done where somebody or a time server set it right; else look at "
		"the time server, or at the battery of the clock."},
	{"log-database-damaged", ML_LOG_WARNING,
		"The log database cannot be used ({reason}); it is now {file}, and a new one was "
		"begun",
		"Nothing is to be done: the log goes on. What was in the old one can perhaps be "
		"read with the tools of SQLite. Where it comes again, check the disk."},
	{"log-not-written", ML_LOG_WARNING, "The log cannot be written to the disk: {reason}",
		"Make room on the disk, or look whether it became read-only. Meanwhile the last "
		"lines are in memory only."},
	{"log-written", ML_LOG_INFO, "The log is written to the disk again",
		"Nothing is to be done."},
	{0},
};

const struct ml_family ml_builtin_family = {
	.abi = ML_FAMILY_ABI,
	.size = sizeof(struct ml_family),
	.name = "engine",
	.message_types = types,
	.events = events,
	.migrations = migrations,
	.services = services,
};
