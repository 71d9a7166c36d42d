/* SPDX-License-Identifier: Apache-2.0 */
/* tls_self_test.c - the start-up proof that the guard still fits the library.
 *
 * A server made of sofia's nta listens on loopback, in this process, with a
 * certificate made for the occasion. Plain OpenSSL clients (which also stand
 * for everybody else in the process who uses OpenSSL) and a second nta agent
 * call it. Whatever behaves otherwise than expected ends the test.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

struct probe;
#define NTA_AGENT_MAGIC_T    struct probe
#define NTA_OUTGOING_MAGIC_T struct probe
#include <sofia-sip/nta.h>
#include <sofia-sip/nta_stateless.h>
#include <sofia-sip/nta_tport.h>
#include <sofia-sip/sip_header.h>
#include <sofia-sip/sip_status.h>
#include <sofia-sip/tport.h>

#include "base/clock.h"
#include "tas/sip/sip_loop.h"
#include "tas/sip/sip_root.h"
#include "tas/sip/tls_guard.h"
#include "tas/sip/tls_profile.h"

#define TURNS_MAX 400 /* of at most a millisecond of waiting */

static const char request[] = "OPTIONS sip:self@127.0.0.1 SIP/2.0\r\n"
			      "Via: SIP/2.0/TLS 127.0.0.1:9;branch=z9hG4bKself\r\n"
			      "From: <sip:self@127.0.0.1>;tag=self\r\n"
			      "To: <sip:self@127.0.0.1>\r\n"
			      "Call-ID: self-test\r\nCSeq: 1 OPTIONS\r\nMax-Forwards: 1\r\n"
			      "Content-Length: 0\r\n\r\n";

struct probe {
	struct sip_loop *loop;
	X509 *root, *intermediate, *leaf;
	EVP_PKEY *key; /* of all three: only the shape of the chain matters */
	struct tls_profile profile, caller;
	nta_agent_t *agent;
	uint16_t port;
	unsigned requests, failures, answers;
	bool tls_failure;
};

struct client {
	SSL *ssl;
	BIO *from_peer, *to_peer;
	int fd;
};

/* ---- a certificate chain ---- */

static int add_extension(X509 *certificate, X509 *issuer, int nid, const char *value)
{
	X509V3_CTX context;
	X509_EXTENSION *extension;
	int added;

	X509V3_set_ctx(&context, issuer, certificate, NULL, NULL, 0);
	extension = X509V3_EXT_conf_nid(NULL, &context, nid, value);
	added = extension && X509_add_ext(certificate, extension, -1);
	X509_EXTENSION_free(extension);
	return added;
}

static X509 *make_certificate(EVP_PKEY *key, X509 *issuer, const char *name, int nid,
			      const char *value)
{
	X509 *certificate = X509_new();
	X509_NAME *subject = certificate ? X509_get_subject_name(certificate) : NULL;

	if (!certificate)
		return NULL;
	if (!issuer)
		issuer = certificate;
	if (X509_set_version(certificate, 2) &&
	    X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC, (const unsigned char *)name, -1,
				       -1, 0) &&
	    X509_set_issuer_name(certificate, X509_get_subject_name(issuer)) &&
	    X509_gmtime_adj(X509_getm_notBefore(certificate), -86400) &&
	    X509_gmtime_adj(X509_getm_notAfter(certificate), 86400) &&
	    X509_set_pubkey(certificate, key) && add_extension(certificate, issuer, nid, value) &&
	    X509_sign(certificate, key, EVP_sha256()))
		return certificate;
	X509_free(certificate);
	return NULL;
}

static X509_STORE *trust(X509 *certificate)
{
	X509_STORE *store = X509_STORE_new();

	if (store && !X509_STORE_add_cert(store, certificate)) {
		X509_STORE_free(store);
		return NULL;
	}
	return store;
}

static const char *make_identity(struct probe *probe)
{
	struct tls_profile *profile = &probe->profile;

	probe->key = EVP_EC_gen("P-256");
	if (probe->key)
		probe->root = make_certificate(probe->key, NULL, "root", NID_basic_constraints,
					       "critical,CA:TRUE");
	if (probe->root)
		probe->intermediate = make_certificate(probe->key, probe->root, "intermediate",
						       NID_basic_constraints, "critical,CA:TRUE");
	if (probe->intermediate)
		probe->leaf = make_certificate(probe->key, probe->intermediate, "leaf",
					       NID_subject_alt_name, "IP:127.0.0.1");
	profile->chain = sk_X509_new_null();
	if (!probe->leaf || !profile->chain || !sk_X509_push(profile->chain, probe->intermediate))
		return "a certificate cannot be made";
	profile->leaf = probe->leaf;
	profile->key = probe->key;
	profile->handshake_s = 10;
	return NULL;
}

