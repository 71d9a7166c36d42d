/* SPDX-License-Identifier: Apache-2.0 */
/* mirror.c - connections of ours that the other daemon uses: see neighbour.h. */
#include "tas/sip/neighbour_private.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <sofia-sip/sip_util.h>

#include "tas/sip/tls_guard.h"

#define QUIET_MS 20         /* longer than a packet's way there and back within a site */
#define OUT_MAX  (1u << 20) /* bytes that wait for the other side, a connection */

/* ---- what the other side says over a connection of ours ---- */

void mirror_close(struct mirror *mirror)
{
	struct mirror **at = &mirror->neighbour->mirrors;

	while (*at != mirror)
		at = &(*at)->next;
	*at = mirror->next;
	sip_loop_unwatch(mirror->neighbour->endpoint->loop, mirror->fd);
	close(mirror->fd);
	str_done(&mirror->out);
	str_done(&mirror->gathered);
	tport_unref(mirror->tport);
	free(mirror);
}

/* By another connection: RFC 3261 section 18.2.2. nta_msg_tsend() would take a Via off. */
static bool answer_elsewhere(const struct mirror *mirror, msg_t *msg, const sip_t *sip)
{
	tport_t *tports = nta_agent_tports(mirror->neighbour->endpoint->agent), *tport;
	const sip_via_t *via = sip->sip_status ? sip->sip_via : NULL;
	tp_name_t name = { 0 };

	if (!via)
		return false;
	name.tpn_proto = sip_via_transport(via);
	name.tpn_canon = via->v_host;
	name.tpn_host = via->v_received ? via->v_received : via->v_host;
	name.tpn_port = sip_via_port(via, NULL);
	tport = tport_by_name(tports, &name);
	return tport && tport_tsend(tport, msg, &name, TAG_END()) != NULL;
}

static void say(struct mirror *mirror, const char *bytes, size_t length)
{
	msg_t *msg = msg_make(sip_default_mclass(), MSG_DO_EXTRACT_COPY, bytes, (ssize_t)length);
	sip_t *sip = msg ? sip_object(msg) : NULL;
	bool said = false;

	mirror->last = clock_now();
	if (sip && sip->sip_status && sip->sip_status->st_status >= 200 && mirror->pending)
		mirror->pending--;
	else if (sip && sip->sip_request && sip->sip_request->rq_method != sip_method_ack)
		mirror->asked++;
	if (sip && !mirror->parted && !tport_is_closed(mirror->tport))
		said = tport_tsend(mirror->tport, msg, tport_name(mirror->tport), TAG_END());
	else if (sip)
		said = answer_elsewhere(mirror, msg, sip);
	if (!said)
		neighbour_lost(mirror->neighbour, "its connection is gone");
	if (msg)
		msg_destroy(msg);
}

static void take_bytes(struct mirror *mirror, const char *bytes, size_t length)
{
	size_t begin = 0;

	for (size_t i = 0; i < length; i++) {
		framing_feed(&mirror->framing, bytes + i, 1);
		if (mirror->framing.completed) {
			str_add_n(&mirror->gathered, bytes + begin, i + 1 - begin);
			if (!mirror->gathered.failed)
				say(mirror, mirror->gathered.text, mirror->gathered.length);
			str_done(&mirror->gathered);
			begin = i + 1;
		} else if (mirror->framing.phase == FRAMING_BETWEEN) {
			begin = i + 1; /* empty lines */
		}
	}
	if (begin < length)
		str_add_n(&mirror->gathered, bytes + begin, length - begin);
}

/* The process it was shown to has ended; the one in its place has never seen it. */
static void show_again(struct neighbour *neighbour, tport_t *tport)
{
	const struct listener *listener = endpoint_listener_of(neighbour->endpoint, tport);
	struct mirror *mirror;

	if (listener && !tport_is_closed(tport) &&
	    mirror_create(&mirror, neighbour, tport, listener->transport) == 0)
		mirror->heir = neighbour->heirs;
}

