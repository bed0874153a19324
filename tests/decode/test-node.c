/* The node `decode` in an engine: a reading for each frame, in order, whatever the frame is.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdio.h>

#include "telegram.h"

#include <meterloom/engine.h>
#include <meterloom/family.h>

#include "decode/family.h"
#include "meter/family.h"
#include "meter/frame.h"
#include "meter/reading_message.h"

enum { SEEN_MAX = 8 };

/* What the sink got, and what acks were told. */
struct seen {
	_Alignas(8) uint8_t readings[SEEN_MAX][METER_READING_MAX];
	size_t count;
	unsigned delivered, failed;
};

static int seen_start(struct ml_engine *engine, void **ret_service, struct ml_error *err)
{
	(void)engine;
	(void)err;
	*ret_service = calloc(1, sizeof(struct seen));
	return *ret_service ? 0 : -1;
}

static struct seen *seen_of(struct ml_node *node)
{
	return ml_service(ml_node_engine(node), "seen");
}

static void sink_process(struct ml_node *node, void *self, unsigned port,
	struct ml_message *const *messages, size_t count)
{
	struct seen *seen = seen_of(node);
	(void)self;
	(void)port;
	for (size_t i = 0; i < count; i++) {
		const struct meter_reading *reading = meter_reading(messages[i]);
		assert_true(seen->count < SEEN_MAX);
		assert_int_equal(meter_reading_copy(seen->readings[seen->count++],
					 METER_READING_MAX, reading, NULL),
			0);
		assert_true(reading->time == messages[i]->time);
		assert_true(reading->trace == messages[i]->trace);
		assert_int_equal(reading->size, messages[i]->size);
		ml_release(node, messages[i]);
	}
}

/* Emits at its start a good telegram, one with a bad record, a wireless one, and a failed readout.
 */
struct source {
	int unused;
};

static void emit(struct ml_node *node, const char *hex, unsigned link, unsigned result)
{
	uint8_t bytes[300];
	struct meter_frame *frame;
	const size_t length = from_hex(hex, bytes, sizeof bytes);
	struct ml_message *message = meter_frame_new(node, bytes, length, NULL, &frame);
	assert_non_null(message);
	frame->point = 17;
	frame->link = (uint8_t)link;
	frame->result = (uint8_t)result;
	frame->addressing = METER_ADDRESS_PRIMARY;
	frame->primary = 5;
	frame->tries = 3;
	assert_int_equal(ml_ack_attach(node, message, 1), 0);
	ml_emit(node, 0, message);
}

static void source_start(struct ml_node *node, void *self)
{
	(void)self;
	emit(node, "6820206808FD7278563412931533032A0000000C1427048502046D32371F1502FD1700008916",
		METER_LINK_WIRED, METER_FRAME_OK);
	emit(node, "681A1A680802727856341224400107550000000313153100DA023B13018B6316",
		METER_LINK_WIRED, METER_FRAME_OK);
	emit(node, "0E4411111111111111207A01000000", METER_LINK_WIRELESS, METER_FRAME_OK);
	emit(node, "", METER_LINK_WIRED, METER_FRAME_TIMEOUT);
	emit(node, "6820", METER_LINK_WIRED, METER_FRAME_MALFORMED);
}

static void source_acked(struct ml_node *node, void *self, uint64_t cookie, bool delivered)
{
	(void)self;
	(void)cookie;
	if (delivered)
		seen_of(node)->delivered++;
	else
		seen_of(node)->failed++;
}

