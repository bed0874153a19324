/* The books of a simulation.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "sim/ledger.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim/csv.h"
#include "sim/meter.h"

struct entry {
	uint64_t key; /* of meter and values */
	ml_time time;
	uint32_t id;
	bool loose;   /* given: perhaps; stored: not due */
	uint64_t row; /* stored: key of its row in a report */
	uint64_t sequence;
};

struct row {
	uint64_t key;
	uint64_t sequence; /* of the reading that it is of; 0: none */
	uint32_t document;
};

struct document {
	uint64_t key, content;
	bool repeated;
};

struct list {
	void *items; /* owned */
	size_t count, capacity;
};

struct head_end {
	struct list rows, documents;
	struct list known; /* keys of documents that came: open hashing over `documents` */
	struct sim_delivery delivery;
};

struct sim_ledger {
	const struct ml_zone *zone;
	struct list given, stored;
	struct head_end head_ends[SIM_LEDGER_HEAD_ENDS_MAX];
	bool failed;
	struct ml_buffer examples;
	unsigned example_count;
	bool no_examples;
};

struct sim_ledger *sim_ledger_new(const struct ml_zone *zone)
{
	struct sim_ledger *ledger = calloc(1, sizeof *ledger);
	if (ledger)
		ledger->zone = zone;
	return ledger;
}

void sim_ledger_free(struct sim_ledger *ledger)
{
	if (!ledger)
		return;
	free(ledger->given.items);
	free(ledger->stored.items);
	for (size_t i = 0; i < SIM_LEDGER_HEAD_ENDS_MAX; i++) {
		free(ledger->head_ends[i].rows.items);
		free(ledger->head_ends[i].documents.items);
		free(ledger->head_ends[i].known.items);
	}
	ml_buffer_free(&ledger->examples);
	free(ledger);
}

bool sim_ledger_failed(const struct sim_ledger *ledger)
{
	return ledger->failed;
}

/* Room for one more; NULL: out of memory. */
static void *append(struct sim_ledger *ledger, struct list *list, size_t size)
{
	if (list->count == list->capacity) {
		const size_t capacity = list->capacity ? list->capacity * 2 : 1024;
		void *items = realloc(list->items, capacity * size);
		if (!items) {
			ledger->failed = true;
			return NULL;
		}
		list->items = items;
		list->capacity = capacity;
	}
	void *item = (uint8_t *)list->items + list->count++ * size;
	memset(item, 0, size);
	return item;
}

/* ---- Numbers of readings ---- */

static uint64_t hash_text(const char *text, size_t length)
{
	uint64_t hash = 0xCBF29CE484222325u;
	for (size_t i = 0; i < length; i++)
		hash = (hash ^ (uint8_t)text[i]) * 0x100000001B3u;
	return sim_hash(hash, length);
}

static uint64_t hash_values(const struct meter_reading *reading)
{
	uint64_t sum = 0;
	for (size_t i = 0; i < reading->record_count; i++) {
		char text[METER_VALUE_TEXT_MAX];
		const struct meter_record *record = meter_reading_records(reading) + i;
		const size_t length = meter_record_text(reading, record, text);
		if (length > 0)
			sum += hash_text(text, length);
	}
	return sum;
}

static uint64_t hash_id(const struct meter_reading *reading)
{
	char text[METER_ID_TEXT_MAX] = "";
	if (reading->flags & METER_HAS_IDENTITY)
		meter_id_format(reading->meter.id, text);
	return hash_text(text, strlen(text));
}

static uint64_t row_key(uint64_t id, uint64_t created, uint64_t values)
{
	return sim_hash(sim_hash(id, created), values);
}

static uint64_t hash_created(const struct sim_ledger *ledger, ml_time time)
{
	char text[64];
	const ml_time second = time / ML_SEC - (time % ML_SEC < 0);
	const struct ml_civil c = ml_zone_to_civil(ledger->zone, second * ML_SEC);
	const int length = snprintf(text, sizeof text, "%04d-%02d-%02d %02d:%02d:%02d", c.year,
		c.month, c.day, c.hour, c.minute, c.second);
	return hash_text(text, (size_t)length);
}

/* ---- Booking ---- */

void sim_ledger_given(
	struct sim_ledger *ledger, const struct meter_reading *reading, ml_time wall, bool perhaps)
{
	struct entry *entry = append(ledger, &ledger->given, sizeof *entry);
	if (entry)
		*entry = (struct entry){.key = sim_hash(hash_id(reading), hash_values(reading)),
			.time = wall,
			.id = reading->meter.id,
			.loose = perhaps};
}

