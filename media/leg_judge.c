/* SPDX-License-Identifier: Apache-2.0 */
/* leg_judge.c - whether what a peer says can be served, and in which words it is refused. */
#include "media/leg_private.h"
#include <stdarg.h>
#include <stdio.h>

/* Our own, or what a NAT maps to it: we would talk to ourselves. */
static bool is_own(const struct leg *leg, const union net_address *address)
{
	const struct net_hosts *hosts = leg->setup.hosts;
	uint16_t port = net_port(address);

	if (net_hosts_find(hosts, address) == hosts->count)
		return false;
	return port == leg->setup.port ||
	       (leg_has_sockets(leg->setup.kind) && port == leg->setup.port + 1);
}

/* An address that no packet of ours may be sent to. */
static const char *forbidden(const struct leg *leg, const union net_address *address)
{
	if (address->any.sa_family == AF_UNSPEC)
		return "is not a literal address";
	if (net_hosts_of_family(leg->setup.hosts, address->any.sa_family) ==
	    leg->setup.hosts->count)
		return "is of another address family than ours";
	if (net_is_multicast(address))
		return "is multicast, broadcast or reserved";
	if (net_is_loopback(address) && !net_hosts_on_loopback(leg->setup.hosts))
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

/* Of the association that is there the roles are agreed (RFC 8842 4): an offer that says the
 * other one could only be answered by a clash. */
static bool changes_role(const struct leg *leg, const struct media_desc *remote, bool is_offer)
{
	return is_offer && leg->dtls && leg->remote && leg_same_association(leg->remote, remote) &&
	       remote->setup == (dtls_is_client(leg->dtls) ? SDP_ACTIVE : SDP_PASSIVE);
}

static bool judge_dtls(const struct leg *leg, const struct media_desc *remote, bool is_offer,
		       char *reason)
{
	if (remote->fingerprint_count == 0)
		return refuse(reason,
			      "the SDP has %s a=fingerprint of sha-256, sha-384 or sha-512%s",
			      remote->fingerprint_unknown ? "an a=fingerprint, but no valid" : "no",
			      remote->sdes ? "; SDES keys (a=crypto) are not accepted here" : "");
	if (remote->setup == SDP_HOLDCONN && !leg->dtls)
		return refuse(reason, "the SDP says a=setup:holdconn before there is a connection");
	if (changes_role(leg, remote, is_offer))
		return refuse(reason, "a=setup changes the role in a DTLS association whose "
				      "a=fingerprint and a=tls-id are the same");
	if (leg->setup.kind == MEDIA_LEG_WEBRTC && leg->remote &&
	    !leg_same_association(leg->remote, remote) &&
	    strcmp(leg->remote->ufrag, remote->ufrag) == 0)
		return refuse(reason,
			      "a=fingerprint or a=tls-id changed without a new a=ice-ufrag");
	return true;
}

/* RTP/SAVP(F) too: what was written before RFC 5764 gave it a name of its own. */
static bool judge_secure(const struct leg *leg, const struct media_desc *remote, bool is_offer,
			 const char *ours, char *reason)
{
	if (!is_savp(remote) && remote->proto != SDP_PROTO_DTLS_SAVP &&
	    remote->proto != SDP_PROTO_DTLS_SAVPF)
		return refuse_proto(remote, ours, reason);
	return judge_dtls(leg, remote, is_offer, reason);
}

/* Without a=rtcp-mux RTCP would need a handshake of its own (RFC 5764 3). */
static bool judge_mux(const struct media_desc *remote, char *reason)
{
	return remote->rtcp_mux || refuse(reason, "the SDP has no a=rtcp-mux");
}

static bool judge_bare_dtls(const struct leg *leg, const struct media_desc *remote, bool is_offer,
			    char *reason)
{
	return judge_secure(leg, remote, is_offer, "requires DTLS-SRTP (UDP/TLS/RTP/SAVP)",
			    reason) &&
	       judge_mux(remote, reason) && judge_address(leg, remote, reason);
}

static bool judge_webrtc(const struct leg *leg, const struct media_desc *remote, bool is_offer,
			 char *reason)
{
	if (!judge_secure(leg, remote, is_offer, "requires ICE and DTLS-SRTP (UDP/TLS/RTP/SAVPF)",
			  reason))
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
		return judge_webrtc(leg, remote, is_offer, reason);
	case MEDIA_LEG_RTP:
		return judge_rtp(leg, remote, reason);
	case MEDIA_LEG_DTLS:
		return judge_bare_dtls(leg, remote, is_offer, reason);
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
