/* SPDX-License-Identifier: Apache-2.0 */
#include "media/leg.h"
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>
#include "base/log.h"
#include "base/metrics.h"
#include "media/ice.h"
#include "media/lite.h"
#include "media/local.h"
#include "media/plain.h"

static struct metric gathered_whole = METRIC_COUNTER_INIT(
	"breakout_ice_gatherings_total", "result=\"whole\"",
	"Times that STUN and TURN servers were asked for candidates of a call's side.");
static struct metric gathered_part = METRIC_COUNTER_INIT(
	"breakout_ice_gatherings_total", "result=\"part\"",
	"Times that STUN and TURN servers were asked for candidates of a call's side.");

static void fail(struct leg *leg, const char *reason)
{
	log_notice("media", "%s failed why=\"%s\"", leg->setup.label, reason);
	leg->setup.failed(reason, leg->setup.arg);
}

/* For who follows the call. */
static void PRINTF_LIKE(2, 3) tell_step(const struct leg *leg, const char *format, ...)
{
	char text[LEG_REASON_ROOM];
	va_list arguments;

	if (!leg->setup.step)
		return;
	va_start(arguments, format);
	(void)vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	leg->setup.step(text, leg->setup.arg);
}

/* First authenticated packet, or the first under new keys. */
static void on_first(struct relay_leg *path)
{
	struct leg *leg = CONTAINER_OF(path, struct leg, path);

	if (leg->dtls)
		dtls_settled(leg->dtls);
	if (leg->flowing || leg->setup.kind == MEDIA_LEG_LOCAL)
		return;
	leg->flowing = true;
	leg->setup.flowing(leg->setup.arg);
}

static void on_convert(struct relay_leg *path)
{
	struct leg *leg = CONTAINER_OF(path, struct leg, path);

	leg->setup.convert(leg->setup.arg);
}

static void on_dtls_send(const uint8_t *datagram, size_t length, void *arg)
{
	struct leg *leg = arg;

	/* Without a selected pair yet the flight is lost and repeated in 50 ms. */
	if (leg->path.plain)
		(void)plain_send(leg->path.plain, datagram, length);
	else
		(void)relay_send(&leg->path, datagram, length);
}

/* From here on nothing is sent or taken in the clear. */
static int install_keys(struct leg *leg, const struct srtp_keys *keys)
{
	struct receipt *receipt = leg->path.receipt;
	struct srtp_pair *pair;
	int err = srtp_pair_create(&pair, keys);

	if (err)
		return err;
	srtp_pair_destroy(leg->path.srtp);
	leg->path.srtp = pair;
	if (leg->path.plain)
		plain_seal(leg->path.plain);
	else
		leg->path.ops = &relay_ops_srtp;
	leg->path.first_pending = true;
	(void)snprintf(receipt->texts.profile, sizeof(receipt->texts.profile), "%s",
		       srtp_suite_name(keys->suite));
	receipt_publish(receipt);
	return 0;
}

static void on_dtls_ready(const struct srtp_keys *keys, void *arg)
{
	struct leg *leg = arg;

	if (install_keys(leg, keys)) {
		fail(leg, "libsrtp2 refused the keys of the DTLS handshake");
		return;
	}
	atomic_store_explicit(&leg->path.receipt->dtls_ok, true, memory_order_relaxed);
	log_info("media", "%s dtls ready role=%s suite=%s", leg->setup.label,
		 dtls_is_client(leg->dtls) ? "client" : "server", srtp_suite_name(keys->suite));
	tell_step(leg, "DTLS done, we are the %s: %s, %lld ms after it could begin",
		  dtls_is_client(leg->dtls) ? "client" : "server", srtp_suite_name(keys->suite),
		  (long long)(clock_now() - leg->dtls_began));
}

static void on_dtls_failed(const char *reason, void *arg)
{
	fail(arg, reason);
}

/* A peer that has proven itself to a lite leg may say hello before its answer is here.
 * The last such datagram stays: some repeat theirs only after a second (RFC 6347
 * 4.2.4.1). False: there is no room for it. */
static bool keep_early(struct leg *leg, const uint8_t *datagram, size_t length)
{
	if (length > DTLS_DATAGRAM_MAX)
		return false;
	if (!leg->early)
		leg->early = malloc(DTLS_DATAGRAM_MAX);
	if (!leg->early)
		return false;
	memcpy(leg->early, datagram, length);
	leg->early_length = length;
	return true;
}

/* A server's; to a client nobody says hello. */
static void take_early(struct leg *leg)
{
	if (leg->early && !dtls_is_client(leg->dtls))
		dtls_receive(leg->dtls, leg->early, leg->early_length);
	free(leg->early);
	leg->early = NULL;
}

static void on_dtls_datagram(const uint8_t *datagram, size_t length, void *arg)
{
	struct leg *leg = arg;

	if (leg->dtls)
		dtls_receive(leg->dtls, datagram, length);
	else if (!leg->path.lite || !keep_early(leg, datagram, length))
		receipt_add(&leg->path.receipt->dropped_other, 1);
}

