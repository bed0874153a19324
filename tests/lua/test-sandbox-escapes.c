/* The ways out of a sandbox that have been tried, each shut.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "script.h"

enum { INSTRUCTIONS = 1000000 };

static int set_up(void **state)
{
	*state = new_sandbox(INSTRUCTIONS);
	return 0;
}

static int tear_down(void **state)
{
	ml_sandbox_free(*state);
	return 0;
}

#define OVERRUN "more than 1000000 instructions"

/* It was stopped, and what came after it was not run. */
static void expect_stopped(struct ml_sandbox *sb, const char *text)
{
	expect_good(sb, "survived = nil");
	expect_error(sb, text, -ETIMEDOUT, OVERRUN);
	expect_good(sb, "assert(not survived)");
}

static void test_what_is_not_there(void **state)
{
	expect_good(*state,
		"for _, name in ipairs{'dofile', 'loadfile', 'load', 'loadstring', 'require', "
		"'module',\n"
		"  'collectgarbage', 'xpcall', 'warn', 'io', 'os', 'package', 'debug', "
		"'coroutine',\n"
		"  'setfenv', 'newproxy', 'bit32'} do\n"
		"  assert(_G[name] == nil, name)\n"
		"end\n"
		"assert(string.dump == nil and math.randomseed == nil and ('').dump == nil)\n");
}

static void test_only_what_is_listed_is_there(void **state)
{
	expect_good(*state, "local names = {}\n"
			    "for name in pairs(_G) do names[#names + 1] = name end\n"
			    "local text = table.concat(names, ' ')\n"
			    "assert(text == '_G _VERSION assert decimal error getmetatable ipairs "
			    "math next pairs pcall '\n"
			    "  .. 'print rawequal rawget rawlen rawset select setmetatable string "
			    "table tonumber '\n"
			    "  .. 'tostring type utf8', text)\n");
}

static void test_loops(void **state)
{
	expect_stopped(*state, "while true do end");
	expect_stopped(*state, "::again:: goto again");
	expect_stopped(*state, "for i = 1, math.huge do end");
	expect_stopped(*state,
		"local t = setmetatable({}, {__index = function(t, k) return k end})\n"
		"for _ in ipairs(t) do end");
	expect_stopped(*state, "local function f() return f() end f()");
}

static void test_pcall_keeps_no_overrun(void **state)
{
	expect_stopped(*state, "pcall(function() while true do end end) survived = true");
	expect_stopped(*state, "while true do pcall(function() while true do end end) end");
	expect_stopped(*state, "while true do pcall(error) end");
	expect_stopped(*state, "local function f() pcall(f) while true do end end\n"
			       "pcall(f) survived = true");
	expect_stopped(*state, "local function f() return pcall(pcall, pcall, f) end\n"
			       "while true do f() end");
	expect_stopped(*state, "pcall(string.gsub, 'x', 'x', function() while true do end end)\n"
			       "survived = true");
	expect_stopped(*state, "pcall(table.sort, {2, 1}, function() while true do end end)\n"
			       "survived = true");
	expect_stopped(*state,
		"local t = setmetatable({}, {__tostring = function() while true do end end})\n"
		"pcall(tostring, t) pcall(print, t) survived = true");
}

static void test_no_finalizers(void **state)
{
	expect_error(*state, "setmetatable({}, {__gc = function() while true do end end})", -EINVAL,
		"a metatable here cannot have __gc");
	expect_error(*state, "setmetatable({}, {__gc = false})", -EINVAL, "cannot have __gc");
	expect_error(*state,
		"local mt = {}\n"
		"setmetatable({}, mt)\n"
		"mt.__gc = function() end\n"
		"setmetatable({}, mt)\n",
		-EINVAL, "test.lua:4: a metatable here cannot have __gc");
	/* Set behind the back of setmetatable() it is not seen by Lua either. */
	expect_good(*state, "ran = false\n"
			    "do\n"
			    "  local mt = {}\n"
			    "  local t = setmetatable({}, mt)\n"
			    "  mt.__gc = function() ran = true end\n"
			    "end\n"
			    "for i = 1, 20000 do local t = {} end\n"
			    "assert(not ran)\n");
}

