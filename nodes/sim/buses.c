/* The simulated buses of a gateway.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "sim/buses.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <meterloom/engine.h>

#include "sim/services.h"

struct sim_held {
	struct sim_buses *of;
	struct sim_bus *bus; /* owned */
	char *interface;     /* owned */
	unsigned baud;
	char name[SIM_NAME_MAX];
	pthread_mutex_t lock;
	/* Whose it is now; under the lock. */
	struct ml_lane *lane; /* NULL: it is not open */
	void (*touch)(void *user);
	void *user;
};

struct sim_buses {
	pthread_mutex_t lock;
	struct sim_held *held[SIM_HELD_MAX]; /* owned; only added to */
	size_t count;
};

struct sim_buses *sim_buses(struct ml_engine *engine)
{
	return ml_service(engine, SIM_BUSES);
}

/* ---- For streams ---- */

static void free_held(struct sim_held *held)
{
	if (!held)
		return;
	sim_bus_free(held->bus);
	(void)pthread_mutex_destroy(&held->lock);
	free(held->interface);
	free(held);
}

static struct sim_held *new_held(
	const char *interface, const struct sim_options *options, ml_time now)
{
	struct sim_held *held = calloc(1, sizeof *held);
	if (!held)
		return NULL;
	(void)pthread_mutex_init(&held->lock, NULL);
	(void)snprintf(held->name, sizeof held->name, "%s", options->name);
	held->baud = options->baud;
	held->interface = strdup(interface);
	held->bus = sim_bus_new(options, NULL, now);
	if (!held->bus || !held->interface) {
		free_held(held);
		return NULL;
	}
	return held;
}

/* Takes it if nobody has it. */
static bool grab(struct sim_held *held, struct ml_lane *lane, void (*touch)(void *), void *user)
{
	(void)pthread_mutex_lock(&held->lock);
	const bool is_free = held->lane == NULL;
	if (is_free) {
		held->lane = lane;
		held->touch = touch;
		held->user = user;
	}
	(void)pthread_mutex_unlock(&held->lock);
	return is_free;
}

struct sim_held *sim_buses_take(struct sim_buses *buses, const char *interface,
	const struct sim_options *options, struct ml_lane *lane, void (*touch)(void *), void *user)
{
	struct sim_held *found = NULL;
	if (buses)
		(void)pthread_mutex_lock(&buses->lock);
	/* The rate belongs to it: where the address names none, it is that of the interface. */
	for (size_t i = 0; buses && !found && i < buses->count; i++) {
		struct sim_held *held = buses->held[i];
		if (held->baud == options->baud && strcmp(held->interface, interface) == 0 &&
			grab(held, lane, touch, user))
			found = held;
	}
	if (!found) {
		found = new_held(interface, options, ml_lane_now(lane));
		if (found)
			(void)grab(found, lane, touch, user);
		if (found && buses && buses->count < SIM_HELD_MAX) {
			found->of = buses;
			buses->held[buses->count++] = found;
		}
	}
	if (buses)
		(void)pthread_mutex_unlock(&buses->lock);
	return found;
}

void sim_held_give_back(struct sim_held *held)
{
	(void)pthread_mutex_lock(&held->lock);
	held->lane = NULL;
	sim_line_discard(sim_bus_line(held->bus));
	(void)pthread_mutex_unlock(&held->lock);
	if (!held->of)
		free_held(held); /* one too many to be kept */
}

struct sim_bus *sim_held_lock(struct sim_held *held)
{
	(void)pthread_mutex_lock(&held->lock);
	return held->bus;
}

void sim_held_unlock(struct sim_held *held)
{
	(void)pthread_mutex_unlock(&held->lock);
}

/* ---- For commands ---- */

size_t sim_buses_count(struct sim_buses *buses)
{
	(void)pthread_mutex_lock(&buses->lock);
	const size_t count = buses->count;
	(void)pthread_mutex_unlock(&buses->lock);
	return count;
}

