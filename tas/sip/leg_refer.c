/* SPDX-License-Identifier: Apache-2.0 */
/* leg_refer.c - a peer asks for a transfer, and is told how it goes (RFC 3515).
 *
 * We never send REFER: whoever asks, the new call is made by the owner.
 */
#include "tas/sip/leg_private.h"

#include <errno.h>
#include <string.h>

#include "base/str.h"

/* ---- what it says ---- */

/* Replaces among the headers of the Refer-To URI (RFC 3891 section 4). */
static const char *replaces_in(su_home_t *home, const url_t *url)
{
	const char *name = "replaces:";
	char *lines = url->url_headers ? url_query_as_header_string(home, url->url_headers) : NULL;

	for (char *line = lines; line && *line; line += strspn(line, "\r\n")) {
		size_t length = strcspn(line, "\r\n");

		if (strncasecmp(line, name, strlen(name)) == 0) {
			char *value = line + strlen(name);

			line[length] = '\0';
			return value + strspn(value, " \t");
		}
		line += length;
	}
	return NULL;
}

/* 0, or the status that refuses it. */
static int read_refer(su_home_t *home, const sip_t *sip, struct leg_refer *ret_refer)
{
	url_t url[1];
	char method[16] = "";

	if (!sip->sip_refer_to) /* RFC 3515 section 2.4.2: exactly one */
		return 400;
	*url = *sip->sip_refer_to->r_url;
	if (url->url_params)
		url_param(url->url_params, "method", method, sizeof(method));
	if (!message_scheme_known(url) || (method[0] && strcasecmp(method, "INVITE") != 0))
		return 501; /* a transfer is all that can be asked for */
	ret_refer->replaces = replaces_in(home, url);
	ret_refer->user = message_user(home, url);
	url->url_headers = NULL;
	ret_refer->uri = url_as_string(home, url);
	return ret_refer->user && ret_refer->uri ? 0 : 400;
}

int leg_on_refer(struct leg *leg, nta_incoming_t *request, const sip_t *sip)
{
	su_home_t home[1] = { SU_HOME_INIT(home) };
	struct leg_refer refer = { 0 };
	struct leg_event event = { .type = LEG_EV_REFER, .reason = "", .refer = &refer };
	int status = read_refer(home, sip, &refer);
	msg_t *msg;

	if (!status && (leg->state != LEG_TALKING || !leg->on_event))
		status = 481;
	if (!status && (leg->refer_in || leg->refer_told))
		status = 491; /* one at a time */
	if (status) {
		su_home_deinit(home);
		return leg_close_request(leg, request, status);
	}
	leg->refer_in = request;
	leg->refer_id = sip->sip_cseq->cs_seq;
	leg->refers++;
	msg = nta_incoming_getrequest(request);
	leg_tell(leg, &event, msg);
	msg_destroy(msg);
	su_home_deinit(home);
	return 0;
}

/* ---- the answer and what follows ---- */

/* RFC 4488 section 4: `Refer-Sub: false` wants no news. */
static bool wants_news(nta_incoming_t *request)
{
	msg_t *msg = nta_incoming_getrequest(request);
	struct sip_headers headers = { 0 };
	const char *sub = NULL;
	bool wants;

	if (message_headers(msg, &headers) == 0)
		sub = sip_headers_find(&headers, "Refer-Sub");
	wants = !sub || strncasecmp(sub, "false", 5) != 0;
	sip_headers_done(&headers);
	msg_destroy(msg);
	return wants;
}

static int answer(struct leg *leg, int status, const char *phrase)
{
	nta_incoming_t *request = leg->refer_in;
	struct sip_headers headers = { 0 };
	int err = 0;

	if (!request)
		return -EINVAL;
	leg->refer_told = status == 202 && wants_news(request);
	if (status == 202 && !leg->refer_told)
		err = sip_headers_add(&headers, "Refer-Sub", "false");
	if (!err)
		err = leg_reply(leg, request, status, phrase, NULL, &headers);
	sip_headers_done(&headers);
	leg->refer_in = NULL;
	nta_incoming_destroy(request); /* unanswered it gets sofia's 500 */
	leg->refer_told = leg->refer_told && !err;
	leg_refer_report(leg, 100, NULL); /* RFC 3515 section 2.4.4: at once */
	return err;
}

int leg_refer_answer(struct leg *leg, int status)
{
	return answer(leg, status, NULL);
}

int leg_refer_refuse(struct leg *leg, int status, const char *phrase)
{
	return answer(leg, status, phrase);
}

void leg_refer_report(struct leg *leg, int status, const char *phrase)
{
	char event[32] = "refer", fragment[160];
	const char *standard = sip_status_phrase(status);
	int err;

	if (!leg->refer_told || leg->state != LEG_TALKING)
		return;
	if (leg->refers > 1) /* RFC 3515 section 2.4.6 */
		(void)snprintf(event, sizeof(event), "refer;id=%u", leg->refer_id);
	(void)snprintf(fragment, sizeof(fragment), "SIP/2.0 %d %.100s\r\n", status,
		       phrase     ? phrase
		       : standard ? standard
				  : "Unknown");
	err = leg_send_errand(leg, &(struct leg_request){
					   SIP_METHOD_NOTIFY,
					   .event = event,
					   .state = status >= 200 ? "terminated;reason=noresource"
								  : "active;expires=180",
					   .body = fragment,
					   .body_type = "message/sipfrag;version=2.0",
				   });
	if (err)
		log_debug("sip", "leg=%s no memory for a NOTIFY", leg->info.call_id);
	leg->refer_told = status < 200;
}

void leg_drop_refer(struct leg *leg)
{
	nta_incoming_destroy(leg->refer_in);
	leg->refer_in = NULL;
	leg->refer_told = false;
}
