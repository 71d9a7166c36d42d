/* SPDX-License-Identifier: Apache-2.0 */
/* digest_hash.c - see digest_hash.h.
 *
 * sofia's own digest code (iptsec) knows MD5 only; OpenSSL has them all.
 */
#include "tas/sip/digest_hash.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <string.h>

#include "base/str.h"

static const struct {
	const char *name;    /* RFC 8760 section 2.2 */
	const char *openssl; /* how EVP_MD_fetch(3) calls it */
} algorithms[DIGEST_ALGORITHM_COUNT] = {
	[DIGEST_MD5] = { "MD5", "MD5" },
	[DIGEST_SHA256] = { "SHA-256", "SHA2-256" },
	[DIGEST_SHA512_256] = { "SHA-512-256", "SHA2-512/256" },
};

const char *digest_algorithm_name(enum digest_algorithm algorithm)
{
	return algorithms[algorithm].name;
}

int digest_algorithm_parse(const char *name, enum digest_algorithm *ret_algorithm)
{
	for (int i = 0; i < DIGEST_ALGORITHM_COUNT; i++) {
		if (name && !str_equal_nocase(name, algorithms[i].name))
			continue;
		*ret_algorithm = (enum digest_algorithm)i;
		return 0;
	}
	return -ENOTSUP;
}

static void write_hex(const unsigned char *bytes, unsigned length, char *ret_hex)
{
	static const char digits[] = "0123456789abcdef";

	for (unsigned i = 0; i < length; i++) {
		*ret_hex++ = digits[bytes[i] >> 4];
		*ret_hex++ = digits[bytes[i] & 15];
	}
	*ret_hex = '\0';
}

static int feed(EVP_MD_CTX *context, const char *const *parts, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (i && EVP_DigestUpdate(context, ":", 1) != 1)
			return -EIO;
		if (EVP_DigestUpdate(context, parts[i], strlen(parts[i])) != 1)
			return -EIO;
	}
	return 0;
}

int digest_hash(enum digest_algorithm algorithm, const char *const *parts, size_t count,
		char ret_hex[static DIGEST_HEX_ROOM])
{
	EVP_MD *digest = EVP_MD_fetch(NULL, algorithms[algorithm].openssl, NULL);
	EVP_MD_CTX *context = EVP_MD_CTX_new();
	unsigned char bytes[EVP_MAX_MD_SIZE];
	unsigned length = 0;
	int err = -EIO;

	if (digest && context && EVP_DigestInit_ex2(context, digest, NULL) == 1)
		err = feed(context, parts, count);
	if (!err && EVP_DigestFinal_ex(context, bytes, &length) != 1)
		err = -EIO;
	if (!err)
		write_hex(bytes, length, ret_hex);
	EVP_MD_CTX_free(context);
	EVP_MD_free(digest);
	return err;
}

int digest_mac(const unsigned char key[static DIGEST_KEY_SIZE], const char *text,
	       char ret_hex[static DIGEST_HEX_ROOM])
{
	unsigned char bytes[EVP_MAX_MD_SIZE];
	unsigned length = 0;

	if (!HMAC(EVP_sha256(), key, DIGEST_KEY_SIZE, (const unsigned char *)text, strlen(text),
		  bytes, &length))
		return -EIO;
	write_hex(bytes, length, ret_hex);
	return 0;
}

bool digest_equal(const char *a, const char *b)
{
	size_t length = strlen(a);

	return length == strlen(b) && CRYPTO_memcmp(a, b, length) == 0;
}
