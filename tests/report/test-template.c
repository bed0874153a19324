/* Report templates: those that ship, byte for byte, and what a bad one does.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <dirent.h>
#include <stdio.h>
#include <unistd.h>

#include <mbedtls/sha256.h>

#include "batch_kit.h"
#include "report/family.h"
#include "report/template.h"

struct fixture {
	char folder[64];
	struct report_template *template;
	struct report_documents documents;
	struct ml_zone *zone;
	struct report_locale locale;
	const char *values; /* JSON */
};

static int set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof *f);
	assert_non_null(f);
	(void)snprintf(f->folder, sizeof f->folder, "/tmp/test-template-XXXXXX");
	assert_non_null(mkdtemp(f->folder));
	f->locale = (struct report_locale){
		.separator = ';', .decimal_sign = '.', .line_end = "\n", .first_day = 1};
	kit_fail_page = -1;
	*state = f;
	return 0;
}

static size_t files_in(const char *folder)
{
	size_t count = 0;
	DIR *directory = opendir(folder);
	assert_non_null(directory);
	for (const struct dirent *entry; (entry = readdir(directory));)
		count += entry->d_name[0] != '.';
	(void)closedir(directory);
	return count;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;
	report_documents_discard(&f->documents);
	report_template_free(f->template);
	ml_zone_free(f->zone);
	assert_int_equal(files_in(f->folder), 0);
	assert_int_equal(rmdir(f->folder), 0);
	assert_int_equal(kit_open_cursors, 0);
	free(f);
	return 0;
}

static int load_text(
	struct fixture *f, const char *name, const char *text, size_t length, struct ml_error *err)
{
	json_t *values = f->values ? json_loads(f->values, JSON_DECODE_ANY, NULL) : NULL;
	const struct report_options options = {.name = name,
		.text = text,
		.length = length,
		.values = values,
		.locale = f->locale,
		.memory = 512 * 1024,
		.instructions = 200000};
	report_template_free(f->template);
	const int result = report_template_new(&options, &f->template, err);
	json_decref(values);
	return result;
}

static int render(struct fixture *f, const struct meter_batch *batch, struct ml_error *err)
{
	const struct report_job job = {
		.batch = batch,
		.gateway = {.serial = "0016001234",
			.name = "Substation 7",
			.contact = "",
			.zone = f->zone ? f->zone : ml_zone_utc()},
		.files = &ml_files_system,
		.folder = f->folder,
		.prefix = "t",
	};
	report_documents_discard(&f->documents);
	return report_template_render(f->template, &job, &f->documents, err);
}

static void render_shipped(struct fixture *f, const char *name, const struct kit_row *rows)
{
	struct ml_error err = ML_ERROR_NONE;
	const struct meter_batch batch = kit_batch(rows);
	const struct ml_script *script = report_shipped_templates;
	while (script->name && strcmp(script->name, name) != 0)
		script++;
	assert_non_null(script->name);
	if (load_text(f, name, script->text, script->length, &err) != 0)
		fail_msg("%s", err.text);
	if (render(f, &batch, &err) != 0)
		fail_msg("%s", err.text);
}

static void expect_document(
	const struct fixture *f, size_t index, const char *name, const char *type, const char *text)
{
	static char bytes[65536];
	assert_true(index < f->documents.count);
	const struct meter_document *document = &f->documents.items[index]->document;
	assert_string_equal(document->name, name);
	assert_string_equal(document->type, type);
	FILE *file = fopen(document->path, "r");
	assert_non_null(file);
	const size_t length = fread(bytes, 1, sizeof bytes - 1, file);
	(void)fclose(file);
	bytes[length] = '\0';
	assert_string_equal(bytes, text);
	assert_int_equal(document->size, length);
	unsigned char hash[32];
	assert_int_equal(mbedtls_sha256_ret((const unsigned char *)bytes, length, hash, 0), 0);
	assert_memory_equal(document->hash, hash, 32);
	assert_int_equal(strlen(document->key), 32);
	assert_int_equal(document->due, INT64_C(1769868000000000));
	assert_int_equal(document->period, ML_DAY);
}

