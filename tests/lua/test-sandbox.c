/* The sandbox: runs, errors with their place, state, limits of time, tripping.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "script.h"

struct sum {
	int ref;
	int64_t a, b, result;
};

static void call_sum(lua_State *L, void *user)
{
	struct sum *sum = user;
	lua_rawgeti(L, LUA_REGISTRYINDEX, sum->ref);
	lua_pushinteger(L, sum->a);
	lua_pushinteger(L, sum->b);
	lua_call(L, 2, 1);
	sum->result = luaL_checkinteger(L, -1);
}

static void test_calls_a_function_with_arguments(void **state)
{
	(void)state;
	struct ml_sandbox *sb = new_sandbox(0);
	struct ml_error err = ML_ERROR_NONE;
	expect_good(sb, "local calls = 0\n"
			"function sum(a, b) calls = calls + 1; return a + b + 100 * calls end\n");
	struct sum sum = {.a = 2, .b = 3};
	assert_int_equal(ml_sandbox_function(sb, "sum", &sum.ref, &err), 0);
	assert_int_equal(ml_sandbox_run(sb, call_sum, &sum, &err), 0);
	assert_int_equal(sum.result, 105);
	assert_int_equal(ml_sandbox_run(sb, call_sum, &sum, &err), 0);
	assert_int_equal(sum.result, 205); /* the state is kept */
	assert_int_equal(ml_sandbox_function(sb, "product", &sum.ref, &err), -ENOENT);
	assert_string_equal(err.text, "test.lua: has no function product()");
	ml_sandbox_free(sb);
}

static void expect_place(
	struct ml_sandbox *sb, const char *name, const char *text, int line, const char *message)
{
	struct ml_error err = ML_ERROR_NONE;
	assert_int_equal(ml_sandbox_load(sb, name, text, strlen(text), &err), -EINVAL);
	assert_string_equal(err.text, message);
	assert_int_equal(err.line, line);
}

static void test_errors_name_script_and_line(void **state)
{
	(void)state;
	struct ml_sandbox *sb = new_sandbox(0);
	expect_place(sb, "a.lua", "local x\n\nx.y = 1", 3,
		"a.lua:3: attempt to index a nil value (local 'x')");
	expect_place(sb, "b.lua", "x = = 1", 1, "b.lua:1: unexpected symbol near '='");
	expect_place(sb, "c.lua", "\nerror('no place', 0)", 2, "c.lua:2: no place");
	expect_place(sb, "d.lua", "\nerror('odd', 1)", 2, "d.lua:2: odd");
	expect_place(sb, "e.lua", "error({})", 1,
		"e.lua:1: error() was called with a value that is no text");
	expect_place(sb, "f.lua", "error()", 1,
		"f.lua:1: error() was called with a value that is no text");
	expect_place(sb, "g.lua", "\n\n\nlocal t = ('x'):rep(-1):upper(1, 2):foo()", 4,
		"g.lua:4: attempt to call a nil value (method 'foo')");
	expect_place(sb, "h.lua", "\nstring.rep()", 2,
		"h.lua:2: bad argument #1 to 'rep' (string expected, got no value)");
	ml_sandbox_free(sb);
}

static void test_long_names_are_cut(void **state)
{
	(void)state;
	struct ml_sandbox *sb = new_sandbox(0);
	char name[200];
	memset(name, 'n', sizeof name - 1);
	name[sizeof name - 1] = '\0';
	struct ml_error err = ML_ERROR_NONE;
	assert_int_equal(ml_sandbox_load(sb, name, "\nx()", 4, &err), -EINVAL);
	assert_int_equal(err.line, 2);
	name[ML_SANDBOX_NAME_MAX] = '\0';
	assert_memory_equal(err.text, name, ML_SANDBOX_NAME_MAX);
	assert_string_equal(
		err.text + ML_SANDBOX_NAME_MAX, ":2: attempt to call a nil value (global 'x')");
	ml_sandbox_free(sb);
}

static void raise_in_body(lua_State *L, void *user)
{
	(void)luaL_error(L, "%s", (const char *)user);
}

static void test_errors_of_the_host_come_back(void **state)
{
	(void)state;
	struct ml_sandbox *sb = new_sandbox(0);
	struct ml_error err = ML_ERROR_NONE;
	expect_good(sb, "x = 1");
	assert_int_equal(ml_sandbox_run(sb, raise_in_body, "not so", &err), -EINVAL);
	assert_string_equal(err.text, "test.lua: not so");
	assert_int_equal(ml_sandbox_run(sb, raise_in_body, "again", NULL), -EINVAL);
	ml_sandbox_free(sb);
}

