/* Feeds: live data for whoever watches (pages by server-sent events, tests).
 * SPDX-License-Identifier: Apache-2.0
 *
 * Topics: "metrics", "log", "graph", "job", "event", and "tap:FROM>TO" with the edge's port names.
 * A publisher asks ml_feed_wanted() first, so that nothing is written where nobody looks.
 */
#ifndef METERLOOM_FEED_H
#define METERLOOM_FEED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct ml_engine;
struct ml_feed;
struct ml_lane;

/* Subscribes to topics (a copied list, separated by commas). Items are queued, up to `depth`, and
 * `wake` is called on `lane` when the queue is no longer empty; what does not fit is counted. */
struct ml_feed *ml_feed_subscribe(struct ml_engine *engine, const char *topics, size_t depth,
	struct ml_lane *lane, void (*wake)(void *user), void *user);
void ml_feed_unsubscribe(struct ml_feed *feed); /* on its lane; accepts NULL */

struct ml_feed_item {
	char topic[112]; /* "tap:" and the longest ids and port names fit */
	uint64_t lost;   /* how many were lost just before this one */
	size_t length;
	char *json; /* freed by the caller with free() */
};
/* On its lane. false: empty. */
bool ml_feed_take(struct ml_feed *feed, struct ml_feed_item *item);

/* Any thread. */
bool ml_feed_wanted(struct ml_engine *engine, const char *topic);
void ml_feed_publish(struct ml_engine *engine, const char *topic, const char *json, size_t length);

#endif