/* In a buffer of RELAY_BUFFER if it is RTP or RTCP. */
static void on_packet(uint8_t *packet, size_t length, void *arg)
{
	struct leg *leg = arg;
	enum wire wire = length > 0 ? wire_of(packet[0]) : WIRE_OTHER;

	if (wire == WIRE_RTP && length <= RELAY_PACKET_MAX)
		(void)relay_srtp(&leg->path, packet, length); /* ICE has said who sent it */
	else if (wire == WIRE_DTLS)
		on_dtls_datagram(packet, length, leg);
	else
		receipt_add(&leg->path.receipt->dropped_other, 1);
}

/* Of libnice's: protecting needs room behind it. */
static void on_ice_packet(uint8_t *packet, size_t length, void *arg)
{
	struct leg *leg = arg;
	uint8_t buffer[RELAY_BUFFER];

	if (length > 0 && length <= RELAY_PACKET_MAX && wire_of(packet[0]) == WIRE_RTP) {
		memcpy(buffer, packet, length);
		packet = buffer;
	}
	on_packet(packet, length, leg);
}

static void on_ice_look(unsigned step, const void *arg)
{
	const struct leg *leg = arg;

	relay_look(&leg->path, step);
}

static void start_dtls(struct leg *leg)
{
	if (!leg->dtls_began) {
		leg->dtls_began = clock_now();
		tell_step(leg, "DTLS can begin, we are the %s",
			  dtls_is_client(leg->dtls) ? "client" : "server");
	}
	dtls_start(leg->dtls);
}

static void on_ice_connected(const char *remote, void *arg)
{
	struct leg *leg = arg;
	struct receipt *receipt = leg->path.receipt;

	timer_cancel(&leg->ice_deadline);
	if (strcmp(receipt->texts.remote, remote) != 0) {
		(void)snprintf(receipt->texts.remote, sizeof(receipt->texts.remote), "%s", remote);
		receipt_publish(receipt);
		log_info("media", "%s ice connected remote=%s", leg->setup.label, remote);
		tell_step(leg, "ICE connected with %s, %lld ms after the peer's candidates", remote,
			  leg->ice_began ? (long long)(clock_now() - leg->ice_began) : 0);
	}
	atomic_store_explicit(&receipt->ice_ok, true, memory_order_relaxed);
	if (leg->dtls)
		start_dtls(leg);
}

static void on_ice_failed(void *arg)
{
	struct leg *leg = arg;

	/* libnice gives up on the candidates it was told; a peer whose address
	 * only its own checks will tell has until the deadline. */
	atomic_store_explicit(&leg->path.receipt->ice_ok, false, memory_order_relaxed);
	tell_step(leg, "ICE: none of the candidates it was told works; the peer's own checks may "
		       "still come");
	if (!timer_active(&leg->ice_deadline))
		timer_start(worker_wheel(leg->setup.worker), &leg->ice_deadline,
			    clock_now() + LEG_ICE_MS);
}

static void on_ice_lost(void *arg)
{
	struct leg *leg = arg;
	char reason[LEG_REASON_ROOM];

	atomic_store_explicit(&leg->path.receipt->ice_ok, false, memory_order_relaxed);
	(void)snprintf(reason, sizeof(reason),
		       "ICE consent ended: %s has answered no check for %d s (RFC 7675)",
		       leg->path.receipt->texts.remote, ICE_CONSENT_MS / 1000);
	fail(leg, reason);
}

static void on_ice_deadline(struct timer *timer, void *arg)
{
	struct leg *leg = arg;
	char reason[LEG_REASON_ROOM], text[NET_TEXT_ROOM] = "none";
	const struct media_desc *remote = leg->remote;

	(void)timer;
	if (remote && remote->candidate_count > 0)
		net_format(&remote->candidates[0].address, text);
	(void)snprintf(reason, sizeof(reason),
		       "ICE found no path to the peer within %d s (%u candidates, first %s)",
		       LEG_ICE_MS / 1000, remote ? remote->candidate_count : 0, text);
	fail(leg, reason);
}

bool leg_has_sockets(enum media_leg_kind kind)
{
	switch (kind) {
	case MEDIA_LEG_RTP:
	case MEDIA_LEG_DTLS:
	case MEDIA_LEG_SDES:
	case MEDIA_LEG_SDES_OR_RTP:
		return true;
	case MEDIA_LEG_WEBRTC:
	case MEDIA_LEG_LOCAL:
		break;
	}
	return false;
}

