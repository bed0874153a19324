/* A recording as a line.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "sim/replay.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "mbus/frame.h"
#include "sim/recording_file.h"

#define BROKEN_OFF (500 * ML_MSEC) /* the rest of a frame does not come so late */

enum {
	BYTES_MAX = 256 * 1024 * 1024, /* of a recording */
	CONTROL = 1,                   /* of a short frame */
	LONG_CONTROL = 4,
};

/* Bytes from the line that came together, all good or all damaged. */
struct run {
	ml_time time;
	uint32_t at, length;
	bool damaged;
};

/* A frame of the master. */
struct question {
	ml_time time; /* of its last byte */
	size_t run;   /* the first that came after it */
	uint32_t at, length;
	uint32_t hash;
	unsigned baud;
};

struct sim_replay {
	uint8_t *bytes;
	size_t byte_count, byte_capacity;
	struct run *runs;
	size_t run_count, run_capacity;
	struct question *questions;
	size_t question_count, question_capacity;
	unsigned first_baud;

	/* while it is read */
	struct mbus_parser parser;
	ml_time spoke; /* the master, last */
	unsigned baud;

	/* while it plays */
	struct sim_replay_tally tally;
	unsigned master_baud;
	size_t found;             /* the question that was found last, plus 1; 0: none yet */
	size_t next, end;         /* runs that are still to come */
	ml_time shift;            /* from the time of the recording to now's */
	struct mbus_parser heard; /* from the master */
	ml_time heard_at;
};

/* ---- Reading ---- */

static int make_room(void **items, size_t *capacity, size_t count, size_t more, size_t size)
{
	if (count + more <= *capacity)
		return 0;
	size_t wanted = *capacity ? *capacity * 2 : 256;
	while (wanted < count + more)
		wanted *= 2;
	void *bigger = realloc(*items, wanted * size);
	if (!bigger)
		return -ENOMEM;
	*items = bigger;
	*capacity = wanted;
	return 0;
}

/* Where the bytes went; UINT32_MAX: no room. */
static uint32_t keep_bytes(struct sim_replay *r, const uint8_t *bytes, size_t length)
{
	if (r->byte_count + length > BYTES_MAX ||
		make_room((void **)&r->bytes, &r->byte_capacity, r->byte_count, length, 1) < 0)
		return UINT32_MAX;
	const uint32_t at = (uint32_t)r->byte_count;
	memcpy(r->bytes + at, bytes, length);
	r->byte_count += length;
	return at;
}

static bool is_short(const uint8_t *frame)
{
	return frame[0] == 0x10;
}

/* Without the frame count bit and the checksum that holds it. */
static uint32_t hash_of(const uint8_t *frame, size_t length)
{
	const size_t control = is_short(frame) ? CONTROL : LONG_CONTROL;
	uint32_t hash = 2166136261u;
	for (size_t i = 0; i < length - 2; i++) {
		const uint8_t byte = i == control ? frame[i] & (uint8_t)~MBUS_FCB : frame[i];
		hash = (hash ^ byte) * 16777619u;
	}
	return hash;
}

static bool is_question(const struct mbus_frame *frame)
{
	return frame->kind == MBUS_FRAME_SHORT || frame->kind == MBUS_FRAME_LONG;
}

static int add_question(struct sim_replay *r, const struct mbus_frame *frame, ml_time time)
{
	if (make_room((void **)&r->questions, &r->question_capacity, r->question_count, 1,
		    sizeof *r->questions) < 0)
		return -ENOMEM;
	const uint32_t at = keep_bytes(r, frame->bytes, frame->length);
	if (at == UINT32_MAX)
		return -E2BIG;
	r->questions[r->question_count++] = (struct question){
		.time = time,
		.run = r->run_count,
		.at = at,
		.length = (uint32_t)frame->length,
		.hash = hash_of(frame->bytes, frame->length),
		.baud = r->baud,
	};
	return 0;
}

static int read_master(struct sim_replay *r, const struct mbus_recorded *event)
{
	struct mbus_frame frame;
	if (event->time > r->spoke + BROKEN_OFF)
		(void)mbus_parser_reset(&r->parser);
	r->spoke = event->time;
	for (size_t at = 0; at < event->length;) {
		at += mbus_parser_feed(&r->parser, event->bytes + at, event->length - at, &frame);
		const int result = is_question(&frame) ? add_question(r, &frame, event->time) : 0;
		if (result < 0)
			return result;
	}
	return 0;
}

static int read_line(struct sim_replay *r, const struct mbus_recorded *event)
{
	for (size_t at = 0; at < event->length;) {
		const bool damaged = event->bad[at];
		size_t length = 1;
		while (at + length < event->length && event->bad[at + length] == damaged)
			length++;
		if (make_room((void **)&r->runs, &r->run_capacity, r->run_count, 1,
			    sizeof *r->runs) < 0)
			return -ENOMEM;
		const uint32_t place = keep_bytes(r, event->bytes + at, length);
		if (place == UINT32_MAX)
			return -E2BIG;
		r->runs[r->run_count++] =
			(struct run){event->time, place, (uint32_t)length, damaged};
		at += length;
	}
	return 0;
}

