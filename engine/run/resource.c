/* Resources: things only one may hold, and what is handed from an old instance to the new one.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdlib.h>
#include <string.h>

#include "run/runtime.h"

struct ml_resource {
	struct ml_resource *next;
	char *name;
	struct ml_node *holder; /* NULL: only a value is left */
	char *left_by;          /* id of the node that left the value */
	void *value;
	void (*dispose)(void *value);
};

static void drop_value(struct ml_resource *resource)
{
	if (resource->value && resource->dispose)
		resource->dispose(resource->value);
	resource->value = NULL;
	free(resource->left_by);
	resource->left_by = NULL;
}

static struct ml_resource *find(struct ml_runtime *runtime, const char *name)
{
	for (struct ml_resource *at = runtime->resources; at; at = at->next) {
		if (strcmp(at->name, name) == 0)
			return at;
	}
	return NULL;
}

static void remove_if(
	struct ml_runtime *runtime, bool (*idle)(struct ml_resource *, void *), void *user)
{
	for (struct ml_resource **at = &runtime->resources; *at;) {
		struct ml_resource *resource = *at;
		if (!idle(resource, user)) {
			at = &resource->next;
			continue;
		}
		*at = resource->next;
		drop_value(resource);
		free(resource->name);
		free(resource);
	}
}

int ml_resource_claim(struct ml_node *node, const char *name)
{
	struct ml_runtime *runtime = node->engine->runtime;
	int r = 0;
	pthread_mutex_lock(&runtime->resource_lock);
	struct ml_resource *resource = find(runtime, name);
	if (!resource) {
		resource = calloc(1, sizeof *resource);
		if (resource)
			resource->name = strdup(name);
		if (!resource || !resource->name) {
			free(resource);
			r = -ENOMEM;
			goto out;
		}
		resource->next = runtime->resources;
		runtime->resources = resource;
	}
	if (resource->holder && resource->holder != node) {
		r = -EBUSY;
		goto out;
	}
	resource->holder = node;
	/* What another node left is in the way: an open terminal, say. */
	if (resource->value && strcmp(resource->left_by, node->id) != 0)
		drop_value(resource);
out:
	pthread_mutex_unlock(&runtime->resource_lock);
	return r;
}

void ml_resource_leave(
	struct ml_node *node, const char *name, void *value, void (*dispose)(void *value))
{
	struct ml_runtime *runtime = node->engine->runtime;
	pthread_mutex_lock(&runtime->resource_lock);
	struct ml_resource *resource = find(runtime, name);
	char *id = strdup(node->id);
	if (resource && resource->holder == node && id) {
		drop_value(resource);
		resource->value = value;
		resource->dispose = dispose;
		resource->left_by = id;
		value = NULL;
		id = NULL;
	}
	pthread_mutex_unlock(&runtime->resource_lock);
	free(id);
	if (value && dispose)
		dispose(value);
}

void *ml_resource_take(struct ml_node *node, const char *name)
{
	struct ml_runtime *runtime = node->engine->runtime;
	void *value = NULL;
	pthread_mutex_lock(&runtime->resource_lock);
	struct ml_resource *resource = find(runtime, name);
	if (resource && resource->holder == node && resource->value) {
		value = resource->value;
		resource->value = NULL;
		drop_value(resource);
	}
	pthread_mutex_unlock(&runtime->resource_lock);
	return value;
}

static bool let_go(struct ml_resource *resource, void *user)
{
	if (resource->holder == user)
		resource->holder = NULL;
	return !resource->holder && !resource->value;
}

void ml_resources_let_go(struct ml_node *node)
{
	struct ml_runtime *runtime = node->engine->runtime;
	pthread_mutex_lock(&runtime->resource_lock);
	remove_if(runtime, let_go, node);
	pthread_mutex_unlock(&runtime->resource_lock);
}

static bool not_held(struct ml_resource *resource, void *user)
{
	(void)user;
	if (resource->value)
		drop_value(resource);
	return !resource->holder;
}

void ml_resources_dispose(struct ml_engine *engine)
{
	struct ml_runtime *runtime = engine->runtime;
	pthread_mutex_lock(&runtime->resource_lock);
	remove_if(runtime, not_held, NULL);
	pthread_mutex_unlock(&runtime->resource_lock);
}
