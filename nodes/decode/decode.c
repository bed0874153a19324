/* The node decode: frames in, readings out.
 * SPDX-License-Identifier: Apache-2.0
 *
 * Each frame gives one reading. One that cannot be decoded whole gives a reading with the records
 * before the bad one and the error; a readout that failed gives one that says so: both are kept and
 * shown, so that nothing is lost in silence.
 */
#include "decode/decode.h"

#include "mbus/application.h"
#include "meter/frame.h"
#include "meter/reading_message.h"

enum { BLOCK = 64 * 1024 };

enum { PORT_IN, PORT_OUT };

enum { METRIC_DECODED, METRIC_PARTLY, METRIC_NOT_READ };

struct decode {
	_Alignas(16) uint8_t block[BLOCK];
};

static const struct ml_port ports[] = {
	{
		.name = "in",
		.direction = ML_INPUT,
		.type = &meter_frame_type,
		.required = true,
		.help = "Telegrams as they were received, and readouts that failed.",
	},
	{
		.name = "out",
		.direction = ML_OUTPUT,
		.type = &meter_reading_type,
		.most = 1,
		.help = "One reading for each frame.",
	},
	{0},
};

static const struct ml_metric metrics[] = {
	{.name = "decoded", .help = "Telegrams decoded whole."},
	{.name = "partly", .help = "Telegrams in which the decoding stopped at an error."},
	{.name = "not_read", .help = "Readouts that failed, passed on with their reason."},
	{0},
};

/* Fills the block; false: it does not fit, which a frame of a legal length never does. */
static bool read_frame(void *block, const struct meter_frame *frame, struct ml_error *err)
{
	if (frame->result == METER_FRAME_OK && frame->link == METER_LINK_WIRED)
		return mbus_decode_frame(block, BLOCK, frame->bytes, frame->length, 0, err) == 0;
	if (meter_reading_init(block, BLOCK, frame->bytes, frame->length, err))
		return false;
	struct meter_reading *reading = block;
	if (frame->result == METER_FRAME_OK) {
		meter_reading_set_error(reading, 0, "wireless telegrams cannot be decoded yet");
		return true;
	}
	reading->flags |= METER_NOT_READ;
	meter_reading_set_error(reading, -1, "not read: %s after %u tries",
		meter_frame_result_name(frame->result), (unsigned)frame->tries);
	return true;
}

static void decode_one(struct ml_node *node, struct decode *decode, struct ml_message *message)
{
	const struct meter_frame *frame = meter_frame(message);
	struct ml_error err = ML_ERROR_NONE;
	if (!read_frame(decode->block, frame, &err)) {
		ml_fail(node, message, "a telegram cannot be decoded: %s", err.text);
		return;
	}
	struct meter_reading *reading = (struct meter_reading *)(void *)decode->block;
	reading->time = message->time;
	reading->trace = message->trace;
	reading->point = (uint32_t)frame->point;
	reading->origin = frame->origin;
	if (frame->addressing == METER_ADDRESS_PRIMARY) {
		reading->address = frame->primary;
		reading->flags |= METER_HAS_ADDRESS;
	}
	ml_node_count(node,
		reading->flags & METER_NOT_READ    ? METRIC_NOT_READ
		: meter_reading_has_error(reading) ? METRIC_PARTLY
						   : METRIC_DECODED,
		1);
	struct ml_message *decoded = meter_reading_message(node, reading, message);
	if (!decoded) {
		ml_fail(node, message, "a reading of %u bytes does not fit into a message",
			(unsigned)reading->size);
		return;
	}
	ml_release(node, message);
	ml_emit(node, PORT_OUT, decoded);
}

static void decode_process(struct ml_node *node, void *self, unsigned port,
	struct ml_message *const *messages, size_t count)
{
	(void)port;
	for (size_t i = 0; i < count; i++)
		decode_one(node, self, messages[i]);
}

const struct ml_node_class decode_class = {
	.type = "decode",
	.version = 1,
	.title = "Decode telegrams",
	.help = "Turns the M-Bus application data of telegrams (EN 13757-3) into readings with "
		"exact "
		"values and units. What cannot be decoded is passed on with the reason and the "
		"byte "
		"where it stopped.",
	.category = "process",
	.ports = ports,
	.metrics = metrics,
	.size = sizeof(struct decode),
	.process = decode_process,
};
