/* A life in a child process, whose tale the parent hears.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TESTS_STORE_CHILD_H
#define TESTS_STORE_CHILD_H

#include "store/life.h"

/* Runs `live` in a child, which gets a pipe to tell; gives how it ended, as of waitpid(). A child
 * whose test fails ends with status 5. */
int child_run(void (*live)(void *user, int tell_to), void *user, struct tale *tale);

/* A new directory, of at least 64 bytes; and away with it and its grave. */
void child_folder(char *data);
void child_remove(const char *data);

#endif
