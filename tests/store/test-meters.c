/* The meter list through its commands: what is added, changed, imported and contacted is there
 * after a restart, and nothing is ever half done. SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <jansson.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "store/kit.h"

static int setup(void **state)
{
	*state = kit_new(NULL);
	return 0;
}

static int teardown(void **state)
{
	kit_free(*state);
	return 0;
}

static struct kit *restart(void **state)
{
	struct kit *kit = *state;
	char data[64];
	memcpy(data, kit->data, sizeof data);
	kit->keep_data = true;
	kit_free(kit);
	*state = kit_new(data);
	return *state;
}

/* MOIDs in their order, comma after comma. */
static void expect_list(struct kit *kit, const char *expected)
{
	struct meter_list *list = meter_list(kit->engine);
	const struct meter_snapshot *snapshot = meter_list_snapshot(list);
	char text[512] = "";
	for (size_t i = 0; i < snapshot->point_count; i++) {
		assert_int_equal(snapshot->points[i].order, i + 1);
		(void)snprintf(text + strlen(text), sizeof text - strlen(text), "%s%s",
			i ? "," : "", snapshot->points[i].settings.moid);
	}
	assert_string_equal(text, expected);
	meter_snapshot_release(snapshot);
}

static void expect_call(struct kit *kit, const char *command, const char *params, int code)
{
	kit_call(kit, command, params);
	if (kit->code != code)
		fail_msg("%s %s: %d %s", command, params, kit->code, kit->result);
}

static void expect_in_result(const struct kit *kit, const char *text)
{
	if (!strstr(kit->result, text))
		fail_msg("%s is not in %s", text, kit->result);
}

static void added_points_are_there_after_a_restart(void **state)
{
	struct kit *kit = *state;
	expect_call(kit, "meter.add",
		"{'moid': 'Flat 3', 'bus': 'cellar', 'secondary': '12345678.KAM.1B.04', 'primary': "
		"5, "
		"'baud': 300, 'multi': 'auto', 'state': 'passive'}",
		0);
	expect_call(kit, "meter.add", "{'moid': 'Roof', 'mode': 'primary', 'primary': 7}", 0);
	kit = restart(state);
	expect_list(kit, "Flat 3,Roof");
	expect_call(kit, "meter.list", "{'passive': true}", 0);
	expect_in_result(kit, "\"point\":1,\"order\":1,\"since\":\"2026-09-21T14:13:20.000Z\","
			      "\"moid\":\"Flat 3\",\"state\":\"passive\",\"bus\":\"cellar\","
			      "\"mode\":\"secondary\",\"primary\":5,\"secondary\":"
			      "\"12345678.KAM.1B.04\",\"baud\":300,\"multi\":\"auto\",\"readout\":"
			      "{\"state\":\"never\",\"failures\":0},\"device\":null,"
			      "\"earlier_devices\":[]}");
	expect_in_result(kit, "\"total\":2");
}

static void what_makes_no_sense_is_refused(void **state)
{
	struct kit *kit = *state;
	static const struct {
		const char *params, *text;
	} wrong[] = {
		{"{'mode': 'primary'}", "needs a primary address"},
		{"{}", "needs a secondary address"},
		{"{'mode': 'esecondary'}", "enhanced or a secondary"},
		{"{'secondary': '123'}", NULL},
		{"{'secondary': 'ABCDEFGH'}", "expected 8 digits"},
		{"{'mode': 'primary', 'primary': 1, 'baud': 1000}", "300, 600"},
		{"{'mode': 'primary', 'primary': 256}", "255"},
		{"{'mode': 'primary', 'primary': 1, 'order': 3}", "expected 1 to 2"},
		{"{'mode': 'primary', 'primary': 1, 'moid': 'a\\nb'}", "control character"},
	};
	for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
		kit_call(kit, "meter.add", wrong[i].params);
		assert_int_equal(kit->code, wrong[i].text ? -EINVAL : 0);
		if (wrong[i].text)
			expect_in_result(kit, wrong[i].text);
	}
	expect_list(kit, ""); /* one, without a MOID */
}

