/* The action `record` of mbus-source, what it keeps, and that a gateway to which it is played back
 * reads the same. SPDX-License-Identifier: Apache-2.0
 */
#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include <meterloom/command.h>
#include <meterloom/files.h>

#include "count.h"
#include "mbus/rig.h"

static const struct sim_options ten = {.meters = 10, .seed = 3, .baud = 2400};

static char folder[64];
static ml_time begin;

/* ---- A job that goes on ---- */

struct job {
	uint64_t number;
	bool done;
	int code;
	json_t *result;
	char error[ML_ERROR_TEXT_MAX];
};

static void on_done(void *user, const struct ml_outcome *outcome)
{
	struct job *job = user;
	job->done = true;
	job->code = outcome->code;
	job->result = json_loadb(outcome->result, outcome->result_length, JSON_DECODE_ANY, NULL);
	if (outcome->error_count > 0)
		(void)snprintf(job->error, sizeof job->error, "%s", outcome->errors[0].text);
}

static void start_recording(struct rig *rig, struct job *job, int seconds, int megabytes)
{
	json_t *params = json_pack("{s:s,s:s,s:{s:i,s:i}}", "node", "bus", "action", "record",
		"params", "seconds", seconds, "megabytes", megabytes);
	*job = (struct job){0};
	const struct ml_call call = {
		.command = "node.action",
		.params = params,
		.role = ML_ROLE_ADMIN,
		.done = on_done,
		.user_data = job,
		.lane = ml_engine_lane(rig->engine, "control"),
	};
	job->number = ml_command_call(rig->engine, &call);
	assert_true(job->number != 0);
	json_decref(params);
	rig_pass(rig, 0);
}

static const char *text_of(const struct job *job, const char *key)
{
	const char *text = json_string_value(json_object_get(job->result, key));
	return text ? text : "";
}

static void path_of(const struct job *job, char out[256])
{
	(void)snprintf(out, 256, "%s/data/%s", folder, text_of(job, "file"));
}

static struct rig *start_at(const char *name, bool continuous, const char *params)
{
	char data[80];
	(void)snprintf(data, sizeof data, "%s/%s", folder, name);
	struct rig *rig = rig_new_at(data, begin);
	rig->continuous = continuous;
	rig_line(rig, &ten);
	rig_list(rig, &ten, ten.meters, -1);
	rig_graph(rig, params);
	rig_pass(rig, ML_SEC);
	return rig;
}

static struct rig *start(const char *params)
{
	return start_at("data", false, params);
}

static int set_up(void **state)
{
	(void)state;
	(void)snprintf(folder, sizeof folder, "/tmp/recording-XXXXXX");
	assert_non_null(mkdtemp(folder));
	return ml_time_parse("2026-03-01T00:00:00Z", 20, &begin) ? 0 : -1;
}

static int tear_down(void **state)
{
	(void)state;
	return ml_files_remove_tree(&ml_files_system, folder);
}

/* ---- Recording and playing back ---- */

enum { ROUNDS_MAX = 40 };

struct story {
	struct rig_frame frames[ROUNDS_MAX * 40];
	size_t count;
	unsigned failed, retried;
};

/* Rounds, one a minute; with `noise` somebody speaks out of turn in them. */
static void live(struct rig *rig, unsigned rounds, bool noise, struct story *story)
{
	uint64_t n = 0;
	for (unsigned i = 0; i < rounds; i++) {
		const size_t ended = rig->end_count;
		ml_time passed = 0;
		rig_trigger(rig);
		while (rig->end_count == ended) {
			uint8_t burst[40];
			for (size_t b = 0; b < sizeof burst; b++)
				burst[b] = (uint8_t)sim_hash(n, b);
			if (noise)
				rig_disturb(rig, burst, 1 + sim_hash(n, 100) % sizeof burst,
					(ml_time)(sim_hash(n, 101) % 300) * ML_MSEC);
			n++;
			rig_pass(rig, 900 * ML_MSEC);
			passed += 900 * ML_MSEC;
		}
		rig_pass(rig, 5 * ML_MINUTE - passed);
	}
	assert_true(rig->frame_count <= sizeof story->frames / sizeof *story->frames);
	story->count = rig->frame_count;
	memcpy(story->frames, rig->frames, rig->frame_count * sizeof rig->frames[0]);
	for (size_t i = 0; i < story->count; i++) {
		story->failed += story->frames[i].head.result != METER_FRAME_OK;
		story->retried += story->frames[i].head.tries > 1;
	}
}

