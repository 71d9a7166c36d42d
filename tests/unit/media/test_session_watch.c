/* SPDX-License-Identifier: Apache-2.0 */
/* Who sends nothing is told of, and sent nothing. */
#define RIG_PORTS 25200

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <arpa/inet.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include "tests/unit/media/session_rig.h"

static void a_peer_that_never_sends_is_reported_silent(void **state)
{
	struct party *relay =
		party_create_on(engines[1], MEDIA_LEG_RTP, MEDIA_LEG_LOCAL, &tone_440);

	(void)state;
	assert_int_equal(media_offer(relay->session, MEDIA_A,
				     "v=0\r\nc=IN IP4 127.0.0.1\r\nm=audio 30000 RTP/AVP 8\r\n"),
			 0);
	await_event(relay, MEDIA_EV_SILENT, MEDIA_A, 1);
	assert_int_equal(relay->count[MEDIA_EV_SILENT][MEDIA_B], 0);
	party_destroy(relay);
}

static void a_side_on_hold_that_is_gone_is_reported_silent(void **state)
{
	struct party *relay =
		party_create_on(engines[1], MEDIA_LEG_RTP, MEDIA_LEG_LOCAL, &tone_440);

	(void)state;
	assert_int_equal(media_offer(relay->session, MEDIA_A,
				     "v=0\r\nc=IN IP4 127.0.0.1\r\n"
				     "m=audio 30000 RTP/AVP 8\r\na=inactive\r\n"),
			 0);
	await_event(relay, MEDIA_EV_SILENT, MEDIA_A, 1);
	party_destroy(relay);
}

/* What came within the time. */
static unsigned packets_within(int fd, mono_ms ms)
{
	mono_ms end = clock_now() + ms;
	unsigned count = 0;
	uint8_t packet[300];

	while (clock_now() < end) {
		struct pollfd wait = { .fd = fd, .events = POLLIN };

		if (poll(&wait, 1, (int)(end - clock_now())) > 0)
			count += recv(fd, packet, sizeof(packet), 0) > 0;
	}
	return count;
}

static void who_never_sends_is_not_sent_to_for_long(void **state)
{
	struct party *player = party_create(MEDIA_LEG_RTP, MEDIA_LEG_LOCAL, &tone_440);
	struct sockaddr_in to = { .sin_family = AF_INET,
				  .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	uint8_t packet[172] = { 0x80, 8, 0, 1 };
	unsigned port = 0;
	uint16_t own;
	char offer[200];
	int fd = open_phone(&own);

	(void)state;
	(void)snprintf(offer, sizeof(offer),
		       "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\n"
		       "m=audio %u RTP/AVP 8\r\n",
		       own);
	assert_int_equal(sscanf(strstr(answered(player, offer), "m=audio "), "m=audio %u", &port),
			 1);
	/* Early media may be one-way for as long as it takes. */
	assert_true(packets_within(fd, 300) > 0);
	media_established(player->session);
	assert_true(packets_within(fd, 4500) > 100);
	(void)packets_within(fd, 700); /* the 5 s are over */
	assert_int_equal(packets_within(fd, 300), 0);
	to.sin_port = htons((uint16_t)port);
	assert_int_equal(sendto(fd, packet, sizeof(packet), 0, (struct sockaddr *)&to, sizeof(to)),
			 sizeof(packet));
	assert_true(packets_within(fd, 300) > 0);
	close(fd);
	party_destroy(player);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_peer_that_never_sends_is_reported_silent),
		cmocka_unit_test(a_side_on_hold_that_is_gone_is_reported_silent),
		cmocka_unit_test(who_never_sends_is_not_sent_to_for_long),
	};

	return cmocka_run_group_tests_name("media/session_watch", tests, start_engines,
					   stop_engines);
}
