/* Commands on events: event.list, event.catalogue.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stddef.h>

#include "command/builtin.h"
#include "command/events.h"
#include "command/log_keeper.h"

struct list_params {
	int64_t limit;
	int severity;
	char *code;
	int64_t before;
	ml_time from, to;
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
		.max = 10000},
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
	{.name = "before",
		.kind = ML_PARAM_INTEGER,
		.offset = offsetof(struct list_params, before),
		.title = "Before",
		.help = "Only events with a lower number than this id: the next page after the "
			"last event of one. 0: from the newest on.",
		.preset = "0",
		.min = 0,
		.max = INT64_MAX},
	{.name = "from",
		.kind = ML_PARAM_TIME,
		.offset = offsetof(struct list_params, from),
		.title = "From",
		.help = "Only events of this time or a later one.",
		.flags = ML_PARAM_NULLABLE},
	{.name = "to",
		.kind = ML_PARAM_TIME,
		.offset = offsetof(struct list_params, to),
		.title = "To",
		.help = "Only events of this time or an earlier one.",
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
		.before = p->before ? (uint64_t)p->before : INT64_MAX,
		.from = p->from,
		.to = p->to != ML_TIME_NONE ? p->to : INT64_MAX,
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
		.help = "Lists events, the newest first, those of earlier starts too: as many as "
			"log.db "
			"holds.",
		.role = ML_ROLE_READ,
		.lane = ML_LOG_LANE,
		.params = list_params,
		.params_size = sizeof(struct list_params),
		.run = list_run,
	},
	{0},
};
