/* mbus-source: recording what it sends and receives on its line.
 * SPDX-License-Identifier: Apache-2.0
 *
 * The rounds go on meanwhile. While nothing is recorded it costs a look at a pointer.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <meterloom/command.h>
#include <meterloom/engine.h>

#include "mbus/keeper.h"
#include "mbus/program.h"
#include "mbus/recording.h"
#include "mbus/source.h"

#define LOOK_EVERY ML_SEC

enum { GATHER = 16 * 1024 }; /* text that is handed to the disk at once */

struct mbus_record {
	struct mbus_source *source;
	struct ml_job *job;
	struct mbus_keeper *keeper;
	struct ml_timer timer;
	ml_time begins, ends;    /* monotonic */
	uint64_t room;           /* bytes of text that are left */
	uint64_t sent, received; /* bytes on the line */
	const char *why;         /* it ended; NULL: it has not */
	char text[GATHER + 2 * MBUS_RECORDING_LINE_MAX + MBUS_RECORDING_HEAD_MAX];
	size_t length;
};

static void finish(struct mbus_record *r, const char *why);

static bool hand_on(struct mbus_record *r)
{
	const bool good = r->length == 0 || mbus_keeper_put(r->keeper, r->text, r->length);
	r->length = 0;
	return good;
}

/* A line was put to the end of the text. */
static void added(struct mbus_record *r, size_t length)
{
	r->length += length;
	r->room -= length < r->room ? length : r->room;
	if (r->length >= GATHER && !hand_on(r))
		finish(r, "disk");
	else if (r->room < MBUS_RECORDING_LINE_MAX)
		finish(r, "size");
}

static ml_time since_begin(const struct mbus_record *r)
{
	return ml_node_now(r->source->node) - r->begins;
}

/* Who writes down now; NULL: nobody. */
static struct mbus_record *writer_of(const struct mbus_source *s)
{
	return s->record && !s->record->why ? s->record : NULL;
}

void mbus_record_bytes(
	struct mbus_source *s, bool sent, const uint8_t *bytes, size_t length, bool damaged)
{
	struct mbus_record *r = NULL;
	while (length > 0 && (r = writer_of(s))) {
		const size_t part =
			length < MBUS_RECORDED_BYTES_MAX ? length : MBUS_RECORDED_BYTES_MAX;
		r->sent += sent ? part : 0;
		r->received += sent ? 0 : part;
		added(r, mbus_recording_put_bytes(r->text + r->length, since_begin(r),
				 sent ? MBUS_RECORDED_MASTER : MBUS_RECORDED_LINE, bytes, part,
				 damaged));
		bytes += part;
		length -= part;
	}
}

void mbus_record_baud(struct mbus_source *s, unsigned baud)
{
	struct mbus_record *r = writer_of(s);
	if (r)
		added(r, mbus_recording_put_baud(r->text + r->length, since_begin(r), baud));
}

void mbus_record_line(struct mbus_source *s, bool open, const char *why)
{
	struct mbus_record *r = writer_of(s);
	if (r)
		added(r, mbus_recording_put_state(r->text + r->length, since_begin(r),
				 open ? MBUS_RECORDED_OPENED : MBUS_RECORDED_LOST, why));
}

/* ---- Its end ---- */

static void write_result(const struct mbus_record *r, const struct mbus_kept *kept)
{
	struct ml_json_writer *w = ml_job_result(r->job);
	ml_json_begin_object(w);
	ml_json_key(w, "name");
	ml_json_string(w, kept->name);
	ml_json_key(w, "file");
	ml_json_stringf(w, MBUS_KEEPER_FOLDER "/%s", kept->name);
	ml_json_key(w, "size");
	ml_json_unsigned(w, kept->size);
	ml_json_key(w, "bytes_sent");
	ml_json_unsigned(w, r->sent);
	ml_json_key(w, "bytes_received");
	ml_json_unsigned(w, r->received);
	ml_json_key(w, "ended_by");
	ml_json_string(w, r->why);
	ml_json_end_object(w);
	ml_job_succeed(r->job);
}

static void on_done(void *user, const struct mbus_kept *kept)
{
	struct mbus_record *r = user;
	if (kept->err.code != 0)
		ml_job_fail(r->job, &kept->err);
	else
		write_result(r, kept);
	r->source->record = NULL;
	free(r);
}

