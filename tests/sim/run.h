/* A tool of the program, run as a person runs it.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TESTS_SIM_RUN_H
#define TESTS_SIM_RUN_H

#include <stddef.h>
#include <sys/types.h>

enum { RUN_OUTPUT_MAX = 65536, RUN_PATIENCE = 30000 /* ms */ };

struct run {
	pid_t pid;
	int in;  /* its standard input; -1: /dev/null */
	int out; /* its standard output and standard error */
	char text[RUN_OUTPUT_MAX];
	size_t length;
};

/* Begins `program`; arguments end with NULL. With `file_limit` its files cannot be larger. */
void run_begin(struct run *run, const char *program, const char *const *arguments, long file_limit);
/* Begins it as one to whom lines are typed. */
void run_begin_typing(struct run *run, const char *program, const char *const *arguments);
void run_type(const struct run *run, const char *line);
/* Reads what it says until that holds `part`, or to the end where it is NULL. */
void run_listen_for(struct run *run, const char *part);
/* Sends it a signal (0: none) and awaits its end: its exit code, or minus the signal. */
int run_end(struct run *run, int with);
/* Begins it and awaits its end. */
int run_whole(struct run *run, const char *program, const char *const *arguments);

#endif
