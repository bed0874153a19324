/* Families: what a folder of nodes/ hands to the engine.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef METERLOOM_FAMILY_H
#define METERLOOM_FAMILY_H

#include <stddef.h>

#include <meterloom/command.h>
#include <meterloom/database.h>
#include <meterloom/error.h>
#include <meterloom/event.h>
#include <meterloom/message.h>
#include <meterloom/node.h>
#include <meterloom/setting.h>
#include <meterloom/stream.h>
#include <meterloom/tool.h>

/* Something of a gateway that is not a node: the meter list, the keys, the simulated bus. It is
 * started with the engine, before any node, in the order of the table of families, and stopped
 * after all nodes in the opposite order. Other threads read it through immutable snapshots of its
 * own. */
struct ml_service_class {
	const char *name; /* "meter-list"; NULL ends the table */
	/* On the control thread. *ret_service is what ml_service() gives. */
	int (*start)(struct ml_engine *engine, void **ret_service, struct ml_error *err);
	void (*stop)(void *service); /* on the control thread */
};

#define ML_FAMILY_ABI 1

struct ml_family {
	unsigned abi; /* ML_FAMILY_ABI */
	size_t size;  /* sizeof(struct ml_family) */
	const char *name;
	/* Each table may be NULL. */
	const struct ml_message_type *const *message_types; /* ended by NULL */
	const struct ml_node_class *const *node_classes;    /* ended by NULL */
	const struct ml_command *commands;
	const struct ml_setting *settings;
	const struct ml_event_class *events;
	const struct ml_migration *migrations;
	const struct ml_service_class *services;
	const struct ml_stream_scheme *streams;
	const struct ml_tool *tools;
};

/* A started service by name, NULL where there is none. Any thread. */
void *ml_service(struct ml_engine *engine, const char *name);

#endif
