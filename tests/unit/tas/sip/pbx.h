/* SPDX-License-Identifier: Apache-2.0 */
/* pbx.h - a trunk of ours whose one address is a hand-written peer. Time is the
 * test's. */
#ifndef BREAKOUT_TESTS_UNIT_TAS_SIP_PBX_H
#define BREAKOUT_TESTS_UNIT_TAS_SIP_PBX_H

#include "tests/unit/tas/sip/wire.h"

struct pbx {
	struct wire wire;
	struct sip_peer *peer;
	struct config_trunk config; /* in force after sip_peer_configure() */
	char uri[64], *uris[1];
};

static struct pbx pbx;

/* The rest of pbx.config is the test's. */
static inline void pbx_open(void)
{
	struct config_listen listen;
	struct sip_endpoint_options options;

	scene_open();
	options = scene_options(&listen, SIP_TRANSPORT_UDP);
	scene.a = scene_endpoint(&options);
	scene.b = scene_endpoint(&options);
	clock_fake_set(clock_now());
	wire_open(&pbx.wire, SOCK_DGRAM, 0);
	(void)snprintf(pbx.uri, sizeof(pbx.uri), "sip:x@127.0.0.1:%u", pbx.wire.port);
	pbx.uris[0] = pbx.uri;
	pbx.config = (struct config_trunk){ .name = pbx.uri, .uris = pbx.uris, .uri_count = 1 };
	assert_int_equal(sip_peer_create(&pbx.peer, "pbx"), 0);
}

static inline void pbx_close(void)
{
	sip_peer_retire(pbx.peer);
	pbx.peer = sip_peer_unref(pbx.peer);
	wire_close(&pbx.wire);
	scene_close();
}

static inline int pbx_invite(struct leg **ret_leg, const char *sdp)
{
	struct sip_line *const *lines;
	struct leg_invite invite = { .request_uri = pbx.uri,
				     .from_uri = "sip:a@example.com",
				     .to_uri = pbx.uri,
				     .rel100 = scene.rel100,
				     .sdp = sdp };

	assert_int_equal(sip_peer_choose(pbx.peer, &lines), 1);
	invite.line = lines[0];
	return leg_invite(ret_leg, scene.a, &invite, party_on_event, &scene.caller);
}

#endif
