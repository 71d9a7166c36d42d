/* SPDX-License-Identifier: Apache-2.0 */
/* binding.c - see binding.h. */
#include "tas/sip/binding.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "tas/sip/challenge.h"
#include "tas/sip/leg_private.h"
#include "tas/sip/peer_private.h"

#define START_SPREAD_MS 2000
#define ANSWER_MS       8000 /* two more repetitions than a lossy network needs */
#define LEAVE_MS        2000 /* as long as a stop lingers */
#define BACKOFF_MS      4000 /* doubled with each failure, up to: */
#define BACKOFF_MAX_MS  300000
#define EXPIRES_MAX_S   86400 /* what a Min-Expires may raise ours to */
#define ROUNDS_MAX      4     /* requests of one try: challenged, too brief, stale */

enum binding_state { BINDING_TRYING, BINDING_UP, BINDING_BACKOFF, BINDING_LEAVING };

struct binding {
	struct sip_endpoint *endpoint;
	struct binding *next, **link; /* the endpoint's list */
	struct sip_peer *peer;        /* own reference */
	struct sip_line *line;        /* own reference: where the last one went */
	enum binding_state state;
	char *aor, *registrar; /* sip:user@host, sip:host */
	char *call_id;
	char tag[17];
	uint32_t cseq;
	unsigned asked_s, expires_s; /* as configured; as a 423 has raised it */
	unsigned failures;           /* in a row */
	unsigned rounds;             /* requests of this try */
	struct digest_session session;
	char *authorization; /* for the next request; NULL: none */
	bool for_proxy, told_down;
	nta_outgoing_t *request;
	struct timer timer;
};

static void start_timer(struct binding *binding, mono_ms ms)
{
	timer_start(endpoint_wheel(binding->endpoint), &binding->timer, clock_now() + ms);
}

static void forget_request(struct binding *binding)
{
	if (binding->request)
		nta_outgoing_destroy(binding->request);
	binding->request = NULL;
}

static void binding_free(struct binding *binding)
{
	timer_cancel(&binding->timer);
	forget_request(binding);
	*binding->link = binding->next;
	if (binding->next)
		binding->next->link = binding->link;
	binding->endpoint->binding_count--;
	sip_line_unref(binding->line);
	sip_peer_unref(binding->peer);
	free(binding->authorization);
	free(binding->aor);
	free(binding->registrar);
	free(binding->call_id);
	free(binding);
}

/* The only function that writes binding->state. */
static void enter(struct binding *binding, enum binding_state state)
{
	static const char *const names[] = {
		[BINDING_TRYING] = "trying",
		[BINDING_UP] = "registered",
		[BINDING_BACKOFF] = "not registered",
		[BINDING_LEAVING] = "leaving",
	};

	binding->state = state;
	/* A refresh on its way does not make it less registered. */
	if (state != BINDING_TRYING || binding->failures)
		binding->peer->binding = names[state];
}

/* ---- what is sent ---- */

/* Our Contact with the user that the PBX calls us by. */
static char *contact(const struct binding *binding, su_home_t *home, const url_t *hop)
{
	const struct listener *listener = endpoint_listener(
		binding->endpoint, message_transport(hop), sip_line_uri(binding->line));
	const char *user = strchr(binding->aor, ':') + 1;
	const char *bare, *host;

	if (!listener)
		return NULL;
	bare = endpoint_contact(binding->endpoint, home, listener, NULL, hop->url_type == url_sips);
	host = bare ? strchr(bare, ':') + 1 : NULL;
	return host ? su_sprintf(home, "%.*s%.*s@%s", (int)(host - bare), bare,
				 (int)strcspn(user, "@"), user, host)
		    : NULL;
}

