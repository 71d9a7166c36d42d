/* SPDX-License-Identifier: Apache-2.0 */
/* endpoint.h - SIP's listening side: transports, TLS, who may talk to us.
 *
 * One endpoint is one nta agent with its listeners. A request from a stranger
 * dies here, cheaply; an INVITE from somebody we know becomes a leg (leg.h).
 *
 * Threads: the SIP thread.
 */
#ifndef BREAKOUT_TAS_SIP_ENDPOINT_H
#define BREAKOUT_TAS_SIP_ENDPOINT_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include "base/macros.h"
#include "base/str.h"
#include "config/config.h"
#include "tas/sip/digest_hash.h"
#include "tas/sip/leg.h"
#include "tas/sip/sip_loop.h"
#include "tas/sip/visitor.h"

struct sip_endpoint; /* opaque */

/* Who sent a request. */
struct sip_source {
	struct sockaddr_storage address;
	enum sip_transport transport;
	const char *const *certificate_names; /* verified TLS client names, NULL-ended; or NULL */
	bool visitor;                         /* let in for what it proved, not for its address */
};

/* An INVITE from somebody who may have to prove who it is. */
struct sip_proof {
	int peer; /* as identify() named it */
	const struct sip_source *source;
	const char *method;
	const char *const *answers; /* values of its Authorization headers */
	size_t answer_count;
};

/* Values for WWW-Authenticate; the receiver frees each. */
struct sip_demand {
	char *challenges[DIGEST_ALGORITHM_COUNT];
	size_t count;
};

/* An INVITE that nothing has been kept of yet; its texts last for the call only. */
struct sip_newcomer {
	int peer;                               /* as identify() named it */
	const char *request_uri, *request_user; /* "" if it has no user */
	const char *priority;                   /* the header's value, or NULL */
	const char *call_id;
};

struct sip_endpoint_handlers {
	/* Names the sender: any number >= 0 that the owner understands (leg_info.peer),
	 * or -1 for a stranger, who gets 403 (once a second per address, then
	 * nothing) without any state kept. */
	int (*identify)(const struct sip_source *source, void *arg);
	/* Whom identify() does not know, and who registers: may be let in for what he
	 * can prove. What identify() would return, or a SIP_VISITOR_; ret_headers:
	 * lines for a 401. NULL: nobody registers, strangers stay strangers. */
	int (*visit)(const struct sip_visitor *visitor, struct str *ret_headers, void *arg);
	/* A REGISTER of somebody who was let in: the status, and lines for the response. */
	int (*enrol)(int peer, const struct sip_register *request, struct str *ret_headers,
		     void *arg);
	/* Before a new call: 0 to go on, else the status it is refused with: 401 with
	 * what to demand, 403, 500. NULL: nobody is asked. */
	int (*authenticate)(const struct sip_proof *proof, struct sip_demand *ret_demand,
			    void *arg);
	/* Whether requests inside a dialog may go to this host (a name, or an address
	 * without brackets) because its Contact or Record-Route says so, though it is not
	 * where the dialog came from. NULL: never. */
	bool (*knows_host)(const char *host, void *arg);
	/* Before a new call gets any state: 0 to go on, else the status it is turned away
	 * with, and after how many seconds it may come again (0 is not said). NULL: all
	 * come in. */
	int (*admit)(const struct sip_newcomer *call, unsigned *ret_retry_after_s, void *arg);
	/* A new call. The receiver owns the leg and sets its handler. 100 Trying
	 * was sent. */
	void (*invite)(struct leg *leg, void *arg);
	/* 200 or 503 for OPTIONS outside a dialog: our true state. */
	int (*options_status)(void *arg);
	void *arg;
};

