/* One parameter's value: checked by its kind and put into its field.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "param_value.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <meterloom/nearest.h>

enum { SHOWN_BYTES = PARAM_SHOWN_MAX - 4 };

static void fail(const struct param_value *in, const char *pointer, const char *format, ...)
	ML_PRINTF(3, 4);

static void fail(const struct param_value *in, const char *pointer, const char *format, ...)
{
	char text[ML_ERROR_TEXT_MAX];
	va_list args;
	va_start(args, format);
	(void)vsnprintf(text, sizeof text, format, args);
	va_end(args);
	ml_errors_addf(in->errors, -EINVAL, pointer ? pointer : in->pointer, "%s%s: %s", in->place,
		in->param->name, text);
}

static int out_of_memory(const struct param_value *in)
{
	ml_errors_addf(in->errors, -ENOMEM, in->pointer, "out of memory");
	return -ENOMEM;
}

const char *param_shown(const char *text, char out[PARAM_SHOWN_MAX])
{
	size_t length = strlen(text);
	const bool cut = length > SHOWN_BYTES;
	if (cut) {
		length = SHOWN_BYTES;
		while (length > 0 && ((unsigned char)text[length] & 0xC0) == 0x80)
			length--;
	}
	for (size_t i = 0; i < length; i++)
		out[i] = (unsigned char)text[i] < ' ' || text[i] == 0x7F ? '?' : text[i];
	memcpy(out + length, cut ? "…" : "", cut ? sizeof "…" : 1);
	return out;
}

const char *ml_json_found(const json_t *value)
{
	switch (json_typeof(value)) {
	case JSON_OBJECT:
		return "an object";
	case JSON_ARRAY:
		return "a list";
	case JSON_STRING:
		return "a text";
	case JSON_INTEGER:
		return "an integer";
	case JSON_REAL:
		return "a number with decimals";
	case JSON_TRUE:
		return "true";
	case JSON_FALSE:
		return "false";
	case JSON_NULL:
	default:
		return "null";
	}
}

static int wrong_type(const struct param_value *in, const char *expected)
{
	fail(in, NULL, "found %s, expected %s", ml_json_found(in->value), expected);
	return -EINVAL;
}

/* "expected 300 to 38400 Bd" */
static void out_of_range(const struct param_value *in, const char *pointer, const char *value)
{
	const struct ml_param *const param = in->param;
	int64_t min = 0, max = 0;
	(void)param_bounds(param, &min, &max);
	const char *const space = param->unit ? " " : "";
	const char *const unit = param->unit ? param->unit : "";
	if (max == INT64_MAX)
		fail(in, pointer, "found %s, expected %" PRId64 "%s%s or more", value, min, space,
			unit);
	else
		fail(in, pointer, "found %s, expected %" PRId64 " to %" PRId64 "%s%s", value, min,
			max, space, unit);
}

static bool in_bounds(const struct ml_param *param, struct ml_decimal value)
{
	int64_t min = 0, max = 0;
	if (!param_bounds(param, &min, &max))
		return true;
	return ml_decimal_compare(value, (struct ml_decimal){.mantissa = min}) >= 0 &&
	       (max == INT64_MAX ||
		       ml_decimal_compare(value, (struct ml_decimal){.mantissa = max}) <= 0);
}

static int read_integer(const struct param_value *in, int64_t *field)
{
	if (!json_is_integer(in->value))
		return wrong_type(in, "an integer");
	const int64_t value = json_integer_value(in->value);
	if (!in_bounds(in->param, (struct ml_decimal){.mantissa = value})) {
		char text[24];
		(void)snprintf(text, sizeof text, "%" PRId64, value);
		out_of_range(in, NULL, text);
		return -EINVAL;
	}
	if (field)
		*field = value;
	return 0;
}

static bool same_number(const char *text, size_t length, const json_t *value)
{
	json_t *const parsed = json_loadb(text, length, JSON_DECODE_ANY, NULL);
	const bool same = json_is_real(parsed) && json_real_value(parsed) == json_real_value(value);
	json_decref(parsed);
	return same;
}

/* The text of a number with decimals: its own where the document still says the same (a migration
 * may have changed the value), else the shortest that means it. Returns the length, 0: out of
 * memory. */
