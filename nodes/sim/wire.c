/* Levels of a line over time, and a receiver that samples them.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "sim/wire.h"

enum { DATA_BITS = 8 };

ml_time sim_bits(struct sim_rate rate, uint64_t bits)
{
	return (ml_time)(bits * (uint64_t)ML_SEC / rate.baud);
}

unsigned sim_byte_bits(struct sim_rate rate)
{
	return 1 + DATA_BITS + (rate.parity != ML_PARITY_NONE) + 1;
}

static bool parity_bit(uint8_t byte, enum ml_parity parity)
{
	unsigned ones = parity == ML_PARITY_ODD;
	for (; byte; byte &= (uint8_t)(byte - 1))
		ones++;
	return ones & 1;
}

/* Bits from the start of one byte to that of the next. */
static uint64_t stride(const struct sim_sound *sound)
{
	return sim_byte_bits(sound->rate) + sound->gap;
}

ml_time sim_sound_end(const struct sim_sound *sound)
{
	return sound->begin + sim_bits(sound->rate, stride(sound) * sound->length);
}

/* Bit `index` of a sound, counted from its begin. */
static bool bit(const struct sim_sound *sound, uint64_t index)
{
	const uint64_t byte = index / stride(sound);
	const uint64_t place = index % stride(sound);
	if (byte >= sound->length)
		return true;
	if (place == 0)
		return false;
	if (place <= DATA_BITS)
		return sound->bytes[byte] >> (place - 1) & 1;
	if (place == DATA_BITS + 1 && sound->rate.parity != ML_PARITY_NONE)
		return parity_bit(sound->bytes[byte], sound->rate.parity);
	return true;
}

/* The bit that is sent at `at`, which is not before the begin. */
static uint64_t bit_at(const struct sim_sound *sound, ml_time at)
{
	const uint64_t elapsed = (uint64_t)(at - sound->begin);
	uint64_t index = elapsed * sound->rate.baud / (uint64_t)ML_SEC;
	/* Its end is cut to whole microseconds, too. */
	if (sim_bits(sound->rate, index + 1) <= (ml_time)elapsed)
		index++;
	return index;
}

static bool level_of(const struct sim_sound *sound, ml_time at)
{
	return at < sound->begin || bit(sound, bit_at(sound, at));
}

static bool level(const struct sim_sound *const *sounds, size_t count, ml_time at)
{
	for (size_t i = 0; i < count; i++) {
		if (!level_of(sounds[i], at))
			return false;
	}
	return true;
}

/* The first moment from `at` on at which this one sends a 0. */
static ml_time next_low_of(const struct sim_sound *sound, ml_time at)
{
	if (at <= sound->begin)
		return sound->length > 0 ? sound->begin : ML_NEVER;
	if (!level_of(sound, at))
		return at;
	for (uint64_t index = bit_at(sound, at) + 1; index < stride(sound) * sound->length;) {
		if (!bit(sound, index))
			return sound->begin + sim_bits(sound->rate, index);
		index++;
	}
	return ML_NEVER;
}

static ml_time next_low(const struct sim_sound *const *sounds, size_t count, ml_time at)
{
	ml_time first = ML_NEVER;
	for (size_t i = 0; i < count; i++) {
		const ml_time low = next_low_of(sounds[i], at);
		first = low < first ? low : first;
	}
	return first;
}

/* The first moment from `at` on at which nobody sends a 0. */
static ml_time next_high(const struct sim_sound *const *sounds, size_t count, ml_time at)
{
	for (size_t i = 0; i < count;) {
		if (level_of(sounds[i], at)) {
			i++;
			continue;
		}
		const uint64_t index = bit_at(sounds[i], at) + 1;
		at = sounds[i]->begin + sim_bits(sounds[i]->rate, index);
		i = 0;
	}
	return at;
}

ml_time sim_ear_when(const struct sim_ear *ear, const struct sim_sound *const *sounds, size_t count)
{
	const ml_time start = next_low(sounds, count, ear->at);
	return start == ML_NEVER ? ML_NEVER : start + sim_bits(ear->rate, sim_byte_bits(ear->rate));
}

/* The middle of a bit, counted from the start bit. */
static ml_time middle(struct sim_rate rate, ml_time start, unsigned index)
{
	return start + (ml_time)((2 * (uint64_t)index + 1) * (uint64_t)ML_SEC / (2 * rate.baud));
}

static struct sim_heard sample(const struct sim_ear *ear, const struct sim_sound *const *sounds,
	size_t count, ml_time start)
{
	const struct sim_rate rate = ear->rate;
	struct sim_heard heard = {0};
	for (unsigned i = 0; i < DATA_BITS; i++) {
		if (level(sounds, count, middle(rate, start, 1 + i)))
			heard.byte |= (uint8_t)(1u << i);
	}
	if (rate.parity != ML_PARITY_NONE &&
		level(sounds, count, middle(rate, start, 1 + DATA_BITS)) !=
			parity_bit(heard.byte, rate.parity))
		heard.marks |= SIM_PARITY_ERROR;
	if (!level(sounds, count, middle(rate, start, sim_byte_bits(rate) - 1)))
		heard.marks |= SIM_FRAMING_ERROR;
	return heard;
}

