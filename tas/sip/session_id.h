/* SPDX-License-Identifier: Apache-2.0 */
/* session_id.h - the Session-ID of one dialog (RFC 7989), for the messages in it that
 * are ours: what crosses from one side to the other brings its own.
 *
 * A transparent B2BUA has no identifier itself: towards the peer it is whoever is
 * behind it (section 7). A peer of the time before (RFC 7329) gives one identifier to
 * the whole call and no `remote`.
 */
#ifndef BREAKOUT_TAS_SIP_SESSION_ID_H
#define BREAKOUT_TAS_SIP_SESSION_ID_H

#include <stdbool.h>
#include <stddef.h>

#define SESSION_ID_ROOM 33 /* 32 hexadecimal digits */
#define SESSION_ID_TEXT 80 /* and a header value of two */

/* Zero-initialise. */
struct session_id {
	char ours[SESSION_ID_ROOM];  /* of whoever is behind us; "" not known */
	char peers[SESSION_ID_ROOM]; /* "" not known */
	bool paired;                 /* the peer knows `remote` */
};

/* The header's value in a message to the peer, and in one of its own. NULL: it had
 * none; one that cannot be read changes nothing. */
void session_id_sent(struct session_id *id, const char *value);
void session_id_heard(struct session_id *id, const char *value);

/* What a message of ours says; false: nothing. */
bool session_id_text(const struct session_id *id, char ret_text[static SESSION_ID_TEXT]);

#endif
