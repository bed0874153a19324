/* What settings.c and secrets.c share.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef ML_COMMAND_SETTINGS_PRIVATE_H
#define ML_COMMAND_SETTINGS_PRIVATE_H

#include <limits.h>
#include <pthread.h>

#include "command/seal.h"
#include "command/settings.h"

struct ml_setting_row {
	const struct ml_setting *setting;
	json_t *preset; /* owned; NULL: none */
	json_t *value;  /* owned; NULL: not set */
};

struct ml_secret_row {
	char *name;      /* owned */
	uint8_t *sealed; /* owned */
	size_t size;
	ml_time changed; /* wall */
};

struct ml_settings {
	struct ml_engine *engine;
	sqlite3 *db; /* control lane */
	pthread_mutex_t lock;
	struct ml_setting_row *rows; /* sorted by name */
	size_t row_count;
	struct ml_secret_row *secrets; /* sorted by name */
	size_t secret_count;
	char key_path[PATH_MAX]; /* "": the key lives as long as the engine */
	uint8_t key[ML_KEY_BYTES];
	bool has_key;
	struct ml_error key_error; /* why there is none */
};

/* settings.c; control lane */
int ml_settings_set(struct ml_settings *settings, const char *name, const json_t *value,
	struct ml_errors *errors);
/* A new reference to the value that was set; NULL: the default holds. */
json_t *ml_settings_value(struct ml_settings *settings, const char *name);
/* Writes an array of settings, or with `name` one object. -ENOENT. */
int ml_settings_write(struct ml_settings *settings, const char *name, struct ml_json_writer *w,
	struct ml_error *err);

/* secrets.c */
int ml_secrets_load(struct ml_settings *settings, const char *device_key, struct ml_error *err);
void ml_secrets_free(struct ml_settings *settings);
int ml_secret_set(struct ml_settings *settings, const char *name, const char *value,
	struct ml_error *err); /* control lane */
int ml_secret_remove(struct ml_settings *settings, const char *name, struct ml_error *err);
void ml_secrets_write(struct ml_settings *settings, struct ml_json_writer *w);

/* The engine's own settings; ended by a NULL name. */
extern const struct ml_setting ml_builtin_settings[];

#endif
