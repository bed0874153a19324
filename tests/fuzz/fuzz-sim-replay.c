/* A recording that is played back to any master: nothing comes before its time, and nothing that is
 * not in it. SPDX-License-Identifier: Apache-2.0
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "sim/replay.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void ask(struct sim_replay *r, const uint8_t *data, size_t size)
{
	ml_time now = 0;
	sim_replay_begin(r, now);
	while (size > 1) {
		const size_t wanted = 1 + data[0] % 32u;
		const size_t length = wanted < size - 1 ? wanted : size - 1;
		const uint8_t *bytes = NULL;
		bool damaged = false;
		now += data[0] * ML_MSEC;
		if (data[0] == 0xFF)
			sim_replay_set_baud(r, 300);
		sim_replay_received(r, data + 1, length, now);
		for (unsigned i = 0; i < 4 && sim_replay_when(r) != ML_NEVER; i++) {
			const ml_time when = sim_replay_when(r);
			if (sim_replay_take(r, when - 1, &bytes, &damaged) != 0 ||
				sim_replay_take(r, when, &bytes, &damaged) == 0 || !bytes)
				abort();
			now = when > now ? when : now;
		}
		data += 1 + length;
		size -= 1 + length;
	}
	const struct sim_replay_tally tally = sim_replay_tally(r);
	if (tally.unknown > tally.asked ||
		(sim_replay_questions(r) == 0 && tally.unknown != tally.asked))
		abort();
}

/* The input: a recording, a byte 0, and what the master sends. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const uint8_t *zero = memchr(data, 0, size);
	const size_t length = zero ? (size_t)(zero - data) : size;
	struct sim_replay *r = NULL;
	char path[64];
	const int fd = memfd_create("recording", MFD_CLOEXEC);
	if (fd < 0 || write(fd, data, length) != (ssize_t)length)
		abort();
	(void)snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
	if (sim_replay_open(path, &r, NULL) == 0)
		ask(r, data + length, size - length);
	sim_replay_free(r);
	(void)close(fd);
	return 0;
}
