/* SPDX-License-Identifier: Apache-2.0 */
#include "media/ice.h"
#include <dlfcn.h>
#include <errno.h>
#include <glib.h>
#include <nice/agent.h>
#include <openssl/rand.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <stun/stunagent.h>
#include <sys/random.h>
#include "media/credentials.h"

#define COMPONENT 1

/* Between questions: 5 s, less or more by a fifth, and never repeated. Source:
 * RFC 7675 5.1. */
#define ASK_LEAST_MS  4000
#define ASK_SPREAD_MS 2000

/* Of an agent: a host's of each address, and what each server makes of it. */
#define CANDIDATES_MAX 16

/* A relay is given back with so many repetitions, within 3.5 s; else it ends by
 * itself, which its server is asked to do after ten minutes. */
#define FAREWELL_REPEATS 3

/* PRIORITY of our questions: a peer-reflexive candidate's, RFC 8445 5.1.2.1. */
#define ASK_PRIORITY ((110U << 24) | (65535U << 8) | 255U)

struct ice {
	NiceAgent *agent;
	GMainContext *context;
	guint stream;
	struct ice_handlers handlers;
	bool connected, lost;
	StunAgent stun; /* of our own questions for consent */
	StunTransactionId asked;
	struct timer_wheel *wheel;
	struct timer consent; /* the next question */
	mono_ms consent_until;
	char peer_ufrag[SDP_CREDENTIAL_ROOM];
	uint8_t peer_password[SDP_CREDENTIAL_ROOM];
	struct credentials own;
	struct sdp_candidate candidates[CANDIDATES_MAX];
	uint8_t candidate_count;
	struct timer budget; /* while gathering */
	bool asks, answered; /* servers; and there is no more to wait for */
	bool gathering, relay_only;
	unsigned relays_wanted, relays;
	void (*gathered)(bool whole, void *arg);
	void (*gone)(void *arg);
	void *gone_arg;
};

static int set_credentials(struct ice *ice, bool renew)
{
	if (renew && credentials_make(&ice->own))
		return -EIO;
	return nice_agent_set_local_credentials(ice->agent, ice->stream, ice->own.ufrag,
						ice->own.password)
		       ? 0
		       : -EIO;
}

static __typeof__(stun_agent_validate) *real_validate;

/* The last four bytes of the transaction id of each of our own questions, so that their
 * answers are told from others; eight are drawn anew for each. */
#define MARK_AT 12
static uint8_t own_mark[4];

static void find_validate(void)
{
	/* 0 would do. Not from OpenSSL: who asks first may be a thread that outlives what that
	 * keeps for threads, as the one of servers.c does at the end. */
	(void)!getrandom(own_mark, sizeof(own_mark), 0);
	*(void **)&real_validate = dlsym(RTLD_NEXT, "stun_agent_validate");
	if (!real_validate)
		abort(); /* not the libnice this was linked with */
}

static bool is_own_answer(const StunMessage *message)
{
	StunTransactionId id;

	stun_message_id(message, id);
	return memcmp(id + MARK_AT, own_mark, sizeof(own_mark)) == 0;
}

/* In libnice's place. 0.1.21 answers a check whose integrity is missing or
 * wrong, to anybody and with more bytes than came, and swallows answers it did
 * not ask for, which those to our consent questions are. As "no STUN" the one is
 * dropped and the other handed to us, if an address it validated sent it.
 *
 * What nobody asked for with this agent stays so otherwise: libnice then looks whether
 * it answers a question to a STUN or TURN server, whose agents have no password of a
 * peer. A request is never such an answer, and without this rule a check without
 * integrity would pass as one while candidates are gathered. */
StunValidationStatus stun_agent_validate(StunAgent *agent, StunMessage *message,
					 const uint8_t *bytes, size_t length,
					 StunMessageIntegrityValidate integrity, void *arg)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	StunValidationStatus status;

	(void)pthread_once(&once, find_validate);
	status = real_validate(agent, message, bytes, length, integrity, arg);
	switch ((int)status) {
	case STUN_VALIDATION_UNAUTHORIZED:
	case STUN_VALIDATION_UNAUTHORIZED_BAD_REQUEST:
		return STUN_VALIDATION_NOT_STUN;
	case STUN_VALIDATION_UNMATCHED_RESPONSE:
		return is_own_answer(message) ? STUN_VALIDATION_NOT_STUN : status;
	case STUN_VALIDATION_SUCCESS:
	case STUN_VALIDATION_UNKNOWN_REQUEST_ATTRIBUTE:
		if (stun_message_get_class(message) == STUN_REQUEST &&
		    !(agent->usage_flags & STUN_AGENT_USAGE_SHORT_TERM_CREDENTIALS))
			return STUN_VALIDATION_NOT_STUN;
		return status;
	default:
		return status;
	}
}

