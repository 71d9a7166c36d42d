/* SPDX-License-Identifier: Apache-2.0 */
/* resolver.c - see resolver.h.
 *
 *   /etc/hosts ---------------------------------------------> addresses
 *   NAPTR (neither port nor transport in the URI) -> SRV -> A and AAAA of each host
 *   SRV (no port) of each transport in question --^
 *   A and AAAA (a port, or no SRV record) -----------------> addresses
 */
#include "tas/sip/resolver.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/str.h"
#include "config/address.h"
#include "tas/sip/hosts.h"

#define KEEP_MS       (24 * 3600 * (mono_ms)1000)
#define RETRY_S       5 /* after a failure, and until /etc/hosts is read again */
#define TTL_MIN_S     1 /* a record that says 0 holds for the calls of a second */
#define TTL_MAX_S     86400
#define PLACES_MAX    8 /* hosts of one SRV answer */
#define SERVICES_MAX  3 /* one a transport */
#define SERVICE_ROOM  (DNS_NAME_ROOM + 16)
#define WEIGHT_FACTOR 16 /* so that RFC 2782's weight 0 keeps "a very small chance" */

/* A host that has what we look for. */
struct place {
	struct lookup *lookup;
	char host[DNS_NAME_ROOM];
	enum sip_transport transport;
	uint16_t port, priority, weight;
};

/* One turn of asking. Freed when nothing is asked any more. */
struct lookup {
	struct resolver_name *name; /* NULL: nobody wants to know any more */
	struct {
		char name[SERVICE_ROOM];
		enum sip_transport transport;
	} services[SERVICES_MAX]; /* SRV names, tried in order until one has records */
	size_t service_count, service;
	struct place places[PLACES_MAX];
	size_t place_count;
	struct resolver_target found[RESOLVER_TARGETS_MAX];
	size_t found_count;
	unsigned asked; /* questions under way */
	uint32_t ttl_s;
	int err; /* the last that went wrong */
};

struct resolver_name {
	struct resolver *resolver;
	struct resolver_name *next, **link; /* the resolver's list */
	struct sip_uri uri;
	bool transport_given;
	enum sip_transport transport; /* given, or the default */
	void (*on_change)(void *arg);
	void *arg;
	struct resolver_target targets[RESOLVER_TARGETS_MAX];
	size_t count;
	mono_ms learned_ms;
	bool settled, told; /* looked up once; its trouble has been logged */
	struct timer timer;
	struct lookup *lookup; /* NULL: none under way */
};

struct resolver {
	struct resolver_options options;
	struct resolver_name *names;
};

/* ---- what was found ---- */

static int by_priority(const void *left, const void *right)
{
	const struct resolver_target *a = left, *b = right;

	if (a->priority != b->priority)
		return a->priority < b->priority ? -1 : 1;
	/* Servers turn their lists; what is the same shall look the same. */
	return strcmp(a->address, b->address);
}

static void add_target(struct lookup *lookup, const struct place *place, const char *address,
		       bool ipv6)
{
	struct resolver_target *target = &lookup->found[lookup->found_count];

	if (lookup->found_count == RESOLVER_TARGETS_MAX)
		return;
	lookup->found_count++;
	/* The room behind the text is zero too: targets are compared by bytes. */
	memset(target, 0, sizeof(*target));
	target->transport = place->transport;
	target->priority = 2u * place->priority + ipv6; /* IPv4 of a host before its IPv6 */
	target->weight = place->weight ? place->weight * WEIGHT_FACTOR : 1;
	target->port = place->port;
	(void)snprintf(target->address, sizeof(target->address), "%s", address);
}

static void again_in(struct resolver_name *name, uint32_t s)
{
	timer_start(name->resolver->options.wheel, &name->timer, clock_now() + (mono_ms)s * 1000);
}

