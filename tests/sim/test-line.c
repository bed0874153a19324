/* The simulated line: what garbles what, and how it looks at the master's end.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "sim/line.h"

#define SPRING ((ml_time)1775000000 * ML_SEC)

static const struct sim_rate slow = {2400, ML_PARITY_EVEN};

struct heard {
	uint8_t bytes[600];
	uint8_t damaged[600];
	size_t count, bad;
	ml_time last; /* when the last byte came */
};

/* All that comes until the line is silent. */
static struct heard hear(struct sim_line *line, ml_time *now)
{
	struct heard h = {0};
	while (sim_line_when(line) != ML_NEVER) {
		const ml_time when = sim_line_when(line);
		*now = when > *now ? when : *now;
		for (;;) {
			const uint8_t *bytes = NULL;
			bool damaged = false;
			const size_t n =
				sim_line_take_run(line, *now, SPRING + *now, &bytes, &damaged);
			if (n == 0)
				break;
			assert_true(h.count + n <= sizeof h.bytes);
			memcpy(h.bytes + h.count, bytes, n);
			memset(h.damaged + h.count, damaged, n);
			h.count += n;
			h.bad += damaged ? n : 0;
			h.last = *now;
		}
	}
	return h;
}

static struct heard ask(struct sim_line *line, const uint8_t *bytes, size_t length, ml_time *now)
{
	sim_line_received(line, bytes, length, *now);
	return hear(line, now);
}

static struct heard request(struct sim_line *line, uint8_t address, ml_time *now)
{
	uint8_t bytes[MBUS_FRAME_MAX];
	const size_t reset = mbus_build_snd_nke(bytes, address);
	(void)ask(line, bytes, reset, now);
	return ask(line, bytes, mbus_build_req_ud2(bytes, address, true), now);
}

static bool is_telegram(const struct heard *h)
{
	struct mbus_frame frame;
	return h->bad == 0 && mbus_frame_check(h->bytes, h->count, &frame, NULL) == MBUS_CHECK_OK;
}

/* ---- The wire ---- */

static size_t listen(const struct sim_sound *const *sounds, size_t count, struct sim_rate rate,
	struct sim_heard *heard, size_t most)
{
	struct sim_ear ear = {.rate = rate};
	size_t n = 0;
	while (n < most && sim_ear_hear(&ear, sounds, count, ML_NEVER, &heard[n]))
		n++;
	return n;
}

static void one_voice_is_heard_as_it_is_at_every_rate(void **state)
{
	(void)state;
	static const unsigned bauds[] = {300, 600, 1200, 2400, 4800, 9600, 19200, 38400, 115200};
	uint8_t bytes[256];
	struct sim_heard heard[257];
	for (unsigned i = 0; i < 256; i++)
		bytes[i] = (uint8_t)i;
	for (size_t b = 0; b < sizeof bauds / sizeof *bauds; b++) {
		for (int parity = 0; parity < 3; parity++) {
			const struct sim_rate rate = {bauds[b], (enum ml_parity)parity};
			const struct sim_sound sound = {.begin = 12345,
				.rate = rate,
				.gap = (unsigned)b % 3,
				.bytes = bytes,
				.length = sizeof bytes};
			const struct sim_sound *all = &sound;
			assert_int_equal(listen(&all, 1, rate, heard, 257), 256);
			for (unsigned i = 0; i < 256; i++) {
				assert_int_equal(heard[i].byte, i);
				assert_int_equal(heard[i].marks, 0);
			}
		}
	}
}

