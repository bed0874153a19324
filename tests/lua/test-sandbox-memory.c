/* Out of memory at each allocation in turn: an error each time, and nothing lost.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "script.h"

#include <stdlib.h>

struct failing {
	size_t calls, fail_at; /* fail_at 0: none */
	bool all_after;        /* not only that one, all from there on */
	size_t in_use;
};

static void *failing_allocate(void *user, void *block, size_t old_size, size_t size)
{
	struct failing *failing = user;
	const size_t old = block ? old_size : 0;
	if (size > old) { /* making a block smaller cannot fail */
		failing->calls++;
		if (failing->fail_at &&
			(failing->calls == failing->fail_at ||
				(failing->all_after && failing->calls > failing->fail_at)))
			return NULL;
	}
	void *result = NULL;
	if (size == 0)
		free(block);
	else if (!(result = realloc(block, size)))
		return NULL;
	failing->in_use = failing->in_use - old + size;
	return result;
}

static const char script[] =
	"local state = {}\n"
	"function work(text)\n"
	"  local ok, value = pcall(function() return decimal('1.25') * 4 end)\n"
	"  state[#state + 1] = text:gsub('%w+', function(w) return w:upper() .. tostring(value) "
	"end)\n"
	"  for word in text:gmatch('%a+') do state[word] = #word end\n"
	"  local keys = {}\n"
	"  for k in pairs(state) do keys[#keys + 1] = tostring(k) end\n"
	"  table.sort(keys)\n"
	"  print(table.concat(keys, ','), ('%s'):format({}), ('x'):rep(3000))\n"
	"  return #keys\n"
	"end\n";

static void call_work(lua_State *L, void *user)
{
	(void)lua_getglobal(L, "work");
	lua_pushliteral(L, "one two three");
	lua_call(L, 1, 1);
	*(int64_t *)user = lua_tointeger(L, -1);
}

/* Does it all; the first error ends it. */
static int work(struct failing *failing)
{
	int64_t keys = 0;
	struct ml_error err = ML_ERROR_NONE;
	struct ml_sandbox *sb =
		ml_sandbox_new(&(struct ml_sandbox_options){.allocate = failing_allocate,
				       .allocate_user = failing},
			&err);
	if (!sb) {
		assert_int_equal(err.code, -ENOMEM);
		return -ENOMEM;
	}
	int result = ml_sandbox_load(sb, "work.lua", script, sizeof script - 1, &err);
	if (result == 0)
		result = ml_sandbox_run(sb, call_work, &keys, &err);
	if (result == 0) {
		assert_int_equal(keys, 4);
	} else {
		assert_int_equal(result, -ENOMEM);
		assert_string_equal(err.text, "work.lua: the system is out of memory");
	}
	ml_sandbox_free(sb);
	return result;
}

static void fail_at_each(bool all_after)
{
	size_t failed = 0, at = 1;
	for (;; at++) {
		struct failing failing = {.fail_at = at, .all_after = all_after};
		const int result = work(&failing);
		assert_int_equal(failing.in_use, 0);
		failed += result != 0;
		if (failing.calls < at)
			break; /* it was never reached */
	}
	assert_true(at > 300); /* the script does allocate */
	assert_true(failed > at / 2);
}

static void test_one_allocation_fails(void **state)
{
	(void)state;
	struct failing failing = {.fail_at = 0};
	assert_int_equal(work(&failing), 0);
	/* A single failure is often helped by a collection: here those that were not are errors. */
	for (size_t at = 1;; at++) {
		failing = (struct failing){.fail_at = at};
		(void)work(&failing);
		assert_int_equal(failing.in_use, 0);
		if (failing.calls < at)
			break;
	}
}

static void test_all_allocations_fail_from_one_on(void **state)
{
	(void)state;
	fail_at_each(true);
}

static void test_a_sandbox_outlives_its_failures(void **state)
{
	(void)state;
	struct failing failing = {.fail_at = 0};
	struct ml_sandbox *sb =
		ml_sandbox_new(&(struct ml_sandbox_options){.allocate = failing_allocate,
				       .allocate_user = &failing,
				       .trip_after = 1000000},
			NULL);
	assert_non_null(sb);
	expect_good(sb, script);
	int64_t keys = 0;
	for (size_t n = 1; n < 200; n++) {
		failing.fail_at = failing.calls + n;
		failing.all_after = true;
		(void)ml_sandbox_run(sb, call_work, &keys, NULL);
		failing.fail_at = 0;
		expect_good(sb, script); /* begins with an empty state */
		assert_int_equal(ml_sandbox_run(sb, call_work, &keys, NULL), 0);
		assert_int_equal(keys, 4);
	}
	ml_sandbox_free(sb);
	assert_int_equal(failing.in_use, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_one_allocation_fails),
		cmocka_unit_test(test_all_allocations_fail_from_one_on),
		cmocka_unit_test(test_a_sandbox_outlives_its_failures),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
