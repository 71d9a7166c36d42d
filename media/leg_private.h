/* SPDX-License-Identifier: Apache-2.0 */
/* leg_private.h - what the files of a leg have of each other.
 *
 * leg.c: life and agreement; leg_judge.c: what of a peer's description is refused;
 * leg_describe.c: ours; leg_ice.c and leg_dtls.c: the transports of these names.
 */
#ifndef BREAKOUT_MEDIA_LEG_PRIVATE_H
#define BREAKOUT_MEDIA_LEG_PRIVATE_H

#include "media/leg.h"

/* Logs it, and tells the owner. */
void leg_fail(struct leg *leg, const char *reason);
/* For who follows the call. */
void leg_tell_step(const struct leg *leg, const char *format, ...) PRINTF_LIKE(2, 3);
bool leg_has_sdes(const struct leg *leg);

void leg_init_ice(struct leg *leg);
/* 0, -EINPROGRESS, -ENOLINK or an error, as leg_prepare(). */
int leg_prepare_ice(struct leg *leg) MUST_CHECK;
int leg_apply_webrtc(struct leg *leg, const struct media_desc *remote, bool we_offered) MUST_CHECK;
void leg_describe_ice(const struct leg *leg, struct media_desc *ours);

/* From here on nothing is sent or taken in the clear. 0 or an error of libsrtp2's. */
int leg_install_keys(struct leg *leg, const struct srtp_keys *keys) MUST_CHECK;
/* A name of 128 random bits for our end (RFC 8842 4: at least 120). */
int leg_name_association(struct leg *leg) MUST_CHECK;
/* Whether the peer speaks of the association that is there (RFC 8842 4). */
bool leg_same_association(const struct media_desc *a, const struct media_desc *b);
int leg_associate(struct leg *leg, const struct media_desc *remote, bool we_offered) MUST_CHECK;
void leg_start_dtls(struct leg *leg);
void leg_take_dtls(const uint8_t *datagram, size_t length, void *leg);
int leg_apply_bare_dtls(struct leg *leg, const struct media_desc *remote,
			bool we_offered) MUST_CHECK;
void leg_describe_dtls(const struct leg *leg, const struct media_desc *offer,
		       struct media_desc *ours);

void leg_forget_text(struct leg *leg); /* keys may be in it */

#endif