static void to_nice(const union net_address *address, NiceAddress *ret_nice)
{
	nice_address_init(ret_nice);
	nice_address_set_from_sockaddr(ret_nice, &address->any);
}

static void from_nice(const NiceAddress *nice, union net_address *ret_address)
{
	struct sockaddr_storage storage;

	memset(&storage, 0, sizeof(storage));
	nice_address_copy_to_sockaddr(nice, (struct sockaddr *)&storage);
	memcpy(ret_address, &storage, sizeof(*ret_address));
}

/* libnice's own consent is left off: 0.1.21 gives up after 10 s where RFC 7675
 * says 30, so that one lost answer ends a call. Roles are settled by libnice's
 * checks; ours says none, so that nobody sees a conflict in it. */
static void ask_consent(struct ice *ice)
{
	uint8_t buffer[STUN_MAX_MESSAGE_SIZE];
	char username[2 * SDP_CREDENTIAL_ROOM];
	StunMessage message;
	size_t length = 0;

	(void)snprintf(username, sizeof(username), "%s:%s", ice->peer_ufrag, ice->own.ufrag);
	stun_agent_forget_transaction(&ice->stun, ice->asked);
	if (!stun_agent_init_request(&ice->stun, &message, buffer, sizeof(buffer), STUN_BINDING))
		return;
	memcpy(buffer + STUN_MESSAGE_TRANS_ID_POS + MARK_AT, own_mark, sizeof(own_mark));
	if (stun_message_append32(&message, STUN_ATTRIBUTE_PRIORITY, ASK_PRIORITY) ==
		    STUN_MESSAGE_RETURN_SUCCESS &&
	    stun_message_append_string(&message, STUN_ATTRIBUTE_USERNAME, username) ==
		    STUN_MESSAGE_RETURN_SUCCESS)
		length = stun_agent_finish_message(&ice->stun, &message, ice->peer_password,
						   strlen((const char *)ice->peer_password));
	if (length == 0)
		return;
	stun_message_id(&message, ice->asked);
	(void)ice_send(ice, buffer, length); /* what is lost is asked again */
}

static void ask_later(struct ice *ice)
{
	uint16_t spread = 0;

	(void)RAND_bytes((unsigned char *)&spread, sizeof(spread)); /* 0 would do */
	timer_start(ice->wheel, &ice->consent, clock_now() + ASK_LEAST_MS + spread % ASK_SPREAD_MS);
}

static void on_consent(struct timer *timer, void *arg)
{
	struct ice *ice = arg;

	(void)timer;
	if (clock_now() >= ice->consent_until) {
		ice->lost = true;
		ice->handlers.lost(ice->handlers.arg);
		return;
	}
	ask_consent(ice);
	ask_later(ice);
}

/* libnice hands up what answers none of its own checks. */
static void hear_consent(struct ice *ice, const uint8_t *packet, size_t length)
{
	StunMessage message;

	if (stun_agent_validate(&ice->stun, &message, packet, length, NULL, NULL) ==
		    STUN_VALIDATION_SUCCESS &&
	    stun_message_get_class(&message) == STUN_RESPONSE)
		ice->consent_until = clock_now() + ICE_CONSENT_MS;
}

static void on_packet(NiceAgent *agent, guint stream, guint component, guint length, gchar *buffer,
		      gpointer arg)
{
	struct ice *ice = arg;

	(void)agent;
	(void)stream;
	(void)component;
	if (length > 0 && (uint8_t)buffer[0] < 4) /* STUN: RFC 7983 7 */
		hear_consent(ice, (const uint8_t *)buffer, length);
	else
		(void)ice->handlers.packet((uint8_t *)buffer, length, ice->handlers.arg);
}

static void tell_connected(struct ice *ice)
{
	NiceCandidate *local, *remote;
	union net_address address;
	char text[NET_TEXT_ROOM];

	if (!nice_agent_get_selected_pair(ice->agent, ice->stream, COMPONENT, &local, &remote))
		return;
	from_nice(&remote->addr, &address);
	net_format(&address, text);
	ice->connected = true;
	if (!timer_active(&ice->consent) && !ice->lost) {
		ice->consent_until = clock_now() + ICE_CONSENT_MS;
		ask_later(ice);
	}
	ice->handlers.connected(text, ice->handlers.arg);
}