static void learned(struct resolver_name *name, const struct lookup *lookup)
{
	size_t bytes = lookup->found_count * sizeof(lookup->found[0]);
	bool same = name->count == lookup->found_count &&
		    memcmp(name->targets, lookup->found, bytes) == 0;
	uint32_t ttl_s = lookup->ttl_s < TTL_MAX_S ? lookup->ttl_s : TTL_MAX_S;

	memcpy(name->targets, lookup->found, bytes);
	name->count = lookup->found_count;
	name->learned_ms = clock_now();
	if (name->told)
		log_notice("sip", "host=%s is found again addresses=%zu", name->uri.host,
			   name->count);
	name->told = false;
	if (lookup->err && ttl_s > RETRY_S)
		ttl_s = RETRY_S; /* some of it is missing */
	again_in(name, ttl_s > TTL_MIN_S ? ttl_s : TTL_MIN_S);
	if (!same)
		name->on_change(name->arg);
}

static void failed(struct resolver_name *name, int err)
{
	bool over = name->count && clock_now() - name->learned_ms >= KEEP_MS;

	if (!name->told)
		log_error("sip",
			  "host=%s cannot be looked up (%s), %s: check the name, sip.dns_servers "
			  "and /etc/resolv.conf",
			  name->uri.host,
			  !err || err == -ENOENT ? "no address of ours in the DNS"
						 : "the DNS does not answer",
			  name->count ? "what was known of it holds for a day"
				      : "it cannot be called");
	name->told = true;
	again_in(name, RETRY_S);
	if (over) {
		name->count = 0;
		name->on_change(name->arg);
	}
}

/* ---- the turn of asking ---- */

/* Each question holds the lookup, and so does who is just building it. */
static void let_go(struct lookup *lookup)
{
	struct resolver_name *name = lookup->name;

	if (--lookup->asked)
		return;
	if (name) {
		qsort(lookup->found, lookup->found_count, sizeof(lookup->found[0]), by_priority);
		name->lookup = NULL;
		name->settled = true;
		if (lookup->found_count)
			learned(name, lookup);
		else if (lookup->err != -ECANCELED)
			failed(name, lookup->err);
	}
	free(lookup);
}

/* True: there is something to read, for somebody. */
static bool took(struct lookup *lookup, int err, const struct dns_answer *answer)
{
	if (!lookup->name)
		return false;
	if (err && err != -ENOENT)
		lookup->err = err;
	if (answer && answer->count && answer->ttl_s < lookup->ttl_s)
		lookup->ttl_s = answer->ttl_s;
	return answer && answer->count;
}

static void ask(struct lookup *lookup, const char *name, enum dns_type type,
		dns_answer_fn *on_answer, void *arg)
{
	const struct resolver_options *options = &lookup->name->resolver->options;

	lookup->asked++;
	options->ask(options->asked, name, type, on_answer, arg);
}

static void on_addresses(struct place *place, int err, const struct dns_answer *answer, bool ipv6)
{
	struct lookup *lookup = place->lookup;

	if (took(lookup, err, answer))
		for (size_t i = 0; i < answer->count; i++)
			add_target(lookup, place, answer->records[i].text, ipv6);
	let_go(lookup);
}

static void on_ipv4(int err, const struct dns_answer *answer, void *arg)
{
	on_addresses(arg, err, answer, false);
}

static void on_ipv6(int err, const struct dns_answer *answer, void *arg)
{
	on_addresses(arg, err, answer, true);
}

static void add_place(struct lookup *lookup, const char *host, uint16_t port,
		      enum sip_transport transport, const struct dns_record *record)
{
	const struct resolver_options *options = &lookup->name->resolver->options;
	struct place *place = &lookup->places[lookup->place_count];

	if (lookup->place_count == PLACES_MAX)
		return;
	lookup->place_count++;
	*place = (struct place){ .lookup = lookup, .transport = transport, .port = port };
	if (record) {
		place->priority = record->priority;
		place->weight = record->weight;
	}
	(void)snprintf(place->host, sizeof(place->host), "%s", host);
	if (options->ipv4)
		ask(lookup, place->host, DNS_A, on_ipv4, place);
	if (options->ipv6)
		ask(lookup, place->host, DNS_AAAA, on_ipv6, place);
}

static uint16_t default_port(enum sip_transport transport)
{
	return transport == SIP_TRANSPORT_TLS ? 5061 : 5060; /* RFC 3261 section 19.1.2 */
}

/* The name itself, at the port it gives or the usual one. */
static void ask_host(struct lookup *lookup)
{
	const struct resolver_name *name = lookup->name;

	add_place(lookup, name->uri.host,
		  name->uri.port ? name->uri.port : default_port(name->transport), name->transport,
		  NULL);
}

