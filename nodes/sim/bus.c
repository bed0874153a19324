/* A simulated bus: its faults.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "sim/bus.h"

#include <stdlib.h>
#include <string.h>

enum { NOISE_MAX = 8, DROPPED_MAX = 4, GARBAGE_MIN = 8, GARBAGE_MAX = 60 };

/* Faults that a meter has in itself. */
#define QUIRKS \
	(UINT64_C(1) << SIM_METER_COLLIDING | UINT64_C(1) << SIM_METER_STUCK | \
		UINT64_C(1) << SIM_METER_NO_NKE | UINT64_C(1) << SIM_METER_NO_FCB | \
		UINT64_C(1) << SIM_METER_SWAPPED)

/* Of a meter that sends out of turn. */
struct voice {
	ml_time next;  /* its next outburst; 0: not yet known */
	ml_time until; /* an answer that does not end goes on until then */
};

struct sim_bus {
	struct sim_line *line; /* owned */
	struct sim_plan *plan;
	bool owns_plan;
	bool fast;
	size_t first_meter, number; /* in the plan, from 0 */
	bool by_hand[SIM_STATES];
	struct voice *voices; /* one a meter; owned */
	struct sim_bus_watch watch;
};

static const enum sim_fault state_faults[SIM_STATES] = {
	[SIM_STATE_BROKEN] = SIM_LINE_BROKEN,
	[SIM_STATE_CUT] = SIM_LINE_CUT,
	[SIM_STATE_SHORT] = SIM_LINE_SHORT,
	[SIM_STATE_ECHO] = SIM_LINE_ECHO,
};

/* ---- Answers ---- */

static const struct sim_rule *hit(struct sim_bus *bus, enum sim_fault fault, size_t meter)
{
	const bool of_line = sim_fault_info(fault)->whose == SIM_OF_LINE;
	return sim_plan_hit(bus->plan, fault, of_line ? bus->number : bus->first_meter + meter,
		sim_line_now(bus->line));
}

static void turn_a_bit(struct sim_plan *plan, uint8_t *bytes, size_t length)
{
	const uint64_t draw = sim_plan_draw(plan);
	bytes[draw % length] ^= (uint8_t)(1u << (draw >> 32) % 8);
}

static void put_in_front(uint8_t *bytes, size_t *length, const uint8_t *more, size_t count)
{
	if (*length + count > SIM_ANSWER_MAX)
		return;
	memmove(bytes + count, bytes, *length);
	memcpy(bytes, more, count);
	*length += count;
}

static void add_noise(struct sim_plan *plan, uint8_t *bytes, size_t *length)
{
	uint8_t noise[NOISE_MAX];
	const uint64_t draw = sim_plan_draw(plan);
	for (size_t i = 0; i < NOISE_MAX; i++)
		noise[i] = (uint8_t)(draw >> (8 * i));
	put_in_front(bytes, length, noise, 1 + draw % NOISE_MAX);
}

static void add_byte(struct sim_plan *plan, uint8_t *bytes, size_t *length)
{
	const uint64_t draw = sim_plan_draw(plan);
	const uint8_t byte = draw & 1 ? 0xFF : 0x00;
	if (draw & 2)
		put_in_front(bytes, length, &byte, 1);
	else if (*length < SIM_ANSWER_MAX)
		bytes[(*length)++] = byte;
}

static void drop_bytes(struct sim_plan *plan, uint8_t *bytes, size_t *length)
{
	const uint64_t draw = sim_plan_draw(plan);
	const size_t most = 1 + (draw >> 32) % DROPPED_MAX;
	const size_t count = most < *length ? most : *length;
	const size_t at = draw % (*length - count + 1);
	memmove(bytes + at, bytes + at + count, *length - at - count);
	*length -= count;
}

static size_t put_garbage(struct sim_plan *plan, uint8_t *bytes, size_t from, size_t length)
{
	for (size_t i = from; i < length; i++)
		bytes[i] = (uint8_t)sim_plan_draw(plan);
	return length;
}