static void write_end(struct mbus_record *r, const char *why)
{
	r->why = why;
	ml_timer_stop(&r->timer);
	r->length += mbus_recording_put_state(
		r->text + r->length, since_begin(r), MBUS_RECORDED_ENDED, why);
	(void)hand_on(r);
}

/* From now on nothing more is written down; the job ends when the disk has all of it. */
static void finish(struct mbus_record *r, const char *why)
{
	if (r->why)
		return;
	write_end(r, why);
	mbus_keeper_end(r->keeper);
}

static void on_cancel(struct ml_job *job, void *user)
{
	(void)job;
	finish(user, "cancel");
}

/* The node ends, and its jobs with it. */
void mbus_record_stop(struct mbus_source *s)
{
	struct mbus_record *r = s->record;
	struct ml_error err = ML_ERROR_NONE;
	if (!r)
		return;
	if (!r->why)
		write_end(r, "stop");
	ml_error_set(&err, -ECANCELED,
		"the node was stopped; what was recorded until then is kept in " MBUS_KEEPER_FOLDER
		"/%s",
		mbus_keeper_name(r->keeper));
	ml_job_fail(r->job, &err);
	mbus_keeper_leave(r->keeper);
	s->record = NULL;
	free(r);
}

/* ---- Its beginning ---- */

static void on_timer(struct ml_timer *timer)
{
	struct mbus_record *r = timer->user;
	const ml_time now = ml_node_now(r->source->node);
	char text[100];
	if (!hand_on(r)) {
		finish(r, "disk");
		return;
	}
	if (now >= r->ends) {
		finish(r, "time");
		return;
	}
	(void)snprintf(text, sizeof text, "%" PRIu64 " bytes sent, %" PRIu64 " received", r->sent,
		r->received);
	ml_job_progress(r->job, (uint64_t)((now - r->begins) / ML_SEC),
		(uint64_t)((r->ends - r->begins) / ML_SEC), text);
	ml_timer_start(timer, now + LOOK_EVERY < r->ends ? now + LOOK_EVERY : r->ends);
}

static void write_head(struct mbus_record *r)
{
	const struct mbus_source *s = r->source;
	struct mbus_recording_head head = {
		.baud = s->line.baud ? s->line.baud : (unsigned)s->baud,
		.begins = ml_node_wall(s->node),
	};
	(void)snprintf(head.interface, sizeof head.interface, "%s", s->interface);
	(void)snprintf(head.program, sizeof head.program, "%s, node %s", mbus_program,
		ml_node_id(s->node));
	r->length = mbus_recording_put_head(r->text, &head);
	r->room -= r->length;
	if (s->line_state == MBUS_LINE_OPEN)
		added(r, mbus_recording_put_state(
				 r->text + r->length, 0, MBUS_RECORDED_OPENED, NULL));
	else if (s->line_state == MBUS_LINE_LOST)
		added(r, mbus_recording_put_state(
				 r->text + r->length, 0, MBUS_RECORDED_LOST, s->why_lost));
}

static int begin(struct mbus_source *s, struct ml_job *job, ml_time length, uint64_t room,
	struct ml_error *err)
{
	if (s->record)
		return ml_error_set(err, -EBUSY,
			"this bus is being recorded already: cancel that job, or wait for its end");
	struct mbus_record *r = calloc(1, sizeof *r);
	if (!r)
		return ml_error_set(err, -ENOMEM, "out of memory");
	const int result = mbus_keeper_new(ml_node_engine(s->node), ml_node_lane(s->node),
		ml_node_id(s->node), ml_node_wall(s->node), on_done, r, &r->keeper, err);
	if (result < 0) {
		free(r);
		return result;
	}
	r->source = s;
	r->job = job;
	r->begins = ml_node_now(s->node);
	r->ends = r->begins + length;
	r->room = room;
	s->record = r;
	ml_timer_init(&r->timer, ml_node_lane(s->node), on_timer, r);
	write_head(r);
	ml_job_on_cancel(job, on_cancel, r);
	ml_timer_start(&r->timer, r->begins + (LOOK_EVERY < length ? LOOK_EVERY : length));
	return 0;
}

void mbus_record_begin(struct mbus_source *s, struct ml_job *job, ml_time length, uint64_t room)
{
	struct ml_error err = ML_ERROR_NONE;
	if (begin(s, job, length, room, &err) < 0)
		ml_job_fail(job, &err);
}
