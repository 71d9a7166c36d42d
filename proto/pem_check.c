/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/pem_check.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#define PEM_MAX ((size_t)4 * 1024 * 1024) /* the system's whole bundle has 0.2 MB */

static int read_all(const char *path, char **ret_text)
{
	FILE *file = fopen(path, "re");
	char *text;
	size_t length;
	int err = 0;

	if (!file)
		return -errno;
	text = malloc(PEM_MAX + 1);
	if (!text) {
		fclose(file);
		return -ENOMEM;
	}
	errno = 0;
	length = fread(text, 1, PEM_MAX + 1, file);
	if (ferror(file))
		err = errno ? -errno : -EIO;
	else if (length > PEM_MAX)
		err = -EFBIG;
	fclose(file);
	if (err) {
		free(text);
		return err;
	}
	text[length] = '\0';
	*ret_text = text;
	return 0;
}

/* The number of certificates, or -1 if one of them does not parse. */
static int count_certificates(const char *pem)
{
	BIO *bio = BIO_new_mem_buf(pem, -1);
	X509 *certificate;
	unsigned long last;
	int count = 0;

	if (!bio)
		return -1;
	ERR_clear_error();
	while ((certificate = PEM_read_bio_X509(bio, NULL, NULL, NULL))) {
		X509_free(certificate);
		count++;
	}
	last = ERR_peek_last_error();
	ERR_clear_error();
	BIO_free(bio);
	/* The end of the list is reported as "no start line". */
	if (ERR_GET_LIB(last) == ERR_LIB_PEM && ERR_GET_REASON(last) == PEM_R_NO_START_LINE)
		return count;
	return -1;
}

int pem_check_ca(const char *path, char **ret_pem, char *error, size_t error_room)
{
	char *pem = NULL;
	int err, count;

	err = read_all(path, &pem);
	if (err == -ENOMEM)
		return err;
	if (err) {
		snprintf(error, error_room, "cannot read the CA file %s: %s", path, strerror(-err));
		return -EINVAL;
	}
	count = count_certificates(pem);
	if (count <= 0) {
		snprintf(error, error_room, "the CA file %s %s: give a file of PEM certificates",
			 path,
			 count ? "holds a certificate that does not parse"
			       : "holds no certificate");
		free(pem);
		return -EINVAL;
	}
	*ret_pem = pem;
	return 0;
}
