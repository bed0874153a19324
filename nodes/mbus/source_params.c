/* mbus-source: its parameters.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <stddef.h>

#include "mbus/source.h"
#include "meter/frame.h"
#include "meter/list.h"

int mbus_baud_check(const json_t *value, struct ml_error *err)
{
	const json_int_t baud = json_integer_value(value);
	if (meter_baud_valid(baud))
		return 0;
	return ml_error_set(err, -EINVAL,
		"%lld baud: expected 300, 600, 1200, 2400, 4800, 9600, 19200 or 38400",
		(long long)baud);
}

static const struct ml_choice parities[] = {
	{"even", ML_PARITY_EVEN, "what M-Bus meters use"},
	{"none", ML_PARITY_NONE, NULL},
	{"odd", ML_PARITY_ODD, NULL},
	{0},
};

static const struct ml_choice multis[] = {
	{"auto", 1, "while the meter says that more follow"},
	{"off", 0, "only the first"},
	{0},
};

static const struct ml_choice applications[] = {
	{"never", MBUS_APPLICATION_NEVER, NULL},
	{"first", MBUS_APPLICATION_FIRST, "at first contact and after a failed readout"},
	{"always", MBUS_APPLICATION_ALWAYS, "before each readout"},
	{0},
};

/* The low byte is a signal, and what stands above it turns it round. */
static const struct ml_choice signals[] = {
	{"none", 0, "the converter does not tell, or is in the network"},
	{"cts", ML_SIGNAL_CTS, "CTS is set in a short circuit"},
	{"dsr", ML_SIGNAL_DSR, NULL},
	{"dcd", ML_SIGNAL_DCD, NULL},
	{"ri", ML_SIGNAL_RI, NULL},
	{"no-cts", ML_SIGNAL_CTS | 0x100, "CTS is cleared in a short circuit"},
	{"no-dsr", ML_SIGNAL_DSR | 0x100, NULL},
	{"no-dcd", ML_SIGNAL_DCD | 0x100, NULL},
	{"no-ri", ML_SIGNAL_RI | 0x100, NULL},
	{0},
};

#define FIELD(name) .offset = offsetof(struct mbus_source, name)
#define TIME_PARAM(param, field, label, text) \
	{ \
		.name = param, .kind = ML_PARAM_DURATION, FIELD(timing.field), .title = label, \
		.help = text, .unit = "ms", .preset = "0", .min = 0, .max = 60000, \
		.flags = ML_PARAM_ADVANCED \
	}
#define RETRIES_PARAM(param, field, label, text, standard) \
	{ \
		.name = param, .kind = ML_PARAM_INTEGER, FIELD(timing.field), .title = label, \
		.help = text, .preset = standard, .min = 0, .max = 20, .flags = ML_PARAM_ADVANCED \
	}

