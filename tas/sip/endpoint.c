/* SPDX-License-Identifier: Apache-2.0 */
/* endpoint.c - listeners, Contacts, and the legs as a crowd. */
#include "tas/sip/endpoint_private.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "tas/sip/binding.h"
#include "tas/sip/dns.h"
#include "tas/sip/leg_private.h"
#include "tas/sip/message.h"
#include "tas/sip/probe.h"
#include "tas/sip/sip_root.h"
#include "tas/sip/tls_guard.h"
#include "tas/sip/tls_profile.h"
#include "tas/sip/wiretap.h"

/* Bytes that sofia takes in one piece for a message's headers, and for most messages in
 * no more: without it each header is a malloc() of its own, 20 a message. */
#define MESSAGE_PRELOAD 3072

#define SWEEP_MS     1000
#define MESSAGE_MAX  65536       /* bytes: SIP over UDP cannot be longer either */
#define REACH_ROOM   3           /* listeners for next hops only: one a transport */
#define NO_DIRECTORY "/dev/null" /* where sofia looks for agent.pem; tls_guard.c has it */

/* Two things in one for sofia, whose default is 64 and which takes no more than 1000.
 * Connections that wait to be accepted: it takes one a turn of its loop, and the rest of a
 * burst waits a second for the next SYN. And messages that wait for a connection that is
 * being made, or for a slow peer: the next one is lost, and with it its call. At 3,000
 * calls/s a handshake of 20 ms is long enough for 64. */
#define QUEUE 1000

struct timer_wheel *endpoint_wheel(const struct sip_endpoint *endpoint)
{
	return sip_loop_wheel(endpoint->loop);
}

/* ---- listeners ---- */

static tport_t *find_tport(struct sip_endpoint *endpoint, const char *ident)
{
	tport_t *tport = tport_primaries(nta_agent_tports(endpoint->agent));

	for (; tport; tport = tport_next(tport))
		if (tport_ident(tport) && strcmp(tport_ident(tport), ident) == 0)
			return tport;
	return NULL;
}

/* port 0: any free one. */
static int bind_listener(struct sip_endpoint *endpoint, enum sip_transport transport,
			 const char *host, uint16_t port)
{
	struct listener *listener = &endpoint->listeners[endpoint->listener_count];
	bool ipv6 = host[0] != '[' && strchr(host, ':');
	char url[128], port_text[8] = "*";
	int bound;

	if (port)
		(void)snprintf(port_text, sizeof(port_text), "%u", port);
	(void)snprintf(url, sizeof(url), "%s:%s%s%s:%s;transport=%s",
		       transport == SIP_TRANSPORT_TLS ? "sips" : "sip", ipv6 ? "[" : "", host,
		       ipv6 ? "]" : "", port_text, sip_transport_name(transport));
	(void)snprintf(listener->ident, sizeof(listener->ident), "l%zu", endpoint->listener_count);
	listener->transport = transport;
	tls_guard_enter(endpoint->tls);
	listening_enter(&endpoint->listening, (int)transport, port);
	bound = nta_agent_add_tport(endpoint->agent, (const url_string_t *)url,
				    TPTAG_IDENT(listener->ident), TPTAG_CERTIFICATE(NO_DIRECTORY),
				    TPTAG_TLS_VERIFY_POLICY(0), TPTAG_TIMEOUT(32000), TPTAG_LOG(1),
				    TPTAG_QUEUESIZE(QUEUE), TAG_END());
	listening_leave();
	tls_guard_leave();
	if (bound < 0)
		return errno == EADDRINUSE ? -EADDRINUSE : -EINVAL;
	listener->tport = find_tport(endpoint, listener->ident);
	if (!listener->tport)
		return -EINVAL;
	endpoint->listener_count++;
	return 0;
}

