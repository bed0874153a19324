/* The family "mbus": wired meters.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "mbus/family.h"

#include "mbus/buses.h"
#include "mbus/install.h"
#include "mbus/keeper_commands.h"
#include "mbus/read_command.h"
#include "mbus/search_command.h"
#include "mbus/search_keep.h"

static const struct ml_node_class *const classes[] = {
	&mbus_source_class,
	NULL,
};

static const struct ml_command commands[] = {
	{.name = "recording.list",
		.title = "List recordings",
		.help = "The recordings of buses that this gateway keeps, the newest first: "
			"{\"recordings\": [\"20260131-141500.250-bus.txt\", …]}. The action record "
			"of an "
			"mbus-source makes them.",
		.role = ML_ROLE_READ,
		.lane = "files",
		.run = mbus_recording_list},
	{.name = "recording.show",
		.title = "Get a recording",
		.help = "The text of a recording, for `meterloom record --show` and `meterloom sim "
			"--replay`: {\"name\", \"text\", \"next\"}. Of a long one a part; `next` "
			"is "
			"where the following part begins, null behind the last.",
		.role = ML_ROLE_OPERATE,
		.lane = "files",
		.params = mbus_recording_show_params,
		.params_size = sizeof(struct mbus_recording_wanted),
		.run = mbus_recording_show},
	{.name = "recording.remove",
		.title = "Remove a recording",
		.help = "Removes a recording for good.",
		.role = ML_ROLE_OPERATE,
		.lane = "files",
		.params = mbus_recording_remove_params,
		.params_size = sizeof(struct mbus_recording_wanted),
		.run = mbus_recording_remove},
	MBUS_READ_COMMAND,
	MBUS_SEARCH_COMMAND,
	MBUS_INSTALL_COMMAND,
	{0},
};

static const struct ml_event_class events[] = {
	{
		.code = "readout-failed",
		.severity = ML_LOG_WARNING,
		.text = "Meter {meter} could not be read: {reason}",
		.advice =
			"Look at the wiring, the address and the baud rate of this meter. A meter "
			"that answers its own tool but not the gateway may share its address with "
			"another.",
	},
	{
		.code = "meter-back",
		.severity = ML_LOG_INFO,
		.text = "Meter {meter} answers again after {count} failed readouts",
		.advice = "Nothing needs to be done.",
	},
	{
		.code = "round-ended",
		.severity = ML_LOG_INFO,
		.text = "{read} of {meters} meters read in {seconds} s",
		.advice = "Nothing needs to be done.",
	},
	{
		.code = "round-incomplete",
		.severity = ML_LOG_WARNING,
		.text = "{read} of {meters} meters read in {seconds} s; not read: {names}",
		.advice =
			"`meter.list` with the state `failed` shows each of them with its reason, "
			"and since when.",
	},
	{
		.code = "bus-silent",
		.severity = ML_LOG_ERROR,
		.text = "None of the {meters} meters on the bus at {interface} answers",
		.advice = "Look at the converter and its supply, at the cable to the first meter, "
			  "for a short circuit, and at the baud rate.",
	},
	{
		.code = "bus-answers",
		.severity = ML_LOG_INFO,
		.text = "Meters on the bus at {interface} answer again",
		.advice = "Nothing needs to be done.",
	},
	{
		.code = "bus-short",
		.severity = ML_LOG_ERROR,
		.text = "The bus at {interface} has a short circuit, says the converter",
		.advice = "Take the branches of the cable off one by one until the converter is "
			  "content; no meter can be read meanwhile.",
	},
	{
		.code = "bus-short-over",
		.severity = ML_LOG_INFO,
		.text = "The short circuit on the bus at {interface} is over",
		.advice = "Nothing needs to be done.",
	},
	{
		.code = "bus-lost",
		.severity = ML_LOG_ERROR,
		.text = "The bus at {interface} is lost: {reason}",
		.advice =
			"Look at the adapter, its cable and its supply. The gateway tries again by "
			"itself.",
	},
	{
		.code = "bus-back",
		.severity = ML_LOG_INFO,
		.text = "The bus at {interface} is back",
		.advice = "Nothing needs to be done.",
	},
	{0},
};

const struct ml_family mbus_family = {
	.abi = ML_FAMILY_ABI,
	.size = sizeof(struct ml_family),
	.name = "mbus",
	.node_classes = classes,
	.commands = commands,
	.events = events,
	.migrations = mbus_migrations,
	.services = mbus_services,
};
