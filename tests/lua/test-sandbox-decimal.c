/* Decimals in scripts: exact, mixed with integers, never with floats.
 * SPDX-License-Identifier: Apache-2.0
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

static void test_arithmetic_is_exact(void **state)
{
	expect_good(*state,
		"local d = decimal\n"
		"assert(tostring(d('0.1') + d('0.2')) == '0.3')\n"
		"assert(tostring(d('12.30') - 1) == '11.30' and tostring(1 - d('12.30')) == "
		"'-11.30')\n"
		"assert(tostring(d('1.5') * 3) == '4.5' and tostring(-d('1.5')) == '-1.5')\n"
		"assert(tostring(d(5)) == '5' and tostring(d(d('5.0'))) == '5.0')\n"
		"assert('got ' .. tostring(d('1e3')) == 'got 1000')\n");
}

static void test_comparison(void **state)
{
	expect_good(*state, "local d = decimal\n"
			    "assert(d('1.0') == d('1.00') and d('1.0') ~= d('1.1'))\n"
			    "assert(d('1.5') < 2 and 1 < d('1.5') and d('2.0') <= 2 and d('2.1') > "
			    "2 and 3 >= d('3.0'))\n"
			    "assert(d('1.5'):compare(2) == -1 and d('2.0'):compare(2) == 0)\n"
			    "assert(d('1.0') ~= 1)\n" /* Lua compares only like with like */
			    "local t = {d('3.5'), 1, d('2.25')} table.sort(t)\n"
			    "assert(t[1] == 1 and t[2] == d('2.25') and t[3] == d('3.5'))\n");
}

static void test_division_says_how_many_digits(void **state)
{
	expect_good(*state,
		"local function is(got, text) assert(tostring(got) == text, tostring(got)) end\n"
		"local d = decimal\n"
		"is(d(1):divide(3, 4), '0.3333') is(d(2):divide(3, 4), '0.6667')\n"
		"is(d(-2):divide(3, 2), '-0.67') is(d(2):divide(-3, 2), '-0.67')\n"
		"is(d(1):divide(8, 2), '0.13') is(d(-1):divide(8, 2), '-0.13')\n" /* half away from
										     zero */
		"is(d('12.30'):divide(d('0.1'), 0), '123') is(d(1234):divide(1, -2), '1200')\n"
		"is(d('9223372036854775807'):divide(1, 0), '9223372036854775807')\n"
		"is(d('9223372036854775807'):divide(d('9223372036854775807'), 18), "
		"'1.000000000000000000')\n"
		"is(d('9223372036854775807'):divide(10, 0), '922337203685477581')\n"
		"is(d('1e-50'):divide(3, 2), '0.00') is(d('1e-100'):divide(d('1e27'), 0), '0')\n"
		"is(d('1e50'):divide(d('1e45'), 1), '100000.0')\n");
	expect_error(*state, "decimal(1):divide(0, 2)", -EINVAL, "division by zero");
	expect_error(*state, "decimal(1):divide(3)", -EINVAL, "number expected, got no value");
	expect_error(*state, "decimal(1):divide(3, 101)", -EINVAL, "-100 to 100");
	expect_error(*state, "decimal('1e100'):divide(3, 0)", -EINVAL,
		"more digits than a decimal holds");
	expect_error(
		*state, "decimal(1):divide(3, 30)", -EINVAL, "more digits than a decimal holds");
	expect_error(*state, "return decimal(1) / 3", -EINVAL, "use :divide(other, digits)");
	expect_error(*state, "return 7 // decimal(1)", -EINVAL, "use :divide(other, digits)");
}

