/* The schema of readings.db.
 * SPDX-License-Identifier: Apache-2.0
 *
 * All that must move together is here. A sequence is given at the commit and never again; the
 * journal's key is the sequence of the first reading that came of the frame.
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
	{NULL, 0, NULL},
};
