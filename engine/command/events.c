/* Events: the catalogue, the last of what happened in a ring, what was before from log.db.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "command/events.h"

#include <errno.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <meterloom/family.h>
#include <meterloom/feed.h>
#include <meterloom/wall.h>

#include "command/log_keeper.h"

struct kept {
	const struct ml_event_class *class;
	uint64_t id;
	ml_time time; /* as it was stamped */
	char *json;   /* owned */
	size_t length;
};

struct ml_events {
	struct ml_engine *engine;
	const struct ml_event_class **classes; /* sorted by code; owned */
	size_t class_count;
	pthread_mutex_t lock;
	struct kept ring[ML_EVENTS_KEPT];
	size_t begin, count;
	uint64_t last_id;
};

struct argument {
	const char *name, *text;
};

static int by_code(const void *a, const void *b)
{
	const struct ml_event_class *const *left = a, *const *right = b;
	return strcmp((*left)->code, (*right)->code);
}

static int gather(
	struct ml_events *events, const struct ml_family *const *families, struct ml_error *err)
{
	size_t count = 0;
	for (size_t i = 0; families && families[i]; i++) {
		const struct ml_event_class *class = families[i]->events;
		for (; class && class->code; class ++)
			count++;
	}
	events->classes = calloc(count + 1, sizeof(struct ml_event_class *));
	if (!events->classes)
		return ml_error_set(err, -ENOMEM, "out of memory");
	for (size_t i = 0; families && families[i]; i++) {
		const struct ml_event_class *class = families[i]->events;
		for (; class && class->code; class ++)
			events->classes[events->class_count++] = class;
	}
	qsort(events->classes, count, sizeof(struct ml_event_class *), by_code);
	for (size_t i = 1; i < count; i++) {
		if (by_code(&events->classes[i - 1], &events->classes[i]) == 0)
			return ml_error_set(err, -EEXIST, "event '%s' is declared twice",
				events->classes[i]->code);
	}
	return 0;
}

int ml_events_new(struct ml_engine *engine, const struct ml_family *const *families,
	struct ml_events **ret_events, struct ml_error *err)
{
	*ret_events = NULL;
	struct ml_events *events = calloc(1, sizeof *events);
	if (!events)
		return ml_error_set(err, -ENOMEM, "out of memory");
	events->engine = engine;
	(void)pthread_mutex_init(&events->lock, NULL);
	const int r = gather(events, families, err);
	if (r < 0) {
		ml_events_free(events);
		return r;
	}
	*ret_events = events;
	return 0;
}

void ml_events_free(struct ml_events *events)
{
	if (!events)
		return;
	for (size_t i = 0; i < events->count; i++)
		free(events->ring[(events->begin + i) % ML_EVENTS_KEPT].json);
	(void)pthread_mutex_destroy(&events->lock);
	free(events->classes);
	free(events);
}

static const struct ml_event_class *find(const struct ml_events *events, const char *code)
{
	const struct ml_event_class key = {.code = code}, *key_at = &key;
	const struct ml_event_class *const *found = bsearch(&key_at, events->classes,
		events->class_count, sizeof(struct ml_event_class *), by_code);
	return found ? *found : NULL;
}

/* "Meter {meter} did not answer" with the arguments put in; a name that was not given stays as it
 * is. */
static void fill_in(
	struct ml_buffer *out, const char *text, const struct argument *arguments, size_t count)
{
	while (*text) {
		const size_t plain = strcspn(text, "{");
		ml_buffer_append(out, text, plain);
		text += plain;
		const char *close = *text ? strchr(text, '}') : NULL;
		if (!close) {
			ml_buffer_append(out, text, strlen(text));
			return;
		}
		const size_t length = (size_t)(close - text) - 1;
		size_t i = 0;
		while (i < count && (strlen(arguments[i].name) != length ||
					    memcmp(arguments[i].name, text + 1, length) != 0))
			i++;
		if (i < count)
			ml_buffer_append(out, arguments[i].text,
				strnlen(arguments[i].text, ML_EVENT_ARGUMENT_MAX));
		else
			ml_buffer_append(out, text, length + 2);
		text = close + 1;
	}
}

