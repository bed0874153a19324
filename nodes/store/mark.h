/* The file beside readings.db that tells which database belongs here and how far it had got.
 * SPDX-License-Identifier: Apache-2.0
 *
 * A few lines of text, `readings.mark`, written anew (and synced, with its folder) at each start,
 * at each clean stop, and before sequence numbers beyond its ceiling are given. So a database that
 * was put back from an older copy is noticed, and no number is ever given twice.
 */
#ifndef STORE_MARK_H
#define STORE_MARK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <meterloom/error.h>
#include <meterloom/files.h>

struct store_mark {
	uint64_t epoch;      /* of the database */
	uint64_t generation; /* counts the starts with this database */
	uint64_t committed;  /* sequence that was surely on the disk when this was written */
	uint64_t ceiling;    /* no greater sequence was given */
	bool clean;          /* written at a clean stop: `ceiling` is the last one given */
};

/* 1: there; 0: there is none; -EBADMSG: it is not what was written; else why it cannot be read. */
int store_mark_read(const struct ml_files *files, const char *data, struct store_mark *mark,
	struct ml_error *err);

/* Either the old or the new one is on the disk, at any moment; the new one when it returns 0. */
int store_mark_write(const struct ml_files *files, const char *data, const struct store_mark *mark,
	struct ml_error *err);

/* Pure; the text has room for STORE_MARK_TEXT_MAX bytes. */
enum { STORE_MARK_TEXT_MAX = 256 };
int store_mark_format(const struct store_mark *mark, char *text);
int store_mark_parse(
	const char *text, size_t length, struct store_mark *mark, struct ml_error *err);

#endif
