/* SPDX-License-Identifier: Apache-2.0 */
/* unix_socket.h - inside of tas/admin: a listening Unix socket for owner and group. */
#ifndef BREAKOUT_TAS_ADMIN_UNIX_SOCKET_H
#define BREAKOUT_TAS_ADMIN_UNIX_SOCKET_H

#include "base/macros.h"

/* Takes the place of one that a crash left behind. ret_fd: non-blocking, the
 * caller's; so is the path, to be removed at the end. 0, -EADDRINUSE (somebody
 * answers there), -ENAMETOOLONG, -EACCES, or what else the path did not allow. */
int unix_socket_listen(const char *path, int backlog, int *ret_fd) MUST_CHECK;

#endif