struct raised {
	const struct ml_event_class *class;
	const char *place, *text;
	struct argument arguments[ML_EVENT_ARGUMENTS_MAX];
	size_t count;
	ml_time time;
};

static void write_event(const struct raised *raised, uint64_t id, struct ml_json_writer *w)
{
	char time[ML_TIME_TEXT_MAX];
	ml_json_begin_object(w);
	ml_json_key(w, "id");
	ml_json_unsigned(w, id);
	ml_json_key(w, "time");
	ml_json_string_n(w, time, ml_time_format(raised->time, time));
	ml_json_key(w, "code");
	ml_json_string(w, raised->class->code);
	ml_json_key(w, "severity");
	ml_json_string(w, ml_log_level_name(raised->class->severity));
	ml_json_key(w, "place");
	ml_json_string(w, raised->place);
	ml_json_key(w, "text");
	ml_json_string(w, raised->text);
	ml_json_key(w, "advice");
	ml_json_string(w, raised->class->advice);
	ml_json_key(w, "arguments");
	ml_json_begin_object(w);
	for (size_t i = 0; i < raised->count; i++) {
		ml_json_key(w, raised->arguments[i].name);
		ml_json_string_n(w, raised->arguments[i].text,
			strnlen(raised->arguments[i].text, ML_EVENT_ARGUMENT_MAX));
	}
	ml_json_end_object(w);
	ml_json_end_object(w);
}

/* Keeps the text in the place of the oldest, and publishes it in the order of the numbers. */
static void keep(struct ml_events *events, const struct raised *raised)
{
	struct ml_buffer json = {0};
	struct ml_json_writer w;
	ml_json_writer_init(&w, &json);
	(void)pthread_mutex_lock(&events->lock);
	write_event(raised, ++events->last_id, &w);
	if (json.failed) {
		(void)pthread_mutex_unlock(&events->lock);
		ml_buffer_free(&json);
		return;
	}
	struct kept *place = &events->ring[(events->begin + events->count) % ML_EVENTS_KEPT];
	if (events->count == ML_EVENTS_KEPT) {
		free(place->json);
		events->begin = (events->begin + 1) % ML_EVENTS_KEPT;
	} else {
		events->count++;
	}
	*place =
		(struct kept){raised->class, events->last_id, raised->time, json.data, json.length};
	ml_log_keeper_event(events->engine, events->last_id, raised->time, raised->class->severity,
		raised->class->code, json.data, json.length);
	ml_feed_publish(events->engine, "event", json.data, json.length);
	(void)pthread_mutex_unlock(&events->lock);
}

void ml_event_raise(struct ml_engine *engine, const char *code, const char *place, ...)
{
	struct ml_events *events = ml_engine_events(engine);
	struct ml_log *log = ml_engine_log(engine);
	struct raised raised = {.class = find(events, code), .place = place};
	if (!raised.class) {
		ml_log(log, ML_LOG_ERROR, place, "event '%s' is in no catalogue", code);
		return;
	}
	va_list list;
	va_start(list, place);
	for (const char *name; (name = va_arg(list, const char *));) {
		const char *text = va_arg(list, const char *);
		if (raised.count < ML_EVENT_ARGUMENTS_MAX)
			raised.arguments[raised.count++] =
				(struct argument){name, text ? text : ""};
	}
	va_end(list);
	struct ml_buffer text = {0};
	fill_in(&text, raised.class->text, raised.arguments, raised.count);
	raised.text = text.data && !text.failed ? text.data : raised.class->text;
	raised.time = ml_clock_wall(ml_engine_clock(engine));
	ml_log(log, raised.class->severity, place, "%s", raised.text);
	keep(events, &raised);
	ml_buffer_free(&text);
}

