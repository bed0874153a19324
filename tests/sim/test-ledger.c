/* The books of a simulation find what is lost, invented, changed and out of order.
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

#include "sim/ledger.h"

#define BEGIN (INT64_C(1769868900) * ML_SEC) /* 2026-01-31T14:15:00Z */

static _Alignas(8) uint8_t block[METER_READING_MAX];

/* A reading of two values. */
static const struct meter_reading *reading(uint32_t id, int64_t value, ml_time time)
{
	static const uint8_t telegram[] = {0x0C, 0x06, 0, 0, 0, 0};
	struct meter_reading *r = (struct meter_reading *)(void *)block;
	assert_int_equal(
		meter_reading_init(block, sizeof block, telegram, sizeof telegram, NULL), 0);
	r->meter.id = id;
	r->flags |= METER_HAS_IDENTITY;
	r->time = time;
	for (int i = 0; i < 2; i++) {
		struct meter_record *record = meter_reading_add(r);
		record->kind = METER_NUMBER;
		record->mantissa = value + i;
		record->exponent = -1;
	}
	return r;
}

#define HEADER \
	"serial-number;device-identification;manufacturer;version;device-type;moid;created;" \
	"status;value-data-count;energy,Wh,inst-value,0,0,0;volume,m3,inst-value,0,0,0\r\n"

static void document(struct sim_ledger *ledger, const char *key, const char *rows)
{
	char text[1024];
	(void)snprintf(text, sizeof text, "%s%s", HEADER, rows);
	assert_true(sim_ledger_document(ledger, 0, key, text, strlen(text)));
}

static struct sim_ledger *two_readings(void)
{
	struct sim_ledger *ledger = sim_ledger_new(ml_zone_utc());
	for (int i = 0; i < 2; i++) {
		const struct meter_reading *r =
			reading(0x12345678, 125 + 10 * i, BEGIN + i * ML_MINUTE);
		sim_ledger_given(ledger, r, r->time, false);
		sim_ledger_stored(ledger, r, (uint64_t)i + 1, true);
	}
	return ledger;
}

/* The order of columns is the template's business. */
#define ROW_1 "16;12345678;KAM;1;4;;2026-01-31 14:15:00;0;2;12.5;12.6\r\n"
#define ROW_2 "16;12345678;KAM;1;4;;2026-01-31 14:16:00;0;2;13.6;13.5\r\n"

static void all_is_well_where_it_is(void **state)
{
	(void)state;
	struct sim_ledger *ledger = two_readings();
	struct sim_account account;
	struct sim_delivery delivery;
	/* Late, and not taken: no loss. */
	const struct meter_reading *late = reading(0x12345678, 999, BEGIN);
	sim_ledger_given(ledger, late, BEGIN, true);
	document(ledger, "a", ROW_1);
	document(ledger, "a", ROW_1); /* its answer was lost */
	document(ledger, "b", ROW_2);
	assert_int_equal(sim_ledger_compare_store(ledger, &account), 0);
	assert_int_equal(account.given, 2);
	assert_int_equal(account.perhaps, 1);
	assert_int_equal(account.lost + account.invented, 0);
	assert_int_equal(sim_ledger_compare_head_end(ledger, 0, &delivery), 0);
	assert_int_equal(delivery.documents, 2);
	assert_int_equal(delivery.rows, 2);
	assert_int_equal(delivery.repeated_documents, 1);
	assert_int_equal(delivery.repeated_rows, 1);
	assert_int_equal(delivery.lost + delivery.invented + delivery.out_of_order +
				 delivery.changed + delivery.unread,
		0);
	assert_string_equal(sim_ledger_examples(ledger), "");
	sim_ledger_free(ledger);
}

static void what_is_not_stored_is_lost_and_what_was_not_given_invented(void **state)
{
	(void)state;
	struct sim_ledger *ledger = two_readings();
	struct sim_account account;
	sim_ledger_given(ledger, reading(0x12345678, 777, BEGIN), BEGIN, false);
	sim_ledger_stored(ledger, reading(0x12345678, 778, BEGIN), 3, true);
	/* Given once, stored twice. */
	sim_ledger_stored(ledger, reading(0x12345678, 125, BEGIN), 4, true);
	assert_int_equal(sim_ledger_compare_store(ledger, &account), 0);
	assert_int_equal(account.lost, 1);
	assert_int_equal(account.invented, 2);
	assert_non_null(strstr(sim_ledger_examples(ledger),
		"given, and not stored: meter 12345678 at 2026-01-31T14:15:00.000Z"));
	sim_ledger_free(ledger);
}

