/* Any bytes as a meter list file: rows within bounds, UTF-8 without end bytes, lines that only
 * grow; what is written of a row is read again as the same row. SPDX-License-Identifier: Apache-2.0
 */
#include <stdlib.h>
#include <string.h>

#include "meter/address.h"
#include "meter/csv.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_again(const struct meter_csv_row *row, const struct meter_csv *csv)
{
	static struct meter_csv_row second;
	struct meter_csv again;
	struct ml_buffer out = {0};
	/* Two bytes "sep=" make the delimiter certain. */
	ml_buffer_appendf(&out, "\xEF\xBB\xBFsep=%c\n", csv->delimiter);
	for (size_t i = 0; i < row->count; i++) {
		if (i)
			ml_buffer_append(&out, &csv->delimiter, 1);
		meter_csv_write(&out, row->text[i], csv->delimiter);
	}
	ml_buffer_append(&out, "\n", 1);
	if (meter_csv_init(&again, out.data, out.length, NULL) < 0 ||
		meter_csv_next(&again, &second, NULL) != 1 || second.count != row->count)
		abort();
	for (size_t i = 0; i < row->count; i++)
		if (strcmp(second.text[i], row->text[i]) != 0)
			abort();
	ml_buffer_free(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct meter_csv_row row;
	struct meter_csv csv;
	struct meter_identity address;
	unsigned line = 0;
	int result;
	if (meter_csv_init(&csv, data, size, NULL) < 0)
		return 0;
	while ((result = meter_csv_next(&csv, &row, NULL)) != 0) {
		if (row.line <= line)
			abort();
		line = row.line;
		if (result < 0)
			continue;
		if (row.count < 1 || row.count > METER_CSV_FIELDS_MAX)
			abort();
		for (size_t i = 0; i < row.count; i++)
			(void)meter_secondary_parse(
				row.text[i], strlen(row.text[i]), &address, NULL);
		check_again(&row, &csv);
	}
	return 0;
}
