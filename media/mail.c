/* SPDX-License-Identifier: Apache-2.0 */
/* mail.c - what handles and media threads write each other. */
#include <stdlib.h>
#include <string.h>
#include "base/log.h"
#include "media/media_private.h"

void media_shared_free(struct shared *shared)
{
	if (!shared)
		return;
	dtls_identity_unref(shared->identity);
	servers_unref(shared->servers);
	free(shared);
}

struct shared *media_shared_ref(struct shared *shared)
{
	atomic_fetch_add_explicit(&shared->references, 1, memory_order_relaxed);
	return shared;
}

void media_shared_unref(struct shared *shared)
{
	if (shared && atomic_fetch_sub_explicit(&shared->references, 1, memory_order_acq_rel) == 1)
		media_shared_free(shared);
}

static void on_event_news(struct mail *mail, void *receiver);

void media_tell(const struct media_event *event, bool offered, void *arg)
{
	struct shared *shared = arg;
	const char *text = event->sdp ? event->sdp : event->reason;
	struct news *news = calloc(1, sizeof(*news));

	if (news && text)
		news->text = strdup(text);
	if (!news || (text && !news->text)) {
		log_error("media", "event lost type=%d: out of memory", event->type);
		free(news);
		return;
	}
	news->mail.deliver = on_event_news;
	news->ticket = shared->ticket;
	news->event = *event;
	news->offered = offered;
	news->event.sdp = event->sdp ? news->text : NULL;
	news->event.reason = event->reason ? news->text : NULL;
	mailbox_post(shared->inbox, &news->mail);
}

/* An SDP may hold keys. */
static void wipe(char *text)
{
	if (text)
		explicit_bzero(text, strlen(text));
}

void media_request_free(struct request *request)
{
	wipe(request->sdp);
	media_shared_unref(request->goes_on[MEDIA_A]);
	media_shared_unref(request->goes_on[MEDIA_B]);
	free(request->sdp);
	free(request->setup);
	free(request);
}

struct request *media_request_create(struct shared *shared, mail_fn *deliver, enum media_side side)
{
	struct request *request = calloc(1, sizeof(*request));

	if (!request)
		return NULL;
	request->mail.deliver = deliver;
	request->shared = shared;
	request->side = side;
	return request;
}

/* Streams of another session of this thread. */
static void take_streams(const struct request *request)
{
	for (unsigned side = 0; side < 2; side++) {
		const struct shared *other = request->goes_on[side];

		if (other && other->session && request->setup->kind[side] != MEDIA_LEG_LOCAL)
			request->setup->sender[side] =
				session_sender(other->session, request->goes_on_side[side]);
	}
}

void media_on_create(struct mail *mail, void *receiver)
{
	struct request *request = CONTAINER_OF(mail, struct request, mail);
	int err;

	(void)receiver;
	take_streams(request);
	err = session_create(&request->shared->session, request->setup);
	if (err)
		log_error("media", "session=%s not created err=%d", request->setup->name, err);
	media_request_free(request);
}

/* A session that could not be made refuses what it is given. */
static struct session *session_of(const struct request *request)
{
	const struct media_event event = { .type = MEDIA_EV_REFUSED,
					   .side = request->side,
					   .status = 503,
					   .reason = "no media resources for this call" };

	if (!request->shared->session)
		media_tell(&event, /* offered= */ false, request->shared);
	return request->shared->session;
}

void media_on_offer(struct mail *mail, void *receiver)
{
	struct request *request = CONTAINER_OF(mail, struct request, mail);
	struct session *session = session_of(request);

	(void)receiver;
	if (session)
		session_offer(session, request->side, request->sdp);
	media_request_free(request);
}

void media_on_answer(struct mail *mail, void *receiver)
{
	struct request *request = CONTAINER_OF(mail, struct request, mail);
	struct session *session = session_of(request);

	(void)receiver;
	if (session)
		session_answer(session, request->side, request->sdp);
	media_request_free(request);
}

void media_on_start(struct mail *mail, void *receiver)
{
	struct request *request = CONTAINER_OF(mail, struct request, mail);
	struct session *session = session_of(request);

	(void)receiver;
	if (session)
		session_start(session, request->side);
	media_request_free(request);
}

void media_on_record(struct mail *mail, void *receiver)
{
	struct request *request = CONTAINER_OF(mail, struct request, mail);

	(void)receiver;
	if (request->shared->session)
		session_record(request->shared->session, request->recording);
	else
		recording_close(request->recording, /* keep= */ false, "");
	media_request_free(request);
}

void media_on_near(struct mail *mail, void *receiver)
{
	struct request *request = CONTAINER_OF(mail, struct request, mail);

	(void)receiver;
	if (request->shared->session)
		session_near(request->shared->session, request->side, request->sdp);
	media_request_free(request);
}

