/* The message `reading`: made of a reading, shown as JSON.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "meter/reading_message.h"

static void to_json(const struct ml_message *message, struct ml_json_writer *w)
{
	meter_reading_to_json(meter_reading(message), w);
}

struct ml_message *meter_reading_message(
	struct ml_node *node, const struct meter_reading *reading, const struct ml_message *parent)
{
	struct ml_message *message =
		ml_message_new(node, &meter_reading_type, reading->size, parent);
	if (!message)
		return NULL;
	(void)meter_reading_copy(message->payload, reading->size, reading, NULL);
	struct meter_reading *copy = (struct meter_reading *)(void *)message->payload;
	if (copy->time == METER_TIME_UNKNOWN)
		copy->time = message->time;
	else
		message->time = copy->time;
	if (copy->trace == 0)
		copy->trace = message->trace;
	else
		message->trace = copy->trace;
	return message;
}

const struct ml_message_type meter_reading_type = {
	.name = "reading",
	.help = "A decoded telegram: whose it is, and its records.",
	.to_json = to_json,
};
