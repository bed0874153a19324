/* A meter that answered is new, known, moved, replaced or a duplicate; there are never two points
 * for one meter, and what a person typed is never changed. SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <setjmp.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "meter/list_private.h"
#include "meter/sighting.h"

static int setup(void **state)
{
	sqlite3 *db = NULL;
	struct meter_list *list = NULL;
	assert_int_equal(sqlite3_open(":memory:", &db), SQLITE_OK);
	for (const struct ml_migration *m = meter_list_migrations; m->sql; m++)
		assert_int_equal(sqlite3_exec(db, m->sql, NULL, NULL, NULL), SQLITE_OK);
	assert_int_equal(meter_list_open(db, NULL, &list, NULL), 0);
	*state = list;
	return 0;
}

static int teardown(void **state)
{
	meter_list_close(*state);
	return 0;
}

/* ---- Words for meters and points ---- */

static struct meter_identity meter(const char *text)
{
	struct meter_identity identity;
	assert_int_equal(meter_secondary_parse(text, strlen(text), &identity, NULL), 0);
	return identity;
}

/* Found by its primary address, at the rate of its bus. */
static struct meter_sighting at_primary(const char *bus, unsigned primary, const char *identity)
{
	struct meter_sighting s = {
		.identity = meter(identity),
		.whole = true,
		.baud = 2400,
		.bus_baud = 2400,
		.mode = METER_MODE_PRIMARY,
		.has_primary = true,
		.primary = (uint8_t)primary,
	};
	(void)snprintf(s.bus, sizeof s.bus, "%s", bus);
	return s;
}

/* Selected; 253: its answer tells nothing of its primary address. */
static struct meter_sighting selected(const char *bus, const char *identity, unsigned primary)
{
	struct meter_sighting s = at_primary(bus, primary, identity);
	s.mode = METER_MODE_SECONDARY;
	s.selection = s.identity;
	return s;
}

static uint32_t add(struct meter_list *list, const struct meter_settings *settings)
{
	uint32_t key = 0;
	struct ml_error err = ML_ERROR_NONE;
	if (meter_list_add(list, settings, 1000, &key, &err) < 0)
		fail_msg("%s", err.text);
	return key;
}

static uint32_t add_primary(struct meter_list *list, const char *moid, unsigned primary)
{
	struct meter_settings settings = {
		.mode = METER_MODE_PRIMARY, .has_primary = true, .primary = (uint8_t)primary};
	(void)snprintf(settings.moid, sizeof settings.moid, "%s", moid);
	return add(list, &settings);
}

static uint32_t add_secondary(
	struct meter_list *list, const char *moid, const char *bus, const char *address)
{
	struct meter_settings settings = {
		.mode = METER_MODE_SECONDARY, .has_secondary = true, .secondary = meter(address)};
	(void)snprintf(settings.moid, sizeof settings.moid, "%s", moid);
	(void)snprintf(settings.bus, sizeof settings.bus, "%s", bus);
	return add(list, &settings);
}

static struct meter_verdict enter(struct meter_list *list, struct meter_sighting sighting)
{
	struct meter_verdict verdict;
	struct ml_error err = ML_ERROR_NONE;
	if (meter_sighting_enter(list, &sighting, 2000, &verdict, &err) < 0)
		fail_msg("%s", err.text);
	return verdict;
}

static struct meter_verdict expect(struct meter_list *list, struct meter_sighting sighting,
	enum meter_sighting_kind kind, const char *text)
{
	const struct meter_verdict verdict = enter(list, sighting);
	if (verdict.kind != kind || !strstr(verdict.text, text))
		fail_msg("%s: \"%s\", expected %s: \"%s\"", meter_sighting_kind_name(verdict.kind),
			verdict.text, meter_sighting_kind_name(kind), text);
	return verdict;
}

/* The point as it is now; what it is compared with is in one line. */
static void expect_point(struct meter_list *list, uint32_t key, const char *expected)
{
	const struct meter_snapshot *snapshot = meter_list_snapshot(list);
	const struct meter_point *point = meter_snapshot_point(snapshot, key);
	char address[METER_ADDRESS_WORDS_MAX], device[METER_SECONDARY_TEXT_MAX] = "never read";
	char text[256];
	assert_non_null(point);
	meter_settings_address(&point->settings, address);
	if (point->device)
		meter_secondary_format(point->device->identity, device);
	(void)snprintf(text, sizeof text, "%s: %s, %u baud, %s, %zu", point->settings.moid, address,
		point->settings.baud, device, point->device_count);
	assert_string_equal(text, expected);
	meter_snapshot_release(snapshot);
}

