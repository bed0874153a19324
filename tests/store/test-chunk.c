/* Chunks: what goes in comes out byte for byte, what goes on evenly costs nothing, and what is
 * damaged is refused.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "count.h"
#include "heat.h"
#include "telegram.h"

#include <jansson.h>

#include "store/bytes.h"
#include "store/chunk.h"

enum { ROWS_MAX = 3000, MEMORY = 8 << 20 };

/* Rows in the making. */
struct rows {
	struct store_row rows[ROWS_MAX];
	size_t count;
	uint8_t memory[MEMORY];
	size_t used;
};

static struct rows rows;

static void clear(void)
{
	rows.count = 0;
	rows.used = 0;
}

static void add(struct store_row row, const void *content, size_t length)
{
	assert_true(rows.count < ROWS_MAX && length <= MEMORY - rows.used);
	if (length)
		memcpy(rows.memory + rows.used, content, length);
	row.content = rows.memory + rows.used;
	row.length = length;
	rows.used += length;
	rows.rows[rows.count++] = row;
}

/* The key of a shape tells its number of records; 999 is not known. */
static int records(void *user, int64_t shape)
{
	(void)user;
	return shape == 999 ? -1 : (int)(shape % 1000);
}

static void assert_same(const struct store_row *a, const struct store_row *b, uint32_t check_mask)
{
	assert_int_equal(a->sequence, b->sequence);
	assert_int_equal(a->time, b->time);
	assert_int_equal(a->trace, b->trace);
	assert_int_equal(a->shape, b->shape);
	assert_int_equal(a->origin, b->origin);
	assert_int_equal(a->check & check_mask, b->check);
	assert_int_equal(a->length, b->length);
	if (a->length)
		assert_memory_equal(a->content, b->content, a->length);
}

/* Packs all rows, reads them back, and returns the blob's length. */
static size_t round_trip(unsigned check_bytes)
{
	struct store_chunk_packer *packer = store_chunk_packer_new(check_bytes);
	struct store_chunk *chunk = NULL;
	const struct store_row *again = NULL;
	const uint8_t *blob = NULL;
	size_t length = 0;
	struct ml_error err = ML_ERROR_NONE;
	const uint32_t mask = check_bytes == 4 ? UINT32_MAX : (UINT32_C(1) << 8 * check_bytes) - 1;
	assert_non_null(packer);
	assert_int_equal(store_chunk_pack(packer, rows.rows, rows.count, records, NULL, &blob,
				 &length, &err),
		0);
	assert_int_equal(store_chunk_open(blob, length, &chunk, &err), 0);
	assert_int_equal(store_chunk_count(chunk), rows.count);
	assert_int_equal(store_chunk_rows(chunk, 77, false, &again, &err), 0);
	for (size_t i = 0; i < rows.count; i++) {
		assert_int_equal(again[i].sequence, rows.rows[i].sequence);
		assert_int_equal(again[i].length, 0);
	}
	assert_int_equal(store_chunk_rows(chunk, 77, true, &again, &err), 0);
	for (size_t i = 0; i < rows.count; i++) {
		assert_same(&rows.rows[i], &again[i], mask);
		assert_int_equal(again[i].device, 77);
	}
	store_chunk_close(chunk);
	store_chunk_packer_free(packer);
	return length;
}

/* A content of one token of each of some numbers. */
static size_t make_content(uint8_t out[STORE_VALUES_MAX], const uint64_t *tokens, size_t count)
{
	struct store_out o = {.at = out, .end = out + STORE_VALUES_MAX};
	store_put_bytes(&o, "\x08\x72\x00\x00", 4);
	for (size_t i = 0; i < count; i++)
		store_put(&o, tokens[i]);
	return (size_t)(o.at - out);
}

/* ---- What comes back ---- */

