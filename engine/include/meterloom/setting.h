/* Settings and secrets of a gateway.
 * SPDX-License-Identifier: Apache-2.0
 *
 * A setting is a parameter of the gateway, not of a node. Both are kept in meterloom.db; secrets
 * are encrypted with AES-256-GCM (their name as additional data) under a device key that lies
 * outside the data directory.
 */
#ifndef METERLOOM_SETTING_H
#define METERLOOM_SETTING_H

#include <jansson.h>

#include <meterloom/error.h>
#include <meterloom/param.h>

struct ml_engine;

enum ml_setting_scope { ML_SETTING_SHARED, ML_SETTING_DEVICE };

struct ml_setting {
	/* name, kind, title, help, preset, bounds and check rule; offset is not used. A setting's
	 * name is "group.name": "gateway.serial". param.name NULL ends the table. */
	struct ml_param param;
	enum ml_setting_scope scope;
};

/* A new reference to the value that holds (the default where none was set), or NULL where the
 * setting is unknown or has neither. Any thread. */
json_t *ml_setting_get(struct ml_engine *engine, const char *name);

/* The text of a secret into a buffer of `size` bytes, NUL-terminated. -ENOENT: there is none of
 * that name; -ENOBUFS; -EBADMSG: it cannot be decrypted with this device's key. The caller wipes
 * the buffer with ml_wipe(). Any thread. */
int ml_secret_get(struct ml_engine *engine, const char *name, char *buffer, size_t size,
	struct ml_error *err);

/* Overwrites memory in a way that is not optimized away. */
void ml_wipe(void *memory, size_t size);

#endif