static int fill(struct binding *binding, msg_t *msg, const url_t *hop)
{
	su_home_t *home = msg_home(msg);
	sip_t *sip = sip_object(msg);
	const char *self = contact(binding, home, hop);
	const char *to = su_sprintf(home, "<%s>", binding->aor);
	const char *from = su_sprintf(home, "<%s>;tag=%s", binding->aor, binding->tag);
	const char *cseq = su_sprintf(home, "%u REGISTER", ++binding->cseq);
	const char *expires =
		su_sprintf(home, "%u", binding->state == BINDING_LEAVING ? 0 : binding->expires_s);
	const char *mine = binding->authorization;
	sip_request_t *request = sip_request_create(home, SIP_METHOD_REGISTER,
						    (const url_string_t *)binding->registrar, NULL);

	if (!self || !to || !from || !cseq || !expires || !request ||
	    msg_header_insert(msg, (msg_pub_t *)sip, (msg_header_t *)request) < 0)
		return -ENOMEM;
	return sip_add_tl(msg, sip, SIPTAG_FROM_STR(from), SIPTAG_TO_STR(to),
			  SIPTAG_CALL_ID_STR(binding->call_id), SIPTAG_CSEQ_STR(cseq),
			  SIPTAG_CONTACT_STR(self), SIPTAG_EXPIRES_STR(expires),
			  SIPTAG_MAX_FORWARDS_STR("70"),
			  SIPTAG_USER_AGENT_STR(binding->endpoint->user_agent),
			  TAG_IF(mine && !binding->for_proxy, SIPTAG_AUTHORIZATION_STR(mine)),
			  TAG_IF(mine && binding->for_proxy, SIPTAG_PROXY_AUTHORIZATION_STR(mine)),
			  TAG_END()) < 0
		       ? -ENOMEM
		       : 0;
}

/* The address to try: the first that is up, the next ones in turn after failures. */
static int choose_line(struct binding *binding)
{
	struct sip_line *const *lines;
	size_t count = sip_peer_choose(binding->peer, &lines);

	if (!count)
		return -ENOENT;
	sip_line_unref(binding->line);
	binding->line = sip_line_ref(lines[binding->failures % count]);
	return 0;
}

static nta_response_f on_response;

static int send_register(struct binding *binding)
{
	msg_t *msg = nta_msg_create(binding->endpoint->agent, 0);
	url_t *hop = msg ? url_make(msg_home(msg), sip_line_uri(binding->line)) : NULL;
	const char *to;

	if (hop && fill(binding, msg, hop) == 0) {
		to = endpoint_hop(binding->endpoint, msg_home(msg), hop, message_transport(hop));
		binding->request =
			nta_outgoing_mcreate(binding->endpoint->agent, on_response, (void *)binding,
					     (const url_string_t *)to, msg, TAG_END());
	}
	free(binding->authorization);
	binding->authorization = NULL;
	binding->rounds++;
	if (binding->request) {
		start_timer(binding, binding->state == BINDING_LEAVING ? LEAVE_MS : ANSWER_MS);
		return 0;
	}
	if (msg)
		msg_destroy(msg);
	return -EIO;
}

/* ---- what comes of it ---- */

/* Half to a full measure: RFC 5626 section 4.5. */
static mono_ms backoff(const struct binding *binding, bool refused, unsigned retry_after_s)
{
	unsigned doublings = binding->failures < 8 ? binding->failures - 1 : 7;
	mono_ms ms = refused ? BACKOFF_MAX_MS : (mono_ms)BACKOFF_MS << doublings;

	if (ms > BACKOFF_MAX_MS)
		ms = BACKOFF_MAX_MS;
	ms = ms / 2 + (mono_ms)(leg_random() % (uint32_t)(ms / 2));
	return ms > (mono_ms)retry_after_s * 1000 ? ms : (mono_ms)retry_after_s * 1000;
}

static void failed(struct binding *binding, bool refused, unsigned retry_after_s, const char *why)
{
	forget_request(binding);
	if (binding->state == BINDING_LEAVING) {
		binding_free(binding);
		return;
	}
	binding->failures++;
	enter(binding, BINDING_BACKOFF);
	if (!binding->told_down)
		log_error("sip",
			  "trunk=%s address=%s does not register us: %s: check `register`, `auth` "
			  "and the address",
			  binding->peer->name, binding->line ? sip_line_uri(binding->line) : "-",
			  why);
	binding->told_down = true;
	start_timer(binding, backoff(binding, refused, retry_after_s));
}