static void test_close_gains_no_time(void **state)
{
	expect_error(*state, "setmetatable({}, {__close = function() end})", -EINVAL,
		"a metatable here cannot have __close");
	expect_stopped(*state, "local function block()\n"
			       "  local mt = {}\n"
			       "  local t = setmetatable({}, mt)\n"
			       "  mt.__close = function()\n"
			       "    while true do survived = (survived or 0) + 1 end\n"
			       "  end\n"
			       "  local closed <close> = t\n"
			       "  while true do end\n"
			       "end\n"
			       "pcall(block)\n"
			       "survived = true\n");
}

static void test_patterns_that_go_back_and_back(void **state)
{
	expect_stopped(*state, "('a'):rep(400):find('.-.-.-.-b')");
	expect_stopped(*state, "string.find(('a'):rep(400), '.-.-.-.-b')");
	expect_stopped(*state, "local s = '' s.find(('a'):rep(400), '.-.-.-.-b')");
	expect_stopped(*state, "('a'):rep(400):match('.-.-.-.-b')");
	expect_stopped(*state, "('a'):rep(400):gsub('.-.-.-.-b', '')");
	expect_stopped(*state, "for _ in ('a'):rep(400):gmatch('.-.-.-.-b') do end");
	expect_stopped(*state, "('a'):rep(400):find(('a*'):rep(20) .. 'b')");
	expect_stopped(*state, "('a'):rep(30):find(('a?'):rep(30) .. ('a'):rep(30) .. 'b')");
	expect_stopped(*state, "pcall(string.find, ('a'):rep(400), '.-.-.-.-b') survived = true");
	expect_stopped(*state, "('('):rep(100000):gsub('%b()', '')");
	expect_stopped(*state, "('a'):rep(100000):find('[' .. ('b'):rep(100000) .. ']')");
	expect_stopped(*state, "('a'):rep(100000):find('%f[' .. ('b'):rep(100000) .. ']')");
	expect_stopped(*state,
		"local s = ('a'):rep(100000) s:find('(' .. ('a'):rep(50000) .. ')%1b')\n"
		"while true do s:find('(.*)%1b') end");
	expect_error(
		*state, "('a'):rep(1000):find(('a?'):rep(1000))", -EINVAL, "pattern too complex");
}

static void test_a_plain_search_is_linear(void **state)
{
	expect_good(*state, "local s = ('a'):rep(1000000)\n"
			    "assert(not s:find(('a'):rep(500000) .. 'b', 1, true))\n"
			    "assert(s:find(('a'):rep(500000)) == 1)\n");
	expect_stopped(
		*state, "local s = ('a'):rep(1000000) while true do s:find('b', 1, true) end");
}

static void test_repetition_without_end(void **state)
{
	expect_good(*state, "assert((''):rep(1 << 40) == '' and ('').rep('', 1 << 62, '') == '')");
	expect_error(*state, "('x'):rep(1 << 40)", -EINVAL, "resulting string too large");
	expect_error(*state, "(''):rep(1 << 62, 'x')", -EINVAL, "resulting string too large");
	expect_error(*state, "('xy'):rep(math.maxinteger)", -EINVAL, "resulting string too large");
	expect_stopped(*state, "while true do local s = ('x'):rep(1000000) end");
}