/* ---- the sofia side ---- */

static int on_message(struct probe *probe, nta_agent_t *agent, msg_t *msg, sip_t *sip)
{
	if (sip->sip_request) {
		probe->requests++;
		nta_msg_treply(agent, msg, SIP_200_OK, TAG_END());
	} else {
		nta_msg_discard(agent, msg);
	}
	return 0;
}

static nta_agent_t *open_agent(struct probe *probe, struct tls_profile *profile)
{
	nta_agent_t *agent = nta_agent_create(sip_loop_root(probe->loop), (url_string_t *)-1,
					      on_message, probe, NTATAG_UA(1), TAG_END());
	const char *url = "sips:127.0.0.1:*;transport=tls";
	int bound;

	if (!agent)
		return NULL;
	tls_guard_enter(profile);
	bound = nta_agent_add_tport(agent, (const url_string_t *)url,
				    TPTAG_CERTIFICATE("/dev/null"), TAG_END());
	tls_guard_leave();
	if (bound == 0)
		return agent;
	nta_agent_destroy(agent);
	return NULL;
}

/* ---- a client of OpenSSL alone ---- */

static void client_close(struct client *client)
{
	SSL_free(client->ssl); /* and its two BIOs */
	if (client->fd >= 0)
		(void)close(client->fd);
}

static int client_open(struct client *client, const struct probe *probe, const char *weak_suite)
{
	struct sockaddr_in address = { .sin_family = AF_INET,
				       .sin_port = htons(probe->port),
				       .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	SSL_CTX *context = SSL_CTX_new(TLS_client_method());
	X509_STORE *store = trust(probe->root);

	*client = (struct client){ .fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0) };
	if (!context || !store || client->fd < 0 ||
	    connect(client->fd, (const struct sockaddr *)&address, sizeof(address)) < 0)
		goto fail;
	SSL_CTX_set1_cert_store(context, store);
	SSL_CTX_set_verify(context, SSL_VERIFY_PEER, NULL);
	if (weak_suite && (!SSL_CTX_set_max_proto_version(context, TLS1_2_VERSION) ||
			   !SSL_CTX_set_cipher_list(context, weak_suite)))
		goto fail;
	client->ssl = SSL_new(context);
	client->from_peer = BIO_new(BIO_s_mem());
	client->to_peer = BIO_new(BIO_s_mem());
	if (!client->ssl || !client->from_peer || !client->to_peer)
		goto fail;
	SSL_set_bio(client->ssl, client->from_peer, client->to_peer);
	SSL_set_connect_state(client->ssl);
	SSL_CTX_free(context);
	X509_STORE_free(store);
	return 0;
fail:
	SSL_CTX_free(context);
	X509_STORE_free(store);
	client_close(client);
	client->ssl = NULL;
	client->fd = -1;
	return -EPROTO;
}

/* Sends at most `bytes` (4096) of what the client has to say, lets sofia have a turn,
 * and takes what came back. -EPIPE: sofia closed. */
static int client_turn(struct client *client, struct probe *probe, int bytes)
{
	char buffer[4096];
	int length = bytes ? BIO_read(client->to_peer, buffer, bytes) : 0;
	ssize_t got;

	if (length > 0 && send(client->fd, buffer, (size_t)length, MSG_NOSIGNAL) != length)
		return -EPIPE;
	sip_loop_step(probe->loop, 1);
	got = recv(client->fd, buffer, sizeof(buffer), MSG_DONTWAIT);
	if (got == 0 || (got < 0 && errno != EAGAIN))
		return -EPIPE;
	if (got > 0)
		(void)BIO_write(client->from_peer, buffer, (int)got); /* memory: takes all */
	return 0;
}

