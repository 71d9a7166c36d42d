/* SPDX-License-Identifier: Apache-2.0 */
#include "tas/sip/neighbour_private.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sofia-sip/msg_addr.h>
#include <sofia-sip/msg_buffer.h>
#include <sofia-sip/su_time.h>

#include "base/log.h"
#include "tas/sip/one_piece.h"
#include "tas/sip/tls_given.h"

#define SWEEP_MS  50
#define EARLY_MS  32000 /* 64*T1: a transaction may be as old */
#define PIECES    80
#define NAME_ROOM 256 /* of a name in a client's certificate */

/* sofia's, exported, and declared in none of its installed headers (tport_internal.h). */
msg_t *tport_msg_alloc(tport_t const *tport, usize_t size);
void tport_deliver(tport_t *tport, msg_t *msg, msg_t *next, void *compressor, su_time_t now);

void neighbour_lost(struct neighbour *neighbour, const char *why)
{
	unsigned suppressed;

	if (log_limit_pass(&neighbour->log, 5, 10000, &suppressed))
		log_notice("sip", "a message for the other daemon is lost: %s suppressed=%u", why,
			   suppressed);
}

void neighbour_address(const void *from, struct sockaddr_storage *ret_address)
{
	const su_sockaddr_t *su = from;

	*ret_address = (struct sockaddr_storage){ 0 };
	memcpy(ret_address, su,
	       su->su_family == AF_INET6 ? sizeof(su->su_sin6) : sizeof(su->su_sin));
}

static socklen_t address_length(const struct sockaddr_storage *address)
{
	return address->ss_family == AF_INET6 ? sizeof(struct sockaddr_in6)
					      : sizeof(struct sockaddr_in);
}

/* The text as it will be read again. */
void neighbour_text(struct str *to, msg_t *msg)
{
	struct iovec pieces[PIECES];
	struct iovec *list = pieces, *more = NULL;
	size_t count;

	if (msg_prepare(msg) < 0)
		to->failed = true;
	count = to->failed ? 0 : one_piece_list(msg, pieces, PIECES);
	if (count > PIECES) {
		list = more = calloc(count, sizeof(*more));
		to->failed = !more;
		count = more ? one_piece_list(msg, more, count) : 0;
	}
	for (size_t i = 0; i < count; i++)
		str_add_n(to, list[i].iov_base, list[i].iov_len);
	free(more);
}

static int pass_datagram(struct neighbour *neighbour, msg_t *msg, tport_t *tport, bool returned)
{
	struct str frame = { 0 }, text = { 0 };
	struct sockaddr_storage local, peer;
	int err;

	neighbour_address(tport_get_address(tport)->ai_addr, &local);
	neighbour_address(msg_addr(msg), &peer);
	neighbour_text(&text, msg);
	pack_number(&frame, NEIGHBOUR_DATAGRAM);
	pack_bytes(&frame, &local, sizeof(local));
	pack_bytes(&frame, &peer, sizeof(peer));
	pack_number(&frame, returned);
	pack_bytes(&frame, text.text, text.length);
	err = frame.failed || text.failed
		      ? -ENOMEM
		      : fd_link_send(neighbour->link, frame.text, frame.length, NULL, 0);
	str_done(&frame);
	str_done(&text);
	return err;
}

/* ---- what is passed on ---- */

const struct shown *neighbour_shown(const struct neighbour *neighbour, const tport_t *tport)
{
	const struct shown *at = neighbour->shown;

	while (at && at->tport != tport)
		at = at->next;
	return at;
}

static bool came_by(const struct neighbour *neighbour, const tport_t *tport)
{
	return neighbour && (neighbour->delivering || neighbour_shown(neighbour, tport));
}

/* Who has to be asked next; NULL: all were. An elder that passes on what came to itself has
 * looked, and the others have not; one that gives back was asked, as those younger were. */
static struct neighbour *next_elder(const struct sip_endpoint *endpoint, const tport_t *tport)
{
	struct neighbour *by = endpoint->elders;
	const struct shown *shown;
	bool returned;

	while (by && !came_by(by, tport))
		by = by->next;
	if (!by)
		return endpoint->elders;
	shown = neighbour_shown(by, tport);
	returned = by->delivering ? by->returned : shown->returned;
	return returned || by == endpoint->elders ? by->next : endpoint->elders;
}

static enum message_kind kind_of(const sip_t *sip)
{
	sip_method_t method;

	if (!sip->sip_request)
		return MESSAGE_RESPONSE;
	method = sip->sip_request->rq_method;
	if (method == sip_method_ack || method == sip_method_cancel ||
	    (sip->sip_to && sip->sip_to->a_tag))
		return MESSAGE_INSIDE;
	return method == sip_method_invite ? MESSAGE_FIRST_INVITE : MESSAGE_OTHER;
}

