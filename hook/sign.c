/* SPDX-License-Identifier: Apache-2.0 */
/* sign.c - the only file of this room that includes OpenSSL. */
#include "hook/sign.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include "base/str.h"

int sign_body(const char *secret, int64_t seconds, const char *body,
	      char ret_signature[static SIGN_ROOM])
{
	unsigned char digest[EVP_MAX_MD_SIZE];
	unsigned length = 0;
	struct str text = { 0 };
	int used;

	str_addf(&text, "%lld.%s", (long long)seconds, body);
	if (text.failed || !HMAC(EVP_sha256(), secret, (int)strlen(secret),
				 (const unsigned char *)text.text, text.length, digest, &length)) {
		str_done(&text);
		return -ENOMEM;
	}
	str_done(&text);
	used = snprintf(ret_signature, SIGN_ROOM, "t=%lld,v1=", (long long)seconds);
	for (unsigned i = 0; i < length; i++)
		used += snprintf(ret_signature + used, SIGN_ROOM - (size_t)used, "%02x", digest[i]);
	return 0;
}
