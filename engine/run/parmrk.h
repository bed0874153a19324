/* What a terminal with PARMRK hands on: good bytes, and bytes with a parity or framing error.
 * SPDX-License-Identifier: Apache-2.0
 *
 * A bad byte X comes as FF 00 X, a break as FF 00 00, and a good FF as FF FF (termios(3)).
 */
#ifndef ML_RUN_PARMRK_H
#define ML_RUN_PARMRK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct parmrk {
	uint8_t before; /* 0: nothing, 1: FF, 2: FF 00 */
};

/* Takes bytes up to the end of a run of equally good ones. Puts them to the front of `bytes`, their
 * number into *run, and returns how many it took. */
static inline size_t parmrk_run(
	struct parmrk *p, uint8_t *bytes, size_t length, size_t *run, bool *damaged)
{
	size_t at = 0;
	*run = 0;
	*damaged = false;
	while (at < length) {
		const uint8_t byte = bytes[at];
		if (p->before == 0 && byte == 0xFF) {
			p->before = 1;
			at++;
			continue;
		}
		if (p->before == 1 && byte == 0x00) {
			p->before = 2;
			at++;
			continue;
		}
		const bool bad = p->before == 2;
		if (*run > 0 && bad != *damaged)
			return at;
		*damaged = bad;
		p->before = 0;
		bytes[(*run)++] = byte;
		at++;
	}
	return at;
}

#endif
