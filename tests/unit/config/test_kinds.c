/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/config/fixture.h"

static void durations_need_a_unit_and_have_bounds(void **state)
{
	(void)state;
	expect(DOMAIN CORE MEDIA
	       "sip: { certificate: c, private_key: k, t1: 500, connect_timeout: 31s,\n"
	       "  handshake_timeout: 500ms, keepalive: 1500ms }\n"
	       "stop: { drain: 1d }\n"
	       "media_: 1\n",
	       ERROR(4, 44,
		     "`sip.t1`: `500` is not a duration. Write a number with h, m, s or ms, "
		     "such as 30s") ERROR(4, 66,
					  "`sip.connect_timeout`: `31s` is out of range. Write "
					  "50ms to 30s")
		       ERROR(5, 22,
			     "`sip.handshake_timeout`: `500ms` is out of range. Write 1s to 1m")
			       ERROR(5, 40,
				     "`sip.keepalive`: `1500ms` is finer than a second. Write "
				     "whole seconds") ERROR(6, 16,
							    "`stop.drain`: `1d` is not a duration. "
							    "Write a number with h, m, s or "
							    "ms, such as 30s")
				       ERROR(7, 1, "unknown key `media_`. Did you mean `media`?"));
	expect(BASE "stop: { drain: 99999999999999999999h }\n",
	       ERROR(5, 16,
		     "`stop.drain`: `99999999999999999999h` is not a duration. Write a number "
		     "with h, m, s or ms, such as 30s"));
	expect(BASE "stop: { drain: 999999999999h }\n",
	       ERROR(5, 16, "`stop.drain`: `999999999999h` is out of range. Write 0 to 168h"));
	expect(BASE "stop: { drain: -1s }\n",
	       ERROR(5, 16,
		     "`stop.drain`: `-1s` is not a duration. Write a number with h, m, s or "
		     "ms, such as 30s"));
}

static void durations_are_read_in_every_unit(void **state)
{
	static const struct {
		const char *yaml;
		unsigned seconds;
	} cases[] = { { "stop: { drain: 0 }", 0 },
		      { "stop: { drain: 0s }", 0 },
		      { "stop: { drain: 3000ms }", 3 },
		      { "stop: { drain: 2m }", 120 },
		      { "stop: { drain: 168h }", 604800 } };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		char yaml[600];
		struct config *config;

		(void)snprintf(yaml, sizeof(yaml), BASE "%s\n", cases[i].yaml);
		config = expect_config(yaml);
		assert_int_equal(config->drain_s, cases[i].seconds);
		config_destroy(config);
	}
}

static void numbers_are_digits_within_bounds(void **state)
{
	(void)state;
	expect(BASE "limits: { calls: ten }\n",
	       ERROR(5, 18, "`limits.calls`: `ten` is not a whole number. Write digits only"));
	expect(BASE "limits: { calls: 0 }\n",
	       ERROR(5, 18, "`limits.calls`: `0` is out of range. Write 1 to 1000000"));
	expect(BASE "limits: { calls: 4294967297 }\n",
	       ERROR(5, 18, "`limits.calls`: `4294967297` is out of range. Write 1 to 1000000"));
	expect(BASE "sip_uri_port: 65536\n",
	       ERROR(5, 15, "`sip_uri_port`: `65536` is not a port. Write 0 to 65535"));
}

static void switches_are_true_or_false(void **state)
{
	(void)state;
	expect(BASE "stop: { withdraw: maybe }\n",
	       ERROR(5, 19,
		     "`stop.withdraw`: `maybe` is not known here. Known: false, true, no, "
		     "yes, off, on"));
}

static void a_word_of_a_choice_gets_the_likely_one(void **state)
{
	(void)state;
	expect(BASE "log: { level: notise }\n",
	       ERROR(5, 15, "`log.level`: `notise` is not known here. Did you mean `notice`?"));
	expect(BASE "log: { format: jsn, rate: 1000001 }\n",
	       ERROR(5, 16, "`log.format`: `jsn` is not known here. Did you mean `json`?")
		       ERROR(5, 27, "`log.rate`: `1000001` is out of range. Write 0 to 1000000"));
}

