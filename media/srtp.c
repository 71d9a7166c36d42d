/* SPDX-License-Identifier: Apache-2.0 */
#include "media/srtp.h"
#include <errno.h>
#include <pthread.h>
#include <srtp2/srtp.h>
#include <stdlib.h>
#include <string.h>
#include "media/srtp_openssl.h"

static const struct {
	const char *name;
	srtp_profile_t profile;
	uint8_t key_length, salt_length;
} suites[SRTP_SUITE_COUNT] = {
	[SRTP_SUITE_AEAD_AES_128_GCM] = { "AEAD_AES_128_GCM", srtp_profile_aead_aes_128_gcm, 16,
					  12 },
	[SRTP_SUITE_AEAD_AES_256_GCM] = { "AEAD_AES_256_GCM", srtp_profile_aead_aes_256_gcm, 32,
					  12 },
	[SRTP_SUITE_AES128_CM_SHA1_80] = { "AES128_CM_SHA1_80", srtp_profile_aes128_cm_sha1_80, 16,
					   14 },
	[SRTP_SUITE_AES128_CM_SHA1_32] = { "AES128_CM_SHA1_32", srtp_profile_aes128_cm_sha1_32, 16,
					   14 },
};

struct direction {
	srtp_t session;
	uint32_t ssrcs[SRTP_STREAMS_MAX]; /* that libsrtp holds state for, network order */
	unsigned ssrc_count;
	unsigned last; /* index of the one seen last: nearly always the next one too */
	bool mki;      /* each packet names its key */
};

struct srtp_pair {
	struct direction in, out;
};

static const char *start_error;

static void start_once(void)
{
	if (srtp_init() != srtp_err_status_ok)
		start_error = "libsrtp2's own start-up tests";
	else
		start_error = srtp_openssl_install();
}

int srtp_start(const char **ret_why)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	(void)pthread_once(&once, start_once); /* cannot fail with a static control */
	if (!start_error)
		return 0;
	*ret_why = start_error;
	return -EIO;
}

const char *srtp_suite_name(enum srtp_suite suite)
{
	return suites[suite].name;
}

size_t srtp_suite_key_length(enum srtp_suite suite)
{
	return suites[suite].key_length;
}

size_t srtp_suite_salt_length(enum srtp_suite suite)
{
	return suites[suite].salt_length;
}

static int direction_init(struct direction *direction, const struct srtp_keys *keys,
			  const uint8_t *key, srtp_ssrc_type_t type)
{
	uint8_t copy[SRTP_KEY_ROOM], mki[SRTP_MKI_MAX];
	srtp_master_key_t named = { copy, mki, keys->mki_length }, *all = &named;
	srtp_policy_t policy;
	srtp_err_status_t status;

	memset(&policy, 0, sizeof(policy));
	memcpy(copy, key, sizeof(copy));
	memcpy(mki, keys->mki, sizeof(mki));
	if (srtp_crypto_policy_set_from_profile_for_rtp(&policy.rtp, suites[keys->suite].profile) ||
	    srtp_crypto_policy_set_from_profile_for_rtcp(&policy.rtcp, suites[keys->suite].profile))
		return -EINVAL;
	policy.ssrc.type = type;
	direction->mki = type == ssrc_any_inbound && keys->mki_length > 0;
	if (direction->mki) {
		policy.keys = &all;
		policy.num_master_keys = 1;
	} else {
		policy.key = copy;
	}
	policy.window_size = 512; /* ten seconds of reordering at 50 packets/s */
	policy.allow_repeat_tx = 0;
	status = srtp_create(&direction->session, &policy);
	explicit_bzero(copy, sizeof(copy));
	return status == srtp_err_status_ok ? 0 : -ENOMEM;
}

static void direction_done(struct direction *direction)
{
	if (direction->session)
		(void)srtp_dealloc(direction->session); /* fails only for an unknown session */
	memset(direction, 0, sizeof(*direction));
}