/* Byte by byte and all at once give the same, at the same times. */
static void the_short_way_hears_the_same(void **state)
{
	(void)state;
	uint8_t bytes[64], copied[64];
	for (unsigned i = 0; i < sizeof bytes; i++)
		bytes[i] = (uint8_t)(i * 37 + 11);
	static const unsigned bauds[] = {300, 2400, 9600, 38400, 115200};
	for (size_t b = 0; b < sizeof bauds / sizeof *bauds; b++) {
		const struct sim_rate rate = {bauds[b], ML_PARITY_EVEN};
		const struct sim_sound sound = {.begin = 777,
			.rate = rate,
			.gap = (unsigned)b % 3,
			.bytes = bytes,
			.length = 64};
		const struct sim_sound *all = &sound;
		struct sim_ear one = {.rate = rate}, two = {.rate = rate};
		for (size_t n = 0; n < sizeof bytes;) {
			const size_t step = 1 + n % 7;
			struct sim_heard heard;
			const ml_time when = sim_ear_when_more(&one, &all, 1, step - 1);
			const size_t count = sim_ear_copy(&one, &all, 1, when, copied, 64);
			assert_int_equal(sim_ear_copy(&one, &all, 1, when, copied + count, 64), 0);
			assert_int_equal(count, n + step < 64 ? step : 64 - n);
			for (size_t i = 0; i < count; i++) {
				assert_true(sim_ear_when(&two, &all, 1) <= when);
				assert_true(sim_ear_hear(&two, &all, 1, when, &heard));
				assert_int_equal(heard.byte, copied[i]);
				assert_int_equal(copied[i], bytes[n + i]);
			}
			assert_true(one.at == two.at);
			n += count;
		}
		assert_true(sim_ear_when_more(&one, &all, 1, 0) == ML_NEVER);
	}
}

static void overlapping_bits_are_wired_together(void **state)
{
	(void)state;
	struct sim_heard heard[4];
	const uint8_t first = 0xF0;
	const uint8_t second = 0x3C;
	struct sim_sound sounds[2] = {
		{.rate = slow, .bytes = &first, .length = 1},
		{.rate = slow, .bytes = &second, .length = 1},
	};
	const struct sim_sound *all[] = {&sounds[0], &sounds[1]};
	/* At the same moment: bit by bit the 0 wins. */
	assert_int_equal(listen(all, 2, slow, heard, 4), 1);
	assert_int_equal(heard[0].byte, first & second);
	assert_int_equal(heard[0].marks, 0); /* and the parity happens to fit */
	/* Two bits later: 1111 00.. of the one meet 0 of the other's start. */
	sounds[1].begin = sim_bits(slow, 2);
	assert_true(listen(all, 2, slow, heard, 4) >= 1);
	/* bits 1 to 8 of the first: 0 0 0 0 1 1 1 1; of the second, two later: (1) 0 0 0 1 1 1 1 */
	assert_int_equal(heard[0].byte, 0xF0 & (uint8_t)(second << 2 | 1));
	/* Its last bits hold the line where the first has its stop bit. */
	sounds[1].begin = sim_bits(slow, 5);
	assert_true(listen(all, 2, slow, heard, 4) >= 1);
	assert_true(heard[0].marks != 0 || heard[0].byte != first);
}

static void line_that_is_held_down_is_a_break(void **state)
{
	(void)state;
	struct sim_heard heard[4];
	/* A zero at a tenth of the rate holds the line longer than a byte takes. */
	const uint8_t zero = 0;
	const struct sim_sound sound = {.rate = {300, ML_PARITY_EVEN}, .bytes = &zero, .length = 1};
	const struct sim_sound *all = &sound;
	/* One bad byte, and then nothing until the line is free: no train of zeros. */
	assert_int_equal(listen(&all, 1, slow, heard, 4), 1);
	assert_int_equal(heard[0].byte, 0);
	assert_true(heard[0].marks & SIM_FRAMING_ERROR);
}

static void glitch_is_no_start_bit(void **state)
{
	(void)state;
	struct sim_heard heard[8];
	const uint8_t ones = 0xFF;
	/* Its start bit is an eighth of one at 300 baud. */
	const struct sim_sound sound = {.rate = slow, .bytes = &ones, .length = 1};
	const struct sim_sound *all = &sound;
	assert_int_equal(listen(&all, 1, (struct sim_rate){300, ML_PARITY_EVEN}, heard, 8), 0);
}

static void wrong_parity_is_seen(void **state)
{
	(void)state;
	struct sim_heard heard[4];
	const uint8_t byte = 0x01;
	const struct sim_sound sound = {.rate = {2400, ML_PARITY_ODD}, .bytes = &byte, .length = 1};
	const struct sim_sound *all = &sound;
	assert_int_equal(listen(&all, 1, slow, heard, 4), 1);
	assert_int_equal(heard[0].byte, 0x01);
	assert_int_equal(heard[0].marks, SIM_PARITY_ERROR);
}

