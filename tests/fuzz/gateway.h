/* A simulated gateway for fuzzers: made at the first input and used for all.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TESTS_FUZZ_GATEWAY_H
#define TESTS_FUZZ_GATEWAY_H

#include <meterloom/engine.h>

struct ml_engine *gateway(void);

#endif
