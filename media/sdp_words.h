/* SPDX-License-Identifier: Apache-2.0 */
/* sdp_words.h - the words that are read (sdp.c) and written (sdp_write.c), by the enums of
 * sdp.h. */
#ifndef BREAKOUT_MEDIA_SDP_WORDS_H
#define BREAKOUT_MEDIA_SDP_WORDS_H

#include "media/sdp.h"

static const char *const sdp_proto_words[] = {
	[SDP_PROTO_OTHER] = "",
	[SDP_PROTO_RTP_AVP] = "RTP/AVP",
	[SDP_PROTO_RTP_AVPF] = "RTP/AVPF",
	[SDP_PROTO_RTP_SAVP] = "RTP/SAVP",
	[SDP_PROTO_RTP_SAVPF] = "RTP/SAVPF",
	[SDP_PROTO_DTLS_SAVP] = "UDP/TLS/RTP/SAVP",
	[SDP_PROTO_DTLS_SAVPF] = "UDP/TLS/RTP/SAVPF",
};
static const char *const sdp_setup_words[] = { "", "actpass", "active", "passive", "holdconn" };
static const char *const sdp_direction_words[] = { "inactive", "sendonly", "recvonly", "sendrecv" };
static const char *const sdp_candidate_words[] = { "host", "srflx", "prflx", "relay" };

#endif
