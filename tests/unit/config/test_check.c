/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/config/fixture.h"

#define CORE_WITH(api, sbc) "core:\n  api: { " api " }\n  sbc: { " sbc " }\n"
#define SBC_SOUND           "uri: sips:s, trusted: [192.0.2.1]"

static void a_tls_listener_needs_certificate_and_key(void **state)
{
	(void)state;
	expect(DOMAIN CORE MEDIA "sip: { t1: 1s }\n",
	       ERROR(4, 1,
		     "`sip.certificate` is missing: a tls listener needs one. Name the PEM "
		     "file of our certificate and its intermediates")
		       ERROR(4, 1,
			     "`sip.private_key` is missing: a tls listener needs one. Name the PEM "
			     "file of the certificate's key"));
}

static void the_core_needs_a_tls_listener(void **state)
{
	(void)state;
	expect(DOMAIN CORE MEDIA "sip: { listen: ['udp://10.0.0.1'] }\n",
	       ERROR(4, 8,
		     "`sip.listen` has no tls:// listener, and the core calls us at a sips: "
		     "URI. Add \"tls://[::]:5061\""));
	expect(DOMAIN CORE MEDIA "sip: { listen: [] }\n",
	       ERROR(4, 8, "`sip.listen` is an empty list. Write [\"tls://[::]:5061\"]"));
}

static void one_listener_given_twice_is_refused(void **state)
{
	(void)state;
	expect(DOMAIN CORE MEDIA
	       "sip:\n  certificate: c\n  private_key: k\n"
	       "  listen: ['tls://10.0.0.1', 'tls://10.0.0.1:5061',\n"
	       "    'tls://10.0.0.1:0', 'tls://10.0.0.1:0', 'tcp://10.0.0.1:5061']\n",
	       ERROR(7, 3, "`sip.listen` names tls port 5061 of 10.0.0.1 twice. Remove one"));
}

static void plaintext_is_for_this_machine(void **state)
{
	(void)state;
	expect(DOMAIN SIP MEDIA CORE_WITH("target: api.example.net:80, plaintext: true", SBC_SOUND),
	       ERROR(5, 38,
		     "`core.api.plaintext` is for targets on this machine, "
		     "`api.example.net:80` is not. Remove it"));
	expect(DOMAIN SIP MEDIA CORE_WITH("target: 127.0.0.1:80, plaintext: true", SBC_SOUND), "");
	expect(DOMAIN SIP MEDIA CORE_WITH("target: '[::1]:80', plaintext: true", SBC_SOUND), "");
	expect(DOMAIN SIP MEDIA CORE_WITH("target: localhost:80, plaintext: true", SBC_SOUND), "");
}

static void a_token_needs_url_id_and_secret(void **state)
{
	(void)state;
	expect(DOMAIN SIP MEDIA CORE_WITH("target: a:1, token_url: 'https://x/t'", SBC_SOUND),
	       ERROR(5, 23, "`core.api.client_id` is missing: `token_url` needs it") ERROR(
		       5, 23, "`core.api.client_secret_file` is missing: `token_url` needs it"));
	expect(DOMAIN SIP MEDIA CORE_WITH("target: a:1, client_id: x", SBC_SOUND),
	       ERROR(5, 3,
		     "`core.api.token_url` is missing: without it client id and secret are not "
		     "used. Write https://id.example.com/oauth2/token"));
}

static void the_keepalive_is_what_the_core_allows(void **state)
{
	(void)state;
	expect(DOMAIN SIP MEDIA CORE_WITH("target: a:1, keepalive: 10s", SBC_SOUND),
	       WARNING(5, 23,
		       "`core.api.keepalive` is outside what the core allows. Write 1m to "
		       "5m"));
	expect(DOMAIN SIP MEDIA CORE_WITH("target: localhost:1, keepalive: 10s", SBC_SOUND), "");
}

static void calls_go_back_to_the_core_encrypted(void **state)
{
	(void)state;
	expect(DOMAIN SIP MEDIA CORE_WITH("target: a:1", "uri: 'sip:sbc:5060', trusted: ['::1']"),
	       ERROR(6, 10, "`core.sbc.uri` would carry calls in clear. Write sips:sbc"));
	expect(DOMAIN SIP MEDIA CORE_WITH(
		       "target: a:1", "uri: 'sip:127.0.0.1:5060;transport=tcp', trusted: ['::1']"),
	       WARNING(6, 10,
		       "`core.sbc.uri` carries calls in clear. That is for tests on this "
		       "machine only"));
}

