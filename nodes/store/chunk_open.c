/* Opening a chunk: finding its columns.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "meter/reading.h"
#include "store/chunk_private.h"

int chunk_fail(int result, struct ml_error *err)
{
	if (result == -ENOMEM)
		return ml_error_set(err, result, "out of memory");
	return ml_error_set(err, -EBADMSG, "a chunk of readings is damaged");
}

/* ---- The head ---- */

enum part_kind { PART_TEXT, PART_NUMBER, PART_TRACE, PART_RECORD };

static bool take_link(struct store_in *in, enum part_kind kind, struct chunk_part *part)
{
	part->linked = true;
	if (kind != PART_RECORD)
		return kind == PART_TRACE;
	part->a = (uint16_t)store_get_below(in, METER_RECORDS_MAX);
	const uint64_t b = store_get_below(in, 2 * METER_RECORDS_MAX);
	part->b = (uint16_t)(b >> 1);
	part->sum = b & 1;
	return !in->bad;
}

static bool take_part(struct store_in *in, enum part_kind kind, struct chunk_part *part)
{
	const uint8_t first = store_get_byte(in);
	part->there = true;
	part->form = first & CHUNK_FORM_MASK;
	if (part->form == CHUNK_PLAIN) {
		part->width = first >> CHUNK_FORM_BITS;
		return !in->bad && kind == PART_NUMBER && part->width >= 1 && part->width <= 4;
	}
	if (part->form != CHUNK_CONSTANT && part->form != CHUNK_CODED)
		return false;
	if (kind == PART_TEXT) {
		part->length = (size_t)store_get_below(in, STORE_CHUNK_BLOB_MAX);
		return !in->bad;
	}
	if (first & CHUNK_LINKED && !take_link(in, kind, part))
		return false;
	if (part->form == CHUNK_CODED) {
		const uint8_t way = store_get_byte(in);
		part->plan.context = first >> CHUNK_FORM_BITS & CHUNK_CONTEXT_MASK;
		part->plan.near = way & CHUNK_NEAR_MASK;
		part->plan.trend = way >> CHUNK_NEAR_BITS;
	}
	part->plan.first = (uint64_t)store_unzigzag(store_get(in));
	if (part->form == CHUNK_CONSTANT)
		return !in->bad;
	if (first & CHUNK_HAS_PERIOD)
		part->plan.period = store_get(in);
	part->length = (size_t)store_get_below(in, STORE_CHUNK_BLOB_MAX);
	return !in->bad;
}

static bool take_fields(struct store_in *in, struct chunk_part *parts)
{
	const uint64_t mask = store_get_below(in, UINT64_C(1) << CHUNK_FIELDS);
	for (unsigned f = 0; f < CHUNK_FIELDS; f++) {
		const enum part_kind kind = f == CHUNK_ERROR_TEXT || f == CHUNK_CONTENT ? PART_TEXT
					    : f == CHUNK_TRACE                          ? PART_TRACE
							       : PART_NUMBER;
		if (mask >> f & 1 && !take_part(in, kind, &parts[f]))
			return false;
	}
	return !in->bad;
}

static bool take_record(struct store_in *in, struct chunk_part *parts)
{
	const uint64_t mask = store_get_below(in, UINT64_C(1) << CHUNK_RECORD_FIELDS);
	for (unsigned f = 0; f < CHUNK_RECORD_FIELDS; f++) {
		const enum part_kind kind = f == CHUNK_TOKEN    ? PART_TEXT
					    : f == CHUNK_NUMBER ? PART_RECORD
								: PART_NUMBER;
		if (mask >> f & 1 && !take_part(in, kind, &parts[f]))
			return false;
	}
	return !in->bad;
}

