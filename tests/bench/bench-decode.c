/* What decoding costs: telegrams to readings, and on to JSON.
 * SPDX-License-Identifier: Apache-2.0
 *
 * Usage: bench-decode FILE, with one JSON object a line that has a telegram as "hex". All of them,
 * bad ones too, are decoded over and over by one thread. The figures of libmbus are of the machine
 * that the limits were set on.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include <meterloom/clock.h>
#include <meterloom/json.h>

#include "mbus/application.h"
#include "meter/reading.h"

enum { TELEGRAMS_MAX = 1024, RUNS = 200, ROUNDS = 50 };

struct telegram {
	uint8_t bytes[261];
	size_t length;
};

static struct telegram telegrams[TELEGRAMS_MAX];
static size_t count;

static void add(const char *hex)
{
	struct telegram *t = &telegrams[count];
	if (strlen(hex) > 2 * sizeof t->bytes || count == TELEGRAMS_MAX)
		return;
	for (; hex[0] && hex[1]; hex += 2) {
		const char digits[] = {hex[0], hex[1], '\0'};
		t->bytes[t->length++] = (uint8_t)strtoul(digits, NULL, 16);
	}
	count++;
}

static bool load(const char *path)
{
	char line[32 * 1024];
	FILE *file = fopen(path, "r");
	if (!file) {
		perror(path);
		return false;
	}
	while (fgets(line, sizeof line, file)) {
		json_t *row = json_loads(line, 0, NULL);
		const char *hex = json_string_value(json_object_get(row, "hex"));
		if (hex)
			add(hex);
		json_decref(row);
	}
	(void)fclose(file);
	return count > 0;
}

struct work {
	_Alignas(8) uint8_t block[METER_READING_MAX];
	struct ml_buffer out;
	bool to_json;
	uint64_t records;
};

static void decode_all(struct work *work)
{
	struct meter_reading *reading = (void *)work->block;
	for (size_t i = 0; i < count; i++) {
		(void)mbus_decode_frame(work->block, sizeof work->block, telegrams[i].bytes,
			telegrams[i].length, 0, NULL);
		work->records += reading->record_count;
		if (work->to_json) {
			struct ml_json_writer w;
			ml_buffer_clear(&work->out);
			ml_json_writer_init(&w, &work->out);
			meter_reading_to_json(reading, &w);
		}
	}
}

static void measure(struct ml_clock *clock, struct work *work, const char *what, unsigned limit,
	const char *peer)
{
	/* The best of many short runs: what the machine does besides disturbs only some of them. */
	ml_time best = ML_NEVER;
	decode_all(work);
	for (int run = 0; run < RUNS; run++) {
		work->records = 0;
		const ml_time begin = ml_clock_monotonic(clock);
		for (int i = 0; i < ROUNDS; i++)
			decode_all(work);
		const ml_time took = ml_clock_monotonic(clock) - begin;
		if (took < best)
			best = took;
	}
	const double seconds = (double)best / (double)ML_SEC;
	const double rate = (double)ROUNDS * (double)count / seconds;
	printf("%-24s %10.0f telegrams/s  %6.1f ns/telegram  %5.1f ns/record  (limit %u/s; "
	       "%s)\n",
		what, rate, 1e9 / rate, seconds * 1e9 / (double)work->records, limit, peer);
}

int main(int argc, char **argv)
{
	static struct work work;
	if (argc != 2 || !load(argv[1])) {
		(void)fprintf(stderr, "usage: %s FILE\n", argv[0]);
		return 2;
	}
	struct ml_clock *clock = ml_clock_new_real();
	if (!clock)
		return 1;
	measure(clock, &work, "decode to readings", 2000000,
		"libmbus, no units or scaling: 1990000");
	work.to_json = true;
	measure(clock, &work, "decode to JSON", 400000, "libmbus to XML: 92500");
	ml_buffer_free(&work.out);
	ml_clock_free(clock);
	return 0;
}