/* ---- Meters on it ---- */

static void two_answers_garble_each_other(void **state)
{
	(void)state;
	unsigned errors = 0;
	for (uint64_t seed = 1; seed <= 20; seed++) {
		const struct sim_options options = {.meters = 2, .seed = seed, .baud = 2400};
		struct sim_line *line = sim_line_new(&options);
		ml_time now = 0;
		const struct heard h = request(line, MBUS_ADDRESS_TEST, &now);
		assert_true(h.count > 0);
		assert_false(is_telegram(&h));
		errors += h.bad > 0;
		sim_line_free(line);
	}
	/* Most often the frame of the bits breaks too. */
	assert_true(errors >= 15);
}

static void acknowledgements_at_one_moment_sound_like_one(void **state)
{
	(void)state;
	struct sim_options options = {.meters = 2, .seed = 1, .baud = 2400, .delay = 11};
	uint8_t bytes[MBUS_FRAME_MAX];
	const size_t length = mbus_build_snd_nke(bytes, MBUS_ADDRESS_TEST);
	struct sim_line *line = sim_line_new(&options);
	ml_time now = 0;
	struct heard h = ask(line, bytes, length, &now);
	assert_int_equal(h.count, 1);
	assert_int_equal(h.bytes[0], 0xE5);
	assert_int_equal(h.bad, 0);
	sim_line_free(line);
	/* Each with a delay of its own: they do not. */
	options.delay = 0;
	line = sim_line_new(&options);
	sim_line_change_meter(line, 0)->delay = 20;
	sim_line_change_meter(line, 1)->delay = 25;
	h = ask(line, bytes, length, &now);
	assert_true(h.count != 1 || h.bytes[0] != 0xE5 || h.bad > 0);
	sim_line_free(line);
}

static void master_hears_its_echo_and_then_the_answer(void **state)
{
	(void)state;
	const struct sim_options options = {
		.meters = 1, .seed = 1, .baud = 2400, .delay = 11, .echo = true};
	struct sim_line *line = sim_line_new(&options);
	uint8_t bytes[MBUS_FRAME_MAX];
	const size_t length = mbus_build_snd_nke(bytes, 1);
	ml_time now = 0;
	const struct heard h = ask(line, bytes, length, &now);
	assert_int_equal(h.count, length + 1);
	assert_memory_equal(h.bytes, bytes, length);
	assert_int_equal(h.bytes[length], 0xE5);
	assert_int_equal(h.bad, 0);
	sim_line_free(line);
}

static void meter_of_another_rate_hears_nothing(void **state)
{
	(void)state;
	const struct sim_options options = {
		.meters = 2, .seed = 1, .baud = 2400, .odd_baud = 300, .delay = 11};
	struct sim_line *line = sim_line_new(&options);
	ml_time now = 0;
	struct heard h = request(line, 1, &now);
	assert_true(is_telegram(&h));
	h = request(line, 2, &now);
	assert_int_equal(h.count, 0);
	sim_line_set_rate(line, (struct sim_rate){300, ML_PARITY_EVEN});
	now += ML_SEC;
	h = request(line, 1, &now);
	assert_int_equal(h.count, 0);
	h = request(line, 2, &now);
	assert_true(is_telegram(&h));
	sim_line_free(line);
}

static void answer_heard_at_a_wrong_rate_has_framing_errors(void **state)
{
	(void)state;
	const struct sim_options options = {.meters = 1, .seed = 1, .baud = 2400};
	struct sim_line *line = sim_line_new(&options);
	uint8_t bytes[MBUS_FRAME_MAX];
	ml_time now = 0;
	sim_line_received(line, bytes, mbus_build_req_ud2(bytes, 1, true), now);
	now = sim_line_drained(line);
	const uint8_t *out = NULL;
	assert_int_equal(sim_line_take(line, now, SPRING, &out), 0);
	sim_line_set_rate(line, (struct sim_rate){9600, ML_PARITY_EVEN});
	const struct heard h = hear(line, &now);
	assert_true(h.bad > h.count / 4);
	assert_false(is_telegram(&h));
	sim_line_free(line);
}

