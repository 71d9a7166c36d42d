/* SPDX-License-Identifier: Apache-2.0 */
#include "media/dtls.h"
#include <errno.h>
#include <openssl/bio.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include "base/metrics.h"
#include "media/certificate.h"
#include "media/dtls_algorithms.h"

#define DTLS_MTU    1200 /* bytes; passes every path that carries IPv6 and a tunnel */
#define REASON_ROOM 900  /* two fingerprints of 512 bit and the rest */

/* OpenSSL's first second is too long in a call set-up; it gives up after 12 time-outs,
 * which is past our deadline. */
#define TIMEOUT_FIRST_US 50000
#define TIMEOUT_MOST_US  1600000
#define TURN_US          1000 /* a handshake's part in ours and the peer's processor */

/* A handshake takes two or three steps. Who takes many more waits behind who began
 * later: junk must not keep the others out. */
#define STEPS_IN_PLACE 8

/* Of a thread's turn. A tenth of a packet's period; a whole one. */
#define TURN_MIN_MS 2
#define TURN_MAX_MS 20

#define RECORD_HEADER 13 /* bytes of DTLS, RFC 6347 4.1; the sequence number is in it */

static struct metric handshakes_alive =
	METRIC_GAUGE_SUM_INIT("breakout_media_dtls_handshakes", NULL,
			      "DTLS associations that hold memory for a handshake.");
static struct metric handshakes_ready = METRIC_COUNTER_INIT(
	"breakout_media_dtls_total", "result=\"ready\"", "DTLS handshakes by how they ended.");
static struct metric handshakes_failed = METRIC_COUNTER_INIT(
	"breakout_media_dtls_total", "result=\"failed\"", "DTLS handshakes by how they ended.");

/* Bytes of a sealed alert: header, explicit nonce, alert, tag (RFC 6347 4.1, RFC 5288 3). */
#define FAREWELL_ROOM (13 + 8 + 2 + 16)

struct dtls_identity {
	atomic_uint references;
	SSL_CTX *context;
	BIO_METHOD *bio;
	struct sdp_fingerprint fingerprint;
};

enum dtls_state {
	DTLS_IDLE, /* not started; what comes waits */
	DTLS_HANDSHAKING,
	DTLS_READY,   /* keys are out; the SSL repeats the last flight if asked */
	DTLS_SETTLED, /* SSL freed */
	DTLS_FAILED
};

/* A datagram that waits for the start or for its turn. */
struct waiting {
	struct waiting *next;
	size_t length;
	uint8_t bytes[];
};

struct dtls {
	enum dtls_state state;
	struct dtls_identity *identity;
	SSL *ssl; /* from the start until settled */
	bool client;
	struct timer_wheel *wheel;
	struct timer retransmit, deadline; /* deadline: handshake, then linger */
	struct dtls_handlers handlers;

	const uint8_t *datagram; /* the one being read, inside take() */
	size_t datagram_length;
	struct waiting *first, **last;
	unsigned waiting_count;
	struct dtls_queue *queue; /* NULL: none */
	struct dtls *next;        /* in the queue, */
	bool queued;              /* if it is, */
	uint64_t place;           /* by this: lower ones first */
	unsigned steps;           /* taken in this place */

	struct sdp_fingerprint fingerprints[SDP_FINGERPRINTS_MAX];
	unsigned fingerprint_count;
	struct sdp_fingerprint seen; /* of the peer's certificate; length 0: not yet */
	bool verified;

	/* For the sentence about a failure; texts are OpenSSL's, static. */
	const char *step, *alert_in, *alert_out;
	unsigned sent, received, repeats;

	/* The SSL's last record, sealed when it is freed, for the end. */
	uint8_t farewell[FAREWELL_ROOM];
	uint8_t farewell_length;
	bool keeps; /* what the SSL sends is not for the peer yet, but for `farewell` */
};

/* The only writer of the state. */
static void enter(struct dtls *dtls, enum dtls_state next)
{
	if (dtls->queue && dtls->state == DTLS_HANDSHAKING)
		dtls->queue->shaking--;
	if (dtls->queue && next == DTLS_HANDSHAKING)
		dtls->queue->shaking++;
	dtls->state = next;
}

