/* mbus-source: what people and other parts of the gateway are told of readouts and rounds.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <meterloom/command.h>
#include <meterloom/event.h>

#include "mbus/application.h"
#include "mbus/source.h"
#include "meter/frame.h"
#include "meter/readout.h"

/* A round that went as the one before it is an event four times an hour. */
#define ALIKE_EVERY (14 * ML_MINUTE)

enum { NAMED_MAX = 5 };

/* ---- One meter ---- */

void mbus_tell_address(const struct meter_point *point, struct meter_frame *frame)
{
	if (point->settings.mode == METER_MODE_PRIMARY) {
		frame->addressing = METER_ADDRESS_PRIMARY;
		frame->primary = point->settings.primary;
	} else if (meter_point_selection(point, frame->secondary)) {
		frame->addressing = METER_ADDRESS_SECONDARY;
		frame->primary = MBUS_ADDRESS_SELECTED;
	}
}

static void address_of(const struct meter_point *point, char text[METER_ADDRESS_TEXT_MAX])
{
	struct meter_frame address = {0};
	mbus_tell_address(point, &address);
	meter_frame_address(&address, text);
}

static void name_point(const struct meter_point *point, char *name, size_t size)
{
	char text[METER_ADDRESS_TEXT_MAX];
	address_of(point, text);
	if (point->settings.moid[0])
		(void)snprintf(name, size, "%s (%s)", point->settings.moid, text);
	else
		(void)snprintf(name, size, "%s", text);
}

void mbus_tell_failure(struct mbus_source *s, enum meter_frame_result result)
{
	char name[METER_MOID_MAX + METER_ADDRESS_TEXT_MAX + 8];
	name_point(s->point, name, sizeof name);
	ml_event_raise(ml_node_engine(s->node), "readout-failed", ml_node_id(s->node), "meter",
		name, "result", meter_frame_result_name(result), "reason",
		meter_readout_text(result), NULL);
}

void mbus_tell_return(struct mbus_source *s, unsigned failures)
{
	char name[METER_MOID_MAX + METER_ADDRESS_TEXT_MAX + 8];
	char count[16];
	name_point(s->point, name, sizeof name);
	(void)snprintf(count, sizeof count, "%u", failures);
	ml_event_raise(ml_node_engine(s->node), "meter-back", ml_node_id(s->node), "meter", name,
		"count", count, NULL);
}

static void write_seconds(struct ml_json_writer *w, ml_time time)
{
	ML_JSON_KEY(w, "seconds");
	ml_json_decimal(w, (struct ml_decimal){.mantissa = time / ML_MSEC, .exponent = -3});
}

/* To the job that asked for this round. */
static void tell_job_of(struct mbus_source *s, const struct meter_readout_end *end)
{
	char address[METER_ADDRESS_TEXT_MAX];
	/* Before the row: what follows a row at once is told only with the next one. */
	ml_job_progress(s->want.job, s->round.read + s->round.failed + 1, s->round.meters, NULL);
	struct ml_json_writer *w = ml_job_row(s->want.job);
	address_of(s->point, address);
	ml_json_begin_object(w);
	ML_JSON_KEY(w, "point");
	ml_json_unsigned(w, end->point);
	ML_JSON_KEY(w, "moid");
	ml_json_string(w, s->point->settings.moid);
	ML_JSON_KEY(w, "address");
	ml_json_string(w, address);
	ML_JSON_KEY(w, "bus");
	ml_json_string(w, s->bus);
	ML_JSON_KEY(w, "result");
	ml_json_string(w, end->result == METER_FRAME_OK ? "read" : "failed");
	if (end->result != METER_FRAME_OK) {
		ML_JSON_KEY(w, "reason");
		ml_json_string(w, meter_frame_result_name(end->result));
		ML_JSON_KEY(w, "text");
		ml_json_string(w, meter_readout_text(end->result));
	}
	ML_JSON_KEY(w, "telegrams");
	ml_json_unsigned(w, end->telegrams);
	ML_JSON_KEY(w, "values");
	ml_json_unsigned(w, s->point_values);
	ML_JSON_KEY(w, "tries");
	ml_json_unsigned(w, end->tries);
	write_seconds(w, end->took);
	ml_json_end_object(w);
	ml_job_row_end(s->want.job);
}

void mbus_tell_telegram(struct mbus_source *s, const struct mbus_step *step)
{
	_Alignas(16) uint8_t block[METER_READING_MAX];
	if (!s->in_round || !s->want.job)
		return;
	if (mbus_decode_frame(block, sizeof block, step->bytes, step->length, 0, NULL) == 0)
		s->point_values +=
			((const struct meter_reading *)(const void *)block)->record_count;
}

