/* SPDX-License-Identifier: Apache-2.0 */
/* tls_guard.c - the functions that take the place of OpenSSL's and sofia's when
 * libsofia calls them, the list of its TLS sessions, and its clock. */
#include "tas/sip/tls_guard.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define SU_WAKEUP_ARG_T struct tport_s
#include <sofia-sip/su_log.h>
#include <sofia-sip/su_time.h>
#include <sofia-sip/su_wait.h>
#include <sofia-sip/tport.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/metrics.h"
#include "tas/sip/framing.h"
#include "tas/sip/listening.h"
#include "tas/sip/sofia_calls.h"
#include "tas/sip/tls_batch.h"
#include "tas/sip/tls_given.h"
#include "tas/sip/tls_profile.h"

/* A message may take as long as a transaction (64*T1), and so may the first
 * one of an accepted connection. */
#define MESSAGE_MS 32000

/* Reads between two sweeps that make a connection a busy one: a trunk, no phone. */
#define BUSY_READS 10

/* 3.0.22 carries the DTLS fixes this product needs; Debian's own number for it
 * is 3.0.22-1~deb12u2. */
#define OPENSSL_WANTED 0x30000160UL

/* Exported by libsofia, declared in none of its installed headers: hooks for
 * testing its timers (su_time0.c). */
extern void (*_su_time)(su_time_t *);
extern uint64_t (*_su_nanotime)(uint64_t *);
extern uint64_t (*_su_monotime)(uint64_t *);

typedef struct tls_s tls_t; /* sofia's, opaque */
int tls_connect(su_root_magic_t *magic, su_wait_t *wait, tport_t *tport);
void tls_free(tls_t *tls);

struct tls_session {
	struct tls_session *next, **link; /* the profile's list */
	struct tls_profile *profile;
	SSL *ssl;
	tport_t *tport;   /* NULL before the first turn of its handshake */
	mono_ms since_ms; /* created; once established: start of what is waited for */
	bool established;
	bool accepted;
	bool waiting; /* for a message to become complete */
	bool closing; /* shut down; sofia notices at the next poll */
	bool given;   /* by another process, which has the TLS: see tls_given.h */
	bool busy;
	unsigned reads; /* since the last sweep */
	char **client_names;
	struct framing framing;
	struct tls_batch batch;
};

static struct metric live_sessions =
	METRIC_GAUGE_SUM_INIT("breakout_tls_sessions", NULL, "TLS sessions of SIP connections");

static int session_index = -1, profile_index = -1;
static struct tls_profile *entered; /* SIP thread */

/* What happened inside sofia's tls_connect(); SIP thread. */
static struct {
	tport_t *tport;
	struct tls_profile *profile;
	bool outgoing, established, tls;
	char reason[160];
} connecting;

/* What happened inside sofia's tls_free(); SIP thread. */
static struct {
	bool active, freed;
	SSL *ssl;
} freeing;

/* ---- sessions ---- */

static void session_gone(void *parent, void *pointer, CRYPTO_EX_DATA *data, int index, long argl,
			 void *argp)
{
	struct tls_session *session = pointer;

	(void)parent;
	(void)data;
	(void)index;
	(void)argl;
	(void)argp;
	if (!session)
		return;
	metric_add(&live_sessions, -1);
	*session->link = session->next;
	if (session->next)
		session->next->link = session->link;
	tls_batch_done(&session->batch);
	free(session->client_names);
	free(session);
}

static struct tls_session *session_of(const SSL *ssl)
{
	return ssl && session_index >= 0 ? SSL_get_ex_data(ssl, session_index) : NULL;
}

static int session_create(SSL *ssl, struct tls_profile *profile)
{
	struct tls_session *session = calloc(1, sizeof(*session));

	if (!session)
		return -ENOMEM;
	*session = (struct tls_session){ .profile = profile,
					 .ssl = ssl,
					 .given = listening_is_giving(),
					 .since_ms = clock_now(),
					 .batch = { .ssl = ssl, .write = REAL(SSL_write) } };
	if (session->given) {
		session->batch.write = tls_given_write;
		session->client_names = tls_given_take_names();
	}
	session->next = profile->sessions;
	session->link = &profile->sessions;
	if (session->next)
		session->next->link = &session->next;
	profile->sessions = session;
	metric_add(&live_sessions, 1);
	if (SSL_set_ex_data(ssl, session_index, session))
		return 0;
	session_gone(NULL, session, NULL, 0, 0, NULL);
	return -ENOMEM;
}