static void keep_farewell(struct dtls *dtls, const char *bytes, int length)
{
	if (length <= 0 || (size_t)length > sizeof(dtls->farewell))
		return; /* of a suite that needs more: it goes without saying so */
	memcpy(dtls->farewell, bytes, (size_t)length);
	dtls->farewell_length = (uint8_t)length;
}

/* A datagram BIO: one read gets one datagram, one write sends one. A memory
 * BIO would join datagrams. */
static int bio_write(BIO *bio, const char *bytes, int length)
{
	struct dtls *dtls = BIO_get_data(bio);

	if (dtls->keeps) {
		keep_farewell(dtls, bytes, length);
	} else if (length > 0) {
		dtls->sent++;
		dtls->handlers.send((const uint8_t *)bytes, (size_t)length, dtls->handlers.arg);
	}
	return length; /* what the network loses, the timer repeats */
}

static int bio_read(BIO *bio, char *bytes, int room)
{
	struct dtls *dtls = BIO_get_data(bio);
	size_t length = dtls->datagram_length;

	BIO_clear_retry_flags(bio);
	if (!dtls->datagram || room <= 0) {
		BIO_set_retry_read(bio);
		return -1;
	}
	if (length > (size_t)room)
		length = (size_t)room;
	memcpy(bytes, dtls->datagram, length);
	dtls->datagram = NULL;
	return (int)length;
}

static long bio_ctrl(BIO *bio, int command, long number, void *pointer)
{
	(void)bio;
	(void)number;
	(void)pointer;
	return command == BIO_CTRL_FLUSH || command == BIO_CTRL_DGRAM_SET_NEXT_TIMEOUT;
}

/* Of several hash functions the strongest decides, and of its fingerprints any
 * may match (RFC 8122 5). */
static bool is_promised(struct dtls *dtls, const X509 *x509)
{
	const struct sdp_fingerprint *strongest = &dtls->fingerprints[0];
	bool matches = false;

	for (unsigned i = 1; i < dtls->fingerprint_count; i++)
		if (dtls->fingerprints[i].length > strongest->length)
			strongest = &dtls->fingerprints[i];
	if (!certificate_fingerprint(x509, strongest->hash, &dtls->seen))
		return false;
	for (unsigned i = 0; i < dtls->fingerprint_count; i++)
		matches |= dtls->fingerprints[i].length == dtls->seen.length &&
			   CRYPTO_memcmp(dtls->fingerprints[i].bytes, dtls->seen.bytes,
					 dtls->seen.length) == 0;
	return matches;
}

/* Takes the place of a chain's verification: a WebRTC certificate is signed by
 * itself, and who it belongs to is said by its fingerprint (RFC 5763 5). */
static int verify(X509_STORE_CTX *store, void *arg)
{
	const SSL *ssl = X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx());
	struct dtls *dtls = SSL_get_app_data(ssl);

	(void)arg;
	dtls->verified = is_promised(dtls, X509_STORE_CTX_get0_cert(store));
	if (!dtls->verified) /* the peer is told bad_certificate */
		X509_STORE_CTX_set_error(store, X509_V_ERR_CERT_REJECTED);
	return dtls->verified;
}

/* Notes how far it has come, and alerts. */
static void on_info(const SSL *ssl, int where, int value)
{
	static const char prefix[] = "SSLv3/TLS ";
	struct dtls *dtls = SSL_get_app_data(ssl);

	if (where & SSL_CB_ALERT) {
		const char *name = SSL_alert_desc_string_long(value);

		if (where & SSL_CB_READ)
			dtls->alert_in = name;
		else
			dtls->alert_out = name;
	} else if (where & SSL_CB_LOOP) {
		dtls->step = SSL_state_string_long(ssl);
		if (strncmp(dtls->step, prefix, sizeof(prefix) - 1) == 0)
			dtls->step += sizeof(prefix) - 1;
	}
}