static void ask_service(struct lookup *lookup);

static void on_srv(int err, const struct dns_answer *answer, void *arg)
{
	struct lookup *lookup = arg;

	if (took(lookup, err, answer)) {
		for (size_t i = 0; i < answer->count; i++) {
			const struct dns_record *record = &answer->records[i];

			if (record->text[0]) /* RFC 2782: "." is "not here" */
				add_place(lookup, record->text, record->port,
					  lookup->services[lookup->service].transport, record);
		}
	} else if (lookup->name && (!err || err == -ENOENT)) {
		lookup->service++;
		ask_service(lookup);
	}
	let_go(lookup);
}

/* The next one; the bare host when none is left (RFC 3263 section 4.2). */
static void ask_service(struct lookup *lookup)
{
	if (lookup->service < lookup->service_count)
		ask(lookup, lookup->services[lookup->service].name, DNS_SRV, on_srv, lookup);
	else
		ask_host(lookup);
}

static void add_service(struct lookup *lookup, const char *srv, enum sip_transport transport)
{
	if (lookup->service_count == SERVICES_MAX ||
	    !(lookup->name->resolver->options.transports & 1u << transport))
		return;
	(void)snprintf(lookup->services[lookup->service_count].name, SERVICE_ROOM, "%s", srv);
	lookup->services[lookup->service_count++].transport = transport;
}

static void add_usual_service(struct lookup *lookup, enum sip_transport transport)
{
	static const char *const prefixes[] = { [SIP_TRANSPORT_UDP] = "_sip._udp",
						[SIP_TRANSPORT_TCP] = "_sip._tcp",
						[SIP_TRANSPORT_TLS] = "_sips._tcp" };
	char srv[SERVICE_ROOM];

	(void)snprintf(srv, sizeof(srv), "%s.%s", prefixes[transport], lookup->name->uri.host);
	add_service(lookup, srv, transport);
}

/* RFC 3263 section 4.1: a sips URI goes nowhere but to SIPS+D2T. */
static bool naptr_transport(const struct dns_record *record, bool secure,
			    enum sip_transport *ret_transport)
{
	static const struct {
		const char *service;
		enum sip_transport transport;
	} known[] = { { "SIP+D2U", SIP_TRANSPORT_UDP },
		      { "SIP+D2T", SIP_TRANSPORT_TCP },
		      { "SIPS+D2T", SIP_TRANSPORT_TLS } };

	for (size_t i = 0; i < ARRAY_SIZE(known); i++) {
		if (!str_equal_nocase(record->service, known[i].service) ||
		    (secure && known[i].transport != SIP_TRANSPORT_TLS))
			continue;
		*ret_transport = known[i].transport;
		return record->text[0] != '\0';
	}
	return false;
}

static int by_order(const void *left, const void *right)
{
	const struct dns_record *a = left, *b = right;

	if (a->priority != b->priority)
		return a->priority < b->priority ? -1 : 1;
	return (int)a->weight - (int)b->weight;
}

static void on_naptr(int err, const struct dns_answer *answer, void *arg)
{
	struct lookup *lookup = arg;
	enum sip_transport transport;

	if (took(lookup, err, answer)) {
		struct dns_answer sorted = *answer;

		qsort(sorted.records, sorted.count, sizeof(sorted.records[0]), by_order);
		for (size_t i = 0; i < sorted.count; i++)
			if (naptr_transport(&sorted.records[i], lookup->name->uri.secure,
					    &transport))
				add_service(lookup, sorted.records[i].text, transport);
	}
	if (lookup->name) {
		if (!lookup->service_count) {
			add_usual_service(lookup, lookup->name->transport);
			if (!lookup->name->uri.secure)
				add_usual_service(lookup, SIP_TRANSPORT_TCP);
		}
		ask_service(lookup);
	}
	let_go(lookup);
}

