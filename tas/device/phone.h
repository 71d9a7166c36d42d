/* SPDX-License-Identifier: Apache-2.0 */
/* phone.h - inside of tas/device: where one device is (RFC 3261 section 10.3).
 *
 * A phone is a contact the device gave and the way it came: behind a NAT the
 * contact names an address nobody can reach, but the source of the REGISTER, over
 * the same connection, does.
 *
 * Threads: the SIP thread.
 */
#ifndef BREAKOUT_TAS_DEVICE_PHONE_H
#define BREAKOUT_TAS_DEVICE_PHONE_H

#include "base/clock.h"
#include "base/fd_link.h"
#include "base/macros.h"
#include "tas/sip/visitor.h"

#define PHONE_MIN_S     60   /* a shorter one gets 423 */
#define PHONE_MAX_S     3600 /* a longer one is cut */
#define PHONE_DEFAULT_S 3600 /* RFC 3261 section 10.2.1.1 leaves it to us */

struct phone {
	struct phone *next;
	char *uri; /* as the device wrote it; what a request names */
	char *key; /* two contacts with the same are one phone */
	char *hop; /* where to send: the source, by its transport */
	char *user_agent, *call_id;
	uint32_t cseq;
	struct sockaddr_storage source;
	mono_ms expires_ms, since_ms;
};

struct phones {
	struct phone *first; /* the one refreshed last */
	size_t count;
};

/* Takes a REGISTER in whole or not at all. 0; -ESTALE (out of order: 500),
 * -ERANGE (an expiry below PHONE_MIN_S: 423), -EINVAL (`*` with an expiry or
 * with others: 400), -ENOMEM. Of more than `max` phones those refreshed last stay. */
int phones_update(struct phones *phones, const struct sip_register *request, size_t max,
		  mono_ms now) MUST_CHECK;
void phones_expire(struct phones *phones, mono_ms now);
/* One phone of a device, as fd_link.h packs, and taken in again; hops and times are of the
 * machine, and hold in every process of it. False: it was no phone, or is expired. */
void phone_pack(const struct phone *phone, struct str *frame);
bool phones_unpack(struct phones *phones, struct unpack *from, mono_ms now);
void phones_done(struct phones *phones);

#endif