static void expect_count(struct meter_list *list, size_t count)
{
	const struct meter_snapshot *snapshot = meter_list_snapshot(list);
	assert_int_equal(snapshot->point_count, count);
	meter_snapshot_release(snapshot);
}

#define A "12345678.KAM.1B.04"
#define A_NEXT_VERSION "12345678.KAM.1C.04"
#define A_OTHER_MAKER "12345678.LUG.1B.04"
#define B "87654321.LUG.02.07"

/* ---- The five ---- */

static void what_no_point_has_is_added_with_all_that_is_known(void **state)
{
	struct meter_list *list = *state;
	struct meter_sighting found = selected("roof", A, 5);
	found.baud = 300;
	struct meter_verdict verdict = expect(list, found, METER_SIGHTING_NEW, "added as point #1");
	assert_int_equal(verdict.point, 1);
	assert_true(verdict.settings.has_primary);
	assert_int_equal(verdict.settings.primary, 5);
	expect_point(list, 1, ": secondary address " A " on bus \"roof\", 300 baud, " A ", 1");
	/* At the rate of the bus the point has none of its own, and primary 253 is none. */
	verdict = expect(list, selected("", B, 253), METER_SIGHTING_NEW, "added as point #2");
	assert_false(verdict.settings.has_primary);
	expect_point(list, 2, ": secondary address " B ", 0 baud, " B ", 1");
	expect(list, at_primary("", 9, "00000009.KAM.01.04"), METER_SIGHTING_NEW, "point #3");
	expect_point(list, 3, ": primary address 9, 0 baud, 00000009.KAM.01.04, 1");
	expect_count(list, 3);
}

static void what_is_where_it_was_is_known(void **state)
{
	struct meter_list *list = *state;
	add_primary(list, "Flat 5", 5);
	add_secondary(list, "Flat 6", "", "12345678");
	expect(list, at_primary("", 5, B), METER_SIGHTING_KNOWN, "first time");
	expect(list, at_primary("", 5, B), METER_SIGHTING_KNOWN, "as the list has it");
	expect(list, selected("", A, 0), METER_SIGHTING_KNOWN, "first time");
	expect(list, selected("", A, 0), METER_SIGHTING_KNOWN, "as the list has it");
	/* Also reached the other way. */
	expect(list, selected("", B, 5), METER_SIGHTING_KNOWN, "as the list has it");
	expect_point(list, 1, "Flat 5: primary address 5, 0 baud, " B ", 1");
	expect_point(list, 2, "Flat 6: secondary address 12345678, 0 baud, " A ", 1");
	expect_count(list, 2);
}

static void a_blank_primary_address_is_filled_in(void **state)
{
	struct meter_list *list = *state;
	add_secondary(list, "", "", "12345678");
	const struct meter_verdict verdict =
		expect(list, at_primary("", 17, A), METER_SIGHTING_KNOWN, "first time");
	assert_int_equal(verdict.settings.primary, 17);
	expect_point(list, 1, ": secondary address 12345678, 0 baud, " A ", 1");
	const struct meter_snapshot *snapshot = meter_list_snapshot(list);
	assert_true(snapshot->points[0].settings.has_primary);
	meter_snapshot_release(snapshot);
}

static void what_answers_elsewhere_has_moved(void **state)
{
	struct meter_list *list = *state;
	add_primary(list, "Flat 5", 5);
	expect(list, at_primary("", 5, A), METER_SIGHTING_KNOWN, "first");
	expect(list, at_primary("", 6, A), METER_SIGHTING_MOVED,
		"was at primary address 5, answers at primary address 6");
	expect_point(list, 1, "Flat 5: primary address 6, 0 baud, " A ", 1");
	expect(list, at_primary("roof", 6, A), METER_SIGHTING_MOVED, "on bus \"roof\"");
	struct meter_sighting slow = at_primary("roof", 6, A);
	slow.baud = 300;
	expect(list, slow, METER_SIGHTING_MOVED, "with 2400 baud");
	expect_point(list, 1, "Flat 5: primary address 6 on bus \"roof\", 300 baud, " A ", 1");
	/* Selected on another bus, where its primary address is not known. */
	expect(list, selected("", A, 253), METER_SIGHTING_MOVED, "secondary address " A);
	expect_point(list, 1, "Flat 5: secondary address " A ", 0 baud, " A ", 1");
	expect_count(list, 1);
}

