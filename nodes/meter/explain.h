/* Telegrams explained, byte by byte: what a family that decodes offers to those who only keep
 * bytes. SPDX-License-Identifier: Apache-2.0
 *
 * The service "telegram-explainer" is a const struct meter_explainer.
 */
#ifndef METER_EXPLAIN_H
#define METER_EXPLAIN_H

#include <stddef.h>
#include <stdint.h>

#include <meterloom/json.h>

#define METER_EXPLAINER "telegram-explainer"

struct meter_explainer {
	/* Writes one array: the parts of a telegram in their order, together all its bytes: {"at",
	 * "bytes", "what"}, and where it applies "text" (in words), "dif", "vif" and "data" (hex)
	 * and "record" (as of a reading). Pure: any thread. */
	void (*explain)(const uint8_t *telegram, size_t length, struct ml_json_writer *w);
};

#endif
