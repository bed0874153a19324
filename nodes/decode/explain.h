/* Telegrams explained, byte by byte.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef DECODE_EXPLAIN_H
#define DECODE_EXPLAIN_H

#include "meter/explain.h"

/* As struct meter_explainer has it. */
void decode_explain(const uint8_t *telegram, size_t length, struct ml_json_writer *w);

#endif
