/* What the tests of the sandbox share: run a script, look at its error.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef METERLOOM_TESTS_LUA_SCRIPT_H
#define METERLOOM_TESTS_LUA_SCRIPT_H

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <meterloom/sandbox.h>

static inline struct ml_sandbox *new_sandbox(int64_t instructions)
{
	struct ml_error err = ML_ERROR_NONE;
	struct ml_sandbox *sb = ml_sandbox_new(
		&(struct ml_sandbox_options){
			.instructions = instructions, .seed = 7, .trip_after = 1000},
		&err);
	assert_non_null(sb);
	return sb;
}

static inline int run_text(struct ml_sandbox *sb, const char *text, struct ml_error *err)
{
	*err = ML_ERROR_NONE;
	return ml_sandbox_load(sb, "test.lua", text, strlen(text), err);
}

/* The script ends well; it asserts by itself what it has to. */
static inline void expect_good(struct ml_sandbox *sb, const char *text)
{
	struct ml_error err;
	if (run_text(sb, text, &err) != 0)
		fail_msg("%s\n  gave: %s", text, err.text);
}

/* The script fails so, with `part` in the text of its error. */
static inline void expect_error(struct ml_sandbox *sb, const char *text, int code, const char *part)
{
	struct ml_error err;
	const int result = run_text(sb, text, &err);
	if (result != code || !strstr(err.text, part))
		fail_msg("%s\n  gave: %d, %s\n  not:  %d, %s", text, result, err.text, code, part);
	assert_int_equal(err.code, code);
}

#endif
