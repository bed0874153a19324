/* The message `batch` as JSON.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "meter/batch.h"

#include "meter/delivery.h"

static void destroy(void *payload)
{
	const struct meter_batch *batch = payload;
	if (batch->class->release)
		batch->class->release(batch->handle);
	meter_delivery_release(batch->delivery);
}

static void write_time(struct ml_json_writer *w, const char *key, ml_time time)
{
	char text[ML_TIME_TEXT_MAX];
	ml_json_key(w, key);
	(void)ml_time_format(time, text);
	ml_json_string(w, text);
}

static void to_json(const struct ml_message *message, struct ml_json_writer *w)
{
	const struct meter_batch *batch = meter_batch(message);
	ml_json_begin_object(w);
	write_time(w, "time", message->time);
	ml_json_key(w, "trace");
	ml_json_unsigned(w, message->trace);
	ml_json_key(w, "destination");
	ml_json_string(w, batch->destination);
	ml_json_key(w, "count");
	ml_json_unsigned(w, batch->count);
	if (batch->count) {
		ml_json_key(w, "first");
		ml_json_unsigned(w, batch->first);
		ml_json_key(w, "last");
		ml_json_unsigned(w, batch->last);
		write_time(w, "from", batch->from);
		write_time(w, "to", batch->to);
	}
	ml_json_key(w, "trigger");
	ml_json_string(w, batch->trigger.kind);
	write_time(w, "due", batch->trigger.due);
	ml_json_key(w, "test");
	ml_json_bool(w, batch->test);
	ml_json_key(w, "more");
	ml_json_bool(w, batch->more);
	ml_json_end_object(w);
}

const struct ml_message_type meter_batch_type = {
	.name = "batch",
	.help = "Readings of the store that are to be reported, read page by page.",
	.destroy = destroy,
	.to_json = to_json,
};
