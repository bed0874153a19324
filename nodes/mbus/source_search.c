/* mbus-source: searching its bus.
 * SPDX-License-Identifier: Apache-2.0
 *
 * An errand that takes long: it gives the line to rounds and to other errands in between, and waits
 * for a line that is lost. Where it is, is kept from time to time, and when it is broken off.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <meterloom/command.h>
#include <meterloom/engine.h>

#include "mbus/search_keep.h"
#include "mbus/search_probe.h"
#include "mbus/search_run.h"
#include "mbus/search_state.h"
#include "mbus/source.h"

/* The card wears out by writing: a search that a power cut breaks off loses no more than this. */
#define KEEP_EVERY ML_MINUTE

/* ---- The end ---- */

static void keep(struct search_run *run)
{
	struct ml_buffer buffer = {0};
	struct ml_json_writer w;
	ml_json_writer_init(&w, &buffer);
	mbus_search_save(&run->search, &w);
	if (!buffer.failed)
		mbus_searches_keep(run->searches, run->source->bus, buffer.data, buffer.length);
	ml_buffer_free(&buffer);
	run->kept = ml_node_now(run->source->node);
}

static void tell_progress(struct search_run *run)
{
	char text[80];
	(void)snprintf(text, sizeof text, "%s, %u Bd: %u found",
		run->what.secondary ? "secondary" : "primary", run->what.baud, run->search.meters);
	ml_job_progress(run->job, mbus_search_progress(&run->search), MBUS_SEARCH_PROGRESS, text);
}

static void end_job(struct search_run *run)
{
	struct ml_job *job = run->job;
	if (run->err.code == 0) {
		mbus_search_write_result(run, ml_job_result(job));
		ml_job_succeed(job);
	} else {
		mbus_search_write_result(run, ml_job_detail(job));
		ml_job_fail(job, &run->err);
	}
	run->source->search = NULL;
	mbus_search_rows_free(run);
	free(run);
}

void mbus_search_end_if_done(struct search_run *run)
{
	if (run->over && run->waiting_count == 0)
		end_job(run);
}

/* The line is given back already. What is on its way to the list is waited for. */
static void finish(struct search_run *run)
{
	const enum mbus_search_end end = run->search.end;
	ml_timer_stop(&run->timer);
	run->over = true;
	if (run->err.code == 0 && end == MBUS_SEARCH_DISTURBED)
		ml_error_set(&run->err, -EIO,
			"something answers whatever is selected: a meter that sends without being "
			"asked, a disturbance, or a converter whose rate is another; look at the "
			"noise_bytes of the node, and take branches of the cable off one by one");
	if (run->err.code == 0 && end == MBUS_SEARCH_FULL)
		ml_error_set(&run->err, -ENOSPC, "more than %d meters and conflicts on one bus",
			MBUS_SEARCH_FOUND_MAX);
	run->resumable = end == MBUS_SEARCH_GOES_ON || end == MBUS_SEARCH_ENOUGH;
	if (run->resumable)
		keep(run);
	else
		mbus_searches_keep(run->searches, run->source->bus, NULL, 0);
	tell_progress(run);
	mbus_search_end_if_done(run);
}

/* ---- Probes ---- */

static void begin_probe(struct search_run *run)
{
	struct mbus_source *s = run->source;
	struct mbus_request request;
	mbus_source_request(s, run->what.baud, &request);
	mbus_probe_begin(&run->probe, &run->what, &request.timing, ml_node_now(s->node));
	run->probing = true;
}

static bool is_enough(struct search_run *run)
{
	return run->wanted > 0 && mbus_searches_count(run->searches, run->number, 0) >= run->wanted;
}

/* What to do after a probe, or at the beginning. false: the line was given back. */
static bool go_on(struct search_run *run)
{
	struct mbus_source *s = run->source;
	if (run->err.code == 0 && is_enough(run))
		run->search.end = MBUS_SEARCH_ENOUGH;
	if (run->err.code != 0 || !mbus_search_next(&run->search, &run->what)) {
		mbus_errand_end(s);
		finish(run);
		return false;
	}
	if (run->asked && (mbus_errand_wanted(s) || s->errands)) {
		run->asked = false;
		ml_timer_stop(&run->timer);
		mbus_errand_yield(s, &run->errand);
		return false;
	}
	begin_probe(run);
	return true;
}