static void addressing_mode_follows_the_address(void **state)
{
	struct kit *kit = *state;
	static const char *const cases[][2] = {
		{"{'primary': 7}", "\"mode\":\"primary\""},
		{"{'primary': 8, 'secondary': '12345678'}", "\"mode\":\"secondary\""},
		{"{'enhanced': '12345679'}", "\"mode\":\"esecondary\""},
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		kit_call(kit, "meter.add", cases[i][0]);
		assert_int_equal(kit->code, 0);
		expect_in_result(kit, cases[i][1]);
	}
}

static void two_active_points_of_one_address_are_refused(void **state)
{
	struct kit *kit = *state;
	expect_call(kit, "meter.add", "{'moid': 'A', 'mode': 'primary', 'primary': 1}", 0);
	expect_call(kit, "meter.add", "{'moid': 'B', 'mode': 'primary', 'primary': 1}", -EEXIST);
	expect_in_result(kit, "primary address 1 is that of point #1 (\"A\")");
	expect_call(kit, "meter.add",
		"{'moid': 'B', 'mode': 'primary', 'primary': 1, 'bus': 'other'}", 0);
	expect_call(kit, "meter.add",
		"{'moid': 'C', 'mode': 'primary', 'primary': 1, 'state': 'passive'}", 0);
	expect_call(kit, "meter.change", "{'meter': 'C', 'state': 'active'}", -EEXIST);
	expect_call(kit, "meter.change", "{'meter': 'A', 'state': 'passive'}", 0);
	expect_call(kit, "meter.change", "{'meter': 'C', 'state': 'active'}", 0);
	expect_list(kit, "A,B,C");
}

static void changed_moved_removed(void **state)
{
	struct kit *kit = *state;
	for (int i = 1; i <= 4; i++) {
		char params[96];
		(void)snprintf(params, sizeof params,
			"{'moid': '%c', 'mode': 'primary', 'primary': %d}", 'A' + i - 1, i);
		expect_call(kit, "meter.add", params, 0);
	}
	expect_call(kit, "meter.change", "{'meter': 'D', 'order': 2}", 0);
	expect_list(kit, "A,D,B,C");
	expect_call(kit, "meter.change", "{'meter': 'A', 'order': 4, 'moid': 'a'}", 0);
	expect_list(kit, "D,B,C,a");
	expect_call(kit, "meter.change", "{'meter': 'a', 'moid': 'x', 'order': 9}", -EINVAL);
	expect_list(kit, "D,B,C,a"); /* nothing half done */
	expect_call(kit, "meter.remove", "{'meter': '#2'}", 0);
	expect_list(kit, "D,C,a");
	expect_call(kit, "meter.remove", "{'meter': '#2'}", -ENOENT);
	expect_call(kit, "meter.add", "{'moid': 'E', 'mode': 'primary', 'primary': 9}", 0);
	expect_in_result(kit, "\"point\":5"); /* a key is never used again */
	kit = restart(state);
	expect_list(kit, "D,C,a,E");
}

static void names_that_fit_several_give_the_candidates(void **state)
{
	struct kit *kit = *state;
	expect_call(kit, "meter.add", "{'moid': 'Flat 3', 'mode': 'primary', 'primary': 1}", 0);
	expect_call(kit, "meter.add", "{'moid': 'Flat 3', 'secondary': '12345678.KAM'}", 0);
	expect_call(kit, "meter.remove", "{'meter': 'Flat 3'}", -EEXIST);
	expect_in_result(kit, "2 meters fit: #1 (never read, \"Flat 3\"), #2 (never read");
	expect_list(kit, "Flat 3,Flat 3");
}

#define HEADING \
	"Position,SecondaryAddress,BaudRate,AddressingMode,PrimaryAddress,EnhancedAddress,Bus," \
	"State\\n"

