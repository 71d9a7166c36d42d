/* SPDX-License-Identifier: Apache-2.0 */
/* sdp_write.c - from struct media_desc to text. */
#include <stdio.h>
#include "base/str.h"
#include "media/sdp_words.h"

void sdp_fingerprint_format(const struct sdp_fingerprint *fingerprint,
			    char ret_text[static SDP_FINGERPRINT_ROOM])
{
	char *to = ret_text + sprintf(ret_text, "%s ", fingerprint->hash);

	for (unsigned i = 0; i < fingerprint->length; i++)
		to += sprintf(to, i ? ":%02X" : "%02X", fingerprint->bytes[i]);
}

static void write_codecs(struct str *out, const struct media_desc *desc)
{
	for (unsigned i = 0; i < desc->codec_count; i++) {
		const struct sdp_codec *codec = &desc->codecs[i];

		str_addf(out, "a=rtpmap:%u %s/%u", codec->type, codec->name, codec->rate);
		if (codec->channels > 1)
			str_addf(out, "/%u", codec->channels);
		str_add(out, "\r\n");
		if (codec->fmtp[0] != '\0')
			str_addf(out, "a=fmtp:%u %s\r\n", codec->type, codec->fmtp);
	}
	if (desc->ptime)
		str_addf(out, "a=ptime:%u\r\n", desc->ptime);
	if (desc->maxptime)
		str_addf(out, "a=maxptime:%u\r\n", desc->maxptime);
}

static void write_extensions(struct str *out, const struct extensions *extensions)
{
	for (enum extension i = 0; i < EXTENSION_COUNT; i++)
		if (extensions->numbers[i] != 0)
			str_addf(out, "a=extmap:%u %s\r\n", extensions->numbers[i],
				 extension_uri(i));
}

static void write_candidates(struct str *out, const struct media_desc *desc)
{
	char host[NET_TEXT_ROOM];

	for (unsigned i = 0; i < desc->candidate_count; i++) {
		const struct sdp_candidate *candidate = &desc->candidates[i];

		net_host(&candidate->address, host);
		str_addf(out, "a=candidate:%s 1 UDP %u %s %u typ %s", candidate->foundation,
			 candidate->priority, host, net_port(&candidate->address),
			 sdp_candidate_words[candidate->type]);
		/* What it stands for is nobody's business, and must be said: RFC 8839 5.1. */
		if (candidate->type != SDP_HOST)
			str_addf(out, " raddr %s rport 9",
				 candidate->address.any.sa_family == AF_INET6 ? "::" : "0.0.0.0");
		str_add(out, "\r\n");
	}
}

static void write_security(struct str *out, const struct media_desc *desc)
{
	char text[SDP_FINGERPRINT_ROOM];

	if (desc->ufrag[0] != '\0')
		str_addf(out, "a=ice-ufrag:%s\r\na=ice-pwd:%s\r\n", desc->ufrag, desc->password);
	for (unsigned i = 0; i < desc->fingerprint_count; i++) {
		sdp_fingerprint_format(&desc->fingerprints[i], text);
		str_addf(out, "a=fingerprint:%s\r\n", text);
	}
	if (desc->setup != SDP_SETUP_NONE)
		str_addf(out, "a=setup:%s\r\n", sdp_setup_words[desc->setup]);
	for (unsigned i = 0; i < desc->crypto_count; i++)
		sdes_write(out, &desc->cryptos[i]);
	if (desc->tls_id[0] != '\0')
		str_addf(out, "a=tls-id:%s\r\n", desc->tls_id);
	write_candidates(out, desc);
}

static void write_audio(struct str *out, const struct media_desc *desc)
{
	const char *mid = desc->sections[desc->audio].mid;

	str_addf(out, "m=audio %u %s", desc->port, sdp_proto_words[desc->proto]);
	for (unsigned i = 0; i < desc->codec_count; i++)
		str_addf(out, " %u", desc->codecs[i].type);
	str_add(out, "\r\n");
	if (mid[0] != '\0')
		str_addf(out, "a=mid:%s\r\n", mid);
	write_codecs(out, desc);
	write_extensions(out, &desc->extensions);
	str_addf(out, "a=%s\r\n", sdp_direction_words[desc->direction]);
	if (desc->rtcp_mux)
		str_add(out, "a=rtcp-mux\r\n");
	if (desc->cname && desc->port != 0)
		str_addf(out, "a=ssrc:%u cname:%s\r\n", desc->ssrc, desc->cname);
	write_security(out, desc);
}

char *sdp_write(const struct media_desc *desc, const char *owner, const char *address,
		uint64_t version)
{
	struct str out = { .text = NULL };
	const char *family = desc->rtp.any.sa_family == AF_INET6 ? "IP6" : "IP4";
	char host[NET_TEXT_ROOM], at[NET_TEXT_ROOM + 8];

	net_host(&desc->rtp, host);
	(void)snprintf(at, sizeof(at), "IN %s %s", family, host);
	str_addf(&out, "v=0\r\no=%s %llu %s\r\ns=-\r\nc=%s\r\nt=0 0\r\n", owner,
		 (unsigned long long)version, address ? address : at, at);
	if (desc->ice_lite) /* for all sections, RFC 8839 5.3 */
		str_add(&out, "a=ice-lite\r\n");
	if (desc->bundle)
		str_addf(&out, "a=group:BUNDLE %s\r\n", desc->sections[desc->audio].mid);
	for (unsigned i = 0; i < desc->section_count; i++) {
		const struct sdp_section *section = &desc->sections[i];

		if (i == desc->audio)
			write_audio(&out, desc);
		else /* refused: RFC 3264 6 */
			str_addf(&out, "m=%s 0 %s %s\r\n", section->media, section->proto,
				 section->format);
	}
	return str_take(&out);
}
