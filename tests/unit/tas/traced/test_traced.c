/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include "base/log.h"
#include "base/str.h"
#include "tas/traced/traced.h"
#include "tests/fake/folder.h"

#define NOW    1764153600000LL
#define NUMBER "+4799000001"
#define MIB    (1024u * 1024)

static struct sip_trace *trace;
static struct traced *traced;
static struct config_trace config;
static char dir[64], told[8192];

static void hear(enum log_level level, const char *area, const char *line, void *arg)
{
	(void)level, (void)area, (void)arg;
	(void)snprintf(told + strlen(told), sizeof(told) - strlen(told), "%s\n", line);
}

static void up(void)
{
	assert_int_equal(traced_create(&traced, trace, &config), 0);
}

/* All that was to be written is. */
static void settle(void)
{
	traced = traced_destroy(traced);
	clock_fake_wall_set(clock_wall() + 1);
	up();
}

static int setup(void **state)
{
	(void)state;
	told[0] = '\0';
	log_set_sink(hear, NULL);
	clock_fake_set(1000);
	clock_fake_wall_set(NOW);
	if (folder_make() < 0)
		return -1;
	(void)snprintf(dir, sizeof(dir), "%s/trace", folder);
	config = (struct config_trace){ .dir = dir, .dir_bytes = MIB, .keep_days = 7 };
	if (sip_trace_create(&trace, 0) < 0)
		return -1;
	up();
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	traced = traced_destroy(traced);
	trace = sip_trace_destroy(trace);
	log_set_sink(NULL, NULL);
	clock_real();
	return folder_remove();
}

/* ---- what happens ---- */

static void say(bool sent, const char *call_id, const char *text, const char *user)
{
	struct sockaddr_storage ours = { .ss_family = AF_INET }, theirs = ours;
	const struct iovec piece = { (char *)text, strlen(text) };

	sip_trace_message(trace, &(struct sip_trace_message){ .sent = sent,
							      .transport = SIP_TRANSPORT_TLS,
							      .local = &ours,
							      .remote = &theirs,
							      .call_id = call_id,
							      .names = { user },
							      .pieces = &piece,
							      .piece_count = 1 });
}

static void begin(const char *call, const char *call_id, const char *number)
{
	const char *const names[SIP_TRACE_NAMES] = { number };

	sip_trace_call(trace, call, call_id, names);
}

static struct traced_order order(const char *number, long long for_s, unsigned calls)
{
	struct traced_order order = { .who = "ola",
				      .since = clock_wall(),
				      .until = clock_wall() + for_s * 1000,
				      .calls = calls };

	strcpy(order.number, number);
	return order;
}

static void trace_number(const char *number, long long for_s, unsigned calls)
{
	struct traced_order wanted = order(number, for_s, calls);

	assert_int_equal(traced_on(traced, &wanted), 0);
}

/* One call from its INVITE on; its id is "call-N", its dialog "dialog-N". */
static void call(int n, const char *user)
{
	char id[32], dialog[32];

	(void)snprintf(id, sizeof(id), "call-%d", n);
	(void)snprintf(dialog, sizeof(dialog), "dialog-%d", n);
	say(false, dialog, "INVITE", user);
	begin(id, dialog, user);
	sip_trace_note(trace, id, "start");
	sip_trace_over(trace, id);
}

static void collect(const struct sip_trace_entry *entry, void *arg)
{
	str_addf(arg, "%s%.*s|", entry->kind == SIP_TRACE_NOTE ? "#" : "", (int)entry->length,
		 entry->text);
}

static void expect(const char *word, const char *wanted)
{
	struct str found = { 0 };
	size_t count = traced_read(traced, word, collect, &found);

	assert_string_equal(found.text ? found.text : "", wanted);
	assert_true(!count == !*wanted);
	str_done(&found);
}

static void keep_last(const struct traced_call *kept, void *arg)
{
	*(struct traced_call *)arg = *kept;
}