/* By the address in a URI; names are taken for IPv4, as most next hops are. */
static bool reaches(const struct listener *listener, const char *uri)
{
	static const char maddr[] = ";maddr=";
	const char *address = strcasestr(uri, maddr);
	const char *host = strchr(uri, '@');
	bool ipv6;

	host = host ? host + 1 : uri + strcspn(uri, ":") + 1;
	ipv6 = address ? memchr(address, ':', strcspn(address + 1, ";")) != NULL : host[0] == '[';
	return ipv6 ? tport_has_ip6(listener->tport) : tport_has_ip4(listener->tport);
}

struct listener *endpoint_listener(const struct sip_endpoint *endpoint,
				   enum sip_transport transport, const char *hop)
{
	struct listener *first = NULL;

	for (size_t i = 0; i < endpoint->listener_count; i++) {
		struct listener *listener = &endpoint->listeners[i];

		if (listener->transport != transport)
			continue;
		if (!hop || reaches(listener, hop))
			return listener;
		if (!first)
			first = listener;
	}
	return first;
}

struct listener *endpoint_listener_of(struct sip_endpoint *endpoint, tport_t *tport)
{
	const char *ident = tport ? tport_ident(tport_parent(tport)) : NULL;

	for (size_t i = 0; ident && i < endpoint->listener_count; i++)
		if (strcmp(endpoint->listeners[i].ident, ident) == 0)
			return &endpoint->listeners[i];
	return NULL;
}

char *endpoint_contact(const struct sip_endpoint *endpoint, su_home_t *home,
		       const struct listener *listener, tport_t *tport, bool sips)
{
	const tp_name_t *name = tport_name(tport ? tport_parent(tport) : listener->tport);
	bool tls = listener->transport == SIP_TRANSPORT_TLS;
	const char *host = tls && endpoint->domain ? endpoint->domain : name->tpn_host;

	sips = sips && tls; /* a sips Contact is a promise that only TLS keeps */
	return su_sprintf(home, "<%s:%s:%s%s%s>", sips ? "sips" : "sip", host, name->tpn_port,
			  listener->transport == SIP_TRANSPORT_UDP || sips ? "" : ";transport=",
			  listener->transport == SIP_TRANSPORT_UDP || sips
				  ? ""
				  : sip_transport_name(listener->transport));
}

char *endpoint_hop(const struct sip_endpoint *endpoint, su_home_t *home, const url_t *url,
		   enum sip_transport transport)
{
	const char *port = url->url_port ? url->url_port : "0";
	char hop[RESOLVER_HOP_ROOM];

	if (url->url_host && !url_has_param(url, "maddr") &&
	    resolver_find(endpoint->resolver, url->url_host, (uint16_t)strtoul(port, NULL, 10),
			  transport, hop))
		return su_strdup(home, hop);
	return message_hop(home, url, transport);
}

uint16_t sip_endpoint_port(const struct sip_endpoint *endpoint, size_t index)
{
	if (index >= endpoint->listener_count)
		return 0;
	return (uint16_t)strtoul(tport_name(endpoint->listeners[index].tport)->tpn_port, NULL, 10);
}

/* ---- connections ---- */

void endpoint_connection_failed(struct sip_endpoint *endpoint, tport_t *tport,
				enum leg_end_reason end, const char *reason)
{
	for (struct leg *leg = endpoint->legs; leg; leg = leg->next) {
		tport_t *used;

		if (leg->state != LEG_CALLING || leg->heard)
			continue;
		used = nta_outgoing_transport(leg->invite_out);
		if (used == tport)
			leg_unreached(leg, end, reason, false);
		if (used)
			tport_unref(used);
	}
	probe_connection_failed(endpoint, tport, reason);
}