static void on_mirror(int fd, void *arg)
{
	struct mirror *mirror = arg;
	struct neighbour *neighbour = mirror->neighbour;
	char bytes[16384];
	ssize_t n = recv(fd, bytes, sizeof(bytes), MSG_DONTWAIT);
	bool before_this_heir = mirror->heir && mirror->heir < neighbour->heirs && !mirror->parted;
	tport_t *tport;

	if (n > 0) {
		take_bytes(mirror, bytes, (size_t)n);
		return;
	}
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	tport = tport_ref(mirror->tport);
	mirror_close(mirror);
	if (before_this_heir)
		show_again(neighbour, tport);
	tport_unref(tport);
}

/* ---- what we hear for the other side ---- */

/* 0, or it is not there any more. */
static int flush(struct mirror *mirror)
{
	while (mirror->out.length) {
		ssize_t n = send(mirror->fd, mirror->out.text, mirror->out.length, MSG_NOSIGNAL);

		if (n < 0)
			return errno == EAGAIN || errno == EINTR ? 0 : -errno;
		mirror->out.length -= (size_t)n;
		memmove(mirror->out.text, mirror->out.text + n, mirror->out.length);
	}
	return 0;
}

static void tell(struct str *frame, tport_t *tport, enum sip_transport transport)
{
	struct sockaddr_storage local, peer;

	neighbour_address(tport_get_address(tport_parent(tport))->ai_addr, &local);
	neighbour_address(tport_get_address(tport)->ai_addr, &peer);
	pack_number(frame, transport);
	pack_bytes(frame, &local, sizeof(local));
	pack_bytes(frame, &peer, sizeof(peer));
}

/* Of the heir's own; what comes from there is given back. */
static bool is_heirs(const struct neighbour *neighbour, const tport_t *tport)
{
	return neighbour->side == NEIGHBOUR_HEIR && neighbour_shown(neighbour, tport);
}

static int show(struct neighbour *neighbour, tport_t *tport, enum sip_transport transport, int fd)
{
	const char *const *names = transport == SIP_TRANSPORT_TLS
					   ? tls_guard_client_names(neighbour->endpoint->tls, tport)
					   : NULL;
	struct str frame = { 0 };
	size_t count = 0;
	int err;

	while (names && names[count] && count < NEIGHBOUR_NAMES)
		count++;
	pack_number(&frame, NEIGHBOUR_CONNECTION);
	pack_number(&frame, is_heirs(neighbour, tport));
	tell(&frame, tport, transport);
	pack_number(&frame, count);
	for (size_t i = 0; i < count; i++)
		pack_text(&frame, names[i]);
	err = frame.failed ? -ENOMEM
			   : fd_link_send(neighbour->link, frame.text, frame.length, &fd, 1);
	str_done(&frame);
	return err;
}

int mirror_create(struct mirror **ret_mirror, struct neighbour *neighbour, tport_t *tport,
		  enum sip_transport transport)
{
	struct mirror *mirror = calloc(1, sizeof(*mirror));
	int fds[2], err = mirror ? 0 : -ENOMEM;

	if (!err && socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds) < 0)
		err = -errno;
	if (err) {
		free(mirror);
		return err;
	}
	*mirror = (struct mirror){ .neighbour = neighbour, .tport = tport, .fd = fds[0] };
	if (transport == SIP_TRANSPORT_TLS)
		str_add(&mirror->out, "!"); /* for the handshake: tls_given.h */
	err = show(neighbour, tport, transport, fds[1]);
	close(fds[1]);
	if (!err)
		err = flush(mirror);
	if (!err)
		err = sip_loop_watch(neighbour->endpoint->loop, mirror->fd, on_mirror, mirror);
	if (err) {
		close(mirror->fd);
		str_done(&mirror->out);
		free(mirror);
		return err;
	}
	tport_ref(tport);
	mirror->next = neighbour->mirrors;
	neighbour->mirrors = mirror;
	*ret_mirror = mirror;
	return 0;
}

