/* The master with a hostile line: whatever comes, and whenever, each readout ends in bounded time,
 * all that is sent are good frames, and a telegram that is handed on is one.
 * SPDX-License-Identifier: Apache-2.0
 *
 * Input: how to ask (1 byte), then pieces: how long it waits (1), how many bytes follow (1), the
 * bytes. Every eighth length is that of bytes with a parity error.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "mbus/master.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds)
{
	if (!holds)
		abort();
}

static void look_at(const struct mbus_step *step)
{
	struct mbus_found found;
	require(step->length <= MBUS_FRAME_MAX);
	switch (step->kind) {
	case MBUS_STEP_SEND:
		require(mbus_link_scan(step->bytes, step->length, true, false, &found) >=
			MBUS_SCAN_SHORT);
		require(found.begin == 0 && found.length == step->length);
		break;
	case MBUS_STEP_TELEGRAM:
		require(mbus_link_scan(step->bytes, step->length, true, false, &found) ==
			MBUS_SCAN_LONG);
		require(found.begin == 0 && found.length == step->length);
		require(step->tries > 0);
		break;
	case MBUS_STEP_DONE:
		require(step->last);
		break;
	case MBUS_STEP_FAILED:
		require(step->last && step->result != METER_FRAME_OK);
		break;
	}
}

static void ask(struct mbus_request *request, uint8_t how)
{
	static const uint8_t address[] = {0x78, 0x03, 0x49, 0x11, 0xFF, 0xFF, 0xFF, 0xFF};
	*request = (struct mbus_request){
		.secondary = how & 1,
		.primary = how & 2 ? 8 : 254,
		.baud = how & 4 ? 300 : 2400,
		.telegrams = how >> 4,
		.has_command = how & 16,
		.command_optional = how & 32,
		.command_ci = 0x50,
		.command_length = how & 64 ? 1 : 0,
		.quick = how & 128,
		.timing = {.readout_retries = 2, .selection_retries = 2, .multi_retries = 1},
		.peer = {.known = how & 8},
	};
	memcpy(request->address, address, sizeof address);
	mbus_timing_derive(&request->timing, request->baud);
}

/* All that can be done now. */
static void pump(struct mbus_master *m, ml_time now)
{
	struct mbus_step step;
	for (unsigned steps = 0; mbus_master_next(m, now, &step); steps++) {
		require(steps < 4);
		look_at(&step);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size == 0)
		return 0;
	struct mbus_master m;
	struct mbus_request request;
	ml_time now = 0;
	ml_time begun = 0;
	ask(&request, data[0]);
	mbus_master_init(&m);
	for (size_t at = 1; at < size || !mbus_master_idle(&m);) {
		if (mbus_master_idle(&m)) {
			request.peer = mbus_master_peer(&m);
			mbus_master_read(&m, &request, now);
			begun = now;
		}
		pump(&m, now);
		const ml_time wait = at < size ? data[at++] * 2 * ML_MSEC : ML_NEVER;
		const ml_time when = mbus_master_when(&m);
		require(mbus_master_idle(&m) || when != ML_NEVER);
		if (!mbus_master_idle(&m) && (wait == ML_NEVER || when <= now + wait)) {
			now = when > now ? when : now;
			mbus_master_due(&m, now);
		} else if (wait != ML_NEVER) {
			now += wait;
		}
		if (at < size) {
			size_t length = data[at++];
			length = length < size - at ? length : size - at;
			if (data[at - 1] % 8 == 7)
				mbus_master_damaged(&m, data + at, length, now);
			else
				mbus_master_received(&m, data + at, length, now);
			at += length;
		}
		pump(&m, now);
		require(now - begun < 40 * 60 * ML_SEC);
	}
	return 0;
}