static void on_state(NiceAgent *agent, guint stream, guint component, guint state, gpointer arg)
{
	struct ice *ice = arg;

	(void)agent;
	(void)stream;
	(void)component;
	if (state == NICE_COMPONENT_STATE_CONNECTED || state == NICE_COMPONENT_STATE_READY) {
		tell_connected(ice);
	} else if (state == NICE_COMPONENT_STATE_FAILED) {
		ice->connected = false;
		ice->handlers.failed(ice->handlers.arg);
	}
}

static void on_pair(NiceAgent *agent, guint stream, guint component, NiceCandidate *local,
		    NiceCandidate *remote, gpointer arg)
{
	(void)agent;
	(void)stream;
	(void)component;
	(void)local;
	(void)remote;
	tell_connected(arg);
}

static enum sdp_candidate_type sdp_type(NiceCandidateType type)
{
	switch (type) {
	case NICE_CANDIDATE_TYPE_SERVER_REFLEXIVE:
		return SDP_SRFLX;
	case NICE_CANDIDATE_TYPE_PEER_REFLEXIVE:
		return SDP_PRFLX;
	case NICE_CANDIDATE_TYPE_RELAYED:
		return SDP_RELAY;
	case NICE_CANDIDATE_TYPE_HOST:
		break;
	}
	return SDP_HOST;
}

static void keep_candidate(struct ice *ice, const NiceCandidate *found)
{
	struct sdp_candidate *kept = &ice->candidates[ice->candidate_count];
	enum sdp_candidate_type type = sdp_type(found->type);

	if (found->transport != NICE_CANDIDATE_TRANSPORT_UDP || type == SDP_PRFLX ||
	    (ice->relay_only && type != SDP_RELAY) || ice->candidate_count == CANDIDATES_MAX)
		return;
	from_nice(&found->addr, &kept->address);
	kept->priority = found->priority;
	kept->type = type;
	(void)g_strlcpy(kept->foundation, found->foundation, sizeof(kept->foundation));
	ice->candidate_count++;
	ice->relays += type == SDP_RELAY;
}

static void keep_candidates(struct ice *ice)
{
	GSList *list = nice_agent_get_local_candidates(ice->agent, ice->stream, COMPONENT);

	ice->candidate_count = 0;
	ice->relays = 0;
	for (GSList *item = list; item; item = item->next)
		keep_candidate(ice, item->data);
	g_slist_free_full(list, (GDestroyNotify)nice_candidate_free);
}

static void end_gathering(struct ice *ice, bool in_time)
{
	timer_cancel(&ice->budget);
	ice->gathering = false;
	keep_candidates(ice);
	ice->gathered(in_time && ice->relays >= ice->relays_wanted, ice->handlers.arg);
}

static void on_budget(struct timer *timer, void *arg)
{
	(void)timer;
	end_gathering(arg, /* in_time= */ false);
}

static void on_gathering_done(NiceAgent *agent, guint stream, gpointer arg)
{
	struct ice *ice = arg;

	(void)agent;
	(void)stream;
	ice->answered = true; /* perhaps while it is made: no server could be reached */
	if (ice->gathering)
		end_gathering(ice, /* in_time= */ true);
}

/* Servers are reached from addresses of their family only. */
static bool can_reach(const struct net_hosts *hosts, const union net_address *server)
{
	for (unsigned i = 0; i < hosts->count; i++)
		if (hosts->own[i].any.sa_family == server->any.sa_family)
			return true;
	return false;
}

static bool use_servers(struct ice *ice, const struct servers_now *servers,
			const struct net_hosts *hosts)
{
	char host[NET_TEXT_ROOM];

	if (can_reach(hosts, &servers->stun)) {
		net_host(&servers->stun, host);
		g_object_set(ice->agent, "stun-server", host, "stun-server-port",
			     (guint)net_port(&servers->stun), NULL);
		ice->asks = true;
	}
	for (unsigned i = 0; i < servers->turn_count; i++) {
		const struct servers_turn *turn = &servers->turn[i];

		if (!can_reach(hosts, &turn->address))
			continue;
		net_host(&turn->address, host);
		if (!nice_agent_set_relay_info(
			    ice->agent, ice->stream, COMPONENT, host, net_port(&turn->address),
			    turn->username, turn->password,
			    turn->tcp ? NICE_RELAY_TYPE_TURN_TCP : NICE_RELAY_TYPE_TURN_UDP))
			return false;
		ice->relays_wanted++;
		ice->asks = true;
	}
	ice->relay_only = servers->relay_only;
	g_object_set(ice->agent, "force-relay", servers->relay_only ? TRUE : FALSE, NULL);
	return true;
}

