/* The node mbus-source: continuous readout, errands, and what a meter is told, on the simulated
 * clock. SPDX-License-Identifier: Apache-2.0
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "mbus/rig.h"
#include "mbus/source.h"

static int set_up(void **state)
{
	*state = rig_new(true);
	return 0;
}

static int tear_down(void **state)
{
	rig_free(*state);
	return 0;
}

static json_int_t figure(struct rig *rig, const char *name)
{
	json_t *bus = rig_bus(rig);
	const json_t *value = json_object_get(json_object_get(bus, "own"), name);
	assert_non_null(value);
	const json_int_t result = json_integer_value(value);
	json_decref(bus);
	return result;
}

static const struct sim_options ten = {.meters = 10, .seed = 1, .baud = 2400};

static void start(struct rig *rig, const struct sim_options *options, const char *more)
{
	char params[300];
	(void)snprintf(params, sizeof params, "'interface':'rig:line'%s", more);
	rig_line(rig, options);
	rig_list(rig, options, options->meters, METER_MODE_PRIMARY);
	rig_graph(rig, params);
	rig_pass(rig, ML_MSEC);
}

/* ---- Continuous ---- */

static void meters_are_read_on_and_on_beside_the_rounds(void **state)
{
	struct rig *rig = *state;
	rig->continuous = true;
	start(rig, &ten, ",'continuous':true");
	rig_pass(rig, ML_MINUTE);
	const size_t before = rig->continuous_count;
	assert_true(before > 40);
	assert_true(figure(rig, "continuous_passes") >= 4);
	assert_int_equal(rig->frame_count, 0);
	assert_int_equal(rig->continuous_last.head.round, 0);
	/* A round goes first: it begins with the next meter, and nothing comes between. */
	rig_trigger(rig);
	rig_pass(rig, 3 * ML_SEC);
	assert_int_equal(rig->begin_count, 1);
	assert_in_range(rig->continuous_count, before, before + 1);
	rig_pass(rig, 20 * ML_SEC);
	assert_int_equal(rig->end_count, 1);
	assert_int_equal(rig->ends[0].read, 10);
	assert_int_equal(rig->frame_count, 11);
	for (size_t i = 0; i < rig->frame_count; i++)
		assert_int_equal(rig->frames[i].head.round, rig->begins[0].id);
	/* And on it goes. */
	assert_true(rig->continuous_count > before + 5);
}

static void rounds_at_short_notice_starve_no_meter(void **state)
{
	struct rig *rig = *state;
	bool seen[10] = {false};
	rig->continuous = true;
	start(rig, &ten, ",'continuous':true,'multi_telegram':'off'");
	/* Between two rounds there is time for some meters, not for all. */
	for (int i = 0; i < 30; i++) {
		rig_trigger(rig);
		for (int n = 0; n < 80; n++) {
			const size_t before = rig->continuous_count;
			rig_pass(rig, 100 * ML_MSEC);
			for (size_t p = 0; p < 10 && rig->continuous_count > before; p++)
				seen[p] = seen[p] ||
					  rig->points[p] == rig->continuous_last.head.point;
		}
	}
	for (size_t p = 0; p < 10; p++)
		assert_true(seen[p]);
}

static void dead_meters_are_left_out_more_and_more(void **state)
{
	struct rig *rig = *state;
	rig->continuous = true;
	rig_line(rig, &ten);
	struct sim_options listed = ten;
	listed.meters = 12; /* two of them are not there */
	rig_list(rig, &listed, 12, METER_MODE_PRIMARY);
	rig_graph(rig, "'interface':'rig:line','continuous':true");
	rig_pass(rig, 30 * ML_MINUTE);
	const json_int_t passes = figure(rig, "continuous_passes");
	const json_int_t failed = figure(rig, "meters_failed");
	assert_true(passes > 100);
	assert_true(failed > 10 && failed < passes / 5);
}

static void pause_is_kept(void **state)
{
	struct rig *rig = *state;
	rig->continuous = true;
	start(rig, &ten, ",'continuous':true,'continuous_pause':60");
	rig_pass(rig, 10 * ML_MINUTE);
	assert_in_range(figure(rig, "continuous_passes"), 8, 10);
}

static void nothing_is_read_where_nobody_listens(void **state)
{
	struct rig *rig = *state;
	start(rig, &ten, ",'continuous':true");
	rig_pass(rig, ML_HOUR);
	assert_int_equal(rig->written, 0);
}

