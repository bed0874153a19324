/* Feeds: bounded queues of live data, one for each watcher.
 * SPDX-License-Identifier: Apache-2.0
 *
 * One lock guards the list of feeds and all queues: what is published is small and rare beside what
 * moves along the edges. Where nobody watches, a publisher sees a zero and no lock.
 */
#include "command/feeds.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include <meterloom/error.h>
#include <meterloom/node.h>

struct entry {
	char *json; /* owned */
	size_t length;
	uint64_t lost; /* just before it */
	size_t topic;  /* place in the feed's topics */
};

struct ml_feed {
	struct ml_feeds *feeds;
	struct ml_feed *prev, *next;
	struct ml_lane *lane;
	void (*wake)(void *user);
	void *user;
	char *text;    /* owned: the topics, each ended by a NUL */
	char **topics; /* owned: into `text` */
	size_t topic_count;
	struct entry *ring; /* owned */
	size_t depth, begin, count, bytes;
	uint64_t lost;    /* since the last that was queued */
	unsigned holders; /* the subscriber, a posted wake */
	bool posted;
	bool closed; /* nobody takes from it any more; listed until its wake has come */
};

struct ml_feeds {
	struct ml_engine *engine;
	int log; /* our subscription to the log; negative: none */
	void (*changed)(void *user);
	void *user;
	pthread_mutex_t lock;
	struct ml_feed *first;
	atomic_size_t count;
	atomic_ullong generation;
};

static void feed_free(struct ml_feed *feed)
{
	for (; feed->count > 0; feed->count--) {
		free(feed->ring[feed->begin].json);
		feed->begin = (feed->begin + 1) % feed->depth;
	}
	free(feed->ring);
	free(feed->topics);
	free(feed->text);
	free(feed);
}

/* With the lock held. */
static void let_go(struct ml_feed *feed)
{
	if (--feed->holders > 0)
		return;
	*(feed->prev ? &feed->prev->next : &feed->feeds->first) = feed->next;
	if (feed->next)
		feed->next->prev = feed->prev;
	feed_free(feed);
}

/* The place of a topic among a feed's, or their count. */
static size_t find_topic(const struct ml_feed *feed, const char *topic)
{
	size_t i = 0;
	while (i < feed->topic_count && strcmp(feed->topics[i], topic) != 0)
		i++;
	return feed->closed ? feed->topic_count : i;
}

static bool feeds_want(struct ml_feeds *feeds, const char *topic)
{
	if (atomic_load_explicit(&feeds->count, memory_order_relaxed) == 0)
		return false;
	bool wanted = false;
	(void)pthread_mutex_lock(&feeds->lock);
	for (const struct ml_feed *feed = feeds->first; feed && !wanted; feed = feed->next)
		wanted = find_topic(feed, topic) < feed->topic_count;
	(void)pthread_mutex_unlock(&feeds->lock);
	return wanted;
}

/* On the feed's lane. */
static void call_wake(void *user)
{
	struct ml_feed *feed = user;
	struct ml_feeds *feeds = feed->feeds;
	(void)pthread_mutex_lock(&feeds->lock);
	feed->posted = false;
	void (*wake)(void *user) = feed->closed ? NULL : feed->wake;
	let_go(feed);
	(void)pthread_mutex_unlock(&feeds->lock);
	if (wake)
		wake(feed->user);
}

/* With the lock held. */
static void push(struct ml_feed *feed, size_t topic, const char *json, size_t length)
{
	char *copy = NULL;
	if (feed->count < feed->depth && feed->bytes + length <= ML_FEED_BYTES_MAX)
		copy = malloc(length + 1);
	if (!copy) {
		feed->lost++;
		return;
	}
	memcpy(copy, json, length);
	copy[length] = '\0';
	feed->ring[(feed->begin + feed->count) % feed->depth] =
		(struct entry){.json = copy, .length = length, .lost = feed->lost, .topic = topic};
	feed->lost = 0;
	feed->bytes += length;
	feed->count++;
	if (feed->count > 1 || feed->posted)
		return;
	feed->posted = true;
	feed->holders++;
	if (ml_lane_post(feed->lane, call_wake, feed) < 0) {
		feed->posted = false;
		feed->holders--;
	}
}

static void publish(struct ml_feeds *feeds, const char *topic, const char *json, size_t length)
{
	if (atomic_load_explicit(&feeds->count, memory_order_relaxed) == 0)
		return;
	(void)pthread_mutex_lock(&feeds->lock);
	for (struct ml_feed *feed = feeds->first; feed; feed = feed->next) {
		const size_t place = find_topic(feed, topic);
		if (place < feed->topic_count)
			push(feed, place, json, length);
	}
	(void)pthread_mutex_unlock(&feeds->lock);
}

/* Under the log's lock; publishing logs nothing. */
static void publish_log(const struct ml_log_entry *entry, void *context)
{
	struct ml_feeds *feeds = context;
	if (!feeds_want(feeds, "log"))
		return;
	struct ml_buffer text = {0};
	struct ml_json_writer w;
	ml_json_writer_init(&w, &text);
	ml_log_write_json(entry, &w);
	if (!text.failed)
		publish(feeds, "log", text.data, text.length);
	ml_buffer_free(&text);
}