static void begin(struct lookup *lookup)
{
	struct resolver_name *name = lookup->name;
	struct place here = { .transport = name->transport,
			      .port = name->uri.port ? name->uri.port
						     : default_port(name->transport) };
	char address[INET6_ADDRSTRLEN];

	if (hosts_find(name->resolver->options.hosts_path, name->uri.host, address) == 0) {
		add_target(lookup, &here, address, strchr(address, ':') != NULL);
		lookup->ttl_s = RETRY_S;
	} else if (name->uri.port) {
		ask_host(lookup);
	} else if (name->transport_given) {
		add_usual_service(lookup, name->transport);
		ask_service(lookup);
	} else {
		ask(lookup, name->uri.host, DNS_NAPTR, on_naptr, lookup);
	}
}

static void on_timer(struct timer *timer, void *arg)
{
	struct resolver_name *name = arg;
	struct lookup *lookup = calloc(1, sizeof(*lookup));

	(void)timer;
	if (!lookup) {
		name->settled = true;
		failed(name, -ENOMEM);
		return;
	}
	lookup->name = name;
	lookup->asked = 1;
	lookup->ttl_s = UINT32_MAX;
	name->lookup = lookup;
	begin(lookup);
	let_go(lookup);
}

/* ---- names ---- */

int resolver_create(struct resolver **ret_resolver, const struct resolver_options *options)
{
	struct resolver *resolver = calloc(1, sizeof(*resolver));

	if (!resolver)
		return -ENOMEM;
	resolver->options = *options;
	*ret_resolver = resolver;
	return 0;
}

struct resolver *resolver_destroy(struct resolver *resolver)
{
	free(resolver);
	return NULL;
}

bool resolver_is_for(const char *uri)
{
	struct sip_uri parsed;

	return !sip_uri_parse(uri, &parsed) && !host_is_literal(parsed.host);
}

int resolver_watch(struct resolver_name **ret_name, struct resolver *resolver, const char *uri,
		   void (*on_change)(void *arg), void *arg)
{
	struct resolver_name *name;

	if (!resolver_is_for(uri))
		return -EINVAL;
	name = calloc(1, sizeof(*name));
	if (!name)
		return -ENOMEM;
	(void)sip_uri_parse(uri, &name->uri); /* it is one */
	name->resolver = resolver;
	name->transport = config_uri_transport(uri);
	name->transport_given = strchr(uri, ';') != NULL; /* the only parameter there may be */
	name->on_change = on_change;
	name->arg = arg;
	timer_init(&name->timer, on_timer, name);
	name->next = resolver->names;
	name->link = &resolver->names;
	if (name->next)
		name->next->link = &name->next;
	resolver->names = name;
	*ret_name = name;
	on_timer(&name->timer, name);
	return 0;
}

struct resolver_name *resolver_unwatch(struct resolver_name *name)
{
	if (!name)
		return NULL;
	if (name->lookup)
		name->lookup->name = NULL;
	timer_cancel(&name->timer);
	*name->link = name->next;
	if (name->next)
		name->next->link = name->link;
	free(name);
	return NULL;
}

size_t resolver_targets(const struct resolver_name *name,
			const struct resolver_target **ret_targets)
{
	*ret_targets = name->targets;
	return name->count;
}

void resolver_hop(const struct resolver_name *name, const struct resolver_target *target,
		  char ret_uri[static RESOLVER_HOP_ROOM])
{
	/* RFC 3261 section 26.2.2: sips is TLS, and says no more of it. */
	(void)snprintf(ret_uri, RESOLVER_HOP_ROOM, "%s:%s:%u%s%s;maddr=%s",
		       name->uri.secure ? "sips" : "sip", name->uri.host, target->port,
		       name->uri.secure ? "" : ";transport=",
		       name->uri.secure ? "" : sip_transport_name(target->transport),
		       target->address);
}

bool resolver_find(const struct resolver *resolver, const char *host, uint16_t port,
		   enum sip_transport transport, char ret_uri[static RESOLVER_HOP_ROOM])
{
	for (const struct resolver_name *name = resolver->names; name; name = name->next) {
		if (name->uri.port != port || !str_equal_nocase(name->uri.host, host))
			continue;
		for (size_t i = 0; i < name->count; i++) {
			if (name->targets[i].transport != transport)
				continue;
			resolver_hop(name, &name->targets[i], ret_uri);
			return true;
		}
	}
	return false;
}

bool resolver_settled(const struct resolver *resolver)
{
	for (const struct resolver_name *name = resolver->names; name; name = name->next)
		if (!name->settled)
			return false;
	return true;
}
