/* Commands on the clock: clock.show, clock.confirm.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "command/builtin.h"
#include "run/wall.h"

static void show_run(struct ml_job *job, void *params)
{
	(void)params;
	ml_wall_write(ml_job_engine(job), ml_job_result(job));
	ml_job_succeed(job);
}

static void confirm_run(struct ml_job *job, void *params)
{
	(void)params;
	ml_wall_confirm(ml_job_engine(job));
	ml_wall_write(ml_job_engine(job), ml_job_result(job));
	ml_job_succeed(job);
}

const struct ml_command ml_clock_commands[] = {
	{
		.name = "clock.confirm",
		.title = "Confirm the clock",
		.help = "Says that the clock is right, where the gateway cannot know: what was "
			"read "
			"before gets its time, schedules begin. Gives what clock.show gives.",
		.role = ML_ROLE_CONFIGURE,
		.run = confirm_run,
	},
	{
		.name = "clock.show",
		.title = "Show the clock",
		.help = "Tells the time, whether it is known to be right, whether a time server "
			"keeps it (as the kernel says), and the newest time seen.",
		.role = ML_ROLE_READ,
		.run = show_run,
	},
	{0},
};
