/* What a child tells its parent of a gateway's life, word by word.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TESTS_STORE_LIFE_TALE_H
#define TESTS_STORE_LIFE_TALE_H

#include <stdint.h>

enum tale_kind {
	TALE_ACKNOWLEDGED = 1, /* to the source: the reading with this trace */
	TALE_GOT,              /* by the head-end: a report with these readings */
	TALE_STORED,           /* these can be read */
	TALE_NUMBER,           /* the key is it */
	TALE_FINISHED,
};

/* Followed by `count` traces. */
struct tale_word {
	uint64_t kind, count;
	uint64_t key;  /* of the report */
	uint64_t hash; /* of its bytes */
};

#endif
