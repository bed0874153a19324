/* The search with a hostile bus: whatever answers, all that it wants to try makes sense, progress
 * goes forward, and a search that was kept is taken up where it was. A probe on a hostile line ends
 * in bounded time and sends good frames alone. Text that is no kept search is refused.
 * SPDX-License-Identifier: Apache-2.0
 *
 * Input: what of it (1 byte); then a kept search as text, or answers (4 bytes each), or pieces of
 * what a line says (how long it waits, how many bytes, the bytes; every eighth length damaged).
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "mbus/link.h"
#include "mbus/search_probe.h"
#include "mbus/search_state.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { PROBES_MAX = 3000, STEPS_MAX = 100 };

static void require(bool holds)
{
	if (!holds)
		abort();
}

static void look_at(const struct mbus_search *s, const struct mbus_search_probe *probe)
{
	bool known = false;
	for (size_t i = 0; i < s->options.rate_count; i++)
		known = known || s->options.rates[i] == probe->baud;
	require(known);
	require(probe->secondary || probe->primary <= s->options.last);
}

/* Answers by the input, again and again. */
static void answer_all(struct mbus_search *s, const uint8_t *data, size_t size)
{
	struct mbus_search_probe probe;
	uint32_t progress = mbus_search_progress(s);
	for (size_t i = 0; i < PROBES_MAX && mbus_search_next(s, &probe); i++) {
		uint8_t in[4] = {0};
		for (size_t k = 0; size > 0 && k < sizeof in; k++)
			in[k] = data[(4 * i + k) % size];
		struct mbus_search_answer answer = {
			.outcome = (enum mbus_search_outcome)(in[0] % 5),
			.heard = in[1],
			.repeats = in[0] >> 7,
			.disturbed = in[0] & 0x40,
			.whole = in[0] & 0x20,
			.primary = in[3],
		};
		/* Mostly one that was selected. */
		uint8_t identity[8];
		memcpy(identity, probe.address, sizeof identity);
		for (size_t k = 0; k < sizeof identity && !(in[0] & 0x10); k++)
			identity[k] = identity[k] == 0xFF ? in[1 + k % 3] % 100 : identity[k];
		meter_identity_read(identity, &answer.identity);
		look_at(s, &probe);
		mbus_search_came(s, &answer);
		require(s->found_count <= MBUS_SEARCH_FOUND_MAX);
		require(mbus_search_progress(s) >= progress);
		progress = mbus_search_progress(s);
		require(progress <= MBUS_SEARCH_PROGRESS);
	}
}

static void save(const struct mbus_search *s, struct ml_buffer *buffer)
{
	struct ml_json_writer w;
	ml_json_writer_init(&w, buffer);
	mbus_search_save(s, &w);
	require(!buffer->failed);
}

/* Where it is kept twice, it is the same; and it can always be taken up. */
static void keep_and_take_up(const struct mbus_search *s, struct mbus_search *other)
{
	struct ml_buffer once = {0}, twice = {0}, thrice = {0};
	save(s, &once);
	require(mbus_search_load(other, once.data, once.length, NULL) == 0);
	require(other->found_count == s->found_count && other->meters == s->meters);
	save(other, &twice);
	require(mbus_search_load(other, twice.data, twice.length, NULL) == 0);
	save(other, &thrice);
	require(twice.length == thrice.length &&
		memcmp(twice.data, thrice.data, twice.length) == 0);
	ml_buffer_free(&once);
	ml_buffer_free(&twice);
	ml_buffer_free(&thrice);
}

static void try_engine(uint8_t how, const uint8_t *data, size_t size)
{
	struct mbus_search *s = calloc(2, sizeof *s);
	require(s != NULL);
	const struct mbus_search_options options = {
		.modes = {how & 4 ? MBUS_SEARCH_PRIMARY : MBUS_SEARCH_SECONDARY,
			how & 8 ? MBUS_SEARCH_PRIMARY : MBUS_SEARCH_SECONDARY},
		.mode_count = how & 16 ? 2 : 1,
		.rates = {2400, 300},
		.rate_count = how & 32 ? 2 : 1,
		.last = 20,
		.hex = how & 64,
		.thorough = how & 128,
		.retries = 1,
	};
	require(mbus_search_init(s, &options));
	answer_all(s, data, size);
	if (s->end == MBUS_SEARCH_GOES_ON)
		keep_and_take_up(s, s + 1);
	free(s);
}

static void try_text(const uint8_t *data, size_t size)
{
	struct mbus_search *s = calloc(2, sizeof *s);
	require(s != NULL);
	if (mbus_search_load(s, (const char *)data, size, NULL) == 0) {
		keep_and_take_up(s, s + 1);
		answer_all(s, data, size);
	}
	free(s);
}

static void look_at_frame(const uint8_t *bytes, size_t length)
{
	struct mbus_found found;
	require(mbus_link_scan(bytes, length, true, false, &found) >= MBUS_SCAN_SHORT);
	require(found.begin == 0 && found.length == length);
}

/* Does what is to be done now; true: the probe is over. */
static bool pump(struct mbus_probe *p, ml_time now, unsigned *sent)
{
	const uint8_t *bytes = NULL;
	size_t length = 0;
	for (;;) {
		switch (mbus_probe_next(p, now, &bytes, &length)) {
		case MBUS_PROBE_SEND:
			look_at_frame(bytes, length);
			require(++*sent < STEPS_MAX);
			break;
		case MBUS_PROBE_OVER:
			return true;
		default:
			require(mbus_probe_when(p) > now && mbus_probe_when(p) != ML_NEVER);
			return false;
		}
	}
}

static void try_line(uint8_t how, const uint8_t *data, size_t size)
{
	struct mbus_probe p = {0};
	struct mbus_timing timing = {.readout_retries = 2};
	const struct mbus_search_probe what = {
		.secondary = how & 4,
		.primary = 5,
		.address = {0x78, 0x03, 0x49, 0x11, 0x77, 0x04, 0x0E, 0x16},
		.baud = how & 8 ? 300 : 2400,
		.careful = how & 16,
	};
	ml_time now = ML_SEC;
	unsigned sent = 0;
	mbus_timing_derive(&timing, what.baud);
	mbus_probe_begin(&p, &what, &timing, now);
	bool over = pump(&p, now, &sent);
	for (size_t at = 0; !over && at + 2 <= size;) {
		const size_t length = data[at + 1] < size - at - 2 ? data[at + 1] : size - at - 2;
		now += (ml_time)data[at] * ML_MSEC * 4;
		over = pump(&p, now, &sent);
		mbus_probe_received(&p, data + at + 2, length, data[at + 1] % 8 == 7, now);
		over = over || pump(&p, now, &sent);
		at += 2 + length;
	}
	/* Silence ends it. */
	for (unsigned i = 0; !over; i++) {
		require(i < STEPS_MAX);
		now = mbus_probe_when(&p);
		over = pump(&p, now, &sent);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size == 0)
		return 0;
	if (data[0] == '{')
		try_text(data, size);
	else if (data[0] & 1)
		try_engine(data[0], data + 1, size - 1);
	else
		try_line(data[0], data + 1, size - 1);
	return 0;
}