/* The short way, for nearly every byte: nobody else speaks while it comes, and its sender and the
 * ear agree on the rate, so that it is heard as it was sent. NULL: it has to be sampled. */
static const uint8_t *plain_byte(const struct sim_ear *ear, const struct sim_sound *const *sounds,
	size_t count, ml_time start)
{
	const struct sim_sound *sound = NULL;
	const ml_time end = start + sim_bits(ear->rate, sim_byte_bits(ear->rate)) + 1;
	for (size_t i = 0; i < count; i++) {
		if (sounds[i]->begin > end || sim_sound_end(sounds[i]) <= start)
			continue;
		if (sound)
			return NULL;
		sound = sounds[i];
	}
	if (!sound || sound->rate.baud != ear->rate.baud ||
		sound->rate.parity != ear->rate.parity || start < sound->begin)
		return NULL;
	const uint64_t index = bit_at(sound, start);
	if (index % stride(sound) != 0 || start != sound->begin + sim_bits(sound->rate, index))
		return NULL;
	return &sound->bytes[index / stride(sound)];
}

bool sim_ear_hear(struct sim_ear *ear, const struct sim_sound *const *sounds, size_t count,
	ml_time now, struct sim_heard *heard)
{
	for (;;) {
		const ml_time start = next_low(sounds, count, ear->at);
		if (start == ML_NEVER ||
			start + sim_bits(ear->rate, sim_byte_bits(ear->rate)) > now)
			return false;
		const uint8_t *plain = plain_byte(ear, sounds, count, start);
		if (plain) {
			*heard = (struct sim_heard){.byte = *plain};
			ear->at = middle(ear->rate, start, sim_byte_bits(ear->rate) - 1);
			return true;
		}
		const ml_time confirmed = middle(ear->rate, start, 0);
		if (level(sounds, count, confirmed)) {
			ear->at = confirmed; /* too short for a start bit */
			continue;
		}
		*heard = sample(ear, sounds, count, start);
		/* The next start bit is looked for from the middle of the stop bit on; a line that
		 * is still low must rise first. */
		ear->at = next_high(
			sounds, count, middle(ear->rate, start, sim_byte_bits(ear->rate) - 1));
		return true;
	}
}

/* Which byte of a sound that is heard alone, as it is sent, comes next. false: it is not so. */
static bool next_of_one(const struct sim_ear *ear, const struct sim_sound *const *sounds,
	size_t count, size_t *next)
{
	if (count != 1 || sounds[0]->rate.baud != ear->rate.baud ||
		sounds[0]->rate.parity != ear->rate.parity)
		return false;
	const struct sim_sound *sound = sounds[0];
	*next = 0;
	if (ear->at <= sound->begin)
		return sound->length > 0;
	/* In the stop bit of the byte before, or in the rest after it. */
	const uint64_t index = bit_at(sound, ear->at);
	*next = (size_t)(index / stride(sound)) + 1;
	return index % stride(sound) + 1 >= sim_byte_bits(sound->rate) && *next < sound->length;
}

static ml_time start_of(const struct sim_sound *sound, size_t byte)
{
	return sound->begin + sim_bits(sound->rate, stride(sound) * byte);
}

size_t sim_ear_copy(struct sim_ear *ear, const struct sim_sound *const *sounds, size_t count,
	ml_time now, uint8_t *bytes, size_t size)
{
	size_t next, taken = 0;
	if (!next_of_one(ear, sounds, count, &next))
		return 0;
	const struct sim_sound *sound = sounds[0];
	const ml_time length = sim_bits(ear->rate, sim_byte_bits(ear->rate));
	while (taken < size && next + taken < sound->length &&
		start_of(sound, next + taken) + length <= now) {
		bytes[taken] = sound->bytes[next + taken];
		taken++;
	}
	if (taken > 0)
		ear->at = middle(
			ear->rate, start_of(sound, next + taken - 1), sim_byte_bits(ear->rate) - 1);
	return taken;
}

ml_time sim_ear_when_more(
	const struct sim_ear *ear, const struct sim_sound *const *sounds, size_t count, size_t more)
{
	size_t next;
	if (!next_of_one(ear, sounds, count, &next))
		return ML_NEVER;
	const struct sim_sound *sound = sounds[0];
	const size_t last = more < sound->length - next ? next + more : sound->length - 1;
	return start_of(sound, last) + sim_bits(ear->rate, sim_byte_bits(ear->rate));
}