static const struct kit_row rows[] = {
	{KIT_HEAT, "2026-01-31T12:00:00Z", 2, NULL},
	{KIT_WATER, "2026-01-31T12:00:05Z", 1, NULL},
	{KIT_MORE_HEAT, "2026-01-31T13:00:00Z", 2, NULL},
	{"72 11223344 2D2C 01 07 00 00 0000", "2026-01-31T13:00:05Z", 1, "no answer"},
	{NULL, NULL, 0, NULL},
};

#define HEADER_3101 \
	"serial-number;device-identification;manufacturer;version;device-type;moid;created;" \
	"status;" \
	"value-data-count;"

static void test_3101(void **state)
{
	struct fixture *f = *state;
	render_shipped(f, "3101", rows);
	assert_int_equal(f->documents.count, 1);
	expect_document(f, 0, "0016001234_valuereport_20260131140000_3101-101.csv", "text/csv",
		HEADER_3101
		"energy,Wh,inst-value,0,0,0;flow-temperature,°C,inst-value,0,0,0;"
		"volume,m³,inst-value,0,0,0;volume,m³,inst-value,0,0,1\n"
		"0016001234;12345678;KAM;27;4;;2026-01-31 12:00:00;0;2;1234000;20.1;;\n"
		"0016001234;44332211;KAM;1;7;;2026-01-31 12:00:05;0;2;;;0.100;0.100\n"
		"0016001234;12345678;KAM;27;4;;2026-01-31 13:00:00;16;2;1235000;20.2;;\n");
}

static void test_3101_by_locale_and_options(void **state)
{
	struct fixture *f = *state;
	f->locale = (struct report_locale){.charset = REPORT_ISO_8859_1,
		.separator = ',',
		.decimal_sign = ',',
		.line_end = "\r\n",
		.language = REPORT_FRENCH,
		.first_day = 1};
	f->values = "{\"date\": \"D MMMM YYYY hh:mm\", \"failed\": true}";
	assert_int_equal(ml_zone_load("Europe/Paris", NULL, &f->zone, NULL), 0);
	const struct kit_row two[] = {rows[0], rows[3], {NULL, NULL, 0, NULL}};
	render_shipped(f, "3101", two);
	expect_document(f, 0, "0016001234_valuereport_20260131150000_3101-101.csv", "text/csv",
		"serial-number,device-identification,manufacturer,version,device-type,moid,created,"
		"status,value-data-count,\"energy,Wh,inst-value,0,0,0\","
		"\"flow-temperature,\xB0"
		"C,inst-value,0,0,0\"\r\n"
		"0016001234,12345678,KAM,27,4,,31 janvier 2026 13:00,0,2,1234000,\"20,1\"\r\n"
		"0016001234,44332211,KAM,1,7,,31 janvier 2026 14:00,0,0,,\r\n");
	assert_string_equal(f->documents.items[0]->document.charset, "ISO-8859-1");
}

#define HEADER_3115 \
	"#serial-number;device-position;primary-address;device-identification;created;" \
	"value-data-count;manufacturer;version;device-type;access-number;status;signature"

static void test_3115(void **state)
{
	struct fixture *f = *state;
	render_shipped(f, "3115", rows);
	assert_int_equal(f->documents.count, 1);
	expect_document(f, 0, "0016001234_valuereport_20260131140000_3115-101.csv", "text/csv",
		HEADER_3115
		";volume,m³,inst-value,0,0,0;volume,m³,inst-value,0,0,1\n"
		"0016001234;;;44332211;2026-01-31 "
		"12:00:05;2;KAM;1;7;5;0;0;0.100;0.100\n" HEADER_3115
		";energy,Wh,inst-value,0,0,0;flow-temperature,°C,inst-value,0,0,0\n"
		"0016001234;;;12345678;2026-01-31 12:00:00;2;KAM;27;4;42;0;0;1234000;20.1\n"
		"0016001234;;;12345678;2026-01-31 13:00:00;2;KAM;27;4;43;16;0;1235000;20.2\n");
}