static bool configure(SSL_CTX *context)
{
	SSL_CTX_set_options(context, SSL_OP_NO_QUERY_MTU | SSL_OP_NO_TICKET |
					     SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
					     SSL_OP_CIPHER_SERVER_PREFERENCE);
	SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_read_ahead(context, 1); /* a datagram is read whole */
	SSL_CTX_set_verify(context, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
	SSL_CTX_set_cert_verify_callback(context, verify, NULL);
	SSL_CTX_set_info_callback(context, on_info);
	return SSL_CTX_set_min_proto_version(context, DTLS1_2_VERSION) == 1 &&
	       SSL_CTX_set_max_proto_version(context, DTLS1_2_VERSION) == 1 &&
	       /* AEAD with forward secrecy only. The RSA suites are for who has such a
		* certificate: Janus by default, and we if configured so. */
	       SSL_CTX_set_cipher_list(
		       context, "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384:"
				"ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-AES128-GCM-SHA256:"
				"ECDHE-RSA-AES256-GCM-SHA384:ECDHE-RSA-CHACHA20-POLY1305") == 1 &&
	       SSL_CTX_set1_groups_list(context, "X25519:P-256:P-384") == 1 &&
	       /* 0 is success here, unlike everywhere else. */
	       SSL_CTX_set_tlsext_use_srtp(context, "SRTP_AEAD_AES_128_GCM:SRTP_AEAD_AES_256_GCM:"
						    "SRTP_AES128_CM_SHA1_80") == 0;
}

static BIO_METHOD *make_bio_method(void)
{
	BIO_METHOD *method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "media");

	if (!method)
		return NULL;
	BIO_meth_set_write(method, bio_write);
	BIO_meth_set_read(method, bio_read);
	BIO_meth_set_ctrl(method, bio_ctrl);
	return method;
}

static int fill_identity(struct dtls_identity *identity, const struct certificate *certificate)
{
	identity->bio = make_bio_method();
	identity->context = SSL_CTX_new_ex(dtls_algorithms(), NULL, DTLS_method());
	if (!identity->bio || !identity->context || !configure(identity->context) ||
	    SSL_CTX_use_certificate(identity->context, certificate->x509) != 1 ||
	    SSL_CTX_use_PrivateKey(identity->context, certificate->key) != 1 ||
	    !certificate_fingerprint(certificate->x509, "sha-256", &identity->fingerprint))
		return -EIO;
	return 0;
}

int dtls_identity_create(struct dtls_identity **ret_identity, const struct certificate *certificate)
{
	struct dtls_identity *identity = calloc(1, sizeof(*identity));
	struct certificate made = { .x509 = NULL };
	int err = identity ? 0 : -ENOMEM;

	if (!err && !certificate)
		err = certificate_make(&made);
	if (!err) {
		atomic_store(&identity->references, 1);
		err = fill_identity(identity, certificate ? certificate : &made);
	}
	ERR_clear_error();
	certificate_done(&made);
	if (err) {
		dtls_identity_unref(identity);
		return err;
	}
	*ret_identity = identity;
	return 0;
}

struct dtls_identity *dtls_identity_ref(struct dtls_identity *identity)
{
	atomic_fetch_add_explicit(&identity->references, 1, memory_order_relaxed);
	return identity;
}

struct dtls_identity *dtls_identity_unref(struct dtls_identity *identity)
{
	if (!identity ||
	    atomic_fetch_sub_explicit(&identity->references, 1, memory_order_acq_rel) > 1)
		return NULL;
	SSL_CTX_free(identity->context);
	BIO_meth_free(identity->bio);
	free(identity);
	return NULL;
}

const struct sdp_fingerprint *dtls_identity_fingerprint(const struct dtls_identity *identity)
{
	return &identity->fingerprint;
}

/* ---- what waits ---- */

/* By place: who began first is done first. With a turn for each the last steps of all
 * would come at the same time, which in a crowd is too late for each of them. */
static void queue_add(struct dtls_queue *queue, struct dtls *dtls)
{
	struct dtls **link = &queue->first;

	if (dtls->queued)
		return;
	if (queue->last && queue->last->place < dtls->place)
		link = &queue->last->next;
	while (*link && (*link)->place < dtls->place)
		link = &(*link)->next;
	dtls->queued = true;
	dtls->next = *link;
	*link = dtls;
	if (!dtls->next)
		queue->last = dtls;
}

