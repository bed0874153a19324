/* Frames of the wired bus: checking, finding in a stream, building.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "telegram.h"

#include "mbus/frame.h"

/* rscada/libmbus test-frames/example_binary16_lvar */
static const char frame_hex[] =
	"6825256808007200000000CD250102000000000D7C025750F096075B2A27A693013DB51AB3DCD13E17D516";

static void test_check(void **state)
{
	uint8_t bytes[300];
	struct mbus_frame frame;
	size_t at;
	(void)state;
	const size_t length = from_hex("68040468080170017A16", bytes, sizeof bytes);
	assert_int_equal(mbus_frame_check(bytes, length, &frame, &at), MBUS_CHECK_OK);
	assert_int_equal(frame.kind, MBUS_FRAME_LONG);
	assert_int_equal(frame.control, 0x08);
	assert_int_equal(frame.address, 1);
	assert_int_equal(frame.ci, 0x70);
	assert_int_equal(frame.data_length, 1);
	assert_int_equal(frame.data[0], 1);
	for (size_t i = 1; i < length; i++) {
		assert_int_equal(mbus_frame_check(bytes, i, &frame, &at), MBUS_CHECK_MORE);
		assert_int_equal(at, i);
	}
	static const struct {
		const char *hex;
		enum mbus_check check;
		size_t at;
	} wrong[] = {
		{"55", MBUS_CHECK_START, 0},
		{"680202", MBUS_CHECK_LENGTH, 1},
		{"680405", MBUS_CHECK_LENGTH, 2},
		{"68040467", MBUS_CHECK_SECOND, 3},
		{"68040468080170017B16", MBUS_CHECK_CHECKSUM, 8},
		{"68040468080170017A17", MBUS_CHECK_STOP, 9},
		{"105B015D16", MBUS_CHECK_CHECKSUM, 3},
		{"105B015C17", MBUS_CHECK_STOP, 4},
	};
	for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
		const size_t n = from_hex(wrong[i].hex, bytes, sizeof bytes);
		assert_int_equal(mbus_frame_check(bytes, n, &frame, &at), wrong[i].check);
		assert_int_equal(at, wrong[i].at);
		assert_true(mbus_check_text(wrong[i].check)[0]);
	}
}

/* In pieces of every size, with garbage before, between and behind. */
static void test_parser_takes_up_again(void **state)
{
	uint8_t stream[1024];
	uint8_t frame_bytes[300];
	(void)state;
	const size_t frame_length = from_hex(frame_hex, frame_bytes, sizeof frame_bytes);
	size_t length = from_hex("00FF6868", stream, sizeof stream); /* half a start */
	memcpy(stream + length, frame_bytes, frame_length);
	length += frame_length;
	stream[length++] = 0xE5;
	length += from_hex("68FFFF00 105B015C16 1610", stream + length, sizeof stream - length);
	for (size_t piece = 1; piece <= length; piece++) {
		struct mbus_parser parser;
		struct mbus_frame frame;
		unsigned kinds[8];
		size_t count = 0;
		mbus_parser_init(&parser);
		for (size_t at = 0; at < length;) {
			const size_t most = piece < length - at ? piece : length - at;
			size_t taken = 0;
			do {
				taken += mbus_parser_feed(
					&parser, stream + at + taken, most - taken, &frame);
				if (frame.kind) {
					assert_true(count < 8);
					kinds[count++] = frame.kind;
				}
				if (frame.kind == MBUS_FRAME_LONG)
					assert_memory_equal(frame.bytes, frame_bytes, frame_length);
			} while (frame.kind);
			assert_int_equal(taken, most);
			at += most;
		}
		assert_int_equal(count, 3);
		assert_int_equal(kinds[0], MBUS_FRAME_LONG);
		assert_int_equal(kinds[1], MBUS_FRAME_ACK);
		assert_int_equal(kinds[2], MBUS_FRAME_SHORT);
		assert_int_equal(parser.junk, 4 + 4 + 1);
		assert_true(mbus_parser_pending(&parser));
		assert_int_equal(mbus_parser_reset(&parser), 1);
		assert_int_equal(parser.junk, 10);
		assert_false(mbus_parser_pending(&parser));
	}
}

/* A length byte that lies hides no frame that follows. */
static void test_parser_survives_a_broken_frame(void **state)
{
	uint8_t stream[600];
	struct mbus_parser parser;
	struct mbus_frame frame;
	(void)state;
	size_t length = from_hex("682020680801", stream, sizeof stream);
	length += from_hex("68040468080170017A16", stream + length, sizeof stream - length);
	const size_t whole = length;
	memset(stream + length, 0, 40);
	length += 40;
	mbus_parser_init(&parser);
	const size_t taken = mbus_parser_feed(&parser, stream, length, &frame);
	assert_int_equal(frame.kind, MBUS_FRAME_LONG);
	assert_int_equal(frame.length, 10);
	assert_true(taken >= whole);
	assert_int_equal(parser.junk, 6);
}

static void assert_built(const uint8_t *bytes, size_t length, const char *hex)
{
	uint8_t expected[MBUS_FRAME_MAX];
	struct mbus_frame frame;
	assert_int_equal(length, from_hex(hex, expected, sizeof expected));
	assert_memory_equal(bytes, expected, length);
	assert_int_equal(mbus_frame_check(bytes, length, &frame, NULL), MBUS_CHECK_OK);
}

static void test_builders(void **state)
{
	static const uint8_t any[8] = {0x78, 0x56, 0x34, 0x12, 0xFF, 0xFF, 0xFF, 0xFF};
	static const uint8_t fabrication[4] = {0x04, 0x03, 0x02, 0x01};
	uint8_t out[MBUS_FRAME_MAX];
	uint8_t data[MBUS_DATA_MAX + 1] = {0};
	(void)state;
	assert_built(out, mbus_build_ack(out), "E5");
	assert_built(out, mbus_build_snd_nke(out, 253), "1040FD3D16");
	assert_built(out, mbus_build_req_ud2(out, 1, false), "105B015C16");
	assert_built(out, mbus_build_req_ud2(out, 1, true), "107B017C16");
	assert_built(out, mbus_build_req_ud1(out, 1, true), "107A017B16");
	assert_built(out, mbus_build_select(out, any, NULL), "680B0B6853FD5278563412FFFFFFFFB216");
	assert_built(out, mbus_build_select(out, any, fabrication),
		"6811116853FD5278563412FFFFFFFF0C78040302014016");
	assert_built(out, mbus_build_application_reset(out, 1, -1), "680303685301 50A416");
	assert_built(out, mbus_build_application_reset(out, 254, 0x10), "6804046853FE5010B116");
	assert_built(out, mbus_build_set_baud(out, 254, 9600), "6803036853FEBD0E16");
	assert_int_equal(mbus_build_set_baud(out, 254, 14400), 0);
	assert_built(out, mbus_build_set_address(out, 253, 5), "6806066853FD51017A052116");
	assert_int_equal(mbus_build_long(out, 0x53, 1, 0x51, data, MBUS_DATA_MAX), MBUS_FRAME_MAX);
	assert_int_equal(mbus_build_long(out, 0x53, 1, 0x51, data, MBUS_DATA_MAX + 1), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_check),
		cmocka_unit_test(test_parser_takes_up_again),
		cmocka_unit_test(test_parser_survives_a_broken_frame),
		cmocka_unit_test(test_builders),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
