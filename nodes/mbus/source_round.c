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
#include "meter/readout.h"

#define LOOK_EVERY (5 * ML_SEC)

enum { INTERLUDE_MAX = 16 }; /* meters; more wait for the end of the round */

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
	ml_node_count(s->node, MBUS_BROKEN, (int64_t)(now->broken - was->broken));
	s->counted = *now;
}

static struct mbus_want take_want(struct mbus_source *s, size_t i)
{
	const struct mbus_want want = s->wants[i];
	s->want_count--;
	memmove(s->wants + i, s->wants + i + 1, (s->want_count - i) * sizeof s->wants[0]);
	return want;
}

static void begin_round(struct mbus_source *s)
{
	s->want = take_want(s, 0);
	s->interlude.had = false;
	if (mbus_tour_begin(s, s->want.points, s->want.point_count) < 0)
		ml_node_log(s->node, ML_LOG_ERROR, "out of memory: a round is left out");
	s->in_round = true;
	s->cancelled = false;
	s->round = (struct ml_round){
		.due = s->want.trigger.kind[0] ? s->want.trigger.due : 0,
		.meters = (uint32_t)s->tour.count,
	};
	(void)snprintf(s->round.bus, sizeof s->round.bus, "%s", s->bus);
	ml_round_begin(s->node, &s->round);
	mbus_line_look(s);
	mbus_tell_round_begins(s);
}

static void drop_points(struct mbus_want *want)
{
	free(want->points);
	want->points = NULL;
	want->point_count = 0;
}

/* Where nobody answers at all, it is hardly the meters. */
static void tell_silence(struct mbus_source *s)
{
	const bool silent = s->round.read == 0;
	if (s->want.points || s->round.meters < 2 || s->cancelled || silent == s->silent ||
		s->line_state != MBUS_LINE_OPEN)
		return;
	s->silent = silent;
	char count[16];
	(void)snprintf(count, sizeof count, "%u", s->round.meters);
	ml_event_raise(ml_node_engine(s->node), silent ? "bus-silent" : "bus-answers",
		ml_node_id(s->node), "interface", s->interface, "meters", count, NULL);
}

static void count_silent(struct mbus_source *s)
{
	int64_t count = 0;
	for (size_t i = 0; i < s->memory_count; i++)
		count += s->memories[i].failures >= MBUS_DEAD_AFTER;
	ml_node_gauge(s->node, MBUS_SILENT, count);
}

static void end_round(struct mbus_source *s)
{
	const ml_time took = ml_node_wall(s->node) - s->round.time;
	mbus_tour_end(s);
	s->in_round = false;
	s->rounds_ended++;
	s->pass_at = ml_node_now(s->node);
	ml_round_end(s->node, &s->round);
	ml_node_count(s->node, MBUS_ROUNDS, 1);
	ml_node_gauge(s->node, MBUS_ROUND_TIME, took / ML_MSEC);
	count_line(s);
	count_silent(s);
	mbus_tell_round(s, took);
	tell_silence(s);
	meter_readouts_settle(s->readouts);
	mbus_tell_job(s, took);
	drop_points(&s->want);
	mbus_line_show(s);
}

/* The master's next step. The request for one meter goes out while what came of the one before is
 * still on its way downstream; only what is to be told waits for room there. */
static bool go_on_with_master(struct mbus_source *s)
{
	struct mbus_step step;
	if (!s->errand && mbus_master_telling(&s->master) &&
		ml_room(s->node, mbus_meter_port(s)) == 0)
		return false;
	if (!mbus_master_next(&s->master, ml_node_now(s->node), &step))
		return false;
	if (step.kind == MBUS_STEP_SEND) {
		if (!mbus_line_send(s, step.bytes, step.length))
			mbus_master_cancel(&s->master, METER_FRAME_NO_BUS);
	} else if (s->errand) {
		s->errand->step(s->errand, s, &step);
	} else {
		mbus_meter_step(s, &step);
	}
	return true;
}

/* ---- A few meters that a person wants now, between two of the round ---- */

