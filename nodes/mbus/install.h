/* Installing meters: contacting those of the list that nobody has spoken to yet.
 * SPDX-License-Identifier: Apache-2.0
 *
 * The action `install` of mbus-source does it on one bus; the command `meter.install` takes a file
 * or a choice of points and does it on all buses that they are on.
 */
#ifndef MBUS_INSTALL_H
#define MBUS_INSTALL_H

#include <meterloom/command.h>
#include <meterloom/node.h>
#include <meterloom/param.h>

#include "meter/list_file.h"

enum { MBUS_INSTALL_BAUDS_MAX = 8 };

struct mbus_install_params {
	struct ml_integers points, lines, bauds;
};
extern const struct ml_param mbus_install_params[];

/* Of the parameter `bauds`. */
int mbus_install_check_bauds(const json_t *value, struct ml_error *err);

/* The members of a result that tell how many came out how, where nobody was contacted. */
void mbus_install_write_nobody(struct ml_json_writer *w);
void mbus_install(struct ml_node *node, void *self, struct ml_job *job, void *params);

struct mbus_install_command_params {
	struct meter_file_params file;
	bool partial;
	struct ml_strings meters;
	struct ml_integers bauds;
};
extern const struct ml_param mbus_install_command_params[];
void mbus_install_command(struct ml_job *job, void *params);

#define MBUS_INSTALL_COMMAND \
	{ \
		.name = "meter.install", .title = "Install meters", \
		.help = "Takes a meter list file, as meter.import does, or meters that are in " \
			"the list, " \
			"contacts each on its bus and records its identity. Each meter is a row " \
			"of the " \
			"job: its `line` in the file, `point`, `address`, `result` (ok, moved, " \
			"replaced, " \
			"duplicate, failed; refused or passive without a contact) with a `text` " \
			"that says " \
			"why and what to do, its identity as `meter`, the `baud` at which it " \
			"answered and " \
			"whether `more_telegrams` follow its first. Meters that do not answer " \
			"stay in the " \
			"list. The result counts the rows, together and for each bus.", \
		.role = ML_ROLE_CONFIGURE, .params = mbus_install_command_params, \
		.params_size = sizeof(struct mbus_install_command_params), \
		.run = mbus_install_command, \
	}

#endif
