/* A tool of the program, run as a person runs it.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "sim/run.h"

#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

enum { ARGUMENTS_MAX = 24 };

static void begin(struct run *run, const char *program, const char *const *arguments,
	long file_limit, bool typing)
{
	int ends[2];
	int in[2] = {-1, -1};
	char *argv[ARGUMENTS_MAX] = {(char *)(uintptr_t)program};
	for (size_t i = 0; arguments[i]; i++) {
		assert_true(i + 2 < ARGUMENTS_MAX);
		argv[i + 1] = (char *)(uintptr_t)arguments[i];
	}
	memset(run, 0, sizeof *run);
	assert_int_equal(pipe(ends), 0);
	if (typing)
		assert_int_equal(pipe2(in, O_CLOEXEC), 0);
	else
		assert_true((in[0] = open("/dev/null", O_RDONLY | O_CLOEXEC)) >= 0);
	run->pid = fork();
	assert_true(run->pid >= 0);
	if (run->pid == 0) {
		(void)dup2(in[0], STDIN_FILENO);
		(void)dup2(ends[1], STDOUT_FILENO);
		(void)dup2(ends[1], STDERR_FILENO);
		(void)close(ends[0]);
		(void)close(ends[1]);
		if (file_limit > 0) {
			const struct rlimit limit = {(rlim_t)file_limit, (rlim_t)file_limit};
			(void)signal(SIGXFSZ, SIG_IGN);
			(void)setrlimit(RLIMIT_FSIZE, &limit);
		}
		(void)execv(program, argv);
		_exit(127);
	}
	(void)close(ends[1]);
	(void)close(in[0]);
	run->out = ends[0];
	run->in = in[1];
}

void run_begin(struct run *run, const char *program, const char *const *arguments, long file_limit)
{
	begin(run, program, arguments, file_limit, false);
}

void run_begin_typing(struct run *run, const char *program, const char *const *arguments)
{
	begin(run, program, arguments, 0, true);
}

void run_type(const struct run *run, const char *line)
{
	assert_int_equal(write(run->in, line, strlen(line)), (ssize_t)strlen(line));
}

void run_listen_for(struct run *run, const char *part)
{
	while (!part || !strstr(run->text, part)) {
		struct pollfd fd = {.fd = run->out, .events = POLLIN};
		assert_true(run->length + 1 < sizeof run->text);
		if (poll(&fd, 1, RUN_PATIENCE) != 1)
			fail_msg("it does not say '%s' but: %s", part, run->text);
		const ssize_t n =
			read(run->out, run->text + run->length, sizeof run->text - 1 - run->length);
		if (n <= 0 && part)
			fail_msg("it ended without '%s': %s", part, run->text);
		if (n <= 0)
			return;
		run->length += (size_t)n;
		run->text[run->length] = '\0';
	}
}

int run_end(struct run *run, int with)
{
	int status = 0;
	if (with)
		assert_int_equal(kill(run->pid, with), 0);
	run_listen_for(run, NULL);
	assert_int_equal(waitpid(run->pid, &status, 0), run->pid);
	(void)close(run->out);
	if (run->in >= 0)
		(void)close(run->in);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

int run_whole(struct run *run, const char *program, const char *const *arguments)
{
	run_begin(run, program, arguments, 0);
	return run_end(run, 0);
}