static size_t number_text(const struct param_value *in, const char **text, char buffer[64])
{
	struct ml_json_place place;
	const size_t base = in->base ? strlen(in->base) : 0;
	if (in->text && strncmp(in->pointer, in->base ? in->base : "", base) == 0 &&
		ml_json_locate(in->text, in->length, in->pointer + base, &place) == 0 &&
		same_number(in->text + place.begin, place.end - place.begin, in->value)) {
		*text = in->text + place.begin;
		return place.end - place.begin;
	}
	for (size_t digits = 15; digits <= 17; digits++) {
		const size_t length = json_dumpb(
			in->value, buffer, 64, JSON_ENCODE_ANY | JSON_REAL_PRECISION(digits));
		*text = buffer;
		if (length > 0 && length <= 64 && same_number(buffer, length, in->value))
			return length;
	}
	return 0;
}

static int to_decimal(const struct param_value *in, struct ml_decimal *value)
{
	if (json_is_integer(in->value)) {
		*value = (struct ml_decimal){.mantissa = json_integer_value(in->value)};
		return 0;
	}
	if (!json_is_real(in->value))
		return wrong_type(in, "a number");
	const char *text = NULL;
	char buffer[64];
	const size_t length = number_text(in, &text, buffer);
	if (length == 0)
		return out_of_memory(in);
	struct ml_error err = ML_ERROR_NONE;
	if (ml_decimal_parse(text, length, value, &err) != 0) {
		fail(in, NULL, "%s", err.text);
		return -EINVAL;
	}
	return 0;
}

static int read_decimal(const struct param_value *in, struct ml_decimal *field)
{
	struct ml_decimal value;
	const int result = to_decimal(in, &value);
	if (result != 0)
		return result;
	if (!in_bounds(in->param, value)) {
		char text[ML_DECIMAL_TEXT_MAX];
		(void)ml_decimal_format(value, text);
		out_of_range(in, NULL, text);
		return -EINVAL;
	}
	if (field)
		*field = value;
	return 0;
}

static int read_duration(const struct param_value *in, ml_time *field)
{
	const int64_t unit = param_unit_time(in->param->unit);
	struct ml_decimal value;
	const int result = read_decimal(in, &value);
	if (result != 0)
		return result;
	struct ml_decimal product;
	int64_t time = 0;
	if (!ml_decimal_multiply(ml_decimal_normalize(value),
		    ml_decimal_normalize((struct ml_decimal){.mantissa = unit}), &product) ||
		!ml_decimal_to_integer(product, &time)) {
		fail(in, NULL, "found a time that is not a whole number of microseconds");
		return -EINVAL;
	}
	if (field)
		*field = time;
	return 0;
}

static char *copy_text(const char *text, size_t length)
{
	char *const copy = malloc(length + 1);
	if (copy) {
		memcpy(copy, text, length);
		copy[length] = '\0';
	}
	return copy;
}

static int read_text(const struct param_value *in, char **field)
{
	if (!json_is_string(in->value))
		return wrong_type(in, "a text");
	const char *const text = json_string_value(in->value);
	const size_t length = json_string_length(in->value);
	if (strlen(text) != length) {
		fail(in, NULL, "the text holds the character U+0000, which is not allowed");
		return -EINVAL;
	}
	int64_t min = 0, max = 0;
	(void)param_bounds(in->param, &min, &max);
	if ((int64_t)length < min && length == 0) {
		fail(in, NULL, "the text must not be empty");
		return -EINVAL;
	}
	if ((int64_t)length < min || (int64_t)length > max) {
		fail(in, NULL, "found %zu bytes of text, expected %" PRId64 " to %" PRId64, length,
			min, max);
		return -EINVAL;
	}
	if (!field)
		return 0;
	*field = copy_text(text, length);
	return *field ? 0 : out_of_memory(in);
}

static void choice_names(const struct ml_choice *choices, char *out, size_t size)
{
	size_t used = 0;
	out[0] = '\0';
	for (const struct ml_choice *c = choices; c->name; c++) {
		const int n = snprintf(
			out + used, size - used, "%s%s", c == choices ? "" : ", ", c->name);
		if (n < 0 || (size_t)n >= size - used)
			return;
		used += (size_t)n;
	}
}

