/* SPDX-License-Identifier: Apache-2.0 */
#include "media/lite.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <stun/stunagent.h>
#include <stun/usages/ice.h>
#include <sys/socket.h>
#include <unistd.h>
#include "base/hash.h"
#include "base/log.h"
#include "base/metrics.h"
#include "media/address_table.h"
#include "media/credentials.h"
#include "media/packets.h"
#include "media/relay.h"

#define TABLE      4096 /* buckets of names; a power of two */
#define BINDINGS   8    /* proven pairs of a peer: its interfaces and families, and ours */
#define SWEEP_MS   5000
#define REPLY_ROOM 256

/* RFC 8445 5.1.2.1: type preference of a host candidate, a local preference of its own for
 * each of our addresses in their order, component 1. */
#define HOST_PRIORITY(host) (126u << 24 | (65535u - (host)) << 8 | (256u - 1u))

static struct metric answered =
	METRIC_COUNTER_INIT("breakout_ice_lite_checks_total", "result=\"answered\"",
			    "Connectivity checks that came in");
static struct metric refused = METRIC_COUNTER_INIT(
	"breakout_ice_lite_checks_total", "result=\"refused\"", "Connectivity checks that came in");
static struct metric strangers =
	METRIC_COUNTER_INIT("breakout_ice_lite_strangers_total", NULL,
			    "Packets from addresses that have proven nothing");

/* An address that has shown our password, and where. */
struct binding {
	struct address_entry entry;
	struct lite_leg *leg; /* NULL: free */
	struct door *door;
	mono_ms heard_ms;
};

/* What a check may name us by. */
struct name {
	struct credentials credentials; /* ufrag "": none */
	struct lite_leg *leg;
	struct name *next; /* of the same bucket */
};

struct lite_leg {
	struct lite *lite;
	struct ice_handlers handlers;
	struct name current, former; /* former: until current has been used */
	struct binding bindings[BINDINGS];
	struct binding *selected; /* where packets go; NULL: nowhere */
	bool silent;              /* nothing came for LITE_CONSENT_MS */
	struct lite_leg *next, **link;
};

/* The port on one of our addresses. */
struct door {
	struct watch watch;
	struct lite *lite;
	union net_address address;
	struct address_table by_address;
};

struct lite {
	struct worker *worker;
	unsigned door_count;
	StunAgent agent;
	struct name *by_name[TABLE];
	struct lite_leg *legs;
	struct timer sweep;
	struct door doors[];
};

/* ---- tables ---- */

static unsigned name_bucket(const void *ufrag, size_t length)
{
	return (unsigned)hash_bytes(ufrag, length) % TABLE;
}

static struct binding *binding_find(const struct door *door, const union net_address *address)
{
	struct address_entry *entry = address_table_find(&door->by_address, address);

	return entry ? CONTAINER_OF(entry, struct binding, entry) : NULL;
}

static void binding_unlink(struct binding *binding)
{
	if (!binding->leg)
		return;
	address_table_remove(&binding->door->by_address, &binding->entry);
	if (binding->leg->selected == binding)
		binding->leg->selected = NULL;
	binding->leg = NULL;
}

static void name_link(struct lite *lite, struct name *name)
{
	struct name **bucket =
		&lite->by_name[name_bucket(name->credentials.ufrag, CREDENTIALS_UFRAG)];

	name->next = *bucket;
	*bucket = name;
}

static void name_unlink(struct lite *lite, struct name *name)
{
	struct name **at = &lite->by_name[name_bucket(name->credentials.ufrag, CREDENTIALS_UFRAG)];

	if (!name->credentials.ufrag[0])
		return;
	while (*at != name)
		at = &(*at)->next;
	*at = name->next;
	credentials_forget(&name->credentials);
}

static struct name *name_find(const struct lite *lite, const uint8_t *ufrag, size_t length)
{
	struct name *name = lite->by_name[name_bucket(ufrag, length)];

	while (name && (length != CREDENTIALS_UFRAG ||
			memcmp(name->credentials.ufrag, ufrag, CREDENTIALS_UFRAG) != 0))
		name = name->next;
	return name;
}

