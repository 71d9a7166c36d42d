/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/ctl/pcapng.h"

#include <arpa/inet.h>
#include <stdint.h>
#include <string.h>
#include "tools/look/entry.h"

#define BLOCK_SECTION   0x0A0D0D0Au
#define BLOCK_INTERFACE 1u
#define BLOCK_PACKET    6u
#define BYTE_ORDER_MARK 0x1A2B3C4Du
#define LINK_RAW        101 /* begins with the IP header */
#define OPTION_COMMENT  1
#define UDP_HEAD        8
#define DATAGRAM_MAX    65000

struct packet {
	uint8_t bytes[40 + UDP_HEAD + DATAGRAM_MAX];
	size_t length;
};

static void put_16(struct str *to, uint16_t value)
{
	str_add_n(to, (const char *)&value, sizeof(value));
}

static void put_32(struct str *to, uint32_t value)
{
	str_add_n(to, (const char *)&value, sizeof(value));
}

static void pad(struct str *to, size_t length)
{
	str_add_n(to, "\0\0\0", (4 - length % 4) % 4);
}

/* The length stands before and behind. */
static void put_block(struct str *to, uint32_t type, struct str *take_body)
{
	uint32_t length = (uint32_t)take_body->length + 12;

	put_32(to, type);
	put_32(to, length);
	str_add_n(to, take_body->text, take_body->length);
	put_32(to, length);
	str_done(take_body);
}

static void put_heads(struct str *to)
{
	struct str body = { 0 };

	put_32(&body, BYTE_ORDER_MARK);
	put_16(&body, 1); /* version 1.0 */
	put_16(&body, 0);
	put_32(&body, UINT32_MAX); /* section length: not said */
	put_32(&body, UINT32_MAX);
	put_block(to, BLOCK_SECTION, &body);
	put_16(&body, LINK_RAW);
	put_16(&body, 0);
	put_32(&body, 0); /* no limit of a packet's length */
	put_block(to, BLOCK_INTERFACE, &body);
}

static void big_16(uint8_t *at, size_t value)
{
	at[0] = (uint8_t)(value >> 8);
	at[1] = (uint8_t)value;
}

/* RFC 1071, over words of 16 bits. */
static uint32_t sum_of(const uint8_t *bytes, size_t length, uint32_t sum)
{
	for (size_t i = 0; i + 1 < length; i += 2)
		sum += (uint32_t)bytes[i] << 8 | bytes[i + 1];
	if (length % 2)
		sum += (uint32_t)bytes[length - 1] << 8;
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return sum;
}

static size_t put_ipv4(uint8_t *at, const uint8_t *from, const uint8_t *to, size_t payload)
{
	memset(at, 0, 20);
	at[0] = 0x45;
	big_16(at + 2, 20 + payload);
	at[8] = 64;
	at[9] = IPPROTO_UDP;
	memcpy(at + 12, from, 4);
	memcpy(at + 16, to, 4);
	big_16(at + 10, ~sum_of(at, 20, 0) & 0xffff);
	return 20;
}

static size_t put_ipv6(uint8_t *at, const uint8_t *from, const uint8_t *to, size_t payload)
{
	memset(at, 0, 40);
	at[0] = 0x60;
	big_16(at + 4, payload);
	at[6] = IPPROTO_UDP;
	at[7] = 64;
	memcpy(at + 8, from, 16);
	memcpy(at + 24, to, 16);
	return 40;
}

static bool put_ip(struct packet *packet, const char *from, const char *to, size_t payload)
{
	uint8_t a[16], b[16];

	if (inet_pton(AF_INET, from, a) == 1 && inet_pton(AF_INET, to, b) == 1)
		packet->length = put_ipv4(packet->bytes, a, b, payload);
	else if (inet_pton(AF_INET6, from, a) == 1 && inet_pton(AF_INET6, to, b) == 1)
		packet->length = put_ipv6(packet->bytes, a, b, payload);
	else
		return false;
	return true;
}

/* RFC 768; over IPv6 the checksum must be there (RFC 8200 section 8.1). */
static void put_udp(struct packet *packet, size_t from, size_t to, const char *text, size_t length)
{
	uint8_t *at = packet->bytes + packet->length;
	size_t addresses = packet->length == 40 ? 8 : 12; /* where they begin */
	uint32_t sum;

	big_16(at, from);
	big_16(at + 2, to);
	big_16(at + 4, UDP_HEAD + length);
	big_16(at + 6, 0);
	memcpy(at + UDP_HEAD, text, length);
	sum = sum_of(packet->bytes + addresses, packet->length - addresses,
		     IPPROTO_UDP + UDP_HEAD + (uint32_t)length);
	sum = ~sum_of(at, UDP_HEAD + length, sum) & 0xffff;
	big_16(at + 6, sum ? sum : 0xffff);
	packet->length += UDP_HEAD + length;
}

static bool make_packet(struct packet *packet, const json_t *entry)
{
	bool sent = entry_is_sent(entry);
	size_t local = (size_t)entry_number(entry, "local_port");
	size_t remote = (size_t)entry_number(entry, "remote_port");
	const char *text = entry_text(entry, "text");
	size_t length = strnlen(text, DATAGRAM_MAX);

	if (!put_ip(packet, entry_text(entry, sent ? "local" : "remote"),
		    entry_text(entry, sent ? "remote" : "local"), UDP_HEAD + length))
		return false;
	put_udp(packet, sent ? local : remote, sent ? remote : local, text, length);
	return true;
}

static void put_packet(struct str *to, const json_t *entry, const struct packet *packet,
		       const char *comment)
{
	uint64_t at_us = (uint64_t)entry_number(entry, "at") * 1000;
	struct str body = { 0 };

	put_32(&body, 0); /* interface */
	put_32(&body, (uint32_t)(at_us >> 32));
	put_32(&body, (uint32_t)at_us);
	put_32(&body, (uint32_t)packet->length);
	put_32(&body, (uint32_t)packet->length);
	str_add_n(&body, (const char *)packet->bytes, packet->length);
	pad(&body, packet->length);
	if (*comment) {
		put_16(&body, OPTION_COMMENT);
		put_16(&body, (uint16_t)strlen(comment));
		str_add(&body, comment);
		pad(&body, strlen(comment));
		put_32(&body, 0); /* end of options */
	}
	put_block(to, BLOCK_PACKET, &body);
}

void pcapng_write(struct str *to, const json_t *entries)
{
	static struct packet packet;
	struct str notes = { 0 };
	size_t i;
	json_t *entry;

	put_heads(to);
	json_array_foreach(entries, i, entry)
	{
		if (!entry_is_message(entry)) {
			str_addf(&notes, "%s%s", notes.length ? "; " : "",
				 entry_text(entry, "text"));
		} else if (make_packet(&packet, entry)) {
			put_packet(to, entry, &packet, notes.text ? notes.text : "");
			str_done(&notes);
		}
	}
	str_done(&notes);
}