/* A record is linked to earlier ones that are not linked themselves. */
static bool links_are_good(const struct chunk_stream *stream, unsigned record)
{
	const struct chunk_part *numbers = stream->records + CHUNK_NUMBER;
	const struct chunk_part *part = &numbers[(size_t)record * CHUNK_RECORD_FIELDS];
	return !part->linked || (part->a < record && part->b < record &&
					!numbers[(size_t)part->a * CHUNK_RECORD_FIELDS].linked &&
					!numbers[(size_t)part->b * CHUNK_RECORD_FIELDS].linked);
}

static bool take_stream(struct store_in *in, struct chunk_stream *stream, unsigned records)
{
	if (!take_fields(in, stream->fields))
		return false;
	for (unsigned r = 0; r < records; r++)
		if (!take_record(in, stream->records + (size_t)r * CHUNK_RECORD_FIELDS) ||
			!links_are_good(stream, r))
			return false;
	return true;
}

static int take_shapes(struct store_in *in, struct store_chunk *chunk)
{
	uint64_t tokens = 0, rows = 0;
	const size_t count = (size_t)store_get_below(in, STORE_CHUNK_SHAPES_MAX + 1);
	chunk->shapes = calloc(count + 1, sizeof *chunk->shapes);
	chunk->streams = calloc(count + 1, sizeof *chunk->streams);
	if (!chunk->shapes || !chunk->streams)
		return -ENOMEM;
	chunk->stream_count = count;
	for (size_t s = 0; s < chunk->stream_count; s++) {
		struct store_chunk_shape *shape = &chunk->shapes[s];
		shape->shape = store_unzigzag(store_get(in));
		shape->records = (uint16_t)store_get_below(in, METER_RECORDS_MAX + 1);
		shape->rows = (uint32_t)(chunk->stream_count > 1
						 ? store_get_below(in, STORE_CHUNK_ROWS_MAX + 1)
						 : chunk->count);
		rows += shape->rows;
		tokens += (uint64_t)shape->records * shape->rows;
		if (!shape->rows)
			return -EBADMSG;
	}
	return !in->bad && rows == chunk->count && tokens <= STORE_CHUNK_TOKENS_MAX ? 0 : -EBADMSG;
}

static int take_head(struct store_in *in, struct store_chunk *chunk)
{
	if (store_get_byte(in) != CHUNK_VERSION)
		return -EBADMSG;
	chunk->count = (size_t)store_get_below(in, STORE_CHUNK_ROWS_MAX + 1);
	chunk->unit = (int64_t)store_get_below(in, 1000001);
	if (in->bad || !chunk->count || !chunk->unit)
		return -EBADMSG;
	const int result = take_shapes(in, chunk);
	if (result < 0)
		return result;
	if (chunk->stream_count > 1 && !take_part(in, PART_NUMBER, &chunk->order))
		return -EBADMSG;
	for (size_t s = 0; s < chunk->stream_count; s++) {
		struct chunk_stream *stream = &chunk->streams[s];
		const unsigned records = chunk->shapes[s].records;
		/* Each record takes a byte of the head at least: a blob that claims more lies. */
		if (records > (size_t)(in->end - in->at))
			return -EBADMSG;
		stream->records =
			calloc((size_t)records * CHUNK_RECORD_FIELDS + 1, sizeof *stream->records);
		if (!stream->records)
			return -ENOMEM;
		if (!take_stream(in, stream, records))
			return -EBADMSG;
	}
	return 0;
}

/* ---- The data ---- */

static bool place(struct store_in *in, struct chunk_part *part, size_t rows)
{
	if (!part->there)
		return true;
	if (part->form == CHUNK_PLAIN)
		part->length = (size_t)part->width * rows;
	part->at = store_get_bytes(in, part->length);
	return !in->bad;
}

