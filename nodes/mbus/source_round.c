/* mbus-source: rounds over the meters of its bus.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <meterloom/command.h>
#include <meterloom/event.h>

#include "mbus/source.h"
#include "meter/frame.h"

#define LOOK_EVERY (5 * ML_SEC)

/* ---- The list ---- */

static bool is_ours(const struct mbus_source *s, const struct meter_point *point)
{
	return !point->settings.passive && strcmp(point->settings.bus, s->bus) == 0;
}

size_t mbus_round_points(struct mbus_source *s, const struct meter_snapshot *snapshot)
{
	size_t count = 0;
	for (size_t i = 0; i < snapshot->point_count; i++)
		count += is_ours(s, &snapshot->points[i]);
	return count;
}

/* What is remembered of a point; it is made where there is nothing yet. NULL: out of memory. */
static struct mbus_memory *memory_of(struct mbus_source *s, uint32_t point)
{
	size_t low = 0;
	for (size_t high = s->memory_count; low < high;) {
		const size_t middle = low + (high - low) / 2;
		if (s->memories[middle].point < point)
			low = middle + 1;
		else
			high = middle;
	}
	if (low < s->memory_count && s->memories[low].point == point)
		return &s->memories[low];
	if (s->memory_count == s->memory_capacity) {
		const size_t capacity = s->memory_capacity ? s->memory_capacity * 2 : 32;
		struct mbus_memory *memories = realloc(s->memories, capacity * sizeof *memories);
		if (!memories)
			return NULL;
		s->memories = memories;
		s->memory_capacity = capacity;
	}
	memmove(s->memories + low + 1, s->memories + low,
		(s->memory_count - low) * sizeof *s->memories);
	s->memories[low] = (struct mbus_memory){.point = point};
	s->memory_count++;
	return &s->memories[low];
}

/* Those that answered last time come first: the dead must not hold up the living. */
static int make_order(struct mbus_source *s)
{
	const size_t most = s->snapshot->point_count;
	s->order_count = s->order_next = 0;
	s->order = calloc(most ? most : 1, sizeof *s->order);
	if (!s->order)
		return -ENOMEM;
	for (int dead = 0; dead < 2; dead++) {
		for (size_t i = 0; i < most; i++) {
			const struct meter_point *point = &s->snapshot->points[i];
			const bool wanted =
				s->want.point ? point->key == s->want.point : is_ours(s, point);
			const struct mbus_memory *memory = wanted ? memory_of(s, point->key) : NULL;
			if (wanted && (memory && memory->failures > 0) == dead)
				s->order[s->order_count++] = (uint32_t)i;
		}
	}
	return 0;
}

/* ---- Frames ---- */

static void fill_address(const struct meter_point *point, struct meter_frame *frame)
{
	if (point->settings.mode == METER_MODE_PRIMARY) {
		frame->addressing = METER_ADDRESS_PRIMARY;
		frame->primary = point->settings.primary;
	} else if (meter_point_selection(point, frame->secondary)) {
		frame->addressing = METER_ADDRESS_SECONDARY;
		frame->primary = MBUS_ADDRESS_SELECTED;
	}
}

static void emit(struct mbus_source *s, const struct mbus_step *step)
{
	struct meter_frame *frame = NULL;
	struct ml_message *message =
		meter_frame_new(s->node, step->bytes, step->length, NULL, &frame);
	if (!message) {
		ml_node_log(s->node, ML_LOG_ERROR, "out of memory: a telegram is lost");
		return;
	}
	frame->point = s->point->key;
	frame->round = s->round.id;
	frame->telegram = (uint16_t)step->telegram;
	frame->tries = (uint16_t)step->tries;
	frame->result = (uint8_t)step->result;
	frame->flags = (uint8_t)((step->last ? METER_FRAME_LAST : 0) |
				 (step->limited ? METER_FRAME_LIMIT : 0));
	fill_address(s->point, frame);
	(void)snprintf(frame->bus, sizeof frame->bus, "%s", s->bus);
	(void)snprintf(frame->interface, sizeof frame->interface, "%s", s->interface);
	message->time = ml_node_wall(s->node);
	(void)ml_ack_attach(s->node, message, s->point->key);
	ml_emit(s->node, MBUS_PORT_OUT, message);
}

/* ---- One meter ---- */