unsigned leg_protos(enum media_leg_kind kind)
{
	static const unsigned avp =
		SDP_PROTO_BIT(SDP_PROTO_RTP_AVP) | SDP_PROTO_BIT(SDP_PROTO_RTP_AVPF);
	static const unsigned savp =
		SDP_PROTO_BIT(SDP_PROTO_RTP_SAVP) | SDP_PROTO_BIT(SDP_PROTO_RTP_SAVPF);

	switch (kind) {
	case MEDIA_LEG_RTP:
		return avp;
	case MEDIA_LEG_SDES:
	case MEDIA_LEG_SDES_OR_RTP: /* where there are both, the encrypted one */
		return savp;
	case MEDIA_LEG_WEBRTC:
	case MEDIA_LEG_DTLS:
		return SDP_PROTO_BIT(SDP_PROTO_DTLS_SAVP) | SDP_PROTO_BIT(SDP_PROTO_DTLS_SAVPF);
	case MEDIA_LEG_LOCAL:
		break;
	}
	return 0;
}

static bool has_sdes(const struct leg *leg)
{
	return leg->setup.kind == MEDIA_LEG_SDES || leg->setup.kind == MEDIA_LEG_SDES_OR_RTP;
}

/* A name of 128 random bits for our end (RFC 8842 4: at least 120). */
static int name_association(struct leg *leg)
{
	uint64_t random[2];

	if (getrandom(random, sizeof(random), 0) < 0)
		return -errno;
	(void)snprintf(leg->tls_id, sizeof(leg->tls_id), "%016llx%016llx",
		       (unsigned long long)random[0], (unsigned long long)random[1]);
	return 0;
}

int leg_init(struct leg *leg, const struct leg_setup *setup)
{
	const struct local_handlers local = { setup->played, setup->recorded, setup->arg };
	int err = 0;

	memset(leg, 0, sizeof(*leg));
	leg->setup = *setup;
	relay_leg_init(&leg->path, setup->peer_path, setup->receipt);
	leg->path.on_first = on_first;
	leg->path.on_convert = on_convert;
	atomic_store_explicit(&setup->receipt->kind, (unsigned)setup->kind, memory_order_relaxed);
	timer_init(&leg->ice_deadline, on_ice_deadline, leg);
	if (leg_has_sockets(setup->kind))
		err = plain_create(&leg->path.plain, setup->worker, &leg->path, setup->hub,
				   setup->fds);
	else if (setup->kind == MEDIA_LEG_LOCAL)
		err = local_create(&leg->path.local, worker_wheel(setup->worker), &leg->path,
				   &setup->local, setup->recording, &local);
	if (!err && setup->kind == MEDIA_LEG_DTLS)
		plain_set_dtls(leg->path.plain, on_dtls_datagram, leg);
	if (!err && getrandom(&leg->session_id, sizeof(leg->session_id), 0) < 0)
		err = -EIO;
	if (!err && (setup->kind == MEDIA_LEG_WEBRTC || setup->kind == MEDIA_LEG_DTLS))
		err = name_association(leg);
	leg->session_id >>= 2; /* some parsers keep it in 63 bits with a sign */
	if (setup->origin.session_id) {
		leg->session_id = setup->origin.session_id;
		leg->version = setup->origin.version;
	}
	return err;
}

/* Keys may be in it. */
static void forget_text(struct leg *leg)
{
	if (leg->written)
		explicit_bzero(leg->written, strlen(leg->written));
	free(leg->written);
	leg->written = NULL;
}

void leg_done(struct leg *leg)
{
	timer_cancel(&leg->ice_deadline);
	leg->path.ops = &relay_ops_closed;
	dtls_destroy(leg->dtls);
	free(leg->early);
	leg->path.ice = ice_destroy(leg->path.ice);
	leg->path.lite = lite_leg_destroy(leg->path.lite);
	leg->path.srtp = srtp_pair_destroy(leg->path.srtp);
	leg->path.plain = plain_destroy(leg->path.plain);
	leg->path.local = local_destroy(leg->path.local);
	sdes_wipe(&leg->sdes);
	leg->remote = sdp_free(leg->remote);
	forget_text(leg);
}

static void on_ice_gathered(bool whole, void *arg)
{
	struct leg *leg = arg;

	metric_add(whole ? &gathered_whole : &gathered_part, 1);
	if (!whole) {
		log_notice("media",
			   "%s goes on with the ice candidates it has: not every server "
			   "of media.turn and media.stun answered in time",
			   leg->setup.label);
		servers_suspect(leg->setup.servers);
	}
	tell_step(leg, "ICE candidates of ours are gathered%s",
		  whole ? "" : ", without those of a server that did not answer");
	leg->setup.prepared(leg->setup.arg);
}

static void on_ice_gone(void *arg)
{
	worker_agents(arg, -1);
}

static int make_agent(struct leg *leg, const struct ice_handlers *handlers)
{
	struct servers_now servers;
	const struct ice_setup setup = {
		.context = worker_context(leg->setup.worker),
		.wheel = worker_wheel(leg->setup.worker),
		.hosts = leg->setup.hosts,
		.port = net_port(&leg->setup.address),
		.servers = &servers,
		.handlers = *handlers,
		.gathered = on_ice_gathered,
		.gone = on_ice_gone,
		.gone_arg = leg->setup.worker,
	};
	int err;

	servers_now(leg->setup.servers, &servers);
	err = ice_create(&leg->path.ice, &setup);
	explicit_bzero(&servers, sizeof(servers));
	if (!err)
		worker_agents(leg->setup.worker, 1);
	return err;
}