static void queue_remove(struct dtls_queue *queue, struct dtls *dtls)
{
	struct dtls **link = &queue->first, *before = NULL;

	if (!dtls->queued)
		return;
	for (; *link != dtls; link = &(*link)->next)
		before = *link;
	*link = dtls->next;
	if (queue->last == dtls)
		queue->last = before;
	dtls->queued = false;
}

/* What a peer repeats while we have no time for it: a record with another number. */
static bool is_kept(const struct dtls *dtls, const uint8_t *datagram, size_t length)
{
	for (const struct waiting *kept = dtls->first; kept; kept = kept->next)
		if (kept->length == length && length > RECORD_HEADER &&
		    memcmp(kept->bytes + RECORD_HEADER, datagram + RECORD_HEADER,
			   length - RECORD_HEADER) == 0)
			return true;
	return false;
}

/* More than a flight's worth, or no memory: lost, as on the network. */
static void keep(struct dtls *dtls, const uint8_t *datagram, size_t length)
{
	struct waiting *kept;

	if (dtls->waiting_count == DTLS_WAITING_MAX || length > DTLS_DATAGRAM_MAX ||
	    is_kept(dtls, datagram, length))
		return;
	kept = malloc(sizeof(*kept) + length);
	if (!kept)
		return;
	kept->next = NULL;
	kept->length = length;
	memcpy(kept->bytes, datagram, length);
	*dtls->last = kept;
	dtls->last = &kept->next;
	dtls->waiting_count++;
}

static struct waiting *next_waiting(struct dtls *dtls)
{
	struct waiting *kept = dtls->first;

	if (!kept)
		return NULL;
	dtls->first = kept->next;
	if (!dtls->first)
		dtls->last = &dtls->first;
	dtls->waiting_count--;
	return kept;
}

static void drop_waiting(struct dtls *dtls)
{
	struct waiting *kept;

	if (dtls->queue)
		queue_remove(dtls->queue, dtls);
	while ((kept = next_waiting(dtls)))
		free(kept);
}

/* ---- the handshake ---- */

static void drop_ssl(struct dtls *dtls)
{
	timer_cancel(&dtls->retransmit);
	timer_cancel(&dtls->deadline);
	if (!dtls->ssl)
		return;
	SSL_free(dtls->ssl);
	dtls->ssl = NULL;
	metric_add(&handshakes_alive, -1);
}

/* Never inside a callback of OpenSSL. */
static void PRINTF_LIKE(2, 3) fail(struct dtls *dtls, const char *format, ...)
{
	char why[2 * REASON_ROOM / 3], reason[REASON_ROOM];
	va_list arguments;

	va_start(arguments, format);
	(void)vsnprintf(why, sizeof(why), format, arguments);
	va_end(arguments);
	(void)snprintf(reason, sizeof(reason),
		       "DTLS as %s: %s; last step \"%s\", alert sent %s, received %s, datagrams "
		       "sent %u, received %u, repeats %u",
		       dtls->client ? "client" : "server", why, dtls->step ? dtls->step : "none",
		       dtls->alert_out ? dtls->alert_out : "none",
		       dtls->alert_in ? dtls->alert_in : "none", dtls->sent, dtls->received,
		       dtls->repeats);
	enter(dtls, DTLS_FAILED);
	drop_waiting(dtls);
	drop_ssl(dtls);
	metric_add(&handshakes_failed, 1);
	dtls->handlers.failed(reason, dtls->handlers.arg);
}

static void fail_by_fingerprint(struct dtls *dtls)
{
	char seen[SDP_FINGERPRINT_ROOM], promised[SDP_FINGERPRINT_ROOM];

	sdp_fingerprint_format(&dtls->seen, seen);
	sdp_fingerprint_format(&dtls->fingerprints[0], promised);
	fail(dtls, "fingerprint differs: the SDP promised %s%s, the certificate is %s", promised,
	     dtls->fingerprint_count > 1 ? " and others" : "", seen);
}