static bool place_all(struct store_in *in, struct store_chunk *chunk)
{
	if (!place(in, &chunk->order, chunk->count))
		return false;
	for (size_t s = 0; s < chunk->stream_count; s++) {
		struct chunk_stream *stream = &chunk->streams[s];
		const struct store_chunk_shape *shape = &chunk->shapes[s];
		for (size_t i = 0; i < CHUNK_FIELDS; i++)
			if (!place(in, &stream->fields[i], shape->rows))
				return false;
		for (size_t i = 0; i < (size_t)shape->records * CHUNK_RECORD_FIELDS; i++)
			/* Only checks stand plainly. */
			if (stream->records[i].form == CHUNK_PLAIN ||
				!place(in, &stream->records[i], shape->rows))
				return false;
	}
	return in->at == in->end;
}

int store_chunk_open(
	const uint8_t *blob, size_t length, struct store_chunk **ret_chunk, struct ml_error *err)
{
	if (length < CHUNK_CRC_BYTES || length > STORE_CHUNK_BLOB_MAX)
		return chunk_fail(-EBADMSG, err);
	const uint8_t *end = blob + length - CHUNK_CRC_BYTES;
	const uint32_t crc = (uint32_t)end[0] | (uint32_t)end[1] << 8 | (uint32_t)end[2] << 16 |
			     (uint32_t)end[3] << 24;
	if (crc32(0, blob, (uInt)(length - CHUNK_CRC_BYTES)) != crc)
		return chunk_fail(-EBADMSG, err);
	struct store_in in = {.at = blob, .end = end};
	struct store_chunk *chunk = calloc(1, sizeof *chunk);
	if (!chunk)
		return chunk_fail(-ENOMEM, err);
	int result = take_head(&in, chunk);
	chunk->head_length = (size_t)(in.at - blob);
	chunk->blob_length = length;
	if (result == 0 && !place_all(&in, chunk))
		result = -EBADMSG;
	if (result < 0) {
		store_chunk_close(chunk);
		return chunk_fail(result, err);
	}
	*ret_chunk = chunk;
	return 0;
}

void store_chunk_close(struct store_chunk *chunk)
{
	if (!chunk)
		return;
	for (size_t s = 0; s < chunk->stream_count; s++)
		free(chunk->streams[s].records);
	free(chunk->streams);
	free(chunk->shapes);
	free(chunk->rows);
	chunk_bytes_free(&chunk->content);
	free(chunk);
}

size_t store_chunk_count(const struct store_chunk *chunk)
{
	return chunk->count;
}

const struct store_chunk_shape *store_chunk_shapes(const struct store_chunk *chunk, size_t *count)
{
	*count = chunk->stream_count;
	return chunk->shapes;
}

/* ---- What takes how much ---- */

void store_chunk_parts(const struct store_chunk *chunk,
	void (*part)(void *user, const char *name, unsigned record, size_t bytes), void *user)
{
	static const char *const fields[] = {"sequence", "time", "trace", "origin", "check",
		"whole", "content-head", "ci", "access", "status", "address", "encryption", "mode",
		"configuration", "error-at", "error-text", "content"};
	static const char *const record_fields[] = {
		"class", "number", "exponent", "scaled", "day", "moment", "moment-flags", "token"};
	_Static_assert(sizeof fields / sizeof *fields == CHUNK_FIELDS, "each has a name");
	_Static_assert(sizeof record_fields / sizeof *record_fields == CHUNK_RECORD_FIELDS,
		"each has a name");
	part(user, "head", 0, chunk->head_length + CHUNK_CRC_BYTES);
	part(user, "order", 0, chunk->order.length);
	for (size_t s = 0; s < chunk->stream_count; s++) {
		const struct chunk_stream *stream = &chunk->streams[s];
		for (size_t f = 0; f < CHUNK_FIELDS; f++)
			part(user, fields[f], 0, stream->fields[f].length);
		for (unsigned r = 0; r < chunk->shapes[s].records; r++)
			for (size_t f = 0; f < CHUNK_RECORD_FIELDS; f++)
				part(user, record_fields[f], r,
					stream->records[r * CHUNK_RECORD_FIELDS + f].length);
	}
}
