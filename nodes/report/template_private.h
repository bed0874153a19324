/* What the files of a template share.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef REPORT_TEMPLATE_PRIVATE_H
#define REPORT_TEMPLATE_PRIVATE_H

#include "meter/reading_lua.h"
#include "report/template.h"

enum { REPORT_PAGE = 64, REPORT_NAME_MAX = 64 };

struct report_template {
	char name[REPORT_NAME_MAX + 1];
	struct ml_sandbox *sandbox;
	struct report_locale locale;
	int render, options; /* references in Lua's registry */
	struct meter_lua_view view;

	/* of the job at hand */
	const struct report_job *job; /* NULL: none */
	uint32_t generation;          /* objects of an earlier job are void */
	struct report_documents *documents;
	size_t open;  /* documents being written */
	void *cursor; /* the batch is being read; NULL: it is not */
	uint32_t cursor_generation;
	struct meter_batch_item items[REPORT_PAGE];
	size_t item_count, item_next;
	struct ml_error failure; /* of the batch or a file: what the script's error came from */

	struct ml_buffer scratch;
	struct ml_buffer field; /* of a row, on its way into `scratch` */
	uint16_t *columns;      /* of a row: which record stands in each, from 1; owned */
	size_t column_count;
};

/* The template whose sandbox this is. */
struct report_template *report_template_of(lua_State *L);

/* Raises t->failure as the script's error. */
int report_raise(lua_State *L, struct report_template *t);

/* Pushes what was gathered in t->scratch, and empties it. */
int report_push_scratch(lua_State *L, struct report_template *t);

/* The template, where a job is at hand and it is that of the object. */
struct report_template *report_check_job(lua_State *L, uint32_t generation);

/* Each makes its objects or functions known; within a run. */
void report_open_batch(lua_State *L);
void report_open_out(lua_State *L);
void report_open_text(lua_State *L);

/* Pushes the arguments of render(); within a run. */
void report_push_batch(lua_State *L);
void report_push_out(lua_State *L);

/* Ends the reading of the batch, if it is being read. */
void report_close_batch(struct report_template *t);

/* Checks the options a template declares (the table `template` on top of the stack) against
 * `values`, and pushes the table that render() gets. Raises an error; its pointer is then in
 * t->failure. */
void report_push_options(lua_State *L, struct report_template *t, const json_t *values);

#endif
