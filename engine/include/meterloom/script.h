/* Scripts by name: files of the data directory, and those that ship within the program.
 * SPDX-License-Identifier: Apache-2.0
 *
 * A script NAME of a folder ("lua-scripts", "templates") is DATA/FOLDER/NAME.lua, which a user may
 * write or change, or else the one of that name that the program brings along.
 */
#ifndef METERLOOM_SCRIPT_H
#define METERLOOM_SCRIPT_H

#include <jansson.h>
#include <stddef.h>

#include <meterloom/error.h>

struct ml_engine;

struct ml_script {
	const char *name; /* without ".lua"; NULL ends a table */
	const char *text;
	size_t length;
};

/* Reads a script; *ret_text is NUL-terminated and the caller's to free. `shipped` may be NULL.
 * -ENOENT: there is none, with the nearest name; -EINVAL: it is no name (letters, digits, '-', '_'
 * and '.'). */
int ml_script_read(struct ml_engine *engine, const char *folder, const struct ml_script *shipped,
	const char *name, char **ret_text, size_t *ret_length, struct ml_error *err);

/* Calls `found` with the name of each script of a folder, in order, the user's own included once.
 */
int ml_script_list(struct ml_engine *engine, const char *folder, const struct ml_script *shipped,
	void (*found)(void *user, const char *name), void *user);

/* Compiles without running: what is wrong with its grammar, with err->at where its line begins. */
int ml_script_check(const char *name, const char *text, size_t length, struct ml_error *err);

/* The same as the check of a parameter (ML_PARAM_SCRIPT). */
int ml_script_check_param(const json_t *value, struct ml_error *err);

#endif