static int client_handshake(struct client *client, struct probe *probe)
{
	for (int turn = 0; turn < TURNS_MAX; turn++) {
		int result = SSL_do_handshake(client->ssl);
		int error = SSL_get_error(client->ssl, result);

		if (result == 1 && !BIO_pending(client->to_peer))
			return 0;
		if (result != 1 && error != SSL_ERROR_WANT_READ && error != SSL_ERROR_WANT_WRITE)
			return -EPROTO;
		if (client_turn(client, probe, 4096) < 0)
			return -EPROTO;
	}
	return -EPROTO;
}

static bool wait_for_live(struct probe *probe, size_t live)
{
	for (int turn = 0; turn < TURNS_MAX; turn++) {
		if (tls_guard_live() == live)
			return true;
		sip_loop_step(probe->loop, 1);
	}
	return false;
}

/* ---- the proofs; each returns NULL or what is wrong ---- */

static bool is_ten_minutes(int64_t ms)
{
	return ms > 599000 && ms < 601000;
}

static const char *prove_clock(struct probe *probe)
{
	su_time_t before = su_now(), after;
	uint64_t nano_before = su_nanotime(NULL), nano_after;

	(void)probe;
	clock_fake_advance(600000);
	clock_fake_wall_set(0); /* the wall clock steps back by decades */
	after = su_now();
	nano_after = su_nanotime(NULL);
	clock_real();
	if (!is_ten_minutes(su_duration(after, before)) ||
	    !is_ten_minutes((int64_t)(nano_after - nano_before) / 1000000))
		return "its timers do not run on the clock given to it";
	return NULL;
}

static const char *prove_unfinished_is_freed(struct probe *probe, size_t live)
{
	struct client client;

	if (client_open(&client, probe, NULL) < 0 || !wait_for_live(probe, live + 1)) {
		client_close(&client);
		return "a connection is not seen by the guard";
	}
	client_close(&client);
	return wait_for_live(probe, live) ? NULL : "a closed connection is not freed";
}

/* Sends a request in two parts; `poisoned`: while an error of somebody else lies
 * in OpenSSL's queue, which must not be taken for one of this connection. */
static const char *send_request(struct client *client, struct probe *probe, bool poisoned)
{
	unsigned before = probe->requests;
	int parts = 20; /* bytes, then all */
	const char *wrong = NULL;

	if (SSL_write(client->ssl, request, (int)strlen(request)) <= 0)
		return "a request cannot be written";
	if (poisoned)
		ERR_raise(ERR_LIB_SSL, ERR_R_INTERNAL_ERROR);
	for (int turn = 0; turn < TURNS_MAX && probe->requests == before && !wrong; turn++) {
		if (client_turn(client, probe, parts) < 0)
			wrong = "a healthy connection is closed";
		parts = turn < 5 ? 0 : 4096;
	}
	ERR_clear_error();
	if (!wrong && probe->requests == before)
		wrong = "a request is not delivered";
	return wrong;
}

static const char *prove_session(struct probe *probe, size_t live)
{
	const char *wrong = NULL;
	struct client client;

	if (client_open(&client, probe, NULL) < 0 || client_handshake(&client, probe) < 0)
		wrong = "the intermediate certificate is not sent, or no handshake is possible";
	else if (sk_X509_num(SSL_get_peer_cert_chain(client.ssl)) != 2)
		wrong = "not exactly the configured chain is sent";
	else if (tls_guard_live() != live + 1)
		wrong = "other users of OpenSSL are touched";
	if (!wrong)
		wrong = send_request(&client, probe, false);
	if (!wrong)
		wrong = send_request(&client, probe, true);
	if (client.ssl)
		(void)SSL_shutdown(client.ssl); /* as others do: must not free */
	client_close(&client);
	if (!wrong && !wait_for_live(probe, live))
		wrong = "a finished connection is not freed";
	return wrong;
}

static const char *prove_suites(struct probe *probe, size_t live)
{
	const char *wrong = NULL;
	struct client client;

	if (client_open(&client, probe, "ECDHE-ECDSA-AES128-SHA") == 0 &&
	    client_handshake(&client, probe) == 0)
		wrong = "a weak suite is accepted";
	client_close(&client);
	ERR_clear_error();
	if (!wrong && !wait_for_live(probe, live))
		wrong = "a refused connection is not freed";
	return wrong;
}

static void on_failure(struct tport_s *tport, bool tls, const char *reason, void *arg)
{
	struct probe *probe = arg;

	(void)tport;
	(void)reason;
	probe->failures++;
	probe->tls_failure = tls;
}

