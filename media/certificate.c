/* SPDX-License-Identifier: Apache-2.0 */
#include "media/certificate.h"
#include <errno.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <string.h>

#define RSA_BITS_LEAST 2048
#define DAY_S          (24L * 3600)

bool certificate_fingerprint(const struct x509_st *x509, const char *hash,
			     struct sdp_fingerprint *ret_fingerprint)
{
	char name[8] = "";
	unsigned length = 0;
	const EVP_MD *md;

	/* "sha-256" is SHA256 to OpenSSL. */
	(void)snprintf(name, sizeof(name), "SHA%.3s", hash + 4);
	md = EVP_get_digestbyname(name);
	memset(ret_fingerprint, 0, sizeof(*ret_fingerprint));
	memcpy(ret_fingerprint->hash, hash, strlen(hash) + 1);
	if (!md || X509_digest(x509, md, ret_fingerprint->bytes, &length) != 1)
		return false;
	ret_fingerprint->length = (uint8_t)length;
	return true;
}

static X509 *sign_own(EVP_PKEY *key)
{
	X509 *x509 = X509_new();
	X509_NAME *name;
	uint64_t serial;
	bool ok;

	if (!x509 || RAND_bytes((unsigned char *)&serial, sizeof(serial)) != 1)
		goto fail;
	name = X509_get_subject_name(x509);
	ok = X509_set_version(x509, X509_VERSION_3) == 1 &&
	     ASN1_INTEGER_set_uint64(X509_get_serialNumber(x509), serial >> 1) == 1 &&
	     X509_gmtime_adj(X509_getm_notBefore(x509), -DAY_S) &&
	     X509_gmtime_adj(X509_getm_notAfter(x509), 3650 * DAY_S) &&
	     /* The usual name: it says nothing about us (RFC 8827 6.5 wants none). */
	     X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const unsigned char *)"WebRTC",
					-1, -1, 0) == 1 &&
	     X509_set_issuer_name(x509, name) == 1 && X509_set_pubkey(x509, key) == 1 &&
	     X509_sign(x509, key, EVP_sha256()) > 0;
	if (ok)
		return x509;
fail:
	X509_free(x509);
	return NULL;
}

int certificate_make(struct certificate *ret_certificate)
{
	struct certificate made = { .key = EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-256") };

	if (made.key)
		made.x509 = sign_own(made.key);
	ERR_clear_error();
	if (!made.x509) {
		certificate_done(&made);
		return -EIO;
	}
	*ret_certificate = made;
	return 0;
}

void certificate_done(struct certificate *certificate)
{
	X509_free(certificate->x509);
	EVP_PKEY_free(certificate->key);
	*certificate = (struct certificate){ .x509 = NULL };
}

/* An encrypted key cannot be asked for its pass phrase by a daemon. */
static int no_pass_phrase(char *buffer, int room, int writing, void *arg)
{
	(void)buffer;
	(void)room;
	(void)writing;
	(void)arg;
	return -1;
}

static X509 *read_certificate(const char *path)
{
	FILE *file = fopen(path, "re");
	X509 *x509 = file ? PEM_read_X509(file, NULL, no_pass_phrase, NULL) : NULL;

	if (file)
		(void)fclose(file); /* only read from */
	return x509;
}

static EVP_PKEY *read_key(const char *path)
{
	FILE *file = fopen(path, "re");
	EVP_PKEY *key = file ? PEM_read_PrivateKey(file, NULL, no_pass_phrase, NULL) : NULL;

	if (file)
		(void)fclose(file); /* only read from */
	return key;
}

/* What our cipher suites can sign with. */
static bool key_fits(const EVP_PKEY *key)
{
	char group[32] = "";

	if (EVP_PKEY_is_a(key, "RSA"))
		return EVP_PKEY_get_bits(key) >= RSA_BITS_LEAST;
	return EVP_PKEY_is_a(key, "EC") &&
	       EVP_PKEY_get_group_name(key, group, sizeof(group), NULL) == 1 &&
	       (strcmp(group, "prime256v1") == 0 || strcmp(group, "secp384r1") == 0);
}

/* Writes what is wrong; false: nothing is. */
static bool find_fault(const struct certificate *read, const char *certificate_path,
		       const char *key_path, char *why)
{
	if (!read->x509)
		(void)snprintf(why, CERTIFICATE_WHY_ROOM,
			       "%s holds no certificate in PEM. Name one that openssl x509 -in "
			       "can print",
			       certificate_path);
	else if (!read->key)
		(void)snprintf(why, CERTIFICATE_WHY_ROOM,
			       "%s holds no private key in PEM without a pass phrase. Write one "
			       "with openssl pkey -in OLD -out NEW",
			       key_path);
	else if (X509_check_private_key(read->x509, read->key) != 1)
		(void)snprintf(why, CERTIFICATE_WHY_ROOM,
			       "the key in %s is not that of the certificate in %s. Name the pair",
			       key_path, certificate_path);
	else if (!key_fits(read->key))
		(void)snprintf(
			why, CERTIFICATE_WHY_ROOM,
			"the key in %s is neither ECDSA on P-256 or P-384 nor RSA of %d bits "
			"or more. Make one with openssl genpkey -algorithm EC -pkeyopt "
			"ec_paramgen_curve:P-256",
			key_path, RSA_BITS_LEAST);
	else
		return false;
	return true;
}

/* Peers compare fingerprints and look at no date, so an old certificate is
 * only worth a word. */
static void warn_of_age(const X509 *x509, const char *path, char *why)
{
	why[0] = '\0';
	if (X509_cmp_current_time(X509_get0_notAfter(x509)) < 0)
		(void)snprintf(why, CERTIFICATE_WHY_ROOM,
			       "the certificate in %s has expired; peers that look at its date "
			       "refuse it. Renew it",
			       path);
}

int certificate_load(struct certificate *ret_certificate, const char *certificate_path,
		     const char *key_path, char ret_why[static CERTIFICATE_WHY_ROOM])
{
	struct certificate read = { .x509 = read_certificate(certificate_path),
				    .key = read_key(key_path) };

	if (find_fault(&read, certificate_path, key_path, ret_why)) {
		ERR_clear_error();
		certificate_done(&read);
		return -EINVAL;
	}
	warn_of_age(read.x509, certificate_path, ret_why);
	ERR_clear_error();
	*ret_certificate = read;
	return 0;
}