void mbus_tell_readout(struct mbus_source *s, const struct mbus_step *step, unsigned telegrams)
{
	const struct meter_readout_end end = {
		.point = s->point->key,
		.result = (uint8_t)step->result,
		.continuous = !s->in_round,
		.telegrams = (uint16_t)telegrams,
		.tries = (uint16_t)step->tries,
		.time = ml_node_wall(s->node),
		.took = ml_node_now(s->node) - s->point_since,
	};
	meter_readouts_tell(s->readouts, &end);
	if (!s->in_round || end.result == METER_FRAME_CANCELLED)
		return;
	if (s->want.job)
		tell_job_of(s, &end);
	if (end.result == METER_FRAME_OK || s->want.points || s->told.named++ >= NAMED_MAX)
		return;
	char name[METER_MOID_MAX + METER_ADDRESS_TEXT_MAX + 8];
	const size_t used = strlen(s->told.names);
	name_point(s->point, name, sizeof name);
	(void)snprintf(
		s->told.names + used, sizeof s->told.names - used, "%s%s", used ? ", " : "", name);
}

/* ---- A round ---- */

void mbus_tell_round_begins(struct mbus_source *s)
{
	if (!s->want.points) {
		s->told.names[0] = '\0';
		s->told.named = 0;
	}
	if (s->want.job)
		ml_job_progress(s->want.job, 0, s->tour.count, "reading");
}

/* Whether it is worth an event: one that went otherwise than the last that was told, or after a
 * while; so an hour has eight or nine at the most, whatever the schedule is. */
static bool is_news(struct mbus_source *s)
{
	struct mbus_told *told = &s->told;
	const ml_time now = ml_node_now(s->node);
	const bool complete = s->round.failed == 0;
	const bool changed = told->any && told->complete != complete;
	if (told->any && now < told->at + ALIKE_EVERY &&
		(!changed || (told->changes && now < told->changed_at + ALIKE_EVERY)))
		return false;
	if (changed) {
		told->changes = true;
		told->changed_at = now;
	}
	told->any = true;
	told->complete = complete;
	told->at = now;
	return true;
}

static void raise_round(struct mbus_source *s, const char *seconds)
{
	char read[16], failed[16], meters[16], rounds[16];
	char names[sizeof s->told.names + 32];
	const unsigned more = s->told.named > NAMED_MAX ? s->told.named - NAMED_MAX : 0;
	(void)snprintf(read, sizeof read, "%u", s->round.read);
	(void)snprintf(failed, sizeof failed, "%u", s->round.failed);
	(void)snprintf(meters, sizeof meters, "%u", s->round.meters);
	(void)snprintf(rounds, sizeof rounds, "%u", s->told.rounds);
	if (more)
		(void)snprintf(names, sizeof names, "%s and %u more", s->told.names, more);
	else
		(void)snprintf(names, sizeof names, "%s", s->told.names);
	ml_event_raise(ml_node_engine(s->node),
		s->round.failed > 0 ? "round-incomplete" : "round-ended", ml_node_id(s->node),
		"bus", s->bus, "read", read, "failed", failed, "meters", meters, "seconds", seconds,
		"rounds", rounds, "names", names, NULL);
	s->told.rounds = 0;
}

void mbus_tell_round(struct mbus_source *s, ml_time took)
{
	char seconds[24];
	if (s->round.meters == 0)
		return;
	(void)snprintf(seconds, sizeof seconds, "%d.%d", (int)(took / ML_SEC),
		(int)(took / (100 * ML_MSEC) % 10));
	if (!s->want.points && !s->cancelled) {
		s->told.rounds++;
		if (is_news(s)) {
			raise_round(s, seconds);
			return;
		}
	}
	ml_node_log(s->node, s->round.failed > 0 && !s->cancelled ? ML_LOG_WARNING : ML_LOG_INFO,
		"%u of %u meters read in %s s%s", s->round.read, s->round.meters, seconds,
		s->cancelled ? ", then cancelled" : "");
}

static void write_outcome(struct mbus_source *s, struct ml_json_writer *w, ml_time took)
{
	ml_json_begin_object(w);
	ML_JSON_KEY(w, "meters");
	ml_json_unsigned(w, s->round.meters);
	ML_JSON_KEY(w, "read");
	ml_json_unsigned(w, s->round.read);
	ML_JSON_KEY(w, "failed");
	ml_json_unsigned(w, s->round.failed);
	write_seconds(w, took);
	ml_json_end_object(w);
}

void mbus_tell_job(struct mbus_source *s, ml_time took)
{
	struct ml_job *job = s->want.job;
	s->want.job = NULL;
	if (!job)
		return;
	if (!s->cancelled) {
		write_outcome(s, ml_job_result(job), took);
		ml_job_succeed(job);
		return;
	}
	struct ml_error err = ML_ERROR_NONE;
	ml_error_set(&err, -ECANCELED, "cancelled after %u of %u meters",
		s->round.read + s->round.failed, s->round.meters);
	write_outcome(s, ml_job_detail(job), took);
	ml_job_fail(job, &err);
}
