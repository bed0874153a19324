/* Secrets: sealed in meterloom.db and in memory, opened only for who asks by name.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "command/device_key.h"
#include "command/settings_private.h"

/* ---- The list, sorted by name; with the lock held, or before other threads know it ---- */

static size_t place_of(const struct ml_settings *settings, const char *name, bool *ret_found)
{
	size_t i = 0;
	int order = -1;
	while (i < settings->secret_count && (order = strcmp(settings->secrets[i].name, name)) < 0)
		i++;
	*ret_found = i < settings->secret_count && order == 0;
	return i;
}

/* Takes the row's memory over on success. */
static int put_row(struct ml_settings *settings, const struct ml_secret_row *row)
{
	bool found = false;
	const size_t at = place_of(settings, row->name, &found);
	if (found) {
		free(settings->secrets[at].name);
		free(settings->secrets[at].sealed);
		settings->secrets[at] = *row;
		return 0;
	}
	struct ml_secret_row *rows =
		realloc(settings->secrets, (settings->secret_count + 1) * sizeof *rows);
	if (!rows)
		return -ENOMEM;
	settings->secrets = rows;
	memmove(rows + at + 1, rows + at, (settings->secret_count - at) * sizeof *rows);
	rows[at] = *row;
	settings->secret_count++;
	return 0;
}

void ml_secrets_free(struct ml_settings *settings)
{
	for (size_t i = 0; i < settings->secret_count; i++) {
		free(settings->secrets[i].name);
		free(settings->secrets[i].sealed);
	}
	free(settings->secrets);
	ml_wipe(settings->key, sizeof settings->key);
}

/* ---- Loading ---- */

static int load_row(struct ml_settings *settings, sqlite3_stmt *statement)
{
	const size_t size = (size_t)sqlite3_column_bytes(statement, 1);
	struct ml_secret_row row = {
		.name = strdup((const char *)sqlite3_column_text(statement, 0)),
		.sealed = malloc(size ? size : 1),
		.size = size,
		.changed = sqlite3_column_int64(statement, 2),
	};
	if (row.name && row.sealed) {
		if (size)
			memcpy(row.sealed, sqlite3_column_blob(statement, 1), size);
		if (put_row(settings, &row) == 0)
			return 0;
	}
	free(row.name);
	free(row.sealed);
	return -ENOMEM;
}

static int load_rows(struct ml_settings *settings, struct ml_error *err)
{
	sqlite3_stmt *statement = NULL;
	int r = sqlite3_prepare_v2(
		settings->db, "SELECT name, sealed, changed FROM secret", -1, &statement, NULL);
	int memory = 0;
	while ((r == SQLITE_OK || r == SQLITE_ROW) && memory == 0) {
		r = sqlite3_step(statement);
		if (r == SQLITE_ROW)
			memory = load_row(settings, statement);
	}
	if (memory == 0 && r != SQLITE_DONE)
		memory = ml_database_error(err, settings->db, "reading the secrets");
	else if (memory < 0)
		(void)ml_error_set(err, memory, "out of memory");
	(void)sqlite3_finalize(statement);
	return memory;
}

/* With the lock held or before other threads. A key is made only when the first secret is set. */
static int need_key(struct ml_settings *settings, bool make, struct ml_error *err)
{
	if (settings->has_key)
		return 0;
	const char *data = ml_engine_data(settings->engine);
	int r = 0;
	settings->key_error = ML_ERROR_NONE;
	if (!settings->key_path[0] && data)
		r = ml_device_key_path(NULL, settings->key_path, &settings->key_error);
	if (r < 0)
		goto finish;
	if (!settings->key_path[0])
		r = ml_random(settings->key, sizeof settings->key, &settings->key_error);
	else
		r = ml_device_key_load(
			settings->key_path, data, settings->key, &settings->key_error);
	if (r == -ENOENT && make) {
		settings->key_error = ML_ERROR_NONE;
		r = ml_device_key_make(
			settings->key_path, data, settings->key, &settings->key_error);
	}
finish:
	settings->has_key = r == 0;
	if (r < 0)
		(void)ml_error_set(err, r, "%s", settings->key_error.text);
	return r;
}

int ml_secrets_load(struct ml_settings *settings, const char *device_key, struct ml_error *err)
{
	int r = 0;
	if (device_key)
		r = ml_device_key_path(device_key, settings->key_path, err);
	if (r == 0)
		r = load_rows(settings, err);
	if (r < 0)
		return r;
	struct ml_error key_error = ML_ERROR_NONE;
	r = need_key(settings, false, &key_error);
	if (r < 0 && (r != -ENOENT || settings->secret_count > 0))
		ml_log(ml_engine_log(settings->engine), ML_LOG_ERROR, "secrets",
			"no secret can be used: %s", key_error.text);
	return 0;
}

/* ---- Reading ---- */

int ml_secret_get(
	struct ml_engine *engine, const char *name, char *buffer, size_t size, struct ml_error *err)
{
	struct ml_settings *settings = ml_engine_settings(engine);
	int r = 0;
	bool found = false;
	(void)pthread_mutex_lock(&settings->lock);
	const size_t at = place_of(settings, name, &found);
	const struct ml_secret_row *row = found ? &settings->secrets[at] : NULL;
	if (!row)
		r = ml_error_set(
			err, -ENOENT, "there is no secret '%s': set it with secret.set", name);
	else if (row->size < ML_SEAL_OVERHEAD || row->size - ML_SEAL_OVERHEAD >= size)
		r = ml_error_set(err, -ENOBUFS, "the secret '%s' is longer than %zu bytes", name,
			size ? size - 1 : 0);
	else
		r = need_key(settings, false, err);
	if (r == 0)
		r = ml_unseal(settings->key, name, row->sealed, row->size, buffer, err);
	if (r == 0)
		buffer[row->size - ML_SEAL_OVERHEAD] = '\0';
	(void)pthread_mutex_unlock(&settings->lock);
	return r;
}

