/* Parameter tables as JSON Schema, for the editor's form and for other programs.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <string.h>

#include "param_value.h"

static void string_member(struct ml_json_writer *w, const char *key, const char *text)
{
	if (!text)
		return;
	ml_json_key(w, key);
	ml_json_string(w, text);
}

static void integer_member(struct ml_json_writer *w, const char *key, int64_t value)
{
	ml_json_key(w, key);
	ml_json_integer(w, value);
}

static const char *schema_type(enum ml_param_kind kind)
{
	switch (kind) {
	case ML_PARAM_BOOL:
		return "boolean";
	case ML_PARAM_INTEGER:
		return "integer";
	case ML_PARAM_DECIMAL:
	case ML_PARAM_DURATION:
		return "number";
	case ML_PARAM_STRING:
	case ML_PARAM_TEXT:
	case ML_PARAM_SCRIPT:
	case ML_PARAM_TIME:
	case ML_PARAM_CHOICE:
		return "string";
	case ML_PARAM_SECRET:
		return "object";
	case ML_PARAM_STRINGS:
	case ML_PARAM_INTEGERS:
		return "array";
	case ML_PARAM_JSON:
	default:
		return NULL;
	}
}

static void type_member(const struct ml_param *param, struct ml_json_writer *w)
{
	const char *const type = schema_type(param->kind);
	if (!type)
		return;
	ml_json_key(w, "type");
	if (!(param->flags & ML_PARAM_NULLABLE)) {
		ml_json_string(w, type);
		return;
	}
	ml_json_begin_array(w);
	ml_json_string(w, type);
	ml_json_string(w, "null");
	ml_json_end_array(w);
}

static void choices_members(const struct ml_param *param, struct ml_json_writer *w)
{
	ml_json_key(w, "enum");
	ml_json_begin_array(w);
	bool helped = false;
	for (const struct ml_choice *c = param->choices; c->name; c++) {
		ml_json_string(w, c->name);
		helped |= c->help != NULL;
	}
	if (param->flags & ML_PARAM_NULLABLE)
		ml_json_null(w);
	ml_json_end_array(w);
	if (!helped)
		return;
	ml_json_key(w, "x-choices");
	ml_json_begin_object(w);
	for (const struct ml_choice *c = param->choices; c->name; c++)
		string_member(w, c->name, c->help);
	ml_json_end_object(w);
}

static void secret_members(struct ml_json_writer *w)
{
	ml_json_key(w, "properties");
	ml_json_begin_object(w);
	ml_json_key(w, "secret");
	ml_json_begin_object(w);
	string_member(w, "type", "string");
	integer_member(w, "minLength", 1);
	integer_member(w, "maxLength", PARAM_SECRET_NAME_MAX);
	ml_json_end_object(w);
	ml_json_end_object(w);
	ml_json_key(w, "required");
	ml_json_begin_array(w);
	ml_json_string(w, "secret");
	ml_json_end_array(w);
	ml_json_key(w, "additionalProperties");
	ml_json_bool(w, false);
}

static void items_member(const struct ml_param *param, struct ml_json_writer *w)
{
	ml_json_key(w, "items");
	ml_json_begin_object(w);
	string_member(w, "type", param->kind == ML_PARAM_STRINGS ? "string" : "integer");
	ml_json_end_object(w);
}

/* Lengths are counted in bytes by the check and in characters by a schema: the upper bound is given
 * all the same, as what can never be more. */
static void bounds_members(const struct ml_param *param, struct ml_json_writer *w)
{
	int64_t min = 0, max = 0;
	if (!param_bounds(param, &min, &max))
		return;
	const char *least = "minimum", *most = "maximum";
	if (param->kind == ML_PARAM_STRINGS || param->kind == ML_PARAM_INTEGERS) {
		least = "minItems";
		most = "maxItems";
	} else if (param->kind != ML_PARAM_INTEGER && param->kind != ML_PARAM_DECIMAL &&
		   param->kind != ML_PARAM_DURATION) {
		/* A text of `min` bytes may have fewer characters; one that must not be empty has
		 * one. */
		least = "minLength";
		most = "maxLength";
		min = min > 0;
	}
	if (min != INT64_MIN && (min != 0 || strcmp(least, "minimum") == 0))
		integer_member(w, least, min);
	if (max != INT64_MAX)
		integer_member(w, most, max);
}

static void param_schema(const struct ml_param *param, struct ml_json_writer *w)
{
	ml_json_begin_object(w);
	type_member(param, w);
	string_member(w, "title", param->title);
	string_member(w, "description", param->help);
	if (param->preset) {
		ml_json_key(w, "default");
		ml_json_raw(w, param->preset, strlen(param->preset));
	}
	if (param->kind == ML_PARAM_CHOICE)
		choices_members(param, w);
	else if (param->kind == ML_PARAM_SECRET)
		secret_members(w);
	else if (param->kind == ML_PARAM_STRINGS || param->kind == ML_PARAM_INTEGERS)
		items_member(param, w);
	else if (param->kind == ML_PARAM_TIME)
		string_member(w, "format", "date-time");
	bounds_members(param, w);
	string_member(w, "x-kind", ml_param_kind_name(param->kind));
	string_member(w, "x-unit", param->unit);
	if (param->flags & ML_PARAM_ADVANCED) {
		ml_json_key(w, "x-advanced");
		ml_json_bool(w, true);
	}
	if (param->flags & ML_PARAM_INHERIT)
		string_member(w, "x-setting", param->setting);
	ml_json_end_object(w);
}

void ml_params_schema(const struct ml_param *table, struct ml_json_writer *w)
{
	bool required = false;
	ml_json_begin_object(w);
	string_member(w, "type", "object");
	ml_json_key(w, "properties");
	ml_json_begin_object(w);
	for (const struct ml_param *p = table; p && p->name; p++) {
		ml_json_key(w, p->name);
		param_schema(p, w);
		required |= param_must_be_given(p);
	}
	ml_json_end_object(w);
	if (required) {
		ml_json_key(w, "required");
		ml_json_begin_array(w);
		for (const struct ml_param *p = table; p->name; p++) {
			if (param_must_be_given(p))
				ml_json_string(w, p->name);
		}
		ml_json_end_array(w);
	}
	ml_json_key(w, "additionalProperties");
	ml_json_bool(w, false);
	ml_json_end_object(w);
}
