/* What can be asked of a search: the parameters of the action `search` and of `meter.search`.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef MBUS_SEARCH_PARAMS_H
#define MBUS_SEARCH_PARAMS_H

#include <stdbool.h>
#include <stdint.h>

#include <meterloom/param.h>

struct mbus_search_params {
	struct ml_strings modes;
	struct ml_integers bauds;
	int64_t wanted, first, last;
	bool hex, thorough, install, resume;
	int64_t number; /* of the search over all buses; 0: its own job's. Of the action alone */
};

int mbus_search_check_modes(const json_t *value, struct ml_error *err);
int mbus_search_check_bauds(const json_t *value, struct ml_error *err);

/* The rows that both have; `base`: where the struct lies in theirs. */
#define MBUS_SEARCH_FIELD(base, field) .offset = (base) + offsetof(struct mbus_search_params, field)
#define MBUS_SEARCH_ROWS(base) \
	{.name = "modes", \
		.kind = ML_PARAM_STRINGS, \
		MBUS_SEARCH_FIELD(base, modes), \
		.title = "Modes", \
		.help = "In this order: \"secondary\" (by number, with wildcards) and " \
			"\"primary\" " \
			"(one address after the other).", \
		.preset = "[\"secondary\"]", \
		.min = 1, \
		.max = 2, \
		.check = mbus_search_check_modes}, \
		{.name = "bauds", \
			.kind = ML_PARAM_INTEGERS, \
			MBUS_SEARCH_FIELD(base, bauds), \
			.title = "Baud rates", \
			.help = "In this order. Empty: the rate of the bus. A converter in the " \
				"network has one rate, which is set there.", \
			.unit = "Bd", \
			.preset = "[]", \
			.min = 0, \
			.max = 8, \
			.check = mbus_search_check_bauds}, \
		{.name = "wanted", \
			.kind = ML_PARAM_INTEGER, \
			MBUS_SEARCH_FIELD(base, wanted), \
			.title = "Meters wanted", \
			.help = "The search ends when so many are found. 0: all there are.", \
			.preset = "0", \
			.min = 0, \
			.max = 4096}, \
		{.name = "install", \
			.kind = ML_PARAM_BOOL, \
			MBUS_SEARCH_FIELD(base, install), \
			.title = "Install", \
			.help = "Whether what is found goes into the meter list. Without, it is " \
				"only told how it relates to it.", \
			.preset = "true"}, \
		{.name = "resume", \
			.kind = ML_PARAM_BOOL, \
			MBUS_SEARCH_FIELD(base, resume), \
			.title = "Resume", \
			.help = "Goes on where the last search of the bus was cancelled, broken " \
				"off " \
				"or had enough, with the modes, rates and addresses of that; " \
				"what it had found is told again, and counts.", \
			.preset = "false"}, \
		{.name = "first_address", \
			.kind = ML_PARAM_INTEGER, \
			MBUS_SEARCH_FIELD(base, first), \
			.title = "First primary address", \
			.help = "0 is what meters have when they are delivered.", \
			.preset = "0", \
			.min = 0, \
			.max = 250, \
			.flags = ML_PARAM_ADVANCED}, \
		{.name = "last_address", \
			.kind = ML_PARAM_INTEGER, \
			MBUS_SEARCH_FIELD(base, last), \
			.title = "Last primary address", \
			.help = "250 is the last that a meter may have.", \
			.preset = "250", \
			.min = 0, \
			.max = 250, \
			.flags = ML_PARAM_ADVANCED}, \
		{.name = "hex", \
			.kind = ML_PARAM_BOOL, \
			MBUS_SEARCH_FIELD(base, hex), \
			.title = "Digits A to F", \
			.help = "Whether numbers are searched that hold digits A to F, which " \
				"takes " \
				"half as long again.", \
			.preset = "false", \
			.flags = ML_PARAM_ADVANCED}, \
	{ \
		.name = "thorough", .kind = ML_PARAM_BOOL, MBUS_SEARCH_FIELD(base, thorough), \
		.title = "Thorough", \
		.help = "Trusts no silence and no good telegram: each silence is asked " \
			"again, and behind each meter another is looked for. Takes about " \
			"twenty times as long.", \
		.preset = "false", .flags = ML_PARAM_ADVANCED \
	}

#endif
