/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <openssl/bio.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include "base/metrics.h"
#include "media/dtls_private.h"

#define DTLS_MTU    1200 /* bytes; passes every path that carries IPv6 and a tunnel */
#define REASON_ROOM 900  /* two fingerprints of 512 bit and the rest */

/* OpenSSL's first second is too long in a call set-up; it gives up after 12 time-outs,
 * which is past our deadline. */
#define TIMEOUT_FIRST_US 50000
#define TIMEOUT_MOST_US  1600000
#define TURN_US          1000 /* a handshake's part in ours and the peer's processor */

static struct metric handshakes_alive =
	METRIC_GAUGE_SUM_INIT("breakout_media_dtls_handshakes", NULL,
			      "DTLS associations that hold memory for a handshake.");
static struct metric handshakes_ready = METRIC_COUNTER_INIT(
	"breakout_media_dtls_total", "result=\"ready\"", "DTLS handshakes by how they ended.");
static struct metric handshakes_failed = METRIC_COUNTER_INIT(
	"breakout_media_dtls_total", "result=\"failed\"", "DTLS handshakes by how they ended.");

/* The only writer of the state. */
static void enter(struct dtls *dtls, enum dtls_state next)
{
	if (dtls->queue && dtls->state == DTLS_HANDSHAKING)
		dtls->queue->shaking--;
	if (dtls->queue && next == DTLS_HANDSHAKING)
		dtls->queue->shaking++;
	dtls->state = next;
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
	dtls_drop_waiting(dtls);
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

bool dtls_take_waiting(struct dtls *dtls)
{
	struct dtls_waiting *kept = dtls_next_waiting(dtls);

	if (!kept)
		return false;
	take(dtls, kept->bytes, kept->length);
	free(kept);
	return true;
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

static const char *deadline_why(const struct dtls *dtls)
{
	if (dtls->received > 0)
		return "handshake did not finish";
	return dtls->greeted
		       ? "nothing came from the peer but a ClientHello, though we are the client"
		       : "nothing came from the peer";
}

static void on_deadline(struct timer *timer, void *arg)
{
	struct dtls *dtls = arg;

	(void)timer;
	if (dtls->state == DTLS_HANDSHAKING)
		fail(dtls, "%s within %d s", deadline_why(dtls), DTLS_HANDSHAKE_MS / 1000);
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
	dtls_drop_waiting(dtls);
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
		dtls_take_place(dtls);
	timer_start(dtls->wheel, &dtls->deadline, clock_now() + DTLS_HANDSHAKE_MS);
	if (dtls->client)
		shake(dtls);
	if (dtls->queue && dtls->first)
		dtls_queue_add(dtls->queue, dtls);
	while (!dtls->queue && dtls_take_waiting(dtls))
		;
}

/* In the clear, as the first of an association is: RFC 6347 4.1, 4.2.2. */
static bool is_hello(const uint8_t *datagram, size_t length)
{
	return length > DTLS_RECORD_HEADER && datagram[0] == 22 && datagram[3] == 0 &&
	       datagram[4] == 0 && datagram[DTLS_RECORD_HEADER] == 1;
}

/* OpenSSL as a client ends a handshake in which somebody says hello to it. The server does
 * not, so it is somebody else with its address, or both sides take themselves for the
 * client; then nothing else comes. */
void dtls_receive(struct dtls *dtls, const uint8_t *datagram, size_t length)
{
	bool waits = dtls->state == DTLS_IDLE || (dtls->queue && dtls->state == DTLS_HANDSHAKING);

	if (dtls->client && is_hello(datagram, length)) {
		dtls->greeted = true;
		return;
	}
	if (!waits) {
		take(dtls, datagram, length);
		return;
	}
	dtls_keep(dtls, datagram, length);
	if (dtls->state == DTLS_HANDSHAKING && dtls->first)
		dtls_queue_add(dtls->queue, dtls);
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
	dtls_drop_waiting(dtls);
	drop_ssl(dtls);
}

bool dtls_is_client(const struct dtls *dtls)
{
	return dtls->client;
}
