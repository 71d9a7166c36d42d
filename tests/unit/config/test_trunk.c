/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/config/fixture.h"

static void a_trunk_is_read_with_its_defaults(void **state)
{
	struct config *config = expect_config(
		BASE "trunks:\n"
		     "  - { name: a, uris: sip:pbx }\n"
		     "  - { name: b, uris: ['sip:[::1]:5070;transport=tcp', 'sips:pbx2'],\n"
		     "      trusted: [10.0.0.0/8, 10.1.1.1], media: webrtc,\n"
		     "      allow_headers: [X-Account, Subject], ingress: on }\n");
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		IN_FOLDER(a_trunk_is_read_with_its_defaults),
		IN_FOLDER(mistakes_of_trunks_are_found),
		IN_FOLDER(a_name_given_twice_names_the_first),
		IN_FOLDER(dialling_an_unknown_trunk_gets_the_likely_one),
	};
	return cmocka_run_group_tests_name("trunk", tests, NULL, NULL);
}