static void hosts_and_targets_are_checked(void **state)
{
	(void)state;
	expect("domain: sips:tas.example.com\n" SIP "core: { api: { target: api.example.net },\n"
	       "  sbc: { uri: sips:s, trusted: [192.0.2.1] } }\n" MEDIA,
	       ERROR(1, 9,
		     "`domain`: `sips:tas.example.com` is not a host name. Write it as in DNS, "
		     "without sips: and port")
		       ERROR(3, 24,
			     "`core.api.target`: `api.example.net` has no port. Write host:port"));
	expect(DOMAIN SIP "core: { api: { target: '::1:50' },\n"
			  "  sbc: { uri: sips:s, trusted: [192.0.2.1] } }\n" MEDIA,
	       ERROR(3, 24, "`core.api.target`: `::1:50` names no host. Write host or host:port"));
	expect(DOMAIN SIP "core: { api: { target: '[::1:50' },\n"
			  "  sbc: { uri: sips:s, trusted: [192.0.2.1] } }\n" MEDIA,
	       ERROR(3, 24,
		     "`core.api.target`: `[::1:50` has no closing bracket. Write "
		     "[address]:port"));
	expect(DOMAIN SIP "core: { api: { target: 'a b:1' },\n"
			  "  sbc: { uri: sips:s, trusted: [192.0.2.1] } }\n" MEDIA,
	       ERROR(3, 24,
		     "`core.api.target`: `a b:1` names no valid host. Write a DNS name, an "
		     "IPv4 address or [IPv6 address]"));
	expect(DOMAIN SIP "core: { api: { target: 'a:1' },\n"
			  "  sbc: { uri: sips:s, trusted: [192.0.2.1], hosts: [b.example, "
			  "'*.c.example', '*'] } }\n" MEDIA,
	       ERROR(4, 79,
		     "`core.sbc.hosts`: `*` is not a host name. Write it as in DNS, or "
		     "*.example.com for all names of a domain; addresses belong into `trusted`"));
}

#define WITH_DNS(server)                                                                           \
	DOMAIN "sip: { listen: [tls://192.0.2.1], certificate: c, private_key: k,\n"               \
	       "  dns_servers: [" server "] }\n"                                                   \
	       "core: { api: { target: 'a:1' },\n"                                                 \
	       "  sbc: { uri: sips:s, trusted: [192.0.2.1] } }\n" MEDIA

static void dns_servers_are_addresses(void **state)
{
	(void)state;
	expect(WITH_DNS("192.0.2.53, '192.0.2.53:5353', '2001:db8::53', '[2001:db8::53]:53'"), "");
	expect(WITH_DNS("dns.example.com"),
	       ERROR(3, 17,
		     "`sip.dns_servers`: `dns.example.com` is no address of a DNS server. Write "
		     "192.0.2.53, 192.0.2.53:5353 or [2001:db8::53]:5353"));
}

#define WITH_TOKEN(url)                                                                            \
	DOMAIN SIP "core:\n"                                                                       \
		   "  api: { target: 'a:1', client_id: i, client_secret_file: s,\n"                \
		   "    token_url: '" url "' }\n"                                                  \
		   "  sbc: { uri: sips:s, trusted: [192.0.2.1] }\n" MEDIA

static void the_token_url_must_keep_the_secret(void **state)
{
	(void)state;
	expect(WITH_TOKEN("http://localhost:8080/token"), "");
	expect(WITH_TOKEN("http://id.example.com/token"),
	       ERROR(5, 16,
		     "`core.api.token_url`: `http://id.example.com/token` would send the "
		     "client secret in clear. Write https://"));
	expect(WITH_TOKEN("id.example.com"),
	       ERROR(5, 16,
		     "`core.api.token_url`: `id.example.com` is not a URL. Write "
		     "https://host/path"));
	expect(WITH_TOKEN("https:///x"),
	       ERROR(5, 16,
		     "`core.api.token_url`: `https:///x` names no host. Write host or "
		     "host:port"));
}

