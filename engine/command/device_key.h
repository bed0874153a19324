/* The device key: a file outside the data directory that nobody else may read.
 * SPDX-License-Identifier: Apache-2.0
 *
 * Where it is, unless a path is given: $CREDENTIALS_DIRECTORY/meterloom-device-key where there is
 * such a file (systemd's LoadCredential=), else /var/lib/meterloom.key for root, else
 * $XDG_STATE_HOME/meterloom/device.key, XDG_STATE_HOME being ~/.local/state where it is not set.
 * It holds 64 hexadecimal digits.
 */
#ifndef ML_COMMAND_DEVICE_KEY_H
#define ML_COMMAND_DEVICE_KEY_H

#include <limits.h>
#include <stdbool.h>

#include "command/seal.h"

/* -ENOENT: no home directory is known and none was given. `given` may be NULL. */
int ml_device_key_path(const char *given, char path[PATH_MAX], struct ml_error *err);

/* Reads the key. -ENOENT: there is none yet; -EPERM: others may read it, or it is another user's;
 * -EINVAL: it lies in the data directory (may be NULL), or is not a key. */
int ml_device_key_load(
	const char *path, const char *data, uint8_t key[ML_KEY_BYTES], struct ml_error *err);

/* Makes the file with a new key; where another has just made it, that one is read. */
int ml_device_key_make(
	const char *path, const char *data, uint8_t key[ML_KEY_BYTES], struct ml_error *err);

#endif
