/* mbus-source: its line, opened, lost, and opened again with growing waits.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <meterloom/event.h>

#include "mbus/source.h"

#define RETRY_FIRST (ML_SEC / 4)
#define RETRY_MAX ML_MINUTE

#define ADAPTERS "/dev/serial/by-id"

enum { STABLE_MAX = 256 };

/* Which signal of the serial interface tells of a short circuit, by the parameter's value. */
enum { SIGNAL_MASK = 0xFF, SIGNAL_INVERTED = 0x100 };

static void open_line(struct mbus_source *s);

static void raise_line(struct mbus_source *s, const char *code)
{
	ml_event_raise(ml_node_engine(s->node), code, ml_node_id(s->node), "interface",
		s->interface, "reason", s->why_lost, NULL);
}

bool mbus_line_settled(const struct mbus_source *s)
{
	if (s->line_state != MBUS_LINE_LOST)
		return s->line_state == MBUS_LINE_OPEN;
	return s->lost_since == ML_NEVER || ml_node_now(s->node) >= s->lost_since + s->patience;
}

static void lost(struct mbus_source *s, const struct ml_error *err)
{
	const ml_time now = ml_node_now(s->node);
	if (s->line_state == MBUS_LINE_OPEN)
		s->lost_since = now;
	ml_stream_close(s->stream);
	s->stream = NULL;
	s->line_state = MBUS_LINE_LOST;
	(void)snprintf(s->why_lost, sizeof s->why_lost, "%s", err->text);
	if (s->record)
		mbus_record_line(s, false, err->text);
	mbus_line_show(s);
	if (!s->told_lost) {
		s->told_lost = true;
		raise_line(s, "bus-lost");
	}
	/* The end of the patience is not slept through. */
	ml_time next = now + s->retry_wait;
	if (!mbus_line_settled(s) && s->lost_since + s->patience < next)
		next = s->lost_since + s->patience;
	ml_timer_start(&s->retry, next);
	s->retry_wait = s->retry_wait * 2 < RETRY_MAX ? s->retry_wait * 2 : RETRY_MAX;
	mbus_round_lost(s);
}

/* An adapter that is pulled and put back may get another number: from now on it is looked for under
 * the name that stays. */
static void remember_adapter(struct mbus_source *s)
{
	char stable[STABLE_MAX];
	if (!s->stable && mbus_adapter_stable(ADAPTERS, s->interface, stable, sizeof stable))
		s->stable = strdup(stable);
}

static void on_opened(void *user)
{
	struct mbus_source *s = user;
	s->line_state = MBUS_LINE_OPEN;
	s->lost_since = ML_NEVER;
	if (s->record)
		mbus_record_line(s, true, NULL);
	remember_adapter(s);
	mbus_line_show(s);
	if (s->told_lost) {
		s->told_lost = false;
		raise_line(s, "bus-back");
	}
	mbus_round_go_on(s);
}

static void take_in(struct mbus_source *s, const uint8_t *bytes, size_t length, bool damaged)
{
	const ml_time now = ml_node_now(s->node);
	if (s->record)
		mbus_record_bytes(s, false, bytes, length, damaged);
	/* Whoever answers shows that the line works: after a loss it is tried quickly again. */
	s->retry_wait = RETRY_FIRST;
	if (s->errand && s->errand->received)
		s->errand->received(s->errand, s, bytes, length, damaged);
	else if (damaged)
		mbus_master_damaged(&s->master, bytes, length, now);
	else
		mbus_master_received(&s->master, bytes, length, now);
	mbus_round_go_on(s);
}

static void on_received(void *user, const uint8_t *bytes, size_t length)
{
	take_in(user, bytes, length, false);
}

static void on_damaged(void *user, const uint8_t *bytes, size_t length)
{
	take_in(user, bytes, length, true);
}

static void on_drained(void *user)
{
	struct mbus_source *s = user;
	mbus_master_sent(&s->master, ml_node_now(s->node));
	mbus_round_go_on(s);
}

static void on_failed(void *user, const struct ml_error *err)
{
	lost(user, err);
}

static const struct ml_stream_events events = {
	.opened = on_opened,
	.received = on_received,
	.damaged = on_damaged,
	.drained = on_drained,
	.failed = on_failed,
};

static void open_line(struct mbus_source *s)
{
	struct ml_error err = ML_ERROR_NONE;
	s->line_state = MBUS_LINE_OPENING;
	s->line = (struct ml_line){
		.baud = (unsigned)s->baud,
		.parity = (enum ml_parity)s->parity,
		.data_bits = 8,
		.stop_bits = 1,
	};
	const char *address = s->stable ? s->stable : s->interface;
	if (ml_stream_open(ml_node_engine(s->node), ml_node_lane(s->node), address, &s->line,
		    &events, s, &s->stream, &err) < 0)
		lost(s, &err);
}

