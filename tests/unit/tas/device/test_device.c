/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include "base/log.h"
#include "tas/device/device.h"
#include "tas/sip/digest.h"
#include "tests/fake/folder.h"

#define TEXT(text) ((char *)(text))

static char anna_file[64], bert_file[64];
static struct config_device devices[2];
static struct config config;
static struct device_room *room;
static struct str headers;

static void put(const char *path, const char *text)
{
	FILE *file = fopen(path, "w");

	assert_non_null(file);
	assert_true(fputs(text, file) >= 0);
	assert_int_equal(fclose(file), 0);
}

static int setup(void **state)
{
	(void)state;
	assert_int_equal(folder_make(), 0);
	snprintf(anna_file, sizeof(anna_file), "%s/anna", folder);
	snprintf(bert_file, sizeof(bert_file), "%s/bert", folder);
	put(anna_file, "a-secret\n");
	put(bert_file, "b-secret\n");
	devices[0] = (struct config_device){ .name = TEXT("anna"),
					     .username = TEXT("anna-login"),
					     .password_file = anna_file,
					     .max_contacts = 3 };
	devices[1] = (struct config_device){ .name = TEXT("bert"),
					     .username = TEXT("bert"),
					     .password_file = bert_file,
					     .max_contacts = 1 };
	config = (struct config){ .domain = TEXT("tas.example.com"),
				  .devices = devices,
				  .device_count = 2,
				  .device_attempts = 30,
				  .sip.device_digest = DEVICE_DIGEST_BOTH };
	clock_fake_set(1000000);
	return device_room_create(&room, &config);
}

static int teardown(void **state)
{
	(void)state;
	room = device_room_destroy(room);
	str_done(&headers);
	clock_real();
	return folder_remove();
}

static struct sockaddr_storage address(const char *text, uint16_t port)
{
	struct sockaddr_storage storage = { 0 };
	struct sockaddr_in *in = (struct sockaddr_in *)&storage;

	in->sin_family = AF_INET;
	in->sin_port = htons(port);
	assert_int_equal(inet_pton(AF_INET, text, &in->sin_addr), 1);
	return storage;
}

static int visit(const char *method, const char *from, const char *authorization)
{
	struct sockaddr_storage source = address(from, 5555);
	const struct sip_visitor visitor = { .source = &source,
					     .address = from,
					     .method = method,
					     .authorizations = &authorization,
					     .authorization_count = authorization ? 1 : 0 };

	str_done(&headers);
	return device_visit(room, &visitor, &headers);
}

/* The answer to the last challenge's line of this algorithm. */
static void answer(const char *name, const char *user, const char *password, const char *method,
		   char *ret_text, size_t size)
{
	char nonce[128] = "", response[DIGEST_HEX_ROOM], wanted[64];
	const char *line = headers.text;
	struct digest_input input = { .username = user,
				      .realm = "tas.example.com",
				      .password = password,
				      .method = method,
				      .uri = "sip:tas.example.com",
				      .nonce = nonce,
				      .nc = "00000001",
				      .cnonce = "abc" };

	assert_int_equal(digest_algorithm_parse(name, &input.algorithm), 0);
	snprintf(wanted, sizeof(wanted), "algorithm=%s,", name);
	assert_non_null(line);
	assert_non_null(strstr(line, wanted));
	assert_int_equal(sscanf(strstr(line, "nonce=\""), "nonce=\"%127[^\"]\"", nonce), 1);
	assert_int_equal(digest_response(&input, response), 0);
	snprintf(ret_text, size,
		 "Digest username=\"%s\", realm=\"tas.example.com\", nonce=\"%s\", "
		 "uri=\"sip:tas.example.com\", response=\"%s\", algorithm=%s, qop=auth, "
		 "cnonce=\"abc\", nc=00000001",
		 user, nonce, response, name);
}

static int login(const char *method, const char *from, const char *user, const char *password)
{
	char text[512];

	assert_int_equal(visit(method, from, NULL), SIP_VISITOR_CHALLENGED);
	answer("SHA-256", user, password, method, text, sizeof(text));
	return visit(method, from, text);
}

static int enrol(int peer, const char *user, const char *uri, unsigned expires_s, uint32_t cseq)
{
	const struct sip_contact contact = { uri, uri, SIP_EXPIRES_NONE };
	const struct sip_register request = { .user = user,
					      .call_id = "c",
					      .cseq = cseq,
					      .contacts = &contact,
					      .contact_count = 1,
					      .expires_s = expires_s,
					      .user_agent = "phone/1",
					      .source = address("192.0.2.1", 5555),
					      .hop = "sip:192.0.2.1:5555;transport=tcp" };

	str_done(&headers);
	return device_enrol(room, peer, &request, &headers);
}

