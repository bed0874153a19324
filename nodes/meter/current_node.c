/* The node `current-values`: readings become current values without a store.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>

#include <meterloom/engine.h>
#include <meterloom/node.h>

#include "meter/current_private.h"
#include "meter/reading_message.h"

enum { PORT_IN, PORT_OUT };
enum { AT_ONCE = 64 };

struct current_values {
	struct meter_current *current;
};

static int prepare(struct ml_node *node, void *self, struct ml_error *err)
{
	struct current_values *values = self;
	values->current = meter_current(ml_node_engine(node));
	if (!values->current)
		return ml_error_set(err, -ENOTSUP, "this engine has no current values");
	return 0;
}

static void process(struct ml_node *node, void *self, unsigned port,
	struct ml_message *const *messages, size_t count)
{
	struct current_values *values = self;
	const struct meter_reading *readings[AT_ONCE];
	(void)port;
	for (size_t done = 0; done < count;) {
		size_t n = 0;
		while (n < AT_ONCE && done < count)
			readings[n++] = meter_reading(messages[done++]);
		meter_current_take(values->current, readings, n, false);
	}
	ml_emit_all(node, PORT_OUT, messages, count);
}

static const struct ml_port ports[] = {
	{.name = "in",
		.direction = ML_INPUT,
		.type = &meter_reading_type,
		.required = true,
		.help = "Readings, also those of readouts that failed."},
	{.name = "out",
		.direction = ML_OUTPUT,
		.type = &meter_reading_type,
		.most = 1,
		.help = "The same readings."},
	{0},
};

const struct ml_node_class meter_current_values_class = {
	.type = "current-values",
	.version = 1,
	.title = "Current values",
	.help = "Shows readings as current values without keeping them: for meters that are read "
		"all the time. What a store keeps is shown without this node, as soon as it is on "
		"the disk.",
	.category = "process",
	.ports = ports,
	.size = sizeof(struct current_values),
	.prepare = prepare,
	.process = process,
};
