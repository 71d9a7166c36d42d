/* SPDX-License-Identifier: Apache-2.0 */
/* codecs.h - which codecs two descriptions share, and how their payload type
 * numbers translate. Pure functions. */
#ifndef BREAKOUT_MEDIA_CODECS_H
#define BREAKOUT_MEDIA_CODECS_H

#include "media/sdp.h"

#define CODECS_DROP 0xff /* in a type map: not agreed, count and drop */

/* By inbound payload type: what it is called on the other side. */
typedef uint8_t codecs_map[128];

/* What may be offered on: all but RED, whose payload carries payload type
 * numbers inside (RFC 2198 3) that a relay does not translate. */
void codecs_offer(const struct media_desc *offer, struct media_desc *ret_onward);

/* The answer's codecs in the offer's numbers; false when no codec that
 * carries speech is common. */
bool codecs_answer(const struct media_desc *offer, const struct media_desc *answer,
		   struct media_desc *ret_back);

/* What `offer` and a side that knows `ours` share, as the offer puts it; false
 * as above. */
bool codecs_common(const struct media_desc *offer, const struct media_desc *ours,
		   struct media_desc *ret_common);

/* The maps for packets from the offerer and from the answerer (RFC 3264 6.1:
 * each side receives what its own description says; an answerer that sends
 * by its own numbers all the same is understood, and so is one that sends what
 * was offered but not answered, as Chromium does after a re-offer: the offerer
 * may still listen to it, section 7). */
void codecs_map_types(const struct media_desc *offer, const struct media_desc *answer,
		      codecs_map from_offerer, codecs_map from_answerer);

/* telephone-event and CN are not speech. */
bool codecs_is_speech(const struct sdp_codec *codec);
const struct sdp_codec *codecs_first_speech(const struct media_desc *desc); /* or NULL */

/* "PCMA/8000, opus/48000" */
void codecs_list(const struct media_desc *desc, char *ret_text, size_t room);

#endif
