/* What the answer of a meter says of it.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "mbus/contact.h"

#include <stdio.h>

#include "mbus/source.h"
#include "meter/frame.h"

enum { AT_ADDRESS = 5 };

void mbus_contact_sighting(const struct mbus_source *s, const struct mbus_request *request,
	unsigned mode, const uint8_t *frame, size_t length, struct meter_sighting *sighting)
{
	uint8_t bytes[8];
	*sighting = (struct meter_sighting){
		.baud = request->baud,
		.bus_baud = (uint32_t)s->baud,
		.mode = (uint8_t)mode,
		.has_primary = true,
		/* Where all were asked, the answer tells which one it is. */
		.primary = request->secondary || request->primary == MBUS_ADDRESS_TEST
				   ? frame[AT_ADDRESS]
				   : request->primary,
	};
	(void)snprintf(sighting->bus, sizeof sighting->bus, "%s", s->bus);
	if (mbus_link_identity(frame, length, bytes, &sighting->whole))
		meter_identity_read(bytes, &sighting->identity);
	else
		sighting->whole = false;
	if (request->secondary)
		meter_identity_read(request->address, &sighting->selection);
}

void mbus_contact_to_json(const struct meter_sighting *sighting, struct ml_json_writer *w)
{
	ml_json_key(w, "meter");
	if (sighting->whole) {
		ml_json_begin_object(w);
		meter_identity_to_json(sighting->identity, w);
		ml_json_end_object(w);
	} else {
		ml_json_null(w);
	}
	if (sighting->has_primary && sighting->primary <= MBUS_ADDRESS_LAST) {
		ml_json_key(w, "primary");
		ml_json_unsigned(w, sighting->primary);
	}
	ml_json_key(w, "baud");
	ml_json_unsigned(w, sighting->baud);
}

const char *mbus_contact_advice(enum meter_frame_result result)
{
	switch (result) {
	case METER_FRAME_TIMEOUT:
		return "look at its wiring, its address and its baud rate";
	case METER_FRAME_CHECKSUM:
	case METER_FRAME_MALFORMED:
		return "look for a bad contact, a disturbed cable or a second master on the bus";
	case METER_FRAME_COLLISION:
		return "look for a second meter with this address: give the manufacturer, version "
		       "and medium with a secondary address, or change one of the primary ones";
	case METER_FRAME_WRONG_METER:
		return "look whether its address in the list is right";
	case METER_FRAME_NO_BUS:
		return "look at the adapter, its cable and its supply";
	case METER_FRAME_REFUSED:
		return "ask its maker whether its data must be set free first";
	default:
		return "try again";
	}
}
