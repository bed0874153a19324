/* Sealing a secret: AES-256-GCM with the secret's name as additional data.
 * SPDX-License-Identifier: Apache-2.0
 *
 * Sealed form: version byte 1, nonce of 12 bytes, the encrypted text, tag of 16 bytes. The tag is
 * compared in constant time.
 */
#ifndef ML_COMMAND_SEAL_H
#define ML_COMMAND_SEAL_H

#include <stddef.h>
#include <stdint.h>

#include <meterloom/error.h>

enum { ML_KEY_BYTES = 32, ML_SEAL_OVERHEAD = 1 + 12 + 16 };

/* Fills `out` from the system's random source. -EIO. */
int ml_random(void *out, size_t size, struct ml_error *err);

/* out has length + ML_SEAL_OVERHEAD bytes. */
int ml_seal(const uint8_t key[ML_KEY_BYTES], const char *name, const void *plain, size_t length,
	uint8_t *out, struct ml_error *err);

/* out has size - ML_SEAL_OVERHEAD bytes. -EBADMSG: another key, another name, or changed bytes;
 * nothing is then left in `out`. */
int ml_unseal(const uint8_t key[ML_KEY_BYTES], const char *name, const uint8_t *sealed, size_t size,
	void *out, struct ml_error *err);

#endif
