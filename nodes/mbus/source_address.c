/* mbus-source: giving a meter a primary address by way of its secondary one.
 * SPDX-License-Identifier: Apache-2.0
 *
 * Two meters at one address are read by nobody, and a wildcard would give the address to several.
 * So the meter is first asked who it is, and from then on selected by its whole identity; then it
 * is made sure that nobody answers at the new address; then it is told; and what counts is that it
 * answers there, since an acknowledgement may be lost.
 */
#include "mbus/source_address.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <meterloom/command.h>

#include "mbus/contact.h"
#include "mbus/source.h"
#include "meter/frame.h"
#include "meter/readout.h"

enum { CI_DATA = 0x51, DIF_BYTE = 0x01, VIF_ADDRESS = 0x7A };

enum phase {
	IDENTIFY,     /* by its secondary address: who is it? */
	LOOK,         /* does anybody send a telegram at the new address? */
	LOOK_CLOSELY, /* does anybody acknowledge there? */
	TELL,
	VERIFY,
	ENTER, /* into the list */
};

struct address_errand {
	struct mbus_errand errand; /* the first member */
	struct mbus_source *source;
	struct ml_job *job;
	uint32_t point; /* 0: it is not in the list */
	unsigned baud;
	uint8_t address; /* the new one */
	uint8_t target[8];
	struct meter_sighting before; /* as it answered at first */
	struct meter_sighting after;
	enum phase phase;
	bool acknowledged;
	bool cancelled;
	struct mbus_request request;
	struct meter_entry *entry;
};

/* ---- Ends ---- */

__attribute__((format(printf, 3, 4))) static void give_up(
	struct address_errand *a, int code, const char *format, ...)
{
	struct ml_error err = ML_ERROR_NONE;
	char text[300];
	va_list args;
	va_start(args, format);
	(void)vsnprintf(text, sizeof text, format, args);
	va_end(args);
	if (a->entry)
		meter_entry_forget(a->entry);
	ml_error_set(&err, code, "%s", text);
	ml_job_fail(a->job, &err);
	free(a);
}

static void on_lost(struct mbus_errand *errand, struct mbus_source *s, const char *reason)
{
	(void)s;
	give_up((struct address_errand *)errand, -ENODEV, "%s", reason);
}

static void on_entered(void *user, const struct meter_verdict *verdict, const struct ml_error *err)
{
	struct address_errand *a = user;
	a->entry = NULL;
	mbus_errand_end(a->source);
	if (err) {
		give_up(a, err->code,
			"the meter has the address %u now, but the list could not be changed: %s",
			a->address, err->text);
		return;
	}
	struct ml_json_writer *w = ml_job_result(a->job);
	ml_json_begin_object(w);
	if (a->before.primary <= MBUS_ADDRESS_LAST) {
		ml_json_key(w, "before");
		ml_json_unsigned(w, a->before.primary);
	}
	mbus_contact_to_json(&a->after, w);
	meter_verdict_to_json(verdict, w);
	ml_json_end_object(w);
	ml_job_succeed(a->job);
	free(a);
}

static void enter(struct address_errand *a, const struct mbus_step *step)
{
	struct mbus_source *s = a->source;
	struct mbus_memory *memory = a->point ? mbus_memory_of(s, a->point) : NULL;
	if (memory)
		memory->peer = (struct mbus_peer){0};
	mbus_contact_sighting(
		s, &a->request, METER_MODE_PRIMARY, step->bytes, step->length, &a->after);
	a->after.point = a->point;
	a->phase = ENTER;
	a->entry = meter_sighting_send(
		ml_node_engine(s->node), ml_node_lane(s->node), &a->after, on_entered, a);
	if (a->entry)
		return;
	mbus_errand_end(s);
	give_up(a, -ENOMEM, "out of memory; the meter has the address %u now", a->address);
}

/* ---- Questions ---- */

static void ask(struct address_errand *a, enum phase phase)
{
	struct mbus_source *s = a->source;
	a->phase = phase;
	mbus_source_request(s, a->baud, &a->request);
	a->request.secondary = phase == IDENTIFY || phase == TELL;
	a->request.primary = a->address;
	memcpy(a->request.address, a->target, sizeof a->target);
	a->request.telegrams = phase == TELL || phase == LOOK_CLOSELY ? 0 : 1;
	if (phase == TELL) {
		const uint8_t data[] = {DIF_BYTE, VIF_ADDRESS, a->address};
		a->request.has_command = true;
		a->request.command_ci = CI_DATA;
		memcpy(a->request.command, data, sizeof data);
		a->request.command_length = sizeof data;
	}
	mbus_errand_ask(s, &a->request);
}

static bool is_it(const struct address_errand *a, const struct mbus_step *step)
{
	uint8_t identity[8];
	bool whole = false;
	return mbus_link_identity(step->bytes, step->length, identity, &whole) &&
	       mbus_link_matches(identity, whole, a->target);
}

