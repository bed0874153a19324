/* The node `aggregate`: windows of local time over the values of meters.
 * SPDX-License-Identifier: Apache-2.0
 *
 * A reading is counted at once, and its ack waits until what it was counted into has been written,
 * in the same transactions as the readings of the store. A result is told after the end of its
 * window; that it was told is written once its own ack is delivered, so that a crash in between
 * tells it again rather than never.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <meterloom/command.h>

#include "aggregate/family.h"
#include "aggregate/result.h"
#include "meter/reading_message.h"

enum {
	CATCH_UP_AT_ONCE = 8,     /* meters */
	SHOW_BYTES_MAX = 8 << 20, /* what is shown ends there: results are limited to 16 MiB */
};

/* ---- Parameters ---- */

static const struct ml_choice functions[] = {
	{"instantaneous", METER_INSTANTANEOUS, "The value as it is"},
	{"maximum", METER_MAXIMUM, "The meter's own maximum"},
	{"minimum", METER_MINIMUM, "The meter's own minimum"},
	{NULL, 0, NULL},
};

static bool result_parse(const char *text, enum aggregate_result *result)
{
	for (unsigned i = 0; i < RESULTS; i++) {
		if (strcmp(aggregate_result_names[i], text) == 0) {
			*result = (enum aggregate_result)i;
			return true;
		}
	}
	return false;
}

static int check_window(const json_t *value, struct ml_error *err)
{
	struct window_length length;
	return window_parse(json_string_value(value), &length, err);
}

static int check_results(const json_t *value, struct ml_error *err)
{
	size_t i;
	json_t *item;
	json_array_foreach(value, i, item)
	{
		enum aggregate_result result;
		if (!result_parse(json_string_value(item), &result))
			return ml_error_set(err, -EINVAL,
				"\"%.40s\" is no result: expected consumption, mean, min, max, "
				"first, last or count",
				json_string_value(item));
	}
	return 0;
}

static bool quantity_parse(const char *text, unsigned *quantity)
{
	for (unsigned i = 1; i < METER_QUANTITIES; i++) {
		if (strcmp(meter_quantity_name(i), text) == 0) {
			*quantity = i;
			return true;
		}
	}
	return false;
}

static int check_quantity(const json_t *value, struct ml_error *err)
{
	unsigned quantity;
	if (quantity_parse(json_string_value(value), &quantity))
		return 0;
	return ml_error_set(err, -EINVAL,
		"\"%.40s\" is no quantity: expected one as readings name it, such as energy, "
		"volume or power",
		json_string_value(value));
}

#define PARAM(field, kind_, title_, ...) \
	{ \
		.name = #field, .kind = ML_PARAM_##kind_, \
		.offset = offsetof(struct aggregate, field), .title = (title_), __VA_ARGS__ \
	}

