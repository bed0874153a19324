/* What a recording says, in words.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <meterloom/error.h>

#include "mbus/link.h"
#include "meter/address.h"
#include "meter/identity.h"
#include "sim/recording_frames.h"

enum {
	CI_RESET = 0x50,
	CI_DATA = 0x51,
	CI_SELECT = 0x52,
	CI_BAUD = 0xB8,
	CI_BAUD_LAST = 0xBF,
	BAUD_FIRST = 300,
	SHOWN_BYTES = 16,
	FROM_MASTER = 0x40,
};

struct text {
	char *out;
	size_t length;
};

static void add(struct text *t, const char *format, ...) ML_PRINTF(2, 3);

static void add(struct text *t, const char *format, ...)
{
	const size_t room = SIM_ITEM_TEXT_MAX - t->length;
	va_list args;
	va_start(args, format);
	const int n = vsnprintf(t->out + t->length, room, format, args);
	va_end(args);
	if (n > 0)
		t->length += (size_t)n < room ? (size_t)n : room - 1;
}

/* The control field without what changes from frame to frame. */
static unsigned code_of(const struct mbus_frame *frame)
{
	if (!(frame->control & FROM_MASTER))
		return frame->control & 0x0Fu;
	return frame->control & (unsigned)~MBUS_FCB;
}

const char *sim_item_name(const struct sim_item *item)
{
	const struct mbus_frame *frame = &item->frame;
	if (item->kind != SIM_ITEM_FRAME)
		return "";
	if (frame->kind == MBUS_FRAME_ACK)
		return "E5h";
	switch (code_of(frame)) {
	case MBUS_SND_NKE:
		return "SND_NKE";
	case MBUS_SND_UD & ~MBUS_FCB:
		return "SND_UD";
	case MBUS_REQ_UD1 & ~MBUS_FCB:
		return "REQ_UD1";
	case MBUS_REQ_UD2 & ~MBUS_FCB:
		return "REQ_UD2";
	case MBUS_RSP_UD:
		return "RSP_UD";
	default:
		return "frame";
	}
}

static void add_address(struct text *t, const struct mbus_frame *frame)
{
	switch (frame->address) {
	case MBUS_ADDRESS_SELECTED:
		add(t, " to the selected meter");
		break;
	case MBUS_ADDRESS_TEST:
		add(t, " to all (254)");
		break;
	case MBUS_ADDRESS_BROADCAST:
		add(t, " to all, without answers (255)");
		break;
	default:
		add(t, " to %u", frame->address);
	}
}

/* Whom a selection selects. */
static void add_selection(struct text *t, const uint8_t *data, size_t length)
{
	struct meter_identity wanted;
	char secondary[METER_SECONDARY_TEXT_MAX];
	meter_identity_read(data, &wanted);
	(void)meter_secondary_format(wanted, secondary);
	add(t, "selection of %s", secondary);
	if (length >= 14 && data[8] == 0x0C && data[9] == 0x78)
		add(t, ", fabrication number %02X%02X%02X%02X", data[13], data[12], data[11],
			data[10]);
}

static void add_command(struct text *t, const struct mbus_frame *frame)
{
	if (frame->ci == CI_SELECT && frame->data_length >= 8) {
		add_selection(t, frame->data, frame->data_length);
		return;
	}
	add(t, "SND_UD");
	add_address(t, frame);
	if (frame->ci == CI_RESET && frame->data_length == 0)
		add(t, ": application reset");
	else if (frame->ci == CI_RESET)
		add(t, ": application reset, sub code %u", frame->data[0]);
	else if (frame->ci >= CI_BAUD && frame->ci <= CI_BAUD_LAST)
		add(t, ": speak at %u baud from now on",
			(unsigned)BAUD_FIRST << (frame->ci - CI_BAUD));
	else if (frame->ci == CI_DATA && frame->data_length == 3 && frame->data[0] == 0x01 &&
		 frame->data[1] == 0x7A)
		add(t, ": its address is %u from now on", frame->data[2]);
	else
		add(t, ": CI %02Xh, %zu bytes of data", frame->ci, frame->data_length);
}

