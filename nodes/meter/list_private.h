/* The meter list's own parts: what list.c, list_snapshot.c, list_file.c and list_commands.c share.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef METER_LIST_PRIVATE_H
#define METER_LIST_PRIVATE_H

#include <sqlite3.h>

#include <meterloom/command.h>
#include <meterloom/database.h>
#include <meterloom/event.h>
#include <meterloom/family.h>

#include "meter/list.h"

struct meter_sighting;

enum {
	METER_DEVICES_MAX = 64, /* kept of one point; the oldest goes */
	METER_FOUND_MAX = 8,    /* candidates that an answer names */
};

extern const struct ml_migration meter_list_migrations[];
extern const struct ml_event_class meter_list_events[];
extern const struct ml_command meter_list_commands[];
extern const struct ml_service_class meter_list_services[];

/* ---- list.c; the control lane ---- */

/* Takes over `db`, also where it fails. The engine may be NULL: then no event is raised. */
int meter_list_open(
	sqlite3 *db, struct ml_engine *engine, struct meter_list **ret_list, struct ml_error *err);
void meter_list_close(struct meter_list *list); /* accepts NULL */

/* What follows belongs together: meter_list_begin(), then any of the three, then meter_list_end(),
 * which writes it all or, with `keep` false or after an error, none of it. */
int meter_list_begin(struct meter_list *list, struct ml_error *err);
int meter_list_insert(struct meter_list *list, const struct meter_settings *settings, ml_time time,
	uint32_t *ret_key, struct ml_error *err);
int meter_list_update(struct meter_list *list, uint32_t key, const struct meter_settings *settings,
	struct ml_error *err);
int meter_list_end(struct meter_list *list, bool keep, struct ml_error *err);

/* Writes down all contacts that were told and not yet looked at. */
void meter_list_take_contacts(struct meter_list *list);

/* What was seen in searches of late, so that one meter at two places is told from one that moved;
 * of many the oldest are forgotten. The control lane. */
struct meter_seen {
	struct meter_sighting *items; /* owned */
	size_t count, next;           /* `next` is written over once there is no more room */
};
struct meter_seen *meter_list_seen(struct meter_list *list);

/* The engine; NULL in tests of the list alone. */
struct ml_engine *meter_list_engine(struct meter_list *list);

/* ---- list_page.c ---- */

struct meter_list_params {
	char *meter, *bus;
	int state;
	bool passive;
	int64_t offset, limit;
};
extern const struct ml_param meter_list_param_table[];
void meter_list_run(struct ml_job *job, void *params);

#define METER_LIST_COMMAND \
	{ \
		.name = "meter.list", .title = "List meters", \
		.help = "The points of the meter list in their order, each with the device that " \
			"is there and those that were, and in `readout` how the last try to read " \
			"it went: `state` never, read or failed, with `reason` and `text`, when " \
			"it was last tried and last read, and how many tries failed since. The " \
			"result holds `meters`, how many there are in `total`, and in `readouts` " \
			"how many of the active ones are in each state.", \
		.role = ML_ROLE_READ, .params = meter_list_param_table, \
		.params_size = sizeof(struct meter_list_params), .run = meter_list_run \
	}

/* ---- list_snapshot.c ---- */

/* Reads the whole list. The caller owns one reference. */
int meter_snapshot_load(sqlite3 *db, uint64_t revision, const struct meter_snapshot **ret_snapshot,
	struct ml_error *err);
const struct meter_snapshot *meter_snapshot_retain(const struct meter_snapshot *snapshot);

/* ---- list_settings.c; pure ---- */

/* Whether the settings make sense by themselves. */
int meter_settings_check(const struct meter_settings *settings, struct ml_error *err);

/* Whether two points answer to the same: bus and address. */
bool meter_settings_same_address(const struct meter_settings *a, const struct meter_settings *b);
bool meter_settings_equal(const struct meter_settings *a, const struct meter_settings *b);

enum { METER_POINT_NAME_MAX = METER_MOID_MAX + 16 };
/* As texts name a point: `#3 "Flat 3"`, or `#3` where it has no MOID. */
void meter_point_name(const struct meter_point *point, char name[METER_POINT_NAME_MAX]);

bool meter_mode_parse(const char *text, uint8_t *mode);

/* The addressing mode where none is given: by the first of the secondary, the enhanced and the
 * primary address that there is; secondary where there is none. */
uint8_t meter_settings_natural_mode(const struct meter_settings *settings);
bool meter_multi_parse(const char *text, uint8_t *multi);
const char *meter_multi_name(unsigned multi);
int meter_text_set(
	char *field, size_t size, const char *what, const char *text, struct ml_error *err);

#endif
