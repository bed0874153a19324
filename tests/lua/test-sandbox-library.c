/* The libraries of the sandbox: what they promise beyond Lua's own, and that they are Lua's
 * otherwise. SPDX-License-Identifier: Apache-2.0
 */
#include "script.h"

static int set_up(void **state)
{
	*state = new_sandbox(0);
	return 0;
}

static int tear_down(void **state)
{
	ml_sandbox_free(*state);
	return 0;
}

static void test_pairs_goes_in_the_order_of_keys(void **state)
{
	expect_good(*state, "local function f() end\n"
			    "local t = {z = 1, a = 2, [10] = 3, [2] = 4, [1.5] = 5, [true] = 6, "
			    "[false] = 7, [f] = 8,\n"
			    "  ['a\\0'] = 9, [-1] = 10}\n"
			    "local seen = {}\n"
			    "for k, v in pairs(t) do seen[#seen + 1] = v end\n"
			    "assert(table.concat(seen, ',') == '10,5,4,3,2,9,1,7,6,8')\n"
			    "local n = 0 for i, v in pairs{5, 6, 7} do n = n + 1 assert(i == n and "
			    "v == n + 4) end\n"
			    "assert(n == 3)\n"
			    "for _ in pairs{} do error('empty') end\n");
}

static void test_pairs_while_the_table_changes(void **state)
{
	expect_good(*state,
		"local t = {a = 1, b = 2, c = 3, d = 4}\n"
		"local seen = ''\n"
		"for k in pairs(t) do seen = seen .. k t[k] = nil t.c = nil t.e = 5 end\n"
		"assert(seen == 'abd')\n"
		"local p = setmetatable({}, {__pairs = function(t) return function(_, i)\n"
		"  if i < 3 then return i + 1, 'x' end end, t, 0 end})\n"
		"local n = 0 for i in pairs(p) do n = n + i end assert(n == 6)\n");
	expect_error(*state, "pairs(nil)", -EINVAL, "table expected, got nil");
}

static void test_random_is_seeded_by_the_host(void **state)
{
	struct ml_sandbox *other = new_sandbox(0);
	const char *draw = "local t = {} for i = 1, 20 do t[i] = math.random(1000) end\n"
			   "print(table.concat(t, ' '))\n"
			   "drawn = table.concat(t, ' ')\n";
	expect_good(*state, draw);
	expect_good(other, draw);
	expect_good(*state, "first = drawn");
	expect_good(*state, draw);
	expect_good(*state, "assert(first ~= drawn)");
	/* The same script in a second sandbox of the same seed drew the same. */
	expect_good(other, "copy = drawn");
	expect_good(other, draw);
	expect_good(other, "assert(copy ~= drawn)");
	ml_sandbox_free(other);
}

struct printed {
	char text[4096];
	size_t lines, length;
};

static void keep_print(void *user, const char *text, size_t length)
{
	struct printed *printed = user;
	assert_int_equal(strlen(text), length);
	printed->lines++;
	printed->length = length;
	(void)snprintf(printed->text, sizeof printed->text, "%s", text);
}

static struct ml_sandbox *printing(struct printed *printed, uint64_t seed)
{
	return ml_sandbox_new(
		&(struct ml_sandbox_options){.print = keep_print, .user = printed, .seed = seed},
		NULL);
}

static void test_print_goes_to_the_host(void **state)
{
	(void)state;
	struct printed printed = {.lines = 0};
	struct ml_sandbox *sb = printing(&printed, 0);
	expect_good(sb, "print('a', 1, nil, true, {}, decimal('1.50'))");
	assert_string_equal(printed.text, "a\t1\tnil\ttrue\ttable\t1.50");
	expect_good(sb, "print()");
	assert_string_equal(printed.text, "");
	expect_good(sb, "print(('x'):rep(1023) .. 'é', 'more')"); /* the é does not fit */
	assert_int_equal(printed.length, 1023);
	expect_good(sb, "print(('x'):rep(100000), ('x'):rep(100000))");
	assert_int_equal(printed.length, ML_SANDBOX_PRINT_MAX);
	assert_int_equal(printed.lines, 4);
	ml_sandbox_free(sb);
}

