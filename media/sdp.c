/* SPDX-License-Identifier: Apache-2.0 */
/* sdp.c - from text to struct media_desc.
 *
 * The lines are read here rather than by sofia's sdp module: the one in Debian
 * 12 does not know UDP/TLS/RTP/SAVPF (RFC 5764), drops what ICE needs into
 * untyped attribute lists, and its parser has a history of overflows
 * (CVE-2022-31001 to -31003). */
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/str.h"
#include "media/sdp_words.h"

#define LINE_ROOM 1024 /* longer lines are skipped: none we need comes near */

/* Payload types that need no a=rtpmap. Source: RFC 3551 table 4. */
static const struct sdp_codec static_codecs[] = {
	{ .type = 0, .name = "PCMU", .rate = 8000, .channels = 1 },
	{ .type = 3, .name = "GSM", .rate = 8000, .channels = 1 },
	{ .type = 4, .name = "G723", .rate = 8000, .channels = 1 },
	{ .type = 8, .name = "PCMA", .rate = 8000, .channels = 1 },
	{ .type = 9, .name = "G722", .rate = 8000, .channels = 1 },
	{ .type = 13, .name = "CN", .rate = 8000, .channels = 1 },
	{ .type = 15, .name = "G728", .rate = 8000, .channels = 1 },
	{ .type = 18, .name = "G729", .rate = 8000, .channels = 1 },
};

static const struct {
	const char *name;
	uint8_t length;
} hashes[] = { { "sha-256", 32 }, { "sha-384", 48 }, { "sha-512", 64 } };

struct parser {
	struct media_desc *desc;
	int section;                              /* -1 at session level */
	bool audio;                               /* inside our section */
	unsigned wanted;                          /* SDP_PROTO_BITs */
	int rank;                                 /* of the best audio section; 0: none */
	bool media_fingerprint, media_connection; /* override the session's */
	union net_address connection;
	union net_address rtcp; /* explicit a=rtcp: address or AF_UNSPEC */
	uint16_t rtcp_port;
	char bundle[256]; /* mids of the first BUNDLE group, " 0 1 " */
};

/* token of RFC 8866 9 and '/', so that it can be written into another text. */
static bool is_token(const char *text)
{
	if (*text == '\0')
		return false;
	for (; *text != '\0'; text++)
		if (!isgraph((unsigned char)*text) || strchr("\"(),:;<=>?@[\\]", *text))
			return false;
	return true;
}

static bool is_printable(const char *text)
{
	for (; *text != '\0'; text++)
		if ((unsigned char)*text < 0x20 || (unsigned char)*text > 0x7e)
			return false;
	return true;
}

/* ice-char of RFC 8839 5.1, which no other field can be smuggled through. */
static bool is_ice_text(const char *text)
{
	for (; *text != '\0'; text++)
		if (!isalnum((unsigned char)*text) && *text != '+' && *text != '/')
			return false;
	return true;
}

/* Decimal without sign or blanks, at most `max`; -1 otherwise. */
static long number_of(const char *text, long max)
{
	char *end;
	long value;

	if (!isdigit((unsigned char)*text))
		return -1;
	value = strtol(text, &end, 10);
	if ((*end != '\0' && *end != ' ' && *end != '/') || value > max)
		return -1;
	return value;
}

static void copy_if(bool fine, char *to, size_t room, const char *text)
{
	size_t length = strlen(text);

	if (fine && length < room)
		memcpy(to, text, length + 1);
}

static enum sdp_proto proto_of(const char *name)
{
	for (enum sdp_proto proto = SDP_PROTO_RTP_AVP; proto <= SDP_PROTO_DTLS_SAVPF; proto++)
		if (str_equal_nocase(name, sdp_proto_words[proto]))
			return proto;
	return SDP_PROTO_OTHER;
}