static void test_refuses_what_is_no_script(void **state)
{
	(void)state;
	struct ml_sandbox *sb = new_sandbox(0);
	expect_error(sb, "\033Lua\x54", -EINVAL, "is compiled Lua");
	static char text[ML_SANDBOX_SCRIPT_MAX + 2];
	memset(text, ' ', sizeof text - 1);
	expect_error(sb, text, -E2BIG, "262145 bytes");
	ml_sandbox_free(sb);
}

static void test_limit_of_time_on_a_real_clock(void **state)
{
	(void)state;
	struct ml_clock *clock = ml_clock_new_real();
	struct ml_error err = ML_ERROR_NONE;
	struct ml_sandbox *sb = ml_sandbox_new(
		&(struct ml_sandbox_options){
			.instructions = INT64_MAX, .time = 5 * ML_MSEC, .clock = clock},
		&err);
	assert_non_null(sb);
	expect_error(sb, "\nwhile true do end", -ETIMEDOUT,
		"test.lua:2: ran for longer than 5 ms, the limit of one run");
	expect_error(sb, "while true do table.concat({1, 2, 3}) end", -ETIMEDOUT, "5 ms");
	ml_sandbox_free(sb);
	ml_clock_free(clock);
}

static void test_only_instructions_count_in_simulated_time(void **state)
{
	(void)state;
	struct ml_clock *clock = ml_clock_new_simulated(0);
	struct ml_error err = ML_ERROR_NONE;
	struct ml_sandbox *sb = ml_sandbox_new(
		&(struct ml_sandbox_options){.instructions = 1000000, .time = 1, .clock = clock},
		&err);
	assert_non_null(sb);
	ml_clock_advance(clock, ML_DAY);
	expect_good(sb, "for i = 1, 100000 do end");
	expect_error(sb, "while true do end", -ETIMEDOUT, "more than 1000000 instructions");
	ml_sandbox_free(sb);
	ml_clock_free(clock);
}

static void test_trips_after_overruns_in_a_row(void **state)
{
	(void)state;
	struct ml_error err = ML_ERROR_NONE;
	struct ml_sandbox *sb = ml_sandbox_new(
		&(struct ml_sandbox_options){.instructions = 10000, .trip_after = 3}, &err);
	const char *loops = "while true do end";
	expect_error(sb, loops, -ETIMEDOUT, "10000 instructions");
	expect_error(sb, loops, -ETIMEDOUT, "10000 instructions");
	expect_good(sb, "x = 1"); /* not in a row */
	expect_error(sb, loops, -ETIMEDOUT, "10000 instructions");
	expect_error(sb, loops, -ETIMEDOUT, "10000 instructions");
	expect_error(sb, "error('x')", -EINVAL, "x"); /* no overrun */
	for (int i = 0; i < 3; i++) {
		assert_false(ml_sandbox_tripped(sb));
		expect_error(sb, loops, -ETIMEDOUT, "10000 instructions");
	}
	assert_true(ml_sandbox_tripped(sb));
	expect_error(sb, "x = 2", -ECANCELED, "stopped after 3 runs in a row");
	assert_int_equal(ml_sandbox_usage(sb).overruns, 7);
	ml_sandbox_reset(sb);
	assert_false(ml_sandbox_tripped(sb));
	expect_good(sb, "assert(x == 1)");
	ml_sandbox_free(sb);
}

static void test_each_run_has_the_whole_limit(void **state)
{
	(void)state;
	struct ml_sandbox *sb = new_sandbox(100000);
	for (int i = 0; i < 20; i++)
		expect_good(sb, "for i = 1, 50000 do end");
	const int64_t used = ml_sandbox_usage(sb).instructions;
	assert_in_range(used, 50000, 60000);
	ml_sandbox_free(sb);
}

static void work_twice(lua_State *L, void *user)
{
	ml_lua_charge(L, 90000);
	if (*(bool *)user)
		ml_lua_renew(L);
	ml_lua_charge(L, 90000);
}

static void test_charge_and_renew(void **state)
{
	(void)state;
	struct ml_sandbox *sb = new_sandbox(100000);
	struct ml_error err = ML_ERROR_NONE;
	bool renew = true;
	assert_int_equal(ml_sandbox_run(sb, work_twice, &renew, &err), 0);
	assert_int_equal(ml_sandbox_usage(sb).instructions, 180000);
	renew = false;
	assert_int_equal(ml_sandbox_run(sb, work_twice, &renew, &err), -ETIMEDOUT);
	ml_sandbox_free(sb);
}

