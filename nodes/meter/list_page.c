/* The command `meter.list`.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdlib.h>
#include <string.h>

#include <meterloom/engine.h>

#include "meter/list_private.h"
#include "meter/readout.h"

const struct ml_param meter_list_param_table[] = {
	{.name = "meter",
		.kind = ML_PARAM_STRING,
		.offset = offsetof(struct meter_list_params, meter),
		.title = "Meter",
		.help = "Only the meters that fit, also passive ones: a key (#12), a MOID, an id "
			"(12345678), an id with its manufacturer (12345678.KAM). Left out: all.",
		.flags = ML_PARAM_NULLABLE},
	{.name = "state",
		.kind = ML_PARAM_CHOICE,
		.offset = offsetof(struct meter_list_params, state),
		.title = "State",
		.help = "Only those whose last readout went so.",
		.preset = "\"all\"",
		.choices = meter_readout_choices},
	{.name = "bus",
		.kind = ML_PARAM_STRING,
		.offset = offsetof(struct meter_list_params, bus),
		.title = "Bus",
		.help = "Only those of this bus; empty: of the default bus. Left out: of all.",
		.max = METER_BUS_MAX - 1,
		.flags = ML_PARAM_NULLABLE},
	{.name = "passive",
		.kind = ML_PARAM_BOOL,
		.offset = offsetof(struct meter_list_params, passive),
		.title = "Passive ones too",
		.help = "Whether passive points are shown.",
		.preset = "false"},
	{.name = "offset",
		.kind = ML_PARAM_INTEGER,
		.offset = offsetof(struct meter_list_params, offset),
		.title = "Offset",
		.help = "How many to leave out at the beginning.",
		.preset = "0",
		.min = 0,
		.max = METER_POINTS_MAX},
	{.name = "limit",
		.kind = ML_PARAM_INTEGER,
		.offset = offsetof(struct meter_list_params, limit),
		.title = "Limit",
		.help = "How many to show at the most.",
		.preset = "4096",
		.min = 1,
		.max = METER_POINTS_MAX},
	{0},
};

struct page {
	const struct meter_list_params *params;
	struct meter_readouts *readouts;
	struct ml_json_writer *w;
	int64_t skip, left;
	uint64_t total;
	uint64_t states[METER_READOUT_STATES]; /* of the active ones */
};

static void show(struct page *page, const struct meter_point *point)
{
	const struct meter_list_params *p = page->params;
	struct meter_readout readout;
	if ((point->settings.passive && !p->passive && !p->meter) ||
		(p->bus && strcmp(point->settings.bus, p->bus) != 0))
		return;
	meter_readouts_get(page->readouts, point->key, &readout);
	if (!point->settings.passive)
		page->states[readout.state]++;
	if (p->state != METER_READOUT_ANY && p->state != readout.state)
		return;
	page->total++;
	if (page->skip > 0) {
		page->skip--;
	} else if (page->left > 0) {
		page->left--;
		meter_point_to_json(point, &readout, page->w);
	}
}

static void show_found(struct page *page, const struct meter_snapshot *snapshot, const char *text)
{
	const struct meter_point **found =
		calloc(snapshot->point_count ? snapshot->point_count : 1, sizeof(*found));
	if (!found)
		return;
	const size_t count =
		meter_snapshot_find(snapshot, text, strlen(text), found, snapshot->point_count);
	for (size_t i = 0; i < count && i < snapshot->point_count; i++)
		show(page, found[i]);
	free((void *)found);
}

void meter_list_run(struct ml_job *job, void *params)
{
	const struct meter_list_params *p = params;
	struct ml_engine *engine = ml_job_engine(job);
	const struct meter_snapshot *snapshot = meter_list_snapshot(meter_list(engine));
	struct ml_json_writer *w = ml_job_result(job);
	struct page page = {.params = p,
		.readouts = meter_readouts(engine),
		.w = w,
		.skip = p->offset,
		.left = p->limit};
	ml_json_begin_object(w);
	ml_json_key(w, "meters");
	ml_json_begin_array(w);
	if (p->meter)
		show_found(&page, snapshot, p->meter);
	else
		for (size_t i = 0; i < snapshot->point_count; i++)
			show(&page, &snapshot->points[i]);
	ml_json_end_array(w);
	ml_json_key(w, "total");
	ml_json_unsigned(w, page.total);
	ml_json_key(w, "readouts");
	ml_json_begin_object(w);
	for (unsigned i = 0; i < METER_READOUT_STATES; i++) {
		ml_json_key(w, meter_readout_state_name(i));
		ml_json_unsigned(w, page.states[i]);
	}
	ml_json_end_object(w);
	ml_json_end_object(w);
	meter_snapshot_release(snapshot);
	ml_job_succeed(job);
}