static void fail_by_openssl(struct dtls *dtls)
{
	const char *why = ERR_reason_error_string(ERR_peek_last_error());

	if (dtls->seen.length > 0 && !dtls->verified)
		fail_by_fingerprint(dtls);
	else
		fail(dtls, "handshake failed: %s", why ? why : "no reason given");
	ERR_clear_error();
}

static bool suite_of(unsigned long profile, enum srtp_suite *ret_suite)
{
	switch (profile) {
	case SRTP_AEAD_AES_128_GCM:
		*ret_suite = SRTP_SUITE_AEAD_AES_128_GCM;
		return true;
	case SRTP_AEAD_AES_256_GCM:
		*ret_suite = SRTP_SUITE_AEAD_AES_256_GCM;
		return true;
	case SRTP_AES128_CM_SHA1_80:
		*ret_suite = SRTP_SUITE_AES128_CM_SHA1_80;
		return true;
	default:
		return false;
	}
}

/* Client key, server key, client salt, server salt. Source: RFC 5764 4.2. */
static bool export_keys(struct dtls *dtls, enum srtp_suite suite, struct srtp_keys *ret_keys)
{
	static const char label[] = "EXTRACTOR-dtls_srtp";
	size_t key = srtp_suite_key_length(suite), salt = srtp_suite_salt_length(suite);
	uint8_t material[2 * SRTP_KEY_ROOM];
	uint8_t *client = dtls->client ? ret_keys->outbound : ret_keys->inbound;
	uint8_t *server = dtls->client ? ret_keys->inbound : ret_keys->outbound;

	if (SSL_export_keying_material(dtls->ssl, material, 2 * (key + salt), label,
				       sizeof(label) - 1, NULL, 0, 0) != 1)
		return false;
	memset(ret_keys, 0, sizeof(*ret_keys));
	ret_keys->suite = suite;
	memcpy(client, material, key);
	memcpy(server, material + key, key);
	memcpy(client + key, material + 2 * key, salt);
	memcpy(server + key, material + 2 * key + salt, salt);
	OPENSSL_cleanse(material, sizeof(material));
	return true;
}

/* With no profile in common OpenSSL completes the handshake all the same, so
 * the profile is checked here. */
static void finish(struct dtls *dtls)
{
	const SRTP_PROTECTION_PROFILE *profile = SSL_get_selected_srtp_profile(dtls->ssl);
	struct srtp_keys keys;
	enum srtp_suite suite;

	if (!dtls->verified) {
		fail(dtls, "no certificate was verified");
		return;
	}
	if (!profile || !suite_of(profile->id, &suite)) {
		fail(dtls, "no SRTP protection profile in common");
		return;
	}
	if (!export_keys(dtls, suite, &keys)) {
		fail(dtls, "OpenSSL exported no keys");
		return;
	}
	enter(dtls, DTLS_READY);
	metric_add(&handshakes_ready, 1);
	timer_start(dtls->wheel, &dtls->deadline, clock_now() + DTLS_LINGER_MS);
	dtls->handlers.ready(&keys, dtls->handlers.arg);
	OPENSSL_cleanse(&keys, sizeof(keys));
}

/* OpenSSL times flights by the wall clock of its own; the wheel only has to
 * call it at the moment it names. */
static void arm_retransmit(struct dtls *dtls)
{
	struct timeval left;

	timer_cancel(&dtls->retransmit);
	if (dtls->state != DTLS_HANDSHAKING || DTLSv1_get_timeout(dtls->ssl, &left) != 1)
		return;
	timer_start(dtls->wheel, &dtls->retransmit,
		    clock_now() + (mono_ms)left.tv_sec * 1000 + left.tv_usec / 1000 + 1);
}

/* The client has seen the last flight: nobody will ask it to repeat anything. */
static void shake(struct dtls *dtls)
{
	int result;

	ERR_clear_error();
	result = SSL_do_handshake(dtls->ssl);
	if (result == 1)
		finish(dtls);
	else if (SSL_get_error(dtls->ssl, result) != SSL_ERROR_WANT_READ)
		fail_by_openssl(dtls);
	arm_retransmit(dtls);
	if (dtls->client)
		dtls_settled(dtls);
}