static void test_table_functions_over_huge_ranges(void **state)
{
	expect_stopped(*state, "table.move({}, 1, 1 << 60, 2)");
	expect_stopped(*state, "table.move({}, 1, 1 << 60, 1, {})");
	expect_stopped(*state, "pcall(table.move, {}, 1, 1 << 60, 2) survived = true");
	expect_stopped(*state,
		"local t = setmetatable({}, {__len = function() return 1 << 60 end})\n"
		"table.insert(t, 1, 'x')");
	expect_stopped(*state,
		"local t = setmetatable({}, {__len = function() return 1 << 60 end})\n"
		"table.remove(t, 1)");
	expect_stopped(*state, "local t = setmetatable({}, {__index = table.concat})\n"
			       "table.concat(t, '', 1, 1 << 60)");
	expect_stopped(*state, "local t = setmetatable({}, {__index = table.concat,\n"
			       "  __len = function() return 1 << 30 end})\n"
			       "table.sort(t)");
	expect_error(*state, "table.unpack({}, 1, 1 << 60)", -EINVAL, "too many results to unpack");
	expect_error(*state, "table.unpack({}, math.mininteger, math.maxinteger)", -EINVAL,
		"too many results to unpack");
	expect_stopped(*state, "local t = {} for i = 1, 2000 do t[i] = i end\n"
			       "while true do table.sort(t) end");
	expect_stopped(*state, "local long = ('x'):rep(200000)\n"
			       "local t = {} for i = 1, 100 do t[i] = long .. (100 - i) t[i] = nil "
			       "t[i] = long end\n"
			       "while true do table.sort(t) end");
	expect_good(*state, "local n = 0\n" /* an order that is none ends all the same */
			    "local t = {} for i = 1, 100 do t[i] = i end\n"
			    "table.sort(t, function() n = n + 1 return true end)\n");
}

static void test_other_library_loops(void **state)
{
	expect_stopped(*state, "local s = ('x'):rep(1000000) while true do utf8.len(s) end");
	expect_stopped(*state, "local s = ('1'):rep(1000000) while true do tonumber(s, 2) end");
	expect_stopped(*state, "local s = ('x'):rep(100000) while true do s:byte(1, 10000) end");
	expect_stopped(*state, "local s = ('x'):rep(1000000) while true do s:upper() end");
	expect_stopped(*state, "local s = ('b'):rep(1000000) while true do string.packsize(s) end");
	expect_stopped(*state, "local t = {} for i = 1, 10000 do t[i] = i end\n"
			       "while true do for k in pairs(t) do break end end");
	expect_error(*state, "string.pack('c1000000000', 'x')", -ENOMEM, "memory");
}

static void test_deep_recursion_is_an_error(void **state)
{
	struct ml_error err;
	assert_true(run_text(*state, "local function f() return 1 + f() end f()", &err) < 0);
	assert_true(run_text(*state,
			    "local t = {} t.__index = function(t, k) return t[k] end\n"
			    "setmetatable(t, t) return t.x",
			    &err) < 0);
	assert_true(run_text(*state, "local f f = function() return (('x'):gsub('x', f)) end f()",
			    &err) < 0);
	assert_true(run_text(*state,
			    "local t = setmetatable({}, {__tostring = function(t) return "
			    "tostring(t) end})\n"
			    "tostring(t)",
			    &err) < 0);
	static char nested[20001];
	memset(nested, '(', sizeof nested - 1);
	assert_int_equal(run_text(*state, nested, &err), -EINVAL);
	assert_string_equal(err.text, "test.lua: C stack overflow");
	expect_good(*state, "x = 1");
}

static void test_memory_is_bounded(void **state)
{
	struct ml_sandbox *sb = new_sandbox(0);
	(void)state;
	expect_error(sb, "local t = {} while true do t[#t + 1] = ('x'):rep(1000) .. #t end",
		-ENOMEM, "test.lua: needs more memory than the 4096 KiB it may have");
	expect_error(sb, "local s = 'x' while true do s = s .. s end", -ENOMEM, "4096 KiB");
	expect_error(sb,
		"pcall(function() local s = 'x' while true do s = s .. s end end)\n"
		"survived = true",
		-ENOMEM, "4096 KiB");
	expect_error(sb, "survived = true local t = {} for i = 1, 1 << 30 do t[i] = i end", -ENOMEM,
		"4096 KiB");
	expect_good(sb, "local t = {} for i = 1, 10000 do t[i] = i end");
	assert_true(ml_sandbox_usage(sb).memory_most <= (size_t)4 << 20);
	ml_sandbox_free(sb);
}

