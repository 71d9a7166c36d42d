/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/core/pki.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/str.h"

enum { VALID_DAYS = 365, FILE_MAX_BYTES = 65536 };

struct pair {
	X509 *certificate;
	EVP_PKEY *key;
};

static void pair_done(struct pair *pair)
{
	X509_free(pair->certificate);
	EVP_PKEY_free(pair->key);
	*pair = (struct pair){ 0 };
}

static int fail(char *error, size_t room, const char *what, const char *path, int err)
{
	(void)snprintf(error, room, "%s %s: %s", what, path, strerror(-err));
	ERR_clear_error();
	return err;
}

static void path_of(char path[static PATH_MAX], const char *folder, const char *name,
		    const char *ending)
{
	(void)snprintf(path, PATH_MAX, "%s/%s.%s", folder, name, ending);
}

static bool add_extension(X509 *certificate, X509 *issuer, int nid, const char *value)
{
	X509V3_CTX ctx;
	X509V3_set_ctx_nodb(&ctx);
	X509V3_set_ctx(&ctx, issuer, certificate, NULL, NULL, 0);
	X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
	bool ok = extension && X509_add_ext(certificate, extension, -1) == 1;

	X509_EXTENSION_free(extension);
	return ok;
}

static bool set_names(X509 *certificate, const X509 *issuer, const char *common_name)
{
	X509_NAME *name = X509_get_subject_name(certificate);

	if (!X509_NAME_add_entry_by_txt(name, "O", MBSTRING_UTF8,
					(const unsigned char *)"breakout-core test", -1, -1, 0) ||
	    !X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8,
					(const unsigned char *)common_name, -1, -1, 0))
		return false;
	return X509_set_issuer_name(certificate, issuer ? X509_get_subject_name(issuer) : name);
}

static bool set_serial_and_dates(X509 *certificate)
{
	unsigned char bytes[8];
	uint64_t serial;

	if (RAND_bytes(bytes, sizeof(bytes)) != 1)
		return false;
	memcpy(&serial, bytes, sizeof(serial));
	/* Yesterday: a peer whose clock is a little behind still accepts it. */
	return ASN1_INTEGER_set_uint64(X509_get_serialNumber(certificate), serial >> 1) &&
	       X509_gmtime_adj(X509_getm_notBefore(certificate), -24L * 3600) &&
	       X509_gmtime_adj(X509_getm_notAfter(certificate), VALID_DAYS * 24L * 3600);
}

/* issuer NULL: signs itself. alt_names NULL: an authority. */
static int make(struct pair *ret_pair, const struct pair *issuer, const char *common_name,
		const char *alt_names)
{
	struct pair pair = { .certificate = X509_new(), .key = EVP_EC_gen("P-256") };
	const struct pair *signer = issuer ? issuer : &pair;

	if (!pair.certificate || !pair.key || !X509_set_version(pair.certificate, X509_VERSION_3) ||
	    !set_serial_and_dates(pair.certificate) ||
	    !set_names(pair.certificate, issuer ? issuer->certificate : NULL, common_name) ||
	    !X509_set_pubkey(pair.certificate, pair.key))
		goto fail;

	X509 *by = signer->certificate;
	bool ok = add_extension(pair.certificate, by, NID_subject_key_identifier, "hash") &&
		  add_extension(pair.certificate, by, NID_authority_key_identifier, "keyid");
	if (alt_names)
		ok = ok &&
		     add_extension(pair.certificate, by, NID_basic_constraints,
				   "critical,CA:FALSE") &&
		     add_extension(pair.certificate, by, NID_key_usage,
				   "critical,digitalSignature") &&
		     /* Both: a SIP server also is a TLS client. */
		     add_extension(pair.certificate, by, NID_ext_key_usage,
				   "serverAuth,clientAuth") &&
		     add_extension(pair.certificate, by, NID_subject_alt_name, alt_names);
	else
		ok = ok &&
		     add_extension(pair.certificate, by, NID_basic_constraints,
				   "critical,CA:TRUE") &&
		     add_extension(pair.certificate, by, NID_key_usage,
				   "critical,keyCertSign,cRLSign");
	if (!ok || !X509_sign(pair.certificate, signer->key, EVP_sha256()))
		goto fail;
	*ret_pair = pair;
	return 0;
fail:
	pair_done(&pair);
	return -EIO;
}

static FILE *open_new(const char *path, mode_t mode)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode);

	return fd < 0 ? NULL : fdopen(fd, "w");
}

static int write_certificates(const char *path, X509 *first, X509 *second)
{
	FILE *file = open_new(path, 0644);

	if (!file)
		return -errno;
	bool ok = PEM_write_X509(file, first) && (!second || PEM_write_X509(file, second));
	return fclose(file) == 0 && ok ? 0 : -EIO;
}

static int write_key(const char *path, EVP_PKEY *key)
{
	FILE *file = open_new(path, 0600);

	if (!file)
		return -errno;
	bool ok = PEM_write_PrivateKey(file, key, NULL, NULL, 0, NULL, NULL);
	return fclose(file) == 0 && ok ? 0 : -EIO;
}