static void test_other_views(void **state)
{
	expect_good(*state,
		"local d = decimal('12.345')\n"
		"assert(tostring(d:round(2)) == '12.35' and tostring(d:round(0)) == '12')\n"
		"assert(tostring(decimal('-0.5'):round(0)) == '-1' and tostring(d:round(4)) == "
		"'12.3450')\n"
		"assert(d:text() == '12.345' and d:number() == 12.345 and math.type(d:number()) == "
		"'float')\n"
		"assert(d:integer() == nil and math.type(decimal('12.00'):integer()) == "
		"'integer')\n"
		"assert(('%s'):format(d) == '12.345')\n");
}

static void test_floats_are_refused(void **state)
{
	expect_error(*state, "decimal(0.1)", -EINVAL,
		"a float is not exact; use an integer, decimal(\"0.1\")");
	expect_error(*state, "return decimal('0.1') + 0.2", -EINVAL, "a float is not exact");
	expect_error(*state, "return 1.0 * decimal('0.1')", -EINVAL, "a float is not exact");
	expect_error(*state, "return decimal('0.1') < 0.2", -EINVAL, "a float is not exact");
	expect_error(*state, "return decimal('0.1') + '0.2'", -EINVAL,
		"integer or decimal expected, got string");
	expect_error(*state, "return decimal('0.1') + nil", -EINVAL,
		"integer or decimal expected, got nil");
	expect_error(
		*state, "('%.2f'):format(decimal('0.1'))", -EINVAL, "number expected, got decimal");
}

static void test_what_is_no_number(void **state)
{
	expect_error(*state, "decimal('1,5')", -EINVAL, "bad argument #1 to 'decimal'");
	expect_error(*state, "decimal('')", -EINVAL, "bad argument #1 to 'decimal'");
	expect_error(
		*state, "decimal('99999999999999999999')", -EINVAL, "bad argument #1 to 'decimal'");
	expect_error(*state, "decimal()", -EINVAL, "integer or decimal expected, got no value");
	expect_error(*state, "local d = decimal(math.maxinteger) return d + d", -EINVAL,
		"the exact sum has more digits than a decimal holds");
	expect_error(*state, "local d = decimal(math.maxinteger) return d * d", -EINVAL,
		"the exact product");
}

struct crossing {
	struct ml_decimal in, out;
	bool taken;
};

static void cross(lua_State *L, void *user)
{
	struct crossing *crossing = user;
	(void)lua_getglobal(L, "f");
	ml_lua_push_decimal(L, crossing->in);
	lua_call(L, 1, 1);
	crossing->taken = ml_lua_to_decimal(L, -1, &crossing->out);
}

static void test_values_go_in_and_out(void **state)
{
	struct crossing crossing = {.in = {1230, -1}};
	expect_good(*state, "function f(v) kind = math.type(v) return v + decimal('0.5') end");
	assert_int_equal(ml_sandbox_run(*state, cross, &crossing, NULL), 0);
	assert_true(crossing.taken);
	assert_int_equal(crossing.out.mantissa, 1235);
	assert_int_equal(crossing.out.exponent, -1);
	expect_good(*state, "assert(kind == 'integer')"); /* where it is one */
	expect_good(*state, "function f(v) return v + 1 end");
	crossing.in = (struct ml_decimal){5, -1};
	assert_int_equal(ml_sandbox_run(*state, cross, &crossing, NULL), 0);
	assert_true(crossing.taken && crossing.out.mantissa == 15 && crossing.out.exponent == -1);
	expect_good(*state, "function f(v) return 1.5 end");
	assert_int_equal(ml_sandbox_run(*state, cross, &crossing, NULL), 0);
	assert_false(crossing.taken);
}

int main(void)
{
#define DECIMAL_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		DECIMAL_TEST(test_arithmetic_is_exact),
		DECIMAL_TEST(test_comparison),
		DECIMAL_TEST(test_division_says_how_many_digits),
		DECIMAL_TEST(test_other_views),
		DECIMAL_TEST(test_floats_are_refused),
		DECIMAL_TEST(test_what_is_no_number),
		DECIMAL_TEST(test_values_go_in_and_out),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