static void rests_between_bytes_make_an_answer_longer(void **state)
{
	(void)state;
	ml_time took[2];
	size_t length = 0;
	for (unsigned i = 0; i < 2; i++) {
		const struct sim_options options = {
			.meters = 1, .seed = 1, .baud = 2400, .delay = 11, .gap = i * 10};
		struct sim_line *line = sim_line_new(&options);
		uint8_t bytes[MBUS_FRAME_MAX];
		ml_time now = 0;
		const struct heard h = ask(line, bytes, mbus_build_req_ud2(bytes, 1, true), &now);
		assert_true(is_telegram(&h));
		took[i] = h.last;
		length = h.count;
		sim_line_free(line);
	}
	const ml_time expected = sim_bits(slow, 10 * (length - 1));
	assert_in_range(took[1] - took[0], expected - 5, expected + 5);
}

static void meter_takes_up_a_rate_and_falls_back_if_nobody_comes(void **state)
{
	(void)state;
	const struct sim_options options = {.meters = 1, .seed = 1, .baud = 2400};
	struct sim_line *line = sim_line_new(&options);
	uint8_t bytes[MBUS_FRAME_MAX];
	ml_time now = 0;
	struct heard h = ask(line, bytes, mbus_build_set_baud(bytes, 1, 9600), &now);
	assert_int_equal(h.count, 1); /* at the old rate */
	assert_int_equal(h.bytes[0], 0xE5);
	h = request(line, 1, &now);
	assert_int_equal(h.count, 0);
	now += 3 * ML_MINUTE;
	h = request(line, 1, &now);
	assert_true(is_telegram(&h));
	/* Again, and this time it is spoken to. */
	(void)ask(line, bytes, mbus_build_set_baud(bytes, 1, 9600), &now);
	sim_line_set_rate(line, (struct sim_rate){9600, ML_PARITY_EVEN});
	h = request(line, 1, &now);
	assert_true(is_telegram(&h));
	now += ML_HOUR;
	h = request(line, 1, &now);
	assert_true(is_telegram(&h));
	sim_line_free(line);
}

static void nothing_goes_through_an_open_or_a_shorted_line(void **state)
{
	(void)state;
	const struct sim_options options = {.meters = 1, .seed = 1, .baud = 2400};
	struct sim_line *line = sim_line_new(&options);
	ml_time now = 0;
	for (int i = 0; i < 2; i++) {
		(i ? sim_line_set_short : sim_line_set_cut)(line, true);
		struct heard h = request(line, 1, &now);
		assert_int_equal(h.count, 0);
		assert_int_equal(sim_line_is_short(line), i == 1);
		(i ? sim_line_set_short : sim_line_set_cut)(line, false);
		h = request(line, 1, &now);
		assert_true(is_telegram(&h));
	}
	sim_line_free(line);
}

struct watched {
	unsigned asked, came;
	bool silence, longer;
};

static void on_answers(void *user, size_t meter, uint8_t *bytes, size_t *length, ml_time *later)
{
	struct watched *w = user;
	w->asked++;
	*later = ML_SEC;
	if (w->silence && meter == 0)
		*length = 0;
	else if (w->longer)
		memset(bytes + *length, 0x55, 500 - *length);
	*length = *length > 0 && w->longer ? 500 : *length;
}

static void on_came(void *user, size_t meter, const uint8_t *bytes, size_t length)
{
	struct watched *w = user;
	(void)meter;
	(void)bytes;
	assert_true(length > 0);
	w->came++;
}