static void what_was_listed_on_the_wrong_bus_and_never_read_has_moved(void **state)
{
	struct meter_list *list = *state;
	add_secondary(list, "Flat 5", "roof", "12345678");
	expect(list, selected("", A, 0), METER_SIGHTING_MOVED, "on bus \"roof\", answers at");
	expect_point(list, 1, "Flat 5: secondary address 12345678, 0 baud, " A ", 1");
}

static void another_meter_at_the_address_of_a_point_is_a_new_device(void **state)
{
	struct meter_list *list = *state;
	add_primary(list, "Flat 5", 5);
	add_secondary(list, "Flat 6", "", "12345678.KAM");
	expect(list, at_primary("", 5, B), METER_SIGHTING_KNOWN, "first");
	expect(list, at_primary("", 5, "00000001.KAM.01.04"), METER_SIGHTING_REPLACED,
		B " was there before");
	expect_point(list, 1, "Flat 5: primary address 5, 0 baud, 00000001.KAM.01.04, 2");
	/* A new firmware; and one that took over the primary address, found by selection. */
	expect(list, selected("", A, 0), METER_SIGHTING_KNOWN, "first");
	expect(list, selected("", A_NEXT_VERSION, 0), METER_SIGHTING_REPLACED, A);
	expect(list, selected("", "00000002.KAM.01.04", 5), METER_SIGHTING_REPLACED, "00000001");
	expect_point(list, 1, "Flat 5: primary address 5, 0 baud, 00000002.KAM.01.04, 3");
	expect_count(list, 2);
}

static void one_identity_at_two_places_of_one_search_is_a_duplicate(void **state)
{
	struct meter_list *list = *state;
	struct meter_sighting first = at_primary("", 5, A), again = selected("", A, 5);
	struct meter_sighting slow = at_primary("", 5, A), twin = at_primary("", 7, A);
	struct meter_sighting roof = selected("roof", A, 253);
	first.search = again.search = slow.search = twin.search = roof.search = 77;
	slow.baud = 300;
	expect(list, first, METER_SIGHTING_NEW, "point #1");
	assert_true(expect(list, again, METER_SIGHTING_KNOWN, "seen in this search").again);
	expect(list, twin, METER_SIGHTING_DUPLICATE,
		"answers at primary address 5 and at primary address 7");
	expect(list, roof, METER_SIGHTING_DUPLICATE, "on bus \"roof\"");
	expect_point(list, 1, ": primary address 5, 0 baud, " A ", 1");
	/* In the next search it has moved. */
	roof.search = 78;
	expect(list, roof, METER_SIGHTING_MOVED, "on bus \"roof\"");
	expect_count(list, 1);
}

static void a_meter_that_two_points_claim_is_a_duplicate(void **state)
{
	struct meter_list *list = *state;
	add_primary(list, "Flat 5", 5);
	expect(list, at_primary("", 5, A), METER_SIGHTING_KNOWN, "first");
	add_secondary(list, "Flat 6", "", "12345678");
	const struct meter_verdict verdict =
		expect(list, selected("", A, 5), METER_SIGHTING_DUPLICATE,
			"points #1 \"Flat 5\" and #2 \"Flat 6\" are both this meter");
	assert_int_equal(verdict.other, 2);
	expect_point(list, 2, "Flat 6: secondary address 12345678, 0 baud, never read, 0");
	/* And one that answers where another is expected. */
	add_primary(list, "Flat 9", 9);
	expect(list, at_primary("", 9, B), METER_SIGHTING_KNOWN, "first");
	add_primary(list, "Flat 8", 8);
	expect(list, at_primary("", 8, B), METER_SIGHTING_DUPLICATE,
		"the meter of point #3 \"Flat 9\" answers at the address of point #4 \"Flat 8\"");
	expect_point(list, 4, "Flat 8: primary address 8, 0 baud, never read, 0");
}

/* ---- What a person typed ---- */

static void passive_points_stay_passive(void **state)
{
	struct meter_list *list = *state;
	struct meter_settings settings = {.moid = "Old",
		.mode = METER_MODE_PRIMARY,
		.has_primary = true,
		.primary = 5,
		.passive = true};
	add(list, &settings);
	expect(list, at_primary("", 5, A), METER_SIGHTING_KNOWN, "it is passive");
	expect(list, at_primary("", 5, B), METER_SIGHTING_REPLACED, "it is not read");
	const struct meter_snapshot *snapshot = meter_list_snapshot(list);
	assert_true(snapshot->points[0].settings.passive);
	meter_snapshot_release(snapshot);
	/* An active point has it before a passive one. */
	add_secondary(list, "New", "", B);
	expect(list, selected("", B, 253), METER_SIGHTING_KNOWN, "first");
	expect_point(list, 2, "New: secondary address " B ", 0 baud, " B ", 1");
	expect_count(list, 2);
}