/* What it granted: our Contact's parameter, else the header, else what we asked
 * for (RFC 3261 section 10.2.4). A registrar may list others' contacts too. */
static unsigned granted_s(const struct binding *binding, const sip_t *sip)
{
	const char *user = strchr(binding->aor, ':') + 1;
	size_t length = strcspn(user, "@");

	for (const sip_contact_t *at = sip->sip_contact; at; at = at->m_next)
		if (at->m_url->url_user && strlen(at->m_url->url_user) == length &&
		    strncmp(at->m_url->url_user, user, length) == 0 && at->m_expires)
			return (unsigned)strtoul(at->m_expires, NULL, 10);
	return sip->sip_expires ? (unsigned)sip->sip_expires->ex_delta : binding->expires_s;
}

static void succeeded(struct binding *binding, const sip_t *sip)
{
	unsigned expires_s = granted_s(binding, sip);
	uint32_t half_ms;

	forget_request(binding);
	if (binding->state == BINDING_LEAVING) {
		binding_free(binding);
		return;
	}
	if (!expires_s) {
		failed(binding, true, 0, "it grants no time");
		return;
	}
	if (binding->told_down || !binding->peer->binding ||
	    strcmp(binding->peer->binding, "registered") != 0)
		log_notice("sip", "trunk=%s registered at=%s for_s=%u", binding->peer->name,
			   sip_line_uri(binding->line), expires_s);
	binding->told_down = false;
	binding->failures = 0;
	enter(binding, BINDING_UP);
	/* Half of its time, and up to a tenth more: several tries before it lapses. */
	half_ms = (expires_s < EXPIRES_MAX_S ? expires_s : EXPIRES_MAX_S) * 500;
	start_timer(binding, half_ms + leg_random() % (half_ms / 5));
}

static bool raise_expires(struct binding *binding, const sip_t *sip)
{
	unsigned least = sip->sip_min_expires ? (unsigned)sip->sip_min_expires->me_delta : 0;

	if (least <= binding->expires_s || least > EXPIRES_MAX_S)
		return false;
	binding->expires_s = least;
	return true;
}

static bool answer_challenge(struct binding *binding, const sip_t *sip, const char **ret_why)
{
	struct digest_identity *identity = sip_peer_identity(binding->peer);
	struct digest_answer said = { .why = "it challenges us, and there is no `auth`" };

	if (identity && challenge_answer(identity, &binding->session, "REGISTER",
					 binding->registrar, sip, &said) == 0) {
		binding->authorization = said.text;
		binding->for_proxy = sip->sip_status->st_status == 407;
		return true;
	}
	if (said.why)
		*ret_why = said.why;
	return false;
}

/* A refusal that another try at once may mend. */
static bool may_mend(struct binding *binding, const sip_t *sip, const char **ret_why)
{
	int status = sip->sip_status->st_status;

	if (binding->rounds >= ROUNDS_MAX)
		return false;
	if (status == 423)
		return raise_expires(binding, sip);
	return (status == 401 || status == 407) && answer_challenge(binding, sip, ret_why);
}

static void judge(struct binding *binding, const sip_t *sip)
{
	int status = sip->sip_status->st_status;
	unsigned later_s = sip->sip_retry_after ? (unsigned)sip->sip_retry_after->af_delta : 0;
	const char *why = sip->sip_status->st_phrase;

	if (status < 300) {
		succeeded(binding, sip);
	} else if (may_mend(binding, sip, &why)) {
		forget_request(binding);
		if (send_register(binding) < 0)
			failed(binding, false, 0, "no request can be sent there");
	} else {
		failed(binding, status < 500 && status != 408, later_s, why);
	}
}