static void add_question(struct text *t, const struct sim_item *item)
{
	const struct mbus_frame *frame = &item->frame;
	if (code_of(frame) == (MBUS_SND_UD & ~MBUS_FCB) && frame->kind == MBUS_FRAME_LONG) {
		add_command(t, frame);
	} else {
		add(t, "%s", sim_item_name(item));
		add_address(t, frame);
		if (frame->control & MBUS_FCV)
			add(t, ", FCB %u", (frame->control & MBUS_FCB) != 0);
		if (strcmp(sim_item_name(item), "frame") == 0)
			add(t, ", control %02Xh", frame->control);
	}
	if (item->repeat > 0)
		add(t, ", again (%u)", item->repeat);
}

static void add_answer(struct text *t, const struct sim_item *item)
{
	const struct mbus_frame *frame = &item->frame;
	uint8_t bytes[8];
	bool whole = false;
	add(t, "%s", sim_item_name(item));
	if (frame->kind == MBUS_FRAME_ACK)
		return;
	add(t, " of %u", frame->address);
	if (mbus_link_identity(item->bytes, item->length, bytes, &whole)) {
		struct meter_identity who;
		char secondary[METER_SECONDARY_TEXT_MAX];
		meter_identity_read(bytes, &who);
		(void)meter_secondary_format(who, secondary);
		add(t, ": %s", secondary);
		if (whole)
			add(t, " (%s)", meter_medium_name(who.medium));
	} else {
		add(t, ": CI %02Xh", frame->ci);
	}
	add(t, ", %zu bytes", item->length);
	if (mbus_link_more_follows(item->bytes, item->length))
		add(t, ", more follows");
	if (frame->control & MBUS_ACD)
		add(t, ", has alarm data");
	if (frame->control & MBUS_DFC)
		add(t, ", can take no more");
}

static void add_bytes(struct text *t, const struct sim_item *item)
{
	for (size_t i = 0; i < item->length && i < SHOWN_BYTES; i++)
		add(t, "%s%02X", i > 0 ? " " : ": ", item->bytes[i]);
	if (item->length > SHOWN_BYTES)
		add(t, " …");
}

static void add_state(struct text *t, const struct mbus_recorded *event)
{
	switch (event->kind) {
	case MBUS_RECORDED_OPENED:
		add(t, "the interface is open");
		break;
	case MBUS_RECORDED_LOST:
		add(t, "the interface is lost");
		break;
	case MBUS_RECORDED_BAUD:
		add(t, "%u baud from now on", event->baud);
		break;
	default:
		add(t, "the recording ends");
	}
	if (event->text[0])
		add(t, ": %s", event->text);
}

size_t sim_item_text(const struct sim_item *item, char out[SIM_ITEM_TEXT_MAX])
{
	struct text t = {.out = out};
	const char *plural = item->length == 1 ? "" : "s";
	out[0] = '\0';
	switch (item->kind) {
	case SIM_ITEM_FRAME:
		if (item->echo)
			add(&t, "echo of the master");
		else if (item->frame.kind != MBUS_FRAME_ACK && (item->frame.control & FROM_MASTER))
			add_question(&t, item);
		else
			add_answer(&t, item);
		break;
	case SIM_ITEM_DAMAGED:
		add(&t, "a frame of %zu bytes with a wrong checksum or end", item->length);
		break;
	case SIM_ITEM_NOISE:
		add(&t, "%zu byte%s that make%s no frame", item->length, plural,
			item->length == 1 ? "s" : "");
		break;
	case SIM_ITEM_SILENCE:
		add(&t, "no answer");
		break;
	case SIM_ITEM_STATE:
		add_state(&t, item->event);
		break;
	}
	if (item->bad > 0)
		add(&t, ", %zu byte%s with parity or framing errors", item->bad,
			item->bad == 1 ? "" : "s");
	if (item->kind == SIM_ITEM_DAMAGED || item->kind == SIM_ITEM_NOISE)
		add_bytes(&t, item);
	return t.length;
}
