/* What the answer of a meter says of it: for the meter list, and for people.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef MBUS_CONTACT_H
#define MBUS_CONTACT_H

#include "mbus/master.h"
#include "meter/sighting.h"

struct mbus_source;

/* Fills in a sighting from the good frame that came upon `request`: who it is, its primary address
 * and how it was reached. `mode` (enum meter_mode) is that of the point or of the search; point and
 * search are left to the caller. */
void mbus_contact_sighting(const struct mbus_source *source, const struct mbus_request *request,
	unsigned mode, const uint8_t *frame, size_t length, struct meter_sighting *sighting);

/* Writes `"meter": {...}, "primary": 5, "baud": 2400` into an object that was begun: "meter" is
 * null where the answer held no whole identity, "primary" is left out where it is not known. */
void mbus_contact_to_json(const struct meter_sighting *sighting, struct ml_json_writer *w);

/* What to do about a meter that could not be contacted: one sentence, no full stop. */
const char *mbus_contact_advice(enum meter_frame_result result);

#endif