void sim_ledger_stored(
	struct sim_ledger *ledger, const struct meter_reading *reading, uint64_t sequence, bool due)
{
	if (reading->flags & METER_NOT_READ)
		return;
	struct entry *entry = append(ledger, &ledger->stored, sizeof *entry);
	if (!entry)
		return;
	const uint64_t id = hash_id(reading);
	const uint64_t values = hash_values(reading);
	*entry = (struct entry){.key = sim_hash(id, values),
		.time = reading->time,
		.id = reading->meter.id,
		.loose = !due,
		.row = row_key(id, hash_created(ledger, reading->time), values),
		.sequence = sequence};
}

struct reader {
	struct sim_ledger *ledger;
	struct head_end *head_end;
};

static void book_row(void *user, const char *id, size_t id_length, const char *created,
	size_t created_length, uint64_t values)
{
	struct reader *reader = user;
	struct row *row = append(reader->ledger, &reader->head_end->rows, sizeof *row);
	if (row)
		*row = (struct row){.key = row_key(hash_text(id, id_length),
					    hash_text(created, created_length), values),
			.document = (uint32_t)(reader->head_end->documents.count - 1)};
}

static uint64_t *known_slot(struct head_end *h, uint64_t key)
{
	uint64_t *slots = h->known.items;
	const struct document *documents = h->documents.items;
	size_t at = (size_t)key & (h->known.capacity - 1);
	while (slots[at] && documents[slots[at] - 1].key != key)
		at = (at + 1) & (h->known.capacity - 1);
	return &slots[at];
}

/* The document of that key that came before; NULL: none. The new one is remembered. */
static const struct document *look_up(struct sim_ledger *ledger, struct head_end *h, uint64_t key)
{
	if ((h->known.count + 1) * 2 > h->known.capacity) {
		const size_t capacity = h->known.capacity ? h->known.capacity * 2 : 1024;
		uint64_t *slots = calloc(capacity, sizeof *slots);
		if (!slots) {
			ledger->failed = true;
			return NULL;
		}
		free(h->known.items);
		h->known.items = slots;
		h->known.capacity = capacity;
		const struct document *documents = h->documents.items;
		for (size_t i = 0; i + 1 < h->documents.count; i++) {
			if (!documents[i].repeated)
				*known_slot(h, documents[i].key) = i + 1;
		}
	}
	uint64_t *slot = known_slot(h, key);
	if (*slot && *slot != h->documents.count)
		return (const struct document *)h->documents.items + (*slot - 1);
	*slot = h->documents.count;
	h->known.count++;
	return NULL;
}

bool sim_ledger_document(struct sim_ledger *ledger, unsigned head_end, const char *key,
	const char *text, size_t length)
{
	struct head_end *h = &ledger->head_ends[head_end];
	struct document *document = append(ledger, &h->documents, sizeof *document);
	if (!document)
		return false;
	document->key = hash_text(key, strlen(key));
	document->content = hash_text(text, length);
	const struct document *before = look_up(ledger, h, document->key);
	document->repeated = before != NULL;
	if (before)
		h->delivery.changed += before->content != document->content;
	h->delivery.documents += !before;
	h->delivery.repeated_documents += before != NULL;
	struct reader reader = {.ledger = ledger, .head_end = h};
	if (sim_csv_rows(text, length, hash_text, book_row, &reader))
		return true;
	h->delivery.unread++;
	return false;
}

/* ---- Comparing ---- */

static void example(struct sim_ledger *ledger, const char *what, const struct entry *entry)
{
	char time[ML_TIME_TEXT_MAX];
	if (ledger->no_examples || ledger->example_count++ >= SIM_LEDGER_EXAMPLES_MAX)
		return;
	(void)ml_time_format(entry->time, time);
	ml_buffer_appendf(&ledger->examples, "%s: meter %08X at %s", what, entry->id, time);
	if (entry->sequence)
		ml_buffer_appendf(&ledger->examples, ", number %llu in the store",
			(unsigned long long)entry->sequence);
	ml_buffer_append(&ledger->examples, "\n", 1);
}

void sim_ledger_keep_examples(struct sim_ledger *ledger, bool keep)
{
	ledger->no_examples = !keep;
}

const char *sim_ledger_examples(const struct sim_ledger *ledger)
{
	return ledger->examples.data ? ledger->examples.data : "";
}

static int by_key(const void *a, const void *b)
{
	const struct entry *x = a, *y = b;
	if (x->key != y->key)
		return x->key < y->key ? -1 : 1;
	return x->loose - y->loose; /* those that must be there come first */
}

