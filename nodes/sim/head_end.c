/* The head-end: its life, and what it keeps.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <meterloom/engine.h>

#include "sim/head_end_private.h"
#include "sim/meter.h"

enum { BYTES_KEPT_MAX = 64 << 20 };

/* ---- What it keeps; under the lock ---- */

struct head_end_report *head_end_find(struct head_end *h, uint64_t number)
{
	const uint64_t oldest = h->count - h->held + 1;
	if (number < oldest || number > h->count)
		return NULL;
	return &h->reports[(h->first + (size_t)(number - oldest)) % h->keep];
}

static uint64_t hash_key(const char *key)
{
	uint64_t hash = 0;
	for (; *key; key++)
		hash = sim_hash(hash, (unsigned char)*key);
	return hash;
}

bool head_end_knows(const struct head_end *h, const char *key)
{
	const uint64_t hash = hash_key(key);
	for (size_t i = 0; key[0] && i < h->key_count; i++) {
		if (h->keys[i] == hash)
			return true;
	}
	return false;
}

static void remember(struct head_end *h, const char *key)
{
	if (!key[0])
		return;
	if (h->key_count == h->key_capacity) {
		const size_t capacity = h->key_capacity ? h->key_capacity * 2 : 64;
		uint64_t *keys = realloc(h->keys, capacity * sizeof *keys);
		if (!keys)
			return;
		h->keys = keys;
		h->key_capacity = capacity;
	}
	h->keys[h->key_count++] = hash_key(key);
}

static void drop_oldest(struct head_end *h)
{
	struct head_end_report *report = &h->reports[h->first];
	h->bytes -= report->length;
	free(report->body);
	*report = (struct head_end_report){0};
	h->first = (h->first + 1) % h->keep;
	h->held--;
}

void head_end_keep(struct head_end *h, struct head_end_report *report)
{
	report->number = ++h->count;
	if (report->status >= 200 && report->status < 300 && !report->repeated) {
		h->accepted++;
		remember(h, report->key);
	}
	while (h->held > 0 && (h->held == h->keep || h->bytes + report->length > BYTES_KEPT_MAX))
		drop_oldest(h);
	h->reports[(h->first + h->held) % h->keep] = *report;
	h->held++;
	h->bytes += report->length;
	pthread_cond_broadcast(&h->change);
}

/* ---- Life ---- */

struct opening {
	struct head_end *h;
	const struct head_end_options *options;
};

static void finish(struct head_end *h, int result)
{
	pthread_mutex_lock(&h->lock);
	h->result = result;
	h->done = true;
	pthread_cond_broadcast(&h->change);
	pthread_mutex_unlock(&h->lock);
}

static void do_open(void *user)
{
	const struct opening *opening = user;
	const char *address = opening->options->address;
	finish(opening->h, head_end_open(opening->h, address ? address : "127.0.0.1",
				   opening->options->port, &opening->h->error));
}

static void do_close(void *user)
{
	head_end_close(user);
	finish(user, 0);
}

/* Runs a function on the lane and waits for its end. */
static int on_lane(struct head_end *h, void (*fn)(void *user), void *user)
{
	h->done = false;
	const int result = ml_lane_post(h->lane, fn, user);
	if (result < 0)
		return result;
	pthread_mutex_lock(&h->lock);
	while (!h->done)
		pthread_cond_wait(&h->change, &h->lock);
	pthread_mutex_unlock(&h->lock);
	return h->result;
}

static void free_head_end(struct head_end *h)
{
	while (h->held > 0)
		drop_oldest(h);
	head_end_script_free(&h->script);
	free(h->reports);
	free(h->keys);
	free(h->directory);
	free(h->user);
	free(h->password);
	pthread_cond_destroy(&h->change);
	pthread_mutex_destroy(&h->lock);
	free(h);
}

static int copy_text(const char *text, char **copy)
{
	*copy = text ? strdup(text) : NULL;
	return text && !*copy ? -ENOMEM : 0;
}