static void test_same_seed_same_text(void **state)
{
	(void)state;
	const char *script = "local t = {}\n"
			     "for i = 1, 200 do t['k' .. math.random(100000)] = math.random() end\n"
			     "local text = ''\n"
			     "for k, v in pairs(t) do text = text .. k .. '=' .. v .. ';' end\n"
			     "print(text:sub(1, 1000), {}, print)\n";
	struct printed first = {.lines = 0}, second = {.lines = 0}, third = {.lines = 0};
	struct ml_sandbox *a = printing(&first, 5), *b = printing(&second, 5),
			  *c = printing(&third, 6);
	expect_good(a, script);
	expect_good(b, script);
	expect_good(c, script);
	assert_string_equal(first.text, second.text);
	assert_string_not_equal(first.text, third.text);
	ml_sandbox_free(a);
	ml_sandbox_free(b);
	ml_sandbox_free(c);
}

static void test_pcall_and_error(void **state)
{
	expect_good(*state,
		"local ok, text = pcall(error, 'x', 0) assert(ok == false and text == 'x')\n"
		"local ok, value = pcall(error, {code = 5}) assert(value.code == 5)\n"
		"local ok, text = pcall(function() local x = nil; x() end)\n"
		"assert(text == \"test.lua:3: attempt to call a nil value (local 'x')\", text)\n"
		"assert(select('#', pcall(function() return 1, nil, 3, nil end)) == 5)\n"
		"assert(not pcall(pcall))\n"
		"assert(select(2, pcall(nil)) == 'attempt to call a nil value')\n");
	expect_error(*state, "assert(false, 'so it is')", -EINVAL, "so it is");
	expect_error(*state, "assert(nil)", -EINVAL, "assertion failed!");
	/* The place told is that of the error which was not caught. */
	expect_error(*state, "pcall(error)\n\nerror('late')", -EINVAL, "test.lua:3: late");
}

static void test_tostring(void **state)
{
	expect_good(*state,
		"assert(tostring(1) == '1' and tostring(1.0) == '1.0' and tostring(nil) == 'nil')\n"
		"assert(tostring('x') == 'x' and tostring(true) == 'true')\n"
		"local t = setmetatable({}, {__tostring = function() return 'mine' end})\n"
		"assert(tostring(t) == 'mine' and ('%5s|%s'):format(t, t) == ' mine|mine')\n"
		"assert(tonumber('0x10') == 16 and tonumber('z', 36) == 35 and tonumber('x') == "
		"nil)\n");
	expect_error(*state, "tostring(setmetatable({}, {__tostring = function() return {} end}))",
		-EINVAL, "'__tostring' must return a string");
}

static void test_string_functions(void **state)
{
	expect_good(*state,
		"assert(('ab'):rep(3, '-') == 'ab-ab-ab' and ('x'):rep(0) == '' and ('x'):rep(-1) "
		"== '')\n"
		"assert(('%d %5.2f %s %q %%'):format(3, 1.5, 'x', 'y') == '3  1.50 x \"y\" %')\n"
		"assert(('%s %s'):format(nil, true) == 'nil true')\n"
		"assert(string.pack('>I2', 258) == '\\1\\2' and string.unpack('>I2', '\\1\\2') == "
		"258)\n"
		"assert(('abc'):byte(-1) == 99 and string.char(97, 98) == 'ab')\n"
		"assert(('abc'):sub(-2) == 'bc' and ('aBc'):upper() == 'ABC' and #'abc' == 3)\n"
		"assert('10' + 5 == 15 and '3' * '4' == 12)\n");
	expect_error(*state, "('%d'):format('x')", -EINVAL, "number expected, got string");
	expect_error(*state, "('%s')", -EINVAL, "test.lua:1:");
	expect_error(*state, "('%s'):format()", -EINVAL, "bad argument #1 to 'format' (no value)");
	expect_error(*state, "('%y'):format(1)", -EINVAL, "invalid conversion '%y'");
}

