/* A simulated world around a gateway: its faults and its buses.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "mbus/application.h"
#include "sim/world_private.h"

enum { NOISE_MAX = 8 };

/* ---- Faults ---- */

static ml_time now_of(const struct sim_world *world)
{
	return ml_clock_monotonic(world->clock);
}

uint64_t sim_world_draw(struct sim_world *world)
{
	return sim_hash(world->seed, ++world->draws);
}

/* The episode of a rule at a place; NULL: out of memory, nothing happens. */
static struct sim_episode *episode_of(struct sim_world *world, size_t rule, size_t place)
{
	struct sim_chances *chances = &world->chances[rule];
	if (place >= chances->count) {
		const size_t count = (place + 16) & ~(size_t)15;
		struct sim_episode *episodes = realloc(chances->episodes, count * sizeof *episodes);
		if (episodes)
			chances->episodes = episodes;
		uint64_t *resets = realloc(chances->resets, count * sizeof *resets);
		if (resets)
			chances->resets = resets;
		if (!episodes || !resets)
			return NULL;
		for (size_t i = chances->count; i < count; i++) {
			sim_episode_init(&episodes[i], world->seed, rule, i);
			resets[i] = 0;
		}
		chances->count = count;
	}
	return &chances->episodes[place];
}

static bool is_at(const struct sim_rule *rule, enum sim_fault fault, size_t place)
{
	return rule->fault == (int)fault && (rule->which == 0 || (size_t)rule->which == place + 1);
}

const struct sim_rule *sim_world_hit(struct sim_world *world, enum sim_fault fault, size_t place)
{
	for (size_t i = 0; i < world->faults.count; i++) {
		const struct sim_rule *rule = &world->faults.rules[i];
		struct sim_episode *episode =
			is_at(rule, fault, place) ? episode_of(world, i, place) : NULL;
		if (episode && sim_episode_holds(episode, rule, now_of(world)) &&
			(rule->share >= 100 || rule->share == 0 ||
				sim_world_draw(world) % 100 < (uint64_t)rule->share))
			return rule;
	}
	return NULL;
}

bool sim_world_holds(struct sim_world *world, enum sim_fault fault, size_t place, ml_time *change)
{
	bool holds = false;
	const ml_time now = now_of(world);
	*change = ML_NEVER;
	for (size_t i = 0; i < world->faults.count; i++) {
		const struct sim_rule *rule = &world->faults.rules[i];
		struct sim_episode *episode =
			is_at(rule, fault, place) ? episode_of(world, i, place) : NULL;
		if (!episode)
			continue;
		holds = sim_episode_holds(episode, rule, now) || holds;
		const ml_time here = sim_episode_change(episode, now);
		*change = here < *change ? here : *change;
	}
	return holds;
}

unsigned sim_world_passed(struct sim_world *world, enum sim_fault fault, size_t place)
{
	unsigned passed = 0;
	for (size_t i = 0; i < world->faults.count; i++) {
		const struct sim_rule *rule = &world->faults.rules[i];
		struct sim_episode *episode =
			is_at(rule, fault, place) ? episode_of(world, i, place) : NULL;
		if (!episode)
			continue;
		(void)sim_episode_holds(episode, rule, now_of(world));
		passed += (unsigned)(episode->number - 1 - world->chances[i].resets[place]);
		world->chances[i].resets[place] = episode->number - 1;
	}
	return passed;
}

uint64_t sim_world_fault_count(const struct sim_world *world, enum sim_fault fault)
{
	uint64_t count = 0;
	const ml_time now = now_of(world);
	for (size_t i = 0; i < world->faults.count; i++) {
		const struct sim_chances *chances = &world->chances[i];
		for (size_t p = 0; world->faults.rules[i].fault == (int)fault && p < chances->count;
			p++) {
			const struct sim_episode *e = &chances->episodes[p];
			count += e->number > 0 ? e->number - 1 + (e->begin <= now) : 0;
		}
	}
	return count;
}

ml_time sim_world_clock_error(struct sim_world *world)
{
	ml_time sum = 0;
	for (size_t i = 0; i < world->faults.count; i++) {
		const struct sim_rule *rule = &world->faults.rules[i];
		struct sim_episode *episode =
			is_at(rule, SIM_CLOCK_JUMP, 0) ? episode_of(world, i, 0) : NULL;
		if (!episode)
			continue;
		const bool holds = sim_episode_holds(episode, rule, now_of(world));
		/* Without a length it stays wrong. */
		if (rule->lasts == 0)
			sum += (ml_time)(episode->number - 1) * rule->by;
		else if (holds)
			sum += rule->by;
	}
	return sum;
}

bool sim_world_quiet(const struct sim_world *world, ml_time length)
{
	return now_of(world) - world->last_answer >= length;
}

void sim_world_heal(struct sim_world *world)
{
	world->faults.count = 0;
}

/* ---- Buses ---- */

ml_time sim_world_wall(const struct sim_world *world)
{
	return world->wall + now_of(world);
}

