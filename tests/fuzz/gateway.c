/* A simulated gateway for fuzzers: made at the first input and used for all.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "gateway.h"

#include <stdlib.h>

static struct ml_engine *engine;
static struct ml_clock *clock_of_it;
static struct ml_log *log_of_it;

static void end(void)
{
	ml_engine_free(engine);
	ml_log_free(log_of_it);
	ml_clock_free(clock_of_it);
}

struct ml_engine *gateway(void)
{
	if (engine)
		return engine;
	clock_of_it = ml_clock_new_simulated(1769868900 * ML_SEC);
	log_of_it = ml_log_new(clock_of_it, 0);
	const struct ml_engine_options options = {.clock = clock_of_it, .log = log_of_it};
	if (ml_engine_new(&options, &engine, NULL) < 0 || atexit(end) != 0)
		abort();
	return engine;
}
