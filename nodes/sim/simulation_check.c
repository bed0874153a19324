/* The end of a simulation: everything is counted and compared.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <mbedtls/sha256.h>

#include "meter/archive.h"
#include "sim/simulation_private.h"

static void to_hex(const uint8_t digest[SIM_DIGEST_SIZE], char *out)
{
	for (size_t i = 0; i < SIM_DIGEST_SIZE; i++)
		(void)snprintf(out + 2 * i, 3, "%02x", digest[i]);
}

static const struct meter_archive *archive_of(struct sim_simulation *s)
{
	return ml_service(s->engine, METER_ARCHIVE);
}

int sim_stored_sequence(struct sim_simulation *s, uint64_t *sequence, struct ml_error *err)
{
	const struct meter_archive *archive = archive_of(s);
	*sequence = 0;
	return archive ? archive->last(archive->user, sequence, err) : 0;
}

struct booking {
	struct sim_ledger *ledger;
	uint64_t due;
	mbedtls_sha256_context digest;
	struct ml_buffer line;
};

/* Number, time and all values; the trace and the epoch are not the values' business. */
static void digest_reading(
	struct booking *b, const struct meter_reading *reading, uint64_t sequence)
{
	ml_buffer_clear(&b->line);
	ml_buffer_appendf(&b->line, "%llu %lld %08X %u", (unsigned long long)sequence,
		(long long)(reading->time / ML_MSEC), reading->meter.id, reading->access);
	for (size_t i = 0; i < reading->record_count; i++) {
		char text[METER_VALUE_TEXT_MAX];
		const size_t length =
			meter_record_text(reading, meter_reading_records(reading) + i, text);
		ml_buffer_append(&b->line, " ", 1);
		ml_buffer_append(&b->line, text, length);
	}
	ml_buffer_append(&b->line, "\n", 1);
	(void)mbedtls_sha256_update_ret(
		&b->digest, (const unsigned char *)b->line.data, b->line.length);
}

static void book_reading(void *context, const struct meter_reading *reading, uint64_t sequence)
{
	struct booking *b = context;
	sim_ledger_stored(b->ledger, reading, sequence, sequence <= b->due);
	digest_reading(b, reading, sequence);
}

int sim_book_store(struct sim_simulation *s, uint64_t due, struct ml_error *err)
{
	const struct meter_archive *archive = archive_of(s);
	struct booking b = {.ledger = sim_world_ledger(s->world), .due = due};
	uint64_t last = 0;
	uint8_t digest[SIM_DIGEST_SIZE];
	int result = sim_stored_sequence(s, &last, err);
	mbedtls_sha256_init(&b.digest);
	(void)mbedtls_sha256_starts_ret(&b.digest, 0);
	if (result == 0 && last > 0)
		result = archive->walk(archive->user, 1, last, book_reading, &b, err);
	(void)mbedtls_sha256_finish_ret(&b.digest, digest);
	to_hex(digest, s->result.readings);
	mbedtls_sha256_free(&b.digest);
	ml_buffer_free(&b.line);
	return result;
}

int sim_settle_accounts(struct sim_simulation *s, struct ml_error *err)
{
	struct sim_result *r = &s->result;
	struct sim_ledger *ledger = sim_world_ledger(s->world);
	uint8_t digest[SIM_DIGEST_SIZE];
	sim_world_close_books(s->world);
	if (sim_ledger_failed(ledger))
		return ml_error_set(err, -ENOMEM, "out of memory: fewer days, or fewer meters");
	sim_world_digest(s->world, digest);
	to_hex(digest, r->documents);
	r->store_checked = sim_graph_plain(s);
	sim_ledger_keep_examples(ledger, r->store_checked);
	(void)sim_ledger_compare_store(ledger, &r->account);
	r->lost = r->store_checked && (r->account.lost > 0 || r->account.invented > 0);
	r->head_ends = sim_world_head_end_count(s->world);
	for (unsigned i = 0; i < r->head_ends; i++) {
		struct sim_delivery *d = &r->head_end[i].delivery;
		r->head_end[i].url = sim_world_head_end_url(s->world, i);
		r->head_end[i].uploads = sim_world_uploads(s->world, i, &r->head_end[i].failed);
		r->head_end[i].checked = sim_graph_reports_all(s, r->head_end[i].url);
		sim_ledger_keep_examples(ledger, r->head_end[i].checked);
		(void)sim_ledger_compare_head_end(ledger, i, d);
		if (r->head_end[i].checked)
			r->lost = r->lost || d->lost > 0 || d->invented > 0 || d->changed > 0 ||
				  d->out_of_order > 0 || d->unread > 0;
	}
	r->examples = sim_ledger_examples(ledger);
	return 0;
}
