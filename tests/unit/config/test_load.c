/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/config/fixture.h"

#include <dlfcn.h>

static void the_least_file_gets_every_default(void **state)
{
	struct config *config = expect_config(BASE);

	(void)state;
	assert_string_equal(config->domain, "tas.example.com");
	assert_int_equal(config->sip_uri_port, 0);
	assert_int_equal(config->sip.listen_count, 1);
	assert_int_equal(config->sip.listen[0].transport, SIP_TRANSPORT_TLS);
	assert_string_equal(config->sip.listen[0].host, "::");
	assert_int_equal(config->sip.listen[0].port, 5061);
	assert_null(config->sip.ca_file);
	assert_string_equal(config->sip.user_agent, "breakout");
	assert_int_equal(config->sip.connect_ms, 1000);
	assert_int_equal(config->sip.handshake_s, 10);
	assert_int_equal(config->sip.keepalive_s, 30);
	assert_int_equal(config->sip.t1_ms, 500);
	assert_null(config->core.api.token_url);
	assert_string_equal(config->core.api.scope, "call.routing:write");
	assert_false(config->core.api.raw_basic || config->core.api.plaintext);
	assert_int_equal(config->core.api.deadline_ms, 10000);
	assert_int_equal(config->core.api.keepalive_s, 60);
	assert_int_equal(config->core.api.keepalive_timeout_s, 10);
	assert_int_equal(config->core.api.max_rate, 0);
	assert_null(config->core.sbc.client_ca);
	assert_null(config->prefix_mo);
	assert_null(config->prefix_mt);
	assert_string_equal(config->store_sqlite, "/var/lib/breakout/breakout.db");
	assert_null(config->cdr_file);
	assert_string_equal(config->admin_socket, "/run/breakout/breakout.sock");
	assert_int_equal(config->log_level, LOG_LEVEL_INFO);
	assert_int_equal(config->log_format, LOG_TEXT);
	assert_int_equal(config->log_rate, 2000);
	assert_int_equal(config->media.port_min, 20000);
	assert_int_equal(config->media.port_max, 29999);
	assert_int_equal(config->media.threads, 0);
	assert_int_equal(config->media.rtp_timeout_s, 60);
	assert_int_equal(config->media.hold_timeout_s, 2 * 3600);
	assert_int_equal(config->max_calls, 10000);
	assert_false(config->withdraw_at_stop);
	assert_int_equal(config->drain_s, 14400);
	assert_int_equal(config->emergency_count, 8);
	assert_string_equal(config->emergency[3], "000");
	assert_int_equal(config->trunk_count, 0);
	assert_int_equal(config->registration_count, 0);
	config_destroy(config);
}

