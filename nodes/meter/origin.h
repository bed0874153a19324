/* By which way telegrams came: names that many of them share, as a number.
 * SPDX-License-Identifier: Apache-2.0
 *
 * A source asks for the number when it starts, and puts it into its frames; readings carry it on,
 * and the store keeps the names. The numbers are this process's own.
 *
 * The service "meter-origins". Any thread.
 */
#ifndef METER_ORIGIN_H
#define METER_ORIGIN_H

#include <stdint.h>

#include <meterloom/family.h>

enum { METER_ORIGIN_TEXT_MAX = 64, METER_ORIGINS_MAX = 1024 };

/* Each text with its NUL; longer ones are cut. "": there is none. */
struct meter_origin {
	char node[METER_ORIGIN_TEXT_MAX];
	char bus[METER_ORIGIN_TEXT_MAX];
	char interface[METER_ORIGIN_TEXT_MAX];
	char receiver[METER_ORIGIN_TEXT_MAX];
};

/* The number of these names, the same for the same. 0: this engine has no such service, or there
 * are METER_ORIGINS_MAX others already. */
uint32_t meter_origin_number(struct ml_engine *engine, const char *node, const char *bus,
	const char *interface, const char *receiver);

/* The names of a number. -ENOENT. */
int meter_origin_names(struct ml_engine *engine, uint32_t number, struct meter_origin *origin);

#define METER_ORIGIN_SERVICE "meter-origins"
int meter_origin_start(struct ml_engine *engine, void **ret_service, struct ml_error *err);
void meter_origin_stop(void *service);

#endif