/* Whether our description can be written. */
static int agent_state(const struct leg *leg)
{
	if (!leg->path.ice)
		return 0;
	if (ice_is_gathering(leg->path.ice))
		return -EINPROGRESS;
	return ice_has_candidates(leg->path.ice) ? 0 : -ENOLINK;
}

int leg_prepare(struct leg *leg)
{
	struct ice_handlers handlers = { on_ice_packet, on_ice_connected,
					 on_ice_failed, on_ice_lost,
					 leg,           on_ice_look };
	int err;

	if (has_sdes(leg))
		return sdes_make(&leg->sdes);
	if (leg->setup.kind != MEDIA_LEG_WEBRTC || leg->path.ice || leg->path.lite)
		return agent_state(leg);
	if (leg->setup.lite) {
		handlers.packet = on_packet; /* its packets lie in slots */
		return lite_leg_create(&leg->path.lite, leg->setup.lite, &handlers);
	}
	err = make_agent(leg, &handlers);
	return err ? err : agent_state(leg);
}

/* Index of the host, ours or as it is told; the count of hosts: none of ours. */
static unsigned find_host(const struct leg *leg, const union net_address *address)
{
	const struct net_hosts *hosts = leg->setup.hosts;
	unsigned i = 0;

	while (i < hosts->count && !net_same_host(address, &hosts->own[i]) &&
	       !net_same_host(address, &hosts->told[i]))
		i++;
	return i;
}

/* Our own, or what a NAT maps to it: we would talk to ourselves. */
static bool is_own(const struct leg *leg, const union net_address *address)
{
	uint16_t ours = net_port(&leg->setup.address);

	if (find_host(leg, address) == leg->setup.hosts->count)
		return false;
	return net_port(address) == ours ||
	       (leg_has_sockets(leg->setup.kind) && net_port(address) == ours + 1);
}

/* Only full agents are on other addresses than the first. */
static unsigned hosts_in_use(const struct leg *leg)
{
	return leg->setup.kind == MEDIA_LEG_WEBRTC && !leg->setup.lite ? leg->setup.hosts->count
								       : 1;
}

/* The count of hosts: none is of this family. */
static unsigned host_of_family(const struct leg *leg, int family)
{
	const struct net_hosts *hosts = leg->setup.hosts;

	for (unsigned i = 0; i < hosts_in_use(leg); i++)
		if (hosts->own[i].any.sa_family == family)
			return i;
	return hosts->count;
}

static bool is_on_loopback(const struct leg *leg)
{
	for (unsigned i = 0; i < hosts_in_use(leg); i++)
		if (net_is_loopback(&leg->setup.hosts->own[i]))
			return true;
	return false;
}

/* An address that no packet of ours may be sent to. */
static const char *forbidden(const struct leg *leg, const union net_address *address)
{
	if (address->any.sa_family == AF_UNSPEC)
		return "is not a literal address";
	if (host_of_family(leg, address->any.sa_family) == leg->setup.hosts->count)
		return "is of another address family than ours";
	if (net_is_multicast(address))
		return "is multicast, broadcast or reserved";
	if (net_is_loopback(address) && !is_on_loopback(leg))
		return "is loopback";
	if (is_own(leg, address))
		return "is our own";
	return NULL;
}

/* Writes the sentence; always false. */
static bool PRINTF_LIKE(2, 3) refuse(char *reason, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	(void)vsnprintf(reason, LEG_REASON_ROOM, format, arguments);
	va_end(arguments);
	return false;
}

static bool judge_address(const struct leg *leg, const struct media_desc *remote, char *reason)
{
	char host[NET_TEXT_ROOM] = "";
	const char *why;

	if (net_is_unspecified(&remote->rtp))
		return true; /* hold as in RFC 2543: nothing is sent there */
	why = forbidden(leg, &remote->rtp);
	if (!why && !net_is_unspecified(&remote->rtcp))
		why = forbidden(leg, &remote->rtcp);
	if (!why)
		return true;
	if (remote->rtp.any.sa_family != AF_UNSPEC)
		net_host(&remote->rtp, host);
	return refuse(reason, "the SDP's media address %s %s", host, why);
}

static bool is_avp(const struct media_desc *remote)
{
	return remote->proto == SDP_PROTO_RTP_AVP || remote->proto == SDP_PROTO_RTP_AVPF;
}

static bool is_savp(const struct media_desc *remote)
{
	return remote->proto == SDP_PROTO_RTP_SAVP || remote->proto == SDP_PROTO_RTP_SAVPF;
}

