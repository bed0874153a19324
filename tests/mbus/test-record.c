/* Data records: DIF, VIF, VIFE and data, table by table.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdio.h>

#include "telegram.h"

#include "mbus/record.h"

static struct telegram t;

/* One record (after CI 78h). */
static const struct meter_record *one(
	const char *hex, const char *name, const char *unit, const char *value)
{
	char text[TELEGRAM_MAX];
	(void)snprintf(text, sizeof text, "78%s", hex);
	const struct meter_reading *reading = decode_hex(&t, text);
	size_t length;
	const char *error = meter_reading_error(reading, &length);
	if (error)
		fail_msg("%s: %.*s", hex, (int)length, error);
	assert_int_equal(reading->record_count, 1);
	assert_record(reading, 0, name, unit, value);
	return meter_reading_record(reading, 0);
}

static void test_primary_vifs(void **state)
{
	(void)state;
	one("010005", "energy", "Wh", "0.005");
	one("010705", "energy", "Wh", "50000");
	one("010805", "energy", "J", "5");
	one("010F05", "energy", "J", "50000000");
	one("011005", "volume", "m³", "0.000005");
	one("011705", "volume", "m³", "50");
	one("011805", "mass", "kg", "0.005");
	one("011F05", "mass", "kg", "50000");
	one("012005", "on-time", "s", "5");
	one("012105", "on-time", "s", "300");
	one("012205", "on-time", "s", "18000");
	one("012305", "on-time", "s", "432000");
	one("012705", "operating-time", "s", "432000");
	one("012B05", "power", "W", "5");
	one("013005", "power", "J/h", "5");
	one("013E05", "volume-flow", "m³/h", "5");
	one("014005", "volume-flow", "m³/min", "0.0000005");
	one("014805", "volume-flow", "m³/s", "0.000000005");
	one("015305", "mass-flow", "kg/h", "5");
	one("015805", "flow-temperature", "°C", "0.005");
	one("015F05", "return-temperature", "°C", "5");
	one("016205", "temperature-difference", "K", "0.5");
	one("0165FB", "external-temperature", "°C", "-0.05");
	one("016A05", "pressure", "bar", "0.5");
	one("016E05", "hca", "HCA", "5");
	one("016F05", "unknown", "", "5");
	one("017105", "averaging-duration", "s", "300");
	one("017705", "actuality-duration", "s", "432000");
	one("0178FF", "fabrication-number", "", "255");
	one("017A05", "bus-address", "", "5");
	one("017F05", "manufacturer-specific", "", "5");
}

static void test_extension_tables(void **state)
{
	(void)state;
	one("01FD0005", "credit", "currency", "0.005");
	one("01FD17FF", "error-flags", "", "255");
	one("01FD1C05", "baud-rate", "Bd", "5");
	one("01FD2505", "storage-interval", "s", "300");
	one("01FD2805", "storage-interval", "month", "5");
	one("01FD3105", "tariff-duration", "s", "300");
	one("02FD305F1C", "tariff-start", "", "2010-12-31");
	one("01FD3A05", "dimensionless", "", "5");
	one("01FD4005", "voltage", "V", "0.000000005");
	one("01FD4F05", "voltage", "V", "5000000");
	one("01FD5005", "current", "A", "0.000000000005");
	one("01FD5F05", "current", "A", "5000");
	one("01FD6905", "duration-since-last-cumulation", "s", "432000");
	one("01FD6E05", "battery-operating-time", "month", "5");
	one("04FD700B0BCD13", "battery-change", "", "2014-03-13T11:11");
	one("01FD71A6", "rf-level", "dBm", "-90");
	one("01FD7405", "remaining-battery-life", "s", "432000");
	one("01FD7F05", "unknown", "", "5");
	one("01FB0105", "energy", "Wh", "5000000");
	one("01FB0205", "reactive-energy", "varh", "5000");
	one("01FB0505", "apparent-energy", "VAh", "50000");
	one("01FB0905", "energy", "J", "5000000000");
	one("01FB0D05", "energy", "cal", "5000000");
	one("01FB1105", "volume", "m³", "5000");
	one("01FB1505", "reactive-power", "var", "50");
	one("01FB1905", "mass", "kg", "5000000");
	one("01FB1A05", "relative-humidity", "%", "0.5");
	one("01FB2105", "volume", "ft³", "0.5");
	one("01FB2805", "power", "W", "500000");
	one("01FB2A05", "phase-angle-voltage", "°", "0.5");
	one("01FB2C05", "frequency", "Hz", "0.005");
	one("01FB3405", "apparent-power", "VA", "5");
	one("01FB6801", "hca-rating-factor", "", "0.000244140625");
	one("01FB7705", "temperature-limit", "°C", "5");
	one("01FB7D05", "cumulative-maximum-power", "W", "500");
	one("01EF0005", "unknown", "", "5");
}