/* ---- What meters are told ---- */

static void meter_gets_another_rate_and_the_list_knows_it(void **state)
{
	struct rig *rig = *state;
	start(rig, &ten, "");
	rig_act(rig, "set-baud", "'meter':'flat 3','baud':9600", 10 * ML_SEC, "{\"baud\":9600}");
	rig_pass(rig, ML_SEC);
	assert_int_equal(sim_line_meter(rig->line, 3)->baud, 9600);
	const struct meter_snapshot *snapshot = meter_list_snapshot(rig->list);
	assert_int_equal(meter_snapshot_point(snapshot, rig->points[3])->settings.baud, 9600);
	meter_snapshot_release(snapshot);
	/* All are read, those of one rate together. */
	rig_pass(rig, ML_HOUR);
	const unsigned changes = rig->rate_changes;
	rig_trigger(rig);
	rig_pass(rig, ML_MINUTE);
	assert_int_equal(rig->ends[0].read, 10);
	assert_in_range(rig->rate_changes - changes, 1, 2);
	/* One that does not answer. */
	sim_line_change_meter(rig->line, 5)->primary = 99;
	rig_act(rig, "set-baud", "'meter':'flat 5','baud':300", 30 * ML_SEC, NULL);
	rig_act(rig, "set-baud", "'meter':'nobody','baud':300", ML_SEC, NULL);
	rig_act(rig, "set-baud", "'meter':'flat 4','baud':1234", ML_SEC, NULL);
	snapshot = meter_list_snapshot(rig->list);
	assert_int_equal(meter_snapshot_point(snapshot, rig->points[5])->settings.baud, 0);
	meter_snapshot_release(snapshot);
}

static void losing_acknowledgement(
	void *user, size_t meter, uint8_t *bytes, size_t *length, ml_time *later)
{
	unsigned *answers = user;
	(void)meter;
	(void)bytes;
	(void)later;
	/* SND_NKE is answered, the command four times not. */
	if (*length == 1 && *answers >= 1 && *answers < 5)
		*length = 0;
	(*answers)++;
}

static void lost_acknowledgement_of_a_rate_does_not_matter(void **state)
{
	struct rig *rig = *state;
	unsigned answers = 0;
	start(rig, &ten, ",'readout_retries':0");
	sim_line_watch(rig->line, &(struct sim_line_watch){&answers, losing_acknowledgement, NULL});
	answers = 1;
	sim_line_change_meter(rig->line, 3)->baud = 2400;
	/* Contact without an answer: it is silent at its old rate, and was told nothing. */
	rig_act(rig, "set-baud", "'meter':'flat 3','baud':9600", 30 * ML_SEC, NULL);
	answers = 0;
	rig_act(rig, "set-baud", "'meter':'flat 3','baud':9600", 30 * ML_SEC, NULL);
	/* Its acknowledgement was lost, and so was that of the contact at the new rate. */
	assert_int_equal(sim_line_meter(rig->line, 3)->baud, 9600);
	sim_line_change_meter(rig->line, 3)->baud = 2400;
	sim_line_watch(rig->line, &(struct sim_line_watch){0});
	rig_act(rig, "set-baud", "'meter':'flat 3','baud':4800", 30 * ML_SEC, "{\"baud\":4800}");
}

static void application_is_reset_as_wanted(void **state)
{
	(void)state;
	static const struct {
		const char *params;
		size_t first, second; /* bytes sent in a round of one meter */
	} cases[] = {
		{"", 5 + 5, 5},
		{",'application_reset':'first'", 5 + 9 + 5, 5},
		{",'application_reset':'always'", 5 + 9 + 5, 9 + 5},
		{",'application_reset':'always','telegram_selection':16", 5 + 10 + 5, 10 + 5},
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct rig *rig = rig_new(true);
		const struct sim_options one = {.meters = 1, .seed = 1, .baud = 2400};
		start(rig, &one, cases[i].params);
		rig_trigger(rig);
		rig_pass(rig, 10 * ML_SEC);
		assert_int_equal(rig->written, cases[i].first);
		rig_trigger(rig);
		rig_pass(rig, 10 * ML_SEC);
		assert_int_equal(rig->written, cases[i].first + cases[i].second);
		assert_int_equal(rig->ends[1].read, 1);
		rig_free(rig);
	}
}

