/* Settings: parameters of the gateway, checked like those of a node and kept in meterloom.db.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <meterloom/family.h>

#include "command/job.h"
#include "command/settings_private.h"

const struct ml_migration ml_settings_migrations[] = {
	{.database = "meterloom",
		.version = 1,
		.sql = "CREATE TABLE setting ("
		       " name TEXT PRIMARY KEY,"
		       " value TEXT NOT NULL" /* JSON */
		       ") WITHOUT ROWID;"
		       "CREATE TABLE secret ("
		       " name TEXT PRIMARY KEY,"
		       " sealed BLOB NOT NULL,"    /* version, nonce, AES-256-GCM, tag */
		       " changed INTEGER NOT NULL" /* microseconds */
		       ") WITHOUT ROWID;"},
	{0},
};

/* ---- The table ---- */

static int by_name(const void *a, const void *b)
{
	const struct ml_setting_row *left = a, *right = b;
	return strcmp(left->setting->param.name, right->setting->param.name);
}

static size_t count_settings(const struct ml_setting *table)
{
	size_t count = 0;
	while (table && table[count].param.name)
		count++;
	return count;
}

static void add_settings(struct ml_settings *settings, const struct ml_setting *table)
{
	for (; table && table->param.name; table++) {
		const char *preset = table->param.preset;
		settings->rows[settings->row_count++] = (struct ml_setting_row){
			.setting = table,
			.preset = preset ? json_loads(preset, JSON_DECODE_ANY, NULL) : NULL,
		};
	}
}

static int gather(
	struct ml_settings *settings, const struct ml_family *const *families, struct ml_error *err)
{
	size_t count = count_settings(ml_builtin_settings);
	for (size_t i = 0; families && families[i]; i++)
		count += count_settings(families[i]->settings);
	settings->rows = calloc(count ? count : 1, sizeof *settings->rows);
	if (!settings->rows)
		return ml_error_set(err, -ENOMEM, "out of memory");
	add_settings(settings, ml_builtin_settings);
	for (size_t i = 0; families && families[i]; i++)
		add_settings(settings, families[i]->settings);
	qsort(settings->rows, settings->row_count, sizeof *settings->rows, by_name);
	for (size_t i = 0; i < settings->row_count; i++) {
		const struct ml_param *param = &settings->rows[i].setting->param;
		if (i > 0 && by_name(&settings->rows[i - 1], &settings->rows[i]) == 0)
			return ml_error_set(
				err, -EEXIST, "setting '%s' is declared twice", param->name);
		if (param->preset && !settings->rows[i].preset)
			return ml_error_set(
				err, -EINVAL, "setting '%s': its default is not JSON", param->name);
	}
	return 0;
}

static struct ml_setting_row *find(struct ml_settings *settings, const char *name)
{
	for (size_t i = 0; i < settings->row_count; i++) {
		if (strcmp(settings->rows[i].setting->param.name, name) == 0)
			return &settings->rows[i];
	}
	return NULL;
}

static int check_value(
	const struct ml_setting *setting, const json_t *value, struct ml_errors *errors)
{
	struct ml_param row[] = {setting->param, {0}};
	row[0].name = "value";
	row[0].flags &= ~(unsigned)(ML_PARAM_REQUIRED | ML_PARAM_INHERIT);
	json_t *object = json_object();
	if (!object || json_object_set(object, "value", (json_t *)(uintptr_t)value) < 0) {
		json_decref(object);
		ml_errors_addf(errors, -ENOMEM, "", "out of memory");
		return -ENOMEM;
	}
	const struct ml_params_source source = {.pointer = ""};
	const int r = ml_params_parse(row, object, &source, NULL, errors);
	json_decref(object);
	ml_errors_are_params(errors);
	return r;
}

/* ---- Loading ---- */

