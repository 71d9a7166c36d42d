/* SPDX-License-Identifier: Apache-2.0 */
#include "media/leg_private.h"
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include "base/log.h"
#include "media/ice.h"
#include "media/lite.h"
#include "media/local.h"
#include "media/plain.h"

void leg_fail(struct leg *leg, const char *reason)
{
	log_notice("media", "%s failed why=\"%s\"", leg->setup.label, reason);
	leg->setup.failed(reason, leg->setup.arg);
}

void leg_tell_step(const struct leg *leg, const char *format, ...)
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

/* What it is sent is called as it has said. */
static uint32_t clock_of(const struct relay_leg *path, uint8_t type)
{
	const struct leg *leg = CONTAINER_OF(path, struct leg, path);

	for (unsigned i = 0; leg->remote && i < leg->remote->codec_count; i++)
		if (leg->remote->codecs[i].type == type)
			return leg->remote->codecs[i].rate;
	return 0;
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

bool leg_has_sdes(const struct leg *leg)
{
	return leg->setup.kind == MEDIA_LEG_SDES || leg->setup.kind == MEDIA_LEG_SDES_OR_RTP;
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
	leg->path.clock = clock_of;
	atomic_store_explicit(&setup->receipt->kind, (unsigned)setup->kind, memory_order_relaxed);
	leg->path.sender = setup->sender;
	leg_init_ice(leg);
	leg->host = setup->host;
	if (leg_has_sockets(setup->kind))
		err = plain_create(&leg->path.plain, setup->worker, &leg->path, setup->hub,
				   leg->setup.fds, setup->hosts->count);
	else if (setup->kind == MEDIA_LEG_LOCAL)
		err = local_create(&leg->path.local, worker_wheel(setup->worker), &leg->path,
				   &setup->local, setup->recording, &local);
	if (!err && setup->kind != MEDIA_LEG_LOCAL && !leg->path.sender)
		err = sender_create(&leg->path.sender);
	if (leg->path.plain) {
		plain_set_host(leg->path.plain, leg->host);
		plain_set_latching(leg->path.plain, setup->latching);
		plain_set_near(leg->path.plain, setup->near);
	}
	if (!err && setup->kind == MEDIA_LEG_DTLS)
		plain_set_dtls(leg->path.plain, leg_take_dtls, leg);
	if (!err && getrandom(&leg->session_id, sizeof(leg->session_id), 0) < 0)
		err = -EIO;
	if (!err && (setup->kind == MEDIA_LEG_WEBRTC || setup->kind == MEDIA_LEG_DTLS))
		err = leg_name_association(leg);
	leg->session_id >>= 2; /* some parsers keep it in 63 bits with a sign */
	if (setup->before)
		leg->version = setup->before->version;
	return err;
}

void leg_done(struct leg *leg)
{
	reporter_done(&leg->reporter);
	timer_cancel(&leg->ice_deadline);
	leg->path.ops = &relay_ops_closed;
	if (leg->dtls)
		dtls_farewell(leg->dtls);
	dtls_destroy(leg->dtls);
	free(leg->early);
	leg->path.ice = ice_destroy(leg->path.ice);
	leg->path.lite = lite_leg_destroy(leg->path.lite);
	leg->path.srtp = srtp_pair_destroy(leg->path.srtp);
	leg->path.plain = plain_destroy(leg->path.plain);
	leg->path.local = local_destroy(leg->path.local);
	leg->path.sender = sender_unref(leg->path.sender);
	leg->setup.before = sdp_before_destroy(leg->setup.before);
	sdes_wipe(&leg->sdes);
	leg->remote = sdp_free(leg->remote);
	leg_forget_text(leg);
}

int leg_prepare(struct leg *leg)
{
	if (leg_has_sdes(leg))
		return sdes_make(&leg->sdes);
	return leg->setup.kind == MEDIA_LEG_WEBRTC ? leg_prepare_ice(leg) : 0;
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
		err = leg_install_keys(leg, &keys);
	explicit_bzero(&keys, sizeof(keys));
	if (!err)
		log_info("media", "%s sdes ready suite=%s", leg->setup.label,
			 srtp_suite_name(theirs->suite));
	if (!err)
		leg_tell_step(leg, "keys of the SDP in force: %s", srtp_suite_name(theirs->suite));
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
		return leg_apply_webrtc(leg, remote, we_offered);
	case MEDIA_LEG_RTP:
		return plain_set_remote(leg->path.plain, remote, /* sealed= */ false,
					leg->session_id);
	case MEDIA_LEG_DTLS:
		return leg_apply_bare_dtls(leg, remote, we_offered);
	case MEDIA_LEG_SDES:
	case MEDIA_LEG_SDES_OR_RTP:
		return apply_sdes(leg, remote, we_offered);
	case MEDIA_LEG_LOCAL:
		break;
	}
	return 0;
}

static bool is_elsewhere(const struct leg *leg, const struct media_desc *remote)
{
	return !leg->remote || !net_same_host(&remote->rtp, &leg->remote->rtp);
}

/* Which of our addresses this peer is served from. It stays until the peer is elsewhere,
 * and for an answer, since our offer has named it, unless that is of the other family. With
 * ICE it is only the default, which some look at who do not know candidates. */
static unsigned choose_host(const struct leg *leg, const struct media_desc *remote, bool we_offered)
{
	const struct net_hosts *hosts = leg->setup.hosts;
	int family = remote->rtp.any.sa_family;
	bool fits = hosts->own[leg->host].any.sa_family == family;
	unsigned host;

	if (fits && (we_offered || leg->setup.stays || !is_elsewhere(leg, remote)))
		return leg->host;
	if (leg_has_sockets(leg->setup.kind) && net_is_unspecified(&remote->rtp))
		return leg->host; /* on hold it is nowhere */
	host = net_hosts_towards(hosts, &remote->rtp);
	return host < hosts->count ? host : leg->host;
}

int leg_apply(struct leg *leg, struct media_desc *take_remote, bool we_offered)
{
	unsigned host = choose_host(leg, take_remote, we_offered);
	int err = apply_transport(leg, take_remote, we_offered);

	if (err) {
		sdp_free(take_remote);
		return err;
	}
	leg->host = host;
	if (leg->path.sender)
		sender_avoid(leg->path.sender, take_remote->ssrc);
	if (leg->path.plain)
		plain_set_host(leg->path.plain, host);
	sdp_free(leg->remote);
	leg->remote = take_remote;
	if (leg->path.sender)
		reporter_start(&leg->reporter, worker_wheel(leg->setup.worker), &leg->path,
			       !(take_remote->rtcp_silent[0] && take_remote->rtcp_silent[1]));
	return 0;
}

void leg_near(struct leg *leg, const char *near)
{
	if (leg->path.plain)
		plain_set_near(leg->path.plain, near);
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

void leg_show_codec(struct leg *leg, const char *codec)
{
	struct receipt *receipt = leg->path.receipt;

	(void)snprintf(receipt->texts.codec, sizeof(receipt->texts.codec), "%.15s", codec);
	receipt_publish(receipt);
}
