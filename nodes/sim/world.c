/* A simulated world around a gateway: its faults and its buses.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "mbus/application.h"
#include "sim/services.h"
#include "sim/world_private.h"

/* ---- Faults ---- */

static ml_time now_of(const struct sim_world *world)
{
	return ml_clock_monotonic(world->clock);
}

uint64_t sim_world_draw(struct sim_world *world)
{
	return sim_plan_draw(world->plan);
}

const struct sim_rule *sim_world_hit(struct sim_world *world, enum sim_fault fault, size_t place)
{
	return sim_plan_hit(world->plan, fault, place, now_of(world));
}

ml_time sim_world_change(struct sim_world *world, enum sim_fault fault)
{
	ml_time change = ML_NEVER;
	(void)sim_plan_holds(world->plan, fault, 0, now_of(world), &change);
	return change;
}

unsigned sim_world_restarts(struct sim_world *world)
{
	return sim_plan_passed(world->plan, SIM_RESTART, 0, now_of(world));
}

uint64_t sim_world_fault_count(const struct sim_world *world, enum sim_fault fault)
{
	return sim_plan_count(world->plan, fault, now_of(world));
}

ml_time sim_world_clock_error(struct sim_world *world)
{
	return sim_plan_clock_error(world->plan, now_of(world));
}

bool sim_world_quiet(const struct sim_world *world, ml_time length)
{
	return now_of(world) - world->last_answer >= length;
}

void sim_world_heal(struct sim_world *world)
{
	sim_plan_heal(world->plan);
	for (unsigned i = 0; i < world->bus_count; i++)
		sim_bus_heal(world->buses[i]->bus, now_of(world));
}

/* ---- Buses ---- */

ml_time sim_world_wall(const struct sim_world *world)
{
	return world->wall + now_of(world);
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
	struct sim_world_bus *bus, size_t meter, const uint8_t *bytes, size_t length)
{
	struct sim_answer *answer = &bus->answers[meter * SIM_ANSWERS_KEPT];
	let_go(bus->world, &answer[SIM_ANSWERS_KEPT - 1]);
	for (size_t i = SIM_ANSWERS_KEPT - 1; i > 0; i--)
		answer[i] = answer[i - 1];
	*answer = (struct sim_answer){.data = length > 1};
	answer->repeating = sim_line_meter(sim_bus_line(bus->bus), meter)->repeating;
	answer->length = length < sizeof answer->bytes ? length : sizeof answer->bytes;
	memcpy(answer->bytes, bytes, answer->length);
	return answer;
}

static void leaves(void *user, size_t meter, const struct sim_harm *harm, const uint8_t *own,
	size_t own_length, const uint8_t *bytes, size_t length)
{
	struct sim_world_bus *bus = user;
	struct sim_answer *answer = remember(bus, meter, own, own_length);
	bus->world->last_answer = now_of(bus->world);
	answer->data = answer->data && !harm->silenced;
	answer->damaged = harm->damaged;
	answer->perhaps = harm->perhaps;
	answer->late = harm->late;
	answer->late = may_be_unwanted(answer);
	answer->hash = hash_bytes(bytes, length);
}

/* Which of the last answers has come: late ones overtake each other. NULL: an older one. */
static struct sim_answer *find_answer(
	const struct sim_world_bus *bus, size_t meter, const uint8_t *bytes, size_t length)
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
	struct sim_world_bus *bus = user;
	struct sim_answer *answer = find_answer(bus, meter, bytes, length);
	if (!answer)
		return;
	answer->came = true;
	book(bus->world, answer, answer->late || answer->repeating || answer->perhaps);
}

void sim_world_close_books(struct sim_world *world)
{
	for (unsigned b = 0; b < world->bus_count; b++) {
		const struct sim_world_bus *bus = world->buses[b];
		const size_t count =
			sim_line_meter_count(sim_bus_line(bus->bus)) * SIM_ANSWERS_KEPT;
		for (size_t i = 0; i < count; i++)
			let_go(world, &bus->answers[i]);
	}
}

/* The bus's own faults, among those of the whole world. */
static int add_faults(struct sim_world *world, const struct sim_options *options)
{
	int result = 0;
	for (size_t i = 0; result == 0 && i < options->faults.count; i++) {
		struct sim_rule rule = options->faults.rules[i];
		const enum sim_whose whose = sim_fault_info((enum sim_fault)rule.fault)->whose;
		if (whose != SIM_OF_METER && whose != SIM_OF_LINE)
			continue;
		const bool of_meter = whose == SIM_OF_METER;
		rule.first = of_meter ? (int64_t)world->meter_count : world->bus_count;
		rule.count = of_meter ? options->meters : 1;
		rule.which += rule.which > 0 ? rule.first : 0;
		result = sim_plan_add(world->plan, &rule, now_of(world), NULL);
	}
	return result;
}

int sim_world_add_bus(struct sim_world *world, const struct sim_options *options)
{
	if (world->bus_count == SIM_BUSES_MAX)
		return -E2BIG;
	const int result = add_faults(world, options);
	if (result < 0)
		return result;
	const struct sim_bus_place place = {
		.plan = world->plan, .first_meter = world->meter_count, .line = world->bus_count};
	struct sim_world_bus *bus = calloc(1, sizeof *bus);
	struct sim_bus *inner = sim_bus_new(options, &place, now_of(world));
	struct sim_answer *list = calloc((size_t)options->meters * SIM_ANSWERS_KEPT, sizeof *list);
	if (!bus || !inner || !list) {
		free(bus);
		free(list);
		sim_bus_free(inner);
		return -ENOMEM;
	}
	const struct sim_bus_watch watch = {.user = bus, .leaves = leaves, .came = came};
	sim_bus_watch(inner, &watch);
	bus->answers = list;
	bus->world = world;
	bus->bus = inner;
	bus->number = world->bus_count + 1;
	world->meter_count += options->meters;
	world->buses[world->bus_count++] = bus;
	return (int)bus->number;
}

struct sim_bus *sim_world_bus(struct sim_world *world, unsigned bus)
{
	return bus >= 1 && bus <= world->bus_count ? world->buses[bus - 1]->bus : NULL;
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
	world->plan = sim_plan_new(&options->faults, options->seed, 0);
	world->ledger = sim_ledger_new(options->zone);
	world->block = malloc(METER_READING_MAX);
	world->keep = options->keep ? strdup(options->keep) : NULL;
	mbedtls_sha256_init(&world->digest);
	(void)mbedtls_sha256_starts_ret(&world->digest, 0);
	if (!world->plan || !world->ledger || !world->block || (options->keep && !world->keep)) {
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
		sim_bus_free(world->buses[i]->bus);
		free(world->buses[i]->answers);
		free(world->buses[i]);
	}
	sim_plan_free(world->plan);
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

int sim_place_start(struct ml_engine *engine, void **ret_service, struct ml_error *err)
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