/* After the handshake the SSL only answers a repeated last flight (RFC 6347
 * 4.2.4); data is not for us. OpenSSL drops a new ClientHello itself: it is of
 * epoch 0, and an encrypted one would be a renegotiation. A peer that has said
 * close_notify gets ours (RFC 5246 7.2.1), and will ask for nothing more. */
static void absorb(struct dtls *dtls)
{
	uint8_t ignored[256];

	ERR_clear_error();
	while (SSL_read(dtls->ssl, ignored, sizeof(ignored)) > 0)
		;
	ERR_clear_error();
	if (SSL_get_shutdown(dtls->ssl) & SSL_RECEIVED_SHUTDOWN) {
		(void)SSL_shutdown(dtls->ssl);
		dtls_settled(dtls);
	}
}

static void take(struct dtls *dtls, const uint8_t *datagram, size_t length)
{
	dtls->datagram = datagram;
	dtls->datagram_length = length;
	dtls->received++;
	if (dtls->state == DTLS_HANDSHAKING)
		shake(dtls);
	else if (dtls->state == DTLS_READY)
		absorb(dtls);
	dtls->datagram = NULL;
}

/* One that waited; false: none did. */
static bool take_waiting(struct dtls *dtls)
{
	struct waiting *kept = next_waiting(dtls);

	if (!kept)
		return false;
	take(dtls, kept->bytes, kept->length);
	free(kept);
	return true;
}

static void take_place(struct dtls *dtls)
{
	dtls->place = ++dtls->queue->last_place;
	dtls->steps = 0;
}

bool dtls_queue_run(struct dtls_queue *queue, unsigned steps)
{
	for (; queue->first && steps > 0; steps--) {
		struct dtls *dtls = queue->first;

		queue_remove(queue, dtls);
		if (++dtls->steps > STEPS_IN_PLACE)
			take_place(dtls);
		(void)take_waiting(dtls); /* it was queued with one */
		if (dtls->first)
			queue_add(queue, dtls);
	}
	return queue->first != NULL;
}

bool dtls_queue_turn(struct dtls_queue *queue, mono_ms now)
{
	mono_ms due = queue->left_at > 0 ? (now - queue->left_at) / 2 : 0;
	uint64_t until_ns;
	bool more;

	if (due < TURN_MIN_MS)
		due = TURN_MIN_MS;
	if (due > TURN_MAX_MS)
		due = TURN_MAX_MS;
	until_ns = clock_now_ns() + (uint64_t)due * 1000000u;
	do
		more = dtls_queue_run(queue, 1);
	while (more && clock_now_ns() < until_ns);
	queue->left_at = more ? now : 0;
	return more;
}

static void on_retransmit(struct timer *timer, void *arg)
{
	struct dtls *dtls = arg;

	(void)timer;
	ERR_clear_error();
	dtls->repeats++;
	if (DTLSv1_handle_timeout(dtls->ssl) < 0)
		fail_by_openssl(dtls);
	else
		arm_retransmit(dtls);
}

static void on_deadline(struct timer *timer, void *arg)
{
	struct dtls *dtls = arg;

	(void)timer;
	if (dtls->state == DTLS_HANDSHAKING)
		fail(dtls, "%s within %d s",
		     dtls->received > 0 ? "handshake did not finish" : "nothing came from the peer",
		     DTLS_HANDSHAKE_MS / 1000);
	else
		dtls_settled(dtls);
}

/* 50 ms, and longer while others shake hands too: an answer that waits for its turn,
 * here or where so many came from, is not lost, and to repeat what it answers would
 * lengthen the wait. Then doubling. */
static unsigned next_timeout(SSL *ssl, unsigned previous_us)
{
	const struct dtls *dtls = SSL_get_app_data(ssl);
	unsigned others = dtls->queue ? dtls->queue->shaking - 1 : 0; /* less ourselves */
	unsigned next_us = previous_us > 0 ? previous_us * 2 : TIMEOUT_FIRST_US + others * TURN_US;

	return next_us < TIMEOUT_MOST_US ? next_us : TIMEOUT_MOST_US;
}

