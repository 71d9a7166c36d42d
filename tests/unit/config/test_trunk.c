/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/config/fixture.h"

static void a_trunk_is_read_with_its_defaults(void **state)
{
	struct config *config = expect_config(
		BASE "trunks:\n"
		     "  - { name: a, uris: sip:pbx }\n"
		     "  - { name: b, uris: ['sip:[::1]:5070;transport=tcp', 'sips:pbx2'],\n"
		     "      trusted: [10.0.0.0/8, 10.1.1.1], media: webrtc,\n"
		     "      allow_headers: [X-Account, Subject], ingress: on, order: weighted,\n"
		     "      weights: [3, 1], failover_on: 503, options_every: 1m, down_after: 5,\n"
		     "      up_after: 1, down_on: [], limits: { calls: 30, calls_per_second: 5 },\n"
		     "      auth: { username: tas, password_file: pw, realm: r, md5: yes },\n"
		     "      ingress_auth: { username: pbx, password_file: pw2 },\n"
		     "      codecs: [G722, AMR-WB], dtmf: info, hold_music: a.wav,\n"
		     "      register: { aor: 'sip:tas@pbx:5070', expires: 5m } }\n");
	const struct config_trunk *a = &config->trunks[0], *b = &config->trunks[1];

	(void)state;
	assert_int_equal(config->trunk_count, 2);
	assert_string_equal(a->name, "a");
	assert_int_equal(a->uri_count, 1);
	assert_string_equal(a->uris[0], "sip:pbx");
	assert_int_equal(a->media, MEDIA_RTP);
	assert_false(a->ingress);
	assert_int_equal(a->trusted_count + a->allow_header_count, 0);
	assert_string_equal(b->uris[1], "sips:pbx2");
	assert_int_equal(b->trusted_count, 2);
	assert_int_equal(b->media, MEDIA_WEBRTC);
	assert_int_equal(b->allow_header_count, 2);
	assert_string_equal(b->allow_headers[1], "Subject");
	assert_true(b->ingress);
	assert_int_equal(a->order, TRUNK_IN_ORDER);
	assert_int_equal(a->weight_count, 0);
	assert_int_equal(a->failover_count, 5);
	assert_int_equal(a->failover_on[0], 408);
	assert_int_equal(a->failover_on[4], 504);
	assert_int_equal(a->options_s, 30);
	assert_int_equal(a->down_after, 3);
	assert_int_equal(a->up_after, 2);
	assert_int_equal(a->down_count, 2);
	assert_int_equal(a->max_calls + a->max_rate, 0);
	assert_int_equal(b->order, TRUNK_WEIGHTED);
	assert_int_equal(b->weights[0], 3);
	assert_int_equal(b->failover_count, 1);
	assert_int_equal(b->options_s, 60);
	assert_int_equal(b->down_after, 5);
	assert_int_equal(b->up_after, 1);
	assert_int_equal(b->down_count, 0);
	assert_int_equal(b->max_calls, 30);
	assert_int_equal(b->max_rate, 5);
	assert_int_equal(a->codec_count, 0);
	assert_int_equal(a->dtmf, TRUNK_DTMF_AUTO);
	assert_int_equal(b->codec_count, 2);
	assert_string_equal(b->codecs[1], "AMR-WB");
	assert_int_equal(b->dtmf, TRUNK_DTMF_INFO);
	assert_null(a->hold_music);
	assert_ptr_equal(b->hold_music, config->sounds);
	assert_null(a->auth.username);
	assert_false(a->auth.md5);
	assert_string_equal(b->auth.username, "tas");
	assert_non_null(strstr(b->auth.password_file, "/pw"));
	assert_string_equal(b->auth.realm, "r");
	assert_true(b->auth.md5);
	assert_null(a->aor);
	assert_null(a->ingress_auth.username);
	assert_string_equal(b->ingress_auth.username, "pbx");
	assert_non_null(strstr(b->ingress_auth.password_file, "/pw2"));
	assert_false(b->ingress_auth.md5);
	assert_string_equal(b->aor, "sip:tas@pbx:5070");
	assert_int_equal(b->expires_s, 300);
	config_destroy(config);
}