static void pass(struct neighbour *neighbour, msg_t *msg, const sip_t *sip, tport_t *tport,
		 bool returned)
{
	const struct listener *listener = endpoint_listener_of(neighbour->endpoint, tport);
	int err;

	if (listener->transport == SIP_TRANSPORT_UDP)
		err = pass_datagram(neighbour, msg, tport, returned);
	else
		err = mirror_pass(neighbour, msg, sip, tport, listener->transport);
	if (err)
		neighbour_lost(neighbour, strerror(-err));
	nta_msg_discard(neighbour->endpoint->agent, msg);
}

bool neighbour_passes(struct sip_endpoint *endpoint, msg_t *msg, const sip_t *sip, bool known)
{
	struct neighbour *elder, *heir = endpoint->heir;
	tport_t *tport = endpoint->elders || heir
				 ? tport_delivered_by(nta_agent_tports(endpoint->agent), msg)
				 : NULL;
	struct passing_question question = { .kind = kind_of(sip), .known = known };

	if (!tport || !endpoint_listener_of(endpoint, tport))
		return false;
	elder = heir ? NULL : next_elder(endpoint, tport);
	question.heir = heir != NULL;
	question.by_heir = came_by(heir, tport);
	question.gives_back = heir && heir->gives_back;
	question.elder = elder != NULL;
	question.datagram = tport_is_udp(tport);
	question.early = elder && clock_now() - elder->since < EARLY_MS;
	switch (passing_decide(&question)) {
	case PASS_NOT:
		return false;
	case PASS_TO_ELDER:
		pass(elder, msg, sip, tport, false);
		break;
	case PASS_TO_HEIR:
		pass(heir, msg, sip, tport, false);
		break;
	case PASS_BACK:
		pass(heir, msg, sip, tport, true);
		break;
	}
	return true;
}

/* ---- what the other side passes to us ---- */

/* As tls_certificate_names(); NULL: none. */
static char **unpack_names(struct unpack *from)
{
	size_t count = (size_t)unpack_number(from), stride = sizeof(char *);
	char **names, *at;

	if (from->failed || !count || count > NEIGHBOUR_NAMES)
		return NULL;
	names = calloc(1, (count + 1) * stride + count * NAME_ROOM);
	at = names ? (char *)(names + count + 1) : NULL;
	for (size_t i = 0; names && i < count; i++, at += NAME_ROOM) {
		names[i] = at;
		unpack_text(from, at, NAME_ROOM);
	}
	return names;
}

static int take_connection(struct neighbour *neighbour, struct unpack *from, int take_fd)
{
	struct listening *listening = &neighbour->endpoint->listening;
	bool returned = unpack_number(from);
	int transport = (int)unpack_number(from);
	const struct listening_socket *socket;
	struct sockaddr_storage local, peer;
	struct shown *shown = calloc(1, sizeof(*shown));

	unpack_into(from, &local, sizeof(local));
	unpack_into(from, &peer, sizeof(peer));
	tls_given_set_names(unpack_names(from));
	socket = from->failed || take_fd < 0 || !shown
			 ? NULL
			 : listening_find(listening, transport, &local);
	if (socket)
		shown->tport = listening_give(socket, take_fd, &peer);
	else if (take_fd >= 0)
		close(take_fd);
	tls_given_set_names(NULL);
	if (!shown || !shown->tport) {
		free(shown);
		return socket ? 0 : -EPROTO;
	}
	tport_ref(shown->tport);
	shown->returned = returned;
	shown->next = neighbour->shown;
	neighbour->shown = shown;
	return 0;
}

static msg_t *read_datagram(tport_t *tport, const char *bytes, size_t length,
			    const struct sockaddr_storage *peer)
{
	msg_t *msg = tport_msg_alloc(tport, (usize_t)length);
	msg_iovec_t piece;

	if (!msg)
		return NULL;
	if (msg_recv_iovec(msg, &piece, 1, (usize_t)length, 1) != 1) {
		msg_destroy(msg);
		return NULL;
	}
	memcpy(piece.mv_base, bytes, length);
	(void)msg_recv_commit(msg, (usize_t)length, 1);
	memcpy(msg_addr(msg), peer, address_length(peer));
	msg_addrinfo(msg)->ai_addrlen = address_length(peer);
	(void)msg_extract(msg);
	return msg;
}

