/* SPDX-License-Identifier: Apache-2.0 */
/* test_lite.c - one port, several legs, and peers that prove themselves to it or not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <poll.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <stun/stunagent.h>
#include <stun/usages/ice.h>
#include <sys/socket.h>
#include <unistd.h>
#include "base/clock.h"
#include "base/log.h"
#include "media/lite.h"
#include "media/packets.h"
#include "media/relay.h"

#define LEGS       2
#define NOTHING_MS 30 /* so long is waited for what must not come */

struct end {
	struct lite_leg *leg;
	_Atomic unsigned packets, connected, failed;
	_Atomic bool forged; /* what comes does not authenticate */
	char remote[NET_TEXT_ROOM];
	struct media_desc desc;
};

static struct worker *worker;
static struct lite *lite;
static struct net_hosts hosts;
static struct end ends[LEGS];
static StunAgent agent;

/* ---- on the media thread ---- */

struct errand {
	struct mail mail;
	void (*run)(void *arg);
	void *arg;
	sem_t *done;
};

static void on_errand(struct mail *mail, void *receiver)
{
	struct errand *errand = CONTAINER_OF(mail, struct errand, mail);
	sem_t *done = errand->done;

	(void)receiver;
	errand->run(errand->arg);
	free(errand);
	sem_post(done);
}

static void on_worker(void (*run)(void *arg), void *arg)
{
	struct errand *errand = calloc(1, sizeof(*errand));
	sem_t done;

	assert_non_null(errand);
	assert_int_equal(sem_init(&done, 0, 0), 0);
	*errand =
		(struct errand){ .mail.deliver = on_errand, .run = run, .arg = arg, .done = &done };
	worker_post(worker, &errand->mail);
	assert_int_equal(sem_wait(&done), 0);
	sem_destroy(&done);
}

static void nothing(void *arg)
{
	(void)arg;
}

static bool on_packet(uint8_t *packet, size_t length, void *arg)
{
	struct end *end = arg;

	end->packets++;
	if (!end->forged)
		(void)lite_leg_send(end->leg, packet, length); /* an echo, from its slot */
	return !end->forged;
}

static void on_connected(const char *remote, void *arg)
{
	struct end *end = arg;

	(void)snprintf(end->remote, sizeof(end->remote), "%s", remote);
	end->connected++;
}

static void on_failed(void *arg)
{
	struct end *end = arg;

	end->failed++;
}

static void make_legs(void *arg)
{
	(void)arg;
	for (unsigned i = 0; i < LEGS; i++) {
		const struct ice_handlers handlers = { on_packet, on_connected, on_failed,
						       NULL,      &ends[i],     NULL };

		if (lite_leg_create(&ends[i].leg, lite, &handlers))
			abort();
		lite_leg_describe(ends[i].leg, &ends[i].desc);
	}
}

static void end_legs(void *arg)
{
	(void)arg;
	for (unsigned i = 0; i < LEGS; i++)
		ends[i].leg = lite_leg_destroy(ends[i].leg);
}

static void restart(void *arg)
{
	struct end *end = arg;

	if (lite_leg_restart(end->leg, /* new_credentials= */ true))
		abort();
	lite_leg_describe(end->leg, &end->desc);
}

static void send_hello(void *arg)
{
	struct end *end = arg;

	(void)lite_leg_send(end->leg, (const uint8_t *)"\x16hello", 6);
}

/* ---- a peer ---- */

static void peer_turn(int fd, const union net_address *port)
{
	assert_int_equal(connect(fd, &port->any, net_size(port)), 0);
}