static void on_tls_failure(struct tport_s *tport, bool tls, const char *reason, void *arg)
{
	struct sip_endpoint *endpoint = arg;
	const tp_name_t *name = tport_name(tport);
	static struct log_limit limit;
	unsigned suppressed;

	if (log_limit_pass(&limit, 5, 10000, &suppressed))
		log_notice("sip", "no connection to %s (%s port %s): %s suppressed=%u",
			   name->tpn_canon, name->tpn_host, name->tpn_port, reason, suppressed);
	endpoint_connection_failed(endpoint, tport, tls ? LEG_END_TLS : LEG_END_TIMEOUT, reason);
}

static void on_sweep(struct timer *timer, void *arg)
{
	struct sip_endpoint *endpoint = arg;

	tls_guard_sweep(endpoint->tls);
	timer_start(endpoint_wheel(endpoint), timer, clock_now() + SWEEP_MS);
}

/* ---- creation ---- */

static int create_profile(struct sip_endpoint *endpoint, const struct sip_endpoint_options *options,
			  char *error, size_t room)
{
	struct tls_profile_options profile = {
		.certificate = options->certificate,
		.private_key = options->private_key,
		.ca_file = options->ca_file,
		.client_ca = options->client_ca,
		.domain = options->domain,
		.verify_next_hop = options->verify_next_hop,
		.handshake_s = options->handshake_s,
		.on_failure = on_tls_failure,
		.arg = endpoint,
	};
	bool tls = false;

	for (size_t i = 0; i < options->listen_count; i++)
		tls = tls || options->listen[i].transport == SIP_TRANSPORT_TLS;
	if (tls && !options->certificate) {
		(void)snprintf(error, room, "a tls listener needs a certificate and a private key");
		return -EINVAL;
	}
	return tls_profile_create(&endpoint->tls, &profile, error, room);
}

static int create_agent(struct sip_endpoint *endpoint)
{
	unsigned t1 = endpoint->t1_ms;

	endpoint->agent = nta_agent_create(
		sip_loop_root(endpoint->loop), (const url_string_t *)-1, endpoint_on_message,
		endpoint, NTATAG_UA(1), NTATAG_MAXSIZE(MESSAGE_MAX), NTATAG_PASS_100(1),
		NTATAG_TIMEOUT_408(1), NTATAG_MERGE_482(1), NTATAG_CANCEL_487(1),
		NTATAG_USE_NAPTR(0), NTATAG_USE_SRV(1), NTATAG_REL100(0), NTATAG_SIP_T1(t1),
		NTATAG_PRELOAD(MESSAGE_PRELOAD), NTATAG_SIP_T2(8 * t1), NTATAG_SIP_T4(10 * t1),
		NTATAG_SIP_T1X64(64 * t1), NTATAG_SIPFLAGS(MSG_DO_CANONIC | MSG_DO_EXTRACT_COPY),
		TAG_END());
	return endpoint->agent ? 0 : -ENOMEM;
}

/* sofia binds "::" for IPv6 only, and there are machines without it. */
static bool is_any(const char *host)
{
	return strcmp(host, "::") == 0;
}

static int bind_first(struct sip_endpoint *endpoint, const struct config_listen *listen)
{
	int err = bind_listener(endpoint, listen->transport, listen->host, listen->port);

	if (err == -EINVAL && is_any(listen->host))
		err = bind_listener(endpoint, listen->transport, "0.0.0.0", listen->port);
	return err;
}

/* IPv4 beside "::", on the same port. */
static int bind_second(struct sip_endpoint *endpoint, const struct config_listen *listen,
		       size_t index)
{
	if (!is_any(listen->host) || tport_has_ip4(endpoint->listeners[index].tport))
		return 0;
	return bind_listener(endpoint, listen->transport, "0.0.0.0",
			     sip_endpoint_port(endpoint, index));
}