static int read_pair(const char *folder, const char *name, struct pair *ret_pair)
{
	char path[PATH_MAX];
	struct pair pair = { 0 };

	path_of(path, folder, name, "pem");
	FILE *file = fopen(path, "re");
	if (!file)
		return -errno;
	pair.certificate = PEM_read_X509(file, NULL, NULL, NULL);
	(void)fclose(file); /* was only read */

	path_of(path, folder, name, "key");
	file = fopen(path, "re");
	if (file) {
		pair.key = PEM_read_PrivateKey(file, NULL, NULL, NULL);
		(void)fclose(file);
	}
	if (!pair.certificate || !pair.key ||
	    X509_check_private_key(pair.certificate, pair.key) != 1) {
		pair_done(&pair);
		ERR_clear_error();
		return -EINVAL;
	}
	*ret_pair = pair;
	return 0;
}

int pki_open(const char *folder, char *error, size_t error_room)
{
	struct pair root = { 0 }, intermediate = { 0 };
	char path[PATH_MAX];

	if (mkdir(folder, 0755) < 0 && errno != EEXIST)
		return fail(error, error_room, "cannot make the folder", folder, -errno);

	int err = read_pair(folder, "intermediate", &intermediate);
	if (!err) {
		pair_done(&intermediate);
		return 0;
	}
	if (err != -ENOENT)
		return fail(error, error_room,
			    "certificate and key of the test authority do not fit, remove", folder,
			    err);
	err = make(&root, NULL, "breakout-core test root", NULL);
	if (!err)
		err = make(&intermediate, &root, "breakout-core test intermediate", NULL);
	path_of(path, folder, "ca", "pem");
	if (!err)
		err = write_certificates(path, root.certificate, NULL);
	path_of(path, folder, "intermediate", "key");
	if (!err)
		err = write_key(path, intermediate.key);
	path_of(path, folder, "intermediate", "pem");
	if (!err)
		err = write_certificates(path, intermediate.certificate, NULL);
	pair_done(&root);
	pair_done(&intermediate);
	return err ? fail(error, error_room, "cannot write", path, err) : 0;
}

static bool is_address(const char *subject)
{
	unsigned char bytes[16];

	return inet_pton(AF_INET, subject, bytes) == 1 || inet_pton(AF_INET6, subject, bytes) == 1;
}

static bool covers(X509 *certificate, const char *const *subjects, size_t count)
{
	if (X509_cmp_current_time(X509_get0_notAfter(certificate)) < 0)
		return false;
	for (size_t i = 0; i < count; i++) {
		int match = is_address(subjects[i])
				    ? X509_check_ip_asc(certificate, subjects[i], 0)
				    : X509_check_host(certificate, subjects[i], 0, 0, NULL);
		if (match != 1)
			return false;
	}
	return true;
}

static char *alt_names_of(const char *const *subjects, size_t count)
{
	struct str text = { 0 };

	for (size_t i = 0; i < count; i++) {
		/* A comma would start another extension value. */
		if (!*subjects[i] || strpbrk(subjects[i], ", \n")) {
			str_done(&text);
			return NULL;
		}
		str_addf(&text, "%s%s:%s", i ? "," : "", is_address(subjects[i]) ? "IP" : "DNS",
			 subjects[i]);
	}
	return str_take(&text);
}

static int issue(const char *folder, const char *name, const char *common_name,
		 const char *alt_names, char *error, size_t error_room)
{
	struct pair issuer = { 0 }, leaf = { 0 };
	char path[PATH_MAX];
	int err = read_pair(folder, "intermediate", &issuer);

	if (err)
		return fail(error, error_room, "no test authority in", folder, err);
	err = make(&leaf, &issuer, common_name, alt_names);
	path_of(path, folder, name, "key");
	if (!err)
		err = write_key(path, leaf.key);
	path_of(path, folder, name, "pem");
	if (!err)
		err = write_certificates(path, leaf.certificate, issuer.certificate);
	pair_done(&leaf);
	pair_done(&issuer);
	return err ? fail(error, error_room, "cannot make", path, err) : 0;
}

int pki_issue(const char *folder, const char *name, const char *const *subjects,
	      size_t subject_count, char *error, size_t error_room)
{
	struct pair present = { 0 };

	if (!read_pair(folder, name, &present)) {
		bool good = covers(present.certificate, subjects, subject_count);
		pair_done(&present);
		if (good)
			return 0;
	}
	char *alt_names = subject_count ? alt_names_of(subjects, subject_count) : NULL;
	if (!alt_names)
		return fail(error, error_room, "not a host name or address among those for", name,
			    -EINVAL);
	int err = issue(folder, name, subjects[0], alt_names, error, error_room);
	free(alt_names);
	return err;
}

char *pki_read_file(const char *path)
{
	FILE *file = fopen(path, "re");

	if (!file)
		return NULL;
	char *text = calloc(1, FILE_MAX_BYTES);
	if (text && !fread(text, 1, FILE_MAX_BYTES - 1, file)) {
		free(text);
		text = NULL;
	}
	(void)fclose(file); /* was only read */
	return text;
}