/* ---- what a check proves ---- */

/* A free place, or that of the one that was silent longest and is not in use. */
static struct binding *binding_place(struct lite_leg *leg)
{
	struct binding *oldest = NULL;

	for (unsigned i = 0; i < BINDINGS; i++) {
		struct binding *binding = &leg->bindings[i];

		if (!binding->leg)
			return binding;
		if (binding != leg->selected && (!oldest || binding->heard_ms < oldest->heard_ms))
			oldest = binding;
	}
	binding_unlink(oldest);
	return oldest;
}

/* NULL: a live call has that address. */
static struct binding *bind_address(struct lite_leg *leg, struct door *door,
				    const union net_address *address)
{
	static struct log_limit told;
	struct binding *binding = binding_find(door, address);

	if (binding && binding->leg == leg)
		return binding;
	if (binding && clock_now() - binding->heard_ms < LITE_CLAIM_MS) {
		address_table_tell_taken(&told, address, "`media.ice: full`");
		return NULL;
	}
	if (binding) /* a NAT gave the port to somebody else meanwhile */
		binding_unlink(binding);
	binding = binding_place(leg);
	*binding = (struct binding){ .leg = leg, .door = door, .entry.address = *address };
	address_table_add(&door->by_address, &binding->entry);
	return binding;
}

static void use(struct lite_leg *leg, struct binding *binding)
{
	bool moved = leg->selected != binding || leg->silent;
	char text[NET_TEXT_ROOM];

	leg->selected = binding;
	leg->silent = false;
	if (!moved)
		return;
	net_format(&binding->entry.address, text);
	leg->handlers.connected(text, leg->handlers.arg);
}

/* The peer has moved to what was promised last: the rest is of the past. */
static void renew(struct lite_leg *leg, const struct binding *kept)
{
	if (!leg->former.credentials.ufrag[0])
		return;
	name_unlink(leg->lite, &leg->former);
	for (unsigned i = 0; i < BINDINGS; i++)
		if (&leg->bindings[i] != kept)
			binding_unlink(&leg->bindings[i]);
}

static void proven(struct name *name, struct binding *binding, bool nominates)
{
	struct lite_leg *leg = name->leg;

	binding->heard_ms = clock_now();
	if (name == &leg->current)
		renew(leg, binding);
	if (nominates || !leg->selected || leg->silent)
		use(leg, binding);
}

/* ---- STUN ---- */

struct lookup {
	const struct lite *lite;
	struct name *found;
};

/* USERNAME is our ufrag, a colon, and the peer's (RFC 8445 7.2.2). */
static bool find_password(StunAgent *agent, StunMessage *message, uint8_t *username,
			  uint16_t length, uint8_t **ret_password, size_t *ret_length, void *arg)
{
	struct lookup *lookup = arg;
	const uint8_t *colon = username ? memchr(username, ':', length) : NULL;

	(void)agent;
	(void)message;
	if (!colon)
		return false;
	lookup->found = name_find(lookup->lite, username, (size_t)(colon - username));
	if (!lookup->found)
		return false;
	*ret_password = (uint8_t *)lookup->found->credentials.password;
	*ret_length = CREDENTIALS_PASSWORD;
	return true;
}

/* Of libnice's own success the user name is a part (RFC 8489 wants none), which makes it
 * longer than a question for consent (RFC 7675) that says no role. */
static size_t make_success(struct lite *lite, StunMessage *request,
			   const struct sockaddr_storage *source, socklen_t source_size,
			   uint8_t ret_reply[static REPLY_ROOM])
{
	StunMessage reply;

	if (!stun_agent_init_response(&lite->agent, &reply, ret_reply, REPLY_ROOM, request) ||
	    stun_message_append_xor_addr(&reply, STUN_ATTRIBUTE_XOR_MAPPED_ADDRESS, source,
					 source_size) != STUN_MESSAGE_RETURN_SUCCESS)
		return 0;
	return stun_agent_finish_message(&lite->agent, &reply, NULL, 0); /* the request's key */
}

