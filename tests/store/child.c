/* A life in a child process, whose tale the parent hears.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "store/child.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

struct task {
	void (*live)(void *user, int tell_to);
	void *user;
	int tell_to;
};

static void run_task(void **state)
{
	const struct task *task = *state;
	task->live(task->user, task->tell_to);
}

/* What fails in the child must not go on with the tests of the parent; what goes well is not
 * worth a line each. */
static int run_alone(struct task *task)
{
	struct CMUnitTest tests[] = {cmocka_unit_test_prestate(run_task, task)};
	char line[512];
	FILE *said = tmpfile();
	const int out = dup(STDOUT_FILENO);
	if (!said || out < 0)
		return 5;
	(void)dup2(fileno(said), STDOUT_FILENO);
	(void)dup2(fileno(said), STDERR_FILENO);
	const int failed = cmocka_run_group_tests(tests, NULL, NULL);
	(void)fflush(NULL);
	(void)dup2(out, STDERR_FILENO);
	rewind(said);
	while (failed && fgets(line, sizeof line, said))
		(void)fputs(line, stderr);
	return failed ? 5 : 0;
}

int child_run(void (*live)(void *user, int tell_to), void *user, struct tale *tale)
{
	int ends[2], status = 0;
	assert_int_equal(pipe(ends), 0);
	(void)fflush(NULL);
	const pid_t child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		(void)close(ends[0]);
		_exit(run_alone(&(struct task){live, user, ends[1]}));
	}
	(void)close(ends[1]);
	tale_read(tale, ends[0]);
	(void)close(ends[0]);
	assert_int_equal(waitpid(child, &status, 0), child);
	return status;
}

void child_folder(char *data)
{
	(void)snprintf(data, 64, "/tmp/meterloom-life-XXXXXX");
	assert_non_null(mkdtemp(data));
}

void child_remove(const char *data)
{
	char command[160];
	(void)snprintf(command, sizeof command, "rm -rf '%s' '%s-grave'", data, data);
	assert_int_equal(system(command), 0);
}
