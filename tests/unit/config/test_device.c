/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/config/fixture.h"

#define INGRESS "registrations: [ { number: \"+4799000005\", route_type: ingress } ]\n"

static void a_device_has_defaults(void **state)
{
	struct config *config =
		expect_config(BASE "devices: [ { name: anna, password_file: anna } ]\n");
	const struct config_device *device = config->devices;

	(void)state;
	assert_int_equal(config->device_count, 1);
	assert_string_equal(device->name, "anna");
	assert_string_equal(device->username, "anna");
	assert_non_null(strstr(device->password_file, "/anna"));
	assert_null(device->number);
	assert_int_equal(device->media, MEDIA_RTP);
	assert_int_equal(device->latching, LATCHING_SIGNALLED);
	assert_int_equal(device->max_contacts, 3);
	assert_int_equal(config->device_attempts, 30);
	assert_int_equal(config->sip.device_digest, DEVICE_DIGEST_MD5);
	config_destroy(config);
}

static void a_device_in_full_can_be_dialled_and_rung(void **state)
{
	struct config *config = expect_config(
		DOMAIN CORE MEDIA
		"sip: { certificate: c, private_key: k, device_digest: sha-256 }\n"
		"limits: { device_attempts: 5 }\n" INGRESS "devices:\n"
		"  - { name: anna, password_file: anna }\n"
		"  - { name: bert, username: b, password_file: b, number: \"+4799000005\", "
		"media: webrtc, latching: any, max_contacts: 1 }\n"
		"services:\n"
		"  s:\n"
		"    - do: [ { dial: { device: bert, ring: 20s } }, { ring: [ { device: anna } ] } "
		"]\n");
	const struct config_action *actions = config->services[1].rules[0].actions;

	(void)state;
	assert_string_equal(config->devices[1].username, "b");
	assert_string_equal(config->devices[1].number, "+4799000005");
	assert_int_equal(config->devices[1].media, MEDIA_WEBRTC);
	assert_int_equal(config->devices[1].latching, LATCHING_ANY);
	assert_int_equal(config->devices[1].max_contacts, 1);
	assert_int_equal(config->device_attempts, 5);
	assert_int_equal(config->sip.device_digest, DEVICE_DIGEST_SHA256);
	assert_int_equal(actions[0].kind, ACTION_DEVICE);
	assert_int_equal(actions[0].device, 1);
	assert_int_equal(actions[0].ring_s, 20);
	assert_int_equal(actions[1].targets[0].kind, TARGET_DEVICE);
	assert_int_equal(actions[1].targets[0].device, 0);
	config_destroy(config);
}

static void a_device_can_take_the_calls_of_a_fork(void **state)
{
	(void)state;
	config_destroy(expect_config(
		BASE
		"devices: [ { name: anna, password_file: anna } ]\n"
		"services: { s: [ { do: { dial: { device: anna } } } ] }\n"
		"registrations: [ { number: \"+4799000001\", route_type: fork, service: s } ]\n"));
}

static void mistakes_are_named(void **state)
{
	(void)state;
	expect(BASE "devices:\n  - { name: anna }\n",
	       ERROR(6, 5,
		     "`devices[].password_file` is missing: a file whose first line is its "
		     "password"));
	expect(BASE "devices:\n  - { name: \"an na\", password_file: x }\n",
	       ERROR(6, 13,
		     "`devices[].name`: `an na` cannot be a user name. Write letters, digits and "
		     "+-_."));
	expect(BASE "devices:\n  - { name: a, password_file: x }\n"
		    "  - { name: a, username: b, password_file: x }\n"
		    "  - { name: c, username: b, password_file: x }\n",
	       ERROR(7, 5, "a device called `a` is defined already. Rename one")
		       ERROR(8, 5, "`a` and `c` have the same `username`. Give each its own"));
	expect(BASE "devices:\n  - { name: a, password_file: x, number: \"+4799000001\" }\n",
	       ERROR(6, 5,
		     "`devices[].number`: `+4799000001` is no ingress registration. Add one with "
		     "`route_type: ingress`, or leave the key out if the device shall not call"));
	expect(BASE "devices:\n  - { name: a, password_file: x, latching: on }\n",
	       ERROR(6, 44,
		     "`devices[].latching`: `on` is not known here. Known: signalled, off, any"));
	expect(BASE "devices: [ { name: anna, password_file: x } ]\n"
		    "services: { s: [ { do: { dial: { device: ana } } } ] }\n",
	       ERROR(6, 42, "no device is called `ana`. Did you mean `anna`?"));
	expect(BASE "services: { s: [ { do: { dial: { device: ana, trunk: x } } } ] }\n",
	       ERROR(5, 42, "no device is called `ana`. None is defined")
		       ERROR(5, 47, "unknown key `trunk` in `dial`. Known: device, ring"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		IN_FOLDER(a_device_has_defaults),
		IN_FOLDER(a_device_in_full_can_be_dialled_and_rung),
		IN_FOLDER(a_device_can_take_the_calls_of_a_fork),
		IN_FOLDER(mistakes_are_named),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
