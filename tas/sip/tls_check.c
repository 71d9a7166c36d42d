/* SPDX-License-Identifier: Apache-2.0 */
#include "tas/sip/tls_check.h"

#include <errno.h>
#include <string.h>

#include "tas/sip/tls_describe.h"
#include "tas/sip/tls_profile.h"

#define WARN_DAYS 30
#define DAY_MS    86400000

/* Where the file's name is written. */
static const char *origin_of(const struct config *config, const char *key)
{
	size_t count;
	const struct config_setting *settings = config_settings(config, &count);

	for (size_t i = 0; i < count; i++)
		if (!strcmp(settings[i].name, key))
			return settings[i].origin;
	return config->path;
}

static void warn(const struct config *config, struct str *findings)
{
	struct tls_certificate certificate;
	wall_ms left_ms;

	if (!config->sip.certificate ||
	    tls_describe(config->sip.certificate, NULL, false, &certificate) < 0)
		return;
	left_ms = certificate.not_after - clock_wall();
	if (left_ms < (wall_ms)WARN_DAYS * DAY_MS)
		str_addf(findings,
			 "%s: warning: `sip.certificate`: %s expires in %lld days. Renew it\n",
			 origin_of(config, "sip.certificate"), config->sip.certificate,
			 (long long)(left_ms / DAY_MS));
	tls_certificate_done(&certificate);
}

int tls_check_config(struct tls_profile **ret_profile, const struct config *config,
		     struct str *ret_findings)
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
	char error[256] = "";
	int err = tls_profile_create(ret_profile, &options, error, sizeof(error));

	if (err == -EINVAL)
		str_addf(ret_findings, "%s: error: %s\n", origin_of(config, "sip.certificate"),
			 error);
	else if (!err)
		warn(config, ret_findings);
	return err;
}

struct tls_profile *tls_check_done(struct tls_profile *profile)
{
	return tls_profile_destroy(profile);
}
