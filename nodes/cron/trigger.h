/* What both triggers do alike: to send a trigger.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef CRON_TRIGGER_H
#define CRON_TRIGGER_H

#include <meterloom/node.h>

extern const struct ml_node_class cron_trigger_class;
extern const struct ml_node_class cron_manual_trigger_class;

enum { CRON_TRIGGER_OUT }; /* the port of both */

/* Sends a trigger on the port "out". -EAGAIN: there is no room; -ENOMEM. */
int cron_send(struct ml_node *node, const struct ml_trigger *trigger);

/* "2026-01-31 15:15 CET" into a buffer of CRON_TIME_TEXT_MAX bytes. */
enum { CRON_TIME_TEXT_MAX = 48 };
struct ml_zone;
void cron_time_text(const struct ml_zone *zone, ml_time wall, char *out);

#endif
