/* Bytes of a terminal with marks of parity errors among them: however they are cut into pieces, the
 * same bytes come out, none of them longer than what went in.
 * SPDX-License-Identifier: Apache-2.0
 *
 * Input: how long the pieces are (1 byte), then the bytes.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "run/parmrk.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { MOST = 4096 };

struct told {
	uint8_t bytes[MOST];
	bool damaged[MOST];
	size_t count;
};

static void feed(const uint8_t *data, size_t size, size_t piece, struct told *told)
{
	struct parmrk marks = {0};
	uint8_t buffer[256];
	while (size > 0) {
		size_t length = size < piece ? size : piece;
		memcpy(buffer, data, length);
		data += length;
		size -= length;
		for (uint8_t *next = buffer; length > 0;) {
			size_t run = 0;
			bool damaged = false;
			const size_t used = parmrk_run(&marks, next, length, &run, &damaged);
			if (used == 0 || used > length || run > used)
				abort();
			memcpy(told->bytes + told->count, next, run);
			memset(told->damaged + told->count, damaged, run);
			told->count += run;
			next += used;
			length -= used;
		}
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct told whole, pieces;
	if (size < 2 || size > MOST)
		return 0;
	whole.count = pieces.count = 0;
	feed(data + 1, size - 1, 256, &whole);
	feed(data + 1, size - 1, 1u + data[0] % 16, &pieces);
	if (whole.count > size - 1 || whole.count != pieces.count ||
		memcmp(whole.bytes, pieces.bytes, whole.count) != 0 ||
		memcmp(whole.damaged, pieces.damaged, whole.count * sizeof(bool)) != 0)
		abort();
	return 0;
}