static void test_tells_memory_in_use(void **state)
{
	(void)state;
	struct ml_sandbox *sb = new_sandbox(0);
	const size_t before = ml_sandbox_usage(sb).memory;
	expect_good(sb, "kept = ('x'):rep(1000000)");
	assert_in_range(ml_sandbox_usage(sb).memory, before + 1000000, before + 1100000);
	assert_true(ml_sandbox_usage(sb).memory_most >= ml_sandbox_usage(sb).memory);
	ml_sandbox_free(sb);
}

/* ---- Objects ---- */

struct counter {
	int64_t count;
};

static int counter_add(lua_State *L);
static const luaL_Reg counter_methods[] = {{"add", counter_add}, {NULL, NULL}};

static void get_count(lua_State *L, void *object)
{
	lua_pushinteger(L, ((const struct counter *)object)->count);
}

static void set_count(lua_State *L, void *object)
{
	((struct counter *)object)->count = luaL_checkinteger(L, 3);
}

static void get_name(lua_State *L, void *object)
{
	(void)object;
	lua_pushliteral(L, "counter");
}

static void get_item(lua_State *L, void *object, lua_Integer n)
{
	if (n > 0 && n <= ((const struct counter *)object)->count)
		lua_pushinteger(L, n * n);
	else
		lua_pushnil(L);
}

static const struct ml_lua_field counter_fields[] = {
	{"count", get_count, set_count}, {"name", get_name, NULL}, {NULL, NULL, NULL}};
static const struct ml_lua_type counter_type = {
	.name = "counter", .methods = counter_methods, .fields = counter_fields, .item = get_item};
static const struct ml_lua_type other_type = {.name = "other"};

static int counter_add(lua_State *L)
{
	struct counter *counter = ml_lua_check_object(L, 1, &counter_type);
	counter->count += luaL_checkinteger(L, 2);
	lua_pushinteger(L, counter->count);
	return 1;
}

static void make_objects(lua_State *L, void *user)
{
	(void)user;
	ml_lua_register(L, &counter_type);
	ml_lua_register(L, &other_type);
	struct counter *counter = ml_lua_object(L, &counter_type, sizeof *counter);
	assert_int_equal(counter->count, 0);
	lua_setglobal(L, "counter");
	(void)ml_lua_object(L, &other_type, 0);
	assert_null(ml_lua_to_object(L, -1, &counter_type));
	lua_setglobal(L, "other");
}

static void test_objects(void **state)
{
	(void)state;
	struct ml_sandbox *sb = new_sandbox(0);
	assert_int_equal(ml_sandbox_run(sb, make_objects, NULL, NULL), 0);
	expect_good(sb,
		"assert(counter:add(2) == 2 and counter:add(3) == 5)\n"
		"assert(tostring(counter) == 'counter' and getmetatable(counter) == false)\n"
		"assert(counter.count == 5 and counter.name == 'counter')\n"
		"counter.count = 3 assert(counter.count == 3)\n"
		"local n = 0 for i, v in ipairs(counter) do n = n + v end assert(n == 14)\n"
		"assert(not pcall(setmetatable, counter, {}))\n"
		"assert(not pcall(function() counter.add = print end))\n");
	expect_error(
		sb, "return counter.coutn", -EINVAL, "counter has no 'coutn'; is 'count' meant?");
	expect_error(sb, "counter.x = 1", -EINVAL, "counter has no 'x'");
	expect_error(sb, "return counter[{}]", -EINVAL, "counter has nothing at a table");
	expect_error(sb, "counter.name = 'x'", -EINVAL, "'name' of counter cannot be changed");
	expect_error(sb, "counter.count = 'x'", -EINVAL, "number expected, got string");
	expect_error(sb, "return other[1]", -EINVAL, "other has nothing at a number");
	expect_error(sb, "counter.add(other, 1)", -EINVAL, "counter expected, got other");
	expect_error(sb, "counter.add({}, 1)", -EINVAL, "counter expected, got table");
	ml_sandbox_free(sb);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_calls_a_function_with_arguments),
		cmocka_unit_test(test_errors_name_script_and_line),
		cmocka_unit_test(test_long_names_are_cut),
		cmocka_unit_test(test_errors_of_the_host_come_back),
		cmocka_unit_test(test_refuses_what_is_no_script),
		cmocka_unit_test(test_limit_of_time_on_a_real_clock),
		cmocka_unit_test(test_only_instructions_count_in_simulated_time),
		cmocka_unit_test(test_trips_after_overruns_in_a_row),
		cmocka_unit_test(test_each_run_has_the_whole_limit),
		cmocka_unit_test(test_charge_and_renew),
		cmocka_unit_test(test_tells_memory_in_use),
		cmocka_unit_test(test_objects),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