static int read_choice(const struct param_value *in, int *field)
{
	const struct ml_choice *const choices = in->param->choices;
	char names[ML_ERROR_TEXT_MAX - 32];
	if (!json_is_string(in->value)) {
		choice_names(choices, names, sizeof names);
		fail(in, NULL, "found %s, expected one of: %s", ml_json_found(in->value), names);
		return -EINVAL;
	}
	const char *const text = json_string_value(in->value);
	struct ml_nearest near;
	ml_nearest_begin(&near, text);
	for (const struct ml_choice *c = choices; c->name; c++) {
		if (strcmp(c->name, text) == 0) {
			if (field)
				*field = c->value;
			return 0;
		}
		ml_nearest_try(&near, c->name);
	}
	char word[PARAM_SHOWN_MAX];
	if (ml_nearest_name(&near)) {
		fail(in, NULL, "there is no choice '%s'; did you mean '%s'?",
			param_shown(text, word), ml_nearest_name(&near));
	} else {
		choice_names(choices, names, sizeof names);
		fail(in, NULL, "there is no choice '%s', expected one of: %s",
			param_shown(text, word), names);
	}
	return -EINVAL;
}

/* The text given in place of a secret's name may be the secret itself: no error shows it. */
static int read_secret(const struct param_value *in, char **field)
{
	const json_t *const name = json_object_get(in->value, "secret");
	if (json_object_size(in->value) != 1 || !json_is_string(name)) {
		fail(in, NULL,
			"expected {\"secret\": \"NAME\"}, the name of a secret that is kept apart");
		return -EINVAL;
	}
	const size_t length = json_string_length(name);
	if (length == 0 || length > PARAM_SECRET_NAME_MAX ||
		strlen(json_string_value(name)) != length) {
		fail(in, NULL, "expected the name of a secret, 1 to %d bytes",
			PARAM_SECRET_NAME_MAX);
		return -EINVAL;
	}
	if (!field)
		return 0;
	*field = copy_text(json_string_value(name), length);
	return *field ? 0 : out_of_memory(in);
}

static int list_length(const struct param_value *in, const char *expected, size_t *count)
{
	if (!json_is_array(in->value))
		return wrong_type(in, expected);
	int64_t min = 0, max = 0;
	(void)param_bounds(in->param, &min, &max);
	*count = json_array_size(in->value);
	if ((int64_t)*count < min || (int64_t)*count > max) {
		fail(in, NULL, "found %zu items, expected %" PRId64 " to %" PRId64, *count, min,
			max);
		return -EINVAL;
	}
	return 0;
}

static int wrong_item(const struct param_value *in, size_t index, const char *expected)
{
	char pointer[ML_ERROR_POINTER_MAX];
	(void)snprintf(pointer, sizeof pointer, "%s/%zu", in->pointer, index);
	fail(in, pointer, "found %s, expected %s", ml_json_found(json_array_get(in->value, index)),
		expected);
	return -EINVAL;
}

static void free_strings(struct ml_strings *list)
{
	for (size_t i = 0; i < list->count; i++)
		free(list->items[i]);
	free(list->items);
	*list = (struct ml_strings){0};
}

static int read_strings(const struct param_value *in, struct ml_strings *field)
{
	size_t count = 0;
	int result = list_length(in, "a list of texts", &count);
	for (size_t i = 0; result == 0 && i < count; i++) {
		const json_t *const item = json_array_get(in->value, i);
		const char *const text = json_string_value(item);
		if (!text || strlen(text) != json_string_length(item) ||
			strlen(text) > PARAM_STRING_MAX)
			result = wrong_item(in, i, "a text of at most 4096 bytes");
	}
	if (result != 0 || !field || count == 0)
		return result;
	struct ml_strings list = {.items = calloc(count, sizeof *list.items)};
	if (!list.items)
		return out_of_memory(in);
	for (size_t i = 0; i < count; i++) {
		const json_t *const item = json_array_get(in->value, i);
		list.items[i] = copy_text(json_string_value(item), json_string_length(item));
		if (!list.items[i]) {
			free_strings(&list);
			return out_of_memory(in);
		}
		list.count++;
	}
	*field = list;
	return 0;
}