static int bind_all(struct sip_endpoint *endpoint, const struct sip_endpoint_options *options,
		    char *error, size_t room)
{
	for (size_t turn = 0; turn < 2 * options->listen_count; turn++) {
		size_t i = turn % options->listen_count; /* all first ones, then all second */
		const struct config_listen *listen = &options->listen[i];
		int err =
			turn == i ? bind_first(endpoint, listen) : bind_second(endpoint, listen, i);

		if (err) {
			(void)snprintf(error, room, "cannot listen on %s://%s:%u: %s",
				       sip_transport_name(listen->transport), listen->host,
				       listen->port,
				       err == -EADDRINUSE
					       ? "something else does; stop it or take another port"
					       : "give an address of this machine and a free port");
			return err;
		}
	}
	return 0;
}

/* Ports for the transports that only next hops want. */
static int bind_reach(struct sip_endpoint *endpoint, unsigned reach, char *error, size_t room)
{
	const char *host = endpoint->listener_count
				   ? tport_name(endpoint->listeners[0].tport)->tpn_host
				   : "0.0.0.0";

	for (int i = SIP_TRANSPORT_UDP; i <= SIP_TRANSPORT_TLS; i++) {
		enum sip_transport transport = (enum sip_transport)i;
		int err;

		if (!(reach & 1u << i) || endpoint_listener(endpoint, transport, NULL))
			continue;
		err = bind_listener(endpoint, transport, host, 0);
		if (err) {
			(void)snprintf(error, room, "no free %s port on %s to call from",
				       sip_transport_name(transport), host);
			return err;
		}
	}
	return 0;
}

static void ask_dns(void *dns, const char *name, enum dns_type type, dns_answer_fn *on_answer,
		    void *arg)
{
	dns_ask(dns, name, type, on_answer, arg);
}

/* What can be called depends on the ports there are to call from. */
static int create_resolver(struct sip_endpoint *endpoint,
			   const struct sip_endpoint_options *options, char *error, size_t room)
{
	struct resolver_options resolve = { .ask = ask_dns,
					    .wheel = endpoint_wheel(endpoint),
					    .hosts_path = "/etc/hosts" };
	int err = dns_create(&endpoint->dns, endpoint->loop, options->dns_servers,
			     options->dns_server_count);

	if (err == -EINVAL)
		(void)snprintf(error, room, "sip.dns_servers holds something that is no address");
	if (err)
		return err;
	for (size_t i = 0; i < endpoint->listener_count; i++) {
		const struct listener *listener = &endpoint->listeners[i];

		resolve.transports |= 1u << listener->transport;
		resolve.ipv4 = resolve.ipv4 || tport_has_ip4(listener->tport);
		resolve.ipv6 = resolve.ipv6 || tport_has_ip6(listener->tport);
	}
	resolve.asked = endpoint->dns;
	return resolver_create(&endpoint->resolver, &resolve);
}

bool sip_endpoint_names_settled(const struct sip_endpoint *endpoint)
{
	return resolver_settled(endpoint->resolver);
}

static int copy_options(struct sip_endpoint *endpoint, const struct sip_endpoint_options *options)
{
	endpoint->connect_ms = options->connect_ms ? options->connect_ms : 1000;
	endpoint->t1_ms = options->t1_ms ? options->t1_ms : NTA_SIP_T1;
	endpoint->keepalive_s = options->keepalive_s;
	endpoint->session_terms.expires_s = options->session_expires_s;
	endpoint->session_terms.min_se_s =
		options->min_se_s > SESSION_MIN_SE_S ? options->min_se_s : SESSION_MIN_SE_S;
	endpoint->listening.inherited = options->inherited;
	endpoint->listening.inherited_count = options->inherited_count;
	endpoint->listening.silent = options->silent;
	endpoint->user_agent = strdup(options->user_agent ? options->user_agent : "breakout");
	endpoint->domain = str_dup_or_null(options->domain);
	endpoint->listeners =
		calloc(2 * options->listen_count + REACH_ROOM, sizeof(*endpoint->listeners));
	if (!endpoint->user_agent || !endpoint->listeners || (options->domain && !endpoint->domain))
		return -ENOMEM;
	return 0;
}

