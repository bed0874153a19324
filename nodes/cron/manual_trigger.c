/* The node manual-trigger: a person presses the button.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>

#include <meterloom/command.h>

#include "cron/trigger.h"

static const struct ml_port manual_ports[] = {
	[CRON_TRIGGER_OUT] = {"out", ML_OUTPUT, &ml_trigger_type, .help = "What is to run."},
	{0},
};

static void manual_run(struct ml_node *node, void *self, struct ml_job *job, void *params)
{
	(void)self;
	(void)params;
	const ml_time now = ml_node_wall(node);
	const struct ml_trigger trigger = {.kind = "manual", .due = now, .next = ML_NEVER};
	const int r = cron_send(node, &trigger);
	if (r == 0) {
		ml_job_succeed(job);
		return;
	}
	struct ml_error err = ML_ERROR_NONE;
	if (r == -EAGAIN)
		ml_error_set(&err, r,
			"the wire behind '%s' is full: what it triggers is still busy; try again "
			"later",
			ml_node_id(node));
	else
		ml_error_set(&err, r, "out of memory");
	ml_job_fail(job, &err);
}

static const struct ml_action manual_actions[] = {
	{.name = "run",
		.title = "Run now",
		.help = "Triggers what is wired to it, once.",
		.run = manual_run},
	{0},
};

struct manual {
	char none; /* keeps no state */
};

const struct ml_node_class cron_manual_trigger_class = {
	.type = "manual-trigger",
	.version = 1,
	.title = "Manual trigger",
	.help = "Triggers what is wired to it when somebody asks for it: by the action \"run\".",
	.category = "trigger",
	.ports = manual_ports,
	.actions = manual_actions,
	.size = sizeof(struct manual),
	.flags = ML_NODE_SOURCE,
};
