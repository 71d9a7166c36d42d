/* SPDX-License-Identifier: Apache-2.0 */
#include "media/hub.h"
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>
#include "base/log.h"
#include "base/metrics.h"
#include "media/ports.h"

static struct metric strangers =
	METRIC_COUNTER_INIT("breakout_media_shared_port_strangers_total", NULL,
			    "Packets at the ports for many calls from addresses that no SDP named");

/* One of the ports, on one address. */
struct door {
	struct watch watch;
	struct hub *hub;
	struct address_table *table;
};

struct hub {
	struct worker *worker;
	union net_address address;
	struct address_table tables[2]; /* by hub_port: who sends is known on each address */
	unsigned host_count;
	struct door doors[NET_HOSTS_MAX][2];
};

/* The bucket, its first entry, the seat, and what the seat's owner needs. */
static void *look(const union net_address *from, unsigned step, void *found, void *arg)
{
	const struct door *door = arg;
	struct address_entry *const *bucket = found;
	struct address_entry *entry;
	struct hub_seat *seat = found;

	switch (step) {
	case 0:
		bucket = address_table_bucket(door->table, from);
		look_ahead(bucket, sizeof(*bucket));
		return (void *)bucket;
	case 1:
		look_ahead(*bucket, sizeof(*seat));
		return found;
	case 2:
		entry = address_table_find_in(bucket, from);
		seat = entry ? CONTAINER_OF(entry, struct hub_seat, entry) : NULL;
		break;
	}
	if (seat)
		seat->look(step - 2, seat->arg);
	return seat;
}

/* No seat is left or taken while a batch is: that comes by mail. */
static void on_datagram(const union net_address *from, uint8_t *packet, size_t length, void *found,
			void *arg)
{
	struct hub_seat *seat = found;

	(void)arg;
	if (seat)
		seat->take(from, packet, length, seat->arg);
	else
		metric_add(&strangers, 1);
}

static void on_readable(struct watch *watch)
{
	struct door *door = CONTAINER_OF(watch, struct door, watch);

	(void)packets_receive_many(worker_packets(door->hub->worker), watch->fd, look, on_datagram,
				   door);
}

int hub_create(struct hub **ret_hub, struct worker *worker, const union net_address *address,
	       int (*take_fds)[2], unsigned count)
{
	struct hub *hub = calloc(1, sizeof(*hub));
	int err = 0;

	if (!hub) {
		ports_close(take_fds, count);
		return -ENOMEM;
	}
	hub->worker = worker;
	hub->address = *address;
	hub->host_count = count;
	for (unsigned i = 0; i < 2 * count; i++) {
		struct door *door = &hub->doors[i / 2][i % 2];
		int fd = take_fds[i / 2][i % 2];

		door->hub = hub;
		door->table = &hub->tables[i % 2];
		door->watch = (struct watch){ .fd = fd, .readable = on_readable };
		packets_widen(fd);
		if (!err)
			err = worker_watch(worker, &door->watch);
	}
	if (err) {
		hub_destroy(hub);
		return err;
	}
	*ret_hub = hub;
	return 0;
}

struct hub *hub_destroy(struct hub *hub)
{
	if (!hub)
		return NULL;
	for (unsigned i = 0; i < 2 * hub->host_count; i++)
		close(hub->doors[i / 2][i % 2].watch.fd); /* leaves the epoll set with it */
	free(hub);
	return NULL;
}

const union net_address *hub_address(const struct hub *hub)
{
	return &hub->address;
}

int hub_sit(struct hub *hub, struct hub_seat *seat, const union net_address *address)
{
	static struct log_limit told;
	struct address_table *table = &hub->tables[seat->port];
	struct address_entry *there = address_table_find(table, address);
	struct hub_seat *holder = there ? CONTAINER_OF(there, struct hub_seat, entry) : NULL;

	if (holder == seat)
		return 0;
	if (holder && holder->dialog != seat->dialog) {
		address_table_tell_taken(&told, address, "`shared_port: false` of its trunk");
		return -EADDRINUSE;
	}
	if (holder)
		hub_leave(holder);
	hub_leave(seat);
	if (address->any.sa_family == AF_UNSPEC || net_is_unspecified(address))
		return 0;
	seat->hub = hub;
	seat->entry.address = *address;
	address_table_add(table, &seat->entry);
	return 0;
}

void hub_leave(struct hub_seat *seat)
{
	if (seat->hub)
		address_table_remove(&seat->hub->tables[seat->port], &seat->entry);
	seat->hub = NULL;
}

bool hub_send(struct hub *hub, unsigned host, enum hub_port port, const union net_address *to,
	      const uint8_t *packet, size_t length)
{
	return packets_send(worker_packets(hub->worker), hub->doors[host][port].watch.fd, to,
			    packet, length);
}
