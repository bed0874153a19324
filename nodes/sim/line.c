/* The line between a master and virtual meters.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "sim/line.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "mbus/link.h"

enum {
	BITS = 11,
	IN_MAX = 600,
	GAP_BITS = 33, /* a longer silence ends a frame */
	CHUNK_MS = 16, /* adapters hand on what came in so much time */
};

struct sim_line {
	struct sim_options options;
	struct sim_meter *meters; /* owned */
	uint8_t in[IN_MAX];       /* what the meters hear */
	size_t in_length;
	ml_time in_end; /* when the last of it has left the master */
	bool heard;     /* not yet looked at */
	uint8_t out[MBUS_FRAME_MAX];
	size_t out_length, out_taken;
	ml_time out_begin; /* when the first bit of it is sent */
};

struct sim_line *sim_line_new(const struct sim_options *options)
{
	struct sim_line *line = calloc(1, sizeof *line);
	if (!line)
		return NULL;
	line->options = *options;
	line->meters = calloc(options->meters ? options->meters : 1, sizeof *line->meters);
	if (!line->meters) {
		free(line);
		return NULL;
	}
	for (unsigned i = 0; i < options->meters; i++)
		sim_meter_init(&line->meters[i], options->seed, i);
	return line;
}

void sim_line_free(struct sim_line *line)
{
	if (!line)
		return;
	free(line->meters);
	free(line);
}

size_t sim_line_meter_count(const struct sim_line *line)
{
	return line->options.meters;
}

const struct sim_meter *sim_line_meter(const struct sim_line *line, size_t index)
{
	return index < line->options.meters ? &line->meters[index] : NULL;
}

void sim_line_set_baud(struct sim_line *line, unsigned baud)
{
	line->options.baud = baud;
}

static ml_time bit_times(const struct sim_line *line, size_t bits)
{
	return line->options.fast ? 0 : (ml_time)bits * ML_SEC / line->options.baud;
}

void sim_line_received(struct sim_line *line, const uint8_t *bytes, size_t length, ml_time now)
{
	/* Half a frame that was left is noise. */
	if (line->in_length > 0 && now > line->in_end + bit_times(line, GAP_BITS) + ML_SEC / 10)
		line->in_length = 0;
	if (length > IN_MAX - line->in_length)
		line->in_length = 0;
	if (length > IN_MAX) {
		bytes += length - IN_MAX;
		length = IN_MAX;
	}
	memcpy(line->in + line->in_length, bytes, length);
	line->in_length += length;
	line->in_end = (line->in_end > now ? line->in_end : now) + bit_times(line, length * BITS);
	line->heard = true;
}

ml_time sim_line_drained(const struct sim_line *line)
{
	return line->in_end;
}

/* Two that send at once: a 0 wins over a 1, and a line at rest is 1. */
static size_t superpose(uint8_t *out, size_t length, const uint8_t *more, size_t more_length)
{
	for (size_t i = 0; i < more_length; i++)
		out[i] = i < length ? out[i] & more[i] : more[i];
	return length > more_length ? length : more_length;
}

static void ask_meters(struct sim_line *line, const struct mbus_frame *frame, ml_time wall)
{
	unsigned delay = 0;
	line->out_length = line->out_taken = 0;
	for (unsigned i = 0; i < line->options.meters; i++) {
		uint8_t answer[MBUS_FRAME_MAX];
		const size_t length = sim_meter_answer(&line->meters[i], frame, wall, answer);
		if (length == 0)
			continue;
		line->out_length = superpose(line->out, line->out_length, answer, length);
		if (delay == 0)
			delay = line->options.delay ? line->options.delay : line->meters[i].delay;
	}
	line->out_begin = line->in_end + bit_times(line, delay);
}