static int by_row(const void *a, const void *b)
{
	const struct entry *x = a, *y = b;
	if (x->row != y->row)
		return x->row < y->row ? -1 : 1;
	return (x->sequence > y->sequence) - (x->sequence < y->sequence);
}

static void sort(struct list *list, size_t size, int (*compare)(const void *a, const void *b))
{
	if (list->count > 0)
		qsort(list->items, list->count, size, compare);
}

int sim_ledger_compare_store(struct sim_ledger *ledger, struct sim_account *account)
{
	if (ledger->failed)
		return -ENOMEM;
	sort(&ledger->given, sizeof(struct entry), by_key);
	sort(&ledger->stored, sizeof(struct entry), by_key);
	const struct entry *given = ledger->given.items, *stored = ledger->stored.items;
	size_t g = 0, s = 0;
	*account = (struct sim_account){.stored = ledger->stored.count};
	while (g < ledger->given.count || s < ledger->stored.count) {
		const bool has_given = g < ledger->given.count;
		const bool has_stored = s < ledger->stored.count;
		const int order = !has_given    ? 1
				  : !has_stored ? -1
						: (given[g].key > stored[s].key) -
							  (given[g].key < stored[s].key);
		if (order < 0 && !given[g].loose) {
			account->lost++;
			example(ledger, "given, and not stored", &given[g]);
		}
		if (order > 0) {
			account->invented++;
			example(ledger, "stored, and never given", &stored[s]);
		}
		if (order <= 0) {
			account->given += !given[g].loose;
			account->perhaps += given[g].loose;
		}
		g += order <= 0;
		s += order >= 0;
	}
	return 0;
}

static int by_row_key(const void *a, const void *b)
{
	const struct row *x = a, *y = b;
	if (x->key != y->key)
		return x->key < y->key ? -1 : 1;
	return (x->document > y->document) - (x->document < y->document);
}

static int by_document(const void *a, const void *b)
{
	const struct row *x = a, *y = b;
	return (x->document > y->document) - (x->document < y->document);
}

/* Each document's oldest reading is newer than all of those before it. */
static void check_order(struct head_end *h)
{
	const struct row *rows = h->rows.items;
	uint64_t newest = 0;
	sort(&h->rows, sizeof(struct row), by_document);
	for (size_t i = 0; i < h->rows.count;) {
		const uint32_t document = rows[i].document;
		uint64_t first = UINT64_MAX, last = newest;
		for (; i < h->rows.count && rows[i].document == document; i++) {
			if (rows[i].sequence == 0)
				continue;
			first = rows[i].sequence < first ? rows[i].sequence : first;
			last = rows[i].sequence > last ? rows[i].sequence : last;
		}
		h->delivery.out_of_order += first <= newest && newest > 0;
		newest = last;
	}
}

static void drop_repeated(struct head_end *h)
{
	struct row *rows = h->rows.items;
	const struct document *documents = h->documents.items;
	size_t kept = 0;
	for (size_t i = 0; i < h->rows.count; i++) {
		if (documents[rows[i].document].repeated)
			h->delivery.repeated_rows++;
		else
			rows[kept++] = rows[i];
	}
	h->rows.count = kept;
	h->delivery.rows = kept;
}

int sim_ledger_compare_head_end(
	struct sim_ledger *ledger, unsigned head_end, struct sim_delivery *delivery)
{
	struct head_end *h = &ledger->head_ends[head_end];
	if (ledger->failed)
		return -ENOMEM;
	drop_repeated(h);
	sort(&h->rows, sizeof(struct row), by_row_key);
	sort(&ledger->stored, sizeof(struct entry), by_row);
	struct row *rows = h->rows.items;
	const struct entry *stored = ledger->stored.items;
	size_t r = 0, s = 0;
	while (r < h->rows.count || s < ledger->stored.count) {
		const bool has_row = r < h->rows.count;
		const bool has_stored = s < ledger->stored.count;
		const int order =
			!has_stored ? -1
			: !has_row  ? 1
				    : (rows[r].key > stored[s].row) - (rows[r].key < stored[s].row);
		if (order > 0 && !stored[s].loose) {
			h->delivery.lost++;
			example(ledger, "stored, and not reported", &stored[s]);
		}
		/* The same row under another key: a report that was rendered anew. */
		if (order < 0 && r > 0 && rows[r].key == rows[r - 1].key) {
			h->delivery.repeated_rows++;
			h->delivery.rows--;
		} else {
			h->delivery.invented += order < 0;
		}
		if (order == 0)
			rows[r].sequence = stored[s].sequence;
		r += order <= 0;
		s += order >= 0;
	}
	check_order(h);
	*delivery = h->delivery;
	return 0;
}