static bool add_addresses(struct ice *ice, const struct net_hosts *hosts)
{
	for (unsigned i = 0; i < hosts->count; i++) {
		NiceAddress nice;

		to_nice(&hosts->own[i], &nice);
		nice_address_set_port(&nice, 0);
		if (!nice_agent_add_local_address(ice->agent, &nice))
			return false;
	}
	return true;
}

/* Host candidates are there at once; what servers add is told by gathered(). */
static int gather(struct ice *ice, const struct ice_setup *setup)
{
	int err;

	ice->stream = nice_agent_add_stream(ice->agent, COMPONENT);
	if (ice->stream == 0 || !add_addresses(ice, setup->hosts) ||
	    !use_servers(ice, setup->servers, setup->hosts))
		return -EIO;
	nice_agent_set_port_range(ice->agent, ice->stream, COMPONENT, setup->port, setup->port);
	err = set_credentials(ice, /* renew= */ true);
	if (err)
		return err;
	if (!nice_agent_attach_recv(ice->agent, ice->stream, COMPONENT, ice->context, on_packet,
				    ice) ||
	    !nice_agent_gather_candidates(ice->agent, ice->stream))
		return -EIO;
	ice->gathering = ice->asks && !ice->answered;
	if (ice->gathering)
		timer_start(ice->wheel, &ice->budget, clock_now() + setup->servers->gather_ms);
	keep_candidates(ice);
	return ice->candidate_count > 0 || ice->relay_only ? 0 : -EIO;
}

int ice_create(struct ice **ret_ice, const struct ice_setup *setup)
{
	struct ice *ice = calloc(1, sizeof(*ice));
	int err;

	if (!ice)
		return -ENOMEM;
	ice->handlers = setup->handlers;
	ice->gathered = setup->gathered;
	ice->context = setup->context;
	ice->wheel = setup->wheel;
	timer_init(&ice->consent, on_consent, ice);
	timer_init(&ice->budget, on_budget, ice);
	stun_agent_init(&ice->stun, STUN_ALL_KNOWN_ATTRIBUTES, STUN_COMPATIBILITY_RFC5389,
			STUN_AGENT_USAGE_SHORT_TERM_CREDENTIALS | STUN_AGENT_USAGE_USE_FINGERPRINT);
	ice->agent = nice_agent_new(ice->context, NICE_COMPATIBILITY_RFC5245);
	g_object_set(ice->agent, "ice-tcp", FALSE, "upnp", FALSE, "controlling-mode", TRUE, NULL);
	g_signal_connect(ice->agent, "component-state-changed", G_CALLBACK(on_state), ice);
	g_signal_connect(ice->agent, "new-selected-pair-full", G_CALLBACK(on_pair), ice);
	g_signal_connect(ice->agent, "candidate-gathering-done", G_CALLBACK(on_gathering_done),
			 ice);
	err = gather(ice, setup);
	if (err) {
		ice->relays_wanted = 0; /* nothing was asked for yet */
		ice_destroy(ice);
		return err;
	}
	ice->gone = setup->gone;
	ice->gone_arg = setup->gone_arg;
	*ret_ice = ice;
	return 0;
}

/* What outlives an agent that has relays to give back. */
struct farewell {
	void (*gone)(void *arg);
	void *arg;
};

static void on_closed(GObject *agent, GAsyncResult *result, gpointer arg)
{
	struct farewell *farewell = arg;

	(void)result;
	g_object_unref(agent);
	farewell->gone(farewell->arg);
	g_free(farewell);
}

static void ignore_packet(NiceAgent *agent, guint stream, guint component, guint length,
			  gchar *buffer, gpointer arg)
{
	(void)agent;
	(void)stream;
	(void)component;
	(void)length;
	(void)buffer;
	(void)arg;
}

/* Relays are given back, or they count against our quota for ten minutes more. The
 * socket must stay for it; under new credentials it answers no peer any more. */
static void close_slowly(struct ice *ice)
{
	struct farewell *farewell = g_new(struct farewell, 1);

	*farewell = (struct farewell){ ice->gone, ice->gone_arg };
	(void)set_credentials(ice, /* renew= */ true);
	(void)nice_agent_attach_recv(ice->agent, ice->stream, COMPONENT, ice->context,
				     ignore_packet, NULL);
	g_object_set(ice->agent, "stun-max-retransmissions", FAREWELL_REPEATS, NULL);
	nice_agent_close_async(ice->agent, on_closed, farewell);
}