size_t tls_guard_live(void)
{
	return (size_t)metric_get(&live_sessions);
}

void tls_guard_enter(struct tls_profile *profile)
{
	entered = profile;
}

void tls_guard_leave(void)
{
	entered = NULL;
}

static bool is_late(const struct tls_session *session, mono_ms now)
{
	mono_ms age = now - session->since_ms;

	if (!session->established)
		return age > (mono_ms)session->profile->handshake_s * 1000;
	return session->waiting && age > MESSAGE_MS;
}

/* To get 34 kB of buffers for each message and give them back costs a busy connection
 * more than keeping them; the others, which may be thousands, keep none. */
static void keep_buffers(struct tls_session *session)
{
	bool busy = session->reads >= BUSY_READS;

	session->reads = 0;
	if (busy == session->busy)
		return;
	session->busy = busy;
	if (busy)
		(void)SSL_clear_mode(session->ssl, SSL_MODE_RELEASE_BUFFERS);
	else
		(void)SSL_set_mode(session->ssl, SSL_MODE_RELEASE_BUFFERS);
}

void tls_guard_sweep(struct tls_profile *profile)
{
	mono_ms now = clock_now();

	for (struct tls_session *session = profile->sessions; session; session = session->next) {
		keep_buffers(session);
		if (session->closing || !is_late(session, now))
			continue;
		session->closing = true;
		log_debug("sip", "tls connection closed: %s not complete in time",
			  session->established ? "message" : "handshake");
		/* sofia sees the end of the stream at its next poll and closes. */
		(void)shutdown(SSL_get_fd(session->ssl), SHUT_RDWR);
	}
}

const char *const *tls_guard_client_names(const struct tls_profile *profile, const tport_t *tport)
{
	for (struct tls_session *session = profile->sessions; session; session = session->next)
		if (session->tport == tport && session->client_names)
			return (const char *const *)session->client_names;
	return NULL;
}

/* ---- contexts ---- */

static struct tls_profile *profile_of(const SSL_CTX *context)
{
	return profile_index >= 0 ? SSL_CTX_get_ex_data(context, profile_index) : NULL;
}

SSL_CTX *SSL_CTX_new(const SSL_METHOD *method)
{
	SSL_CTX *context = REAL(SSL_CTX_new)(method);

	if (!FROM_SOFIA() || !context || !entered)
		return context;
	if (SSL_CTX_set_ex_data(context, profile_index, entered) &&
	    tls_profile_set_up(entered, context) == 0)
		return context;
	SSL_CTX_free(context);
	return NULL;
}

/* The profile has set all of this already; sofia's own files and lists are not
 * looked at. */
int SSL_CTX_use_certificate_file(SSL_CTX *context, const char *file, int type)
{
	if (FROM_SOFIA() && profile_of(context))
		return 1;
	return REAL(SSL_CTX_use_certificate_file)(context, file, type);
}

int SSL_CTX_use_PrivateKey_file(SSL_CTX *context, const char *file, int type)
{
	if (FROM_SOFIA() && profile_of(context))
		return 1;
	return REAL(SSL_CTX_use_PrivateKey_file)(context, file, type);
}

int SSL_CTX_load_verify_locations(SSL_CTX *context, const char *file, const char *directory)
{
	if (FROM_SOFIA() && profile_of(context))
		return 1;
	return REAL(SSL_CTX_load_verify_locations)(context, file, directory);
}

int SSL_CTX_set_cipher_list(SSL_CTX *context, const char *list)
{
	if (FROM_SOFIA() && profile_of(context))
		return 1;
	return REAL(SSL_CTX_set_cipher_list)(context, list);
}

void SSL_CTX_set_verify_depth(SSL_CTX *context, int depth)
{
	/* sofia allows two certificates above the leaf, too few for some chains. */
	if (!FROM_SOFIA() || !profile_of(context))
		REAL(SSL_CTX_set_verify_depth)(context, depth);
}

STACK_OF(X509_NAME) * SSL_load_client_CA_file(const char *file)
{
	if (FROM_SOFIA())
		return NULL; /* would be a cafile.pem of the working directory */
	return REAL(SSL_load_client_CA_file)(file);
}