/* A meter of many telegrams: each of the corpus is one of its shapes, and comes again and again. */
static void telegrams_come_back(void **state)
{
	(void)state;
	static uint8_t values[STORE_VALUES_MAX];
	static char line[16384];
	static struct telegram t;
	char path[4096];
	int64_t key = 0;
	clear();
	(void)snprintf(path, sizeof path, "%s/wired.jsonl", getenv("TEST_DATA"));
	FILE *file = fopen(path, "r");
	assert_non_null(file);
	while (fgets(line, sizeof line, file)) {
		json_t *row = json_loads(line, 0, NULL);
		struct store_shape *shape = NULL;
		const struct meter_reading *reading = (void *)t.block;
		assert_non_null(row);
		t.length = from_hex(
			json_string_value(json_object_get(row, "hex")), t.bytes, sizeof t.bytes);
		json_decref(row);
		if (mbus_decode_frame(t.block, sizeof t.block, t.bytes, t.length, 0, NULL) < 0)
			continue;
		assert_int_equal(store_shape_new(reading, &shape, NULL), 0);
		key += 1000;
		add((struct store_row){.shape = shape->count ? key + (int64_t)shape->count : 0},
			values, store_values_write(shape, reading, values));
		store_shape_free(shape);
	}
	(void)fclose(file);
	const size_t kinds = rows.count;
	assert_true(kinds > 50);
	while (rows.count < 12 * kinds) {
		const struct store_row *before = &rows.rows[rows.count - kinds];
		add(*before, before->content, before->length);
	}
	for (size_t i = 0; i < rows.count; i++) {
		rows.rows[i].sequence = 5000 + 7 * i;
		rows.rows[i].time = INT64_C(1700000000123000) + (int64_t)i * 450000;
		rows.rows[i].trace = 1 + i * 3;
		rows.rows[i].check = (uint32_t)i * 2654435761u;
	}
	(void)round_trip(4);
}

static void any_numbers_come_back(void **state)
{
	(void)state;
	static const uint64_t odd[] = {0, 1, UINT64_MAX, UINT64_MAX / 2, UINT64_MAX / 2 + 1, 1000,
		999, UINT64_C(1) << 56, 3};
	enum { COUNT = sizeof odd / sizeof *odd };
	uint8_t content[STORE_VALUES_MAX];
	clear();
	for (size_t i = 0; i < 500; i++) {
		const uint64_t token = odd[i * 7 % COUNT] & ~UINT64_C(1);
		const size_t length = make_content(content, &token, 1);
		add((struct store_row){.sequence = odd[i % COUNT],
			    .time = (int64_t)odd[i * 5 % COUNT],
			    .trace = odd[(i + i / 9) % COUNT],
			    .origin = (uint32_t)odd[i * 2 % COUNT],
			    .shape = i % 11 ? 1 : INT64_MIN + 808,
			    .check = (uint32_t)odd[i * 4 % COUNT]},
			content, length);
	}
	(void)round_trip(4);
}

/* Contents that are no contents, numbers longer than they need be, tokens of all kinds. */
static void odd_contents_come_back(void **state)
{
	(void)state;
	static const struct {
		const char *bytes;
		size_t length;
	} contents[] = {
		{"", 0},
		{"\x00", 1},
		{"\xFF\xFF\xFF", 3},
		{"\x08\x72\x00\x00\x04\x06", 6},                  /* two numbers */
		{"\x08\x72\x00\x00\x84\x00\x06", 7},              /* one longer than needed */
		{"\x88\x00\x72\x00\x00\x04\x06", 7},              /* the head too */
		{"\x08\x72\x00\x00\x01\x11", 6},                  /* no value; above: 1 */
		{"\x08\x72\x00\x00\x13\x05\x23\x06", 8},          /* exponents */
		{"\x08\x72\x00\x00\x05\xC1\xA8\x7E\x09\x02", 10}, /* a date, a time */
		{"\x08\x72\x00\x00\x05\xFF\xFF\x7F\x05\x00", 10}, /* dates that are none */
		{"\x08\x72\x00\x00\x15"
		 "12345678"
		 "\x3B"
		 "abc",
			17}, /* raw time, text */
		{"\x08\x72\x00\x00\x3B"
		 "ab",
			7}, /* cut */
		{"\x0C\x72\x00\x00\x04\x06\x01\x03"
		 "bad",
			11}, /* with an error */
		{"\x0C\x72\x00\x00\x04\x06\x01\x83\x00"
		 "bad",
			12},
		{"\x0C\x72\x00\x00\x04\x06\x01\x09"
		 "bad",
			11},
		{"\xFF\x7F\x72\x01\x02\x03\x04\x05\x81\x01\x04\x06\x01\x00", 14},
	};
	enum { COUNT = sizeof contents / sizeof *contents };
	clear();
	for (size_t i = 0; i < 40 * COUNT; i++) {
		const size_t which = i < 20 * COUNT ? i / 20 : i * 7 % COUNT;
		const int64_t shapes[] = {2, 0, 999, 1000, 3};
		add((struct store_row){.sequence = i, .shape = shapes[i / 3 % 5]},
			contents[which].bytes, contents[which].length);
	}
	(void)round_trip(4);
}

