/* What is on its way to a destination: written down.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "store/outstanding.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <meterloom/database.h>

static const char doing[] = "writing down what is sent";

/* ---- Statements ---- */

struct values {
	sqlite3 *db;
	sqlite3_stmt *row; /* NULL: it could not be prepared */
	int place, code;
};

static struct values statement(sqlite3 *db, const char *sql)
{
	struct values values = {.db = db};
	values.code = sqlite3_prepare_v2(db, sql, -1, &values.row, NULL);
	return values;
}

static void bind_number(struct values *values, int64_t number)
{
	if (values->code == SQLITE_OK)
		values->code = sqlite3_bind_int64(values->row, ++values->place, number);
}

static void bind_text(struct values *values, const char *text)
{
	if (values->code == SQLITE_OK)
		values->code =
			sqlite3_bind_text(values->row, ++values->place, text, -1, SQLITE_STATIC);
}

/* 1: a row; 0: none. */
static int step(struct values *values, struct ml_error *err)
{
	if (values->code == SQLITE_OK)
		values->code = sqlite3_step(values->row);
	if (values->code == SQLITE_ROW) {
		values->code = SQLITE_OK;
		return 1;
	}
	return values->code == SQLITE_DONE ? 0 : ml_database_error(err, values->db, doing);
}

static int finish(struct values *values, int result)
{
	sqlite3_finalize(values->row);
	values->row = NULL;
	return result;
}

static int run(struct values *values, struct ml_error *err)
{
	return finish(values, step(values, err));
}

static const char *text_of(const struct values *values, int column)
{
	const unsigned char *text = sqlite3_column_text(values->row, column);
	return text ? (const char *)text : "";
}

static int execute(sqlite3 *db, const char *sql, struct ml_error *err)
{
	return sqlite3_exec(db, sql, NULL, NULL, NULL) == SQLITE_OK
		       ? 0
		       : ml_database_error(err, db, doing);
}

/* ---- Outstanding ---- */

static void take_outstanding(const struct values *values, struct store_outstanding *outstanding)
{
	sqlite3_stmt *row = values->row;
	*outstanding = (struct store_outstanding){
		.range = {.first = (uint64_t)sqlite3_column_int64(row, 0),
			.last = (uint64_t)sqlite3_column_int64(row, 1),
			.count = (uint64_t)sqlite3_column_int64(row, 2),
			.from = sqlite3_column_int64(row, 3),
			.to = sqlite3_column_int64(row, 4),
			.fixed = sqlite3_column_int(row, 5) != 0,
			.spacing = sqlite3_column_int64(row, 6),
			.more = sqlite3_column_int(row, 7) != 0,
			.trigger.due = sqlite3_column_int64(row, 9),
			.trigger.next = sqlite3_column_int64(row, 10),
			.trigger.period = sqlite3_column_int64(row, 11)},
		.refused = sqlite3_column_int(row, 13) != 0,
		.resend = sqlite3_column_int64(row, 14),
		.tries = (unsigned)sqlite3_column_int(row, 15),
		.tried = sqlite3_column_int64(row, 16),
	};
	(void)snprintf(outstanding->range.trigger.kind, sizeof outstanding->range.trigger.kind,
		"%s", text_of(values, 8));
	(void)snprintf(outstanding->key, sizeof outstanding->key, "%s", text_of(values, 12));
	(void)snprintf(outstanding->reason, sizeof outstanding->reason, "%s", text_of(values, 17));
}

int store_outstanding_load(sqlite3 *db, uint64_t epoch, const char *destination,
	struct store_outstanding *outstanding, struct ml_error *err)
{
	struct values values = statement(db,
		"SELECT first, last, count, time_from, time_to, fixed, spacing, more, kind, due, "
		"next, period, key, refused, resend, tries, tried, reason FROM outstanding WHERE "
		"destination = ? AND epoch = ?");
	bind_text(&values, destination);
	bind_number(&values, (int64_t)epoch);
	const int result = step(&values, err);
	if (result > 0)
		take_outstanding(&values, outstanding);
	return finish(&values, result);
}

int store_outstanding_save(sqlite3 *db, uint64_t epoch, const char *destination,
	const struct store_outstanding *outstanding, struct ml_error *err)
{
	const struct store_range *range = &outstanding->range;
	struct values values = statement(db,
		"INSERT OR REPLACE INTO outstanding (destination, epoch, first, last, count, "
		"time_from, time_to, fixed, spacing, more, kind, due, next, period, key, refused, "
		"resend, tries, tried, reason) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, "
		"?, "
		"?, ?, ?, ?, ?)");
	bind_text(&values, destination);
	bind_number(&values, (int64_t)epoch);
	bind_number(&values, (int64_t)range->first);
	bind_number(&values, (int64_t)range->last);
	bind_number(&values, (int64_t)range->count);
	bind_number(&values, range->from);
	bind_number(&values, range->to);
	bind_number(&values, range->fixed);
	bind_number(&values, range->spacing);
	bind_number(&values, range->more);
	bind_text(&values, range->trigger.kind);
	bind_number(&values, range->trigger.due);
	bind_number(&values, range->trigger.next);
	bind_number(&values, range->trigger.period);
	bind_text(&values, outstanding->key);
	bind_number(&values, outstanding->refused);
	bind_number(&values, outstanding->resend);
	bind_number(&values, outstanding->tries);
	bind_number(&values, outstanding->tried);
	bind_text(&values, outstanding->reason);
	return run(&values, err);
}

