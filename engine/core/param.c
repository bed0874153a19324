/* Parameter tables: a JSON object checked against a table and put into a struct.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <meterloom/param.h>

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <meterloom/nearest.h>

#include "param_value.h"

static const struct ml_param no_params[] = {{0}};
static const struct ml_params_source no_source = {.pointer = ""};

struct parse {
	const struct ml_param *table;
	const json_t *object; /* NULL: {} */
	const struct ml_params_source *source;
	char *target; /* NULL: only checks */
	struct ml_errors *errors;
};

static void *field_of(char *target, const struct ml_param *param)
{
	return target ? target + param->offset : NULL;
}

void ml_json_pointer(char *out, size_t size, const char *pointer, const char *key)
{
	assert(size > 0);
	size_t used = strnlen(pointer, size - 1);
	memcpy(out, pointer, used);
	if (used + 1 < size)
		out[used++] = '/';
	for (; *key && used + 2 < size; key++) {
		if (*key == '~' || *key == '/') {
			out[used++] = '~';
			out[used++] = *key == '~' ? '0' : '1';
		} else {
			out[used++] = *key;
		}
	}
	out[used] = '\0';
}

static void unknown_key(const struct parse *parse, const char *key)
{
	char pointer[ML_ERROR_POINTER_MAX];
	ml_json_pointer(pointer, sizeof pointer, parse->source->pointer, key);
	char word[PARAM_SHOWN_MAX];
	(void)param_shown(key, word);
	struct ml_nearest near;
	ml_nearest_begin(&near, key);
	char known[ML_ERROR_TEXT_MAX - 96] = "";
	size_t used = 0;
	for (const struct ml_param *p = parse->table; p->name; p++) {
		ml_nearest_try(&near, p->name);
		if (used < sizeof known) {
			const int n = snprintf(known + used, sizeof known - used, "%s%s",
				p == parse->table ? "" : ", ", p->name);
			used += n < 0 ? 0 : (size_t)n;
		}
	}
	if (ml_nearest_name(&near))
		ml_errors_addf(parse->errors, -EINVAL, pointer,
			"there is no parameter '%s'; did you mean '%s'?", word,
			ml_nearest_name(&near));
	else if (used == 0)
		ml_errors_addf(parse->errors, -EINVAL, pointer,
			"there is no parameter '%s': none is expected here", word);
	else
		ml_errors_addf(parse->errors, -EINVAL, pointer,
			"there is no parameter '%s', expected one of: %s", word, known);
}

static int find_unknown_keys(const struct parse *parse)
{
	int result = 0;
	const char *key = NULL;
	json_t *value = NULL;
	json_object_foreach((json_t *)parse->object, key, value)
	{
		const struct ml_param *p = parse->table;
		while (p->name && strcmp(p->name, key) != 0)
			p++;
		if (!p->name) {
			unknown_key(parse, key);
			result = -EINVAL;
		}
	}
	return result;
}

static int read_preset(const struct parse *parse, const struct ml_param *param, const char *pointer)
{
	json_error_t error;
	json_t *const value = json_loads(param->preset, JSON_DECODE_ANY, &error);
	if (!value) {
		ml_errors_addf(parse->errors, -EINVAL, pointer, "%s: the default is not JSON: %s",
			param->name, error.text);
		return -EINVAL;
	}
	int result = 0;
	if (!json_is_null(value)) {
		const struct param_value in = {
			.param = param,
			.value = value,
			.pointer = pointer,
			.place = "default of ",
			.text = param->preset,
			.length = strlen(param->preset),
			.base = pointer,
			.errors = parse->errors,
		};
		result = param_value_read(&in, field_of(parse->target, param));
	}
	json_decref(value);
	return result;
}