/* ---- Errands ---- */

struct borrower {
	struct mbus_errand errand;
	struct rig *rig;
	unsigned begun, lost, damaged;
	uint8_t bytes[600];
	size_t count;
	bool keep; /* the line until it is told otherwise */
};

static void borrowed(struct mbus_errand *errand, struct mbus_source *s)
{
	struct borrower *b = (struct borrower *)errand;
	uint8_t frame[MBUS_FRAME_MAX];
	b->begun++;
	b->count = 0;
	const size_t length = mbus_build_snd_nke(frame, 2);
	assert_true(mbus_errand_send(s, 2400, frame, length));
}

static void heard(struct mbus_errand *errand, struct mbus_source *s, const uint8_t *bytes,
	size_t length, bool damaged)
{
	struct borrower *b = (struct borrower *)errand;
	memcpy(b->bytes + b->count, bytes, length);
	b->count += length;
	b->damaged += damaged;
	if (!b->keep)
		mbus_errand_end(s);
}

static void let_go(struct mbus_errand *errand, struct mbus_source *s, const char *reason)
{
	(void)s;
	assert_true(reason[0]);
	((struct borrower *)errand)->lost++;
}

/* The node's own: whoever opened the stream. */
static struct mbus_source *source_of(struct rig *rig)
{
	assert_non_null(rig->stream_user);
	return rig->stream_user;
}

static void bus_is_lent_between_two_meters(void **state)
{
	struct rig *rig = *state;
	struct borrower b = {.errand = {.begin = borrowed, .received = heard, .lost = let_go}};
	start(rig, &ten, "");
	struct mbus_source *s = source_of(rig);
	rig_trigger(rig);
	rig_pass(rig, ML_SEC);
	assert_int_equal(rig->end_count, 0);
	mbus_errand_add(s, &b.errand);
	rig_pass(rig, 2 * ML_SEC);
	assert_int_equal(b.begun, 1);
	assert_int_equal(b.count, 1);
	assert_int_equal(b.bytes[0], 0xE5);
	assert_int_equal(rig->end_count, 0);
	rig_pass(rig, ML_MINUTE);
	assert_int_equal(rig->ends[0].read, 10);
	/* Nothing else uses the line as long as it is kept. */
	b.keep = true;
	mbus_errand_add(s, &b.errand);
	rig_pass(rig, ML_SEC);
	const size_t written = rig->written;
	assert_false(mbus_errand_wanted(s));
	rig_trigger(rig);
	rig_pass(rig, ML_MINUTE);
	assert_true(mbus_errand_wanted(s));
	assert_int_equal(rig->written, written);
	mbus_errand_end(s);
	rig_pass(rig, ML_MINUTE);
	assert_int_equal(rig->ends[1].read, 10);
	/* It is told when the line is lost under it, and when it can never have it. */
	mbus_errand_add(s, &b.errand);
	rig_pass(rig, ML_SEC);
	rig_fail_line(rig, true);
	rig_pass(rig, ML_SEC);
	assert_int_equal(b.lost, 1);
	mbus_errand_add(s, &b.errand);
	rig_pass(rig, ML_HOUR);
	assert_int_equal(b.lost, 2);
	mbus_errand_add(s, &b.errand);
	assert_true(mbus_errand_remove(s, &b.errand));
	assert_false(mbus_errand_remove(s, &b.errand));
	rig_fail_line(rig, false);
	mbus_errand_add(s, &b.errand);
	rig_graph(rig, "'interface':'rig:line','bus':'other'");
	rig_pass(rig, ML_SEC);
	assert_int_equal(b.lost, 3);
}

#define WITH_RIG(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_RIG(meters_are_read_on_and_on_beside_the_rounds),
		WITH_RIG(rounds_at_short_notice_starve_no_meter),
		WITH_RIG(dead_meters_are_left_out_more_and_more),
		WITH_RIG(pause_is_kept),
		WITH_RIG(nothing_is_read_where_nobody_listens),
		WITH_RIG(meter_gets_another_rate_and_the_list_knows_it),
		WITH_RIG(lost_acknowledgement_of_a_rate_does_not_matter),
		cmocka_unit_test(application_is_reset_as_wanted),
		WITH_RIG(bus_is_lent_between_two_meters),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
