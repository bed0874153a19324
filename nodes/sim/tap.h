/* Who said what, on a line where both sides are heard: by the frames, since nothing else tells.
 * SPDX-License-Identifier: Apache-2.0
 *
 * Pure: no clock, no I/O, no allocation.
 */
#ifndef SIM_TAP_H
#define SIM_TAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <meterloom/clock.h>

enum {
	SIM_TAP_HEAD = 5, /* bytes by which a frame's sender is known */
	SIM_TAP_RUN = 256,
};

struct sim_tap {
	void *user;
	/* Bytes of one side that came together. */
	void (*heard)(void *user, ml_time time, bool master, bool damaged, const uint8_t *bytes,
		size_t length);
	/* private */
	uint8_t head[SIM_TAP_HEAD];
	bool head_damaged[SIM_TAP_HEAD];
	size_t head_length;
	ml_time head_time, last;
	uint8_t run[SIM_TAP_RUN]; /* that is not told yet */
	size_t run_length;
	ml_time run_time;
	bool run_master, run_damaged;
	size_t rest; /* bytes of a frame whose sender is known that are still to come */
	bool master; /* it is the master's */
};

void sim_tap_init(struct sim_tap *tap, void *user,
	void (*heard)(void *user, ml_time time, bool master, bool damaged, const uint8_t *bytes,
		size_t length));
void sim_tap_bytes(
	struct sim_tap *tap, ml_time time, bool damaged, const uint8_t *bytes, size_t length);
/* What is held back of a frame that has just begun is told as the line's. */
void sim_tap_flush(struct sim_tap *tap);

#endif
