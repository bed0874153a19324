/* A whole source with hostile meters on its bus: whatever they answer, whenever they speak and
 * however the line breaks, rounds end in bounded time, what is handed on as a telegram is one, it
 * can be decoded, and as soon as they are gone all other meters are read in the next round.
 * SPDX-License-Identifier: Apache-2.0
 *
 * Input: which parameters (1 byte), then pieces: how long until the next (1) and what happens (1),
 * with bytes of its own. What is to become of answers is kept until a hostile meter has one.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mbus/rig.h"

#include "mbus/application.h"
#include "meter/reading.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum {
	METERS = 5,
	HOSTILE = 2,     /* so many of them, from the first */
	EDITS_MAX = 64,  /* that wait for an answer */
	PIECES_MAX = 64, /* so that an input has an end */
	AT_LENGTH = 1,
	AT_CONTROL = 4,
};

enum what {
	EDIT,      /* a byte of the next answer: where, with what it is changed */
	CUT,       /* the next answer is so long; with more than it has, garbage is behind it */
	SEAL,      /* the checksum of the next answer is made right again */
	REPLACE,   /* the next answer is these bytes */
	LATE,      /* the next answer comes later */
	SPEAK,     /* bytes on the line out of turn */
	HEARD,     /* bytes from the adapter as they are */
	BROKEN,    /* bytes from the adapter, with errors */
	LOSE,      /* the line is lost, or is back */
	TRIGGER,   /* another round */
	LISTEN_TO, /* the rate of the meters */
	WHATS,
};

struct edit {
	uint8_t what, at, with;
	const uint8_t *bytes; /* of the input */
};

struct world {
	struct rig *rig;
	struct edit edits[EDITS_MAX];
	size_t edit_count;
	bool over;
	void *block;
};

static void require(bool holds)
{
	if (!holds)
		abort();
}

/* ---- Answers ---- */

static void seal(uint8_t *bytes, size_t *length)
{
	if (*length < 9 || bytes[0] != 0x68)
		return;
	const size_t data = *length - 6 < 255 ? *length - 6 : 255;
	uint8_t sum = 0;
	bytes[AT_LENGTH] = bytes[AT_LENGTH + 1] = (uint8_t)data;
	bytes[3] = 0x68;
	for (size_t i = 0; i < data; i++)
		sum = (uint8_t)(sum + bytes[AT_CONTROL + i]);
	bytes[AT_CONTROL + data] = sum;
	bytes[AT_CONTROL + data + 1] = 0x16;
	*length = data + 6;
}

static void change(const struct edit *edit, uint8_t *bytes, size_t *length, ml_time *later)
{
	switch ((enum what)edit->what) {
	case EDIT:
		if (*length > 0)
			bytes[edit->at % *length] ^= edit->with;
		break;
	case CUT: {
		const size_t wanted = (size_t)edit->at * 3;
		for (size_t i = *length; i < wanted; i++)
			bytes[i] = (uint8_t)(edit->with * i);
		*length = wanted;
		break;
	}
	case SEAL:
		seal(bytes, length);
		break;
	case REPLACE:
		memcpy(bytes, edit->bytes, edit->at);
		*length = edit->at;
		break;
	case LATE:
		*later += (ml_time)edit->with * 10 * ML_MSEC;
		break;
	default:
		break;
	}
}

/* All that has come up by now is done to this one. */
static void answers(void *user, size_t meter, uint8_t *bytes, size_t *length, ml_time *later)
{
	struct world *world = user;
	if (meter >= HOSTILE)
		return;
	if (world->over) {
		*length = 0;
		return;
	}
	for (size_t i = 0; i < world->edit_count; i++)
		change(&world->edits[i], bytes, length, later);
	world->edit_count = 0;
}

/* ---- What was handed on ---- */

static void look_at_frames(struct world *world)
{
	struct rig *rig = world->rig;
	for (size_t i = 0; i < rig->frame_count; i++) {
		const struct rig_frame *frame = &rig->frames[i];
		struct mbus_found found;
		if (frame->head.result == METER_FRAME_OK) {
			require(mbus_link_scan(frame->bytes, frame->head.length, true, false,
					&found) == MBUS_SCAN_LONG);
			require(found.begin == 0 && found.length == frame->head.length);
		}
		if (frame->head.length > 0)
			require(mbus_decode_frame(world->block, METER_READING_MAX, frame->bytes,
					frame->head.length, 0, NULL) == 0);
	}
	rig->frame_count = 0;
}

