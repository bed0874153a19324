/* The node `aggregate`: windows of local time over the values of meters.
 * SPDX-License-Identifier: Apache-2.0
 *
 * A reading is counted at once, and its ack waits until what it was counted into has been written,
 * in the same transactions as the readings of the store. A result is told after the end of its
 * window; that it was told is written once its own ack is delivered, so that a crash in between
 * tells it again rather than never.
 */
#include "aggregate/aggregate.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "aggregate/family.h"
#include "meter/reading_message.h"

enum { CATCH_UP_AT_ONCE = 8 }; /* meters */

static struct aggregate *of_drawer(struct meter_drawer *drawer)
{
	return (struct aggregate *)(void *)((char *)drawer - offsetof(struct aggregate, drawer));
}

/* ---- Parameters ---- */

static const struct ml_choice functions[] = {
	{"instantaneous", METER_INSTANTANEOUS, "The value as it is"},
	{"maximum", METER_MAXIMUM, "The meter's own maximum"},
	{"minimum", METER_MINIMUM, "The meter's own minimum"},
	{NULL, 0, NULL},
};

static const char *const result_names[RESULTS] = {
	"consumption", "mean", "min", "max", "first", "last", "count"};

static bool result_parse(const char *text, enum aggregate_result *result)
{
	for (unsigned i = 0; i < RESULTS; i++) {
		if (strcmp(result_names[i], text) == 0) {
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

/* ---- What is kept ---- */

static int load_one(
	void *user, const void *name, size_t name_length, const void *bytes, size_t length)
{
	struct aggregate *self = user;
	struct ml_error err = ML_ERROR_NONE;
	struct state state;
	(void)name;
	(void)name_length;
	const int result = state_read(bytes, length, self->fingerprint, &state, &err);
	if (result == -ENOMEM)
		return result;
	if (result == 0 && state.virtual == (self->terms.count > 0) && state.virtual &&
		self->virtual) {
		state_free(&self->virtual->state);
		self->virtual->state = state;
		return 0;
	}
	if (result == 0 && !state.virtual)
		return aggregate_add(self, &state, NULL);
	if (result == 0)
		state_free(&state);
	else
		ml_node_log(self->drawer.node, result == -ESTALE ? ML_LOG_INFO : ML_LOG_WARNING,
			"what was summed up before begins anew: %s", err.text);
	return 0;
}

/* In steps, so that others come to their turn. */
static void catch_up(struct ml_timer *timer)
{
	struct aggregate *self = timer->user;
	struct ml_error err = ML_ERROR_NONE;
	for (size_t i = 0; i < CATCH_UP_AT_ONCE && self->caught_up < self->count; i++) {
		if (aggregate_catch_up(self, self->entries[self->caught_up], &err) < 0) {
			ml_node_log(self->drawer.node, ML_LOG_WARNING,
				"what was stored and not counted before the start is not counted: "
				"%s",
				err.text);
			return;
		}
		self->caught_up++;
	}
	if (self->caught_up < self->count)
		ml_timer_start(timer, ml_node_now(self->drawer.node));
}

/* Nothing is taken before what was kept is there. */
static void load(struct aggregate *self)
{
	struct ml_node *node = self->drawer.node;
	struct ml_error err = ML_ERROR_NONE;
	if (self->loaded)
		return;
	int result = 0;
	if (self->terms.count && !self->virtual) {
		struct state state = {.virtual = true};
		result = aggregate_add(self, &state, NULL);
	}
	if (result == 0)
		result = self->keep->load(
			ml_node_engine(node), ml_node_id(node), load_one, self, &err);
	if (result < 0) {
		ml_node_state(node, ML_STATE_FAULT, "what was summed up cannot be read: %s",
			err.code ? err.text : "out of memory");
		return;
	}
	self->loaded = true;
	ml_node_state(node, ML_STATE_RUNNING, NULL);
	aggregate_resolve(self);
	aggregate_plan(self);
	if (self->catch_up && self->count)
		ml_timer_start(&self->catching, ml_node_now(node));
	ml_node_demand(node, AGGREGATE_IN, AGGREGATE_HELD_MAX);
}

static int write_one(struct aggregate *self, struct aggregate_entry *entry,
	struct meter_keeping *keeping, struct ml_buffer *buffer, struct ml_error *err)
{
	uint8_t name[METER_KEEP_NAME_MAX];
	if (!entry || !entry->dirty)
		return 0;
	ml_buffer_clear(buffer);
	state_write(&entry->state, self->fingerprint, buffer);
	if (buffer->failed)
		return ml_error_set(err, -ENOMEM, "out of memory");
	const size_t length = aggregate_key(&entry->state, name);
	return self->keep->put(keeping, name, length, buffer->data, buffer->length, err);
}

static int write_all(
	struct meter_drawer *drawer, struct meter_keeping *keeping, struct ml_error *err)
{
	struct aggregate *self = of_drawer(drawer);
	struct ml_buffer buffer = {0};
	int result = write_one(self, self->virtual, keeping, &buffer, err);
	for (size_t i = 0; result == 0 && i < self->count; i++)
		result = write_one(self, self->entries[i], keeping, &buffer, err);
	ml_buffer_free(&buffer);
	return result;
}

static void written(struct meter_drawer *drawer)
{
	struct aggregate *self = of_drawer(drawer);
	for (size_t i = 0; i < self->count; i++)
		self->entries[i]->dirty = false;
	if (self->virtual)
		self->virtual->dirty = false;
	while (self->first_held) {
		struct ml_message *message = self->first_held;
		self->first_held = message->next;
		message->next = NULL;
		ml_release(drawer->node, message);
	}
	self->last_held = NULL;
	self->held = 0;
	ml_node_demand(drawer->node, AGGREGATE_IN, AGGREGATE_HELD_MAX);
}

static void trouble(struct meter_drawer *drawer, const struct ml_error *err)
{
	struct aggregate *self = of_drawer(drawer);
	self->troubled = err != NULL;
	if (err) {
		ml_node_state(drawer->node, ML_STATE_FAULT, "%s; %zu readings wait", err->text,
			self->held);
		return;
	}
	ml_node_state(drawer->node, ML_STATE_RUNNING, NULL);
	load(self);
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
	self->drawer.write = write_all;
	self->drawer.written = written;
	self->drawer.trouble = trouble;
	ml_timer_init(&self->timer, ml_node_lane(node), fire, self);
	ml_timer_init(&self->catching, ml_node_lane(node), catch_up, self);
	ml_node_demand(node, AGGREGATE_IN, 0);
	self->keep->open(ml_node_engine(node), &self->drawer);
	load(self);
}

static void hold(struct aggregate *self, struct ml_message *message)
{
	message->next = NULL;
	if (self->last_held)
		self->last_held->next = message;
	else
		self->first_held = message;
	self->last_held = message;
	self->held++;
}

static void process(struct ml_node *node, void *instance, unsigned port,
	struct ml_message *const *messages, size_t count)
{
	struct aggregate *self = instance;
	(void)port;
	aggregate_resolve(self);
	for (size_t i = 0; i < count; i++) {
		aggregate_count(self, meter_reading(messages[i]));
		if (self->drawer.waiting)
			hold(self, messages[i]);
		else
			ml_release(node, messages[i]); /* nothing came of it */
	}
	ml_node_demand(node, AGGREGATE_IN,
		self->held < AGGREGATE_HELD_MAX ? AGGREGATE_HELD_MAX - self->held : 0);
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
	ml_timer_stop(&self->timer);
	ml_timer_stop(&self->catching);
	self->keep->close(ml_node_engine(node), &self->drawer);
	while (self->first_held) { /* it could not be written */
		struct ml_message *message = self->first_held;
		self->first_held = message->next;
		message->next = NULL;
		ml_fail(node, message, "not counted: what it was counted into cannot be written");
	}
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
	ml_zone_free(self->zone);
	self->zone = NULL;
}

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
