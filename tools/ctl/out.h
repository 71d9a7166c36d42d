/* SPDX-License-Identifier: Apache-2.0 */
/* out.h - stdout of breakoutctl. */
#ifndef BREAKOUT_TOOLS_CTL_OUT_H
#define BREAKOUT_TOOLS_CTL_OUT_H

#include "base/macros.h"

/* From here on nothing on stdout can make a terminal do anything but print. Once, before
 * the first output. 0 or -ENOMEM. */
int out_guard(void) MUST_CHECK;
/* After the last output, guarded or not: `status`, or STATUS_NO after saying that not
 * all of it could be written. */
int out_end(int status);

#endif