int dtls_create(struct dtls **ret_dtls, const struct dtls_setup *setup)
{
	struct dtls *dtls = calloc(1, sizeof(*dtls));

	if (!dtls)
		return -ENOMEM;
	dtls->identity = dtls_identity_ref(setup->identity);
	dtls->client = setup->client;
	dtls->wheel = setup->wheel;
	dtls->queue = setup->queue;
	dtls->last = &dtls->first;
	dtls->handlers = setup->handlers;
	memcpy(dtls->fingerprints, setup->fingerprints,
	       setup->fingerprint_count * sizeof(setup->fingerprints[0]));
	dtls->fingerprint_count = setup->fingerprint_count;
	timer_init(&dtls->retransmit, on_retransmit, dtls);
	timer_init(&dtls->deadline, on_deadline, dtls);
	*ret_dtls = dtls;
	return 0;
}

struct dtls *dtls_destroy(struct dtls *dtls)
{
	if (!dtls)
		return NULL;
	enter(dtls, DTLS_SETTLED);
	drop_waiting(dtls);
	drop_ssl(dtls);
	dtls_identity_unref(dtls->identity);
	OPENSSL_cleanse(dtls, sizeof(*dtls));
	free(dtls);
	return NULL;
}

static bool make_ssl(struct dtls *dtls)
{
	BIO *bio = BIO_new(dtls->identity->bio);
	SSL *ssl = SSL_new(dtls->identity->context);

	if (!bio || !ssl) {
		BIO_free(bio);
		SSL_free(ssl);
		return false;
	}
	BIO_set_data(bio, dtls);
	BIO_set_init(bio, 1);
	SSL_set_bio(ssl, bio, bio);
	SSL_set_app_data(ssl, dtls);
	SSL_set_mtu(ssl, DTLS_MTU);
	DTLS_set_timer_cb(ssl, next_timeout);
	if (dtls->client)
		SSL_set_connect_state(ssl);
	else
		SSL_set_accept_state(ssl);
	dtls->ssl = ssl;
	metric_add(&handshakes_alive, 1);
	return true;
}

void dtls_start(struct dtls *dtls)
{
	if (dtls->state != DTLS_IDLE)
		return;
	if (!make_ssl(dtls)) {
		fail(dtls, "out of memory");
		return;
	}
	enter(dtls, DTLS_HANDSHAKING);
	if (dtls->queue)
		take_place(dtls);
	timer_start(dtls->wheel, &dtls->deadline, clock_now() + DTLS_HANDSHAKE_MS);
	if (dtls->client)
		shake(dtls);
	if (dtls->queue && dtls->first)
		queue_add(dtls->queue, dtls);
	while (!dtls->queue && take_waiting(dtls))
		;
}

void dtls_receive(struct dtls *dtls, const uint8_t *datagram, size_t length)
{
	bool waits = dtls->state == DTLS_IDLE || (dtls->queue && dtls->state == DTLS_HANDSHAKING);

	if (!waits) {
		take(dtls, datagram, length);
		return;
	}
	keep(dtls, datagram, length);
	if (dtls->state == DTLS_HANDSHAKING && dtls->first)
		queue_add(dtls->queue, dtls);
}

void dtls_farewell(struct dtls *dtls)
{
	dtls_settled(dtls);
	if (dtls->state == DTLS_SETTLED && dtls->farewell_length > 0)
		dtls->handlers.send(dtls->farewell, dtls->farewell_length, dtls->handlers.arg);
	dtls->farewell_length = 0; /* a courtesy; nobody waits for an answer */
}

/* The SSL sends nothing after this, so that its last record can be sealed now. */
void dtls_settled(struct dtls *dtls)
{
	if (dtls->state != DTLS_READY)
		return;
	dtls->keeps = true;
	(void)SSL_shutdown(dtls->ssl);
	dtls->keeps = false;
	ERR_clear_error();
	enter(dtls, DTLS_SETTLED);
	drop_waiting(dtls);
	drop_ssl(dtls);
}

bool dtls_is_client(const struct dtls *dtls)
{
	return dtls->client;
}