static void import_tells_of_each_row(void **state)
{
	struct kit *kit = *state;
	expect_call(kit, "meter.import",
		"{'csv': '" HEADING "Flat 1,12345678,2400,secondary,,,,active\\n"
		"Flat 2,,300,primary,2,,cellar,passive\\nRoof,,,esecondary,,64660205.FML,,\\n'}",
		0);
	expect_in_result(kit, "\"applied\":true,\"added\":3,\"changed\":0,\"unchanged\":0,"
			      "\"refused\":0");
	expect_in_result(kit, "{\"line\":2,\"result\":\"added\",\"text\":\"secondary address "
			      "12345678\",\"point\":1}");
	expect_in_result(kit, "\"text\":\"primary address 2 on bus \\\"cellar\\\"\"");
	expect_in_result(kit, "\"text\":\"enhanced address 64660205.FML.*.*\"");
	/* Again: unchanged; one changed, one new. */
	expect_call(kit, "meter.import",
		"{'csv': '" HEADING "Flat 1,12345678,2400,secondary,,,,active\\n"
		"Flat 2,,2400,primary,2,,cellar,active\\nAttic,,,primary,3,,,\\n'}",
		0);
	expect_in_result(kit, "\"added\":1,\"changed\":1,\"unchanged\":1,\"refused\":0");
	expect_in_result(kit, "{\"line\":3,\"result\":\"changed\"");
	kit = restart(state);
	expect_list(kit, "Flat 1,Flat 2,Roof,Attic");
}

static void import_with_a_wrong_row_changes_nothing(void **state)
{
	struct kit *kit = *state;
	static const char csv[] = "'csv': '" HEADING "Flat 1,12345678,2400,secondary,,,,active\\n"
				  "Flat 2,,1234,primary,2,,,\\n"
				  "Flat 3,,,primary,,,,\\n"
				  "Flat 4,,,sideways,4,,,\\n"
				  "Flat 5,12345678,,secondary,,,,\\n"
				  "Flat 6,,,primary,6,,,,,too,many\\n"
				  "\\\"Flat\\\" 7,,,primary,7,,,\\n'";
	char params[1024];
	(void)snprintf(params, sizeof params, "{%s}", csv);
	expect_call(kit, "meter.import", params, 0);
	expect_in_result(kit, "\"applied\":false,\"added\":1,\"changed\":0,\"unchanged\":0,"
			      "\"refused\":6");
	expect_in_result(kit, "{\"line\":2,\"result\":\"added\",\"text\":\"secondary address "
			      "12345678 (not done)\"}");
	expect_in_result(kit, "{\"line\":3,\"result\":\"refused\",\"text\":\"baud rate 1234");
	expect_in_result(kit, "{\"line\":4,\"result\":\"refused\",\"text\":\"addressing mode "
			      "primary needs");
	expect_in_result(kit, "{\"line\":5,\"result\":\"refused\",\"text\":\"AddressingMode "
			      "\\\"sideways\\\"");
	expect_in_result(kit, "{\"line\":6,\"result\":\"refused\",\"text\":\"secondary address "
			      "12345678 stands in line 2 already\"");
	expect_in_result(kit, "{\"line\":7,\"result\":\"refused\",\"text\":\"there are 11 fields, "
			      "the heading has 8\"");
	expect_in_result(kit, "{\"line\":8,\"result\":\"refused\"");
	expect_list(kit, "");
	(void)snprintf(params, sizeof params, "{%s, 'dry_run': true, 'partial': true}", csv);
	expect_call(kit, "meter.import", params, 0);
	expect_list(kit, "");
	(void)snprintf(params, sizeof params, "{%s, 'partial': true}", csv);
	expect_call(kit, "meter.import", params, 0);
	expect_list(kit, "Flat 1");
}

static void a_file_that_is_none_is_refused_as_a_whole(void **state)
{
	struct kit *kit = *state;
	static const struct {
		const char *params, *text;
	} wrong[] = {
		{"{'csv': ''}", "the file is empty"},
		{"{'csv': 'Name,Address\\n'}", "column \"Name\" is not known"},
		{"{'csv': 'Position,State\\n'}", "no column of addresses"},
		{"{'csv': 'Position,Position,PrimaryAddress\\n'}", "stands twice"},
		{"{'csv': 'x', 'base64': 'eA=='}", "either"},
		{"{}", "either"},
		{"{'base64': '!'}", "base64"},
	};
	for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
		expect_call(kit, "meter.import", wrong[i].params, -EINVAL);
		expect_in_result(kit, wrong[i].text);
	}
	expect_list(kit, "");
}