int srtp_pair_create(struct srtp_pair **ret_pair, const struct srtp_keys *keys)
{
	struct srtp_pair *pair = calloc(1, sizeof(*pair));
	int err;

	if (!pair)
		return -ENOMEM;
	err = direction_init(&pair->in, keys, keys->inbound, ssrc_any_inbound);
	if (!err)
		err = direction_init(&pair->out, keys, keys->outbound, ssrc_any_outbound);
	if (err) {
		srtp_pair_destroy(pair);
		return err;
	}
	*ret_pair = pair;
	return 0;
}

struct srtp_pair *srtp_pair_destroy(struct srtp_pair *pair)
{
	if (!pair)
		return NULL;
	direction_done(&pair->in);
	direction_done(&pair->out);
	free(pair);
	return NULL;
}

int srtp_pair_renew_inbound(struct srtp_pair *pair, const struct srtp_keys *keys)
{
	struct direction fresh = { .session = NULL };
	int err = direction_init(&fresh, keys, keys->inbound, ssrc_any_inbound);

	if (err)
		return err;
	direction_done(&pair->in);
	pair->in = fresh;
	return 0;
}

void srtp_pair_look(const struct srtp_pair *pair, unsigned step)
{
	if (!pair)
		return;
	if (step == 0) {
		look_ahead(pair, sizeof(*pair));
	} else { /* of the library's own we know where it begins */
		look_ahead(pair->in.session, 1);
		look_ahead(pair->out.session, 1);
	}
}

static bool known(struct direction *direction, uint32_t ssrc)
{
	if (direction->ssrc_count > 0 && direction->ssrcs[direction->last] == ssrc)
		return true;
	for (unsigned i = 0; i < direction->ssrc_count; i++) {
		if (direction->ssrcs[i] == ssrc) {
			direction->last = i;
			return true;
		}
	}
	return false;
}

/* Runs `work` unless it would make one stream too many; remembers the SSRC
 * once a packet of it has gone through (libsrtp makes state only then). */
static int run(struct direction *direction, srtp_err_status_t (*work)(srtp_t, void *, int *),
	       uint8_t *packet, size_t *length, size_t ssrc_offset)
{
	srtp_err_status_t status;
	int octets = (int)*length;
	uint32_t ssrc;
	bool old;

	if (*length < ssrc_offset + sizeof(ssrc) || *length > UINT16_MAX)
		return -EINVAL;
	memcpy(&ssrc, packet + ssrc_offset, sizeof(ssrc));
	old = known(direction, ssrc);
	if (!old && direction->ssrc_count == SRTP_STREAMS_MAX)
		return -ENOBUFS;
	status = work(direction->session, packet, &octets);
	if (status != srtp_err_status_ok)
		return status == srtp_err_status_bad_param ? -EINVAL : -EBADMSG;
	if (!old) {
		direction->last = direction->ssrc_count++;
		direction->ssrcs[direction->last] = ssrc;
	}
	*length = (size_t)octets;
	return 0;
}

static srtp_err_status_t unprotect_named(srtp_t session, void *packet, int *length)
{
	return srtp_unprotect_mki(session, packet, length, /* use_mki= */ 1);
}

static srtp_err_status_t unprotect_rtcp_named(srtp_t session, void *packet, int *length)
{
	return srtp_unprotect_rtcp_mki(session, packet, length, /* use_mki= */ 1);
}

int srtp_pair_unprotect(struct srtp_pair *pair, uint8_t *packet, size_t *length)
{
	return run(&pair->in, pair->in.mki ? unprotect_named : srtp_unprotect, packet, length, 8);
}

int srtp_pair_unprotect_rtcp(struct srtp_pair *pair, uint8_t *packet, size_t *length)
{
	return run(&pair->in, pair->in.mki ? unprotect_rtcp_named : srtp_unprotect_rtcp, packet,
		   length, 4);
}

int srtp_pair_protect(struct srtp_pair *pair, uint8_t *packet, size_t *length)
{
	return run(&pair->out, srtp_protect, packet, length, 8);
}

int srtp_pair_protect_rtcp(struct srtp_pair *pair, uint8_t *packet, size_t *length)
{
	return run(&pair->out, srtp_protect_rtcp, packet, length, 4);
}