static const struct ml_param params[] = {
	PARAM(window, STRING, "Window",
		.help = "How long each window is: minutes that divide an hour (15 min), hours that "
			"divide a day (1 h), 1 d, 1 week, 1 month or 1 year, aligned to local "
			"time.",
		.preset = "\"1 h\"", .max = 15, .check = check_window),
	PARAM(quantity, STRING, "Quantity",
		.help = "What is summed up, as readings name it: energy, volume, power, "
			"flow-temperature.",
		.flags = ML_PARAM_REQUIRED, .max = 63, .check = check_quantity),
	PARAM(results, STRINGS, "Results",
		.help = "What is told of each window: consumption (how far a counter advanced), "
			"mean, min, max, first, last, count (of values).",
		.preset = "[\"consumption\"]", .min = 1, .max = RESULTS, .check = check_results),
	PARAM(terms, STRINGS, "Terms of a virtual meter",
		.help = "Meters whose results are added (+) or subtracted (-), each by key (#12), "
			"MOID or id: [\"+#1\", \"-#2\"]. Empty: each meter by itself.",
		.preset = "[]", .max = AGGREGATE_TERMS_MAX),
	PARAM(meter, STRING, "Virtual meter",
		.help = "The point of the meter list that results of the terms belong to, a "
			"passive one, by key or MOID.",
		.preset = "\"\"", .max = METER_MOID_MAX),
	PARAM(delay, DURATION, "Delay",
		.help = "How long after its end a window is told: a readout at the border takes "
			"some time.",
		.unit = "min", .preset = "5", .max = 1440),
	PARAM(lateness, DURATION, "Lateness",
		.help = "How long after the end of its window a value is still counted; a window "
			"that was told is then told again, corrected.",
		.unit = "min", .preset = "60", .min = 1, .max = 44640),
	PARAM(time_zone, STRING, "Time zone",
		.help = "The zone in whose time windows begin, such as Europe/Paris.",
		.preset = "\"UTC\"", .setting = "gateway.time_zone", .max = ML_ZONE_NAME_MAX - 1,
		.flags = ML_PARAM_INHERIT | ML_PARAM_ADVANCED),
	PARAM(function, CHOICE, "Function", .help = "Which of the meter's values is taken.",
		.preset = "\"instantaneous\"", .choices = functions, .flags = ML_PARAM_ADVANCED),
	PARAM(storage, INTEGER, "Storage", .help = "The storage number of the value.",
		.preset = "0", .min = 0, .max = INT32_MAX, .flags = ML_PARAM_ADVANCED),
	PARAM(tariff, INTEGER, "Tariff", .help = "The tariff of the value.", .preset = "0",
		.min = 0, .max = (1 << 20) - 1, .flags = ML_PARAM_ADVANCED),
	PARAM(subunit, INTEGER, "Subunit", .help = "The subunit of the value.", .preset = "0",
		.min = 0, .max = 1023, .flags = ML_PARAM_ADVANCED),
	PARAM(name, STRING, "Name",
		.help = "What the names of results begin with. Empty: the quantity.",
		.preset = "\"\"", .max = 40, .flags = ML_PARAM_ADVANCED),
	PARAM(rollover_digits, INTEGER, "Digits of the counter",
		.help = "After how many digits, as the telegram sends them, the counter begins at "
			"zero again. 0: as many as its BCD coding has; a binary one tells nothing.",
		.preset = "0", .min = 0, .max = 18, .flags = ML_PARAM_ADVANCED),
	PARAM(mean_digits, INTEGER, "Digits of the mean",
		.help = "How many digits more than the values a mean has; rounded half away from "
			"zero.",
		.preset = "3", .min = 0, .max = 9, .flags = ML_PARAM_ADVANCED),
	PARAM(catch_up, BOOL, "Catch up",
		.help = "After a start, what the store holds of the known meters and is not yet "
			"counted is counted. Set it to false where a filter in front of this node "
			"drops or changes readings.",
		.preset = "true", .flags = ML_PARAM_ADVANCED),
	{0},
};

/* Texts are told apart by their ends. */
static void mix(uint64_t *hash, const char *text)
{
	do
		*hash = (*hash ^ (uint8_t)*text) * UINT64_C(0x100000001B3);
	while (*text++);
}

static uint64_t fingerprint_of(const struct aggregate *self)
{
	char numbers[160];
	uint64_t hash = UINT64_C(0xCBF29CE484222325);
	(void)snprintf(numbers, sizeof numbers, "%d %" PRId64 " %" PRId64 " %" PRId64 " %" PRId64,
		self->function, self->storage, self->tariff, self->subunit, self->rollover_digits);
	mix(&hash, self->window);
	mix(&hash, self->time_zone);
	mix(&hash, self->quantity);
	mix(&hash, numbers);
	for (size_t i = 0; i < self->terms.count; i++)
		mix(&hash, self->terms.items[i]);
	return hash;
}

static void name_results(struct aggregate *self)
{
	size_t used = (size_t)snprintf(
		self->base, sizeof self->base, "%s", self->name[0] ? self->name : self->quantity);
	if (self->name[0])
		return;
	if (self->function != METER_INSTANTANEOUS)
		used += (size_t)snprintf(self->base + used, sizeof self->base - used, " %s",
			meter_function_name((unsigned)self->function));
	const struct {
		const char *word;
		int64_t number;
	} parts[] = {
		{"storage", self->storage}, {"tariff", self->tariff}, {"subunit", self->subunit}};
	for (size_t i = 0; i < 3 && used < sizeof self->base; i++)
		if (parts[i].number)
			used += (size_t)snprintf(self->base + used, sizeof self->base - used,
				" %s %" PRId64, parts[i].word, parts[i].number);
}

