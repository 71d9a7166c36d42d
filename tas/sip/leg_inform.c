/* SPDX-License-Identifier: Apache-2.0 */
/* leg_inform.c - INFO inside a dialog, theirs and ours (RFC 6086; before it, RFC
 * 2976, which is how digits still come). One at a time in either direction: the
 * next digit waits for the answer to the last. */
#include "tas/sip/leg_private.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"

/* Text that ends where it should; NULL: none, or not text. */
static char *body_of(const sip_t *sip)
{
	const sip_payload_t *payload = sip->sip_payload;

	if (!payload || !payload->pl_len || memchr(payload->pl_data, '\0', payload->pl_len))
		return NULL;
	return strndup(payload->pl_data, payload->pl_len);
}

static int refuse(nta_incoming_t *request, int status)
{
	nta_incoming_treply(request, status, NULL, TAG_END());
	nta_incoming_destroy(request);
	return status;
}

int leg_on_info(struct leg *leg, nta_incoming_t *request, const sip_t *sip)
{
	struct leg_event event = { .type = LEG_EV_INFO, .reason = "" };
	char *body, *type = NULL;
	msg_t *msg;

	if (leg->state == LEG_HANGING_UP || leg->state == LEG_OVER)
		return refuse(request, 481);
	if (leg->inform_in || !leg->on_event || leg->state != LEG_TALKING)
		return refuse(request, 491);
	if (sip->sip_content_type)
		type = sip_header_as_string(NULL, (sip_header_t *)sip->sip_content_type);
	body = body_of(sip);
	event.body_type = body && type ? type : NULL;
	event.body = event.body_type ? body : NULL;
	leg->inform_in = request;
	msg = nta_incoming_getrequest(request);
	leg_tell(leg, &event, msg);
	msg_destroy(msg);
	su_free(NULL, type);
	free(body);
	return 0;
}

int leg_inform_answer(struct leg *leg, int status)
{
	nta_incoming_t *request = leg->inform_in;
	int err;

	if (!request)
		return -EINVAL;
	err = leg_reply(leg, request, status, NULL, NULL, NULL);
	leg->inform_in = NULL;
	nta_incoming_destroy(request);
	return err;
}

static int on_response(void *arg, nta_outgoing_t *request, const sip_t *sip)
{
	struct leg *leg = arg;
	struct leg_event event = { .type = LEG_EV_INFO_ANSWERED,
				   .status = sip ? sip->sip_status->st_status : 408,
				   .reason = sip ? sip->sip_status->st_phrase : "timeout" };

	if (event.status < 200)
		return 0;
	leg->inform_out = NULL;
	leg_tell(leg, &event, NULL);
	nta_outgoing_destroy(request);
	return 0;
}

int leg_inform(struct leg *leg, const char *body_type, const char *body)
{
	struct leg_request request = { SIP_METHOD_INFO, on_response, .body = body,
				       .body_type = body_type };

	if (leg->state != LEG_TALKING)
		return -EINVAL;
	if (!(leg->allows & LEG_ALLOWS_INFO))
		return -EOPNOTSUPP;
	if (leg->inform_out)
		return -EBUSY;
	leg->inform_out = leg_request(leg, &request);
	return leg->inform_out ? 0 : -ENOMEM;
}

void leg_drop_inform(struct leg *leg)
{
	nta_incoming_destroy(leg->inform_in);
	leg->inform_in = NULL;
	nta_outgoing_destroy(leg->inform_out);
	leg->inform_out = NULL;
}
