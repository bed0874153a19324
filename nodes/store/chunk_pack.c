/* Writing a chunk: rows into columns, columns into a blob.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "store/chunk_format.h"
#include "store/chunk_packer.h"

struct store_chunk_packer *store_chunk_packer_new(unsigned check_bytes)
{
	struct store_chunk_packer *packer = calloc(1, sizeof *packer);
	if (packer)
		packer->check_bytes = check_bytes < 4 ? check_bytes : 4;
	return packer;
}

static void free_arrays(struct store_chunk_packer *packer)
{
	free(packer->streams);
	free(packer->order);
	free(packer->rows);
	free(packer->at);
	free(packer->heads);
	free(packer->tokens);
	free(packer->numbers);
	free(packer->left);
	free(packer->texts);
}

void store_chunk_packer_free(struct store_chunk_packer *packer)
{
	if (!packer)
		return;
	free_arrays(packer);
	chunk_bytes_free(&packer->head);
	chunk_bytes_free(&packer->data);
	chunk_bytes_free(&packer->columns);
	chunk_bytes_free(&packer->alone);
	chunk_bytes_free(&packer->linked);
	free(packer->kept);
	free(packer->linkables);
	free(packer);
}

static bool make_room(struct store_chunk_packer *packer, size_t count)
{
	if (count <= packer->room)
		return true;
	free_arrays(packer);
	packer->room = 0;
	packer->streams = calloc(count, sizeof *packer->streams);
	packer->order = calloc(count, sizeof *packer->order);
	packer->rows = calloc(count, sizeof *packer->rows);
	packer->at = calloc(count, sizeof *packer->at);
	packer->heads = calloc(count, sizeof *packer->heads);
	packer->tokens = calloc(count, sizeof *packer->tokens);
	packer->numbers = calloc(count, sizeof *packer->numbers);
	packer->left = calloc(count, sizeof *packer->left);
	packer->texts = calloc(count, sizeof *packer->texts);
	if (!packer->streams || !packer->order || !packer->rows || !packer->at || !packer->heads ||
		!packer->tokens || !packer->numbers || !packer->left || !packer->texts)
		return false;
	packer->room = count;
	return true;
}

/* ---- The rows of a shape ---- */

struct packing {
	struct store_chunk_packer *packer;
	const struct store_row *rows;
	size_t count;
	int64_t unit; /* µs */
};

static uint64_t row_field(const struct packing *p, const struct store_row *row, unsigned field)
{
	switch (field) {
	case CHUNK_SEQUENCE:
		return row->sequence;
	case CHUNK_TIME:
		return (uint64_t)(row->time / p->unit);
	case CHUNK_TRACE:
		return row->trace;
	case CHUNK_ORIGIN:
		return row->origin;
	default:
		return row->check &
		       (p->packer->check_bytes == 4 ? UINT32_MAX
						    : (1u << 8 * p->packer->check_bytes) - 1);
	}
}

static size_t gather_field(const struct packing *p, const struct chunk_rows *stream, unsigned field)
{
	struct store_chunk_packer *packer = p->packer;
	size_t count = 0;
	if (field < CHUNK_WHOLE) {
		for (size_t i = 0; i < stream->count; i++)
			packer->numbers[count++] = row_field(p, &p->rows[stream->rows[i]], field);
	} else if (field == CHUNK_WHOLE) {
		for (size_t i = 0; i < stream->count; i++)
			packer->numbers[count++] = !packer->at[i].at;
	} else if (field == CHUNK_CONTENT) {
		for (size_t i = 0; i < stream->count; i++) {
			const struct store_row *row = &p->rows[stream->rows[i]];
			if (!packer->at[i].at)
				packer->texts[count++] = (struct chunk_text){
					.at = row->content, .length = (uint32_t)row->length};
		}
	} else {
		for (size_t i = 0; i < stream->count; i++) {
			const struct chunk_head *head = &packer->heads[i];
			if (!packer->at[i].at ||
				!chunk_head_has(head->fields[CHUNK_HEAD], (enum chunk_field)field))
				continue;
			if (field == CHUNK_ERROR_TEXT)
				packer->texts[count++] = head->error;
			else
				packer->numbers[count++] = head->fields[field];
		}
	}
	return count;
}