int ml_feeds_new(struct ml_engine *engine, void (*changed)(void *user), void *user,
	struct ml_feeds **ret_feeds, struct ml_error *err)
{
	struct ml_feeds *feeds = calloc(1, sizeof *feeds);
	*ret_feeds = feeds;
	if (!feeds)
		return ml_error_set(err, -ENOMEM, "out of memory");
	feeds->changed = changed;
	feeds->user = user;
	(void)pthread_mutex_init(&feeds->lock, NULL);
	atomic_init(&feeds->count, 0);
	atomic_init(&feeds->generation, 1);
	feeds->engine = engine;
	struct ml_log *log = ml_engine_log(engine);
	feeds->log = log ? ml_log_subscribe(log, ML_LOG_DEBUG, publish_log, feeds) : -1;
	return 0;
}

void ml_feeds_free(struct ml_feeds *feeds)
{
	if (!feeds)
		return;
	if (feeds->log >= 0)
		ml_log_unsubscribe(ml_engine_log(feeds->engine), feeds->log);
	for (struct ml_feed *feed = feeds->first, *next; feed; feed = next) {
		next = feed->next;
		feed_free(feed);
	}
	(void)pthread_mutex_destroy(&feeds->lock);
	free(feeds);
}

uint64_t ml_feeds_generation(const struct ml_feeds *feeds)
{
	return atomic_load_explicit(&feeds->generation, memory_order_acquire);
}

static void topics_changed(struct ml_feeds *feeds)
{
	(void)atomic_fetch_add_explicit(&feeds->generation, 1, memory_order_acq_rel);
	if (feeds->changed)
		feeds->changed(feeds->user);
}

static bool split_topics(struct ml_feed *feed, const char *topics)
{
	feed->text = strdup(topics);
	feed->topics = calloc(ML_FEED_TOPICS_MAX, sizeof *feed->topics);
	if (!feed->text || !feed->topics)
		return false;
	char *rest = NULL;
	for (char *topic = strtok_r(feed->text, ",", &rest); topic;
		topic = strtok_r(NULL, ",", &rest)) {
		if (feed->topic_count == ML_FEED_TOPICS_MAX)
			return false;
		feed->topics[feed->topic_count++] = topic;
	}
	return true;
}

struct ml_feed *ml_feed_subscribe(struct ml_engine *engine, const char *topics, size_t depth,
	struct ml_lane *lane, void (*wake)(void *user), void *user)
{
	struct ml_feeds *feeds = ml_engine_feeds(engine);
	struct ml_feed *feed = calloc(1, sizeof *feed);
	if (!feed)
		return NULL;
	feed->feeds = feeds;
	feed->lane = lane;
	feed->wake = wake;
	feed->user = user;
	feed->depth = depth ? depth : 1;
	feed->holders = 1;
	feed->ring = calloc(feed->depth, sizeof *feed->ring);
	if (!feed->ring || !split_topics(feed, topics)) {
		feed_free(feed);
		return NULL;
	}
	(void)pthread_mutex_lock(&feeds->lock);
	feed->next = feeds->first;
	if (feed->next)
		feed->next->prev = feed;
	feeds->first = feed;
	(void)atomic_fetch_add(&feeds->count, 1);
	(void)pthread_mutex_unlock(&feeds->lock);
	topics_changed(feeds);
	return feed;
}

void ml_feed_unsubscribe(struct ml_feed *feed)
{
	if (!feed)
		return;
	struct ml_feeds *feeds = feed->feeds;
	(void)pthread_mutex_lock(&feeds->lock);
	feed->closed = true;
	let_go(feed);
	(void)atomic_fetch_sub(&feeds->count, 1);
	(void)pthread_mutex_unlock(&feeds->lock);
	topics_changed(feeds);
}

bool ml_feed_wanted(struct ml_engine *engine, const char *topic)
{
	return feeds_want(ml_engine_feeds(engine), topic);
}

void ml_feed_publish(struct ml_engine *engine, const char *topic, const char *json, size_t length)
{
	publish(ml_engine_feeds(engine), topic, json, length);
}

bool ml_feed_take(struct ml_feed *feed, struct ml_feed_item *item)
{
	struct ml_feeds *feeds = feed->feeds;
	(void)pthread_mutex_lock(&feeds->lock);
	const bool some = feed->count > 0;
	if (some) {
		const struct entry *entry = &feed->ring[feed->begin];
		(void)snprintf(item->topic, sizeof item->topic, "%s", feed->topics[entry->topic]);
		item->json = entry->json;
		item->length = entry->length;
		item->lost = entry->lost;
		feed->bytes -= entry->length;
		feed->begin = (feed->begin + 1) % feed->depth;
		feed->count--;
	}
	(void)pthread_mutex_unlock(&feeds->lock);
	return some;
}
