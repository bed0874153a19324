/* Fuzzes the frame parser: what it finds in a stream is the same in pieces of any size, and sound.
 * SPDX-License-Identifier: Apache-2.0
 *
 * The first byte is the size of the pieces, the rest the stream.
 */
#include <stdint.h>
#include <stdlib.h>

#include "mbus/frame.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct result {
	uint64_t frames, bytes, junk, left;
};

static struct result parse(const uint8_t *data, size_t size, size_t piece)
{
	struct mbus_parser parser;
	struct mbus_frame frame;
	struct result result = {0};
	mbus_parser_init(&parser);
	for (size_t at = 0; at < size;) {
		const size_t most = piece < size - at ? piece : size - at;
		size_t taken = 0;
		do {
			taken += mbus_parser_feed(&parser, data + at + taken, most - taken, &frame);
			if (frame.kind) {
				struct mbus_frame again;
				result.frames++;
				result.bytes += frame.length;
				if (mbus_frame_check(frame.bytes, frame.length, &again, NULL) !=
					MBUS_CHECK_OK)
					abort();
			}
		} while (frame.kind);
		if (taken != most)
			abort();
		at += most;
	}
	result.junk = parser.junk;
	result.left = mbus_parser_reset(&parser);
	return result;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size == 0)
		return 0;
	const size_t piece = data[0] ? data[0] : 1;
	const struct result pieces = parse(data + 1, size - 1, piece);
	const struct result whole = parse(data + 1, size - 1, size);
	/* Nothing is lost: each byte is in a frame, dropped, or waited for. */
	if (whole.bytes + whole.junk + whole.left != size - 1)
		abort();
	if (pieces.frames != whole.frames || pieces.bytes != whole.bytes ||
		pieces.junk != whole.junk || pieces.left != whole.left)
		abort();
	return 0;
}
