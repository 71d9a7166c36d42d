/* SPDX-License-Identifier: Apache-2.0 */
#include "tas/sip/tls_describe.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/str.h"
#include "tas/sip/tls_profile.h"

#define COUNT_MAX 1000 /* certificates that are looked at in one file */

static wall_ms time_of(const ASN1_TIME *time)
{
	struct tm tm;

	return ASN1_TIME_to_tm(time, &tm) ? (wall_ms)timegm(&tm) * 1000 : 0;
}

/* RFC 2253, as `openssl x509 -nameopt RFC2253` prints it, but with its UTF-8. */
static void add_name(struct str *out, const X509_NAME *name)
{
	BIO *memory = BIO_new(BIO_s_mem());
	char *text;
	long length;

	if (!memory) {
		out->failed = true;
		return;
	}
	X509_NAME_print_ex(memory, name, 0, XN_FLAG_RFC2253 & ~(unsigned long)ASN1_STRFLGS_ESC_MSB);
	length = BIO_get_mem_data(memory, &text);
	str_add_n(out, text, length > 0 ? (size_t)length : 0);
	BIO_free(memory);
}

static void add_alternative(struct str *out, const GENERAL_NAME *name)
{
	const ASN1_STRING *text = NULL;
	const unsigned char *bytes;

	if (name->type == GEN_DNS)
		text = name->d.dNSName;
	else if (name->type == GEN_URI)
		text = name->d.uniformResourceIdentifier;
	else if (name->type == GEN_IPADD)
		text = name->d.iPAddress;
	if (!text)
		return;
	bytes = ASN1_STRING_get0_data(text);
	str_add(out, out->length ? ", " : "");
	if (name->type != GEN_IPADD)
		str_add_n(out, (const char *)bytes, (size_t)ASN1_STRING_length(text));
	else if (ASN1_STRING_length(text) == 4)
		str_addf(out, "%u.%u.%u.%u", bytes[0], bytes[1], bytes[2], bytes[3]);
	else
		for (int i = 0; i + 1 < ASN1_STRING_length(text); i += 2)
			str_addf(out, "%s%x", i ? ":" : "", (unsigned)bytes[i] << 8 | bytes[i + 1]);
}

static void add_names(struct str *out, X509 *certificate)
{
	GENERAL_NAMES *names = X509_get_ext_d2i(certificate, NID_subject_alt_name, NULL, NULL);

	for (int i = 0; i < sk_GENERAL_NAME_num(names); i++)
		add_alternative(out, sk_GENERAL_NAME_value(names, i));
	GENERAL_NAMES_free(names);
}

/* One certificate after the other. */
struct look {
	struct str subject, names, issuers;
	EVP_MD_CTX *digest;
	struct tls_certificate *out;
	bool all;
};

static void look_at(struct look *look, X509 *certificate, const char *domain)
{
	struct tls_certificate *out = look->out;
	wall_ms end = time_of(X509_get0_notAfter(certificate));
	unsigned char hash[EVP_MAX_MD_SIZE];
	unsigned length = 0;

	if (!out->count++) {
		add_name(&look->subject, X509_get_subject_name(certificate));
		add_names(&look->names, certificate);
		out->not_before = time_of(X509_get0_notBefore(certificate));
		out->not_after = end;
		out->for_domain = !domain || tls_certificate_is_for(certificate, domain);
	} else if (look->all && end < out->not_after) {
		out->not_after = end;
	}
	if (!look->all || out->count == 1) {
		str_add(&look->issuers, look->issuers.length ? ", " : "");
		add_name(&look->issuers, X509_get_issuer_name(certificate));
	}
	if (X509_digest(certificate, EVP_sha256(), hash, &length))
		EVP_DigestUpdate(look->digest, hash, length);
}

static int take(struct look *look)
{
	struct tls_certificate *out = look->out;
	unsigned char hash[EVP_MAX_MD_SIZE];
	unsigned length = 0;

	if (!out->count)
		return -EINVAL;
	if (!EVP_DigestFinal_ex(look->digest, hash, &length))
		return -ENOMEM;
	for (unsigned i = 0; i < length && 2 * i + 2 < TLS_FINGERPRINT_ROOM; i++)
		(void)snprintf(out->fingerprint + 2 * i, 3, "%02x", hash[i]);
	out->subject = str_take(&look->subject);
	out->names = str_take(&look->names);
	out->issuers = str_take(&look->issuers);
	return out->subject && out->names && out->issuers ? 0 : -ENOMEM;
}

int tls_describe(const char *path, const char *domain, bool all,
		 struct tls_certificate *ret_certificate)
{
	struct tls_certificate certificate = { .count = 0 };
	struct look look = { .out = &certificate, .all = all };
	BIO *file = BIO_new_file(path, "r");
	X509 *x509;
	int err = 0;

	if (!file) {
		err = errno ? -errno : -EINVAL;
		ERR_clear_error();
		return err;
	}
	look.digest = EVP_MD_CTX_new();
	if (!look.digest || !EVP_DigestInit_ex(look.digest, EVP_sha256(), NULL))
		err = -ENOMEM;
	while (!err && certificate.count < COUNT_MAX &&
	       (x509 = PEM_read_bio_X509(file, NULL, NULL, (void *)""))) {
		look_at(&look, x509, domain);
		X509_free(x509);
	}
	if (!err)
		err = take(&look);
	EVP_MD_CTX_free(look.digest);
	BIO_free(file);
	ERR_clear_error(); /* the end of the file is an error to PEM_read */
	str_done(&look.subject);
	str_done(&look.names);
	str_done(&look.issuers);
	if (err)
		tls_certificate_done(&certificate);
	else
		*ret_certificate = certificate;
	return err;
}

void tls_certificate_done(struct tls_certificate *certificate)
{
	free(certificate->subject);
	free(certificate->names);
	free(certificate->issuers);
	*certificate = (struct tls_certificate){ .count = 0 };
}