static bool refuse_proto(const struct media_desc *remote, const char *ours, char *reason)
{
	return refuse(reason, "the SDP asks for %s, this side %s",
		      remote->sections[remote->audio].proto, ours);
}

static bool judge_rtp(const struct leg *leg, const struct media_desc *remote, char *reason)
{
	if (!is_avp(remote))
		return refuse_proto(remote, "speaks plain RTP/AVP", reason);
	return judge_address(leg, remote, reason);
}

/* RTP/AVP with keys is what many PBXs write for "encrypt if you can"; with keys on
 * both sides it is as good as RTP/SAVP. */
static bool judge_sdes(const struct leg *leg, const struct media_desc *remote, bool is_offer,
		       char *reason)
{
	bool optional = leg->setup.kind == MEDIA_LEG_SDES_OR_RTP && is_avp(remote);

	if (!is_avp(remote) && !is_savp(remote))
		return refuse_proto(remote, "requires SRTP with keys in the SDP (RTP/SAVP)",
				    reason);
	if (!remote->sdes && !optional)
		return refuse(reason, "the SDP has no a=crypto, this side requires SRTP with keys "
				      "in the SDP (RTP/SAVP)");
	if (remote->sdes && !(optional && is_offer) &&
	    !sdes_choose(&leg->sdes, remote->cryptos, remote->crypto_count, is_offer))
		return refuse(reason, is_offer
					      ? "the SDP has no a=crypto that can be served: "
						"AEAD_AES_128_GCM, AEAD_AES_256_GCM, "
						"AES_CM_128_HMAC_SHA1_80 or _32, all encrypted"
					      : "the SDP's a=crypto answers none that was offered");
	return judge_address(leg, remote, reason);
}

static bool same_fingerprints(const struct media_desc *a, const struct media_desc *b)
{
	return a->fingerprint_count == b->fingerprint_count &&
	       memcmp(a->fingerprints, b->fingerprints,
		      a->fingerprint_count * sizeof(a->fingerprints[0])) == 0;
}

/* Whether the peer speaks of the association that is there (RFC 8842 4). */
static bool same_association(const struct media_desc *a, const struct media_desc *b)
{
	return same_fingerprints(a, b) && strcmp(a->tls_id, b->tls_id) == 0;
}

static bool judge_dtls(const struct leg *leg, const struct media_desc *remote, char *reason)
{
	if (remote->fingerprint_count == 0)
		return refuse(reason,
			      "the SDP has %s a=fingerprint of sha-256, sha-384 or sha-512%s",
			      remote->fingerprint_unknown ? "an a=fingerprint, but no valid" : "no",
			      remote->sdes ? "; SDES keys (a=crypto) are not accepted here" : "");
	if (remote->setup == SDP_HOLDCONN && !leg->dtls)
		return refuse(reason, "the SDP says a=setup:holdconn before there is a connection");
	if (leg->setup.kind == MEDIA_LEG_WEBRTC && leg->remote &&
	    !same_association(leg->remote, remote) &&
	    strcmp(leg->remote->ufrag, remote->ufrag) == 0)
		return refuse(reason,
			      "a=fingerprint or a=tls-id changed without a new a=ice-ufrag");
	return true;
}

/* RTP/SAVP(F) too: what was written before RFC 5764 gave it a name of its own. */
static bool judge_secure(const struct leg *leg, const struct media_desc *remote, const char *ours,
			 char *reason)
{
	if (!is_savp(remote) && remote->proto != SDP_PROTO_DTLS_SAVP &&
	    remote->proto != SDP_PROTO_DTLS_SAVPF)
		return refuse_proto(remote, ours, reason);
	return judge_dtls(leg, remote, reason);
}

/* Without a=rtcp-mux RTCP would need a handshake of its own (RFC 5764 3). */
static bool judge_mux(const struct media_desc *remote, char *reason)
{
	return remote->rtcp_mux || refuse(reason, "the SDP has no a=rtcp-mux");
}

static bool judge_bare_dtls(const struct leg *leg, const struct media_desc *remote, char *reason)
{
	return judge_secure(leg, remote, "requires DTLS-SRTP (UDP/TLS/RTP/SAVP)", reason) &&
	       judge_mux(remote, reason) && judge_address(leg, remote, reason);
}

static bool judge_webrtc(const struct leg *leg, const struct media_desc *remote, char *reason)
{
	if (!judge_secure(leg, remote, "requires ICE and DTLS-SRTP (UDP/TLS/RTP/SAVPF)", reason))
		return false;
	if (remote->ufrag[0] == '\0' || remote->password[0] == '\0')
		return refuse(reason, "the SDP has no valid a=ice-ufrag and a=ice-pwd");
	return judge_mux(remote, reason);
}