static size_t make_reply(struct lite *lite, StunMessage *request, const union net_address *from,
			 uint8_t ret_reply[static REPLY_ROOM], bool *ret_fine)
{
	struct sockaddr_storage source = { 0 };
	size_t length = REPLY_ROOM;
	bool controlling = false; /* and never: RFC 8445 6.1.1 */
	StunUsageIceReturn result;
	StunMessage reply;

	memcpy(&source, from, sizeof(*from));
	/* The tie-breaker 0 loses no conflict: a peer that wants to be controlled as
	 * well is told to take the other role (487, RFC 8445 7.3.1.1). */
	result = stun_usage_ice_conncheck_create_reply(
		&lite->agent, request, &reply, ret_reply, &length, &source, net_size(from),
		&controlling, 0, STUN_USAGE_ICE_COMPATIBILITY_RFC5245);
	*ret_fine = result == STUN_USAGE_ICE_RETURN_SUCCESS;
	if (*ret_fine)
		return make_success(lite, request, &source, net_size(from), ret_reply);
	return result == STUN_USAGE_ICE_RETURN_ROLE_CONFLICT ? length : 0;
}

/* Never more bytes out than came in: nobody can be flooded through us. */
static void on_check(struct door *door, StunMessage *request, struct name *name,
		     const union net_address *from, size_t request_length)
{
	struct lite *lite = door->lite;
	bool nominates = stun_usage_ice_conncheck_use_candidate(request), fine = false;
	uint8_t reply[REPLY_ROOM];
	size_t length = make_reply(lite, request, from, reply, &fine);
	struct binding *binding = fine ? bind_address(name->leg, door, from) : NULL;

	if (length == 0 || length > request_length || (fine && !binding) ||
	    !packets_send(worker_packets(lite->worker), door->watch.fd, from, reply, length)) {
		metric_add(&refused, 1);
		return;
	}
	metric_add(&answered, 1);
	if (fine)
		proven(name, binding, nominates);
}

static void on_stun(struct door *door, const union net_address *from, uint8_t *packet,
		    size_t length)
{
	struct lite *lite = door->lite;
	struct lookup lookup = { .lite = lite };
	StunValidationStatus status;
	StunMessage message;

	status =
		stun_agent_validate(&lite->agent, &message, packet, length, find_password, &lookup);
	if (status != STUN_VALIDATION_SUCCESS ||
	    stun_message_get_method(&message) != STUN_BINDING) {
		metric_add(&refused, 1);
		return;
	}
	/* Indications keep a NAT open (RFC 8445 11); what came has done that. */
	if (stun_message_get_class(&message) == STUN_REQUEST && lookup.found)
		on_check(door, &message, lookup.found, from, length);
}

/* ---- packets ---- */

/* The bucket, its first entry, the leg, and what the leg's owner needs. */
static void *look(const union net_address *from, unsigned step, void *found, void *arg)
{
	const struct door *door = arg;
	struct address_entry *const *bucket = found;
	struct address_entry *entry;
	struct binding *binding = found;

	switch (step) {
	case 0:
		bucket = address_table_bucket(&door->by_address, from);
		look_ahead(bucket, sizeof(*bucket));
		return (void *)bucket;
	case 1:
		look_ahead(*bucket, sizeof(*binding));
		return found;
	case 2:
		entry = address_table_find_in(bucket, from);
		binding = entry ? CONTAINER_OF(entry, struct binding, entry) : NULL;
		if (binding)
			look_ahead(binding->leg, sizeof(*binding->leg));
		return binding;
	}
	if (binding && binding->leg->handlers.look)
		binding->leg->handlers.look(step - 3, binding->leg->handlers.arg);
	return binding;
}

/* A check of the same batch may have given the address to a leg, or taken it away. */
static struct binding *still_there(const struct door *door, const union net_address *from,
				   struct binding *found)
{
	if (found && found->leg && found->door == door && net_equal(&found->entry.address, from))
		return found;
	return binding_find(door, from);
}

/* Also again: who does without checks may have been on hold. */
static void consents(struct binding *binding)
{
	binding->heard_ms = worker_now(binding->door->lite->worker);
	if (binding->leg->silent && binding->leg->selected == binding)
		use(binding->leg, binding);
}

