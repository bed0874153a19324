/* The search for meters against a model of a bus.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "mbus/link.h"
#include "mbus/search.h"

#include "count.h"
#include "mbus/search_plan.h"

enum { METERS_MAX = 400, ANSWERS_MAX = 2000000 };

struct model_meter {
	struct meter_identity identity;
	bool fixed;
	uint8_t primary;
	uint32_t baud;  /* 0: any */
	bool strong;    /* it is heard above all others, and alone */
	bool mute;      /* acknowledges a selection, and sends no telegram */
	bool shameless; /* answers each selection */
	size_t hides;   /* this one, where nobody else answers; its own place: none */
};

struct model {
	struct model_meter meters[METERS_MAX];
	size_t count;
	uint64_t random;
	unsigned noise; /* per mille of the probes: disturbed */
	unsigned loss;  /* per mille of the probes: not heard by the meters */
	bool stray;     /* the converter adds a byte to all that it hands on */
	bool babble;    /* somebody speaks all the time */
};

static uint64_t draw(struct model *m)
{
	m->random = m->random * 6364136223846793005u + 1442695040888963407u;
	return m->random >> 33;
}

static uint32_t bcd(uint32_t number)
{
	uint32_t out = 0;
	for (unsigned i = 0; i < 8; i++, number /= 10)
		out |= (number % 10) << (4 * i);
	return out;
}

static struct model_meter *add(struct model *m, uint32_t id, uint16_t manufacturer)
{
	struct model_meter *meter = &m->meters[m->count];
	*meter = (struct model_meter){
		.identity = {id, manufacturer, 7, 4},
		.primary = (uint8_t)(m->count % 250 + 1),
		.hides = m->count,
	};
	m->count++;
	return meter;
}

/* So many of unlike numbers. */
static void add_random(struct model *m, size_t count)
{
	static const uint16_t manufacturers[] = {0x2C2D, 0x32A7, 0x4DEE};
	while (m->count < count) {
		const uint32_t id = bcd((uint32_t)(draw(m) % 100000000));
		bool is_new = true;
		for (size_t i = 0; i < m->count; i++)
			is_new = is_new && m->meters[i].identity.id != id;
		if (is_new)
			(void)add(m, id, manufacturers[draw(m) % 3]);
	}
}

static bool answers(const struct model_meter *meter, const struct mbus_search_probe *probe)
{
	uint8_t identity[8];
	if (meter->baud != 0 && meter->baud != probe->baud)
		return false;
	if (!probe->secondary)
		return meter->primary == probe->primary;
	meter_identity_write(meter->identity, identity);
	return meter->shameless || mbus_link_matches(identity, !meter->fixed, probe->address);
}

static struct mbus_search_answer ask(struct model *m, const struct mbus_search_probe *probe)
{
	struct mbus_search_answer answer = {.outcome = MBUS_SEARCH_SILENT};
	const struct model_meter *one = NULL;
	size_t count = 0;
	const bool noise = draw(m) % 1000 < m->noise;
	const bool lost = draw(m) % 1000 < m->loss;
	for (size_t i = 0; !lost && i < m->count; i++) {
		const struct model_meter *meter = &m->meters[i];
		if (!answers(meter, probe))
			continue;
		count++;
		if (one && meter->hides == (size_t)(one - m->meters))
			one = meter;
		else if (one && one->hides == i)
			continue;
		else if (!one || meter->strong)
			one = meter;
		else if (!one->strong)
			answer.outcome = MBUS_SEARCH_SEVERAL;
	}
	if (m->babble)
		answer.outcome = MBUS_SEARCH_SEVERAL;
	else if (count > 0 && (one->strong || answer.outcome == MBUS_SEARCH_SILENT))
		answer.outcome = one->mute ? MBUS_SEARCH_MUTE : MBUS_SEARCH_ONE;
	if (noise)
		answer.outcome = count == 0    ? MBUS_SEARCH_NOISE
				 : draw(m) % 2 ? MBUS_SEARCH_SEVERAL
					       : answer.outcome;
	if (answer.outcome == MBUS_SEARCH_ONE) {
		answer.identity = one->identity;
		answer.whole = !one->fixed;
		answer.primary = one->primary;
		answer.disturbed = noise || m->stray;
	}
	return answer;
}

