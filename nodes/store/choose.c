/* Whose readings are meant: from what a person gives to devices of the store.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "store/choose.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* `point` NULL: it is in the list no more. */
static size_t choose_point(const struct store_source *sources, size_t count, uint32_t key,
	const struct meter_point *point, int64_t *devices)
{
	size_t chosen = 0;
	for (size_t i = 0; i < count; i++) {
		const struct store_source *source = &sources[i];
		bool is = source->point == key;
		for (size_t d = 0; point && !source->point && d < point->device_count; d++)
			is = is || (source->has_identity && meter_identity_equal(source->identity,
								    point->devices[d].identity));
		if (is)
			devices[chosen++] = source->key;
	}
	return chosen;
}

static void append_candidate(char *names, size_t size, struct meter_identity identity)
{
	const size_t used = strlen(names);
	char text[METER_SECONDARY_TEXT_MAX];
	meter_secondary_format(identity, text);
	(void)snprintf(names + used, size - used, "%s%s", used ? ", " : "", text);
}

/* A meter that is not in the list, by its id. */
static int choose_id(const struct store_source *sources, size_t count, const char *text,
	int64_t *devices, size_t *ret_count, struct ml_error *err)
{
	struct meter_identity address;
	const struct meter_identity *first = NULL;
	char names[160] = "";
	bool several = false;
	if (meter_secondary_parse(text, strlen(text), &address, NULL) < 0)
		return -ENOENT;
	for (size_t i = 0; i < count; i++) {
		const struct store_source *source = &sources[i];
		if (!source->has_identity || !meter_identity_matches(source->identity, address))
			continue;
		devices[(*ret_count)++] = source->key;
		if (!first || !meter_identity_equal(*first, source->identity))
			append_candidate(names, sizeof names, source->identity);
		several = several || (first && !meter_identity_equal(*first, source->identity));
		first = first ? first : &source->identity;
	}
	if (several)
		return ml_error_set(
			err, -EEXIST, "\"%.40s\" is not unique in the store: %s", text, names);
	return first ? 0 : -ENOENT;
}

int store_choose_meter(struct ml_engine *engine, const struct store_source *sources, size_t count,
	const char *text, int64_t *devices, size_t *ret_count, struct ml_error *err)
{
	struct meter_list *list = meter_list(engine);
	const struct meter_snapshot *snapshot = list ? meter_list_snapshot(list) : NULL;
	const struct meter_point *point = NULL;
	struct ml_error unknown = ML_ERROR_NONE, told = ML_ERROR_NONE;
	int result =
		snapshot ? meter_snapshot_find_one(snapshot, text, strlen(text), &point, &unknown)
			 : -ENOENT;
	*ret_count = 0;
	if (result == 0)
		*ret_count = choose_point(sources, count, point->key, point, devices);
	else if (result == -ENOENT)
		result = choose_id(sources, count, text, devices, ret_count, &told);
	if (result < 0 && told.code == 0)
		told = unknown;
	if (result < 0 && told.code == 0)
		ml_error_set(&told, result, "no readings of a meter \"%.40s\"", text);
	if (result < 0 && err)
		*err = told;
	meter_snapshot_release(snapshot);
	return result;
}

size_t store_choose_point(struct meter_list *list, const struct store_source *sources, size_t count,
	uint32_t point, int64_t *devices)
{
	const struct meter_snapshot *snapshot = list ? meter_list_snapshot(list) : NULL;
	const size_t chosen = choose_point(sources, count, point,
		snapshot ? meter_snapshot_point(snapshot, point) : NULL, devices);
	meter_snapshot_release(snapshot);
	return chosen;
}

size_t store_choose_identity(const struct store_source *sources, size_t count,
	struct meter_identity identity, int64_t *devices)
{
	size_t chosen = 0;
	for (size_t i = 0; i < count; i++)
		if (sources[i].has_identity && meter_identity_equal(sources[i].identity, identity))
			devices[chosen++] = sources[i].key;
	return chosen;
}
