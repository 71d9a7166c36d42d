/* SPDX-License-Identifier: Apache-2.0 */
/* probe.c - see probe.h. */
#include "tas/sip/probe.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "tas/sip/leg_private.h"

#define ANSWER_MS       4000 /* for an answer, and until the next try after a failure */
#define START_SPREAD_MS 2000

struct probe {
	struct sip_endpoint *endpoint;
	struct probe *next, **link; /* the endpoint's list */
	char *uri, *hop;            /* hop NULL: the URI's own */
	unsigned every_s, hops;
	struct timer timer;
	nta_outgoing_t *options; /* waiting for its answer */
	probe_fn *on_result;
	void *arg;
};

static void start_timer(struct probe *probe, mono_ms ms)
{
	timer_start(endpoint_wheel(probe->endpoint), &probe->timer, clock_now() + ms);
}

static void forget(struct probe *probe)
{
	nta_outgoing_destroy(probe->options);
	probe->options = NULL;
}

/* The owner may not destroy the probe from inside on_result. */
static void judge(struct probe *probe, int status, const char *why)
{
	mono_ms every = (mono_ms)probe->every_s * 1000;
	bool answered = probe->on_result(status, why, probe->arg);

	forget(probe);
	/* Up to a tenth earlier: what began together does not stay together. */
	start_timer(probe, answered ? every - leg_random() % (every / 10) : ANSWER_MS);
}

static int on_response(void *arg, nta_outgoing_t *request, const sip_t *sip)
{
	struct probe *probe = arg;
	int status = sip ? sip->sip_status->st_status : 408;
	bool answered = !nta_sip_is_internal((sip_t *)sip);

	(void)request;
	if (status >= 200)
		judge(probe, answered ? status : 0, message_why(sip));
	return 0;
}

/* The URI of the next hop; NULL: no memory. */
static url_t *next_hop(const struct probe *probe, su_home_t *home)
{
	return url_make(home, probe->hop ? probe->hop : probe->uri);
}

static char *contact(const struct probe *probe, su_home_t *home, const url_t *url)
{
	const struct listener *listener = endpoint_listener(probe->endpoint, message_transport(url),
							    probe->hop ? probe->hop : probe->uri);

	return listener ? endpoint_contact(probe->endpoint, home, listener, NULL,
					   url->url_type == url_sips)
			: NULL;
}

static int fill(const struct probe *probe, msg_t *msg, const url_t *hop)
{
	const char *domain = probe->endpoint->domain;
	su_home_t *home = msg_home(msg);
	sip_request_t *request = sip_request_create(home, SIP_METHOD_OPTIONS,
						    (const url_string_t *)probe->uri, NULL);
	char tag[17], from[256], to[256], hops[16];

	if (!request ||
	    msg_header_insert(msg, (msg_pub_t *)sip_object(msg), (msg_header_t *)request) < 0)
		return -ENOMEM;
	leg_new_tag(tag);
	(void)snprintf(from, sizeof(from), "<sip:%s>;tag=%s", domain ? domain : "anonymous.invalid",
		       tag);
	(void)snprintf(to, sizeof(to), "<%s>", probe->uri);
	(void)snprintf(hops, sizeof(hops), "%u", probe->hops);
	if (sip_add_tl(msg, sip_object(msg), SIPTAG_FROM_STR(from), SIPTAG_TO_STR(to),
		       SIPTAG_CALL_ID(sip_call_id_create(home, NULL)), SIPTAG_CSEQ_STR("1 OPTIONS"),
		       SIPTAG_CONTACT_STR(contact(probe, home, hop)), SIPTAG_MAX_FORWARDS_STR(hops),
		       SIPTAG_ACCEPT_STR("application/sdp"),
		       SIPTAG_USER_AGENT_STR(probe->endpoint->user_agent), TAG_END()) < 0)
		return -ENOMEM;
	return 0;
}

static void send_options(struct probe *probe)
{
	msg_t *msg = nta_msg_create(probe->endpoint->agent, 0);
	const url_t *hop = msg ? next_hop(probe, msg_home(msg)) : NULL;
	const char *to;

	if (hop && fill(probe, msg, hop) == 0) {
		to = endpoint_hop(probe->endpoint, msg_home(msg), hop, message_transport(hop));
		probe->options =
			nta_outgoing_mcreate(probe->endpoint->agent, on_response, (void *)probe,
					     (const url_string_t *)to, msg, TAG_END());
	}
	if (msg && !probe->options)
		msg_destroy(msg);
}

static void on_timer(struct timer *timer, void *arg)
{
	struct probe *probe = arg;

	(void)timer;
	if (probe->options) {
		(void)probe->on_result(0, "no response in time", probe->arg);
		forget(probe);
	}
	send_options(probe);
	if (probe->options)
		start_timer(probe, ANSWER_MS);
	else
		judge(probe, 0, "no request can be sent there");
}

void probe_hurry(struct probe *probe)
{
	if (probe && !probe->options)
		start_timer(probe, 0);
}

const char *probe_uri(const struct probe *probe)
{
	return probe->uri;
}

void probe_set_every(struct probe *probe, unsigned every_s)
{
	probe->every_s = every_s;
}

void probe_close_connection(struct probe *probe)
{
	tport_t *tport = nta_outgoing_transport(probe->options);

	if (!tport)
		return;
	if (tport_is_secondary(tport))
		(void)tport_shutdown(tport, 2);
	tport_unref(tport);
}

void probe_connection_failed(struct sip_endpoint *endpoint, tport_t *tport, const char *why)
{
	for (struct probe *probe = endpoint->probes; probe; probe = probe->next) {
		tport_t *used = nta_outgoing_transport(probe->options);

		if (used == tport)
			judge(probe, 0, why);
		if (used)
			tport_unref(used);
	}
}

int probe_create(struct probe **ret_probe, struct sip_endpoint *endpoint,
		 const struct probe_options *options)
{
	enum url_type_e type = url_invalid;
	struct probe *probe;

	if (!message_uri_valid(options->uri, &type) || (type != url_sip && type != url_sips))
		return -EINVAL;
	probe = calloc(1, sizeof(*probe));
	if (!probe)
		return -ENOMEM;
	probe->uri = strdup(options->uri);
	probe->hop = str_dup_or_null(options->hop);
	if (!probe->uri || (options->hop && !probe->hop)) {
		free(probe->uri);
		free(probe->hop);
		free(probe);
		return -ENOMEM;
	}
	probe->endpoint = endpoint;
	probe->every_s = options->every_s;
	probe->hops = options->hops;
	probe->on_result = options->on_result;
	probe->arg = options->arg;
	timer_init(&probe->timer, on_timer, probe);
	probe->next = endpoint->probes;
	probe->link = &endpoint->probes;
	if (probe->next)
		probe->next->link = &probe->next;
	endpoint->probes = probe;
	start_timer(probe, options->at_once ? 0 : leg_random() % START_SPREAD_MS);
	*ret_probe = probe;
	return 0;
}

struct probe *probe_destroy(struct probe *probe)
{
	if (!probe)
		return NULL;
	timer_cancel(&probe->timer);
	if (probe->options)
		forget(probe);
	*probe->link = probe->next;
	if (probe->next)
		probe->next->link = probe->link;
	free(probe->uri);
	free(probe->hop);
	free(probe);
	return NULL;
}