static void test_3115_one_file_a_meter(void **state)
{
	struct fixture *f = *state;
	f->values = "{\"one_file_per_meter\": true}";
	render_shipped(f, "3115", rows);
	assert_int_equal(f->documents.count, 2);
	expect_document(f, 0, "0016001234_valuereport_44332211_20260131140000_3115-101.csv",
		"text/csv",
		HEADER_3115
		";volume,m³,inst-value,0,0,0;volume,m³,inst-value,0,0,1\n"
		"0016001234;;;44332211;2026-01-31 12:00:05;2;KAM;1;7;5;0;0;0.100;0.100\n");
	assert_string_equal(f->documents.items[1]->document.name,
		"0016001234_valuereport_12345678_20260131140000_3115-101.csv");
	assert_string_not_equal(
		f->documents.items[0]->document.key, f->documents.items[1]->document.key);
}

static void test_json(void **state)
{
	struct fixture *f = *state;
	const struct kit_row one[] = {rows[0], {NULL, NULL, 0, NULL}};
	render_shipped(f, "json", one);
	expect_document(f, 0, "0016001234_valuereport_20260131140000_json-101.json",
		"application/json",
		"{\"gateway\":{\"contact\":\"\",\"name\":\"Substation "
		"7\",\"serial\":\"0016001234\"},"
		"\"due\":\"2026-01-31T14:00:00Z\",\"test\":false,\"readings\":[\n"
		"{\"time\":\"2026-01-31T12:00:00.000Z\",\"meter\":{\"id\":\"12345678\","
		"\"manufacturer\":\"KAM\",\"version\":27,\"medium\":\"heat\",\"medium_code\":4},"
		"\"access\":42,\"status\":[],\"encryption\":{\"mode\":0,\"result\":\"plain\"},"
		"\"records\":["
		"{\"quantity\":\"energy\",\"unit\":\"Wh\",\"value\":1234000,\"function\":"
		"\"instantaneous\","
		"\"storage\":0,\"tariff\":0,\"subunit\":0,\"dif\":\"04\",\"vif\":\"06\"},"
		"{\"quantity\":\"flow-temperature\",\"unit\":\"°C\",\"value\":20.1,"
		"\"function\":\"instantaneous\",\"storage\":0,\"tariff\":0,\"subunit\":0,"
		"\"dif\":\"02\",\"vif\":\"5A\"}]}\n]}\n");
	f->values = "{\"lines\": true}";
	render_shipped(f, "json", rows);
	assert_string_equal(f->documents.items[0]->document.type, "application/x-ndjson");
}

static void test_the_same_batch_gives_the_same_bytes(void **state)
{
	struct fixture *f = *state;
	char key[METER_DOCUMENT_KEY_MAX];
	render_shipped(f, "3101", rows);
	memcpy(key, f->documents.items[0]->document.key, sizeof key);
	render_shipped(f, "3101", rows);
	assert_string_equal(f->documents.items[0]->document.key, key);
}

/* ---- A template of one's own ---- */

static void test_what_a_template_has(void **state)
{
	struct fixture *f = *state;
	f->locale.decimal_sign = ',';
	const char text[] =
		"template = {}\n"
		"function render(batch, out, options)\n"
		"  assert(batch.count == 4 and batch.first == 101 and batch.last == 104)\n"
		"  assert(batch.destination == 'head-end' and batch.trigger == 'cron' and not "
		"batch.test)\n"
		"  assert(text.date(batch.due, 'D/M/YYYY') == '31/1/2026' and text.date(nil) == "
		"'')\n"
		"  assert(text.number(decimal('1.50')) == '1,50' and text.number(7) == '7')\n"
		"  assert(text.xml('a<b') == 'a&lt;b' and text.csv('a;b') == '\"a;b\"')\n"
		"  assert(text.json{1, 'x', {k = decimal('1.0')}, true} == "
		"'[1,\"x\",{\"k\":1.0},true]')\n"
		"  assert(text.json{} == '{}' and text.json(nil) == 'null' and text.file('../x y') "
		"== 'x-y')\n"
		"  assert(gateway.serial == '0016001234' and gateway.zone == 'UTC')\n"
		"  assert(locale.language == 'en' and locale.decimal_sign == ',')\n"
		"  local a = out:document{name = 'a.txt'}\n"
		"  local b = out:document{name = 'b.txt', type = 'text/x', charset = "
		"'ISO-8859-1'}\n"
		"  a:write('one ', 2, '\\n') a:line('three') a:row('x', nil, 1.5, decimal('2.5'), "
		"'a;b')\n"
		"  b:write('é€') b:close()\n"
		"  for reading in batch:readings('meter') do a:row(reading.records[1]) end\n"
		"end\n";
	struct ml_error err = ML_ERROR_NONE;
	const struct meter_batch batch = kit_batch(rows);
	if (load_text(f, "mine", text, sizeof text - 1, &err) != 0 || render(f, &batch, &err) != 0)
		fail_msg("%s", err.text);
	expect_document(f, 0, "a.txt", "text/plain",
		"one 2\nthree\nx;;1,5;2,5;\"a;b\"\n0,100\n\n1234000\n1235000\n");
	expect_document(f, 1, "b.txt", "text/x",
		"\xE9"
		"EUR");
	assert_int_equal(f->documents.items[1]->replaced, 1);
}

