/* SPDX-License-Identifier: Apache-2.0 */
/* endpoint_private.h - an endpoint from inside: endpoint.c (listeners, legs),
 * dispatch.c (requests outside dialogs), keepalive.c, probe.c, watch.c. */
#ifndef BREAKOUT_TAS_SIP_ENDPOINT_PRIVATE_H
#define BREAKOUT_TAS_SIP_ENDPOINT_PRIVATE_H

struct leg;
struct sip_endpoint;
#define NTA_AGENT_MAGIC_T    struct sip_endpoint
#define NTA_LEG_MAGIC_T      struct leg
#define NTA_OUTGOING_MAGIC_T void
#define NTA_INCOMING_MAGIC_T struct leg
#define NTA_RELIABLE_MAGIC_T struct leg
#include <sofia-sip/nta.h>
#include <sofia-sip/nta_stateless.h>
#include <sofia-sip/nta_tport.h>
#include <sofia-sip/sip_header.h>
#include <sofia-sip/sip_status.h>
#include <sofia-sip/tport.h>

#include "base/log.h"
#include "base/timer_wheel.h"
#include "tas/sip/endpoint.h"
#include "tas/sip/health.h"
#include "tas/sip/listening.h"
#include "tas/sip/resolver.h"
#include "tas/sip/session_timer.h"

struct binding;
struct neighbour;
struct probe;
struct tls_profile;

struct listener {
	enum sip_transport transport;
	char ident[8];  /* names sofia's transport objects */
	tport_t *tport; /* the first; for any address there is one each of ours */
};

/* Addresses of strangers that were answered lately: a small cache, where two
 * addresses may share a slot and then both get their answer. */
#define STRANGERS 512

struct strangers {
	struct {
		uint64_t address; /* hashed */
		mono_ms told_ms;
	} slots[STRANGERS];
	struct log_limit log;
};

/* Next hops, by a hash of their address; two that share a slot lend each other patience. */
#define HOPS_HEARD 64

#define ENDPOINT_MARK_ROOM 33

struct sip_endpoint {
	struct sip_loop *loop;
	nta_agent_t *agent;
	struct tls_profile *tls;
	struct dns *dns;
	struct resolver *resolver; /* asks `dns` */
	struct sip_endpoint_handlers handlers;
	struct listener *listeners;
	size_t listener_count; /* those asked for, their IPv4 twins, those for `reach` */
	char *user_agent, *domain;
	char mark[ENDPOINT_MARK_ROOM]; /* of self-calls */
	struct sip_trace *trace;
	unsigned connect_ms, t1_ms;
	struct session_timer_terms session_terms;
	struct leg *legs;
	size_t leg_count;
	struct timer sweep;
	struct strangers strangers;
	mono_ms hops_heard[HOPS_HEARD]; /* when an INVITE was last answered there */
	unsigned keepalive_s;
	struct keepalive *keepalives; /* of each SBC that is asked */
	struct probe *probes;         /* all of them */
	struct binding *bindings;
	size_t binding_count;
	struct listening listening;      /* the sockets under the listeners */
	struct neighbour *elders, *heir; /* elders: a list, the newest first; NULL: none */
};

/* endpoint.c */
struct timer_wheel *endpoint_wheel(const struct sip_endpoint *endpoint);
/* The first listener of a transport that reaches `hop`, a URI; else (or for
 * NULL) the first of the transport; NULL: there is none. */
struct listener *endpoint_listener(const struct sip_endpoint *endpoint,
				   enum sip_transport transport, const char *hop);
/* Our Contact for a dialog over a listener, from the home; NULL: no memory.
 * tport: the connection or socket it began on; NULL: not known. */
char *endpoint_contact(const struct sip_endpoint *endpoint, su_home_t *home,
		       const struct listener *listener, tport_t *tport, bool sips);
/* Where a request to `url` is sent: message_hop(), with the address of a name that
 * is watched. From the home; NULL: no memory. */
char *endpoint_hop(const struct sip_endpoint *endpoint, su_home_t *home, const url_t *url,
		   enum sip_transport transport);
/* The listener a message came in by; NULL: the connection is gone. */
struct listener *endpoint_listener_of(struct sip_endpoint *endpoint, tport_t *tport);

/* Ends the outgoing legs that wait for a first word over this connection. */
void endpoint_connection_failed(struct sip_endpoint *endpoint, tport_t *tport,
				enum leg_end_reason end, const char *reason);

/* dispatch.c: nta's callback for what belongs to no dialog or transaction. */
nta_message_f endpoint_on_message;

/* visitor.c: as handlers.visit(), which has been asked, and answered for if it
 * lets nobody in. Then `msg` is gone, but for SIP_VISITOR_STRANGER, _IGNORED and
 * _UNANSWERED. */
int visitor_identify(struct sip_endpoint *endpoint, msg_t *msg, const sip_t *sip,
		     const struct sip_source *source);
/* The URI by which a source is reached, over the same connection; from the home. */
char *visitor_hop(su_home_t *home, const struct sip_source *source);
void visitor_register(struct sip_endpoint *endpoint, msg_t *msg, sip_t *sip,
		      const struct sip_source *source, int peer);

/* keepalive.c */
void keepalive_stop(struct sip_endpoint *endpoint);
void keepalive_suspect(struct sip_endpoint *endpoint); /* ask early: a call met silence */

#endif