struct sim_held *sim_buses_at(struct sim_buses *buses, size_t index)
{
	(void)pthread_mutex_lock(&buses->lock);
	struct sim_held *held = index < buses->count ? buses->held[index] : NULL;
	(void)pthread_mutex_unlock(&buses->lock);
	return held;
}

const char *sim_held_name(const struct sim_held *held)
{
	return held->name[0] ? held->name : held->interface;
}

const char *sim_held_interface(const struct sim_held *held)
{
	return held->interface;
}

bool sim_held_is_open(struct sim_held *held)
{
	(void)pthread_mutex_lock(&held->lock);
	const bool open = held->lane != NULL;
	(void)pthread_mutex_unlock(&held->lock);
	return open;
}

static void name_all(struct sim_buses *buses, char *out, size_t size)
{
	size_t length = 0;
	out[0] = '\0';
	for (size_t i = 0; i < sim_buses_count(buses) && length < size; i++)
		length += (size_t)snprintf(out + length, size - length, "%s%s", i ? ", " : "",
			sim_held_name(sim_buses_at(buses, i)));
}

struct sim_held *sim_buses_find(struct sim_buses *buses, const char *name, struct ml_error *err)
{
	char names[160];
	struct sim_held *found = NULL, *open = NULL;
	size_t opens = 0;
	const size_t count = sim_buses_count(buses);
	for (size_t i = 0; i < count; i++) {
		struct sim_held *held = sim_buses_at(buses, i);
		const bool is_open = sim_held_is_open(held);
		opens += is_open;
		open = is_open ? held : open;
		/* Where two have a name, the one that is in use is meant. */
		if ((strcmp(name, sim_held_name(held)) == 0 ||
			    strcmp(name, held->interface) == 0) &&
			(!found || is_open))
			found = held;
	}
	if (!name[0])
		found = opens == 1 ? open : count == 1 ? sim_buses_at(buses, 0) : NULL;
	if (found)
		return found;
	name_all(buses, names, sizeof names);
	if (count == 0)
		ml_error_set(err, -ENOENT,
			"there is no simulated bus: no node has opened an interface sim:...");
	else if (!name[0])
		ml_error_set(err, -EINVAL, "expected which bus: %s", names);
	else
		ml_error_set(err, -ENOENT, "there is no simulated bus '%.40s': expected one of %s",
			name, names);
	return NULL;
}

/* On the lane whose stream had the bus when it was touched. */
struct errand {
	struct sim_held *held;
	struct ml_lane *lane;
};

static void run_errand(void *user)
{
	struct errand *errand = user;
	struct sim_held *held = errand->held;
	(void)pthread_mutex_lock(&held->lock);
	void (*touch)(void *) = held->lane == errand->lane ? held->touch : NULL;
	void *who = held->user;
	(void)pthread_mutex_unlock(&held->lock);
	/* Only this lane could give the bus back meanwhile. */
	if (touch)
		touch(who);
	free(errand);
}

void sim_held_touch(struct sim_held *held)
{
	struct errand *errand = malloc(sizeof *errand);
	(void)pthread_mutex_lock(&held->lock);
	struct ml_lane *lane = held->lane;
	(void)pthread_mutex_unlock(&held->lock);
	if (!errand || !lane) {
		free(errand);
		return;
	}
	*errand = (struct errand){held, lane};
	if (ml_lane_post(lane, run_errand, errand) < 0)
		free(errand);
}

/* ---- The service ---- */

int sim_buses_start(struct ml_engine *engine, void **ret_service, struct ml_error *err)
{
	(void)engine;
	struct sim_buses *buses = calloc(1, sizeof *buses);
	if (!buses)
		return ml_error_set(err, -ENOMEM, "out of memory");
	(void)pthread_mutex_init(&buses->lock, NULL);
	*ret_service = buses;
	return 0;
}

void sim_buses_stop(void *service)
{
	struct sim_buses *buses = service;
	for (size_t i = 0; i < buses->count; i++)
		free_held(buses->held[i]);
	(void)pthread_mutex_destroy(&buses->lock);
	free(buses);
}