static const struct mbus_search_options plain = {
	.modes = {MBUS_SEARCH_SECONDARY},
	.mode_count = 1,
	.rates = {2400},
	.rate_count = 1,
	.last = 250,
	.retries = 2,
};

static struct mbus_search *begin(const struct mbus_search_options *options)
{
	struct mbus_search *s = calloc(1, sizeof *s);
	assert_non_null(s);
	assert_true(mbus_search_init(s, options));
	return s;
}

/* Goes on until the end; the progress never goes back. */
static void go_on(struct mbus_search *s, struct model *m)
{
	struct mbus_search_probe probe;
	uint32_t progress = mbus_search_progress(s);
	while (mbus_search_next(s, &probe)) {
		const struct mbus_search_answer answer = ask(m, &probe);
		mbus_search_came(s, &answer);
		const uint32_t now = mbus_search_progress(s);
		if (now < progress)
			fail_msg("progress from %u to %u", progress, now);
		progress = now;
		assert_true(s->probes < ANSWERS_MAX);
	}
}

static struct mbus_search *run(struct model *m, const struct mbus_search_options *options)
{
	struct mbus_search *s = begin(options);
	go_on(s, m);
	return s;
}

static size_t missed(const struct mbus_search *s, const struct model *m)
{
	size_t missed = 0;
	for (size_t i = 0; i < m->count; i++) {
		bool found = false;
		for (size_t k = 0; k < s->found_count; k++)
			found = found || (s->found[k].kind == MBUS_SEARCH_METER &&
						 meter_identity_equal(s->found[k].identity,
							 m->meters[i].identity));
		missed += !found;
	}
	return missed;
}

static void all_are_found(const struct mbus_search *s, const struct model *m)
{
	assert_int_equal(missed(s, m), 0);
	assert_int_equal(s->meters, m->count);
	assert_int_equal(s->found_count, m->count);
	assert_int_equal(s->end, MBUS_SEARCH_COMPLETE);
	assert_int_equal(mbus_search_progress(s), MBUS_SEARCH_PROGRESS);
}

static uint64_t plan_of(const struct model *m, unsigned base)
{
	uint32_t numbers[METERS_MAX];
	for (size_t i = 0; i < m->count; i++)
		numbers[i] = m->meters[i].identity.id;
	return search_plan_probes(numbers, m->count, base);
}

/* ---- Tests ---- */

static void numbers_take_the_probes_of_the_plain_tree(void **state)
{
	(void)state;
	for (unsigned seed = 0; seed < test_count(200); seed++) {
		struct model m = {.random = seed};
		add_random(&m, 250);
		struct mbus_search *s = run(&m, &plain);
		all_are_found(s, &m);
		const uint64_t plan = plan_of(&m, 10);
		if (s->probes * 10 > plan * 11)
			fail_msg("%u probes, the plain tree has %u", (unsigned)s->probes,
				(unsigned)plan);
		assert_int_equal(s->repeats, 0);
		free(s);
	}
}

static void digits_a_to_e_are_searched(void **state)
{
	(void)state;
	for (unsigned seed = 0; seed < test_count(100); seed++) {
		struct model m = {.random = seed};
		while (m.count < 250) {
			uint32_t id = 0;
			for (unsigned i = 0; i < 8; i++)
				id = id << 4 | (uint32_t)(draw(&m) % 15);
			(void)add(&m, id, 0x2C2D);
		}
		struct mbus_search_options options = plain;
		options.hex = true;
		struct mbus_search *s = run(&m, &options);
		all_are_found(s, &m);
		assert_true(s->probes * 10 <= plan_of(&m, 16) * 11);
		free(s);
	}
}

/* A digit A to F betrays itself where nobody else explains what was heard. */
static void odd_digits_are_found_without_being_searched_for(void **state)
{
	(void)state;
	static const uint32_t pairs[][2] = {{0x1234A678, 0x1234B678}, {0xAAAAAAAA, 0xEEEEEEEE},
		{0x1234F678, 0x1234F679}, {0xFFFFFF01, 0xFFFFFF02}, {0x12345678, 0x1234567C}};
	for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
		struct model m = {.random = i};
		(void)add(&m, pairs[i][0], 0x2C2D);
		(void)add(&m, pairs[i][1], 0x2C2D);
		struct mbus_search *s = run(&m, &plain);
		all_are_found(s, &m);
		assert_true(s->probes < 8 * 30);
		free(s);
	}
}

