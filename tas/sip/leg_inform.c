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

int leg_on_info(struct leg *leg, nta_incoming_t *request, const sip_t *sip)
{
	struct leg_event event = { .type = LEG_EV_INFO, .reason = "" };
	char *body, *type = NULL;
	msg_t *msg;

	if (leg->state == LEG_HANGING_UP || leg->state == LEG_OVER)
		return leg_close_request(leg, request, 481);
	if (leg->inform_in || !leg->on_event || leg->state != LEG_TALKING)
		return leg_close_request(leg, request, 491);
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
	leg->inform_out = leg_auth_again(leg, request, sip, on_response);
	if (!leg->inform_out)
		leg_tell(leg, &event, NULL);
	nta_outgoing_destroy(request);
	return 0;
}

static int send_info(struct leg *leg, const char *body_type, const char *body)
{
	struct leg_request request = { SIP_METHOD_INFO, on_response, .body = body,
				       .body_type = body_type };

	leg->inform_out = leg_request(leg, &request);
	return leg->inform_out ? 0 : -ENOMEM;
}

static void forget_held(struct leg *leg)
{
	free(leg->inform_type);
	free(leg->inform_body);
	leg->inform_type = leg->inform_body = NULL;
	leg->inform_waits = false;
}

static int hold_back(struct leg *leg, const char *body_type, const char *body)
{
	leg->inform_type = str_dup_or_null(body_type);
	leg->inform_body = str_dup_or_null(body);
	leg->inform_waits = true;
	if ((!body_type || leg->inform_type) && (!body || leg->inform_body))
		return 0;
	forget_held(leg);
	return -ENOMEM;
}

void leg_inform_held(struct leg *leg)
{
	struct leg_event lost = { .type = LEG_EV_INFO_ANSWERED, .status = 500, .reason = "" };
	int err;

	if (!leg->inform_waits)
		return;
	err = leg->state == LEG_TALKING ? send_info(leg, leg->inform_type, leg->inform_body)
					: -EINVAL;
	forget_held(leg);
	if (err)
		leg_tell(leg, &lost, NULL);
}

int leg_inform(struct leg *leg, const char *body_type, const char *body)
{
	if (leg->state != LEG_TALKING)
		return -EINVAL;
	if (!(leg->allows & LEG_ALLOWS_INFO))
		return -EOPNOTSUPP;
	if (leg->inform_out || leg->inform_waits)
		return -EBUSY;
	if (leg_pracking(leg)) /* it would overtake what the PRACK is about */
		return hold_back(leg, body_type, body);
	return send_info(leg, body_type, body);
}

void leg_drop_inform(struct leg *leg)
{
	nta_incoming_destroy(leg->inform_in);
	leg->inform_in = NULL;
	nta_outgoing_destroy(leg->inform_out);
	leg->inform_out = NULL;
	forget_held(leg);
}
