/* The node `aggregate`: when what became of windows goes on.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "aggregate/result.h"

enum {
	LOOK_EVERY = 60,  /* seconds: the wall clock may be set meanwhile */
	AGAIN_AFTER = 60, /* seconds after a result failed */
};

/* ---- Telling ---- */

/* false: there is no room, or no memory. */
static bool tell(struct aggregate *self, struct aggregate_entry *target, struct told *item)
{
	struct ml_node *node = self->drawer.node;
	struct result result;
	result_make(self, target, item->window.begin, &result);
	const uint32_t hash = result_hash(self, &result);
	if (item->told && item->hash == hash) {
		item->due = ML_NEVER;
		return true;
	}
	if (target->state.virtual && !self->target_point)
		return true; /* who it is will be known one day */
	if (ml_room(node, AGGREGATE_OUT) == 0)
		return false;
	struct ml_message *message = result_message(self, target, item, &result);
	if (!message)
		return false;
	if (ml_ack_attach(node, message, ++self->flights) < 0) {
		ml_release(node, message);
		return false;
	}
	item->in_flight = self->flights;
	item->sending = hash;
	item->due = ML_NEVER;
	ml_emit(node, AGGREGATE_OUT, message);
	return true;
}

static void plan_item(struct aggregate *self, const struct aggregate_entry *target,
	struct told *item, ml_time now)
{
	struct result result;
	if (!item->told) {
		item->due = item->window.end + self->delay;
		return;
	}
	result_make(self, target, item->window.begin, &result);
	if (result_hash(self, &result) == item->hash)
		item->due = ML_NEVER;
	else if (item->due == ML_NEVER || item->due > now + self->delay)
		item->due = now + self->delay;
}

/* The windows in which something came. */
static void add_windows(
	struct aggregate *self, struct aggregate_entry *target, const struct series *series)
{
	for (size_t i = 0; i < series->count; i++) {
		const struct window window = series->sums[i].window;
		if (!told_find(&target->state.told, window.begin) &&
			!told_add(&target->state.told, window, window.end + self->delay))
			ml_node_log(self->drawer.node, ML_LOG_ERROR,
				"more than %d windows wait to be told: one will not be",
				STATE_TOLD_MAX);
	}
}

static void wake(struct aggregate *self)
{
	const ml_time now = aggregate_now(self);
	ml_time next = ML_NEVER;
	for (size_t i = 0; i <= self->count; i++) {
		const struct aggregate_entry *entry = i < self->count ? self->entries[i]
								      : self->virtual;
		for (size_t n = 0; entry && n < entry->state.told.count; n++) {
			const struct told *item = &entry->state.told.items[n];
			if (item->due < next)
				next = item->due;
			if (item->due == ML_NEVER && item->window.end + self->lateness < next)
				next = item->window.end + self->lateness;
		}
	}
	if (next == ML_NEVER)
		return;
	ml_time wait = next > now ? next - now : ML_SEC;
	wait = wait < LOOK_EVERY * ML_SEC ? wait : LOOK_EVERY * ML_SEC;
	const ml_time due = ml_node_now(self->drawer.node) + wait;
	if (!ml_timer_running(&self->timer) || due < self->timer.due)
		ml_timer_start(&self->timer, due);
}

void aggregate_review(struct aggregate *self, struct aggregate_entry *entry, bool all)
{
	const ml_time now = aggregate_now(self);
	if (entry->state.virtual) {
		for (size_t i = 0; i < self->count; i++)
			add_windows(self, entry, &self->entries[i]->state.series);
	} else {
		add_windows(self, entry, &entry->state.series);
	}
	for (size_t i = 0; i < entry->state.told.count; i++) {
		struct told *item = &entry->state.told.items[i];
		if ((all || item->told) && !item->in_flight)
			plan_item(self, entry, item, now);
	}
	aggregate_mark(self, entry);
	wake(self);
}

/* ---- Finishing ---- */

static size_t count_done(const struct aggregate *self, const struct told_list *list, ml_time until)
{
	size_t done = 0;
	(void)self;
	while (done < list->count && list->items[done].told && !list->items[done].in_flight &&
		list->items[done].due == ML_NEVER && list->items[done].window.end <= until)
		done++;
	return done;
}

static void finish_series(struct aggregate_entry *entry, ml_time until)
{
	struct series *series = &entry->state.series;
	if (!series->count || series->sums[0].window.end > until)
		return;
	series_finish(series, until);
	entry->dirty = true;
}

/* What can no longer change and was told is forgotten, but for the counter's last value. It is
 * written with what comes next: after a start it would be found out again. */
static void finish(struct aggregate *self, struct aggregate_entry *target, ml_time now)
{
	struct told_list *list = &target->state.told;
	const size_t done = count_done(self, list, now - self->lateness);
	if (!done)
		return;
	const ml_time until = list->items[done - 1].window.end;
	told_drop(list, done);
	target->dirty = true;
	if (!target->state.virtual) {
		finish_series(target, until);
		return;
	}
	for (size_t i = 0; i < self->count; i++)
		finish_series(self->entries[i], until);
}

void aggregate_tell(struct aggregate *self)
{
	const ml_time now = aggregate_now(self);
	bool room = self->loaded;
	for (size_t i = 0; room && i <= self->count; i++) {
		struct aggregate_entry *entry = i < self->count ? self->entries[i] : self->virtual;
		if (!entry)
			continue;
		for (size_t n = 0; room && n < entry->state.told.count; n++) {
			struct told *item = &entry->state.told.items[n];
			if (item->due <= now && !item->in_flight)
				room = tell(self, entry, item);
		}
		finish(self, entry, now);
	}
	if (room)
		wake(self);
}

void aggregate_plan(struct aggregate *self)
{
	for (size_t i = 0; i <= self->count; i++) {
		struct aggregate_entry *entry = i < self->count ? self->entries[i] : self->virtual;
		for (size_t n = 0; entry && n < entry->state.told.count; n++)
			plan_item(self, entry, &entry->state.told.items[n], aggregate_now(self));
	}
	wake(self);
}

static void landed(
	struct aggregate *self, struct aggregate_entry *entry, struct told *item, bool delivered)
{
	const ml_time now = aggregate_now(self);
	item->in_flight = 0;
	if (!delivered) {
		item->due = now + AGAIN_AFTER * ML_SEC;
	} else {
		ml_node_count(
			self->drawer.node, item->told ? AGGREGATE_CORRECTED : AGGREGATE_TOLD, 1);
		item->corrections += item->told;
		item->told = true;
		item->hash = item->sending;
		plan_item(self, entry, item, now);
		aggregate_mark(self, entry);
	}
	wake(self);
}

void aggregate_acked(struct aggregate *self, uint64_t flight, bool delivered)
{
	for (size_t i = 0; i <= self->count; i++) {
		struct aggregate_entry *entry = i < self->count ? self->entries[i] : self->virtual;
		for (size_t n = 0; entry && n < entry->state.told.count; n++) {
			if (entry->state.told.items[n].in_flight != flight)
				continue;
			landed(self, entry, &entry->state.told.items[n], delivered);
			return;
		}
	}
}
