/* What both triggers do alike: to send a trigger.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "cron/trigger.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <meterloom/zone.h>

int cron_send(struct ml_node *node, const struct ml_trigger *trigger)
{
	if (ml_room(node, CRON_TRIGGER_OUT) == 0)
		return -EAGAIN;
	struct ml_message *message = ml_message_new(node, &ml_trigger_type, sizeof *trigger, NULL);
	if (!message)
		return -ENOMEM;
	memcpy(message->payload, trigger, sizeof *trigger);
	ml_emit(node, CRON_TRIGGER_OUT, message);
	return 0;
}

void cron_time_text(const struct ml_zone *zone, ml_time wall, char *out)
{
	const struct ml_civil civil = ml_zone_to_civil(zone, wall);
	(void)snprintf(out, CRON_TIME_TEXT_MAX, "%04d-%02d-%02d %02d:%02d %.8s", civil.year,
		civil.month, civil.day, civil.hour, civil.minute,
		ml_zone_state(zone, wall).abbreviation);
}