static const char *reason(enum meter_frame_result result)
{
	switch (result) {
	case METER_FRAME_TIMEOUT:
		return "it did not answer";
	case METER_FRAME_CHECKSUM:
		return "its answer had a wrong checksum";
	case METER_FRAME_MALFORMED:
		return "what came was no telegram";
	case METER_FRAME_COLLISION:
		return "several meters answered at once, or the line is disturbed";
	case METER_FRAME_WRONG_METER:
		return "another meter answered";
	case METER_FRAME_REPEATED:
		return "it sent the same telegram again instead of the next";
	case METER_FRAME_REFUSED:
		return "it has no data";
	case METER_FRAME_NO_BUS:
		return "the interface is lost";
	default:
		return "the readout was given up";
	}
}

static void name_point(const struct meter_point *point, char *name, size_t size)
{
	struct meter_frame address = {0};
	char text[METER_ADDRESS_TEXT_MAX];
	fill_address(point, &address);
	meter_frame_address(&address, text);
	if (point->settings.moid[0])
		(void)snprintf(name, size, "%s (%s)", point->settings.moid, text);
	else
		(void)snprintf(name, size, "%s", text);
}

static void meter_failed(struct mbus_source *s, const struct mbus_step *step)
{
	char name[METER_MOID_MAX + METER_ADDRESS_TEXT_MAX + 8];
	struct mbus_memory *memory = memory_of(s, s->point->key);
	if (memory) {
		memory->peer.known = false;
		memory->failures +=
			step->result != METER_FRAME_NO_BUS && step->result != METER_FRAME_CANCELLED;
	}
	s->round.failed++;
	ml_node_count(s->node, MBUS_FAILED, 1);
	emit(s, step);
	/* A lost line has an event of its own. */
	if (step->result == METER_FRAME_NO_BUS || step->result == METER_FRAME_CANCELLED)
		return;
	name_point(s->point, name, sizeof name);
	ml_event_raise(ml_node_engine(s->node), "readout-failed", ml_node_id(s->node), "meter",
		name, "result", meter_frame_result_name(step->result), "reason",
		reason(step->result), NULL);
}

static void meter_told(struct mbus_source *s, const struct mbus_step *step)
{
	uint8_t bytes[8];
	bool whole = false;
	ml_node_count(s->node, MBUS_TELEGRAMS, 1);
	if (step->telegram == 0 && mbus_link_identity(step->bytes, step->length, bytes, &whole) &&
		whole) {
		struct meter_identity identity;
		meter_identity_read(bytes, &identity);
		meter_list_contact(
			s->list, s->snapshot, s->point->key, identity, ml_node_wall(s->node));
	}
	emit(s, step);
	if (!step->last)
		return;
	struct mbus_memory *memory = memory_of(s, s->point->key);
	if (memory) {
		memory->peer = mbus_master_peer(&s->master);
		memory->failures = 0;
	}
	s->round.read++;
	ml_node_count(s->node, MBUS_READ, 1);
}

static void meter_done(struct mbus_source *s)
{
	s->point = NULL;
	if (s->want.job)
		ml_job_progress(s->want.job, s->order_next, s->order_count, NULL);
}

/* Ends the readout of the next meter before it has begun. */
static void skip_meter(struct mbus_source *s, enum meter_frame_result result)
{
	const struct mbus_step step = {
		.kind = MBUS_STEP_FAILED, .result = result, .tries = 0, .last = true};
	meter_failed(s, &step);
	meter_done(s);
}

static unsigned telegrams(const struct mbus_source *s, const struct meter_settings *settings)
{
	const bool multi = settings->multi == METER_MULTI_DEFAULT
				   ? s->multi != 0
				   : settings->multi == METER_MULTI_AUTO;
	return multi ? (unsigned)s->limit : 1;
}

static void begin_meter(struct mbus_source *s)
{
	s->point = &s->snapshot->points[s->order[s->order_next++]];
	const struct meter_settings *settings = &s->point->settings;
	const struct mbus_memory *memory = memory_of(s, s->point->key);
	struct mbus_request request = {
		.secondary = settings->mode != METER_MODE_PRIMARY,
		.primary = settings->primary,
		.baud = settings->baud ? settings->baud : (unsigned)s->baud,
		.telegrams = telegrams(s, settings),
		.timing =
			{
				.response = s->timing.response,
				.initialization = s->timing.initialization,
				.collision = s->timing.collision,
				.request = s->timing.request,
				.multi_response = s->timing.multi_response,
				.latency = s->timing.latency,
				.readout_retries = (unsigned)s->timing.readout_retries,
				.selection_retries = (unsigned)s->timing.selection_retries,
				.multi_retries = (unsigned)s->timing.multi_retries,
			},
	};
	if (s->line_state != MBUS_LINE_OPEN) {
		skip_meter(s, METER_FRAME_NO_BUS);
		return;
	}
	if (request.secondary)
		(void)meter_point_selection(s->point, request.address);
	if (memory)
		request.peer = memory->peer;
	mbus_timing_derive(&request.timing, request.baud);
	mbus_line_set_baud(s, request.baud);
	mbus_master_read(&s->master, &request, ml_node_now(s->node));
}