static void every_key_reaches_its_member(void **state)
{
	struct config *config = expect_config(
		"domain: tas.example.com\n"
		"sip_uri_port: 5071\n"
		"sip:\n"
		"  listen: ['tls://127.0.0.1:0', 'udp://[::1]:5070', tcp://127.0.0.1]\n"
		"  certificate: cert.pem\n"
		"  private_key: /etc/key.pem\n"
		"  ca_file: ca.pem\n"
		"  user_agent: our switch 1\n"
		"  connect_timeout: 750ms\n"
		"  handshake_timeout: 5s\n"
		"  keepalive: 0\n"
		"  t1: 1s\n"
		"core:\n"
		"  api: { target: '[::1]:9', token_url: 'http://localhost:1/t', client_id: me,\n"
		"    client_secret_file: secret, scope: s, raw_basic: yes, ca_file: a,\n"
		"    server_name: api.x, plaintext: true, deadline: 3s, keepalive: 5s,\n"
		"    keepalive_timeout: 2s, max_rate: 300 }\n"
		"  sbc: { uri: 'sips:sbc.x:5061', trusted: [192.0.2.0/24, '2001:db8::/32'],\n"
		"    client_ca: c, client_name: sbc.x }\n"
		"prefixes: { mobile_originating: 00, mobile_terminating: 01 }\n"
		"store: { sqlite: db }\n"
		"cdr: { file: cdr.jsonl }\n"
		"admin: { socket: ctl }\n"
		"log: { level: debug, format: journald, rate: 0 }\n"
		"media: { ports: 6000-6999, threads: 2, cpus: '3-5,8', rtp_timeout: 2m }\n"
		"limits: { calls: 7 }\n"
		"stop: { withdraw: true, drain: 90s }\n"
		"emergency: [112, '110']\n");
	char path[160];

	(void)state;
	assert_int_equal(config->sip_uri_port, 5071);
	assert_int_equal(config->sip.listen_count, 3);
	assert_int_equal(config->sip.listen[0].port, 0);
	assert_int_equal(config->sip.listen[1].transport, SIP_TRANSPORT_UDP);
	assert_string_equal(config->sip.listen[1].host, "::1");
	assert_int_equal(config->sip.listen[2].port, 5060);
	(void)snprintf(path, sizeof(path), "%s/cert.pem", folder);
	assert_string_equal(config->sip.certificate, path);
	assert_string_equal(config->sip.private_key, "/etc/key.pem");
	assert_string_equal(config->sip.user_agent, "our switch 1");
	assert_int_equal(config->sip.connect_ms, 750);
	assert_int_equal(config->sip.handshake_s, 5);
	assert_int_equal(config->sip.keepalive_s, 0);
	assert_int_equal(config->sip.t1_ms, 1000);
	assert_string_equal(config->core.api.target, "[::1]:9");
	assert_string_equal(config->core.api.client_id, "me");
	assert_string_equal(config->core.api.server_name, "api.x");
	assert_true(config->core.api.raw_basic && config->core.api.plaintext);
	assert_int_equal(config->core.api.deadline_ms, 3000);
	assert_int_equal(config->core.api.keepalive_timeout_s, 2);
	assert_int_equal(config->core.api.max_rate, 300);
	assert_int_equal(config->core.sbc.trusted_count, 2);
	assert_int_equal(config->core.sbc.trusted[1].prefix_length, 32);
	assert_string_equal(config->core.sbc.client_name, "sbc.x");
	assert_string_equal(config->prefix_mo, "00");
	assert_string_equal(config->prefix_mt, "01");
	assert_int_equal(config->log_level, LOG_LEVEL_DEBUG);
	assert_int_equal(config->log_format, LOG_JOURNALD);
	assert_int_equal(config->log_rate, 0);
	assert_string_equal(config->media.addresses[0], "127.0.0.1"); /* of the tls listener */
	assert_int_equal(config->media.port_max, 6999);
	assert_int_equal(config->media.threads, 2);
	assert_int_equal(config->media.cpus.count, 4);
	assert_int_equal(config->media.cpus.numbers[3], 8);
	assert_int_equal(config->media.rtp_timeout_s, 120);
	assert_int_equal(config->max_calls, 7);
	assert_true(config->withdraw_at_stop);
	assert_int_equal(config->drain_s, 90);
	assert_int_equal(config->emergency_count, 2);
	assert_string_equal(config->emergency[0], "112");
	config_destroy(config);
}

static void load_sample(const char *path, size_t registrations)
{
	struct str errors = { 0 };
	struct config *config = NULL;

	assert_int_equal(config_load(path, false, &config, &errors), 0);
	assert_null(errors.text);
	assert_string_equal(config->path, path);
	assert_int_equal(config->registration_count, registrations);
	config_destroy(config);
}

static void the_samples_load_without_a_finding(void **state)
{
	(void)state;
	load_sample("config/samples/minimal.yaml", 1);
	load_sample("config/samples/breakout.yaml", 6);
	load_sample("config/samples/pbx.yaml", 3);
	load_sample("config/samples/call-centre.yaml", 4);
	load_sample("config/samples/byod.yaml", 3);
}

static void the_full_sample_shows_the_defaults(void **state)
{
	struct config *least = expect_config(BASE), *full = NULL;
	struct str errors = { 0 };

	(void)state;
	assert_int_equal(config_load("config/samples/breakout.yaml", false, &full, &errors), 0);
	assert_int_equal(full->sip_uri_port, least->sip_uri_port);
	assert_int_equal(full->sip.connect_ms, least->sip.connect_ms);
	assert_int_equal(full->sip.handshake_s, least->sip.handshake_s);
	assert_int_equal(full->sip.keepalive_s, least->sip.keepalive_s);
	assert_int_equal(full->sip.t1_ms, least->sip.t1_ms);
	assert_string_equal(full->sip.user_agent, least->sip.user_agent);
	assert_int_equal(full->core.api.deadline_ms, least->core.api.deadline_ms);
	assert_int_equal(full->core.api.keepalive_s, least->core.api.keepalive_s);
	assert_string_equal(full->core.api.scope, least->core.api.scope);
	assert_string_equal(full->store_sqlite, least->store_sqlite);
	assert_string_equal(full->admin_socket, least->admin_socket);
	assert_int_equal(full->media.port_max, least->media.port_max);
	assert_int_equal(full->media.rtp_timeout_s, least->media.rtp_timeout_s);
	assert_int_equal(full->max_calls, least->max_calls);
	assert_int_equal(full->drain_s, least->drain_s);
	assert_int_equal(full->emergency_count, least->emergency_count);
	config_destroy(full);
	config_destroy(least);
}

