/* The power is cut at random moments: every reading that was acknowledged is there once, every
 * stored one reaches the head-end, in order, and repeated reports are the same to the byte.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "count.h"
#include "store/child.h"
#include "store/cut.h"
#include "store/life.h"

enum {
	CUTS = 1000,
	CUTS_OF_A_LIFE = 25,    /* then another directory */
	TRACES_OF_A_RUN = 4000, /* more than any gives */
	OPERATIONS = 900,       /* the power is cut within so many */
	SYNCS = 60,             /* or at one of so many */
	STEPS = 60,
};

struct run {
	const char *data, *graph;
	unsigned number;
	uint64_t seed;
	bool last;
};

static void live(void *user, int tell_to)
{
	const struct run *run = user;
	struct life life = {.tell_to = tell_to,
		.random = run->seed * 6364136223846793005u + 1442695040888963407u,
		.trace = 1 + (uint64_t)run->number * TRACES_OF_A_RUN};
	cut_install(run->data, run->seed);
	/* Short lives too: the start is where most is repaired. */
	if (!run->last && life_random(&life, 3) == 0)
		cut_power_at_sync(1 + life_random(&life, SYNCS));
	else if (!run->last)
		cut_power_in(1 + life_random(&life, life_random(&life, 3) ? OPERATIONS : 60));
	assert_true(life_begin(&life, run->data, &cut_files, run->number, run->graph));
	if (!run->last) {
		life_live(&life, STEPS);
		cut_power_now();
	}
	life_finish(&life);
	life_end(&life);
}

static void in_a_child(struct run *run, struct tale *tale)
{
	const int status = child_run(live, run, tale);
	if (!WIFEXITED(status) || WEXITSTATUS(status) != (run->last ? 0 : CUT_EXIT))
		fail_msg("seed %llu in %s: the gateway ended with status %x",
			(unsigned long long)run->seed, run->data, (unsigned)status);
}

static void one_life(const char *graph, unsigned number, unsigned cuts)
{
	char data[64];
	struct tale tale = {0};
	child_folder(data);
	struct run run = {.data = data, .graph = graph};
	for (unsigned i = 0; i <= cuts; i++) {
		run.number = i;
		run.seed = 1 + number * 1000 + i;
		run.last = i == cuts;
		in_a_child(&run, &tale);
	}
	tale_check(&tale);
	/* Packing was among what was cut. */
	assert_true(cuts < CUTS_OF_A_LIFE || tale.number > 0);
	print_message("%u cuts: %llu acknowledged, %llu stored, %llu in chunks, %llu delivered, "
		      "%llu reports repeated\n",
		cuts, (unsigned long long)tale.acknowledged, (unsigned long long)tale.stored,
		(unsigned long long)tale.number, (unsigned long long)tale.delivered,
		(unsigned long long)tale.repeated);
	tale_free(&tale);
	child_remove(data);
}

static void lives(const char *graph, unsigned first, unsigned cuts)
{
	for (unsigned done = 0; done < cuts; done += CUTS_OF_A_LIFE)
		one_life(graph, first + done,
			cuts - done < CUTS_OF_A_LIFE ? cuts - done : CUTS_OF_A_LIFE);
}

static void batches_survive_power_cuts(void **state)
{
	(void)state;
	lives(life_batches, 0, test_count(CUTS / 4));
}

static void documents_survive_power_cuts(void **state)
{
	(void)state;
	lives(life_documents, 100000, test_count(CUTS * 3 / 4));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(batches_survive_power_cuts),
		cmocka_unit_test(documents_survive_power_cuts),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