static int on_answer(struct probe *probe, nta_outgoing_t *outgoing, const sip_t *sip)
{
	(void)outgoing;
	if (sip && sip->sip_status->st_status == 200)
		probe->answers++;
	return 0;
}

/* A second agent calls the first, trusting `root`. */
static const char *call_ourselves(struct probe *probe, X509 *root)
{
	char uri[64];
	nta_outgoing_t *outgoing;
	nta_agent_t *agent;
	msg_t *msg;

	probe->caller = (struct tls_profile){ .handshake_s = 10,
					      .next_hop_trust = trust(root),
					      .on_failure = on_failure,
					      .arg = probe };
	agent = probe->caller.next_hop_trust ? open_agent(probe, &probe->caller) : NULL;
	if (!agent)
		return "a client cannot be made";
	(void)snprintf(uri, sizeof(uri), "sips:127.0.0.1:%u", probe->port);
	msg = nta_msg_create(agent, 0);
	(void)sip_add_tl(msg, sip_object(msg), SIPTAG_FROM_STR("<sip:self@127.0.0.1>;tag=self"),
			 SIPTAG_TO_STR("<sip:self@127.0.0.1>"), SIPTAG_CALL_ID_STR("self-test"),
			 SIPTAG_CSEQ_STR("2 OPTIONS"),
			 SIPTAG_REQUEST(sip_request_create(msg_home(msg), SIP_METHOD_OPTIONS,
							   (const url_string_t *)uri, NULL)),
			 TAG_END());
	probe->failures = probe->answers = 0;
	outgoing = nta_outgoing_mcreate(agent, on_answer, probe, NULL, msg, TAG_END());
	for (int turn = 0; turn < TURNS_MAX && !probe->failures && !probe->answers; turn++)
		sip_loop_step(probe->loop, 1);
	nta_outgoing_destroy(outgoing);
	nta_agent_destroy(agent);
	X509_STORE_free(probe->caller.next_hop_trust);
	return outgoing ? NULL : "a client cannot send";
}

static const char *prove_next_hop(struct probe *probe, size_t live)
{
	const char *wrong = call_ourselves(probe, probe->root);

	if (!wrong && (probe->failures || !probe->answers))
		wrong = "a good next hop is not reached";
	if (!wrong)
		wrong = call_ourselves(probe, probe->leaf); /* not what signed the chain */
	if (!wrong && (probe->answers || !probe->failures || !probe->tls_failure))
		wrong = "a bad certificate of a next hop is not reported";
	if (!wrong && !wait_for_live(probe, live))
		wrong = "a refused next hop is not freed";
	return wrong;
}

static const char *prove(struct probe *probe)
{
	const char *wrong = make_identity(probe);
	size_t live = tls_guard_live();
	tport_t *tport;

	if (wrong)
		return wrong;
	probe->agent = open_agent(probe, &probe->profile);
	if (!probe->agent)
		return "a listener on 127.0.0.1 cannot be opened";
	tport = tport_primaries(nta_agent_tports(probe->agent));
	probe->port = (uint16_t)strtoul(tport_name(tport)->tpn_port, NULL, 10);
	wrong = prove_clock(probe);
	if (!wrong)
		wrong = prove_unfinished_is_freed(probe, live);
	if (!wrong)
		wrong = prove_session(probe, live);
	if (!wrong)
		wrong = prove_suites(probe, live);
	if (!wrong)
		wrong = prove_next_hop(probe, live);
	return wrong;
}

int tls_guard_self_test(char *error, size_t room)
{
	struct probe probe = { 0 };
	const char *wrong = "no event loop";

	if (sip_loop_create(&probe.loop) == 0)
		wrong = prove(&probe);
	if (probe.agent)
		nta_agent_destroy(probe.agent);
	sip_loop_destroy(probe.loop);
	sk_X509_free(probe.profile.chain);
	X509_free(probe.leaf);
	X509_free(probe.intermediate);
	X509_free(probe.root);
	EVP_PKEY_free(probe.key);
	ERR_clear_error();
	if (!wrong)
		return 0;
	(void)snprintf(
		error, room,
		"libsofia-sip-ua behaves otherwise than the guard expects: %s; this build is "
		"for Debian's 1.12.11+20110422.1",
		wrong);
	return -EPROTO;
}