static const struct ml_port source_ports[] = {
	{.name = "out", .direction = ML_OUTPUT, .type = &meter_frame_type, .help = "Frames."},
	{0},
};
static const struct ml_port sink_ports[] = {
	{.name = "in", .direction = ML_INPUT, .type = &meter_reading_type, .help = "Readings."},
	{0},
};
static const struct ml_node_class source_class = {
	.type = "t-source",
	.version = 1,
	.title = "Source",
	.help = "Emits frames.",
	.category = "source",
	.ports = source_ports,
	.size = sizeof(struct source),
	.flags = ML_NODE_SOURCE,
	.start = source_start,
	.acked = source_acked,
};
static const struct ml_node_class sink_class = {
	.type = "t-sink",
	.version = 1,
	.title = "Sink",
	.help = "Keeps readings.",
	.category = "sink",
	.ports = sink_ports,
	.size = sizeof(struct source),
	.process = sink_process,
};
static const struct ml_node_class *const classes[] = {&source_class, &sink_class, NULL};
static const struct ml_service_class services[] = {{"seen", seen_start, free}, {0}};
static const struct ml_family test_family = {
	.abi = ML_FAMILY_ABI,
	.size = sizeof(struct ml_family),
	.name = "test",
	.node_classes = classes,
	.services = services,
};

static const char graph[] =
	"{\"meterloom\": 1, \"nodes\": [{\"id\": \"a\", \"type\": \"t-source\"}, "
	"{\"id\": \"d\", \"type\": \"decode\"}, {\"id\": \"z\", \"type\": \"t-sink\"}], "
	"\"edges\": [{\"from\": \"a\", \"to\": \"d\"}, {\"from\": \"d\", \"to\": \"z\"}]}";

static const struct meter_reading *seen_reading(const struct seen *seen, size_t index)
{
	return (const void *)seen->readings[index];
}

static void assert_error(const struct meter_reading *reading, const char *text)
{
	size_t length;
	const char *error = meter_reading_error(reading, &length);
	assert_non_null(error);
	assert_int_equal(length, strlen(text));
	assert_memory_equal(error, text, length);
}

static void check_readings(const struct seen *seen)
{
	assert_int_equal(seen->count, 5);
	const struct meter_reading *reading = seen_reading(seen, 0);
	assert_false(meter_reading_has_error(reading));
	assert_record(reading, 0, "volume", "m³", "28504.27");
	assert_int_equal(reading->point, 17);
	assert_int_equal(reading->address, 5);
	reading = seen_reading(seen, 1);
	assert_int_equal(reading->record_count, 2);
	assert_error(reading, "record 3: the telegram ends within its DIFEs");
	assert_error(seen_reading(seen, 2), "wireless telegrams cannot be decoded yet");
	reading = seen_reading(seen, 3);
	assert_true(reading->flags & METER_NOT_READ);
	assert_int_equal(reading->address, 5);
	assert_int_equal(reading->telegram_length, 0);
	assert_error(reading, "not read: timeout after 3 tries");
	reading = seen_reading(seen, 4);
	assert_true(reading->flags & METER_NOT_READ);
	assert_int_equal(reading->telegram_length, 2);
}

static void test_decode(void **state)
{
	static const struct ml_family *const families[] = {
		&meter_family, &decode_family, &test_family, NULL};
	struct ml_clock *clock = ml_clock_new_simulated(0);
	struct ml_log *log = ml_log_new(clock, 0);
	const struct ml_engine_options options = {.families = families, .clock = clock, .log = log};
	struct ml_error err = ML_ERROR_NONE;
	struct ml_errors errors = {0};
	struct ml_engine *engine = NULL;
	(void)state;
	if (ml_engine_new(&options, &engine, &err) != 0)
		fail_msg("engine: %s", err.text);
	if (ml_engine_apply(engine, graph, sizeof graph - 1, &errors) != 0)
		fail_msg("%s: %s", errors.items[0].pointer, errors.items[0].text);
	ml_engine_simulate(engine, ML_SEC);
	const struct seen *seen = ml_service(engine, "seen");
	check_readings(seen);
	assert_int_equal(seen->delivered, 5);
	assert_int_equal(seen->failed, 0);
	ml_engine_free(engine);
	ml_log_free(log);
	ml_clock_free(clock);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_decode),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
