/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/config/fixture.h"

static void an_url_alone_is_a_webhook_with_defaults(void **state)
{
	struct config *config = expect_config(
		BASE
		"services: { s: [ { do: { webhook: \"https://crm.example.com/a?b=c\" } } ] }\n");
	const struct config_action *action = config->services[1].rules[0].actions;
	const struct config_webhook *webhook = action->webhook;

	(void)state;
	assert_int_equal(action->kind, ACTION_WEBHOOK);
	assert_string_equal(webhook->url, "https://crm.example.com/a?b=c");
	assert_null(webhook->secret_file);
	assert_null(webhook->ca_file);
	assert_int_equal(webhook->deadline_ms, 800);
	assert_int_equal(webhook->connections, 32);
	assert_int_equal(webhook->queue, 256);
	assert_int_equal(webhook->header_count, 0);
	assert_ptr_equal(config->webhooks, webhook);
	assert_int_equal(config->webhook_count, 1);
	config_destroy(config);
}

static void a_webhook_in_full_is_read(void **state)
{
	struct config *config = expect_config(
		BASE "services:\n"
		     "  s:\n"
		     "    - do:\n"
		     "        - webhook: https://a\n"
		     "        - webhook: { url: \"http://[::1]:8080/x\", secret_file: s, "
		     "ca_file: ca.pem, deadline: 2s, connections: 4, queue: 0, "
		     "headers: [Diversion, X-A] }\n");
	const struct config_action *actions = config->services[1].rules[0].actions;
	const struct config_webhook *webhook = actions[1].webhook;

	(void)state;
	assert_int_equal(config->webhook_count, 2);
	assert_int_equal(actions[0].webhook->index, 0);
	assert_int_equal(webhook->index, 1);
	assert_ptr_equal(config->webhooks, webhook);
	assert_ptr_equal(webhook->next, actions[0].webhook);
	assert_int_equal(webhook->deadline_ms, 2000);
	assert_int_equal(webhook->connections, 4);
	assert_int_equal(webhook->queue, 0);
	assert_int_equal(webhook->header_count, 2);
	assert_string_equal(webhook->headers[1], "X-A");
	assert_non_null(strstr(webhook->secret_file, "/s"));
	config_destroy(config);
}

static void a_mailbox_may_tell_a_server(void **state)
{
	struct config *config =
		expect_config(BASE "services:\n"
				   "  s:\n"
				   "    - do: { voicemail: { box: a, notify: { url: https://a/m, "
				   "secret_file: s } } }\n");
	const struct config_webhook *server = config->services[1].rules[0].actions[0].notify;

	(void)state;
	assert_string_equal(server->url, "https://a/m");
	assert_non_null(strstr(server->secret_file, "/s"));
	assert_int_equal(server->deadline_ms, 10000);
	assert_true(server->connections > 0 && server->queue > 0);
	assert_ptr_equal(config->webhooks, server); /* its secret is read with theirs */
	config_destroy(config);
	expect(BASE "services:\n  s:\n    - do: { voicemail: { box: a, notify: { url: http://b/ } "
		    "} }\n",
	       ERROR(7, 42,
		     "`notify.url`: `http://b/` would send numbers and answers in clear. Write "
		     "https://, or `plaintext: true` if the way there is safe"));
}

static void plain_http_to_another_machine_must_be_meant(void **state)
{
	(void)state;
	expect(BASE "services:\n  s:\n    - do: { webhook: http://crm.example.com/ }\n",
	       ERROR(7, 13,
		     "`webhook.url`: `http://crm.example.com/` would send numbers and answers in "
		     "clear. Write https://, or `plaintext: true` if the way there is safe"));
	config_destroy(expect_config(
		BASE "services:\n  s:\n"
		     "    - do: { webhook: { url: http://crm.example.com/, plaintext: true } }\n"));
}

static void mistakes_are_named(void **state)
{
	(void)state;
	expect(BASE "services:\n  s:\n    - do: webhook\n",
	       ERROR(7, 11,
		     "`webhook.url` is missing: whom to ask, such as "
		     "https://crm.example.com/calls"));
	expect(BASE "services:\n  s:\n    - do: { webhook: crm.example.com }\n",
	       ERROR(7, 22,
		     "`webhook.url`: `crm.example.com` is not a URL. Write https://host/path"));
	expect(BASE "services:\n  s:\n    - do: { webhook: { url: https://a, deadline: 9s } }\n",
	       ERROR(7, 50, "`webhook.deadline`: `9s` is out of range. Write 50ms to 5s"));
	expect(BASE "services:\n  s:\n    - do: { webhook: { url: https://a, secretfile: x } }\n",
	       ERROR(7, 40, "unknown key `secretfile` in `webhook`. Did you mean `secret_file`?"));
	expect(BASE "services:\n  s:\n    - do: { webhook: { url: \"https://u:p@a/\" } }\n",
	       ERROR(7, 29,
		     "`webhook.url`: `https://u:p@a/` does not end in a port from 0 to 65535. "
		     "Write "
		     "host:port, or [address]:port for IPv6"));
	expect(BASE "services:\n  s:\n    - do: { webhook: [https://a] }\n",
	       ERROR(7, 22,
		     "`webhook` must be followed by a mapping. Write `{ webhook: { url: ... } }`"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		IN_FOLDER(an_url_alone_is_a_webhook_with_defaults),
		IN_FOLDER(a_webhook_in_full_is_read),
		IN_FOLDER(a_mailbox_may_tell_a_server),
		IN_FOLDER(plain_http_to_another_machine_must_be_meant),
		IN_FOLDER(mistakes_are_named),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
