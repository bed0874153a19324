/* A gateway's life, told as it happens: the parent's side.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "store/life.h"
#include "store/life_tale.h"

enum { TRACES_MAX = 1 << 24 };

struct tale_reading {
	bool acknowledged;
	unsigned stored;
	uint64_t report; /* the key of the one it came in; 0: none */
};

struct tale_report {
	uint64_t key, hash;
};

/* false: the child is gone. */
static bool take(int from, void *bytes, size_t length)
{
	uint8_t *at = bytes;
	while (length) {
		const ssize_t count = read(from, at, length);
		if (count < 0 && errno == EINTR)
			continue;
		if (count <= 0)
			return false;
		at += count;
		length -= (size_t)count;
	}
	return true;
}

static struct tale_reading *reading(struct tale *tale, uint64_t trace)
{
	assert_in_range(trace, 1, TRACES_MAX);
	if (trace >= tale->size) {
		const size_t size = (size_t)trace * 2 + 1024;
		tale->readings = realloc(tale->readings, size * sizeof *tale->readings);
		assert_non_null(tale->readings);
		memset(tale->readings + tale->size, 0,
			(size - tale->size) * sizeof *tale->readings);
		tale->size = size;
	}
	return &tale->readings[trace];
}

static void got(struct tale *tale, const struct tale_word *word, const uint64_t *traces)
{
	for (size_t i = 0; i < tale->report_count; i++) {
		if (tale->reports[i].key != word->key)
			continue;
		tale->repeated++;
		if (tale->reports[i].hash != word->hash)
			fail_msg("a repeated report differs (trace %llu on)",
				(unsigned long long)(word->count ? traces[0] : 0));
		return;
	}
	if (tale->report_count == tale->report_capacity) {
		tale->report_capacity = tale->report_capacity ? tale->report_capacity * 2 : 64;
		tale->reports =
			realloc(tale->reports, tale->report_capacity * sizeof *tale->reports);
		assert_non_null(tale->reports);
	}
	tale->reports[tale->report_count++] =
		(struct tale_report){.key = word->key, .hash = word->hash};
	for (size_t i = 0; i < word->count; i++) {
		struct tale_reading *of = reading(tale, traces[i]);
		if (of->report)
			fail_msg("reading %llu is in two reports, or twice in one",
				(unsigned long long)traces[i]);
		if (traces[i] <= tale->newest)
			fail_msg("reading %llu came after %llu", (unsigned long long)traces[i],
				(unsigned long long)tale->newest);
		tale->newest = traces[i];
		of->report = word->key;
		tale->delivered++;
	}
}

static void hear(struct tale *tale, const struct tale_word *word, const uint64_t *traces)
{
	switch (word->kind) {
	case TALE_ACKNOWLEDGED:
		for (size_t i = 0; i < word->count; i++)
			reading(tale, traces[i])->acknowledged = true;
		tale->acknowledged += word->count;
		break;
	case TALE_GOT:
		got(tale, word, traces);
		break;
	case TALE_STORED:
		for (size_t i = 0; i < word->count; i++)
			reading(tale, traces[i])->stored++;
		tale->stored += word->count;
		break;
	case TALE_NUMBER:
		tale->number = word->key;
		break;
	default:
		tale->finished = true;
		break;
	}
}

void tale_read(struct tale *tale, int from)
{
	struct tale_word word;
	while (take(from, &word, sizeof word)) {
		uint64_t *traces = malloc((word.count + 1) * sizeof *traces);
		assert_non_null(traces);
		const bool whole = take(from, traces, word.count * sizeof *traces);
		if (whole)
			hear(tale, &word, traces);
		free(traces);
		if (!whole)
			return;
	}
}

void tale_check(const struct tale *tale)
{
	assert_true(tale->finished);
	for (size_t trace = 1; trace < tale->size; trace++) {
		const struct tale_reading *of = &tale->readings[trace];
		if (of->acknowledged && of->stored != 1)
			fail_msg("reading %zu was acknowledged and is stored %u times", trace,
				of->stored);
		if (of->stored > 1)
			fail_msg("reading %zu is stored %u times", trace, of->stored);
		if (of->stored && !of->report)
			fail_msg("reading %zu is stored and never reached the head-end", trace);
		if (of->report && !of->stored)
			fail_msg("the head-end got reading %zu, which is not stored", trace);
	}
}

void tale_free(struct tale *tale)
{
	free(tale->readings);
	free(tale->reports);
	*tale = (struct tale){0};
}
