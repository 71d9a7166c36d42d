/* SPDX-License-Identifier: Apache-2.0 */
/* leg_describe.c - what we say of a leg to its peer. */
#include "media/leg_private.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Keys may be in it. */
void leg_forget_text(struct leg *leg)
{
	if (leg->written)
		explicit_bzero(leg->written, strlen(leg->written));
	free(leg->written);
	leg->written = NULL;
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
	const struct sdp_before *before = leg->setup.before;
	bool webrtc = leg->setup.kind == MEDIA_LEG_WEBRTC;

	if (from) { /* sections never vanish, RFC 3264 8 */
		memcpy(ours->sections, from->sections, sizeof(ours->sections));
		ours->section_count = from->section_count;
		ours->audio = from->audio;
		ours->bundle = from->bundle;
		ours->proto = from->proto;
		return;
	}
	ours->proto = first_proto(leg->setup.kind);
	if (before && before->section_count > 0) {
		memcpy(ours->sections, before->sections, sizeof(ours->sections));
		ours->section_count = before->section_count;
		ours->audio = before->audio;
		ours->bundle = before->bundle;
		return;
	}
	memset(ours->sections, 0, sizeof(ours->sections));
	ours->section_count = 1;
	ours->audio = 0;
	ours->bundle = webrtc;
	if (webrtc)
		memcpy(ours->sections[0].mid, "0", 2);
}

/* Within a dialog a number means what it meant before (RFC 8285 6): the mid is offered
 * again under its own, or not at all. Browsers take another one ill. */
static uint8_t number_to_offer(const struct leg *leg, const struct media_desc *ours)
{
	const struct sdp_before *before = leg->setup.before;
	unsigned number = EXTENSION_NUMBER_MAX;

	if (leg->remote || before) {
		number = leg->remote ? leg->remote->extensions.numbers[EXTENSION_MID]
				     : before->mid_number;
		return extensions_have_number(&ours->extensions, number) ? 0 : (uint8_t)number;
	}
	while (extensions_have_number(&ours->extensions, number))
		number--; /* there are fewer extensions than numbers */
	return (uint8_t)number;
}

/* Every section of a BUNDLE group has it (RFC 8843 15). */
static void describe_mid(const struct leg *leg, const struct media_desc *offer,
			 struct media_desc *ours)
{
	size_t length = strlen(ours->sections[ours->audio].mid);
	uint8_t *number = &ours->extensions.numbers[EXTENSION_MID];

	*number = 0;
	if (leg->setup.kind != MEDIA_LEG_WEBRTC || length == 0 || length > MID_MAX)
		return;
	*number = offer ? offer->extensions.numbers[EXTENSION_MID] : number_to_offer(leg, ours);
}

/* WebRTC peers find a stream by its SSRC; of others many stumble over what they do not know,
 * and none asks for it. */
static void describe_stream(const struct leg *leg, struct media_desc *ours)
{
	bool webrtc = leg->setup.kind == MEDIA_LEG_WEBRTC;

	ours->ssrc = webrtc ? leg->path.sender->ssrc : 0;
	ours->cname = webrtc ? leg->path.sender->cname : NULL;
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

/* A NAT's address in place of ours. The host candidate stays one, with a host's
 * priority: of a server-reflexive one RFC 8839 5.1 would have us tell the address
 * behind the NAT too. What the NAT makes of our own checks, the peer learns from
 * them (peer-reflexive, RFC 8445 7.3.1.3). */
static void advertise(const struct leg *leg, struct media_desc *ours)
{
	const struct net_hosts *hosts = leg->setup.hosts;
	unsigned host;

	for (unsigned i = 0; i < ours->candidate_count; i++) {
		host = net_hosts_find(hosts, &ours->candidates[i].address);
		if (ours->candidates[i].type == SDP_HOST && host < hosts->count)
			net_set_host(&ours->candidates[i].address, &hosts->told[host]);
	}
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
	describe_mid(leg, offer, ours);
	describe_stream(leg, ours);
	ours->rtp = leg->setup.hosts->told[leg->host];
	net_set_port(&ours->rtp, leg->setup.port);
	ours->port = offer && offer->port == 0 ? 0 : net_port(&ours->rtp);
	/* Offered always: who does not know it has the next port (RFC 5761 5.1.1). */
	ours->rtcp_mux = !offer || offer->rtcp_mux;
	ours->ice_lite = leg->path.lite != NULL;
	if (leg->setup.kind == MEDIA_LEG_WEBRTC)
		leg_describe_ice(leg, ours);
	advertise(leg, ours);
	name_relay(ours);
	if (leg->setup.kind == MEDIA_LEG_WEBRTC || leg->setup.kind == MEDIA_LEG_DTLS)
		leg_describe_dtls(leg, offer, ours);
	else if (leg_has_sdes(leg))
		describe_sdes(leg, offer, ours);
}

/* NULL: no memory. */
static char *write_text(const struct leg *leg, const struct media_desc *ours)
{
	const struct sdp_before *before = leg->setup.before;
	char owner[32];

	if (before && before->owner[0] != '\0')
		return sdp_write(ours, before->owner, before->address, leg->version);
	(void)snprintf(owner, sizeof(owner), "- %llu", (unsigned long long)leg->session_id);
	return sdp_write(ours, owner, NULL, leg->version);
}

const char *leg_write(struct leg *leg, const struct media_desc *ours)
{
	char *text = write_text(leg, ours);

	if (text && leg->written && strcmp(text, leg->written) != 0) {
		explicit_bzero(text, strlen(text));
		free(text);
		leg->version++;
		text = write_text(leg, ours);
	}
	if (!text)
		return NULL;
	leg_forget_text(leg);
	leg->written = text;
	return text;
}