static void name_answer(const struct address_errand *a, const struct mbus_step *step, char name[40])
{
	char text[METER_SECONDARY_TEXT_MAX];
	struct meter_sighting seen;
	(void)snprintf(name, 40, "another meter");
	mbus_contact_sighting(
		a->source, &a->request, METER_MODE_PRIMARY, step->bytes, step->length, &seen);
	if (!seen.whole)
		return;
	meter_secondary_format(seen.identity, text);
	(void)snprintf(name, 40, "meter %s", text);
}

/* ---- Answers ---- */

static void identified(struct address_errand *a, const struct mbus_step *step)
{
	uint8_t identity[8];
	bool whole = false;
	mbus_contact_sighting(a->source, &a->request, METER_MODE_SECONDARY, step->bytes,
		step->length, &a->before);
	/* Of the fixed structure the number is all there is to select it by. */
	if (mbus_link_identity(step->bytes, step->length, identity, &whole))
		memcpy(a->target, identity, whole ? 8 : 4);
	ask(a, LOOK);
}

/* Somebody is at the new address, or something disturbs the line there. */
static void occupied(struct address_errand *a, const struct mbus_step *step)
{
	char name[40] = "a meter";
	if (step->kind == MBUS_STEP_TELEGRAM)
		name_answer(a, step, name);
	mbus_errand_end(a->source);
	give_up(a, -EEXIST,
		"%s answers at primary address %u already: choose another address, or change "
		"that meter's first",
		name, a->address);
}

static void not_reached(struct address_errand *a, const struct mbus_step *step)
{
	char address[METER_SECONDARY_TEXT_MAX];
	struct meter_identity target;
	meter_identity_read(a->target, &target);
	meter_secondary_format(target, address);
	mbus_errand_end(a->source);
	give_up(a, -ETIMEDOUT, "secondary address %s at %u baud: %s: %s", address, a->baud,
		meter_readout_text(step->result), mbus_contact_advice(step->result));
}

static void not_verified(struct address_errand *a, const struct mbus_step *step)
{
	char name[40];
	mbus_errand_end(a->source);
	if (step->kind == MBUS_STEP_TELEGRAM) {
		name_answer(a, step, name);
		give_up(a, -EIO,
			"%s answers at primary address %u, not the one that was meant: look for "
			"exchanged addresses",
			name, a->address);
	} else if (a->acknowledged && step->result == METER_FRAME_TIMEOUT) {
		give_up(a, -ETIMEDOUT,
			"the meter acknowledged, but nobody answers at primary address %u: it may "
			"not let its address be set by the bus; set it at the meter",
			a->address);
	} else if (a->acknowledged) {
		give_up(a, -EIO,
			"the meter acknowledged, but at primary address %u %s: try again, and see "
			"whether it has its new address",
			a->address, meter_readout_text(step->result));
	} else {
		give_up(a, -ETIMEDOUT,
			"the meter did not acknowledge the new address and does not answer at "
			"it: it may not let its address be set by the bus; set it at the meter");
	}
}

static void interrupted(struct address_errand *a, const struct mbus_step *step)
{
	const bool cancelled = a->cancelled;
	const bool told = a->phase >= TELL;
	mbus_errand_end(a->source);
	give_up(a, cancelled ? -ECANCELED : -ENODEV, "%s%s",
		cancelled ? "cancelled" : meter_readout_text(step->result),
		told ? " half-way: the meter may have its new address; search for it" : "");
}

static void on_step(struct mbus_errand *errand, struct mbus_source *s, const struct mbus_step *step)
{
	struct address_errand *a = (struct address_errand *)errand;
	const bool telegram = step->kind == MBUS_STEP_TELEGRAM;
	const bool failed = step->kind == MBUS_STEP_FAILED;
	(void)s;
	/* It may be cancelled when an answer is about to be told. */
	if (a->cancelled || (failed && step->result == METER_FRAME_NO_BUS)) {
		interrupted(a, step);
		return;
	}
	switch (a->phase) {
	case IDENTIFY:
		if (telegram)
			identified(a, step);
		else
			not_reached(a, step);
		return;
	case LOOK:
		if (telegram && is_it(a, step))
			enter(a, step); /* it has this address already */
		else if (failed && step->result == METER_FRAME_TIMEOUT)
			ask(a, LOOK_CLOSELY);
		else
			occupied(a, step);
		return;
	case LOOK_CLOSELY:
		if (failed && step->result == METER_FRAME_TIMEOUT)
			ask(a, TELL);
		else
			occupied(a, step);
		return;
	case TELL:
		a->acknowledged = !failed;
		ask(a, VERIFY);
		return;
	case VERIFY:
		if (telegram && is_it(a, step))
			enter(a, step);
		else
			not_verified(a, step);
		return;
	case ENTER: /* nothing is asked */
		return;
	}
}

