/* SPDX-License-Identifier: Apache-2.0 */
/* near.c - where the peers of a plan are, as far as their SIP addresses tell: media is
 * offered at the address of ours on the way there. */
#include <string.h>
#include "tas/service/decision.h"
#include "tas/service/uri.h"

/* A name is passed on too: the media room takes addresses only. */
static void copy(struct media_codecs *codecs, const char *host, size_t length)
{
	if (length >= sizeof(codecs->near))
		return;
	memcpy(codecs->near, host, length);
	codecs->near[length] = '\0';
}

static void tell_each(struct call_step *steps, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		struct call_step *step = &steps[i];
		struct uri_view hop;

		tell_each(step->targets, step->target_count);
		if (uri_split(step->next_hop ? step->next_hop : "", &hop))
			copy(&step->codecs, hop.host, hop.host_length);
	}
}

void near_tell(struct decision *decision)
{
	const char *source = decision->info->source; /* "192.0.2.1:5060", "[2001:db8::1]:5060" */
	const char *end = strrchr(source, ':');

	if (end && *source == '[')
		copy(&decision->plan->codecs_a, source + 1, (size_t)(end - source) - 2);
	else if (end)
		copy(&decision->plan->codecs_a, source, (size_t)(end - source));
	tell_each(decision->plan->steps, decision->plan->step_count);
}
