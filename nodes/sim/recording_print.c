/* What a recording says, printed frame by frame.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "sim/recording_print.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "sim/recording_file.h"

enum { DATE_LENGTH = 10, TIME_BEGIN = 11, TIME_LENGTH = 12 };

/* ---- Lines for people ---- */

static void print_date(struct sim_print *p, const char *text)
{
	(void)fprintf(p->out, "# %.*s UTC\n", DATE_LENGTH, text);
}

static ml_time day_of(ml_time wall)
{
	return wall / ML_DAY;
}

/* "57 ms", "2.4 s", "3 min": as long as it takes to say how long. */
static void print_time(FILE *out, ml_time time)
{
	if (time < 10 * ML_SEC)
		(void)fprintf(out, "%lld ms", (long long)(time / ML_MSEC));
	else if (time < 5 * ML_MINUTE)
		(void)fprintf(out, "%lld s", (long long)(time / ML_SEC));
	else if (time < 5 * ML_HOUR)
		(void)fprintf(out, "%lld min", (long long)(time / ML_MINUTE));
	else
		(void)fprintf(out, "%lld h", (long long)(time / ML_HOUR));
}

static void print_text(struct sim_print *p, const struct sim_item *item)
{
	char text[SIM_ITEM_TEXT_MAX];
	char time[ML_TIME_TEXT_MAX];
	const ml_time wall = p->head.begins + item->time;
	ml_time_format(wall, time);
	if (day_of(wall) != p->day)
		print_date(p, time);
	p->day = day_of(wall);
	(void)sim_item_text(item, text);
	const char sign = item->kind == SIM_ITEM_STATE     ? '='
			  : item->kind == SIM_ITEM_SILENCE ? ' '
			  : item->from_master              ? '>'
							   : '<';
	(void)fprintf(p->out, "%.*s %c %s", TIME_LENGTH, time + TIME_BEGIN, sign, text);
	if (item->kind == SIM_ITEM_SILENCE) {
		(void)fputs(" for ", p->out);
		print_time(p->out, item->after);
	} else if (!item->from_master && item->has_question && item->after < ML_SEC) {
		(void)fputs(", after ", p->out);
		print_time(p->out, item->after);
	}
	(void)fputc('\n', p->out);
}

/* ---- Lines for programs ---- */

static void write_item(
	const struct sim_print *p, const struct sim_item *item, struct ml_json_writer *w)
{
	static const char *const kinds[] = {"frame", "damaged", "noise", "silence", "state"};
	char text[SIM_ITEM_TEXT_MAX];
	char time[ML_TIME_TEXT_MAX];
	const bool bytes = item->length > 0;
	ml_time_format(p->head.begins + item->time, time);
	(void)sim_item_text(item, text);
	ml_json_begin_object(w);
	ML_JSON_KEY(w, "time");
	ml_json_string(w, time);
	ML_JSON_KEY(w, "at");
	ml_json_integer(w, item->time);
	ML_JSON_KEY(w, "kind");
	ml_json_string(w, kinds[item->kind]);
	if (bytes) {
		ML_JSON_KEY(w, "from");
		ml_json_string(w, item->from_master ? "master" : "line");
	}
	if (item->kind == SIM_ITEM_FRAME) {
		ML_JSON_KEY(w, "frame");
		ml_json_string(w, sim_item_name(item));
	}
	ML_JSON_KEY(w, "text");
	ml_json_string(w, text);
	if (item->repeat > 0) {
		ML_JSON_KEY(w, "again");
		ml_json_unsigned(w, item->repeat);
	}
	if (!item->from_master && item->has_question) {
		ML_JSON_KEY(w, "after");
		ml_json_integer(w, item->after);
	}
	if (item->bad > 0) {
		ML_JSON_KEY(w, "errors");
		ml_json_unsigned(w, item->bad);
	}
	if (bytes) {
		ML_JSON_KEY(w, "bytes");
		ml_json_hex(w, item->bytes, item->length);
	}
	ml_json_end_object(w);
}