static int check_virtual(const struct aggregate *self, struct ml_error *err)
{
	for (size_t i = 0; i < self->results.count; i++)
		if (strcmp(self->results.items[i], "min") == 0 ||
			strcmp(self->results.items[i], "max") == 0)
			return ml_error_set_pointer(err, -EINVAL, "/results",
				"of a virtual meter there is no %s: its meters reach theirs at "
				"different times",
				self->results.items[i]);
	for (size_t i = 0; i < self->terms.count; i++)
		if (strlen(self->terms.items[i]) < 2 || !strchr("+-", self->terms.items[i][0]))
			return ml_error_set_pointer(err, -EINVAL, "/terms",
				"\"%.40s\": expected + or - and a meter, such as \"+#1\"",
				self->terms.items[i]);
	if (!self->meter[0])
		return ml_error_set_pointer(err, -EINVAL, "/meter",
			"terms need a `meter`: the point of the meter list that results belong to");
	return 0;
}

static int check(const void *instance, struct ml_check *collected, struct ml_error *err)
{
	const struct aggregate *self = instance;
	struct window_length length;
	(void)collected;
	if (window_parse(self->window, &length, NULL) == 0 &&
		self->lateness / window_shortest(length) > SERIES_SUMS_MAX - 8)
		return ml_error_set_pointer(err, -EINVAL, "/lateness",
			"%" PRId64 " min are more than %d windows of %s: expected less lateness, "
			"or longer windows",
			self->lateness / ML_MINUTE, SERIES_SUMS_MAX - 8, self->window);
	if (self->terms.count)
		return check_virtual(self, err);
	if (self->meter[0])
		return ml_error_set_pointer(err, -EINVAL, "/meter",
			"a `meter` is for terms: without these each result belongs to its own "
			"meter");
	return 0;
}

/* ---- Told by the engine ---- */

static int prepare(struct ml_node *node, void *instance, struct ml_error *err)
{
	struct aggregate *self = instance;
	unsigned quantity = 0;
	self->keep = meter_keep(ml_node_engine(node));
	self->list = meter_list(ml_node_engine(node));
	if (!self->keep)
		return ml_error_set(
			err, -ENOTSUP, "this engine has no store, which keeps what is summed up");
	self->held = calloc(AGGREGATE_HELD_MAX, sizeof(struct ml_message *));
	if (!self->held)
		return ml_error_set(err, -ENOMEM, "out of memory");
	int result = self->keep->check(node, err);
	if (result == 0)
		result = ml_zone_load(self->time_zone, NULL, &self->zone, err);
	if (result < 0)
		return result;
	(void)quantity_parse(self->quantity, &quantity);
	self->filter = (struct meter_filter){.with = METER_WITH_QUANTITY | METER_WITH_FUNCTION |
						     METER_WITH_STORAGE | METER_WITH_TARIFF |
						     METER_WITH_SUBUNIT | METER_WITH_MODIFIERS,
		.quantity = quantity,
		.function = (unsigned)self->function,
		.storage = (uint64_t)self->storage,
		.tariff = (uint32_t)self->tariff,
		.subunit = (uint16_t)self->subunit};
	self->rules = (struct series_rules){.zone = self->zone,
		.lateness = self->lateness,
		.digits = (unsigned)self->rollover_digits};
	(void)window_parse(self->window, &self->rules.length, NULL);
	for (size_t i = 0; i < self->results.count; i++)
		(void)result_parse(self->results.items[i], &self->wanted[self->wanted_count++]);
	self->fingerprint = fingerprint_of(self);
	name_results(self);
	return 0;
}

static void fire(struct ml_timer *timer)
{
	struct aggregate *self = timer->user;
	aggregate_resolve(self);
	aggregate_tell(self);
}

static void start(struct ml_node *node, void *instance)
{
	struct aggregate *self = instance;
	self->drawer.node = node;
	ml_timer_init(&self->timer, ml_node_lane(node), fire, self);
	ml_node_demand(node, AGGREGATE_IN, 0);
	aggregate_open(self);
}

static void process(struct ml_node *node, void *instance, unsigned port,
	struct ml_message *const *messages, size_t count)
{
	struct aggregate *self = instance;
	(void)port;
	aggregate_resolve(self);
	for (size_t i = 0; i < count; i++) {
		aggregate_count(self, meter_reading(messages[i]));
		/* In an array: others that hold the same message use its own link. */
		if (self->drawer.waiting)
			self->held[self->held_count++] = messages[i];
		else
			ml_release(node, messages[i]); /* nothing came of it */
	}
	ml_node_demand(node, AGGREGATE_IN, AGGREGATE_HELD_MAX - self->held_count);
}

static void acked(struct ml_node *node, void *instance, uint64_t cookie, bool delivered)
{
	(void)node;
	aggregate_acked(instance, cookie, delivered);
}

