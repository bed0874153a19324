/* A receiver of documents, for tests of the whole way from the store: keeps what it was sent.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TESTS_STORE_RECEIVER_H
#define TESTS_STORE_RECEIVER_H

#include <meterloom/family.h>

enum { RECEIVED_MAX = 64, RECEIVED_BYTES_MAX = 4096 };

enum receiver_answer { RECEIVER_TAKES, RECEIVER_FAILS, RECEIVER_REFUSES, RECEIVER_WAITS };

struct received {
	char node[16]; /* that received it */
	char name[128], key[40], path[600];
	char bytes[RECEIVED_BYTES_MAX]; /* the first of them */
	size_t size, lines;
	uint64_t hash; /* of all */
};

/* What all nodes "t-receiver" of this process got. */
struct receiver {
	enum receiver_answer answer;
	char away[16]; /* the id of a node that fails whatever `answer` says */
	struct received received[RECEIVED_MAX];
	size_t count;
};

extern struct receiver receiver;
extern const struct ml_family receiver_family;

#endif