static int on_event(
	void *user, const struct mbus_recording_head *head, const struct mbus_recorded *event)
{
	struct sim_replay *r = user;
	if (r->first_baud == 0)
		r->first_baud = r->baud = head->baud;
	switch (event->kind) {
	case MBUS_RECORDED_MASTER:
		return read_master(r, event);
	case MBUS_RECORDED_LINE:
		return read_line(r, event);
	case MBUS_RECORDED_BAUD:
		r->baud = event->baud;
		return 0;
	default:
		return 0;
	}
}

int sim_replay_open(const char *path, struct sim_replay **ret_replay, struct ml_error *err)
{
	struct sim_replay *r = calloc(1, sizeof *r);
	*ret_replay = NULL;
	if (!r)
		return ml_error_set(err, -ENOMEM, "out of memory");
	struct sim_recording_reading reading = {.user = r, .event = on_event};
	mbus_parser_init(&r->parser);
	mbus_parser_init(&r->heard);
	int result = sim_recording_read(path, &reading, err);
	if (result == -E2BIG)
		ml_error_set(err, result,
			"%s: more than %d MiB of bytes went over this bus: cut "
			"the recording into parts",
			path, BYTES_MAX >> 20);
	if (result == -ENOMEM)
		ml_error_set(err, result, "%s: out of memory", path);
	if (result < 0) {
		sim_replay_free(r);
		return result;
	}
	if (r->first_baud == 0)
		r->first_baud = reading.head.baud;
	*ret_replay = r;
	return 0;
}

void sim_replay_free(struct sim_replay *r)
{
	if (!r)
		return;
	free(r->bytes);
	free(r->runs);
	free(r->questions);
	free(r);
}

unsigned sim_replay_baud(const struct sim_replay *r)
{
	return r->first_baud;
}

size_t sim_replay_questions(const struct sim_replay *r)
{
	return r->question_count;
}

struct sim_replay_tally sim_replay_tally(const struct sim_replay *r)
{
	return r->tally;
}

/* ---- Playing ---- */

void sim_replay_set_baud(struct sim_replay *r, unsigned baud)
{
	r->master_baud = baud;
}

/* The runs up to the next question come from now on. */
static void play(struct sim_replay *r, size_t from, size_t next_question, ml_time shift)
{
	r->next = from;
	r->end = next_question < r->question_count ? r->questions[next_question].run : r->run_count;
	r->shift = shift;
}

void sim_replay_begin(struct sim_replay *r, ml_time now)
{
	(void)mbus_parser_reset(&r->heard);
	r->found = 0;
	play(r, 0, 0, now);
}

static bool is_equal(const struct sim_replay *r, const struct question *q,
	const struct mbus_frame *frame, uint32_t hash, bool exactly)
{
	const uint8_t *bytes = r->bytes + q->at;
	if (q->hash != hash || q->length != frame->length)
		return false;
	if (r->master_baud > 0 && q->baud != r->master_baud)
		return false;
	if (exactly)
		return memcmp(bytes, frame->bytes, frame->length) == 0;
	const size_t control = is_short(bytes) ? CONTROL : LONG_CONTROL;
	return ((bytes[control] ^ frame->control) & ~MBUS_FCB) == 0 &&
	       memcmp(bytes, frame->bytes, control) == 0 &&
	       memcmp(bytes + control + 1, frame->bytes + control + 1,
		       frame->length - control - 3) == 0;
}

/* The number of a question plus 1, or 0. */
static size_t find(const struct sim_replay *r, const struct mbus_frame *frame, bool exactly)
{
	const uint32_t hash = hash_of(frame->bytes, frame->length);
	for (size_t i = 0; i < r->question_count; i++) {
		const size_t place = (r->found + i) % r->question_count;
		if (is_equal(r, &r->questions[place], frame, hash, exactly))
			return place + 1;
	}
	return 0;
}

static void answer(struct sim_replay *r, const struct mbus_frame *frame, ml_time now)
{
	size_t found = find(r, frame, true);
	if (found == 0)
		found = find(r, frame, false);
	r->tally.asked++;
	if (found == 0) {
		r->tally.unknown++;
		return;
	}
	const struct question *q = &r->questions[found - 1];
	r->found = found;
	play(r, q->run, found, now - q->time);
}

void sim_replay_received(struct sim_replay *r, const uint8_t *bytes, size_t length, ml_time now)
{
	struct mbus_frame frame;
	if (now > r->heard_at + BROKEN_OFF)
		(void)mbus_parser_reset(&r->heard);
	r->heard_at = now;
	for (size_t at = 0; at < length;) {
		at += mbus_parser_feed(&r->heard, bytes + at, length - at, &frame);
		if (is_question(&frame))
			answer(r, &frame, now);
	}
}

ml_time sim_replay_when(const struct sim_replay *r)
{
	return r->next < r->end ? r->runs[r->next].time + r->shift : ML_NEVER;
}

size_t sim_replay_take(struct sim_replay *r, ml_time now, const uint8_t **bytes, bool *damaged)
{
	if (now < sim_replay_when(r))
		return 0;
	const struct run *run = &r->runs[r->next++];
	*bytes = r->bytes + run->at;
	*damaged = run->damaged;
	return run->length;
}

void sim_replay_discard(struct sim_replay *r)
{
	r->next = r->end;
}
