/* mbus-source: contacting meters of the list one after the other, and entering what answered.
 * SPDX-License-Identifier: Apache-2.0
 *
 * An errand over many meters: it has the line while it asks, gives it to rounds in between, and
 * goes on with the next meter while the list takes up the one before. It holds the line or waits
 * for it as long as it lives, so that it is told when the node ends.
 */
#include "mbus/install.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mbus/contact.h"
#include "mbus/source.h"
#include "meter/frame.h"
#include "meter/readout.h"

enum { PUT_BACK_MAX = 3 };

enum result { OK, MOVED, REPLACED, DUPLICATE, FAILED, RESULTS };

static const char *const result_names[RESULTS] = {"ok", "moved", "replaced", "duplicate", "failed"};

struct item {
	uint32_t point;
	uint32_t line; /* of the file it comes from; 0: of none */
};

struct install {
	struct mbus_errand errand; /* the first member */
	struct mbus_source *source;
	struct ml_job *job;
	struct item *items; /* owned */
	size_t count, next;
	unsigned bauds[MBUS_INSTALL_BAUDS_MAX]; /* to try besides a meter's own */
	size_t baud_count, baud_next;           /* of the meter that is asked */
	unsigned own_baud;                      /* its own */
	unsigned put_back;                      /* how often the line was lost under this meter */
	struct mbus_request request;
	unsigned mode;
	bool asked; /* since it has the line */
	bool cancelled;
	struct entering *entering; /* on their way to the list */
	unsigned counts[RESULTS];
};

/* A meter that answered, on its way to the list. */
struct entering {
	struct entering *next;
	struct install *install;
	struct meter_entry *entry;
	struct item item;
	struct meter_sighting sighting;
	bool more; /* telegrams follow */
};

static void ask_next(struct install *in);

/* ---- Rows and the end ---- */

static struct ml_json_writer *begin_row(struct install *in, const struct item *item,
	const struct meter_settings *settings, enum result result, const char *text)
{
	char address[METER_ADDRESS_WORDS_MAX];
	struct ml_json_writer *w = ml_job_row(in->job);
	in->counts[result]++;
	ml_json_begin_object(w);
	if (item->line) {
		ml_json_key(w, "line");
		ml_json_unsigned(w, item->line);
	}
	ml_json_key(w, "point");
	ml_json_unsigned(w, item->point);
	if (settings) {
		meter_settings_address(settings, address);
		ml_json_key(w, "moid");
		ml_json_string(w, settings->moid);
		ml_json_key(w, "address");
		ml_json_string(w, address);
	}
	ml_json_key(w, "result");
	ml_json_string(w, result_names[result]);
	ml_json_key(w, "text");
	ml_json_string(w, text);
	return w;
}

static unsigned done_of(const struct install *in)
{
	unsigned done = 0;
	for (size_t i = 0; i < RESULTS; i++)
		done += in->counts[i];
	return done;
}

static void end_row(struct install *in, struct ml_json_writer *w)
{
	ml_json_end_object(w);
	ml_job_progress(in->job, done_of(in), in->count, NULL);
	ml_job_row_end(in->job);
}

static void write_members(const struct install *in, struct ml_json_writer *w)
{
	ml_json_key(w, "meters");
	ml_json_unsigned(w, in->count);
	for (size_t i = 0; i < RESULTS; i++) {
		ml_json_key(w, result_names[i]);
		ml_json_unsigned(w, in->counts[i]);
	}
}

static void write_counts(const struct install *in, struct ml_json_writer *w)
{
	ml_json_begin_object(w);
	write_members(in, w);
	ml_json_end_object(w);
}

void mbus_install_write_nobody(struct ml_json_writer *w)
{
	const struct install nobody = {0};
	write_members(&nobody, w);
}