static void take_step(struct mbus_source *s, const struct mbus_step *step)
{
	switch (step->kind) {
	case MBUS_STEP_SEND:
		if (!mbus_line_send(s, step->bytes, step->length))
			mbus_master_cancel(&s->master, METER_FRAME_NO_BUS);
		return;
	case MBUS_STEP_TELEGRAM:
		meter_told(s, step);
		break;
	case MBUS_STEP_DONE:
	case MBUS_STEP_FAILED:
		meter_failed(s, step);
		break;
	}
	if (step->last)
		meter_done(s);
}

/* ---- Rounds ---- */

static void count_line(struct mbus_source *s)
{
	const struct mbus_tally *now = &s->master.tally;
	const struct mbus_tally *was = &s->counted;
	ml_node_count(s->node, MBUS_REQUESTS, (int64_t)(now->requests - was->requests));
	ml_node_count(s->node, MBUS_RETRIES, (int64_t)(now->retries - was->retries));
	ml_node_count(s->node, MBUS_BYTES_OUT, (int64_t)(now->bytes_out - was->bytes_out));
	ml_node_count(s->node, MBUS_BYTES_IN, (int64_t)(now->bytes_in - was->bytes_in));
	ml_node_count(s->node, MBUS_NOISE, (int64_t)(now->noise - was->noise));
	s->counted = *now;
}

static void begin_round(struct mbus_source *s)
{
	s->want = s->wants[0];
	s->want_count--;
	memmove(s->wants, s->wants + 1, s->want_count * sizeof s->wants[0]);
	s->snapshot = meter_list_snapshot(s->list);
	if (make_order(s) < 0) {
		ml_node_log(s->node, ML_LOG_ERROR, "out of memory: a round is left out");
		s->order_count = 0;
	}
	s->in_round = true;
	s->cancelled = false;
	s->round = (struct ml_round){
		.due = s->want.trigger.kind[0] ? s->want.trigger.due : 0,
		.meters = (uint32_t)s->order_count,
	};
	(void)snprintf(s->round.bus, sizeof s->round.bus, "%s", s->bus);
	ml_round_begin(s->node, &s->round);
	if (s->want.job)
		ml_job_progress(s->want.job, 0, s->order_count, "reading");
}

static void end_job(struct mbus_source *s, ml_time took)
{
	struct ml_job *job = s->want.job;
	s->want.job = NULL;
	if (!job)
		return;
	if (s->cancelled) {
		struct ml_error err = ML_ERROR_NONE;
		ml_error_set(&err, -ECANCELED, "cancelled after %u of %u meters",
			s->round.read + s->round.failed, s->round.meters);
		ml_job_fail(job, &err);
		return;
	}
	struct ml_json_writer *w = ml_job_result(job);
	ml_json_begin_object(w);
	ml_json_key(w, "meters");
	ml_json_unsigned(w, s->round.meters);
	ml_json_key(w, "read");
	ml_json_unsigned(w, s->round.read);
	ml_json_key(w, "failed");
	ml_json_unsigned(w, s->round.failed);
	ml_json_key(w, "seconds");
	ml_json_decimal(w, (struct ml_decimal){.mantissa = took / ML_MSEC, .exponent = -3});
	ml_json_end_object(w);
	ml_job_succeed(job);
}

static void drop_round(struct mbus_source *s)
{
	s->in_round = false;
	meter_snapshot_release(s->snapshot);
	s->snapshot = NULL;
	free(s->order);
	s->order = NULL;
	s->order_count = s->order_next = 0;
}