/* What makes another thing of it. */
static void damage(struct sim_bus *bus, size_t meter, uint8_t *bytes, size_t *length)
{
	if (*length > 2 && hit(bus, SIM_METER_CHECKSUM, meter))
		bytes[*length - 2] ^= (uint8_t)(1 + sim_plan_draw(bus->plan) % 255);
	if (hit(bus, SIM_METER_CORRUPT, meter))
		turn_a_bit(bus->plan, bytes, *length);
	if (hit(bus, SIM_METER_CUT, meter))
		*length = sim_plan_draw(bus->plan) % *length;
	if (*length > 0 && hit(bus, SIM_LINE_DROPPED_BYTES, meter))
		drop_bytes(bus->plan, bytes, length);
}

/* What comes before and after it. */
static void surround(
	struct sim_bus *bus, size_t meter, uint8_t *bytes, size_t *length, struct sim_harm *harm)
{
	const struct sim_rule *rule = hit(bus, SIM_METER_ENDLESS, meter);
	if (rule) {
		*length = put_garbage(bus->plan, bytes, *length, SIM_ANSWER_MAX - NOISE_MAX - 1);
		bus->voices[meter].until = sim_line_now(bus->line) + rule->by;
		sim_line_act_at(bus->line, sim_line_now(bus->line));
		harm->perhaps = true;
	}
	if (hit(bus, SIM_LINE_NOISE, meter)) {
		add_noise(bus->plan, bytes, length);
		harm->perhaps = true;
	}
	if (hit(bus, SIM_LINE_ADDED_BYTE, meter))
		add_byte(bus->plan, bytes, length);
}

static void harm_answer(struct sim_bus *bus, size_t meter, uint8_t *bytes, size_t *length,
	ml_time *later, struct sim_harm *harm)
{
	struct mbus_frame frame;
	uint8_t answer[MBUS_FRAME_MAX];
	const size_t whole = *length;
	memcpy(answer, bytes, whole);
	damage(bus, meter, bytes, length);
	harm->damaged = *length != whole || memcmp(answer, bytes, whole) != 0;
	/* Two errors that make up for each other are beyond all checks of a master. */
	if (harm->damaged && *length > 2 &&
		mbus_frame_check(bytes, *length, &frame, NULL) == MBUS_CHECK_OK)
		bytes[*length - 2] ^= 0x01;
	const struct sim_rule *slow = hit(bus, SIM_METER_SLOW, meter);
	if (slow)
		*later += slow->by / 2 + (ml_time)(sim_plan_draw(bus->plan) % (uint64_t)slow->by);
	harm->late = slow != NULL;
	if (*length > 0)
		surround(bus, meter, bytes, length, harm);
}

static void answers(void *user, size_t meter, uint8_t *bytes, size_t *length, ml_time *later)
{
	struct sim_bus *bus = user;
	uint8_t answer[MBUS_FRAME_MAX];
	const size_t answer_length = *length;
	const struct sim_meter *state = sim_line_meter(bus->line, meter);
	const unsigned perhaps = SIM_QUIRK_COLLIDING | SIM_QUIRK_STUCK | SIM_QUIRK_SWAPPED;
	struct sim_harm harm = {.perhaps = state->chiming || (state->quirks & perhaps)};
	memcpy(answer, bytes, answer_length);
	if (hit(bus, SIM_METER_SILENT, meter)) {
		*length = 0;
		harm.silenced = true;
	} else {
		harm_answer(bus, meter, bytes, length, later, &harm);
	}
	if (bus->watch.leaves)
		bus->watch.leaves(
			bus->watch.user, meter, &harm, answer, answer_length, bytes, *length);
}

static void came(void *user, size_t meter, const uint8_t *bytes, size_t length)
{
	const struct sim_bus *bus = user;
	if (bus->watch.came)
		bus->watch.came(bus->watch.user, meter, bytes, length);
}

