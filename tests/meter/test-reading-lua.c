/* Readings in Lua: fields, changes, copies, and objects that a script kept too long.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <stdio.h>

#include "meter/reading_lua.h"
#include "telegram.h"

/* Volume 1.234, its stored value, a limit of it, a temperature 20.1, a future date. */
static const char sample[] = "72 78563412 2D2C 1B 04 2A 14 0000 "
			     "0413D2040000 441364000000 01934005 025AC900 42EC7E5F1C";

struct fixture {
	struct telegram telegram;
	struct ml_sandbox *sandbox;
	struct meter_lua_view view;
};

static void prepare(lua_State *L, void *user)
{
	struct fixture *f = user;
	meter_lua_register(L);
	meter_lua_push(L, &f->view);
	lua_setglobal(L, "r");
}

static int set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof *f);
	assert_non_null(f);
	struct meter_reading *reading = (void *)f->telegram.block;
	(void)decode_hex(&f->telegram, sample);
	reading->time = INT64_C(1769868900250000);
	reading->trace = 81723;
	meter_lua_view_init(&f->view);
	f->view.writable = true;
	meter_lua_view_set(&f->view, reading);
	f->sandbox = ml_sandbox_new(&(struct ml_sandbox_options){.trip_after = 1000}, NULL);
	assert_non_null(f->sandbox);
	assert_int_equal(ml_sandbox_run(f->sandbox, prepare, f, NULL), 0);
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;
	ml_sandbox_free(f->sandbox);
	meter_lua_view_free(&f->view);
	free(f);
	return 0;
}

static void good(struct fixture *f, const char *text)
{
	struct ml_error err = ML_ERROR_NONE;
	if (ml_sandbox_load(f->sandbox, "test.lua", text, strlen(text), &err) != 0)
		fail_msg("%s\n  gave: %s", text, err.text);
}

static void bad(struct fixture *f, const char *text, const char *part)
{
	struct ml_error err = ML_ERROR_NONE;
	const int result = ml_sandbox_load(f->sandbox, "test.lua", text, strlen(text), &err);
	if (result != -EINVAL || !strstr(err.text, part))
		fail_msg("%s\n  gave: %d, %s\n  not:  %s", text, result, err.text, part);
}

static void test_fields_of_a_reading(void **state)
{
	good(*state, "assert(r.time == '2026-01-31T14:15:00.250Z' and r.unix == 1769868900)\n"
		     "assert(r.trace == 81723 and r.access == 42 and r.failed == false and r.error "
		     "== nil)\n"
		     "local m = r.meter\n"
		     "assert(m.id == '12345678' and m.manufacturer == 'KAM' and m.version == 27)\n"
		     "assert(m.medium == 'heat' and m.medium_code == 4)\n"
		     "assert(r.status_code == 0x14 and table.concat(r.status, ' ') == 'power-low "
		     "temporary-error')\n"
		     "assert(r.encryption.mode == 0 and r.encryption.result == 'plain')\n"
		     "assert(r.configuration == 0 and r.point == nil and r.moid == nil and "
		     "r.position == nil)\n"
		     "assert(r.telegram:sub(1, 10) == '7278563412' and tostring(r) == 'reading of "
		     "12345678.KAM')\n"
		     "assert(#r.records == 5 and r.records[0] == nil and r.records[6] == nil)\n");
	bad(*state, "return r.tiem", "reading has no 'tiem'; is 'time' meant?");
	bad(*state, "r.time = 5", "'time' of reading cannot be changed");
	bad(*state, "r.records[1] = nil", "records has nothing at a number");
}

static void test_fields_of_a_record(void **state)
{
	good(*state,
		"local v = r.records[1]\n"
		"assert(v.quantity == 'volume' and v.unit == 'm³' and tostring(v.value) == "
		"'1.234')\n"
		"assert(v.text == '1.234' and v.kind == 'number' and v.func == 'instantaneous')\n"
		"assert(v['function'] == v.func and v.storage == 0 and v.tariff == 0 and v.subunit "
		"== 0)\n"
		"assert(v.dif == '04' and v.vif == '13' and v.ordinal == 0 and v.of == nil)\n"
		"assert(#v.modifiers == 0 and #v.series > 0 and tostring(v) == 'volume 1.234 m³')\n"
		"assert(r.records[2].storage == 1 and r.records[3].of == 'volume')\n"
		"assert(r.records[5].modifiers[1] == 'future' and r.records[5].kind == 'date')\n"
		"assert(r.records[5].value == r.records[5].text)\n"
		"assert(r.records[1].series ~= r.records[2].series)\n"
		"local n = 0 for i, record in ipairs(r.records) do n = n + i end assert(n == "
		"15)\n");
}

