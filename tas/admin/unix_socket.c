/* SPDX-License-Identifier: Apache-2.0 */
#include "tas/admin/unix_socket.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

/* A socket nobody listens on is left over from a crash. */
static int clear_stale(const struct sockaddr_un *address)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int err;

	if (fd < 0)
		return -errno;
	err = connect(fd, (const struct sockaddr *)address, sizeof(*address)) < 0 ? errno : 0;
	close(fd);
	if (err == 0)
		return -EADDRINUSE;
	if (err == ECONNREFUSED && unlink(address->sun_path) < 0)
		return -errno;
	return 0;
}

/* Before listen(): nobody gets in under the umask's mode. */
static int open_to_group(int fd, const char *path, int backlog)
{
	int err = 0;

	if (chmod(path, 0660) < 0 || listen(fd, backlog) < 0)
		err = -errno;
	if (err)
		unlink(path);
	return err;
}

int unix_socket_listen(const char *path, int backlog, int *ret_fd)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd, err;

	if (strlen(path) >= sizeof(address.sun_path))
		return -ENAMETOOLONG;
	memcpy(address.sun_path, path, strlen(path) + 1);
	err = clear_stale(&address);
	if (err)
		return err;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	if (bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
		err = -errno;
	else
		err = open_to_group(fd, path, backlog);
	if (err)
		close(fd);
	else
		*ret_fd = fd;
	return err;
}