/* ---- birth and handshake ---- */

SSL *SSL_new(SSL_CTX *context)
{
	SSL *ssl = REAL(SSL_new)(context);
	struct tls_profile *profile;

	if (!FROM_SOFIA() || !ssl)
		return ssl;
	profile = profile_of(context);
	if (!profile ||
	    (session_create(ssl, profile) == 0 && tls_profile_set_up_connection(profile, ssl) == 0))
		return ssl;
	SSL_free(ssl);
	return NULL;
}

static void explain(SSL *ssl)
{
	long verdict = SSL_get_verify_result(ssl);
	unsigned long error = ERR_peek_error();

	if (connecting.reason[0])
		return; /* the first reason is the reason */
	connecting.tls = true;
	if (verdict != X509_V_OK)
		(void)snprintf(connecting.reason, sizeof(connecting.reason),
			       "certificate not accepted: %s",
			       X509_verify_cert_error_string(verdict));
	else
		(void)snprintf(connecting.reason, sizeof(connecting.reason), "TLS: %s",
			       error ? ERR_reason_error_string(error) : "handshake failed");
}

/* After each turn of a handshake. */
static void handshake_went(struct tls_session *session, int result)
{
	int error = result == 1 ? SSL_ERROR_NONE : SSL_get_error(session->ssl, result);

	connecting.profile = session->profile;
	connecting.outgoing = !session->accepted;
	if (error == SSL_ERROR_NONE) {
		session->established = connecting.established = true;
		session->since_ms = clock_now();
		session->waiting = session->accepted;
		/* Not earlier: what came with the end of the handshake would lie in its
		 * buffer, and no socket would tell. From here on SSL_pending() does. */
		SSL_set_read_ahead(session->ssl, 1);
		if (session->accepted && !session->given && session->profile->client_trust &&
		    SSL_get0_peer_certificate(session->ssl))
			session->client_names =
				tls_certificate_names(SSL_get0_peer_certificate(session->ssl));
	} else if (error == SSL_ERROR_SSL) {
		explain(session->ssl);
	}
}

int SSL_connect(SSL *ssl)
{
	struct tls_session *session = FROM_SOFIA() ? session_of(ssl) : NULL;
	int result;

	if (!session)
		return REAL(SSL_connect)(ssl);
	if (!session->tport && connecting.tport) {
		session->tport = connecting.tport;
		tls_profile_set_up_client(session->profile, ssl,
					  tport_name(connecting.tport)->tpn_canon);
	}
	ERR_clear_error();
	result = REAL(SSL_connect)(ssl);
	handshake_went(session, result);
	return result;
}

int SSL_accept(SSL *ssl)
{
	struct tls_session *session = FROM_SOFIA() ? session_of(ssl) : NULL;
	int result;

	if (!session)
		return REAL(SSL_accept)(ssl);
	if (!session->tport) {
		session->tport = connecting.tport;
		session->accepted = true;
		tls_profile_set_up_server(session->profile, ssl);
	}
	ERR_clear_error();
	result = session->given ? tls_given_accept(ssl) : REAL(SSL_accept)(ssl);
	handshake_went(session, result);
	return result;
}

/* The handshake has judged the certificate. sofia would only collect its names,
 * lose that memory, and then take one peer's connection for another's whose name
 * is in there too. */
X509 *SSL_get1_peer_certificate(const SSL *ssl)
{
	if (FROM_SOFIA() && session_of(ssl))
		return NULL;
	return REAL(SSL_get1_peer_certificate)(ssl);
}

/* sofia's callback for a socket in its handshake. When the handshake fails it
 * closes the socket and tells nobody: those who wait find out after 32 s. */
int tls_connect(su_root_magic_t *magic, su_wait_t *wait, tport_t *tport)
{
	tport_t *held = tport_ref(tport);
	int result;

	memset(&connecting, 0, sizeof(connecting));
	connecting.tport = tport;
	result = REAL(tls_connect)(magic, wait, tport);
	connecting.tport = NULL;
	if (connecting.profile && connecting.outgoing && !connecting.established &&
	    tport_is_closed(tport) && connecting.profile->on_failure)
		connecting.profile->on_failure(tport, connecting.tls,
					       connecting.reason[0] ? connecting.reason
								    : "connection closed",
					       connecting.profile->arg);
	tport_unref(held);
	return result;
}