static void who_watches_a_line_may_spoil_it(void **state)
{
	(void)state;
	const struct sim_options options = {.meters = 2, .seed = 1, .baud = 2400};
	struct sim_line *line = sim_line_new(&options);
	struct watched w = {0};
	sim_line_watch(line, &(struct sim_line_watch){&w, on_answers, on_came});
	ml_time now = 0;
	struct heard h = request(line, 1, &now);
	assert_true(is_telegram(&h));
	assert_true(now > 2 * ML_SEC);
	assert_int_equal(w.asked, 2);
	assert_int_equal(w.came, 2);
	/* What is garbled does not come. */
	h = request(line, MBUS_ADDRESS_TEST, &now);
	assert_int_equal(w.asked, 6);
	assert_in_range(w.came, 2, 4); /* the short acknowledgements may */
	w.silence = true;
	w.came = 0;
	h = request(line, MBUS_ADDRESS_TEST, &now);
	assert_true(is_telegram(&h));
	assert_int_equal(w.came, 2);
	w.longer = true;
	h = request(line, 2, &now);
	assert_int_equal(h.count, 500);
	sim_line_free(line);
}

static void delay_the_first(
	void *user, size_t meter, uint8_t *bytes, size_t *length, ml_time *later)
{
	(void)user;
	(void)bytes;
	(void)length;
	*later = meter == 0 ? 5 * ML_SEC : 0;
}

/* Who is late is heard late; those that answer meanwhile are heard all the same. */
static void a_late_answer_deafens_nobody(void **state)
{
	(void)state;
	const struct sim_options options = {.meters = 2, .seed = 1, .baud = 2400};
	struct sim_line *line = sim_line_new(&options);
	sim_line_watch(line, &(struct sim_line_watch){.answers = delay_the_first});
	uint8_t bytes[MBUS_FRAME_MAX];
	const uint8_t *came = NULL;
	sim_line_received(line, bytes, mbus_build_req_ud2(bytes, 1, true), 0);
	(void)sim_line_take(line, sim_line_when(line), SPRING, &came); /* the meter has heard it */
	sim_line_received(line, bytes, mbus_build_req_ud2(bytes, 2, true), ML_SEC);
	ml_time now = ML_SEC;
	size_t count = 0;
	while (sim_line_when(line) < 5 * ML_SEC) {
		now = sim_line_when(line) > now ? sim_line_when(line) : now;
		count += sim_line_take(line, now, SPRING + now, &came);
	}
	assert_true(count > 20);
	const struct heard late = hear(line, &now);
	assert_true(is_telegram(&late));
	assert_true(late.last > 5 * ML_SEC);
	sim_line_free(line);
}

static void same_seed_gives_the_same_collisions(void **state)
{
	(void)state;
	struct heard heard[2];
	for (int i = 0; i < 2; i++) {
		const struct sim_options options = {.meters = 5, .seed = 9, .baud = 2400};
		struct sim_line *line = sim_line_new(&options);
		ml_time now = 0;
		for (int n = 0; n < 3; n++)
			heard[i] = request(line, MBUS_ADDRESS_TEST, &now);
		sim_line_free(line);
	}
	assert_memory_equal(&heard[0], &heard[1], sizeof heard[0]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_voice_is_heard_as_it_is_at_every_rate),
		cmocka_unit_test(the_short_way_hears_the_same),
		cmocka_unit_test(overlapping_bits_are_wired_together),
		cmocka_unit_test(line_that_is_held_down_is_a_break),
		cmocka_unit_test(glitch_is_no_start_bit),
		cmocka_unit_test(wrong_parity_is_seen),
		cmocka_unit_test(two_answers_garble_each_other),
		cmocka_unit_test(acknowledgements_at_one_moment_sound_like_one),
		cmocka_unit_test(master_hears_its_echo_and_then_the_answer),
		cmocka_unit_test(meter_of_another_rate_hears_nothing),
		cmocka_unit_test(answer_heard_at_a_wrong_rate_has_framing_errors),
		cmocka_unit_test(rests_between_bytes_make_an_answer_longer),
		cmocka_unit_test(meter_takes_up_a_rate_and_falls_back_if_nobody_comes),
		cmocka_unit_test(nothing_goes_through_an_open_or_a_shorted_line),
		cmocka_unit_test(who_watches_a_line_may_spoil_it),
		cmocka_unit_test(a_late_answer_deafens_nobody),
		cmocka_unit_test(same_seed_gives_the_same_collisions),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
