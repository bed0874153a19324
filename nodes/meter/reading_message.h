/* The message `reading`: a decoded telegram.
 * SPDX-License-Identifier: Apache-2.0
 *
 * The payload is a struct meter_reading with its parts; time and trace of message and reading are
 * the same.
 */
#ifndef METER_READING_MESSAGE_H
#define METER_READING_MESSAGE_H

#include <meterloom/message.h>

#include "meter/reading.h"

/* Declared by the family "meter". */
extern const struct ml_message_type meter_reading_type;

static inline const struct meter_reading *meter_reading(const struct ml_message *message)
{
	return (const struct meter_reading *)(const void *)message->payload;
}

/* Makes a message of a copy of `reading`, derived from `parent` where that is not NULL: with its
 * ack, and with its time and trace where the reading has none of its own. NULL: out of memory, or
 * too large for a message. */
struct ml_message *meter_reading_message(
	struct ml_node *node, const struct meter_reading *reading, const struct ml_message *parent);

#endif