/* Frees it; the line must be given back. */
static void finish(struct install *in, int code, const char *text)
{
	while (in->entering) {
		struct entering *e = in->entering;
		in->entering = e->next;
		meter_entry_forget(e->entry);
		free(e);
	}
	if (code == 0) {
		write_counts(in, ml_job_result(in->job));
		ml_job_succeed(in->job);
	} else {
		struct ml_error err = ML_ERROR_NONE;
		ml_error_set(&err, code, "%s; of %zu meters %u were contacted, %u of them in vain",
			text, in->count, done_of(in), in->counts[FAILED]);
		write_counts(in, ml_job_detail(in->job));
		ml_job_fail(in->job, &err);
	}
	free(in->items);
	free(in);
}

/* All have been asked, or are not to be: what is on its way to the list is waited for. */
static void end_when_entered(struct install *in)
{
	if (in->entering)
		return;
	mbus_errand_end(in->source);
	finish(in, in->cancelled ? -ECANCELED : 0, "cancelled");
}

static void on_lost(struct mbus_errand *errand, struct mbus_source *s, const char *reason)
{
	(void)s;
	finish((struct install *)errand, -ENODEV, reason);
}

/* ---- What came of a meter ---- */

static enum result result_of(enum meter_sighting_kind kind)
{
	switch (kind) {
	case METER_SIGHTING_MOVED:
		return MOVED;
	case METER_SIGHTING_REPLACED:
		return REPLACED;
	case METER_SIGHTING_DUPLICATE:
		return DUPLICATE;
	default:
		return OK;
	}
}

static void on_entered(void *user, const struct meter_verdict *verdict, const struct ml_error *err)
{
	struct entering *e = user;
	struct install *in = e->install;
	struct entering **at = &in->entering;
	while (*at != e)
		at = &(*at)->next;
	*at = e->next;
	struct ml_json_writer *w = begin_row(in, &e->item, &verdict->settings,
		err ? FAILED : result_of(verdict->kind), err ? err->text : verdict->text);
	mbus_contact_to_json(&e->sighting, w);
	ml_json_key(w, "more_telegrams");
	ml_json_bool(w, e->more);
	end_row(in, w);
	free(e);
	if (!in->entering && in->source->errand == &in->errand &&
		(in->cancelled || in->next == in->count) && mbus_master_idle(&in->source->master))
		end_when_entered(in);
}

static void answered(struct install *in, const struct mbus_step *step)
{
	struct mbus_source *s = in->source;
	const struct item *item = &in->items[in->next];
	struct mbus_memory *memory = mbus_memory_of(s, item->point);
	struct entering *e = calloc(1, sizeof *e);
	if (memory)
		memory->peer = mbus_master_peer(&s->master);
	if (e) {
		*e = (struct entering){.install = in, .item = *item, .more = step->limited};
		mbus_contact_sighting(
			s, &in->request, in->mode, step->bytes, step->length, &e->sighting);
		e->sighting.point = item->point;
		e->sighting.search = ml_job_id(in->job);
		e->entry = meter_sighting_send(ml_node_engine(s->node), ml_node_lane(s->node),
			&e->sighting, on_entered, e);
	}
	if (!e || !e->entry) {
		free(e);
		end_row(in, begin_row(in, item, NULL, FAILED, "out of memory"));
		return;
	}
	e->next = in->entering;
	in->entering = e;
}

static void failed(struct install *in, enum meter_frame_result result)
{
	const struct meter_snapshot *snapshot = meter_list_snapshot(in->source->list);
	const struct item *item = &in->items[in->next];
	const struct meter_point *point = meter_snapshot_point(snapshot, item->point);
	struct mbus_memory *memory = mbus_memory_of(in->source, item->point);
	char text[320], rates[80] = "";
	size_t length = 0;
	for (size_t i = 0; i < in->baud_count && length < sizeof rates; i++)
		if (in->bauds[i] != in->own_baud)
			length += (size_t)snprintf(
				rates + length, sizeof rates - length, ", %u", in->bauds[i]);
	(void)snprintf(text, sizeof text, "%s at %u%s baud: %s", meter_readout_text(result),
		in->own_baud, rates, mbus_contact_advice(result));
	if (memory)
		memory->peer.known = false;
	end_row(in, begin_row(in, item, point ? &point->settings : NULL, FAILED, text));
	meter_snapshot_release(snapshot);
}

