/* Nodes and an engine for the tests of engine/run.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "run/kit_nodes.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* cmocka wants these before it */
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static const struct ml_message_type *const types[] = {&kit_number_type, NULL};

static int service_start(struct ml_engine *engine, void **ret_service, struct ml_error *err)
{
	(void)engine;
	*ret_service = calloc(1, sizeof(struct kit *));
	return *ret_service ? 0 : ml_error_set(err, -ENOMEM, "out of memory");
}

struct kit *kit_of(struct ml_node *node)
{
	struct kit **slot = ml_service(ml_node_engine(node), "kit");
	return *slot;
}

static const struct ml_service_class services[] = {{"kit", service_start, free}, {0}};

struct kit_record *kit_record(struct kit *kit, const char *id)
{
	const size_t count = atomic_load(&kit->record_count);
	for (size_t i = 0; i < count; i++) {
		if (strcmp(kit->records[i].id, id) == 0)
			return &kit->records[i];
	}
	/* Made by kit_apply() on the control thread only, before the node starts. */
	assert_true(count < sizeof kit->records / sizeof kit->records[0]);
	(void)snprintf(kit->records[count].id, sizeof kit->records[count].id, "%s", id);
	(void)pthread_mutex_init(&kit->records[count].lock, NULL);
	atomic_store(&kit->record_count, count + 1);
	return &kit->records[count];
}

static const struct ml_node_class *const classes[] = {&kit_source_class, &kit_pass_class,
	&kit_sink_class, &kit_holder_class, &kit_triple_class, &kit_slow_class, &kit_timers_class,
	&kit_keeper_class, &kit_two_class, &kit_query_class, NULL};

const struct ml_family kit_family = {
	.abi = ML_FAMILY_ABI,
	.size = sizeof(struct ml_family),
	.name = "kit",
	.message_types = types,
	.node_classes = classes,
	.services = services,
};

/* ---- The engine ---- */

struct kit *kit_new(bool simulated)
{
	return kit_new_with(simulated, NULL, NULL);
}

struct kit *kit_new_with(bool simulated, const char *data, const char *device_key)
{
	static const struct ml_family *const families[] = {&kit_family, NULL};
	struct kit *kit = calloc(1, sizeof *kit);
	assert_non_null(kit);
	kit->clock = simulated ? ml_clock_new_simulated(1769868900 * ML_SEC) : ml_clock_new_real();
	assert_non_null(kit->clock);
	kit->log = ml_log_new(kit->clock, 0);
	const struct ml_engine_options options = {.families = families,
		.clock = kit->clock,
		.log = kit->log,
		.data = data,
		.device_key = device_key};
	struct ml_error err = ML_ERROR_NONE;
	if (ml_engine_new(&options, &kit->engine, &err))
		fail_msg("engine: %s", err.text);
	struct kit **slot = ml_service(kit->engine, "kit");
	*slot = kit;
	return kit;
}

void kit_free(struct kit *kit)
{
	ml_engine_free(kit->engine);
	ml_log_free(kit->log);
	ml_clock_free(kit->clock);
	free(kit);
}

void kit_apply(struct kit *kit, const char *format, ...)
{
	char *text = NULL;
	va_list args;
	va_start(args, format);
	const int length = vasprintf(&text, format, args);
	va_end(args);
	assert_true(length > 0);
	for (char *at = text; *at; at++)
		*at = *at == '\'' ? '"' : *at;
	struct ml_errors errors = {0};
	const int r = ml_engine_apply(kit->engine, text, (size_t)length, &errors);
	if (r)
		fail_msg("%s: %s (%d)", errors.count ? errors.items[0].pointer : "",
			errors.count ? errors.items[0].text : "no error told", r);
	ml_errors_free(&errors);
	free(text);
}

struct until {
	struct kit *kit;
	bool (*condition)(struct kit *kit, void *user);
	void *user;
	ml_time give_up;
	bool failed;
	struct ml_timer timer;
};

static void until_look(struct ml_timer *timer)
{
	struct until *until = timer->user;
	const ml_time now = ml_clock_monotonic(until->kit->clock);
	until->failed = now > until->give_up;
	if (until->failed || until->condition(until->kit, until->user))
		ml_engine_quit(until->kit->engine);
	else
		ml_timer_start(timer, now + ML_MSEC);
}

void kit_until(struct kit *kit, bool (*condition)(struct kit *kit, void *user), void *user)
{
	const ml_time now = ml_clock_monotonic(kit->clock);
	struct until until = {
		.kit = kit, .condition = condition, .user = user, .give_up = now + ML_MINUTE};
	ml_timer_init(&until.timer, ml_engine_lane(kit->engine, "control"), until_look, &until);
	ml_timer_start(&until.timer, now);
	ml_engine_run(kit->engine);
	ml_timer_stop(&until.timer);
	assert_false(until.failed);
}
