/* The schema of readings.db.
 * SPDX-License-Identifier: Apache-2.0
 *
 * All that must move together is here. A sequence is given at the commit and never again; the
 * journal's key is the sequence of the first reading that came of the frame.
 * docs/explanation/storage.md tells what the tables are for.
 */
#include "store/writer.h"

const struct ml_migration store_migrations[] = {
	{"readings", 1,
		/* "epoch": made with the file; a cursor of another one starts at 0.
		 * "sequence": the last one given. */
		"CREATE TABLE store_state (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT "
		"ROWID;"
		"INSERT INTO store_state VALUES ('epoch', abs(random() % 9007199254740991) + 1),"
		" ('sequence', 0);"
		/* Who gave readings. Point 0: not of the meter list. Identity of 8 bytes, or empty.
		 */
		"CREATE TABLE device ("
		" key INTEGER PRIMARY KEY,"
		" point INTEGER NOT NULL,"
		" identity BLOB NOT NULL,"
		" UNIQUE (point, identity));"
		"CREATE TABLE shape ("
		" key INTEGER PRIMARY KEY,"
		" hash INTEGER NOT NULL,"
		" body BLOB NOT NULL);"
		"CREATE INDEX shape_hash ON shape(hash);"
		/* The journal: telegrams as they came, those that could not be decoded too. */
		"CREATE TABLE frame ("
		" key INTEGER PRIMARY KEY,"
		" time INTEGER NOT NULL,"
		" trace INTEGER NOT NULL,"
		" device INTEGER NOT NULL,"
		" bytes BLOB NOT NULL);"
		/* shape NULL: it holds no value (a readout that failed, an unknown telegram). */
		"CREATE TABLE reading ("
		" sequence INTEGER PRIMARY KEY,"
		" device INTEGER NOT NULL,"
		" time INTEGER NOT NULL,"
		" trace INTEGER NOT NULL,"
		" frame INTEGER,"
		" shape INTEGER,"
		" content BLOB NOT NULL);"
		"CREATE INDEX reading_device_time ON reading(device, time);"
		/* How far each destination has got. */
		"CREATE TABLE cursor ("
		" destination TEXT PRIMARY KEY,"
		" epoch INTEGER NOT NULL,"
		" sequence INTEGER NOT NULL) WITHOUT ROWID;"
		/* What is on its way to a destination, one at a time. */
		"CREATE TABLE outstanding ("
		" destination TEXT PRIMARY KEY,"
		" epoch INTEGER NOT NULL,"
		" first INTEGER NOT NULL,"
		" last INTEGER NOT NULL,"
		" count INTEGER NOT NULL,"
		" time_from INTEGER NOT NULL,"
		" time_to INTEGER NOT NULL,"
		" fixed INTEGER NOT NULL," /* 1: the period, whatever was sent before */
		" spacing INTEGER NOT NULL,"
		" more INTEGER NOT NULL,"
		" kind TEXT NOT NULL," /* of the trigger that asked for it first */
		" due INTEGER NOT NULL,"
		" next INTEGER NOT NULL,"
		" period INTEGER NOT NULL) WITHOUT ROWID"},
	{"readings", 2,
		/* "packed": all rows up to it are in chunks. "packing", "packing_device": so are
		 * those up to the one of devices up to the other. */
		"INSERT INTO store_state VALUES ('packed', 0), ('packing', 0), ('packing_device', "
		"0);"
		/* By which way readings came. */
		"CREATE TABLE origin ("
		" key INTEGER PRIMARY KEY,"
		" node TEXT NOT NULL,"
		" bus TEXT NOT NULL,"
		" interface TEXT NOT NULL,"
		" receiver TEXT NOT NULL,"
		" UNIQUE (node, bus, interface, receiver));"
		"ALTER TABLE frame ADD COLUMN origin INTEGER;"
		/* Rows of the recent days. crc is of the telegram. With boot, time is monotonic. */
		"CREATE TABLE recent ("
		" sequence INTEGER PRIMARY KEY,"
		" device INTEGER NOT NULL,"
		" time INTEGER NOT NULL,"
		" trace INTEGER NOT NULL,"
		" boot INTEGER,"
		" origin INTEGER,"
		" crc INTEGER,"
		" shape INTEGER,"
		" content BLOB NOT NULL);"
		"INSERT INTO recent SELECT sequence, device, time - time % 1000 - CASE WHEN time % "
		"1000 < 0 THEN 1000 ELSE 0 END, trace, NULL, NULL, NULL, shape, content FROM "
		"reading;"
		"DROP TABLE reading;"
		"ALTER TABLE recent RENAME TO reading;"
		/* Blocks of 1024, so that what is inserted now lies in few pages. */
		"CREATE INDEX reading_block ON reading(sequence >> 10, device, time);"
		"CREATE INDEX reading_boot ON reading(boot) WHERE boot IS NOT NULL;"
		/* Blocks that are full; written: when they were, by the wall clock. */
		"CREATE TABLE block ("
		" number INTEGER PRIMARY KEY,"
		" first_time INTEGER NOT NULL,"
		" last_time INTEGER NOT NULL,"
		" min_trace INTEGER NOT NULL,"
		" max_trace INTEGER NOT NULL,"
		" written INTEGER NOT NULL,"
		" journal INTEGER NOT NULL);" /* bytes of its telegrams */
		"INSERT INTO block SELECT sequence >> 10, min(time), max(time), min(trace), "
		"max(trace), max(time), 0 FROM reading WHERE sequence >> 10 < (SELECT value >> 10 "
		"FROM store_state WHERE name = 'sequence') GROUP BY 1;"
		"UPDATE block SET journal = (SELECT total(length(bytes)) FROM frame WHERE key >= "
		"number << 10 AND key < (number + 1) << 10);"
		/* Which series exist; last_time is up to a day behind. */
		"CREATE TABLE device_shape ("
		" device INTEGER NOT NULL,"
		" shape INTEGER NOT NULL,"
		" first_time INTEGER NOT NULL,"
		" last_time INTEGER NOT NULL,"
		" PRIMARY KEY (device, shape)) WITHOUT ROWID;"
		"INSERT INTO device_shape SELECT device, shape, min(time), max(time) FROM reading "
		"WHERE shape IS NOT NULL GROUP BY 1, 2;"
		/* Packed readings of a device and a month (year * 12 + month - 1, UTC). */
		"CREATE TABLE chunk ("
		" key INTEGER PRIMARY KEY,"
		" device INTEGER NOT NULL,"
		" month INTEGER NOT NULL,"
		" first_sequence INTEGER NOT NULL,"
		" last_sequence INTEGER NOT NULL,"
		" first_time INTEGER NOT NULL,"
		" last_time INTEGER NOT NULL,"
		" min_trace INTEGER NOT NULL,"
		" max_trace INTEGER NOT NULL,"
		" count INTEGER NOT NULL,"
		" body BLOB NOT NULL);"
		"CREATE INDEX chunk_device ON chunk(device, month, first_time, last_time, "
		"count);"
		"CREATE INDEX chunk_sequence ON chunk(last_sequence, first_sequence, device, "
		"min_trace, max_trace)"},
	{"readings", 3,
		/* What nodes keep beside the readings; node is its id. */
		"CREATE TABLE kept ("
		" key INTEGER PRIMARY KEY,"
		" node TEXT NOT NULL,"
		" name BLOB NOT NULL,"
		" content BLOB NOT NULL,"
		" UNIQUE (node, name))"},
	{"readings", 4,
		/* key: of the folder in the outbox. refused: it waits for a person. resend: the one
		 * it is a piece of. tries, tried, reason: what failed so far. */
		"ALTER TABLE outstanding ADD COLUMN key TEXT NOT NULL DEFAULT '';"
		"ALTER TABLE outstanding ADD COLUMN refused INTEGER NOT NULL DEFAULT 0;"
		"ALTER TABLE outstanding ADD COLUMN resend INTEGER NOT NULL DEFAULT 0;"
		"ALTER TABLE outstanding ADD COLUMN tries INTEGER NOT NULL DEFAULT 0;"
		"ALTER TABLE outstanding ADD COLUMN tried INTEGER NOT NULL DEFAULT 0;"
		"ALTER TABLE outstanding ADD COLUMN reason TEXT NOT NULL DEFAULT '';"
		"UPDATE outstanding SET key = lower(hex(randomblob(16)));"
		/* Stretches of time that are to be sent again: what is left of them. */
		"CREATE TABLE resend ("
		" key INTEGER PRIMARY KEY AUTOINCREMENT,"
		" destination TEXT NOT NULL,"
		" epoch INTEGER NOT NULL,"
		" time_from INTEGER NOT NULL,"
		" time_to INTEGER NOT NULL,"
		" until INTEGER NOT NULL,"
		" asked INTEGER NOT NULL,"
		" pieces INTEGER NOT NULL);"
		/* What was delivered or given up, the last thousand of each destination. */
		"CREATE TABLE delivery ("
		" number INTEGER PRIMARY KEY AUTOINCREMENT,"
		" destination TEXT NOT NULL,"
		" epoch INTEGER NOT NULL,"
		" key TEXT NOT NULL,"
		" first INTEGER NOT NULL,"
		" last INTEGER NOT NULL,"
		" count INTEGER NOT NULL,"
		" time_from INTEGER NOT NULL,"
		" time_to INTEGER NOT NULL,"
		" fixed INTEGER NOT NULL,"
		" resend INTEGER NOT NULL,"
		" spacing INTEGER NOT NULL,"
		" due INTEGER NOT NULL,"
		" time INTEGER NOT NULL,"
		" delivered INTEGER NOT NULL,"
		" reason TEXT NOT NULL,"
		" documents TEXT NOT NULL);"
		"CREATE INDEX delivery_destination ON delivery(destination, number)"},
	{"readings", 5,
		/* Without its shape no reading can be read: the index holds each a second time, on
		 * another page. */
		"DROP INDEX shape_hash; CREATE INDEX shape_hash ON shape(hash, body)"},
	{"readings", 6,
		/* Sequences of readings whose times were given by rule: see stamp.h. */
		"CREATE TABLE guessed ("
		" first INTEGER PRIMARY KEY,"
		" last INTEGER NOT NULL,"
		" boot INTEGER NOT NULL)"},
	{NULL, 0, NULL},
};
