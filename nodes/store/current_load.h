/* Current values at the start: the last readings of each meter, out of the database.
 * SPDX-License-Identifier: Apache-2.0
 *
 * A service that works in small steps on the lane "query", so that it delays nothing.
 */
#ifndef STORE_CURRENT_LOAD_H
#define STORE_CURRENT_LOAD_H

#include <meterloom/family.h>

int store_current_load_start(struct ml_engine *engine, void **ret_service, struct ml_error *err);
void store_current_load_stop(void *service);

#endif
