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
#include "media/credentials.h"

#define COMPONENT 1

/* Between questions: 5 s, less or more by a fifth, and never repeated. Source:
 * RFC 7675 5.1. */
#define ASK_LEAST_MS  4000
#define ASK_SPREAD_MS 2000

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
	struct sdp_candidate candidates[4];
	uint8_t candidate_count;
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

static void find_validate(void)
{
	*(void **)&real_validate = dlsym(RTLD_NEXT, "stun_agent_validate");
	if (!real_validate)
		abort(); /* not the libnice this was linked with */
}

/* In libnice's place. 0.1.21 answers a check whose integrity is missing or
 * wrong, to anybody and with more bytes than came, and swallows answers it did
 * not ask for, which those to our consent questions are. As "no STUN" the one is
 * dropped and the other handed to us, if an address it validated sent it. */
StunValidationStatus stun_agent_validate(StunAgent *agent, StunMessage *message,
					 const uint8_t *bytes, size_t length,
					 StunMessageIntegrityValidate integrity, void *arg)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	StunValidationStatus status;

	(void)pthread_once(&once, find_validate);
	status = real_validate(agent, message, bytes, length, integrity, arg);
	if (status == STUN_VALIDATION_UNAUTHORIZED ||
	    status == STUN_VALIDATION_UNAUTHORIZED_BAD_REQUEST ||
	    status == STUN_VALIDATION_UNMATCHED_RESPONSE)
		return STUN_VALIDATION_NOT_STUN;
	return status;
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
	if (stun_agent_init_request(&ice->stun, &message, buffer, sizeof(buffer), STUN_BINDING) &&
	    stun_message_append32(&message, STUN_ATTRIBUTE_PRIORITY, ASK_PRIORITY) ==
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
		ice->handlers.packet((uint8_t *)buffer, length, ice->handlers.arg);
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

/* Host candidates are there as soon as gathering has begun: there is no server
 * to ask. */
static int keep_candidates(struct ice *ice)
{
	GSList *list = nice_agent_get_local_candidates(ice->agent, ice->stream, COMPONENT);

	for (GSList *item = list; item; item = item->next) {
		const NiceCandidate *found = item->data;
		struct sdp_candidate *kept = &ice->candidates[ice->candidate_count];

		if (found->transport != NICE_CANDIDATE_TRANSPORT_UDP ||
		    ice->candidate_count == ARRAY_SIZE(ice->candidates))
			continue;
		from_nice(&found->addr, &kept->address);
		kept->priority = found->priority;
		kept->type = SDP_HOST;
		(void)g_strlcpy(kept->foundation, found->foundation, sizeof(kept->foundation));
		ice->candidate_count++;
	}
	g_slist_free_full(list, (GDestroyNotify)nice_candidate_free);
	return ice->candidate_count > 0 ? 0 : -EIO;
}

static int gather(struct ice *ice, const union net_address *address)
{
	uint16_t port = net_port(address);
	NiceAddress nice;
	int err;

	ice->stream = nice_agent_add_stream(ice->agent, COMPONENT);
	to_nice(address, &nice);
	nice_address_set_port(&nice, 0);
	if (ice->stream == 0 || !nice_agent_add_local_address(ice->agent, &nice))
		return -EIO;
	nice_agent_set_port_range(ice->agent, ice->stream, COMPONENT, port, port);
	err = set_credentials(ice, /* renew= */ true);
	if (err)
		return err;
	if (!nice_agent_attach_recv(ice->agent, ice->stream, COMPONENT, ice->context, on_packet,
				    ice) ||
	    !nice_agent_gather_candidates(ice->agent, ice->stream))
		return -EIO;
	return keep_candidates(ice);
}

int ice_create(struct ice **ret_ice, struct _GMainContext *context, struct timer_wheel *wheel,
	       const union net_address *address, const struct ice_handlers *handlers)
{
	struct ice *ice = calloc(1, sizeof(*ice));
	int err;

	if (!ice)
		return -ENOMEM;
	ice->handlers = *handlers;
	ice->context = context;
	ice->wheel = wheel;
	timer_init(&ice->consent, on_consent, ice);
	stun_agent_init(&ice->stun, STUN_ALL_KNOWN_ATTRIBUTES, STUN_COMPATIBILITY_RFC5389,
			STUN_AGENT_USAGE_SHORT_TERM_CREDENTIALS | STUN_AGENT_USAGE_USE_FINGERPRINT);
	ice->agent = nice_agent_new(context, NICE_COMPATIBILITY_RFC5245);
	g_object_set(ice->agent, "ice-tcp", FALSE, "upnp", FALSE, "controlling-mode", TRUE, NULL);
	g_signal_connect(ice->agent, "component-state-changed", G_CALLBACK(on_state), ice);
	g_signal_connect(ice->agent, "new-selected-pair-full", G_CALLBACK(on_pair), ice);
	err = gather(ice, address);
	if (err) {
		ice_destroy(ice);
		return err;
	}
	*ret_ice = ice;
	return 0;
}

struct ice *ice_destroy(struct ice *ice)
{
	if (!ice)
		return NULL;
	timer_cancel(&ice->consent);
	g_signal_handlers_disconnect_by_data(ice->agent, ice);
	if (ice->stream)
		nice_agent_remove_stream(ice->agent, ice->stream);
	g_object_unref(ice->agent);
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

int ice_set_remote(struct ice *ice, const struct media_desc *remote)
{
	GSList *list = NULL;
	int added = 0;

	if (!nice_agent_set_remote_credentials(ice->agent, ice->stream, remote->ufrag,
					       remote->password))
		return -EINVAL;
	memcpy(ice->peer_ufrag, remote->ufrag, sizeof(ice->peer_ufrag));
	memcpy(ice->peer_password, remote->password, sizeof(ice->peer_password));
	for (unsigned i = 0; i < remote->candidate_count; i++)
		list = g_slist_append(list, make_candidate(ice, &remote->candidates[i]));
	/* Without any, the peer's checks will tell its address (peer-reflexive). */
	if (list)
		added = nice_agent_set_remote_candidates(ice->agent, ice->stream, COMPONENT, list);
	g_slist_free_full(list, (GDestroyNotify)nice_candidate_free);
	return added < 0 ? -EINVAL : 0;
}

int ice_restart(struct ice *ice, bool new_credentials)
{
	if (!nice_agent_restart_stream(ice->agent, ice->stream))
		return -EIO;
	timer_cancel(&ice->consent); /* goes on with the pair that the restart finds */
	return set_credentials(ice, new_credentials);
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
