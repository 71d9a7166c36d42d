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
#include "media/ice.h"
#include "media/local.h"
#include "media/plain.h"

static void fail(struct leg *leg, const char *reason)
{
	log_notice("media", "%s failed why=\"%s\"", leg->setup.label, reason);
	leg->setup.failed(reason, leg->setup.arg);
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
	(void)ice_send(leg->path.ice, datagram, length);
}

static void on_dtls_ready(const struct srtp_keys *keys, void *arg)
{
	struct leg *leg = arg;
	struct receipt *receipt = leg->path.receipt;
	const char *suite = srtp_suite_name(keys->suite);
	struct srtp_pair *pair;

	if (srtp_pair_create(&pair, keys)) {
		fail(leg, "libsrtp2 refused the keys of the DTLS handshake");
		return;
	}
	srtp_pair_destroy(leg->path.srtp);
	leg->path.srtp = pair;
	leg->path.ops = &relay_ops_srtp;
	leg->path.first_pending = true;
	(void)snprintf(receipt->texts.profile, sizeof(receipt->texts.profile), "%s", suite);
	receipt_publish(receipt);
	atomic_store_explicit(&receipt->dtls_ok, true, memory_order_relaxed);
	log_info("media", "%s dtls ready role=%s suite=%s", leg->setup.label,
		 dtls_is_client(leg->dtls) ? "client" : "server", suite);
}

static void on_dtls_failed(const char *reason, void *arg)
{
	fail(arg, reason);
}

static void on_ice_packet(uint8_t *packet, size_t length, void *arg)
{
	struct leg *leg = arg;
	uint8_t buffer[RELAY_BUFFER];
	enum wire wire = length > 0 ? wire_of(packet[0]) : WIRE_OTHER;

	if (wire == WIRE_RTP && length <= RELAY_PACKET_MAX) {
		memcpy(buffer, packet, length); /* protecting needs room behind it */
		relay_srtp(&leg->path, buffer, length);
	} else if (wire == WIRE_DTLS && leg->dtls) {
		dtls_receive(leg->dtls, packet, length);
	} else {
		receipt_add(&leg->path.receipt->dropped_other, 1);
	}
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
	}
	atomic_store_explicit(&receipt->ice_ok, true, memory_order_relaxed);
	if (leg->dtls)
		dtls_start(leg->dtls);
}

static void on_ice_failed(void *arg)
{
	struct leg *leg = arg;

	/* libnice gives up on the candidates it was told; a peer whose address
	 * only its own checks will tell has until the deadline. */
	atomic_store_explicit(&leg->path.receipt->ice_ok, false, memory_order_relaxed);
	if (!timer_active(&leg->ice_deadline))
		timer_start(worker_wheel(leg->setup.worker), &leg->ice_deadline,
			    clock_now() + LEG_ICE_MS);
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
	if (setup->kind == MEDIA_LEG_RTP)
		err = plain_create(&leg->path.plain, setup->worker, &leg->path, setup->fds);
	else if (setup->kind == MEDIA_LEG_LOCAL)
		err = local_create(&leg->path.local, worker_wheel(setup->worker), &leg->path,
				   &setup->local, setup->recording, &local);
	if (!err && getrandom(&leg->session_id, sizeof(leg->session_id), 0) < 0)
		err = -EIO;
	leg->session_id >>= 2; /* some parsers keep it in 63 bits with a sign */
	if (setup->origin.session_id) {
		leg->session_id = setup->origin.session_id;
		leg->version = setup->origin.version;
	}
	return err;
}

void leg_done(struct leg *leg)
{
	timer_cancel(&leg->ice_deadline);
	leg->path.ops = &relay_ops_closed;
	dtls_destroy(leg->dtls);
	leg->path.ice = ice_destroy(leg->path.ice);
	leg->path.srtp = srtp_pair_destroy(leg->path.srtp);
	leg->path.plain = plain_destroy(leg->path.plain);
	leg->path.local = local_destroy(leg->path.local);
	free(leg->remote);
	free(leg->written);
}

