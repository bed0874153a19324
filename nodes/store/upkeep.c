/* Upkeep: what the writer does between commits.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "store/upkeep.h"

#include <errno.h>

#include <meterloom/clock.h>
#include <meterloom/setting.h>
#include <meterloom/wall.h>

#include "store/writer.h"

int64_t store_setting(struct ml_engine *engine, const char *name)
{
	json_t *value = ml_setting_get(engine, name);
	const int64_t number = (int64_t)json_number_value(value);
	json_decref(value);
	return number;
}

/* 1: there is more to do; 0: there is not, or it cannot be done now. */
static int step(struct store_upkeep *upkeep)
{
	struct store_writer *writer = upkeep->writer;
	const bool known = ml_wall_known(writer->engine);
	/* By a clock that may be wrong nothing is old: what was begun is ended, nothing begins. */
	const ml_time wall = known ? ml_clock_wall(ml_engine_clock(writer->engine)) : ML_NEVER / 2;
	const ml_time old =
		known ? wall - store_setting(writer->engine, "store.pack_after") * ML_DAY : 0;
	struct ml_error *err = &upkeep->error;
	int result = 0;
	if (!writer->db || writer->troubled || writer->undo)
		return 0;
	*err = ML_ERROR_NONE;
	if (!upkeep->packer.view)
		result = store_packer_open(&upkeep->packer, writer->db, err);
	if (result == 0)
		result = store_packer_step(&upkeep->packer, wall, old, err);
	if (result == 0)
		result = store_retention_step(&upkeep->retention, writer, err);
	if (result == -EUCLEAN) {
		const struct ml_error damage = *err;
		store_writer_repair(writer, damage.text);
	}
	return result > 0;
}

static void timer_fired(struct ml_timer *timer)
{
	struct store_upkeep *upkeep = timer->user;
	struct ml_clock *clock = ml_engine_clock(upkeep->writer->engine);
	const ml_time begin = ml_clock_monotonic(clock);
	const bool more = step(upkeep);
	const ml_time now = ml_clock_monotonic(clock);
	ml_time rest = (now - begin) * STORE_UPKEEP_SHARE;
	if (!more)
		rest = STORE_UPKEEP_LOOK;
	else if (rest < STORE_UPKEEP_REST)
		rest = STORE_UPKEEP_REST;
	ml_timer_start(timer, now + rest);
}

void store_upkeep_start(struct store_upkeep *upkeep, struct store_writer *writer)
{
	if (!upkeep->writer)
		ml_timer_init(&upkeep->timer, writer->lane, timer_fired, upkeep);
	upkeep->writer = writer;
	ml_timer_start(&upkeep->timer, ml_lane_now(writer->lane) + STORE_UPKEEP_LOOK);
}

void store_upkeep_stop(struct store_upkeep *upkeep)
{
	if (upkeep->writer)
		ml_timer_stop(&upkeep->timer);
}

void store_upkeep_close(struct store_upkeep *upkeep)
{
	if (upkeep->packer.view)
		store_packer_close(&upkeep->packer);
}