static int take_datagram(struct neighbour *neighbour, struct unpack *from)
{
	const struct listening_socket *socket;
	struct sockaddr_storage local, peer;
	const char *bytes;
	size_t length;
	bool returned;
	msg_t *msg;

	unpack_into(from, &local, sizeof(local));
	unpack_into(from, &peer, sizeof(peer));
	returned = unpack_number(from);
	bytes = unpack_bytes(from, &length);
	if (from->failed || !length)
		return -EPROTO;
	socket = listening_find(&neighbour->endpoint->listening, SIP_TRANSPORT_UDP, &local);
	msg = socket ? read_datagram(socket->tport, bytes, length, &peer) : NULL;
	if (!msg) {
		neighbour_lost(neighbour, "no UDP socket, or no memory");
		return 0;
	}
	neighbour->delivering = true;
	neighbour->returned = returned;
	tport_deliver(socket->tport, msg, NULL, NULL, su_now());
	neighbour->delivering = neighbour->returned = false;
	return 0;
}

int neighbour_take(struct neighbour *neighbour, struct fd_frame *frame)
{
	struct unpack from = unpack_begin(frame);

	switch (unpack_number(&from)) {
	case NEIGHBOUR_CONNECTION:
		return take_connection(neighbour, &from, fd_frame_take(frame));
	case NEIGHBOUR_DATAGRAM:
		return take_datagram(neighbour, &from);
	default:
		return -EPROTO;
	}
}

/* ---- the two as a whole ---- */

void neighbour_show(struct neighbour *neighbour, const char *hop)
{
	struct sip_endpoint *endpoint = neighbour->endpoint;
	su_home_t home[1] = { SU_HOME_INIT(home) };
	const url_t *url = url_make(home, hop);
	const struct listener *listener;
	struct mirror *mirror;
	tp_name_t name = { 0 };
	tport_t *tport;

	if (url && tport_name_by_url(home, &name, (const url_string_t *)url) == 0) {
		tport = tport_by_name(nta_agent_tports(endpoint->agent), &name);
		listener = tport && tport_is_secondary(tport)
				   ? endpoint_listener_of(endpoint, tport)
				   : NULL;
		if (listener && !mirror_of(neighbour, tport)) {
			if (mirror_create(&mirror, neighbour, tport, listener->transport) < 0)
				neighbour_lost(neighbour, "a device's connection cannot be shared");
			else
				mirror->heir = neighbour->heirs;
		}
	}
	su_home_deinit(home);
}

static void on_sweep(struct timer *timer, void *arg)
{
	struct neighbour *neighbour = arg;

	mirror_sweep(neighbour);
	for (struct shown **link = &neighbour->shown; *link;) {
		struct shown *at = *link;

		if (!tport_is_closed(at->tport)) {
			link = &at->next;
			continue;
		}
		*link = at->next;
		tport_unref(at->tport);
		free(at);
	}
	timer_start(endpoint_wheel(neighbour->endpoint), timer, clock_now() + SWEEP_MS);
}

int neighbour_create(struct neighbour **ret_neighbour, struct sip_endpoint *endpoint,
		     enum neighbour_side side, int link)
{
	struct neighbour *neighbour = calloc(1, sizeof(*neighbour));
	mono_ms now = clock_now();

	if (!neighbour)
		return -ENOMEM;
	*neighbour = (struct neighbour){
		.endpoint = endpoint, .side = side, .link = link, .since = now
	};
	timer_init(&neighbour->sweep, on_sweep, neighbour);
	timer_start(endpoint_wheel(endpoint), &neighbour->sweep, now + SWEEP_MS);
	if (side == NEIGHBOUR_ELDER) {
		struct neighbour **last = &endpoint->elders;

		while (*last)
			last = &(*last)->next;
		*last = neighbour;
	} else {
		neighbour->gives_back = endpoint->elders != NULL;
		neighbour->heirs = 1;
		endpoint->heir = neighbour;
	}
	*ret_neighbour = neighbour;
	return 0;
}

void neighbour_leave(struct neighbour *neighbour)
{
	neighbour->link = -1;
}

void neighbour_renew(struct neighbour *neighbour)
{
	neighbour->heirs++;
}

struct neighbour *neighbour_destroy(struct neighbour *neighbour)
{
	if (!neighbour)
		return NULL;
	if (neighbour->side == NEIGHBOUR_HEIR) {
		neighbour->endpoint->heir = NULL;
	} else {
		struct neighbour **at = &neighbour->endpoint->elders;

		while (*at != neighbour)
			at = &(*at)->next;
		*at = neighbour->next;
	}
	timer_cancel(&neighbour->sweep);
	while (neighbour->mirrors)
		mirror_close(neighbour->mirrors);
	while (neighbour->shown) {
		struct shown *shown = neighbour->shown;

		neighbour->shown = shown->next;
		tport_unref(shown->tport);
		free(shown);
	}
	free(neighbour);
	return NULL;
}