/* Goes on to the next rate for this meter; false: there is none. */
static bool next_baud(struct install *in)
{
	while (in->baud_next < in->baud_count)
		if (in->bauds[in->baud_next++] != in->own_baud)
			return true;
	return false;
}

static void on_step(struct mbus_errand *errand, struct mbus_source *s, const struct mbus_step *step)
{
	struct install *in = (struct install *)errand;
	if (step->kind == MBUS_STEP_TELEGRAM) {
		answered(in, step);
		if (!step->last)
			return;
	} else if (step->result == METER_FRAME_CANCELLED || in->cancelled) {
		end_when_entered(in);
		return;
	} else if (step->result == METER_FRAME_NO_BUS && in->put_back < PUT_BACK_MAX) {
		/* It is asked again when the line is back. */
		in->put_back++;
		mbus_errand_end(s);
		mbus_errand_add(s, &in->errand);
		return;
	} else if (step->result != METER_FRAME_NO_BUS && next_baud(in)) {
		ask_next(in);
		return;
	} else {
		failed(in, step->result);
	}
	in->next++;
	in->baud_next = 0;
	in->put_back = 0;
	ask_next(in);
}

/* ---- Asking ---- */

/* false: it is no meter of this bus any more. */
static bool make_request(struct install *in, const struct item *item)
{
	struct mbus_source *s = in->source;
	const struct meter_snapshot *snapshot = meter_list_snapshot(s->list);
	const struct meter_point *point = meter_snapshot_point(snapshot, item->point);
	const bool ours = point && strcmp(point->settings.bus, s->bus) == 0;
	const unsigned baud = in->baud_next ? in->bauds[in->baud_next - 1] : 0;
	if (ours) {
		mbus_meter_request(s, point, baud, &in->request);
		in->request.telegrams = 1;
		in->own_baud = baud ? in->own_baud : in->request.baud;
		in->mode = point->settings.mode;
	}
	if (baud) {
		/* A guess: the answer of a meter that does not have this rate is noise. */
		in->request.peer = (struct mbus_peer){0};
		in->request.quick = true;
		in->request.timing.readout_retries = in->request.timing.selection_retries = 0;
	}
	meter_snapshot_release(snapshot);
	return ours;
}

static void ask_next(struct install *in)
{
	struct mbus_source *s = in->source;
	while (in->next < in->count && !in->cancelled) {
		const struct item *item = &in->items[in->next];
		if (in->asked && mbus_errand_wanted(s)) {
			mbus_errand_yield(s, &in->errand);
			return;
		}
		if (make_request(in, item)) {
			in->asked = true;
			mbus_errand_ask(s, &in->request);
			return;
		}
		end_row(in, begin_row(in, item, NULL, FAILED,
				    "the point was removed from the list, or from this bus"));
		in->next++;
		in->baud_next = 0;
	}
	end_when_entered(in);
}

static void on_begin(struct mbus_errand *errand, struct mbus_source *s)
{
	struct install *in = (struct install *)errand;
	(void)s;
	in->asked = false;
	ask_next(in);
}

static void on_cancel(struct ml_job *job, void *user)
{
	struct install *in = user;
	(void)job;
	in->cancelled = true;
	if (mbus_errand_remove(in->source, &in->errand)) {
		finish(in, -ECANCELED, "cancelled");
		return;
	}
	mbus_master_cancel(&in->source->master, METER_FRAME_CANCELLED);
	mbus_round_soon(in->source);
}

/* ---- The action ---- */

