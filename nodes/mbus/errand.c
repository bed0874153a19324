/* Lending the line of an mbus-source.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "mbus/errand.h"

#include "mbus/source.h"

static void append(struct mbus_source *s, struct mbus_errand *errand, uint64_t not_before)
{
	struct mbus_errand **end = &s->errands;
	while (*end)
		end = &(*end)->next;
	errand->next = NULL;
	errand->not_before = not_before;
	*end = errand;
}

static void enqueue(struct mbus_source *s, struct mbus_errand *errand, uint64_t not_before)
{
	append(s, errand, not_before);
	mbus_line_hurry(s);
	mbus_round_soon(s);
}

void mbus_errand_add(struct mbus_source *s, struct mbus_errand *errand)
{
	enqueue(s, errand, 0);
}

void mbus_errand_yield(struct mbus_source *s, struct mbus_errand *errand)
{
	s->errand = NULL;
	enqueue(s, errand, s->rounds_ended + 1);
}

bool mbus_errand_remove(struct mbus_source *s, struct mbus_errand *errand)
{
	for (struct mbus_errand **at = &s->errands; *at; at = &(*at)->next) {
		if (*at == errand) {
			*at = errand->next;
			return true;
		}
	}
	return false;
}

static bool has_turn(const struct mbus_source *s, const struct mbus_errand *errand)
{
	if (errand->patient && s->line_state != MBUS_LINE_OPEN)
		return false;
	return !mbus_errand_wanted(s) || s->rounds_ended >= errand->not_before;
}

bool mbus_errand_lend(struct mbus_source *s)
{
	if (!s->errands || !mbus_line_settled(s))
		return false;
	struct mbus_errand *errand = s->errands;
	while (errand && !has_turn(s, errand))
		errand = errand->next;
	if (!errand)
		return false;
	(void)mbus_errand_remove(s, errand);
	if (s->line_state != MBUS_LINE_OPEN) {
		errand->lost(errand, s, s->why_lost);
		return true;
	}
	s->errand = errand;
	errand->begin(errand, s);
	return true;
}

void mbus_errand_ask(struct mbus_source *s, const struct mbus_request *request)
{
	mbus_line_set_baud(s, request->baud);
	mbus_master_read(&s->master, request, ml_node_now(s->node));
	mbus_round_soon(s);
}

bool mbus_errand_send(struct mbus_source *s, unsigned baud, const uint8_t *bytes, size_t length)
{
	mbus_line_set_baud(s, baud);
	return mbus_line_send(s, bytes, length);
}

bool mbus_errand_wanted(const struct mbus_source *s)
{
	return s->in_round || s->want_count > 0;
}

void mbus_errand_end(struct mbus_source *s)
{
	s->errand = NULL;
	mbus_round_soon(s);
}

/* One that asked is told by the step that ends its question. */
void mbus_errand_lost(struct mbus_source *s)
{
	struct mbus_errand *errand = s->errand;
	if (!errand || !mbus_master_idle(&s->master))
		return;
	s->errand = NULL;
	if (errand->patient)
		append(s, errand, 0);
	else
		errand->lost(errand, s, s->why_lost);
}

void mbus_errand_stop(struct mbus_source *s)
{
	static const char reason[] = "the node was stopped";
	struct mbus_errand *errand = s->errand;
	s->errand = NULL;
	if (errand)
		errand->lost(errand, s, reason);
	while ((errand = s->errands)) {
		s->errands = errand->next;
		errand->lost(errand, s, reason);
	}
}
