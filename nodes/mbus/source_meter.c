/* mbus-source: one meter, and what comes of it.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mbus/source.h"
#include "meter/frame.h"

enum {
	CI_APPLICATION_RESET = 0x50,
	PUT_BACK_MAX = 3,
	PASSES_SHIFT_MAX = 6, /* one that is dead is left out of up to 63 passes */
};

unsigned mbus_meter_port(const struct mbus_source *s)
{
	return s->in_round ? MBUS_PORT_OUT : MBUS_PORT_CONTINUOUS;
}

/* ---- Frames ---- */

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
	frame->round = s->in_round ? s->round.id : 0;
	frame->origin = s->origin;
	frame->telegram = (uint16_t)step->telegram;
	frame->tries = (uint16_t)step->tries;
	frame->result = (uint8_t)step->result;
	frame->flags = (uint8_t)((step->last ? METER_FRAME_LAST : 0) |
				 (step->limited ? METER_FRAME_LIMIT : 0));
	mbus_tell_address(s->point, frame);
	(void)snprintf(frame->bus, sizeof frame->bus, "%s", s->bus);
	(void)snprintf(frame->interface, sizeof frame->interface, "%s", s->interface);
	message->time = ml_node_wall(s->node);
	(void)ml_ack_attach(s->node, message, s->point->key);
	ml_emit(s->node, mbus_meter_port(s), message);
}

/* ---- Ends ---- */

static void meter_done(struct mbus_source *s)
{
	s->point = NULL;
	s->put_back = 0;
}

/* What is the bus's, or ours, and not the meter's. */
static bool is_no_fault_of_it(enum meter_frame_result result)
{
	return result == METER_FRAME_NO_BUS || result == METER_FRAME_CANCELLED;
}

/* The line was lost under it: it is read when the line is back. */
static bool put_back(struct mbus_source *s, const struct mbus_step *step)
{
	/* It may be back already when this is told. */
	const bool given_up = s->line_state == MBUS_LINE_LOST && mbus_line_settled(s);
	if (!s->in_round || step->result != METER_FRAME_NO_BUS || given_up ||
		s->put_back >= PUT_BACK_MAX)
		return false;
	s->put_back++;
	s->tour.next--;
	s->point = NULL;
	return true;
}

/* A meter that answered until now gets another chance once all others had theirs: what disturbed it
 * may be over then. */
static bool try_again_later(
	struct mbus_source *s, const struct mbus_step *step, const struct mbus_memory *memory)
{
	/* What seems not to stop sending may be the one before it. */
	const unsigned most = step->endless ? MBUS_DEAD_AFTER : 1;
	if (!s->in_round || !memory || !memory->read || memory->failures >= most ||
		is_no_fault_of_it(step->result) || s->tour.next > s->tour.firsts)
		return false;
	mbus_tour_try_again(s, s->tour.next - 1, step->endless);
	s->point = NULL;
	s->put_back = 0;
	return true;
}

static void meter_failed(struct mbus_source *s, const struct mbus_step *step)
{
	struct mbus_memory *memory = mbus_memory_of(s, s->point->key);
	if (memory)
		memory->peer.known = false;
	if (put_back(s, step) || try_again_later(s, step, memory))
		return;
	if (step->result == METER_FRAME_CANCELLED) {
		/* It did not fail. But what has begun has an end. */
		if (step->telegram > 0)
			emit(s, step);
		meter_done(s);
		return;
	}
	if (memory && !is_no_fault_of_it(step->result)) {
		const unsigned shift =
			memory->failures < PASSES_SHIFT_MAX ? memory->failures : PASSES_SHIFT_MAX;
		memory->passes_left = (1u << shift) - 1;
		memory->failures++;
		memory->endless = step->endless;
	}
	ml_node_count(s->node, MBUS_FAILED, 1);
	emit(s, step);
	mbus_tell_readout(s, step, step->telegram);
	if (s->in_round) {
		s->round.failed++;
		mbus_line_look(s);
		/* A lost line has an event of its own, and the first failure tells of all. */
		if (!is_no_fault_of_it(step->result) && (!memory || memory->failures == 1))
			mbus_tell_failure(s, step->result);
	}
	meter_done(s);
}

static void contact(struct mbus_source *s, const struct mbus_step *step)
{
	uint8_t bytes[8];
	bool whole = false;
	struct meter_identity identity;
	if (step->telegram > 0 || !mbus_link_identity(step->bytes, step->length, bytes, &whole) ||
		!whole)
		return;
	meter_identity_read(bytes, &identity);
	meter_list_contact(
		s->list, s->tour.snapshot, s->point->key, identity, ml_node_wall(s->node));
}