static void test_memory_that_is_nearly_full_ends_too(void **state)
{
	/* Each small allocation now makes Lua collect the whole heap: that work is counted. */
	struct ml_sandbox *sb = new_sandbox(10000000);
	(void)state;
	struct ml_error err;
	assert_true(run_text(sb,
			    "local kept = {}\n"
			    "for i = 1, 50000 do kept[i] = {} end\n"
			    "while true do kept[#kept + 1] = {} kept[#kept] = nil local t = {{}, "
			    "{}} end",
			    &err) < 0);
	ml_sandbox_free(sb);
}

static void test_no_addresses(void **state)
{
	expect_good(*state,
		"local mt = setmetatable({}, {__name = 'named'})\n"
		"for _, v in ipairs{{}, print, function() end, mt} do\n"
		"  assert(not tostring(v):find('0x') and not ('%s'):format(v):find('0x'))\n"
		"end\n"
		"assert(tostring({}) == 'table' and tostring(print) == 'function')\n"
		"assert(tostring(mt) == 'named')\n");
	expect_error(*state, "string.format('%p', {})", -EINVAL, "'%p' would show an address");
	expect_error(*state, "string.format('%10p', {})", -EINVAL, "address");
	expect_error(*state, "string.format('%d %s %-5p', 1, {}, {})", -EINVAL, "address");
}

static void test_metatables_of_the_host_are_out_of_reach(void **state)
{
	expect_good(*state,
		"assert(getmetatable('') == false)\n"
		"assert(getmetatable(decimal('1')) == false)\n"
		"assert(not pcall(setmetatable, 'x', {}))\n"
		"assert(not pcall(setmetatable, decimal('1'), {}))\n"
		"local t = setmetatable({}, {__metatable = 'mine'})\n"
		"assert(getmetatable(t) == 'mine' and not pcall(setmetatable, t, {}))\n");
}

static void test_a_broken_script_leaves_the_next_run_whole(void **state)
{
	static const char *const bad[] = {
		"while true do end",
		"pcall(function() while true do end end)",
		"local t = {} while true do t[#t + 1] = {} end",
		"('a'):rep(400):find('.-.-.-.-b')",
		"error({})",
	};
	for (int round = 0; round < 20; round++) {
		struct ml_error err;
		assert_true(run_text(*state, bad[round % 5], &err) < 0);
		expect_good(*state,
			"local n = 0 for i = 1, 1000 do n = n + i end assert(n == 500500)\n"
			"assert(pcall(error) == false and ('abc'):find('b') == 2)");
	}
}

int main(void)
{
#define ESCAPE_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		ESCAPE_TEST(test_what_is_not_there),
		ESCAPE_TEST(test_only_what_is_listed_is_there),
		ESCAPE_TEST(test_loops),
		ESCAPE_TEST(test_pcall_keeps_no_overrun),
		ESCAPE_TEST(test_no_finalizers),
		ESCAPE_TEST(test_close_gains_no_time),
		ESCAPE_TEST(test_patterns_that_go_back_and_back),
		ESCAPE_TEST(test_a_plain_search_is_linear),
		ESCAPE_TEST(test_repetition_without_end),
		ESCAPE_TEST(test_table_functions_over_huge_ranges),
		ESCAPE_TEST(test_other_library_loops),
		ESCAPE_TEST(test_deep_recursion_is_an_error),
		ESCAPE_TEST(test_memory_is_bounded),
		ESCAPE_TEST(test_memory_that_is_nearly_full_ends_too),
		ESCAPE_TEST(test_no_addresses),
		ESCAPE_TEST(test_metatables_of_the_host_are_out_of_reach),
		ESCAPE_TEST(test_a_broken_script_leaves_the_next_run_whole),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
