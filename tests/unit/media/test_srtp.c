/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <malloc.h>
#include <string.h>
#include <time.h>
#include "base/clock.h"
#include "media/srtp.h"

/* 12 bytes of header, 16 of 0xab: the reference packet of libsrtp's driver. */
static const uint8_t plain[28] = { 0x80, 0x0f, 0x12, 0x34, 0xde, 0xca, 0xfb, 0xad, 0xca, 0xfe,
				   0xba, 0xbe, 0xab, 0xab, 0xab, 0xab, 0xab, 0xab, 0xab, 0xab,
				   0xab, 0xab, 0xab, 0xab, 0xab, 0xab, 0xab, 0xab };

static int start(void **state)
{
	const char *why = NULL;

	(void)state;
	return srtp_start(&why);
}

static struct srtp_pair *pair_of(enum srtp_suite suite, bool mirrored)
{
	struct srtp_keys keys = { .suite = suite };
	struct srtp_pair *pair;

	for (uint8_t i = 0; i < SRTP_KEY_ROOM; i++) {
		keys.inbound[i] = mirrored ? i : (uint8_t)(i + 100);
		keys.outbound[i] = mirrored ? (uint8_t)(i + 100) : i;
	}
	assert_int_equal(srtp_pair_create(&pair, &keys), 0);
	return pair;
}

static size_t packet(uint8_t *buffer, uint32_t ssrc, uint16_t sequence)
{
	memcpy(buffer, plain, sizeof(plain));
	buffer[2] = (uint8_t)(sequence >> 8);
	buffer[3] = (uint8_t)sequence;
	memcpy(buffer + 8, &ssrc, sizeof(ssrc));
	return sizeof(plain);
}

/* `plain` under these keys. */
static void assert_sealed_as(const struct srtp_keys *keys, const uint8_t *sealed,
			     size_t sealed_length)
{
	struct srtp_pair *pair;
	uint8_t buffer[64];
	size_t length = sizeof(plain);

	assert_int_equal(srtp_pair_create(&pair, keys), 0);
	memcpy(buffer, plain, sizeof(plain));
	assert_int_equal(srtp_pair_protect(pair, buffer, &length), 0);
	assert_int_equal(length, sealed_length);
	assert_memory_equal(buffer, sealed, sealed_length);
	srtp_pair_destroy(pair);
}

static void aes_128_cm_matches_the_published_packet(void **state)
{
	static const uint8_t key[30] = {
		0xe1, 0xf9, 0x7a, 0x0d, 0x3e, 0x01, 0x8b, 0xe0, 0xd6, 0x4f,
		0xa3, 0x2c, 0x06, 0xde, 0x41, 0x39, 0x0e, 0xc6, 0x75, 0xad,
		0x49, 0x8a, 0xfe, 0xeb, 0xb6, 0x96, 0x0b, 0x3a, 0xab, 0xe6
	};
	static const uint8_t sealed[38] = { 0x80, 0x0f, 0x12, 0x34, 0xde, 0xca, 0xfb, 0xad,
					    0xca, 0xfe, 0xba, 0xbe, 0x4e, 0x55, 0xdc, 0x4c,
					    0xe7, 0x99, 0x78, 0xd8, 0x8c, 0xa4, 0xd2, 0x15,
					    0x94, 0x9d, 0x24, 0x02, 0xb7, 0x8d, 0x6a, 0xcc,
					    0x99, 0xea, 0x17, 0x9b, 0x8d, 0xbb };
	struct srtp_keys keys = { .suite = SRTP_SUITE_AES128_CM_SHA1_80 };

	(void)state;
	memcpy(keys.outbound, key, sizeof(key));
	assert_sealed_as(&keys, sealed, sizeof(sealed));
}

