/* Places of a graph's nodes and edges in its text, found in one walk.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef ML_GRAPH_PLACES_H
#define ML_GRAPH_PLACES_H

#include <stdbool.h>
#include <stddef.h>

#include <meterloom/error.h>

struct ml_span {
	size_t begin, end;
	int line, column; /* of begin */
};

struct ml_spans {
	struct ml_span *items; /* owned */
	size_t count, capacity;
};

struct ml_places {
	const char *text; /* borrowed */
	size_t length;
	struct ml_spans nodes, edges; /* in the order of their lists */
};

/* The text must be valid JSON. -ENOMEM. */
int ml_places_scan(struct ml_places *places, const char *text, size_t length);
void ml_places_free(struct ml_places *places);

/* The text of the value at a pointer; false: there is none. */
bool ml_places_find(
	const struct ml_places *places, const char *pointer, const char **text, size_t *length);

/* Sets line and column from the pointer; what does not exist is told at its nearest ancestor. A
 * place within a text (err->at) counts where the text is written without escapes. */
void ml_places_locate(const struct ml_places *places, struct ml_error *err);

#endif