/* Checks to such addresses would make us a tool against somebody (RFC 8445 19.5). */
static void drop_forbidden_candidates(const struct leg *leg, struct media_desc *remote)
{
	uint8_t kept = 0;

	for (unsigned i = 0; i < remote->candidate_count; i++)
		if (!net_is_unspecified(&remote->candidates[i].address) &&
		    !forbidden(leg, &remote->candidates[i].address))
			remote->candidates[kept++] = remote->candidates[i];
	remote->candidate_count = kept;
}

static bool judge_transport(const struct leg *leg, const struct media_desc *remote, bool is_offer,
			    char *reason)
{
	switch (leg->setup.kind) {
	case MEDIA_LEG_WEBRTC:
		return judge_webrtc(leg, remote, reason);
	case MEDIA_LEG_RTP:
		return judge_rtp(leg, remote, reason);
	case MEDIA_LEG_DTLS:
		return judge_bare_dtls(leg, remote, reason);
	case MEDIA_LEG_SDES:
	case MEDIA_LEG_SDES_OR_RTP:
		return judge_sdes(leg, remote, is_offer, reason);
	case MEDIA_LEG_LOCAL:
		break;
	}
	return false; /* a local side has no peer */
}

bool leg_judge(struct leg *leg, struct media_desc *remote, bool is_offer,
	       char ret_reason[static LEG_REASON_ROOM])
{
	bool fine;

	if (remote->port == 0)
		return refuse(ret_reason, "the %s refuses audio (port 0)",
			      is_offer ? "offer" : "answer");
	if (!codecs_first_speech(remote))
		return refuse(ret_reason, "the SDP names no audio codec");
	fine = judge_transport(leg, remote, is_offer, ret_reason);
	if (fine)
		drop_forbidden_candidates(leg, remote);
	return fine;
}

/* Who is the DTLS client. Source: RFC 5763 5, RFC 4145 4.1; as answerer to
 * actpass we are active, as RFC 8842 5.3 recommends. */
static bool we_are_client(const struct media_desc *remote, bool we_offered)
{
	if (we_offered)
		return remote->setup != SDP_ACTIVE;
	return remote->setup == SDP_ACTPASS || remote->setup == SDP_PASSIVE;
}

static int new_association(struct leg *leg, const struct media_desc *remote, bool we_offered)
{
	const struct dtls_setup setup = {
		.identity = leg->setup.identity,
		.wheel = worker_wheel(leg->setup.worker),
		.queue = worker_dtls_queue(leg->setup.worker),
		.client = we_are_client(remote, we_offered),
		.fingerprints = remote->fingerprints,
		.fingerprint_count = remote->fingerprint_count,
		.handlers = { on_dtls_send, on_dtls_ready, on_dtls_failed, leg },
	};
	struct dtls *dtls;
	int err = dtls_create(&dtls, &setup);

	if (err)
		return err;
	/* The first has the name it was offered with, one the peer asks for a new one. */
	if (leg->dtls && !we_offered)
		err = name_association(leg);
	dtls_destroy(leg->dtls);
	leg->dtls = dtls;
	leg->dtls_began = 0;
	take_early(leg);
	return err;
}

static int restart_ice(struct leg *leg, bool new_credentials)
{
	return leg->path.lite ? lite_leg_restart(leg->path.lite, new_credentials)
			      : ice_restart(leg->path.ice, new_credentials);
}

static int set_remote(struct leg *leg, const struct media_desc *remote)
{
	return leg->path.lite ? lite_leg_set_remote(leg->path.lite, remote)
			      : ice_set_remote(leg->path.ice, remote);
}

static bool is_connected(const struct leg *leg)
{
	return leg->path.lite ? lite_leg_is_connected(leg->path.lite)
			      : ice_is_connected(leg->path.ice);
}

/* Credentials as before: ICE goes on undisturbed. New ones: ICE restart. */
static int apply_ice(struct leg *leg, const struct media_desc *remote, bool we_offered)
{
	bool first = !leg->remote;
	int err;

	if (!first && strcmp(leg->remote->ufrag, remote->ufrag) == 0 &&
	    strcmp(leg->remote->password, remote->password) == 0)
		return 0;
	if (!first) {
		err = restart_ice(leg, /* new_credentials= */ !we_offered);
		if (err)
			return err;
	} else if (leg->path.ice) { /* of a lite and a full agent the full one controls: RFC 8445
				       6.1.1 */
		ice_set_controlling(leg->path.ice, we_offered || remote->ice_lite);
	}
	leg->ice_began = clock_now();
	tell_step(leg, "ICE %s: the peer has %u candidate%s%s",
		  !first              ? "begins anew"
		  : is_connected(leg) ? "has begun before"
				      : "begins",
		  remote->candidate_count, remote->candidate_count == 1 ? "" : "s",
		  remote->ice_lite ? " and is lite" : "");
	/* A lite agent may have been found while the answer was on its way. */
	if (!first || !is_connected(leg))
		timer_start(worker_wheel(leg->setup.worker), &leg->ice_deadline,
			    clock_now() + LEG_ICE_MS);
	return set_remote(leg, remote);
}

