/* SPDX-License-Identifier: Apache-2.0 */
/* pem_check.h - is this file a list of CA certificates?
 *
 * The gRPC core accepts any text as roots and fails every call afterwards with
 * a message that does not mention the file, so it is looked at here first.
 */
#ifndef BREAKOUT_PROTO_PEM_CHECK_H
#define BREAKOUT_PROTO_PEM_CHECK_H

#include <stddef.h>
#include "base/macros.h"

/* Reads `path` whole.
 *
 * ret_pem: NUL-ended text, the caller frees it.
 * Returns 0, -ENOMEM or -EINVAL with a sentence in error. */
int pem_check_ca(const char *path, char **ret_pem, char *error, size_t error_room) MUST_CHECK;

#endif