static int on_response(void *arg, nta_outgoing_t *request, const sip_t *sip)
{
	struct binding *binding = arg;
	int status = sip ? sip->sip_status->st_status : 408;

	(void)request;
	if (status < 200)
		return 0;
	if (!sip || nta_sip_is_internal((sip_t *)sip)) {
		sip_line_silent(binding->line, message_why(sip));
		failed(binding, false, 0, message_why(sip));
	} else {
		sip_line_heard(binding->line, status);
		judge(binding, sip);
	}
	return 0;
}

static void try_now(struct binding *binding)
{
	binding->rounds = 0;
	binding->session.answered = false;
	if (choose_line(binding) < 0 || send_register(binding) < 0)
		failed(binding, false, 0, "no request can be sent there");
}

static void on_timer(struct timer *timer, void *arg)
{
	struct binding *binding = arg;

	(void)timer;
	if (binding->request) {
		sip_line_silent(binding->line, "no response in time");
		failed(binding, false, 0, "no response in time");
		return;
	}
	enter(binding, BINDING_TRYING);
	try_now(binding);
}

/* ---- life ---- */

static int name_registrar(struct binding *binding, const char *aor)
{
	const char *at = strchr(aor, '@');
	enum url_type_e type = url_invalid;

	if (!at || !message_uri_valid(aor, &type) || (type != url_sip && type != url_sips))
		return -EINVAL;
	binding->aor = strdup(aor);
	/* RFC 3261 section 10.2: the request names the domain alone. */
	if (asprintf(&binding->registrar, "%.*s%s", (int)strcspn(aor, ":") + 1, aor, at + 1) < 0)
		binding->registrar = NULL;
	if (asprintf(&binding->call_id, "%08x%08x%08x", leg_random(), leg_random(), leg_random()) <
	    0)
		binding->call_id = NULL;
	return binding->aor && binding->registrar && binding->call_id ? 0 : -ENOMEM;
}

int binding_create(struct binding **ret_binding, struct sip_endpoint *endpoint,
		   struct sip_peer *peer, const struct binding_options *options)
{
	struct binding *binding = calloc(1, sizeof(*binding));
	int err;

	if (!binding)
		return -ENOMEM;
	binding->endpoint = endpoint;
	binding->peer = sip_peer_ref(peer);
	binding->asked_s = binding->expires_s = options->expires_s;
	binding->cseq = leg_random() >> 8;
	leg_new_tag(binding->tag);
	timer_init(&binding->timer, on_timer, binding);
	binding->next = endpoint->bindings;
	binding->link = &endpoint->bindings;
	if (binding->next)
		binding->next->link = &binding->next;
	endpoint->bindings = binding;
	endpoint->binding_count++;
	err = name_registrar(binding, options->aor);
	if (err) {
		binding_free(binding);
		return err;
	}
	peer->binding = "trying";
	start_timer(binding, leg_random() % START_SPREAD_MS);
	*ret_binding = binding;
	return 0;
}

bool binding_is_for(const struct binding *binding, const struct binding_options *options)
{
	return strcmp(binding->aor, options->aor) == 0 && binding->asked_s == options->expires_s;
}

struct binding *binding_leave(struct binding *take_binding)
{
	struct binding *binding = take_binding;

	if (!binding)
		return NULL;
	binding->peer->binding = NULL;
	/* Nothing was ever sent, or the PBX does not know us: there is nothing to end. */
	if (!binding->line || (binding->failures && binding->state == BINDING_BACKOFF)) {
		binding_free(binding);
		return NULL;
	}
	forget_request(binding);
	binding->state = BINDING_LEAVING;
	binding->rounds = 0;
	binding->session.answered = false;
	if (send_register(binding) < 0)
		binding_free(binding);
	return NULL;
}

struct binding *binding_forget(struct binding *take_binding)
{
	if (!take_binding)
		return NULL;
	take_binding->peer->binding = NULL;
	binding_free(take_binding);
	return NULL;
}

void binding_forget_all(struct sip_endpoint *endpoint)
{
	struct binding *next;

	for (struct binding *binding = endpoint->bindings; binding; binding = next) {
		next = binding->next;
		binding_free(binding);
	}
}
