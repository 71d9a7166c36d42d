/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "tas/device/phone.h"

static struct phones phones;

static int teardown(void **state)
{
	(void)state;
	phones_done(&phones);
	assert_int_equal(phones.count, 0);
	assert_null(phones.first);
	return 0;
}

static int update(const char *call_id, uint32_t cseq, const struct sip_contact *contacts,
		  size_t count, unsigned expires_s, mono_ms now)
{
	const struct sip_register request = { .user = "anna",
					      .call_id = call_id,
					      .cseq = cseq,
					      .contacts = contacts,
					      .contact_count = count,
					      .expires_s = expires_s,
					      .user_agent = "phone",
					      .hop = "sip:192.0.2.1:5555;transport=tcp" };

	return phones_update(&phones, &request, 2, now);
}

/* One contact whose key is its URI. */
static int one(const char *call_id, uint32_t cseq, const char *uri, unsigned expires_s, mono_ms now)
{
	const struct sip_contact contact = { uri, uri, SIP_EXPIRES_NONE };

	return update(call_id, cseq, &contact, 1, expires_s, now);
}

static int star(const char *call_id, uint32_t cseq, unsigned expires_s)
{
	const struct sip_register request = {
		.call_id = call_id, .cseq = cseq, .star = true, .expires_s = expires_s
	};

	return phones_update(&phones, &request, 2, 2000);
}

static void a_contact_stays_until_it_expires(void **state)
{
	(void)state;
	assert_int_equal(one("c", 1, "sip:a", 60, 1000), 0);
	assert_string_equal(phones.first->uri, "sip:a");
	assert_string_equal(phones.first->hop, "sip:192.0.2.1:5555;transport=tcp");
	phones_expire(&phones, 60999);
	assert_int_equal(phones.count, 1);
	phones_expire(&phones, 61000);
	assert_int_equal(phones.count, 0);
}

static void the_contacts_own_expiry_comes_first(void **state)
{
	const struct sip_contact contacts[] = { { "sip:a", "a", 100 },
						{ "sip:b", "b", SIP_EXPIRES_NONE } };

	(void)state;
	assert_int_equal(update("c", 1, contacts, 2, 200, 0), 0);
	assert_int_equal(phones.first->expires_ms, 200000); /* b */
	assert_int_equal(phones.first->next->expires_ms, 100000);
	assert_int_equal(update("c", 2, contacts, 2, SIP_EXPIRES_NONE, 0), 0);
	assert_int_equal(phones.first->expires_ms, PHONE_DEFAULT_S * 1000);
	assert_int_equal(one("c", 3, "sip:c", 1000000, 0), 0);
	assert_int_equal(phones.first->expires_ms, PHONE_MAX_S * 1000);
}

static void an_expiry_too_brief_is_refused_in_whole(void **state)
{
	const struct sip_contact contacts[] = { { "sip:a", "a", 100 }, { "sip:b", "b", 59 } };

	(void)state;
	assert_int_equal(update("c", 1, contacts, 2, 200, 0), -ERANGE);
	assert_int_equal(phones.count, 0);
}

static void a_refresh_replaces_and_zero_removes(void **state)
{
	(void)state;
	assert_int_equal(one("c", 1, "sip:a", 60, 1000), 0);
	assert_int_equal(one("c", 2, "sip:a", 60, 31000), 0);
	assert_int_equal(phones.count, 1);
	assert_int_equal(phones.first->expires_ms, 91000);
	assert_int_equal(phones.first->since_ms, 1000);
	assert_int_equal(one("c", 3, "sip:a", 0, 32000), 0);
	assert_int_equal(phones.count, 0);
	assert_int_equal(one("c", 4, "sip:never", 0, 32000), 0);
}

static void what_comes_late_changes_nothing(void **state)
{
	(void)state;
	assert_int_equal(one("c", 5, "sip:a", 60, 1000), 0);
	assert_int_equal(one("c", 5, "sip:a", 0, 2000), -ESTALE);
	assert_int_equal(one("c", 4, "sip:a", 0, 2000), -ESTALE);
	assert_int_equal(star("c", 5, 0), -ESTALE);
	assert_int_equal(phones.count, 1);
	assert_int_equal(one("another", 1, "sip:a", 60, 2000), 0); /* the phone has restarted */
	assert_string_equal(phones.first->call_id, "another");
}

