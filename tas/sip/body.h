/* SPDX-License-Identifier: Apache-2.0 */
/* body.h - the session description inside a message body, and what is around it. */
#ifndef BREAKOUT_TAS_SIP_BODY_H
#define BREAKOUT_TAS_SIP_BODY_H

#include <stddef.h>
#include "base/macros.h"

/* Finds the application/sdp in a body: the whole of it, or the first such part
 * of a multipart (RFC 5621, RFC 2046 section 5.1).
 *
 * content_type: the header's value; NULL: none.
 * ret_sdp:      heap copy for the caller, or NULL if there is none.
 * Returns 0, -ENOMEM, -ENOTSUP (a type this product cannot read: 415) or
 * -EINVAL (NUL inside, or a multipart without end).
 */
int body_find_sdp(const char *content_type, const char *body, size_t length,
		  char **ret_sdp) MUST_CHECK;

/* Headers of a message that belong to its body, besides Content-Type. */
enum { BODY_MIME_VERSION, BODY_DISPOSITION, BODY_LANGUAGE, BODY_ENCODING, BODY_FIELDS };
const char *body_field_name(int field);

/* A received body, kept so that it can go on with another SDP in its place:
 * the other parts of a multipart (RFC 5621: a location, a resource list). */
struct sip_body {
	char *type;                /* Content-Type */
	char *fields[BODY_FIELDS]; /* NULL: not there */
	char *text;
	size_t length;
	size_t sdp_at, sdp_length; /* where the SDP stands; 0: there is none */
};
/* 0 or -ENOMEM. The fields are the caller's to fill, from the heap. */
int sip_body_create(struct sip_body **ret_body, const char *content_type, const char *text,
		    size_t length) MUST_CHECK;
int sip_body_copy(struct sip_body **ret_body, const struct sip_body *from) MUST_CHECK;
struct sip_body *sip_body_destroy(struct sip_body *body); /* NULL is fine */
/* Its text with this SDP (NULL: without a body for SDP, as it is). */
int sip_body_with(const struct sip_body *body, const char *sdp, char **ret_text,
		  size_t *ret_length) MUST_CHECK;

#endif
