/* What lies between two graphs: node by node and edge by edge.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "graph/difference.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "graph/check.h"
#include "graph/places.h"

struct side {
	json_t *root;
	struct ml_places places;
	struct ml_names nodes; /* id: place in the list */
	struct ml_names edges; /* key: place in the list */
	char **keys;           /* one an edge; owned; NULL: it cannot be made out */
	size_t key_count;
};

struct compare {
	const struct ml_family *const *families;
	struct side from, to;
	struct ml_difference *out;
	struct ml_names items; /* of nodes that differ: place in out->nodes */
	bool no_memory;
};

/* ---- Reading a side ---- */

static const char *member_text(const json_t *object, const char *key)
{
	const char *const text = json_string_value(json_object_get(object, key));
	return text ? text : "";
}

static json_t *list_of(const struct side *side, const char *key)
{
	return json_object_get(side->root, key);
}

static const struct ml_node_class *class_of(
	const struct compare *compare, const struct side *side, const char *id, size_t length)
{
	const size_t at = ml_names_find(&side->nodes, id, length);
	if (at == ML_NAMES_NONE)
		return NULL;
	return ml_node_class_find(
		compare->families, member_text(json_array_get(list_of(side, "nodes"), at), "type"));
}

/* "bus.out>decode.in" where the classes are known, else as it is written. */
static char *key_of(const struct compare *compare, const struct side *side, const json_t *edge)
{
	const char *const from = member_text(edge, "from"), *const to = member_text(edge, "to");
	const size_t from_length = strcspn(from, "."), to_length = strcspn(to, ".");
	const char *const from_port = from[from_length] ? from + from_length + 1 : "";
	const char *const to_port = to[to_length] ? to + to_length + 1 : "";
	const struct ml_node_class *const a = class_of(compare, side, from, from_length);
	const struct ml_node_class *const b = class_of(compare, side, to, to_length);
	unsigned i = 0, j = 0;
	char *key = NULL;
	if (a && b && graph_find_ports(a, from_port, b, to_port, &i, &j)) {
		char *const from_id = strndup(from, from_length);
		char *const to_id = strndup(to, to_length);
		if (from_id && to_id)
			key = graph_edge_key(from_id, a->ports[i].name, to_id, b->ports[j].name);
		free(from_id);
		free(to_id);
		return key;
	}
	const size_t size = strlen(from) + strlen(to) + sizeof ">";
	key = malloc(size);
	if (key)
		(void)snprintf(key, size, "%s>%s", from, to);
	return key;
}

static int read_side(struct compare *compare, struct side *side, const char *text, size_t length,
	struct ml_error *err)
{
	json_error_t error;
	side->root = json_loadb(text, length, 0, &error);
	if (!side->root && json_error_code(&error) != json_error_out_of_memory)
		return ml_error_set(
			err, -EINVAL, "a graph is not JSON: line %d: %s", error.line, error.text);
	if (side->root && !json_is_object(side->root))
		return ml_error_set(err, -EINVAL, "a graph is not an object");
	const size_t nodes = json_array_size(list_of(side, "nodes"));
	const size_t edges = json_array_size(list_of(side, "edges"));
	side->keys = calloc(edges + 1, sizeof *side->keys);
	if (!side->root || !side->keys || ml_places_scan(&side->places, text, length) != 0 ||
		!ml_names_init(&side->nodes, nodes) || !ml_names_init(&side->edges, edges))
		return ml_error_set(err, -ENOMEM, "out of memory");
	for (size_t i = 0; i < nodes; i++) {
		const char *const id = member_text(json_array_get(list_of(side, "nodes"), i), "id");
		(void)ml_names_add(&side->nodes, id, i, &compare->no_memory);
	}
	for (; side->key_count < edges && !compare->no_memory; side->key_count++) {
		const size_t i = side->key_count;
		side->keys[i] = key_of(compare, side, json_array_get(list_of(side, "edges"), i));
		if (side->keys[i])
			(void)ml_names_add(&side->edges, side->keys[i], i, &compare->no_memory);
		compare->no_memory |= !side->keys[i];
	}
	return compare->no_memory ? ml_error_set(err, -ENOMEM, "out of memory") : 0;
}

static void free_side(struct side *side)
{
	for (size_t i = 0; i < side->key_count; i++)
		free(side->keys[i]);
	free(side->keys);
	ml_names_free(&side->nodes);
	ml_names_free(&side->edges);
	ml_places_free(&side->places);
	json_decref(side->root);
}

