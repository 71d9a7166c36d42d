/* SPDX-License-Identifier: Apache-2.0 */
/* leg_dtls.c - the DTLS side of a leg: its association, and the keys that come of it. */
#include "media/leg_private.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include "base/log.h"
#include "media/plain.h"

static void on_dtls_send(const uint8_t *datagram, size_t length, void *arg)
{
	struct leg *leg = arg;

	/* Without a selected pair yet the flight is lost and repeated in 50 ms. */
	if (leg->path.plain)
		(void)plain_send(leg->path.plain, datagram, length);
	else
		(void)relay_send(&leg->path, datagram, length);
}

/* From here on nothing is sent or taken in the clear. */
int leg_install_keys(struct leg *leg, const struct srtp_keys *keys)
{
	struct receipt *receipt = leg->path.receipt;
	struct srtp_pair *pair;
	int err = srtp_pair_create(&pair, keys);

	if (err)
		return err;
	srtp_pair_destroy(leg->path.srtp);
	leg->path.srtp = pair;
	sender_new_keys(leg->path.sender);
	if (leg->path.plain)
		plain_seal(leg->path.plain);
	else
		leg->path.ops = &relay_ops_srtp;
	leg->path.first_pending = true;
	(void)snprintf(receipt->texts.profile, sizeof(receipt->texts.profile), "%s",
		       srtp_suite_name(keys->suite));
	receipt_publish(receipt);
	return 0;
}

static void on_dtls_ready(const struct srtp_keys *keys, void *arg)
{
	struct leg *leg = arg;

	if (leg_install_keys(leg, keys)) {
		leg_fail(leg, "libsrtp2 refused the keys of the DTLS handshake");
		return;
	}
	atomic_store_explicit(&leg->path.receipt->dtls_ok, true, memory_order_relaxed);
	log_info("media", "%s dtls ready role=%s suite=%s", leg->setup.label,
		 dtls_is_client(leg->dtls) ? "client" : "server", srtp_suite_name(keys->suite));
	leg_tell_step(leg, "DTLS done, we are the %s: %s, %lld ms after it could begin",
		      dtls_is_client(leg->dtls) ? "client" : "server", srtp_suite_name(keys->suite),
		      (long long)(clock_now() - leg->dtls_began));
}

void leg_start_dtls(struct leg *leg)
{
	if (!leg->dtls_began) {
		leg->dtls_began = clock_now();
		leg_tell_step(leg, "DTLS can begin, we are the %s",
			      dtls_is_client(leg->dtls) ? "client" : "server");
	}
	dtls_start(leg->dtls);
}

static void on_dtls_failed(const char *reason, void *arg)
{
	leg_fail(arg, reason);
}

/* A peer that has proven itself to a lite leg may say hello before its answer is here.
 * The last such datagram stays: some repeat theirs only after a second (RFC 6347
 * 4.2.4.1). False: there is no room for it. */
static bool keep_early(struct leg *leg, const uint8_t *datagram, size_t length)
{
	if (length > DTLS_DATAGRAM_MAX)
		return false;
	if (!leg->early)
		leg->early = malloc(DTLS_DATAGRAM_MAX);
	if (!leg->early)
		return false;
	memcpy(leg->early, datagram, length);
	leg->early_length = length;
	return true;
}

/* A server's; to a client nobody says hello. */
static void take_early(struct leg *leg)
{
	if (leg->early && !dtls_is_client(leg->dtls))
		dtls_receive(leg->dtls, leg->early, leg->early_length);
	free(leg->early);
	leg->early = NULL;
}

void leg_take_dtls(const uint8_t *datagram, size_t length, void *arg)
{
	struct leg *leg = arg;

	if (leg->dtls)
		dtls_receive(leg->dtls, datagram, length);
	else if (!leg->path.lite || !keep_early(leg, datagram, length))
		receipt_add(&leg->path.receipt->dropped_other, 1);
}

/* A name of 128 random bits for our end (RFC 8842 4: at least 120). */
int leg_name_association(struct leg *leg)
{
	uint64_t random[2];

	if (getrandom(random, sizeof(random), 0) < 0)
		return -errno;
	(void)snprintf(leg->tls_id, sizeof(leg->tls_id), "%016llx%016llx",
		       (unsigned long long)random[0], (unsigned long long)random[1]);
	return 0;
}

static bool same_fingerprints(const struct media_desc *a, const struct media_desc *b)
{
	return a->fingerprint_count == b->fingerprint_count &&
	       memcmp(a->fingerprints, b->fingerprints,
		      a->fingerprint_count * sizeof(a->fingerprints[0])) == 0;
}

/* Whether the peer speaks of the association that is there (RFC 8842 4). */
bool leg_same_association(const struct media_desc *a, const struct media_desc *b)
{
	return same_fingerprints(a, b) && strcmp(a->tls_id, b->tls_id) == 0;
}

/* Who is the DTLS client. Source: RFC 5763 5, RFC 4145 4.1; as answerer to
 * actpass we are active, as RFC 8842 5.3 recommends. */
static bool we_are_client(const struct media_desc *remote, bool we_offered)
{
	if (we_offered)
		return remote->setup != SDP_ACTIVE;
	return remote->setup == SDP_ACTPASS || remote->setup == SDP_PASSIVE;
}

int leg_associate(struct leg *leg, const struct media_desc *remote, bool we_offered)
{
	const struct dtls_setup setup = {
		.identity = leg->setup.identity,
		.wheel = worker_wheel(leg->setup.worker),
		.queue = worker_dtls_queue(leg->setup.worker),
		.client = we_are_client(remote, we_offered),
		.fingerprints = remote->fingerprints,
		.fingerprint_count = remote->fingerprint_count,
		.handlers = { on_dtls_send, on_dtls_ready, on_dtls_failed, leg },
	};
	struct dtls *dtls;
	int err = dtls_create(&dtls, &setup);

	if (err)
		return err;
	/* The first has the name it was offered with, one the peer asks for a new one. */
	if (leg->dtls && !we_offered)
		err = leg_name_association(leg);
	dtls_destroy(leg->dtls);
	leg->dtls = dtls;
	leg->dtls_began = 0;
	take_early(leg);
	return err;
}

/* The peer's latch opens with the new address; keys come from the handshake. */
int leg_apply_bare_dtls(struct leg *leg, const struct media_desc *remote, bool we_offered)
{
	int err = plain_set_remote(leg->path.plain, remote, /* sealed= */ true, leg->session_id);

	if (err)
		return err;
	if (!leg->remote || !leg_same_association(leg->remote, remote))
		err = leg_associate(leg, remote, we_offered);
	if (!err && !net_is_unspecified(&remote->rtp))
		leg_start_dtls(leg);
	return err;
}

void leg_describe_dtls(const struct leg *leg, const struct media_desc *offer,
		       struct media_desc *ours)
{
	ours->fingerprints[0] = *dtls_identity_fingerprint(leg->setup.identity);
	ours->fingerprint_count = 1;
	if (!offer || offer->tls_id[0] != '\0')
		memcpy(ours->tls_id, leg->tls_id, sizeof(leg->tls_id));
	if (!offer) /* a re-offer too: RFC 8842 5.5 */
		ours->setup = SDP_ACTPASS;
	else
		ours->setup = dtls_is_client(leg->dtls) ? SDP_ACTIVE : SDP_PASSIVE;
}