static void the_right_password_lets_in(void **state)
{
	(void)state;
	assert_int_equal(login("REGISTER", "192.0.2.1", "anna-login", "a-secret"), DEVICE_PEER);
	assert_int_equal(login("INVITE", "192.0.2.1", "bert", "b-secret"), DEVICE_PEER + 1);
}

static void the_wrong_one_and_the_wrong_name_are_forbidden(void **state)
{
	(void)state;
	assert_int_equal(login("REGISTER", "192.0.2.1", "anna-login", "b-secret"),
			 SIP_VISITOR_FORBIDDEN);
	assert_int_equal(login("REGISTER", "192.0.2.1", "anna", "a-secret"), SIP_VISITOR_FORBIDDEN);
	assert_int_equal(login("REGISTER", "192.0.2.1", "nobody", ""), SIP_VISITOR_FORBIDDEN);
	assert_null(headers.text);
}

static void an_answer_is_good_once_and_from_where_it_was_asked(void **state)
{
	char text[512];

	(void)state;
	assert_int_equal(visit("REGISTER", "192.0.2.1", NULL), SIP_VISITOR_CHALLENGED);
	answer("SHA-256", "bert", "b-secret", "REGISTER", text, sizeof(text));
	assert_int_equal(visit("REGISTER", "192.0.2.2", text), SIP_VISITOR_CHALLENGED);
	assert_non_null(strstr(headers.text, "stale=true"));
	assert_int_equal(visit("INVITE", "192.0.2.1", text), SIP_VISITOR_FORBIDDEN);
	assert_int_equal(visit("REGISTER", "192.0.2.1", text), DEVICE_PEER + 1);
	assert_int_equal(visit("REGISTER", "192.0.2.1", text), SIP_VISITOR_CHALLENGED);
}

static void what_is_asked_for_is_configured(void **state)
{
	char text[512];

	(void)state;
	config.sip.device_digest = DEVICE_DIGEST_MD5;
	assert_int_equal(visit("REGISTER", "192.0.2.1", NULL), SIP_VISITOR_CHALLENGED);
	assert_null(strstr(headers.text, "SHA"));
	answer("MD5", "bert", "b-secret", "REGISTER", text, sizeof(text));
	assert_int_equal(visit("REGISTER", "192.0.2.1", text), DEVICE_PEER + 1);
	assert_int_equal(visit("REGISTER", "192.0.2.1", NULL), SIP_VISITOR_CHALLENGED);
	answer("MD5", "bert", "b-secret", "REGISTER", text, sizeof(text));
	config.sip.device_digest = DEVICE_DIGEST_SHA256;
	assert_int_equal(visit("REGISTER", "192.0.2.1", text), SIP_VISITOR_FORBIDDEN);
	assert_int_equal(visit("REGISTER", "192.0.2.1", NULL), SIP_VISITOR_CHALLENGED);
	assert_null(strstr(headers.text, "MD5"));
}

static void who_fails_too_often_is_not_answered(void **state)
{
	unsigned answered = 0;

	(void)state;
	while (visit("REGISTER", "192.0.2.1", NULL) == SIP_VISITOR_CHALLENGED)
		answered++;
	assert_int_equal(answered, 30);
	assert_int_equal(visit("INVITE", "192.0.2.1", NULL), SIP_VISITOR_IGNORED);
	assert_int_equal(login("REGISTER", "192.0.2.9", "bert", "b-secret"), DEVICE_PEER + 1);
	clock_fake_advance(4000);
	assert_int_equal(login("REGISTER", "192.0.2.1", "bert", "b-secret"), DEVICE_PEER + 1);
}

static void other_requests_are_taken_from_where_a_device_is(void **state)
{
	(void)state;
	assert_int_equal(visit("OPTIONS", "192.0.2.1", NULL), SIP_VISITOR_STRANGER);
	assert_int_equal(enrol(DEVICE_PEER, "anna", "sip:x", 60, 1), 200);
	assert_int_equal(visit("OPTIONS", "192.0.2.1", NULL), DEVICE_PEER);
	assert_int_equal(visit("INVITE", "192.0.2.1", NULL), SIP_VISITOR_CHALLENGED);
	assert_int_equal(visit("OPTIONS", "192.0.2.2", NULL), SIP_VISITOR_STRANGER);
	assert_int_equal(visit("ACK", "192.0.2.2", NULL), SIP_VISITOR_UNANSWERED);
	clock_fake_advance(60000);
	assert_int_equal(visit("OPTIONS", "192.0.2.1", NULL), SIP_VISITOR_STRANGER);
}

