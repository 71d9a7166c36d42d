/* SPDX-License-Identifier: Apache-2.0 */
/* upsert.h - a registration as the core's API speaks of it: the two requests
 * of wgtwo.sipbreakout.v1 and what their answers mean for us.
 *
 * Registrar thread only. The messages themselves stay in upsert.c.
 */
#ifndef BREAKOUT_REGISTRAR_UPSERT_H
#define BREAKOUT_REGISTRAR_UPSERT_H

#include "proto/api.h"
#include "registrar/reg_table.h"

enum upsert_kind { UPSERT, UPSERT_DELETE };

enum upsert_verdict {
	UPSERT_OK,
	UPSERT_FAILED,    /* heals by itself: nobody there, too slow, trouble inside */
	UPSERT_EXHAUSTED, /* heals: the API asks for fewer requests */
	UPSERT_REFUSED,   /* this number will not be had like this */
	UPSERT_UNAUTHENTICATED
};

struct upsert_answer {
	enum upsert_verdict verdict;
	uint32_t ttl_s; /* upserts that are OK; 0: the core did not say */
	char text[256]; /* "" if OK: the status and the core's own words, printable */
};

struct upsert_call;
/* Exactly once per call that was accepted. */
typedef void upsert_done_fn(struct upsert_call *call, const struct upsert_answer *answer);

/* Embedded in the caller's own struct; lives until `done`. */
struct upsert_call {
	enum upsert_kind kind;
	upsert_done_fn *done;
};

/* 0, -EINVAL (a string is not UTF-8), -ESHUTDOWN or -ENOMEM; then `done` does
 * not come. */
int upsert_send(struct upsert_call *call, struct api_client *client, uint64_t number,
		const struct reg_params *params, const struct api_call_options *options) MUST_CHECK;

/* What a result of the call means. `response` may be NULL. */
void upsert_judge(enum upsert_kind kind, enum api_status status, const char *details,
		  const ProtobufCMessage *response, struct upsert_answer *ret_answer);

#endif
