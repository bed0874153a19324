/* A head-end that is away for a hundred hours, and then slow: all arrives, the oldest first, no
 * more than 180 readouts of a meter at once; and another destination knows nothing of it.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <meterloom/files.h>

#include "cron/family.h"
#include "meter/receiver.h"
#include "report/family.h"
#include "store/kit.h"

enum {
	METERS = 6,
	QUARTERS_AWAY = 400, /* a hundred hours */
	READOUTS_MAX = 180,
};

static const char graph[] =
	"{'meterloom': 1, 'nodes': ["
	" {'id': 'source', 'type': 't-source'}, {'id': 'store', 'type': 'store'},"
	" {'id': 'due', 'type': 'cron-trigger', 'params': {'schedule': '*/15 * * * *'}},"
	" {'id': 'query-a', 'type': 'store-query', 'params': {'destination': 'a'}},"
	" {'id': 'render-a', 'type': 'template-render', 'params': {'template': 'json'}},"
	" {'id': 'a', 'type': 'http-sink', 'params': {'url': 'sim:a'}},"
	" {'id': 'query-b', 'type': 'store-query', 'params': {'destination': 'b'}},"
	" {'id': 'render-b', 'type': 'template-render', 'params': {'template': 'json'}},"
	" {'id': 'b', 'type': 'http-sink', 'params': {'url': 'sim:b'}}],"
	" 'edges': [{'from': 'source', 'to': 'store', 'capacity': 4096},"
	" {'from': 'due', 'to': 'query-a.in'}, {'from': 'query-a', 'to': 'render-a'},"
	" {'from': 'render-a', 'to': 'a'}, {'from': 'due', 'to': 'query-b.in'},"
	" {'from': 'query-b', 'to': 'render-b'}, {'from': 'render-b', 'to': 'b'}]}";

enum mood { WELL, REFUSES, SILENT, BUSY, SLOW };

/* A destination: trace numbers rise with time, and of each METERS one is of each meter. */
static struct head_end {
	enum mood mood;
	uint64_t newest; /* trace */
	size_t readings, reports, uploads;
	size_t most; /* readouts of a meter in one report */
} head_ends[2];

static struct head_end *head_end_of(const struct meter_upload *upload)
{
	return &head_ends[strcmp(upload->url, "sim:b") == 0];
}

static void upload_begins(void *user, const struct meter_upload *upload, struct meter_fate *fate)
{
	struct head_end *h = head_end_of(upload);
	(void)user;
	*fate = (struct meter_fate){.connect = 20 * ML_MSEC,
		.send = 100 * ML_MSEC,
		.answer = 50 * ML_MSEC,
		.status = 200};
	h->uploads++;
	if (h->mood == REFUSES)
		fate->refused = true;
	else if (h->mood == SILENT)
		fate->answer = ML_NEVER;
	else if (h->mood == SLOW)
		fate->answer = 20 * ML_SEC;
	if (h->mood == BUSY) {
		fate->status = 503;
		fate->retry_after = 600;
	}
}

static void upload_came(
	void *user, const struct meter_upload *upload, const struct meter_fate *fate)
{
	static const char key[] = "\"trace\":";
	struct head_end *h = head_end_of(upload);
	struct ml_buffer text = {0};
	size_t of_meter[METERS] = {0};
	(void)user;
	/* What a head-end got whose answer did not come is repeated: here it keeps nothing of it.
	 */
	if (fate->status != 200 || fate->answer == ML_NEVER)
		return;
	assert_int_equal(ml_files_read(&ml_files_system, upload->path, 64 << 20, &text, NULL), 0);
	ml_buffer_append(&text, "", 1);
	for (const char *at = text.data; (at = strstr(at, key));) {
		at += sizeof key - 1;
		const uint64_t trace = strtoull(at, NULL, 10);
		/* One after the other, none left out. */
		assert_int_equal(trace, h->newest + 1);
		h->newest = trace;
		h->readings++;
		const size_t count = ++of_meter[trace % METERS];
		h->most = count > h->most ? count : h->most;
	}
	h->reports++;
	ml_buffer_free(&text);
}

static const struct meter_receivers receivers = {.begin = upload_begins, .received = upload_came};

static int start(struct ml_engine *engine, void **ret_service, struct ml_error *err)
{
	(void)engine;
	(void)err;
	*ret_service = (void *)(uintptr_t)&receivers;
	return 0;
}

static void stop(void *service)
{
	(void)service;
}

static const struct ml_service_class services[] = {{METER_RECEIVERS, start, stop}, {0}};
static const struct ml_family network_family = {.abi = ML_FAMILY_ABI,
	.size = sizeof(struct ml_family),
	.name = "network",
	.services = services};

/* A quarter of an hour: all meters are read, and in its course a report is due. */
static void quarter(struct kit *kit, uint64_t *trace)
{
	for (unsigned i = 0; i < METERS; i++, (*trace)++)
		kit_give_many(kit, 1 + (unsigned)(*trace % METERS), *trace, 1);
	kit_run(kit, 15 * ML_MINUTE);
}

static void away_for_a_hundred_hours(void **state)
{
	static const enum mood moods[] = {REFUSES, SILENT, BUSY};
	const struct kit_options options = {
		.more = {&report_family, &cron_family, &network_family}};
	struct head_end *a = &head_ends[0], *b = &head_ends[1];
	(void)state;
	uint64_t trace = 1;
	struct kit *kit = kit_new_with(&options);
	kit_apply(kit, graph);
	for (unsigned i = 0; i < 8; i++)
		quarter(kit, &trace);
	assert_int_equal(a->newest, trace - 1);
	assert_int_equal(b->newest, trace - 1);
	const uint64_t before = a->newest;
	for (unsigned i = 0; i < QUARTERS_AWAY; i++) {
		a->mood = moods[i / 40 % 3];
		const size_t reports = b->reports;
		quarter(kit, &trace);
		/* The other one gets each of its reports, when it is due, and once. */
		assert_int_equal(b->newest, trace - 1);
		assert_int_equal(b->reports, reports + 1);
	}
	assert_int_equal(b->uploads, b->reports);
	assert_int_equal(a->newest, before);
	assert_int_equal(kit->delivered, trace - 1);
	kit_call(kit, "store.status", "{}");
	assert_non_null(strstr(kit->result, "\"behind\":2400"));
	/* Slow: each report takes it longer than the gateway likes to wait for. */
	a->mood = SLOW;
	a->most = 0;
	const size_t reports = a->reports;
	unsigned quarters = 0;
	do {
		quarter(kit, &trace);
		assert_int_equal(b->newest, trace - 1);
	} while (++quarters < 8 && a->newest < trace - 1);
	assert_int_equal(a->newest, trace - 1);
	assert_int_equal(a->readings, b->readings);
	assert_int_equal(a->most, READOUTS_MAX);
	assert_in_range(a->reports - reports, 3, 3 + quarters);
	/* Nothing is left behind of all that waited. */
	assert_int_equal(kit_sql(kit, "readings", "SELECT count(*) FROM outstanding"), 0);
	kit_free(kit);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(away_for_a_hundred_hours)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