static void meter_told(struct mbus_source *s, const struct mbus_step *step)
{
	ml_node_count(s->node, MBUS_TELEGRAMS, 1);
	contact(s, step);
	emit(s, step);
	mbus_tell_telegram(s, step);
	if (!step->last)
		return;
	struct mbus_memory *memory = mbus_memory_of(s, s->point->key);
	if (memory) {
		if (memory->failures >= MBUS_DEAD_AFTER)
			mbus_tell_return(s, memory->failures);
		memory->peer = mbus_master_peer(&s->master);
		memory->failures = memory->passes_left = 0;
		memory->read = true;
		memory->endless = false;
	}
	ml_node_count(s->node, MBUS_READ, 1);
	mbus_tell_readout(s, step, step->telegram + 1);
	if (s->in_round)
		s->round.read++;
	else
		s->pass_read++;
	meter_done(s);
}

void mbus_meter_step(struct mbus_source *s, const struct mbus_step *step)
{
	switch (step->kind) {
	case MBUS_STEP_TELEGRAM:
		meter_told(s, step);
		return;
	case MBUS_STEP_FAILED:
		meter_failed(s, step);
		return;
	case MBUS_STEP_SEND:
	case MBUS_STEP_DONE: /* nothing here asks for it */
		return;
	}
}

/* ---- Begin ---- */

static unsigned telegrams(const struct mbus_source *s, const struct meter_settings *settings)
{
	const bool multi = settings->multi == METER_MULTI_DEFAULT
				   ? s->multi != 0
				   : settings->multi == METER_MULTI_AUTO;
	const unsigned limit =
		settings->telegram_limit ? settings->telegram_limit : (unsigned)s->limit;
	return multi ? limit : 1;
}

/* One that has a selection of its own is told it before each readout: somebody may have chosen
 * otherwise in between. */
static void add_application_reset(const struct mbus_source *s,
	const struct meter_settings *settings, const struct mbus_memory *memory,
	struct mbus_request *request)
{
	const bool first = !memory || !memory->read || memory->failures > 0;
	const int64_t code =
		settings->has_selection ? settings->telegram_selection : s->application_code;
	if (!settings->has_selection &&
		(s->application == MBUS_APPLICATION_NEVER ||
			(s->application == MBUS_APPLICATION_FIRST && !first)))
		return;
	request->has_command = true;
	/* Many a meter does not know the plain one; without the choice of telegrams what comes
	 * would be something else. */
	request->command_optional = code < 0;
	request->command_ci = CI_APPLICATION_RESET;
	request->command[0] = (uint8_t)code;
	request->command_length = code < 0 ? 0 : 1;
}

void mbus_source_request(const struct mbus_source *s, unsigned baud, struct mbus_request *request)
{
	*request = (struct mbus_request){
		.baud = baud,
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
	mbus_timing_derive(&request->timing, baud);
}

void mbus_meter_request(struct mbus_source *s, const struct meter_point *point, unsigned baud,
	struct mbus_request *request)
{
	const struct meter_settings *settings = &point->settings;
	const struct mbus_memory *memory = mbus_memory_of(s, point->key);
	const unsigned own = settings->baud ? settings->baud : (unsigned)s->baud;
	mbus_source_request(s, baud ? baud : own, request);
	request->secondary = settings->mode != METER_MODE_PRIMARY;
	request->primary = settings->primary;
	request->patience = s->patience;
	if (settings->multi_timeout)
		request->timing.multi_response = settings->multi_timeout * ML_MSEC;
	if (settings->has_multi_retries)
		request->timing.multi_retries = settings->multi_retries;
	if (request->secondary)
		(void)meter_point_selection(point, request->address);
	if (memory)
		request->peer = memory->peer;
}

void mbus_meter_begin(struct mbus_source *s)
{
	static const struct mbus_step no_bus = {
		.kind = MBUS_STEP_FAILED, .result = METER_FRAME_NO_BUS, .last = true};
	struct mbus_request request;
	s->point = &s->tour.snapshot->points[s->tour.order[s->tour.next++]];
	s->point_since = ml_node_now(s->node);
	s->point_values = 0;
	if (s->line_state != MBUS_LINE_OPEN) {
		meter_failed(s, &no_bus);
		return;
	}
	const struct mbus_memory *memory = mbus_memory_of(s, s->point->key);
	mbus_meter_request(s, s->point, 0, &request);
	request.telegrams = telegrams(s, &s->point->settings);
	add_application_reset(s, &s->point->settings, memory, &request);
	/* Where a person asks for it, it is tried with all care. */
	const bool wanted = s->in_round && s->want.points;
	if (memory && memory->failures >= MBUS_DEAD_AFTER && !wanted) {
		request.quick = true;
		request.timing.readout_retries = request.timing.selection_retries = 0;
	}
	mbus_line_set_baud(s, request.baud);
	mbus_master_read(&s->master, &request, ml_node_now(s->node));
}