static void end_round(struct mbus_source *s)
{
	const ml_time took = ml_node_wall(s->node) - s->round.time;
	drop_round(s);
	ml_round_end(s->node, &s->round);
	ml_node_count(s->node, MBUS_ROUNDS, 1);
	ml_node_gauge(s->node, MBUS_ROUND_TIME, took / ML_MSEC);
	count_line(s);
	if (s->round.meters > 0)
		ml_node_log(s->node, s->round.failed > 0 ? ML_LOG_WARNING : ML_LOG_INFO,
			"%u of %u meters read in %d.%d s", s->round.read, s->round.meters,
			(int)(took / ML_SEC), (int)(took / (100 * ML_MSEC) % 10));
	end_job(s, took);
	mbus_line_show(s);
}

/* Whether a round may go on, or must wait for a line that is just being opened. */
static bool line_settled(const struct mbus_source *s)
{
	return s->line_state == MBUS_LINE_OPEN || s->line_state == MBUS_LINE_LOST;
}

/* One thing; false: nothing can be done before something happens. */
static bool go_one_step(struct mbus_source *s)
{
	struct mbus_step step;
	if (!s->in_round) {
		if (s->want_count == 0 || !line_settled(s) || !s->list)
			return false;
		begin_round(s);
		return true;
	}
	/* Whatever comes next may be something to emit. */
	if (ml_room(s->node, MBUS_PORT_OUT) == 0)
		return false;
	if (!mbus_master_idle(&s->master)) {
		if (!mbus_master_next(&s->master, ml_node_now(s->node), &step))
			return false;
		take_step(s, &step);
		return true;
	}
	if (s->cancelled || s->order_next == s->order_count) {
		end_round(s);
		return true;
	}
	if (!line_settled(s))
		return false;
	begin_meter(s);
	return true;
}

void mbus_round_go_on(struct mbus_source *s)
{
	while (go_one_step(s))
		;
	const ml_time when = mbus_master_when(&s->master);
	if (when == ML_NEVER)
		ml_timer_stop(&s->timer);
	else
		ml_timer_start(&s->timer, when);
	const bool nothing = s->list && !s->in_round && s->line_state == MBUS_LINE_OPEN;
	if (nothing && !ml_timer_running(&s->look))
		ml_timer_start(&s->look, ml_node_now(s->node) + LOOK_EVERY);
}

void mbus_round_soon(struct mbus_source *s)
{
	ml_timer_start(&s->timer, ml_node_now(s->node));
}

bool mbus_round_want(struct mbus_source *s, const struct mbus_want *want)
{
	/* Triggers that come while a round runs, or waits, are one more round. */
	if (!want->job) {
		for (size_t i = 0; i < s->want_count; i++) {
			if (s->wants[i].job)
				continue;
			s->wants[i].trigger = want->trigger;
			return false;
		}
	}
	if (s->want_count == MBUS_WANTS_MAX)
		return false;
	s->wants[s->want_count++] = *want;
	mbus_line_hurry(s);
	mbus_round_soon(s);
	return true;
}

void mbus_round_lost(struct mbus_source *s)
{
	mbus_master_cancel(&s->master, METER_FRAME_NO_BUS);
	mbus_round_soon(s);
}

static void fail_job(struct ml_job *job, const char *text)
{
	struct ml_error err = ML_ERROR_NONE;
	ml_error_set(&err, -ECANCELED, "%s", text);
	ml_job_fail(job, &err);
}

void mbus_round_cancel(struct mbus_source *s, struct ml_job *job)
{
	if (s->in_round && s->want.job == job) {
		s->cancelled = true;
		mbus_master_cancel(&s->master, METER_FRAME_CANCELLED);
		mbus_round_soon(s);
		return;
	}
	for (size_t i = 0; i < s->want_count; i++) {
		if (s->wants[i].job != job)
			continue;
		s->want_count--;
		memmove(s->wants + i, s->wants + i + 1, (s->want_count - i) * sizeof s->wants[0]);
		fail_job(job, "cancelled before it began");
		return;
	}
}

void mbus_round_stop(struct mbus_source *s)
{
	static const char text[] = "the node was stopped";
	if (s->want.job)
		fail_job(s->want.job, text);
	s->want.job = NULL;
	for (size_t i = 0; i < s->want_count; i++) {
		if (s->wants[i].job)
			fail_job(s->wants[i].job, text);
	}
	s->want_count = 0;
	count_line(s);
	drop_round(s);
	free(s->memories);
	s->memories = NULL;
	s->memory_count = s->memory_capacity = 0;
}