static void a_star_takes_all_and_stands_alone(void **state)
{
	const struct sip_contact contact = { "sip:a", "a", SIP_EXPIRES_NONE };
	const struct sip_register both = { .call_id = "c",
					   .cseq = 9,
					   .star = true,
					   .contacts = &contact,
					   .contact_count = 1,
					   .expires_s = 0 };

	(void)state;
	assert_int_equal(one("c", 1, "sip:a", 60, 1000), 0);
	assert_int_equal(one("c", 2, "sip:b", 60, 1000), 0);
	assert_int_equal(star("c", 3, 60), -EINVAL);
	assert_int_equal(star("c", 3, SIP_EXPIRES_NONE), -EINVAL);
	assert_int_equal(phones_update(&phones, &both, 2, 2000), -EINVAL);
	assert_int_equal(phones.count, 2);
	assert_int_equal(star("c", 3, 0), 0);
	assert_int_equal(phones.count, 0);
}

static void of_too_many_the_ones_refreshed_last_stay(void **state)
{
	(void)state;
	assert_int_equal(one("c", 1, "sip:a", 60, 1000), 0);
	assert_int_equal(one("c", 2, "sip:b", 60, 1000), 0);
	assert_int_equal(one("c", 3, "sip:a", 60, 1000), 0);
	assert_int_equal(one("c", 4, "sip:c", 60, 1000), 0);
	assert_int_equal(phones.count, 2);
	assert_string_equal(phones.first->uri, "sip:c");
	assert_string_equal(phones.first->next->uri, "sip:a");
}

static void one_key_twice_is_one_phone(void **state)
{
	const struct sip_contact contacts[] = { { "sip:a:1", "urn:uuid:x 1", 100 },
						{ "sip:a:2", "urn:uuid:x 1", 100 } };

	(void)state;
	assert_int_equal(update("c", 1, contacts, 2, 200, 0), 0);
	assert_int_equal(phones.count, 1);
	assert_string_equal(phones.first->uri, "sip:a:2");
}

static void asking_changes_nothing(void **state)
{
	(void)state;
	assert_int_equal(one("c", 1, "sip:a", 60, 1000), 0);
	assert_int_equal(update("c", 2, NULL, 0, SIP_EXPIRES_NONE, 1000), 0);
	assert_int_equal(phones.count, 1);
}

static void another_process_knows_the_same_phones(void **state)
{
	struct phones other = { .first = NULL };
	struct str packed[2] = { { 0 }, { 0 } };
	size_t count = 0;

	(void)state;
	assert_int_equal(one("c", 1, "sip:a", 60, 1000), 0);
	assert_int_equal(one("d", 7, "sip:b", 3600, 1000), 0);
	for (const struct phone *at = phones.first; at; at = at->next)
		phone_pack(at, &packed[count++]);
	assert_int_equal(count, 2);
	for (size_t i = 0; i < count; i++) {
		struct unpack from = { packed[i].text, packed[i].text + packed[i].length, false };
		struct unpack torn = { packed[i].text, packed[i].text + packed[i].length - 1,
				       false };

		assert_false(phones_unpack(&other, &torn, 2000));
		/* The first contact's minute is over by then. */
		assert_int_equal(phones_unpack(&other, &from, 62000), i == 0);
		str_done(&packed[i]);
	}
	assert_int_equal(other.count, 1);
	assert_string_equal(other.first->uri, "sip:b");
	assert_string_equal(other.first->hop, "sip:192.0.2.1:5555;transport=tcp");
	assert_string_equal(other.first->call_id, "d");
	assert_int_equal(other.first->cseq, 7);
	assert_int_equal(other.first->expires_ms, 1000 + 3600 * 1000);
	phones_done(&other);
}

int main(void)
{
#define T(test) cmocka_unit_test_teardown(test, teardown)
	const struct CMUnitTest tests[] = {
		T(another_process_knows_the_same_phones),
		T(a_contact_stays_until_it_expires),
		T(the_contacts_own_expiry_comes_first),
		T(an_expiry_too_brief_is_refused_in_whole),
		T(a_refresh_replaces_and_zero_removes),
		T(what_comes_late_changes_nothing),
		T(a_star_takes_all_and_stands_alone),
		T(of_too_many_the_ones_refreshed_last_stay),
		T(one_key_twice_is_one_phone),
		T(asking_changes_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