static void on_datagram(const union net_address *from, uint8_t *packet, size_t length, void *found,
			void *arg)
{
	struct door *door = arg;
	struct binding *binding;

	if (length == 0 || length > RELAY_PACKET_MAX)
		return;
	binding = still_there(door, from, found);
	if (wire_of(packet[0]) == WIRE_STUN)
		on_stun(door, from, packet, length);
	else if (!binding)
		metric_add(&strangers, 1);
	else if (binding->leg->handlers.packet(packet, length, binding->leg->handlers.arg))
		consents(binding); /* anybody can forge the rest */
}

static void on_readable(struct watch *watch)
{
	struct door *door = CONTAINER_OF(watch, struct door, watch);

	(void)packets_receive_many(worker_packets(door->lite->worker), watch->fd, look, on_datagram,
				   door);
}

void lite_leg_look(const struct lite_leg *leg)
{
	look_ahead(leg, sizeof(*leg));
}

bool lite_leg_is_connected(const struct lite_leg *leg)
{
	return leg->selected && !leg->silent;
}

bool lite_leg_is_silent(const struct lite_leg *leg)
{
	return leg->selected && leg->silent;
}

bool lite_leg_send(struct lite_leg *leg, const uint8_t *packet, size_t length)
{
	const struct binding *to = leg->selected;

	return lite_leg_is_connected(leg) &&
	       packets_send(worker_packets(leg->lite->worker), to->door->watch.fd,
			    &to->entry.address, packet, length);
}

/* ---- consent ---- */

static void look_at(struct lite_leg *leg, mono_ms now)
{
	if (!lite_leg_is_connected(leg) || now - leg->selected->heard_ms < LITE_CONSENT_MS)
		return;
	leg->silent = true;
	leg->handlers.failed(leg->handlers.arg);
}

static void on_sweep(struct timer *timer, void *arg)
{
	struct lite *lite = arg;
	mono_ms now = clock_now();

	for (struct lite_leg *leg = lite->legs; leg; leg = leg->next)
		look_at(leg, now);
	if (lite->legs)
		timer_start(worker_wheel(lite->worker), timer, now + SWEEP_MS);
}

/* ---- legs ---- */

int lite_leg_create(struct lite_leg **ret_leg, struct lite *lite,
		    const struct ice_handlers *handlers)
{
	struct lite_leg *leg = calloc(1, sizeof(*leg));
	int err;

	if (!leg)
		return -ENOMEM;
	err = credentials_make(&leg->current.credentials);
	if (err) {
		free(leg);
		return err;
	}
	leg->lite = lite;
	leg->handlers = *handlers;
	leg->current.leg = leg->former.leg = leg;
	name_link(lite, &leg->current);
	leg->next = lite->legs;
	if (leg->next)
		leg->next->link = &leg->next;
	leg->link = &lite->legs;
	lite->legs = leg;
	if (!timer_active(&lite->sweep))
		timer_start(worker_wheel(lite->worker), &lite->sweep, clock_now() + SWEEP_MS);
	*ret_leg = leg;
	return 0;
}

struct lite_leg *lite_leg_destroy(struct lite_leg *leg)
{
	if (!leg)
		return NULL;
	for (unsigned i = 0; i < BINDINGS; i++)
		binding_unlink(&leg->bindings[i]);
	name_unlink(leg->lite, &leg->current);
	name_unlink(leg->lite, &leg->former);
	*leg->link = leg->next;
	if (leg->next)
		leg->next->link = leg->link;
	free(leg);
	return NULL;
}

void lite_leg_describe(const struct lite_leg *leg, struct media_desc *desc)
{
	const struct credentials *own = &leg->current.credentials;

	memcpy(desc->ufrag, own->ufrag, sizeof(own->ufrag));
	memcpy(desc->password, own->password, sizeof(own->password));
	for (unsigned i = 0; i < leg->lite->door_count; i++)
		desc->candidates[i] =
			(struct sdp_candidate){ .address = leg->lite->doors[i].address,
						.priority = HOST_PRIORITY(i),
						.type = SDP_HOST,
						.foundation = { (char)('1' + i) } };
	desc->candidate_count = (uint8_t)leg->lite->door_count;
}