static void probed(struct search_run *run)
{
	const size_t found = run->search.found_count;
	const uint32_t meters = run->search.meters;
	run->probing = false;
	run->asked = true;
	mbus_search_came(&run->search, &run->probe.answer);
	if (run->search.meters > meters)
		(void)mbus_searches_count(run->searches, run->number, run->search.meters - meters);
	for (size_t i = found; i < run->search.found_count; i++)
		mbus_search_tell(run, &run->search.found[i]);
	tell_progress(run);
	if (ml_node_now(run->source->node) >= run->kept + KEEP_EVERY)
		keep(run);
}

static bool send(struct search_run *run, const uint8_t *bytes, size_t length)
{
	struct mbus_source *s = run->source;
	s->master.tally.requests++;
	s->master.tally.retries += run->what.again;
	s->master.tally.bytes_out += length;
	return mbus_errand_send(s, run->what.baud, bytes, length);
}

/* Does all that can be done now; the run may be gone afterwards. */
static void pump(struct search_run *run)
{
	struct mbus_source *s = run->source;
	const uint8_t *bytes = NULL;
	size_t length = 0;
	for (;;) {
		const ml_time now = ml_node_now(s->node);
		switch (mbus_probe_next(&run->probe, now, &bytes, &length)) {
		case MBUS_PROBE_SEND:
			/* Lost: it has its turn again when the line is back. */
			if (!send(run, bytes, length))
				return;
			break;
		case MBUS_PROBE_OVER:
			probed(run);
			if (!go_on(run))
				return;
			break;
		default:
			ml_timer_start(&run->timer, mbus_probe_when(&run->probe));
			return;
		}
	}
}

/* ---- The errand ---- */

static bool has_line(const struct search_run *run)
{
	return run->source->errand == &run->errand;
}

static void on_timer(struct ml_timer *timer)
{
	struct search_run *run = timer->user;
	if (has_line(run) && run->probing)
		pump(run);
	else if (run->err.code != 0 && mbus_errand_remove(run->source, &run->errand))
		finish(run); /* cancelled, and then the line was lost */
}

static void on_begin(struct mbus_errand *errand, struct mbus_source *s)
{
	struct search_run *run = (struct search_run *)errand;
	(void)s;
	run->asked = false;
	if (go_on(run))
		pump(run);
}

static void on_received(struct mbus_errand *errand, struct mbus_source *s, const uint8_t *bytes,
	size_t length, bool damaged)
{
	struct search_run *run = (struct search_run *)errand;
	s->master.tally.bytes_in += length;
	s->master.tally.broken += damaged ? length : 0;
	mbus_probe_received(&run->probe, bytes, length, damaged, ml_node_now(s->node));
	if (run->probing)
		pump(run);
}

/* It waits for a line that is lost: so the node ends. */
static void on_lost(struct mbus_errand *errand, struct mbus_source *s, const char *reason)
{
	struct search_run *run = (struct search_run *)errand;
	(void)s;
	ml_error_set(&run->err, -ENODEV, "%s: the search can be resumed", reason);
	finish(run);
}

static void on_cancel(struct ml_job *job, void *user)
{
	struct search_run *run = user;
	(void)job;
	if (run->over || run->err.code != 0)
		return;
	ml_error_set(&run->err, -ECANCELED, "cancelled: the search can be resumed");
	/* A probe that is under way comes to its end: meters may be answering. */
	if (mbus_errand_remove(run->source, &run->errand))
		finish(run);
	else
		ml_timer_start(&run->timer, ml_node_now(run->source->node));
}

void mbus_search_stop(struct mbus_source *s)
{
	struct search_run *run = s->search;
	if (!run)
		return;
	mbus_search_rows_forget(run);
	mbus_search_end_if_done(run);
}

/* ---- The beginning ---- */

