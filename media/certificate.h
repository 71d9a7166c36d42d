/* SPDX-License-Identifier: Apache-2.0 */
/* certificate.h - a certificate with its key, and the fingerprints of one.
 *
 * A WebRTC certificate proves nothing by who signed it: the SDP names its
 * fingerprint (RFC 8122). So one made at start is as good as one from a file;
 * a file is for peers that pin it.
 */
#ifndef BREAKOUT_MEDIA_CERTIFICATE_H
#define BREAKOUT_MEDIA_CERTIFICATE_H

#include "base/macros.h"
#include "media/sdp.h"

struct x509_st; /* OpenSSL's X509 and EVP_PKEY */
struct evp_pkey_st;

struct certificate {
	struct x509_st *x509;
	struct evp_pkey_st *key;
};

/* A new key on P-256, signed by itself. 0, -ENOMEM or -EIO (OpenSSL refuses). */
int certificate_make(struct certificate *ret_certificate) MUST_CHECK;

#define CERTIFICATE_WHY_ROOM 512

/* From PEM files; only the first certificate counts. ret_why: for -EINVAL, what
 * is wrong and how to mend it; for 0 a warning, or "". Reads from disk.
 * 0, -EINVAL. */
int certificate_load(struct certificate *ret_certificate, const char *certificate_path,
		     const char *key_path, char ret_why[static CERTIFICATE_WHY_ROOM]) MUST_CHECK;
void certificate_done(struct certificate *certificate); /* zeroed is fine */

/* hash: "sha-256", "sha-384" or "sha-512". */
bool certificate_fingerprint(const struct x509_st *x509, const char *hash,
			     struct sdp_fingerprint *ret_fingerprint) MUST_CHECK;

#endif