static void the_number_that_was_typed_is_compared(void **state)
{
	struct meter_list *list = *state;
	struct meter_settings settings = {.moid = "Flat 5",
		.mode = METER_MODE_PRIMARY,
		.has_primary = true,
		.primary = 5,
		.has_secondary = true,
		.secondary = meter("12345678")};
	const uint32_t key = add(list, &settings);
	struct meter_sighting other = at_primary("", 5, B);
	other.point = key;
	expect(list, other, METER_SIGHTING_REPLACED, "the list says that 12345678 is there");
	expect_point(list, 1, "Flat 5: primary address 5, 0 baud, " B ", 1");
}

static void two_that_differ_only_in_their_maker_are_two(void **state)
{
	struct meter_list *list = *state;
	add_secondary(list, "Flat 5", "", "12345678");
	expect(list, selected("", A, 0), METER_SIGHTING_KNOWN, "first");
	const struct meter_verdict verdict = expect(list, selected("", A_OTHER_MAKER, 0),
		METER_SIGHTING_NEW, "the address of point #1 \"Flat 5\" selects it too");
	assert_int_equal(verdict.other, 1);
	expect(list, selected("", A_OTHER_MAKER, 0), METER_SIGHTING_KNOWN, "as the list has it");
	expect(list, selected("", A, 0), METER_SIGHTING_KNOWN, "as the list has it");
	expect_count(list, 2);
}

static void without_a_whole_identity_the_address_counts(void **state)
{
	struct meter_list *list = *state;
	add_primary(list, "Flat 5", 5);
	struct meter_sighting s = at_primary("", 5, A);
	s.whole = false;
	expect(list, s, METER_SIGHTING_KNOWN, "as the list has it");
	s.primary = 6;
	expect(list, s, METER_SIGHTING_NEW, "point #2");
	expect_point(list, 2, ": primary address 6, 0 baud, never read, 0");
}

static void a_point_that_was_removed_meanwhile_stays_removed(void **state)
{
	struct meter_list *list = *state;
	struct meter_sighting s = at_primary("", 5, A);
	struct meter_verdict verdict;
	s.point = add_primary(list, "Flat 5", 5);
	assert_int_equal(meter_list_remove(list, s.point, NULL), 0);
	assert_int_equal(meter_sighting_enter(list, &s, 2000, &verdict, NULL), -ENOENT);
	expect_count(list, 0);
}

/* Many searches of many meters, and the list is the same after each. */
static void searching_again_changes_nothing(void **state)
{
	struct meter_list *list = *state;
	enum { METERS = 120, SEARCHES = 40 }; /* more than are remembered */
	for (unsigned search = 1; search <= SEARCHES; search++) {
		for (unsigned i = 0; i < METERS; i++) {
			char identity[32];
			(void)snprintf(identity, sizeof identity, "%08u.KAM.01.04", i);
			struct meter_sighting s = selected("", identity, i + 1);
			s.search = search;
			expect(list, s, search == 1 ? METER_SIGHTING_NEW : METER_SIGHTING_KNOWN,
				"");
		}
		expect_count(list, METERS);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
		TEST(what_no_point_has_is_added_with_all_that_is_known),
		TEST(what_is_where_it_was_is_known),
		TEST(a_blank_primary_address_is_filled_in),
		TEST(what_answers_elsewhere_has_moved),
		TEST(what_was_listed_on_the_wrong_bus_and_never_read_has_moved),
		TEST(another_meter_at_the_address_of_a_point_is_a_new_device),
		TEST(one_identity_at_two_places_of_one_search_is_a_duplicate),
		TEST(a_meter_that_two_points_claim_is_a_duplicate),
		TEST(passive_points_stay_passive),
		TEST(the_number_that_was_typed_is_compared),
		TEST(two_that_differ_only_in_their_maker_are_two),
		TEST(without_a_whole_identity_the_address_counts),
		TEST(a_point_that_was_removed_meanwhile_stays_removed),
		TEST(searching_again_changes_nothing),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
