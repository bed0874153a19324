/* Any bytes as a chunk of readings: refused, or rows that can be packed again and come back the
 * same. And any bytes as rows: what is packed comes back. The first byte says which.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "store/bytes.h"
#include "store/chunk.h"

enum { ROWS = 256, LARGE = 300, AGAIN = 64, SHAPES = 8 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Shapes of the seeds have their number of records as key; others are not known. */
static int records(void *user, int64_t shape)
{
	(void)user;
	return shape > 0 && shape <= 512 ? (int)shape : -1;
}

static void must(int condition)
{
	if (!condition)
		abort();
}

static void check_series(struct store_chunk *chunk)
{
	size_t count = 0;
	const struct store_chunk_shape *shapes = store_chunk_shapes(chunk, &count);
	for (size_t s = 0; s < count && s < SHAPES; s++) {
		struct store_chunk_value *values = malloc(shapes[s].rows * sizeof *values);
		int64_t *times = malloc(shapes[s].rows * sizeof *times);
		must(values && times);
		(void)store_chunk_times(chunk, s, times, NULL);
		for (unsigned r = 0; r < shapes[s].records && r < SHAPES; r++)
			if (store_chunk_series(chunk, s, r, values, NULL) == 0)
				must(values[0].time == times[0]);
		free(values);
		free(times);
	}
}

static void check_same(const struct store_row *a, const struct store_row *b, size_t count)
{
	for (size_t i = 0; i < count; i++)
		must(a[i].sequence == b[i].sequence && a[i].time == b[i].time &&
			a[i].trace == b[i].trace && a[i].shape == b[i].shape &&
			a[i].origin == b[i].origin && a[i].check == b[i].check &&
			a[i].length == b[i].length &&
			(!a[i].length || memcmp(a[i].content, b[i].content, a[i].length) == 0));
}

static void pack_and_compare(const struct store_row *rows, size_t count)
{
	struct store_chunk_packer *packer = store_chunk_packer_new(4);
	struct store_chunk *chunk = NULL;
	const struct store_row *again = NULL;
	const uint8_t *blob = NULL;
	size_t length = 0;
	must(packer != NULL);
	if (store_chunk_pack(packer, rows, count, records, NULL, &blob, &length, NULL) == 0) {
		must(store_chunk_open(blob, length, &chunk, NULL) == 0);
		must(store_chunk_rows(chunk, 0, true, &again, NULL) == 0);
		must(store_chunk_count(chunk) == count);
		check_same(rows, again, count);
		check_series(chunk);
		store_chunk_close(chunk);
	}
	store_chunk_packer_free(packer);
}

/* The checksum is made right, so that what is behind it is reached. */
static void read_blob(const uint8_t *data, size_t size, int large)
{
	struct store_chunk *chunk = NULL;
	const struct store_row *rows = NULL;
	uint8_t *blob = malloc(size + 4);
	must(blob != NULL);
	memcpy(blob, data, size);
	const uint32_t crc = (uint32_t)crc32(0, blob, (uInt)size);
	for (unsigned i = 0; i < 4; i++)
		blob[size + i] = (uint8_t)(crc >> 8 * i);
	if (store_chunk_open(blob, size + 4, &chunk, NULL) == 0 &&
		(large || store_chunk_count(chunk) <= LARGE)) {
		check_series(chunk);
		(void)store_chunk_rows(chunk, 0, false, &rows, NULL);
		if (store_chunk_rows(chunk, 0, true, &rows, NULL) == 0 &&
			store_chunk_count(chunk) <= AGAIN)
			pack_and_compare(rows, store_chunk_count(chunk));
	}
	store_chunk_close(chunk);
	free(blob);
}

static void make_rows(const uint8_t *data, size_t size)
{
	struct store_row rows[ROWS];
	struct store_in in = {.at = data, .end = data + size};
	size_t count = 0;
	while (count < ROWS && in.at < in.end) {
		struct store_row row = {
			.sequence = store_get(&in),
			.time = store_unzigzag(store_get(&in)),
			.trace = store_get(&in),
			.origin = (uint32_t)store_get(&in),
			.shape = store_get_byte(&in) % 16,
			.check = (uint32_t)store_get(&in),
		};
		row.length = store_get_byte(&in);
		if (row.length > (size_t)(in.end - in.at))
			row.length = (size_t)(in.end - in.at);
		row.content = store_get_bytes(&in, row.length);
		rows[count++] = row;
	}
	if (count)
		pack_and_compare(rows, count);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (!size)
		return 0;
	if (data[0] & 1)
		read_blob(data + 1, size - 1, (data[0] & 0xF0) == 0xF0);
	else
		make_rows(data + 1, size - 1);
	return 0;
}
