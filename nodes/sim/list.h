/* The meter list of virtual meters, for a gateway to import.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef SIM_LIST_H
#define SIM_LIST_H

#include <stdbool.h>

#include <meterloom/json.h>

#include "meter/identity.h"
#include "sim/line.h"

enum sim_addressing { SIM_MIXED, SIM_PRIMARY, SIM_SECONDARY };

struct sim_list_part {
	const struct sim_line *line;
	unsigned baud;   /* of meters that follow their master */
	const char *bus; /* "": the default bus */
};

/* As CSV with the columns of a meter list file: Position, SecondaryAddress, BaudRate,
 * AddressingMode, PrimaryAddress, EnhancedAddress, Bus, State. Mixed: every other meter by its
 * primary address; meters without one by their secondary. */
void sim_list_csv(const struct sim_list_part *parts, size_t count, enum sim_addressing addressing,
	struct ml_buffer *out);

/* The same as JSON: {"meters": [{"position": …, …}]}, with what each meter is. */
void sim_list_json(const struct sim_list_part *parts, size_t count, enum sim_addressing addressing,
	struct ml_buffer *out);

/* ---- Row by row, whatever is listed ---- */

struct sim_list_row {
	const char *position, *bus;
	struct meter_identity identity;
	unsigned baud;
	unsigned primary; /* 0: none, or not known */
	bool by_primary;  /* how it is to be asked */
};

void sim_list_csv_head(struct ml_buffer *out);
void sim_list_csv_row(const struct sim_list_row *row, struct ml_buffer *out);
/* Its members; the object is begun and ended by the caller. */
void sim_list_json_row(const struct sim_list_row *row, struct ml_json_writer *w);

/* ---- For people ---- */

/* Each meter as it is now: [{"meter": 1, "id": …, "unplugged": true}]. */
void sim_list_meters(const struct sim_line *line, struct ml_json_writer *w);

#endif