static void aes_128_gcm_matches_the_published_packet(void **state)
{
	static const uint8_t key[28] = { 0x00, 0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x07, 0x08, 0x09,
					 0x0a, 0x0b, 0x0c, 0x0d, 0x0e, 0x0f, 0xa0, 0xa1, 0xa2, 0xa3,
					 0xa4, 0xa5, 0xa6, 0xa7, 0xa8, 0xa9, 0xaa, 0xab };
	static const uint8_t sealed[44] = { 0x80, 0x0f, 0x12, 0x34, 0xde, 0xca, 0xfb, 0xad, 0xca,
					    0xfe, 0xba, 0xbe, 0xc5, 0x00, 0x2e, 0xde, 0x04, 0xcf,
					    0xdd, 0x2e, 0xb9, 0x11, 0x59, 0xe0, 0x88, 0x0a, 0xa0,
					    0x6e, 0xd2, 0x97, 0x68, 0x26, 0xf7, 0x96, 0xb2, 0x01,
					    0xdf, 0x31, 0x31, 0xa1, 0x27, 0xe8, 0xa3, 0x92 };
	struct srtp_keys keys = { .suite = SRTP_SUITE_AEAD_AES_128_GCM };

	(void)state;
	memcpy(keys.outbound, key, sizeof(key));
	assert_sealed_as(&keys, sealed, sizeof(sealed));
}

static void every_suite_opens_what_it_sealed(void **state)
{
	(void)state;
	for (enum srtp_suite suite = 0; suite < SRTP_SUITE_COUNT; suite++) {
		struct srtp_pair *a = pair_of(suite, false), *b = pair_of(suite, true);
		uint8_t buffer[256], report[64] = { 0x80, 201, 0, 1, 1, 2, 3, 4 };
		size_t length;

		for (uint16_t i = 0; i < 300; i++) {
			length = packet(buffer, 77, i);
			assert_int_equal(srtp_pair_protect(a, buffer, &length), 0);
			assert_int_equal(srtp_pair_unprotect(b, buffer, &length), 0);
			assert_int_equal(length, sizeof(plain));
			assert_memory_equal(buffer + 12, plain + 12, 16);
		}
		length = 8;
		assert_int_equal(srtp_pair_protect_rtcp(a, report, &length), 0);
		assert_int_equal(srtp_pair_unprotect_rtcp(b, report, &length), 0);
		assert_int_equal(length, 8);
		srtp_pair_destroy(a);
		srtp_pair_destroy(b);
	}
}

static void forged_and_replayed_packets_are_refused(void **state)
{
	(void)state;
	for (enum srtp_suite suite = 0; suite < SRTP_SUITE_COUNT; suite++) {
		struct srtp_pair *a = pair_of(suite, false), *b = pair_of(suite, true);
		uint8_t buffer[64], copy[64];
		size_t length = packet(buffer, 77, 9), same;

		assert_int_equal(srtp_pair_protect(a, buffer, &length), 0);
		memcpy(copy, buffer, sizeof(copy));
		copy[20] ^= 1;
		same = length;
		assert_int_equal(srtp_pair_unprotect(b, copy, &same), -EBADMSG);
		memcpy(copy, buffer, sizeof(copy));
		same = length;
		assert_int_equal(srtp_pair_unprotect(b, copy, &same), 0);
		memcpy(copy, buffer, sizeof(copy));
		same = length;
		assert_int_equal(srtp_pair_unprotect(b, copy, &same), -EBADMSG);
		srtp_pair_destroy(a);
		srtp_pair_destroy(b);
	}
}

static uint64_t cpu_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

/* FreeSWITCH up to 1.10.6 hung up after a hundred (CVE-2021-41105). */
static void a_hundred_thousand_bad_packets_cost_no_good_one(void **state)
{
	struct srtp_pair *a = pair_of(SRTP_SUITE_AEAD_AES_128_GCM, false);
	struct srtp_pair *b = pair_of(SRTP_SUITE_AEAD_AES_128_GCM, true);
	uint64_t spent = 0;

	(void)state;
	for (unsigned n = 0; n < 100000; n++) {
		uint8_t buffer[64];
		size_t length = packet(buffer, 77, (uint16_t)(n / 10)) + 16;
		uint64_t before = cpu_ns();

		assert_int_equal(srtp_pair_unprotect(b, buffer, &length), -EBADMSG);
		spent += cpu_ns() - before;
		if (n % 10 != 0)
			continue;
		length = packet(buffer, 77, (uint16_t)(n / 10));
		assert_int_equal(srtp_pair_protect(a, buffer, &length), 0);
		assert_int_equal(srtp_pair_unprotect(b, buffer, &length), 0);
	}
	print_message("a bad packet: %u ns\n", (unsigned)(spent / 100000));
	srtp_pair_destroy(a);
	srtp_pair_destroy(b);
}

/* Also when the sequence numbers have come round, twice: the roll-over counter is
 * part of what is authenticated. */