static uint32_t scrambled(uint64_t number)
{
	number = (number ^ number >> 30) * 0xBF58476D1CE4E5B9u;
	number = (number ^ number >> 27) * 0x94D049BB133111EBu;
	return (uint32_t)(number >> 32);
}

/* Its bytes are by chance, so that each costs a byte. */
static void a_check_may_be_shorter(void **state)
{
	(void)state;
	size_t last = 0;
	clear();
	for (size_t i = 0; i < 300; i++)
		add((struct store_row){.sequence = i, .check = scrambled(i + 1)},
			"\x08\x72\x00\x00", 4);
	for (unsigned bytes = 0; bytes <= 4; bytes++) {
		const size_t length = round_trip(bytes);
		assert_in_range(length, last + (bytes ? 290 : 1), last + 310);
		last = length;
	}
}

/* ---- What it costs ---- */

/* Of 3000 rows that go on evenly, nothing but the head is left. */
static void what_goes_on_evenly_costs_nothing(void **state)
{
	(void)state;
	uint8_t content[STORE_VALUES_MAX];
	clear();
	for (size_t i = 0; i < 2900; i++) {
		/* A date with time every quarter of an hour, a date, a text, a counter. */
		const uint64_t minutes = i * 15, day = 1 + minutes / 1440;
		uint8_t bytes[64];
		struct store_out o = {.at = bytes, .end = bytes + sizeof bytes};
		store_put_bytes(&o, "\x08\x72", 2);
		store_put_byte(&o, (uint8_t)i);
		store_put_byte(&o, 0);
		store_put(&o, 3 << 1 | 1);
		store_put(&o, 2026u << 10 | 1 << 6 | day);
		store_put(&o, 1 << 17 | minutes / 60 % 24 << 12 | minutes % 60 << 6);
		store_put(&o, 2 << 1 | 1);
		store_put(&o, 2026u << 10 | 1 << 6 | day);
		store_put(&o, 8 << 4 | 5 << 1 | 1);
		store_put_bytes(&o, "AB-12345", 8);
		store_put(&o, (100000 + 3 * i) << 2);
		memcpy(content, bytes, (size_t)(o.at - bytes));
		add((struct store_row){.sequence = 256 * i,
			    .time = (int64_t)i * 900 * 1000000,
			    .trace = 1 + 258 * i,
			    .origin = 3,
			    .shape = 4},
			content, (size_t)(o.at - bytes));
	}
	assert_in_range(round_trip(4), 20, 300);
}

/* Two values by chance, their sum and difference: only the two are paid for, and each is read alone
 * all the same. */
static void what_follows_from_others_costs_nothing(void **state)
{
	(void)state;
	static struct store_chunk_value values[ROWS_MAX];
	uint8_t content[STORE_VALUES_MAX];
	size_t lengths[2] = {0, 0};
	struct store_chunk_packer *packer = store_chunk_packer_new(4);
	struct store_chunk *chunk = NULL;
	const uint8_t *blob = NULL;
	size_t length = 0;
	for (unsigned with = 0; with < 2; with++) {
		clear();
		for (size_t i = 0; i < 2000; i++) {
			const uint64_t a = scrambled(i + 1) % 4096, b = scrambled(i + 9999) % 1024;
			const uint64_t tokens[] = {a << 2, b << 2, (a + b) << 2,
				(store_zigzag((int64_t)b - (int64_t)a) << 1)};
			const size_t count = with ? 4 : 2;
			add((struct store_row){.sequence = i, .shape = (int64_t)count}, content,
				make_content(content, tokens, count));
		}
		lengths[with] = round_trip(4);
	}
	assert_in_range(lengths[1], lengths[0], lengths[0] + 40);
	assert_int_equal(store_chunk_pack(packer, rows.rows, rows.count, records, NULL, &blob,
				 &length, NULL),
		0);
	assert_int_equal(store_chunk_open(blob, length, &chunk, NULL), 0);
	for (unsigned r = 0; r < 4; r++) {
		assert_int_equal(store_chunk_series(chunk, 0, r, values, NULL), 0);
		for (size_t i = 0; i < 2000; i++) {
			const int64_t a = scrambled(i + 1) % 4096, b = scrambled(i + 9999) % 1024;
			const int64_t expected[] = {a, b, a + b, b - a};
			assert_int_equal(values[i].mantissa, expected[r]);
		}
	}
	store_chunk_close(chunk);
	store_chunk_packer_free(packer);
}