const struct ml_param mbus_source_params[] = {
	{.name = "interface",
		.kind = ML_PARAM_STRING,
		FIELD(interface),
		.title = "Interface",
		.help = "Where the level converter is: serial:/dev/ttyUSB0, better by its stable "
			"name "
			"serial:/dev/serial/by-id/NAME; tcp:HOST:PORT for a converter in the "
			"network; "
			"sim:20 for 20 simulated meters, sim:replay=FILE for a recording.",
		.min = 1,
		.max = 200,
		.flags = ML_PARAM_REQUIRED},
	{.name = "bus",
		.kind = ML_PARAM_STRING,
		FIELD(bus),
		.title = "Bus",
		.help = "The name of this bus in the meter list; its meters are read. Empty: the "
			"default bus.",
		.preset = "\"\"",
		.max = METER_BUS_MAX - 1},
	{.name = "baud",
		.kind = ML_PARAM_INTEGER,
		FIELD(baud),
		.title = "Baud rate",
		.help = "Of all meters that the list gives no rate of their own.",
		.unit = "Bd",
		.preset = "2400",
		.min = 300,
		.max = 38400,
		.check = mbus_baud_check},
	{.name = "parity",
		.kind = ML_PARAM_CHOICE,
		FIELD(parity),
		.title = "Parity",
		.help = "Of a serial line, with 8 data bits and 1 stop bit.",
		.preset = "\"even\"",
		.choices = parities,
		.flags = ML_PARAM_ADVANCED},
	{.name = "multi_telegram",
		.kind = ML_PARAM_CHOICE,
		FIELD(multi),
		.title = "Telegrams after the first",
		.help = "Whether a meter's further telegrams are read; a meter of the list may say "
			"otherwise.",
		.preset = "\"auto\"",
		.choices = multis},
	{.name = "telegram_limit",
		.kind = ML_PARAM_INTEGER,
		FIELD(limit),
		.title = "Limit of telegrams",
		.help = "How many telegrams of one meter are read at most.",
		.preset = "16",
		.min = 1,
		.max = 1000,
		.flags = ML_PARAM_ADVANCED},
	TIME_PARAM("response_timeout", response, "Response timeout",
		"From the end of a request to the first byte of its answer. 0: by EN 13757-2 from "
		"the "
		"baud rate, 330 bit times + 50 ms and the first byte (192 ms at 2400 baud), and "
		"the "
		"latency."),
	RETRIES_PARAM("readout_retries", readout_retries, "Readout retries",
		"How often a request without a good answer is sent again.", "2"),
	RETRIES_PARAM("selection_retries", selection_retries, "Selection retries",
		"How often a selection by secondary address is sent again.", "2"),
	TIME_PARAM("initialization_idle_time", initialization, "Initialization idle time",
		"Rest after SND_NKE. 0: 11 bit times."),
	TIME_PARAM("collision_idle_time", collision, "Collision idle time",
		"Rest after a collision or a damaged answer. 0: 330 bit times + 50 ms and the "
		"latency, until every late answer has passed."),
	TIME_PARAM("request_idle_time", request, "Request idle time",
		"Rest between an answer and the next request. 0: 11 bit times."),
	TIME_PARAM("multi_response_timeout", multi_response, "Response timeout, later telegrams",
		"As the response timeout, for the telegrams after the first. 0: the same."),
	RETRIES_PARAM("multi_retries", multi_retries, "Retries, later telegrams",
		"As the readout retries, for the telegrams after the first.", "2"),
	{.name = "latency",
		.kind = ML_PARAM_DURATION,
		FIELD(timing.latency),
		.title = "Latency",
		.help = "What adapter and network may add to each answer; part of the times that "
			"follow from the baud rate.",
		.unit = "ms",
		.preset = "50",
		.min = 0,
		.max = 10000,
		.flags = ML_PARAM_ADVANCED},
	{.name = "application_reset",
		.kind = ML_PARAM_CHOICE,
		FIELD(application),
		.title = "Application reset",
		.help = "Whether meters are told to begin with their first telegram (CI 50h), or "
			"with the one that is chosen below.",
		.preset = "\"never\"",
		.choices = applications,
		.flags = ML_PARAM_ADVANCED},
	{.name = "telegram_selection",
		.kind = ML_PARAM_INTEGER,
		FIELD(application_code),
		.title = "Telegram selection",
		.help = "The sub code of the application reset, by which some meters choose what "
			"they send (EN 13757-3: 0 all, 16 user data, 32 simple billing, 64 "
			"multi tariff "
			"billing, 80 instantaneous values and so on). A meter that does not take "
			"it is "
			"not read. -1: none.",
		.preset = "-1",
		.min = -1,
		.max = 255,
		.flags = ML_PARAM_ADVANCED},
	{.name = "continuous",
		.kind = ML_PARAM_BOOL,
		FIELD(continuous),
		.title = "Continuous readout",
		.help = "Reads all meters again and again while no round wants the bus, and puts "
			"the "
			"telegrams out on the port continuous: by way of decode to "
			"current-values. "
			"Meters on batteries do not last long with this.",
		.preset = "false"},
	{.name = "continuous_pause",
		.kind = ML_PARAM_DURATION,
		FIELD(continuous_pause),
		.title = "Pause of the continuous readout",
		.help = "Rest between two passes over all meters.",
		.unit = "s",
		.preset = "0",
		.min = 0,
		.max = 86400,
		.flags = ML_PARAM_ADVANCED},
	{.name = "lost_line_wait",
		.kind = ML_PARAM_DURATION,
		FIELD(patience),
		.title = "Wait for a lost line",
		.help = "How long a round waits for an adapter that was pulled or a converter that "
			"starts again, before the meters that are left count as failed; and for a "
			"meter "
			"that does not stop sending, before the next one is asked all the same.",
		.unit = "s",
		.preset = "30",
		.min = 0,
		.max = 3600,
		.flags = ML_PARAM_ADVANCED},
	{.name = "short_circuit_signal",
		.kind = ML_PARAM_CHOICE,
		FIELD(short_signal),
		.title = "Short circuit signal",
		.help = "By which signal of the serial interface the converter tells of a short "
			"circuit on the bus; its manual says so.",
		.preset = "\"none\"",
		.choices = signals,
		.flags = ML_PARAM_ADVANCED},
	{0},
};