static int apply_webrtc(struct leg *leg, const struct media_desc *remote, bool we_offered)
{
	int err = leg_prepare(leg);

	if (!err || err == -EINPROGRESS) /* what is not there yet, its checks will tell */
		err = apply_ice(leg, remote, we_offered);
	if (!err && (!leg->remote || !same_association(leg->remote, remote)))
		err = new_association(leg, remote, we_offered);
	if (!err && is_connected(leg))
		start_dtls(leg);
	return err;
}

/* The peer's latch opens with the new address; keys come from the handshake. */
static int apply_bare_dtls(struct leg *leg, const struct media_desc *remote, bool we_offered)
{
	int err = plain_set_remote(leg->path.plain, remote, /* sealed= */ true, leg->session_id);

	if (err)
		return err;
	if (!leg->remote || !same_association(leg->remote, remote))
		err = new_association(leg, remote, we_offered);
	if (!err && !net_is_unspecified(&remote->rtp))
		start_dtls(leg);
	return err;
}

static int agree_sdes(struct leg *leg, const struct sdes_crypto *theirs, bool we_offered)
{
	struct srtp_keys keys;
	enum sdes_change change;
	int err = sdes_agree(&leg->sdes, theirs, we_offered, &change);

	if (err || (change == SDES_KEPT && leg->by_sdes))
		return err;
	sdes_keys(&leg->sdes, &keys);
	if (change == SDES_INBOUND && leg->by_sdes)
		err = srtp_pair_renew_inbound(leg->path.srtp, &keys);
	else
		err = install_keys(leg, &keys);
	explicit_bzero(&keys, sizeof(keys));
	if (!err)
		log_info("media", "%s sdes ready suite=%s", leg->setup.label,
			 srtp_suite_name(theirs->suite));
	if (!err)
		tell_step(leg, "keys of the SDP in force: %s", srtp_suite_name(theirs->suite));
	return err;
}

static int apply_sdes(struct leg *leg, const struct media_desc *remote, bool we_offered)
{
	const struct sdes_crypto *theirs =
		sdes_choose(&leg->sdes, remote->cryptos, remote->crypto_count, !we_offered);
	int err = theirs ? agree_sdes(leg, theirs, we_offered) : 0;

	if (err)
		return err;
	if (!theirs && leg->by_sdes)
		sdes_wipe(&leg->sdes); /* what comes later gets keys of its own */
	leg->by_sdes = theirs != NULL;
	return plain_set_remote(leg->path.plain, remote, leg->by_sdes, leg->session_id);
}

static int apply_transport(struct leg *leg, const struct media_desc *remote, bool we_offered)
{
	switch (leg->setup.kind) {
	case MEDIA_LEG_WEBRTC:
		return apply_webrtc(leg, remote, we_offered);
	case MEDIA_LEG_RTP:
		return plain_set_remote(leg->path.plain, remote, /* sealed= */ false,
					leg->session_id);
	case MEDIA_LEG_DTLS:
		return apply_bare_dtls(leg, remote, we_offered);
	case MEDIA_LEG_SDES:
	case MEDIA_LEG_SDES_OR_RTP:
		return apply_sdes(leg, remote, we_offered);
	case MEDIA_LEG_LOCAL:
		break;
	}
	return 0;
}

int leg_apply(struct leg *leg, struct media_desc *take_remote, bool we_offered)
{
	int err = apply_transport(leg, take_remote, we_offered);

	if (err) {
		sdp_free(take_remote);
		return err;
	}
	sdp_free(leg->remote);
	leg->remote = take_remote;
	return 0;
}

void leg_established(struct leg *leg)
{
	if (leg->path.plain)
		plain_expect(leg->path.plain);
}

bool leg_is_mute(const struct leg *leg)
{
	return leg->path.plain && plain_is_mute(leg->path.plain);
}

/* What our first offer asks for. */
static enum sdp_proto first_proto(enum media_leg_kind kind)
{
	static const enum sdp_proto protos[] = {
		[MEDIA_LEG_WEBRTC] = SDP_PROTO_DTLS_SAVPF,   [MEDIA_LEG_RTP] = SDP_PROTO_RTP_AVP,
		[MEDIA_LEG_DTLS] = SDP_PROTO_DTLS_SAVP,      [MEDIA_LEG_SDES] = SDP_PROTO_RTP_SAVP,
		[MEDIA_LEG_SDES_OR_RTP] = SDP_PROTO_RTP_AVP,
	};

	return protos[kind];
}

static void describe_sections(const struct leg *leg, const struct media_desc *offer,
			      struct media_desc *ours)
{
	const struct media_desc *from = offer ? offer : leg->remote;
	bool webrtc = leg->setup.kind == MEDIA_LEG_WEBRTC;