static void know_the_list(struct search_run *run)
{
	const struct mbus_source *s = run->source;
	const struct meter_snapshot *snapshot = meter_list_snapshot(s->list);
	for (size_t i = 0; i < snapshot->point_count; i++) {
		const struct meter_point *point = &snapshot->points[i];
		if (point->device && strcmp(point->settings.bus, s->bus) == 0)
			mbus_search_know(&run->search, point->device->identity);
	}
	meter_snapshot_release(snapshot);
}

static void set_options(const struct mbus_source *s, const struct mbus_search_params *p,
	struct mbus_search_options *options)
{
	const bool network = strncmp(s->interface, "tcp:", 4) == 0;
	*options = (struct mbus_search_options){
		.mode_count = (uint8_t)p->modes.count,
		.rates = {(uint32_t)s->baud},
		.rate_count = 1,
		.first = (uint8_t)p->first,
		.last = (uint8_t)p->last,
		.hex = p->hex,
		.thorough = p->thorough,
		.retries = (uint8_t)s->timing.selection_retries,
	};
	for (size_t i = 0; i < p->modes.count; i++)
		options->modes[i] = strcmp(p->modes.items[i], "primary") == 0
					    ? MBUS_SEARCH_PRIMARY
					    : MBUS_SEARCH_SECONDARY;
	if (network || p->bauds.count == 0)
		return;
	options->rate_count = (uint8_t)p->bauds.count;
	for (size_t i = 0; i < p->bauds.count; i++)
		options->rates[i] = (uint32_t)p->bauds.items[i];
}

static int prepare(struct search_run *run, const struct mbus_search_params *p, struct ml_error *err)
{
	const struct mbus_source *s = run->source;
	struct mbus_search_options options;
	if (p->resume) {
		char *state = mbus_searches_kept(run->searches, s->bus);
		if (!state)
			return ml_error_set(err, -ENOENT,
				"no search of this bus was broken off: begin one without resume");
		const int result = mbus_search_load(&run->search, state, strlen(state), err);
		free(state);
		return result;
	}
	set_options(s, p, &options);
	if (!mbus_search_init(&run->search, &options))
		return ml_error_set(err, -EINVAL,
			"the first primary address, %d, is behind the last, %d", options.first,
			options.last);
	return 0;
}

static int begin(struct mbus_source *s, struct ml_job *job, const struct mbus_search_params *p,
	struct ml_error *err)
{
	if (!s->list)
		return ml_error_set(err, -ENOENT, "this gateway keeps no meter list");
	if (s->search)
		return ml_error_set(err, -EBUSY,
			"this bus is being searched already: wait for that, or cancel it");
	struct search_run *run = calloc(1, sizeof *run);
	if (!run)
		return ml_error_set(err, -ENOMEM, "out of memory");
	run->source = s;
	run->job = job;
	run->searches = mbus_searches(ml_node_engine(s->node));
	const int result = prepare(run, p, err);
	if (result < 0) {
		free(run);
		return result;
	}
	run->errand = (struct mbus_errand){
		.begin = on_begin, .received = on_received, .lost = on_lost, .patient = true};
	run->install = p->install;
	run->number = p->number ? (uint64_t)p->number : ml_job_id(job);
	run->wanted = (uint32_t)p->wanted;
	keep(run);
	ml_timer_init(&run->timer, ml_node_lane(s->node), on_timer, run);
	know_the_list(run);
	s->search = run;
	ml_job_on_cancel(job, on_cancel, run);
	ml_job_progress(job, mbus_search_progress(&run->search), MBUS_SEARCH_PROGRESS,
		"waiting for the line");
	for (size_t i = 0; i < run->search.found_count; i++)
		mbus_search_tell(run, &run->search.found[i]);
	if (run->search.meters > 0)
		(void)mbus_searches_count(run->searches, run->number, run->search.meters);
	mbus_errand_add(s, &run->errand);
	return 0;
}

void mbus_search_action(
	struct mbus_source *s, struct ml_job *job, const struct mbus_search_params *p)
{
	struct ml_error err = ML_ERROR_NONE;
	if (begin(s, job, p, &err) < 0)
		ml_job_fail(job, &err);
}
