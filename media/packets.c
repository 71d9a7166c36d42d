/* SPDX-License-Identifier: Apache-2.0 */
#include "media/packets.h"
#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include "base/metrics.h"
#include "media/relay.h"

#define BATCH        64                /* datagrams a system call */
#define SOCKET_BYTES (4 * 1024 * 1024) /* the kernel gives what net.core.rmem_max allows */
#define SLOTS        256               /* datagrams a turn: 400 kB a media thread */

static struct metric unsent = METRIC_COUNTER_INIT(
	"breakout_media_unsent_total", NULL, "Packets the network did not take when they were due");

struct packets {
	uint8_t slots[SLOTS][RELAY_BUFFER];
	unsigned used; /* slots of this turn */
	/* Of recvmmsg(), each for its slot: what the kernel writes is put back. */
	struct mmsghdr in[SLOTS];
	struct iovec in_parts[SLOTS];
	union net_address from[SLOTS];
	void *found[SLOTS]; /* packets_receive_many() */
	/* Of sendmmsg(). */
	struct mmsghdr out[SLOTS];
	struct iovec out_parts[SLOTS];
	union net_address to[SLOTS];
	int out_fd;
	unsigned queued;
	uint64_t ever_queued;
};

int packets_create(struct packets **ret_packets)
{
	struct packets *packets = calloc(1, sizeof(*packets));

	if (!packets)
		return -ENOMEM;
	packets->out_fd = -1;
	for (unsigned i = 0; i < SLOTS; i++) {
		packets->in_parts[i] = (struct iovec){ packets->slots[i], RELAY_PACKET_MAX + 1 };
		packets->in[i].msg_hdr = (struct msghdr){ .msg_name = &packets->from[i],
							  .msg_namelen = sizeof(packets->from[i]),
							  .msg_iov = &packets->in_parts[i],
							  .msg_iovlen = 1 };
	}
	*ret_packets = packets;
	return 0;
}

struct packets *packets_destroy(struct packets *packets)
{
	free(packets);
	return NULL;
}

void packets_widen(int fd)
{
	int bytes = SOCKET_BYTES;

	(void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof(bytes));
	(void)setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof(bytes));
}

static void send_queue(struct packets *packets)
{
	unsigned done = 0;

	while (done < packets->queued) {
		int sent = sendmmsg(packets->out_fd, packets->out + done, packets->queued - done,
				    MSG_DONTWAIT | MSG_NOSIGNAL);

		if (sent > 0) {
			done += (unsigned)sent;
			continue;
		}
		if (errno == EINTR)
			continue;
		/* The first of the rest: an unreachable peer (RFC 1122 4.1.3.3), or a
		 * full buffer. Late audio is no audio: it is not tried again. */
		metric_add(&unsent, 1);
		done++;
	}
	packets->queued = 0;
}

void packets_flush(struct packets *packets)
{
	send_queue(packets);
	packets->used = 0;
}

/* The level-triggered set comes back for what is left. An error (ICMP unreachable)
 * is cleared by having been read. Returns how many came, from packets->used on. */
static unsigned fetch(struct packets *packets, int fd, unsigned most)
{
	unsigned first;
	int count;

	most = most < BATCH ? most : BATCH;
	if (SLOTS - packets->used < most)
		packets_flush(packets);
	first = packets->used;
	count = recvmmsg(fd, packets->in + first, most, MSG_DONTWAIT, NULL);
	if (count <= 0)
		return 0;
	for (unsigned i = first; i < first + (unsigned)count; i++)
		packets->in[i].msg_hdr.msg_namelen = sizeof(packets->from[i]);
	packets->used += (unsigned)count;
	return (unsigned)count;
}

/* If none of them waits to be sent their slots are warm: the next ones come there. */
static void settle(struct packets *packets, unsigned count, uint64_t queued_before)
{
	if (packets->ever_queued == queued_before)
		packets->used -= count;
}

int packets_receive(struct packets *packets, int fd, unsigned most, packets_take_fn *take,
		    void *arg)
{
	unsigned count = fetch(packets, fd, most), first = packets->used - count;
	uint64_t queued = packets->ever_queued;

	for (unsigned i = first; i < first + count; i++)
		take(&packets->from[i], packets->slots[i], packets->in[i].msg_len, arg);
	settle(packets, count, queued);
	return (int)count;
}

int packets_receive_many(struct packets *packets, int fd, packets_look_fn *look,
			 packets_take_found_fn *take, void *arg)
{
	unsigned count = fetch(packets, fd, BATCH), first = packets->used - count;
	uint64_t queued = packets->ever_queued;

	for (unsigned i = first; i < first + count; i++)
		packets->found[i] = NULL;
	for (unsigned step = 0; step < PACKETS_STEPS; step++)
		for (unsigned i = first; i < first + count; i++)
			packets->found[i] = look(&packets->from[i], step, packets->found[i], arg);
	for (unsigned i = first; i < first + count; i++)
		take(&packets->from[i], packets->slots[i], packets->in[i].msg_len,
		     packets->found[i], arg);
	settle(packets, count, queued);
	return (int)count;
}

static bool lies_in_slot(const struct packets *packets, const uint8_t *packet)
{
	return packet >= packets->slots[0] && packet < (const uint8_t *)(packets->slots + SLOTS);
}

bool packets_send(struct packets *packets, int fd, const union net_address *to,
		  const uint8_t *packet, size_t length)
{
	unsigned at = packets->queued;

	if (!lies_in_slot(packets, packet) || at == SLOTS)
		return sendto(fd, packet, length, MSG_DONTWAIT | MSG_NOSIGNAL, &to->any,
			      net_size(to)) == (ssize_t)length;
	if (fd != packets->out_fd) {
		send_queue(packets);
		packets->out_fd = fd;
		at = 0;
	}
	packets->to[at] = *to;
	packets->out_parts[at] = (struct iovec){ (void *)packet, length };
	packets->out[at].msg_hdr = (struct msghdr){ .msg_name = &packets->to[at],
						    .msg_namelen = net_size(to),
						    .msg_iov = &packets->out_parts[at],
						    .msg_iovlen = 1 };
	packets->queued++;
	packets->ever_queued++;
	return true;
}
