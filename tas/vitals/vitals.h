/* SPDX-License-Identifier: Apache-2.0 */
/* vitals.h - the door to tas/vitals: whether we can serve, and what the registrar is
 * told of it.
 *
 * Looks at ourselves: a call to our own listener, our name in the DNS, the threads of
 * SIP and media, the store, the trunks. Each sign has its own patience (vital.h); those
 * that count close the registrar's gate. While we drain the last word stays.
 *
 * Threads: one of its own, so that a SIP thread that hangs is seen; what only the SIP
 * thread may look at is looked at there. Functions below: the SIP thread;
 * vitals_report() from any.
 */
#ifndef BREAKOUT_TAS_VITALS_VITALS_H
#define BREAKOUT_TAS_VITALS_VITALS_H

#include "base/macros.h"
#include "config/config.h"
#include "media/media.h"
#include "registrar/registrar.h"
#include "tas/service/service.h"
#include "tas/sip/endpoint.h"
#include "tas/sip/sip_loop.h"
#include "tas/vitals/vital.h"

struct vitals; /* opaque */

/* All borrowed; the room is destroyed before them. */
struct vitals_options {
	const struct config *config; /* until vitals_reconfigure() */
	struct registrar *registrar;
	struct media_engine *media;
	struct sip_endpoint *endpoint;
	struct sip_loop *loop;
	struct service_room *service;
};

/* Starts looking. 0, -ENOMEM or -EAGAIN (no thread). */
int vitals_create(struct vitals **ret_vitals, const struct vitals_options *options) MUST_CHECK;
void vitals_reconfigure(struct vitals *vitals, const struct config *config);
/* While frozen nothing is withdrawn and nothing comes back. */
void vitals_freeze(struct vitals *vitals, bool frozen);
struct vitals *vitals_destroy(struct vitals *vitals); /* NULL is fine; returns NULL */

enum vital_kind {
	VITAL_SELF_CALL,
	VITAL_DNS,
	VITAL_SIP,
	VITAL_MEDIA,
	VITAL_STORE,
	VITAL_KIND_COUNT
};
const char *vital_kind_name(enum vital_kind kind); /* "self_call", as in the configuration */

struct vitals_report {
	enum health_gate gate;
	bool sick; /* some sign counts */
	char why[VITAL_WHY_ROOM];
	size_t stranded; /* services whose every way is a trunk that is down */
	struct vitals_sign {
		const char *name;
		enum health_does does;
		struct vital vital;
	} signs[VITAL_KIND_COUNT];
};
void vitals_report(struct vitals *vitals, struct vitals_report *ret_report);

#endif