static bool is_text(unsigned field)
{
	return field == CHUNK_ERROR_TEXT || field == CHUNK_CONTENT;
}

static int put_field(const struct packing *p, const struct chunk_rows *stream, unsigned field)
{
	static const struct chunk_link from_sequence = {.record = false};
	struct store_chunk_packer *packer = p->packer;
	const size_t count = gather_field(p, stream, field);
	bool linked = false;
	if (is_text(field))
		return chunk_put_texts(packer, count);
	if (field == CHUNK_CHECK)
		return chunk_put_checks(packer, count);
	if (field != CHUNK_TRACE)
		return chunk_put_numbers(packer, count, NULL, &linked);
	for (size_t i = 0; i < count; i++)
		packer->left[i] = packer->numbers[i] - p->rows[stream->rows[i]].sequence;
	return chunk_put_numbers(packer, count, &from_sequence, &linked);
}

/* A mask of the columns that are there, then they. */
static int put_fields(const struct packing *p, const struct chunk_rows *stream)
{
	struct store_chunk_packer *packer = p->packer;
	uint64_t mask = 0;
	packer->columns.length = 0;
	for (unsigned field = 0; field < CHUNK_FIELDS; field++) {
		const int result = put_field(p, stream, field);
		if (result < 0)
			return result;
		mask |= (uint64_t)result << field;
	}
	chunk_leb(&packer->head, mask);
	chunk_append(&packer->head, packer->columns.at, packer->columns.length);
	return 0;
}

static size_t gather_record_field(
	struct store_chunk_packer *packer, const struct chunk_rows *stream, unsigned field)
{
	static const uint8_t classes[] = {
		[CHUNK_NUMBER] = CHUNK_IS_NUMBER,
		[CHUNK_EXPONENT] = CHUNK_IS_SCALED,
		[CHUNK_SCALED] = CHUNK_IS_SCALED,
		[CHUNK_DAY] = CHUNK_IS_DAY,
		[CHUNK_MOMENT] = CHUNK_IS_MOMENT,
		[CHUNK_MOMENT_FLAGS] = CHUNK_IS_MOMENT,
		[CHUNK_TOKEN] = CHUNK_IS_OTHER,
	};
	size_t count = 0;
	for (size_t i = 0; i < stream->split; i++) {
		const struct chunk_token *token = &packer->tokens[i];
		if (field == CHUNK_CLASS)
			packer->numbers[count++] = token->class;
		else if (token->class != classes[field])
			continue;
		else if (field == CHUNK_TOKEN)
			packer->texts[count++] = token->text;
		else if (field == CHUNK_EXPONENT || field == CHUNK_MOMENT_FLAGS)
			packer->numbers[count++] = token->extra;
		else
			packer->numbers[count++] = token->value;
	}
	return count;
}

/* Columns of numbers of all readings can be linked to, unless they are linked themselves. */
static int put_record_numbers(struct store_chunk_packer *packer, const struct chunk_rows *stream,
	unsigned record, size_t count)
{
	struct chunk_link link;
	bool linked = false;
	const bool whole =
		count && count == stream->split && !chunk_all_equal(packer->numbers, count);
	const bool found = whole && chunk_find_link(packer, record, count, &link);
	const int result = chunk_put_numbers(packer, count, found ? &link : NULL, &linked);
	packer->linkables[record].numbers = NULL;
	if (whole && !linked) {
		uint64_t *kept = packer->kept + (size_t)record * stream->count;
		memcpy(kept, packer->numbers, count * sizeof *kept);
		packer->linkables[record].numbers = kept;
	}
	return result;
}

static int put_record_field(struct store_chunk_packer *packer, const struct chunk_rows *stream,
	unsigned record, unsigned field)
{
	const size_t count = gather_record_field(packer, stream, field);
	bool linked = false;
	if (field == CHUNK_TOKEN)
		return chunk_put_texts(packer, count);
	if (field == CHUNK_NUMBER)
		return put_record_numbers(packer, stream, record, count);
	return chunk_put_numbers(packer, count, NULL, &linked);
}

