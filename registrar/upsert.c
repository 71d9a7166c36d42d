/* SPDX-License-Identifier: Apache-2.0 */
#include "registrar/upsert.h"

#include <stdio.h>
#include <string.h>
#include "wgtwo/sipbreakout/v1/sipbreakout.pb-c.h"

#define SERVICE (&wgtwo__sipbreakout__v1__sip_breakout_service__descriptor)

_Static_assert(
	(int)ROUTE_TYPE_LOOP == WGTWO__SIPBREAKOUT__V1__ROUTE_TYPE__ROUTE_TYPE_LOOP &&
		(int)ROUTE_TYPE_FORK == WGTWO__SIPBREAKOUT__V1__ROUTE_TYPE__ROUTE_TYPE_FORK &&
		(int)ROUTE_TYPE_FALLBACK ==
			WGTWO__SIPBREAKOUT__V1__ROUTE_TYPE__ROUTE_TYPE_FALLBACK &&
		(int)ROUTE_TYPE_LOOP_MO == WGTWO__SIPBREAKOUT__V1__ROUTE_TYPE__ROUTE_TYPE_LOOP_MO &&
		(int)ROUTE_TYPE_LOOP_MT == WGTWO__SIPBREAKOUT__V1__ROUTE_TYPE__ROUTE_TYPE_LOOP_MT &&
		(int)ROUTE_TYPE_INGRESS == WGTWO__SIPBREAKOUT__V1__ROUTE_TYPE__ROUTE_TYPE_INGRESS,
	"enum route_type has the wire's numbers");

/* "STATUS: their words". */
static void explain(struct upsert_answer *answer, const char *status, const char *words)
{
	api_explain(answer->text, sizeof(answer->text), status, words);
}

static enum upsert_verdict verdict_of(enum api_status status)
{
	switch (status) {
	case API_OK:
		return UPSERT_OK;
	case API_INVALID_ARGUMENT:
	case API_NOT_FOUND:
	case API_PERMISSION_DENIED:
	case API_ALREADY_EXISTS:
	case API_OUT_OF_RANGE:
	case API_FAILED_PRECONDITION:
		return UPSERT_REFUSED;
	case API_UNAUTHENTICATED:
		return UPSERT_UNAUTHENTICATED;
	case API_RESOURCE_EXHAUSTED:
		return UPSERT_EXHAUSTED;
	/* UNIMPLEMENTED speaks of the server, not of a number. */
	case API_UNIMPLEMENTED:
	case API_CANCELLED:
	case API_UNKNOWN:
	case API_DEADLINE_EXCEEDED:
	case API_ABORTED:
	case API_INTERNAL:
	case API_UNAVAILABLE:
	case API_DATA_LOSS:
		return UPSERT_FAILED;
	}
	return UPSERT_FAILED;
}

/* Both responses say it the same way. A status left out (0) without an error
 * is taken as success, as proto3 cannot tell it from one never set. */
static void judge_code(struct upsert_answer *answer, Wgtwo__Sipbreakout__V1__StatusCode code,
		       const char *error_message)
{
	char name[32];

	if (code == WGTWO__SIPBREAKOUT__V1__STATUS_CODE__STATUS_CODE_OK ||
	    (code == WGTWO__SIPBREAKOUT__V1__STATUS_CODE__STATUS_CODE_UNSPECIFIED &&
	     !*error_message))
		return;
	if (code == WGTWO__SIPBREAKOUT__V1__STATUS_CODE__STATUS_CODE_NOT_ACCEPTABLE) {
		answer->verdict = UPSERT_REFUSED;
		explain(answer, "NOT_ACCEPTABLE", error_message);
		return;
	}
	/* A code of a later API: not known to be final, so it is tried again. */
	answer->verdict = UPSERT_FAILED;
	snprintf(name, sizeof(name), "status code %d", (int)code);
	explain(answer, name, error_message);
}

static uint32_t seconds_of(const Google__Protobuf__Duration *duration)
{
	if (!duration || duration->seconds <= 0)
		return 0;
	return duration->seconds > UINT32_MAX ? UINT32_MAX : (uint32_t)duration->seconds;
}

static void judge_upsert(const ProtobufCMessage *message, struct upsert_answer *answer)
{
	const Wgtwo__Sipbreakout__V1__UpsertRegistrationResponse *response =
		(const Wgtwo__Sipbreakout__V1__UpsertRegistrationResponse *)message;

	judge_code(answer, response->status_code, response->error_message);
	if (answer->verdict == UPSERT_OK)
		answer->ttl_s = seconds_of(response->time_to_live);
}

static void judge_delete(const ProtobufCMessage *message, struct upsert_answer *answer)
{
	const Wgtwo__Sipbreakout__V1__DeleteRegistrationResponse *response =
		(const Wgtwo__Sipbreakout__V1__DeleteRegistrationResponse *)message;

	judge_code(answer, response->status_code, response->error_message);
}

void upsert_judge(enum upsert_kind kind, enum api_status status, const char *details,
		  const ProtobufCMessage *response, struct upsert_answer *ret_answer)
{
	memset(ret_answer, 0, sizeof(*ret_answer));
	/* What is not there need not be deleted. */
	if (kind == UPSERT_DELETE && status == API_NOT_FOUND)
		return;
	ret_answer->verdict = verdict_of(status);
	if (ret_answer->verdict != UPSERT_OK)
		explain(ret_answer, api_status_name(status), details);
	else if (kind == UPSERT)
		judge_upsert(response, ret_answer);
	else
		judge_delete(response, ret_answer);
}

static void on_done(enum api_status status, const char *details, const ProtobufCMessage *response,
		    void *arg)
{
	struct upsert_call *call = arg;
	struct upsert_answer answer;

	upsert_judge(call->kind, status, details, response, &answer);
	call->done(call, &answer);
}

int upsert_send(struct upsert_call *call, struct api_client *client, uint64_t number,
		const struct reg_params *params, const struct api_call_options *options)
{
	Wgtwo__Sipbreakout__V1__UpsertRegistrationRequest upsert;
	Wgtwo__Sipbreakout__V1__DeleteRegistrationRequest delete;
	Wgtwo__Sipbreakout__V1__Registration registration;
	Wgtwo__Common__V1__E164 e164;
	char text[E164_ROOM];

	e164_unpack(number, text);
	wgtwo__common__v1__e164__init(&e164);
	e164.e164 = text;
	wgtwo__sipbreakout__v1__registration__init(&registration);
	registration.phone_number = &e164;
	registration.sip_uri = params->sip_uri;
	registration.mobile_originating_prefix = params->prefix_mo;
	registration.mobile_terminating_prefix = params->prefix_mt;
	registration.route_type = (Wgtwo__Sipbreakout__V1__RouteType)params->route_type;

	if (call->kind == UPSERT) {
		wgtwo__sipbreakout__v1__upsert_registration_request__init(&upsert);
		upsert.registration = &registration;
		return api_unary(client, SERVICE, "UpsertRegistration", &upsert.base, options,
				 on_done, call);
	}
	wgtwo__sipbreakout__v1__delete_registration_request__init(&delete);
	delete.registration = &registration;
	return api_unary(client, SERVICE, "DeleteRegistration", &delete.base, options, on_done,
			 call);
}
