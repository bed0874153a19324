/* The Lua sandbox: scripts that a user writes, and that cannot hurt the gateway.
 * SPDX-License-Identifier: Apache-2.0
 *
 * A sandbox is one Lua 5.4 state of its own with limits on memory, on instructions and on time. A
 * script sees base, string, table, math and utf8 without what reaches outside or runs for ever; io,
 * os, package, debug and coroutine are not there. What a script cannot do is in
 * docs/reference/lua.md.
 *
 * All work on the state is done inside ml_sandbox_run(): there, and only there, Lua's C functions
 * may be called, errors (out of memory too) come back as a struct ml_error, and the limits hold. A
 * Lua error never jumps over a frame of the host.
 *
 * The same calls with the same seed give the same results: math.random is seeded by the host,
 * pairs() goes in the order of the keys, and no text shows an address. The limit of time rules only
 * with a real clock; in simulated time that of instructions does alone.
 *
 * Thread: a sandbox belongs to one thread at a time.
 */
#ifndef METERLOOM_SANDBOX_H
#define METERLOOM_SANDBOX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <lauxlib.h>
#include <lua.h>

#include <meterloom/clock.h>
#include <meterloom/decimal.h>
#include <meterloom/error.h>

struct ml_sandbox;

enum {
	ML_SANDBOX_MEMORY_MIN = 256 * 1024, /* bytes; less is raised to it */
	ML_SANDBOX_SCRIPT_MAX = 256 * 1024, /* bytes of script text */
	ML_SANDBOX_NAME_MAX = 56,    /* bytes of a script's name in errors; longer ones are cut */
	ML_SANDBOX_PRINT_MAX = 1024, /* bytes of one print(); longer ones are cut */
};

struct ml_sandbox_options {
	size_t memory;        /* bytes the script may hold; 0: 4 MiB */
	int64_t instructions; /* a run may take; 0: 10,000,000. Library functions count by their
				 work */
	ml_time time;         /* a run may take on a real clock; 0: 2 s */
	unsigned trip_after;  /* overruns in a row that stop the sandbox; 0: 3 */
	uint64_t seed;        /* of math.random */
	const struct ml_clock *clock; /* NULL or simulated: the limit of time does not rule */
	/* Gets each print(), without a line feed and NUL-terminated. NULL: it goes nowhere. */
	void (*print)(void *user, const char *text, size_t length);
	void *user;
	lua_Alloc allocate; /* for tests that let allocations fail; NULL: malloc */
	void *allocate_user;
};

/* NULL with *err set: out of memory. The clock must outlive the sandbox. */
struct ml_sandbox *ml_sandbox_new(const struct ml_sandbox_options *options, struct ml_error *err);
void ml_sandbox_free(struct ml_sandbox *sandbox); /* accepts NULL */

/* Compiles a script (text only) and runs it once, which makes its functions and its state. `name`
 * stands in errors. Errors as of ml_sandbox_run(); -E2BIG: longer than ML_SANDBOX_SCRIPT_MAX. */
int ml_sandbox_load(struct ml_sandbox *sandbox, const char *name, const char *text, size_t length,
	struct ml_error *err);

/* Work on the state, in protected mode. It begins with an empty stack of LUA_MINSTACK places; what
 * it leaves there is thrown away. It may raise Lua errors, and calls the script by lua_call(). */
typedef void (*ml_sandbox_body)(lua_State *L, void *user);

/* Runs `body`; each run has the whole of the instructions and time. Not from within a run.
 * err->text begins with the script's name and line, err->line has the line too.
 *   -EINVAL     the script raised an error, or `body` did
 *   -ETIMEDOUT  it ran over its instructions or its time (an overrun)
 *   -ENOMEM     it ran out of memory (an overrun)
 *   -ECANCELED  the sandbox has tripped: too many overruns in a row; nothing was run */
int ml_sandbox_run(
	struct ml_sandbox *sandbox, ml_sandbox_body body, void *user, struct ml_error *err);

/* Finds a global function of the script for calling it fast: lua_rawgeti(L, LUA_REGISTRYINDEX,
 * *ref). -ENOENT: there is no such function; the text says so. */
int ml_sandbox_function(
	struct ml_sandbox *sandbox, const char *name, int *ref, struct ml_error *err);

/* After trip_after overruns in a row the script is no longer run, until it is reset. */
bool ml_sandbox_tripped(const struct ml_sandbox *sandbox);
void ml_sandbox_reset(struct ml_sandbox *sandbox);

struct ml_sandbox_usage {
	size_t memory, memory_most; /* bytes in use now, and the most there were */
	uint64_t runs, errors, overruns;
	int64_t instructions; /* of the last run, about */
};

struct ml_sandbox_usage ml_sandbox_usage(const struct ml_sandbox *sandbox);

/* ---- For C functions that scripts call; all within ml_sandbox_run() ---- */

/* The `user` of the options. */
void *ml_lua_user(lua_State *L);

/* Counts the work of a C function against the limits, in instructions. Raises the overrun. */
void ml_lua_charge(lua_State *L, int64_t instructions);

/* Gives the run the whole of its instructions and time anew: for work that is bounded by something
 * else, such as the pages of a batch. */
void ml_lua_renew(lua_State *L);

/* Pushes a list of the keys of the table at `index` in the order of pairs(): numbers, texts,
 * booleans, then the rest. */
void ml_lua_keys(lua_State *L, int index);

/* ---- Objects: values of C that scripts hold ---- */

/* A field of an object, as scripts read and write it: object.name. */
struct ml_lua_field {
	const char *name; /* NULL ends the table */
	/* Pushes the value. */
	void (*get)(lua_State *L, void *object);
	/* Takes the value at index 3. NULL: scripts cannot write it. */
	void (*set)(lua_State *L, void *object);
};

/* A kind of object. Constant. Scripts see its fields, its methods (object:name()) and what the
 * metamethods give; a name that it has not is an error that names the nearest. The metatable itself
 * is out of their reach. All objects of a sandbox are made by ml_lua_object(). */
struct ml_lua_type {
	const char *name;        /* "decimal": in error texts */
	const luaL_Reg *methods; /* ended by NULL; may be NULL */
	const luaL_Reg
		*metamethods; /* ended by NULL, without __index and __newindex; may be NULL */
	const struct ml_lua_field *fields; /* may be NULL */
	/* object[n], pushes the value or nil; NULL: it is no list. */
	void (*item)(lua_State *L, void *object, lua_Integer n);
};

/* Makes the type known to the state; once, before objects of it are made. */
void ml_lua_register(lua_State *L, const struct ml_lua_type *type);

/* Pushes a new object and returns its `size` bytes, zeroed. */
void *ml_lua_object(lua_State *L, const struct ml_lua_type *type, size_t size);

/* The object at `index`, or NULL where that is something else. */
void *ml_lua_to_object(lua_State *L, int index, const struct ml_lua_type *type);

/* The same for argument `arg` of a C function; raises an error where it is something else. */
void *ml_lua_check_object(lua_State *L, int arg, const struct ml_lua_type *type);

/* ---- Decimals ---- */

/* Pushes an integer where the value is one that fits, else a decimal object. */
void ml_lua_push_decimal(lua_State *L, struct ml_decimal value);

/* Takes an integer or a decimal object. false: it is something else. A float is never a value: 7/2
 * is one, decimal(7):divide(2, 1) is not. */
bool ml_lua_to_decimal(lua_State *L, int index, struct ml_decimal *value);

/* The same for argument `arg`; raises an error that says what to do with a float. */
struct ml_decimal ml_lua_check_decimal(lua_State *L, int arg);

#endif