static size_t kept(struct traced_call *ret_last)
{
	memset(ret_last, 0, sizeof(*ret_last));
	return traced_calls(traced, keep_last, ret_last);
}

/* ---- whose calls ---- */

static void a_call_of_a_traced_number_is_kept_from_its_invite_on(void **state)
{
	struct traced_call last;

	(void)state;
	trace_number(NUMBER, 3600, 0);
	say(false, "a", "INVITE 1", "+0147990000012"); /* somebody else's */
	say(false, "b", "INVITE 2", "+014799000001");  /* the core's prefix before it */
	say(true, "b", "100", NULL);
	begin("id", "b", NUMBER);
	sip_trace_note(trace, "id", "start");
	say(true, "c", "INVITE 3", "+4712345678"); /* its other leg, known only afterwards */
	sip_trace_link(trace, "id", "c");
	say(false, "c", "200", NULL);
	settle();
	expect("id", "INVITE 2|100|#start|INVITE 3|200|");
	expect("c", "INVITE 2|100|#start|INVITE 3|200|");
	expect("a", "");
	assert_int_equal(kept(&last), 1);
	assert_string_equal(last.call, "id");
	assert_string_equal(last.call_id, "b");
	assert_string_equal(last.number, NUMBER);
	assert_int_equal(last.began, NOW);
}

static void a_call_whose_invite_names_nobody_is_known_by_its_registered_number(void **state)
{
	(void)state;
	trace_number(NUMBER, 3600, 0);
	say(false, "b", "INVITE", "anonymous");
	say(true, "b", "100", NULL);
	begin("id", "b", NUMBER);
	say(true, "b", "180", NULL);
	settle();
	expect("id", "INVITE|100|180|");
}

static void an_invite_that_was_refused_is_kept_too_but_counts_for_no_call(void **state)
{
	struct traced_order orders[TRACED_NUMBERS_MAX];
	struct traced_call last;

	(void)state;
	trace_number(NUMBER, 3600, 1);
	say(false, "x", "INVITE", "4799000001");
	say(true, "x", "403", NULL);
	assert_int_equal(traced_orders(traced, orders), 1);
	assert_int_equal(orders[0].seen, 0);
	settle();
	expect("x", "INVITE|403|");
	assert_int_equal(kept(&last), 1);
	assert_string_equal(last.call, "");
	assert_string_equal(last.call_id, "x");
}

static void nothing_is_kept_without_an_order(void **state)
{
	struct traced_call last;

	(void)state;
	assert_false(sip_trace_listens(trace));
	call(1, NUMBER);
	settle();
	assert_int_equal(kept(&last), 0);
	assert_int_equal(access(dir, F_OK), -1); /* nothing is made on disk either */
	assert_int_equal(sip_trace_each(trace, "call-1", collect, NULL), 0);
}

static void a_short_number_is_not_the_end_of_others(void **state)
{
	struct traced_call last;

	(void)state;
	trace_number("+47123", 3600, 0);
	call(1, "+4799947123");
	call(2, "47123");
	settle();
	assert_int_equal(kept(&last), 1);
	assert_string_equal(last.call, "call-2");
}

/* ---- until when ---- */

static void an_order_ends_by_itself(void **state)
{
	struct traced_order orders[TRACED_NUMBERS_MAX];
	struct traced_call last;

	(void)state;
	trace_number(NUMBER, 60, 0);
	clock_fake_wall_set(NOW + 59999);
	call(1, NUMBER);
	clock_fake_wall_set(NOW + 60000);
	call(2, NUMBER);
	assert_int_equal(traced_orders(traced, orders), 0);
	settle();
	assert_int_equal(kept(&last), 1);
	assert_non_null(strstr(told, "trace of=+4799***01 has ended: calls=1 by=ola"));
	assert_null(strstr(told, NUMBER));
}