static void test_find(void **state)
{
	good(*state, "assert(r:find('volume').storage == 0 and r:find{quantity = 'volume', storage "
		     "= 1}.value)\n"
		     "assert(r:find('energy') == nil and r:find{storage = 7} == nil)\n"
		     "assert(r:find('volume', 2).storage == 1 and r:find('volume', 3) == nil)\n"
		     "assert(r:find('volume', 100) == nil)\n"
		     "assert(r:find{func = 'instantaneous', quantity = 'flow-temperature', tariff "
		     "= 0}.value)\n");
	bad(*state, "r:find('volumes')", "no quantity is called 'volumes'");
	bad(*state, "r:find{func = 'mean'}", "'mean' is no function");
	bad(*state, "r:find{storage = 1.5}", "'storage' is an integer");
	bad(*state, "r:find()", "table expected, got no value");
}

static void test_changes_are_made_in_a_copy(void **state)
{
	struct fixture *f = *state;
	const struct meter_reading *original = (const void *)f->telegram.block;
	good(f, "assert(r.records[4].value)");
	assert_false(f->view.slots[0].changed); /* reading copies nothing */
	assert_ptr_equal(f->view.slots[0].reading, original);
	good(f, "local v = r.records[1]\n"
		"v.value = v.value * 2 assert(v.text == '2.468')\n"
		"v.value = 7 assert(v.value == 7 and math.type(v.value) == 'integer')\n"
		"r.records[2].value = 'so' assert(r.records[2].text == 'so' and r.records[2].kind "
		"== 'text')\n"
		"r.records[2].value = ('ä'):rep(200)\n"
		"r.records[4].value = nil assert(r.records[4].kind == 'none')\n");
	assert_true(f->view.slots[0].changed);
	assert_record(original, 0, "volume", "m³", "1.234");
	assert_record(f->view.slots[0].reading, 0, "volume", "m³", "7");
	assert_record(f->view.slots[0].reading, 3, "flow-temperature", "°C", "");
}

static void test_a_float_is_no_value(void **state)
{
	bad(*state, "r.records[1].value = 7 / 2", "a value cannot be a float");
	bad(*state, "r.records[1].value = r.records[1].value:number()",
		"a value cannot be a float");
	bad(*state, "r.records[1].value = true", "not a boolean");
	bad(*state, "r.records[1].value = {}", "not a table");
	bad(*state, "r:add{quantity = 'x', value = 0.5}", "a value cannot be a float");
	bad(*state, "r.records[1].value = ('x'):rep(1000)", "a text of 1000 bytes");
}

static void test_records_are_added_and_removed(void **state)
{
	struct fixture *f = *state;
	good(f, "local a = r:add{quantity = 'gas-energy', unit = 'kWh', value = decimal('12.30')}\n"
		"assert(a.quantity == 'gas-energy' and a.unit == 'kWh' and a.text == '12.30')\n"
		"assert(#r.records == 6 and r.records[6].vif == '')\n"
		"r:add{quantity = 'note', value = 'seen'}\n"
		"r:remove(1)\n"
		"assert(#r.records == 6 and r.records[1].storage == 1 and r.records[6].text == "
		"'seen')\n"
		"for i = 1, 300 do r:add{quantity = 'n' .. i, value = i} end\n" /* it grows */
		"assert(#r.records == 306 and r.records[306].value == 300)\n");
	assert_record(f->view.slots[0].reading, 4, "gas-energy", "kWh", "12.30");
	bad(f, "r:add{value = 1}", "a name for the new record is needed");
	bad(f, "r:add{quantity = 5}", "'quantity' is a text");
	bad(f, "r:add{quantity = ('x'):rep(300)}", "too long (200 bytes)");
	bad(f, "for i = 1, 1000 do r:add{quantity = 'n', value = i} end", "the reading is full");
	bad(f, "r:remove(513)", "there is no such record");
	bad(f, "r:remove(0)", "there is no such record");
	bad(f, "local last = r.records[#r.records] r:remove(1) return last.value",
		"has been removed");
}

