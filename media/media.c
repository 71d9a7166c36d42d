/* SPDX-License-Identifier: Apache-2.0 */
/* The caller's half of the room: handles, ports, and mail to and from the
 * media threads. session.c is the other half. */
#include "media/media.h"
#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include "base/log.h"
#include "base/mailbox.h"
#include "base/metrics.h"
#include "base/ticket.h"
#include "media/digits.h"
#include "media/dtls.h"
#include "media/hub.h"
#include "media/lite.h"
#include "media/local.h"
#include "media/ports.h"
#include "media/servers.h"
#include "media/session.h"
#include "media/sounds.h"
#include "media/srtp.h"
#include "media/worker.h"

#define THREADS_MAX 64
#define IDENTITY_MS (24 * 3600 * 1000) /* a certificate of our own serves new sessions */

static struct metric sessions_gauge =
	METRIC_GAUGE_INIT("breakout_media_sessions", NULL, "Media sessions that exist.");

struct media_engine {
	struct net_hosts hosts; /* the first serves those that have one address */
	unsigned rtp_timeout_s, hold_timeout_s, opus_complexity;
	struct ports *ports;
	struct dtls_identity *identity; /* of new sessions: pinned or made here, */
	bool pinned;
	mono_ms renew_ms;            /* and then replaced after a day */
	struct ice_servers *servers; /* of new sessions; NULL: none */
	struct recorder *recorder;
	struct media_sound *ringback; /* NULL: nobody has heard it yet */
	struct mailbox *inbox;        /* news from the media threads */
	struct ticket_table *tickets; /* of handles */
	struct worker *workers[THREADS_MAX];
	struct lite *lites[THREADS_MAX]; /* of each worker; NULL: full agents */
	struct hub *hubs[THREADS_MAX];   /* of each worker; NULL: none was wanted yet */
	unsigned worker_count, next_worker;
};

/* Shared by a handle and its session, which end independently of each other.
 * References: the handle's and the media thread's. */
struct shared {
	atomic_uint references;
	struct receipt receipts[2];
	/* The media thread's: */
	struct session *session;        /* NULL: could not be made, or ended */
	struct mailbox *inbox;          /* borrowed: the engine outlives its sessions */
	struct ticket ticket;           /* of the handle */
	struct dtls_identity *identity; /* what this session shows */
	struct ice_servers *servers;    /* what it asks */
	uint16_t ports[2];              /* taken for each side, 0: none */
	bool pair[2];                   /* two ports from there on */
};

enum exchange_state {
	EXCHANGE_NONE,    /* no offer yet */
	EXCHANGE_OFFERED, /* an offer waits for its answer */
	EXCHANGE_ANSWERED
};

/* What the caller holds. It follows offer and answer so that a call out of
 * order is refused at once. */
struct media_session {
	struct media_engine *engine; /* borrowed */
	struct worker *worker;       /* borrowed; the session's for life */
	struct lite *lite;           /* its port; NULL: full agents */
	struct hub **hub;            /* where the worker's is, or will be */
	struct shared *shared;
	struct ticket ticket;
	struct request *farewell; /* made at creation: destroy cannot fail */
	enum media_leg_kind kind[2];
	enum exchange_state state, before; /* before: what a rollback returns to */
	enum media_side offerer, offerer_before;
	media_event_fn *on_event;
	void *arg;
};

/* Caller to media thread. */
struct request {
	struct mail mail;
	struct shared *shared;
	enum media_side side;
	char *sdp;                   /* owned */
	struct session_setup *setup; /* owned; only to create and to turn */
	uint16_t port;               /* of the new side B; only to turn */
	char digit;
	unsigned digit_ms;
	struct recording *recording; /* taken; only to record */
	enum media_wait when;        /* only to wait, */
	struct media_sound *sound;   /* with this: taken */
};

/* Media thread to caller. */
struct news {
	struct mail mail;
	struct ticket ticket;
	struct media_event event; /* its texts are owned */
	char *text;
	bool offered;      /* an offer waits for its answer */
	uint16_t ports[2]; /* of a closed session, to be given back */
	bool pair[2];
};

static void shared_free(struct shared *shared)
{
	if (!shared)
		return;
	dtls_identity_unref(shared->identity);
	servers_unref(shared->servers);
	free(shared);
}

static void shared_unref(struct shared *shared)
{
	if (atomic_fetch_sub_explicit(&shared->references, 1, memory_order_acq_rel) == 1)
		shared_free(shared);
}

