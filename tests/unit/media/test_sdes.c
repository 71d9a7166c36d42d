/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "media/sdes.h"

#define KEY_80  "QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVoxMjM0"
#define KEY_128 "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGw" /* 28 bytes, padding left out */

static struct sdes_crypto read_line(const char *value)
{
	struct sdes_crypto crypto = { .tag = 0 };

	if (!sdes_parse(value, &crypto))
		fail_msg("not read: %s", value);
	return crypto;
}

static void each_known_suite_is_read_with_its_tag_and_key(void **state)
{
	struct sdes_crypto crypto = read_line("1 AES_CM_128_HMAC_SHA1_80 inline:" KEY_80);

	(void)state;
	assert_int_equal(crypto.tag, 1);
	assert_int_equal(crypto.suite, SRTP_SUITE_AES128_CM_SHA1_80);
	assert_memory_equal(crypto.key, "ABCDEFGHIJKLMNOPQRSTUVWXYZ1234", 30);
	crypto = read_line("999999999 aes_cm_128_hmac_sha1_32 INLINE:" KEY_80);
	assert_int_equal(crypto.tag, 999999999);
	assert_int_equal(crypto.suite, SRTP_SUITE_AES128_CM_SHA1_32);
	crypto = read_line("2 AEAD_AES_256_GCM "
			   "inline:OXWTgLMkHea9SRMGuFFDyNnMS/WLT7F9Cqz/QAKqh7ntsEnZHFGb9XC5D+o=");
	assert_int_equal(crypto.suite, SRTP_SUITE_AEAD_AES_256_GCM);
	assert_int_equal(crypto.key[43], 0xea);
}

static void keys_are_read_with_and_without_padding_and_written_with_it(void **state)
{
	struct sdes_crypto bare = read_line("7 AEAD_AES_128_GCM inline:" KEY_128);
	struct sdes_crypto padded = read_line("7 AEAD_AES_128_GCM inline:" KEY_128 "==");
	struct str out = { .text = NULL };

	(void)state;
	assert_memory_equal(&bare, &padded, sizeof(bare));
	sdes_write(&out, &bare);
	assert_string_equal(out.text, "a=crypto:7 AEAD_AES_128_GCM inline:" KEY_128 "==\r\n");
	str_done(&out);
}

static void lifetime_and_mki_are_read(void **state)
{
	struct sdes_crypto crypto =
		read_line("1 AES_CM_128_HMAC_SHA1_80 inline:" KEY_80 "|2^31|258:4");

	(void)state;
	assert_int_equal(crypto.mki_length, 4);
	assert_memory_equal(crypto.mki, "\0\0\1\2", 4);
	crypto = read_line("1 AES_CM_128_HMAC_SHA1_80 inline:" KEY_80 "|1:1 WSH=64 -X");
	assert_int_equal(crypto.mki_length, 1);
	crypto = read_line("1 AES_CM_128_HMAC_SHA1_80 inline:" KEY_80 "|1048576");
	assert_int_equal(crypto.mki_length, 0);
}

static void what_is_malformed_or_would_leave_something_clear_is_no_key(void **state)
{
	static const char *const lines[] = {
		"",
		"1",
		"1 AES_CM_128_HMAC_SHA1_80",
		"x AES_CM_128_HMAC_SHA1_80 inline:" KEY_80,
		"1234567890 AES_CM_128_HMAC_SHA1_80 inline:" KEY_80,
		"1 F8_128_HMAC_SHA1_80 inline:" KEY_80,
		"1 NULL_HMAC_SHA1_80 inline:" KEY_80,
		"1 AES_CM_128_HMAC_SHA1_80 prompt:" KEY_80,
		"1 AES_CM_128_HMAC_SHA1_80 inline:" KEY_80 "A",
		"1 AES_CM_128_HMAC_SHA1_80 inline:QUJD",
		"1 AES_CM_128_HMAC_SHA1_80 inline:QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVoxMj*0",
		"1 AEAD_AES_128_GCM inline:" KEY_128 "=",
		"1 AEAD_AES_128_GCM inline:" KEY_128 "=A",
		"1 AES_CM_128_HMAC_SHA1_80 inline:" KEY_80 "|2^49",
		"1 AES_CM_128_HMAC_SHA1_80 inline:" KEY_80 "|0",
		"1 AES_CM_128_HMAC_SHA1_80 inline:" KEY_80 "|",
		"1 AES_CM_128_HMAC_SHA1_80 inline:" KEY_80 "|256:1",
		"1 AES_CM_128_HMAC_SHA1_80 inline:" KEY_80 "|1:0",
		"1 AES_CM_128_HMAC_SHA1_80 inline:" KEY_80 "|1:129",
		"1 AES_CM_128_HMAC_SHA1_80 inline:" KEY_80 "|1:4|2^20",
		"1 AES_CM_128_HMAC_SHA1_32 inline:" KEY_80 "|1:4", /* libsrtp2 2.5's SRTCP */
		"1 AES_CM_128_HMAC_SHA1_80 inline:" KEY_80 ";inline:" KEY_80,
		"1 AES_CM_128_HMAC_SHA1_80 inline:" KEY_80 " UNENCRYPTED_SRTP",
		"1 AES_CM_128_HMAC_SHA1_80 inline:" KEY_80 " UNENCRYPTED_SRTCP",
		"1 AES_CM_128_HMAC_SHA1_80 inline:" KEY_80 " UNAUTHENTICATED_SRTP",
		"1 AES_CM_128_HMAC_SHA1_80 inline:" KEY_80 " KDR=4",
	};
	struct sdes_crypto crypto;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(lines); i++)
		if (sdes_parse(lines[i], &crypto))
			fail_msg("read: %s", lines[i]);
}