static void close_at_once(struct ice *ice)
{
	if (ice->stream)
		nice_agent_remove_stream(ice->agent, ice->stream);
	g_object_unref(ice->agent);
	if (ice->gone)
		ice->gone(ice->gone_arg);
}

struct ice *ice_destroy(struct ice *ice)
{
	if (!ice)
		return NULL;
	timer_cancel(&ice->consent);
	timer_cancel(&ice->budget);
	g_signal_handlers_disconnect_by_data(ice->agent, ice);
	if (ice->relays_wanted > 0)
		close_slowly(ice);
	else
		close_at_once(ice);
	OPENSSL_cleanse(ice, sizeof(*ice));
	free(ice);
	return NULL;
}

void ice_describe(const struct ice *ice, struct media_desc *desc)
{
	memcpy(desc->ufrag, ice->own.ufrag, sizeof(ice->own.ufrag));
	memcpy(desc->password, ice->own.password, sizeof(ice->own.password));
	memcpy(desc->candidates, ice->candidates, sizeof(ice->candidates));
	desc->candidate_count = ice->candidate_count;
}

void ice_set_controlling(struct ice *ice, bool controlling)
{
	g_object_set(ice->agent, "controlling-mode", controlling ? TRUE : FALSE, NULL);
}

static NiceCandidateType nice_type(enum sdp_candidate_type type)
{
	switch (type) {
	case SDP_HOST:
		return NICE_CANDIDATE_TYPE_HOST;
	case SDP_SRFLX:
		return NICE_CANDIDATE_TYPE_SERVER_REFLEXIVE;
	case SDP_PRFLX:
		return NICE_CANDIDATE_TYPE_PEER_REFLEXIVE;
	case SDP_RELAY:
		return NICE_CANDIDATE_TYPE_RELAYED;
	}
	return NICE_CANDIDATE_TYPE_HOST;
}

static NiceCandidate *make_candidate(const struct ice *ice, const struct sdp_candidate *from)
{
	NiceCandidate *candidate = nice_candidate_new(nice_type(from->type));

	candidate->transport = NICE_CANDIDATE_TRANSPORT_UDP;
	candidate->stream_id = ice->stream;
	candidate->component_id = COMPONENT;
	candidate->priority = from->priority;
	to_nice(&from->address, &candidate->addr);
	candidate->base_addr = candidate->addr;
	(void)g_strlcpy(candidate->foundation, from->foundation, sizeof(candidate->foundation));
	return candidate;
}

int ice_add_remote(struct ice *ice, const struct media_desc *remote)
{
	GSList *list = NULL;
	int added = 0;

	for (unsigned i = 0; i < remote->candidate_count; i++)
		list = g_slist_append(list, make_candidate(ice, &remote->candidates[i]));
	/* Without any, the peer's checks will tell its address (peer-reflexive). */
	if (list)
		added = nice_agent_set_remote_candidates(ice->agent, ice->stream, COMPONENT, list);
	g_slist_free_full(list, (GDestroyNotify)nice_candidate_free);
	return added < 0 ? -EINVAL : 0;
}

int ice_set_remote(struct ice *ice, const struct media_desc *remote)
{
	if (!nice_agent_set_remote_credentials(ice->agent, ice->stream, remote->ufrag,
					       remote->password))
		return -EINVAL;
	memcpy(ice->peer_ufrag, remote->ufrag, sizeof(ice->peer_ufrag));
	memcpy(ice->peer_password, remote->password, sizeof(ice->peer_password));
	return ice_add_remote(ice, remote);
}

int ice_restart(struct ice *ice, bool new_credentials)
{
	if (!nice_agent_restart_stream(ice->agent, ice->stream))
		return -EIO;
	timer_cancel(&ice->consent); /* goes on with the pair that the restart finds */
	if (!ice->gathering)
		keep_candidates(ice); /* with those that came late */
	return set_credentials(ice, new_credentials);
}

bool ice_is_gathering(const struct ice *ice)
{
	return ice->gathering;
}

bool ice_has_candidates(const struct ice *ice)
{
	return ice->candidate_count > 0;
}

bool ice_is_connected(const struct ice *ice)
{
	return ice->connected;
}

bool ice_send(struct ice *ice, const uint8_t *packet, size_t length)
{
	return !ice->lost && nice_agent_send(ice->agent, ice->stream, COMPONENT, (guint)length,
					     (const gchar *)packet) == (gint)length;
}
