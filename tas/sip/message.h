/* SPDX-License-Identifier: Apache-2.0 */
/* message.h - between sofia's messages and this room's texts. */
#ifndef BREAKOUT_TAS_SIP_MESSAGE_H
#define BREAKOUT_TAS_SIP_MESSAGE_H

#include <sofia-sip/sip.h>
#include <stdbool.h>
#include "base/macros.h"
#include "config/config.h"
#include "tas/sip/headers.h"

#define MESSAGE_ALLOW "INVITE, ACK, CANCEL, BYE, OPTIONS, PRACK, UPDATE, INFO, REFER"
/* For SIPTAG_UNKNOWN_STR(): written as it is, where sofia would take the list apart and put
 * it together again for four messages of each call. */
#define MESSAGE_ALLOW_LINE "Allow: " MESSAGE_ALLOW

/* Every header that may be told on, in the order received, as sent but for
 * folds; and what of Contact and body is end to end. What cannot be told on
 * safely is left out. */
int message_headers(const msg_t *msg, struct sip_headers *ret_headers) MUST_CHECK;

/* Authorization headers (RFC 3261 section 20.7) as they came: sofia loses the last
 * parameter of some when it writes them again. Those that cannot be taken, and
 * those after MESSAGE_AUTHORIZATION_MAX, prove nothing. */
#define MESSAGE_AUTHORIZATION_MAX 8 /* a phone that knows several realms sends one each */
void message_authorizations(const sip_t *sip, struct sip_headers *ret_headers);

/* As body_find_sdp() for a message. */
int message_sdp(const sip_t *sip, char **ret_sdp) MUST_CHECK;
/* Where it is too late to complain: what cannot be read counts as none. */
char *message_sdp_or_null(const sip_t *sip);

/* Adds headers and, if there is one, the SDP, in the body that came with the
 * headers if that had one. -EINVAL, -ENOMEM. */
int message_add(msg_t *msg, const struct sip_headers *headers, const char *sdp) MUST_CHECK;

/* The headers as a list to be added to any message; NULL: none, or no memory. */
sip_unknown_t *message_more(su_home_t *home, const struct sip_headers *headers);

/* sip_headers_find() that takes NULL headers. */
const char *message_find(const struct sip_headers *headers, const char *name);

/* Text for a line of its own: without control characters. From the home. */
char *message_phrase(su_home_t *home, const char *text);

/* For the log: what a failure response says. sofia answers with a 503 of its
 * own when a connection fails, and keeps the errno to itself. NULL: none came. */
const char *message_why(const sip_t *sip);

/* The unescaped user part, "" for none; NULL: holds NUL or control characters. */
char *message_user(su_home_t *home, const url_t *url);

/* sip, sips, tel, or urn (urn:service:sos, RFC 5031). */
bool message_scheme_known(const url_t *url);

/* Whether a text can stand as URI in a header or request line; and which
 * scheme: url_sip, url_sips, url_tel, ... ret_type may be NULL. */
bool message_uri_valid(const char *uri, enum url_type_e *ret_type);

/* RFC 3263 section 4.1: what the URI says, else TLS for sips and UDP for sip. */
enum sip_transport message_transport(const url_t *url);

/* Where a request to `url` is sent: the URI with the dialog's transport named
 * if it names none itself (without it sofia takes the first listener's), and
 * with the address of a host that /etc/hosts knows. NULL: no memory. */
char *message_hop(su_home_t *home, const url_t *url, enum sip_transport transport);

#endif