static void an_offers_order_counts_but_a_short_tag_comes_last(void **state)
{
	struct sdes sdes = { .made = false };
	struct sdes_crypto lines[3] = { { .tag = 8, .suite = SRTP_SUITE_AES128_CM_SHA1_32 },
					{ .tag = 7, .suite = SRTP_SUITE_AES128_CM_SHA1_80 },
					{ .tag = 2, .suite = SRTP_SUITE_AEAD_AES_128_GCM } };

	(void)state;
	assert_ptr_equal(sdes_choose(&sdes, lines, 3, true), &lines[1]);
	assert_ptr_equal(sdes_choose(&sdes, lines, 1, true), &lines[0]);
	assert_null(sdes_choose(&sdes, lines, 0, true));
}

static void an_answer_must_name_a_line_that_was_offered(void **state)
{
	struct sdes sdes = { .made = false };
	struct sdes_crypto offered[SDES_LINES_MAX], answer;

	(void)state;
	assert_int_equal(sdes_make(&sdes), 0);
	assert_int_equal(sdes_offer(&sdes, offered), 3);
	answer = offered[1];
	assert_ptr_equal(sdes_choose(&sdes, &answer, 1, false), &answer);
	answer.tag++; /* of another suite */
	assert_null(sdes_choose(&sdes, &answer, 1, false));
	answer = (struct sdes_crypto){ .tag = 4, .suite = SRTP_SUITE_AES128_CM_SHA1_32 };
	assert_null(sdes_choose(&sdes, &answer, 1, false));
}

static void the_answerers_keys_stay_until_the_offerer_brings_new_ones(void **state)
{
	struct sdes sdes = { .made = false };
	struct sdes_crypto theirs = read_line("5 AES_CM_128_HMAC_SHA1_80 inline:" KEY_80);
	enum sdes_change change;
	struct srtp_keys first, second;

	(void)state;
	assert_int_equal(sdes_agree(&sdes, &theirs, false, &change), 0);
	assert_int_equal(change, SDES_BOTH);
	assert_int_equal(sdes.ours.tag, 5);
	sdes_keys(&sdes, &first);
	assert_memory_equal(first.inbound, theirs.key, 30);

	theirs.tag = 6; /* the same key under another tag */
	assert_int_equal(sdes_agree(&sdes, &theirs, false, &change), 0);
	assert_int_equal(change, SDES_KEPT);
	assert_int_equal(sdes.ours.tag, 6);

	theirs.key[0]++;
	assert_int_equal(sdes_agree(&sdes, &theirs, false, &change), 0);
	assert_int_equal(change, SDES_BOTH);
	sdes_keys(&sdes, &second);
	assert_memory_not_equal(first.outbound, second.outbound, 30);
	sdes_wipe(&sdes);
	assert_false(sdes.made);
}

static void an_offerers_key_stays_when_only_the_answer_has_a_new_one(void **state)
{
	struct sdes sdes = { .made = false };
	struct sdes_crypto theirs = read_line("3 AES_CM_128_HMAC_SHA1_80 inline:" KEY_80);
	struct sdes_crypto again[SDES_LINES_MAX], before[SDES_LINES_MAX];
	enum sdes_change change;

	(void)state;
	assert_int_equal(sdes_make(&sdes), 0);
	(void)sdes_offer(&sdes, before);
	assert_int_equal(sdes_agree(&sdes, &theirs, true, &change), 0);
	assert_int_equal(sdes_offer(&sdes, again), 3);
	assert_memory_equal(before, again, 3 * sizeof(before[0]));
	theirs.key[3]++;
	assert_int_equal(sdes_agree(&sdes, &theirs, true, &change), 0);
	assert_int_equal(change, SDES_INBOUND);
}

static void a_suite_that_comes_back_has_a_new_key(void **state)
{
	struct sdes sdes = { .made = false };
	struct sdes_crypto cm = read_line("3 AES_CM_128_HMAC_SHA1_80 inline:" KEY_80);
	struct sdes_crypto gcm = read_line("1 AEAD_AES_128_GCM inline:" KEY_128);
	struct srtp_keys first, last;
	enum sdes_change change;

	(void)state;
	assert_int_equal(sdes_agree(&sdes, &cm, true, &change), 0);
	sdes_keys(&sdes, &first);
	assert_int_equal(sdes_agree(&sdes, &gcm, true, &change), 0);
	assert_int_equal(change, SDES_BOTH);
	assert_int_equal(sdes_agree(&sdes, &cm, true, &change), 0);
	assert_int_equal(change, SDES_BOTH);
	sdes_keys(&sdes, &last);
	assert_memory_not_equal(first.outbound, last.outbound, 30);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_known_suite_is_read_with_its_tag_and_key),
		cmocka_unit_test(keys_are_read_with_and_without_padding_and_written_with_it),
		cmocka_unit_test(lifetime_and_mki_are_read),
		cmocka_unit_test(what_is_malformed_or_would_leave_something_clear_is_no_key),
		cmocka_unit_test(an_offers_order_counts_but_a_short_tag_comes_last),
		cmocka_unit_test(an_answer_must_name_a_line_that_was_offered),
		cmocka_unit_test(the_answerers_keys_stay_until_the_offerer_brings_new_ones),
		cmocka_unit_test(an_offerers_key_stays_when_only_the_answer_has_a_new_one),
		cmocka_unit_test(a_suite_that_comes_back_has_a_new_key),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
