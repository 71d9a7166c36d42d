/* SPDX-License-Identifier: Apache-2.0 */
/* scene.h - two endpoints in one loop that call each other over loopback. What
 * each side hears is written down as words, so that a test reads as a story.
 */
#ifndef BREAKOUT_TESTS_UNIT_TAS_SIP_SCENE_H
#define BREAKOUT_TESTS_UNIT_TAS_SIP_SCENE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
/* cmocka wants the four above before it */
#include <cmocka.h>

#include "base/clock.h"
#include "base/log.h"
#include "tas/sip/endpoint.h"
#include "tas/sip/tls_guard.h"
#include "tests/unit/tas/sip/pki.h"

#define OFFER  "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\n"
#define ANSWER "v=0\r\no=- 2 1 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\n"

/* One leg's owner. */
struct party {
	struct leg *leg;
	char heard[2000]; /* " 180 183+sdp ANSWERED+sdp" */
	char sdp[2000];   /* of the last event that had one */
	char text[400];   /* of the last REFER or INFO */
	char header[200]; /* the header `watch` of the last event that had it */
	const char *watch;
	int status;
	enum leg_end_reason end;
	bool release_at_once; /* from inside the next event */
};

struct scene {
	struct pki pki;
	struct sip_loop *loop;
	struct sip_endpoint *a, *b; /* a calls, b is called */
	struct party caller, callee;
	unsigned invites;
	int identity; /* what b says of who calls; -1: stranger */
	int options_status;
	const char *known_host; /* besides where a dialog came from */
	bool fake_time;
	enum leg_100rel rel100; /* what the caller says */
	unsigned expires_s, min_se_s;
	char error[300];
};

static struct scene scene;

static inline void party_note(struct party *party, const char *word, bool sdp)
{
	size_t used = strlen(party->heard);

	(void)snprintf(party->heard + used, sizeof(party->heard) - used, " %s%s", word,
		       sdp ? "+sdp" : "");
}

static inline void party_on_event(struct leg *leg, const struct leg_event *event, void *arg)
{
	struct party *party = arg;
	char word[32];
	const char *value;

	assert_ptr_equal(leg, party->leg);
	assert_non_null(event->reason);
	assert_non_null(event->headers);
	party->status = event->status;
	switch (event->type) {
	case LEG_EV_PROVISIONAL:
		(void)snprintf(word, sizeof(word), "%s%d", event->reliable ? "R" : "",
			       event->status);
		break;
	case LEG_EV_PRACKED:
		(void)snprintf(word, sizeof(word), "PRACKED");
		break;
	case LEG_EV_ANSWERED:
		(void)snprintf(word, sizeof(word), "ANSWERED");
		break;
	case LEG_EV_CONFIRMED:
		(void)snprintf(word, sizeof(word), "CONFIRMED");
		break;
	case LEG_EV_OFFER:
		(void)snprintf(word, sizeof(word), event->update ? "UPDATE" : "OFFER");
		break;
	case LEG_EV_OFFER_ANSWERED:
		(void)snprintf(word, sizeof(word), "OFFER_ANSWERED:%d", event->status);
		break;
	case LEG_EV_REFER:
		(void)snprintf(word, sizeof(word), "REFER:%.24s", event->refer->user);
		(void)snprintf(party->text, sizeof(party->text), "%s %s", event->refer->uri,
			       event->refer->replaces ? event->refer->replaces : "-");
		break;
	case LEG_EV_INFO:
		(void)snprintf(word, sizeof(word), "INFO");
		(void)snprintf(party->text, sizeof(party->text), "%s|%s",
			       event->body_type ? event->body_type : "-",
			       event->body ? event->body : "-");
		break;
	case LEG_EV_INFO_ANSWERED:
		(void)snprintf(word, sizeof(word), "INFO_ANSWERED:%d", event->status);
		break;
	case LEG_EV_ENDED:
		party->end = event->end;
		(void)snprintf(word, sizeof(word), "ENDED:%s:%d%s", leg_end_reason_name(event->end),
			       event->status, event->rang ? ":rang" : "");
		break;
	}
	party_note(party, word, event->sdp != NULL);
	if (event->sdp)
		(void)snprintf(party->sdp, sizeof(party->sdp), "%s", event->sdp);
	value = party->watch ? sip_headers_find(event->headers, party->watch) : NULL;
	if (value)
		(void)snprintf(party->header, sizeof(party->header), "%s", value);
	if (party->release_at_once)
		party->leg = leg_release(party->leg, NULL);
}