static void sip_uris_are_checked(void **state)
{
	(void)state;
#define SBC_URI(uri) DOMAIN SIP MEDIA CORE_WITH("target: a:1", "uri: '" uri "', trusted: ['::1']")
	expect(SBC_URI("sbc.example.net"),
	       ERROR(6, 15,
		     "`core.sbc.uri`: `sbc.example.net` does not begin with sip: or sips:. "
		     "Write sips:host or sips:host:port"));
	expect(SBC_URI("sips:me@host"),
	       ERROR(6, 15,
		     "`core.sbc.uri`: `sips:me@host` has a user part. Write the host only, as "
		     "sips:host:port"));
	expect(SBC_URI("sips:host;lr"),
	       ERROR(6, 15,
		     "`core.sbc.uri`: `sips:host;lr` has an unknown parameter. Only "
		     ";transport=udp, tcp or tls may follow the host"));
	expect(SBC_URI("sips:host;transport=udp"),
	       ERROR(6, 15,
		     "`core.sbc.uri`: `sips:host;transport=udp` asks for sips: over UDP. Use "
		     ";transport=tcp or leave it out"));
	expect(SBC_URI("sips:[::1"),
	       ERROR(6, 15,
		     "`core.sbc.uri`: `sips:[::1` has no closing bracket. Write "
		     "[address]:port"));
	expect(SBC_URI("sips:[2001:db8::1]:5061;transport=tls"), "");
}

static void somebody_must_be_trusted(void **state)
{
	(void)state;
	expect(DOMAIN SIP MEDIA CORE_WITH("target: a:1", "uri: sips:s, trusted: []"),
	       ERROR(6, 23,
		     "`core.sbc.trusted` is an empty list: no call would be accepted. Write "
		     "the networks of the core, such as [192.0.2.0/24]"));
}

static void a_client_name_needs_a_client_ca(void **state)
{
	(void)state;
	expect(DOMAIN SIP MEDIA CORE_WITH("target: a:1", SBC_SOUND ", client_name: x"),
	       ERROR(6, 45,
		     "`core.sbc.client_name` needs `client_ca`: without it no certificate is "
		     "asked for"));
}

static void prefixes_must_be_told_apart(void **state)
{
	(void)state;
	expect(BASE "prefixes:\n  mobile_originating: '0'\n  mobile_terminating: '01'\n",
	       ERROR(7, 3,
		     "`prefixes.mobile_originating` `0` and `mobile_terminating` `01` cannot "
		     "be told apart: one begins the other. Agree with the core on others"));
	expect(BASE "prefixes:\n  mobile_originating: '00'\n  mobile_terminating: '00'\n",
	       ERROR(7, 3,
		     "`prefixes.mobile_originating` `00` and `mobile_terminating` `00` cannot "
		     "be told apart: one begins the other. Agree with the core on others"));
	expect(BASE "prefixes: { mobile_originating: '22' }\n",
	       WARNING(5, 13,
		       "`prefixes.mobile_originating`: `22` does not begin with 0, so it may "
		       "be taken for a country code. Agree with the core on one that does"));
}

static void media_ports_should_keep_clear_of_the_kernels(void **state)
{
	char path[160];

	(void)state;
	put("ports", "32768\t60999\n");
	(void)snprintf(path, sizeof(path), "%s/ports", folder);
	check_local_ports_path = path;
	expect(DOMAIN SIP CORE "media: { address: '::1', ports: 32000-32768 }\n",
	       WARNING(4, 26,
		       "`media.ports` 32000-32768 overlaps the ports 32768-60999 that the kernel "
		       "gives to other sockets. Choose a range outside, or set "
		       "net.ipv4.ip_local_reserved_ports"));
	expect(DOMAIN SIP CORE "media: { address: '::1', ports: 32000-32767 }\n", "");
	expect(DOMAIN SIP CORE "media: { address: '::1', ports: 61000-65535 }\n", "");
	put("ports", "nonsense\n");
	expect(DOMAIN SIP CORE "media: { address: '::1', ports: 32000-65535 }\n", "");
	check_local_ports_path = "/nonexistent";
}

static void media_needs_an_address_peers_can_use(void **state)
{
	(void)state;
	expect(DOMAIN SIP CORE "media: { threads: 1 }\n",
	       ERROR(4, 1,
		     "`media.address` is missing: the listener is on all addresses, and peers "
		     "must be told one. Write the address they send media to"));
	expect(DOMAIN CORE "sip: { listen: ['udp://0.0.0.0', 'tls://[2001:db8::1]'],\n"
			   "  certificate: c, private_key: k }\n",
	       "");
}

static void media_is_on_few_addresses_and_each_once(void **state)
{
	struct config *config =
		expect_config(DOMAIN SIP CORE "media: { address: [10.0.0.1, '::1'] }\n");

	(void)state;
	assert_int_equal(config->media.address_count, 2);
	assert_string_equal(config->media.addresses[1], "::1");
	config_destroy(config);
	expect(DOMAIN SIP CORE "media: { address: [10.0.0.1, 10.0.0.1] }\n",
	       ERROR(4, 10, "`media.address` names 10.0.0.1 twice. Remove one"));
	expect(DOMAIN SIP CORE "media: { address: [10.0.0.1, 10.0.0.2, '::1', '::2', '::3'] }\n",
	       ERROR(4, 10,
		     "`media.address` has 5 addresses, and each call takes a port on all. Keep at "
		     "most 4"));
	expect(DOMAIN SIP CORE "media: { address: [10.0.0.1, '::1'], ice: lite }\n", "");
}