static void on_begin(struct mbus_errand *errand, struct mbus_source *s)
{
	struct address_errand *a = (struct address_errand *)errand;
	(void)s;
	ask(a, IDENTIFY);
}

static void on_cancel(struct ml_job *job, void *user)
{
	struct address_errand *a = user;
	(void)job;
	a->cancelled = true;
	if (mbus_errand_remove(a->source, &a->errand)) {
		give_up(a, -ECANCELED, "cancelled before it began");
		return;
	}
	mbus_master_cancel(&a->source->master, METER_FRAME_CANCELLED);
	mbus_round_soon(a->source);
}

/* ---- The action ---- */

const struct ml_param mbus_address_params[] = {
	{.name = "meter",
		.kind = ML_PARAM_STRING,
		.offset = offsetof(struct mbus_address_params, meter),
		.title = "Meter",
		.help = "One meter of this bus, by its MOID, its number or #KEY, or a secondary "
			"address that is not in the list (12345678.KAM.1B.04; * is any).",
		.min = 1,
		.max = 100,
		.flags = ML_PARAM_REQUIRED},
	{.name = "address",
		.kind = ML_PARAM_INTEGER,
		.offset = offsetof(struct mbus_address_params, address),
		.title = "Primary address",
		.help = "The new one, 1 to 250.",
		.min = 1,
		.max = MBUS_ADDRESS_LAST,
		.flags = ML_PARAM_REQUIRED},
	{0},
};

/* By what the meter of a point is selected. */
static int find_target(
	struct address_errand *a, const struct meter_point *point, struct ml_error *err)
{
	const struct meter_settings *settings = &point->settings;
	if (strcmp(settings->bus, a->source->bus) != 0)
		return ml_error_set(
			err, -EINVAL, "the meter is on another bus: \"%s\"", settings->bus);
	if (settings->mode == METER_MODE_ESECONDARY)
		return ml_error_set(
			err, -ENOTSUP, "a wireless meter behind a receiver has no primary address");
	a->point = point->key;
	a->baud = settings->baud ? settings->baud : (unsigned)a->source->baud;
	if (point->device && settings->mode == METER_MODE_PRIMARY)
		meter_identity_write(point->device->identity, a->target);
	else if (settings->has_secondary)
		meter_identity_write(settings->secondary, a->target);
	else
		return ml_error_set(err, -EINVAL,
			"the secondary address of this meter is not known: read it once, or give "
			"its number in the list");
	return 0;
}

/* Two points of one address are read by nobody. */
static int check_free(
	const struct address_errand *a, const struct meter_snapshot *snapshot, struct ml_error *err)
{
	for (size_t i = 0; i < snapshot->point_count; i++) {
		const struct meter_point *other = &snapshot->points[i];
		const struct meter_settings *settings = &other->settings;
		if (other->key == a->point || !settings->has_primary ||
			settings->primary != a->address ||
			strcmp(settings->bus, a->source->bus) != 0)
			continue;
		return ml_error_set(err, -EEXIST,
			"primary address %u is that of point #%u%s%s%s of this bus: choose "
			"another address, or change that point's first",
			a->address, other->key, settings->moid[0] ? " (\"" : "", settings->moid,
			settings->moid[0] ? "\")" : "");
	}
	return 0;
}

static int prepare(struct address_errand *a, const char *meter, struct ml_error *err)
{
	const struct meter_point *point = NULL;
	struct meter_identity address;
	if (!a->source->list)
		return ml_error_set(err, -ENOENT, "this gateway keeps no meter list");
	const struct meter_snapshot *snapshot = meter_list_snapshot(a->source->list);
	int result = meter_snapshot_find_one(snapshot, meter, strlen(meter), &point, err);
	if (result == 0) {
		result = find_target(a, point, err);
	} else if (result == -ENOENT &&
		   meter_secondary_parse(meter, strlen(meter), &address, NULL) == 0) {
		a->baud = (unsigned)a->source->baud;
		meter_identity_write(address, a->target);
		result = 0;
	}
	if (result == 0)
		result = check_free(a, snapshot, err);
	meter_snapshot_release(snapshot);
	return result;
}

void mbus_address_set(struct ml_node *node, void *self, struct ml_job *job, void *params)
{
	const struct mbus_address_params *p = params;
	struct ml_error err = ML_ERROR_NONE;
	struct address_errand *a = calloc(1, sizeof *a);
	(void)node;
	if (!a) {
		ml_error_set(&err, -ENOMEM, "out of memory");
		ml_job_fail(job, &err);
		return;
	}
	a->errand = (struct mbus_errand){.begin = on_begin, .step = on_step, .lost = on_lost};
	a->source = self;
	a->job = job;
	a->address = (uint8_t)p->address;
	if (prepare(a, p->meter, &err) < 0) {
		ml_job_fail(job, &err);
		free(a);
		return;
	}
	ml_job_on_cancel(job, on_cancel, a);
	mbus_errand_add(a->source, &a->errand);
}
