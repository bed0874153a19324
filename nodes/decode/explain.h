/* Telegrams explained, byte by byte.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef DECODE_EXPLAIN_H
#define DECODE_EXPLAIN_H

#include <meterloom/family.h>

#include "meter/explain.h"

/* As struct meter_explainer has it. */
void decode_explain(const uint8_t *telegram, size_t length, struct ml_json_writer *w);

/* The service. */
int decode_explainer_start(struct ml_engine *engine, void **ret_service, struct ml_error *err);
void decode_explainer_stop(void *service);

#endif
