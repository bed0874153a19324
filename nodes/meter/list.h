/* The meter list: places of measurement (points) and the devices that are or were there.
 * SPDX-License-Identifier: Apache-2.0
 *
 * A point has a key that never changes, a name (MOID), its place in the order of installation and
 * the settings of how it is read. A device is a meter with its identity that was at a point from
 * one time to another; the first contact fills it in, and another identity at the same address is
 * another device.
 *
 * Any thread reads the list through a snapshot: immutable, counted by reference. Only the control
 * lane changes it, and what changed is in meterloom.db before anybody sees it.
 */
#ifndef METER_LIST_H
#define METER_LIST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <meterloom/clock.h>
#include <meterloom/error.h>
#include <meterloom/json.h>

#include "meter/address.h"
#include "meter/identity.h"

struct ml_engine;
struct meter_list;
struct meter_readout;

enum meter_mode {              /* of addressing */
	METER_MODE_PRIMARY,    /* by `primary` */
	METER_MODE_SECONDARY,  /* by `secondary` */
	METER_MODE_ESECONDARY, /* enhanced secondary: a wireless meter behind a receiver on the bus
				*/
};

enum meter_multi {           /* telegrams after the first */
	METER_MULTI_DEFAULT, /* as the bus does */
	METER_MULTI_OFF,
	METER_MULTI_AUTO, /* while the meter says that more follow */
};

enum {
	METER_MOID_MAX = 64, /* bytes, with the NUL; UTF-8 */
	METER_BUS_MAX = 32,  /* bytes, with the NUL */
	METER_POINTS_MAX = 4096,
	METER_TELEGRAMS_MAX = 1000,
	METER_TIMEOUT_MAX = 60000, /* ms */
	METER_RETRIES_MAX = 20,

	/* In a secondary address these fit any meter: FFFFh, FFh, FFh. Digits F of the id fit any
	 * digit. */
	METER_ANY_MANUFACTURER = 0xFFFF,
	METER_ANY_VERSION = 0xFF,
	METER_ANY_MEDIUM = 0xFF,
};

/* How a point is known and read. What is not given is zero. */
struct meter_settings {
	char moid[METER_MOID_MAX];       /* "": none; need not be unique */
	char bus[METER_BUS_MAX];         /* "": the default bus */
	uint32_t baud;                   /* 0: as the bus does */
	struct meter_identity secondary; /* with METER_ANY_*; as it is selected on the bus */
	struct meter_identity
		enhanced; /* of METER_MODE_ESECONDARY; not given: `secondary` is used */
	uint8_t mode;     /* enum meter_mode */
	uint8_t primary;  /* 0 to 255 */
	uint8_t multi;    /* enum meter_multi */
	/* Of the telegrams after the first; not given: as the bus does. */
	uint16_t telegram_limit;    /* most in a readout; 0: as the bus */
	uint16_t multi_timeout;     /* of the response, in ms; 0: as the bus */
	uint8_t multi_retries;      /* with has_multi_retries */
	uint8_t telegram_selection; /* sub code of the application reset; with has_selection */
	bool has_multi_retries, has_selection;
	bool has_primary, has_secondary, has_enhanced;
	bool passive; /* listed, not read */
};

struct meter_device {
	uint32_t key;   /* never used again */
	uint32_t point; /* key of its point */
	struct meter_identity identity;
	ml_time from, to; /* wall; to is ML_NEVER while it is there */
};

struct meter_point {
	uint32_t key;   /* never used again; from 1 */
	uint32_t order; /* of installation, from 1, without gaps */
	ml_time since;  /* wall time of its installation */
	struct meter_settings settings;
	const struct meter_device *devices; /* oldest first */
	size_t device_count;
	const struct meter_device *device; /* the one that is there; NULL: none was ever read */
};

struct meter_snapshot {
	uint64_t revision;                /* counts the changes since the start */
	const struct meter_point *points; /* in the order of installation */
	size_t point_count;
};

/* The list of an engine: the service "meter-list". NULL: this engine has none. Any thread. */
struct meter_list *meter_list(struct ml_engine *engine);

/* ---- Any thread ---- */

/* The list as it is now; never NULL. Let go of it with meter_snapshot_release(). */
const struct meter_snapshot *meter_list_snapshot(struct meter_list *list);
void meter_snapshot_release(const struct meter_snapshot *snapshot); /* accepts NULL */

/* Whether there is another than the one of that revision, for a price of one load. */
uint64_t meter_list_revision(const struct meter_list *list);

/* Tells that `identity` answered at a point at the wall time `time`. What is new is written on the
 * control lane and, where the device changed, raised as an event; what is known costs a look. */
void meter_list_contact(struct meter_list *list, const struct meter_snapshot *snapshot,
	uint32_t point, struct meter_identity identity, ml_time time);

/* Whether one of these keys of points is that. */
bool meter_keys_have(const uint32_t *keys, size_t count, uint32_t key);

/* ---- Of a snapshot ---- */

/* NULL: there is none of this key. */
const struct meter_point *meter_snapshot_point(const struct meter_snapshot *snapshot, uint32_t key);

/* The active point where this identity is now, or that is addressed by it; NULL: none. */
const struct meter_point *meter_snapshot_identity(
	const struct meter_snapshot *snapshot, struct meter_identity identity);

/* What the secondary or enhanced address of a point selects, as eight bytes for the bus. false: it
 * has none. */
bool meter_point_selection(const struct meter_point *point, uint8_t bytes[8]);

/* Whether it is read by a selection that chooses a meter of this identity. */
bool meter_point_selects(const struct meter_point *point, struct meter_identity identity);

/* Finds points by what a person gives: the key ("#12"), a MOID, the eight digits of an id (fewer
 * are filled up with zeros), an id with its manufacturer ("12345678.KAM") or the 16 hex digits of a
 * whole secondary address. Puts up to `size` into `found` and returns how many there are. Of
 * several meanings the first of this order that fits any point holds. Passive points and earlier
 * devices count too. */
size_t meter_snapshot_find(const struct meter_snapshot *snapshot, const char *text, size_t length,
	const struct meter_point **found, size_t size);

/* The same for one: -ENOENT: there is none; -EEXIST: it is not unique, and the text names the
 * candidates. */
int meter_snapshot_find_one(const struct meter_snapshot *snapshot, const char *text, size_t length,
	const struct meter_point **found, struct ml_error *err);

/* A point with its devices as `meter.list` shows it: one object. */
void meter_point_to_json(const struct meter_point *point, const struct meter_readout *readout,
	struct ml_json_writer *w);

enum { METER_ADDRESS_WORDS_MAX = 96 };
/* "primary address 5 on bus \"cellar\"", with a NUL. */
void meter_settings_address(
	const struct meter_settings *settings, char out[METER_ADDRESS_WORDS_MAX]);

/* 300 to 38400, the rates a bus may have. */
bool meter_baud_valid(int64_t baud);

/* "primary", "secondary", "esecondary". */
const char *meter_mode_name(unsigned mode);

/* ---- The control lane ---- */

/* Each is written before it returns; -EINVAL and -EEXIST tell what is wrong with the settings. */
int meter_list_add(struct meter_list *list, const struct meter_settings *settings, ml_time time,
	uint32_t *ret_key, struct ml_error *err);
int meter_list_change(struct meter_list *list, uint32_t key, const struct meter_settings *settings,
	struct ml_error *err);
int meter_list_remove(struct meter_list *list, uint32_t key, struct ml_error *err);

/* Moves a point to a place in the order of installation (from 1). */
int meter_list_move(struct meter_list *list, uint32_t key, uint32_t order, struct ml_error *err);

#endif
