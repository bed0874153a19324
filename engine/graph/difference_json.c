/* A difference as JSON, and its end.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdlib.h>
#include <string.h>

#include "graph/difference.h"

void ml_difference_free_values(struct ml_difference_item *item)
{
	for (size_t i = 0; i < item->value_count; i++) {
		free(item->values[i].pointer);
		free(item->values[i].from);
		free(item->values[i].to);
	}
	free(item->values);
	item->values = NULL;
	item->value_count = 0;
}

static void free_items(struct ml_difference_items *items)
{
	for (size_t i = 0; i < items->count; i++) {
		free(items->items[i].name);
		ml_difference_free_values(&items->items[i]);
	}
	free(items->items);
}

void ml_difference_free(struct ml_difference *difference)
{
	free_items(&difference->nodes);
	free_items(&difference->edges);
	ml_difference_free_values(&difference->graph);
	*difference = (struct ml_difference){0};
}

static void write_text(struct ml_json_writer *w, const char *key, const char *json)
{
	if (!json)
		return;
	ml_json_key(w, key);
	ml_json_raw(w, json, strlen(json));
}

static void write_values(const struct ml_difference_item *item, struct ml_json_writer *w)
{
	ml_json_begin_array(w);
	for (size_t i = 0; i < item->value_count; i++) {
		ml_json_begin_object(w);
		ml_json_key(w, "pointer");
		ml_json_string(w, item->values[i].pointer);
		write_text(w, "from", item->values[i].from);
		write_text(w, "to", item->values[i].to);
		ml_json_end_object(w);
	}
	ml_json_end_array(w);
}

static void write_names(const struct ml_difference_items *items, unsigned change, const char *key,
	struct ml_json_writer *w)
{
	ml_json_key(w, key);
	ml_json_begin_array(w);
	for (size_t i = 0; i < items->count; i++) {
		if (items->items[i].changes & change)
			ml_json_string(w, items->items[i].name);
	}
	ml_json_end_array(w);
}

static void write_changed(
	const struct ml_difference_items *items, const char *name_key, struct ml_json_writer *w)
{
	ml_json_key(w, "changed");
	ml_json_begin_array(w);
	for (size_t i = 0; i < items->count; i++) {
		const struct ml_difference_item *const item = &items->items[i];
		if (!(item->changes & ML_CHANGE_CHANGED))
			continue;
		ml_json_begin_object(w);
		ml_json_key(w, name_key);
		ml_json_string(w, item->name);
		ml_json_key(w, "values");
		write_values(item, w);
		ml_json_end_object(w);
	}
	ml_json_end_array(w);
}

void ml_difference_to_json(const struct ml_difference *difference, struct ml_json_writer *w)
{
	ml_json_begin_object(w);
	ml_json_key(w, "runs");
	ml_json_bool(w, difference->runs);
	ml_json_key(w, "nodes");
	ml_json_begin_object(w);
	write_names(&difference->nodes, ML_CHANGE_ADDED, "added", w);
	write_names(&difference->nodes, ML_CHANGE_REMOVED, "removed", w);
	write_changed(&difference->nodes, "id", w);
	write_names(&difference->nodes, ML_CHANGE_REWIRED, "rewired", w);
	write_names(&difference->nodes, ML_CHANGE_MOVED, "moved", w);
	write_names(&difference->nodes, ML_CHANGE_REMARKED, "remarked", w);
	ml_json_end_object(w);
	ml_json_key(w, "edges");
	ml_json_begin_object(w);
	write_names(&difference->edges, ML_CHANGE_ADDED, "added", w);
	write_names(&difference->edges, ML_CHANGE_REMOVED, "removed", w);
	write_changed(&difference->edges, "edge", w);
	ml_json_end_object(w);
	ml_json_key(w, "graph");
	write_values(&difference->graph, w);
	ml_json_end_object(w);
}

int ml_difference_write(const struct ml_family *const *families, const char *from,
	size_t from_length, const char *to, size_t to_length, struct ml_json_writer *w,
	struct ml_error *err)
{
	struct ml_difference difference;
	const int result =
		ml_difference_make(families, from, from_length, to, to_length, &difference, err);
	if (result == 0)
		ml_difference_to_json(&difference, w);
	ml_difference_free(&difference);
	return result;
}