static void an_advertised_address_is_of_the_family_that_is_bound(void **state)
{
	(void)state;
	expect(DOMAIN SIP CORE "media: { address: 10.0.0.1, advertised_address: 203.0.113.10 }\n",
	       "");
	expect(DOMAIN SIP CORE "media: { address: '::1', advertised_address: '2001:db8::1' }\n",
	       "");
	expect(DOMAIN SIP CORE "media: { address: '::1', advertised_address: 203.0.113.10 }\n",
	       ERROR(4, 26,
		     "`media.advertised_address`: `203.0.113.10` is of another family than "
		     "`media.address`, ::1. Write both as IPv4 or both as IPv6 addresses"));
	expect(DOMAIN SIP CORE "media: { address: [10.0.0.1, '::1'], advertised_address: "
			       "[203.0.113.10, '2001:db8::1'] }\n",
	       "");
	expect(DOMAIN SIP CORE "media: { address: [10.0.0.1, '::1'], advertised_address: "
			       "203.0.113.10 }\n",
	       ERROR(4, 38,
		     "`media.advertised_address` has 1 addresses, `media.address` 2. Write one for "
		     "each, in their order; the same where there is no NAT"));
	/* that of the listener counts too */
	expect(DOMAIN CORE "sip: { listen: ['tls://[2001:db8::1]'], certificate: c,\n"
			   "  private_key: k }\nmedia: { advertised_address: 203.0.113.10 }\n",
	       ERROR(5, 10,
		     "`media.advertised_address`: `203.0.113.10` is of another family than "
		     "`media.address`, 2001:db8::1. Write both as IPv4 or both as IPv6 "
		     "addresses"));
}

static void ingress_needs_a_trunk_that_may(void **state)
{
	(void)state;
	expect(BASE "registrations: [ { number: +4799000001, route_type: ingress } ]\n",
	       WARNING(5, 1,
		       "there are ingress registrations, but no trunk may place calls to them. "
		       "Set `ingress: true` on one, or give a device a number"));
	expect(BASE "registrations: [ { number: +4799000001, route_type: ingress } ]\n"
		    "trunks: [ { name: a, uris: sip:a, ingress: true } ]\n",
	       "");
}

static void a_socket_path_fits_its_address(void **state)
{
	(void)state;
	expect(BASE "admin:\n  socket: /xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
		    "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\n",
	       ERROR(6, 3,
		     "`admin.socket` is longer than the 107 characters a socket's path may "
		     "have. Shorten it"));
}

static void a_media_certificate_comes_with_its_key(void **state)
{
	(void)state;
	expect(DOMAIN SIP CORE "media:\n  address: 198.51.100.10\n  certificate: dtls.pem\n",
	       ERROR(6, 3,
		     "`media.certificate` and `media.private_key` go together. Name both PEM "
		     "files, or neither: then a certificate is made at start"));
	expect(DOMAIN SIP CORE "media:\n  address: 198.51.100.10\n  private_key: dtls.key\n",
	       ERROR(4, 1,
		     "`media.certificate` and `media.private_key` go together. Name both PEM "
		     "files, or neither: then a certificate is made at start"));
	expect(DOMAIN SIP CORE
	       "media: { address: 198.51.100.10, certificate: c, private_key: k }\n",
	       "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		IN_FOLDER(a_tls_listener_needs_certificate_and_key),
		IN_FOLDER(the_core_needs_a_tls_listener),
		IN_FOLDER(one_listener_given_twice_is_refused),
		IN_FOLDER(plaintext_is_for_this_machine),
		IN_FOLDER(a_token_needs_url_id_and_secret),
		IN_FOLDER(the_keepalive_is_what_the_core_allows),
		IN_FOLDER(calls_go_back_to_the_core_encrypted),
		IN_FOLDER(sip_uris_are_checked),
		IN_FOLDER(somebody_must_be_trusted),
		IN_FOLDER(a_client_name_needs_a_client_ca),
		IN_FOLDER(prefixes_must_be_told_apart),
		IN_FOLDER(media_ports_should_keep_clear_of_the_kernels),
		IN_FOLDER(media_needs_an_address_peers_can_use),
		IN_FOLDER(media_is_on_few_addresses_and_each_once),
		IN_FOLDER(an_advertised_address_is_of_the_family_that_is_bound),
		IN_FOLDER(a_media_certificate_comes_with_its_key),
		IN_FOLDER(ingress_needs_a_trunk_that_may),
		IN_FOLDER(a_socket_path_fits_its_address),
	};
	return cmocka_run_group_tests_name("check", tests, NULL, NULL);
}
