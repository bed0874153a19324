/* Settings of the store.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <meterloom/setting.h>

#include "store/writer.h"

const struct ml_setting store_settings[] = {
	{{.name = "store.journal_days",
		 .kind = ML_PARAM_INTEGER,
		 .title = "Journal, days",
		 .help = "So long telegrams are kept as they came. 0: they are not. The readings "
			 "made "
			 "of them are kept all the same, and where they came from.",
		 .unit = "d",
		 .preset = "30",
		 .min = 0,
		 .max = 3650},
		ML_SETTING_SHARED},
	{{.name = "store.journal_size",
		 .kind = ML_PARAM_INTEGER,
		 .title = "Journal, size",
		 .help = "So many megabytes of telegrams are kept; beyond, the oldest go.",
		 .unit = "MiB",
		 .preset = "256",
		 .min = 1,
		 .max = 1048576},
		ML_SETTING_SHARED},
	{{.name = "store.keep_days",
		 .kind = ML_PARAM_INTEGER,
		 .title = "Readings, days",
		 .help = "So long readings are kept, and longer where a destination of the running "
			 "graph has not had them yet. They go in whole months.",
		 .unit = "d",
		 .preset = "5479",
		 .min = 1,
		 .max = 36525},
		ML_SETTING_SHARED},
	{{.name = "store.size",
		 .kind = ML_PARAM_INTEGER,
		 .title = "Size of the database",
		 .help = "Where it holds more megabytes, telegrams go first and then readings, the "
			 "oldest first, also those that a destination has not had. 0: the disk is "
			 "the "
			 "limit.",
		 .unit = "MiB",
		 .preset = "0",
		 .min = 0,
		 .max = 1048576},
		ML_SETTING_SHARED},
	{{.name = "store.pack_after",
		 .kind = ML_PARAM_DURATION,
		 .title = "Pack after",
		 .help = "Readings that are older than this are packed, to about a byte a value. "
			 "They "
			 "are read all the same.",
		 .unit = "d",
		 .preset = "2",
		 .min = 0,
		 .max = 365},
		ML_SETTING_SHARED},
	{{.name = "store.round_commit",
		 .kind = ML_PARAM_DURATION,
		 .title = "Commit during a readout",
		 .help = "While a round is being read, its readings wait for up to this long to be "
			 "written to "
			 "the disk together; at its end all are written. Shorter loses fewer "
			 "readings "
			 "when the gateway is unplugged in the middle of a round, and wears out a "
			 "memory "
			 "card.",
		 .unit = "s",
		 .preset = "10",
		 .min = 0,
		 .max = 300},
		ML_SETTING_SHARED},
	{{.name = "store.check_days",
		 .kind = ML_PARAM_INTEGER,
		 .title = "Check of the database",
		 .help = "Every so many days all of readings.db is read in the background to see "
			 "whether it is whole, for the first time an hour after the start. 0: only "
			 "by the command store.check.",
		 .unit = "d",
		 .preset = "7",
		 .min = 0,
		 .max = 365},
		ML_SETTING_SHARED},
	{{.name = NULL}, ML_SETTING_SHARED},
};
