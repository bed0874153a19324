/* Feeds: who watches what, and the bounded queue of each.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef ML_COMMAND_FEEDS_H
#define ML_COMMAND_FEEDS_H

#include <meterloom/engine.h>
#include <meterloom/feed.h>

struct ml_feeds;

enum {
	ML_FEED_BYTES_MAX = 4 << 20, /* waiting in one feed */
	ML_FEED_TOPICS_MAX = 64,     /* of one feed */
};

/* `changed` (may be NULL) is called on any thread after the topics that are wanted have changed; it
 * may only post or set a flag. */
int ml_feeds_new(struct ml_engine *engine, void (*changed)(void *user), void *user,
	struct ml_feeds **ret_feeds, struct ml_error *err);
/* After all lanes have ended. Feeds that are still subscribed are freed. Accepts NULL. */
void ml_feeds_free(struct ml_feeds *feeds);

/* Implemented by the engine. Any thread. */
struct ml_feeds *ml_engine_feeds(struct ml_engine *engine);

/* Counts the changes of what is wanted: who asks often keeps the last number and asks
 * ml_feed_wanted() again only after it has moved. Any thread, without a lock. */
uint64_t ml_feeds_generation(const struct ml_feeds *feeds);

#endif
