/* Commands on events: event.list, event.catalogue.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stddef.h>

#include "command/builtin.h"
#include "command/events.h"

struct list_params {
	int64_t limit;
	int severity;
	char *code;
};

static const struct ml_choice severities[] = {
	{"debug", ML_LOG_DEBUG, NULL},
	{"info", ML_LOG_INFO, NULL},
	{"warning", ML_LOG_WARNING, NULL},
	{"error", ML_LOG_ERROR, NULL},
	{0},
};

static const struct ml_param list_params[] = {
	{.name = "limit",
		.kind = ML_PARAM_INTEGER,
		.offset = offsetof(struct list_params, limit),
		.title = "Limit",
		.help = "The most events to tell.",
		.preset = "100",
		.min = 1,
		.max = ML_EVENTS_KEPT},
	{.name = "severity",
		.kind = ML_PARAM_CHOICE,
		.offset = offsetof(struct list_params, severity),
		.title = "Severity",
		.help = "Only events of this severity or a higher one.",
		.preset = "\"debug\"",
		.choices = severities},
	{.name = "code",
		.kind = ML_PARAM_STRING,
		.offset = offsetof(struct list_params, code),
		.title = "Code",
		.help = "Only events of this code; event.catalogue lists them.",
		.max = 80,
		.flags = ML_PARAM_NULLABLE},
	{0},
};

static void list_run(struct ml_job *job, void *params)
{
	const struct list_params *p = params;
	const struct ml_event_filter filter = {
		.limit = (size_t)p->limit,
		.severity = (enum ml_log_level)p->severity,
		.code = p->code,
	};
	ml_events_list(ml_engine_events(ml_job_engine(job)), &filter, ml_job_result(job));
	ml_job_succeed(job);
}

static void catalogue_run(struct ml_job *job, void *params)
{
	(void)params;
	ml_events_catalogue(ml_engine_events(ml_job_engine(job)), ml_job_result(job));
	ml_job_succeed(job);
}

const struct ml_command ml_event_commands[] = {
	{
		.name = "event.catalogue",
		.title = "List the kinds of events",
		.help = "Lists all kinds of events with severity, text and what to do.",
		.role = ML_ROLE_READ,
		.run = catalogue_run,
	},
	{
		.name = "event.list",
		.title = "List events",
		.help = "Lists the last events since the start of the gateway, the newest first.",
		.role = ML_ROLE_READ,
		.params = list_params,
		.params_size = sizeof(struct list_params),
		.run = list_run,
	},
	{0},
};