static int peer_open(void)
{
	struct sockaddr_in any = { .sin_family = AF_INET,
				   .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	assert_int_equal(bind(fd, (struct sockaddr *)&any, sizeof(any)), 0);
	peer_turn(fd, lite_address(lite));
	return fd;
}

/* Bytes that came within the time, 0 none. */
static size_t peer_hear(int fd, int timeout_ms, uint8_t *ret_bytes, size_t room)
{
	struct pollfd wait = { .fd = fd, .events = POLLIN };
	ssize_t n = poll(&wait, 1, timeout_ms) > 0 ? recv(fd, ret_bytes, room, 0) : 0;

	return n > 0 ? (size_t)n : 0;
}

struct check {
	const char *ufrag, *password;
	bool nominates, controlled;
	bool bare; /* no more than RFC 7675 wants of a question for consent */
};

static size_t make_bare(const char *username, const char *password, StunMessage *message,
			uint8_t *bytes, size_t room)
{
	assert_true(stun_agent_init_request(&agent, message, bytes, room, STUN_BINDING));
	assert_int_equal(stun_message_append_string(message, STUN_ATTRIBUTE_USERNAME, username), 0);
	return stun_agent_finish_message(&agent, message, (const uint8_t *)password,
					 strlen(password));
}

static size_t make_check(const struct check *check, StunMessage *message, uint8_t *bytes,
			 size_t room)
{
	char username[128];

	(void)snprintf(username, sizeof(username), "%s:peer", check->ufrag);
	if (check->bare)
		return make_bare(username, check->password, message, bytes, room);
	return stun_usage_ice_conncheck_create(
		&agent, message, bytes, room, (uint8_t *)username, strlen(username),
		(const uint8_t *)check->password, strlen(check->password), check->nominates,
		!check->controlled, 1234, 99, NULL, STUN_USAGE_ICE_COMPATIBILITY_RFC5245);
}

enum outcome { UNANSWERED, ANSWERED, CONFLICT };

static enum outcome peer_check(int fd, const struct check *check)
{
	uint8_t bytes[512], reply[512];
	StunMessage message, answer;
	struct sockaddr_storage mapped;
	socklen_t mapped_length = sizeof(mapped);
	size_t length = make_check(check, &message, bytes, sizeof(bytes)), heard;
	StunUsageIceReturn result;

	assert_true(length > 0);
	assert_int_equal(send(fd, bytes, length, 0), (ssize_t)length);
	on_worker(nothing, NULL); /* sockets have their turn before mail */
	heard = peer_hear(fd, NOTHING_MS, reply, sizeof(reply));
	if (!heard)
		return UNANSWERED;
	assert_true(heard <= length);
	assert_int_equal(stun_agent_validate(&agent, &answer, reply, heard, NULL, NULL),
			 STUN_VALIDATION_SUCCESS);
	result = stun_usage_ice_conncheck_process(&answer, &mapped, &mapped_length,
						  STUN_USAGE_ICE_COMPATIBILITY_RFC5245);
	if (result == STUN_USAGE_ICE_RETURN_ROLE_CONFLICT)
		return CONFLICT;
	assert_int_equal(result, STUN_USAGE_ICE_RETURN_SUCCESS);
	return ANSWERED;
}

static struct check check_of(const struct end *end)
{
	return (struct check){ .ufrag = end->desc.ufrag, .password = end->desc.password };
}

static void prove(int fd, const struct end *end, bool nominates)
{
	struct check check = check_of(end);

	check.nominates = nominates;
	assert_int_equal(peer_check(fd, &check), ANSWERED);
}

static bool echoes(int fd)
{
	const uint8_t packet[] = { 0x80, 0x08, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11 };
	uint8_t heard[64];

	assert_int_equal(send(fd, packet, sizeof(packet), 0), sizeof(packet));
	return peer_hear(fd, NOTHING_MS, heard, sizeof(heard)) == sizeof(packet) &&
	       !memcmp(heard, packet, sizeof(packet));
}

static bool hears(int fd)
{
	uint8_t heard[64];

	return peer_hear(fd, NOTHING_MS, heard, sizeof(heard)) > 0;
}

/* ---- set-up ---- */

static int setup_on(const char *const *addresses, unsigned count)
{
	memset(&hosts, 0, sizeof(hosts));
	for (; hosts.count < count; hosts.count++)
		assert_int_equal(net_parse(addresses[hosts.count], 0, &hosts.own[hosts.count]), 0);

	log_set_level(LOG_LEVEL_ERROR);
	clock_fake_set(1000);
	memset(ends, 0, sizeof(ends));
	stun_agent_init(&agent, STUN_ALL_KNOWN_ATTRIBUTES, STUN_COMPATIBILITY_RFC5389,
			STUN_AGENT_USAGE_SHORT_TERM_CREDENTIALS | STUN_AGENT_USAGE_USE_FINGERPRINT);
	assert_int_equal(worker_create(&worker, 0, WORKER_ANYWHERE), 0);
	assert_int_equal(lite_create(&lite, worker, &hosts, 0), 0);
	on_worker(make_legs, NULL);
	return 0;
}

static int setup(void **state)
{
	static const char *const one[] = { "127.0.0.1" };

	(void)state;
	return setup_on(one, 1);
}

/* Two interfaces of a family each: here both are IPv4, which every machine has. */
static int setup_two(void **state)
{
	static const char *const two[] = { "127.0.0.1", "127.0.0.2" };

	(void)state;
	return setup_on(two, 2);
}

static int teardown(void **state)
{
	(void)state;
	on_worker(end_legs, NULL);
	worker = worker_destroy(worker);
	lite = lite_destroy(lite);
	return 0;
}

static void pass(mono_ms ms)
{
	clock_fake_advance(ms);
	on_worker(nothing, NULL); /* after that turn the timers are in the past */
	on_worker(nothing, NULL);
}

/* ---- sentences ---- */

static void the_description_has_the_one_port_and_strong_credentials(void **state)
{
	(void)state;
	for (unsigned i = 0; i < LEGS; i++) {
		assert_int_equal(ends[i].desc.candidate_count, 1);
		assert_true(net_equal(&ends[i].desc.candidates[0].address, lite_address(lite)));
		assert_true(strlen(ends[i].desc.ufrag) >= 4);     /* 24 bits */
		assert_true(strlen(ends[i].desc.password) >= 22); /* 128 bits */
	}
	assert_string_not_equal(ends[0].desc.ufrag, ends[1].desc.ufrag);
	assert_string_not_equal(ends[0].desc.password, ends[1].desc.password);
}

static void who_proves_the_password_is_heard_and_answered(void **state)
{
	int fd = peer_open();

	(void)state;
	assert_false(echoes(fd));
	prove(fd, &ends[0], false);
	assert_int_equal(ends[0].connected, 1);
	assert_true(echoes(fd));
	assert_int_equal(ends[0].packets, 1);
	assert_int_equal(ends[1].packets, 0);
	close(fd);
}

static void calls_are_told_apart_on_one_port(void **state)
{
	int a = peer_open(), b = peer_open();

	(void)state;
	prove(a, &ends[0], true);
	prove(b, &ends[1], true);
	for (int i = 0; i < 50; i++) {
		assert_true(echoes(a));
		assert_true(echoes(b));
	}
	assert_int_equal(ends[0].packets, 50);
	assert_int_equal(ends[1].packets, 50);
	close(a);
	close(b);
}

static void who_proves_nothing_gets_nothing(void **state)
{
	struct check check = check_of(&ends[0]);
	uint8_t bytes[512];
	StunMessage message;
	size_t length;
	int fd = peer_open();

	(void)state;
	check.password = "another-password-of-32-characters";
	assert_int_equal(make_check(&check, &message, bytes, sizeof(bytes)) > 0, 1);
	length = make_check(&check, &message, bytes, sizeof(bytes));
	assert_int_equal(send(fd, bytes, length, 0), (ssize_t)length); /* wrong integrity */
	check = check_of(&ends[0]);
	check.ufrag = "nobodyys";
	length = make_check(&check, &message, bytes, sizeof(bytes));
	assert_int_equal(send(fd, bytes, length, 0), (ssize_t)length); /* unknown name */
	check = check_of(&ends[0]);
	length = make_check(&check, &message, bytes, sizeof(bytes));
	bytes[length - 1] ^= 1;
	assert_int_equal(send(fd, bytes, length, 0), (ssize_t)length); /* wrong fingerprint */
	bytes[length - 1] ^= 1;
	for (size_t cut = 1; cut < length; cut++)
		assert_true(send(fd, bytes, length - cut, 0) > 0);
	memset(bytes, 0, 20); /* a request without anything */
	bytes[1] = 1;
	memcpy(bytes + 4, "\x21\x12\xa4\x42", 4);
	assert_int_equal(send(fd, bytes, 20, 0), 20);
	on_worker(nothing, NULL);
	assert_false(hears(fd));
	assert_int_equal(ends[0].connected, 0);
	close(fd);
}

static void a_peer_that_wants_to_be_controlled_is_told_to_control(void **state)
{
	struct check check = check_of(&ends[0]);
	int fd = peer_open();

	(void)state;
	check.controlled = true;
	assert_int_equal(peer_check(fd, &check), CONFLICT);
	assert_int_equal(ends[0].connected, 0);
	close(fd);
}

static void a_question_for_consent_that_says_no_role_is_answered(void **state)
{
	struct check check = check_of(&ends[0]);
	int fd = peer_open();

	(void)state;
	prove(fd, &ends[0], /* nominates= */ true);
	check.bare = true;
	assert_int_equal(peer_check(fd, &check), ANSWERED);
	close(fd);
}

static void a_nomination_decides_where_packets_go(void **state)
{
	int first = peer_open(), second = peer_open();

	(void)state;
	prove(first, &ends[0], false);
	prove(second, &ends[0], false);
	on_worker(send_hello, &ends[0]);
	assert_true(hears(first)); /* the first proven, while none is nominated */
	assert_false(hears(second));
	prove(second, &ends[0], true);
	on_worker(send_hello, &ends[0]);
	assert_true(hears(second));
	assert_false(hears(first));
	assert_int_equal(ends[0].connected, 2);
	close(first);
	close(second);
}

static void a_restart_keeps_the_old_path_until_the_new_one_is_proven(void **state)
{
	struct end before = { .leg = NULL };
	struct check old;
	int fd = peer_open(), other = peer_open();

	(void)state;
	prove(fd, &ends[0], true);
	memcpy(&before.desc, &ends[0].desc, sizeof(before.desc));
	on_worker(restart, &ends[0]);
	assert_string_not_equal(before.desc.ufrag, ends[0].desc.ufrag);
	prove(fd, &before, true);
	assert_true(echoes(fd));
	prove(other, &ends[0], true);
	assert_true(echoes(other));
	assert_false(echoes(fd)); /* what was proven with the old one is over */
	old = check_of(&before);
	assert_int_equal(peer_check(fd, &old), UNANSWERED);
	close(fd);
	close(other);
}

static void a_silent_peer_is_sent_nothing_until_it_checks_again(void **state)
{
	int fd = peer_open();

	(void)state;
	prove(fd, &ends[0], true);
	pass(LITE_CONSENT_MS - 1000);
	assert_true(echoes(fd)); /* what it sends counts as well */
	pass(LITE_CONSENT_MS - 1000);
	assert_int_equal(ends[0].failed, 0);
	pass(10000);
	assert_int_equal(ends[0].failed, 1);
	on_worker(send_hello, &ends[0]);
	assert_false(hears(fd));
	prove(fd, &ends[0], false);
	assert_int_equal(ends[0].connected, 2);
	assert_true(echoes(fd));
	close(fd);
}

/* It was on hold, say, and keeps its NAT open by indications (RFC 8445 11) alone. */
static void a_silent_peer_that_does_not_check_is_back_by_what_authenticates(void **state)
{
	int fd = peer_open();

	(void)state;
	prove(fd, &ends[0], true);
	pass(LITE_CONSENT_MS + 5000);
	assert_int_equal(ends[0].failed, 1);
	(void)echoes(fd);
	assert_true(echoes(fd));
	assert_int_equal(ends[0].connected, 2);
	close(fd);
}

/* RFC 7675 5.1: only what the peer alone can send is consent. Whoever forges its address
 * sends RTP that does not authenticate, checks without our password, or what is nothing. */
static void forged_packets_are_no_consent(void **state)
{
	static const uint8_t rubbish[] = { 22, 0xfe, 0xfd, 0, 0 };
	struct check check = check_of(&ends[0]);
	int fd = peer_open();

	(void)state;
	prove(fd, &ends[0], true);
	check.password = "of somebody else, 24 long";
	ends[0].forged = true;
	for (mono_ms gone = 0; gone < LITE_CONSENT_MS + 5000; gone += 1000) {
		pass(1000);
		assert_int_equal(peer_check(fd, &check), UNANSWERED);
		assert_int_equal(send(fd, rubbish, sizeof(rubbish), 0), sizeof(rubbish));
		(void)echoes(fd);
	}
	assert_int_equal(ends[0].failed, 1);
	on_worker(send_hello, &ends[0]);
	assert_false(hears(fd));
	close(fd);
}

static void checks_alone_are_consent(void **state)
{
	int fd = peer_open();

	(void)state;
	for (unsigned i = 0; i < 12; i++) {
		prove(fd, &ends[0], true);
		pass(LITE_CONSENT_MS / 2);
	}
	assert_int_equal(ends[0].failed, 0);
	close(fd);
}

static void a_live_call_does_not_lose_its_peer_to_another(void **state)
{
	struct check check = check_of(&ends[1]);
	int fd = peer_open();

	(void)state;
	prove(fd, &ends[0], true);
	assert_int_equal(peer_check(fd, &check), UNANSWERED); /* one port for two calls */
	assert_true(echoes(fd));
	assert_int_equal(ends[0].packets, 1);
	assert_int_equal(ends[1].connected, 0);
	pass(LITE_CLAIM_MS - 1000);
	assert_int_equal(peer_check(fd, &check), UNANSWERED);
	pass(2000); /* what is asked of another call is no sign of this one's life */
	assert_int_equal(peer_check(fd, &check), ANSWERED);
	close(fd);
}

static void a_lite_peer_is_believed(void **state)
{
	(void)state;
	static struct media_desc remote;
	int fd = peer_open();
	socklen_t length = sizeof(remote.candidates[0].address);

	memset(&remote, 0, sizeof(remote));
	remote.ice_lite = true;
	remote.candidate_count = 1;
	assert_int_equal(getsockname(fd, &remote.candidates[0].address.any, &length), 0);
	assert_int_equal(lite_leg_set_remote(ends[0].leg, &remote), 0);
	assert_int_equal(lite_leg_set_remote(ends[1].leg, &remote), -EADDRINUSE);
	assert_true(echoes(fd));
	close(fd);
}

static void rubbish_is_dropped(void **state)
{
	uint8_t bytes[RELAY_PACKET_MAX + 100];
	unsigned seed = 11;
	int fd = peer_open();

	(void)state;
	prove(fd, &ends[0], true);
	for (int i = 0; i < 3000; i++) {
		size_t length = (size_t)rand_r(&seed) % (i % 10 ? 100 : sizeof(bytes));

		for (size_t k = 0; k < length; k++)
			bytes[k] = (uint8_t)rand_r(&seed);
		if (length)
			bytes[0] = (uint8_t)(rand_r(&seed) % 4); /* looks like STUN */
		assert_true(send(fd, bytes, length, 0) >= 0);
		if (i % 64 == 0)
			on_worker(nothing, NULL);
	}
	on_worker(nothing, NULL);
	assert_false(hears(fd));
	assert_true(echoes(fd));
	close(fd);
}

static void each_address_is_a_candidate_of_its_own_rank(void **state)
{
	const struct sdp_candidate *first = &ends[0].desc.candidates[0], *second = first + 1;

	(void)state;
	assert_int_equal(ends[0].desc.candidate_count, 2);
	assert_true(net_same_host(&first->address, &hosts.own[0]));
	assert_true(net_same_host(&second->address, &hosts.own[1]));
	/* RFC 8445 5.1.2.1: type preference 126, local preferences that differ, component 1. */
	assert_int_equal(first->priority, 126u * (1u << 24) + 65535u * (1u << 8) + 255u);
	assert_int_equal(second->priority, 126u * (1u << 24) + 65534u * (1u << 8) + 255u);
	assert_string_not_equal(first->foundation, second->foundation);
}

static void a_check_is_answered_from_where_it_came_to(void **state)
{
	const struct sdp_candidate *second = &ends[0].desc.candidates[1];
	int fd = peer_open();

	(void)state;
	peer_turn(fd, &second->address); /* from now on it hears nothing of the first */
	assert_false(echoes(fd));
	prove(fd, &ends[0], false);
	assert_true(echoes(fd));
	on_worker(send_hello, &ends[0]);
	assert_true(hears(fd));
	close(fd);
}

static void a_peer_moves_from_one_of_our_addresses_to_another(void **state)
{
	int fd = peer_open();

	(void)state;
	prove(fd, &ends[0], true);
	on_worker(send_hello, &ends[0]);
	assert_true(hears(fd));
	peer_turn(fd, &ends[0].desc.candidates[1].address);
	prove(fd, &ends[0], false); /* it has looked, not chosen */
	on_worker(send_hello, &ends[0]);
	assert_false(hears(fd));
	prove(fd, &ends[0], true);
	on_worker(send_hello, &ends[0]);
	assert_true(hears(fd));
	assert_int_equal(ends[0].connected, 2);
	close(fd);
}

static void one_port_may_be_two_calls_peer_at_two_of_our_addresses(void **state)
{
	int fd = peer_open();

	(void)state;
	prove(fd, &ends[0], true);
	assert_true(echoes(fd));
	peer_turn(fd, &ends[1].desc.candidates[1].address);
	prove(fd, &ends[1], true);
	assert_true(echoes(fd));
	assert_int_equal(ends[0].packets, 1);
	assert_int_equal(ends[1].packets, 1);
	close(fd);
}

static void a_lite_peer_is_believed_of_a_family_of_ours(void **state)
{
	static struct media_desc remote;
	socklen_t length = sizeof(remote.candidates[1].address);
	int fd = peer_open();

	(void)state;
	memset(&remote, 0, sizeof(remote));
	remote.ice_lite = true;
	remote.candidate_count = 2;
	assert_int_equal(net_parse("2001:db8::1", 4000, &remote.candidates[0].address), 0);
	assert_int_equal(getsockname(fd, &remote.candidates[1].address.any, &length), 0);
	assert_int_equal(lite_leg_set_remote(ends[0].leg, &remote), 0);
	assert_true(echoes(fd));
	close(fd);
}

#define T(f)  cmocka_unit_test_setup_teardown(f, setup, teardown)
#define T2(f) cmocka_unit_test_setup_teardown(f, setup_two, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(the_description_has_the_one_port_and_strong_credentials),
		T(who_proves_the_password_is_heard_and_answered),
		T(calls_are_told_apart_on_one_port),
		T(who_proves_nothing_gets_nothing),
		T(a_peer_that_wants_to_be_controlled_is_told_to_control),
		T(a_question_for_consent_that_says_no_role_is_answered),
		T(a_nomination_decides_where_packets_go),
		T(a_restart_keeps_the_old_path_until_the_new_one_is_proven),
		T(a_silent_peer_is_sent_nothing_until_it_checks_again),
		T(a_silent_peer_that_does_not_check_is_back_by_what_authenticates),
		T(forged_packets_are_no_consent),
		T(checks_alone_are_consent),
		T(a_live_call_does_not_lose_its_peer_to_another),
		T(a_lite_peer_is_believed),
		T(rubbish_is_dropped),
		T2(each_address_is_a_candidate_of_its_own_rank),
		T2(a_check_is_answered_from_where_it_came_to),
		T2(a_peer_moves_from_one_of_our_addresses_to_another),
		T2(one_port_may_be_two_calls_peer_at_two_of_our_addresses),
		T2(a_lite_peer_is_believed_of_a_family_of_ours),
	};

	return cmocka_run_group_tests_name("media/lite", tests, NULL, NULL);
}
