/* The engine's own commands and settings: the tables.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "command/builtin.h"

#include <stddef.h>

#include <meterloom/zone.h>

#include "command/registry.h"
#include "command/settings_private.h"

const struct ml_command *const ml_builtin_commands[] = {
	ml_job_commands,
	ml_setting_commands,
	ml_event_commands,
	ml_log_commands,
	ml_clock_commands,
	ml_node_commands,
	ml_graph_commands,
	ml_engine_commands_table,
	NULL,
};

static int check_zone(const json_t *value, struct ml_error *err)
{
	struct ml_zone *zone = NULL;
	const int r = ml_zone_load(json_string_value(value), NULL, &zone, err);
	ml_zone_free(zone);
	return r;
}

static const struct ml_choice clock_trusts[] = {
	{"plausible", 0,
		"A time later than any that was seen before, or one that a time server has set."},
	{"synchronised", 1, "Only a time that a time server has set, as the kernel tells."},
	{0},
};

static const struct ml_choice log_severities[] = {
	{"debug", ML_LOG_DEBUG, "All lines; they are then logged too, whatever log.level says."},
	{"info", ML_LOG_INFO, "All but debug."},
	{"warning", ML_LOG_WARNING, NULL},
	{"error", ML_LOG_ERROR, NULL},
	{0},
};

const struct ml_setting ml_builtin_settings[] = {
	{
		.param = {.name = "gateway.serial",
			.kind = ML_PARAM_STRING,
			.title = "Serial number",
			.help = "The serial number of this gateway, as it stands in reports.",
			.max = 64,
			.flags = ML_PARAM_NULLABLE},
		.scope = ML_SETTING_DEVICE,
	},
	{
		.param = {.name = "gateway.name",
			.kind = ML_PARAM_STRING,
			.title = "Name",
			.help = "The name of this gateway, as it stands in reports as their "
				"sender. It is "
				"not the name of the host.",
			.preset = "\"Meterloom\"",
			.min = 1,
			.max = 128},
		.scope = ML_SETTING_DEVICE,
	},
	{
		.param = {.name = "gateway.contact",
			.kind = ML_PARAM_STRING,
			.title = "Contact",
			.help = "Whom the reader of a report may ask: a name, a telephone number, "
				"an "
				"address.",
			.max = 512,
			.flags = ML_PARAM_NULLABLE},
		.scope = ML_SETTING_SHARED,
	},
	{
		.param = {.name = "gateway.time_zone",
			.kind = ML_PARAM_STRING,
			.title = "Time zone",
			.help = "The zone in whose time schedules run and reports tell the time, "
				"such "
				"as Europe/Paris.",
			.preset = "\"UTC\"",
			.max = ML_ZONE_NAME_MAX - 1,
			.check = check_zone},
		.scope = ML_SETTING_SHARED,
	},
	{
		.param = {.name = "gateway.clock_trust",
			.kind = ML_PARAM_CHOICE,
			.title = "When the clock is right",
			.help = "What makes the gateway believe the clock after a start. Until "
				"then "
				"no report holds what was read, since its time is not known.",
			.preset = "\"plausible\"",
			.choices = clock_trusts},
		.scope = ML_SETTING_SHARED,
	},
	{
		.param = {.name = "log.keep",
			.kind = ML_PARAM_CHOICE,
			.title = "Least severity that is kept",
			.help = "Lines of the log of this severity and higher ones are kept on the "
				"disk.",
			.preset = "\"info\"",
			.choices = log_severities},
		.scope = ML_SETTING_SHARED,
	},
	{
		.param = {.name = "log.max_age",
			.kind = ML_PARAM_INTEGER,
			.title = "Age of the log",
			.help = "Lines and events that are older are deleted.",
			.unit = "days",
			.preset = "31",
			.min = 1,
			.max = 3650},
		.scope = ML_SETTING_SHARED,
	},
	{
		.param = {.name = "log.max_size",
			.kind = ML_PARAM_INTEGER,
			.title = "Size of the log",
			.help = "The most that the log takes on the disk; the oldest lines are "
				"deleted for it. A write-ahead log of up to 4 MB comes on top.",
			.unit = "MB",
			.preset = "100",
			.min = 1,
			.max = 10000},
		.scope = ML_SETTING_SHARED,
	},
	{{0}, 0},
};
