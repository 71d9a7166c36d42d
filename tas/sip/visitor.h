/* SPDX-License-Identifier: Apache-2.0 */
/* visitor.h - values of requests by those whose address says nothing: they prove
 * with a password who they are, and may register where they are.
 *
 * Threads: the SIP thread. Texts live as long as the callback they are given to.
 */
#ifndef BREAKOUT_TAS_SIP_VISITOR_H
#define BREAKOUT_TAS_SIP_VISITOR_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

struct sip_visitor {
	const struct sockaddr_storage *source;
	const char *address;               /* the same without port, "192.0.2.1" */
	const char *method;                /* "REGISTER" */
	const char *const *authorizations; /* values of its Authorization headers */
	size_t authorization_count;
};

/* What is done about a visitor, instead of a peer's number. */
enum {
	SIP_VISITOR_STRANGER = -1,   /* turned away as any other stranger */
	SIP_VISITOR_CHALLENGED = -2, /* 401 */
	SIP_VISITOR_FORBIDDEN = -3,  /* 403 */
	SIP_VISITOR_IGNORED = -4,    /* no answer; a connection is closed */
	SIP_VISITOR_UNANSWERED = -5  /* no answer; a connection stays */
};

#define SIP_CONTACT_MAX  16
#define SIP_EXPIRES_NONE UINT_MAX

struct sip_contact {
	const char *uri;
	const char *key;    /* the same for every way to write this contact */
	unsigned expires_s; /* SIP_EXPIRES_NONE: does not say */
};

/* A REGISTER: RFC 3261 section 10.2. */
struct sip_register {
	const char *user; /* of the To header: whose address it is */
	const char *call_id;
	uint32_t cseq;
	const struct sip_contact *contacts;
	size_t contact_count; /* at most SIP_CONTACT_MAX */
	bool star;            /* `Contact: *` */
	unsigned expires_s;   /* the header; SIP_EXPIRES_NONE: absent */
	const char *user_agent;
	struct sockaddr_storage source;
	const char *hop; /* the URI by which its source is reached, over the same connection */
};

#endif
