/* Settings and secrets: kept in meterloom.db, read by all threads from memory.
 * SPDX-License-Identifier: Apache-2.0
 *
 * Made with the engine, after its data directory and before commands, services and nodes.
 */
#ifndef ML_COMMAND_SETTINGS_H
#define ML_COMMAND_SETTINGS_H

#include <meterloom/database.h>
#include <meterloom/engine.h>
#include <meterloom/setting.h>

struct ml_family;
struct ml_settings;

enum {
	ML_SECRET_NAME_MAX = 64,
	ML_SECRET_VALUE_MAX = 4096, /* bytes of text */
	ML_SECRETS_MAX = 1000,
};

/* Loads what is kept. `device_key` as in struct ml_engine_options. A device key that cannot be used
 * is no failure here: it is logged, and each use of a secret tells it. */
int ml_settings_new(struct ml_engine *engine, const struct ml_family *const *families,
	const char *device_key, struct ml_settings **ret_settings, struct ml_error *err);
void ml_settings_free(struct ml_settings *settings); /* accepts NULL */

/* Implemented by the engine. Any thread. */
struct ml_settings *ml_engine_settings(struct ml_engine *engine);

/* What parameters inherit; fits ml_param_inherit_fn with the engine as its user. The reference is
 * borrowed and holds until the setting is changed: control lane only. */
const json_t *ml_setting_inherit(void *engine, const char *name);

/* The schema of both; the engine runs it before those of the families. */
extern const struct ml_migration ml_settings_migrations[];

#endif
