/* SPDX-License-Identifier: Apache-2.0 */
/* Datagrams of several peers to the one port of ICE-lite.
 *
 * The first byte of an input says what is done with the rest: it is sent as it is, or
 * it becomes type and attributes of a message that knows a leg's password, as only
 * such get beyond the integrity check. Whatever it is, nobody hears more than he has
 * said, and who has proven nothing hears nothing. */
#include <semaphore.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <stun/stunagent.h>
#include <sys/socket.h>
#include "base/clock.h"
#include "base/log.h"
#include "media/lite.h"
#include "media/relay.h"
#include "tests/fuzz/fuzz.h"

#define PEERS    8 /* more than a leg keeps addresses */
#define LEGS     2
#define HEADER   20 /* of STUN: RFC 8489 5 */
#define TYPE     2
#define USERNAME "%s:peer"

enum { SIGNED = 1, SECOND_LEG = 2, PEER_SHIFT = 2, RESTART = 32, LATER = 64 };

static struct worker *worker;
static struct lite *lite;
static struct lite_leg *legs[LEGS];
static struct media_desc descs[LEGS];
static int peers[PEERS];
static sem_t done;

/* ---- on the media thread ---- */

static bool on_packet(uint8_t *packet, size_t length, void *arg)
{
	(void)packet;
	(void)arg;
	return length % 2 == 0;
}

static void on_connected(const char *remote, void *arg)
{
	(void)remote;
	(void)arg;
}

static void on_failed(void *arg)
{
	(void)arg;
}

static void make_legs(struct mail *mail, void *receiver)
{
	static const struct ice_handlers handlers = { on_packet, on_connected, on_failed,
						      NULL,      NULL,         NULL };

	(void)mail;
	(void)receiver;
	for (unsigned i = 0; i < LEGS; i++) {
		if (lite_leg_create(&legs[i], lite, &handlers))
			abort();
		lite_leg_describe(legs[i], &descs[i]);
	}
	sem_post(&done);
}

static void restart_legs(struct mail *mail, void *receiver)
{
	(void)mail;
	(void)receiver;
	for (unsigned i = 0; i < LEGS; i++)
		if (lite_leg_restart(legs[i], /* new_credentials= */ true))
			abort();
		else
			lite_leg_describe(legs[i], &descs[i]);
	sem_post(&done);
}

/* Sockets have their turn before mail: what was sent has been read. */
static void pass_by(struct mail *mail, void *receiver)
{
	(void)mail;
	(void)receiver;
	sem_post(&done);
}

static void on_worker(void (*deliver)(struct mail *mail, void *receiver))
{
	static struct mail mail;

	mail.deliver = deliver;
	worker_post(worker, &mail);
	while (sem_wait(&done) != 0)
		;
}

/* ---- peers ---- */

static void open_peer(int *ret_fd)
{
	const union net_address *port = lite_address(lite);

	*ret_fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (*ret_fd < 0 || connect(*ret_fd, &port->any, net_size(port)))
		abort();
}

static void set_up(void)
{
	struct net_hosts hosts = { .count = 1 };

	log_set_level(LOG_LEVEL_ERROR);
	clock_fake_set(1000);
	if (sem_init(&done, 0, 0) || net_parse("127.0.0.1", 0, &hosts.own[0]) ||
	    worker_create(&worker, 0, WORKER_ANYWHERE) || lite_create(&lite, worker, &hosts, 0))
		abort();
	on_worker(make_legs);
	for (unsigned i = 0; i < PEERS; i++)
		open_peer(&peers[i]);
}

/* A message of the input's type, with its attributes between USERNAME and integrity. */
static size_t sign(const struct media_desc *desc, const uint8_t *data, size_t size,
		   uint8_t ret_packet[static RELAY_PACKET_MAX])
{
	char username[sizeof(desc->ufrag) + sizeof(USERNAME)];
	StunMessage message;
	StunAgent agent; /* a new one: it remembers what it has asked */
	uint16_t length;

	stun_agent_init(&agent, STUN_ALL_KNOWN_ATTRIBUTES, STUN_COMPATIBILITY_RFC5389,
			STUN_AGENT_USAGE_SHORT_TERM_CREDENTIALS | STUN_AGENT_USAGE_USE_FINGERPRINT);
	(void)snprintf(username, sizeof(username), USERNAME, desc->ufrag);
	if (!stun_agent_init_request(&agent, &message, ret_packet, RELAY_PACKET_MAX,
				     STUN_BINDING) ||
	    stun_message_append_string(&message, STUN_ATTRIBUTE_USERNAME, username))
		abort();
	memcpy(ret_packet, data, TYPE);
	ret_packet[0] &= 0x3f; /* else it is no STUN */
	length = stun_message_length(&message);
	if (length + size > RELAY_PACKET_MAX - 64) /* integrity and fingerprint: 32 */
		return 0;
	memcpy(ret_packet + length, data + TYPE, size - TYPE);
	length = (uint16_t)(length + size - TYPE - HEADER);
	ret_packet[2] = (uint8_t)(length >> 8);
	ret_packet[3] = (uint8_t)length;
	return stun_agent_finish_message(&agent, &message, (const uint8_t *)desc->password,
					 strlen(desc->password));
}

static void say(int fd, const uint8_t *packet, size_t length, bool proves)
{
	uint8_t heard[RELAY_BUFFER];
	ssize_t n;

	if (send(fd, packet, length, 0) != (ssize_t)length)
		abort();
	on_worker(pass_by);
	n = recv(fd, heard, sizeof(heard), MSG_DONTWAIT);
	if (n > 0 && (!proves || (size_t)n > length))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t packet[RELAY_PACKET_MAX];
	const struct media_desc *desc;
	int fd;

	if (!worker)
		set_up();
	if (size < 1 + TYPE || size > sizeof(packet))
		return 0;
	desc = &descs[data[0] & SECOND_LEG ? 1 : 0];
	fd = peers[data[0] >> PEER_SHIFT & (PEERS - 1)];
	if (data[0] & RESTART)
		on_worker(restart_legs);
	if (data[0] & LATER)
		clock_fake_advance(LITE_CLAIM_MS + 1);
	if (!(data[0] & SIGNED)) {
		say(fd, data + 1, size - 1, false);
		return 0;
	}
	size = sign(desc, data + 1, size - 1, packet);
	if (size > 0)
		say(fd, packet, size, true);
	return 0;
}