static int read_absent(const struct parse *parse, const struct ml_param *param, const char *pointer)
{
	const struct ml_params_source *const source = parse->source;
	const bool inherits = param->flags & ML_PARAM_INHERIT;
	if (inherits && source->inherit) {
		const json_t *const value = source->inherit(source->inherit_user, param->setting);
		if (value && !json_is_null(value)) {
			char place[96];
			(void)snprintf(place, sizeof place, "setting '%s' for ", param->setting);
			const struct param_value in = {
				.param = param,
				.value = value,
				.pointer = pointer,
				.place = place,
				.errors = parse->errors,
			};
			return param_value_read(&in, field_of(parse->target, param));
		}
	}
	if (param->preset)
		return read_preset(parse, param, pointer);
	if (!(param->flags & ML_PARAM_REQUIRED))
		return 0;
	if (inherits)
		ml_errors_addf(parse->errors, -EINVAL, pointer,
			"'%s' is missing (%s), and the setting '%s' it is taken from is not set",
			param->name, param->title, param->setting);
	else
		ml_errors_addf(parse->errors, -EINVAL, pointer, "'%s' is missing (%s)", param->name,
			param->title);
	return -EINVAL;
}

static int read_param(const struct parse *parse, const struct ml_param *param)
{
	const struct ml_params_source *const source = parse->source;
	char pointer[ML_ERROR_POINTER_MAX];
	ml_json_pointer(pointer, sizeof pointer, source->pointer, param->name);
	const json_t *const value = json_object_get(parse->object, param->name);
	if (!value || (json_is_null(value) && (param->flags & ML_PARAM_NULLABLE)))
		return read_absent(parse, param, pointer);
	const struct param_value in = {
		.param = param,
		.value = value,
		.pointer = pointer,
		.place = "",
		.text = source->text,
		.length = source->length,
		.base = source->base,
		.errors = parse->errors,
	};
	return param_value_read(&in, field_of(parse->target, param));
}

static int worse(int a, int b)
{
	return a == -ENOMEM || b == 0 ? a : b;
}

static int parse_object(const struct parse *parse)
{
	if (parse->object && !json_is_object(parse->object)) {
		ml_errors_addf(parse->errors, -EINVAL, parse->source->pointer,
			"expected an object of parameters: {\"NAME\": VALUE, ...}");
		return -EINVAL;
	}
	int result = find_unknown_keys(parse);
	for (const struct ml_param *p = parse->table; p->name; p++)
		result = worse(result, read_param(parse, p));
	return result;
}

static void locate_from(
	const struct ml_params_source *source, struct ml_errors *errors, size_t first)
{
	if (!source->text || source->base)
		return;
	for (size_t i = first; i < errors->count; i++)
		ml_json_locate_error(source->text, source->length, &errors->items[i]);
}

/* A time of 0 is one that can be given. */
static void set_left_out(const struct ml_param *param, void *field)
{
	if (param->kind == ML_PARAM_TIME)
		*(ml_time *)field = ML_TIME_NONE;
	else
		memset(field, 0, param_field_size(param->kind));
}

int ml_params_parse(const struct ml_param *table, const json_t *object,
	const struct ml_params_source *source, void *target, struct ml_errors *errors)
{
	const struct parse parse = {
		.table = table ? table : no_params,
		.object = object,
		.source = source ? source : &no_source,
		.target = target,
		.errors = errors,
	};
	const size_t first = errors->count;
	if (target) {
		for (const struct ml_param *p = parse.table; p->name; p++)
			set_left_out(p, field_of(target, p));
	}
	const int result = parse_object(&parse);
	if (result != 0) {
		if (target)
			ml_params_free(parse.table, target);
		locate_from(parse.source, errors, first);
	}
	return result;
}

int ml_param_check(const struct ml_param *param, const json_t *value,
	const struct ml_params_source *source, struct ml_errors *errors)
{
	const struct ml_params_source *const from = source ? source : &no_source;
	if (json_is_null(value) && (param->flags & ML_PARAM_NULLABLE))
		return 0;
	const struct param_value in = {
		.param = param,
		.value = value,
		.pointer = from->pointer,
		.place = "",
		.text = from->text,
		.length = from->length,
		.base = from->base,
		.errors = errors,
	};
	const size_t first = errors->count;
	const int result = param_value_read(&in, NULL);
	locate_from(from, errors, first);
	return result;
}

void ml_params_free(const struct ml_param *table, void *target)
{
	for (const struct ml_param *p = table; p && p->name; p++)
		param_value_free(p, field_of(target, p));
}