static void room(struct ml_node *node, void *instance)
{
	(void)node;
	aggregate_tell(instance);
}

static void stop(struct ml_node *node, void *instance)
{
	struct aggregate *self = instance;
	(void)node;
	ml_timer_stop(&self->timer);
	aggregate_close(self);
	meter_snapshot_release(self->snapshot);
	self->snapshot = NULL;
}

static void destroy(void *instance)
{
	struct aggregate *self = instance;
	for (size_t i = 0; i < self->count; i++) {
		state_free(&self->entries[i]->state);
		free(self->entries[i]);
	}
	if (self->virtual)
		state_free(&self->virtual->state);
	free(self->virtual);
	free((void *)self->entries);
	free((void *)self->held);
	ml_zone_free(self->zone);
	self->zone = NULL;
}

/* ---- Asked by a person ---- */

static void show_entry(
	const struct aggregate *self, const struct aggregate_entry *entry, struct ml_json_writer *w)
{
	const struct state *state = &entry->state;
	char text[METER_SECONDARY_TEXT_MAX];
	ml_json_begin_object(w);
	const uint32_t point = state->virtual ? self->target_point : state->point;
	if (point) {
		ml_json_key(w, "point");
		ml_json_unsigned(w, point);
	}
	if (state->virtual ? self->target_has_identity : state->has_identity) {
		ml_json_key(w, "id");
		ml_json_string_n(w, text,
			meter_secondary_format(
				state->virtual ? self->target_identity : state->identity, text));
	}
	ml_json_key(w, "windows");
	ml_json_begin_array(w);
	for (size_t i = 0; i < state->told.count; i++)
		result_to_json(self, entry, &state->told.items[i], w);
	ml_json_end_array(w);
	ml_json_end_object(w);
}

static void run_show(struct ml_node *node, void *instance, struct ml_job *job, void *unused)
{
	const struct aggregate *self = instance;
	struct ml_json_writer *w = ml_job_result(job);
	(void)node;
	(void)unused;
	ml_json_begin_object(w);
	ml_json_key(w, "meters");
	ml_json_begin_array(w);
	if (self->virtual)
		show_entry(self, self->virtual, w);
	for (size_t i = 0; !self->virtual && i < self->count; i++)
		if (w->out->length < SHOW_BYTES_MAX)
			show_entry(self, self->entries[i], w);
	ml_json_end_array(w);
	ml_json_end_object(w);
	ml_job_succeed(job);
}

static const struct ml_action actions[] = {
	{.name = "show",
		.title = "Show windows",
		.help = "Tells what is known of the windows that are not done with, also of the "
			"one that runs, and whether they were told.",
		.run = run_show},
	{0},
};

static const struct ml_port ports[] = {
	{.name = "in",
		.direction = ML_INPUT,
		.type = &meter_reading_type,
		.required = true,
		.help = "Readings, also those of readouts that failed."},
	{.name = "out",
		.direction = ML_OUTPUT,
		.type = &meter_reading_type,
		.help = "A reading for each meter and window, after its end, and another one when "
			"late values change it."},
	{0},
};

static const struct ml_metric metrics[] = {
	{"counted", false, "Readings that were counted."},
	{"repeated", false, "Readings that came a second time and were not counted again."},
	{"too_late", false, "Readings that came too late to be counted."},
	{"lost", false, "Readings that were not counted for want of room."},
	{"timeless", false, "Readings that were not counted, as the clock was not known."},
	{"told", false, "Windows that were told."},
	{"corrected", false, "Windows that were told again with late values."},
	{"meters", true, "Meters whose values are summed up."},
	{0},
};

const struct ml_node_class aggregate_class = {
	.type = "aggregate",
	.version = 1,
	.title = "Aggregate",
	.help = "Sums up the values of a series over windows of local time: consumption of a "
		"counter, mean, smallest, largest, first, last, number. For each meter by itself, "
		"or for a virtual meter as sums and differences of several. Results are readings; "
		"what is missing, late or wrong is marked in them and never made up.",
	.category = "process",
	.params = params,
	.ports = ports,
	.actions = actions,
	.metrics = metrics,
	.size = sizeof(struct aggregate),
	.lane = METER_KEEP_LANE,
	.flags = ML_NODE_STORE,
	.check = check,
	.prepare = prepare,
	.start = start,
	.process = process,
	.room = room,
	.acked = acked,
	.stop = stop,
	.destroy = destroy,
};