	if (from) { /* sections never vanish, RFC 3264 8 */
		memcpy(ours->sections, from->sections, sizeof(ours->sections));
		ours->section_count = from->section_count;
		ours->audio = from->audio;
		ours->bundle = from->bundle;
		ours->proto = from->proto;
		return;
	}
	memset(ours->sections, 0, sizeof(ours->sections));
	ours->section_count = 1;
	ours->audio = 0;
	ours->proto = first_proto(leg->setup.kind);
	ours->bundle = webrtc;
	if (webrtc)
		memcpy(ours->sections[0].mid, "0", 2);
}

static void describe_sdes(const struct leg *leg, const struct media_desc *offer,
			  struct media_desc *ours)
{
	if (!offer) {
		ours->crypto_count = sdes_offer(&leg->sdes, ours->cryptos);
	} else if (leg->by_sdes) {
		ours->cryptos[0] = leg->sdes.ours;
		ours->crypto_count = 1;
	}
}

static void describe_ice(const struct leg *leg, struct media_desc *ours)
{
	if (leg->path.lite)
		lite_leg_describe(leg->path.lite, ours);
	else
		ice_describe(leg->path.ice, ours);
}

static void describe_dtls(const struct leg *leg, const struct media_desc *offer,
			  struct media_desc *ours)
{
	ours->fingerprints[0] = *dtls_identity_fingerprint(leg->setup.identity);
	ours->fingerprint_count = 1;
	if (!offer || offer->tls_id[0] != '\0')
		memcpy(ours->tls_id, leg->tls_id, sizeof(leg->tls_id));
	if (!offer) /* a re-offer too: RFC 8842 5.5 */
		ours->setup = SDP_ACTPASS;
	else
		ours->setup = dtls_is_client(leg->dtls) ? SDP_ACTIVE : SDP_PASSIVE;
}

/* A NAT's address in place of ours. The host candidate stays one, with a host's
 * priority: of a server-reflexive one RFC 8839 5.1 would have us tell the address
 * behind the NAT too. What the NAT makes of our own checks, the peer learns from
 * them (peer-reflexive, RFC 8445 7.3.1.3). */
static void advertise(const struct leg *leg, struct media_desc *ours)
{
	const struct net_hosts *hosts = leg->setup.hosts;
	unsigned host;

	for (unsigned i = 0; i < ours->candidate_count; i++) {
		host = find_host(leg, &ours->candidates[i].address);
		if (ours->candidates[i].type == SDP_HOST && host < hosts->count)
			net_set_host(&ours->candidates[i].address, &hosts->told[host]);
	}
}

/* Of several the first of the peer's family, who may not look at candidates. */
static unsigned default_host(const struct leg *leg, const struct media_desc *offer)
{
	const struct media_desc *peer = offer ? offer : leg->remote;
	unsigned host = peer ? host_of_family(leg, peer->rtp.any.sa_family) : 0;

	return host < leg->setup.hosts->count ? host : 0;
}

/* The default candidate is one of those that are told: RFC 8839 4.2.1.2. */
static void name_relay(struct media_desc *ours)
{
	if (ours->candidate_count == 0 || ours->candidates[0].type == SDP_HOST)
		return;
	ours->rtp = ours->candidates[0].address;
	if (ours->port != 0)
		ours->port = net_port(&ours->rtp);
}

void leg_describe(const struct leg *leg, const struct media_desc *offer, struct media_desc *ours)
{
	describe_sections(leg, offer, ours);
	ours->rtp = leg->setup.address;
	net_set_host(&ours->rtp, &leg->setup.hosts->told[default_host(leg, offer)]);
	ours->port = offer && offer->port == 0 ? 0 : net_port(&ours->rtp);
	/* Offered always: who does not know it has the next port (RFC 5761 5.1.1). */
	ours->rtcp_mux = !offer || offer->rtcp_mux;
	ours->ice_lite = leg->path.lite != NULL;
	if (leg->setup.kind == MEDIA_LEG_WEBRTC)
		describe_ice(leg, ours);
	advertise(leg, ours);
	name_relay(ours);
	if (leg->setup.kind == MEDIA_LEG_WEBRTC || leg->setup.kind == MEDIA_LEG_DTLS)
		describe_dtls(leg, offer, ours);
	else if (has_sdes(leg))
		describe_sdes(leg, offer, ours);
}

const char *leg_write(struct leg *leg, const struct media_desc *ours)
{
	char *text = sdp_write(ours, leg->session_id, leg->version);

	if (text && leg->written && strcmp(text, leg->written) != 0) {
		explicit_bzero(text, strlen(text));
		free(text);
		leg->version++;
		text = sdp_write(ours, leg->session_id, leg->version);
	}
	if (!text)
		return NULL;
	forget_text(leg);
	leg->written = text;
	return text;
}

void leg_show_codec(struct leg *leg, const char *codec)
{
	struct receipt *receipt = leg->path.receipt;

	(void)snprintf(receipt->texts.codec, sizeof(receipt->texts.codec), "%.15s", codec);
	receipt_publish(receipt);
}