static int prepare(struct head_end *h, const struct head_end_options *o, struct ml_error *err)
{
	h->keep = o->keep ? o->keep : HEAD_END_KEEP;
	h->reports = calloc(h->keep, sizeof *h->reports);
	h->received = o->received;
	h->user_data = o->user_data;
	if (!h->reports || copy_text(o->directory, &h->directory) < 0 ||
		copy_text(o->user, &h->user) < 0 || copy_text(o->password, &h->password) < 0)
		return ml_error_set(err, -ENOMEM, "out of memory");
	if (o->directory && mkdir(o->directory, 0777) < 0 && errno != EEXIST)
		return ml_error_set(err, -errno, "the directory %s cannot be made: %s",
			o->directory, strerror(errno));
	if (o->script)
		return head_end_script_parse(o->script, &h->script, err);
	return 0;
}

int head_end_start(struct ml_engine *engine, const struct head_end_options *options,
	struct head_end **ret_head_end, struct ml_error *err)
{
	*ret_head_end = NULL;
	struct head_end *h = calloc(1, sizeof *h);
	if (!h)
		return ml_error_set(err, -ENOMEM, "out of memory");
	pthread_mutex_init(&h->lock, NULL);
	pthread_cond_init(&h->change, NULL);
	h->engine = engine;
	h->clock = ml_engine_clock(engine);
	h->error = ML_ERROR_NONE;
	int result = prepare(h, options, err);
	if (result < 0)
		goto out;
	h->lane = ml_engine_lane(engine, "head-end");
	if (!h->lane || !ml_lane_loop(h->lane)) {
		result = ml_error_set(
			err, -ENOTSUP, "a head-end needs an engine that runs on the real clock");
		goto out;
	}
	struct opening opening = {.h = h, .options = options};
	result = on_lane(h, do_open, &opening);
	if (result < 0 && err)
		*err = h->error;
out:
	if (result < 0)
		free_head_end(h);
	else
		*ret_head_end = h;
	return result;
}

void head_end_stop(struct head_end *h)
{
	if (!h)
		return;
	(void)on_lane(h, do_close, h);
	free_head_end(h);
}

uint16_t head_end_port(const struct head_end *h)
{
	return h->port;
}

/* ---- Asking ---- */

int head_end_script(struct head_end *h, const char *text, struct ml_error *err)
{
	struct head_end_script script;
	const int result = head_end_script_parse(text, &script, err);
	if (result < 0)
		return result;
	pthread_mutex_lock(&h->lock);
	struct head_end_script old = h->script;
	h->script = script;
	pthread_mutex_unlock(&h->lock);
	head_end_script_free(&old);
	return 0;
}

static uint64_t look(struct head_end *h, const uint64_t *value)
{
	pthread_mutex_lock(&h->lock);
	const uint64_t result = *value;
	pthread_mutex_unlock(&h->lock);
	return result;
}

uint64_t head_end_count(struct head_end *h)
{
	return look(h, &h->count);
}

uint64_t head_end_accepted(struct head_end *h)
{
	return look(h, &h->accepted);
}

static bool wait_for(struct head_end *h, const uint64_t *value, uint64_t least, ml_time most)
{
	const ml_time end = ml_clock_wall(h->clock) + most;
	const struct timespec until = {
		.tv_sec = (time_t)(end / ML_SEC),
		.tv_nsec = (long)(end % ML_SEC) * 1000,
	};
	int result = 0;
	pthread_mutex_lock(&h->lock);
	while (*value < least && result == 0)
		result = pthread_cond_timedwait(&h->change, &h->lock, &until);
	const bool reached = *value >= least;
	pthread_mutex_unlock(&h->lock);
	return reached;
}

bool head_end_wait(struct head_end *h, uint64_t count, ml_time most)
{
	return wait_for(h, &h->count, count, most);
}

bool head_end_wait_accepted(struct head_end *h, uint64_t count, ml_time most)
{
	return wait_for(h, &h->accepted, count, most);
}

bool head_end_get(struct head_end *h, uint64_t number, struct head_end_report *report)
{
	bool found = false;
	pthread_mutex_lock(&h->lock);
	const struct head_end_report *kept = head_end_find(h, number);
	if (kept) {
		*report = *kept;
		report->body = malloc(kept->length + 1);
		found = report->body != NULL;
	}
	if (found)
		memcpy(report->body, kept->body, kept->length + 1);
	pthread_mutex_unlock(&h->lock);
	return found;
}