/* Pairs that differ only in what is not the number, among 250 others. */
static void what_has_one_number_is_told_apart(void **state)
{
	(void)state;
	for (unsigned seed = 0; seed < test_count(100); seed++) {
		struct model m = {.random = seed};
		add_random(&m, 240);
		m.meters[200].identity.version = 9;
		m.meters[201].identity.medium = 6;
		m.meters[202].identity.manufacturer = 0x4024;
		for (unsigned kind = 0; kind < 3; kind++) {
			struct model_meter *twin = add(&m, m.meters[10 * kind].identity.id, 0);
			twin->identity = m.meters[10 * kind].identity;
			if (kind == 0)
				twin->identity.manufacturer = 0x4024;
			else if (kind == 1)
				twin->identity.version = 9;
			else
				twin->identity.medium = 6;
		}
		struct mbus_search *s = run(&m, &plain);
		all_are_found(s, &m);
		const uint64_t plan = plan_of(&m, 10);
		assert_true(s->probes * 10 <= plan * 11);
		free(s);
	}
}

static void what_nobody_else_has_is_tried_where_it_must_be(void **state)
{
	(void)state;
	static const struct meter_identity pairs[][2] = {
		{{0x00000001, 0x2C2D, 200, 4}, {0x00000001, 0x2C2D, 201, 4}},
		{{0x12345678, 0x2C2D, 1, 0x37}, {0x12345678, 0x2C2D, 1, 0x99}},
		{{0x99999999, 0x2C2D, 1, 4}, {0x99999999, 0x32A7, 1, 4}},
		{{0x99999999, 0x2C2D, 1, 4}, {0x99999999, 0x32A7, 2, 7}},
	};
	for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
		struct model m = {.random = i};
		add(&m, 0, 0)->identity = pairs[i][0];
		add(&m, 0, 0)->identity = pairs[i][1];
		struct mbus_search *s = run(&m, &plain);
		all_are_found(s, &m);
		assert_true(s->probes < 1200);
		free(s);
	}
}

/* The manufacturers of the list are tried first. */
static void what_is_known_shortens_it(void **state)
{
	(void)state;
	struct model m = {0};
	add(&m, 0x55555555, 0x0421);
	add(&m, 0x55555555, 0x0842);
	struct mbus_search *s = begin(&plain);
	mbus_search_know(s, (struct meter_identity){1, 0x0421, 1, 1});
	mbus_search_know(s, (struct meter_identity){2, 0x0842, 1, 1});
	go_on(s, &m);
	all_are_found(s, &m);
	assert_true(s->probes < 90);
	free(s);
}

static void what_cannot_be_told_apart_is_told(void **state)
{
	(void)state;
	struct model m = {0};
	add_random(&m, 20);
	add(&m, 0x11111111, 0x2C2D);
	add(&m, 0x11111111, 0x2C2D);
	add(&m, 0x22222222, 0xFFFF)->fixed = true;
	add(&m, 0x22222222, 0x2C2D);
	struct mbus_search *s = run(&m, &plain);
	unsigned many = 0;
	for (size_t i = 0; i < s->found_count; i++)
		many += s->found[i].kind == MBUS_SEARCH_MANY;
	assert_int_equal(many, 2);
	assert_int_equal(s->meters, 21); /* the one of the fixed structure is heard alone */
	free(s);
}

static void one_without_a_telegram_is_told(void **state)
{
	(void)state;
	struct model m = {0};
	add_random(&m, 20);
	add(&m, 0x31111111, 0x2C2D)->mute = true;
	struct mbus_search *s = run(&m, &plain);
	assert_int_equal(s->meters, 20);
	assert_int_equal(s->found_count, 21);
	for (size_t i = 0; i < s->found_count; i++) {
		if (s->found[i].kind == MBUS_SEARCH_UNNAMED)
			assert_int_equal(s->found[i].identity.id, 0x31111111);
	}
	free(s);
}

/* Its good telegram covers all others, wherever it is selected with them. */
static void one_that_is_heard_above_all_hides_nobody(void **state)
{
	(void)state;
	for (unsigned seed = 0; seed < test_count(100); seed++) {
		struct model m = {.random = seed};
		add_random(&m, 250);
		m.meters[draw(&m) % 250].strong = true;
		struct mbus_search *s = run(&m, &plain);
		all_are_found(s, &m);
		assert_true(s->probes * 10 <= plan_of(&m, 10) * 11);
		free(s);
	}
}

