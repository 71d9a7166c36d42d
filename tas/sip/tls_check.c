/* SPDX-License-Identifier: Apache-2.0 */
#include "tas/sip/tls_check.h"

#include "tas/sip/tls_profile.h"

int tls_check_config(const struct config *config, char *error, size_t room)
{
	const struct tls_profile_options options = {
		.certificate = config->sip.certificate,
		.private_key = config->sip.private_key,
		.ca_file = config->sip.ca_file,
		.client_ca = config->core.sbc.client_ca,
		.domain = config->domain,
		.verify_next_hop = true,
		.handshake_s = config->sip.handshake_s,
	};
	struct tls_profile *profile = NULL;
	int err = tls_profile_create(&profile, &options, error, room);

	tls_profile_destroy(profile);
	return err;
}
