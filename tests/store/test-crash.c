/* Killed at any moment, again and again: every reading that was acknowledged is there once, every
 * stored one reaches the head-end, in order, and repeated reports are the same to the byte.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include <meterloom/clock.h>
#include <meterloom/files.h>

#include "count.h"
#include "store/child.h"

enum {
	KILLS = 1000,
	KILLS_OF_A_LIFE = 50,   /* then another directory */
	TRACES_OF_A_RUN = 8000, /* more than any gives */
	STEPS = 16,
};

struct run {
	const char *data;
	unsigned number;
	uint64_t seed;
	ml_time dies_after; /* 0: it lives to its end */
	bool last;
};

static void die(int number)
{
	(void)number;
	(void)kill(getpid(), SIGKILL);
}

/* Between any two instructions, since the alarm comes by the clock. */
static void die_after(ml_time time)
{
	const struct itimerval alarm = {.it_value = {.tv_sec = (time_t)(time / ML_SEC),
						.tv_usec = (suseconds_t)(time % ML_SEC)}};
	if (!time)
		return;
	(void)signal(SIGALRM, die);
	assert_int_equal(setitimer(ITIMER_REAL, &alarm, NULL), 0);
}

static void live(void *user, int tell_to)
{
	const struct run *run = user;
	struct life life = {.tell_to = tell_to,
		.random = run->seed * 6364136223846793005u + 1442695040888963407u,
		.trace = 1 + (uint64_t)run->number * TRACES_OF_A_RUN};
	die_after(run->dies_after);
	assert_true(life_begin(&life, run->data, &ml_files_system, run->number, life_documents));
	if (run->last)
		life_finish(&life);
	else
		life_live(&life, STEPS);
	if (run->dies_after)
		die(0);
	life_end(&life);
}

/* How long it took. */
static ml_time in_a_child(struct run *run, struct tale *tale)
{
	struct ml_clock *clock = ml_clock_new_real();
	const ml_time begin = ml_clock_monotonic(clock);
	const int status = child_run(live, run, tale);
	const ml_time took = ml_clock_monotonic(clock) - begin;
	ml_clock_free(clock);
	if (run->dies_after ? !WIFSIGNALED(status) || WTERMSIG(status) != SIGKILL : status != 0)
		fail_msg("seed %llu in %s: the gateway ended with status %x",
			(unsigned long long)run->seed, run->data, (unsigned)status);
	return took;
}

static void one_life(unsigned number, unsigned kills)
{
	char data[64];
	struct tale tale = {0};
	child_folder(data);
	struct run run = {.data = data, .seed = 1 + number * 1000};
	/* So long it takes when nothing happens. */
	ml_time whole = in_a_child(&run, &tale);
	for (run.number = 1; run.number <= kills; run.number++) {
		run.seed++;
		run.dies_after = 1 + (ml_time)((uint64_t)random() % (uint64_t)whole);
		(void)in_a_child(&run, &tale);
	}
	run.dies_after = 0;
	run.last = true;
	(void)in_a_child(&run, &tale);
	tale_check(&tale);
	print_message("%u kills: %llu acknowledged, %llu stored, %llu delivered, %llu reports "
		      "repeated\n",
		kills, (unsigned long long)tale.acknowledged, (unsigned long long)tale.stored,
		(unsigned long long)tale.delivered, (unsigned long long)tale.repeated);
	tale_free(&tale);
	child_remove(data);
}

static void killed_at_any_moment(void **state)
{
	(void)state;
	const unsigned kills = test_count(KILLS);
	for (unsigned done = 0; done < kills; done += KILLS_OF_A_LIFE)
		one_life(done, kills - done < KILLS_OF_A_LIFE ? kills - done : KILLS_OF_A_LIFE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(killed_at_any_moment)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