/* ---- Collecting what differs ---- */

static struct ml_difference_item *add_item(
	struct compare *compare, struct ml_difference_items *items, const char *name, size_t length)
{
	if (items->count == items->capacity) {
		const size_t capacity = items->capacity ? items->capacity * 2 : 16;
		struct ml_difference_item *const larger =
			realloc(items->items, capacity * sizeof *larger);
		if (!larger) {
			compare->no_memory = true;
			return NULL;
		}
		items->items = larger;
		items->capacity = capacity;
	}
	struct ml_difference_item *const item = &items->items[items->count];
	*item = (struct ml_difference_item){.name = strndup(name, length)};
	if (!item->name) {
		compare->no_memory = true;
		return NULL;
	}
	items->count++;
	return item;
}

/* The item of a node, made where it has none yet. NULL: out of memory. */
static struct ml_difference_item *node_item(struct compare *compare, const char *id, size_t length)
{
	struct ml_difference_items *const nodes = &compare->out->nodes;
	const size_t at = ml_names_find(&compare->items, id, length);
	if (at != ML_NAMES_NONE)
		return &nodes->items[at];
	struct ml_difference_item *const item = add_item(compare, nodes, id, length);
	if (item)
		(void)ml_names_add(
			&compare->items, item->name, nodes->count - 1, &compare->no_memory);
	return item;
}

static void mark_node(struct compare *compare, const char *id, size_t length, unsigned change)
{
	struct ml_difference_item *const item = node_item(compare, id, length);
	if (item)
		item->changes |= change;
}

static char *text_at(
	struct compare *compare, const struct side *side, const char *pointer, const json_t *value)
{
	const char *text = NULL;
	size_t length = 0;
	if (!value || !ml_places_find(&side->places, pointer, &text, &length) ||
		length > ML_DIFFERENCE_VALUE_MAX)
		return NULL;
	char *const copy = strndup(text, length);
	compare->no_memory |= !copy;
	return copy;
}

struct pair {
	const json_t *from, *to;               /* values; NULL: not there */
	const char *from_pointer, *to_pointer; /* of the objects that hold them */
};

/* Adds the member `key` where it differs. `inside` is the part of the pointer before the key. */
static void compare_member(struct compare *compare, struct ml_difference_item *item,
	const struct pair *pair, const char *inside, const char *key)
{
	const json_t *const a = pair->from, *const b = pair->to;
	if ((!a && !b) || (a && b && json_equal(a, b)))
		return;
	struct ml_difference_value *const values =
		realloc(item->values, (item->value_count + 1) * sizeof *values);
	if (!values) {
		compare->no_memory = true;
		return;
	}
	item->values = values;
	char place[ML_ERROR_POINTER_MAX], pointer[2 * ML_ERROR_POINTER_MAX];
	ml_json_pointer(place, sizeof place, inside, key);
	struct ml_difference_value *const value = &values[item->value_count];
	*value = (struct ml_difference_value){.pointer = strdup(place)};
	if (!value->pointer) {
		compare->no_memory = true;
		return;
	}
	item->value_count++;
	(void)snprintf(pointer, sizeof pointer, "%s%s", pair->from_pointer, place);
	value->from = text_at(compare, &compare->from, pointer, a);
	(void)snprintf(pointer, sizeof pointer, "%s%s", pair->to_pointer, place);
	value->to = text_at(compare, &compare->to, pointer, b);
}

/* A member, and what holds where it is left out. */
struct member {
	const char *key; /* NULL ends the table */
	const char *preset;
};

static bool is_preset(const json_t *value, const struct member *member)
{
	switch (json_typeof(value)) {
	case JSON_STRING:
		return strcmp(json_string_value(value), member->preset) == 0;
	case JSON_INTEGER:
		return json_integer_value(value) == strtoll(member->preset, NULL, 10);
	case JSON_FALSE:
		return strcmp(member->preset, "false") == 0;
	default:
		return false;
	}
}

static void compare_members(struct compare *compare, struct ml_difference_item *item,
	const json_t *from, const json_t *to, const struct pair *place,
	const struct member *members)
{
	for (; members->key; members++) {
		struct pair pair = *place;
		pair.from = json_object_get(from, members->key);
		pair.to = json_object_get(to, members->key);
		const json_t *const alone = !pair.from ? pair.to : !pair.to ? pair.from : NULL;
		if (!alone || !is_preset(alone, members))
			compare_member(compare, item, &pair, "", members->key);
	}
}