static bool begin_interlude(struct mbus_source *s)
{
	size_t i = 0;
	while (i < s->want_count &&
		(!s->wants[i].points || s->wants[i].point_count > INTERLUDE_MAX))
		i++;
	if (s->interlude.on || s->interlude.had || i == s->want_count)
		return false;
	s->interlude = (struct mbus_interlude){
		.on = true,
		.tour = s->tour,
		.want = s->want,
		.round = s->round,
		.cancelled = s->cancelled,
		.put_back = s->put_back,
	};
	s->want = take_want(s, i);
	s->tour = (struct mbus_tour){0};
	if (mbus_tour_begin(s, s->want.points, s->want.point_count) < 0)
		ml_node_log(s->node, ML_LOG_ERROR, "out of memory: nothing is read");
	s->cancelled = false;
	s->put_back = 0;
	s->round =
		(struct ml_round){.meters = (uint32_t)s->tour.count, .time = ml_node_wall(s->node)};
	mbus_tell_round_begins(s);
	return true;
}

static void end_interlude(struct mbus_source *s)
{
	const ml_time took = ml_node_wall(s->node) - s->round.time;
	mbus_tour_end(s);
	mbus_tell_round(s, took);
	mbus_tell_job(s, took);
	drop_points(&s->want);
	s->tour = s->interlude.tour;
	s->want = s->interlude.want;
	s->round = s->interlude.round;
	s->cancelled = s->interlude.cancelled;
	s->put_back = s->interlude.put_back;
	s->interlude = (struct mbus_interlude){.had = true};
}

static bool go_on_with_round(struct mbus_source *s)
{
	if (s->cancelled || s->tour.next == s->tour.count) {
		if (s->interlude.on)
			end_interlude(s);
		else
			end_round(s);
		return true;
	}
	if (!mbus_line_settled(s))
		return false;
	/* Without a line the end of each is told at once. */
	if (s->line_state != MBUS_LINE_OPEN && ml_room(s->node, MBUS_PORT_OUT) == 0)
		return false;
	if (begin_interlude(s))
		return true;
	if (!s->interlude.on)
		s->interlude.had = false;
	mbus_meter_begin(s);
	return true;
}

/* One thing; false: nothing can be done before something happens, or *when. */
static bool go_one_step(struct mbus_source *s, ml_time *when)
{
	if (!mbus_master_idle(&s->master))
		return go_on_with_master(s);
	if (s->errand)
		return false;
	if (mbus_errand_lend(s))
		return true;
	if (s->in_round)
		return go_on_with_round(s);
	if (s->want_count > 0) {
		if (!mbus_line_settled(s) || !s->list)
			return false;
		begin_round(s);
		return true;
	}
	return mbus_continuous_go_on(s, when);
}

void mbus_round_go_on(struct mbus_source *s)
{
	ml_time when = ML_NEVER;
	while (go_one_step(s, &when))
		;
	if (mbus_master_when(&s->master) < when)
		when = mbus_master_when(&s->master);
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
	mbus_errand_lost(s);
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
		if (!s->errand)
			mbus_master_cancel(&s->master, METER_FRAME_CANCELLED);
		mbus_round_soon(s);
		return;
	}
	if (s->interlude.on && s->interlude.want.job == job) {
		s->interlude.cancelled = true;
		return;
	}
	for (size_t i = 0; i < s->want_count; i++) {
		if (s->wants[i].job != job)
			continue;
		struct mbus_want want = take_want(s, i);
		drop_points(&want);
		fail_job(job, "cancelled before it began");
		return;
	}
}

static void stop_want(struct mbus_want *want)
{
	if (want->job)
		fail_job(want->job, "the node was stopped");
	want->job = NULL;
	drop_points(want);
}

void mbus_round_stop(struct mbus_source *s)
{
	stop_want(&s->want);
	if (s->interlude.on) {
		mbus_tour_end(s);
		s->tour = s->interlude.tour;
		stop_want(&s->interlude.want);
		s->interlude.on = false;
	}
	for (size_t i = 0; i < s->want_count; i++)
		stop_want(&s->wants[i]);
	s->want_count = 0;
	mbus_errand_stop(s);
	count_line(s);
	meter_readouts_settle(s->readouts);
	mbus_tour_end(s);
	s->in_round = false;
	free(s->memories);
	s->memories = NULL;
	s->memory_count = s->memory_capacity = 0;
}
