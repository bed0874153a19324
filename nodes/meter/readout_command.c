/* The command `meter.readout`.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <string.h>

#include <meterloom/engine.h>

#include "meter/frame.h"
#include "meter/readout_private.h"

const struct ml_param meter_readout_param_table[] = {
	{.name = "meter",
		.kind = ML_PARAM_STRING,
		.offset = offsetof(struct meter_readout_params, meter),
		.title = "Meter",
		.help = "Which: a key (#12), a MOID, an id (12345678), an id with its manufacturer "
			"(12345678.KAM).",
		.flags = ML_PARAM_REQUIRED},
	{0},
};

static void write_end(struct ml_json_writer *w, const struct meter_readout_end *end)
{
	char time[ML_TIME_TEXT_MAX];
	ml_json_begin_object(w);
	ML_JSON_KEY(w, "time");
	ml_json_string_n(w, time, ml_time_format(end->time, time));
	ML_JSON_KEY(w, "result");
	ml_json_string(w, meter_frame_result_name(end->result));
	if (end->result != METER_FRAME_OK) {
		ML_JSON_KEY(w, "text");
		ml_json_string(w, meter_readout_text(end->result));
	}
	ML_JSON_KEY(w, "telegrams");
	ml_json_unsigned(w, end->telegrams);
	ML_JSON_KEY(w, "tries");
	ml_json_unsigned(w, end->tries);
	ML_JSON_KEY(w, "seconds");
	ml_json_decimal(w, (struct ml_decimal){.mantissa = end->took / ML_MSEC, .exponent = -3});
	ML_JSON_KEY(w, "continuous");
	ml_json_bool(w, end->continuous);
	ml_json_end_object(w);
}

static void write_point(
	struct ml_json_writer *w, struct meter_readouts *readouts, const struct meter_point *point)
{
	struct meter_readout readout;
	struct meter_readout_end ends[METER_READOUT_RECENT_MAX];
	meter_readouts_get(readouts, point->key, &readout);
	const size_t count =
		meter_readouts_recent(readouts, point->key, ends, METER_READOUT_RECENT_MAX);
	ml_json_begin_object(w);
	ML_JSON_KEY(w, "meter");
	meter_point_to_json(point, &readout, w);
	ML_JSON_KEY(w, "recent");
	ml_json_begin_array(w);
	for (size_t i = 0; i < count; i++)
		write_end(w, &ends[i]);
	ml_json_end_array(w);
	ml_json_end_object(w);
}

void meter_readout_run(struct ml_job *job, void *params)
{
	const struct meter_readout_params *p = params;
	struct ml_engine *engine = ml_job_engine(job);
	const struct meter_snapshot *list = meter_list_snapshot(meter_list(engine));
	const struct meter_point *point = NULL;
	struct ml_error err = ML_ERROR_NONE;
	if (meter_snapshot_find_one(list, p->meter, strlen(p->meter), &point, &err) == 0) {
		write_point(ml_job_result(job), meter_readouts(engine), point);
		ml_job_succeed(job);
	} else {
		ml_job_fail(job, &err);
	}
	meter_snapshot_release(list);
}