static void fails(struct fixture *f, const char *body, int code, const char *part)
{
	char text[2048];
	struct ml_error err = ML_ERROR_NONE;
	const struct meter_batch batch = kit_batch(rows);
	(void)snprintf(text, sizeof text,
		"template = {}\nfunction render(batch, out, options) %s end", body);
	assert_int_equal(load_text(f, "bad", text, strlen(text), &err), 0);
	const int result = render(f, &batch, &err);
	if (result != code || !strstr(err.text, part))
		fail_msg("%s\n  gave: %d, %s", body, result, err.text);
	assert_int_equal(f->documents.count, 0);
	assert_int_equal(files_in(f->folder), 0);
	assert_int_equal(kit_open_cursors, 0);
}

static void test_what_fails_leaves_nothing_behind(void **state)
{
	struct fixture *f = *state;
	fails(f, "out:document{name = 'x'}:write('half') error('no')", -EINVAL, "bad:2: no");
	fails(f, "for r in batch:readings() do while true do end end", -ETIMEDOUT,
		"200000 instructions");
	fails(f, "local t = {} while true do t[#t + 1] = ('x'):rep(10000) .. #t end", -ENOMEM,
		"memory");
	fails(f, "out:document{}", -EINVAL, "'name' is a text");
	fails(f, "out:document{name = '../x'}", -EINVAL, "is no file name");
	fails(f, "out:document{name = 'x', charset = 'EBCDIC'}", -EINVAL, "is none of UTF-8");
	fails(f, "for i = 1, 100 do out:document{name = 'x' .. i} end", -EINVAL,
		"more than 64 documents open");
	fails(f, "for i = 1, 5000 do out:document{name = 'x' .. i}:close() end", -ETIMEDOUT,
		"instructions");
	fails(f, "local d = out:document{name = 'x'} d:close() d:write('y')", -EINVAL, "is closed");
	fails(f, "out:document{name = 'x'}:row({}, 1)", -EINVAL, "a value is a text, a number");
	fails(f, "out:document{name = 'x'}:json(print)", -EINVAL, "a function has no JSON");
	fails(f, "local t = {} t.t = t out:document{name = 'x'}:json(t)", -EINVAL,
		"more than 32 deep");
	fails(f, "batch:readings('size')", -EINVAL, "invalid option 'size'");
	fails(f, "local a = batch:readings() a() batch:readings()() a()", -EINVAL,
		"was called again");
	fails(f, "for r in batch:readings() do r.records[1].value = 1 end", -EINVAL,
		"cannot be changed here");
	fails(f,
		"local kept for r in batch:readings() do if kept then kept.time = 1 end kept = r "
		"end",
		-EINVAL, "cannot be changed");
	fails(f,
		"local kept for r in batch:readings() do local x = kept and kept.time kept = r end",
		-EINVAL, "has been passed on");
}

static void test_a_broken_store_fails_the_report(void **state)
{
	struct fixture *f = *state;
	kit_fail_page = 1;
	fails(f, "for r in batch:readings() do end", -EIO, "readings.db: disk I/O error");
}