static void retry(struct ml_timer *timer)
{
	struct mbus_source *s = timer->user;
	if (!s->claimed) {
		mbus_line_start(s);
		return;
	}
	if (s->line_state == MBUS_LINE_LOST)
		open_line(s);
}

/* Also called again when an interface that another instance held is free. */
void mbus_line_start(struct mbus_source *s)
{
	if (s->claimed)
		return;
	if (s->retry_wait == 0)
		s->retry_wait = RETRY_FIRST;
	s->lost_since = ML_NEVER;
	ml_timer_init(&s->retry, ml_node_lane(s->node), retry, s);
	if (ml_resource_claim(s->node, s->interface) < 0) {
		ml_node_state(s->node, ML_STATE_WAITING, "%s is still held by another node",
			s->interface);
		return;
	}
	s->claimed = true;
	open_line(s);
}

void mbus_line_stop(struct mbus_source *s)
{
	ml_timer_stop(&s->retry);
	ml_stream_close(s->stream);
	s->stream = NULL;
	s->line_state = MBUS_LINE_CLOSED;
	free(s->stable);
	s->stable = NULL;
}

void mbus_line_hurry(struct mbus_source *s)
{
	if (s->line_state != MBUS_LINE_LOST)
		return;
	ml_timer_stop(&s->retry);
	s->retry_wait = RETRY_FIRST;
	open_line(s);
}

bool mbus_line_send(struct mbus_source *s, const uint8_t *bytes, size_t length)
{
	struct ml_error err = ML_ERROR_NONE;
	if (s->line_state != MBUS_LINE_OPEN)
		return false;
	const int result = ml_stream_write(s->stream, bytes, length);
	if (result == 0 && s->record)
		mbus_record_bytes(s, true, bytes, length, false);
	if (result == 0)
		return true;
	if (result == -ENOTCONN) {
		/* It is gone, and `failed` is on its way with the reason. */
		s->line_state = MBUS_LINE_OPENING;
		s->lost_since = ml_node_now(s->node);
	} else {
		ml_error_set(&err, result, "%s takes nothing: %s", s->interface, strerror(-result));
		lost(s, &err);
	}
	return false;
}

/* A converter behind TCP has a rate of its own that cannot be set from here. */
void mbus_line_set_baud(struct mbus_source *s, unsigned baud)
{
	if (s->line.baud == baud || s->line_state != MBUS_LINE_OPEN)
		return;
	s->line.baud = baud;
	if (s->record)
		mbus_record_baud(s, baud);
	const int result = ml_stream_set_line(s->stream, &s->line);
	if (result < 0 && result != -ENOTSUP)
		ml_node_log(
			s->node, ML_LOG_WARNING, "%s does not take %u baud", s->interface, baud);
}

void mbus_line_look(struct mbus_source *s)
{
	unsigned set = 0;
	const unsigned mask = (unsigned)s->short_signal & SIGNAL_MASK;
	if (mask == 0 || s->line_state != MBUS_LINE_OPEN || ml_stream_signals(s->stream, &set) < 0)
		return;
	const bool shorted = ((set & mask) != 0) != ((s->short_signal & SIGNAL_INVERTED) != 0);
	if (shorted == s->shorted)
		return;
	s->shorted = shorted;
	raise_line(s, shorted ? "bus-short" : "bus-short-over");
	mbus_line_show(s);
}

static void show_meters(struct mbus_source *s, size_t count)
{
	if (count == 0)
		ml_node_state(s->node, ML_STATE_WAITING,
			"the meter list has no active meter on %s%s%s: add or import some",
			s->bus[0] ? "the bus \"" : "the default bus", s->bus,
			s->bus[0] ? "\"" : "");
	else if (s->shorted)
		ml_node_state(s->node, ML_STATE_WAITING,
			"the converter tells of a short circuit on the bus");
	else if (s->silent)
		ml_node_state(s->node, ML_STATE_WAITING,
			"none of %zu meters answers: look at the cable, the converter and its "
			"supply",
			count);
	else
		ml_node_state(s->node, ML_STATE_RUNNING, "%zu meters", count);
}

void mbus_line_show(struct mbus_source *s)
{
	if (s->line_state == MBUS_LINE_LOST) {
		ml_node_state(s->node, ML_STATE_WAITING, "%s", s->why_lost);
		return;
	}
	if (!s->list) {
		ml_node_state(s->node, ML_STATE_FAULT, "this gateway keeps no meter list");
		return;
	}
	const struct meter_snapshot *snapshot = meter_list_snapshot(s->list);
	const size_t count = mbus_tour_points(s, snapshot);
	meter_snapshot_release(snapshot);
	ml_node_gauge(s->node, MBUS_METERS, (int64_t)count);
	if (s->line_state != MBUS_LINE_OPEN)
		ml_node_state(s->node, ML_STATE_WAITING, "opening %s", s->interface);
	else
		show_meters(s, count);
}
