/* What the files of the sandbox share.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef METERLOOM_LUA_INTERNAL_H
#define METERLOOM_LUA_INTERNAL_H

#include <meterloom/sandbox.h>

enum overrun { OVERRUN_NONE, OVERRUN_INSTRUCTIONS, OVERRUN_TIME, OVERRUN_MEMORY };

struct ml_sandbox {
	lua_State *L;
	lua_Alloc allocate;
	void *allocate_user;
	size_t memory_limit;
	bool memory_refused; /* in this run, for the limit (else the system had none) */

	int64_t instructions;         /* of a run */
	int64_t budget;               /* instructions left in this run */
	int64_t look;                 /* the clock is looked at when the budget falls below this */
	const struct ml_clock *clock; /* NULL: time does not rule */
	ml_time time, deadline;       /* deadline 0: not yet set in this run */

	enum overrun overrun; /* of this run */
	unsigned streak, trip_after;
	bool running, tripped;
	char script[ML_SANDBOX_NAME_MAX + 1];
	char source[LUA_IDSIZE]; /* where the error of this run was raised */
	int line;                /* 0: not known */

	ml_sandbox_body body;
	void *body_user;
	void (*print)(void *user, const char *text, size_t length);
	void *user;
	struct ml_sandbox_usage usage;
};

static inline struct ml_sandbox *sandbox_of(lua_State *L)
{
	return *(struct ml_sandbox **)lua_getextraspace(L);
}

/* Raises the overrun again: what a script's pcall must not swallow. Does not return. */
int sandbox_overrun(lua_State *L, enum overrun overrun);

/* Pushes the text of the value at `index` as tostring() gives it: no addresses. */
const char *sandbox_text(lua_State *L, int index, size_t *length);

/* Sets `name` in the table on top to `function`, charged by the length of its string arguments. */
void sandbox_set_metered(lua_State *L, const char *name, lua_CFunction function);

/* Takes all keys but `names` (ended by NULL) out of the table on top. */
void sandbox_keep(lua_State *L, const char *const *names);

/* Each opens one library in the state, bounded. */
void sandbox_open_base(lua_State *L);
void sandbox_open_string(lua_State *L);
void sandbox_open_table(lua_State *L);
void sandbox_open_math(lua_State *L, uint64_t seed);
void sandbox_open_utf8(lua_State *L);
void sandbox_open_decimal(lua_State *L);

#endif
