/* The families of this program. Services start in this order.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <meterloom/family.h>

#include "aggregate/family.h"
#include "cron/family.h"
#include "decode/family.h"
#include "lua/family.h"
#include "mbus/family.h"
#include "meter/family.h"
#include "report/family.h"
#include "sim/family.h"
#include "store/family.h"

extern const struct ml_family *const ml_families[];

const struct ml_family *const ml_families[] = {
	&meter_family,
	&store_family,
	&store_delivery_family,
	&aggregate_family,
	&cron_family,
	&mbus_family,
	&decode_family,
	&lua_family,
	&sim_family,
	&report_family,
	NULL,
};
