/* The wired buses of an engine.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "mbus/buses.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mbus/search_keep.h"

#define SERVICE "mbus-buses"

struct entry {
	const void *who;
	struct mbus_bus bus;
};

struct mbus_buses {
	pthread_mutex_t lock;
	struct entry *entries[MBUS_BUSES_MAX]; /* owned; by the name of the bus */
	size_t count;
};

struct mbus_buses *mbus_buses(struct ml_engine *engine)
{
	return ml_service(engine, SERVICE);
}

size_t mbus_buses_list(struct mbus_buses *buses, struct mbus_bus *out, size_t size)
{
	(void)pthread_mutex_lock(&buses->lock);
	const size_t count = buses->count < size ? buses->count : size;
	for (size_t i = 0; i < count; i++)
		out[i] = buses->entries[i]->bus;
	(void)pthread_mutex_unlock(&buses->lock);
	return count;
}

bool mbus_buses_find(struct mbus_buses *buses, const char *bus, struct mbus_bus *out)
{
	bool found = false;
	(void)pthread_mutex_lock(&buses->lock);
	for (size_t i = 0; i < buses->count && !found; i++) {
		found = strcmp(buses->entries[i]->bus.bus, bus) == 0;
		if (found)
			*out = buses->entries[i]->bus;
	}
	(void)pthread_mutex_unlock(&buses->lock);
	return found;
}

/* One that finds no place reads its meters all the same; only the commands over several buses do
 * not see it. */
void mbus_buses_join(struct mbus_buses *buses, const void *who, const char *node, const char *bus,
	const char *interface)
{
	struct entry *entry = buses ? calloc(1, sizeof *entry) : NULL;
	if (!entry)
		return;
	entry->who = who;
	(void)snprintf(entry->bus.node, sizeof entry->bus.node, "%s", node);
	(void)snprintf(entry->bus.bus, sizeof entry->bus.bus, "%s", bus);
	(void)snprintf(entry->bus.interface, sizeof entry->bus.interface, "%s", interface);
	(void)pthread_mutex_lock(&buses->lock);
	if (buses->count < MBUS_BUSES_MAX) {
		size_t at = buses->count++;
		for (; at > 0 && strcmp(buses->entries[at - 1]->bus.bus, bus) > 0; at--)
			buses->entries[at] = buses->entries[at - 1];
		buses->entries[at] = entry;
		entry = NULL;
	}
	(void)pthread_mutex_unlock(&buses->lock);
	free(entry);
}

void mbus_buses_leave(struct mbus_buses *buses, const void *who)
{
	if (!buses)
		return;
	(void)pthread_mutex_lock(&buses->lock);
	for (size_t i = 0; i < buses->count; i++) {
		if (buses->entries[i]->who != who)
			continue;
		free(buses->entries[i]);
		buses->count--;
		memmove(buses->entries + i, buses->entries + i + 1,
			(buses->count - i) * sizeof buses->entries[0]);
		break;
	}
	(void)pthread_mutex_unlock(&buses->lock);
}

static int buses_start(struct ml_engine *engine, void **ret_service, struct ml_error *err)
{
	(void)engine;
	struct mbus_buses *buses = calloc(1, sizeof *buses);
	if (!buses)
		return ml_error_set(err, -ENOMEM, "out of memory");
	(void)pthread_mutex_init(&buses->lock, NULL);
	*ret_service = buses;
	return 0;
}

static void buses_stop(void *service)
{
	struct mbus_buses *buses = service;
	for (size_t i = 0; i < buses->count; i++)
		free(buses->entries[i]);
	(void)pthread_mutex_destroy(&buses->lock);
	free(buses);
}

const struct ml_service_class mbus_services[] = {
	{.name = SERVICE, .start = buses_start, .stop = buses_stop},
	{.name = MBUS_SEARCHES_SERVICE, .start = mbus_searches_start, .stop = mbus_searches_stop},
	{0},
};