void media_on_established(struct mail *mail, void *receiver)
{
	struct request *request = CONTAINER_OF(mail, struct request, mail);

	(void)receiver;
	if (request->shared->session)
		session_established(request->shared->session);
	media_request_free(request);
}

void media_on_rollback(struct mail *mail, void *receiver)
{
	struct request *request = CONTAINER_OF(mail, struct request, mail);

	(void)receiver;
	if (request->shared->session)
		session_rollback(request->shared->session);
	media_request_free(request);
}

void media_on_digit(struct mail *mail, void *receiver)
{
	struct request *request = CONTAINER_OF(mail, struct request, mail);

	(void)receiver;
	if (request->shared->session)
		session_digit(request->shared->session, request->side, request->digit,
			      request->digit_ms);
	media_request_free(request);
}

void media_on_wait(struct mail *mail, void *receiver)
{
	struct request *request = CONTAINER_OF(mail, struct request, mail);

	(void)receiver;
	if (request->shared->session)
		session_wait(request->shared->session, request->side, request->when,
			     request->sound);
	else
		media_sound_unref(request->sound);
	media_request_free(request);
}

/* What of a setup its local side takes. */
void media_drop_local(struct session_setup *setup)
{
	free(setup->local_offer);
	media_sound_unref(setup->local.sound);
	recording_close(setup->recording, /* keep= */ false, "");
}

/* A turn that found no session. */
static void drop_setup(struct session_setup *setup)
{
	media_drop_local(setup);
	session_close_fds(setup, MEDIA_B);
}

static void on_closed_news(struct mail *mail, void *receiver);

/* The ports in `closed` are free again. */
static void tell_closed(struct news *closed, struct shared *shared)
{
	closed->mail.deliver = on_closed_news;
	mailbox_post(shared->inbox, &closed->mail);
}

void media_on_turn(struct mail *mail, void *receiver)
{
	struct request *request = CONTAINER_OF(mail, struct request, mail);
	struct shared *shared = request->shared;
	struct session *session = session_of(request);
	struct news *news = calloc(1, sizeof(*news));

	(void)receiver;
	if (session)
		session_turn(session, request->setup);
	else
		drop_setup(request->setup);
	if (news) {
		news->ports[MEDIA_B] = shared->ports[MEDIA_B];
		news->pair[MEDIA_B] = shared->pair[MEDIA_B];
		tell_closed(news, shared);
	} else {
		log_error("media", "ports lost: out of memory");
	}
	shared->ports[MEDIA_B] = request->port;
	shared->pair[MEDIA_B] = leg_has_sockets(request->setup->kind[MEDIA_B]);
	media_request_free(request);
}

void media_on_destroy(struct mail *mail, void *receiver)
{
	struct request *request = CONTAINER_OF(mail, struct request, mail);
	struct shared *shared = request->shared;
	struct news *news = calloc(1, sizeof(*news));

	(void)receiver;
	shared->session = session_destroy(shared->session);
	if (news) {
		memcpy(news->ports, shared->ports, sizeof(news->ports));
		memcpy(news->pair, shared->pair, sizeof(news->pair));
		tell_closed(news, shared);
	} else {
		log_error("media", "ports lost: out of memory");
	}
	media_shared_unref(shared);
	media_request_free(request);
}

/* ---- the caller's end ---- */

void media_news_free(struct mail *mail)
{
	struct news *news = CONTAINER_OF(mail, struct news, mail);

	wipe(news->text);
	free(news->text);
	free(news);
}

void media_give_ports(struct media_engine *engine, const uint16_t ports[2], const bool pair[2])
{
	for (unsigned side = 0; side < 2; side++)
		if (ports[side] != 0)
			ports_give(engine->ports, ports[side], pair[side] ? 2 : 1);
}

static void on_closed_news(struct mail *mail, void *receiver)
{
	struct news *news = CONTAINER_OF(mail, struct news, mail);

	media_give_ports(receiver, news->ports, news->pair);
	media_news_free(mail);
}

/* Follows what the media thread decided. */
static void note_event(struct media_session *session, const struct news *news)
{
	const struct media_event *event = &news->event;

	if (event->type == MEDIA_EV_ANSWER && session->state == EXCHANGE_OFFERED) {
		session->state = EXCHANGE_ANSWERED;
	} else if (event->type == MEDIA_EV_REFUSED && event->side == session->offerer) {
		session->state = session->before;
		session->offerer = session->offerer_before;
	} else if (event->type == MEDIA_EV_REFUSED && news->offered) {
		session->state = EXCHANGE_OFFERED; /* a better answer may come */
	}
}

static void on_event_news(struct mail *mail, void *receiver)
{
	struct news *news = CONTAINER_OF(mail, struct news, mail);
	struct media_engine *engine = receiver;
	struct media_session *session = ticket_find(engine->tickets, news->ticket);

	if (session) {
		note_event(session, news);
		session->on_event(session, &news->event, session->arg);
		/* `session` may be gone */
	}
	media_news_free(mail);
}