/* ---- data ---- */

/* A reset connection is an ended one: what waits for answers goes on waiting,
 * for the peer answers on a new connection (RFC 3261 section 18.2.2). */
static void soften_reset(SSL *ssl, int result)
{
	int saved = errno;

	if (SSL_get_error(ssl, result) == SSL_ERROR_SYSCALL && saved == ECONNRESET)
		saved = 0;
	errno = saved;
}

int SSL_read(SSL *ssl, void *buffer, int room)
{
	struct tls_session *session = FROM_SOFIA() ? session_of(ssl) : NULL;
	int result;

	if (!session)
		return REAL(SSL_read)(ssl, buffer, room);
	tls_batch_event();
	ERR_clear_error();
	result = session->given ? tls_given_read(ssl, buffer, room)
				: REAL(SSL_read)(ssl, buffer, room);
	if (result <= 0) {
		soften_reset(ssl, result);
		return result;
	}
	session->reads++;
	framing_feed(&session->framing, buffer, (size_t)result);
	if (session->framing.phase == FRAMING_BETWEEN) {
		if (session->framing.completed)
			session->waiting = false;
	} else if (!session->waiting || session->framing.completed) {
		session->waiting = true;
		session->since_ms = clock_now();
	}
	return result;
}

/* sofia asks whether to read on. What was read ahead (a record costs two system calls
 * otherwise) counts too, and is read to its end before more is taken from the socket: who
 * sends without a pause does not keep us from the others. */
int SSL_pending(const SSL *ssl)
{
	struct tls_session *session = FROM_SOFIA() ? session_of(ssl) : NULL;
	int more;

	if (!session)
		return REAL(SSL_pending)(ssl);
	more = SSL_has_pending(ssl);
	SSL_set_read_ahead(session->ssl, !more);
	return more;
}

int SSL_write(SSL *ssl, const void *bytes, int length)
{
	struct tls_session *session = FROM_SOFIA() ? session_of(ssl) : NULL;

	if (!session)
		return REAL(SSL_write)(ssl, bytes, length);
	return tls_batch_write(&session->batch, bytes, length);
}

/* Our own questions are answered too. */
int SSL_get_error(const SSL *ssl, int result)
{
	const struct tls_session *session = session_of(ssl);

	return session && session->given ? tls_given_error(result)
					 : REAL(SSL_get_error)(ssl, result);
}

void tls_guard_turn_begins(void)
{
	tls_batch_open();
}

void tls_guard_turn_event(void)
{
	tls_batch_event();
}

/* sofia took what is lost for sent, and finds out when it reads. */
static void on_lost(struct tls_batch *batch)
{
	struct tls_session *session = CONTAINER_OF(batch, struct tls_session, batch);
	const struct tls_profile *profile = session->profile;
	tport_t *tport = session->tport;

	session->closing = true;
	(void)shutdown(SSL_get_fd(session->ssl), SHUT_RDWR);
	if (profile->on_failure && tport)
		profile->on_failure(tport, false, "connection lost", profile->arg);
	/* `session` may be gone: touch nothing of it after this line */
}

bool tls_guard_turn_ends(void)
{
	return tls_batch_send(on_lost);
}

/* sofia's last word before it closes a connection. */
int shutdown(int fd, int how)
{
	if (FROM_SOFIA() && how != SHUT_RD)
		tls_batch_send_last(fd);
	return REAL(shutdown)(fd, how);
}

/* ---- death ----
 *
 * sofia's tls_free() shuts down, frees the BIO (and in some builds the context)
 * and forgets the SSL object. While it runs for a session of ours those frees
 * are held back, and SSL_free(), which does them all, comes afterwards. */

int SSL_shutdown(SSL *ssl)
{
	struct tls_session *session = FROM_SOFIA() ? session_of(ssl) : NULL;

	if (!session)
		return REAL(SSL_shutdown)(ssl);
	if (freeing.active)
		freeing.ssl = ssl;
	if (connecting.tport && session->tport == connecting.tport) {
		connecting.profile = session->profile;
		connecting.outgoing = !session->accepted;
	}
	ERR_clear_error();
	return session->given ? 1 : REAL(SSL_shutdown)(ssl);
}

