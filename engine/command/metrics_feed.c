/* The feed "metrics": what is measured, once a second while somebody watches.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "command/metrics_feed.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>

#include <meterloom/engine.h>
#include <meterloom/feed.h>

struct metrics_feed {
	struct ml_engine *engine;
	struct ml_lane *lane; /* control */
	struct ml_timer timer;
	atomic_bool ticking; /* the timer runs, or is about to */
};

static bool wanted(const struct metrics_feed *feed)
{
	return ml_feed_wanted(feed->engine, "metrics");
}

static void tick(struct ml_timer *timer)
{
	struct metrics_feed *feed = timer->user;
	if (!wanted(feed)) {
		atomic_store(&feed->ticking, false);
		/* Who came just now may have seen it ticking. */
		if (!wanted(feed) || atomic_exchange(&feed->ticking, true))
			return;
	}
	struct ml_buffer text = {0};
	struct ml_json_writer w;
	ml_json_writer_init(&w, &text);
	ml_engine_metrics(feed->engine, &w);
	if (!text.failed)
		ml_feed_publish(feed->engine, "metrics", text.data, text.length);
	ml_buffer_free(&text);
	ml_timer_start(timer, ml_lane_now(feed->lane) + ML_SEC);
}

static void begin(void *user)
{
	struct metrics_feed *feed = user;
	tick(&feed->timer);
}

void ml_metrics_feed_changed(struct ml_engine *engine)
{
	struct metrics_feed *feed = ml_service(engine, "metrics-feed");
	if (!feed || !wanted(feed) || atomic_exchange(&feed->ticking, true))
		return;
	if (ml_lane_post(feed->lane, begin, feed) < 0)
		atomic_store(&feed->ticking, false);
}

int ml_metrics_feed_start(struct ml_engine *engine, void **ret_service, struct ml_error *err)
{
	struct metrics_feed *feed = calloc(1, sizeof *feed);
	*ret_service = feed;
	if (!feed)
		return ml_error_set(err, -ENOMEM, "out of memory");
	feed->engine = engine;
	feed->lane = ml_engine_lane(engine, "control");
	ml_timer_init(&feed->timer, feed->lane, tick, feed);
	atomic_init(&feed->ticking, false);
	return 0;
}

void ml_metrics_feed_stop(void *service)
{
	struct metrics_feed *feed = service;
	ml_timer_stop(&feed->timer);
	free(feed);
}
