/* Reading a chunk: columns into rows, and one series alone.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "store/chunk_private.h"

/* ---- Columns ---- */

static int read_numbers(const struct chunk_part *part, uint64_t *numbers, size_t count)
{
	if (!part->there || part->form == CHUNK_CONSTANT) {
		for (size_t i = 0; i < count; i++)
			numbers[i] = part->there ? part->plan.first : 0;
		return 0;
	}
	if (part->form == CHUNK_CODED)
		return chunk_numbers_read(part->at, part->length, &part->plan, numbers, count);
	if (part->length < count * part->width)
		return -EBADMSG;
	for (size_t i = 0; i < count; i++) {
		numbers[i] = 0;
		for (unsigned byte = 0; byte < part->width; byte++)
			numbers[i] |= (uint64_t)part->at[i * part->width + byte] << 8 * byte;
	}
	return 0;
}

/* A column that was read: its elements are taken one after another. */
struct column {
	uint64_t *numbers;
	uint32_t *lengths; /* of texts */
	size_t count, next;
	struct chunk_bytes texts;
	size_t text; /* where the next one is */
};

static void column_free(struct column *column)
{
	free(column->numbers);
	free(column->lengths);
	chunk_bytes_free(&column->texts);
	*column = (struct column){0};
}

static int read_column(const struct chunk_part *part, size_t count, struct column *column)
{
	*column = (struct column){.count = count};
	column->numbers = malloc((count ? count : 1) * sizeof *column->numbers);
	return column->numbers ? read_numbers(part, column->numbers, count) : -ENOMEM;
}

static int read_texts(const struct chunk_part *part, size_t count, struct column *column)
{
	*column = (struct column){.count = count};
	column->lengths = calloc(count ? count : 1, sizeof *column->lengths);
	if (!column->lengths)
		return -ENOMEM;
	if (!part->there || !count)
		return 0;
	if (part->form == CHUNK_CODED)
		return chunk_texts_read(part->at, part->length, &column->texts,
			STORE_CHUNK_CONTENT_MAX, column->lengths, count);
	if (part->length > STORE_CHUNK_CONTENT_MAX / count)
		return -EBADMSG;
	for (size_t i = 0; i < count; i++) {
		column->lengths[i] = (uint32_t)part->length;
		chunk_append(&column->texts, part->at, part->length);
	}
	return column->texts.failed ? -ENOMEM : 0;
}

/* The next of a column that has one for each row that is asked about. 0 behind the end. */
static uint64_t next_number(struct column *column)
{
	return column->next < column->count ? column->numbers[column->next++] : 0;
}

static struct chunk_text next_text(struct column *column)
{
	if (column->next == column->count)
		return (struct chunk_text){NULL, 0};
	const struct chunk_text text = {
		.at = column->texts.at ? column->texts.at + column->text : NULL,
		.length = column->lengths[column->next++],
	};
	column->text += text.length;
	return text;
}

static size_t count_equal(const struct column *column, uint64_t number)
{
	size_t count = 0;
	for (size_t i = 0; i < column->count; i++)
		count += column->numbers[i] == number;
	return count;
}

/* ---- Contents ---- */

/* The columns that the contents of a shape are made of. */
struct contents {
	struct column fields[CHUNK_FIELDS];
	struct column *records; /* CHUNK_RECORD_FIELDS of each */
	unsigned record_count;
};

static void contents_free(struct contents *contents)
{
	for (size_t i = 0; i < CHUNK_FIELDS; i++)
		column_free(&contents->fields[i]);
	for (size_t i = 0; i < (size_t)contents->record_count * CHUNK_RECORD_FIELDS; i++)
		column_free(&contents->records[i]);
	free(contents->records);
}

static const uint8_t class_of[] = {
	[CHUNK_NUMBER] = CHUNK_IS_NUMBER,
	[CHUNK_EXPONENT] = CHUNK_IS_SCALED,
	[CHUNK_SCALED] = CHUNK_IS_SCALED,
	[CHUNK_DAY] = CHUNK_IS_DAY,
	[CHUNK_MOMENT] = CHUNK_IS_MOMENT,
	[CHUNK_MOMENT_FLAGS] = CHUNK_IS_MOMENT,
	[CHUNK_TOKEN] = CHUNK_IS_OTHER,
};

/* Adds what the columns say that a part is linked to. They hold a number for each reading, since
 * else nothing would have been linked to them. */
static int add_link(const struct chunk_part *part, const struct column *a, const struct column *b,
	struct column *column)
{
	if (a->count != column->count || b->count != column->count)
		return -EBADMSG;
	for (size_t i = 0; i < column->count; i++)
		column->numbers[i] +=
			part->sum ? a->numbers[i] + b->numbers[i] : a->numbers[i] - b->numbers[i];
	return 0;
}