static inline int scene_identify(const struct sip_source *source, void *arg)
{
	(void)source;
	(void)arg;
	return scene.identity;
}

static inline void scene_on_invite(struct leg *leg, void *arg)
{
	(void)arg;
	scene.invites++;
	assert_null(scene.callee.leg);
	scene.callee.leg = leg;
	leg_set_handler(leg, party_on_event, &scene.callee);
}

static inline int scene_options_status(void *arg)
{
	(void)arg;
	return scene.options_status;
}

/* What a caller must say; NULL: nothing. */
static const char *scene_password;

static inline int scene_authenticate(const struct sip_proof *proof, struct sip_demand *ret_demand,
				     void *arg)
{
	(void)arg;
	if (!scene_password)
		return 0;
	assert_string_equal(proof->method, "INVITE");
	for (size_t i = 0; i < proof->answer_count; i++)
		if (strstr(proof->answers[i], scene_password))
			return 0;
	ret_demand->challenges[0] = strdup("Digest realm=\"r\", nonce=\"1\"");
	ret_demand->challenges[1] = strdup("Digest realm=\"r\", nonce=\"2\"");
	ret_demand->count = 2;
	return 401;
}

static inline bool scene_knows_host(const char *host, void *arg)
{
	(void)arg;
	return scene.known_host && strcmp(host, scene.known_host) == 0;
}

static const struct sip_endpoint_handlers scene_handlers = { .identify = scene_identify,
							     .knows_host = scene_knows_host,
							     .authenticate = scene_authenticate,
							     .invite = scene_on_invite,
							     .options_status =
								     scene_options_status };

static inline struct sip_endpoint_options scene_options(struct config_listen *listen,
							enum sip_transport transport)
{
	static char host[] = "127.0.0.1";

	*listen = (struct config_listen){ .transport = transport, .host = host };
	return (struct sip_endpoint_options){
		.listen = listen,
		.listen_count = 1,
		.certificate = pki_path(&scene.pki, "good.pem"),
		.private_key = pki_path(&scene.pki, "good.key"),
		.ca_file = scene.pki.ca,
		.user_agent = "test",
		.connect_ms = 1000,
		.handshake_s = 10,
		.t1_ms = 500,
		.session_expires_s = scene.expires_s,
		.min_se_s = scene.min_se_s,
		.verify_next_hop = true,
	};
}

static inline struct sip_endpoint *scene_endpoint(const struct sip_endpoint_options *options)
{
	struct sip_endpoint *endpoint = NULL;
	int err = sip_endpoint_create(&endpoint, scene.loop, options, &scene_handlers, scene.error,
				      sizeof(scene.error));

	if (err)
		fail_msg("%d: %s", err, scene.error);
	return endpoint;
}

static inline void scene_quiet(enum log_level level, const char *area, const char *line, void *arg)
{
	(void)arg;
	if (getenv("SCENE_LOG"))
		(void)fprintf(stderr, "%s %s %s\n", log_level_name(level), area, line);
}

static inline void scene_open(void)
{
	memset(&scene, 0, sizeof(scene));
	log_set_sink(scene_quiet, NULL);
	if (getenv("SCENE_LOG"))
		log_set_level(LOG_LEVEL_DEBUG);
	pki_init(&scene.pki);
	scene.options_status = 200;
	assert_int_equal(sip_loop_create(&scene.loop), 0);
}

