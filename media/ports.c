/* SPDX-License-Identifier: Apache-2.0 */
#include "media/ports.h"
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

#define TAKEN INT64_MAX

struct ports {
	uint16_t min, max;
	uint32_t count;
	uint32_t next;       /* where the next search begins */
	mono_ms free_from[]; /* by port - min; TAKEN while in use */
};

/* Two processes with one range that both began at its start would try the same
 * ports at the same moments, and one would lose each while libnice binds it. */
static uint32_t first_search(void)
{
	uint32_t number;

	if (getrandom(&number, sizeof(number), 0) != sizeof(number))
		return 0; /* a place to begin, too */
	return number;
}

int ports_create(struct ports **ret_ports, uint16_t min, uint16_t max)
{
	struct ports *ports;

	if (min == 0 || max <= min)
		return -EINVAL;
	ports = calloc(1, sizeof(*ports) + ((size_t)max - min + 1) * sizeof(ports->free_from[0]));
	if (!ports)
		return -ENOMEM;
	ports->min = min;
	ports->max = max;
	ports->count = (uint32_t)max - min + 1;
	ports->next = first_search() % ports->count;
	*ret_ports = ports;
	return 0;
}

struct ports *ports_destroy(struct ports *ports)
{
	free(ports);
	return NULL;
}

/* A bound, non-blocking UDP socket; -EADDRINUSE if someone else has the port. */
static int bind_port(const union net_address *address, uint16_t port, int *ret_fd)
{
	union net_address bound = *address;
	int fd = socket(address->any.sa_family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int err = 0;

	if (fd < 0)
		return -errno;
	net_set_port(&bound, port);
	if (bind(fd, &bound.any, net_size(&bound))) {
		err = -errno;
		close(fd);
		return err;
	}
	*ret_fd = fd;
	return 0;
}

static bool is_free(const struct ports *ports, uint32_t index, mono_ms now)
{
	return index < ports->count && ports->free_from[index] <= now;
}

int ports_take(struct ports *ports, const union net_address *address, uint16_t *ret_port)
{
	mono_ms now = clock_now();

	for (uint32_t tried = 0; tried < ports->count; tried++) {
		uint32_t index = ports->next++ % ports->count;
		uint16_t port = (uint16_t)(ports->min + index);
		int fd = -1, err;

		if (!is_free(ports, index, now))
			continue;
		err = bind_port(address, port, &fd);
		if (err == -EADDRINUSE)
			continue;
		if (err)
			return err;
		close(fd);
		ports->free_from[index] = TAKEN;
		*ret_port = port;
		return 0;
	}
	return -ENOSPC;
}

static int bind_pair(const union net_address *address, uint16_t port, int ret_fds[2])
{
	int err = bind_port(address, port, &ret_fds[0]);

	if (err)
		return err;
	err = bind_port(address, (uint16_t)(port + 1), &ret_fds[1]);
	if (err)
		close(ret_fds[0]);
	return err;
}

int ports_take_pair(struct ports *ports, const union net_address *address, uint16_t *ret_port,
		    int ret_fds[2])
{
	mono_ms now = clock_now();

	for (uint32_t tried = 0; tried < ports->count; tried++) {
		uint32_t index = ports->next++ % ports->count;
		uint16_t port = (uint16_t)(ports->min + index);
		int fds[2] = { -1, -1 }, err;

		if (port % 2 != 0 || !is_free(ports, index, now) || !is_free(ports, index + 1, now))
			continue;
		err = bind_pair(address, port, fds);
		if (err == -EADDRINUSE)
			continue;
		if (err)
			return err;
		ports->free_from[index] = ports->free_from[index + 1] = TAKEN;
		ports->next++;
		*ret_port = port;
		ret_fds[0] = fds[0];
		ret_fds[1] = fds[1];
		return 0;
	}
	return -ENOSPC;
}

void ports_give(struct ports *ports, uint16_t first, unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		ports->free_from[first - ports->min + i] = clock_now() + PORTS_QUARANTINE_MS;
}