/* ---- Nodes ---- */

static void compare_params(struct compare *compare, struct ml_difference_item *item,
	const json_t *from, const json_t *to, const struct pair *place)
{
	const char *key = NULL;
	json_t *value = NULL;
	struct pair pair = *place;
	json_object_foreach((json_t *)from, key, value)
	{
		pair.from = value;
		pair.to = json_object_get(to, key);
		compare_member(compare, item, &pair, "/params", key);
	}
	pair.from = NULL;
	json_object_foreach((json_t *)to, key, value)
	{
		pair.to = value;
		if (!json_object_get(from, key))
			compare_member(compare, item, &pair, "/params", key);
	}
}

static void compare_node(struct compare *compare, size_t from_at, size_t to_at)
{
	static const struct member members[] = {{"type", ""}, {"version", "1"}, {"lane", ""}, {0}};
	const json_t *const from = json_array_get(list_of(&compare->from, "nodes"), from_at);
	const json_t *const to = json_array_get(list_of(&compare->to, "nodes"), to_at);
	const char *const id = member_text(to, "id");
	char from_pointer[32], to_pointer[32];
	(void)snprintf(from_pointer, sizeof from_pointer, "/nodes/%zu", from_at);
	(void)snprintf(to_pointer, sizeof to_pointer, "/nodes/%zu", to_at);
	const struct pair place = {.from_pointer = from_pointer, .to_pointer = to_pointer};
	struct ml_difference_item found = {0};
	compare_members(compare, &found, from, to, &place, members);
	compare_params(compare, &found, json_object_get(from, "params"),
		json_object_get(to, "params"), &place);
	if (strcmp(member_text(from, "remark"), member_text(to, "remark")) != 0)
		mark_node(compare, id, strlen(id), ML_CHANGE_REMARKED);
	if (found.value_count == 0)
		return;
	struct ml_difference_item *const item = node_item(compare, id, strlen(id));
	if (item) {
		item->changes |= ML_CHANGE_CHANGED;
		item->values = found.values;
		item->value_count = found.value_count;
	} else {
		ml_difference_free_values(&found);
	}
}

static void compare_nodes(struct compare *compare)
{
	const json_t *const before = list_of(&compare->from, "nodes");
	const json_t *const after = list_of(&compare->to, "nodes");
	for (size_t i = 0; i < json_array_size(after) && !compare->no_memory; i++) {
		const char *const id = member_text(json_array_get(after, i), "id");
		const size_t at = ml_names_find(&compare->from.nodes, id, strlen(id));
		if (at == ML_NAMES_NONE)
			mark_node(compare, id, strlen(id), ML_CHANGE_ADDED);
		else
			compare_node(compare, at, i);
	}
	for (size_t i = 0; i < json_array_size(before) && !compare->no_memory; i++) {
		const char *const id = member_text(json_array_get(before, i), "id");
		if (ml_names_find(&compare->to.nodes, id, strlen(id)) == ML_NAMES_NONE)
			mark_node(compare, id, strlen(id), ML_CHANGE_REMOVED);
	}
}

static void compare_layout(struct compare *compare)
{
	const json_t *const from = json_object_get(compare->from.root, "layout");
	const json_t *const to = json_object_get(compare->to.root, "layout");
	const json_t *const after = list_of(&compare->to, "nodes");
	for (size_t i = 0; i < json_array_size(after) && !compare->no_memory; i++) {
		const char *const id = member_text(json_array_get(after, i), "id");
		const json_t *const a = json_object_get(from, id), *const b =
									   json_object_get(to, id);
		const bool stays =
			ml_names_find(&compare->from.nodes, id, strlen(id)) != ML_NAMES_NONE;
		if (stays && (a || b) && !(a && b && json_equal(a, b)))
			mark_node(compare, id, strlen(id), ML_CHANGE_MOVED);
	}
}

/* ---- Edges ---- */