static void what_was_recorded_opens_nothing_later(void **state)
{
	enum { RECORDED = 10000 };
	static uint8_t tape[RECORDED][64];
	struct srtp_pair *a = pair_of(SRTP_SUITE_AES128_CM_SHA1_80, false);
	struct srtp_pair *b = pair_of(SRTP_SUITE_AES128_CM_SHA1_80, true);
	size_t length = 0;

	(void)state;
	for (unsigned n = 0; n < 2 * 65536 + 100; n++) {
		uint8_t buffer[64];

		length = packet(buffer, 77, (uint16_t)n);
		assert_int_equal(srtp_pair_protect(a, buffer, &length), 0);
		if (n < RECORDED)
			memcpy(tape[n], buffer, sizeof(buffer));
		assert_int_equal(srtp_pair_unprotect(b, buffer, &length), 0);
		if (n % 65536 != 99)
			continue;
		for (unsigned i = 0; i < (n < 65536 ? 100 : RECORDED); i++) {
			size_t sealed = sizeof(plain) + 10;

			memcpy(buffer, tape[i], sizeof(buffer));
			assert_int_equal(srtp_pair_unprotect(b, buffer, &sealed), -EBADMSG);
		}
	}
	srtp_pair_destroy(a);
	srtp_pair_destroy(b);
}

static void short_packets_are_refused_unread(void **state)
{
	struct srtp_pair *pair = pair_of(SRTP_SUITE_AEAD_AES_128_GCM, false);

	(void)state;
	for (size_t size = 0; size < 40; size++) {
		uint8_t buffer[64] = { 0x80 };
		size_t length = size;

		assert_true(srtp_pair_unprotect(pair, buffer, &length) < 0);
		length = size;
		assert_true(srtp_pair_unprotect_rtcp(pair, buffer, &length) < 0);
	}
	srtp_pair_destroy(pair);
}

static void ssrcs_are_limited_and_forged_ones_cost_none(void **state)
{
	struct srtp_pair *a = pair_of(SRTP_SUITE_AEAD_AES_128_GCM, false);
	struct srtp_pair *b = pair_of(SRTP_SUITE_AEAD_AES_128_GCM, true);
	uint8_t buffer[64];
	size_t length;

	(void)state;
	for (uint32_t ssrc = 1000; ssrc < 66536; ssrc++) {
		length = packet(buffer, ssrc, 1) + 16;
		assert_int_equal(srtp_pair_unprotect(b, buffer, &length), -EBADMSG);
	}
	for (uint32_t ssrc = 1; ssrc <= SRTP_STREAMS_MAX; ssrc++) {
		length = packet(buffer, ssrc, 1);
		assert_int_equal(srtp_pair_protect(a, buffer, &length), 0);
		assert_int_equal(srtp_pair_unprotect(b, buffer, &length), 0);
	}
	length = packet(buffer, 99, 1);
	assert_int_equal(srtp_pair_protect(a, buffer, &length), -ENOBUFS);
	length = packet(buffer, 1, 2); /* the ones known go on */
	assert_int_equal(srtp_pair_protect(a, buffer, &length), 0);
	assert_int_equal(srtp_pair_unprotect(b, buffer, &length), 0);
	srtp_pair_destroy(a);
	srtp_pair_destroy(b);
}

/* Debian's build of libsrtp2 has NSS ciphers, of 18 to 30 kB a session, whose cost grows
 * with the number of sessions; ours take three. What a packet costs is for bench_media. */
static void sessions_are_small_as_their_ciphers_are_ours(void **state)
{
	static struct srtp_pair *pairs[100];
	size_t before = mallinfo2().uordblks, each;
	uint8_t buffer[64];
	size_t length;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(pairs); i++) {
		pairs[i] = pair_of(SRTP_SUITE_AEAD_AES_128_GCM, false);
		length = packet(buffer, 5, 1);
		assert_int_equal(srtp_pair_protect(pairs[i], buffer, &length), 0);
	}
	each = (mallinfo2().uordblks - before) / ARRAY_SIZE(pairs);
	print_message("%zu bytes a pair with one stream\n", each);
	for (size_t i = 0; i < ARRAY_SIZE(pairs); i++)
		srtp_pair_destroy(pairs[i]);
	assert_true(each < 16000);
}

