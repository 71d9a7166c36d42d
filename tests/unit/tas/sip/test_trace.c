/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/str.h"
#include "tas/sip/trace.h"

#define ROOM 65536

static struct sip_trace *trace;
static struct sockaddr_storage ours, theirs;

static void set_v4(struct sockaddr_storage *address, const char *text, uint16_t port)
{
	struct sockaddr_in *v4 = (struct sockaddr_in *)address;

	*address = (struct sockaddr_storage){ .ss_family = AF_INET };
	v4->sin_port = htons(port);
	assert_int_equal(inet_pton(AF_INET, text, &v4->sin_addr), 1);
}

static int setup(void **state)
{
	(void)state;
	clock_fake_set(1);
	clock_fake_wall_set(1000000);
	set_v4(&ours, "192.0.2.1", 5061);
	set_v4(&theirs, "192.0.2.9", 40000);
	return sip_trace_create(&trace, ROOM);
}

static int teardown(void **state)
{
	(void)state;
	trace = sip_trace_destroy(trace);
	return 0;
}

/* In two pieces, as sofia may have it. */
static void say(const char *call_id, const char *text)
{
	size_t half = strlen(text) / 2;
	const struct iovec pieces[] = { { (char *)text, half },
					{ (char *)text + half, strlen(text) - half } };

	sip_trace_message(trace, &(struct sip_trace_message){ .sent = true,
							      .transport = SIP_TRANSPORT_TLS,
							      .local = &ours,
							      .remote = &theirs,
							      .call_id = call_id,
							      .pieces = pieces,
							      .piece_count = 2 });
}

static void collect(const struct sip_trace_entry *entry, void *arg)
{
	str_addf(arg, "%s%.*s|", entry->kind == SIP_TRACE_NOTE ? "#" : "", (int)entry->length,
		 entry->text);
}

static void expect(const char *call, const char *wanted)
{
	struct str found = { 0 };
	size_t count = sip_trace_each(trace, call, collect, &found);

	assert_string_equal(found.text ? found.text : "", wanted);
	assert_true(!count == !*wanted);
	str_done(&found);
}

static void a_call_has_the_messages_of_all_its_dialogs_and_its_notes(void **state)
{
	(void)state;
	say("dialog-a", "INVITE");
	say("elsewhere", "OPTIONS");
	sip_trace_link(trace, "call", "dialog-a");
	sip_trace_note(trace, "call", "step=%d", 1);
	say("dialog-b", "INVITE 2");
	sip_trace_link(trace, "call", "dialog-b");
	sip_trace_note(trace, "other", "not mine");
	say("dialog-a", "BYE");
	expect("call", "INVITE|#step=1|INVITE 2|BYE|");
	expect("dialog-b", "INVITE 2|");
	expect("nobody", "");
}

static void keep_last(const struct sip_trace_entry *entry, void *arg)
{
	*(struct sip_trace_entry *)arg = *entry;
}

static void an_entry_tells_when_and_between_whom(void **state)
{
	struct sip_trace_entry seen = { 0 };

	(void)state;
	clock_fake_wall_set(1234567);
	say("d", "INVITE");
	assert_int_equal(sip_trace_each(trace, "d", keep_last, &seen), 1);
	assert_int_equal(seen.at, 1234567);
	assert_true(seen.sent);
	assert_int_equal(seen.transport, SIP_TRANSPORT_TLS);
	assert_string_equal(seen.local, "192.0.2.1");
	assert_int_equal(seen.local_port, 5061);
	assert_string_equal(seen.remote, "192.0.2.9");
	assert_int_equal(seen.remote_port, 40000);
	assert_int_equal(sip_trace_since(trace), 1234567);
}

static void keys_and_proofs_never_get_in(void **state)
{
	(void)state;
	say("d", "INVITE sip:x SIP/2.0\r\n"
		 "authorization: Digest username=\"u\", response=\"0123abcd\", opaque=\"o\"\r\n"
		 "Proxy-Authorization: Digest response=\"\"\r\n"
		 "Proxy-Authorization: Digest response=\"unended\r\n"
		 "\r\n"
		 "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:c2VjcmV0|2^20|1:4\r\n"
		 "a=ice-pwd:abcdefgh\r\n"
		 "a=ice-ufrag:abcd\r\n"
		 "a=crypto:2 x inline:last");
	expect("d", "INVITE sip:x SIP/2.0\r\n"
		    "authorization: Digest username=\"u\", response=\"********\", opaque=\"o\"\r\n"
		    "Proxy-Authorization: Digest response=\"\"\r\n"
		    "Proxy-Authorization: Digest response=\"********"
		    "\n\r\n"
		    "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:********|2^20|1:4\r\n"
		    "a=ice-pwd:********\r\n"
		    "a=ice-ufrag:abcd\r\n"
		    "a=crypto:2 x inline:****|");
}

struct seen {
	int last;
	size_t count, bytes;
};

/* Numbered without a gap, each with its own letter. */
static void verify(const struct sip_trace_entry *entry, void *arg)
{
	struct seen *seen = arg;
	int number = atoi(entry->text);

	assert_true(seen->last < 0 || number == seen->last + 1);
	assert_int_equal(entry->at, number + 1);
	for (size_t k = 9; k < entry->length; k++)
		assert_int_equal(entry->text[k], 'a' + number % 26);
	seen->last = number;
	seen->count++;
	seen->bytes += entry->length;
}

static void the_oldest_give_way_and_the_rest_stays_whole(void **state)
{
	struct seen seen = { .last = -1 };
	char text[3000];
	unsigned seed = 7;
	int newest = 0;
	size_t told;

	(void)state;
	for (int i = 0; i < 20000; i++) {
		size_t length = (size_t)rand_r(&seed) % 2500 + 8;

		memset(text, 'a' + i % 26, length);
		text[length] = '\0';
		(void)snprintf(text, 9, "%08d", i);
		text[8] = 'x';
		clock_fake_wall_set(i + 1);
		if (i % 3)
			say("d", text);
		else
			sip_trace_note(trace, "d", "%.400s", text);
		newest = i;
	}
	told = sip_trace_each(trace, "d", verify, &seen);
	assert_int_equal(told, seen.count);
	assert_int_equal(seen.last, newest);
	assert_true(seen.bytes > ROOM * 6 / 10 && seen.bytes < ROOM);
	assert_int_equal(sip_trace_since(trace), newest + 2 - (int)seen.count);
}

static void a_message_longer_than_the_ring_is_left_out(void **state)
{
	char *text = malloc(ROOM + 1);

	(void)state;
	assert_non_null(text);
	memset(text, 'x', ROOM);
	text[ROOM] = '\0';
	say("d", "first");
	say("d", text);
	expect("d", "first|");
	free(text);
}

static void without_a_ring_nothing_happens(void **state)
{
	(void)state;
	sip_trace_note(NULL, "c", "x");
	sip_trace_link(NULL, "c", "d");
	sip_trace_tap(NULL, NULL, NULL);
	assert_int_equal(sip_trace_each(NULL, "c", collect, NULL), 0);
	assert_int_equal(sip_trace_since(NULL), 0);
	assert_int_equal(sip_trace_since(trace), 0);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(a_call_has_the_messages_of_all_its_dialogs_and_its_notes),
		T(an_entry_tells_when_and_between_whom),
		T(keys_and_proofs_never_get_in),
		T(the_oldest_give_way_and_the_rest_stays_whole),
		T(a_message_longer_than_the_ring_is_left_out),
		T(without_a_ring_nothing_happens),
	};

	return cmocka_run_group_tests_name("tas/sip/trace", tests, NULL, NULL);
}
