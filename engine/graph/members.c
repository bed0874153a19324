/* Members of a graph's objects: keys that may be there, texts, names.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <meterloom/nearest.h>

#include "core/param_value.h"
#include "graph/check.h"

static bool is_known(const char *const *known, const char *key)
{
	while (*known && strcmp(*known, key) != 0)
		known++;
	return *known != NULL;
}

static void unknown_key(
	struct graph_check *check, const char *pointer, const char *key, const char *const *known)
{
	char place[ML_ERROR_POINTER_MAX], word[PARAM_SHOWN_MAX], list[120] = "";
	struct ml_nearest near;
	ml_nearest_begin(&near, key);
	for (; *known; known++) {
		const size_t used = strlen(list);
		ml_nearest_try(&near, *known);
		(void)snprintf(list + used, sizeof list - used, "%s%s", used ? ", " : "", *known);
	}
	ml_json_pointer(place, sizeof place, pointer, key);
	if (ml_nearest_name(&near))
		ml_errors_addf(check->errors, -EINVAL, place,
			"there is no key '%s' here; did you mean '%s'?", param_shown(key, word),
			ml_nearest_name(&near));
	else
		ml_errors_addf(check->errors, -EINVAL, place,
			"there is no key '%s' here, expected one of: %s", param_shown(key, word),
			list);
}

void graph_check_keys(struct graph_check *check, const json_t *object, const char *pointer,
	const char *const *known)
{
	const char *key = NULL;
	json_t *value = NULL;
	json_object_foreach((json_t *)object, key, value)
	{
		if (!is_known(known, key))
			unknown_key(check, pointer, key, known);
	}
}

void graph_wrong(struct graph_check *check, const char *pointer, const char *key,
	const json_t *value, const char *expected)
{
	char place[ML_ERROR_POINTER_MAX];
	ml_json_pointer(place, sizeof place, pointer, key);
	if (value)
		ml_errors_addf(check->errors, -EINVAL, place, "%s: found %s, expected %s", key,
			ml_json_found(value), expected);
	else
		ml_errors_addf(check->errors, -EINVAL, place, "'%s' is missing, expected %s", key,
			expected);
}

const char *graph_text(struct graph_check *check, const json_t *object, const char *pointer,
	const char *key, bool required, size_t max)
{
	const json_t *const value = json_object_get(object, key);
	if (!value && !required)
		return NULL;
	if (!json_is_string(value)) {
		graph_wrong(check, pointer, key, value, "a text");
		return NULL;
	}
	if (json_string_length(value) > max) {
		char place[ML_ERROR_POINTER_MAX];
		ml_json_pointer(place, sizeof place, pointer, key);
		ml_errors_addf(check->errors, -EINVAL, place,
			"%s: found %zu bytes of text, expected at most %zu", key,
			json_string_length(value), max);
		return NULL;
	}
	return json_string_value(value);
}

bool graph_check_name(
	struct graph_check *check, const char *pointer, const char *key, const char *name)
{
	const size_t length = strlen(name);
	const size_t good = strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
					 "0123456789-_");
	if (length > 0 && good == length && length <= ML_NODE_ID_MAX && name[0] != '-')
		return true;
	char place[ML_ERROR_POINTER_MAX], word[PARAM_SHOWN_MAX];
	ml_json_pointer(place, sizeof place, pointer, key);
	ml_errors_addf(check->errors, -EINVAL, place,
		"%s: found '%s', expected 1 to %d letters (a-z), digits, '-' or '_'", key,
		param_shown(name, word), ML_NODE_ID_MAX);
	return false;
}
