/* The family "cron": schedules.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef CRON_FAMILY_H
#define CRON_FAMILY_H

#include <meterloom/family.h>

extern const struct ml_family cron_family;

#endif
