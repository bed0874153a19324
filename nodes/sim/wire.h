/* The electrical truth of a line: several that send at once, and what a receiver makes of it.
 * SPDX-License-Identifier: Apache-2.0
 *
 * Pure: no clock, no I/O, no memory of its own. A line at rest is 1, and whoever sends a 0 wins; a
 * receiver looks for a start bit and samples the middle of each bit at its own rate, so that
 * overlaps, wrong rates and wrong parities come out as they do on a real line.
 */
#ifndef SIM_WIRE_H
#define SIM_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <meterloom/clock.h>
#include <meterloom/stream.h>

/* How bytes are sent or heard: a start bit, eight bits, parity, one stop bit. */
struct sim_rate {
	unsigned baud;
	enum ml_parity parity;
};

/* What one sends. */
struct sim_sound {
	ml_time begin; /* of the first start bit */
	struct sim_rate rate;
	unsigned gap; /* bit times of rest after each byte */
	const uint8_t *bytes;
	size_t length;
};

enum { /* marks of a byte that was heard */
	SIM_PARITY_ERROR = 1 << 0,
	SIM_FRAMING_ERROR = 1 << 1, /* no stop bit */
};

struct sim_heard {
	uint8_t byte;
	uint8_t marks; /* 0: good */
};

/* A receiver: where it goes on to listen. */
struct sim_ear {
	struct sim_rate rate;
	ml_time at;
};

ml_time sim_bits(struct sim_rate rate, uint64_t bits); /* how long so many take */
unsigned sim_byte_bits(struct sim_rate rate);          /* of a byte: 10 or 11 */
ml_time sim_sound_end(const struct sim_sound *sound);

/* When the next byte has come whole; ML_NEVER: none is on its way. */
ml_time sim_ear_when(
	const struct sim_ear *ear, const struct sim_sound *const *sounds, size_t count);

/* The short way where one speaks alone, and ear and sender agree on the rate: takes all bytes that
 * have come whole by `now`, at most `size`. 0: there are none, or it takes sim_ear_hear(). */
size_t sim_ear_copy(struct sim_ear *ear, const struct sim_sound *const *sounds, size_t count,
	ml_time now, uint8_t *bytes, size_t size);

/* There: when `more` bytes after the next one have come, or the last there is; ML_NEVER: it takes
 * sim_ear_when(). */
ml_time sim_ear_when_more(const struct sim_ear *ear, const struct sim_sound *const *sounds,
	size_t count, size_t more);

/* Takes the next byte if it has come whole by `now`. */
bool sim_ear_hear(struct sim_ear *ear, const struct sim_sound *const *sounds, size_t count,
	ml_time now, struct sim_heard *heard);

#endif
