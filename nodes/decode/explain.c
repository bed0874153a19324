/* Telegrams explained, byte by byte: frame, header, records.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "decode/explain.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mbus/application.h"
#include "mbus/frame.h"

enum { BLOCK_MAX = 64 * 1024, FILLER = 0x2F };

struct explain {
	const uint8_t *bytes;
	const struct meter_reading *reading;
	struct ml_json_writer *w;
};

static void hex_member(const struct explain *e, const char *name, size_t at, size_t length)
{
	ml_json_key(e->w, name);
	ml_json_hex(e->w, e->bytes + at, length);
}

static void begin_part(const struct explain *e, size_t at, size_t length, const char *what)
{
	ml_json_begin_object(e->w);
	ml_json_key(e->w, "at");
	ml_json_unsigned(e->w, at);
	hex_member(e, "bytes", at, length);
	ml_json_key(e->w, "what");
	ml_json_string(e->w, what);
}

static void part(const struct explain *e, size_t at, size_t length, const char *what,
	const char *format, ...) ML_PRINTF(5, 6);

static void part(const struct explain *e, size_t at, size_t length, const char *what,
	const char *format, ...)
{
	char text[320] = "";
	va_list args;
	if (length == 0)
		return;
	va_start(args, format);
	(void)vsnprintf(text, sizeof text, format, args);
	va_end(args);
	begin_part(e, at, length, what);
	if (text[0]) {
		ml_json_key(e->w, "text");
		ml_json_string(e->w, text);
	}
	ml_json_end_object(e->w);
}

/* ---- Header ---- */

static const char *control_text(uint8_t control)
{
	switch (control & ~(MBUS_FCB | MBUS_FCV)) {
	case MBUS_SND_NKE:
		return "SND-NKE: the master resets the link";
	case MBUS_SND_UD & ~(MBUS_FCB | MBUS_FCV):
		return "SND-UD: the master sends data";
	case MBUS_REQ_UD1 & ~(MBUS_FCB | MBUS_FCV):
		return "REQ-UD1: the master asks for alarm data";
	case MBUS_REQ_UD2 & ~(MBUS_FCB | MBUS_FCV):
		return "REQ-UD2: the master asks for data";
	case MBUS_RSP_UD:
		return "RSP-UD: the meter answers";
	default:
		return "unknown";
	}
}

static const char *address_text(uint8_t address)
{
	switch (address) {
	case MBUS_ADDRESS_NEW:
		return "not configured";
	case MBUS_ADDRESS_SELECTED:
		return "the meter that was selected";
	case MBUS_ADDRESS_TEST:
		return "all, and all answer";
	case MBUS_ADDRESS_BROADCAST:
		return "all, and none answers";
	default:
		return address <= MBUS_ADDRESS_LAST ? "primary address" : "reserved";
	}
}

struct words {
	char *text;
	size_t size;
};

static void add_word(void *user, const char *word)
{
	struct words *words = user;
	const size_t used = strlen(words->text);
	(void)snprintf(words->text + used, words->size - used, "%s%s", used ? ", " : "", word);
}

static size_t explain_header(const struct explain *e, size_t at, size_t end)
{
	const struct meter_reading *r = e->reading;
	const size_t length = mbus_header_length(r->ci);
	char id[METER_ID_TEXT_MAX], manufacturer[METER_MANUFACTURER_TEXT_MAX], status[160] = "";
	struct words words = {status, sizeof status};
	if (length == 0 || end - at < length)
		return at;
	if (length == 12) {
		meter_id_format(r->meter.id, id);
		meter_manufacturer_format(r->meter.manufacturer, manufacturer);
		part(e, at, 4, "id", "%s", id);
		part(e, at + 4, 2, "manufacturer", "%s", manufacturer);
		part(e, at + 6, 1, "version", "%u", r->meter.version);
		part(e, at + 7, 1, "medium", "%s", meter_medium_name(r->meter.medium));
		at += 8;
	}
	meter_status_words(r->status, add_word, &words);
	part(e, at, 1, "access number", "%u", r->access);
	part(e, at + 1, 1, "status", "%s", status[0] ? status : "nothing to report");
	part(e, at + 2, 2, "configuration", "%s",
		r->encryption_mode ? "the data was encrypted" : "signature or configuration word");
	return at + 4;
}

/* ---- Records ---- */