int store_cursor_move(sqlite3 *db, uint64_t epoch, const char *destination, uint64_t sequence,
	struct ml_error *err)
{
	struct values values = statement(db,
		"INSERT OR REPLACE INTO cursor (destination, epoch, sequence) VALUES (?, ?, ?)");
	bind_text(&values, destination);
	bind_number(&values, (int64_t)epoch);
	bind_number(&values, (int64_t)sequence);
	return run(&values, err);
}

static int remember(sqlite3 *db, uint64_t epoch, const char *destination,
	const struct store_outstanding *outstanding, const struct store_ending *ending,
	struct ml_error *err)
{
	const struct store_range *range = &outstanding->range;
	struct values values = statement(db,
		"INSERT INTO delivery (destination, epoch, key, first, last, count, time_from, "
		"time_to, fixed, resend, spacing, due, time, delivered, reason, documents) VALUES "
		"(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)");
	bind_text(&values, destination);
	bind_number(&values, (int64_t)epoch);
	bind_text(&values, outstanding->key);
	bind_number(&values, (int64_t)range->first);
	bind_number(&values, (int64_t)range->last);
	bind_number(&values, (int64_t)range->count);
	bind_number(&values, range->from);
	bind_number(&values, range->to);
	bind_number(&values, range->fixed);
	bind_number(&values, outstanding->resend != 0);
	bind_number(&values, range->spacing);
	bind_number(&values, range->trigger.due);
	bind_number(&values, ending->time);
	bind_number(&values, ending->result == METER_DELIVERY_DELIVERED);
	bind_text(&values, ending->reason);
	bind_text(&values, ending->documents ? ending->documents : "[]");
	int result = run(&values, err);
	if (result < 0)
		return result;
	values = statement(db,
		"DELETE FROM delivery WHERE destination = ?1 AND number <= (SELECT number FROM "
		"delivery WHERE destination = ?1 ORDER BY number DESC LIMIT 1 OFFSET ?2)");
	bind_text(&values, destination);
	bind_number(&values, STORE_HISTORY_MAX);
	return run(&values, err);
}

static int end_within(sqlite3 *db, uint64_t epoch, const char *destination,
	const struct store_outstanding *outstanding, const struct store_ending *ending,
	struct ml_error *err)
{
	struct values values =
		statement(db, "DELETE FROM outstanding WHERE destination = ? AND epoch = ?");
	bind_text(&values, destination);
	bind_number(&values, (int64_t)epoch);
	int result = run(&values, err);
	if (result == 0 && outstanding->resend)
		result = store_resend_advance(db, outstanding->resend, outstanding->range.to, err);
	else if (result == 0 && !outstanding->range.fixed)
		result = store_cursor_move(db, epoch, destination, outstanding->range.last, err);
	if (result == 0)
		result = remember(db, epoch, destination, outstanding, ending, err);
	return result;
}

int store_outstanding_end(sqlite3 *db, uint64_t epoch, const char *destination,
	const struct store_outstanding *outstanding, const struct store_ending *ending,
	struct ml_error *err)
{
	int result = execute(db, "BEGIN IMMEDIATE", err);
	if (result < 0)
		return result;
	result = end_within(db, epoch, destination, outstanding, ending, err);
	if (result == 0)
		result = execute(db, "COMMIT", err);
	if (result < 0 && !sqlite3_get_autocommit(db))
		(void)sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL);
	return result;
}

int store_outstanding_keys(
	sqlite3 *db, void (*each)(void *user, const char *key), void *user, struct ml_error *err)
{
	struct values values = statement(db, "SELECT key FROM outstanding");
	int result;
	while ((result = step(&values, err)) > 0)
		each(user, text_of(&values, 0));
	return finish(&values, result);
}

/* ---- To be sent again ---- */

int store_resend_add(sqlite3 *db, uint64_t epoch, const char *destination,
	const struct store_resend *resend, struct ml_error *err)
{
	struct values values = statement(db,
		"INSERT INTO resend (destination, epoch, time_from, time_to, until, asked, pieces) "
		"VALUES (?, ?, ?, ?, ?, ?, 0)");
	bind_text(&values, destination);
	bind_number(&values, (int64_t)epoch);
	bind_number(&values, resend->from);
	bind_number(&values, resend->to);
	bind_number(&values, (int64_t)resend->until);
	bind_number(&values, resend->asked);
	return run(&values, err);
}