static void compare(const struct story *a, const struct story *b)
{
	assert_int_equal(a->count, b->count);
	for (size_t i = 0; i < a->count; i++) {
		const struct rig_frame *one = &a->frames[i], *other = &b->frames[i];
		assert_int_equal(one->head.result, other->head.result);
		assert_int_equal(one->head.telegram, other->head.telegram);
		assert_int_equal(one->head.tries, other->head.tries);
		assert_int_equal(one->head.length, other->head.length);
		assert_memory_equal(one->bytes, other->bytes, one->head.length);
		assert_int_equal(one->time, other->time);
	}
}

static void play_back(const char *path, unsigned rounds, struct story *story)
{
	char params[400];
	(void)snprintf(params, sizeof params, "'interface':'sim:replay=%s'", path);
	struct rig *rig = start_at("another", false, params);
	live(rig, rounds, false, story);
	rig_free(rig);
}

static void gateway_reads_from_a_recording_what_it_read_then(void **state)
{
	static struct story then, now;
	const unsigned rounds = (unsigned)test_count(ROUNDS_MAX);
	char path[256];
	struct job job;
	(void)state;
	memset(&then, 0, sizeof then);
	memset(&now, 0, sizeof now);
	struct rig *rig = start("'interface':'rig:line'");
	start_recording(rig, &job, 86400, 64);
	live(rig, rounds, true, &then);
	/* Rounds went on, and so does the recording until it is cancelled. */
	assert_false(job.done);
	assert_int_equal(ml_command_cancel(rig->engine, job.number, NULL), 0);
	rig_pass(rig, ML_SEC);
	assert_true(job.done);
	if (job.code != 0)
		fail_msg("%s", job.error);
	assert_string_equal(text_of(&job, "ended_by"), "cancel");
	path_of(&job, path);
	rig_free(rig);
	/* The noise did harm. */
	assert_true(then.retried > 0);
	play_back(path, rounds, &now);
	compare(&then, &now);
	json_decref(job.result);
}

static void faults_of_the_simulator_are_played_back(void **state)
{
	static const char *const interfaces[] = {
		"sim:meters=10&seed=3&fault=line-noise,every=7min,lasts=3min,share=50"
		"&fault=meter-corrupt,every=15min,lasts=4min&fault=meter-silent,every=30min,lasts="
		"6min",
		"sim:meters=10&seed=3&fault=meter-colliding,which=3,every=10min,lasts=5min"
		"&fault=meter-slow,by=0.4,every=8min,lasts=5min&fault=line-echo,every=20min,lasts="
		"9min",
		"sim:meters=10&seed=3&fault=meter-babbling,by=2,every=20min,lasts=5min"
		"&fault=line-dropped-bytes,every=9min,lasts=4min&fault=meter-stuck,every=20min,"
		"lasts=7min",
	};
	static struct story then, now;
	const unsigned rounds = (unsigned)test_count(ROUNDS_MAX);
	(void)state;
	for (size_t i = 0; i < sizeof interfaces / sizeof *interfaces; i++) {
		char params[300], path[256], name[20];
		struct job job;
		memset(&then, 0, sizeof then);
		memset(&now, 0, sizeof now);
		(void)snprintf(params, sizeof params, "'interface':'%s'", interfaces[i]);
		(void)snprintf(name, sizeof name, "before-%zu", i);
		struct rig *rig = start_at(name, false, params);
		start_recording(rig, &job, (int)(rounds * 300 + 60), 64);
		live(rig, rounds, false, &then);
		rig_pass(rig, ML_HOUR);
		assert_true(job.done);
		(void)snprintf(path, sizeof path, "%s/%s/%s", folder, name, text_of(&job, "file"));
		rig_free(rig);
		assert_true(then.retried > 0);
		(void)snprintf(params, sizeof params, "'interface':'sim:replay=%s'", path);
		(void)snprintf(name, sizeof name, "after-%zu", i);
		rig = start_at(name, false, params);
		live(rig, rounds, false, &now);
		rig_free(rig);
		compare(&then, &now);
		json_decref(job.result);
	}
}