static void make_mark(struct sip_endpoint *endpoint)
{
	for (size_t i = 0; i + 8 < sizeof(endpoint->mark); i += 8)
		(void)snprintf(endpoint->mark + i, sizeof(endpoint->mark) - i, "%08" PRIx32,
			       leg_random());
}

const char *sip_endpoint_mark(const struct sip_endpoint *endpoint)
{
	return endpoint->mark;
}

int sip_endpoint_create(struct sip_endpoint **ret_endpoint, struct sip_loop *loop,
			const struct sip_endpoint_options *options,
			const struct sip_endpoint_handlers *handlers, char *error,
			size_t error_room)
{
	struct sip_endpoint *endpoint = calloc(1, sizeof(*endpoint));
	int err;

	if (!endpoint)
		return -ENOMEM;
	endpoint->loop = loop;
	endpoint->handlers = *handlers;
	make_mark(endpoint);
	timer_init(&endpoint->sweep, on_sweep, endpoint);
	err = copy_options(endpoint, options);
	if (!err)
		err = sip_trace_create(&endpoint->trace, options->trace_bytes);
	wiretap_set(endpoint->trace, endpoint->mark);
	if (!err)
		err = create_profile(endpoint, options, error, error_room);
	if (!err)
		err = create_agent(endpoint);
	if (!err)
		err = bind_all(endpoint, options, error, error_room);
	if (!err)
		err = bind_reach(endpoint, options->reach, error, error_room);
	if (!err)
		err = create_resolver(endpoint, options, error, error_room);
	if (err == -ENOMEM)
		(void)snprintf(error, error_room, "not enough memory");
	if (err) {
		sip_endpoint_destroy(endpoint);
		return err;
	}
	timer_start(endpoint_wheel(endpoint), &endpoint->sweep, clock_now() + SWEEP_MS);
	*ret_endpoint = endpoint;
	return 0;
}

int sip_endpoint_renew_tls(struct sip_endpoint *endpoint, struct tls_profile *take_profile,
			   const char *domain)
{
	char *copy = strdup(domain);

	if (!copy) {
		tls_profile_destroy(take_profile);
		return -ENOMEM;
	}
	tls_profile_renew(endpoint->tls, take_profile);
	free(endpoint->domain);
	endpoint->domain = copy;
	return 0;
}

void sip_endpoint_each_socket(const struct sip_endpoint *endpoint,
			      void (*visit)(const struct listening_socket *socket, void *arg),
			      void *arg)
{
	for (size_t i = 0; i < endpoint->listening.count; i++)
		visit(&endpoint->listening.sockets[i], arg);
}

void sip_endpoint_set_silent(struct sip_endpoint *endpoint, bool silent)
{
	listening_set_silent(&endpoint->listening, silent);
}

struct sip_trace *sip_endpoint_trace(const struct sip_endpoint *endpoint)
{
	return endpoint->trace;
}

size_t sip_endpoint_leg_count(const struct sip_endpoint *endpoint)
{
	return endpoint->leg_count;
}

size_t sip_endpoint_binding_count(const struct sip_endpoint *endpoint)
{
	return endpoint->binding_count;
}

struct sip_endpoint *sip_endpoint_destroy(struct sip_endpoint *endpoint)
{
	if (!endpoint)
		return NULL;
	while (endpoint->legs)
		leg_discard(endpoint->legs);
	binding_forget_all(endpoint);
	keepalive_stop(endpoint);
	dns_destroy(endpoint->dns);
	resolver_destroy(endpoint->resolver);
	timer_cancel(&endpoint->sweep);
	if (endpoint->agent)
		nta_agent_destroy(endpoint->agent);
	wiretap_set(NULL, NULL);
	sip_trace_destroy(endpoint->trace);
	tls_profile_destroy(endpoint->tls);
	listening_done(&endpoint->listening);
	free(endpoint->listeners);
	free(endpoint->domain);
	free(endpoint->user_agent);
	free(endpoint);
	return NULL;
}