/* RFC 3711 3.1: behind the tag, in front of it, never authenticated. */
static size_t with_mki(uint8_t *packet, size_t length, size_t behind, const char *mki, size_t size)
{
	memmove(packet + length - behind + size, packet + length - behind, behind);
	memcpy(packet + length - behind, mki, size);
	return length + size;
}

static void a_peers_mki_is_looked_for_and_taken_off(void **state)
{
	static const size_t tags[] = {
		[SRTP_SUITE_AEAD_AES_128_GCM] = 0, [SRTP_SUITE_AES128_CM_SHA1_80] = 10
	};
	static const enum srtp_suite suites[] = { SRTP_SUITE_AEAD_AES_128_GCM,
						  SRTP_SUITE_AES128_CM_SHA1_80 };

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		struct srtp_keys keys = { .suite = suites[i], .mki_length = 2, .mki = { 1, 7 } };
		struct srtp_pair *from = pair_of(suites[i], true), *to;
		uint8_t buffer[128];
		size_t length = packet(buffer, 5, 1);

		for (uint8_t k = 0; k < SRTP_KEY_ROOM; k++) {
			keys.inbound[k] = (uint8_t)(k + 100);
			keys.outbound[k] = k;
		}
		assert_int_equal(srtp_pair_create(&to, &keys), 0);
		assert_int_equal(srtp_pair_protect(from, buffer, &length), 0);
		length = with_mki(buffer, length, tags[suites[i]], "\1\7", 2);
		assert_int_equal(srtp_pair_unprotect(to, buffer, &length), 0);
		assert_int_equal(length, sizeof(plain));
		assert_memory_equal(buffer + 12, plain + 12, 16);

		length = packet(buffer, 5, 2);
		assert_int_equal(srtp_pair_protect(from, buffer, &length), 0);
		length = with_mki(buffer, length, tags[suites[i]], "\1\6", 2); /* of another key */
		assert_int_equal(srtp_pair_unprotect(to, buffer, &length), -EBADMSG);
		srtp_pair_destroy(from);
		srtp_pair_destroy(to);
	}
}

/* The same key from packet index 0 again would be its key stream twice. */
static void a_new_inbound_key_leaves_the_outbound_stream_as_it_is(void **state)
{
	struct srtp_pair *pair = pair_of(SRTP_SUITE_AES128_CM_SHA1_80, false);
	struct srtp_pair *peer = pair_of(SRTP_SUITE_AES128_CM_SHA1_80, true);
	struct srtp_keys keys = { .suite = SRTP_SUITE_AES128_CM_SHA1_80, .inbound = { 9 } };
	uint8_t buffer[128];
	size_t length;

	(void)state;
	for (unsigned n = 65530; n < 65545; n++) { /* over the sequence number's end */
		if (n == 65540)
			assert_int_equal(srtp_pair_renew_inbound(pair, &keys), 0);
		length = packet(buffer, 5, (uint16_t)n);
		assert_int_equal(srtp_pair_protect(pair, buffer, &length), 0);
		assert_int_equal(srtp_pair_unprotect(peer, buffer, &length), 0);
	}
	length = packet(buffer, 6, 1); /* under the old key */
	assert_int_equal(srtp_pair_protect(peer, buffer, &length), 0);
	assert_int_equal(srtp_pair_unprotect(pair, buffer, &length), -EBADMSG);
	srtp_pair_destroy(pair);
	srtp_pair_destroy(peer);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(aes_128_cm_matches_the_published_packet),
		cmocka_unit_test(aes_128_gcm_matches_the_published_packet),
		cmocka_unit_test(every_suite_opens_what_it_sealed),
		cmocka_unit_test(forged_and_replayed_packets_are_refused),
		cmocka_unit_test(a_hundred_thousand_bad_packets_cost_no_good_one),
		cmocka_unit_test(what_was_recorded_opens_nothing_later),
		cmocka_unit_test(short_packets_are_refused_unread),
		cmocka_unit_test(ssrcs_are_limited_and_forged_ones_cost_none),
		cmocka_unit_test(sessions_are_small_as_their_ciphers_are_ours),
		cmocka_unit_test(a_peers_mki_is_looked_for_and_taken_off),
		cmocka_unit_test(a_new_inbound_key_leaves_the_outbound_stream_as_it_is),
	};

	return cmocka_run_group_tests_name("media/srtp", tests, start, NULL);
}