static void test_data_fields(void **state)
{
	(void)state;
	assert_int_equal(one("0013", "volume", "m³", "")->kind, METER_NONE);
	one("0213FEFF", "volume", "m³", "-0.002");
	one("0313FEFFFF", "volume", "m³", "-0.002");
	one("0413FEFFFFFF", "volume", "m³", "-0.002");
	one("05160000C03F", "volume", "m³", "1.5");
	one("0613FEFFFFFFFFFF", "volume", "m³", "-0.002");
	one("0713FEFFFFFFFFFFFFFF", "volume", "m³", "-0.002");
	assert_int_equal(one("0813", "volume", "m³", "")->kind, METER_NONE);
	one("091399", "volume", "m³", "0.099");
	one("0A133412", "volume", "m³", "1.234");
	one("0B13563412", "volume", "m³", "123.456");
	one("0C1378563412", "volume", "m³", "12345.678");
	one("0C13785634F2", "volume", "m³", "-2345.678");
	one("0E13BC9A78563412", "volume", "m³", ""); /* A to C are no digits */
	one("0E13129078563412", "volume", "m³", "123456789.012");
	one("0413800000 80", "volume", "m³", "-2147483.520");
	one("041300000080", "volume", "m³", ""); /* invalid */
}

/* How text, digits and numbers of variable length come. */
static void test_variable_length(void **state)
{
	(void)state;
	one("0D78064645444342 41", "fabrication-number", "", "ABCDEF");
	one("0DFD1103FC4241", "customer", "", "ABü");
	one("0DFD110441000000", "customer", "", "A"); /* padding is no text */
	one("0DFD1100", "customer", "", "");
	one("0DFD11020141", "customer", "", "0141"); /* not text: bytes */
	one("0D13C21234", "volume", "m³", "3.412");
	one("0D13D21234", "volume", "m³", "-3.412");
	one("0D16C9785634129078563412", "volume", "m³", "123456789012345678");
	one("0D13E3FEFFFF", "volume", "m³", "-0.002");
	one("0D13E0", "volume", "m³", "");
	one("0D13F0000102030405060708090A0B0C0D0E0F", "volume", "m³",
		"000102030405060708090A0B0C0D0E0F");
	one("0DFD3B0241 42", "data-container", "", "4142");
	one("0D6DE6000102030405", "date-time", "", "000102030405");
}

static void test_functions_and_numbers(void **state)
{
	(void)state;
	assert_int_equal(one("111305", "volume", "m³", "0.005")->function, METER_MAXIMUM);
	assert_int_equal(one("211305", "volume", "m³", "0.005")->function, METER_MINIMUM);
	assert_int_equal(one("311305", "volume", "m³", "0.005")->function, METER_ERROR_STATE);
	assert_int_equal(one("411305", "volume", "m³", "0.005")->storage, 1);
	const struct meter_record *r = one("C1F5741305", "volume", "m³", "0.005");
	assert_int_equal(r->storage, 1 | 5 << 1 | 4 << 5);
	assert_int_equal(r->tariff, 3 | 3 << 2);
	assert_int_equal(r->subunit, 1 | 1 << 1);
	/* All ten DIFEs full. */
	r = one("C1FFFFFFFFFFFFFFFFFF7F1305", "volume", "m³", "0.005");
	assert_true(r->storage == (UINT64_C(1) << 41) - 1);
	assert_int_equal(r->tariff, (1 << 20) - 1);
	assert_int_equal(r->subunit, (1 << 10) - 1);
	assert_int_equal(r->dif_length, 11);
}

static void assert_of(const struct meter_record *record, unsigned of, uint64_t modifiers)
{
	assert_int_equal(record->of, of);
	assert_true(record->modifiers == modifiers);
}

