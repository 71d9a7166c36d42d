/* SPDX-License-Identifier: Apache-2.0 */
/* rsa.h - a key pair in PEM files. */
#ifndef BREAKOUT_TESTS_FAKE_RSA_H
#define BREAKOUT_TESTS_FAKE_RSA_H

#include <stdio.h>
#include <openssl/evp.h>
#include <openssl/pem.h>

/* 0 or -1. */
static inline int rsa_write(const char *private_key, const char *public_key, int bits)
{
	EVP_PKEY *key = EVP_PKEY_Q_keygen(NULL, NULL, "RSA", (size_t)bits);
	FILE *own = fopen(private_key, "w"), *open = fopen(public_key, "w");
	int fine = key && own && open &&
		   PEM_write_PrivateKey(own, key, NULL, NULL, 0, NULL, NULL) &&
		   PEM_write_PUBKEY(open, key);

	if (own)
		fclose(own);
	if (open)
		fclose(open);
	EVP_PKEY_free(key);
	return fine ? 0 : -1;
}

#endif