static void listeners_are_addresses_of_a_transport(void **state)
{
	(void)state;
	expect(DOMAIN CORE MEDIA
	       "sip:\n  certificate: c\n  private_key: k\n  listen:\n"
	       "    - tls://[::]:5061\n    - 0.0.0.0:5060\n    - tls://pbx.example.com\n"
	       "    - udp://10.0.0.1:x\n    - tcp://[10.0.0.1]:1\n    - tcp://\n",
	       ERROR(9, 7,
		     "`sip.listen`: `0.0.0.0:5060` names no transport. Write "
		     "tls://address:port, tcp:// or udp://")
		       ERROR(10, 7,
			     "`sip.listen`: `tls://pbx.example.com` names a host. Write an address "
			     "of "
			     "this machine, or [::] for all")
			       ERROR(11, 7,
				     "`sip.listen`: `udp://10.0.0.1:x` does not end in a port from "
				     "0 to 65535. "
				     "Write host:port, or [address]:port for IPv6")
				       ERROR(12, 7,
					     "`sip.listen`: `tcp://[10.0.0.1]:1` names no valid "
					     "host. Write a DNS "
					     "name, an IPv4 address or [IPv6 address]")
					       ERROR(13, 7,
						     "`sip.listen`: `tcp://` names no host. Write "
						     "host or host:port"));
}

static void media_addresses_and_ports_are_checked(void **state)
{
	(void)state;
	expect(DOMAIN SIP CORE "media: { address: pbx, ports: 20000 }\n",
	       ERROR(4, 19,
		     "`media.address`: `pbx` is not an address. Write an IPv4 or IPv6 "
		     "address, without brackets and port")
		       ERROR(4, 31,
			     "`media.ports`: `20000` is not a range of ports. Write 20000-29999"));
	expect(DOMAIN SIP CORE "media: { address: 0.0.0.0, ports: 80-90 }\n",
	       ERROR(4, 19,
		     "`media.address`: `0.0.0.0` cannot be told to a peer. Write the address "
		     "of one machine")
		       ERROR(4, 35, "`media.ports`: `80-90` begins below 1024. Write 20000-29999"));
	expect(DOMAIN SIP CORE "media: { address: 10.0.0.1, advertised_address: 224.0.0.1 }\n",
	       ERROR(4, 49,
		     "`media.advertised_address`: `224.0.0.1` cannot be told to a peer. Write "
		     "the address of one machine"));
	expect(DOMAIN SIP CORE "media: { address: '::1', advertised_address: media.example }\n",
	       ERROR(4, 46,
		     "`media.advertised_address`: `media.example` is not an address. Write an "
		     "IPv4 or IPv6 address, without brackets and port"));
	expect(DOMAIN SIP CORE "media: { address: '::1', ports: 20000-20002 }\n",
	       ERROR(4, 33,
		     "`media.ports`: `20000-20002` holds fewer than four ports, the least one "
		     "call needs. Write 20000-29999"));
	expect(DOMAIN SIP CORE "media: { address: '::1', ports: 20000-70000 }\n",
	       ERROR(4, 33,
		     "`media.ports`: `20000-70000` is not a range of ports. Write "
		     "20000-29999"));
}