static void an_order_ends_after_so_many_calls(void **state)
{
	struct traced_order orders[TRACED_NUMBERS_MAX];
	struct traced_call last;

	(void)state;
	trace_number(NUMBER, 3600, 2);
	call(1, NUMBER);
	assert_int_equal(traced_orders(traced, orders), 1);
	assert_int_equal(orders[0].seen, 1);
	call(2, NUMBER);
	call(3, NUMBER);
	assert_int_equal(traced_orders(traced, orders), 0);
	settle();
	assert_int_equal(kept(&last), 2);
}

static void an_order_survives_a_restart_with_what_it_has_seen(void **state)
{
	struct traced_order orders[TRACED_NUMBERS_MAX];
	struct stat st;
	char path[96];

	(void)state;
	trace_number(NUMBER, 3600, 3);
	trace_number("+4799000002", 7200, 0);
	call(1, NUMBER);
	settle();
	assert_int_equal(traced_orders(traced, orders), 2);
	assert_string_equal(orders[0].number, NUMBER);
	assert_string_equal(orders[0].who, "ola");
	assert_int_equal(orders[0].calls, 3);
	assert_int_equal(orders[0].seen, 1);
	assert_int_equal(orders[0].until, NOW + 3600000);
	clock_fake_wall_set(NOW + 3600001); /* the first has ended while nobody was here */
	settle();
	assert_int_equal(traced_orders(traced, orders), 1);
	assert_string_equal(orders[0].number, "+4799000002");
	(void)snprintf(path, sizeof(path), "%s/numbers", dir);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_int_equal(stat(dir, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0700);
}

static void an_order_is_taken_back_for_one_or_for_all(void **state)
{
	struct traced_order orders[TRACED_NUMBERS_MAX];

	(void)state;
	trace_number(NUMBER, 3600, 0);
	trace_number("+4799000002", 3600, 0);
	trace_number("+4799000003", 3600, 0);
	assert_int_equal(traced_off(traced, "+4799000009", "kari"), -ENOENT);
	assert_int_equal(traced_off(traced, NUMBER, "kari"), 0);
	assert_int_equal(traced_orders(traced, orders), 2);
	assert_int_equal(traced_off(traced, NULL, "kari"), 0);
	assert_int_equal(traced_off(traced, NULL, "kari"), -ENOENT);
	settle();
	assert_int_equal(traced_orders(traced, orders), 0);
	assert_non_null(strstr(told, "trace of=+4799***01 ordered by=ola for_s=3600 calls=0"));
	assert_non_null(strstr(told, "trace of=+4799***01 ended by=kari orders=1"));
	assert_non_null(strstr(told, "trace of=all ended by=kari orders=2"));
}

static void there_is_an_end_to_the_numbers(void **state)
{
	struct traced_order one_more = order("+4799009999", 60, 0);

	(void)state;
	for (int i = 0; i < TRACED_NUMBERS_MAX; i++) {
		char number[E164_ROOM];

		(void)snprintf(number, sizeof(number), "+479900%04d", i);
		trace_number(number, 60, 0);
	}
	assert_int_equal(traced_on(traced, &one_more), -ENOSPC);
	trace_number("+4799000000", 120, 0); /* again: it is replaced */
}

static void an_order_that_cannot_be_kept_does_not_count(void **state)
{
	struct traced_order orders[TRACED_NUMBERS_MAX], wanted = order(NUMBER, 60, 0);

	(void)state;
	traced = traced_destroy(traced);
	strcat(dir, "/not/there");
	up();
	assert_int_equal(traced_on(traced, &wanted), -ENOENT);
	assert_int_equal(traced_orders(traced, orders), 0);
}

static void a_spoilt_file_of_numbers_gives_what_is_sound_in_it(void **state)
{
	struct traced_order orders[TRACED_NUMBERS_MAX];
	char path[96];
	FILE *file;

	(void)state;
	trace_number(NUMBER, 3600, 0);
	traced = traced_destroy(traced);
	(void)snprintf(path, sizeof(path), "%s/numbers", dir);
	file = fopen(path, "a");
	assert_non_null(file);
	fputs("nonsense\n+47 1 2\n112 9999999999999 1 0 0 eve\n\xff\xfe\n", file);
	fclose(file);
	up();
	assert_int_equal(traced_orders(traced, orders), 1);
	assert_string_equal(orders[0].number, NUMBER);
}

/* ---- what is kept ---- */

static void texts_of_peers_stay_texts(void **state)
{
	const char *text = "INVITE\r\n\r\nnote 1 3\nabc\ncall other\n\x01\xff\n";
	struct traced_call last;

	(void)state;
	trace_number(NUMBER, 3600, 0);
	say(false, "../../etc/passwd\ncall evil", text, NUMBER);
	begin("id", "../../etc/passwd\ncall evil", NUMBER);
	settle();
	expect("other", "");
	expect("evil", "");
	assert_int_equal(kept(&last), 1);
	assert_string_equal(last.call_id, "../../etc/passwd?call?evil");
	expect("id", "INVITE\r\n\r\nnote 1 3\nabc\ncall other\n\x01\xff\n|");
}

static void no_secret_gets_to_the_disk(void **state)
{
	(void)state;
	trace_number(NUMBER, 3600, 0);
	say(false, "b",
	    "INVITE sip:x SIP/2.0\r\nAuthorization: Digest response=\"0123abcd\"\r\n\r\n"
	    "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:c2VjcmV0\r\na=ice-pwd:geheim\r\n",
	    NUMBER);
	settle();
	expect("b", "INVITE sip:x SIP/2.0\r\nAuthorization: Digest response=\"********\"\r\n\r\n"
		    "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:********\r\na=ice-pwd:******\r\n|");
}

/* Bytes of all files, each for its owner alone. */
static size_t measure(size_t *ret_files)
{
	DIR *open = opendir(dir);
	const struct dirent *entry;
	size_t total = 0;

	*ret_files = 0;
	assert_non_null(open);
	while ((entry = readdir(open))) {
		char path[512];
		struct stat st;

		(void)snprintf(path, sizeof(path), "%s/%s", dir, entry->d_name);
		if (stat(path, &st) < 0 || !S_ISREG(st.st_mode))
			continue;
		assert_int_equal(st.st_mode & 077, 0);
		total += (size_t)st.st_size;
		(*ret_files)++;
	}
	closedir(open);
	return total;
}

static void endless_calls_stay_within_the_bound_and_the_newest_are_there(void **state)
{
	static char text[8192];
	struct traced_call last;
	size_t files;

	(void)state;
	memset(text, 'x', sizeof(text) - 1);
	trace_number(NUMBER, 86400, 0);
	for (int i = 0; i < 400; i++) { /* 3.2 MB where 1 MiB may be */
		char dialog[32];

		(void)snprintf(dialog, sizeof(dialog), "dialog-%d", i);
		say(false, dialog, text, NUMBER);
		call(i, NUMBER);
		clock_fake_advance(50000); /* each is over when the next one comes */
		if (i % 50 == 49)
			settle(); /* the disk is behind by less than what may wait */
		assert_true(measure(&files) <= MIB + 4096);
	}
	settle();
	assert_true(measure(&files) > MIB / 2);
	assert_true(kept(&last) > 60);
	assert_string_equal(last.call, "call-399");
	expect("dialog-0", "");
}

static void one_call_has_a_share_only(void **state)
{
	static char text[8192];
	struct str found = { 0 };
	struct traced_call last;
	size_t files;

	(void)state;
	memset(text, 'x', sizeof(text) - 1);
	trace_number(NUMBER, 3600, 0);
	call(1, NUMBER);
	begin("long", "long", NUMBER);
	for (int i = 0; i < 200; i++)
		say(true, "long", text, NULL);
	sip_trace_note(trace, "long", "a small one that would still fit");
	settle();
	assert_true(measure(&files) < MIB / 4 + 8192);
	assert_int_equal(kept(&last), 2);
	assert_int_equal(traced_read(traced, "long", collect, &found), 32);
	assert_non_null(strstr(found.text, "#this call has had its share"));
	assert_null(strstr(found.text, "a small one"));
	str_done(&found);
	expect("call-1", "INVITE|#start|");
}

static void what_is_old_is_removed_and_what_is_not_ours_stays(void **state)
{
	struct traced_call last;
	char path[96];
	FILE *file;

	(void)state;
	trace_number(NUMBER, 3600, 0);
	call(1, NUMBER);
	(void)snprintf(path, sizeof(path), "%s/0000000000000-notes.trace", dir);
	file = fopen(path, "w");
	assert_non_null(file);
	fclose(file);
	settle();
	assert_int_equal(kept(&last), 1);
	/* Files have the machine's time. */
	clock_fake_wall_set((wall_ms)time(NULL) * 1000 + 8LL * 86400 * 1000);
	trace_number(NUMBER, 3600, 0);
	call(2, NUMBER);
	settle();
	assert_int_equal(kept(&last), 1);
	assert_string_equal(last.call, "call-2");
	assert_int_equal(access(path, F_OK), 0);
}

static void a_torn_file_is_read_up_to_the_tear(void **state)
{
	struct traced_call last;
	DIR *open;
	const struct dirent *entry;

	(void)state;
	trace_number(NUMBER, 3600, 0);
	say(false, "b", "INVITE", NUMBER);
	begin("id", "b", NUMBER);
	sip_trace_note(trace, "id", "start");
	settle();
	open = opendir(dir);
	while ((entry = readdir(open))) {
		char path[512];
		struct stat st;

		(void)snprintf(path, sizeof(path), "%s/%s", dir, entry->d_name);
		if (strstr(entry->d_name, ".trace") && stat(path, &st) == 0)
			assert_int_equal(truncate(path, st.st_size - 3), 0);
	}
	closedir(open);
	expect("id", "INVITE|");
	assert_int_equal(kept(&last), 1);
}

static void a_link_in_the_folder_leads_nowhere(void **state)
{
	struct traced_call last;
	char path[96];

	(void)state;
	trace_number(NUMBER, 3600, 0);
	(void)snprintf(path, sizeof(path), "%s/1764153600000-0000000001.trace", dir);
	assert_int_equal(symlink("/etc/passwd", path), 0);
	call(1, NUMBER); /* would have this name */
	settle();
	assert_int_equal(kept(&last), 0);
	assert_non_null(strstr(told, "traced calls cannot be written to"));
	call(2, NUMBER);
	settle();
	assert_int_equal(kept(&last), 1);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(a_call_of_a_traced_number_is_kept_from_its_invite_on),
		T(a_call_whose_invite_names_nobody_is_known_by_its_registered_number),
		T(an_invite_that_was_refused_is_kept_too_but_counts_for_no_call),
		T(nothing_is_kept_without_an_order),
		T(a_short_number_is_not_the_end_of_others),
		T(an_order_ends_by_itself),
		T(an_order_ends_after_so_many_calls),
		T(an_order_survives_a_restart_with_what_it_has_seen),
		T(an_order_is_taken_back_for_one_or_for_all),
		T(there_is_an_end_to_the_numbers),
		T(an_order_that_cannot_be_kept_does_not_count),
		T(a_spoilt_file_of_numbers_gives_what_is_sound_in_it),
		T(texts_of_peers_stay_texts),
		T(no_secret_gets_to_the_disk),
		T(endless_calls_stay_within_the_bound_and_the_newest_are_there),
		T(one_call_has_a_share_only),
		T(what_is_old_is_removed_and_what_is_not_ours_stays),
		T(a_torn_file_is_read_up_to_the_tear),
		T(a_link_in_the_folder_leads_nowhere),
	};

	return cmocka_run_group_tests_name("tas/traced/traced", tests, NULL, NULL);
}
