/* The meter list of virtual meters.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "sim/list.h"

#include <stdio.h>

#include "meter/address.h"

enum { POSITION_TEXT = 96 };

/* Positions of meters of several buses differ by the bus. */
static void position_text(const struct sim_list_part *part, size_t index, char out[POSITION_TEXT])
{
	const struct sim_meter *meter = sim_line_meter(part->line, index);
	(void)snprintf(out, POSITION_TEXT, "%s%s%s %zu", part->bus, part->bus[0] ? " " : "",
		meter_medium_name(meter->identity.medium), index + 1);
}

static bool by_primary(const struct sim_meter *meter, size_t index, enum sim_addressing addressing)
{
	if (meter->primary == 0)
		return false;
	return addressing == SIM_PRIMARY || (addressing == SIM_MIXED && index % 2 == 0);
}

/* Its position is written to `position`, which must outlive the row. */
static struct sim_list_row row_of(const struct sim_list_part *part, size_t index,
	enum sim_addressing addressing, char position[POSITION_TEXT])
{
	const struct sim_meter *meter = sim_line_meter(part->line, index);
	position_text(part, index, position);
	return (struct sim_list_row){
		.position = position,
		.bus = part->bus,
		.identity = meter->identity,
		.baud = meter->baud ? meter->baud : part->baud,
		.primary = meter->primary,
		.by_primary = by_primary(meter, index, addressing),
	};
}

void sim_list_csv_head(struct ml_buffer *out)
{
	ml_buffer_appendf(out, "Position,SecondaryAddress,BaudRate,AddressingMode,PrimaryAddress,"
			       "EnhancedAddress,Bus,State\r\n");
}

void sim_list_csv_row(const struct sim_list_row *row, struct ml_buffer *out)
{
	char secondary[METER_SECONDARY_TEXT_MAX];
	meter_secondary_format(row->identity, secondary);
	ml_buffer_appendf(out, "%s,%s,%u,%s,", row->position, secondary, row->baud,
		row->by_primary ? "primary" : "secondary");
	if (row->primary > 0)
		ml_buffer_appendf(out, "%u", row->primary);
	ml_buffer_appendf(out, ",,%s,active\r\n", row->bus);
}

void sim_list_csv(const struct sim_list_part *parts, size_t count, enum sim_addressing addressing,
	struct ml_buffer *out)
{
	char position[POSITION_TEXT];
	sim_list_csv_head(out);
	for (size_t p = 0; p < count; p++) {
		for (size_t i = 0; i < sim_line_meter_count(parts[p].line); i++) {
			const struct sim_list_row row = row_of(&parts[p], i, addressing, position);
			sim_list_csv_row(&row, out);
		}
	}
}

void sim_list_json_row(const struct sim_list_row *row, struct ml_json_writer *w)
{
	char secondary[METER_SECONDARY_TEXT_MAX];
	ml_json_key(w, "position");
	ml_json_string(w, row->position);
	meter_secondary_format(row->identity, secondary);
	ml_json_key(w, "secondary_address");
	ml_json_string(w, secondary);
	ml_json_key(w, "baud");
	ml_json_unsigned(w, row->baud);
	ml_json_key(w, "mode");
	ml_json_string(w, row->by_primary ? "primary" : "secondary");
	ml_json_key(w, "primary_address");
	if (row->primary > 0)
		ml_json_unsigned(w, row->primary);
	else
		ml_json_null(w);
	ml_json_key(w, "bus");
	ml_json_string(w, row->bus);
}

static void write_meter(const struct sim_list_part *part, size_t index,
	enum sim_addressing addressing, struct ml_json_writer *w)
{
	char position[POSITION_TEXT];
	char manufacturer[METER_MANUFACTURER_TEXT_MAX];
	const struct sim_meter *meter = sim_line_meter(part->line, index);
	const struct sim_list_row row = row_of(part, index, addressing, position);
	ml_json_begin_object(w);
	sim_list_json_row(&row, w);
	meter_manufacturer_format(meter->identity.manufacturer, manufacturer);
	ml_json_key(w, "manufacturer");
	ml_json_string(w, meter->fixed ? NULL : manufacturer);
	ml_json_key(w, "model");
	ml_json_string(w, meter->model->name);
	ml_json_key(w, "telegrams_from");
	ml_json_string(w, meter->model->source);
	ml_json_end_object(w);
}

void sim_list_json(const struct sim_list_part *parts, size_t count, enum sim_addressing addressing,
	struct ml_buffer *out)
{
	struct ml_json_writer w;
	ml_json_writer_init(&w, out);
	w.pretty = true;
	ml_json_begin_object(&w);
	ml_json_key(&w, "meters");
	ml_json_begin_array(&w);
	for (size_t p = 0; p < count; p++) {
		for (size_t i = 0; i < sim_line_meter_count(parts[p].line); i++)
			write_meter(&parts[p], i, addressing, &w);
	}
	ml_json_end_array(&w);
	ml_json_end_object(&w);
	ml_buffer_append(out, "\n", 1);
}

void sim_list_meters(const struct sim_line *line, struct ml_json_writer *w)
{
	char text[METER_SECONDARY_TEXT_MAX];
	char manufacturer[METER_MANUFACTURER_TEXT_MAX];
	ml_json_begin_array(w);
	for (size_t i = 0; i < sim_line_meter_count(line); i++) {
		const struct sim_meter *meter = sim_line_meter(line, i);
		ml_json_begin_object(w);
		ml_json_key(w, "meter");
		ml_json_unsigned(w, i + 1);
		meter_secondary_format(meter->identity, text);
		ml_json_key(w, "secondary_address");
		ml_json_string(w, text);
		ml_json_key(w, "primary_address");
		ml_json_unsigned(w, meter->primary);
		ml_json_key(w, "baud");
		ml_json_unsigned(w, meter->baud);
		meter_manufacturer_format(meter->identity.manufacturer, manufacturer);
		ml_json_key(w, "manufacturer");
		ml_json_string(w, meter->fixed ? NULL : manufacturer);
		ml_json_key(w, "medium");
		ml_json_string(w, meter_medium_name(meter->identity.medium));
		ml_json_key(w, "model");
		ml_json_string(w, meter->model->name);
		ml_json_key(w, "unplugged");
		ml_json_bool(w, meter->unplugged);
		ml_json_end_object(w);
	}
	ml_json_end_array(w);
}
