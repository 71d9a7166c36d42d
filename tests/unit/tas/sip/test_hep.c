/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include "base/macros.h"
#include "tas/sip/hep.h"

static const struct sip_trace_entry entry = { .kind = SIP_TRACE_MESSAGE,
					      .at = 1700000000123,
					      .sent = true,
					      .transport = SIP_TRANSPORT_UDP,
					      .local = "192.0.2.1",
					      .remote = "192.0.2.2",
					      .local_port = 5060,
					      .remote_port = 5080,
					      .text = "BYE",
					      .length = 3 };

static void a_datagram_is_as_hep3_has_it(void **state)
{
	static const unsigned char wanted[] = {
		'H', 'E', 'P', '3', 0, 117,                         /* whole length */
		0,   0,   0,   1,   0, 7,   2,                      /* IPv4 */
		0,   0,   0,   3,   0, 10,  192,  0,    2,    1,    /* source */
		0,   0,   0,   4,   0, 10,  192,  0,    2,    2,    /* target */
		0,   0,   0,   2,   0, 7,   17,                     /* UDP */
		0,   0,   0,   7,   0, 8,   0x13, 0xc4,             /* 5060 */
		0,   0,   0,   8,   0, 8,   0x13, 0xd8,             /* 5080 */
		0,   0,   0,   9,   0, 10,  0x65, 0x53, 0xf1, 0x00, /* seconds */
		0,   0,   0,   10,  0, 10,  0x00, 0x01, 0xe0, 0x78, /* 123000 us */
		0,   0,   0,   11,  0, 7,   1,                      /* SIP */
		0,   0,   0,   12,  0, 10,  0,    0,    7,    0xd1, /* agent 2001 */
		0,   0,   0,   14,  0, 8,   'p',  'w',              /* password */
		0,   0,   0,   17,  0, 7,   'c',                    /* correlation */
		0,   0,   0,   15,  0, 9,   'B',  'Y',  'E',        /* payload */
	};
	unsigned char datagram[HEP_MAX];
	size_t length = hep_encode(&entry, "c", 2001, "pw", datagram);

	(void)state;
	assert_int_equal(length, sizeof(wanted));
	assert_memory_equal(datagram, wanted, length);
}

static void ipv6_and_a_received_message_turn_the_addresses(void **state)
{
	struct sip_trace_entry other = entry;
	unsigned char datagram[HEP_MAX], address[16];

	(void)state;
	other.sent = false;
	other.transport = SIP_TRANSPORT_TLS;
	strcpy(other.local, "2001:db8::1");
	strcpy(other.remote, "2001:db8::2");
	assert_true(hep_encode(&other, "", 1, NULL, datagram) > 0);
	assert_int_equal(datagram[12], 10); /* AF_INET6 */
	assert_int_equal(datagram[16], 5);
	assert_int_equal(inet_pton(AF_INET6, "2001:db8::2", address), 1);
	assert_memory_equal(datagram + 19, address, 16);
	assert_int_equal(datagram[16 + 22 + 22 + 3], 6); /* TCP */
}

static void what_has_no_place_in_a_datagram_is_left_out(void **state)
{
	static char text[70000];
	struct sip_trace_entry other = entry;
	unsigned char datagram[HEP_MAX];

	(void)state;
	other.text = text;
	other.length = sizeof(text);
	assert_int_equal(hep_encode(&other, "", 1, NULL, datagram), 0);
	other = entry;
	other.remote[0] = '\0';
	assert_int_equal(hep_encode(&other, "", 1, NULL, datagram), 0);
}

static void a_message_reaches_the_collector(void **state)
{
	struct sockaddr_in address = { .sin_family = AF_INET,
				       .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	const struct iovec text = { (char *)"ACK", 3 };
	struct sip_trace_message message = { .transport = SIP_TRANSPORT_UDP,
					     .local = (struct sockaddr_storage *)&address,
					     .remote = (struct sockaddr_storage *)&address,
					     .call_id = "c",
					     .pieces = &text,
					     .piece_count = 1 };
	socklen_t length = sizeof(address);
	int fd = socket(AF_INET, SOCK_DGRAM, 0);
	struct sip_trace *trace = NULL;
	char to[32], got[2048];
	struct hep *hep = NULL;
	ssize_t n;

	(void)state;
	assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &length), 0);
	(void)snprintf(to, sizeof(to), "127.0.0.1:%u", ntohs(address.sin_port));
	assert_int_equal(sip_trace_create(&trace, 65536), 0);
	assert_int_equal(hep_create(&hep, trace, to, 1, NULL), 0);
	sip_trace_message(trace, &message);
	n = recv(fd, got, sizeof(got), 0);
	assert_true(n > 6 && !memcmp(got, "HEP3", 4) && !memcmp(got + n - 3, "ACK", 3));
	hep = hep_destroy(hep);
	sip_trace_message(trace, &message); /* nobody hears it now */
	assert_true(recv(fd, got, sizeof(got), MSG_DONTWAIT) < 0);
	sip_trace_destroy(trace);
	close(fd);
}

static void a_name_is_no_address(void **state)
{
	static const char *const wrong[] = { "collector:9060", "9060", "", "[::1", "192.0.2.1" };
	struct sip_trace *trace = NULL;
	struct hep *hep = NULL;

	(void)state;
	assert_int_equal(sip_trace_create(&trace, 65536), 0);
	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++)
		assert_true(hep_create(&hep, trace, wrong[i], 1, NULL) < 0);
	assert_null(hep);
	assert_int_equal(hep_create(&hep, trace, "[::1]:9060", 1, NULL), 0);
	hep_destroy(hep);
	sip_trace_destroy(trace);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_datagram_is_as_hep3_has_it),
		cmocka_unit_test(ipv6_and_a_received_message_turn_the_addresses),
		cmocka_unit_test(what_has_no_place_in_a_datagram_is_left_out),
		cmocka_unit_test(a_message_reaches_the_collector),
		cmocka_unit_test(a_name_is_no_address),
	};

	return cmocka_run_group_tests_name("tas/sip/hep", tests, NULL, NULL);
}