/* What this version does not know, or no longer allows, is left in the database and not used. */
static void load_row(struct ml_settings *settings, const char *name, const char *text)
{
	struct ml_log *log = ml_engine_log(settings->engine);
	struct ml_setting_row *row = find(settings, name);
	if (!row)
		return;
	struct ml_errors errors = {0};
	json_t *value = json_loads(text, JSON_DECODE_ANY, NULL);
	if (value && check_value(row->setting, value, &errors) == 0) {
		row->value = value;
	} else {
		ml_log(log, ML_LOG_WARNING, "settings",
			"%s has a value that is not allowed, the default holds: %s", name,
			errors.count ? errors.items[0].text : "it is not JSON");
		json_decref(value);
	}
	ml_errors_free(&errors);
}

static int load(struct ml_settings *settings, struct ml_error *err)
{
	sqlite3_stmt *statement = NULL;
	int r = sqlite3_prepare_v2(
		settings->db, "SELECT name, value FROM setting", -1, &statement, NULL);
	while (r == SQLITE_OK || r == SQLITE_ROW) {
		r = sqlite3_step(statement);
		if (r == SQLITE_ROW)
			load_row(settings, (const char *)sqlite3_column_text(statement, 0),
				(const char *)sqlite3_column_text(statement, 1));
	}
	if (r != SQLITE_DONE)
		(void)ml_database_error(err, settings->db, "reading the settings");
	(void)sqlite3_finalize(statement);
	return r == SQLITE_DONE ? 0 : -EIO;
}

int ml_settings_new(struct ml_engine *engine, const struct ml_family *const *families,
	const char *device_key, struct ml_settings **ret_settings, struct ml_error *err)
{
	*ret_settings = NULL;
	struct ml_settings *settings = calloc(1, sizeof *settings);
	if (!settings)
		return ml_error_set(err, -ENOMEM, "out of memory");
	settings->engine = engine;
	(void)pthread_mutex_init(&settings->lock, NULL);
	int r = gather(settings, families, err);
	if (r == 0)
		r = ml_database_open(engine, "meterloom", true, &settings->db, err);
	if (r == 0)
		r = load(settings, err);
	if (r == 0)
		r = ml_secrets_load(settings, device_key, err);
	if (r < 0) {
		ml_settings_free(settings);
		return r;
	}
	*ret_settings = settings;
	return 0;
}

void ml_settings_free(struct ml_settings *settings)
{
	if (!settings)
		return;
	for (size_t i = 0; i < settings->row_count; i++) {
		json_decref(settings->rows[i].preset);
		json_decref(settings->rows[i].value);
	}
	free(settings->rows);
	ml_secrets_free(settings);
	(void)sqlite3_close(settings->db);
	(void)pthread_mutex_destroy(&settings->lock);
	free(settings);
}

/* ---- Reading ---- */

static json_t *holds(const struct ml_setting_row *row)
{
	return row->value ? row->value : row->preset;
}

json_t *ml_setting_get(struct ml_engine *engine, const char *name)
{
	struct ml_settings *settings = ml_engine_settings(engine);
	json_t *value = NULL;
	(void)pthread_mutex_lock(&settings->lock);
	const struct ml_setting_row *row = find(settings, name);
	if (row && holds(row))
		value = json_deep_copy(holds(row));
	(void)pthread_mutex_unlock(&settings->lock);
	return value;
}

json_t *ml_settings_value(struct ml_settings *settings, const char *name)
{
	(void)pthread_mutex_lock(&settings->lock);
	const struct ml_setting_row *row = find(settings, name);
	json_t *value = row && row->value ? json_deep_copy(row->value) : NULL;
	(void)pthread_mutex_unlock(&settings->lock);
	return value;
}

const json_t *ml_setting_inherit(void *engine, const char *name)
{
	struct ml_settings *settings = ml_engine_settings(engine);
	const struct ml_setting_row *row = find(settings, name);
	return row ? holds(row) : NULL;
}

static void write_value(struct ml_json_writer *w, const char *key, const json_t *value)
{
	char *text = value ? json_dumps(value, JSON_ENCODE_ANY | JSON_REAL_PRECISION(17)) : NULL;
	ml_json_key(w, key);
	if (text)
		ml_json_raw(w, text, strlen(text));
	else
		ml_json_null(w);
	free(text);
}

