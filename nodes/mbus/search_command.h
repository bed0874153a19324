/* The command `meter.search`: a search over all or several buses.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef MBUS_SEARCH_COMMAND_H
#define MBUS_SEARCH_COMMAND_H

#include <stddef.h>

#include <meterloom/command.h>

#include "mbus/search_params.h"

enum mbus_search_interfaces {
	MBUS_SEARCH_ANY,
	MBUS_SEARCH_SERIAL, /* and all else that is no network */
	MBUS_SEARCH_TCP,
};

struct mbus_search_call {
	struct mbus_search_params search;
	struct ml_strings buses;
	int interfaces; /* enum mbus_search_interfaces */
};

extern const struct ml_param mbus_search_call_params[];
void mbus_search_run(struct ml_job *job, void *params);

#define MBUS_SEARCH_COMMAND \
	{ \
		.name = "meter.search", .title = "Search for meters", \
		.help = "Looks for meters on wired buses, on several side by side, and enters " \
			"them in the meter list. Each is told as a row of the job as soon as it " \
			"is found: how it answered (`bus`, `secondary`, `id`, `manufacturer`, " \
			"`version`, `medium`, `mode`, `primary`, `baud`) and what it is to the " \
			"list (`result`: new, known, moved, replaced, duplicate; `unnamed`, " \
			"`several` and `foreign` are no meters that could be read so; `point`, " \
			"`text`). The result counts them, and what it took. A search that was " \
			"cancelled, ended with as many as were wanted, or was broken off by a " \
			"restart goes on with `resume`.", \
		.role = ML_ROLE_CONFIGURE, .params = mbus_search_call_params, \
		.params_size = sizeof(struct mbus_search_call), .run = mbus_search_run \
	}

#endif