void tls_guard_say_goodbye(const struct tls_profile *profile, const tport_t *tport)
{
	for (struct tls_session *session = profile->sessions; session; session = session->next)
		if (session->tport == tport && session->established && !session->given) {
			tls_batch_send_last(SSL_get_fd(session->ssl));
			ERR_clear_error();
			(void)REAL(SSL_shutdown)(session->ssl);
			return;
		}
}

int BIO_free(BIO *bio)
{
	if (FROM_SOFIA() && freeing.ssl)
		return 1;
	return REAL(BIO_free)(bio);
}

void SSL_CTX_free(SSL_CTX *context)
{
	if (!FROM_SOFIA() || !freeing.ssl)
		REAL(SSL_CTX_free)(context);
}

/* A library that frees its sessions itself is left to do so. */
void SSL_free(SSL *ssl)
{
	if (FROM_SOFIA() && ssl && freeing.ssl == ssl)
		freeing.freed = true;
	REAL(SSL_free)(ssl);
}

void tls_free(tls_t *tls)
{
	memset(&freeing, 0, sizeof(freeing));
	freeing.active = true;
	REAL(tls_free)(tls);
	freeing.active = false;
	if (freeing.ssl && !freeing.freed)
		REAL(SSL_free)(freeing.ssl);
	freeing.ssl = NULL;
	ERR_clear_error();
}

/* ---- clock and log ---- */

static int64_t epoch_ns; /* from CLOCK_BOOTTIME to 1900, fixed at start */

static uint64_t sofia_now_ns(uint64_t *ret_ns)
{
	uint64_t now = (uint64_t)((int64_t)clock_now_ns() + epoch_ns);

	if (ret_ns)
		*ret_ns = now;
	return now;
}

static void sofia_now(su_time_t *ret_time)
{
	uint64_t now = sofia_now_ns(NULL);

	if (!ret_time)
		return;
	ret_time->tv_sec = now / SU_E9;
	ret_time->tv_usec = now % SU_E9 / 1000;
}

/* sofia writes a line in pieces. What it says about single messages and
 * connections is for us, and a peer can provoke it, so: debug, and bounded. */
PRINTF_LIKE(2, 0) static void on_sofia_log(void *stream, const char *format, va_list args)
{
	static __thread struct {
		char text[400];
		size_t length;
	} line;
	static struct log_limit limit;
	unsigned suppressed;
	size_t room = sizeof(line.text) - line.length;
	int added;

	(void)stream;
	if (!log_enabled(LOG_LEVEL_DEBUG))
		return;
	added = vsnprintf(line.text + line.length, room, format, args);
	if (added > 0)
		line.length += (size_t)added < room ? (size_t)added : room - 1;
	if (!line.length ||
	    (line.text[line.length - 1] != '\n' && line.length < sizeof(line.text) - 1))
		return;
	line.text[strcspn(line.text, "\r\n")] = '\0';
	line.length = 0;
	if (log_limit_pass(&limit, 20, 1000, &suppressed))
		log_debug("sip", "sofia: %s (suppressed=%u)", line.text, suppressed);
}

static void install(void)
{
	int64_t wall_ns = (int64_t)clock_wall() * 1000000;

	/* OpenSSL writes to sockets without MSG_NOSIGNAL: a peer that is gone when
	 * close_notify is due would end the process. */
	(void)signal(SIGPIPE, SIG_IGN);
	session_index = SSL_get_ex_new_index(0, NULL, NULL, NULL, session_gone);
	profile_index = SSL_CTX_get_ex_new_index(0, NULL, NULL, NULL, NULL);
	epoch_ns = wall_ns + (int64_t)SU_TIME_EPOCH * 1000000000 - (int64_t)clock_now_ns();
	_su_time = sofia_now;
	_su_nanotime = sofia_now_ns;
	_su_monotime = sofia_now_ns;
	su_log_redirect(NULL, on_sofia_log, NULL);
	tls_guard_judge_openssl(OpenSSL_version_num(), OpenSSL_version(OPENSSL_VERSION));
}

bool tls_guard_judge_openssl(unsigned long number, const char *name)
{
	if (number >= OPENSSL_WANTED)
		return true;
	log_error(
		"sip",
		"%s has known holes in TLS and DTLS: upgrade libssl3 to 3.0.22-1~deb12u2 or later",
		name);
	return false;
}

void tls_guard_install(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	pthread_once(&once, install);
}