static void networks_are_checked(void **state)
{
	(void)state;
	expect(DOMAIN SIP MEDIA "core: { api: { target: a:1 }, sbc: { uri: sips:s, trusted: [\n"
				"  192.0.2.0/33,\n  core,\n  192.0.2.0/x,\n  '2001:db8::/129',\n"
				"  192.0.2.7/24,\n  0.0.0.0/0 ] } }\n",
	       ERROR(5, 3,
		     "`core.sbc.trusted`: `192.0.2.0/33` has a wrong prefix length. Write /0 to "
		     "/32 for IPv4, /0 to /128 for IPv6")
		       ERROR(6, 3,
			     "`core.sbc.trusted`: `core` is not a network. Write 192.0.2.0/24 or "
			     "2001:db8::/32") ERROR(7, 3,
						    "`core.sbc.trusted`: `192.0.2.0/x` has a wrong "
						    "prefix length. Write /0 to "
						    "/32 for IPv4, /0 to /128 for IPv6")
			       ERROR(8, 3,
				     "`core.sbc.trusted`: `2001:db8::/129` has a wrong prefix "
				     "length. Write /0 "
				     "to /32 for IPv4, /0 to /128 for IPv6")
				       WARNING(9, 3,
					       "`core.sbc.trusted`: `192.0.2.7/24` has bits beyond "
					       "its prefix, which "
					       "count for nothing. Write the network's first "
					       "address")
					       WARNING(10, 3,
						       "`core.sbc.trusted`: `0.0.0.0/0` trusts "
						       "everybody. Name the peer's "
						       "networks"));
}

static void a_size_has_a_unit(void **state)
{
	struct config *config = expect_config(BASE "trace: { memory: 2GiB }\n");

	(void)state;
	assert_true(config->trace.bytes == (size_t)2 << 30);
	config_destroy(config);
	config = expect_config(BASE "trace: { memory: 0 }\n");
	assert_int_equal(config->trace.bytes, 0);
	config_destroy(config);
	config = expect_config(BASE);
	assert_int_equal(config->trace.bytes, 32 << 20);
	config_destroy(config);
	expect(BASE "trace: { memory: 32MB }\n",
	       ERROR(5, 18,
		     "`trace.memory`: `32MB` is no size. Write a number with KiB, MiB or GiB, such "
		     "as 32MiB"));
	expect(BASE "trace: { memory: 1KiB }\n",
	       ERROR(5, 18, "`trace.memory`: `1KiB` is out of range. Write 64KiB to 4194304KiB"));
}

static void a_collector_is_an_address_and_wants_the_ring(void **state)
{
	(void)state;
	expect(BASE "trace: { memory: 0, hep: { to: \"homer.example:9060\" } }\n",
	       ERROR(5, 21, "`trace.hep.to`: `homer.example:9060` names a host. Write its address")
		       ERROR(5, 21,
			     "`trace.hep` mirrors what `trace.memory` keeps, and that is 0. Give "
			     "it 64KiB or more"));
}

static void prefixes_and_emergency_numbers_are_digits(void **state)
{
	(void)state;
	expect(BASE "prefixes: { mobile_originating: +00, mobile_terminating: '012345678' }\n"
		    "emergency: [1, 11a]\n",
	       ERROR(5, 33,
		     "`prefixes.mobile_originating`: `+00` is not made of digits. Write "
		     "digits only, in quotes") ERROR(5, 58,
						     "`prefixes.mobile_terminating`: `012345678` "
						     "has the wrong length. Write "
						     "1 to 8 digits")
		       ERROR(6, 13, "`emergency`: `1` has the wrong length. Write 2 to 15 digits")
			       ERROR(6, 16,
				     "`emergency`: `11a` is not made of digits. Write digits only, "
				     "in "
				     "quotes"));
}

#define WITH_FILES DOMAIN CORE MEDIA "sip:\n  certificate: cert.pem\n  private_key: key.pem\n"

static void files_are_looked_at_only_when_asked(void **state)
{
	(void)state;
	expect_as(false, WITH_FILES, "");
	expect_as(
		true, WITH_FILES,
		ERROR(5, 16,
		      "`sip.certificate`: cannot read cert.pem: No such file or directory. "
		      "Check path and permissions")
			ERROR(6, 16,
			      "`sip.private_key`: cannot read key.pem: No such file or directory. "
			      "Check path and permissions"));
}

