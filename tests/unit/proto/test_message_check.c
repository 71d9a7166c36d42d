/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "base/macros.h"
#include "proto/message_check.h"
#include "wgtwo/sipbreakout/v1/sipbreakout.pb-c.h"

static void well_formed_text_is_taken(void **state)
{
	static const char *const good[] = { "",
					    "sips:tas.example.com",
					    "\xc3\xa6\xc3\xb8",
					    "\xe2\x82\xac",
					    "\xf0\x9f\x93\x9e",
					    "\xed\x9f\xbf",
					    "\xee\x80\x80",
					    "\xf4\x8f\xbf\xbf" };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(good); i++)
		assert_true(utf8_valid(good[i]));
}

/* RFC 3629 section 10: overlong forms, surrogates, past the end, cut short. */
static void malformed_text_is_not(void **state)
{
	static const char *const bad[] = { "\x80",
					   "\xc0\xaf",
					   "\xc1\x81",
					   "\xe0\x80\xaf",
					   "\xed\xa0\x80",
					   "\xf0\x80\x80\xaf",
					   "\xf5\x80\x80\x80",
					   "\xf4\x90\x80\x80",
					   "\xff",
					   "\xc3",
					   "\xe2\x82",
					   "\xf0\x9f\x93",
					   "a\xe2(\xa1" };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_false(utf8_valid(bad[i]));
}

static void a_bad_string_deep_inside_is_found(void **state)
{
	Wgtwo__Sipbreakout__V1__UpsertRegistrationRequest request;
	Wgtwo__Sipbreakout__V1__Registration registration;
	Wgtwo__Common__V1__E164 number;

	(void)state;
	wgtwo__sipbreakout__v1__upsert_registration_request__init(&request);
	wgtwo__sipbreakout__v1__registration__init(&registration);
	wgtwo__common__v1__e164__init(&number);
	assert_true(message_check_utf8(&request.base)); /* without its parts */
	request.registration = &registration;
	registration.phone_number = &number;
	number.e164 = (char *)"+4799000001";
	assert_true(message_check_utf8(&request.base));
	number.e164 = (char *)"+47\xff";
	assert_false(message_check_utf8(&request.base));
	number.e164 = (char *)"+47";
	registration.sip_uri = (char *)"sips:\xc3";
	assert_false(message_check_utf8(&request.base));
}

/* Messages of the API's other services have these; ours do not. */
struct bag {
	ProtobufCMessage base;
	size_t count;
	char **texts;
	uint32_t which;
	union {
		char *text;
		int32_t number;
	};
};

static void repeated_and_oneof_strings_are_looked_at(void **state)
{
	static const ProtobufCFieldDescriptor fields[] = {
		{ .name = "texts",
		  .id = 1,
		  .label = PROTOBUF_C_LABEL_REPEATED,
		  .type = PROTOBUF_C_TYPE_STRING,
		  .quantifier_offset = offsetof(struct bag, count),
		  .offset = offsetof(struct bag, texts) },
		{ .name = "text",
		  .id = 2,
		  .label = PROTOBUF_C_LABEL_NONE,
		  .type = PROTOBUF_C_TYPE_STRING,
		  .flags = PROTOBUF_C_FIELD_FLAG_ONEOF,
		  .quantifier_offset = offsetof(struct bag, which),
		  .offset = offsetof(struct bag, text) },
		{ .name = "number",
		  .id = 3,
		  .label = PROTOBUF_C_LABEL_NONE,
		  .type = PROTOBUF_C_TYPE_INT32,
		  .flags = PROTOBUF_C_FIELD_FLAG_ONEOF,
		  .quantifier_offset = offsetof(struct bag, which),
		  .offset = offsetof(struct bag, number) },
	};
	static const ProtobufCMessageDescriptor descriptor = { .n_fields = 3, .fields = fields };
	char *texts[] = { (char *)"a", (char *)"\xff" };
	struct bag bag = { .base.descriptor = &descriptor, .texts = texts, .count = 1 };

	(void)state;
	bag.which = 3;
	bag.number = 0x41414141; /* no pointer: may not be read as one */
	assert_true(message_check_utf8(&bag.base));
	bag.count = 2;
	assert_false(message_check_utf8(&bag.base));
	bag.count = 0;
	bag.which = 2;
	bag.text = (char *)"\xff";
	assert_false(message_check_utf8(&bag.base));
	bag.text = (char *)"b";
	assert_true(message_check_utf8(&bag.base));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(well_formed_text_is_taken),
		cmocka_unit_test(malformed_text_is_not),
		cmocka_unit_test(a_bad_string_deep_inside_is_found),
		cmocka_unit_test(repeated_and_oneof_strings_are_looked_at),
	};

	return cmocka_run_group_tests_name("proto/message_check", tests, NULL, NULL);
}