static void two_that_answer_at_once_are_played_back_as_garbled(void **state)
{
	static struct story then, now;
	char path[256];
	struct job job;
	(void)state;
	memset(&then, 0, sizeof then);
	memset(&now, 0, sizeof now);
	struct rig *rig = start("'interface':'rig:line'");
	sim_line_change_meter(rig->line, 2)->primary = 1;
	start_recording(rig, &job, 3600, 1);
	live(rig, 3, false, &then);
	rig_pass(rig, ML_HOUR);
	assert_true(job.done);
	assert_string_equal(text_of(&job, "ended_by"), "time");
	path_of(&job, path);
	rig_free(rig);
	assert_true(then.failed > 0);
	play_back(path, 3, &now);
	compare(&then, &now);
	json_decref(job.result);
}

/* ---- Bounds ---- */

static void day_of_recording_is_bounded(void **state)
{
	struct job job;
	struct stat st;
	char path[256];
	(void)state;
	struct rig *rig = start_at("data", true, "'interface':'rig:line','continuous':true");
	start_recording(rig, &job, 86400, 1);
	for (unsigned hour = 0; hour < 24 && !job.done; hour++)
		rig_pass(rig, ML_HOUR);
	assert_true(job.done);
	assert_int_equal(job.code, 0);
	assert_string_equal(text_of(&job, "ended_by"), "size");
	path_of(&job, path);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_size, json_integer_value(json_object_get(job.result, "size")));
	assert_true(st.st_size > 900000 && st.st_size <= 1010000);
	/* A quiet one costs nothing. */
	json_decref(job.result);
	rig_graph(rig, "'interface':'rig:line'");
	start_recording(rig, &job, 86400, 1);
	rig_pass(rig, 25 * ML_HOUR);
	assert_true(job.done);
	assert_string_equal(text_of(&job, "ended_by"), "time");
	assert_in_range(json_integer_value(json_object_get(job.result, "size")), 100, 500);
	json_decref(job.result);
	rig_free(rig);
}

static size_t count_files(void)
{
	char path[256];
	size_t count = 0;
	(void)snprintf(path, sizeof path, "%s/data/files/recordings", folder);
	DIR *directory = opendir(path);
	assert_non_null(directory);
	for (const struct dirent *entry; (entry = readdir(directory));)
		count += entry->d_name[0] != '.';
	(void)closedir(directory);
	return count;
}

static void newest_are_kept_listed_and_shown(void **state)
{
	struct job job;
	char last[128] = "";
	(void)state;
	struct rig *rig = start("'interface':'rig:line'");
	for (unsigned i = 0; i < 13; i++) {
		start_recording(rig, &job, 60, 1);
		rig_trigger(rig);
		rig_pass(rig, 2 * ML_MINUTE);
		assert_true(job.done);
		(void)snprintf(last, sizeof last, "%s", text_of(&job, "name"));
		json_decref(job.result);
	}
	assert_int_equal(count_files(), 10);
	json_t *list = rig_call(rig, "recording.list", "{}", ML_SEC);
	const json_t *names = json_object_get(list, "recordings");
	assert_int_equal(json_array_size(names), 10);
	assert_string_equal(json_string_value(json_array_get(names, 0)), last);
	json_decref(list);
	char params[200];
	(void)snprintf(params, sizeof params, "{'name':'%s'}", last);
	json_t *shown = rig_call(rig, "recording.show", params, ML_SEC);
	const char *text = json_string_value(json_object_get(shown, "text"));
	assert_non_null(text);
	assert_non_null(strstr(text, "meterloom-recording 1\ninterface rig:line\n"));
	assert_non_null(strstr(text, " > 10 "));
	assert_non_null(strstr(text, " = ended time\n"));
	assert_true(json_is_null(json_object_get(shown, "next")));
	json_decref(shown);
	json_decref(rig_call(rig, "recording.remove", params, ML_SEC));
	assert_int_equal(count_files(), 9);
	shown = rig_call(rig, "recording.show", params, ML_SEC);
	assert_non_null(json_object_get(shown, "error"));
	json_decref(shown);
	shown = rig_call(rig, "recording.show", "{'name':'../../meterloom.db'}", ML_SEC);
	assert_non_null(json_object_get(shown, "error"));
	json_decref(shown);
	rig_free(rig);
}

