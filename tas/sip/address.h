/* SPDX-License-Identifier: Apache-2.0 */
/* address.h - the addresses in header values: P-Asserted-Identity, Diversion,
 * History-Info and their like (RFC 3261 section 25.1: name-addr or addr-spec,
 * then parameters).
 *
 * What is read here can be written again and reads the same; what could become
 * another address, parameter or line on the way is refused.
 */
#ifndef BREAKOUT_TAS_SIP_ADDRESS_H
#define BREAKOUT_TAS_SIP_ADDRESS_H

#include <stdbool.h>
#include <stddef.h>
#include "base/macros.h"
#include "base/str.h"

/* Owns its texts, which are never NULL after a good sip_address_parse(). */
struct sip_address {
	char *display; /* without quotes and escapes; "" none */
	char *uri;     /* as written, without angle brackets */
	char *user;    /* of a sip, sips or tel URI, unescaped; "" none */
	char *host;    /* of a sip or sips URI, with its port; "" none */
	char *params;  /* those of the header, ";a=b;c" as written; "" none */
};
/* 0, -EINVAL (no address, or one that could not be told on), -ENOMEM. */
int sip_address_parse(struct sip_address *ret_address, const char *text, size_t length) MUST_CHECK;
void sip_address_done(struct sip_address *address);

/* "display" <uri>;params. Says what was parsed, not how it was spelled. */
void sip_address_write(struct str *out, const struct sip_address *address);

/* The next item of a comma-separated header value and its length; NULL: that
 * was all. Commas inside quotes or angle brackets do not count. */
const char *sip_address_next(const char **list, size_t *ret_length);

/* A parameter's value without quotes, "" for one without; false: not there.
 * `params` as in struct sip_address, or those of a URI. */
bool sip_address_param(const char *params, const char *name, char *ret_value, size_t room);

/* The parameters of a URI, from its first semicolon behind the host; "" none.
 * Ends at the `?` of its headers. */
const char *sip_address_uri_params(const char *uri);

/* A quoted-string (RFC 3261 section 25.1); control characters are left out. */
void sip_address_quote(struct str *out, const char *text);
/* And back, in place; text without quotes stays as it is. */
void sip_address_unquote(char *text);

#endif