static void mistakes_of_trunks_are_found(void **state)
{
	(void)state;
	expect(BASE "trunks:\n"
		    "  - { uris: sip:a }\n"
		    "  - { name: b }\n"
		    "  - { name: c, uris: [] }\n"
		    "  - { name: d, uris: 'pbx' , media: rpt }\n"
		    "  - { name: e, uris: sip:e, allow_headers: ['X Y'], ingres: true }\n",
	       ERROR(6, 5, "`trunks[].name` is missing: what `dial` calls it") ERROR(
		       7, 5,
		       "`trunks[].uris` is missing: where it is reached, such as "
		       "sip:pbx.example.com;transport=tcp")
		       ERROR(8, 22, "`trunks[].uris` is an empty list. Write at least one SIP URI")
			       ERROR(9, 22,
				     "`trunks[].uris`: `pbx` does not begin with sip: or sips:. "
				     "Write "
				     "sips:host or sips:host:port")
				       ERROR(9, 37,
					     "`trunks[].media`: `rpt` is not known here. Did you "
					     "mean `rtp`?")
					       ERROR(10, 45,
						     "`trunks[].allow_headers`: `X Y` is not a "
						     "header name. Write the name "
						     "only, such as X-Account")
						       ERROR(10, 53,
							     "unknown key `ingres` in `trunks[]`. "
							     "Did you mean `ingress`?"));
}

static void keys_in_the_sdp_need_tls_unless_the_way_is_said_to_be_safe(void **state)
{
	struct config *config;

	(void)state;
	config = expect_config(BASE
			       "trunks:\n"
			       "  - { name: a, uris: sips:a, media: sdes }\n"
			       "  - { name: b, uris: 'sip:b;transport=tls', media: sdes_or_rtp }\n"
			       "  - { name: c, uris: sip:c, media: sdes, keys_in_clear: true }\n"
			       "  - { name: d, uris: sip:d, media: dtls }\n");
	assert_int_equal(config->trunks[0].media, MEDIA_SDES);
	assert_int_equal(config->trunks[1].media, MEDIA_SDES_OR_RTP);
	assert_true(config->trunks[2].keys_in_clear);
	assert_int_equal(config->trunks[3].media, MEDIA_DTLS);
	config_destroy(config);
	expect(BASE "trunks:\n"
		    "  - { name: a, uris: [sips:a, 'sip:b;transport=tcp'], media: sdes }\n",
	       ERROR(6, 62,
		     "`trunks[].media` puts keys into the SDP, and `sip:b;transport=tcp` is "
		     "reached without TLS. Write ;transport=tls there, or `keys_in_clear: true` "
		     "if the way is safe"));
}

static void mistakes_of_orders_and_statuses_are_found(void **state)
{
	(void)state;
	expect(BASE "trunks:\n"
		    "  - { name: a, uris: [sip:a, sip:b], order: weighted, weights: [1] }\n"
		    "  - { name: b, uris: sip:b, order: random }\n"
		    "  - { name: c, uris: sip:c, failover_on: [603] }\n"
		    "  - { name: d, uris: sip:d, weights: 1 }\n"
		    "  - { name: e, uris: sip:e, limits: { call: 3 } }\n",
	       ERROR(6, 64, "`trunks[].weights` has 1 numbers for 2 uris. Write one for each")
		       ERROR(7, 36,
			     "`trunks[].order`: `random` is not known here. Known: in_order, "
			     "weighted, round_robin")
			       ERROR(8, 43,
				     "`trunks[].failover_on`: `603` is out of range. Write 400 to "
				     "599") "breakout.yaml:9:38: warning: `trunks[].weights` "
					    "counts for "
					    "nothing without `order: weighted`\n" ERROR(
						    10, 39,
						    "unknown key `call` in `trunks[].limits`. Did "
						    "you mean "
						    "`calls`?"));
}

static void an_identity_needs_a_name_and_a_password(void **state)
{
	(void)state;
	expect(BASE "trunks:\n"
		    "  - { name: f, uris: sip:f, auth: { username: a } }\n"
		    "  - { name: g, uris: sip:g, auth: { username: 'a\"', password_file: b } }\n",
	       ERROR(6, 35,
		     "`trunks[].auth` needs both username and password_file. Write the missing "
		     "one")
		       ERROR(7, 47,
			     "`trunks[].auth.username`: `a\"` has quotes, backslashes or control "
			     "characters. Write it without"));
}