/* Takes the frames out of what the master sent. */
static void listen(struct sim_line *line, ml_time wall)
{
	struct mbus_found found;
	line->heard = false;
	for (;;) {
		const enum mbus_scan kind =
			mbus_link_scan(line->in, line->in_length, false, false, &found);
		if (kind < MBUS_SCAN_ACK) {
			if (kind != MBUS_SCAN_PARTIAL)
				line->in_length = 0;
			return;
		}
		struct mbus_frame frame;
		if (mbus_frame_check(line->in + found.begin, found.length, &frame, NULL) ==
			MBUS_CHECK_OK)
			ask_meters(line, &frame, wall);
		const size_t used = found.begin + found.length;
		line->in_length -= used;
		memmove(line->in, line->in + used, line->in_length);
	}
}

/* When the byte at `index` of the answer has come whole. */
static ml_time arrival(const struct sim_line *line, size_t index)
{
	return line->out_begin + bit_times(line, (index + 1) * BITS);
}

static size_t chunk(const struct sim_line *line)
{
	const size_t bytes = (size_t)line->options.baud * CHUNK_MS / (BITS * 1000);
	return line->options.fast ? MBUS_FRAME_MAX : bytes > 0 ? bytes : 1;
}

ml_time sim_line_when(const struct sim_line *line)
{
	if (line->heard)
		return line->in_end;
	if (line->out_taken == line->out_length)
		return ML_NEVER;
	size_t last = line->out_taken + chunk(line);
	last = last < line->out_length ? last : line->out_length;
	return arrival(line, last - 1);
}

size_t sim_line_take(struct sim_line *line, ml_time now, ml_time wall, const uint8_t **bytes)
{
	if (line->heard && now >= line->in_end)
		listen(line, wall);
	size_t count = 0;
	while (line->out_taken + count < line->out_length &&
		arrival(line, line->out_taken + count) <= now)
		count++;
	*bytes = line->out + line->out_taken;
	line->out_taken += count;
	return count;
}

void sim_line_discard(struct sim_line *line)
{
	line->in_length = 0;
	line->heard = false;
	line->out_length = line->out_taken = 0;
}

/* ---- Options as text ---- */

static int set_option(struct sim_options *o, const char *name, size_t length,
	unsigned long long value, struct ml_error *err)
{
	static const char expected[] = "expected meters (1 to 10000), seed, baud (300 to 115200), "
				       "delay (bit times) or fast (0 or 1)";
#define IS(text) (length == sizeof text - 1 && memcmp(name, text, length) == 0)
	if (IS("meters") && value >= 1 && value <= SIM_METERS_MAX)
		o->meters = (unsigned)value;
	else if (IS("seed"))
		o->seed = value;
	else if (IS("baud") && value >= 300 && value <= 115200)
		o->baud = (unsigned)value;
	else if (IS("delay") && value <= 10000)
		o->delay = (unsigned)value;
	else if (IS("fast") && value <= 1)
		o->fast = value != 0;
	else
		return ml_error_set(err, -EINVAL, "simulated bus: %.*s=%llu: %s",
			length < 32 ? (int)length : 32, name, value, expected);
#undef IS
	return 0;
}

int sim_options_parse(const char *text, struct sim_options *options, struct ml_error *err)
{
	const char *at = text;
	while (*at) {
		const char *name = "meters";
		size_t length = strlen(name);
		const char *equals = at + strcspn(at, "=&");
		if (*equals == '=') {
			name = at;
			length = (size_t)(equals - at);
			at = equals + 1;
		}
		char *end = NULL;
		const unsigned long long value = strtoull(at, &end, 10);
		if (end == at || *at < '0' || *at > '9' ||
			(*end != '\0' && (*end != '&' || end[1] == '\0')))
			return ml_error_set_at(err, -EINVAL, at - text,
				"simulated bus '%.60s': expected a number of meters, or "
				"meters=20&seed=1&baud=2400&delay=11&fast=0 or some of these",
				text);
		const int result = set_option(options, name, length, value, err);
		if (result < 0)
			return result;
		at = *end ? end + 1 : end;
	}
	return 0;
}
