/* A table of names: text to number, for a graph's ids, edges and claims.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef ML_GRAPH_NAMES_H
#define ML_GRAPH_NAMES_H

#include <stdbool.h>
#include <stddef.h>

#define ML_NAMES_NONE ((size_t)-1)

struct ml_names {
	struct ml_names_slot {
		const char *name; /* borrowed; NULL: free */
		size_t value;
	} * slots; /* owned */
	size_t mask;
	size_t count;
};

/* false: out of memory. */
bool ml_names_init(struct ml_names *names, size_t expected);
void ml_names_free(struct ml_names *names);

/* The value of a name of `length` bytes; ML_NAMES_NONE: it is not there. */
size_t ml_names_find(const struct ml_names *names, const char *name, size_t length);

/* Adds a name, which must stay as long as the table. Returns ML_NAMES_NONE, or the value it has
 * already, which is kept. *failed is set where memory is out. */
size_t ml_names_add(struct ml_names *names, const char *name, size_t value, bool *failed);

#endif