/* m=audio 9 UDP/TLS/RTP/SAVPF 111 0 8; 0 or -EINVAL. */
static int read_section(const char *value, struct sdp_section *ret_section, uint16_t *ret_port,
			const char **ret_formats)
{
	char media[16], port[16], proto[32], format[16];
	int used = 0;
	long number;

	if (sscanf(value, "%15s %15s %31s %n%15s", media, port, proto, &used, format) < 4)
		return -EINVAL;
	number = number_of(port, UINT16_MAX);
	if (number < 0 || !is_token(media) || !is_token(proto) || !is_token(format))
		return -EINVAL;
	memset(ret_section, 0, sizeof(*ret_section));
	memcpy(ret_section->media, media, sizeof(media));
	memcpy(ret_section->proto, proto, sizeof(proto));
	memcpy(ret_section->format, format, sizeof(format));
	*ret_port = (uint16_t)number;
	*ret_formats = value + used;
	return 0;
}

static struct sdp_codec *codec_of(struct media_desc *desc, long type)
{
	for (unsigned i = 0; i < desc->codec_count; i++)
		if (desc->codecs[i].type == type)
			return &desc->codecs[i];
	return NULL;
}

static void add_codec(struct media_desc *desc, long type)
{
	struct sdp_codec *codec;

	/* 64 to 95 cannot be told from RTCP on a shared port (RFC 5761 4). */
	if (type < 0 || (type >= 64 && type <= 95) || desc->codec_count == SDP_CODECS_MAX ||
	    codec_of(desc, type))
		return;
	codec = &desc->codecs[desc->codec_count++];
	memset(codec, 0, sizeof(*codec));
	codec->type = (uint8_t)type;
	for (size_t i = 0; i < ARRAY_SIZE(static_codecs); i++)
		if (static_codecs[i].type == type)
			*codec = static_codecs[i];
}

static void read_formats(struct media_desc *desc, const char *formats)
{
	while (*formats != '\0') {
		size_t length = strcspn(formats, " ");

		add_codec(desc, number_of(formats, 127));
		formats += length;
		formats += strspn(formats, " ");
	}
}

static void read_rtpmap(struct media_desc *desc, const char *value)
{
	struct sdp_codec *codec = codec_of(desc, number_of(value, 127));
	char name[20], rate_text[7], channels_text[3] = "1";
	long rate, channels;

	if (!codec ||
	    sscanf(value, "%*s %19[^/ ]/%6[0-9]/%2[0-9]", name, rate_text, channels_text) < 2)
		return;
	rate = number_of(rate_text, 384000);
	channels = number_of(channels_text, 8);
	if (!is_token(name) || rate <= 0 || channels <= 0)
		return;
	memset(codec->name, 0, sizeof(codec->name));
	memcpy(codec->name, name, strlen(name));
	codec->rate = (uint32_t)rate;
	codec->channels = (uint8_t)channels;
}

static void read_fmtp(struct media_desc *desc, const char *value)
{
	struct sdp_codec *codec = codec_of(desc, number_of(value, 127));
	const char *text = strchr(value, ' ');

	if (codec && text)
		copy_if(is_printable(text + 1), codec->fmtp, sizeof(codec->fmtp), text + 1);
}

/* IN IP4 192.0.2.1[/ttl]; AF_UNSPEC if it is no literal address. */
static void read_connection(const char *value, union net_address *ret_address)
{
	char host[NET_TEXT_ROOM];

	memset(ret_address, 0, sizeof(*ret_address));
	if (sscanf(value, "IN IP%*1[46] %63[^/ ]", host) == 1 && net_parse(host, 0, ret_address))
		memset(ret_address, 0, sizeof(*ret_address)); /* a name */
}

static void read_rtcp(struct parser *parser, const char *value)
{
	long port = number_of(value, UINT16_MAX);
	const char *rest = strchr(value, ' ');

	if (port < 0)
		return;
	parser->rtcp_port = (uint16_t)port;
	if (rest)
		read_connection(rest + 1, &parser->rtcp);
}

/* candidate:1 1 udp 2113937151 192.0.2.2 55248 typ host ... (RFC 8839 5.1).
 * Other components, TCP, names (mDNS) and junk are passed over: ICE does not
 * need them. */
