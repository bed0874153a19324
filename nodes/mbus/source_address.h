/* Giving a meter a primary address by way of its secondary one: the action `set-address`.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef MBUS_SOURCE_ADDRESS_H
#define MBUS_SOURCE_ADDRESS_H

#include <meterloom/node.h>
#include <meterloom/param.h>

struct mbus_address_params {
	char *meter;
	int64_t address;
};
extern const struct ml_param mbus_address_params[];
void mbus_address_set(struct ml_node *node, void *self, struct ml_job *job, void *params);

#endif
