/* The family "meter": what a meter is, the messages about it, and the meter list.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "meter/family.h"

#include "meter/batch.h"
#include "meter/current_private.h"
#include "meter/document.h"
#include "meter/frame.h"
#include "meter/list_private.h"
#include "meter/reading_message.h"

static const struct ml_message_type *const message_types[] = {
	&meter_frame_type,
	&meter_reading_type,
	&meter_batch_type,
	&meter_document_type,
	NULL,
};

static const struct ml_node_class *const node_classes[] = {&meter_current_values_class, NULL};

const struct ml_family meter_family = {
	.abi = ML_FAMILY_ABI,
	.size = sizeof(struct ml_family),
	.name = "meter",
	.message_types = message_types,
	.node_classes = node_classes,
	.commands = meter_list_commands,
	.events = meter_list_events,
	.migrations = meter_list_migrations,
	.services = meter_list_services,
};
