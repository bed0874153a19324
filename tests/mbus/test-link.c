/* Frames on the line: found among noise, and what a response says.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "mbus/link.h"

/* rscada/libmbus test/test-frames: ACW_Itron-BM-plus-m */
static const uint8_t itron[] = {0x68, 0x3C, 0x3C, 0x68, 0x08, 0x08, 0x72, 0x78, 0x03, 0x49, 0x11,
	0x77, 0x04, 0x0E, 0x16, 0x0A, 0x00, 0x00, 0x00, 0x0C, 0x78, 0x78, 0x03, 0x49, 0x11, 0x04,
	0x13, 0x31, 0xD4, 0x00, 0x00, 0x42, 0x6C, 0x00, 0x00, 0x44, 0x13, 0x00, 0x00, 0x00, 0x00,
	0x04, 0x6D, 0x0B, 0x0B, 0xCD, 0x13, 0x02, 0x27, 0x00, 0x00, 0x09, 0xFD, 0x0E, 0x02, 0x09,
	0xFD, 0x0F, 0x06, 0x0F, 0x00, 0x01, 0x75, 0x13, 0xD3, 0x16};

static enum mbus_scan scan(const uint8_t *bytes, size_t length, bool complete, size_t *begin)
{
	struct mbus_found found;
	const enum mbus_scan kind = mbus_link_scan(bytes, length, complete, false, &found);
	*begin = found.begin;
	return kind;
}

static void frame_is_found_after_any_noise(void **state)
{
	(void)state;
	static const uint8_t noises[][6] = {{0}, {0xFF, 0xFF}, {0x68}, {0x68, 0x68}, {0x10},
		{0x68, 0x03, 0x03, 0x00}, {0x10, 0x40, 0x01, 0x42, 0x16}, {0xE5}};
	static const size_t lengths[] = {1, 2, 1, 2, 1, 4, 5, 1};
	for (size_t n = 0; n < sizeof lengths / sizeof *lengths; n++) {
		uint8_t line[100];
		size_t begin = 0;
		memcpy(line, noises[n], lengths[n]);
		memcpy(line + lengths[n], itron, sizeof itron);
		const size_t length = lengths[n] + sizeof itron;
		assert_int_equal(scan(line, length, true, &begin), MBUS_SCAN_LONG);
		assert_int_equal(begin, lengths[n]);
		/* While bytes are missing it waits, and without hope it knows that too. */
		assert_int_equal(scan(line, length - 1, false, &begin), MBUS_SCAN_PARTIAL);
		assert_int_equal(scan(line, length - 1, true, &begin), MBUS_SCAN_NONE);
	}
}

static void damage_is_seen(void **state)
{
	(void)state;
	size_t begin = 0;
	/* From the first byte after the header on: before, it is no frame at all. */
	for (size_t i = 4; i < sizeof itron; i++) {
		uint8_t line[sizeof itron];
		memcpy(line, itron, sizeof itron);
		line[i] ^= 0x01;
		assert_int_equal(scan(line, sizeof line, true, &begin), MBUS_SCAN_DAMAGED);
		assert_int_equal(begin, 0);
	}
	for (size_t i = 0; i < 4; i++) {
		uint8_t line[sizeof itron];
		memcpy(line, itron, sizeof itron);
		line[i] ^= 0x01;
		assert_true(scan(line, sizeof line, true, &begin) < MBUS_SCAN_ACK);
	}
}

static void single_character_counts_only_where_it_may(void **state)
{
	(void)state;
	struct mbus_found found;
	static const uint8_t noisy[] = {0xFF, 0xE5};
	assert_int_equal(mbus_link_scan(noisy, 2, false, true, &found), MBUS_SCAN_ACK);
	assert_int_equal(found.begin, 1);
	assert_int_equal(mbus_link_scan(noisy, 2, false, false, &found), MBUS_SCAN_NONE);
	/* Within a frame it is data. */
	uint8_t select[MBUS_FRAME_MAX];
	static const uint8_t address[] = {0xE5, 0xE5, 0xE5, 0xE5, 0xFF, 0xFF, 0xFF, 0xFF};
	const size_t whole = mbus_build_select(select, address, NULL);
	for (size_t length = 4; length < whole; length++)
		assert_int_equal(
			mbus_link_scan(select, length, false, true, &found), MBUS_SCAN_PARTIAL);
	assert_int_equal(mbus_link_scan(select, whole, false, true, &found), MBUS_SCAN_LONG);
}

