/* SPDX-License-Identifier: Apache-2.0 */
#include "media/credentials.h"
#include <errno.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>
#include <stdbool.h>
#include <string.h>

static bool random_ice_text(char *text, size_t length)
{
	static const char alphabet[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

	if (RAND_bytes((unsigned char *)text, (int)length) != 1)
		return false;
	for (size_t i = 0; i < length; i++)
		text[i] = alphabet[(unsigned char)text[i] % 64];
	text[length] = '\0';
	return true;
}

int credentials_make(struct credentials *ret_credentials)
{
	struct credentials made;

	if (!random_ice_text(made.ufrag, CREDENTIALS_UFRAG) ||
	    !random_ice_text(made.password, CREDENTIALS_PASSWORD))
		return -EIO;
	*ret_credentials = made;
	return 0;
}

void credentials_of_secret(const char *secret, const char *username,
			   char ret_password[static CREDENTIALS_OF_SECRET + 1])
{
	unsigned char digest[20] = { 0 };
	unsigned length = sizeof(digest);

	/* Without memory the password is a wrong one. */
	(void)HMAC(EVP_sha1(), secret, (int)strlen(secret), (const unsigned char *)username,
		   strlen(username), digest, &length);
	(void)EVP_EncodeBlock((unsigned char *)ret_password, digest, sizeof(digest));
}

void credentials_forget(struct credentials *credentials)
{
	OPENSSL_cleanse(credentials, sizeof(*credentials));
}