static void one_at_a_time_and_until_the_node_ends(void **state)
{
	struct job first, second;
	(void)state;
	struct rig *rig = start("'interface':'rig:line'");
	start_recording(rig, &first, 60, 1);
	start_recording(rig, &second, 60, 1);
	assert_true(second.done);
	assert_non_null(strstr(second.error, "recorded already"));
	rig_fail_line(rig, true);
	rig_pass(rig, ML_SEC);
	rig_fail_line(rig, false);
	rig_pass(rig, ML_SEC);
	rig_graph(rig, "'interface':'rig:line','baud':300");
	rig_pass(rig, ML_SEC);
	assert_true(first.done);
	assert_non_null(strstr(first.error, "is kept in files/recordings/"));
	json_t *list = rig_call(rig, "recording.list", "{}", ML_SEC);
	char params[200];
	(void)snprintf(params, sizeof params, "{'name':'%s'}",
		json_string_value(json_array_get(json_object_get(list, "recordings"), 0)));
	json_t *shown = rig_call(rig, "recording.show", params, ML_SEC);
	const char *text = json_string_value(json_object_get(shown, "text"));
	assert_non_null(text);
	assert_non_null(strstr(text, " = lost the adapter was pulled\n"));
	assert_non_null(strstr(strstr(text, " = lost"), " = opened\n"));
	assert_non_null(strstr(text, " = ended stop\n"));
	json_decref(shown);
	json_decref(list);
	json_decref(first.result);
	json_decref(second.result);
	rig_free(rig);
}

static void without_a_data_directory_it_is_told(void **state)
{
	(void)state;
	struct rig *rig = rig_new(true);
	struct job job;
	rig_line(rig, &ten);
	rig_graph(rig, "'interface':'rig:line'");
	start_recording(rig, &job, 60, 1);
	rig_pass(rig, ML_SEC);
	assert_true(job.done);
	assert_non_null(strstr(job.error, "no data directory"));
	json_decref(job.result);
	rig_free(rig);
}

static void what_cannot_be_replayed_is_told(void **state)
{
	(void)state;
	char path[128], params[300];
	(void)snprintf(path, sizeof path, "%s/bus.txt", folder);
	FILE *file = fopen(path, "w");
	assert_non_null(file);
	(void)fputs("meterloom-recording 1\nbaud 2400\nbegins 2026-03-01\n5 > 10 4\n", file);
	(void)fclose(file);
	(void)snprintf(params, sizeof params, "'interface':'sim:replay=%s'", path);
	struct rig *rig = start(params);
	json_t *bus = rig_bus(rig);
	const char *text = json_string_value(json_object_get(bus, "text"));
	assert_non_null(text);
	if (!strstr(text, "bus.txt:4:8: '4': expected bytes in hex"))
		fail_msg("%s", text);
	json_decref(bus);
	rig_free(rig);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(gateway_reads_from_a_recording_what_it_read_then),
		TEST(faults_of_the_simulator_are_played_back),
		TEST(two_that_answer_at_once_are_played_back_as_garbled),
		TEST(day_of_recording_is_bounded),
		TEST(newest_are_kept_listed_and_shown),
		TEST(one_at_a_time_and_until_the_node_ends),
		TEST(without_a_data_directory_it_is_told),
		TEST(what_cannot_be_replayed_is_told),
	};
#undef TEST
	return cmocka_run_group_tests(tests, NULL, NULL);
}
