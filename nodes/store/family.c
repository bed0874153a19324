/* The family "store": the database of readings, and what was delivered.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "store/family.h"

#include <errno.h>

#include "store/commands.h"
#include "store/nodes.h"
#include "store/report_commands.h"
#include "store/writer.h"

int store_check_lane(const struct ml_node *node, struct ml_error *err)
{
	if (ml_node_lane(node) == ml_engine_lane(ml_node_engine(node), STORE_LANE))
		return 0;
	return ml_error_set(err, -EINVAL,
		"it lives on the lane \"" STORE_LANE "\", where its database is written: leave "
		"`lane` out");
}

static const struct ml_node_class *const node_classes[] = {
	&store_class,
	&store_query_class,
	NULL,
};

static const struct ml_event_class events[] = {
	{"store-failed", ML_LOG_ERROR, "Readings cannot be stored: {reason}",
		"Make room on the disk or see why it cannot be written. Nothing that was "
		"acknowledged is lost; storing goes on by itself."},
	{"store-recovered", ML_LOG_INFO, "Readings are stored again", "Nothing is to be done."},
	{"store-checked", ML_LOG_INFO, "readings.db was checked and is whole: {rows} rows",
		"Nothing is to be done."},
	{"store-damaged", ML_LOG_ERROR, "readings.db is damaged: {found}",
		"It is set aside by itself, and what can be read of it is taken over."},
	{"store-salvaged", ML_LOG_ERROR,
		"readings.db was damaged ({reason}): {readings} readings were taken over into a "
		"new "
		"one, {lost} rows and {pages} pages were lost",
		"The damaged file is in the data directory as {file}. See whether the disk or card "
		"is worn out. What destinations have not had is sent as before."},
	{"reading-damaged", ML_LOG_ERROR, "Reading {sequence} of {device} cannot be read: {reason}",
		"It is left out of reports and of all that is shown; everything else goes on. See "
		"whether the disk or card is worn out."},
	{"chunk-damaged", ML_LOG_ERROR,
		"{count} packed readings of {device}, between {first} and {last}, cannot be read: "
		"{reason}",
		"They are left out of reports and of all that is shown; everything else goes on. "
		"See whether the disk or card is worn out."},
	{"store-expired", ML_LOG_INFO,
		"{readings} readings that were older than {days} days were deleted",
		"Nothing, where store.keep_days is as it should be."},
	{"store-size", ML_LOG_WARNING,
		"{readings} readings were deleted, the oldest first: the database may hold {size} "
		"MiB",
		"Raise store.size, or lower store.journal_size, if older readings are wanted."},
	{"store-undelivered", ML_LOG_ERROR,
		"{readings} readings were deleted that {destination} had not had yet",
		"See why it was not reached, and raise store.size."},
	{"store-journal-full", ML_LOG_INFO,
		"The journal holds {size} MiB: older telegrams are deleted before their days are "
		"over",
		"Raise store.journal_size if they are wanted for longer."},
	{"store-restored", ML_LOG_WARNING,
		"readings.db is older than what this gateway wrote: its last reading is number "
		"{found}, but {expected} were written",
		"It was put back from a copy, or the disk lost what it said it had written. What "
		"lies between is gone; numbers go on with {next}, and what was delivered since the "
		"copy is sent again."},
	{"store-exchanged", ML_LOG_WARNING,
		"readings.db is another database than the one this gateway wrote",
		"Its readings and what was delivered of them count from now on; numbers go on with "
		"{next}. If that was not wanted, stop the gateway and put back the right one."},
	{"store-missing", ML_LOG_WARNING,
		"readings.db was missing at the start: a new one was begun",
		"If there is a copy, stop the gateway and put it back. Numbers go on with {next}."},
	{"store-copied-back", ML_LOG_WARNING,
		"readings.db was deleted or replaced while the gateway ran: it was written anew "
		"from "
		"the open file",
		"Nothing is lost. What was put in its place is in the data directory as "
		"readings.db.replaced- with the time. Stop the gateway before you exchange its "
		"files."},
	{"readings-stamped", ML_LOG_INFO,
		"{count} readings from before the clock was right have their time now: {from} to "
		"{to}",
		"Nothing is to be done."},
	{"readings-time-guessed", ML_LOG_WARNING,
		"{count} readings are of a start whose clock never became right: they are taken to "
		"be from {from} to {to}",
		"Nothing can be done for these: they came after what is before them, and how long "
		"after nobody knows. Connect the gateway to a time server, or have the battery of "
		"its clock looked at."},
	{NULL, ML_LOG_DEBUG, NULL, NULL},
};

const struct ml_family store_family = {
	.abi = ML_FAMILY_ABI,
	.size = sizeof(struct ml_family),
	.name = "store",
	.node_classes = node_classes,
	.commands = store_commands,
	.settings = store_settings,
	.events = events,
	.migrations = store_migrations,
	.services = store_services,
};

static const struct ml_event_class delivery_events[] = {
	{"delivery-stopped", ML_LOG_ERROR,
		"Nothing more goes to {destination}, its receiver refused the report: {reason}",
		"Mend the cause (the address, the user and password of the sink, the template), "
		"then "
		"call report.rebuild to render and send the report anew, or report.discard to go "
		"on "
		"without it. Its readings stay in the store."},
	{"delivery-discarded", ML_LOG_WARNING,
		"{readings} readings from {from} to {to} were given up for {destination} by {user}",
		"They stay in the store: report.resend sends them after all."},
	{NULL, ML_LOG_DEBUG, NULL, NULL},
};

const struct ml_family store_delivery_family = {
	.abi = ML_FAMILY_ABI,
	.size = sizeof(struct ml_family),
	.name = "delivery",
	.commands = store_report_commands,
	.events = delivery_events,
};