int leg_prepare(struct leg *leg)
{
	const struct ice_handlers handlers = { on_ice_packet, on_ice_connected, on_ice_failed,
					       leg };

	if (leg->setup.kind != MEDIA_LEG_WEBRTC || leg->path.ice)
		return 0;
	return ice_create(&leg->path.ice, worker_context(leg->setup.worker), &leg->setup.address,
			  &handlers);
}

/* An address that no packet of ours may be sent to. */
static const char *forbidden(const struct leg *leg, const union net_address *address)
{
	uint16_t ours = net_port(&leg->setup.address);

	if (address->any.sa_family == AF_UNSPEC)
		return "is not a literal address";
	if (address->any.sa_family != leg->setup.address.any.sa_family)
		return "is of another address family than ours";
	if (net_is_multicast(address))
		return "is multicast, broadcast or reserved";
	if (net_is_loopback(address) && !net_is_loopback(&leg->setup.address))
		return "is loopback";
	if (net_same_host(address, &leg->setup.address) &&
	    (net_port(address) == ours ||
	     (leg->setup.kind == MEDIA_LEG_RTP && net_port(address) == ours + 1)))
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

static bool judge_rtp(const struct leg *leg, const struct media_desc *remote, char *reason)
{
	char host[NET_TEXT_ROOM] = "";
	const char *why;

	if (remote->proto != SDP_PROTO_RTP_AVP && remote->proto != SDP_PROTO_RTP_AVPF)
		return refuse(reason, "the SDP asks for %s, this side speaks plain RTP/AVP",
			      remote->sections[remote->audio].proto);
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

static bool same_fingerprints(const struct media_desc *a, const struct media_desc *b)
{
	return a->fingerprint_count == b->fingerprint_count &&
	       memcmp(a->fingerprints, b->fingerprints,
		      a->fingerprint_count * sizeof(a->fingerprints[0])) == 0;
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
	if (leg->remote && !same_fingerprints(leg->remote, remote) &&
	    strcmp(leg->remote->ufrag, remote->ufrag) == 0)
		return refuse(reason, "a=fingerprint changed without a new a=ice-ufrag");
	return true;
}

static bool judge_webrtc(const struct leg *leg, const struct media_desc *remote, char *reason)
{
	bool secure = remote->proto == SDP_PROTO_DTLS_SAVP ||
		      remote->proto == SDP_PROTO_DTLS_SAVPF ||
		      remote->proto == SDP_PROTO_RTP_SAVP || remote->proto == SDP_PROTO_RTP_SAVPF;

	if (!secure)
		return refuse(reason,
			      "the SDP asks for %s, this side requires ICE and DTLS-SRTP "
			      "(UDP/TLS/RTP/SAVPF)",
			      remote->sections[remote->audio].proto);
	if (!judge_dtls(leg, remote, reason))
		return false;
	if (remote->ufrag[0] == '\0' || remote->password[0] == '\0')
		return refuse(reason, "the SDP has no valid a=ice-ufrag and a=ice-pwd");
	if (!remote->rtcp_mux)
		return refuse(reason, "the SDP has no a=rtcp-mux");
	return true;
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

bool leg_judge(struct leg *leg, struct media_desc *remote, bool is_offer,
	       char ret_reason[static LEG_REASON_ROOM])
{
	bool fine;

	if (remote->port == 0)
		return refuse(ret_reason, "the %s refuses audio (port 0)",
			      is_offer ? "offer" : "answer");
	if (!codecs_first_speech(remote))
		return refuse(ret_reason, "the SDP names no audio codec");
	fine = leg->setup.kind == MEDIA_LEG_RTP ? judge_rtp(leg, remote, ret_reason)
						: judge_webrtc(leg, remote, ret_reason);
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
	const struct dtls_handlers handlers = { on_dtls_send, on_dtls_ready, on_dtls_failed, leg };
	struct dtls *dtls;
	int err = dtls_create(&dtls, leg->setup.identity, worker_wheel(leg->setup.worker),
			      we_are_client(remote, we_offered), remote->fingerprints,
			      remote->fingerprint_count, &handlers);

	if (err)
		return err;
	dtls_destroy(leg->dtls);
	leg->dtls = dtls;
	return 0;
}

/* Credentials as before: ICE goes on undisturbed. New ones: ICE restart. */
static int apply_ice(struct leg *leg, const struct media_desc *remote, bool we_offered)
{
	bool first = !leg->remote;
	int err;

	if (!first && strcmp(leg->remote->ufrag, remote->ufrag) == 0 &&
	    strcmp(leg->remote->password, remote->password) == 0)
		return 0;
	if (first) /* of a lite and a full agent the full one controls: RFC 8445 6.1.1 */
		ice_set_controlling(leg->path.ice, we_offered || remote->ice_lite);
	else if ((err = ice_restart(leg->path.ice, /* new_credentials= */ !we_offered)) != 0)
		return err;
	timer_start(worker_wheel(leg->setup.worker), &leg->ice_deadline, clock_now() + LEG_ICE_MS);
	return ice_set_remote(leg->path.ice, remote);
}

static int apply_webrtc(struct leg *leg, const struct media_desc *remote, bool we_offered)
{
	int err = leg_prepare(leg);

	if (!err)
		err = apply_ice(leg, remote, we_offered);
	if (!err && (!leg->remote || !same_fingerprints(leg->remote, remote)))
		err = new_association(leg, remote, we_offered);
	if (!err && ice_is_connected(leg->path.ice))
		dtls_start(leg->dtls);
	return err;
}

int leg_apply(struct leg *leg, struct media_desc *take_remote, bool we_offered)
{
	int err = 0;

	if (leg->setup.kind == MEDIA_LEG_WEBRTC)
		err = apply_webrtc(leg, take_remote, we_offered);
	else if (leg->setup.kind == MEDIA_LEG_RTP)
		plain_set_remote(leg->path.plain, take_remote);
	if (err) {
		free(take_remote);
		return err;
	}
	free(leg->remote);
	leg->remote = take_remote;
	return 0;
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
	ours->proto = webrtc ? SDP_PROTO_DTLS_SAVPF : SDP_PROTO_RTP_AVP;
	ours->bundle = webrtc;
	if (webrtc)
		memcpy(ours->sections[0].mid, "0", 2);
}

void leg_describe(const struct leg *leg, const struct media_desc *offer, struct media_desc *ours)
{
	describe_sections(leg, offer, ours);
	ours->rtp = leg->setup.address;
	ours->port = net_port(&ours->rtp);
	if (leg->setup.kind != MEDIA_LEG_WEBRTC) {
		ours->rtcp_mux = offer ? offer->rtcp_mux : leg->remote && leg->remote->rtcp_mux;
		return;
	}
	ours->rtcp_mux = true;
	ice_describe(leg->path.ice, ours);
	ours->fingerprints[0] = *dtls_identity_fingerprint(leg->setup.identity);
	ours->fingerprint_count = 1;
	if (!offer) /* a re-offer too: RFC 8842 5.5 */
		ours->setup = SDP_ACTPASS;
	else
		ours->setup = dtls_is_client(leg->dtls) ? SDP_ACTIVE : SDP_PASSIVE;
}

const char *leg_write(struct leg *leg, const struct media_desc *ours)
{
	char *text = sdp_write(ours, leg->session_id, leg->version);

	if (text && leg->written && strcmp(text, leg->written) != 0) {
		free(text);
		leg->version++;
		text = sdp_write(ours, leg->session_id, leg->version);
	}
	if (!text)
		return NULL;
	free(leg->written);
	leg->written = text;
	return text;
}

void leg_show_codec(struct leg *leg, const char *codec)
{
	struct receipt *receipt = leg->path.receipt;

	(void)snprintf(receipt->texts.codec, sizeof(receipt->texts.codec), "%.15s", codec);
	receipt_publish(receipt);
}
