/* SPDX-License-Identifier: Apache-2.0 */
/* test_neighbour.c - an elder daemon and its heir as two endpoints of one loop: what comes
 * to one and is for the other, over connections (mirror.c) and by UDP; and frames that no
 * neighbour sends. */
#include "tests/unit/tas/sip/wire.h"
#include "tas/sip/neighbour_private.h"

static struct wire wire;
static struct neighbour *heir, *elder; /* of a, the elder: its heir; of b, the heir: its elder */
static int links[2];
static struct fd_frame frame;

static int set_up(void **state)
{
	(void)state;
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	wire_close(&wire);
	heir = neighbour_destroy(heir);
	elder = neighbour_destroy(elder);
	close(links[0]);
	close(links[1]);
	scene_close();
	return 0;
}

static void open_both(enum sip_transport transport)
{
	scene_open_pair(transport);
	assert_int_equal(fd_link_pair(links), 0);
	assert_int_equal(neighbour_create(&heir, scene.a, NEIGHBOUR_HEIR, links[0]), 0);
	assert_int_equal(neighbour_create(&elder, scene.b, NEIGHBOUR_ELDER, links[1]), 0);
}

static void pump_one(struct neighbour *neighbour)
{
	while (fd_link_receive(neighbour->link, &frame, 0) == 1) {
		assert_int_equal(neighbour_take(neighbour, &frame), 0);
		fd_frame_done(&frame);
	}
}

/* Until the wire has got `text`, which may need both. */
static void pump_until(const char *text)
{
	for (int i = 0; i < 400 && !strstr(wire.got, text); i++) {
		wire_poll(&wire);
		pump_one(heir);
		pump_one(elder);
	}
	if (!strstr(wire.got, text))
		fail_msg("waited for \"%s\", got:\n%s", text, wire.got);
}

/* By TCP or UDP: a call that begins over what the elder has is the heir's. */
static void call_begins_at_the_elder(enum sip_transport transport)
{
	static struct wire from;
	bool udp = transport == SIP_TRANSPORT_UDP;

	open_both(transport);
	wire_open(&from, udp ? SOCK_DGRAM : SOCK_STREAM, sip_endpoint_port(scene.a, 0));
	if (udp) { /* the heir answers by its own socket, which has another port here */
		wire_open(&wire, SOCK_DGRAM, 0);
		from.port = wire.port;
	}
	wire_request(&from, "INVITE", "sip:+004799000002@127.0.0.1", udp ? "UDP" : "TCP",
		     "Contact: <sip:x@127.0.0.1>\r\nMax-Forwards: 70\r\n"
		     "Content-Type: application/sdp\r\n",
		     OFFER);
	if (udp)
		wire_close(&from);
	else
		wire = from;
	pump_until("SIP/2.0 100");
	assert_int_equal(scene.invites, 1);
	assert_int_equal(sip_endpoint_leg_count(scene.a), 0);
	assert_int_equal(sip_endpoint_leg_count(scene.b), 1);
	scene.callee.leg = leg_release(scene.callee.leg, &(struct leg_farewell){ .status = 486 });
	pump_until("SIP/2.0 486");
}

static void a_call_over_the_elders_connection_is_its_heirs(void **state)
{
	(void)state;
	call_begins_at_the_elder(SIP_TRANSPORT_TCP);
}

static void a_call_by_datagram_is_its_heirs(void **state)
{
	(void)state;
	call_begins_at_the_elder(SIP_TRANSPORT_UDP);
}

static void several_messages_share_one_connection_to_the_heir(void **state)
{
	(void)state;
	open_both(SIP_TRANSPORT_TCP);
	wire_open(&wire, SOCK_STREAM, sip_endpoint_port(scene.a, 0));
	for (int i = 0; i < 3; i++) {
		char answered[32];

		(void)snprintf(answered, sizeof(answered), "CSeq: %d OPTIONS", 10 + i);
		wire_send(&wire,
			  "OPTIONS sip:x@127.0.0.1 SIP/2.0\r\n"
			  "Via: SIP/2.0/TCP 127.0.0.1:%u;branch=z9hG4bKo%d\r\n"
			  "From: <sip:y@127.0.0.1>;tag=w\r\nTo: <sip:x@127.0.0.1>\r\n"
			  "Call-ID: o%d\r\nCSeq: %d OPTIONS\r\nContent-Length: 0\r\n\r\n",
			  wire.port, i, i, 10 + i);
		pump_until(answered);
	}
	assert_false(wire.closed);
}