static enum media_side other(enum media_side side)
{
	return side == MEDIA_A ? MEDIA_B : MEDIA_A;
}

/* ---- the media thread's end of the mail ---- */

static void on_event_news(struct mail *mail, void *receiver);

static void tell(const struct media_event *event, bool offered, void *arg)
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

static void request_free(struct request *request)
{
	wipe(request->sdp);
	free(request->sdp);
	free(request->setup);
	free(request);
}

static void on_create(struct mail *mail, void *receiver)
{
	struct request *request = CONTAINER_OF(mail, struct request, mail);
	int err;

	(void)receiver;
	err = session_create(&request->shared->session, request->setup);
	if (err)
		log_error("media", "session=%s not created err=%d", request->setup->name, err);
	request_free(request);
}

/* A session that could not be made refuses what it is given. */
static struct session *session_of(const struct request *request)
{
	const struct media_event event = { .type = MEDIA_EV_REFUSED,
					   .side = request->side,
					   .status = 503,
					   .reason = "no media resources for this call" };

	if (!request->shared->session)
		tell(&event, /* offered= */ false, request->shared);
	return request->shared->session;
}

static void on_offer(struct mail *mail, void *receiver)
{
	struct request *request = CONTAINER_OF(mail, struct request, mail);
	struct session *session = session_of(request);

	(void)receiver;
	if (session)
		session_offer(session, request->side, request->sdp);
	request_free(request);
}

static void on_answer(struct mail *mail, void *receiver)
{
	struct request *request = CONTAINER_OF(mail, struct request, mail);
	struct session *session = session_of(request);

	(void)receiver;
	if (session)
		session_answer(session, request->side, request->sdp);
	request_free(request);
}

static void on_start(struct mail *mail, void *receiver)
{
	struct request *request = CONTAINER_OF(mail, struct request, mail);
	struct session *session = session_of(request);

	(void)receiver;
	if (session)
		session_start(session, request->side);
	request_free(request);
}

static void on_record(struct mail *mail, void *receiver)
{
	struct request *request = CONTAINER_OF(mail, struct request, mail);

	(void)receiver;
	if (request->shared->session)
		session_record(request->shared->session, request->recording);
	else
		recording_close(request->recording, /* keep= */ false, "");
	request_free(request);
}

static void on_established(struct mail *mail, void *receiver)
{
	struct request *request = CONTAINER_OF(mail, struct request, mail);

	(void)receiver;
	if (request->shared->session)
		session_established(request->shared->session);
	request_free(request);
}

static void on_rollback(struct mail *mail, void *receiver)
{
	struct request *request = CONTAINER_OF(mail, struct request, mail);

	(void)receiver;
	if (request->shared->session)
		session_rollback(request->shared->session);
	request_free(request);
}

static void on_digit(struct mail *mail, void *receiver)
{
	struct request *request = CONTAINER_OF(mail, struct request, mail);

	(void)receiver;
	if (request->shared->session)
		session_digit(request->shared->session, request->side, request->digit,
			      request->digit_ms);
	request_free(request);
}

static void on_wait(struct mail *mail, void *receiver)
{
	struct request *request = CONTAINER_OF(mail, struct request, mail);

	(void)receiver;
	if (request->shared->session)
		session_wait(request->shared->session, request->side, request->when,
			     request->sound);
	else
		media_sound_unref(request->sound);
	request_free(request);
}

static void on_closed_news(struct mail *mail, void *receiver);

/* What of a setup its local side takes. */
static void drop_local(struct session_setup *setup)
{
	free(setup->local_offer);
	media_sound_unref(setup->local.sound);
	recording_close(setup->recording, /* keep= */ false, "");
}

/* A turn that found no session. */
static void drop_setup(struct session_setup *setup)
{
	drop_local(setup);
	if (session_has_fds(setup, MEDIA_B)) {
		close(setup->fds[MEDIA_B][0]);
		close(setup->fds[MEDIA_B][1]);
	}
}

/* The ports in `closed` are free again. */
static void tell_closed(struct news *closed, struct shared *shared)
{
	closed->mail.deliver = on_closed_news;
	mailbox_post(shared->inbox, &closed->mail);
}

static void on_turn(struct mail *mail, void *receiver)
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
	request_free(request);
}

static void on_destroy(struct mail *mail, void *receiver)
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
	shared_unref(shared);
	request_free(request);
}