static int read_integers(const struct param_value *in, struct ml_integers *field)
{
	size_t count = 0;
	int result = list_length(in, "a list of integers", &count);
	for (size_t i = 0; result == 0 && i < count; i++) {
		if (!json_is_integer(json_array_get(in->value, i)))
			result = wrong_item(in, i, "an integer");
	}
	if (result != 0 || !field || count == 0)
		return result;
	field->items = calloc(count, sizeof *field->items);
	if (!field->items)
		return out_of_memory(in);
	field->count = count;
	for (size_t i = 0; i < count; i++)
		field->items[i] = json_integer_value(json_array_get(in->value, i));
	return 0;
}

static int read_time(const struct param_value *in, ml_time *field)
{
	ml_time time = 0;
	const char *const text = json_string_value(in->value);
	if (!text)
		return wrong_type(in, "a time such as 2026-01-31T14:15:00Z");
	if (!ml_time_parse(text, json_string_length(in->value), &time)) {
		char word[PARAM_SHOWN_MAX];
		fail(in, NULL, "found '%s', expected a time such as 2026-01-31T14:15:00Z",
			param_shown(text, word));
		return -EINVAL;
	}
	if (field)
		*field = time;
	return 0;
}

static int read_bool(const struct param_value *in, bool *field)
{
	if (!json_is_boolean(in->value))
		return wrong_type(in, "true or false");
	if (field)
		*field = json_is_true(in->value);
	return 0;
}

static int read_kind(const struct param_value *in, void *field)
{
	switch (in->param->kind) {
	case ML_PARAM_BOOL:
		return read_bool(in, field);
	case ML_PARAM_INTEGER:
		return read_integer(in, field);
	case ML_PARAM_DECIMAL:
		return read_decimal(in, field);
	case ML_PARAM_DURATION:
		return read_duration(in, field);
	case ML_PARAM_STRING:
	case ML_PARAM_TEXT:
	case ML_PARAM_SCRIPT:
		return read_text(in, field);
	case ML_PARAM_CHOICE:
		return read_choice(in, field);
	case ML_PARAM_SECRET:
		return read_secret(in, field);
	case ML_PARAM_STRINGS:
		return read_strings(in, field);
	case ML_PARAM_INTEGERS:
		return read_integers(in, field);
	case ML_PARAM_TIME:
		return read_time(in, field);
	case ML_PARAM_JSON:
		if (field)
			*(json_t **)field = json_incref((json_t *)in->value);
		return 0;
	default:
		fail(in, NULL, "the kind of this parameter is not known");
		return -EINVAL;
	}
}

int param_value_read(const struct param_value *in, void *field)
{
	int result = read_kind(in, field);
	struct ml_error err = ML_ERROR_NONE;
	if (result != 0 || !in->param->check)
		return result;
	result = in->param->check(in->value, &err);
	if (result != 0) {
		if (field)
			param_value_free(in->param, field);
		ml_error_set(&err, result, "the value is not accepted");
		ml_error_prefix(&err, "%s%s", in->place, in->param->name);
		(void)snprintf(err.pointer, sizeof err.pointer, "%s", in->pointer);
		ml_errors_add(in->errors, &err);
	}
	return result;
}

void param_value_free(const struct ml_param *param, void *field)
{
	switch (param->kind) {
	case ML_PARAM_BOOL:
		*(bool *)field = false;
		break;
	case ML_PARAM_INTEGER:
		*(int64_t *)field = 0;
		break;
	case ML_PARAM_DECIMAL:
		*(struct ml_decimal *)field = (struct ml_decimal){0};
		break;
	case ML_PARAM_DURATION:
	case ML_PARAM_TIME:
		*(ml_time *)field = 0;
		break;
	case ML_PARAM_STRING:
	case ML_PARAM_TEXT:
	case ML_PARAM_SCRIPT:
	case ML_PARAM_SECRET:
		free(*(char **)field);
		*(char **)field = NULL;
		break;
	case ML_PARAM_CHOICE:
		*(int *)field = 0;
		break;
	case ML_PARAM_STRINGS:
		free_strings(field);
		break;
	case ML_PARAM_INTEGERS:
		free(((struct ml_integers *)field)->items);
		*(struct ml_integers *)field = (struct ml_integers){0};
		break;
	case ML_PARAM_JSON:
		json_decref(*(json_t **)field);
		*(json_t **)field = NULL;
		break;
	default:
		break;
	}
}