static void asked(void *user, struct sim_meter *meter, size_t index)
{
	static const struct {
		enum sim_fault fault;
		unsigned quirk;
	} quirks[] = {
		{SIM_METER_COLLIDING, SIM_QUIRK_COLLIDING},
		{SIM_METER_STUCK, SIM_QUIRK_STUCK},
		{SIM_METER_NO_NKE, SIM_QUIRK_NO_NKE},
		{SIM_METER_NO_FCB, SIM_QUIRK_NO_FCB},
		{SIM_METER_SWAPPED, SIM_QUIRK_SWAPPED},
	};
	struct sim_bus *bus = user;
	meter->quirks = 0;
	if (!(sim_plan_kinds(bus->plan) & QUIRKS))
		return;
	for (size_t i = 0; i < sizeof quirks / sizeof *quirks; i++)
		meter->quirks |= hit(bus, quirks[i].fault, index) ? quirks[i].quirk : 0;
}

/* ---- Out of turn ---- */

static void speak(
	struct sim_bus *bus, size_t index, const uint8_t *bytes, size_t length, ml_time begin)
{
	struct sim_meter *meter = sim_line_change_meter(bus->line, index);
	const struct sim_sound sound = {.begin = begin,
		.rate = sim_line_rate(bus->line, meter),
		.bytes = bytes,
		.length = length};
	if (!sim_line_disturb(bus->line, bytes, length, sound.rate, begin))
		return;
	meter->speaks_until = sim_sound_end(&sound);
}

static void burst_out(struct sim_bus *bus, size_t index, ml_time now, ml_time wall)
{
	uint8_t bytes[MBUS_FRAME_MAX];
	const struct sim_harm harm = {.out_of_turn = true, .perhaps = true};
	const struct sim_meter *meter = sim_line_meter(bus->line, index);
	const uint64_t draw = sim_plan_draw(bus->plan);
	const bool telegram = draw & 1;
	const size_t length = telegram ? sim_meter_telegram(meter, meter->telegram, wall, bytes)
				       : put_garbage(bus->plan, bytes, 0,
						 GARBAGE_MIN + (draw >> 1) % GARBAGE_MAX);
	speak(bus, index, bytes, length, now);
	if (telegram && bus->watch.leaves)
		bus->watch.leaves(bus->watch.user, index, &harm, bytes, length, bytes, length);
}

/* An answer without an end goes on. When there is more to do. */
static ml_time go_on(struct sim_bus *bus, size_t index, ml_time now)
{
	uint8_t bytes[SIM_ANSWER_MAX];
	struct voice *voice = &bus->voices[index];
	const struct sim_meter *meter = sim_line_meter(bus->line, index);
	if (voice->until <= now || bus->fast || meter->unplugged) {
		voice->until = 0;
		return ML_NEVER;
	}
	if (meter->speaks_until <= now)
		speak(bus, index, bytes, put_garbage(bus->plan, bytes, 0, sizeof bytes), now);
	return meter->speaks_until > now ? meter->speaks_until : voice->until;
}

/* When there is more to do for a meter. */
static ml_time babble(struct sim_bus *bus, size_t index, ml_time now, ml_time wall)
{
	struct voice *voice = &bus->voices[index];
	ml_time change = ML_NEVER;
	const struct sim_rule *rule = sim_plan_holds(
		bus->plan, SIM_METER_BABBLING, bus->first_meter + index, now, &change);
	const struct sim_meter *meter = sim_line_meter(bus->line, index);
	const ml_time more = voice->until > 0 ? go_on(bus, index, now) : ML_NEVER;
	if (!rule) {
		voice->next = 0;
		return more < change ? more : change;
	}
	if (voice->next > 0 && now >= voice->next && meter->speaks_until <= now &&
		!meter->unplugged)
		burst_out(bus, index, now, wall);
	if (now >= voice->next) {
		const ml_time from = meter->speaks_until > now ? meter->speaks_until : now;
		voice->next =
			from + 1 + (ml_time)(sim_plan_draw(bus->plan) % (2 * (uint64_t)rule->by));
	}
	change = voice->next < change ? voice->next : change;
	return more < change ? more : change;
}

/* ---- States ---- */

static bool holds(struct sim_bus *bus, enum sim_state state, ml_time now, ml_time *change)
{
	return sim_plan_holds(bus->plan, state_faults[state], bus->number, now, change) != NULL ||
	       bus->by_hand[state];
}