static void a_missing_file_is_named(void **state)
{
	(void)state;
	expect(NULL, ERROR(1, 1,
			   "cannot be read: No such file or directory. Check path and "
			   "permissions"));
}

static void a_folder_is_not_a_file(void **state)
{
	char path[160];

	(void)state;
	(void)snprintf(path, sizeof(path), "%s/breakout.yaml", folder);
	assert_int_equal(mkdir(path, 0700), 0);
	expect(NULL, ERROR(1, 1, "cannot be read: Is a directory. Check path and permissions"));
}

static void an_empty_file_lacks_what_is_required(void **state)
{
	static const char missing[] = ERROR(
		1, 1,
		"`domain` is missing: the host name the core reaches us by, as in our "
		"certificate") ERROR(1, 1,
				     "`core.api.target` is missing: host:port of the core's API")
		ERROR(1, 1,
		      "`core.sbc.uri` is missing: where calls go back to the core, sips:host "
		      "or sips:host:port")
			ERROR(1, 1,
			      "`core.sbc.trusted` is missing: networks the core's calls come from, "
			      "such as [192.0.2.0/24]")
				ERROR(1, 1,
				      "`sip.certificate` is missing: a tls listener needs one. "
				      "Name the PEM "
				      "file of our certificate and its intermediates")
					ERROR(1, 1,
					      "`sip.private_key` is missing: a tls listener needs "
					      "one. Name the PEM "
					      "file of the certificate's key")
						ERROR(1, 1,
						      "`media.address` is missing: the listener is "
						      "on all addresses, and peers "
						      "must be told one. Write the address they "
						      "send media to");

	(void)state;
	expect("", missing);
	expect("---\n", missing);
	expect("# nothing but a comment\n", missing);
}

static void folder_files_merge_in_name_order(void **state)
{
	struct config *config;

	(void)state;
	put("conf.d/20.yaml", "registrations:\n- { number: '+4799000002', route_type: loop }\n"
			      "trunks: [ { name: b, uris: 'sip:b' } ]\n");
	put("conf.d/10.yaml", "registrations:\n- { number: '+4799000001', route_type: loop }\n"
			      "trunks: [ { name: a, uris: 'sip:a' } ]\n"
			      "log:\n  level: error\nservices: { s: [ do: { dial: b } ] }\n");
	put("conf.d/.hidden.yaml", "nonsense: 1\n");
	put("conf.d/30.yaml~", "nonsense: 1\n");
	config = expect_config(BASE "trunks: [ { name: main, uris: 'sip:m' } ]\nlog:\n");
	assert_int_equal(config->trunk_count, 3);
	assert_string_equal(config->trunks[0].name, "main");
	assert_string_equal(config->trunks[1].name, "a");
	assert_string_equal(config->trunks[2].name, "b");
	assert_int_equal(config->services[1].rules[0].actions[0].trunk, 2);
	assert_int_equal(config->registration_count, 2);
	assert_int_equal(config->log_level, LOG_LEVEL_ERROR);
	config_destroy(config);
}

static void a_value_set_in_two_files_names_both_places(void **state)
{
	(void)state;
	put("conf.d/a.yaml", "limits: { calls: 5 }\n");
	put("conf.d/b.yaml", "domain: other.example.com\nlimits:\n  calls: 6\nsip: x\n");
	expect(BASE,
	       "conf.d/b.yaml:1:1: error: `domain` is set already at breakout.yaml:1:1. Remove "
	       "one\n"
	       "conf.d/b.yaml:3:3: error: `calls` is set already at conf.d/a.yaml:1:11. Remove "
	       "one\n"
	       "conf.d/b.yaml:4:1: error: `sip` is set already at breakout.yaml:2:1. Remove one\n");
}

static void findings_of_several_files_are_sorted(void **state)
{
	(void)state;
	put("conf.d/a.yaml", "foo: 1\n");
	put("conf.d/b.yaml", "x: 1\nlimits: { calls: no }\n");
	expect(BASE "stop: { drain: x }\nlog: { level: loud }\n",
	       ERROR(5, 16,
		     "`stop.drain`: `x` is not a duration. Write a number with h, m, s or "
		     "ms, such as 30s")
		       ERROR(6, 15,
			     "`log.level`: `loud` is not known here. Known: error, notice, info, "
			     "debug") "conf.d/a.yaml:1:1: error: unknown key `foo`. Known: domain, "
				      "sip_uri_port, sip, "
				      "core, prefixes, tenants, store, cdr, records, admin, "
				      "health, log, "
				      "trace, "
				      "media, "
				      "recordings, limits, "
				      "stop, time_zone, holidays, emergency, ...\n"
				      "conf.d/b.yaml:1:1: error: unknown key `x`. Known: domain, "
				      "sip_uri_port, sip, core, "
				      "prefixes, tenants, store, cdr, records, admin, health, log, "
				      "trace, "
				      "media, "
				      "recordings, "
				      "limits, "
				      "stop, "
				      "time_zone, holidays, emergency, ...\n"
				      "conf.d/b.yaml:2:18: error: `limits.calls`: `no` is not a "
				      "whole number. Write digits "
				      "only\n");
}