static void fill_month(struct heat *heat, struct heat_meter **meter, unsigned number)
{
	uint8_t content[HEAT_CONTENT_MAX];
	struct store_row row;
	(void)heat;
	*meter = heat_meter_new(heat, number, 25);
	clear();
	while (rows.count < 2976 && heat_meter_next(*meter, content, &row)) {
		if (row.shape)
			row.shape = HEAT_VALUES;
		add(row, content, row.length);
	}
}

static void a_month_of_heat_meters_is_small(void **state)
{
	(void)state;
	size_t length = 0, values = 0;
	struct heat *heat = heat_new(64, 2976, 2);
	for (unsigned m = 0; m < test_count(60); m++) {
		struct heat_meter *meter = NULL;
		fill_month(heat, &meter, m);
		length += round_trip(4);
		values += rows.count * HEAT_VALUES;
		heat_meter_free(meter);
	}
	heat_free(heat);
	assert_in_range(length * 100 / values, 50, 115); /* bytes of 100 values, in winter */
}

/* ---- A series alone ---- */

static void a_series_is_that_of_the_rows(void **state)
{
	(void)state;
	static struct store_chunk_value values[ROWS_MAX];
	static int64_t times[ROWS_MAX];
	static _Alignas(8) uint8_t block[STORE_BLOCK_MAX];
	struct heat *heat = heat_new(256, 2976, 3);
	struct heat_meter *meter = NULL;
	struct store_chunk_packer *packer = store_chunk_packer_new(4);
	struct store_chunk *chunk = NULL;
	const uint8_t *blob = NULL;
	size_t length = 0, shapes = 0;
	fill_month(heat, &meter, 200);
	const struct store_shape *shape = heat_meter_shape(meter);
	assert_int_equal(store_chunk_pack(packer, rows.rows, rows.count, records, NULL, &blob,
				 &length, NULL),
		0);
	assert_int_equal(store_chunk_open(blob, length, &chunk, NULL), 0);
	const struct store_chunk_shape *known = store_chunk_shapes(chunk, &shapes);
	assert_int_equal(shapes, 2); /* and readouts that failed */
	const size_t which = known[0].shape ? 0 : 1;
	assert_int_equal(known[which].records, HEAT_VALUES);
	for (unsigned r = 0; r < HEAT_VALUES; r++) {
		size_t at = 0;
		assert_int_equal(store_chunk_series(chunk, which, r, values, NULL), 0);
		for (size_t i = 0; i < rows.count; i++) {
			const struct store_row *row = &rows.rows[i];
			if (!row->shape)
				continue;
			assert_int_equal(store_values_read(shape, row->content, row->length, block,
						 sizeof block, NULL),
				0);
			assert_int_equal(values[at].time, row->time);
			assert_int_equal(values[at].kind, STORE_CHUNK_NUMBER);
			assert_int_equal(values[at].mantissa,
				meter_reading_record((void *)block, r)->mantissa);
			at++;
		}
		assert_int_equal(at, known[which].rows);
	}
	assert_int_equal(store_chunk_times(chunk, 1 - which, times, NULL), 0);
	for (size_t i = 0, at = 0; i < rows.count; i++)
		if (!rows.rows[i].shape)
			assert_int_equal(times[at++], rows.rows[i].time);
	store_chunk_close(chunk);
	store_chunk_packer_free(packer);
	heat_meter_free(meter);
	heat_free(heat);
}

static void a_series_tells_what_is_no_number(void **state)
{
	(void)state;
	static const uint64_t tokens[][2] = {
		{100 << 1}, {1}, {3 << 4 | 1 << 1 | 1, 7}, {0 << 4 | 5 << 1 | 1}, {50 << 1}};
	static const struct store_chunk_value expected[] = {
		{.kind = STORE_CHUNK_NUMBER, .mantissa = 50},
		{.kind = STORE_CHUNK_NONE},
		{.kind = STORE_CHUNK_SCALED, .mantissa = -4, .exponent = -2},
		{.kind = STORE_CHUNK_OTHER},
		{.kind = STORE_CHUNK_NUMBER, .mantissa = 25},
		{.kind = STORE_CHUNK_OTHER},
	};
	struct store_chunk_value values[6];
	uint8_t content[STORE_VALUES_MAX];
	struct store_chunk_packer *packer = store_chunk_packer_new(4);
	struct store_chunk *chunk = NULL;
	const uint8_t *blob = NULL;
	size_t length = 0;
	clear();
	for (size_t i = 0; i < 5; i++)
		add((struct store_row){.sequence = i, .time = 1000 * (int64_t)i, .shape = 1},
			content, make_content(content, tokens[i], i == 2 ? 2 : 1));
	add((struct store_row){.sequence = 5, .time = 5000, .shape = 1}, "\xFF", 1);
	assert_int_equal(store_chunk_pack(packer, rows.rows, rows.count, records, NULL, &blob,
				 &length, NULL),
		0);
	assert_int_equal(store_chunk_open(blob, length, &chunk, NULL), 0);
	assert_int_equal(store_chunk_series(chunk, 0, 0, values, NULL), 0);
	for (size_t i = 0; i < 6; i++) {
		assert_int_equal(values[i].time, 1000 * i);
		assert_int_equal(values[i].kind, expected[i].kind);
		assert_int_equal(values[i].mantissa, expected[i].mantissa);
		assert_int_equal(values[i].exponent, expected[i].exponent);
	}
	store_chunk_close(chunk);
	store_chunk_packer_free(packer);
}