static int put_record(const struct packing *p, const struct chunk_rows *stream, unsigned record)
{
	struct store_chunk_packer *packer = p->packer;
	uint64_t mask = 0;
	size_t taken = 0;
	for (size_t i = 0; i < stream->count; i++)
		if (packer->at[i].at && !chunk_token_take(&packer->at[i], &packer->tokens[taken++]))
			return -EINVAL; /* cannot be: it has been tried */
	packer->columns.length = 0;
	for (unsigned field = 0; field < CHUNK_RECORD_FIELDS; field++) {
		const int result = put_record_field(packer, stream, record, field);
		if (result < 0)
			return result;
		mask |= (uint64_t)result << field;
	}
	chunk_leb(&packer->head, mask);
	chunk_append(&packer->head, packer->columns.at, packer->columns.length);
	return 0;
}

static bool make_kept(struct store_chunk_packer *packer, const struct chunk_rows *stream)
{
	const size_t need = stream->records * stream->count;
	free(packer->linkables);
	packer->linkables = calloc(stream->records + 1, sizeof *packer->linkables);
	if (need > packer->kept_room) {
		free(packer->kept);
		packer->kept = malloc(need * sizeof *packer->kept);
		packer->kept_room = packer->kept ? need : 0;
	}
	return packer->linkables && need <= packer->kept_room;
}

/* Takes the heads and errors apart, and stands before the first token of each row. */
static void begin_stream(const struct packing *p, struct chunk_rows *stream)
{
	struct store_chunk_packer *packer = p->packer;
	stream->split = 0;
	for (size_t i = 0; i < stream->count; i++) {
		const struct store_row *row = &p->rows[stream->rows[i]];
		struct chunk_token token;
		packer->at[i] = (struct store_in){0};
		if (!row->length || !chunk_content_fits(row->content, row->length, stream->records))
			continue;
		struct store_in in = {.at = row->content, .end = row->content + row->length};
		(void)chunk_head_take(&in, &packer->heads[i]);
		packer->at[i] = in;
		stream->split++;
		if (!chunk_head_has(packer->heads[i].fields[CHUNK_HEAD], CHUNK_ERROR_TEXT))
			continue;
		for (unsigned r = 0; r < stream->records; r++)
			(void)chunk_token_take(&in, &token);
		(void)chunk_error_take(&in, &packer->heads[i]);
	}
}

static int put_stream(const struct packing *p, struct chunk_rows *stream)
{
	if (!make_kept(p->packer, stream))
		return -ENOMEM;
	begin_stream(p, stream);
	int result = put_fields(p, stream);
	for (unsigned r = 0; result == 0 && r < stream->records; r++)
		result = put_record(p, stream, r);
	return result;
}

/* ---- The whole ---- */

static int find_streams(struct store_chunk_packer *packer, const struct packing *p,
	store_chunk_records *records, void *user)
{
	uint32_t last = 0;
	size_t tokens = 0;
	packer->stream_count = 0;
	for (size_t i = 0; i < p->count; i++) {
		const int64_t shape = p->rows[i].shape;
		uint32_t s = last;
		if (s >= packer->stream_count || packer->streams[s].shape != shape)
			for (s = 0; s < packer->stream_count && packer->streams[s].shape != shape;)
				s++;
		struct chunk_rows *stream = &packer->streams[s];
		if (s == packer->stream_count) {
			const int known = shape ? records(user, shape) : 0;
			*stream = (struct chunk_rows){
				.shape = shape, .records = known < 0 ? 0 : (unsigned)known};
			if (++packer->stream_count > STORE_CHUNK_SHAPES_MAX)
				return -E2BIG;
		}
		stream->count++;
		tokens += stream->records;
		packer->order[i] = s;
		last = s;
	}
	if (tokens > STORE_CHUNK_TOKENS_MAX)
		return -E2BIG;
	uint32_t *rows = packer->rows;
	for (size_t s = 0; s < packer->stream_count; s++) {
		packer->streams[s].rows = rows;
		rows += packer->streams[s].count;
		packer->streams[s].count = 0;
	}
	for (size_t i = 0; i < p->count; i++) {
		struct chunk_rows *stream = &packer->streams[packer->order[i]];
		stream->rows[stream->count++] = (uint32_t)i;
	}
	return 0;
}

