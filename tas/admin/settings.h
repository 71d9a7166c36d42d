/* SPDX-License-Identifier: Apache-2.0 */
/* settings.h - inside of tas/admin: the configuration in force, what came of a
 * reload, and how long certificates last, as JSON.
 *
 * Threads: the SIP thread, except where said.
 */
#ifndef BREAKOUT_TAS_ADMIN_SETTINGS_H
#define BREAKOUT_TAS_ADMIN_SETTINGS_H

#include "tas/admin/answer.h"

/* Every setting whose name begins with `section` ("": all). */
json_t *settings_config(const struct admin_options *options, const char *section);
/* "": begins a reload and says its number; a number: what came of it. */
json_t *settings_reload(const struct admin_options *options, const char *number);
json_t *settings_certificates(const struct admin_options *options, const char *unused);

/* Adds to the last one's answer what the files hold now. Any thread but the SIP
 * thread: it reads from disk. NULL is fine. */
void settings_add_disk(json_t *answer);

#endif