static void corrupt(struct sim_world *world, uint8_t *bytes, size_t length)
{
	const uint64_t draw = sim_world_draw(world);
	bytes[draw % length] ^= (uint8_t)(1u << (draw >> 32) % 8);
}

static size_t add_noise(struct sim_world *world, uint8_t *bytes, size_t *length)
{
	const uint64_t draw = sim_world_draw(world);
	const size_t count = 1 + draw % NOISE_MAX;
	memmove(bytes + count, bytes, *length);
	for (size_t i = 0; i < count; i++)
		bytes[i] = (uint8_t)(draw >> (8 * i));
	*length += count;
	return count;
}

static uint64_t hash_bytes(const uint8_t *bytes, size_t length)
{
	uint64_t hash = 0;
	for (size_t i = 0; i < length; i++)
		hash = (hash ^ bytes[i]) * 0x100000001B3u;
	return sim_hash(hash, length);
}

static void book(struct sim_world *world, const struct sim_answer *answer, bool perhaps)
{
	if (answer->data && !answer->damaged &&
		mbus_decode_frame(world->block, METER_READING_MAX, answer->bytes, answer->length, 0,
			NULL) == 0)
		sim_ledger_given(world->ledger, world->block, ml_clock_wall(world->clock), perhaps);
}

/* What did not come whole may have been heard all the same: where two speak at once, a bit of one
 * may hide behind the other's. */
static void let_go(struct sim_world *world, const struct sim_answer *answer)
{
	if (!answer->came)
		book(world, answer, true);
}

/* Who was late with an answer may have missed that another meter was selected since: what it then
 * sends was not meant for it. */
static bool may_be_unwanted(const struct sim_answer *answers)
{
	return answers[0].late || (answers[1].late && answers[0].data);
}

static struct sim_answer *remember(
	struct sim_bus *bus, size_t meter, const uint8_t *bytes, size_t length)
{
	struct sim_answer *answer = &bus->answers[meter * SIM_ANSWERS_KEPT];
	let_go(bus->world, &answer[SIM_ANSWERS_KEPT - 1]);
	for (size_t i = SIM_ANSWERS_KEPT - 1; i > 0; i--)
		answer[i] = answer[i - 1];
	*answer = (struct sim_answer){.data = length > 1};
	answer->repeating = sim_line_meter(bus->line, meter)->repeating;
	answer->length = length < sizeof answer->bytes ? length : sizeof answer->bytes;
	memcpy(answer->bytes, bytes, answer->length);
	return answer;
}

static void answers(void *user, size_t meter, uint8_t *bytes, size_t *length, ml_time *later)
{
	struct sim_bus *bus = user;
	struct sim_world *world = bus->world;
	const size_t place = bus->first_meter + meter;
	struct sim_answer *answer = remember(bus, meter, bytes, *length);
	world->last_answer = now_of(world);
	if (sim_world_hit(world, SIM_METER_SILENT, place)) {
		*length = 0;
		answer->data = false;
		return;
	}
	if (sim_world_hit(world, SIM_METER_CORRUPT, place)) {
		corrupt(world, bytes, *length);
		answer->damaged = true;
	}
	const struct sim_rule *slow = sim_world_hit(world, SIM_METER_SLOW, place);
	if (slow)
		*later += slow->by / 2 + (ml_time)(sim_world_draw(world) % (uint64_t)slow->by);
	answer->late = slow != NULL;
	answer->late = may_be_unwanted(answer);
	if (sim_world_hit(world, SIM_LINE_NOISE, bus->number - 1))
		answer->noise = add_noise(world, bytes, length);
	answer->hash = hash_bytes(bytes, *length);
}

/* Which of the last answers has come: late ones overtake each other. NULL: an older one. */
static struct sim_answer *find_answer(
	const struct sim_bus *bus, size_t meter, const uint8_t *bytes, size_t length)
{
	struct sim_answer *answers = &bus->answers[meter * SIM_ANSWERS_KEPT];
	const uint64_t hash = hash_bytes(bytes, length);
	for (size_t i = 0; i < SIM_ANSWERS_KEPT; i++) {
		if (answers[i].hash == hash && !answers[i].came)
			return &answers[i];
	}
	return NULL;
}

static void came(void *user, size_t meter, const uint8_t *bytes, size_t length)
{
	struct sim_bus *bus = user;
	struct sim_answer *answer = find_answer(bus, meter, bytes, length);
	if (!answer)
		return;
	answer->came = true;
	book(bus->world, answer, answer->late || answer->repeating || answer->noise > 0);
}

void sim_world_close_books(struct sim_world *world)
{
	for (unsigned b = 0; b < world->bus_count; b++) {
		const struct sim_bus *bus = world->buses[b];
		const size_t count = sim_line_meter_count(bus->line) * SIM_ANSWERS_KEPT;
		for (size_t i = 0; i < count; i++)
			let_go(world, &bus->answers[i]);
	}
}

