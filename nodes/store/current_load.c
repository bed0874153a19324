/* Current values at the start: the last readings of each meter, out of the database.
 * SPDX-License-Identifier: Apache-2.0
 *
 * Of each device some of the last readings are taken, since a meter may send several kinds of
 * telegrams, and where all of these failed some of the last good ones.
 */
#include "store/current_load.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <meterloom/engine.h>
#include <meterloom/node.h>

#include "meter/current.h"
#include "store/readings.h"
#include "store/scan.h"

enum {
	AT_ONCE = 8, /* devices a step */
	LAST_MAX = 2 * METER_CURRENT_KINDS_MAX,
	GOOD_MAX = METER_CURRENT_KINDS_MAX,
	TRIES = 30, /* once a second: the database may not be there yet */
};

struct load {
	struct ml_engine *engine;
	struct ml_lane *lane;
	struct meter_current *current;
	struct ml_timer timer;
	int64_t done; /* the key of the last device that was looked at */
	unsigned tries;
};

/* The last readings of a device, the newest first. */
struct last {
	struct meter_reading *readings[LAST_MAX + GOOD_MAX]; /* owned */
	size_t count;
	bool good; /* one holds values */
};

static int take_row(struct store_view *view, const struct store_row *row, void *block,
	struct last *last, struct ml_error *err)
{
	const int result = store_view_reading(view, row, block, err);
	if (result == -EBADMSG)
		return 0; /* the others may be whole */
	if (result < 0)
		return result;
	const struct meter_reading *reading = block;
	struct meter_reading *copy = malloc(reading->size);
	if (!copy)
		return ml_error_set(err, -ENOMEM, "out of memory");
	(void)meter_reading_copy(copy, reading->size, reading, NULL);
	last->good = last->good || copy->record_count > 0;
	last->readings[last->count++] = copy;
	return 0;
}

static int walk(struct store_view *view, int64_t device, bool failed, size_t limit,
	struct last *last, struct ml_error *err)
{
	struct store_scan_options options = STORE_SCAN_ALL;
	struct store_scan *scan = NULL;
	const struct store_row *row = NULL;
	options.devices = &device;
	options.device_count = 1;
	options.backward = true;
	options.failed = failed;
	void *block = malloc(STORE_BLOCK_MAX);
	if (!block)
		return ml_error_set(err, -ENOMEM, "out of memory");
	int result = store_scan_begin(view, &options, &scan, err);
	for (size_t i = 0; result >= 0 && i < limit; i++) {
		result = store_scan_next(scan, &row, err);
		if (result <= 0)
			break;
		result = take_row(view, row, block, last, err);
	}
	store_scan_end(scan);
	free(block);
	return result < 0 ? result : 0;
}

/* Oldest first, as if they came now. */
static int load_device(
	struct load *load, struct store_view *view, int64_t device, struct ml_error *err)
{
	struct last last = {0};
	int result = walk(view, device, true, LAST_MAX, &last, err);
	if (result == 0 && last.count && !last.good)
		result = walk(view, device, false, GOOD_MAX, &last, err);
	while (last.count) {
		struct meter_reading *reading = last.readings[--last.count];
		const struct meter_reading *one = reading;
		if (result == 0)
			meter_current_take(load->current, &one, 1, true);
		free(reading);
	}
	return result;
}

/* 1: that was the last one. */
static int step(struct load *load, struct ml_error *err)
{
	struct store_view *view = NULL;
	const struct store_source *sources = NULL;
	size_t count = 0, done = 0;
	int64_t devices[AT_ONCE];
	int result = store_query_view(load->engine, &view, err);
	if (result == 0)
		result = store_view_sources(view, &sources, &count, err);
	if (result < 0)
		return result;
	for (size_t i = 0; i < count && done < AT_ONCE; i++)
		if (sources[i].key > load->done)
			devices[done++] = sources[i].key;
	for (size_t i = 0; result == 0 && i < done; i++) {
		result = load_device(load, view, devices[i], err);
		if (result == 0)
			load->done = devices[i];
	}
	return result < 0 ? result : done == 0;
}

static void timer_fired(struct ml_timer *timer)
{
	struct load *load = timer->user;
	struct ml_error err = ML_ERROR_NONE;
	const ml_time now = ml_lane_now(load->lane);
	const int result = step(load, &err);
	if (result == 0)
		ml_timer_start(timer, now);
	else if (result < 0 && ++load->tries < TRIES)
		ml_timer_start(timer, now + ML_SEC);
	else if (result < 0)
		ml_log(ml_engine_log(load->engine), ML_LOG_WARNING, "readings.db",
			"current values of before the start are not all there: %s", err.text);
}

static void begin(void *user)
{
	struct load *load = user;
	ml_timer_start(&load->timer, ml_lane_now(load->lane));
}

int store_current_load_start(struct ml_engine *engine, void **ret_service, struct ml_error *err)
{
	struct load *load = calloc(1, sizeof *load);
	if (!load)
		return ml_error_set(err, -ENOMEM, "out of memory");
	*ret_service = load;
	load->engine = engine;
	load->current = meter_current(engine);
	load->lane = ml_engine_lane(engine, STORE_QUERY_LANE);
	if (!load->current || !load->lane)
		return 0; /* nobody to tell */
	ml_timer_init(&load->timer, load->lane, timer_fired, load);
	(void)ml_lane_post(load->lane, begin, load);
	return 0;
}

void store_current_load_stop(void *service)
{
	struct load *load = service;
	if (load->current && load->lane)
		ml_timer_stop(&load->timer);
	free(load);
}