/* ---- What is refused ---- */

static void what_is_damaged_is_refused(void **state)
{
	(void)state;
	static uint8_t copy[1 << 16];
	struct heat *heat = heat_new(8, 2976, 4);
	struct heat_meter *meter = NULL;
	struct store_chunk_packer *packer = store_chunk_packer_new(4);
	struct store_chunk *chunk = NULL;
	const uint8_t *blob = NULL;
	size_t length = 0;
	fill_month(heat, &meter, 1);
	rows.count = 200;
	assert_int_equal(store_chunk_pack(packer, rows.rows, rows.count, records, NULL, &blob,
				 &length, NULL),
		0);
	assert_true(length < sizeof copy);
	for (size_t bit = 0; bit < 8 * length; bit++) {
		memcpy(copy, blob, length);
		copy[bit / 8] ^= (uint8_t)(1 << bit % 8);
		assert_int_equal(store_chunk_open(copy, length, &chunk, NULL), -EBADMSG);
	}
	for (size_t cut = 0; cut < length; cut++)
		assert_int_equal(store_chunk_open(blob, cut, &chunk, NULL), -EBADMSG);
	store_chunk_packer_free(packer);
	heat_meter_free(meter);
	heat_free(heat);
}

static void what_is_too_much_is_refused(void **state)
{
	(void)state;
	static struct store_row many[STORE_CHUNK_ROWS_MAX + 1];
	struct store_chunk_packer *packer = store_chunk_packer_new(4);
	const uint8_t *blob = NULL;
	size_t length = 0;
	struct ml_error err = ML_ERROR_NONE;
	for (size_t i = 0; i <= STORE_CHUNK_ROWS_MAX; i++)
		many[i] = (struct store_row){.content = (const uint8_t *)"", .shape = 33};
	assert_int_equal(store_chunk_pack(packer, many, STORE_CHUNK_ROWS_MAX + 1, records, NULL,
				 &blob, &length, &err),
		-E2BIG);
	assert_non_null(strstr(err.text, "1 to 32768 readings, not 32769"));
	/* 32768 readings of 33 values */
	assert_int_equal(store_chunk_pack(packer, many, STORE_CHUNK_ROWS_MAX, records, NULL, &blob,
				 &length, &err),
		-E2BIG);
	assert_int_equal(store_chunk_pack(packer, many, STORE_CHUNK_ROWS_MAX / 2, records, NULL,
				 &blob, &length, &err),
		0);
	for (size_t i = 0; i < 300; i++)
		many[i].shape = 1000 * (int64_t)i;
	assert_int_equal(
		store_chunk_pack(packer, many, 300, records, NULL, &blob, &length, &err), -E2BIG);
	many[0].boot = 1;
	assert_int_equal(
		store_chunk_pack(packer, many, 1, records, NULL, &blob, &length, &err), -EINVAL);
	assert_int_equal(
		store_chunk_pack(packer, many, 0, records, NULL, &blob, &length, &err), -EINVAL);
	store_chunk_packer_free(packer);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(telegrams_come_back),
		cmocka_unit_test(any_numbers_come_back),
		cmocka_unit_test(odd_contents_come_back),
		cmocka_unit_test(a_check_may_be_shorter),
		cmocka_unit_test(what_goes_on_evenly_costs_nothing),
		cmocka_unit_test(what_follows_from_others_costs_nothing),
		cmocka_unit_test(a_month_of_heat_meters_is_small),
		cmocka_unit_test(a_series_is_that_of_the_rows),
		cmocka_unit_test(a_series_tells_what_is_no_number),
		cmocka_unit_test(what_is_damaged_is_refused),
		cmocka_unit_test(what_is_too_much_is_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