static struct door *door_of_family(struct lite *lite, int family)
{
	for (unsigned i = 0; i < lite->door_count; i++)
		if (lite->doors[i].address.any.sa_family == family)
			return &lite->doors[i];
	return NULL;
}

/* The peer is told its own word: nobody has checked. */
static int believe(struct lite_leg *leg, struct door *door, const union net_address *address)
{
	struct binding *binding = bind_address(leg, door, address);

	if (!binding)
		return -EADDRINUSE;
	binding->heard_ms = clock_now();
	use(leg, binding);
	return 0;
}

int lite_leg_set_remote(struct lite_leg *leg, const struct media_desc *remote)
{
	for (unsigned i = 0; remote->ice_lite && i < remote->candidate_count; i++) {
		const union net_address *address = &remote->candidates[i].address;
		struct door *door = door_of_family(leg->lite, address->any.sa_family);

		if (door)
			return believe(leg, door, address);
	}
	return 0;
}

int lite_leg_restart(struct lite_leg *leg, bool new_credentials)
{
	struct credentials fresh;
	int err = new_credentials ? credentials_make(&fresh) : 0;

	if (err || !new_credentials)
		return err;
	name_unlink(leg->lite, &leg->former);
	leg->former.credentials = leg->current.credentials;
	name_unlink(leg->lite, &leg->current);
	leg->current.credentials = fresh;
	name_link(leg->lite, &leg->former);
	name_link(leg->lite, &leg->current);
	credentials_forget(&fresh);
	return 0;
}

static int open_door(struct lite *lite, const union net_address *host, uint16_t port)
{
	struct door *door = &lite->doors[lite->door_count];
	union net_address address = *host;
	socklen_t length = sizeof(door->address);
	int fd = socket(host->any.sa_family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0)
		return -errno;
	lite->door_count++;
	door->lite = lite;
	door->watch = (struct watch){ .fd = fd, .readable = on_readable };
	packets_widen(fd);
	net_set_port(&address, port);
	if (bind(fd, &address.any, net_size(&address)) < 0 ||
	    getsockname(fd, &door->address.any, &length) < 0)
		return -errno;
	return 0;
}

static int open_doors(struct lite *lite, const struct net_hosts *hosts, uint16_t port)
{
	int err = 0;

	for (unsigned i = 0; i < hosts->count && !err; i++)
		err = open_door(lite, &hosts->own[i], port);
	for (unsigned i = 0; i < hosts->count && !err; i++) /* the thread may take packets now */
		err = worker_watch(lite->worker, &lite->doors[i].watch);
	return err;
}

int lite_create(struct lite **ret_lite, struct worker *worker, const struct net_hosts *hosts,
		uint16_t port)
{
	struct lite *lite = calloc(1, sizeof(*lite) + hosts->count * sizeof(lite->doors[0]));
	int err;

	if (!lite)
		return -ENOMEM;
	lite->worker = worker;
	timer_init(&lite->sweep, on_sweep, lite);
	stun_agent_init(&lite->agent, STUN_ALL_KNOWN_ATTRIBUTES, STUN_COMPATIBILITY_RFC5389,
			STUN_AGENT_USAGE_SHORT_TERM_CREDENTIALS | STUN_AGENT_USAGE_USE_FINGERPRINT |
				STUN_AGENT_USAGE_NO_INDICATION_AUTH);
	err = open_doors(lite, hosts, port);
	if (err) {
		(void)lite_destroy(lite);
		return err;
	}
	*ret_lite = lite;
	return 0;
}

struct lite *lite_destroy(struct lite *lite)
{
	if (!lite)
		return NULL;
	for (unsigned i = 0; i < lite->door_count; i++)
		close(lite->doors[i].watch.fd);
	free(lite);
	return NULL;
}

const union net_address *lite_address(const struct lite *lite)
{
	return &lite->doors[0].address;
}
