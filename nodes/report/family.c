/* The family "report": its tables.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "report/family.h"

#include "report/spool.h"

static const struct ml_node_class *const report_classes[] = {
	&report_render_class,
	&report_file_sink_class,
	&report_http_sink_class,
	NULL,
};

static const struct ml_event_class report_events[] = {
	{"report-failed", ML_LOG_WARNING,
		"Report {report} was not delivered to {receiver}: {reason}",
		"The values stay unsent and go with the next report. Where it happens again, see "
		"whether "
		"the receiver can be reached from the gateway's network."},
	{"report-refused", ML_LOG_ERROR, "{receiver} refused report {report}: {reason}",
		"The receiver will refuse it again: see the address, the user and password of the "
		"sink, and "
		"the receiver's own log."},
	{0},
};

const struct ml_family report_family = {
	.abi = ML_FAMILY_ABI,
	.size = sizeof(struct ml_family),
	.name = "report",
	.node_classes = report_classes,
	.settings = report_settings,
	.events = report_events,
	.services = report_services,
};