void ml_secrets_write(struct ml_settings *settings, struct ml_json_writer *w)
{
	char time[ML_TIME_TEXT_MAX];
	(void)pthread_mutex_lock(&settings->lock);
	ml_json_begin_array(w);
	for (size_t i = 0; i < settings->secret_count; i++) {
		ml_json_begin_object(w);
		ml_json_key(w, "name");
		ml_json_string(w, settings->secrets[i].name);
		ml_json_key(w, "changed");
		ml_json_string_n(w, time, ml_time_format(settings->secrets[i].changed, time));
		ml_json_end_object(w);
	}
	ml_json_end_array(w);
	(void)pthread_mutex_unlock(&settings->lock);
}

/* ---- Changing ---- */

static int check_name(const char *name, struct ml_error *err)
{
	const size_t length = strlen(name);
	bool good = length > 0 && length <= ML_SECRET_NAME_MAX;
	for (size_t i = 0; good && i < length; i++)
		good = (name[i] >= 'a' && name[i] <= 'z') || (name[i] >= '0' && name[i] <= '9') ||
		       (i > 0 && (name[i] == '-' || name[i] == '.' || name[i] == '_'));
	if (good)
		return 0;
	return ml_error_set_pointer(err, -EINVAL, "/name",
		"the name of a secret has 1 to %d small letters, digits, '-', '.' or '_' and "
		"begins with "
		"a letter or digit",
		ML_SECRET_NAME_MAX);
}

static int keep(struct ml_settings *settings, const struct ml_secret_row *row, struct ml_error *err)
{
	sqlite3_stmt *statement = NULL;
	int r = sqlite3_prepare_v2(settings->db,
		"INSERT OR REPLACE INTO secret (name, sealed, changed) VALUES (?1, ?2, ?3)", -1,
		&statement, NULL);
	if (r == SQLITE_OK)
		r = sqlite3_bind_text(statement, 1, row->name, -1, SQLITE_STATIC);
	if (r == SQLITE_OK)
		r = sqlite3_bind_blob(statement, 2, row->sealed, (int)row->size, SQLITE_STATIC);
	if (r == SQLITE_OK)
		r = sqlite3_bind_int64(statement, 3, row->changed);
	if (r == SQLITE_OK)
		r = sqlite3_step(statement);
	const int code =
		r == SQLITE_DONE ? 0 : ml_database_error(err, settings->db, "keeping a secret");
	(void)sqlite3_finalize(statement);
	return code;
}

static int check_room(struct ml_settings *settings, const char *name, struct ml_error *err)
{
	bool found = false;
	(void)place_of(settings, name, &found);
	if (found || settings->secret_count < ML_SECRETS_MAX)
		return 0;
	return ml_error_set(err, -ENOSPC, "there are %d secrets, which is the most there may be",
		ML_SECRETS_MAX);
}

int ml_secret_set(
	struct ml_settings *settings, const char *name, const char *value, struct ml_error *err)
{
	const size_t length = strlen(value);
	int r = check_name(name, err);
	if (r < 0)
		return r;
	if (length == 0 || length > ML_SECRET_VALUE_MAX)
		return ml_error_set_pointer(err, -EINVAL, "/value",
			"the value has %zu bytes: expected 1 to %d", length, ML_SECRET_VALUE_MAX);
	struct ml_secret_row row = {
		.name = strdup(name),
		.sealed = malloc(length + ML_SEAL_OVERHEAD),
		.size = length + ML_SEAL_OVERHEAD,
		.changed = ml_clock_wall(ml_engine_clock(settings->engine)),
	};
	if (!row.name || !row.sealed)
		r = ml_error_set(err, -ENOMEM, "out of memory");
	(void)pthread_mutex_lock(&settings->lock);
	if (r == 0)
		r = check_room(settings, name, err);
	if (r == 0)
		r = need_key(settings, true, err);
	if (r == 0)
		r = ml_seal(settings->key, name, value, length, row.sealed, err);
	if (r == 0)
		r = keep(settings, &row, err);
	if (r == 0) {
		r = put_row(settings, &row);
		if (r < 0)
			(void)ml_error_set(err, r, "out of memory");
	}
	(void)pthread_mutex_unlock(&settings->lock);
	if (r < 0) {
		free(row.name);
		free(row.sealed);
	}
	return r;
}

int ml_secret_remove(struct ml_settings *settings, const char *name, struct ml_error *err)
{
	sqlite3_stmt *statement = NULL;
	bool found = false;
	(void)pthread_mutex_lock(&settings->lock);
	const size_t at = place_of(settings, name, &found);
	int r = 0;
	if (!found) {
		r = ml_error_set_pointer(err, -ENOENT, "/name",
			"there is no secret '%s'; secret.list tells those there are", name);
		goto finish;
	}
	if (sqlite3_prepare_v2(settings->db, "DELETE FROM secret WHERE name = ?1", -1, &statement,
		    NULL) != SQLITE_OK ||
		sqlite3_bind_text(statement, 1, name, -1, SQLITE_STATIC) != SQLITE_OK ||
		sqlite3_step(statement) != SQLITE_DONE) {
		r = ml_database_error(err, settings->db, "removing a secret");
		goto finish;
	}
	free(settings->secrets[at].name);
	free(settings->secrets[at].sealed);
	settings->secret_count--;
	memmove(settings->secrets + at, settings->secrets + at + 1,
		(settings->secret_count - at) * sizeof *settings->secrets);
finish:
	(void)sqlite3_finalize(statement);
	(void)pthread_mutex_unlock(&settings->lock);
	return r;
}
