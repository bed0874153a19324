/* Declarations in words.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "cli/describe.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

const struct describe_category describe_categories[] = {
	{"trigger", "Triggers"},
	{"source", "Sources"},
	{"process", "Processing"},
	{"store", "Storage"},
	{"report", "Reports"},
	{"sink", "Sinks"},
	{NULL, NULL},
};

static void append(char out[DESCRIBE_MAX], const char *text)
{
	const size_t used = strlen(out);
	(void)snprintf(out + used, DESCRIBE_MAX - used, "%s", text);
}

static void append_range(const struct ml_param *param, char out[DESCRIBE_MAX])
{
	char text[96];
	const bool list = param->kind == ML_PARAM_STRINGS || param->kind == ML_PARAM_INTEGERS;
	const bool text_kind = param->kind == ML_PARAM_STRING || param->kind == ML_PARAM_TEXT ||
			       param->kind == ML_PARAM_SCRIPT;
	const char *const unit = list ? "items" : text_kind ? "bytes" : param->unit;
	if (param->min == 0 && param->max == 0) {
		if (unit && !list && !text_kind) {
			append(out, ", in ");
			append(out, unit);
		}
		return;
	}
	if (param->max < param->min || param->max == INT64_MAX)
		(void)snprintf(text, sizeof text, ", %" PRId64 " or more", param->min);
	else if (param->min == 0 && (list || text_kind))
		(void)snprintf(text, sizeof text, ", at most %" PRId64, param->max);
	else
		(void)snprintf(
			text, sizeof text, ", %" PRId64 " to %" PRId64, param->min, param->max);
	append(out, text);
	if (unit) {
		append(out, " ");
		append(out, unit);
	}
}

const char *describe_kind(const struct ml_param *param, char out[DESCRIBE_MAX])
{
	out[0] = '\0';
	if (param->kind == ML_PARAM_CHOICE) {
		append(out, "one of: ");
		for (const struct ml_choice *c = param->choices; c->name; c++) {
			append(out, c == param->choices ? "" : ", ");
			append(out, c->name);
		}
		return out;
	}
	append(out, ml_param_kind_name(param->kind));
	append_range(param, out);
	return out;
}

const char *describe_default(const struct ml_param *param, char out[DESCRIBE_MAX])
{
	out[0] = '\0';
	if (param->flags & ML_PARAM_INHERIT) {
		append(out, "setting ");
		append(out, param->setting);
		if (param->preset) {
			append(out, ", else ");
			append(out, param->preset);
		}
	} else if (param->preset) {
		append(out, param->preset);
	} else {
		append(out, param->flags & ML_PARAM_REQUIRED ? "required" : "none");
	}
	return out;
}

static bool is_of(const struct ml_node_class *class, const char *category)
{
	if (category)
		return strcmp(class->category, category) == 0;
	for (const struct describe_category *c = describe_categories; c->name; c++) {
		if (strcmp(class->category, c->name) == 0)
			return false;
	}
	return true;
}

/* The class of the category whose type follows `after`; NULL: none. */
static const struct ml_node_class *next_class(
	const struct ml_family *const *families, const char *category, const char *after)
{
	const struct ml_node_class *next = NULL;
	for (; *families; families++) {
		const struct ml_node_class *const *c = (*families)->node_classes;
		for (; c && *c; c++) {
			if (is_of(*c, category) && strcmp((*c)->type, after) > 0 &&
				(!next || strcmp((*c)->type, next->type) < 0))
				next = *c;
		}
	}
	return next;
}

void describe_classes(const struct ml_family *const *families, const char *category,
	void (*each)(void *user, const struct ml_node_class *class), void *user)
{
	const struct ml_node_class *class = next_class(families, category, "");
	for (; class; class = next_class(families, category, class->type))
		each(user, class);
}
