/* Writing the columns of a chunk, and finding which of them follow from others.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <string.h>

#include "store/chunk_format.h"
#include "store/chunk_packer.h"

bool chunk_all_equal(const uint64_t *numbers, size_t count)
{
	for (size_t i = 1; i < count; i++)
		if (numbers[i] != numbers[0])
			return false;
	return true;
}

static bool all_equal_texts(const struct chunk_text *texts, size_t count)
{
	for (size_t i = 1; i < count; i++)
		if (texts[i].length != texts[0].length ||
			(texts[0].length && memcmp(texts[i].at, texts[0].at, texts[0].length) != 0))
			return false;
	return true;
}

/* A column in one of the ways it can be told. */
struct coding {
	struct chunk_plan plan;
	struct chunk_bytes *bytes;
	bool constant;
};

static int code_numbers(const uint64_t *numbers, size_t count, struct coding *coding)
{
	coding->bytes->length = 0;
	coding->constant = chunk_all_equal(numbers, count);
	coding->plan = (struct chunk_plan){.first = numbers[0]};
	if (coding->constant)
		return 0;
	const int result = chunk_numbers_plan(numbers, count, &coding->plan);
	if (result == 0)
		chunk_numbers_write(numbers, count, &coding->plan, coding->bytes);
	return result;
}

static void put_coding(struct store_chunk_packer *packer, const struct coding *coding,
	const struct chunk_link *link)
{
	struct chunk_bytes *head = &packer->columns;
	const struct chunk_plan *plan = &coding->plan;
	const unsigned linked = link ? CHUNK_LINKED : 0u;
	if (coding->constant)
		chunk_byte(head, (uint8_t)(CHUNK_CONSTANT | linked));
	else
		chunk_byte(head, (uint8_t)(CHUNK_CODED | linked |
					   (unsigned)plan->context << CHUNK_FORM_BITS |
					   (plan->period ? (unsigned)CHUNK_HAS_PERIOD : 0u)));
	if (link && link->record) {
		chunk_leb(head, link->a);
		chunk_leb(head, (uint64_t)link->b << 1 | (link->sum ? 1u : 0u));
	}
	if (!coding->constant)
		chunk_byte(head, (uint8_t)(plan->near | plan->trend << CHUNK_NEAR_BITS));
	chunk_leb(head, store_zigzag((int64_t)plan->first));
	if (coding->constant)
		return;
	if (plan->period)
		chunk_leb(head, plan->period);
	chunk_leb(head, coding->bytes->length);
	chunk_append(&packer->data, coding->bytes->at, coding->bytes->length);
}

int chunk_put_numbers(struct store_chunk_packer *packer, size_t count,
	const struct chunk_link *link, bool *linked)
{
	struct coding alone = {.bytes = &packer->alone}, with = {.bytes = &packer->linked};
	*linked = false;
	if (!count)
		return 0;
	int result = code_numbers(packer->numbers, count, &alone);
	if (result < 0 || (alone.constant && !alone.plan.first))
		return result;
	if (link && !alone.constant) {
		result = code_numbers(packer->left, count, &with);
		*linked = result == 0 && with.bytes->length + 4 < alone.bytes->length;
	}
	if (result < 0)
		return result;
	put_coding(packer, *linked ? &with : &alone, *linked ? link : NULL);
	return 1;
}

/* Checks, of which nothing can be guessed: bytes that stand for themselves, unless they are fewer
 * otherwise (the same telegram again and again). */
int chunk_put_checks(struct store_chunk_packer *packer, size_t count)
{
	const unsigned width = packer->check_bytes;
	struct coding coding = {.bytes = &packer->alone};
	const int result = code_numbers(packer->numbers, count, &coding);
	if (result < 0 || (coding.constant && !coding.plan.first))
		return result;
	if (coding.bytes->length + 8 < count * width) {
		put_coding(packer, &coding, NULL);
		return 1;
	}
	chunk_byte(&packer->columns, (uint8_t)(CHUNK_PLAIN | width << CHUNK_FORM_BITS));
	for (size_t i = 0; i < count; i++)
		for (unsigned byte = 0; byte < width; byte++)
			chunk_byte(&packer->data, (uint8_t)(packer->numbers[i] >> 8 * byte));
	return 1;
}

int chunk_put_texts(struct store_chunk_packer *packer, size_t count)
{
	const struct chunk_text *texts = packer->texts;
	const size_t start = packer->data.length;
	if (all_equal_texts(texts, count)) {
		if (!count || !texts[0].length)
			return 0;
		chunk_byte(&packer->columns, CHUNK_CONSTANT);
		chunk_leb(&packer->columns, texts[0].length);
		chunk_append(&packer->data, texts[0].at, texts[0].length);
		return 1;
	}
	chunk_byte(&packer->columns, CHUNK_CODED);
	chunk_texts_write(texts, count, &packer->data);
	chunk_leb(&packer->columns, packer->data.length - start);
	return 1;
}

/* ---- Links ---- */

enum {
	LINK_BACK = 32,   /* so many records back it is looked for */
	LINK_SAMPLE = 64, /* readings that are looked at */
	LINK_NEAR = 2,    /* each value was rounded on its own */
};

static uint64_t linked_to(
	const struct chunk_linkable *a, const struct chunk_linkable *b, bool sum, size_t i)
{
	return sum ? a->numbers[i] + b->numbers[i] : a->numbers[i] - b->numbers[i];
}

static bool follows(const uint64_t *numbers, size_t count, const struct chunk_linkable *a,
	const struct chunk_linkable *b, bool sum)
{
	const size_t sample = count < LINK_SAMPLE ? count : LINK_SAMPLE;
	size_t off = 0;
	for (size_t i = 0; i < sample && off <= sample / 8; i++)
		off += numbers[i * count / sample] - linked_to(a, b, sum, i * count / sample) +
			       LINK_NEAR >
		       2 * LINK_NEAR;
	return off <= sample / 8;
}

bool chunk_find_link(
	struct store_chunk_packer *packer, unsigned record, size_t count, struct chunk_link *link)
{
	const unsigned first = record > LINK_BACK ? record - LINK_BACK : 0;
	for (unsigned a = first; a < record; a++) {
		for (unsigned b = first; b < record; b++) {
			const struct chunk_linkable *x = &packer->linkables[a],
						    *y = &packer->linkables[b];
			if (a == b || !x->numbers || !y->numbers)
				continue;
			for (unsigned sum = 0; sum < 2; sum++) {
				if ((sum && a > b) || !follows(packer->numbers, count, x, y, sum))
					continue;
				*link = (struct chunk_link){
					.record = true, .a = a, .b = b, .sum = sum};
				for (size_t i = 0; i < count; i++)
					packer->left[i] =
						packer->numbers[i] - linked_to(x, y, sum, i);
				return true;
			}
		}
	}
	return false;
}
