/* The command `meter.read`: reads meters now, over all buses side by side.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef MBUS_READ_COMMAND_H
#define MBUS_READ_COMMAND_H

#include <meterloom/command.h>

struct mbus_read_params {
	char *meter, *bus;
	int state;
};
extern const struct ml_param mbus_read_param_table[];
void mbus_read_run(struct ml_job *job, void *params);

#define MBUS_READ_COMMAND \
	{ \
		.name = "meter.read", .title = "Read meters now", \
		.help = "Reads all active meters now, or one, also a passive one, or those whose " \
			"last readout failed; what comes is stored as in any round. Buses are " \
			"read side by side, each after the round that runs there; a few meters " \
			"come between two of that round. A row for each meter tells how it " \
			"went: `result` read or failed, with `reason` and " \
			"`text`, how many telegrams and values came, and how long it took. The " \
			"result tells how many `meters` there were, how many were `read` and how " \
			"many `failed`, the same for each of the `buses`, how long it took, " \
			"and in `unserved` the buses whose meters no running node reads.", \
		.role = ML_ROLE_OPERATE, .params = mbus_read_param_table, \
		.params_size = sizeof(struct mbus_read_params), .run = mbus_read_run \
	}

#endif
