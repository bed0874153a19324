/* The disk is full at each write of a gateway's life in turn, for a while, or becomes read-only:
 * nothing that was given is lost, and all of it arrives. SPDX-License-Identifier: Apache-2.0
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "count.h"
#include "store/child.h"
#include "store/cut.h"

enum { STEPS = 12, FOR_WRITES = 30 };

struct run {
	const char *data, *graph;
	uint64_t seed;
	uint64_t fails_at; /* 0: none */
};

static void live(void *user, int tell_to)
{
	const struct run *run = user;
	struct life life = {
		.tell_to = tell_to, .random = run->seed * 6364136223846793005u + 1, .trace = 1};
	cut_install(run->data, run->seed);
	cut_no_room(
		run->fails_at ? run->fails_at : UINT64_MAX / 2, 1 + life_random(&life, FOR_WRITES));
	/* A gateway that cannot begin says why, and is started again. */
	unsigned starts = 0;
	while (!life_begin(&life, run->data, &cut_files, 0, run->graph))
		assert_true(++starts <= FOR_WRITES);
	life_live(&life, STEPS);
	const uint64_t writes = cut_writes();
	cut_no_room(UINT64_MAX / 2, 1);
	kit_run(life.kit, ML_MINUTE);
	life_finish(&life);
	life_tell_number(&life, writes);
	life_end(&life);
}

/* Gives how many writes there were. */
static uint64_t one_life(const char *graph, uint64_t seed, uint64_t fails_at)
{
	char data[64];
	struct tale tale = {0};
	child_folder(data);
	struct run run = {.data = data, .graph = graph, .seed = seed, .fails_at = fails_at};
	const int status = child_run(live, &run, &tale);
	if (status)
		fail_msg("write %llu found no room, in %s: the gateway ended with status %x",
			(unsigned long long)fails_at, data, (unsigned)status);
	tale_check(&tale);
	assert_int_equal(tale.acknowledged, tale.stored);
	const uint64_t writes = tale.number;
	tale_free(&tale);
	child_remove(data);
	return writes;
}

static void each_write_in_turn(const char *graph, uint64_t seed)
{
	const uint64_t writes = one_life(graph, seed, 0);
	const unsigned part = 10 / test_count(10);
	assert_in_range(writes, 100, 100000);
	for (uint64_t i = 1 + seed % part; i <= writes; i += part)
		one_life(graph, seed, i);
	print_message("%llu writes\n", (unsigned long long)writes);
}

static void batches_survive_a_full_disk(void **state)
{
	(void)state;
	each_write_in_turn(life_batches, 3);
}

static void documents_survive_a_full_disk(void **state)
{
	(void)state;
	each_write_in_turn(life_documents, 5);
}

/* Once, or from time to time. */
static void live_read_only(void *user, int tell_to)
{
	const struct run *run = user;
	struct life life = {
		.tell_to = tell_to, .random = run->seed * 6364136223846793005u + 1, .trace = 1};
	cut_install(run->data, run->seed);
	assert_true(life_begin(&life, run->data, &cut_files, 0, run->graph));
	for (unsigned i = 0; i < 4; i++) {
		life_live(&life, 1 + (unsigned)life_random(&life, 6));
		cut_read_only(true);
		life.longest = 60;
		life_live(&life, 1 + (unsigned)life_random(&life, 6));
		/* It says so while it lasts, and can be asked. */
		kit_give_many(life.kit, 1, life.trace++, 1);
		kit_run(life.kit, 10 * ML_SEC);
		kit_call(life.kit, "store.status", "{}");
		assert_int_equal(life.kit->code, 0);
		assert_null(strstr(life.kit->result, "\"error\":null"));
		kit_call(life.kit, "event.list", "{}");
		assert_non_null(strstr(life.kit->result, "\"store-failed\""));
		cut_read_only(false);
		life.longest = 0;
		kit_run(life.kit, ML_MINUTE);
	}
	kit_call(life.kit, "event.list", "{}");
	assert_non_null(strstr(life.kit->result, "\"store-recovered\""));
	life_finish(&life);
	life_end(&life);
}

static void read_only_remounts_are_survived(void **state)
{
	(void)state;
	for (unsigned i = 0; i < test_count(30); i++) {
		char data[64];
		struct tale tale = {0};
		child_folder(data);
		struct run run = {.data = data, .graph = life_documents, .seed = 1 + i};
		assert_int_equal(child_run(live_read_only, &run, &tale), 0);
		tale_check(&tale);
		assert_int_equal(tale.acknowledged, tale.stored);
		tale_free(&tale);
		child_remove(data);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(batches_survive_a_full_disk),
		cmocka_unit_test(documents_survive_a_full_disk),
		cmocka_unit_test(read_only_remounts_are_survived),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