static void test_a_page_has_the_whole_limit(void **state)
{
	struct fixture *f = *state;
	const char text[] = "template = {}\n"
			    "function render(batch, out)\n"
			    "  for r in batch:readings() do for i = 1, 50000 do end end\n"
			    "end\n";
	struct ml_error err = ML_ERROR_NONE;
	struct kit_row many[31] = {{0}};
	for (size_t i = 0; i < 30; i++)
		many[i] = rows[0];
	const struct meter_batch batch = kit_batch(many);
	assert_int_equal(load_text(f, "long", text, sizeof text - 1, &err), 0);
	if (render(f, &batch, &err) != 0)
		fail_msg("%s", err.text);
}

static void refused(struct fixture *f, const char *values, const char *pointer, const char *part)
{
	const char text[] = "template = {options = {\n"
			    "  {name = 'days', kind = 'integer', default = 7, min = 1, max = 31},\n"
			    "  {name = 'factor', kind = 'decimal', default = 1},\n"
			    "  {name = 'mode', kind = 'choice', default = 'long', choices = "
			    "{'long', 'short'}},\n"
			    "  {name = 'title', kind = 'string'},\n"
			    "  {name = 'all', kind = 'bool', default = false},\n"
			    "}}\n"
			    "function render(batch, out, o)\n"
			    "  assert(o.days == 5 and o.factor == decimal('0.5') and o.mode == "
			    "'short' and o.all == false)\n"
			    "  assert(o.title == nil)\n"
			    "end\n";
	struct ml_error err = ML_ERROR_NONE;
	f->values = values;
	const int result = load_text(f, "options", text, sizeof text - 1, &err);
	if (!part) {
		const struct meter_batch batch = kit_batch(rows);
		if (result != 0 || render(f, &batch, &err) != 0)
			fail_msg("%s", err.text);
		return;
	}
	if (result != -EINVAL || strcmp(err.pointer, pointer) != 0 || !strstr(err.text, part))
		fail_msg("%s\n  gave: %d, %s: %s", values, result, err.pointer, err.text);
}

static void test_options_are_checked(void **state)
{
	struct fixture *f = *state;
	refused(f, "{\"days\": 5, \"factor\": 0.5, \"mode\": \"short\"}", NULL, NULL);
	refused(f, "{\"days\": 40}", "/days", "option days: expected at most 31");
	refused(f, "{\"days\": 0}", "/days", "expected at least 1");
	refused(f, "{\"days\": \"5\"}", "/days", "expected a whole number");
	refused(f, "{\"days\": 5.5}", "/days", "expected a whole number");
	refused(f, "{\"mode\": \"wide\"}", "/mode", "expected one of long, short");
	refused(f, "{\"title\": 5}", "/title", "expected a text");
	refused(f, "{\"all\": 1}", "/all", "expected true or false");
	refused(f, "{\"dyas\": 5}", "/dyas", "no such option; is 'days' meant?");
}

static void test_what_is_no_template(void **state)
{
	struct fixture *f = *state;
	struct ml_error err = ML_ERROR_NONE;
	assert_int_equal(load_text(f, "t", "template = {}", 13, &err), -ENOENT);
	assert_string_equal(err.text, "t: has no function render()");
	err = ML_ERROR_NONE;
	assert_int_equal(load_text(f, "t", "function render() end", 21, &err), -EINVAL);
	assert_non_null(strstr(err.text, "sets the global table 'template'"));
	err = ML_ERROR_NONE;
	assert_int_equal(load_text(f, "t", "function render( end", 20, &err), -EINVAL);
	assert_non_null(strstr(err.text, "t:1: "));
}

int main(void)
{
#define TEMPLATE_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEMPLATE_TEST(test_3101),
		TEMPLATE_TEST(test_3101_by_locale_and_options),
		TEMPLATE_TEST(test_3115),
		TEMPLATE_TEST(test_3115_one_file_a_meter),
		TEMPLATE_TEST(test_json),
		TEMPLATE_TEST(test_the_same_batch_gives_the_same_bytes),
		TEMPLATE_TEST(test_what_a_template_has),
		TEMPLATE_TEST(test_what_fails_leaves_nothing_behind),
		TEMPLATE_TEST(test_a_broken_store_fails_the_report),
		TEMPLATE_TEST(test_a_page_has_the_whole_limit),
		TEMPLATE_TEST(test_options_are_checked),
		TEMPLATE_TEST(test_what_is_no_template),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