static void without_devices_all_are_strangers(void **state)
{
	(void)state;
	config.device_count = 0;
	device_reconfigure(room, &config);
	assert_int_equal(visit("REGISTER", "192.0.2.1", NULL), SIP_VISITOR_STRANGER);
	assert_int_equal(visit("ACK", "192.0.2.1", NULL), SIP_VISITOR_STRANGER);
}

static void a_register_is_answered_with_all_contacts(void **state)
{
	(void)state;
	assert_int_equal(enrol(DEVICE_PEER, "anna", "sip:x", 60, 1), 200);
	clock_fake_advance(500);
	assert_int_equal(enrol(DEVICE_PEER, "anna-login", "sip:y", 120, 2), 200);
	assert_string_equal(headers.text,
			    "Contact: <sip:y>;expires=120\r\nContact: <sip:x>;expires=60\r\n");
	assert_int_equal(enrol(DEVICE_PEER, "anna", "sip:x", 59, 3), 423);
	assert_string_equal(headers.text, "Min-Expires: 60\r\n");
	assert_int_equal(enrol(DEVICE_PEER, "anna", "sip:x", 60, 1), 500);
	assert_int_equal(enrol(DEVICE_PEER, "bert", "sip:x", 60, 4), 403);
}

static void contacts_are_handed_out_newest_first(void **state)
{
	struct device_contact contacts[SIP_CONTACT_MAX];

	(void)state;
	assert_int_equal(device_contacts(room, 0, contacts), 0);
	assert_int_equal(device_contacts(room, 7, contacts), 0);
	assert_int_equal(enrol(DEVICE_PEER, "anna", "sip:x", 60, 1), 200);
	assert_int_equal(enrol(DEVICE_PEER, "anna", "sip:y", 120, 2), 200);
	assert_int_equal(device_contacts(room, 0, contacts), 2);
	assert_string_equal(contacts[0].uri, "sip:y");
	assert_string_equal(contacts[0].hop, "sip:192.0.2.1:5555;transport=tcp");
	clock_fake_advance(60000);
	assert_int_equal(device_contacts(room, 0, contacts), 1);
}

static void a_reload_keeps_phones_and_reads_passwords_again(void **state)
{
	struct device_contact contacts[SIP_CONTACT_MAX];
	struct config_device turned[2] = { devices[1], devices[0] };

	(void)state;
	assert_int_equal(enrol(DEVICE_PEER, "anna", "sip:x", 60, 1), 200);
	put(anna_file, "new\n");
	put(bert_file, "\n");
	config.devices = turned;
	device_reconfigure(room, &config);
	assert_int_equal(device_contacts(room, 0, contacts), 0);
	assert_int_equal(device_contacts(room, 1, contacts), 1);
	/* To a call she has, she is who she was. */
	assert_int_equal(login("REGISTER", "192.0.2.1", "anna-login", "new"), DEVICE_PEER);
	/* Without a password nobody gets in, not even with none. */
	assert_int_equal(login("REGISTER", "192.0.2.1", "bert", ""), SIP_VISITOR_FORBIDDEN);
	config.devices = devices;
}

static void show(const struct device_info *info, void *arg)
{
	str_addf(arg, "%s %s %u %u; ", info->name, info->uri, info->expires_s, info->since_s);
}

static void every_device_is_shown(void **state)
{
	struct str shown = { 0 };

	(void)state;
	assert_int_equal(enrol(DEVICE_PEER + 1, "bert", "sip:x", 60, 1), 200);
	clock_fake_advance(10000);
	device_each(room, show, &shown);
	assert_string_equal(shown.text, "anna  0 0; bert sip:x 50 10; ");
	str_done(&shown);
}

int main(void)
{
#define T(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(the_right_password_lets_in),
		T(the_wrong_one_and_the_wrong_name_are_forbidden),
		T(an_answer_is_good_once_and_from_where_it_was_asked),
		T(what_is_asked_for_is_configured),
		T(who_fails_too_often_is_not_answered),
		T(other_requests_are_taken_from_where_a_device_is),
		T(without_devices_all_are_strangers),
		T(a_register_is_answered_with_all_contacts),
		T(contacts_are_handed_out_newest_first),
		T(a_reload_keeps_phones_and_reads_passwords_again),
		T(every_device_is_shown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
