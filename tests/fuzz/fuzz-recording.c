/* Recordings: what is read has a meaning, in pieces of any size the same, and is written as it was
 * read. SPDX-License-Identifier: Apache-2.0
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "mbus/recording.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void same(const struct mbus_recorded *a, const struct mbus_recorded *b)
{
	if (a->time != b->time || a->kind != b->kind || a->length != b->length ||
		memcmp(a->bytes, b->bytes, a->length) != 0 ||
		memcmp(a->bad, b->bad, a->length) != 0)
		abort();
}

/* Written once more and read again: the same. */
static void write_again(const struct mbus_recorded *event)
{
	struct mbus_recording_reader reader;
	struct mbus_recorded again;
	char text[MBUS_RECORDING_LINE_MAX];
	const struct mbus_recording_head head = {.baud = 2400};
	char first[MBUS_RECORDING_HEAD_MAX];
	const size_t first_length = mbus_recording_put_head(first, &head);
	for (size_t i = 1; i < event->length; i++) {
		if (event->bad[i] != event->bad[0])
			return;
	}
	const size_t length =
		event->length > 0 ? mbus_recording_put_bytes(text, event->time, event->kind,
					    event->bytes, event->length, event->bad[0])
		: event->kind == MBUS_RECORDED_BAUD
			? mbus_recording_put_baud(text, event->time, event->baud)
			: mbus_recording_put_state(text, event->time, event->kind, event->text);
	mbus_recording_reader_init(&reader);
	if (mbus_recording_feed(&reader, first, first_length, &again, NULL) !=
			(ssize_t)first_length ||
		mbus_recording_feed(&reader, text, length, &again, NULL) != (ssize_t)length)
		abort();
	same(event, &again);
}

static size_t read_all(const char *text, size_t size, size_t piece, ml_time *sum)
{
	struct mbus_recording_reader reader;
	struct mbus_recorded event;
	struct ml_error err = ML_ERROR_NONE;
	size_t count = 0;
	ml_time last = 0;
	*sum = 0;
	mbus_recording_reader_init(&reader);
	for (size_t at = 0; at < size;) {
		const size_t part = piece < size - at ? piece : size - at;
		const ssize_t n = mbus_recording_feed(&reader, text + at, part, &event, &err);
		if (n < 0) {
			if (err.code == 0 || err.line < 1 || err.column < 1)
				abort();
			return count;
		}
		at += (size_t)n;
		if (event.kind == MBUS_RECORDED_NOTHING)
			continue;
		if (event.time < last)
			abort();
		last = event.time;
		*sum += event.time + (ml_time)event.length;
		count++;
		if (piece == size)
			write_again(&event);
	}
	(void)mbus_recording_end(&reader, &err);
	return count;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	ml_time whole, parts;
	const size_t count = read_all((const char *)data, size, size, &whole);
	if (read_all((const char *)data, size, 7, &parts) != count || parts != whole)
		abort();
	return 0;
}