/* ---- The hostile time ---- */

/* One piece; how many bytes of the input it took. */
static size_t piece(struct world *world, unsigned what, const uint8_t *data, size_t size)
{
	struct rig *rig = world->rig;
	const uint8_t at = size > 0 ? data[0] : 0;
	const uint8_t with = size > 1 ? data[1] : 0;
	const size_t rest = size > 1 ? size - 1 : 0;
	const size_t length = at < rest ? at : rest;
	switch ((enum what)what) {
	case EDIT:
	case CUT:
	case SEAL:
	case REPLACE:
	case LATE:
		if (world->edit_count < EDITS_MAX)
			world->edits[world->edit_count++] = (struct edit){(uint8_t)what,
				what == REPLACE ? (uint8_t)length : at, with, data + 1};
		return what == REPLACE ? 1 + length : what == SEAL ? 0 : 2;
	case SPEAK:
		if (rig->stream && length > 0)
			rig_disturb(rig, data + 1, length, 0);
		return 1 + length;
	case HEARD:
	case BROKEN:
		if (length > 0)
			rig_hear(rig, data + 1, length, what == BROKEN);
		return 1 + length;
	case LOSE:
		rig_fail_line(rig, !rig->line_fails);
		return 0;
	case TRIGGER:
		rig_trigger(rig);
		return 0;
	case LISTEN_TO:
		for (size_t i = 0; i < HOSTILE; i++)
			sim_line_change_meter(rig->line, i)->baud = at & 1 ? 300 : 2400;
		return 1;
	case WHATS:
		break;
	}
	return 0;
}

static void hostile_time(struct world *world, const uint8_t *data, size_t size)
{
	for (size_t at = 0, pieces = 0; at + 1 < size && pieces < PIECES_MAX; pieces++) {
		const ml_time wait = (ml_time)data[at] * 4 * ML_MSEC;
		const unsigned what = data[at + 1] % WHATS;
		at += 2;
		at += piece(world, what, data + at, at < size ? size - at : 0);
		rig_pass(world->rig, wait);
		look_at_frames(world);
	}
}

/* ---- Peace ---- */

static void peace(struct world *world)
{
	struct rig *rig = world->rig;
	world->over = true;
	rig_fail_line(rig, false);
	/* Whatever still runs ends. */
	rig_pass(rig, 30 * ML_MINUTE);
	require(rig->begin_count == rig->end_count);
	look_at_frames(world);
	rig->begin_count = 0;
	rig->end_count = 0;
	rig_trigger(rig);
	rig_pass(rig, 5 * ML_MINUTE);
	require(rig->end_count == 1);
	require(rig->ends[0].read == METERS - HOSTILE);
	require(rig->ends[0].failed == HOSTILE);
	look_at_frames(world);
	require(rig->reading_count > 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct sim_options options = {.meters = METERS, .seed = 3, .baud = 2400};
	const uint8_t how = size > 0 ? data[0] : 0;
	char params[200];
	struct world world = {.rig = rig_new(true), .block = malloc(METER_READING_MAX)};
	require(world.block != NULL);
	world.rig->decode = true;
	rig_line(world.rig, &options);
	sim_line_watch(
		world.rig->line, &(struct sim_line_watch){.user = &world, .answers = answers});
	rig_list(world.rig, &options, METERS,
		how & 1   ? -1
		: how & 2 ? METER_MODE_SECONDARY
			  : METER_MODE_PRIMARY);
	(void)snprintf(params, sizeof params,
		"'interface':'rig:line','multi_telegram':'%s','application_reset':'%s',"
		"'readout_retries':%d",
		how & 4 ? "auto" : "off", how & 8 ? "always" : "never", how >> 4 & 3);
	rig_graph(world.rig, params);
	rig_pass(world.rig, ML_SEC);
	rig_trigger(world.rig);
	if (size > 0)
		hostile_time(&world, data + 1, size - 1);
	peace(&world);
	rig_free(world.rig);
	free(world.block);
	return 0;
}
