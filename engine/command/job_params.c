/* The parameters that a job owns: checked, filled, and wiped when it has ended.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <meterloom/setting.h>

#include "command/job.h"

static size_t table_length(const struct ml_param *table)
{
	size_t count = 0;
	while (table && table[count].name)
		count++;
	return count;
}

/* A copy of the text of one member, as the caller wrote it where that is known. */
static char *member_text(const struct ml_param *param, const struct ml_call *call)
{
	const json_t *value = json_object_get(call->params, param->name);
	if (!value)
		return NULL;
	char pointer[ML_ERROR_POINTER_MAX];
	(void)snprintf(pointer, sizeof pointer, "/%s", param->name);
	struct ml_json_place place;
	if (call->text && ml_json_locate(call->text, call->length, pointer, &place) == 0)
		return strndup(call->text + place.begin, place.end - place.begin);
	return json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT | JSON_REAL_PRECISION(17));
}

static int keep_texts(struct ml_job_params *params, const struct ml_call *call)
{
	params->count = table_length(params->table);
	params->texts = calloc(params->count ? params->count : 1, sizeof *params->texts);
	if (!params->texts)
		return -ENOMEM;
	for (size_t i = 0; i < params->count; i++) {
		const struct ml_param *param = &params->table[i];
		if (param->kind != ML_PARAM_JSON || !json_object_get(call->params, param->name))
			continue;
		params->texts[i] = member_text(param, call);
		if (!params->texts[i])
			return -ENOMEM;
	}
	return 0;
}

/* A check of a family may say -ENOENT of what it looked for: no caller must take that for a command
 * or a job that is not there. */
void ml_errors_are_params(struct ml_errors *errors)
{
	for (size_t i = 0; i < errors->count; i++) {
		if (errors->items[i].code != -ENOMEM)
			errors->items[i].code = -EINVAL;
	}
}

int ml_job_params_fill(struct ml_job_params *params, const struct ml_param *table, size_t size,
	const struct ml_call *call, struct ml_errors *errors)
{
	static const struct ml_param none[] = {{0}};
	const struct ml_params_source source = {
		.pointer = "", .text = call->text, .length = call->length};
	void *fields = calloc(1, size ? size : 1);
	if (!fields) {
		ml_errors_addf(errors, -ENOMEM, "", "out of memory");
		return -ENOMEM;
	}
	const int r = ml_params_parse(table ? table : none, call->params, &source, fields, errors);
	if (r < 0) {
		ml_errors_are_params(errors);
		free(fields);
		return r;
	}
	params->table = table;
	params->fields = fields;
	params->size = size;
	if (keep_texts(params, call) < 0) {
		ml_job_params_free(params);
		ml_errors_addf(errors, -ENOMEM, "", "out of memory");
		return -ENOMEM;
	}
	return 0;
}

/* What a caller sent may be a secret: no copy of it is left in freed memory. */
static void wipe_strings(const struct ml_param *table, void *fields)
{
	for (const struct ml_param *param = table; param && param->name; param++) {
		char *text = NULL;
		if (param->kind != ML_PARAM_STRING && param->kind != ML_PARAM_TEXT)
			continue;
		memcpy(&text, (char *)fields + param->offset, sizeof text);
		if (text)
			ml_wipe(text, strlen(text));
	}
}

void ml_job_params_free(struct ml_job_params *params)
{
	if (params->fields && params->table) {
		wipe_strings(params->table, params->fields);
		ml_params_free(params->table, params->fields);
	}
	free(params->fields);
	for (size_t i = 0; i < params->count; i++) {
		if (params->texts && params->texts[i])
			ml_wipe(params->texts[i], strlen(params->texts[i]));
		if (params->texts)
			free(params->texts[i]);
	}
	free(params->texts);
	*params = (struct ml_job_params){0};
}

const char *ml_job_param_text(const struct ml_job *job, const char *name, size_t *length)
{
	for (size_t i = 0; i < job->params.count; i++) {
		if (strcmp(job->params.table[i].name, name) == 0 && job->params.texts[i]) {
			*length = strlen(job->params.texts[i]);
			return job->params.texts[i];
		}
	}
	*length = 0;
	return NULL;
}

void *ml_job_params(struct ml_job *job, const struct ml_param *table, size_t size)
{
	struct ml_job_params *params = &job->action_params;
	ml_job_params_free(params);
	params->fields = calloc(1, size ? size : 1);
	params->table = table;
	params->size = size;
	return params->fields;
}
