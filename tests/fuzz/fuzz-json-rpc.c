/* The body of a JSON-RPC request: it comes to its end, and what is answered is JSON.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <jansson.h>
#include <stdint.h>
#include <stdlib.h>

#include "gateway.h"
#include "http/rpc.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void on_finished(void *user)
{
	*(bool *)user = true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct ml_engine *engine = gateway();
	bool finished = false;
	struct http_rpc *rpc = http_rpc_new(engine, ml_engine_lane(engine, "control"),
		(const char *)data, size, on_finished, &finished);
	if (!rpc)
		return 0;
	if (!http_rpc_start(rpc)) {
		ml_engine_simulate(engine, 0);
		if (!finished)
			abort();
	}
	const struct ml_buffer *answer = http_rpc_answer(rpc);
	if (answer) {
		json_t *tree =
			answer->failed ? NULL : json_loadb(answer->data, answer->length, 0, NULL);
		if (!tree)
			abort();
		json_decref(tree);
	}
	http_rpc_free(rpc);
	return 0;
}
