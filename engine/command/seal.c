/* Sealing a secret: AES-256-GCM with the secret's name as additional data.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "command/seal.h"

#include <errno.h>
#include <mbedtls/gcm.h>
#include <mbedtls/platform_util.h>
#include <string.h>
#include <sys/random.h>

#include <meterloom/setting.h>

enum { VERSION = 1, NONCE_BYTES = 12, TAG_BYTES = 16, HEAD_BYTES = 1 + NONCE_BYTES };

void ml_wipe(void *memory, size_t size)
{
	if (memory)
		mbedtls_platform_zeroize(memory, size);
}

int ml_random(void *out, size_t size, struct ml_error *err)
{
	unsigned char *at = out;
	while (size > 0) {
		const ssize_t got = getrandom(at, size, 0);
		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			return ml_error_set(
				err, -EIO, "the system gives no random bytes: %s", strerror(errno));
		at += got;
		size -= (size_t)got;
	}
	return 0;
}

int ml_seal(const uint8_t key[ML_KEY_BYTES], const char *name, const void *plain, size_t length,
	uint8_t *out, struct ml_error *err)
{
	mbedtls_gcm_context gcm;
	mbedtls_gcm_init(&gcm);
	out[0] = VERSION;
	int r = ml_random(out + 1, NONCE_BYTES, err);
	if (r < 0)
		goto finish;
	if (mbedtls_gcm_setkey(&gcm, MBEDTLS_CIPHER_ID_AES, key, ML_KEY_BYTES * 8) != 0 ||
		mbedtls_gcm_crypt_and_tag(&gcm, MBEDTLS_GCM_ENCRYPT, length, out + 1, NONCE_BYTES,
			(const unsigned char *)name, strlen(name), plain, out + HEAD_BYTES,
			TAG_BYTES, out + HEAD_BYTES + length) != 0)
		r = ml_error_set(err, -ENOMEM, "the secret '%s' cannot be encrypted", name);
finish:
	mbedtls_gcm_free(&gcm);
	return r;
}

int ml_unseal(const uint8_t key[ML_KEY_BYTES], const char *name, const uint8_t *sealed, size_t size,
	void *out, struct ml_error *err)
{
	if (size < ML_SEAL_OVERHEAD || sealed[0] != VERSION)
		return ml_error_set(err, -EBADMSG,
			"the secret '%s' is not kept in a form that is known here", name);
	const size_t length = size - ML_SEAL_OVERHEAD;
	mbedtls_gcm_context gcm;
	mbedtls_gcm_init(&gcm);
	int r = 0;
	if (mbedtls_gcm_setkey(&gcm, MBEDTLS_CIPHER_ID_AES, key, ML_KEY_BYTES * 8) != 0)
		r = ml_error_set(err, -ENOMEM, "the secret '%s' cannot be decrypted", name);
	else if (mbedtls_gcm_auth_decrypt(&gcm, length, sealed + 1, NONCE_BYTES,
			 (const unsigned char *)name, strlen(name), sealed + HEAD_BYTES + length,
			 TAG_BYTES, sealed + HEAD_BYTES, out) != 0)
		r = ml_error_set(err, -EBADMSG,
			"the secret '%s' was encrypted with another device key: set it anew with "
			"secret.set",
			name);
	mbedtls_gcm_free(&gcm);
	return r;
}