static void what_is_not_compared_gives_no_examples(void **state)
{
	(void)state;
	struct sim_ledger *ledger = two_readings();
	struct sim_account account;
	sim_ledger_stored(ledger, reading(0x12345678, 778, BEGIN), 3, true);
	sim_ledger_keep_examples(ledger, false);
	assert_int_equal(sim_ledger_compare_store(ledger, &account), 0);
	assert_int_equal(account.invented, 1);
	assert_string_equal(sim_ledger_examples(ledger), "");
	sim_ledger_free(ledger);
}

static void deliver(const char *const *keys_and_rows, struct sim_delivery *delivery)
{
	struct sim_ledger *ledger = two_readings();
	for (size_t i = 0; keys_and_rows[i]; i += 2)
		document(ledger, keys_and_rows[i], keys_and_rows[i + 1]);
	assert_int_equal(sim_ledger_compare_head_end(ledger, 0, delivery), 0);
	sim_ledger_free(ledger);
}

static void what_is_wrong_at_a_head_end_is_found(void **state)
{
	(void)state;
	struct sim_delivery d;
	deliver((const char *[]){"a", ROW_1, NULL}, &d);
	assert_int_equal(d.lost, 1);
	assert_int_equal(d.invented, 0);
	deliver((const char *[]){"a", ROW_2, "b", ROW_1, NULL}, &d);
	assert_int_equal(d.lost, 0);
	assert_int_equal(d.out_of_order, 1);
	deliver((const char *[]){"a", ROW_1, "a", ROW_2, "b", ROW_2, NULL}, &d);
	assert_int_equal(d.lost, 0);
	assert_int_equal(d.changed, 1);
	/* The same values, but another time; and another value. */
	deliver((const char *[]){"a", "16;12345678;KAM;1;4;;2026-01-31 14:15:01;0;2;12.5;12.6\r\n",
			"b", ROW_2, NULL},
		&d);
	assert_int_equal(d.lost, 1);
	assert_int_equal(d.invented, 1);
	deliver((const char *[]){"a",
			"16;12345678;KAM;1;4;;2026-01-31 14:15:00;0;2;12.5;12.7\r\n" ROW_2, NULL},
		&d);
	assert_int_equal(d.lost, 1);
	assert_int_equal(d.invented, 1);
}

static void other_templates_are_not_read(void **state)
{
	(void)state;
	static const char text[] = "{\"readings\": []}";
	struct sim_delivery delivery;
	struct sim_ledger *ledger = two_readings();
	assert_false(sim_ledger_document(ledger, 0, "a", text, strlen(text)));
	assert_int_equal(sim_ledger_compare_head_end(ledger, 0, &delivery), 0);
	assert_int_equal(delivery.unread, 1);
	sim_ledger_free(ledger);
}

/* Quotation marks, a decimal comma, header lines before each meter: as 3115 writes them. */
static void the_other_form_of_rows_is_read_too(void **state)
{
	(void)state;
	static const char text[] =
		"#serial-number;device-position;primary-address;device-identification;created;"
		"value-data-count;manufacturer;version;device-type;access-number;status;signature;"
		"\"energy,Wh,inst-value,0,0,0\";volume,m3,inst-value,0,0,0\r\n"
		"16;\"hall; left\";5;12345678;2026-01-31 14:15:00;2;KAM;1;4;1;0;0;12,5;\"12,6\"\r\n"
		"#serial-number;device-position;primary-address;device-identification;created;"
		"value-data-count;manufacturer;version;device-type;access-number;status;signature;"
		"volume,m3,inst-value,0,0,0\r\n"
		"16;\"a \"\"b\"\"\";5;12345678;2026-01-31 14:16:00;2;KAM;1;4;1;0;0;13,5;13,6\n";
	struct sim_delivery delivery;
	struct sim_ledger *ledger = two_readings();
	assert_true(sim_ledger_document(ledger, 0, "a", text, strlen(text)));
	assert_int_equal(sim_ledger_compare_head_end(ledger, 0, &delivery), 0);
	assert_int_equal(delivery.rows, 2);
	assert_int_equal(delivery.lost + delivery.invented, 0);
	sim_ledger_free(ledger);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_is_well_where_it_is),
		cmocka_unit_test(what_is_not_stored_is_lost_and_what_was_not_given_invented),
		cmocka_unit_test(what_is_not_compared_gives_no_examples),
		cmocka_unit_test(what_is_wrong_at_a_head_end_is_found),
		cmocka_unit_test(other_templates_are_not_read),
		cmocka_unit_test(the_other_form_of_rows_is_read_too),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
