/* Fuzzes the check of graphs, with the node classes of its tests.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdint.h>
#include <stdlib.h>

#include "../graph/classes.h"
#include "graph/graph.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct ml_errors errors = {0};
	struct ml_graph *graph = NULL;
	const int result = ml_graph_parse(
		test_families, (const char *)data, size, NULL, NULL, &graph, &errors);
	/* Good and without an error, or neither. */
	if ((result == 0) != (graph != NULL) || (result == 0) != (errors.count == 0))
		abort();
	ml_graph_free(graph);
	ml_errors_free(&errors);
	return 0;
}