static void explain_record(const struct explain *e, const struct meter_record *record)
{
	const size_t vif = (size_t)record->offset + record->dif_length;
	const size_t end = (size_t)record->data_offset + record->data_length;
	begin_part(e, record->offset, end - record->offset, "record");
	if (record->dif_length) {
		hex_member(e, "dif", record->offset, record->dif_length);
		hex_member(e, "vif", vif, record->vif_length);
	}
	hex_member(e, "data", record->data_offset, record->data_length);
	ml_json_key(e->w, "record");
	meter_record_to_json(e->reading, record, e->w);
	ml_json_end_object(e->w);
}

static bool all_filler(const uint8_t *bytes, size_t length)
{
	for (size_t i = 0; i < length; i++) {
		if (bytes[i] != FILLER)
			return false;
	}
	return true;
}

static void explain_between(const struct explain *e, size_t at, size_t end)
{
	if (at >= end)
		return;
	if (all_filler(e->bytes + at, end - at))
		part(e, at, end - at, "filler", "idle bytes, skipped");
	else if (end - at == 1 && e->bytes[at] == 0x1F)
		part(e, at, 1, "more follows", "the meter has another telegram for this readout");
	else
		part(e, at, end - at, "other data", " ");
}

static void explain_data(const struct explain *e, size_t at, size_t end)
{
	const struct meter_reading *r = e->reading;
	size_t error_length = 0;
	const char *error = meter_reading_error(r, &error_length);
	for (size_t i = 0; i < r->record_count; i++) {
		const struct meter_record *record = meter_reading_record(r, i);
		const size_t last = (size_t)record->data_offset + record->data_length;
		if (record->flags & METER_RECORD_FILTER_MADE || record->offset < at || last > end ||
			last < record->offset)
			continue;
		explain_between(e, at, record->offset);
		explain_record(e, record);
		at = last;
	}
	if (error && at < end)
		part(e, at, end - at, "not decoded", "byte %d: %.*s", r->error_at,
			(int)error_length, error);
	else
		explain_between(e, at, end);
}

static void explain_application(const struct explain *e, size_t begin, size_t end)
{
	if (begin >= end)
		return;
	part(e, begin, 1, "CI", "%s",
		mbus_header_length(e->bytes[begin]) == 12  ? "what follows has a long header"
		: mbus_header_length(e->bytes[begin]) == 4 ? "what follows has a short header"
							   : "what follows has no header");
	explain_data(e, explain_header(e, begin + 1, end), end);
}

static void explain_long(const struct explain *e, const struct mbus_frame *frame)
{
	part(e, 0, 1, "start", "68h: a long frame");
	part(e, 1, 2, "length", "%u bytes from here to the checksum, said twice", e->bytes[1]);
	part(e, 3, 1, "start", "68h again");
	part(e, 4, 1, "control", "%s", control_text(frame->control));
	part(e, 5, 1, "address", "%u: %s", frame->address, address_text(frame->address));
	explain_application(e, 6, frame->length - 2);
	part(e, frame->length - 2, 1, "checksum", "right");
	part(e, frame->length - 1, 1, "stop", "16h");
}

void decode_explain(const uint8_t *telegram, size_t length, struct ml_json_writer *w)
{
	uint8_t *block = malloc(BLOCK_MAX);
	struct mbus_frame frame;
	size_t at = 0;
	struct explain e = {telegram, (const void *)block, w};
	ml_json_begin_array(w);
	/* Data from the CI field on, as some adapters and tests give it. */
	if (block && length && telegram[0] >= 0x69 && telegram[0] <= 0x7B &&
		meter_reading_init(block, BLOCK_MAX, telegram, length, NULL) == 0) {
		mbus_decode_application((void *)block, 0, length, 0);
		explain_application(&e, 0, length);
	} else if (!block || length == 0 ||
		   mbus_decode_frame(block, BLOCK_MAX, telegram, length, 0, NULL) < 0) {
		part(&e, 0, length, "telegram", "not decoded: too long, or memory is out");
	} else if (mbus_frame_check(telegram, length, &frame, &at) != MBUS_CHECK_OK) {
		part(&e, 0, length, "telegram", "no whole frame: byte %zu is wrong", at);
	} else {
		if (frame.kind == MBUS_FRAME_LONG)
			explain_long(&e, &frame);
		else
			part(&e, 0, frame.length, "frame", "%s",
				frame.kind == MBUS_FRAME_ACK ? "E5h: acknowledged"
							     : "a short frame");
		part(&e, frame.length, length - frame.length, "junk", "after the end of the frame");
	}
	ml_json_end_array(w);
	free(block);
}