static void read_candidate(struct media_desc *desc, const char *value)
{
	struct sdp_candidate candidate = { .priority = 0 };
	char component[4], transport[8], priority[11], host[NET_TEXT_ROOM], port_text[6], type[8];
	long number, port;

	if (desc->candidate_count == SDP_CANDIDATES_MAX ||
	    sscanf(value, "%32s %3s %7s %10s %63s %5s typ %7s", candidate.foundation, component,
		   transport, priority, host, port_text, type) != 7)
		return;
	number = number_of(priority, UINT32_MAX);
	port = number_of(port_text, UINT16_MAX);
	if (strcmp(component, "1") != 0 || !str_equal_nocase(transport, "udp") || number < 0 ||
	    port <= 0 || !is_ice_text(candidate.foundation) ||
	    net_parse(host, (uint16_t)port, &candidate.address))
		return;
	candidate.priority = (uint32_t)number;
	for (unsigned i = 0; i < ARRAY_SIZE(sdp_candidate_words); i++) {
		if (strcmp(type, sdp_candidate_words[i]) != 0)
			continue;
		candidate.type = (enum sdp_candidate_type)i;
		desc->candidates[desc->candidate_count++] = candidate;
	}
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = (char)tolower((unsigned char)c);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* "AB:CD" with exactly `length` bytes. */
static bool read_hex(const char *text, uint8_t *to, size_t length)
{
	for (size_t i = 0; i < length; i++, text += 3) {
		int high = hex_digit(text[0]);
		int low = high < 0 ? -1 : hex_digit(text[1]);

		if (low < 0 || text[2] != (i + 1 < length ? ':' : '\0'))
			return false;
		to[i] = (uint8_t)(high << 4 | low);
	}
	return true;
}

static void read_fingerprint(struct parser *parser, const char *value)
{
	struct media_desc *desc = parser->desc;
	struct sdp_fingerprint fingerprint = { .length = 0 };
	char name[16], hex[64 * 3 + 1];

	/* The media level's replace the session's (RFC 8122 5). */
	if (parser->audio && !parser->media_fingerprint) {
		parser->media_fingerprint = true;
		desc->fingerprint_count = 0;
		desc->fingerprint_unknown = false;
	}
	if (sscanf(value, "%15s %192s", name, hex) != 2)
		return;
	for (size_t i = 0; i < ARRAY_SIZE(hashes); i++) {
		if (!str_equal_nocase(name, hashes[i].name))
			continue;
		memcpy(fingerprint.hash, hashes[i].name, sizeof(fingerprint.hash));
		fingerprint.length = hashes[i].length;
	}
	if (fingerprint.length == 0 || !read_hex(hex, fingerprint.bytes, fingerprint.length) ||
	    desc->fingerprint_count == SDP_FINGERPRINTS_MAX)
		desc->fingerprint_unknown = true;
	else
		desc->fingerprints[desc->fingerprint_count++] = fingerprint;
}

static bool read_word(const char *line, const char *const *words, size_t count, unsigned *ret_index)
{
	for (size_t i = 0; i < count; i++) {
		if (words[i][0] != '\0' && str_equal_nocase(line, words[i])) {
			*ret_index = (unsigned)i;
			return true;
		}
	}
	return false;
}

static void read_credential(const char *value, size_t least, char ret_text[SDP_CREDENTIAL_ROOM])
{
	copy_if(is_ice_text(value) && strlen(value) >= least, ret_text, SDP_CREDENTIAL_ROOM, value);
}

/* Attributes with a value that mean the same at session and at media level. */
static bool read_common(struct parser *parser, const char *name, const char *value)
{
	struct media_desc *desc = parser->desc;
	unsigned index;

	if (strcmp(name, "ice-ufrag") == 0)
		read_credential(value, 4, desc->ufrag);
	else if (strcmp(name, "ice-pwd") == 0)
		read_credential(value, 22, desc->password);
	else if (strcmp(name, "tls-id") == 0)
		copy_if(strlen(value) >= 20, desc->tls_id, sizeof(desc->tls_id), value);
	else if (strcmp(name, "fingerprint") == 0)
		read_fingerprint(parser, value);
	else if (strcmp(name, "setup") == 0) {
		if (read_word(value, sdp_setup_words, ARRAY_SIZE(sdp_setup_words), &index))
			desc->setup = (enum sdp_setup)index;
	} else
		return false;
	return true;
}

static void read_crypto(struct media_desc *desc, const char *value)
{
	desc->sdes = true;
	if (desc->crypto_count < SDES_LINES_MAX &&
	    sdes_parse(value, &desc->cryptos[desc->crypto_count]))
		desc->crypto_count++;
}

/* ssrc:1234 cname:name (RFC 5576 4.1) */
static void read_ssrc(struct media_desc *desc, const char *value)
{
	long number = number_of(value, UINT32_MAX);

	desc->ssrc = number > 0 ? (uint32_t)number : 0;
}

static void read_media_attribute(struct parser *parser, const char *name, const char *value)
{
	struct media_desc *desc = parser->desc;
	long number;

	if (strcmp(name, "rtpmap") == 0)
		read_rtpmap(desc, value);
	else if (strcmp(name, "fmtp") == 0)
		read_fmtp(desc, value);
	else if (strcmp(name, "extmap") == 0)
		extensions_read(&desc->extensions, value);
	else if (strcmp(name, "candidate") == 0)
		read_candidate(desc, value);
	else if (strcmp(name, "rtcp") == 0)
		read_rtcp(parser, value);
	else if (strcmp(name, "rtcp-mux") == 0)
		desc->rtcp_mux = true;
	else if (strcmp(name, "ssrc") == 0 && desc->ssrc == 0)
		read_ssrc(desc, value);
	else if (strcmp(name, "crypto") == 0)
		read_crypto(desc, value);
	else if (strcmp(name, "ptime") == 0 && (number = number_of(value, 400)) > 0)
		desc->ptime = (uint16_t)number;
	else if (strcmp(name, "maxptime") == 0 && (number = number_of(value, 400)) > 0)
		desc->maxptime = (uint16_t)number;
}

static void read_attribute(struct parser *parser, char *line)
{
	char *value = strchr(line, ':');
	unsigned index;

	if (value)
		*value++ = '\0';
	else
		value = line + strlen(line);

	if (parser->section >= 0 && strcmp(line, "mid") == 0)
		copy_if(is_token(value), parser->desc->sections[parser->section].mid,
			sizeof(parser->desc->sections[0].mid), value);
	if (parser->section >= 0 && !parser->audio)
		return;
	if (read_word(line, sdp_direction_words, ARRAY_SIZE(sdp_direction_words), &index))
		parser->desc->direction = (enum sdp_direction)index;
	else if (read_common(parser, line, value))
		return;
	else if (parser->audio)
		read_media_attribute(parser, line, value);
	else if (strcmp(line, "ice-lite") == 0)
		parser->desc->ice_lite = true;
	else if (strcmp(line, "group") == 0 && str_starts(value, "BUNDLE ") &&
		 parser->bundle[0] == '\0')
		(void)snprintf(parser->bundle, sizeof(parser->bundle), " %s ", value + 7);
}

static void start_section(struct parser *parser, const char *value)
{
	struct media_desc *desc = parser->desc;
	struct sdp_section section;
	const char *formats;
	uint16_t port;

	parser->section++;
	parser->audio = parser->section == desc->audio;
	if (!parser->audio || read_section(value, &section, &port, &formats))
		return;
	desc->port = port;
	desc->proto = proto_of(section.proto);
	read_formats(desc, formats);
}

/* What a section says goes before what all have said: it comes behind it. */
static void read_bandwidth(struct media_desc *desc, const char *value)
{
	if (str_starts(value, "RS:"))
		desc->rtcp_silent[0] = number_of(value + 3, UINT32_MAX) == 0;
	else if (str_starts(value, "RR:"))
		desc->rtcp_silent[1] = number_of(value + 3, UINT32_MAX) == 0;
}

static int read_line(char *line, void *arg)
{
	struct parser *parser = arg;

	if (line[0] == 'm')
		start_section(parser, line + 2);
	else if (line[0] == 'c' && (parser->audio || parser->section < 0))
		read_connection(line + 2, &parser->connection);
	else if (line[0] == 'b' && (parser->audio || parser->section < 0))
		read_bandwidth(parser->desc, line + 2);
	else if (line[0] == 'a')
		read_attribute(parser, line + 2);
	return 0;
}

/* 1: refused, 2: not, 3: and of a protocol that is wanted. */
static int rank_of(const struct parser *parser, const struct sdp_section *section, uint16_t port)
{
	if (port == 0)
		return 1;
	return SDP_PROTO_BIT(proto_of(section->proto)) & parser->wanted ? 3 : 2;
}

/* First pass: which sections there are, and which one is the audio we serve: the
 * first of the highest rank. */
static int find_sections(char *line, void *arg)
{
	struct parser *parser = arg;
	struct media_desc *desc = parser->desc;
	const struct sdp_section *section;
	const char *formats;
	uint16_t port;
	int rank;

	if (line[0] != 'm')
		return 0;
	if (desc->section_count == SDP_SECTIONS_MAX ||
	    read_section(line + 2, &desc->sections[desc->section_count], &port, &formats))
		return -EINVAL;
	section = &desc->sections[desc->section_count];
	rank = rank_of(parser, section, port);
	if (str_equal_nocase(section->media, "audio") && rank > parser->rank) {
		parser->rank = rank;
		desc->audio = desc->section_count;
	}
	desc->section_count++;
	return 0;
}

/* Hands each line, without its end, to `read`. */
static int each_line(const char *text, int (*read)(char *line, void *arg), void *arg)
{
	char line[LINE_ROOM];
	int err = 0;

	while (*text != '\0' && !err) {
		size_t length = strcspn(text, "\n");
		size_t bare = length > 0 && text[length - 1] == '\r' ? length - 1 : length;

		if (bare >= 2 && text[1] != '=')
			return -EINVAL;
		if (bare >= 2 && bare < sizeof(line)) {
			memcpy(line, text, bare);
			line[bare] = '\0';
			err = read(line, arg);
		}
		text += length + (text[length] == '\n');
	}
	explicit_bzero(line, sizeof(line)); /* a key may have been in it */
	return err;
}

static void drop_unnamed_codecs(struct media_desc *desc)
{
	uint8_t kept = 0;

	for (unsigned i = 0; i < desc->codec_count; i++)
		if (desc->codecs[i].name[0] != '\0')
			desc->codecs[kept++] = desc->codecs[i];
	desc->codec_count = kept;
}

/* What depends on several lines. */
static void finish(struct parser *parser)
{
	struct media_desc *desc = parser->desc;
	const char *mid = desc->sections[desc->audio].mid;
	char word[40];

	drop_unnamed_codecs(desc);
	desc->rtp = parser->connection;
	net_set_port(&desc->rtp, desc->port);
	desc->rtcp = parser->rtcp.any.sa_family == AF_UNSPEC ? desc->rtp : parser->rtcp;
	if (desc->rtcp_mux)
		desc->rtcp = desc->rtp;
	else
		net_set_port(&desc->rtcp,
			     parser->rtcp_port ? parser->rtcp_port : (uint16_t)(desc->port + 1));
	(void)snprintf(word, sizeof(word), " %s ", mid);
	desc->bundle = mid[0] != '\0' && strstr(parser->bundle, word);
}

int sdp_parse(const char *text, struct media_desc **ret_desc, const char **ret_why)
{
	return sdp_parse_for(text, /* wanted= */ 0, ret_desc, ret_why);
}

int sdp_parse_for(const char *text, unsigned wanted, struct media_desc **ret_desc,
		  const char **ret_why)
{
	struct parser parser = { .section = -1, .wanted = wanted };
	struct media_desc *desc;

	*ret_why = "the SDP is larger than 16 KiB";
	if (strnlen(text, SDP_TEXT_MAX + 1) > SDP_TEXT_MAX)
		return -EINVAL;
	*ret_why = "the SDP does not begin with v=0";
	if (!str_starts(text, "v=0\r") && !str_starts(text, "v=0\n"))
		return -EINVAL;

	desc = calloc(1, sizeof(*desc));
	if (!desc)
		return -ENOMEM;
	parser.desc = desc;
	*ret_why = "the SDP has a line that is not type=value, or more than 8 media sections";
	if (each_line(text, find_sections, &parser))
		goto bad;
	*ret_why = "the SDP has no audio section";
	if (parser.rank == 0)
		goto bad;

	desc->direction = SDP_SENDRECV;
	(void)each_line(text, read_line, &parser); /* read_line takes every line */
	finish(&parser);
	*ret_desc = desc;
	return 0;
bad:
	sdp_free(desc);
	return -EINVAL;
}