struct mirror *mirror_of(struct neighbour *neighbour, tport_t *tport)
{
	struct mirror *mirror = neighbour->mirrors;

	while (mirror && mirror->tport != tport)
		mirror = mirror->next;
	return mirror;
}

static int pass_once(struct neighbour *neighbour, msg_t *msg, const sip_t *sip, tport_t *tport,
		     enum sip_transport transport)
{
	struct mirror *mirror = mirror_of(neighbour, tport);
	int err = mirror ? 0 : mirror_create(&mirror, neighbour, tport, transport);

	if (err)
		return err;
	if (mirror->out.length > OUT_MAX)
		return -EAGAIN;
	mirror->last = clock_now();
	neighbour_text(&mirror->out, msg);
	if (mirror->out.failed)
		err = -ENOMEM;
	else
		err = flush(mirror);
	if (err)
		mirror_close(mirror);
	else if (sip->sip_request && sip->sip_request->rq_method != sip_method_ack)
		mirror->pending++;
	else if (sip->sip_status && sip->sip_status->st_status >= 200 && mirror->asked)
		mirror->asked--;
	return err;
}

int mirror_pass(struct neighbour *neighbour, msg_t *msg, const sip_t *sip, tport_t *tport,
		enum sip_transport transport)
{
	int err = pass_once(neighbour, msg, sip, tport, transport);

	/* Another process has the other end by now. */
	if (err == -EPIPE || err == -ECONNRESET)
		err = pass_once(neighbour, msg, sip, tport, transport);
	return err;
}

static bool is_quiet(const struct mirror *mirror, mono_ms now)
{
	return !mirror->pending && !mirror->asked && !mirror->out.length &&
	       !mirror->gathered.length && now - mirror->last >= QUIET_MS;
}

static bool part(struct neighbour *neighbour, bool all, mono_ms now)
{
	bool done = true;

	for (struct mirror *at = neighbour->mirrors; at; at = at->next) {
		if (at->parted || tport_is_closed(at->tport))
			continue;
		if (!all && !is_quiet(at, now)) {
			done = false;
			continue;
		}
		at->parted = true;
		tls_guard_say_goodbye(neighbour->endpoint->tls, at->tport);
		(void)tport_shutdown(at->tport, 1);
	}
	return done;
}

bool neighbours_part(struct sip_endpoint *endpoint, bool all, mono_ms now)
{
	bool done = !endpoint->heir || part(endpoint->heir, all, now);

	for (struct neighbour *at = endpoint->elders; at; at = at->next)
		if (!part(at, all, now))
			done = false;
	return done;
}

static bool owes_answers(const struct neighbour *neighbour)
{
	for (const struct mirror *at = neighbour->mirrors; at; at = at->next)
		if (at->pending)
			return true;
	return false;
}

bool neighbours_owe_answers(const struct sip_endpoint *endpoint)
{
	for (const struct neighbour *at = endpoint->elders; at; at = at->next)
		if (owes_answers(at))
			return true;
	return endpoint->heir && owes_answers(endpoint->heir);
}

bool neighbours_have_ended(const struct sip_endpoint *endpoint)
{
	for (const struct neighbour *at = endpoint->elders; at; at = at->next)
		if (at->mirrors)
			return false;
	return !endpoint->heir || !endpoint->heir->mirrors;
}

void mirror_sweep(struct neighbour *neighbour)
{
	struct mirror *next;

	for (struct mirror *at = neighbour->mirrors; at; at = next) {
		next = at->next;
		/* Who closed his side may wait for an answer all the same. */
		if ((tport_is_closed(at->tport) && !at->pending) || flush(at) < 0)
			mirror_close(at);
	}
}
