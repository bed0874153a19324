/* What a recording says, frame by frame.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "sim/recording_frames.h"

#include <string.h>

#include "mbus/link.h"

#define SILENCE (500 * ML_MSEC) /* ends a frame at each rate, behind any converter */

enum { LINE, MASTER };

void sim_frames_init(
	struct sim_frames *f, void *user, void (*item)(void *user, const struct sim_item *item))
{
	memset(f, 0, sizeof *f);
	f->user = user;
	f->item = item;
}

static bool same_as_question(const struct sim_frames *f, const uint8_t *bytes, size_t length)
{
	return f->has_question && length == f->question.length &&
	       memcmp(bytes, f->asked, length) == 0;
}

static bool expects_answer(const struct mbus_frame *frame)
{
	return frame->address != MBUS_ADDRESS_BROADCAST;
}

/* The master asks again, or something else: what it asked before is not answered any more. */
static void tell_silence(struct sim_frames *f, ml_time now)
{
	if (!f->has_question || f->heard || !expects_answer(&f->question))
		return;
	const struct sim_item item = {
		.kind = SIM_ITEM_SILENCE,
		.time = f->asked_at,
		.after = now - f->asked_at,
		.has_question = true,
		.question = &f->question,
	};
	f->heard = true;
	f->item(f->user, &item);
}

static void keep_question(struct sim_frames *f, const struct sim_item *item, ml_time last)
{
	memcpy(f->asked, item->bytes, item->length);
	f->question = item->frame;
	f->question.bytes = f->asked;
	if (item->frame.data)
		f->question.data = f->asked + (item->frame.data - item->frame.bytes);
	f->asked_at = last;
	f->has_question = true;
	f->heard = f->answered = false;
}

static void tell_master(struct sim_frames *f, struct sim_item *item, ml_time last)
{
	const bool frame = item->kind == SIM_ITEM_FRAME;
	const bool again = frame && same_as_question(f, item->bytes, item->length);
	tell_silence(f, item->time);
	f->repeat = again && !f->answered ? f->repeat + 1 : 0;
	item->repeat = f->repeat;
	f->item(f->user, item);
	if (frame)
		keep_question(f, item, last);
}

static void tell_line(struct sim_frames *f, struct sim_item *item)
{
	item->has_question = f->has_question;
	item->question = f->has_question ? &f->question : NULL;
	item->after = item->time - f->asked_at;
	item->echo = same_as_question(f, item->bytes, item->length);
	/* Damage is no answer, and neither is it silence. */
	if (!item->echo) {
		f->heard = true;
		f->answered = f->answered || item->kind == SIM_ITEM_FRAME;
	}
	f->item(f->user, item);
}

static void tell(struct sim_frames *f, int side, enum sim_item_kind kind, size_t begin,
	size_t length, const struct mbus_frame *frame)
{
	const struct sim_side *s = &f->sides[side];
	struct sim_item item = {
		.kind = kind,
		.from_master = side == MASTER,
		.time = s->begin,
		.bytes = s->bytes + begin,
		.length = length,
	};
	if (frame)
		item.frame = *frame;
	for (size_t i = 0; i < length; i++)
		item.bad += s->bad[begin + i];
	if (side == MASTER)
		tell_master(f, &item, s->last);
	else
		tell_line(f, &item);
}

static void drop(struct sim_side *s, size_t count)
{
	s->length -= count;
	memmove(s->bytes, s->bytes + count, s->length);
	memmove(s->bad, s->bad + count, s->length);
	s->begin = s->last;
}

/* Tells what is whole. `complete`: nothing more comes of it. */
static void examine(struct sim_frames *f, int side, bool complete)
{
	struct sim_side *s = &f->sides[side];
	while (s->length > 0) {
		struct mbus_found found;
		struct mbus_frame frame = {0};
		const enum mbus_scan kind =
			mbus_link_scan(s->bytes, s->length, complete, side == LINE, &found);
		if (kind < MBUS_SCAN_ACK && !complete)
			return;
		if (kind < MBUS_SCAN_DAMAGED) {
			tell(f, side, SIM_ITEM_NOISE, 0, s->length, NULL);
			s->length = 0;
			return;
		}
		if (found.begin > 0)
			tell(f, side, SIM_ITEM_NOISE, 0, found.begin, NULL);
		const bool good = kind != MBUS_SCAN_DAMAGED &&
				  mbus_frame_check(s->bytes + found.begin, found.length, &frame,
					  NULL) == MBUS_CHECK_OK;
		tell(f, side, good ? SIM_ITEM_FRAME : SIM_ITEM_DAMAGED, found.begin, found.length,
			good ? &frame : NULL);
		drop(s, found.begin + found.length);
	}
}

static void take_in(struct sim_frames *f, int side, const struct mbus_recorded *event)
{
	struct sim_side *s = &f->sides[side];
	if (s->length > 0 && event->time > s->last + SILENCE)
		examine(f, side, true);
	/* What one side leaves half ends when the other speaks: but an echo comes meanwhile. */
	if (side == MASTER)
		examine(f, LINE, true);
	if (s->length + event->length > SIM_SIDE_MAX)
		examine(f, side, true);
	if (s->length == 0)
		s->begin = event->time;
	memcpy(s->bytes + s->length, event->bytes, event->length);
	memcpy(s->bad + s->length, event->bad, event->length);
	s->length += event->length;
	s->last = event->time;
	examine(f, side, false);
}

void sim_frames_event(struct sim_frames *f, const struct mbus_recorded *event)
{
	if (event->kind == MBUS_RECORDED_MASTER || event->kind == MBUS_RECORDED_LINE) {
		take_in(f, event->kind == MBUS_RECORDED_MASTER ? MASTER : LINE, event);
		return;
	}
	sim_frames_end(f);
	if (event->kind == MBUS_RECORDED_LOST || event->kind == MBUS_RECORDED_ENDED)
		tell_silence(f, event->time);
	const struct sim_item item = {.kind = SIM_ITEM_STATE, .time = event->time, .event = event};
	f->item(f->user, &item);
}

void sim_frames_end(struct sim_frames *f)
{
	examine(f, MASTER, true);
	examine(f, LINE, true);
}