static inline void scene_close(void)
{
	scene.caller.leg = leg_release(scene.caller.leg, NULL);
	scene.callee.leg = leg_release(scene.callee.leg, NULL);
	scene.a = sip_endpoint_destroy(scene.a);
	scene.b = sip_endpoint_destroy(scene.b);
	scene.loop = sip_loop_destroy(scene.loop);
	pki_done(&scene.pki);
	clock_real();
	assert_int_equal(tls_guard_live(), 0);
}

/* Both endpoints on one transport. */
static inline void scene_open_pair(enum sip_transport transport)
{
	struct config_listen listen;
	struct sip_endpoint_options options;

	scene_open();
	options = scene_options(&listen, transport);
	scene.a = scene_endpoint(&options);
	scene.b = scene_endpoint(&options);
}

static inline void scene_step(void)
{
	sip_loop_step(scene.loop, 5);
}

/* Moves time on, in steps that let sofia's timers run one after another. */
static inline void scene_pass(unsigned ms)
{
	for (unsigned passed = 0; passed < ms; passed += 100) {
		clock_fake_advance(100);
		sip_loop_step(scene.loop, 0);
		sip_loop_step(scene.loop, 0);
	}
}

/* Until `party` has heard `word`; real time, at most two seconds. */
static inline void scene_wait(struct party *party, const char *word)
{
	for (int i = 0; i < 400; i++) {
		if (strstr(party->heard, word))
			return;
		scene_step();
	}
	fail_msg("waited for \"%s\", heard:%s", word, party->heard);
}

static inline void scene_wait_invite(unsigned count)
{
	for (int i = 0; i < 400 && scene.invites < count; i++)
		scene_step();
	assert_int_equal(scene.invites, count);
}

static inline void scene_settle(void)
{
	for (int i = 0; i < 10; i++)
		scene_step();
}

/* Until both endpoints have no leg left. */
static inline void scene_wait_gone(void)
{
	for (int i = 0; i < 400; i++) {
		if (sip_endpoint_leg_count(scene.a) + sip_endpoint_leg_count(scene.b) == 0)
			return;
		scene_step();
	}
	fail_msg("legs left: %zu and %zu", sip_endpoint_leg_count(scene.a),
		 sip_endpoint_leg_count(scene.b));
}

static inline const char *scene_uri(char *room, size_t size, const char *user, const char *host,
				    uint16_t port, enum sip_transport transport)
{
	(void)snprintf(room, size, "%s:%s@%s:%u%s", transport == SIP_TRANSPORT_TLS ? "sips" : "sip",
		       user, host, port, transport == SIP_TRANSPORT_TCP ? ";transport=tcp" : "");
	return room;
}

static inline int scene_try_call(const char *uri, const char *sdp)
{
	struct leg_invite invite = { .request_uri = uri,
				     .from_uri = "sip:+4799000001@example.com",
				     .from_display = "Al \"Q\" Ice",
				     .to_uri = "sip:+4799000002@example.com",
				     .rel100 = scene.rel100,
				     .sdp = sdp };

	return leg_invite(&scene.caller.leg, scene.a, &invite, party_on_event, &scene.caller);
}

static inline void scene_call(enum sip_transport transport, const char *sdp)
{
	char uri[128];

	scene_uri(uri, sizeof(uri), "+004799000002", "127.0.0.1", sip_endpoint_port(scene.b, 0),
		  transport);
	assert_int_equal(scene_try_call(uri, sdp), 0);
	scene_wait_invite(scene.invites + 1);
}

/* A call that talks. */
static inline void scene_talk(enum sip_transport transport)
{
	scene_call(transport, OFFER);
	assert_int_equal(leg_answer(scene.callee.leg, ANSWER, NULL), 0);
	scene_wait(&scene.caller, "ANSWERED+sdp");
	assert_int_equal(leg_ack(scene.caller.leg, NULL), 0);
	scene_wait(&scene.callee, "CONFIRMED");
}

#endif
