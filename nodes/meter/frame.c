/* The message `frame` as JSON and as text.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "meter/frame.h"

#include <stdio.h>
#include <string.h>

#include "meter/identity.h"

struct ml_message *meter_frame_new(struct ml_node *node, const uint8_t *bytes, size_t length,
	const struct ml_message *parent, struct meter_frame **ret_frame)
{
	*ret_frame = NULL;
	if (length > METER_FRAME_BYTES_MAX)
		return NULL;
	struct ml_message *message = ml_message_new(
		node, &meter_frame_type, offsetof(struct meter_frame, bytes) + length, parent);
	if (!message)
		return NULL;
	struct meter_frame *frame = (struct meter_frame *)(void *)message->payload;
	memset(frame, 0, offsetof(struct meter_frame, bytes));
	frame->length = (uint16_t)length;
	if (length)
		memcpy(frame->bytes, bytes, length);
	*ret_frame = frame;
	return message;
}

const char *meter_frame_result_name(unsigned result)
{
	static const char *const names[] = {
#define X(name, text) text,
		METER_FRAME_RESULT_LIST(X)
#undef X
	};
	return result < METER_FRAME_RESULTS ? names[result] : "unknown";
}

size_t meter_frame_address(const struct meter_frame *frame, char out[METER_ADDRESS_TEXT_MAX])
{
	int length = 0;
	out[0] = '\0';
	if (frame->addressing == METER_ADDRESS_PRIMARY) {
		length = snprintf(out, METER_ADDRESS_TEXT_MAX, "%u", frame->primary);
	} else if (frame->addressing == METER_ADDRESS_SECONDARY) {
		struct meter_identity meter;
		char id[METER_ID_TEXT_MAX];
		char manufacturer[METER_MANUFACTURER_TEXT_MAX];
		meter_identity_read(frame->secondary, &meter);
		meter_id_format(meter.id, id);
		meter_manufacturer_format(meter.manufacturer, manufacturer);
		length = snprintf(out, METER_ADDRESS_TEXT_MAX, "%s.%s.%02X.%02X", id, manufacturer,
			meter.version, meter.medium);
	}
	return length > 0 ? (size_t)length : 0;
}

static void frame_to_json(const struct ml_message *message, struct ml_json_writer *w)
{
	const struct meter_frame *frame = meter_frame(message);
	char time[ML_TIME_TEXT_MAX];
	char address[METER_ADDRESS_TEXT_MAX];
	ml_time_format(message->time, time);
	meter_frame_address(frame, address);
	ml_json_begin_object(w);
	ml_json_key(w, "time");
	ml_json_string(w, time);
	ml_json_key(w, "trace");
	ml_json_unsigned(w, message->trace);
	ml_json_key(w, "link");
	ml_json_string(w, frame->link == METER_LINK_WIRELESS ? "wireless" : "wired");
	ml_json_key(w, "bus");
	ml_json_string(w, frame->bus);
	ml_json_key(w, "interface");
	ml_json_string(w, frame->interface);
	if (frame->flags & METER_FRAME_HAS_SIGNAL) {
		ml_json_key(w, "signal");
		ml_json_integer(w, frame->signal);
	}
	if (frame->point) {
		ml_json_key(w, "point");
		ml_json_unsigned(w, frame->point);
	}
	if (frame->round) {
		ml_json_key(w, "round");
		ml_json_unsigned(w, frame->round);
	}
	if (address[0]) {
		ml_json_key(w, "address");
		ml_json_string(w, address);
	}
	ml_json_key(w, "result");
	ml_json_string(w, meter_frame_result_name(frame->result));
	ml_json_key(w, "tries");
	ml_json_unsigned(w, frame->tries);
	ml_json_key(w, "telegram");
	ml_json_unsigned(w, frame->telegram);
	ml_json_key(w, "last");
	ml_json_bool(w, (frame->flags & METER_FRAME_LAST) != 0);
	ml_json_key(w, "bytes");
	ml_json_hex(w, frame->bytes, frame->length);
	ml_json_end_object(w);
}

const struct ml_message_type meter_frame_type = {
	.name = "frame",
	.help = "The bytes of one telegram with where and how it was read, or a readout that "
		"failed.",
	.to_json = frame_to_json,
};