static void a_spreadsheets_file_is_taken(void **state)
{
	struct kit *kit = *state;
	/* Position;SecondaryAddress;AddressingMode CRLF Zähler €;1234567;Secondary CRLF, in
	 * Windows-1252; the leading zero is lost. */
	expect_call(kit, "meter.import",
		"{'base64': "
		"'UG9zaXRpb247U2Vjb25kYXJ5QWRkcmVzcztBZGRyZXNzaW5nTW9kZQ0KWuRobGVyIIA7MTIzNDU2NztTZ"
		"WNvbmRhcnkNCg=='}",
		0);
	expect_list(kit, "Zähler €");
	expect_call(kit, "meter.list", "{}", 0);
	expect_in_result(kit, "\"secondary\":\"01234567\"");
}

static void columns_that_are_not_there_leave_settings_alone(void **state)
{
	struct kit *kit = *state;
	expect_call(kit, "meter.add",
		"{'moid': 'A', 'mode': 'primary', 'primary': 1, 'baud': 300, 'state': 'passive'}",
		0);
	expect_call(kit, "meter.import",
		"{'csv': 'Position,PrimaryAddress,AddressingMode\\nB,1,primary\\n'}", 0);
	expect_in_result(kit, "\"changed\":1");
	/* Passive points are shown where they are asked for, or named. */
	expect_call(kit, "meter.list", "{}", 0);
	expect_in_result(kit, "\"total\":0");
	expect_call(kit, "meter.list", "{'meter': 'B'}", 0);
	expect_in_result(kit, "\"moid\":\"B\",\"state\":\"passive\"");
	expect_in_result(kit, "\"baud\":300");
}

static void export_is_imported_again_unchanged(void **state)
{
	struct kit *kit = *state;
	expect_call(kit, "meter.add",
		"{'moid': 'Say \\\"hi\\\"; \\u00e4', 'secondary': '12345678.KAM.1B.04', "
		"'primary': 5, 'baud': 300}",
		0);
	expect_call(kit, "meter.add",
		"{'moid': '2', 'bus': 'cellar', 'mode': 'primary', 'primary': 2, 'state': "
		"'passive'}",
		0);
	expect_call(kit, "meter.add", "{'mode': 'esecondary', 'enhanced': '64660205.FML'}", 0);
	static const char *const delimiters[] = {"comma", "semicolon"};
	for (size_t i = 0; i < 2; i++) {
		char params[64];
		(void)snprintf(params, sizeof params, "{'delimiter': '%s'}", delimiters[i]);
		expect_call(kit, "meter.export", params, 0);
		json_t *exported = json_loads(kit->result, 0, NULL);
		const char *csv = json_string_value(json_object_get(exported, "csv"));
		assert_memory_equal(csv, "\xEF\xBB\xBFPosition", 11);
		json_t *import = json_pack("{s:s}", "csv", csv);
		char *text = json_dumps(import, 0);
		/* kit_call() wants ' for ": the text holds none of the former. */
		expect_call(kit, "meter.import", text, 0);
		expect_in_result(kit, "\"added\":0,\"changed\":0,\"unchanged\":3,\"refused\":0");
		free(text);
		json_decref(import);
		json_decref(exported);
	}
}

static void many_rows_are_one_change(void **state)
{
	struct kit *kit = *state;
	struct ml_buffer csv = {0};
	ml_buffer_appendf(&csv, "{'csv': 'Position,SecondaryAddress,AddressingMode\\n");
	for (int i = 0; i < 2000; i++)
		ml_buffer_appendf(&csv, "P%d,%08d,secondary\\n", i, i);
	ml_buffer_appendf(&csv, "'}");
	const uint64_t before = meter_list_revision(meter_list(kit->engine));
	expect_call(kit, "meter.import", csv.data, 0);
	assert_int_equal(meter_list_revision(meter_list(kit->engine)), before + 1);
	expect_call(kit, "meter.list", "{'limit': 1, 'offset': 1999}", 0);
	expect_in_result(kit, "\"moid\":\"P1999\"");
	expect_in_result(kit, "\"total\":2000");
	ml_buffer_free(&csv);
}