static void a_key_that_others_can_read_is_warned_of(void **state)
{
	char path[160];

	(void)state;
	put("cert.pem", "x");
	put("key.pem", "x");
	(void)snprintf(path, sizeof(path), "%s/key.pem", folder);
	assert_int_equal(chmod(path, 0644), 0);
	expect_as(true, WITH_FILES,
		  WARNING(6, 16,
			  "`sip.private_key`: key.pem can be read by everyone. Run chmod o-r "
			  "on it"));
	assert_int_equal(chmod(path, 0640), 0);
	expect_as(true, WITH_FILES, "");
}

static void a_folder_is_no_certificate(void **state)
{
	char path[160];

	(void)state;
	put("key.pem", "x");
	(void)snprintf(path, sizeof(path), "%s/key.pem", folder);
	assert_int_equal(chmod(path, 0600), 0);
	(void)snprintf(path, sizeof(path), "%s/cert.pem", folder);
	assert_int_equal(mkdir(path, 0700), 0);
	expect_as(true, WITH_FILES,
		  ERROR(5, 16, "`sip.certificate`: cert.pem is not a file. Name a file"));
}

static void a_connection_string_has_no_password(void **state)
{
	static const char *const with[] = { "host=db password=hunter2",
					    "password = 'hunter2' host=db",
					    "postgresql://tas:hunter2@db/calls",
					    "postgresql://db/calls?password=hunter2" };
	static const char *const without[] = { "host=db user=tas passfile=/x",
					       "postgresql://tas@db:5432/c",
					       "postgresql://db:5432/calls?user=a@b" };
	char yaml[600], findings[1000];
	struct config *config;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(with); i++) {
		(void)snprintf(yaml, sizeof(yaml),
			       BASE "cdr: { file: c }\nrecords: { postgres: \"%s\" }\n", with[i]);
		put("breakout.yaml", yaml);
		assert_int_equal(load(false, &config, findings, sizeof(findings)), -EINVAL);
		assert_non_null(strstr(findings, "`records.postgres` has a password in it"));
		assert_null(strstr(findings, "hunter2"));
	}
	for (size_t i = 0; i < ARRAY_SIZE(without); i++) {
		(void)snprintf(yaml, sizeof(yaml),
			       BASE "cdr: { file: c }\nrecords: { postgres: \"%s\" }\n",
			       without[i]);
		config = expect_config(yaml);
		assert_string_equal(config->records.postgres, without[i]);
		config_destroy(config);
	}
	expect(BASE "cdr: { file: c }\nrecords: { sqlite: a, postgres: host=b }\n",
	       ERROR(6, 1, "`records.sqlite` stands beside `records.postgres`. Remove one"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		IN_FOLDER(a_connection_string_has_no_password),
		IN_FOLDER(durations_need_a_unit_and_have_bounds),
		IN_FOLDER(durations_are_read_in_every_unit),
		IN_FOLDER(numbers_are_digits_within_bounds),
		IN_FOLDER(switches_are_true_or_false),
		IN_FOLDER(a_word_of_a_choice_gets_the_likely_one),
		IN_FOLDER(hosts_and_targets_are_checked),
		IN_FOLDER(dns_servers_are_addresses),
		IN_FOLDER(the_token_url_must_keep_the_secret),
		IN_FOLDER(listeners_are_addresses_of_a_transport),
		IN_FOLDER(media_addresses_and_ports_are_checked),
		IN_FOLDER(networks_are_checked),
		IN_FOLDER(a_size_has_a_unit),
		IN_FOLDER(a_collector_is_an_address_and_wants_the_ring),
		IN_FOLDER(prefixes_and_emergency_numbers_are_digits),
		IN_FOLDER(files_are_looked_at_only_when_asked),
		IN_FOLDER(a_key_that_others_can_read_is_warned_of),
		IN_FOLDER(a_folder_is_no_certificate),
	};
	return cmocka_run_group_tests_name("kinds", tests, NULL, NULL);
}
