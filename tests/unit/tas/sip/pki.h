/* SPDX-License-Identifier: Apache-2.0 */
/* pki.h - certificates made for one test run, in a directory that goes with it. */
#ifndef BREAKOUT_TESTS_UNIT_TAS_SIP_PKI_H
#define BREAKOUT_TESTS_UNIT_TAS_SIP_PKI_H

#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct pki_entity {
	X509 *certificate;
	EVP_PKEY *key;
};

struct pki {
	char directory[64];
	struct pki_entity root, intermediate;
	char files[32][128];
	unsigned file_count;
	const char *ca; /* PEM of the root */
};

static inline void pki_extension(X509 *certificate, X509 *issuer, int nid, const char *value)
{
	X509V3_CTX context;
	X509_EXTENSION *extension;

	X509V3_set_ctx(&context, issuer, certificate, NULL, NULL, 0);
	extension = X509V3_EXT_conf_nid(NULL, &context, nid, value);
	if (!extension)
		abort();
	X509_add_ext(certificate, extension, -1);
	X509_EXTENSION_free(extension);
}

/* names: subjectAltName as openssl.cnf writes it, NULL for a CA. days may be
 * negative: expired. issuer NULL: signs itself. */
static inline struct pki_entity pki_make(const struct pki_entity *issuer, const char *names,
					 int days)
{
	static long serial = 1;
	struct pki_entity entity = { X509_new(), EVP_EC_gen("P-256") };
	const struct pki_entity *signer = issuer ? issuer : &entity;
	X509_NAME *subject = X509_get_subject_name(entity.certificate);
	char common[32];

	(void)snprintf(common, sizeof(common), "test %ld", serial);
	X509_set_version(entity.certificate, 2);
	ASN1_INTEGER_set(X509_get_serialNumber(entity.certificate), serial++);
	X509_gmtime_adj(X509_getm_notBefore(entity.certificate), -100L * 86400);
	X509_gmtime_adj(X509_getm_notAfter(entity.certificate), days * 86400L);
	X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC, (unsigned char *)common, -1, -1, 0);
	X509_set_issuer_name(entity.certificate, X509_get_subject_name(signer->certificate));
	X509_set_pubkey(entity.certificate, entity.key);
	if (names)
		pki_extension(entity.certificate, signer->certificate, NID_subject_alt_name, names);
	else
		pki_extension(entity.certificate, signer->certificate, NID_basic_constraints,
			      "critical,CA:TRUE");
	X509_sign(entity.certificate, signer->key, EVP_sha256());
	return entity;
}

static inline void pki_free(struct pki_entity *entity)
{
	X509_free(entity->certificate);
	EVP_PKEY_free(entity->key);
}

static inline const char *pki_path(struct pki *pki, const char *name)
{
	char *path = pki->files[pki->file_count];
	char directory[sizeof(pki->directory)];

	for (unsigned i = 0; i < pki->file_count; i++)
		if (strcmp(strrchr(pki->files[i], '/') + 1, name) == 0)
			return pki->files[i];
	if (++pki->file_count > sizeof(pki->files) / sizeof(pki->files[0]))
		abort();
	memcpy(directory, pki->directory, sizeof(directory)); /* path lies beside it */
	(void)snprintf(path, sizeof(pki->files[0]), "%s/%.60s", directory, name);
	return path;
}

/* Leaf, then up to two issuers (NULL: none), as one PEM file. */
static inline const char *pki_write_chain(struct pki *pki, const char *name, X509 *leaf, X509 *next,
					  X509 *last)
{
	const char *path = pki_path(pki, name);
	FILE *file = fopen(path, "w");

	PEM_write_X509(file, leaf);
	if (next)
		PEM_write_X509(file, next);
	if (last)
		PEM_write_X509(file, last);
	fclose(file);
	return path;
}

static inline const char *pki_write_key(struct pki *pki, const char *name, EVP_PKEY *key)
{
	const char *path = pki_path(pki, name);
	FILE *file = fopen(path, "w");

	PEM_write_PrivateKey(file, key, NULL, NULL, 0, NULL, NULL);
	fclose(file);
	return path;
}

/* "<name>.pem" and "<name>.key": a leaf below the intermediate. */
static inline void pki_identity(struct pki *pki, const char *name, const char *names, int days)
{
	struct pki_entity leaf = pki_make(&pki->intermediate, names, days);
	char file[64];

	(void)snprintf(file, sizeof(file), "%s.pem", name);
	pki_write_chain(pki, file, leaf.certificate, pki->intermediate.certificate, NULL);
	(void)snprintf(file, sizeof(file), "%s.key", name);
	pki_write_key(pki, file, leaf.key);
	pki_free(&leaf);
}

static inline void pki_init(struct pki *pki)
{
	*pki = (struct pki){ .directory = "/tmp/breakout-sip-XXXXXX" };
	if (!mkdtemp(pki->directory))
		abort();
	pki->root = pki_make(NULL, NULL, 400);
	pki->intermediate = pki_make(&pki->root, NULL, 300);
	pki->ca = pki_write_chain(pki, "ca.pem", pki->root.certificate, NULL, NULL);
	pki_identity(pki, "good", "DNS:localhost,DNS:tas.example.com,IP:127.0.0.1", 200);
}

static inline void pki_done(struct pki *pki)
{
	for (unsigned i = 0; i < pki->file_count; i++)
		(void)unlink(pki->files[i]);
	(void)rmdir(pki->directory);
	pki_free(&pki->intermediate);
	pki_free(&pki->root);
}

#endif