int mbus_install_check_bauds(const json_t *value, struct ml_error *err)
{
	size_t i;
	const json_t *item;
	json_array_foreach(value, i, item)
	{
		if (mbus_baud_check(item, err) < 0)
			return -EINVAL;
	}
	return 0;
}

const struct ml_param mbus_install_params[] = {
	{.name = "points",
		.kind = ML_PARAM_INTEGERS,
		.offset = offsetof(struct mbus_install_params, points),
		.title = "Points",
		.help = "Keys of points of this bus. Empty: all active ones whose meter has never "
			"answered.",
		.preset = "[]",
		.max = METER_POINTS_MAX},
	{.name = "lines",
		.kind = ML_PARAM_INTEGERS,
		.offset = offsetof(struct mbus_install_params, lines),
		.title = "Lines",
		.help = "For each of the points the line of the file that it comes from; told in "
			"its row.",
		.preset = "[]",
		.max = METER_POINTS_MAX},
	{.name = "bauds",
		.kind = ML_PARAM_INTEGERS,
		.offset = offsetof(struct mbus_install_params, bauds),
		.title = "Other baud rates",
		.help = "Tried with a meter that does not answer at its own rate.",
		.preset = "[]",
		.max = MBUS_INSTALL_BAUDS_MAX,
		.check = mbus_install_check_bauds},
	{0},
};

static bool is_wanted(const struct mbus_source *s, const struct meter_point *point)
{
	return !point->settings.passive && !point->device &&
	       strcmp(point->settings.bus, s->bus) == 0;
}

static int choose(struct install *in, const struct mbus_install_params *p, struct ml_error *err)
{
	const struct meter_snapshot *snapshot = meter_list_snapshot(in->source->list);
	const size_t most = p->points.count ? p->points.count : snapshot->point_count;
	uint32_t *keys = calloc(most + 1, sizeof *keys); /* of the items, in their order */
	int result = 0;
	in->items = calloc(most + 1, sizeof *in->items);
	if (!keys || !in->items) {
		result = ml_error_set(err, -ENOMEM, "out of memory");
		goto out;
	}
	for (size_t i = 0; i < p->points.count; i++) {
		const uint32_t key = (uint32_t)p->points.items[i];
		if (meter_keys_have(keys, in->count, key))
			continue;
		keys[in->count] = key;
		in->items[in->count++] = (struct item){
			.point = key,
			.line = i < p->lines.count ? (uint32_t)p->lines.items[i] : 0,
		};
	}
	for (size_t i = 0; !p->points.count && i < snapshot->point_count; i++)
		if (is_wanted(in->source, &snapshot->points[i]))
			in->items[in->count++] = (struct item){.point = snapshot->points[i].key};
out:
	free(keys);
	meter_snapshot_release(snapshot);
	return result;
}

void mbus_install(struct ml_node *node, void *self, struct ml_job *job, void *params)
{
	struct mbus_source *s = self;
	const struct mbus_install_params *p = params;
	struct ml_error err = ML_ERROR_NONE;
	struct install *in = calloc(1, sizeof *in);
	(void)node;
	if (!in) {
		ml_error_set(&err, -ENOMEM, "out of memory");
		goto fail;
	}
	in->errand = (struct mbus_errand){.begin = on_begin, .step = on_step, .lost = on_lost};
	in->source = s;
	in->job = job;
	for (size_t i = 0; i < p->bauds.count; i++)
		in->bauds[in->baud_count++] = (unsigned)p->bauds.items[i];
	if (!s->list)
		ml_error_set(&err, -ENOENT, "this gateway keeps no meter list");
	else
		(void)choose(in, p, &err);
	if (err.code < 0)
		goto fail;
	if (in->count == 0) {
		finish(in, 0, NULL);
		return;
	}
	ml_job_on_cancel(job, on_cancel, in);
	ml_job_progress(job, 0, in->count, "contacting");
	mbus_errand_add(s, &in->errand);
	return;
fail:
	if (in)
		free(in->items);
	free(in);
	ml_job_fail(job, &err);
}
