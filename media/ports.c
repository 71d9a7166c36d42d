/* SPDX-License-Identifier: Apache-2.0 */
#include "media/ports.h"
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>
#include "base/metrics.h"

#define TAKEN        INT64_MAX
#define KEPT_PERCENT 2

#define GAUGE(state)                                                                               \
	METRIC_GAUGE_INIT("breakout_media_ports", "state=\"" state "\"",                           \
			  "UDP ports of the range; resting ones are free again soon.")

static struct metric free_gauge = GAUGE("free");
static struct metric used_gauge = GAUGE("used");
static struct metric resting_gauge = GAUGE("resting");

struct ports {
	uint16_t min, max;
	uint32_t count;
	uint32_t next; /* where the next search begins */
	/* Ports at rest, in the order in which they were given back, which is that
	 * in which they are free again. */
	uint16_t *resting;
	uint32_t rest_first, rest_count, used;
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
	ports->resting = calloc(ports->count, sizeof(ports->resting[0]));
	if (!ports->resting) {
		free(ports);
		return -ENOMEM;
	}
	metric_add(&free_gauge, ports->count);
	ports->next = first_search() % ports->count;
	*ret_ports = ports;
	return 0;
}

struct ports *ports_destroy(struct ports *ports)
{
	if (!ports)
		return NULL;
	metric_add(&free_gauge, -(int64_t)(ports->count - ports->used - ports->rest_count));
	metric_add(&used_gauge, -(int64_t)ports->used);
	metric_add(&resting_gauge, -(int64_t)ports->rest_count);
	free(ports->resting);
	free(ports);
	return NULL;
}

static void end_rest(struct ports *ports, mono_ms now)
{
	uint32_t ended = 0;

	while (ended < ports->rest_count &&
	       ports->free_from[ports->resting[ports->rest_first]] <= now) {
		ports->rest_first = (ports->rest_first + 1) % ports->count;
		ended++;
	}
	ports->rest_count -= ended;
	metric_add(&resting_gauge, -(int64_t)ended);
	metric_add(&free_gauge, ended);
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

static void mark_taken(struct ports *ports, uint32_t index, unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		ports->free_from[index + i] = TAKEN;
	ports->used += count;
	metric_add(&used_gauge, count);
	metric_add(&free_gauge, -(int64_t)count);
}

static bool is_free(const struct ports *ports, uint32_t index, mono_ms now)
{
	return index < ports->count && ports->free_from[index] <= now;
}

static int try_port(const union net_address *addresses, unsigned count, uint16_t port)
{
	int err = 0;

	for (unsigned i = 0; !err && i < count; i++) {
		int fd = -1;

		err = bind_port(&addresses[i], port, &fd);
		if (!err)
			close(fd);
	}
	return err;
}

int ports_take(struct ports *ports, const union net_address *addresses, unsigned count,
	       uint16_t *ret_port)
{
	mono_ms now = clock_now();

	end_rest(ports, now);
	for (uint32_t tried = 0; tried < ports->count; tried++) {
		uint32_t index = ports->next++ % ports->count;
		uint16_t port = (uint16_t)(ports->min + index);
		int err;

		if (!is_free(ports, index, now))
			continue;
		err = try_port(addresses, count, port);
		if (err == -EADDRINUSE)
			continue;
		if (err)
			return err;
		mark_taken(ports, index, 1);
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

void ports_close(int (*fds)[2], unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		close(fds[i][0]);
		close(fds[i][1]);
	}
}

static int bind_pairs(const union net_address *addresses, unsigned count, uint16_t port,
		      int (*ret_fds)[2])
{
	for (unsigned i = 0; i < count; i++) {
		int err = bind_pair(&addresses[i], port, ret_fds[i]);

		if (err) {
			ports_close(ret_fds, i);
			return err;
		}
	}
	return 0;
}

int ports_take_pair(struct ports *ports, const union net_address *addresses, unsigned count,
		    uint16_t *ret_port, int (*ret_fds)[2])
{
	mono_ms now = clock_now();

	end_rest(ports, now);
	for (uint32_t tried = 0; tried < ports->count; tried++) {
		uint32_t index = ports->next++ % ports->count;
		uint16_t port = (uint16_t)(ports->min + index);
		int err;

		if (port % 2 != 0 || !is_free(ports, index, now) || !is_free(ports, index + 1, now))
			continue;
		err = bind_pairs(addresses, count, port, ret_fds);
		if (err == -EADDRINUSE)
			continue;
		if (err)
			return err;
		mark_taken(ports, index, 2);
		ports->next++;
		*ret_port = port;
		return 0;
	}
	return -ENOSPC;
}

void ports_give(struct ports *ports, uint16_t first, unsigned count)
{
	mono_ms now = clock_now();

	end_rest(ports, now);
	for (unsigned i = 0; i < count; i++) {
		uint16_t index = (uint16_t)(first - ports->min + i);
		uint32_t last = (ports->rest_first + ports->rest_count++) % ports->count;

		ports->free_from[index] = now + PORTS_QUARANTINE_MS;
		ports->resting[last] = index;
	}
	ports->used -= count;
	metric_add(&used_gauge, -(int64_t)count);
	metric_add(&resting_gauge, count);
}

static uint32_t unavailable(struct ports *ports)
{
	end_rest(ports, clock_now());
	return ports->used + ports->rest_count;
}

unsigned ports_used_percent(struct ports *ports)
{
	return unavailable(ports) * 100 / ports->count;
}

bool ports_spare(struct ports *ports, unsigned wanted)
{
	return ports->count - unavailable(ports) >= wanted + ports->count * KEPT_PERCENT / 100;
}