static void mistakes_of_registrations_are_found(void **state)
{
	(void)state;
	expect(BASE "trunks:\n"
		    "  - { name: a, uris: sip:a, register: { expires: 5m } }\n"
		    "  - { name: b, uris: sip:b, register: { aor: 'sip:b' } }\n"
		    "  - { name: c, uris: sip:c, register: { aor: 'sip:a@b;x=1' } }\n"
		    "  - { name: d, uris: sip:d, register: { aor: 'tel:a@b' } }\n",
	       ERROR(6, 39,
		     "`trunks[].register` needs an aor. Write who we register as, such as "
		     "sip:tas@pbx.example.com")
		       ERROR(7, 46,
			     "`trunks[].register.aor`: `sip:b` names no user. Write sip:user@host")
			       ERROR(8, 46,
				     "`trunks[].register.aor`: `sip:a@b;x=1` has parameters or "
				     "blanks. Write sip:user@host")
				       ERROR(9, 46,
					     "`trunks[].register.aor`: `tel:a@b` does not begin "
					     "with sip: or sips:. Write sips:host or "
					     "sips:host:port"));
}

static void a_name_given_twice_names_the_first(void **state)
{
	(void)state;
	put("conf.d/a.yaml", "trunks: [ { name: pbx, uris: sip:b } ]\n");
	expect(BASE "trunks: [ { name: pbx, uris: sip:a } ]\n",
	       "conf.d/a.yaml:1:19: error: a trunk called `pbx` is defined already at "
	       "breakout.yaml:5:19. Rename one\n");
}

static void dialling_an_unknown_trunk_gets_the_likely_one(void **state)
{
	(void)state;
	expect(BASE "services: { s: [ do: { dial: ofice-pbx } ] }\n"
		    "trunks: [ { name: office-pbx, uris: sip:a } ]\n",
	       ERROR(5, 30, "no trunk is called `ofice-pbx`. Did you mean `office-pbx`?"));
	expect(BASE "services: { s: [ do: { dial: pbx } ] }\n",
	       ERROR(5, 30, "no trunk is called `pbx`. None is defined"));
}

static void whence_media_is_learned_is_one_of_three_words(void **state)
{
	struct config *config =
		expect_config(BASE "trunks: [{ name: a, uris: sip:pbx },\n"
				   "         { name: b, uris: sip:pbx, latching: off },\n"
				   "         { name: c, uris: sip:pbx, latching: any }]\n");

	(void)state;
	assert_int_equal(config->trunks[0].latching, LATCHING_SIGNALLED);
	assert_int_equal(config->trunks[1].latching, LATCHING_OFF);
	assert_int_equal(config->trunks[2].latching, LATCHING_ANY);
	config_destroy(config);
	expect(BASE "trunks: [{ name: a, uris: sip:pbx, latching: on }]\n",
	       ERROR(5, 46,
		     "`trunks[].latching`: `on` is not known here. Known: signalled, off, any"));
}

static void the_media_address_of_a_trunk_is_one_of_ours(void **state)
{
	struct config *config = expect_config(
		BASE "trunks: [{ name: a, uris: sip:pbx, media_address: 198.51.100.10 },\n"
		     "  { name: b, uris: sip:pbx }]\n");

	(void)state;
	assert_string_equal(config->trunks[0].media_address, "198.51.100.10");
	assert_null(config->trunks[1].media_address);
	config_destroy(config);
	expect(BASE "trunks: [{ name: a, uris: sip:pbx, media_address: 198.51.100.11 }]\n",
	       ERROR(5, 18,
		     "`media_address` of trunk `a`: `198.51.100.11` is none of `media.address`. "
		     "Write one of those, or add it there"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		IN_FOLDER(a_trunk_is_read_with_its_defaults),
		IN_FOLDER(whence_media_is_learned_is_one_of_three_words),
		IN_FOLDER(the_media_address_of_a_trunk_is_one_of_ours),
		IN_FOLDER(mistakes_of_trunks_are_found),
		IN_FOLDER(keys_in_the_sdp_need_tls_unless_the_way_is_said_to_be_safe),
		IN_FOLDER(mistakes_of_orders_and_statuses_are_found),
		IN_FOLDER(an_identity_needs_a_name_and_a_password),
		IN_FOLDER(mistakes_of_registrations_are_found),
		IN_FOLDER(a_name_given_twice_names_the_first),
		IN_FOLDER(dialling_an_unknown_trunk_gets_the_likely_one),
	};
	return cmocka_run_group_tests_name("trunk", tests, NULL, NULL);
}
