/* mbus-source: telling a meter another baud rate.
 * SPDX-License-Identifier: Apache-2.0
 *
 * The meter acknowledges at its old rate and takes the new one up at once; only when it is spoken
 * to at that does it keep it (EN 13757-2). So two questions: the command, and a contact at the new
 * rate. The second decides, since an acknowledgement may be lost.
 */
#include <errno.h>
#include <stdlib.h>

#include <meterloom/command.h>
#include <meterloom/engine.h>

#include "mbus/source.h"

enum { CI_BAUD = 0xB8, BAUD_MIN = 300 };

struct baud_errand {
	struct mbus_errand errand; /* the first member */
	struct mbus_source *source;
	struct ml_job *job;
	uint32_t point;
	unsigned baud;
	struct mbus_request request;
	bool sent;         /* the command; now it is asked at the new rate */
	bool acknowledged; /* the command */
};

/* What the list is to say; done on the control lane. */
struct list_change {
	struct meter_list *list;
	uint32_t point;
	unsigned baud;
};

static void change_list(void *user)
{
	struct list_change *change = user;
	const struct meter_snapshot *snapshot = meter_list_snapshot(change->list);
	const struct meter_point *point = meter_snapshot_point(snapshot, change->point);
	if (point) {
		struct meter_settings settings = point->settings;
		settings.baud = change->baud;
		(void)meter_list_change(change->list, change->point, &settings, NULL);
	}
	meter_snapshot_release(snapshot);
	free(change);
}

static void enter_in_list(struct baud_errand *b)
{
	struct list_change *change = malloc(sizeof *change);
	struct ml_lane *control = ml_engine_lane(ml_node_engine(b->source->node), "control");
	if (change)
		*change = (struct list_change){b->source->list, b->point, b->baud};
	if (!change || ml_lane_post(control, change_list, change) < 0)
		free(change);
}

static void give_up(struct baud_errand *b, int code, const char *text)
{
	struct ml_error err = ML_ERROR_NONE;
	ml_error_set(&err, code, "%s", text);
	ml_job_fail(b->job, &err);
	free(b);
}

static void on_lost(struct mbus_errand *errand, struct mbus_source *s, const char *reason)
{
	(void)s;
	give_up((struct baud_errand *)errand, -ENODEV, reason);
}

static void succeed(struct baud_errand *b)
{
	struct mbus_memory *memory = mbus_memory_of(b->source, b->point);
	struct ml_json_writer *w = ml_job_result(b->job);
	if (memory)
		memory->peer = mbus_master_peer(&b->source->master);
	enter_in_list(b);
	ml_json_begin_object(w);
	ml_json_key(w, "baud");
	ml_json_unsigned(w, b->baud);
	ml_json_end_object(w);
	ml_job_succeed(b->job);
	free(b);
}

/* false: the point is gone. */
static bool make_request(struct baud_errand *b, unsigned baud)
{
	struct mbus_source *s = b->source;
	const struct meter_snapshot *snapshot = meter_list_snapshot(s->list);
	const struct meter_point *point = meter_snapshot_point(snapshot, b->point);
	if (point)
		mbus_meter_request(s, point, baud, &b->request);
	meter_snapshot_release(snapshot);
	return point != NULL;
}

static void on_step(struct mbus_errand *errand, struct mbus_source *s, const struct mbus_step *step)
{
	struct baud_errand *b = (struct baud_errand *)errand;
	const bool gone =
		step->kind == MBUS_STEP_FAILED &&
		(step->result == METER_FRAME_NO_BUS || step->result == METER_FRAME_CANCELLED);
	if (!b->sent && !gone) {
		b->sent = true;
		b->acknowledged = step->kind == MBUS_STEP_DONE;
		if (make_request(b, b->baud)) {
			b->request.peer = (struct mbus_peer){0};
			mbus_errand_ask(s, &b->request);
			return;
		}
	}
	mbus_errand_end(s);
	if (step->kind == MBUS_STEP_DONE)
		succeed(b);
	else if (gone)
		give_up(b, step->result == METER_FRAME_CANCELLED ? -ECANCELED : -ENODEV,
			"given up half-way: the meter may have its new rate, or goes back to the "
			"old one within ten minutes");
	else if (b->acknowledged)
		give_up(b, -ETIMEDOUT,
			"the meter took the new rate but does not answer at it: it goes back to "
			"the old one within ten minutes");
	else
		give_up(b, -ETIMEDOUT,
			"the meter acknowledged nothing: it may not be able to change its rate");
}

static void on_begin(struct mbus_errand *errand, struct mbus_source *s)
{
	struct baud_errand *b = (struct baud_errand *)errand;
	if (!make_request(b, 0)) {
		mbus_errand_end(s);
		give_up(b, -ENOENT, "the meter was removed from the list");
		return;
	}
	b->request.has_command = true;
	b->request.command_ci = CI_BAUD;
	for (unsigned rate = BAUD_MIN; rate < b->baud; rate *= 2)
		b->request.command_ci++;
	mbus_errand_ask(s, &b->request);
}

static void on_cancel(struct ml_job *job, void *user)
{
	struct baud_errand *b = user;
	(void)job;
	if (mbus_errand_remove(b->source, &b->errand)) {
		give_up(b, -ECANCELED, "cancelled before it began");
		return;
	}
	mbus_master_cancel(&b->source->master, METER_FRAME_CANCELLED);
	mbus_round_soon(b->source);
}

void mbus_baud_set(struct mbus_source *s, struct ml_job *job, uint32_t point, unsigned baud)
{
	struct ml_error err = ML_ERROR_NONE;
	struct baud_errand *b = calloc(1, sizeof *b);
	if (!b) {
		ml_error_set(&err, -ENOMEM, "out of memory");
		ml_job_fail(job, &err);
		return;
	}
	*b = (struct baud_errand){
		.errand = {.begin = on_begin, .step = on_step, .lost = on_lost},
		.source = s,
		.job = job,
		.point = point,
		.baud = baud,
	};
	ml_job_on_cancel(job, on_cancel, b);
	mbus_errand_add(s, &b->errand);
}