/* Both ends of an edge, unless they came or went themselves. */
static void mark_ends(struct compare *compare, const json_t *edge)
{
	static const char *const ends[] = {"from", "to"};
	for (size_t i = 0; i < 2; i++) {
		const char *const text = member_text(edge, ends[i]);
		const size_t length = strcspn(text, ".");
		if (ml_names_find(&compare->from.nodes, text, length) != ML_NAMES_NONE &&
			ml_names_find(&compare->to.nodes, text, length) != ML_NAMES_NONE)
			mark_node(compare, text, length, ML_CHANGE_REWIRED);
	}
}

static void compare_edge(struct compare *compare, const char *key, size_t from_at, size_t to_at)
{
	static const struct member members[] = {
		{"capacity", "256"}, {"when_full", "wait"}, {"optional", "false"}, {0}};
	_Static_assert(ML_EDGE_CAPACITY == 256, "what the table says");
	const json_t *const from = json_array_get(list_of(&compare->from, "edges"), from_at);
	const json_t *const to = json_array_get(list_of(&compare->to, "edges"), to_at);
	char from_pointer[32], to_pointer[32];
	(void)snprintf(from_pointer, sizeof from_pointer, "/edges/%zu", from_at);
	(void)snprintf(to_pointer, sizeof to_pointer, "/edges/%zu", to_at);
	const struct pair place = {.from_pointer = from_pointer, .to_pointer = to_pointer};
	struct ml_difference_item found = {0};
	compare_members(compare, &found, from, to, &place, members);
	if (found.value_count == 0)
		return;
	struct ml_difference_item *const item =
		add_item(compare, &compare->out->edges, key, strlen(key));
	if (item) {
		item->changes = ML_CHANGE_CHANGED;
		item->values = found.values;
		item->value_count = found.value_count;
	} else {
		ml_difference_free_values(&found);
	}
}

static void add_edge(struct compare *compare, const struct side *side, size_t at, unsigned change)
{
	struct ml_difference_item *const item =
		add_item(compare, &compare->out->edges, side->keys[at], strlen(side->keys[at]));
	if (item)
		item->changes = change;
	mark_ends(compare, json_array_get(list_of(side, "edges"), at));
}

static void compare_edges(struct compare *compare)
{
	for (size_t i = 0; i < compare->to.key_count && !compare->no_memory; i++) {
		const char *const key = compare->to.keys[i];
		const size_t at = ml_names_find(&compare->from.edges, key, strlen(key));
		if (at == ML_NAMES_NONE)
			add_edge(compare, &compare->to, i, ML_CHANGE_ADDED);
		else
			compare_edge(compare, key, at, i);
	}
	for (size_t i = 0; i < compare->from.key_count && !compare->no_memory; i++) {
		const char *const key = compare->from.keys[i];
		if (ml_names_find(&compare->to.edges, key, strlen(key)) == ML_NAMES_NONE)
			add_edge(compare, &compare->from, i, ML_CHANGE_REMOVED);
	}
}

/* ---- The whole ---- */

static bool anything_runs(const struct ml_difference *difference)
{
	const unsigned still = ML_CHANGE_MOVED | ML_CHANGE_REMARKED;
	for (size_t i = 0; i < difference->nodes.count; i++) {
		if (difference->nodes.items[i].changes & ~still)
			return true;
	}
	return difference->edges.count > 0;
}

int ml_difference_make(const struct ml_family *const *families, const char *from,
	size_t from_length, const char *to, size_t to_length, struct ml_difference *difference,
	struct ml_error *err)
{
	static const struct member members[] = {{"name", ""}, {"remark", ""}, {0}};
	static const struct pair root = {.from_pointer = "", .to_pointer = ""};
	*difference = (struct ml_difference){0};
	struct compare compare = {.families = families, .out = difference};
	int result =
		ml_names_init(&compare.items, 16) ? 0 : ml_error_set(err, -ENOMEM, "out of memory");
	if (result == 0)
		result = read_side(&compare, &compare.from, from, from_length, err);
	if (result == 0)
		result = read_side(&compare, &compare.to, to, to_length, err);
	if (result == 0) {
		compare_members(&compare, &difference->graph, compare.from.root, compare.to.root,
			&root, members);
		compare_nodes(&compare);
		compare_layout(&compare);
		compare_edges(&compare);
		difference->runs = anything_runs(difference);
		if (compare.no_memory)
			result = ml_error_set(err, -ENOMEM, "out of memory");
	}
	free_side(&compare.from);
	free_side(&compare.to);
	ml_names_free(&compare.items);
	if (result != 0)
		ml_difference_free(difference);
	return result;
}