static void snapshots_stay_as_they_were(void **state)
{
	struct kit *kit = *state;
	struct meter_list *list = meter_list(kit->engine);
	expect_call(kit, "meter.add", "{'moid': 'A', 'mode': 'primary', 'primary': 1}", 0);
	const struct meter_snapshot *old = meter_list_snapshot(list);
	expect_call(kit, "meter.change", "{'meter': 'A', 'moid': 'B'}", 0);
	expect_call(kit, "meter.add", "{'moid': 'C', 'mode': 'primary', 'primary': 2}", 0);
	assert_int_equal(old->point_count, 1);
	assert_string_equal(old->points[0].settings.moid, "A");
	meter_snapshot_release(old);
	expect_list(kit, "B,C");
}

static void contacts_fill_in_devices(void **state)
{
	struct kit *kit = *state;
	struct meter_list *list = meter_list(kit->engine);
	expect_call(kit, "meter.add", "{'moid': 'A', 'mode': 'primary', 'primary': 1}", 0);
	const struct meter_identity first = {0x12345678, 0x2C2D, 0x1B, 4};
	const struct meter_identity second = {0x87654321, 0x2C2D, 0x1B, 4};
	const struct meter_snapshot *snapshot = meter_list_snapshot(list);
	/* Told often before the control lane comes to it: one change. */
	for (int i = 0; i < 100; i++)
		meter_list_contact(list, snapshot, 1, first, kit_wall(kit));
	meter_list_contact(list, snapshot, 99, first, kit_wall(kit)); /* no such point */
	meter_snapshot_release(snapshot);
	const uint64_t before = meter_list_revision(list);
	kit_settle(kit);
	assert_int_equal(meter_list_revision(list), before + 1);
	kit_run(kit, ML_HOUR);
	snapshot = meter_list_snapshot(list);
	assert_int_equal(snapshot->points[0].device_count, 1);
	assert_ptr_equal(meter_snapshot_identity(snapshot, first), &snapshot->points[0]);
	meter_list_contact(list, snapshot, 1, second, kit_wall(kit));
	meter_snapshot_release(snapshot);
	kit_settle(kit);
	kit = restart(state);
	snapshot = meter_list_snapshot(meter_list(kit->engine));
	const struct meter_point *point = &snapshot->points[0];
	assert_int_equal(point->device_count, 2);
	assert_true(meter_identity_equal(point->device->identity, second));
	assert_true(point->devices[0].to == point->devices[1].from);
	assert_true(point->devices[1].to == ML_NEVER);
	assert_null(meter_snapshot_identity(snapshot, first));
	/* The one that was there before is still found by its id. */
	const struct meter_point *found = NULL;
	assert_int_equal(meter_snapshot_find_one(snapshot, "12345678", 8, &found, NULL), 0);
	assert_ptr_equal(found, point);
	meter_snapshot_release(snapshot);
}

#define LIST_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		LIST_TEST(added_points_are_there_after_a_restart),
		LIST_TEST(what_makes_no_sense_is_refused),
		LIST_TEST(addressing_mode_follows_the_address),
		LIST_TEST(two_active_points_of_one_address_are_refused),
		LIST_TEST(changed_moved_removed),
		LIST_TEST(names_that_fit_several_give_the_candidates),
		LIST_TEST(import_tells_of_each_row),
		LIST_TEST(import_with_a_wrong_row_changes_nothing),
		LIST_TEST(a_file_that_is_none_is_refused_as_a_whole),
		LIST_TEST(a_spreadsheets_file_is_taken),
		LIST_TEST(columns_that_are_not_there_leave_settings_alone),
		LIST_TEST(export_is_imported_again_unchanged),
		LIST_TEST(many_rows_are_one_change),
		LIST_TEST(snapshots_stay_as_they_were),
		LIST_TEST(contacts_fill_in_devices),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