void ml_events_skip(struct ml_events *events, uint64_t count)
{
	(void)pthread_mutex_lock(&events->lock);
	events->last_id += count;
	(void)pthread_mutex_unlock(&events->lock);
}

/* ---- Listing ---- */

struct listing {
	struct ml_events *events;
	const struct ml_event_filter *filter;
	struct ml_json_writer *w;
	size_t left;
	uint64_t below; /* numbers that were not looked at yet */
};

static bool fits(const struct ml_event_filter *filter, uint64_t id, enum ml_log_level severity,
	const char *code, ml_time time)
{
	return id < filter->before && severity >= filter->severity && time >= filter->from &&
	       time <= filter->to && (!filter->code || strcmp(code, filter->code) == 0);
}

/* The JSON of an event with the time that it has by now: the clock may have been set since. */
static void write_kept(
	struct ml_json_writer *w, const char *json, size_t length, ml_time time, bool uncertain)
{
	static const char before[] = "\"time\":\"";
	char text[ML_TIME_TEXT_MAX];
	struct ml_buffer copy = {0};
	const size_t size = ml_time_format(time, text);
	ml_buffer_append(&copy, json, length);
	char *at = copy.failed ? NULL : strstr(copy.data, before);
	if (at && strlen(at) > sizeof before - 1 + size)
		memcpy(at + sizeof before - 1, text, size);
	if (uncertain && !copy.failed && copy.length > 0) {
		static const char mark[] = ",\"uncertain\":true}";
		copy.length--;
		ml_buffer_append(&copy, mark, sizeof mark - 1);
	}
	if (!copy.failed)
		ml_json_raw(w, copy.data, copy.length);
	ml_buffer_free(&copy);
}

static void list_ring(struct listing *list)
{
	struct ml_events *events = list->events;
	(void)pthread_mutex_lock(&events->lock);
	for (size_t i = events->count; i > 0 && list->left > 0; i--) {
		const struct kept *kept = &events->ring[(events->begin + i - 1) % ML_EVENTS_KEPT];
		ml_time time = kept->time;
		const bool right = ml_wall_settle(events->engine, &time, NULL);
		if (kept->id < list->below)
			list->below = kept->id;
		if (!fits(list->filter, kept->id, kept->class->severity, kept->class->code, time))
			continue;
		write_kept(list->w, kept->json, kept->length, time, !right);
		list->left--;
	}
	(void)pthread_mutex_unlock(&events->lock);
}

static bool list_row(const struct ml_log_row *row, void *user)
{
	struct listing *list = user;
	if (fits(list->filter, row->number, row->level, row->origin, row->time)) {
		write_kept(list->w, row->text, row->text_length, row->time, row->uncertain);
		list->left--;
	}
	return list->left > 0;
}

void ml_events_list(
	struct ml_events *events, const struct ml_event_filter *filter, struct ml_json_writer *w)
{
	struct listing list = {events, filter, w, filter->limit, filter->before};
	ml_json_begin_array(w);
	list_ring(&list);
	if (list.left > 0)
		ml_log_keeper_scan(events->engine, ML_LOG_EVENTS, list.below, list_row, &list);
	ml_json_end_array(w);
}

void ml_events_catalogue(const struct ml_events *events, struct ml_json_writer *w)
{
	ml_json_begin_array(w);
	for (size_t i = 0; i < events->class_count; i++) {
		const struct ml_event_class *class = events->classes[i];
		ml_json_begin_object(w);
		ml_json_key(w, "code");
		ml_json_string(w, class->code);
		ml_json_key(w, "severity");
		ml_json_string(w, ml_log_level_name(class->severity));
		ml_json_key(w, "text");
		ml_json_string(w, class->text);
		ml_json_key(w, "advice");
		ml_json_string(w, class->advice);
		ml_json_end_object(w);
	}
	ml_json_end_array(w);
}