/* Neighbours of a series, of which one covers the other. */
static void one_of_a_series_hides_nobody(void **state)
{
	(void)state;
	struct model m = {0};
	add(&m, 0x61230010, 0x2C2D);
	add(&m, 0x61230017, 0x2C2D); /* has all bits of the number before */
	add(&m, 0x61230020, 0x2C2D);
	add(&m, 0x61230460, 0x2C2D);
	m.meters[0].hides = 1;
	struct mbus_search *s = run(&m, &plain);
	all_are_found(s, &m);
	free(s);
}

static void thorough_looks_behind_each(void **state)
{
	(void)state;
	struct model m = {.random = 3};
	add_random(&m, 100);
	add(&m, 0x61230010, 0x2C2D);
	add(&m, 0x61888017, 0x2C2D);
	m.meters[100].hides = 101;
	struct mbus_search_options options = plain;
	struct mbus_search *s = run(&m, &options);
	assert_int_equal(missed(s, &m), 1);
	free(s);
	options.thorough = true;
	s = run(&m, &options);
	all_are_found(s, &m);
	assert_true(s->probes < 3 * 100 * 9 * 8); /* each silence three times */
	free(s);
}

static void noise_loses_nobody(void **state)
{
	(void)state;
	size_t lost = 0, meters = 0;
	for (unsigned seed = 0; seed < test_count(300); seed++) {
		struct model m = {.random = seed, .noise = 20};
		add_random(&m, 100);
		struct mbus_search *s = run(&m, &plain);
		lost += missed(s, &m);
		meters += m.count;
		assert_int_equal(s->end, MBUS_SEARCH_COMPLETE);
		free(s);
	}
	assert_int_equal(lost, 0);
	/* Selections that nobody hears: those under which something had been heard are tried
	 * again, and all once the line is known to be disturbed. */
	for (unsigned seed = 0; seed < test_count(300); seed++) {
		struct model m = {.random = seed, .noise = 20, .loss = 5};
		add_random(&m, 100);
		struct mbus_search *s = run(&m, &plain);
		lost += missed(s, &m);
		free(s);
	}
	if (lost * 500 > meters)
		fail_msg("%zu of %zu were lost", lost, meters);
}

/* Without any noise that would tell, only a search that trusts no silence finds all. */
static void thorough_trusts_no_silence(void **state)
{
	(void)state;
	struct mbus_search_options options = plain;
	options.thorough = true;
	size_t lost = 0;
	for (unsigned seed = 0; seed < test_count(50); seed++) {
		struct model m = {.random = seed, .loss = 10};
		add_random(&m, 50);
		struct mbus_search *s = run(&m, &options);
		lost += missed(s, &m);
		free(s);
	}
	assert_int_equal(lost, 0);
}

/* What is always heard beside an answer is no second meter. */
static void converter_that_adds_a_byte_costs_little(void **state)
{
	(void)state;
	struct model m = {.random = 5, .stray = true};
	add_random(&m, 250);
	struct mbus_search *s = run(&m, &plain);
	all_are_found(s, &m);
	assert_true(s->probes * 10 <= plan_of(&m, 10) * 11);
	free(s);
}

static void babble_ends_it(void **state)
{
	(void)state;
	struct model m = {.babble = true};
	struct mbus_search *s = run(&m, &plain);
	assert_int_equal(s->end, MBUS_SEARCH_DISTURBED);
	assert_true(s->probes < 1000);
	free(s);
}

static void one_that_answers_all_selections_is_told(void **state)
{
	(void)state;
	struct model m = {.random = 9};
	add_random(&m, 60);
	m.meters[30].shameless = true;
	struct mbus_search *s = run(&m, &plain);
	assert_int_equal(s->end, MBUS_SEARCH_COMPLETE);
	unsigned foreign = 0;
	for (size_t i = 0; i < s->found_count; i++)
		foreign += s->found[i].kind == MBUS_SEARCH_FOREIGN;
	assert_int_equal(foreign, 1);
	free(s);
}

