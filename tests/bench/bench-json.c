/* What a reading costs as JSON: written, read and formatted, with jansson and a bare copy beside
 * it. SPDX-License-Identifier: Apache-2.0
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include <meterloom/clock.h>
#include <meterloom/json.h>

enum { RECORDS = 10, TELEGRAMS = 200000, PEER_TELEGRAMS = 20000 };

static const char *const quantities[] = {
	"energy", "volume", "flow temperature", "power", "volume flow"};
static const char *const units[] = {"Wh", "m³", "°C", "W", "m³/h"};

static void write_record(struct ml_json_writer *w, int i)
{
	const unsigned char dif[] = {0x04}, vif[] = {0x06, (unsigned char)i};
	ml_json_begin_object(w);
	ML_JSON_KEY(w, "quantity");
	ml_json_string(w, quantities[i % 5]);
	ML_JSON_KEY(w, "unit");
	ml_json_string(w, units[i % 5]);
	ML_JSON_KEY(w, "value");
	ml_json_decimal(w, (struct ml_decimal){123456 + 1001 * i, (int8_t)(i % 4 == 0 ? -2 : 3)});
	ML_JSON_KEY(w, "function");
	ml_json_string(w, "instantaneous");
	ML_JSON_KEY(w, "storage");
	ml_json_integer(w, i);
	ML_JSON_KEY(w, "tariff");
	ml_json_integer(w, 0);
	ML_JSON_KEY(w, "subunit");
	ml_json_integer(w, 0);
	ML_JSON_KEY(w, "dif");
	ml_json_hex(w, dif, sizeof dif);
	ML_JSON_KEY(w, "vif");
	ml_json_hex(w, vif, sizeof vif);
	ml_json_end_object(w);
}

static void write_telegram(struct ml_json_writer *w)
{
	ml_json_begin_object(w);
	ML_JSON_KEY(w, "time");
	ml_json_string(w, "2026-01-31T14:15:00.000Z");
	ML_JSON_KEY(w, "trace");
	ml_json_unsigned(w, 81723);
	ML_JSON_KEY(w, "records");
	ml_json_begin_array(w);
	for (int i = 0; i < RECORDS; i++)
		write_record(w, i);
	ml_json_end_array(w);
	ml_json_end_object(w);
}

static double seconds_since(const struct ml_clock *clock, ml_time begin)
{
	return (double)(ml_clock_monotonic(clock) - begin) / (double)ML_SEC;
}

static void report(
	const char *what, int telegrams, size_t bytes, double seconds, const char *beside)
{
	(void)printf("  %-34s %9.0f telegrams/s %7.0f MB/s   %s\n", what, telegrams / seconds,
		(double)bytes * telegrams / seconds / 1e6, beside);
}

static void write_all(const struct ml_clock *clock, struct ml_buffer *out, bool pretty)
{
	const ml_time begin = ml_clock_monotonic(clock);
	for (int i = 0; i < TELEGRAMS; i++) {
		struct ml_json_writer w;
		ml_buffer_clear(out);
		ml_json_writer_init(&w, out);
		w.pretty = pretty;
		write_telegram(&w);
	}
	report(pretty ? "write, pretty" : "write", TELEGRAMS, out->length,
		seconds_since(clock, begin), pretty ? "" : "(decoded and written: 400,000)");
}

static void read_all(const struct ml_clock *clock, const struct ml_buffer *text)
{
	struct ml_json_reader *r = ml_json_reader_new(0);
	if (!r)
		abort();
	const ml_time begin = ml_clock_monotonic(clock);
	for (int i = 0; i < TELEGRAMS; i++) {
		ml_json_reader_reset(r);
		ml_json_reader_feed(r, text->data, text->length);
		ml_json_reader_finish(r);
		while (ml_json_reader_next(r) > ML_JSON_MORE) {
			if (ml_json_reader_event(r) == ML_JSON_END)
				break;
		}
		if (ml_json_reader_event(r) != ML_JSON_END)
			abort();
	}
	report("read", TELEGRAMS, text->length, seconds_since(clock, begin), "");
	ml_json_reader_free(r);
}

static void measure_peers(const struct ml_clock *clock, const struct ml_buffer *text)
{
	json_t *tree = NULL;
	ml_time begin = ml_clock_monotonic(clock);
	for (int i = 0; i < PEER_TELEGRAMS; i++) {
		json_decref(tree);
		tree = json_loadb(text->data, text->length, 0, NULL);
		if (!tree)
			abort();
	}
	report("  jansson, read into a tree", PEER_TELEGRAMS, text->length,
		seconds_since(clock, begin), "");
	begin = ml_clock_monotonic(clock);
	char *out = malloc(2 * text->length);
	if (!out)
		abort();
	for (int i = 0; i < PEER_TELEGRAMS; i++)
		(void)json_dumpb(tree, out, 2 * text->length, JSON_COMPACT);
	report("  jansson, write a tree", PEER_TELEGRAMS, text->length, seconds_since(clock, begin),
		"");
	json_decref(tree);
	begin = ml_clock_monotonic(clock);
	for (int i = 0; i < TELEGRAMS; i++) {
		memcpy(out, text->data, text->length);
		__asm__ volatile("" : : "r"(out) : "memory");
	}
	report("  the bytes copied", TELEGRAMS, text->length, seconds_since(clock, begin), "");
	free(out);
}

int main(void)
{
	struct ml_clock *clock = ml_clock_new_real();
	struct ml_buffer out = {0};
	(void)printf("JSON, telegrams of %d records with 9 members each\n", RECORDS);
	write_all(clock, &out, true);
	write_all(clock, &out, false);
	read_all(clock, &out);
	measure_peers(clock, &out);
	ml_buffer_free(&out);
	ml_clock_free(clock);
	return 0;
}
