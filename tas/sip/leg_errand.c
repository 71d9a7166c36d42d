/* SPDX-License-Identifier: Apache-2.0 */
/* leg_errand.c - requests inside the dialog whose answer changes nothing for the
 * owner: PRACK, NOTIFY. Two things are seen to all the same: a challenge of the
 * trunk is answered, and what has to wait for the 2xx to a PRACK waits.
 */
#include "tas/sip/leg_private.h"

#include <errno.h>
#include <stdlib.h>

struct leg_errand {
	struct leg_errand *next;
	nta_outgoing_t *out;
	bool prack;
};

bool leg_pracking(const struct leg *leg)
{
	for (const struct leg_errand *errand = leg->errands; errand; errand = errand->next)
		if (errand->prack)
			return true;
	return false;
}

static struct leg_errand **find(struct leg *leg, const nta_outgoing_t *request)
{
	struct leg_errand **link = &leg->errands;

	while (*link && (*link)->out != request)
		link = &(*link)->next;
	return link;
}

static int on_response(void *arg, nta_outgoing_t *request, const sip_t *sip)
{
	struct leg *leg = arg;
	struct leg_errand **link = find(leg, request), *errand = *link;
	bool prack;

	if (!errand || (sip && sip->sip_status->st_status < 200))
		return 0;
	errand->out = leg_auth_again(leg, request, sip, on_response);
	nta_outgoing_destroy(request);
	if (errand->out)
		return 0;
	prack = errand->prack;
	*link = errand->next;
	free(errand);
	if (prack && !leg_pracking(leg)) {
		leg_offer_held(leg);
		leg_inform_held(leg);
	}
	return 0;
}

int leg_send_errand(struct leg *leg, const struct leg_request *request)
{
	struct leg_errand *errand = calloc(1, sizeof(*errand));
	struct leg_request asked = *request;

	if (!errand)
		return -ENOMEM;
	asked.on_response = on_response;
	errand->prack = request->method == sip_method_prack;
	errand->out = leg_request(leg, &asked);
	if (!errand->out) {
		free(errand);
		return -ENOMEM;
	}
	errand->next = leg->errands;
	leg->errands = errand;
	return 0;
}

void leg_drop_errands(struct leg *leg)
{
	while (leg->errands) {
		struct leg_errand *errand = leg->errands;

		leg->errands = errand->next;
		nta_outgoing_destroy(errand->out); /* sofia repeats it until it is answered */
		free(errand);
	}
}
