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
#include "tas/sip/trace_follow.h"

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
	expect("dialog-b", "INVITE|#step=1|INVITE 2|BYE|");
	expect("elsewhere", "OPTIONS|");
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
		 "a=crypto:3 AES_CM_128_HMAC_SHA1_80 inline:c2VjcmV0\r\n"
		 "a=ice-pwd:abcdefgh\r\n"
		 "a=ice-ufrag:abcd\r\n"
		 "a=crypto:2 x inline:last");
	expect("d", "INVITE sip:x SIP/2.0\r\n"
		    "authorization: Digest username=\"u\", response=\"********\", opaque=\"o\"\r\n"
		    "Proxy-Authorization: Digest response=\"\"\r\n"
		    "Proxy-Authorization: Digest response=\"********"
		    "\n\r\n"
		    "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:********|2^20|1:4\r\n"
		    "a=crypto:3 AES_CM_128_HMAC_SHA1_80 inline:********\r\n"
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

/* ---- calls in full ---- */

static struct {
	bool active;
	unsigned counted;
	struct str taken;
} wish;

static bool wish_active(void *arg)
{
	(void)arg;
	return wish.active;
}

static const char *wish_wants(const char *name, void *arg)
{
	(void)arg;
	return strcmp(name, "4799") ? NULL : "+4799";
}

static void wish_counts(const char *wanted, void *arg)
{
	(void)arg;
	assert_string_equal(wanted, "+4799");
	wish.counted++;
}

static void wish_take(const struct sip_trace_piece *piece, void *arg)
{
	static const char *const words[] = { [SIP_TRACE_BEGUN] = "begun ",
					     [SIP_TRACE_CALL] = "call ",
					     [SIP_TRACE_DIALOG] = "dialog " };

	(void)arg;
	str_addf(&wish.taken, "%d:", (int)piece->story);
	if (piece->what == SIP_TRACE_ENTRY)
		collect(piece->entry, &wish.taken);
	else
		str_addf(&wish.taken, "%s%s|", words[piece->what], piece->name);
}

static void follow(void)
{
	const struct sip_trace_follow all = {
		.active = wish_active, .wants = wish_wants, .counts = wish_counts, .take = wish_take
	};

	wish.active = true;
	wish.counted = 0;
	assert_int_equal(sip_trace_follow(trace, &all), 0);
}

static void taken(const char *wanted)
{
	assert_string_equal(wish.taken.text ? wish.taken.text : "", wanted);
	str_done(&wish.taken);
}

static void hear(const char *call_id, const char *text, const char *user)
{
	const struct iovec piece = { (char *)text, strlen(text) };

	sip_trace_message(trace, &(struct sip_trace_message){ .local = &ours,
							      .remote = &theirs,
							      .call_id = call_id,
							      .names = { "nobody", user },
							      .pieces = &piece,
							      .piece_count = 1 });
}

static void start(const char *call, const char *call_id, const char *number)
{
	sip_trace_call(trace, call, call_id, (const char *[SIP_TRACE_NAMES]){ NULL, number });
}

static void a_call_that_is_wanted_is_handed_on_piece_by_piece(void **state)
{
	(void)state;
	follow();
	hear("other", "INVITE", "4712");
	hear("a", "INVITE", "4799");
	say("a", "100");
	start("call", "a", NULL);
	assert_true(sip_trace_is_followed(trace, "call"));
	assert_false(sip_trace_is_followed(trace, "other"));
	sip_trace_note(trace, "call", "dial");
	sip_trace_note(trace, "other", "not mine");
	say("b", "INVITE b");
	sip_trace_link(trace, "call", "b");
	say("b", "CANCEL b");
	taken("1:begun +4799|1:dialog a|1:INVITE|1:100|1:call call|1:#dial|"
	      "1:dialog b|1:INVITE b|1:CANCEL b|");
	assert_int_equal(wish.counted, 1);
}

static void a_call_found_late_brings_what_the_ring_has_of_it(void **state)
{
	(void)state;
	follow();
	hear("a", "INVITE", "anonymous");
	say("a", "100");
	start("call", "a", "4799");
	taken("1:begun +4799|1:call call|1:dialog a|1:INVITE|1:100|");
}

static void two_calls_of_one_call_id_are_two_stories(void **state)
{
	(void)state;
	follow();
	hear("a", "INVITE", "4799");
	start("one", "a", "4799");
	start("two", "a", "4799");
	assert_true(sip_trace_is_followed(trace, "one"));
	assert_true(sip_trace_is_followed(trace, "two"));
	str_done(&wish.taken);
	sip_trace_note(trace, "two", "x");
	taken("2:#x|");
}

static void last_words_are_heard_and_then_it_is_over(void **state)
{
	(void)state;
	follow();
	hear("a", "INVITE", "4799");
	start("call", "a", NULL);
	clock_fake_advance(3600 * 1000); /* a call may be quiet */
	str_done(&wish.taken);
	say("a", "BYE");
	sip_trace_over(trace, "call");
	say("a", "200");
	taken("1:BYE|1:200|");
	clock_fake_advance(FOLLOW_QUIET_MS);
	hear("c", "INVITE", "4799"); /* the next one looks round */
	assert_false(sip_trace_is_followed(trace, "call"));
	str_done(&wish.taken);
}

static void more_than_can_be_followed_at_a_time_are_not(void **state)
{
	char id[16];

	(void)state;
	follow();
	for (int i = 0; i <= FOLLOW_STORIES_MAX; i++) {
		(void)snprintf(id, sizeof(id), "d%d", i);
		hear(id, "INVITE", "4799");
		start(id, id, "4799");
	}
	assert_true(sip_trace_is_followed(trace, "d0"));
	assert_false(sip_trace_is_followed(trace, id));
	assert_int_equal(wish.counted, FOLLOW_STORIES_MAX);
	str_done(&wish.taken);
}

static void a_trace_that_keeps_nothing_follows_all_the_same(void **state)
{
	struct sip_trace *full = trace;

	(void)state;
	assert_int_equal(sip_trace_create(&trace, 0), 0);
	assert_false(sip_trace_listens(trace));
	follow();
	wish.active = false;
	assert_false(sip_trace_listens(trace));
	hear("a", "INVITE", "4799");
	wish.active = true;
	assert_true(sip_trace_listens(trace));
	hear("b", "INVITE", "4799");
	start("call", "b", NULL);
	wish.active = false; /* nobody is wanted any more: this one goes on */
	say("b", "BYE");
	taken("1:begun +4799|1:dialog b|1:INVITE|1:call call|1:BYE|");
	expect("call", ""); /* nobody else is told */
	assert_int_equal(sip_trace_since(trace), 0);
	sip_trace_destroy(trace);
	trace = full;
}

static void without_a_ring_nothing_happens(void **state)
{
	(void)state;
	sip_trace_note(NULL, "c", "x");
	sip_trace_link(NULL, "c", "d");
	sip_trace_tap(NULL, NULL, NULL);
	sip_trace_call(NULL, "c", "d", (const char *[SIP_TRACE_NAMES]){ "x" });
	sip_trace_over(NULL, "c");
	assert_false(sip_trace_is_followed(NULL, "c"));
	assert_false(sip_trace_listens(NULL));
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
		T(a_call_that_is_wanted_is_handed_on_piece_by_piece),
		T(a_call_found_late_brings_what_the_ring_has_of_it),
		T(two_calls_of_one_call_id_are_two_stories),
		T(last_words_are_heard_and_then_it_is_over),
		T(more_than_can_be_followed_at_a_time_are_not),
		T(a_trace_that_keeps_nothing_follows_all_the_same),
		T(without_a_ring_nothing_happens),
	};

	return cmocka_run_group_tests_name("tas/sip/trace", tests, NULL, NULL);
}