bool sim_bus_broken(struct sim_bus *bus, ml_time now, ml_time *change)
{
	return holds(bus, SIM_STATE_BROKEN, now, change);
}

/* When one of them changes. */
static ml_time set_states(struct sim_bus *bus, ml_time now)
{
	ml_time next = ML_NEVER;
	bool on[SIM_STATES] = {0};
	for (int i = SIM_STATE_CUT; i < SIM_STATES; i++) {
		ml_time change = ML_NEVER;
		on[i] = holds(bus, (enum sim_state)i, now, &change);
		next = change < next ? change : next;
	}
	sim_line_set_cut(bus->line, on[SIM_STATE_CUT]);
	sim_line_set_short(bus->line, on[SIM_STATE_SHORT]);
	sim_line_set_echo(bus->line, on[SIM_STATE_ECHO]);
	return next;
}

static void acts(void *user, ml_time now, ml_time wall)
{
	struct sim_bus *bus = user;
	ml_time next = set_states(bus, now);
	for (size_t i = 0; i < sim_line_meter_count(bus->line); i++) {
		ml_time change = ML_NEVER;
		const size_t place = bus->first_meter + i;
		if (sim_plan_passed(bus->plan, SIM_METER_RESET, place, now))
			sim_meter_reset(sim_line_change_meter(bus->line, i), wall);
		(void)sim_plan_holds(bus->plan, SIM_METER_RESET, place, now, &change);
		next = change < next ? change : next;
		change = babble(bus, i, now, wall);
		next = change < next ? change : next;
	}
	sim_line_act_at(bus->line, next);
}

void sim_bus_set(struct sim_bus *bus, enum sim_state state, bool on, ml_time now)
{
	bus->by_hand[state] = on;
	(void)set_states(bus, now);
}

bool sim_bus_is(struct sim_bus *bus, enum sim_state state, ml_time now)
{
	return holds(bus, state, now, NULL);
}

int sim_bus_add_fault(
	struct sim_bus *bus, const struct sim_rule *rule, ml_time now, struct ml_error *err)
{
	const int result = sim_plan_add(bus->plan, rule, now, err);
	(void)set_states(bus, now);
	sim_line_act_at(bus->line, 0);
	return result;
}

void sim_bus_heal(struct sim_bus *bus, ml_time now)
{
	sim_plan_heal(bus->plan);
	(void)set_states(bus, now);
	sim_line_act_at(bus->line, 0);
}

/* ---- Life ---- */

struct sim_bus *sim_bus_new(
	const struct sim_options *options, const struct sim_bus_place *place, ml_time now)
{
	struct sim_bus *bus = calloc(1, sizeof *bus);
	if (!bus)
		return NULL;
	bus->line = sim_line_new(options);
	bus->voices = calloc(options->meters ? options->meters : 1, sizeof *bus->voices);
	bus->owns_plan = !place || !place->plan;
	bus->plan =
		bus->owns_plan ? sim_plan_new(&options->faults, options->seed, now) : place->plan;
	if (!bus->line || !bus->voices || !bus->plan) {
		sim_bus_free(bus);
		return NULL;
	}
	bus->fast = options->fast;
	bus->first_meter = place ? place->first_meter : 0;
	bus->number = place ? place->line : 0;
	bus->by_hand[SIM_STATE_ECHO] = options->echo;
	const struct sim_line_watch watch = {.user = bus, .answers = answers, .came = came};
	const struct sim_line_hand hand = {.user = bus, .asked = asked, .acts = acts};
	sim_line_watch(bus->line, &watch);
	sim_line_handle(bus->line, &hand);
	return bus;
}

void sim_bus_free(struct sim_bus *bus)
{
	if (!bus)
		return;
	if (bus->owns_plan)
		sim_plan_free(bus->plan);
	sim_line_free(bus->line);
	free(bus->voices);
	free(bus);
}

struct sim_line *sim_bus_line(const struct sim_bus *bus)
{
	return bus->line;
}

struct sim_plan *sim_bus_plan(const struct sim_bus *bus)
{
	return bus->plan;
}

void sim_bus_watch(struct sim_bus *bus, const struct sim_bus_watch *watch)
{
	bus->watch = *watch;
}
