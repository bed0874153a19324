/* Marks of parity and framing errors as a terminal puts them among its bytes.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "run/parmrk.h"

/* Feeds `bytes` in pieces of `piece`; good bytes and bad ones are put one after another. */
static size_t feed(const uint8_t *bytes, size_t length, size_t piece, uint8_t *out, bool *bad)
{
	struct parmrk p = {0};
	size_t count = 0;
	for (size_t at = 0; at < length;) {
		uint8_t buffer[16];
		size_t n = length - at < piece ? length - at : piece;
		memcpy(buffer, bytes + at, n);
		at += n;
		for (uint8_t *next = buffer; n > 0;) {
			size_t run = 0;
			bool damaged = false;
			const size_t used = parmrk_run(&p, next, n, &run, &damaged);
			assert_true(used > 0 && run <= used);
			for (size_t i = 0; i < run; i++) {
				out[count] = next[i];
				bad[count++] = damaged;
			}
			next += used;
			n -= used;
		}
	}
	return count;
}

static void marks_are_told_from_bytes_in_pieces_of_any_size(void **state)
{
	(void)state;
	static const uint8_t in[] = {0x68, 0xFF, 0xFF, 0xFF, 0x00, 0xE5, 0xFF, 0x00, 0x00, 0x00,
		0xFF, 0x00, 0xFF, 0xFF, 0xFF, 0x16};
	static const uint8_t out[] = {0x68, 0xFF, 0xE5, 0x00, 0x00, 0xFF, 0xFF, 0x16};
	static const bool bad[] = {false, false, true, true, false, true, false, false};
	for (size_t piece = 1; piece <= 16; piece++) {
		uint8_t got[32];
		bool marks[32];
		assert_int_equal(feed(in, sizeof in, piece, got, marks), sizeof out);
		assert_memory_equal(got, out, sizeof out);
		assert_memory_equal(marks, bad, sizeof bad);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(marks_are_told_from_bytes_in_pieces_of_any_size),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
