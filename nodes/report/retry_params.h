/* How often a sink tries again: the parameters that sinks share.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef REPORT_RETRY_PARAMS_H
#define REPORT_RETRY_PARAMS_H

#include <meterloom/param.h>

#include "meter/delivery.h"
#include "report/retry.h"

enum report_retry { REPORT_RETRY_ADAPTIVE, REPORT_RETRY_FIXED, REPORT_RETRY_NONE };

struct report_retry_own {
	int kind;
	int64_t count;
	ml_time wait;
};

extern const struct ml_choice report_retry_choices[];

/* What holds for a document. A test is tried once. */
struct report_retry_plan report_retry_plan(
	const struct report_retry_own *own, const struct meter_document *document);

/* The rows of a node's table; `retry` is a struct report_retry_own in `type`. */
#define REPORT_RETRY_PARAMS(type, after) \
	{.name = "retry", \
		.kind = ML_PARAM_CHOICE, \
		.offset = offsetof(type, retry.kind), \
		.title = "Retries", \
		.help = "What is done after " after \
			". All retries end before the next report is due.", \
		.preset = "\"adaptive\"", \
		.choices = report_retry_choices}, \
		{.name = "retry_count", \
			.kind = ML_PARAM_INTEGER, \
			.offset = offsetof(type, retry.count), \
			.title = "Number of retries", \
			.help = "With fixed retries, and with adaptive ones for a report without " \
				"a schedule.", \
			.preset = "3", \
			.setting = "report.retries", \
			.min = 0, \
			.max = 100, \
			.flags = ML_PARAM_ADVANCED | ML_PARAM_INHERIT}, \
	{ \
		.name = "retry_wait", .kind = ML_PARAM_DURATION, \
		.offset = offsetof(type, retry.wait), .title = "Wait between retries", \
		.help = "With fixed retries, and with adaptive ones for a report without a " \
			"schedule.", \
		.unit = "s", .preset = "60", .setting = "report.retry_wait", .min = 0, \
		.max = 86400, .flags = ML_PARAM_ADVANCED | ML_PARAM_INHERIT \
	}

#endif
