/* The meters that answered in a recording.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "sim/recording_list.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mbus/link.h"
#include "meter/address.h"
#include "sim/list.h"
#include "sim/recording_file.h"
#include "sim/recording_frames.h"

enum { FOUND_MAX = 10000, POSITION_TEXT = 48 };

struct found {
	struct meter_identity identity;
	bool whole;       /* more than its number is known */
	bool selected;    /* it was asked by its secondary address */
	unsigned primary; /* 0: not known */
	unsigned baud;
};

struct gathering {
	struct sim_frames frames;
	struct found *found; /* owned */
	size_t count, capacity;
	unsigned baud;
	int result;
};

static struct found *find(struct gathering *g, struct meter_identity identity)
{
	for (size_t i = 0; i < g->count; i++) {
		if (meter_identity_equal(g->found[i].identity, identity))
			return &g->found[i];
	}
	if (g->count == FOUND_MAX)
		return NULL;
	if (g->count == g->capacity) {
		const size_t capacity = g->capacity ? g->capacity * 2 : 64;
		struct found *bigger = realloc(g->found, capacity * sizeof *bigger);
		if (!bigger) {
			g->result = -ENOMEM;
			return NULL;
		}
		g->found = bigger;
		g->capacity = capacity;
	}
	g->found[g->count] = (struct found){.identity = identity};
	return &g->found[g->count++];
}

static void on_item(void *user, const struct sim_item *item)
{
	struct gathering *g = user;
	uint8_t bytes[8];
	struct meter_identity identity;
	bool whole = false;
	if (item->kind != SIM_ITEM_FRAME || item->from_master || item->bad > 0 ||
		strcmp(sim_item_name(item), "RSP_UD") != 0 ||
		!mbus_link_identity(item->bytes, item->length, bytes, &whole))
		return;
	meter_identity_read(bytes, &identity);
	struct found *found = find(g, identity);
	if (!found)
		return;
	found->whole = whole;
	found->baud = g->baud;
	if (item->question && item->question->address == MBUS_ADDRESS_SELECTED)
		found->selected = true;
	if (item->frame.address > MBUS_ADDRESS_NEW && item->frame.address <= MBUS_ADDRESS_LAST)
		found->primary = item->frame.address;
}

static int on_event(
	void *user, const struct mbus_recording_head *head, const struct mbus_recorded *event)
{
	struct gathering *g = user;
	if (g->baud == 0)
		g->baud = head->baud;
	if (event->kind == MBUS_RECORDED_BAUD)
		g->baud = event->baud;
	sim_frames_event(&g->frames, event);
	return g->result;
}

/* Its position is written to `position`, which must outlive the row. */
static struct sim_list_row row_of(
	const struct gathering *g, size_t index, const char *bus, char position[POSITION_TEXT])
{
	const struct found *found = &g->found[index];
	(void)snprintf(position, POSITION_TEXT, "%s %zu",
		found->whole ? meter_medium_name(found->identity.medium) : "meter", index + 1);
	return (struct sim_list_row){
		.position = position,
		.bus = bus ? bus : "",
		.identity = found->identity,
		.baud = found->baud,
		.primary = found->primary,
		.by_primary = found->primary > 0 && !found->selected,
	};
}

static void write_csv(const struct gathering *g, const char *bus, struct ml_buffer *out)
{
	char position[POSITION_TEXT];
	sim_list_csv_head(out);
	for (size_t i = 0; i < g->count; i++) {
		const struct sim_list_row row = row_of(g, i, bus, position);
		sim_list_csv_row(&row, out);
	}
}

static void write_json(const struct gathering *g, const char *bus, struct ml_buffer *out)
{
	struct ml_json_writer w;
	char position[POSITION_TEXT];
	ml_json_writer_init(&w, out);
	w.pretty = true;
	ml_json_begin_object(&w);
	ml_json_key(&w, "meters");
	ml_json_begin_array(&w);
	for (size_t i = 0; i < g->count; i++) {
		const struct sim_list_row row = row_of(g, i, bus, position);
		ml_json_begin_object(&w);
		sim_list_json_row(&row, &w);
		ml_json_end_object(&w);
	}
	ml_json_end_array(&w);
	ml_json_end_object(&w);
	ml_buffer_append(out, "\n", 1);
}

int sim_recording_list(
	const char *path, const char *bus, bool json, struct ml_buffer *out, struct ml_error *err)
{
	struct gathering *g = calloc(1, sizeof *g);
	if (!g)
		return ml_error_set(err, -ENOMEM, "out of memory");
	struct sim_recording_reading reading = {.user = g, .event = on_event};
	sim_frames_init(&g->frames, g, on_item);
	int result = sim_recording_read(path, &reading, err);
	if (result == 0)
		sim_frames_end(&g->frames);
	if (result == 0 && g->result == 0 && json)
		write_json(g, bus, out);
	else if (result == 0 && g->result == 0)
		write_csv(g, bus, out);
	if (result == 0 && (g->result < 0 || out->failed))
		result = -ENOMEM;
	if (result == -ENOMEM)
		ml_error_set(err, result, "%s: out of memory", path);
	if (result == 0)
		result = (int)g->count;
	free(g->found);
	free(g);
	return result;
}
