/* What a head-end answers, by script.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "sim/head_end_private.h"

struct reader {
	const char *at;
	int line;
	struct ml_error *err;
};

static void skip_blanks(struct reader *r)
{
	while (*r->at == ' ' || *r->at == '\t' || *r->at == '\r')
		r->at++;
}

static bool at_end(struct reader *r)
{
	skip_blanks(r);
	if (*r->at == '#')
		r->at += strcspn(r->at, "\n");
	return *r->at == '\0' || *r->at == '\n' || *r->at == ',';
}

static int wrong(struct reader *r)
{
	const int length = (int)strcspn(r->at, " \t\r\n,#");
	ml_error_set(r->err, -EINVAL,
		"script line %d: '%.*s': expected a status such as 200 or 503 x3 or 503 retry 7, "
		"close, delay 2s, or repeat",
		r->line, length < 32 ? length : 32, r->at);
	if (r->err)
		r->err->line = r->line;
	return -EINVAL;
}

static bool word(struct reader *r, const char *text)
{
	const size_t length = strlen(text);
	skip_blanks(r);
	if (strncmp(r->at, text, length) != 0 || isalpha((unsigned char)r->at[length]))
		return false;
	r->at += length;
	return true;
}

static bool number(struct reader *r, unsigned most, unsigned *value)
{
	unsigned long n = 0;
	skip_blanks(r);
	if (!isdigit((unsigned char)*r->at))
		return false;
	for (; isdigit((unsigned char)*r->at); r->at++) {
		n = n * 10 + (unsigned long)(*r->at - '0');
		if (n > most)
			return false;
	}
	*value = (unsigned)n;
	return true;
}

static bool duration(struct reader *r, ml_time *value)
{
	unsigned n = 0;
	if (!number(r, 86400000, &n))
		return false;
	if (word(r, "ms"))
		*value = n * ML_MSEC;
	else if (word(r, "s"))
		*value = n * ML_SEC;
	else if (word(r, "min"))
		*value = n * ML_MINUTE;
	else
		return false;
	return true;
}

/* One step; *complete is false after a delay, which goes with the next one. */
static int read_step(struct reader *r, struct head_end_step *step, bool *complete)
{
	*complete = true;
	step->times = 1;
	if (word(r, "delay")) {
		*complete = false;
		return duration(r, &step->delay) && at_end(r) ? 0 : wrong(r);
	}
	if (word(r, "close"))
		step->status = HEAD_END_CLOSED;
	else if (!number(r, 599, &step->status) || step->status < 200)
		return wrong(r);
	while (!at_end(r)) {
		if (*r->at == 'x') {
			r->at++;
			if (!number(r, 1000000, &step->times) || step->times == 0)
				return wrong(r);
		} else if (!word(r, "retry") || !number(r, 86400, &step->retry_after)) {
			return wrong(r);
		}
	}
	return 0;
}

static int add(
	struct head_end_script *script, const struct head_end_step *step, struct ml_error *err)
{
	if (script->count == HEAD_END_STEPS_MAX)
		return ml_error_set(
			err, -E2BIG, "the script has more than %d steps", HEAD_END_STEPS_MAX);
	struct head_end_step *steps =
		realloc(script->steps, (script->count + 1) * sizeof *script->steps);
	if (!steps)
		return ml_error_set(err, -ENOMEM, "out of memory");
	script->steps = steps;
	script->steps[script->count++] = *step;
	return 0;
}

int head_end_script_parse(const char *text, struct head_end_script *script, struct ml_error *err)
{
	struct reader r = {.at = text, .line = 1, .err = err};
	struct head_end_step step = {0};
	int result = 0;
	*script = (struct head_end_script){0};
	while (*r.at && result == 0) {
		bool complete = true;
		if (at_end(&r)) {
			r.line += *r.at == '\n';
			r.at += *r.at != '\0';
			continue;
		}
		if (word(&r, "repeat")) {
			script->repeats = true;
			skip_blanks(&r);
			r.at += strspn(r.at, " \t\r\n,");
			if (*r.at != '\0' && *r.at != '#')
				result = wrong(&r);
			break;
		}
		result = read_step(&r, &step, &complete);
		if (result == 0 && complete) {
			result = add(script, &step, err);
			step = (struct head_end_step){0};
		}
	}
	/* A delay at the end is that of an answer as usual. */
	if (result == 0 && step.delay > 0) {
		step.status = 200;
		step.times = 1;
		result = add(script, &step, err);
	}
	if (result < 0)
		head_end_script_free(script);
	return result;
}

struct head_end_step head_end_script_next(struct head_end_script *script)
{
	const struct head_end_step accept = {.status = 200, .times = 1};
	if (script->next == script->count) {
		if (!script->repeats || script->count == 0)
			return accept;
		script->next = 0;
	}
	struct head_end_step step = script->steps[script->next];
	if (script->done > 0)
		step.delay = 0;
	if (++script->done == step.times) {
		script->done = 0;
		script->next++;
	}
	return step;
}

void head_end_script_free(struct head_end_script *script)
{
	free(script->steps);
	*script = (struct head_end_script){0};
}