struct sip_endpoint_options {
	const struct config_listen *listen;
	size_t listen_count;
	const char *certificate, *private_key, *ca_file; /* as config_sip */
	const char *client_ca; /* set: TLS clients must show a certificate it signed */
	const char *user_agent;
	const char *domain; /* host for Contact of TLS legs; NULL: the listener's address */
	unsigned connect_ms, handshake_s, keepalive_s, t1_ms; /* as config_sip */
	unsigned session_expires_s, min_se_s;                 /* as config_sip */
	char *const *dns_servers; /* "address:port"; none: those of /etc/resolv.conf */
	size_t dns_server_count;
	/* Bits 1 << enum sip_transport: what next hops need besides the listeners.
	 * Each that no listener has gets a free port on the first listener's host:
	 * sofia cannot add a transport once connections run. */
	unsigned reach;
	/* Sockets of a daemon that was here before, which are used where they fit; those that
	 * are get -1. Borrowed for sip_endpoint_create(). */
	struct inherited_socket *inherited;
	size_t inherited_count;
	bool silent;          /* as sip_endpoint_set_silent(), from the start */
	size_t trace_bytes;   /* memory for what was said lately; 0: none */
	bool verify_next_hop; /* TLS: check name and chain of servers we call; true except in tests
			       */
};

/* 0, -ENOMEM, -EADDRINUSE, -EINVAL (certificate, key, address) with a sentence
 * in error that says what to mend. */
int sip_endpoint_create(struct sip_endpoint **ret_endpoint, struct sip_loop *loop,
			const struct sip_endpoint_options *options,
			const struct sip_endpoint_handlers *handlers, char *error,
			size_t error_room) MUST_CHECK;

struct tls_profile; /* tls_check.h */
/* Takes over certificate, key, CAs and domain: connections that begin from now on get
 * them, those that are there go on as they are. -ENOMEM: all is as before. */
int sip_endpoint_renew_tls(struct sip_endpoint *endpoint, struct tls_profile *take_profile,
			   const char *domain) MUST_CHECK;

/* What was said lately; the endpoint's own. */
struct sip_trace *sip_endpoint_trace(const struct sip_endpoint *endpoint);

/* Legs not yet gone, those that end in the background included. */
size_t sip_endpoint_leg_count(const struct sip_endpoint *endpoint);
/* Registrations of ours at PBXs, those that are about to leave included. */
size_t sip_endpoint_binding_count(const struct sip_endpoint *endpoint);
struct sip_endpoint *sip_endpoint_destroy(struct sip_endpoint *endpoint);

/* The port listener `index` got (for port 0). 0 if there is no such listener. */
uint16_t sip_endpoint_port(const struct sip_endpoint *endpoint, size_t index);

/* The sockets under the listeners, for who takes over. */
struct listening_socket;
struct inherited_socket;
void sip_endpoint_each_socket(const struct sip_endpoint *endpoint,
			      void (*visit)(const struct listening_socket *socket, void *arg),
			      void *arg);
/* Whether no connections and datagrams are taken: they wait in the kernel. What is
 * connected goes on. */
void sip_endpoint_set_silent(struct sip_endpoint *endpoint, bool silent);

/* Whether every name of a trunk or the core has been looked up once. */
bool sip_endpoint_names_settled(const struct sip_endpoint *endpoint);

/* How an OPTIONS of our own to ourselves is known, wherever it comes from: its Call-ID
 * begins with SIP_MARK_ASKED characters of it; the reason phrase of our answer is the
 * rest, which only we know. Random, the same for the endpoint's life; any thread. */
#define SIP_MARK_ASKED 24
const char *sip_endpoint_mark(const struct sip_endpoint *endpoint);

/* OPTIONS go to each of these, every keepalive_s seconds (0: to none), over the connection
 * its calls use; who is asked already is asked as before. 0, -EINVAL (one is no SIP URI) or
 * -ENOMEM: the others are asked. */
int sip_endpoint_keep_alive(struct sip_endpoint *endpoint, const char *const *uris,
			    size_t count) MUST_CHECK;
/* What came of the last one (any status below 500 is an answer); SILENT too before the first
 * answer. */
enum sip_answers { SIP_NOT_ASKED, SIP_ANSWERS, SIP_SILENT };
enum sip_answers sip_endpoint_answers(const struct sip_endpoint *endpoint, const char *uri);

#endif