/* VIFEs that make something else of a value. */
static void test_changed_meaning(void **state)
{
	(void)state;
	assert_of(one("01DB4005", "lower-limit", "°C", "5"), METER_Q_FLOW_TEMPERATURE, 0);
	assert_of(one("01DB48FB", "upper-limit", "°C", "-5"), METER_Q_FLOW_TEMPERATURE, 0);
	assert_of(
		one("01DA4905", "upper-limit-exceed-count", "", "5"), METER_Q_FLOW_TEMPERATURE, 0);
	assert_of(one("04DB6A0B0BCD13", "first-begin", "", "2014-03-13T11:11"),
		METER_Q_FLOW_TEMPERATURE, 0);
	one("02DB475F1C", "lower-limit-last-exceed-end", "", "2010-12-31");
	one("02DB4A5F1C", "upper-limit-first-exceed-begin", "", "2010-12-31");
	one("01BE5105", "lower-limit-first-exceed-duration", "s", "300");
	one("01BE5E05", "upper-limit-last-exceed-duration", "s", "18000");
	one("01BE6305", "first-duration", "s", "432000");
	one("0293395F1C", "start", "", "2010-12-31");
	assert_of(one("01936905", "volume", "m³", "0.005"), 0, UINT64_C(1) << METER_M_LEAKAGE);
	/* A date of another storage stays one. */
	assert_of(one("42EC7E5F1C", "date", "", "2010-12-31"), 0, UINT64_C(1) << METER_M_FUTURE);
}

static void test_corrections(void **state)
{
	(void)state;
	one("01937005", "volume", "m³", "0.000000005");
	one("01937705", "volume", "m³", "0.05");
	one("01937D05", "volume", "m³", "5");
	one("0193F0F77D05", "volume", "m³", "0.00005");
	one("01DB7805", "flow-temperature", "°C", "5.001");
	one("01DB7BFB", "flow-temperature", "°C", "-4");
	one("01862D05", "energy", "Wh/m³", "5000");
	one("01862C05", "energy", "Wh/m³", "5000000");
	one("01932205", "volume", "m³/h", "0.005");
	one("01963005", "volume", "m³/Wh", "0.005");
	one("01FDBA2005", "dimensionless", "1/s", "5");
	one("01FDC93605", "voltage", "V·s", "5");
	assert_of(
		one("01932805", "volume", "m³", "0.005"), 0, UINT64_C(1) << METER_M_INPUT_PULSE_0);
	assert_of(one("0183FC0105", "energy", "Wh", "5"), 0, UINT64_C(1) << METER_M_L1);
	assert_of(one("0183FC8C3B05", "energy", "Wh", "5"), 0,
		UINT64_C(1) << METER_M_DELTA | UINT64_C(1) << METER_M_FORWARD);
	/* What stands behind FFh is the maker's: 7Dh does not scale there. */
	assert_of(one("0183FF7D05", "energy", "Wh", "5"), 0, UINT64_C(1) << METER_M_MANUFACTURER);
	/* Numbers of days that 64 bits do not hold in seconds stay bytes. */
	assert_int_equal(
		one("0723FFFFFFFFFFFFFF7F", "on-time", "s", "FFFFFFFFFFFFFF7F")->kind, METER_BYTES);
}

static void test_error_vifes(void **state)
{
	(void)state;
	assert_of(one("01830005", "energy", "Wh", "5"), 0, 0); /* no error */
	assert_of(one("01831505", "energy", "Wh", ""), 0, UINT64_C(1) << METER_M_NO_DATA);
	/* Diehl Sharky 774: hours counted during an error; Itron: an older edition's 1Ch. */
	assert_of(one("0AA6180500", "operating-time", "s", "18000"), 0,
		UINT64_C(1) << METER_M_DATA_ERROR);
	assert_of(one("03FD971C010000", "error-flags", "", "1"), 0,
		UINT64_C(1) << METER_M_STANDARD_CONTENT);
	assert_of(one("00831C", "energy", "Wh", ""), 0, UINT64_C(1) << METER_M_PREMATURE_END);
	assert_of(one("01830C05", "energy", "Wh", ""), 0, UINT64_C(1) << METER_M_BAD_REQUEST);
}

static void test_plain_text(void **state)
{
	(void)state;
	one("02FC03485225742215", "custom", "%RH", "54.10"); /* text at once */
	one("02FC74034852252215", "custom", "%RH", "54.10"); /* text after the VIFEs */
	one("017C014305", "custom", "C", "5");
	one("01FCF57503B0434105", "custom", "AC°", "0.05"); /* two VIFEs before it */
}