int store_resend_next(sqlite3 *db, uint64_t epoch, const char *destination,
	struct store_resend *resend, struct ml_error *err)
{
	struct values values = statement(db, "SELECT key, time_from, time_to, until, asked, pieces "
					     "FROM resend WHERE destination "
					     "= ? AND epoch = ? ORDER BY key LIMIT 1");
	bind_text(&values, destination);
	bind_number(&values, (int64_t)epoch);
	const int result = step(&values, err);
	if (result > 0)
		*resend = (struct store_resend){
			.key = sqlite3_column_int64(values.row, 0),
			.from = sqlite3_column_int64(values.row, 1),
			.to = sqlite3_column_int64(values.row, 2),
			.until = (uint64_t)sqlite3_column_int64(values.row, 3),
			.asked = sqlite3_column_int64(values.row, 4),
			.pieces = (unsigned)sqlite3_column_int(values.row, 5),
		};
	return finish(&values, result);
}

int store_resend_advance(sqlite3 *db, int64_t key, ml_time from, struct ml_error *err)
{
	struct values values =
		statement(db, "UPDATE resend SET time_from = ?, pieces = pieces + 1 WHERE key = ?");
	bind_number(&values, from);
	bind_number(&values, key);
	const int result = run(&values, err);
	if (result < 0)
		return result;
	values = statement(db, "DELETE FROM resend WHERE key = ? AND time_from >= time_to");
	bind_number(&values, key);
	return run(&values, err);
}

int store_destination_known(sqlite3 *db, const char *destination, struct ml_error *err)
{
	struct values values = statement(db,
		"SELECT 1 WHERE ?1 IN (SELECT destination FROM cursor UNION SELECT destination "
		"FROM "
		"outstanding UNION SELECT destination FROM resend UNION SELECT destination FROM "
		"delivery)");
	bind_text(&values, destination);
	const int result = step(&values, err);
	return finish(&values, result);
}

int store_resend_drop(sqlite3 *db, uint64_t epoch, const char *destination, struct ml_error *err)
{
	struct values values =
		statement(db, "DELETE FROM resend WHERE destination = ? AND epoch = ?");
	bind_text(&values, destination);
	bind_number(&values, (int64_t)epoch);
	const int result = run(&values, err);
	return result < 0 ? result : sqlite3_changes(db);
}

/* ---- History ---- */

#define DELIVERY_COLUMNS \
	"number, destination, key, reason, documents, first, last, count, time_from, time_to, " \
	"spacing, due, time, fixed, resend, delivered"

static int walk(struct values *values,
	bool (*each)(void *user, const struct store_delivery *delivery), void *user,
	struct ml_error *err)
{
	int result;
	bool go_on = true;
	while (go_on && (result = step(values, err)) > 0) {
		sqlite3_stmt *row = values->row;
		const struct store_delivery delivery = {
			.number = sqlite3_column_int64(row, 0),
			.destination = text_of(values, 1),
			.key = text_of(values, 2),
			.reason = text_of(values, 3),
			.documents = text_of(values, 4),
			.first = (uint64_t)sqlite3_column_int64(row, 5),
			.last = (uint64_t)sqlite3_column_int64(row, 6),
			.count = (uint64_t)sqlite3_column_int64(row, 7),
			.from = sqlite3_column_int64(row, 8),
			.to = sqlite3_column_int64(row, 9),
			.spacing = sqlite3_column_int64(row, 10),
			.due = sqlite3_column_int64(row, 11),
			.time = sqlite3_column_int64(row, 12),
			.fixed = sqlite3_column_int(row, 13) != 0,
			.resend = sqlite3_column_int(row, 14) != 0,
			.delivered = sqlite3_column_int(row, 15) != 0,
		};
		go_on = each(user, &delivery);
	}
	return finish(values, go_on ? result : 0);
}

int store_deliveries(sqlite3 *db, const char *destination, size_t limit,
	bool (*each)(void *user, const struct store_delivery *delivery), void *user,
	struct ml_error *err)
{
	struct values values = statement(db,
		destination ? "SELECT " DELIVERY_COLUMNS
			      " FROM delivery WHERE destination = ? ORDER BY number DESC LIMIT ?"
			    : "SELECT " DELIVERY_COLUMNS
			      " FROM delivery ORDER BY number DESC LIMIT ?");
	if (destination)
		bind_text(&values, destination);
	bind_number(&values, (int64_t)limit);
	return walk(&values, each, user, err);
}

int store_deliveries_of(sqlite3 *db, uint64_t epoch, uint64_t sequence, ml_time time,
	bool (*each)(void *user, const struct store_delivery *delivery), void *user,
	struct ml_error *err)
{
	struct values values = statement(db,
		"SELECT " DELIVERY_COLUMNS
		" FROM delivery WHERE epoch = ?1 AND first <= ?2 AND last "
		">= ?2 AND (fixed = 0 OR (time_from <= ?3 AND time_to > ?3)) ORDER BY number");
	bind_number(&values, (int64_t)epoch);
	bind_number(&values, (int64_t)sequence);
	bind_number(&values, time);
	return walk(&values, each, user, err);
}