static int read_record(const struct chunk_part *parts, size_t rows, struct column *columns)
{
	int result = read_column(&parts[CHUNK_CLASS], rows, &columns[CHUNK_CLASS]);
	for (unsigned f = CHUNK_NUMBER; result == 0 && f < CHUNK_RECORD_FIELDS; f++) {
		const size_t count = count_equal(&columns[CHUNK_CLASS], class_of[f]);
		if (count)
			result = f == CHUNK_TOKEN ? read_texts(&parts[f], count, &columns[f])
						  : read_column(&parts[f], count, &columns[f]);
	}
	return result;
}

/* All records; the links of each lead to earlier ones. */
static int read_records(
	const struct chunk_stream *stream, unsigned records, size_t rows, struct column *columns)
{
	int result = 0;
	for (unsigned r = 0; result == 0 && r < records; r++) {
		const struct chunk_part *parts = stream->records + (size_t)r * CHUNK_RECORD_FIELDS;
		const struct chunk_part *number = &parts[CHUNK_NUMBER];
		struct column *column = columns + (size_t)r * CHUNK_RECORD_FIELDS;
		result = read_record(parts, rows, column);
		if (result == 0 && number->linked)
			result = add_link(number,
				&columns[(size_t)number->a * CHUNK_RECORD_FIELDS + CHUNK_NUMBER],
				&columns[(size_t)number->b * CHUNK_RECORD_FIELDS + CHUNK_NUMBER],
				&column[CHUNK_NUMBER]);
	}
	return result;
}

static int read_contents(const struct chunk_stream *stream, const struct store_chunk_shape *shape,
	struct contents *contents)
{
	struct column *fields = contents->fields;
	contents->records =
		calloc((size_t)shape->records * CHUNK_RECORD_FIELDS + 1, sizeof *contents->records);
	if (!contents->records)
		return -ENOMEM;
	contents->record_count = shape->records;
	int result = read_column(&stream->fields[CHUNK_WHOLE], shape->rows, &fields[CHUNK_WHOLE]);
	if (result < 0)
		return result;
	const size_t split = count_equal(&fields[CHUNK_WHOLE], 0);
	result = read_column(&stream->fields[CHUNK_HEAD], split, &fields[CHUNK_HEAD]);
	for (unsigned f = CHUNK_CI; result == 0 && f < CHUNK_CONTENT; f++) {
		size_t count = 0;
		for (size_t i = 0; i < split; i++)
			count += chunk_head_has(fields[CHUNK_HEAD].numbers[i], (enum chunk_field)f);
		result = f == CHUNK_ERROR_TEXT ? read_texts(&stream->fields[f], count, &fields[f])
					       : read_column(&stream->fields[f], count, &fields[f]);
	}
	if (result == 0)
		result = read_texts(&stream->fields[CHUNK_CONTENT], shape->rows - split,
			&fields[CHUNK_CONTENT]);
	if (result == 0)
		result = read_records(stream, shape->records, split, contents->records);
	return result;
}

static void give_token(struct column *columns, struct chunk_bytes *out)
{
	const uint64_t class = next_number(&columns[CHUNK_CLASS]);
	struct chunk_token token = {
		.class = class < CHUNK_IS_OTHER ? (enum chunk_class) class : CHUNK_IS_OTHER};
	switch (token.class) {
	case CHUNK_IS_NUMBER:
		token.value = next_number(&columns[CHUNK_NUMBER]);
		break;
	case CHUNK_IS_SCALED:
		token.value = next_number(&columns[CHUNK_SCALED]);
		token.extra = next_number(&columns[CHUNK_EXPONENT]);
		break;
	case CHUNK_IS_DAY:
		token.value = next_number(&columns[CHUNK_DAY]);
		break;
	case CHUNK_IS_MOMENT:
		token.value = next_number(&columns[CHUNK_MOMENT]);
		token.extra = next_number(&columns[CHUNK_MOMENT_FLAGS]);
		break;
	case CHUNK_IS_OTHER:
		token.text = next_text(&columns[CHUNK_TOKEN]);
		break;
	default:
		break;
	}
	chunk_token_give(out, &token);
}

