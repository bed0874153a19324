/* What those who read find damaged: told once, and mended where it is the file.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "store/damage.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include <meterloom/event.h>

#include "store/view.h"
#include "store/writer.h"

static const char place[] = "readings.db";

/* Where two meet in one place, the one before may be told again. */
enum { TOLD_MAX = 1024, NAME_MAX_LENGTH = 64 };

struct damage {
	struct ml_engine *engine;
	struct ml_lane *lane; /* of the writer */
	pthread_mutex_t lock;
	uint64_t readings[TOLD_MAX], chunks[TOLD_MAX]; /* told since the start; 0: none */
	bool wanted;                                   /* a repair, which is on its way */
	unsigned file;
	char found[ML_ERROR_TEXT_MAX];
	ml_time rest_until; /* of the lane */
};

static struct damage *damage_of(struct ml_engine *engine)
{
	return engine ? ml_service(engine, STORE_DAMAGE_SERVICE) : NULL;
}

/* ---- Readings and chunks ---- */

/* Whether it was not told yet; from now on it was. */
static bool note(struct damage *damage, uint64_t *told, uint64_t number)
{
	pthread_mutex_lock(&damage->lock);
	const bool news = told[number % TOLD_MAX] != number;
	told[number % TOLD_MAX] = number;
	pthread_mutex_unlock(&damage->lock);
	return news;
}

/* As a person knows the device: by its key in the meter list, by its id, else by its row. */
static void write_name(struct store_view *view, int64_t device, char name[NAME_MAX_LENGTH])
{
	const struct store_source *source = store_view_source(view, device);
	char id[METER_ID_TEXT_MAX], manufacturer[METER_MANUFACTURER_TEXT_MAX];
	if (source && source->has_identity) {
		meter_id_format(source->identity.id, id);
		meter_manufacturer_format(source->identity.manufacturer, manufacturer);
		(void)snprintf(name, NAME_MAX_LENGTH, "%s.%s", id, manufacturer);
	} else if (source && source->point) {
		(void)snprintf(name, NAME_MAX_LENGTH, "#%" PRIu32, source->point);
	} else {
		(void)snprintf(name, NAME_MAX_LENGTH, "device %" PRId64, device);
	}
}

void store_damage_reading(struct store_view *view, const struct store_row *row, const char *reason)
{
	struct damage *damage = damage_of(view->engine);
	char sequence[24], name[NAME_MAX_LENGTH];
	if (!damage || !note(damage, damage->readings, row->sequence))
		return;
	(void)snprintf(sequence, sizeof sequence, "%" PRIu64, row->sequence);
	write_name(view, row->device, name);
	ml_event_raise(view->engine, "reading-damaged", place, "sequence", sequence, "device", name,
		"reason", reason, NULL);
}

void store_damage_chunk(struct store_view *view, int64_t key, int64_t device, const char *reason)
{
	struct damage *damage = damage_of(view->engine);
	sqlite3_stmt *row = NULL;
	char numbers[3][24] = {"?", "?", "?"}, name[NAME_MAX_LENGTH];
	if (!damage || !note(damage, damage->chunks, (uint64_t)key))
		return;
	if (sqlite3_prepare_v2(view->db,
		    "SELECT first_sequence, last_sequence, count FROM chunk WHERE key = ?", -1,
		    &row, NULL) == SQLITE_OK &&
		view_bind(row, &key, 1) == SQLITE_OK && sqlite3_step(row) == SQLITE_ROW)
		for (int i = 0; i < 3; i++)
			(void)snprintf(numbers[i], sizeof numbers[i], "%" PRId64,
				(int64_t)sqlite3_column_int64(row, i));
	sqlite3_finalize(row);
	write_name(view, device, name);
	ml_event_raise(view->engine, "chunk-damaged", place, "count", numbers[2], "device", name,
		"first", numbers[0], "last", numbers[1], "reason", reason, NULL);
}

/* ---- The file ---- */

unsigned store_damage_file(struct ml_engine *engine)
{
	const struct store_writer *writer = store_writer(engine);
	return writer ? atomic_load(&writer->health.files) : 0;
}

/* On the lane of the writer. */
static void repair(void *user)
{
	struct damage *damage = user;
	struct store_writer *writer = store_writer(damage->engine);
	char found[ML_ERROR_TEXT_MAX];
	pthread_mutex_lock(&damage->lock);
	const unsigned file = damage->file;
	(void)snprintf(found, sizeof found, "%s", damage->found);
	damage->wanted = false;
	pthread_mutex_unlock(&damage->lock);
	const ml_time now = ml_lane_now(damage->lane);
	/* Another one is there since, or it is not there: what the writer has open is whole. */
	if (!writer->db || file != store_damage_file(damage->engine) ||
		store_health_look(&writer->health, writer->db, NULL) < 0)
		return;
	if (damage->rest_until && now < damage->rest_until)
		return;
	damage->rest_until = now + STORE_DAMAGE_REST;
	store_writer_repair(writer, found);
}

void store_damage_found(struct ml_engine *engine, unsigned file, const char *found)
{
	struct damage *damage = damage_of(engine);
	if (!damage || !damage->lane)
		return;
	pthread_mutex_lock(&damage->lock);
	const bool news = !damage->wanted;
	damage->wanted = true;
	if (news) {
		damage->file = file;
		(void)snprintf(damage->found, sizeof damage->found, "%s", found);
	}
	pthread_mutex_unlock(&damage->lock);
	if (news)
		(void)ml_lane_post(damage->lane, repair, damage);
}

/* ---- The service ---- */

int store_damage_start(struct ml_engine *engine, void **ret_service, struct ml_error *err)
{
	struct damage *damage = calloc(1, sizeof *damage);
	if (!damage)
		return ml_error_set(err, -ENOMEM, "out of memory");
	damage->engine = engine;
	damage->lane = ml_engine_lane(engine, STORE_LANE);
	pthread_mutex_init(&damage->lock, NULL);
	*ret_service = damage;
	return 0;
}

void store_damage_stop(void *service)
{
	struct damage *damage = service;
	pthread_mutex_destroy(&damage->lock);
	free(damage);
}
