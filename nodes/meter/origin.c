/* By which way telegrams came.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "meter/origin.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct origins {
	pthread_mutex_t mutex;
	struct meter_origin *items; /* grown as they come; number 1 is the first */
	size_t count;
};

int meter_origin_start(struct ml_engine *engine, void **ret_service, struct ml_error *err)
{
	struct origins *origins = calloc(1, sizeof *origins);
	(void)engine;
	if (!origins)
		return ml_error_set(err, -ENOMEM, "out of memory");
	if (pthread_mutex_init(&origins->mutex, NULL) != 0) {
		free(origins);
		return ml_error_set(err, -ENOMEM, "out of memory");
	}
	*ret_service = origins;
	return 0;
}

void meter_origin_stop(void *service)
{
	struct origins *origins = service;
	(void)pthread_mutex_destroy(&origins->mutex);
	free(origins->items);
	free(origins);
}

static struct meter_origin *add(struct origins *origins, const struct meter_origin *wanted)
{
	if (origins->count == METER_ORIGINS_MAX)
		return NULL;
	struct meter_origin *grown = realloc(origins->items, (origins->count + 1) * sizeof *grown);
	if (!grown)
		return NULL;
	origins->items = grown;
	grown[origins->count] = *wanted;
	return &grown[origins->count++];
}

uint32_t meter_origin_number(struct ml_engine *engine, const char *node, const char *bus,
	const char *interface, const char *receiver)
{
	struct origins *origins = ml_service(engine, METER_ORIGIN_SERVICE);
	struct meter_origin wanted;
	const struct meter_origin *found = NULL;
	if (!origins)
		return 0;
	memset(&wanted, 0, sizeof wanted); /* they are compared as a whole */
	(void)snprintf(wanted.node, sizeof wanted.node, "%s", node ? node : "");
	(void)snprintf(wanted.bus, sizeof wanted.bus, "%s", bus ? bus : "");
	(void)snprintf(wanted.interface, sizeof wanted.interface, "%s", interface ? interface : "");
	(void)snprintf(wanted.receiver, sizeof wanted.receiver, "%s", receiver ? receiver : "");
	pthread_mutex_lock(&origins->mutex);
	for (size_t i = 0; i < origins->count && !found; i++)
		if (memcmp(&origins->items[i], &wanted, sizeof wanted) == 0)
			found = &origins->items[i];
	if (!found)
		found = add(origins, &wanted);
	const uint32_t number = found ? (uint32_t)(found - origins->items) + 1 : 0;
	pthread_mutex_unlock(&origins->mutex);
	return number;
}

int meter_origin_names(struct ml_engine *engine, uint32_t number, struct meter_origin *origin)
{
	struct origins *origins = ml_service(engine, METER_ORIGIN_SERVICE);
	int result = -ENOENT;
	if (!origins)
		return result;
	pthread_mutex_lock(&origins->mutex);
	if (number > 0 && number <= origins->count) {
		*origin = origins->items[number - 1];
		result = 0;
	}
	pthread_mutex_unlock(&origins->mutex);
	return result;
}