/* Appends the next row's content. */
static void give_content(struct contents *contents, struct chunk_bytes *out)
{
	struct column *fields = contents->fields;
	struct chunk_head head = {.error = {NULL, 0}};
	if (next_number(&fields[CHUNK_WHOLE])) {
		const struct chunk_text text = next_text(&fields[CHUNK_CONTENT]);
		chunk_append(out, text.at, text.length);
		return;
	}
	const uint64_t bits = next_number(&fields[CHUNK_HEAD]);
	head.fields[CHUNK_HEAD] = bits;
	for (unsigned f = CHUNK_CI; f <= CHUNK_ERROR_AT; f++)
		if (chunk_head_has(bits, (enum chunk_field)f))
			head.fields[f] = next_number(&fields[f]);
	chunk_head_give(out, &head);
	for (unsigned r = 0; r < contents->record_count; r++)
		give_token(contents->records + (size_t)r * CHUNK_RECORD_FIELDS, out);
	if (chunk_head_has(bits, CHUNK_ERROR_TEXT)) {
		head.error = next_text(&fields[CHUNK_ERROR_TEXT]);
		chunk_error_give(out, &head);
	}
}

/* ---- Rows ---- */

/* The indices of the rows, stream by stream. */
static int read_order(const struct store_chunk *chunk, uint32_t *indices)
{
	struct column order = {0};
	size_t next[STORE_CHUNK_SHAPES_MAX] = {0}, end[STORE_CHUNK_SHAPES_MAX] = {0};
	size_t start = 0;
	int result = read_column(&chunk->order, chunk->count, &order);
	for (size_t s = 0; s < chunk->stream_count; s++) {
		next[s] = start;
		start += chunk->shapes[s].rows;
		end[s] = start;
	}
	for (size_t i = 0; result == 0 && i < chunk->count; i++) {
		const uint64_t s = order.numbers[i];
		if (s >= chunk->stream_count || next[s] == end[s])
			result = -EBADMSG;
		else
			indices[next[s]++] = (uint32_t)i;
	}
	column_free(&order);
	return result;
}

/* What a row has beside its content. */
static int read_fields(struct store_chunk *chunk, const struct chunk_stream *stream,
	const uint32_t *indices, size_t count)
{
	int result = 0;
	for (unsigned f = CHUNK_SEQUENCE; result == 0 && f <= CHUNK_CHECK; f++) {
		struct column column = {0};
		result = read_column(&stream->fields[f], count, &column);
		for (size_t i = 0; result == 0 && i < count; i++) {
			struct store_row *row = &chunk->rows[indices[i]];
			const uint64_t number = column.numbers[i];
			if (f == CHUNK_SEQUENCE)
				row->sequence = number;
			else if (f == CHUNK_TIME)
				row->time = (int64_t)(number * (uint64_t)chunk->unit);
			else if (f == CHUNK_TRACE)
				row->trace =
					number + (stream->fields[f].linked ? row->sequence : 0);
			else if (f == CHUNK_ORIGIN)
				row->origin = (uint32_t)number;
			else
				row->check = (uint32_t)number;
		}
		column_free(&column);
	}
	return result;
}

/* `lengths` of the contents are set; where they lie is told by their order, since the bytes may
 * still move. */
static int add_contents(struct store_chunk *chunk, size_t s, const uint32_t *indices)
{
	struct contents contents = {.record_count = 0};
	int result = read_contents(&chunk->streams[s], &chunk->shapes[s], &contents);
	for (size_t i = 0; result == 0 && i < chunk->shapes[s].rows; i++) {
		const size_t before = chunk->content.length;
		give_content(&contents, &chunk->content);
		chunk->rows[indices[i]].length = chunk->content.length - before;
		if (chunk->content.length > STORE_CHUNK_CONTENT_MAX)
			result = -EBADMSG;
		if (chunk->content.failed)
			result = -ENOMEM;
	}
	contents_free(&contents);
	return result;
}

static int read_rows(struct store_chunk *chunk, bool content, uint32_t *indices)
{
	int result = read_order(chunk, indices);
	chunk->content.length = 0;
	const uint32_t *of_stream = indices;
	for (size_t s = 0; result == 0 && s < chunk->stream_count; s++) {
		const size_t count = chunk->shapes[s].rows;
		for (size_t i = 0; i < count; i++)
			chunk->rows[of_stream[i]].shape = chunk->shapes[s].shape;
		result = read_fields(chunk, &chunk->streams[s], of_stream, count);
		if (result == 0 && content)
			result = add_contents(chunk, s, of_stream);
		of_stream += count;
	}
	size_t at = 0;
	for (size_t i = 0; result == 0 && chunk->content.length && i < chunk->count; i++) {
		chunk->rows[indices[i]].content = chunk->content.at + at;
		at += chunk->rows[indices[i]].length;
	}
	return result;
}