static void test_special_difs(void **state)
{
	const struct meter_reading *r;
	(void)state;
	r = decode_hex(&t, "78 2F2F 011305 2F 0F AABB");
	assert_int_equal(r->record_count, 2);
	assert_record(r, 1, "manufacturer-data", "", "AABB");
	assert_false(r->flags & METER_MORE_FOLLOWS);
	r = decode_hex(&t, "78 1F");
	assert_record(r, 0, "manufacturer-data", "", "");
	assert_true(r->flags & METER_MORE_FOLLOWS);
	r = decode_hex(&t, "78 011305 3F 011305");
	assert_int_equal(r->record_count, 1);
	assert_int_equal(r->error_at, 4);
	r = decode_hex(&t, "51 7F");
	assert_record(r, 0, "any", "", "");
}

/* The good records stay, and the error tells where the data went wrong. */
static void test_bad_data(void **state)
{
	static const struct {
		const char *hex;
		size_t records;
		int at;
		const char *text;
	} rows[] = {
		{"78 011305 0413", 1, 6, "record 2 at byte 4: its data takes 4 bytes, 0 are left"},
		{"78 011305 041301", 1, 6,
			"record 2 at byte 4: its data takes 4 bytes, 1 are left"},
		{"78 011305 04", 1, 4, "record 2: the telegram ends before its VIF"},
		{"78 011305 84", 1, 4, "record 2: the telegram ends within its DIFEs"},
		{"78 011305 0493", 1, 4, "record 2: the telegram ends within its VIFEs"},
		{"78 011305 04FD", 1, 4, "record 2: the telegram ends within its VIF"},
		{"78 8180808080808080808080801305", 0, 1, "record 1: more than 10 DIFEs"},
		{"78 0193A0A0A0A0A0A0A0A0A0A02005", 0, 1, "record 1: more than 10 VIFEs"},
		{"78 01FDC8A0A0A0A0A0A0A0A0A0A02005", 0, 1, "record 1: more than 10 VIFEs"},
		{"78 0D1305", 0, 4, "record 1 at byte 1: its data takes 5 bytes, 0 are left"},
		{"78 0D13F7", 0, 3,
			"record 1: its variable length begins with a reserved code (F7h to FFh)"},
		{"78 027C0543", 0, 2,
			"record 1: the text of its plain text VIF does not fit into the telegram"},
		{"72 785634", 0, 1, "the header after CI 72h takes 12 bytes, 3 are left"},
		{"73 785634", 0, 1, "fixed data has 16 bytes after its CI field; here are 3"},
	};
	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		const struct meter_reading *r = decode_hex(&t, rows[i].hex);
		size_t length;
		const char *text = meter_reading_error(r, &length);
		assert_non_null(text);
		assert_int_equal(length, strlen(rows[i].text));
		assert_memory_equal(text, rows[i].text, length);
		assert_int_equal(r->error_at, rows[i].at);
		assert_int_equal(r->record_count, rows[i].records);
	}
}

static void test_high_byte_first(void **state)
{
	const struct meter_reading *r;
	char text[METER_ID_TEXT_MAX];
	(void)state;
	r = decode_hex(&t, "76 12345678 2C2D 1B 04 01 00 0000 021304D2 026C1C5F 0DFD11024142");
	assert_false(meter_reading_has_error(r));
	meter_id_format(r->meter.id, text);
	assert_string_equal(text, "12345678");
	meter_manufacturer_format(r->meter.manufacturer, text);
	assert_string_equal(text, "KAM");
	assert_record(r, 0, "volume", "m³", "1.234");
	assert_record(r, 1, "date", "", "2010-12-31");
	assert_record(r, 2, "customer", "", "AB");
}

static void test_fixed(void **state)
{
	const struct meter_reading *r;
	(void)state;
	r = decode_hex(&t, "73 78563412 0A 00 E97E 01000000 35010000");
	assert_record(r, 0, "volume", "m³", "0.001");
	assert_record(r, 1, "volume", "m³", "0.135");
	assert_int_equal(meter_reading_record(r, 0)->storage, 0);
	assert_int_equal(meter_reading_record(r, 1)->storage, 1);
	assert_int_equal(r->meter.medium, 7);
	/* Binary, stored, low battery. */
	r = decode_hex(&t, "73 78563412 0A 07 053F FFFFFFFF 10000000");
	assert_record(r, 0, "energy", "Wh", "4294967295000");
	assert_record(r, 1, "dimensionless", "", "16");
	assert_int_equal(meter_reading_record(r, 0)->storage, 1);
	assert_int_equal(r->status, 0x04);
}

