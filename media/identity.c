/* SPDX-License-Identifier: Apache-2.0 */
/* From the configuration's file names to what DTLS shows. */
#include <errno.h>
#include "base/str.h"
#include "media/certificate.h"
#include "media/dtls.h"
#include "media/media.h"

int media_identity_create(struct dtls_identity **ret_identity, const struct config *config,
			  struct str *ret_findings)
{
	const struct config_media *media = &config->media;
	struct certificate certificate;
	char why[CERTIFICATE_WHY_ROOM];
	int err;

	if (!media->certificate || !media->private_key) {
		*ret_identity = NULL;
		return 0;
	}
	err = certificate_load(&certificate, media->certificate, media->private_key, why);
	if (err || why[0] != '\0')
		str_addf(ret_findings, "%s: %s: `media.certificate`: %s\n", media->certificate_at,
			 err ? "error" : "warning", why);
	if (!err && ret_findings->failed)
		err = -ENOMEM;
	if (err)
		return err;
	err = dtls_identity_create(ret_identity, &certificate);
	certificate_done(&certificate);
	return err;
}

struct dtls_identity *media_identity_unref(struct dtls_identity *identity)
{
	return dtls_identity_unref(identity);
}