/* The largest that divides all times. */
static int64_t find_unit(const struct store_row *rows, size_t count)
{
	static const int64_t units[] = {1000000, 1000};
	for (size_t u = 0; u < sizeof units / sizeof *units; u++) {
		size_t i = 0;
		while (i < count && rows[i].time % units[u] == 0)
			i++;
		if (i == count)
			return units[u];
	}
	return 1;
}

static int put_head(const struct packing *p)
{
	struct store_chunk_packer *packer = p->packer;
	struct chunk_bytes *head = &packer->head;
	chunk_byte(head, CHUNK_VERSION);
	chunk_leb(head, p->count);
	chunk_leb(head, (uint64_t)p->unit);
	chunk_leb(head, packer->stream_count);
	for (size_t s = 0; s < packer->stream_count; s++) {
		chunk_leb(head, store_zigzag(packer->streams[s].shape));
		chunk_leb(head, packer->streams[s].records);
		if (packer->stream_count > 1)
			chunk_leb(head, packer->streams[s].count);
	}
	if (packer->stream_count == 1)
		return 0;
	for (size_t i = 0; i < p->count; i++)
		packer->numbers[i] = packer->order[i];
	packer->columns.length = 0;
	bool linked = false;
	const int result = chunk_put_numbers(packer, p->count, NULL, &linked);
	chunk_append(head, packer->columns.at, packer->columns.length);
	return result < 0 ? result : 0;
}

static int check_rows(const struct store_row *rows, size_t count, struct ml_error *err)
{
	size_t content = 0;
	if (!count || count > STORE_CHUNK_ROWS_MAX)
		return ml_error_set(err, count ? -E2BIG : -EINVAL,
			"a chunk holds 1 to %d readings, not %zu", STORE_CHUNK_ROWS_MAX, count);
	for (size_t i = 0; i < count; i++) {
		if (rows[i].boot)
			return ml_error_set(err, -EINVAL,
				"reading %llu has no wall time yet and cannot be packed",
				(unsigned long long)rows[i].sequence);
		if (rows[i].length > STORE_CHUNK_CONTENT_MAX - content)
			return ml_error_set(err, -E2BIG,
				"the readings of a chunk hold more than %d bytes",
				STORE_CHUNK_CONTENT_MAX);
		content += rows[i].length;
	}
	return 0;
}

static void finish(struct store_chunk_packer *packer)
{
	struct chunk_bytes *blob = &packer->head;
	chunk_append(blob, packer->data.at, packer->data.length);
	const uint32_t crc = (uint32_t)crc32(0, blob->at, (uInt)blob->length);
	for (unsigned i = 0; i < CHUNK_CRC_BYTES; i++)
		chunk_byte(blob, (uint8_t)(crc >> 8 * i));
}

int store_chunk_pack(struct store_chunk_packer *packer, const struct store_row *rows, size_t count,
	store_chunk_records *records, void *user, const uint8_t **ret_blob, size_t *ret_length,
	struct ml_error *err)
{
	struct packing p = {.packer = packer, .rows = rows, .count = count};
	int result = check_rows(rows, count, err);
	if (result < 0)
		return result;
	if (!make_room(packer, count))
		return ml_error_set(err, -ENOMEM, "out of memory");
	packer->head.length = 0;
	packer->data.length = 0;
	p.unit = find_unit(rows, count);
	result = find_streams(packer, &p, records, user);
	if (result == 0)
		result = put_head(&p);
	for (size_t s = 0; result == 0 && s < packer->stream_count; s++)
		result = put_stream(&p, &packer->streams[s]);
	if (result == 0)
		finish(packer);
	if (packer->head.failed || packer->data.failed || packer->columns.failed ||
		packer->alone.failed || packer->linked.failed) {
		packer->head.failed = packer->data.failed = packer->columns.failed = false;
		packer->alone.failed = packer->linked.failed = false;
		result = -ENOMEM;
	}
	if (result == -E2BIG)
		return ml_error_set(err, result,
			"these %zu readings have more values or kinds of telegram than a chunk "
			"holds: pack fewer at once",
			count);
	if (result < 0)
		return ml_error_set(
			err, result, "a chunk of %zu readings could not be packed", count);
	*ret_blob = packer->head.at;
	*ret_length = packer->head.length;
	return 0;
}