static void print_json(struct sim_print *p, const struct sim_item *item)
{
	struct ml_json_writer w;
	ml_buffer_clear(&p->line);
	ml_json_writer_init(&w, &p->line);
	write_item(p, item, &w);
	(void)fprintf(p->out, "%s\n", p->line.data ? p->line.data : "");
}

/* ---- Both ---- */

static void count(struct sim_print *p, const struct sim_item *item)
{
	p->bad += item->bad;
	if (item->kind == SIM_ITEM_NOISE)
		p->noise += item->length;
	p->damaged += item->kind == SIM_ITEM_DAMAGED;
	p->silent += item->kind == SIM_ITEM_SILENCE;
	if (item->kind == SIM_ITEM_FRAME && !item->echo) {
		p->asked += item->from_master;
		p->answered += !item->from_master;
	}
}

static void on_item(void *user, const struct sim_item *item)
{
	struct sim_print *p = user;
	count(p, item);
	if (p->json)
		print_json(p, item);
	else
		print_text(p, item);
}

void sim_print_begin(
	struct sim_print *p, FILE *out, bool json, const struct mbus_recording_head *head)
{
	char time[ML_TIME_TEXT_MAX];
	memset(p, 0, sizeof *p);
	p->out = out;
	p->json = json;
	p->head = *head;
	p->day = day_of(head->begins);
	sim_frames_init(&p->frames, p, on_item);
	if (json)
		return;
	ml_time_format(head->begins, time);
	(void)fprintf(
		out, "# %s at %u baud", head->interface[0] ? head->interface : "a bus", head->baud);
	if (head->program[0])
		(void)fprintf(out, ", recorded by %s", head->program);
	(void)fputc('\n', out);
	print_date(p, time);
}

void sim_print_event(struct sim_print *p, const struct mbus_recorded *event)
{
	p->until = event->time;
	sim_frames_event(&p->frames, event);
}

void sim_print_end(struct sim_print *p, bool summary)
{
	sim_frames_end(&p->frames);
	ml_buffer_free(&p->line);
	if (!summary || p->json)
		return;
	(void)fputs("# ", p->out);
	print_time(p->out, p->until);
	(void)fprintf(p->out,
		"; frames of the master: %" PRIu64 ", from the line: %" PRIu64
		", without an answer: %" PRIu64 ", damaged: %" PRIu64 "; bytes of noise: %" PRIu64
		", with errors: %" PRIu64 "\n",
		p->asked, p->answered, p->silent, p->damaged, p->noise, p->bad);
}

/* ---- Files ---- */

struct shown {
	struct sim_print print;
	bool begun, json;
};

static int on_event(
	void *user, const struct mbus_recording_head *head, const struct mbus_recorded *event)
{
	struct shown *shown = user;
	if (!shown->begun)
		sim_print_begin(&shown->print, stdout, shown->json, head);
	shown->begun = true;
	sim_print_event(&shown->print, event);
	return ferror(stdout) ? -1 : 0;
}

int sim_print_file(const char *name, const char *path, bool json)
{
	struct ml_error err = ML_ERROR_NONE;
	struct shown *shown = calloc(1, sizeof *shown);
	if (!shown)
		return 1;
	shown->json = json;
	struct sim_recording_reading reading = {.user = shown, .event = on_event};
	const int result = sim_recording_read(path, &reading, &err);
	if (result == 0 && !shown->begun)
		sim_print_begin(&shown->print, stdout, json, &reading.head);
	if (shown->begun || result == 0)
		sim_print_end(&shown->print, result == 0);
	free(shown);
	(void)fflush(stdout);
	if (result < 0 && err.code != 0)
		(void)fprintf(stderr, "%s: %s\n", name, err.text);
	else if (reading.cut)
		(void)fprintf(stderr,
			"%s: %s was cut off in the middle of its last line, which is left out\n",
			name, path);
	return result < 0 ? 1 : 0;
}