/* The elder is gone: what it has is served no more, and the heir goes on. */
static void without_the_other_one_serves_alone(void **state)
{
	(void)state;
	open_both(SIP_TRANSPORT_TCP);
	elder = neighbour_destroy(elder);
	heir = neighbour_destroy(heir);
	wire_open(&wire, SOCK_STREAM, sip_endpoint_port(scene.b, 0));
	wire_request(&wire, "OPTIONS", "sip:x@127.0.0.1", "TCP", "", "");
	wire_expect(&wire, "SIP/2.0 200");
}

/* ---- frames ---- */

static int take(struct str *content, int fd)
{
	int err;

	memset(&frame, 0, sizeof(frame));
	memcpy(frame.bytes, content->text, content->length);
	frame.length = content->length;
	if (fd >= 0)
		frame.fds[frame.fd_count++] = fd;
	err = neighbour_take(elder, &frame);
	fd_frame_done(&frame);
	return err;
}

static struct str connection_frame(enum sip_transport transport)
{
	struct sockaddr_storage address = { .ss_family = AF_INET };
	struct str content = { 0 };

	pack_number(&content, NEIGHBOUR_CONNECTION);
	pack_number(&content, transport);
	pack_bytes(&content, &address, sizeof(address));
	pack_bytes(&content, &address, sizeof(address));
	pack_number(&content, 0);
	return content;
}

static bool is_open(int fd)
{
	return fcntl(fd, F_GETFD) >= 0;
}

static void frames_that_end_too_early_are_refused_and_their_files_closed(void **state)
{
	struct str whole = connection_frame(SIP_TRANSPORT_TCP);

	(void)state;
	open_both(SIP_TRANSPORT_TCP);
	for (size_t length = 0; length < whole.length - 8; length += 4) {
		struct str part = { .text = whole.text, .length = length };
		int pair[2];

		assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
		assert_int_equal(take(&part, pair[1]), -EPROTO);
		assert_false(is_open(pair[1]));
		close(pair[0]);
	}
	assert_int_equal(take(&whole, -1), -EPROTO); /* a connection without one */
	str_done(&whole);
}

static void a_connection_of_a_transport_we_have_not_is_closed(void **state)
{
	struct str content = connection_frame(SIP_TRANSPORT_UDP);
	int pair[2];

	(void)state;
	open_both(SIP_TRANSPORT_TCP);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	assert_int_equal(take(&content, pair[1]), -EPROTO);
	assert_false(is_open(pair[1]));
	close(pair[0]);
	str_done(&content);
}

static void frames_of_no_kind_and_empty_datagrams_are_refused(void **state)
{
	struct sockaddr_storage address = { .ss_family = AF_INET };
	struct str content = { 0 };

	(void)state;
	open_both(SIP_TRANSPORT_UDP);
	pack_number(&content, 4711);
	assert_int_equal(take(&content, -1), -EPROTO);
	str_done(&content);
	content = (struct str){ 0 };
	pack_number(&content, NEIGHBOUR_DATAGRAM);
	pack_bytes(&content, &address, sizeof(address));
	pack_bytes(&content, &address, sizeof(address));
	pack_number(&content, 0);
	pack_bytes(&content, "", 0);
	assert_int_equal(take(&content, -1), -EPROTO);
	str_done(&content);
}

static void a_datagram_that_is_no_message_is_dropped(void **state)
{
	struct sockaddr_storage address = { 0 };
	struct str content = { 0 };

	(void)state;
	open_both(SIP_TRANSPORT_UDP);
	*(struct sockaddr_in *)&address = wire_address(sip_endpoint_port(scene.b, 0));
	pack_number(&content, NEIGHBOUR_DATAGRAM);
	pack_bytes(&content, &address, sizeof(address));
	pack_bytes(&content, &address, sizeof(address));
	pack_number(&content, 0);
	pack_text(&content, "\xff\xfe no message at all\r\n\r\n");
	assert_int_equal(take(&content, -1), 0);
	str_done(&content);
	wire_open(&wire, SOCK_DGRAM, sip_endpoint_port(scene.b, 0));
	wire_request(&wire, "OPTIONS", "sip:x@127.0.0.1", "UDP", "", "");
	pump_until("SIP/2.0 200"); /* it goes on */
}

#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(a_call_over_the_elders_connection_is_its_heirs),
		T(a_call_by_datagram_is_its_heirs),
		T(several_messages_share_one_connection_to_the_heir),
		T(without_the_other_one_serves_alone),
		T(frames_that_end_too_early_are_refused_and_their_files_closed),
		T(a_connection_of_a_transport_we_have_not_is_closed),
		T(frames_of_no_kind_and_empty_datagrams_are_refused),
		T(a_datagram_that_is_no_message_is_dropped),
	};

	return cmocka_run_group_tests_name("tas/sip/neighbour", tests, NULL, NULL);
}