/* ---- the caller's end ---- */

static void news_free(struct mail *mail)
{
	struct news *news = CONTAINER_OF(mail, struct news, mail);

	wipe(news->text);
	free(news->text);
	free(news);
}

static void give_ports(struct media_engine *engine, const uint16_t ports[2], const bool pair[2])
{
	for (unsigned side = 0; side < 2; side++)
		if (ports[side] != 0)
			ports_give(engine->ports, ports[side], pair[side] ? 2 : 1);
}

static void on_closed_news(struct mail *mail, void *receiver)
{
	struct news *news = CONTAINER_OF(mail, struct news, mail);

	give_ports(receiver, news->ports, news->pair);
	news_free(mail);
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
	news_free(mail);
}

static int check_bindable(const union net_address *address)
{
	int fd = socket(address->any.sa_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	int err = 0;

	if (fd < 0)
		return -errno;
	if (bind(fd, &address->any, net_size(address)))
		err = -EINVAL;
	close(fd);
	return err;
}

static int add_host(struct net_hosts *hosts, const char *address, const char *advertised)
{
	union net_address *own = &hosts->own[hosts->count], *told = &hosts->told[hosts->count];

	if (hosts->count == NET_HOSTS_MAX || !address || net_parse(address, 0, own) ||
	    net_parse(advertised ? advertised : address, 0, told) ||
	    own->any.sa_family != told->any.sa_family)
		return -EINVAL;
	hosts->count++;
	return check_bindable(own);
}

static int read_hosts(const struct media_engine_options *options, struct net_hosts *ret_hosts)
{
	int err;

	memset(ret_hosts, 0, sizeof(*ret_hosts));
	err = add_host(ret_hosts, options->address, options->advertised);
	for (unsigned i = 0; !err && i < options->other_count; i++)
		err = add_host(ret_hosts, options->others[i].address,
			       options->others[i].advertised);
	return err;
}

static int start_crypto(struct media_engine *engine)
{
	const char *why;
	int err = srtp_start(&why);

	if (err) {
		log_error("media", "crypto self-test failed in %s: media cannot be served", why);
		return err;
	}
	if (engine->pinned)
		return 0;
	err = dtls_identity_create(&engine->identity, NULL);
	if (err)
		log_error("media", "OpenSSL made no certificate for DTLS: check its configuration");
	engine->renew_ms = clock_now() + IDENTITY_MS;
	return err;
}

/* One port for all that the worker serves; it is never given back. */
static int start_lite(struct media_engine *engine, unsigned index)
{
	union net_address address = engine->hosts.own[0];
	uint16_t port;
	int err = ports_take(engine->ports, &address, 1, &port);

	if (err)
		return err;
	net_set_port(&address, port);
	return lite_create(&engine->lites[index], engine->workers[index], &address);
}

static int start_workers(struct media_engine *engine, const struct media_engine_options *options)
{
	const struct processors *cpus = &options->cpus;
	int err = 0;

	for (unsigned i = 0; !err && i < options->threads; i++) {
		err = worker_create(&engine->workers[i], i,
				    cpus->count ? cpus->numbers[i % cpus->count] : WORKER_ANYWHERE);
		if (err)
			break;
		engine->worker_count++;
		if (options->ice_lite)
			err = start_lite(engine, i);
	}
	return err;
}

mono_ms media_engine_beat(const struct media_engine *engine)
{
	mono_ms slowest = clock_now();

	for (unsigned i = 0; i < engine->worker_count; i++) {
		mono_ms beat = worker_beat(engine->workers[i]);

		slowest = beat < slowest ? beat : slowest;
	}
	return slowest;
}

int media_engine_create(struct media_engine **ret_engine,
			const struct media_engine_options *options)
{
	struct media_engine *engine;
	struct net_hosts hosts;
	int err;

	if (options->threads == 0 || options->threads > THREADS_MAX || read_hosts(options, &hosts))
		return -EINVAL;
	engine = calloc(1, sizeof(*engine));
	if (!engine)
		return -ENOMEM;
	engine->hosts = hosts;
	engine->rtp_timeout_s = options->rtp_timeout_s;
	engine->hold_timeout_s = options->hold_timeout_s;
	engine->opus_complexity = options->opus_complexity;
	if (options->identity)
		media_engine_use_identity(engine, options->identity);
	err = ports_create(&engine->ports, options->port_min, options->port_max);
	if (!err)
		err = start_crypto(engine);
	if (!err)
		err = mailbox_create(&engine->inbox, engine);
	if (!err)
		err = ticket_table_create(&engine->tickets);
	if (!err)
		err = recorder_create(&engine->recorder);
	if (!err)
		err = start_workers(engine, options);
	if (!err)
		media_engine_use_servers(engine, options->servers);
	if (err) {
		media_engine_destroy(engine);
		return err;
	}
	*ret_engine = engine;
	return 0;
}

struct media_engine *media_engine_destroy(struct media_engine *engine)
{
	if (!engine)
		return NULL;
	for (unsigned i = 0; i < engine->worker_count; i++)
		worker_destroy(engine->workers[i]);
	for (unsigned i = 0; i < engine->worker_count; i++)
		lite_destroy(engine->lites[i]);
	for (unsigned i = 0; i < engine->worker_count; i++)
		hub_destroy(engine->hubs[i]);
	recorder_destroy(engine->recorder);
	media_sound_unref(engine->ringback);
	mailbox_destroy(engine->inbox, news_free);
	ticket_table_destroy(engine->tickets);
	dtls_identity_unref(engine->identity);
	media_engine_use_servers(engine, NULL);
	ports_destroy(engine->ports);
	free(engine);
	return NULL;
}

int media_recover(struct media_engine *engine, const char *folder)
{
	return recorder_recover(engine->recorder, folder);
}

int media_keep(struct media_engine *engine, const char *folder, unsigned days)
{
	return recorder_keep(engine->recorder, folder, days);
}

int media_engine_fd(const struct media_engine *engine)
{
	return mailbox_fd(engine->inbox);
}

void media_engine_drain(struct media_engine *engine)
{
	(void)mailbox_drain(engine->inbox, 0);
}

static struct request *request_create(struct shared *shared, mail_fn *deliver, enum media_side side)
{
	struct request *request = calloc(1, sizeof(*request));

	if (!request)
		return NULL;
	request->mail.deliver = deliver;
	request->shared = shared;
	request->side = side;
	return request;
}

static int start_hub(struct media_engine *engine, struct worker *worker, struct hub **ret_hub)
{
	union net_address address = engine->hosts.own[0];
	uint16_t port;
	int fds[2], err = ports_take_pair(engine->ports, &address, &port, fds);

	if (err)
		return err;
	net_set_port(&address, port);
	return hub_create(ret_hub, worker, &address, fds);
}

static int take_seat(struct media_session *session, struct session_setup *setup,
		     enum media_side side)
{
	int err = 0;

	if (!*session->hub)
		err = start_hub(session->engine, session->worker, session->hub);
	if (err)
		return err;
	setup->hub[side] = *session->hub;
	setup->address[side] = *hub_address(*session->hub);
	return 0;
}

/* Behind a port for all there is none to take. */
static int take_port(struct media_session *session, struct session_setup *setup,
		     enum media_side side, uint16_t *ret_port)
{
	struct media_engine *engine = session->engine;
	bool webrtc = setup->kind[side] == MEDIA_LEG_WEBRTC;
	int err = 0;

	setup->address[side] = engine->hosts.own[0];
	if (webrtc && setup->lite)
		setup->address[side] = *lite_address(setup->lite);
	else if (webrtc)
		err = ports_take(engine->ports, engine->hosts.own, engine->hosts.count, ret_port);
	else if (leg_has_sockets(setup->kind[side]) && setup->rules.side[side].shared_port)
		err = take_seat(session, setup, side);
	else if (leg_has_sockets(setup->kind[side]))
		err = ports_take_pair(engine->ports, &engine->hosts.own[0], ret_port,
				      setup->fds[side]);
	if (*ret_port)
		net_set_port(&setup->address[side], *ret_port);
	return err;
}

static int take_ports(struct media_session *session, struct session_setup *setup)
{
	struct shared *shared = session->shared;
	int err = 0;

	for (unsigned side = 0; side < 2 && !err; side++) {
		shared->pair[side] = leg_has_sockets(setup->kind[side]);
		err = take_port(session, setup, (enum media_side)side, &shared->ports[side]);
	}
	return err;
}

static void give_back(struct media_engine *engine, struct shared *shared,
		      struct session_setup *setup)
{
	for (unsigned side = 0; side < 2; side++) {
		if (shared->ports[side] == 0 || !shared->pair[side])
			continue;
		close(setup->fds[side][0]);
		close(setup->fds[side][1]);
	}
	give_ports(engine, shared->ports, shared->pair);
}

/* "o=- 1234 5 IN IP4 ...": ours, as sdp_write() writes it. */
static void read_origin(const char *sdp, struct sdp_origin *ret_origin)
{
	static const char start[] = "o=- ";
	const char *line = strstr(sdp, start);
	char *end;

	if (!line)
		return;
	ret_origin->session_id = strtoull(line + sizeof(start) - 1, &end, 10);
	ret_origin->version = strtoull(end, NULL, 10) + 1;
}

static int fill_local(struct session_setup *setup, struct media_engine *engine,
		      const struct media_local *local, const char *const *codecs, unsigned count)
{
	setup->local = *local;
	setup->local.recording = NULL; /* setup->recording knows */
	media_sound_ref(setup->local.sound);
	setup->local_offer = calloc(1, sizeof(*setup->local_offer));
	if (!setup->local_offer)
		return -ENOMEM;
	setup->local_offer->direction = SDP_SENDRECV;
	setup->local_offer->ptime = LOCAL_FRAME_MS;
	if (local->recording) {
		int err = recording_create(&setup->recording, engine->recorder, local->recording);

		if (err)
			return err;
	}
	return local_codecs(codecs, count, setup->local_offer);
}

/* A quarter of a millisecond a day. One that cannot be made leaves the old. */
static void renew_identity(struct media_engine *engine)
{
	struct dtls_identity *fresh;

	if (engine->pinned || clock_now() < engine->renew_ms)
		return;
	engine->renew_ms = clock_now() + IDENTITY_MS;
	if (dtls_identity_create(&fresh, NULL)) {
		log_error("media", "OpenSSL made no new certificate for DTLS: the old one stays");
		return;
	}
	dtls_identity_unref(engine->identity);
	engine->identity = fresh;
}

void media_engine_use_identity(struct media_engine *engine, struct dtls_identity *identity)
{
	if (identity) {
		dtls_identity_unref(engine->identity);
		engine->identity = dtls_identity_ref(identity);
	} else if (engine->pinned) {
		engine->renew_ms = 0; /* with the next session */
	}
	engine->pinned = identity != NULL;
}

void media_engine_use_servers(struct media_engine *engine, struct ice_servers *servers)
{
	struct ice_servers *before = engine->servers;

	if (servers && servers_start(servers, &engine->hosts.own[0], before))
		log_error("media",
			  "no thread to ask STUN and TURN servers: calls use them unasked");
	engine->servers = servers_ref(servers);
	if (before)
		servers_stop(before);
	servers_unref(before);
}

/* One that replaces another shows a certificate nobody has seen, even where one
 * is pinned: with the same a peer would keep the keys of the old association. */
static int take_identity(struct media_engine *engine, bool replaces,
			 struct dtls_identity **ret_identity)
{
	if (replaces)
		return dtls_identity_create(ret_identity, NULL);
	renew_identity(engine);
	*ret_identity = dtls_identity_ref(engine->identity);
	return 0;
}

static int fill_setup(struct session_setup *setup, struct media_engine *engine,
		      struct shared *shared, const struct media_session_options *options)
{
	int err = take_identity(engine, options->replaces, &shared->identity);

	if (err)
		return err;
	memcpy(setup->kind, options->kind, sizeof(setup->kind));
	setup->identity = shared->identity;
	setup->servers = shared->servers = servers_ref(engine->servers);
	for (unsigned side = 0; side < 2; side++)
		if (options->before[side])
			read_origin(options->before[side], &setup->origin[side]);
	setup->hosts = &engine->hosts;
	setup->receipts = shared->receipts;
	setup->rtp_timeout_s = engine->rtp_timeout_s;
	setup->hold_timeout_s = engine->hold_timeout_s;
	setup->opus_complexity = engine->opus_complexity;
	memcpy(setup->rules.side, options->rules, sizeof(setup->rules.side));
	setup->steps = options->steps;
	setup->tell = tell;
	setup->arg = shared;
	if (options->name)
		strncpy(setup->name, options->name, sizeof(setup->name) - 1);
	if (options->kind[MEDIA_A] != MEDIA_LEG_LOCAL && options->kind[MEDIA_B] != MEDIA_LEG_LOCAL)
		return 0;
	return fill_local(setup, engine, &options->local, options->codecs, options->codec_count);
}

static bool options_fine(const struct media_session_options *options)
{
	for (unsigned side = 0; side < 2; side++)
		if (options->kind[side] < MEDIA_LEG_WEBRTC || options->kind[side] > MEDIA_LEG_LOCAL)
			return false;
	return options->on_event && (options->kind[MEDIA_A] != MEDIA_LEG_LOCAL ||
				     options->kind[MEDIA_B] != MEDIA_LEG_LOCAL);
}

static void choose_worker(struct media_session *session, struct session_setup *setup)
{
	struct media_engine *engine = session->engine;
	unsigned index = engine->next_worker++ % engine->worker_count;

	session->worker = setup->worker = engine->workers[index];
	session->lite = setup->lite = engine->lites[index];
	session->hub = &engine->hubs[index];
}

/* Sends the session to its thread; what can fail has been done before. */
static void launch(struct media_session *session, struct request *create)
{
	struct media_engine *engine = session->engine;

	session->shared->inbox = engine->inbox;
	session->shared->ticket = session->ticket;
	atomic_store_explicit(&session->shared->references, 2, memory_order_relaxed);
	worker_post(session->worker, &create->mail);
	metric_add(&sessions_gauge, 1);
}

int media_session_create(struct media_session **ret_session, struct media_engine *engine,
			 const struct media_session_options *options)
{
	struct media_session *session;
	struct request *create = NULL;
	int err = -ENOMEM;

	if (!options_fine(options))
		return -EINVAL;
	session = calloc(1, sizeof(*session));
	if (!session)
		return -ENOMEM;
	session->engine = engine;
	session->on_event = options->on_event;
	session->arg = options->arg;
	memcpy(session->kind, options->kind, sizeof(session->kind));
	session->shared = calloc(1, sizeof(*session->shared));
	session->farewell = request_create(session->shared, on_destroy, MEDIA_A);
	create = request_create(session->shared, on_create, MEDIA_A);
	if (create)
		create->setup = calloc(1, sizeof(*create->setup));
	if (!session->shared || !session->farewell || !create || !create->setup)
		goto fail;
	choose_worker(session, create->setup);
	err = fill_setup(create->setup, engine, session->shared, options);
	if (!err)
		err = take_ports(session, create->setup);
	if (!err)
		err = ticket_issue(engine->tickets, session, &session->ticket);
	if (err)
		goto give_back;
	launch(session, create);
	*ret_session = session;
	return 0;

give_back:
	give_back(engine, session->shared, create->setup);
	drop_local(create->setup);
fail:
	if (create)
		request_free(create);
	if (session->farewell)
		request_free(session->farewell);
	shared_free(session->shared);
	free(session);
	return err;
}

struct media_session *media_session_destroy(struct media_session *session)
{
	if (!session)
		return NULL;
	ticket_revoke(session->engine->tickets, session->ticket);
	worker_post(session->worker, &session->farewell->mail);
	shared_unref(session->shared);
	free(session);
	metric_add(&sessions_gauge, -1);
	return NULL;
}

static int post(struct media_session *session, mail_fn *deliver, enum media_side side,
		const char *sdp)
{
	struct request *request = request_create(session->shared, deliver, side);

	if (request && sdp)
		request->sdp = strdup(sdp);
	if (!request || (sdp && !request->sdp)) {
		free(request);
		return -ENOMEM;
	}
	worker_post(session->worker, &request->mail);
	return 0;
}

static int open_offer(struct media_session *session, mail_fn *deliver, enum media_side side,
		      enum media_side offerer, const char *sdp)
{
	int err;

	if (session->state == EXCHANGE_OFFERED)
		return -EINVAL;
	err = post(session, deliver, side, sdp);
	if (err)
		return err;
	session->before = session->state;
	session->offerer_before = session->offerer;
	session->state = EXCHANGE_OFFERED;
	session->offerer = offerer;
	return 0;
}

int media_offer(struct media_session *session, enum media_side from, const char *sdp)
{
	if (session->kind[from] == MEDIA_LEG_LOCAL)
		return -EINVAL;
	return open_offer(session, on_offer, from, from, sdp);
}

int media_start(struct media_session *session, enum media_side to)
{
	if (session->kind[other(to)] != MEDIA_LEG_LOCAL)
		return -EINVAL;
	return open_offer(session, on_start, to, other(to), NULL);
}

int media_answer(struct media_session *session, enum media_side from, const char *sdp)
{
	int err;

	if (session->state == EXCHANGE_NONE || session->offerer == from ||
	    session->kind[from] == MEDIA_LEG_LOCAL)
		return -EINVAL;
	err = post(session, on_answer, from, sdp);
	if (!err)
		session->state = EXCHANGE_ANSWERED;
	return err;
}

/* Whether A's offer has been answered and nothing of A's is open. */
static bool may_turn(const struct media_session *session, bool settled)
{
	if (session->kind[MEDIA_A] == MEDIA_LEG_LOCAL)
		return false;
	if (session->state == EXCHANGE_ANSWERED)
		return settled || session->offerer == MEDIA_A;
	return session->state == EXCHANGE_OFFERED && session->before == EXCHANGE_ANSWERED &&
	       session->offerer == MEDIA_A && session->offerer_before == MEDIA_A;
}

static int fill_turn(struct request *request, struct media_session *session,
		     enum media_leg_kind kind, const struct media_local *local,
		     const struct media_codecs *rules)
{
	struct media_engine *engine = session->engine;
	struct session_setup *setup = request->setup;
	int err = 0;

	setup->lite = session->lite;
	setup->rules.side[MEDIA_B] = *rules;
	setup->kind[MEDIA_B] = kind;
	if (kind == MEDIA_LEG_LOCAL)
		err = fill_local(setup, engine, local, NULL, 0);
	if (!err)
		err = take_port(session, setup, MEDIA_B, &request->port);
	if (err)
		drop_local(setup);
	return err;
}

int media_turn(struct media_session *session, enum media_leg_kind kind,
	       const struct media_local *local, const struct media_codecs *rules, bool settled)
{
	struct request *request;
	int err = -ENOMEM;

	if (!may_turn(session, settled))
		return -EINVAL;
	request = request_create(session->shared, on_turn, MEDIA_A);
	if (request)
		request->setup = calloc(1, sizeof(*request->setup));
	if (request && request->setup)
		err = fill_turn(request, session, kind, local, rules);
	if (err) {
		if (request)
			request_free(request);
		return err;
	}
	request->setup->settled = settled;
	worker_post(session->worker, &request->mail);
	session->kind[MEDIA_B] = kind;
	session->state = EXCHANGE_OFFERED;
	session->before = EXCHANGE_ANSWERED;
	session->offerer = session->offerer_before = MEDIA_A;
	return 0;
}

int media_record(struct media_session *session, const struct media_recording *recording)
{
	struct request *request = request_create(session->shared, on_record, MEDIA_A);
	int err = -ENOMEM;

	if (request)
		err = recording_create_call(&request->recording, session->engine->recorder,
					    recording);
	if (err) {
		free(request);
		return err;
	}
	worker_post(session->worker, &request->mail);
	return 0;
}

void media_established(struct media_session *session)
{
	if (post(session, on_established, MEDIA_A, NULL))
		log_error("media", "a peer that does not answer is sent to for the whole call: "
				   "out of memory");
}

void media_rollback(struct media_session *session)
{
	if (session->state != EXCHANGE_OFFERED)
		return;
	if (post(session, on_rollback, MEDIA_A, NULL))
		log_error("media", "rollback lost: out of memory");
	session->state = session->before;
	session->offerer = session->offerer_before;
}

int media_digit(struct media_session *session, enum media_side to, char digit, unsigned ms)
{
	struct request *request;
	uint8_t event;

	if (!digit_event(digit, &event))
		return -EINVAL;
	request = request_create(session->shared, on_digit, to);
	if (!request)
		return -ENOMEM;
	request->digit = digit;
	request->digit_ms = ms;
	worker_post(session->worker, &request->mail);
	return 0;
}

int media_wait(struct media_session *session, enum media_side to, enum media_wait when,
	       struct media_sound *sound)
{
	struct media_engine *engine = session->engine;
	struct request *request;

	if (when != MEDIA_WAIT_NOT && !sound && !engine->ringback &&
	    sound_ringback(&engine->ringback))
		return -ENOMEM;
	request = request_create(session->shared, on_wait, to);
	if (!request)
		return -ENOMEM;
	request->when = when;
	if (when != MEDIA_WAIT_NOT)
		request->sound = media_sound_ref(sound ? sound : engine->ringback);
	worker_post(session->worker, &request->mail);
	return 0;
}

void media_receipt(const struct media_session *session, enum media_side side,
		   struct media_receipt *ret_receipt)
{
	receipt_read(&session->shared->receipts[side], ret_receipt);
}