static void identity_fits_its_address(void **state)
{
	(void)state;
	uint8_t identity[8];
	bool whole = false;
	assert_true(mbus_link_identity(itron, sizeof itron, identity, &whole));
	assert_true(whole);
	assert_memory_equal(identity, itron + 7, 8);
	struct {
		uint8_t address[8];
		bool fits;
	} const cases[] = {
		{{0x78, 0x03, 0x49, 0x11, 0x77, 0x04, 0x0E, 0x16}, true},
		{{0x78, 0x03, 0x49, 0x11, 0xFF, 0xFF, 0xFF, 0xFF}, true},
		{{0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF}, true},
		{{0xFF, 0x0F, 0x49, 0x1F, 0x77, 0x04, 0xFF, 0x16}, true},
		{{0x79, 0x03, 0x49, 0x11, 0xFF, 0xFF, 0xFF, 0xFF}, false},
		{{0x78, 0x03, 0x49, 0x11, 0x77, 0x05, 0xFF, 0xFF}, false},
		{{0x78, 0x03, 0x49, 0x11, 0xFF, 0x04, 0xFF, 0xFF}, false},
		{{0x78, 0x03, 0x49, 0x11, 0xFF, 0xFF, 0x0F, 0xFF}, false},
		{{0x78, 0x03, 0x49, 0x11, 0xFF, 0xFF, 0xFF, 0x07}, false},
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		assert_int_equal(
			mbus_link_matches(identity, true, cases[i].address), cases[i].fits);
}

/* A response with these records. */
static bool more(const uint8_t *records, size_t length)
{
	uint8_t data[12 + 64] = {0x78, 0x56, 0x34, 0x12, 0x24, 0x40, 1, 7};
	uint8_t frame[MBUS_FRAME_MAX];
	memcpy(data + 12, records, length);
	return mbus_link_more_follows(
		frame, mbus_build_long(frame, 0x08, 0x01, 0x72, data, 12 + length));
}

#define MORE(...) more((const uint8_t[]){__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__}))

static void more_follows_is_a_record_and_no_value(void **state)
{
	(void)state;
	assert_true(MORE(0x04, 0x13, 1, 2, 3, 4, 0x1F));
	assert_true(MORE(0x2F, 0x2F, 0x1F));
	assert_true(MORE(0x1F, 0xAA, 0xBB)); /* manufacturer data follow */
	assert_false(MORE(0x0F, 0x1F));
	assert_false(MORE(0x04, 0x13, 0x1F, 0x1F, 0x1F, 0x1F));
	assert_false(MORE(0x0D, 0x78, 0x02, 0x1F, 0x1F));
	assert_true(MORE(0x0D, 0x78, 0x02, 0x1F, 0x1F, 0x1F));
	assert_true(MORE(0x8C, 0x10, 0x83, 0x3B, 1, 2, 3, 4, 0x1F));
	assert_true(MORE(0x02, 0xFC, 0x02, 'a', 'b', 0x74, 1, 2, 0x1F));
	assert_true(MORE(0x02, 0xFC, 0x74, 0x02, 'a', 'b', 1, 2, 0x1F)); /* text after the VIFE */
	assert_false(MORE(0x02, 0x7C, 0x02, 'a', 'b', 1, 0x1F));
	assert_false(MORE(0x04)); /* ends in the middle */
	assert_false(mbus_link_more_follows(itron, sizeof itron));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(frame_is_found_after_any_noise),
		cmocka_unit_test(damage_is_seen),
		cmocka_unit_test(single_character_counts_only_where_it_may),
		cmocka_unit_test(identity_fits_its_address),
		cmocka_unit_test(more_follows_is_a_record_and_no_value),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