static void test_table_functions(void **state)
{
	expect_good(*state,
		"local t = {1, 2, 3}\n"
		"table.insert(t, 4) table.insert(t, 1, 0) table.insert(t, 6, 5)\n"
		"assert(table.concat(t, ',') == '0,1,2,3,4,5')\n"
		"assert(table.remove(t) == 5 and table.remove(t, 1) == 0 and table.remove(t, 5) == "
		"nil)\n"
		"assert(table.concat(t) == '1234' and table.concat(t, '', 2, 3) == '23')\n"
		"assert(table.concat({}, ',') == '' and table.concat({}, ',', 3, 2) == '')\n"
		"assert(table.remove({}) == nil)\n"
		"local m = table.move({1, 2, 3}, 1, 3, 2) assert(table.concat(m) == '1123')\n"
		"local m = table.move({1, 2, 3}, 2, 3, 1) assert(table.concat(m) == '233')\n"
		"local m = table.move({1, 2}, 1, 2, 3, {8, 9}) assert(table.concat(m) == '8912')\n"
		"assert(select('#', table.unpack({1, nil, 3}, 1, 3)) == 3)\n"
		"assert(table.pack(1, nil).n == 2)\n");
	expect_error(*state, "table.insert({1, 2}, 4, 5)", -EINVAL, "position out of bounds");
	expect_error(*state, "table.insert({}, 1, 2, 3)", -EINVAL, "wrong number of arguments");
	expect_error(*state, "table.remove({1, 2}, 5)", -EINVAL, "position out of bounds");
	expect_error(
		*state, "table.concat({1, {}, 3})", -EINVAL, "invalid value (a table at index 2)");
	expect_error(*state, "table.insert('x', 1)", -EINVAL, "table expected, got string");
}

static void test_sort(void **state)
{
	expect_good(*state,
		"for n = 0, 70 do\n"
		"  local t = {} for i = 1, n do t[i] = math.random(20) end\n"
		"  table.sort(t)\n"
		"  assert(#t == n) for i = 2, n do assert(t[i - 1] <= t[i]) end\n"
		"  table.sort(t, function(a, b) return a > b end)\n"
		"  for i = 2, n do assert(t[i - 1] >= t[i]) end\n"
		"end\n"
		"local words = {'pear', 'fig', 'apple', 'nut', 'date'}\n"
		"table.sort(words, function(a, b) return #a < #b end)\n"
		"assert(table.concat(words, ' ') == 'fig nut pear date apple')\n"); /* equal: as
										       they came */
	/* When the comparison fails, nothing has moved. */
	expect_good(*state,
		"local t = {3, 2, {}, 1}\n"
		"assert(not pcall(table.sort, t) and t[1] == 3 and t[2] == 2 and t[4] == 1)\n"
		"table.sort({}) table.sort({1})\n");
	expect_error(*state, "table.sort({1, 'x'})", -EINVAL, "attempt to compare");
}

static void test_utf8_and_math(void **state)
{
	expect_good(*state,
		"assert(utf8.len('é€') == 2 and utf8.char(8364) == '€' and utf8.codepoint('€') == "
		"8364)\n"
		"assert(utf8.offset('é€', 2) == 3 and utf8.len('\\xff') == nil)\n"
		"local n = 0 for _, c in utf8.codes('aé') do n = n + c end assert(n == 97 + 233)\n"
		"local n = 0 for c in ('aé€'):gmatch(utf8.charpattern) do n = n + 1 end assert(n "
		"== 3)\n"
		"assert(math.floor(2.5) == 2 and math.type(1) == 'integer' and math.tointeger(3.0) "
		"== 3)\n"
		"assert(math.maxinteger // 2 > 0 and math.ult(1, -1) and 7 // 2 == 3 and 7 & 2 == "
		"2)\n");
}

int main(void)
{
#define LIBRARY_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		LIBRARY_TEST(test_pairs_goes_in_the_order_of_keys),
		LIBRARY_TEST(test_pairs_while_the_table_changes),
		LIBRARY_TEST(test_random_is_seeded_by_the_host),
		LIBRARY_TEST(test_print_goes_to_the_host),
		LIBRARY_TEST(test_same_seed_same_text),
		LIBRARY_TEST(test_pcall_and_error),
		LIBRARY_TEST(test_tostring),
		LIBRARY_TEST(test_string_functions),
		LIBRARY_TEST(test_table_functions),
		LIBRARY_TEST(test_sort),
		LIBRARY_TEST(test_utf8_and_math),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
