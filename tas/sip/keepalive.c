/* SPDX-License-Identifier: Apache-2.0 */
/* keepalive.c - OPTIONS to the next hop over the connection its calls use.
 *
 * sofia pings TCP connections but not TLS ones, and a silently dead connection
 * would cost the next call its set-up time. Two failures in a row close it, so
 * that the next request makes a new one.
 */
#include "tas/sip/endpoint_private.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "tas/sip/leg_private.h"

#define FAILURES_MAX 2
#define ANSWER_MS    4000 /* for an answer, and until a second try */

static void close_connection(struct sip_endpoint *endpoint)
{
	tport_t *tport = nta_outgoing_transport(endpoint->keepalive.options);

	if (!tport)
		return;
	if (tport_is_secondary(tport))
		(void)tport_shutdown(tport, 2);
	tport_unref(tport);
}

static void judge(struct sip_endpoint *endpoint, bool answered, const char *why)
{
	struct keepalive *keepalive = &endpoint->keepalive;

	if (answered) {
		if (keepalive->down_logged)
			log_notice("sip", "next hop answers again uri=%s", keepalive->uri);
		keepalive->ok = true;
		keepalive->failures = 0;
		keepalive->down_logged = false;
		return;
	}
	keepalive->ok = false;
	if (++keepalive->failures < FAILURES_MAX)
		return;
	close_connection(endpoint);
	if (!keepalive->down_logged)
		log_error("sip",
			  "next hop does not answer OPTIONS uri=%s why=%s: check its address, "
			  "the network and the certificates",
			  keepalive->uri, why);
	keepalive->down_logged = true;
}

static void forget(struct keepalive *keepalive)
{
	nta_outgoing_destroy(keepalive->options);
	keepalive->options = NULL;
}

static int on_response(void *arg, nta_outgoing_t *request, const sip_t *sip)
{
	struct sip_endpoint *endpoint = arg;
	struct keepalive *keepalive = &endpoint->keepalive;
	int status = sip ? sip->sip_status->st_status : 408;
	bool answered = status < 500 && !nta_sip_is_internal((sip_t *)sip);

	(void)request;
	if (status < 200)
		return 0;
	judge(endpoint, answered, message_why(sip));
	forget(keepalive);
	timer_start(endpoint_wheel(endpoint), &keepalive->timer,
		    clock_now() + (answered ? keepalive->every_ms : ANSWER_MS));
	return 0;
}

static msg_t *make_options(struct sip_endpoint *endpoint)
{
	const char *uri = endpoint->keepalive.uri;
	msg_t *msg = nta_msg_create(endpoint->agent, 0);
	su_home_t *home = msg_home(msg);
	sip_t *sip = sip_object(msg);
	char tag[17], from[256], to[256];

	if (!msg)
		return NULL;
	leg_new_tag(tag);
	(void)snprintf(from, sizeof(from), "<sip:%s>;tag=%s",
		       endpoint->domain ? endpoint->domain : "anonymous.invalid", tag);
	(void)snprintf(to, sizeof(to), "<%s>", uri);
	if (sip_add_tl(msg, sip, SIPTAG_FROM_STR(from), SIPTAG_TO_STR(to),
		       SIPTAG_CALL_ID(sip_call_id_create(home, NULL)), SIPTAG_CSEQ_STR("1 OPTIONS"),
		       SIPTAG_MAX_FORWARDS_STR("0"), SIPTAG_USER_AGENT_STR(endpoint->user_agent),
		       TAG_END()) < 0 ||
	    msg_header_insert(msg, (msg_pub_t *)sip,
			      (msg_header_t *)sip_request_create(home, SIP_METHOD_OPTIONS,
								 (const url_string_t *)uri, NULL)) <
		    0) {
		msg_destroy(msg);
		return NULL;
	}
	return msg;
}

static nta_outgoing_t *send_options(struct sip_endpoint *endpoint, msg_t *msg)
{
	const url_t *url = sip_object(msg)->sip_request->rq_url;
	const char *hop = message_hop(msg_home(msg), url, message_transport(url));

	return nta_outgoing_mcreate(endpoint->agent, on_response, endpoint,
				    (const url_string_t *)hop, msg, TAG_END());
}

static void on_timer(struct timer *timer, void *arg)
{
	struct sip_endpoint *endpoint = arg;
	struct keepalive *keepalive = &endpoint->keepalive;
	msg_t *msg;

	(void)timer;
	if (keepalive->options)
		keepalive_failed(endpoint, "no response in time");
	msg = make_options(endpoint);
	if (msg)
		keepalive->options = send_options(endpoint, msg);
	if (msg && !keepalive->options)
		msg_destroy(msg);
	timer_start(endpoint_wheel(endpoint), &keepalive->timer, clock_now() + ANSWER_MS);
}

void keepalive_failed(struct sip_endpoint *endpoint, const char *why)
{
	judge(endpoint, false, why);
	forget(&endpoint->keepalive);
}

void keepalive_suspect(struct sip_endpoint *endpoint)
{
	struct keepalive *keepalive = &endpoint->keepalive;

	if (keepalive->uri && !keepalive->options)
		timer_start(endpoint_wheel(endpoint), &keepalive->timer, clock_now());
}

int keepalive_start(struct sip_endpoint *endpoint, const char *uri, unsigned every_s)
{
	struct keepalive *keepalive = &endpoint->keepalive;
	enum url_type_e type = url_invalid;

	timer_init(&keepalive->timer, on_timer, endpoint);
	if (!uri || !every_s)
		return 0;
	if (!message_uri_valid(uri, &type) || (type != url_sip && type != url_sips))
		return -EINVAL;
	keepalive->uri = strdup(uri);
	if (!keepalive->uri)
		return -ENOMEM;
	keepalive->every_ms = (mono_ms)every_s * 1000;
	timer_start(endpoint_wheel(endpoint), &keepalive->timer, clock_now());
	return 0;
}

void keepalive_stop(struct sip_endpoint *endpoint)
{
	struct keepalive *keepalive = &endpoint->keepalive;

	timer_cancel(&keepalive->timer);
	if (endpoint->agent)
		forget(keepalive);
	free(keepalive->uri);
	keepalive->uri = NULL;
}