static void test_copies_are_apart(void **state)
{
	struct fixture *f = *state;
	good(f, "local c = r:copy()\n"
		"c.records[1].value = 5 c:remove(2)\n"
		"assert(#c.records == 4 and #r.records == 5 and r.records[1].text == '1.234')\n"
		"local d = c:copy() assert(d.records[1].value == 5)\n");
	assert_false(f->view.slots[0].changed);
	assert_true(f->view.slots[1].changed && f->view.slots[2].changed);
	bad(f, "for i = 1, 20 do r:copy() end", "more than 15 copies");
}

static void test_what_has_been_passed_on_is_void(void **state)
{
	struct fixture *f = *state;
	good(f, "record, copy, list = r.records[1], r:copy(), r.records meter = r.meter");
	meter_lua_view_set(&f->view, (const void *)f->telegram.block);
	const char *const uses[] = {"return r.time", "return record.value", "return copy.time",
		"return #list", "return list[1]", "record.value = 1", "r:add{quantity = 'x'}",
		"r:copy()", "return meter.id", "tostring(r)", "tostring(record)"};
	for (size_t i = 0; i < sizeof uses / sizeof *uses; i++)
		bad(f, uses[i],
			"this reading has been passed on; keep its values, not the reading");
	meter_lua_view_set(&f->view, NULL);
	bad(f, "return r.time", "has been passed on");
}

static void test_a_view_may_be_for_reading_only(void **state)
{
	struct fixture *f = *state;
	f->view.writable = false;
	bad(f, "r.records[1].value = 1", "cannot be changed here");
	bad(f, "r:add{quantity = 'x'}", "cannot be changed here");
	bad(f, "r:copy()", "cannot be copied here");
	bad(f, "r:remove(1)", "cannot be changed here");
	good(f, "assert(r.records[1].text == '1.234')");
}

static void test_a_meter_of_fixed_data_has_no_maker(void **state)
{
	struct fixture *f = *state;
	/* From EN 13757-3: fixed data structure. */
	const struct meter_reading *fixed =
		decode_hex(&f->telegram, "73 78563412 0A 00 E9 7E 01000000 35010000");
	meter_lua_view_set(&f->view, fixed);
	assert_int_equal(ml_sandbox_run(f->sandbox, prepare, f, NULL), 0);
	good(f, "assert(r.meter.id == '12345678' and r.meter.manufacturer == nil)\n"
		"assert(r.meter.version == nil and r.meter.medium and #r.records == 2)\n"
		"assert(tostring(r) == 'reading of 12345678' and r.more_follows == false)\n");
}

static void test_a_reading_with_an_error(void **state)
{
	struct fixture *f = *state;
	const struct meter_reading *half =
		decode_hex(&f->telegram, "72 78563412 2D2C 1B 04 2A 14 0000 0413D2040000 0413D2");
	meter_lua_view_set(&f->view, half);
	assert_int_equal(ml_sandbox_run(f->sandbox, prepare, f, NULL), 0);
	good(f, "assert(#r.records == 1 and r.error.at > 12 and #r.error.text > 0)\n"
		"local text = r.error.text\n"
		"r:add{quantity = 'x', value = 1} r:remove(1)\n"
		"assert(r.error.text == text and r.records[1].value == 1)\n");
}

int main(void)
{
#define VIEW_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		VIEW_TEST(test_fields_of_a_reading),
		VIEW_TEST(test_fields_of_a_record),
		VIEW_TEST(test_find),
		VIEW_TEST(test_changes_are_made_in_a_copy),
		VIEW_TEST(test_a_float_is_no_value),
		VIEW_TEST(test_records_are_added_and_removed),
		VIEW_TEST(test_copies_are_apart),
		VIEW_TEST(test_what_has_been_passed_on_is_void),
		VIEW_TEST(test_a_view_may_be_for_reading_only),
		VIEW_TEST(test_a_meter_of_fixed_data_has_no_maker),
		VIEW_TEST(test_a_reading_with_an_error),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
