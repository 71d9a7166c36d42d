/* SPDX-License-Identifier: Apache-2.0 */
/* peer.h - somebody calls are sent to and come from: a trunk as this room sees it.
 *
 * A peer has lines, one for each address that its configured URIs lead to. It knows which of them
 * answer and in which order to try them, and how many calls it has; it sends nothing itself
 * (watch.h does). A reload changes a peer in place: legs hold a reference, so that what they report
 * finds its peer even when it is no longer configured.
 *
 * Threads: the SIP thread.
 */
#ifndef BREAKOUT_TAS_SIP_PEER_H
#define BREAKOUT_TAS_SIP_PEER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/clock.h"
#include "base/macros.h"
#include "config/config.h"
#include "tas/sip/health.h"

struct sip_peer;        /* opaque */
struct sip_line;        /* opaque */
struct digest_identity; /* digest.h */

int sip_peer_create(struct sip_peer **ret_peer, const char *name) MUST_CHECK;
/* Takes over what a configuration says of it. A line whose URI stays keeps its
 * state. -ENOMEM: the peer stays as it was. */
int sip_peer_configure(struct sip_peer *peer, const struct config_trunk *config) MUST_CHECK;
/* Who we are to it; NULL: a challenge is not answered. */
void sip_peer_set_identity(struct sip_peer *peer, struct digest_identity *take_identity);
struct digest_identity *sip_peer_identity(const struct sip_peer *peer); /* borrowed */
/* No longer configured: its lines are not watched any more. */
void sip_peer_retire(struct sip_peer *peer);
struct sip_peer *sip_peer_ref(struct sip_peer *peer);   /* NULL is fine */
struct sip_peer *sip_peer_unref(struct sip_peer *peer); /* NULL is fine; returns NULL */
const char *sip_peer_name(const struct sip_peer *peer);

struct sip_line *sip_line_ref(struct sip_line *line);        /* NULL is fine; holds its peer too */
struct sip_line *sip_line_unref(struct sip_line *line);      /* NULL is fine; returns NULL */
const char *sip_line_uri(const struct sip_line *line);       /* where its calls go */
const char *sip_line_name(const struct sip_line *line);      /* the configured URI */
struct sip_peer *sip_line_peer(const struct sip_line *line); /* borrowed; NULL for NULL */

/* The lines to try for one call, in their order, borrowed until the next choice. One
 * that is down is among them only if all are, one whose name has no address never. */
size_t sip_peer_choose(struct sip_peer *peer, struct sip_line *const **ret_lines);
/* The same without taking a turn: what the next call will get. */
size_t sip_peer_peek(struct sip_peer *peer, struct sip_line *const **ret_lines);

/* A call begins, whatever its direction: -EBUSY if the peer has as many as it
 * may, or got too many this second. Each that began ends once. */
int sip_peer_enter(struct sip_peer *peer) MUST_CHECK;
int sip_line_enter(struct sip_line *line) MUST_CHECK; /* its peer, by this line */
void sip_peer_leave(struct sip_peer *peer);
/* Those that entered and have not left; and calls of other processes of ours, which the limit
 * counts too. */
unsigned sip_peer_calls(const struct sip_peer *peer);
void sip_peer_set_beside(struct sip_peer *peer, unsigned calls);
unsigned sip_peer_beside(const struct sip_peer *peer);

/* What became of an INVITE. line may be NULL. */
void sip_line_heard(struct sip_line *line, int status); /* a response above 100 */
void sip_line_silent(struct sip_line *line, const char *why);
/* Whether the next address may be tried after this status. A line that is NULL
 * goes by the defaults. */
bool sip_line_fails_over(const struct sip_line *line, int status);

/* For people. */
struct sip_line_info {
	const char *peer, *uri; /* borrowed for the time of the visit */
	enum health_state state;
	mono_ms since_ms;
	int status;      /* last answer to OPTIONS or a call; 0: none */
	const char *why; /* the last failure; "" none */
	uint64_t calls, failures;
	const char *binding; /* our registration at the peer, in a word or two; "" none */
	unsigned peer_calls, peer_calls_max; /* now, both directions; 0: no limit */
};
void sip_peer_each_line(const struct sip_peer *peer,
			void (*visit)(const struct sip_line_info *info, void *arg), void *arg);

#endif
