/* The meters that answered in a recording, as a list for a gateway to import.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef SIM_RECORDING_LIST_H
#define SIM_RECORDING_LIST_H

#include <meterloom/error.h>
#include <meterloom/json.h>

/* Reads a recording and appends the list: CSV with the columns of sim_list_csv(), or JSON. A meter
 * that was selected is listed by its secondary address, one that was not by its primary one. Gives
 * how many there are, or a negative errno. `bus` (may be NULL) is the bus they are put on. */
int sim_recording_list(
	const char *path, const char *bus, bool json, struct ml_buffer *out, struct ml_error *err);

#endif
