/* SPDX-License-Identifier: Apache-2.0 */
/* challenge.c - see challenge.h. */
#include "tas/sip/challenge.h"

#include <sofia-sip/sip_header.h>

#define CHALLENGES_MAX 8

int challenge_answer(const struct digest_identity *identity, struct digest_session *session,
		     const char *method, const char *uri, const sip_t *sip,
		     struct digest_answer *ret_answer)
{
	const msg_auth_t *challenge = sip->sip_status->st_status == 407
					      ? sip->sip_proxy_authenticate
					      : sip->sip_www_authenticate;
	su_home_t home[1] = { SU_HOME_INIT(home) };
	const char *texts[CHALLENGES_MAX];
	size_t count = 0;
	int err;

	for (; challenge && count < CHALLENGES_MAX; challenge = challenge->au_next) {
		texts[count] = sip_header_as_string(home, (const sip_header_t *)challenge);
		if (texts[count])
			count++;
	}
	err = digest_answer(identity, session, method, uri, texts, count, ret_answer);
	su_home_deinit(home);
	return err;
}