static void broken_yaml_in_any_file_is_all_that_is_reported(void **state)
{
	(void)state;
	put("conf.d/a.yaml", "a: [\n");
	put("conf.d/b.yaml", "- x\n");
	expect("domain: x\n",
	       "conf.d/a.yaml:2:1: error: not valid YAML: did not find expected node content while "
	       "parsing a flow node. Check indentation, quotes and brackets here\n"
	       "conf.d/b.yaml:1:1: error: the file must be a mapping. Write `key: value` lines\n");
}

static void warnings_come_with_a_good_config(void **state)
{
	char findings[1000];
	struct config *config;

	(void)state;
	put("breakout.yaml", BASE "emergency: []\n");
	assert_int_equal(load(false, &config, findings, sizeof(findings)), 0);
	assert_string_equal(findings,
			    WARNING(5, 1,
				    "no emergency numbers: such calls would be treated like "
				    "any other. Write them, such as [\"112\"]"));
	config_destroy(config);
	assert_null(config_destroy(NULL));
}

/* The sanitizers bring allocators of their own. */
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *old, size_t size);

static long countdown; /* the allocation that fails; 0: none does */

static bool fails(void)
{
	if (!countdown || --countdown)
		return false;
	errno = ENOMEM; /* what callers inside libc look at */
	return true;
}

void *malloc(size_t size)
{
	return fails() ? NULL : __libc_malloc(size);
}

void *calloc(size_t count, size_t size)
{
	return fails() ? NULL : __libc_calloc(count, size);
}

void *realloc(void *old, size_t size)
{
	return fails() ? NULL : __libc_realloc(old, size);
}

/* GLib gives up the process when memory does; that is its contract, not ours. */
void *g_time_zone_new_local(void);
void *g_time_zone_new_local(void)
{
	void *(*real)(void) = (void *(*)(void))dlsym(RTLD_NEXT, "g_time_zone_new_local");
	long kept = countdown;
	void *zone;

	countdown = 0;
	zone = real();
	countdown = kept;
	return zone;
}

static void any_allocation_may_fail(void **state)
{
	char path[160];
	int err = -1;

	(void)state;
	(void)snprintf(path, sizeof(path), "%s/breakout.yaml", folder);
	put("numbers.csv", "+4799000003,loop\n");
	put("conf.d/a.yaml", "registrations: [ { number: '+4799000001', route_type: loop } ]\n"
			     "stop: &x { drian: 1s }\n");
	put("breakout.yaml", BASE "trunks: [ { name: &a pbx, uris: 'sip:b' } ]\n"
				  "services: { s: [ do: { dial: *a } ] }\n"
				  "registrations: [ { file: numbers.csv, service: s } ]\n");
	for (long n = 1; n < 100000; n++) {
		struct config *config = NULL;
		struct str errors = { 0 };

		countdown = n;
		err = config_load(path, false, &config, &errors);
		assert_null(config);
		assert_true(err == -ENOMEM || err == -EINVAL);
		str_done(&errors);
		if (countdown)
			break; /* fewer than n allocations: nothing failed */
	}
	countdown = 0;
	assert_int_equal(err, -EINVAL);
}
#endif

int main(void)
{
	const struct CMUnitTest tests[] = {
		IN_FOLDER(the_least_file_gets_every_default),
		IN_FOLDER(every_key_reaches_its_member),
		IN_FOLDER(the_samples_load_without_a_finding),
		IN_FOLDER(the_full_sample_shows_the_defaults),
		IN_FOLDER(a_missing_file_is_named),
		IN_FOLDER(a_folder_is_not_a_file),
		IN_FOLDER(an_empty_file_lacks_what_is_required),
		IN_FOLDER(folder_files_merge_in_name_order),
		IN_FOLDER(a_value_set_in_two_files_names_both_places),
		IN_FOLDER(findings_of_several_files_are_sorted),
		IN_FOLDER(broken_yaml_in_any_file_is_all_that_is_reported),
		IN_FOLDER(warnings_come_with_a_good_config),
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
		IN_FOLDER(any_allocation_may_fail),
#endif
	};
	return cmocka_run_group_tests_name("load", tests, NULL, NULL);
}
