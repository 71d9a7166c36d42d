/* SPDX-License-Identifier: Apache-2.0 */
/* sdp_before.h - what of a text binds those that follow it in the same dialog: the o= line
 * stays but for its version, and sections never vanish (RFC 3264 8).
 */
#ifndef BREAKOUT_MEDIA_SDP_BEFORE_H
#define BREAKOUT_MEDIA_SDP_BEFORE_H

#include "media/sdp.h"

struct sdp_before {
	/* The o= line around its version: "- 4711" and "IN IP4 192.0.2.1"; "": there was none. */
	char owner[128], address[128];
	uint64_t version;                              /* of the text that follows */
	struct sdp_section sections[SDP_SECTIONS_MAX]; /* 0: not known */
	uint8_t section_count, audio;
	bool bundle;
	uint8_t mid_number; /* of a=extmap, which stays as well (RFC 8285 6); 0: there was none */
};

/* protos: SDP_PROTO_BITs of the section that goes on. 0 or -ENOMEM. */
int sdp_before_create(struct sdp_before **ret_before, const char *text, unsigned protos) MUST_CHECK;
struct sdp_before *sdp_before_destroy(struct sdp_before *before); /* NULL is fine */

#endif