static void write_row(const struct ml_setting_row *row, struct ml_json_writer *w)
{
	struct ml_param table[] = {row->setting->param, {0}};
	table[0].flags &= ~(unsigned)ML_PARAM_INHERIT;
	ml_json_begin_object(w);
	ml_json_key(w, "name");
	ml_json_string(w, row->setting->param.name);
	ml_json_key(w, "title");
	ml_json_string(w, row->setting->param.title);
	ml_json_key(w, "help");
	ml_json_string(w, row->setting->param.help);
	ml_json_key(w, "scope");
	ml_json_string(w, row->setting->scope == ML_SETTING_SHARED ? "shared" : "device");
	write_value(w, "value", holds(row));
	write_value(w, "default", row->preset);
	ml_json_key(w, "set");
	ml_json_bool(w, row->value);
	ml_json_key(w, "schema");
	ml_params_schema(table, w);
	ml_json_end_object(w);
}

int ml_settings_write(struct ml_settings *settings, const char *name, struct ml_json_writer *w,
	struct ml_error *err)
{
	if (name) {
		const struct ml_setting_row *row = find(settings, name);
		if (!row)
			return ml_error_set_pointer(err, -ENOENT, "/name",
				"there is no setting '%s'; setting.list tells those there are",
				name);
		write_row(row, w);
		return 0;
	}
	ml_json_begin_array(w);
	for (size_t i = 0; i < settings->row_count; i++)
		write_row(&settings->rows[i], w);
	ml_json_end_array(w);
	return 0;
}

/* ---- Changing ---- */

/* Value NULL: the default holds again. */
static int keep(
	struct ml_settings *settings, const char *name, const char *value, struct ml_error *err)
{
	sqlite3_stmt *statement = NULL;
	const char *sql = value ? "INSERT OR REPLACE INTO setting (name, value) VALUES (?1, ?2)"
				: "DELETE FROM setting WHERE name = ?1";
	int r = sqlite3_prepare_v2(settings->db, sql, -1, &statement, NULL);
	if (r == SQLITE_OK)
		r = sqlite3_bind_text(statement, 1, name, -1, SQLITE_STATIC);
	if (r == SQLITE_OK && value)
		r = sqlite3_bind_text(statement, 2, value, -1, SQLITE_STATIC);
	if (r == SQLITE_OK)
		r = sqlite3_step(statement);
	const int code =
		r == SQLITE_DONE ? 0 : ml_database_error(err, settings->db, "keeping a setting");
	(void)sqlite3_finalize(statement);
	return code;
}

int ml_settings_set(struct ml_settings *settings, const char *name, const json_t *value,
	struct ml_errors *errors)
{
	struct ml_setting_row *row = find(settings, name);
	if (!row) {
		ml_errors_addf(errors, -ENOENT, "/name",
			"there is no setting '%s'; setting.list tells those there are", name);
		return -ENOENT;
	}
	const bool reset = !value || json_is_null(value);
	if (!reset && check_value(row->setting, value, errors) < 0)
		return -EINVAL;
	struct ml_error err = ML_ERROR_NONE;
	json_t *copy = reset ? NULL : json_deep_copy(value);
	char *text = copy ? json_dumps(copy, JSON_ENCODE_ANY | JSON_REAL_PRECISION(17)) : NULL;
	int r = 0;
	if (!reset && !text)
		r = ml_error_set(&err, -ENOMEM, "out of memory");
	else
		r = keep(settings, name, text, &err);
	free(text);
	if (r < 0) {
		json_decref(copy);
		ml_errors_add(errors, &err);
		return r;
	}
	(void)pthread_mutex_lock(&settings->lock);
	json_t *old = row->value;
	row->value = copy;
	(void)pthread_mutex_unlock(&settings->lock);
	json_decref(old);
	return 0;
}