int sim_world_add_bus(struct sim_world *world, const struct sim_options *options)
{
	if (world->bus_count == SIM_BUSES_MAX)
		return -E2BIG;
	struct sim_bus *bus = calloc(1, sizeof *bus);
	struct sim_line *line = sim_line_new(options);
	struct sim_answer *list = calloc((size_t)options->meters * SIM_ANSWERS_KEPT, sizeof *list);
	if (!bus || !line || !list) {
		free(bus);
		free(list);
		sim_line_free(line);
		return -ENOMEM;
	}
	const struct sim_line_watch watch = {.user = bus, .answers = answers, .came = came};
	sim_line_watch(line, &watch);
	bus->answers = list;
	bus->world = world;
	bus->line = line;
	bus->number = world->bus_count + 1;
	bus->first_meter = world->meter_count;
	world->meter_count += options->meters;
	world->buses[world->bus_count++] = bus;
	return (int)bus->number;
}

struct sim_line *sim_world_line(struct sim_world *world, unsigned bus)
{
	return bus >= 1 && bus <= world->bus_count ? world->buses[bus - 1]->line : NULL;
}

bool sim_world_line_broken(struct sim_world *world, unsigned bus, ml_time *change)
{
	return sim_world_holds(world, SIM_LINE_BROKEN, bus - 1, change);
}

void sim_world_reset_meters(struct sim_world *world)
{
	for (unsigned b = 0; b < world->bus_count; b++) {
		struct sim_bus *bus = world->buses[b];
		for (size_t i = 0; i < sim_line_meter_count(bus->line); i++) {
			if (sim_world_passed(world, SIM_METER_RESET, bus->first_meter + i))
				sim_meter_reset(
					sim_line_change_meter(bus->line, i), sim_world_wall(world));
		}
	}
}

/* ---- Life ---- */

int sim_world_new(const struct sim_world_options *options, struct sim_world **ret_world)
{
	struct sim_world *world = calloc(1, sizeof *world);
	*ret_world = NULL;
	if (!world)
		return -ENOMEM;
	world->clock = options->clock;
	world->wall = ml_clock_wall(options->clock) - ml_clock_monotonic(options->clock);
	world->seed = options->seed;
	world->faults = options->faults;
	world->ledger = sim_ledger_new(options->zone);
	world->block = malloc(METER_READING_MAX);
	world->keep = options->keep ? strdup(options->keep) : NULL;
	mbedtls_sha256_init(&world->digest);
	(void)mbedtls_sha256_starts_ret(&world->digest, 0);
	if (!world->ledger || !world->block || (options->keep && !world->keep)) {
		sim_world_free(world);
		return -ENOMEM;
	}
	*ret_world = world;
	return 0;
}

void sim_world_free(struct sim_world *world)
{
	if (!world)
		return;
	for (unsigned i = 0; i < world->bus_count; i++) {
		sim_line_free(world->buses[i]->line);
		free(world->buses[i]->answers);
		free(world->buses[i]);
	}
	for (size_t i = 0; i < SIM_RULES_MAX; i++) {
		free(world->chances[i].episodes);
		free(world->chances[i].resets);
	}
	mbedtls_sha256_free(&world->digest);
	sim_ledger_free(world->ledger);
	free(world->keep);
	free(world->block);
	free(world->text);
	free(world);
}

struct sim_ledger *sim_world_ledger(struct sim_world *world)
{
	return world->ledger;
}

/* ---- The service, by which an engine knows where it is ---- */

struct place {
	struct meter_receivers receivers; /* first: what sinks ask for */
	struct sim_world *world;          /* NULL: none */
};

static void begin(void *user, const struct meter_upload *upload, struct meter_fate *fate)
{
	const struct place *place = user;
	if (place->world) {
		sim_head_end_begin(place->world, upload, fate);
		return;
	}
	/* A head-end for those who try: it takes everything, and keeps nothing. */
	*fate = (struct meter_fate){.answer = 50 * ML_MSEC, .status = 200};
}

static void received(void *user, const struct meter_upload *upload, const struct meter_fate *fate)
{
	const struct place *place = user;
	if (place->world)
		sim_head_end_received(place->world, upload, fate);
}

static int place_start(struct ml_engine *engine, void **ret_service, struct ml_error *err)
{
	(void)engine;
	struct place *place = calloc(1, sizeof *place);
	if (!place)
		return ml_error_set(err, -ENOMEM, "out of memory");
	place->receivers =
		(struct meter_receivers){.user = place, .begin = begin, .received = received};
	*ret_service = place;
	return 0;
}

const struct ml_service_class sim_services[] = {
	{.name = METER_RECEIVERS, .start = place_start, .stop = free},
	{0},
};

void sim_world_enter(struct sim_world *world, struct ml_engine *engine)
{
	struct place *place = ml_service(engine, METER_RECEIVERS);
	if (place)
		place->world = world;
}

struct sim_world *sim_world_of(struct ml_engine *engine)
{
	const struct place *place = ml_service(engine, METER_RECEIVERS);
	return place ? place->world : NULL;
}