int store_chunk_rows(struct store_chunk *chunk, int64_t device, bool content,
	const struct store_row **ret_rows, struct ml_error *err)
{
	if (!chunk->rows || (content && !chunk->has_content)) {
		uint32_t *indices = calloc(chunk->count, sizeof *indices);
		free(chunk->rows);
		chunk->rows = calloc(chunk->count, sizeof *chunk->rows);
		const int result =
			indices && chunk->rows ? read_rows(chunk, content, indices) : -ENOMEM;
		free(indices);
		if (result < 0) {
			free(chunk->rows);
			chunk->rows = NULL;
			return chunk_fail(result, err);
		}
		chunk->has_content = content;
	}
	for (size_t i = 0; i < chunk->count; i++)
		chunk->rows[i].device = device;
	*ret_rows = chunk->rows;
	return 0;
}

/* ---- A series ---- */

int store_chunk_times(struct store_chunk *chunk, size_t shape, int64_t *times, struct ml_error *err)
{
	struct column column = {0};
	const size_t count = chunk->shapes[shape].rows;
	const int result = read_column(&chunk->streams[shape].fields[CHUNK_TIME], count, &column);
	for (size_t i = 0; result == 0 && i < count; i++)
		times[i] = (int64_t)(column.numbers[i] * (uint64_t)chunk->unit);
	column_free(&column);
	return result < 0 ? chunk_fail(result, err) : 0;
}

static void give_value(struct column *columns, struct store_chunk_value *value)
{
	switch (next_number(&columns[CHUNK_CLASS])) {
	case CHUNK_IS_NUMBER:
		value->kind = STORE_CHUNK_NUMBER;
		value->mantissa = (int64_t)next_number(&columns[CHUNK_NUMBER]);
		break;
	case CHUNK_IS_SCALED:
		value->kind = STORE_CHUNK_SCALED;
		value->mantissa = (int64_t)next_number(&columns[CHUNK_SCALED]);
		value->exponent = (int8_t)store_unzigzag(next_number(&columns[CHUNK_EXPONENT]));
		break;
	case CHUNK_IS_NONE:
		value->kind = STORE_CHUNK_NONE;
		break;
	default:
		value->kind = STORE_CHUNK_OTHER;
	}
}

static int follow_link(
	const struct chunk_stream *stream, const struct chunk_part *part, struct column *column)
{
	const struct chunk_part *numbers = stream->records + CHUNK_NUMBER;
	struct column a = {0}, b = {0};
	int result =
		read_column(&numbers[(size_t)part->a * CHUNK_RECORD_FIELDS], column->count, &a);
	if (result == 0)
		result = read_column(
			&numbers[(size_t)part->b * CHUNK_RECORD_FIELDS], column->count, &b);
	if (result == 0)
		result = add_link(part, &a, &b, column);
	column_free(&a);
	column_free(&b);
	return result;
}

static int read_series(const struct store_chunk *chunk, size_t shape, unsigned record,
	struct column *columns, struct column *whole, struct column *times)
{
	const struct chunk_stream *stream = &chunk->streams[shape];
	const size_t rows = chunk->shapes[shape].rows;
	const struct chunk_part *parts = stream->records + (size_t)record * CHUNK_RECORD_FIELDS;
	int result = read_column(&stream->fields[CHUNK_TIME], rows, times);
	if (result == 0)
		result = read_column(&stream->fields[CHUNK_WHOLE], rows, whole);
	if (result == 0)
		result = read_column(
			&parts[CHUNK_CLASS], count_equal(whole, 0), &columns[CHUNK_CLASS]);
	for (unsigned f = CHUNK_NUMBER; result == 0 && f <= CHUNK_SCALED; f++)
		result = read_column(
			&parts[f], count_equal(&columns[CHUNK_CLASS], class_of[f]), &columns[f]);
	if (result == 0 && parts[CHUNK_NUMBER].linked)
		result = follow_link(stream, &parts[CHUNK_NUMBER], &columns[CHUNK_NUMBER]);
	return result;
}

int store_chunk_series(struct store_chunk *chunk, size_t shape, unsigned record,
	struct store_chunk_value *values, struct ml_error *err)
{
	struct column columns[CHUNK_SCALED + 1] = {{0}};
	struct column whole = {0}, times = {0};
	const int result = read_series(chunk, shape, record, columns, &whole, &times);
	for (size_t i = 0; result == 0 && i < chunk->shapes[shape].rows; i++) {
		values[i] = (struct store_chunk_value){
			.time = (int64_t)(times.numbers[i] * (uint64_t)chunk->unit),
			.kind = STORE_CHUNK_OTHER,
		};
		if (!whole.numbers[i])
			give_value(columns, &values[i]);
	}
	for (size_t f = 0; f <= CHUNK_SCALED; f++)
		column_free(&columns[f]);
	column_free(&whole);
	column_free(&times);
	return result < 0 ? chunk_fail(result, err) : 0;
}
