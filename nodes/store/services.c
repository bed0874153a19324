/* The services of the store: its writer, and the view of those who only read.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

#include <meterloom/family.h>

#include "meter/archive.h"
#include "store/archive.h"
#include "store/check.h"
#include "store/current_load.h"
#include "store/damage.h"
#include "store/outbox.h"
#include "store/readings.h"
#include "store/scan.h"
#include "store/writer.h"

struct reading_lane {
	struct ml_engine *engine;
	struct store_view *view; /* NULL: not opened yet */
	unsigned opened;         /* the writer's count when it was */
	pthread_mutex_t lock;
	struct store_view *idle; /* for the next who borrows one; NULL */
	unsigned idle_opened;
};

static const char service_name[] = "readings-view";

static int start(struct ml_engine *engine, void **ret_service, struct ml_error *err)
{
	struct reading_lane *lane = calloc(1, sizeof *lane);
	if (!lane)
		return ml_error_set(err, -ENOMEM, "out of memory");
	lane->engine = engine;
	pthread_mutex_init(&lane->lock, NULL);
	*ret_service = lane;
	return 0;
}

static void stop(void *service)
{
	struct reading_lane *lane = service;
	store_view_close(lane->view);
	store_view_close(lane->idle);
	pthread_mutex_destroy(&lane->lock);
	free(lane);
}

int store_query_view(struct ml_engine *engine, struct store_view **ret_view, struct ml_error *err)
{
	struct reading_lane *lane = ml_service(engine, service_name);
	const struct store_writer *writer = store_writer(engine);
	const unsigned opened = atomic_load(&writer->opened);
	/* The file may be another one since. */
	if (lane->view && lane->opened != opened) {
		store_view_close(lane->view);
		lane->view = NULL;
	}
	if (!lane->view) {
		const int result = store_view_open(engine, &lane->view, err);
		if (result < 0)
			return result;
	}
	lane->opened = opened;
	*ret_view = lane->view;
	return 0;
}

int store_view_borrow(struct ml_engine *engine, struct store_view **ret_view, unsigned *opened,
	struct ml_error *err)
{
	struct reading_lane *lane = ml_service(engine, service_name);
	*opened = atomic_load(&store_writer(engine)->opened);
	pthread_mutex_lock(&lane->lock);
	struct store_view *view = lane->idle;
	const bool fresh = lane->idle_opened == *opened;
	lane->idle = NULL;
	pthread_mutex_unlock(&lane->lock);
	if (view && !fresh) {
		store_view_close(view);
		view = NULL;
	}
	*ret_view = view;
	return view ? 0 : store_view_open(engine, ret_view, err);
}

void store_view_give_back(struct ml_engine *engine, struct store_view *view, unsigned opened)
{
	struct reading_lane *lane = ml_service(engine, service_name);
	if (!view)
		return;
	pthread_mutex_lock(&lane->lock);
	struct store_view *other = lane->idle;
	lane->idle = view;
	lane->idle_opened = opened;
	pthread_mutex_unlock(&lane->lock);
	store_view_close(other);
}

const struct ml_service_class store_services[] = {
	{.name = "readings", .start = store_writer_start, .stop = store_writer_stop},
	{.name = STORE_DAMAGE_SERVICE, .start = store_damage_start, .stop = store_damage_stop},
	{.name = service_name, .start = start, .stop = stop},
	{.name = "readings-check", .start = store_check_start, .stop = store_check_stop},
	{.name = METER_KEEP_SERVICE, .start = store_keep_start, .stop = store_keep_stop},
	{.name = STORE_OUTBOX_SERVICE, .start = store_outbox_start, .stop = store_outbox_stop},
	{.name = "current-values-load",
		.start = store_current_load_start,
		.stop = store_current_load_stop},
	{.name = METER_ARCHIVE, .start = store_archive_start, .stop = free},
	{0},
};
