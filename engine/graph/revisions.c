/* Revisions of the graph, kept in meterloom.db.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "graph/revisions.h"

const struct ml_migration ml_graph_migrations[] = {
	{"meterloom", 1,
		"CREATE TABLE ml_revision ("
		"number INTEGER PRIMARY KEY AUTOINCREMENT,"
		"time INTEGER NOT NULL," /* wall, microseconds */
		"author TEXT NOT NULL,"
		"remark TEXT NOT NULL,"
		"graph TEXT NOT NULL,"
		"difference TEXT NOT NULL)"},
	{0},
};