static void as_many_as_are_wanted(void **state)
{
	(void)state;
	struct model m = {.random = 1};
	add_random(&m, 50);
	struct mbus_search_options options = plain;
	options.wanted = 7;
	struct mbus_search *s = run(&m, &options);
	assert_int_equal(s->meters, 7);
	assert_int_equal(s->end, MBUS_SEARCH_ENOUGH);
	free(s);
}

static void modes_and_rates_come_in_order_and_list_nobody_twice(void **state)
{
	(void)state;
	struct model m = {.random = 1};
	add_random(&m, 40);
	for (size_t i = 0; i < m.count; i++)
		m.meters[i].baud = i % 3 == 0 ? 300 : i % 3 == 1 ? 2400 : 0;
	m.meters[8].primary = m.meters[11].primary = 77; /* both at any rate */
	const struct mbus_search_options options = {
		.modes = {MBUS_SEARCH_PRIMARY, MBUS_SEARCH_SECONDARY},
		.mode_count = 2,
		.rates = {2400, 300},
		.rate_count = 2,
		.first = 0,
		.last = 250,
		.retries = 1,
	};
	struct mbus_search *s = run(&m, &options);
	assert_int_equal(missed(s, &m), 0);
	assert_int_equal(s->meters, 40);
	assert_int_equal(s->found_count, 41); /* and two at one address */
	for (size_t i = 0; i < s->found_count; i++) {
		const struct mbus_search_found *found = &s->found[i];
		if (found->kind == MBUS_SEARCH_MANY)
			assert_int_equal(found->primary, 77);
		else
			assert_int_equal(
				found->mode == MBUS_SEARCH_SECONDARY, found->primary == 77);
		for (size_t k = 0; k < m.count; k++) {
			if (meter_identity_equal(found->identity, m.meters[k].identity))
				assert_int_equal(found->baud, k % 3 == 0 ? 300 : 2400);
		}
	}
	free(s);
}

static void one_identity_at_two_addresses_is_told(void **state)
{
	(void)state;
	struct model m = {0};
	add(&m, 0x12345678, 0x2C2D)->primary = 5;
	add(&m, 0x12345678, 0x2C2D)->primary = 9;
	struct mbus_search_options options = plain;
	options.modes[0] = MBUS_SEARCH_PRIMARY;
	struct mbus_search *s = run(&m, &options);
	assert_int_equal(s->meters, 2);
	assert_true(s->found[0].twin && s->found[1].twin);
	assert_int_equal(s->probes, 251);
	free(s);
}

static void options_are_checked(void **state)
{
	(void)state;
	struct mbus_search *s = calloc(1, sizeof *s);
	assert_non_null(s);
	struct mbus_search_options options = plain;
	options.mode_count = 0;
	assert_false(mbus_search_init(s, &options));
	options = plain;
	options.rates[0] = 0;
	assert_false(mbus_search_init(s, &options));
	options = plain;
	options.first = 9;
	options.last = 8;
	assert_false(mbus_search_init(s, &options));
	free(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(numbers_take_the_probes_of_the_plain_tree),
		cmocka_unit_test(digits_a_to_e_are_searched),
		cmocka_unit_test(odd_digits_are_found_without_being_searched_for),
		cmocka_unit_test(what_has_one_number_is_told_apart),
		cmocka_unit_test(what_nobody_else_has_is_tried_where_it_must_be),
		cmocka_unit_test(what_is_known_shortens_it),
		cmocka_unit_test(what_cannot_be_told_apart_is_told),
		cmocka_unit_test(one_without_a_telegram_is_told),
		cmocka_unit_test(one_that_is_heard_above_all_hides_nobody),
		cmocka_unit_test(one_of_a_series_hides_nobody),
		cmocka_unit_test(thorough_looks_behind_each),
		cmocka_unit_test(noise_loses_nobody),
		cmocka_unit_test(thorough_trusts_no_silence),
		cmocka_unit_test(converter_that_adds_a_byte_costs_little),
		cmocka_unit_test(babble_ends_it),
		cmocka_unit_test(one_that_answers_all_selections_is_told),
		cmocka_unit_test(as_many_as_are_wanted),
		cmocka_unit_test(modes_and_rates_come_in_order_and_list_nobody_twice),
		cmocka_unit_test(one_identity_at_two_addresses_is_told),
		cmocka_unit_test(options_are_checked),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