static void test_security(void **state)
{
	const struct meter_reading *r;
	(void)state;
	/* Decrypted, though the header says mode 5. */
	r = decode_hex(&t, "7A 01 00 1005 2F2F 0C14270485022F2F2F2F2F2F2F2F");
	assert_false(meter_reading_has_error(r));
	assert_int_equal(r->encryption, METER_PLAIN);
	assert_int_equal(r->encryption_mode, 5);
	assert_record(r, 0, "volume", "m³", "28504.27");
	/* A signature of an old meter: the data is sound. */
	r = decode_hex(
		&t, "72 78563412 2D2C 1B 04 01 00 1005 0C142704850204782F2F2F2F0C1427048502");
	assert_false(meter_reading_has_error(r));
	assert_int_equal(r->encryption, METER_PLAIN);
	assert_int_equal(r->encryption_mode, 0);
	assert_int_equal(r->configuration, 0x0510);
	assert_int_equal(r->record_count, 3);
	/* OMS Vol. 2 annex N.5.4: one block is encrypted, the rest is plain. */
	static const char n54[] = "682C2C6808FD7288776655934455080004100500DFE2A782146D1513581CD2F"
				  "83F39040CFD10785634120C78443322112616";
	r = decode_hex(&t, n54);
	assert_int_equal(r->encryption, METER_NO_KEY);
	assert_int_equal(r->encryption_mode, 5);
	assert_int_equal(r->record_count, 2);
	assert_int_equal(r->error_at, 19);
	assert_record(r, 0, "customer-location", "", "12345678");
}

static void test_other_telegrams(void **state)
{
	const struct meter_reading *r;
	(void)state;
	r = decode_hex(&t, "E5");
	assert_false(meter_reading_has_error(r));
	assert_int_equal(r->flags, 0);
	r = decode_hex(&t, "105B015C16");
	assert_int_equal(r->address, 1);
	r = decode_hex(&t, "680B0B6853FD5278563412FFFFFFFFB216");
	assert_false(meter_reading_has_error(r));
	assert_int_equal(r->meter.id, 0x12345678);
	r = decode_hex(&t, "71 05");
	assert_record(r, 0, "alarm", "", "5");
	r = decode_hex(&t, "A0 0102");
	assert_record(r, 0, "manufacturer-data", "", "0102");
	r = decode_hex(&t, "70");
	assert_true(meter_reading_has_error(r));
	r = decode_hex(&t, "68040468080170017A1600");
	assert_true(meter_reading_has_error(r));
	r = decode_hex(&t, "6803036853FE54A51600");
	assert_int_equal(r->error_at, 9);
	/* A master writes an object: its VIFE is an action. */
	r = decode_hex(&t, "6806066853015140DA0BCA16");
	assert_true(meter_reading_record(r, 0)->modifiers == UINT64_C(1) << METER_M_ACTION);
}

/* As many records as a telegram can hold fit into a block of METER_READING_MAX. */
static void test_full_telegram(void **state)
{
	uint8_t bytes[261];
	static _Alignas(8) uint8_t block[METER_READING_MAX];
	struct meter_reading *reading = (void *)block;
	(void)state;
	memset(bytes, 0, sizeof bytes);
	bytes[0] = 0x78;
	assert_int_equal(meter_reading_init(block, sizeof block, bytes, sizeof bytes, NULL), 0);
	mbus_decode_application(reading, 0, sizeof bytes, 0);
	assert_false(meter_reading_has_error(reading));
	assert_int_equal(reading->record_count, 130);
	/* Each is the same series again. */
	assert_int_equal(meter_reading_record(reading, 129)->ordinal, 129);
	/* In a small block the records that fit stay, and the error says it. */
	assert_int_equal(meter_reading_init(block, 1024, bytes, sizeof bytes, NULL), 0);
	mbus_decode_application(reading, 0, sizeof bytes, 0);
	assert_true(meter_reading_has_error(reading));
	assert_true(reading->record_count > 5);
	assert_true(reading->size <= 1024);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_primary_vifs),
		cmocka_unit_test(test_extension_tables),
		cmocka_unit_test(test_data_fields),
		cmocka_unit_test(test_variable_length),
		cmocka_unit_test(test_functions_and_numbers),
		cmocka_unit_test(test_changed_meaning),
		cmocka_unit_test(test_corrections),
		cmocka_unit_test(test_error_vifes),
		cmocka_unit_test(test_plain_text),
		cmocka_unit_test(test_special_difs),
		cmocka_unit_test(test_bad_data),
		cmocka_unit_test(test_high_byte_first),
		cmocka_unit_test(test_fixed),
		cmocka_unit_test(test_security),
		cmocka_unit_test(test_other_telegrams),
		cmocka_unit_test(test_full_telegram),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
