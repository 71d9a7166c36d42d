/* SPDX-License-Identifier: Apache-2.0 */
#include "tas/sip/hep.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"
#include "base/metrics.h"
#include "base/secret.h"
#include "base/str.h"
#include "config/address.h"

/* Chunk types of vendor 0. */
enum chunk {
	CHUNK_FAMILY = 1,   /* AF_INET is 2, AF_INET6 is 10 */
	CHUNK_PROTOCOL = 2, /* of IP: 6 TCP, 17 UDP */
	CHUNK_SOURCE_4 = 3,
	CHUNK_TARGET_4 = 4,
	CHUNK_SOURCE_6 = 5,
	CHUNK_TARGET_6 = 6,
	CHUNK_SOURCE_PORT = 7,
	CHUNK_TARGET_PORT = 8,
	CHUNK_SECONDS = 9,
	CHUNK_MICROSECONDS = 10,
	CHUNK_KIND = 11, /* 1: SIP */
	CHUNK_AGENT = 12,
	CHUNK_PASSWORD = 14,
	CHUNK_PAYLOAD = 15,
	CHUNK_CORRELATION = 17
};
#define KIND_SIP 1

struct hep {
	struct sip_trace *trace;
	int fd;
	unsigned id;
	char *password;
	unsigned char datagram[HEP_MAX];
};

static struct metric sent = METRIC_COUNTER_INIT("breakout_hep_messages_total", "result=\"sent\"",
						"SIP messages copied to the HEP collector");
static struct metric lost = METRIC_COUNTER_INIT("breakout_hep_messages_total", "result=\"lost\"",
						"SIP messages copied to the HEP collector");

struct writer {
	unsigned char *bytes;
	size_t used;
	bool full;
};

static void put_chunk(struct writer *writer, enum chunk type, const void *value, size_t length)
{
	unsigned char *at = writer->bytes + writer->used;
	size_t whole = 6 + length;

	if (writer->full || writer->used + whole > HEP_MAX) {
		writer->full = true;
		return;
	}
	at[0] = at[1] = 0; /* vendor: generic */
	at[2] = (unsigned char)(type >> 8);
	at[3] = (unsigned char)type;
	at[4] = (unsigned char)(whole >> 8);
	at[5] = (unsigned char)whole;
	memcpy(at + 6, value, length);
	writer->used += whole;
}

static void put_8(struct writer *writer, enum chunk type, uint8_t value)
{
	put_chunk(writer, type, &value, sizeof(value));
}

static void put_16(struct writer *writer, enum chunk type, uint16_t value)
{
	uint16_t wire = htons(value);

	put_chunk(writer, type, &wire, sizeof(wire));
}

static void put_32(struct writer *writer, enum chunk type, uint32_t value)
{
	uint32_t wire = htonl(value);

	put_chunk(writer, type, &wire, sizeof(wire));
}

static bool put_addresses(struct writer *writer, const char *source, const char *target)
{
	unsigned char from[16], to[16];

	if (inet_pton(AF_INET, source, from) == 1 && inet_pton(AF_INET, target, to) == 1) {
		put_8(writer, CHUNK_FAMILY, AF_INET);
		put_chunk(writer, CHUNK_SOURCE_4, from, 4);
		put_chunk(writer, CHUNK_TARGET_4, to, 4);
		return true;
	}
	if (inet_pton(AF_INET6, source, from) == 1 && inet_pton(AF_INET6, target, to) == 1) {
		put_8(writer, CHUNK_FAMILY, AF_INET6);
		put_chunk(writer, CHUNK_SOURCE_6, from, 16);
		put_chunk(writer, CHUNK_TARGET_6, to, 16);
		return true;
	}
	return false;
}

size_t hep_encode(const struct sip_trace_entry *entry, const char *call_id, unsigned id,
		  const char *password, unsigned char ret_datagram[static HEP_MAX])
{
	struct writer writer = { .bytes = ret_datagram, .used = 6 };
	bool udp = entry->transport == SIP_TRANSPORT_UDP;

	if (!put_addresses(&writer, entry->sent ? entry->local : entry->remote,
			   entry->sent ? entry->remote : entry->local))
		return 0;
	put_8(&writer, CHUNK_PROTOCOL, udp ? IPPROTO_UDP : IPPROTO_TCP);
	put_16(&writer, CHUNK_SOURCE_PORT, entry->sent ? entry->local_port : entry->remote_port);
	put_16(&writer, CHUNK_TARGET_PORT, entry->sent ? entry->remote_port : entry->local_port);
	put_32(&writer, CHUNK_SECONDS, (uint32_t)(entry->at / 1000));
	put_32(&writer, CHUNK_MICROSECONDS, (uint32_t)(entry->at % 1000 * 1000));
	put_8(&writer, CHUNK_KIND, KIND_SIP);
	put_32(&writer, CHUNK_AGENT, id);
	if (password)
		put_chunk(&writer, CHUNK_PASSWORD, password, strlen(password));
	if (*call_id)
		put_chunk(&writer, CHUNK_CORRELATION, call_id, strlen(call_id));
	put_chunk(&writer, CHUNK_PAYLOAD, entry->text, entry->length);
	if (writer.full)
		return 0;
	memcpy(ret_datagram, "HEP3", 4);
	ret_datagram[4] = (unsigned char)(writer.used >> 8);
	ret_datagram[5] = (unsigned char)writer.used;
	return writer.used;
}

static void on_message(const struct sip_trace_entry *entry, const char *call_id, void *arg)
{
	struct hep *hep = arg;
	size_t length = hep_encode(entry, call_id, hep->id, hep->password, hep->datagram);

	if (length && send(hep->fd, hep->datagram, length, MSG_DONTWAIT | MSG_NOSIGNAL) >= 0)
		metric_add(&sent, 1);
	else
		metric_add(&lost, 1);
}

static int open_socket(struct hep *hep, const char *to)
{
	struct sockaddr_storage address;
	char host[HOST_ROOM];
	uint16_t port;

	if (host_port_parse(to, strlen(to), host, &port) || !port ||
	    host_address(host, port, &address))
		return -EINVAL;
	hep->fd = socket(address.ss_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (hep->fd < 0 || connect(hep->fd, (struct sockaddr *)&address, sizeof(address)) < 0)
		return -errno;
	return 0;
}

int hep_create(struct hep **ret_hep, struct sip_trace *trace, const char *to, unsigned id,
	       const char *password)
{
	struct hep *hep = calloc(1, sizeof(*hep));
	int err;

	if (!hep)
		return -ENOMEM;
	hep->fd = -1;
	hep->id = id;
	hep->password = str_dup_or_null(password);
	err = password && !hep->password ? -ENOMEM : open_socket(hep, to);
	if (err) {
		(void)hep_destroy(hep);
		return err;
	}
	hep->trace = trace;
	sip_trace_tap(trace, on_message, hep);
	*ret_hep = hep;
	return 0;
}

struct hep *hep_destroy(struct hep *hep)
{
	if (!hep)
		return NULL;
	sip_trace_tap(hep->trace, NULL, NULL);
	if (hep->fd >= 0)
		close(hep->fd);
	secret_free(hep->password);
	free(hep);
	return NULL;
}
