/* SPDX-License-Identifier: Apache-2.0 */
#include "tas/device/binding.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "base/str.h"

static struct binding *binding_free(struct binding *binding)
{
	if (!binding)
		return NULL;
	free(binding->uri);
	free(binding->key);
	free(binding->hop);
	free(binding->user_agent);
	free(binding->call_id);
	free(binding);
	return NULL;
}

static struct binding **find(struct bindings *bindings, const char *key)
{
	struct binding **at = &bindings->first;

	while (*at && strcmp((*at)->key, key) != 0)
		at = &(*at)->next;
	return at;
}

static void cut(struct bindings *bindings, struct binding **at)
{
	struct binding *binding = *at;

	*at = binding->next;
	bindings->count--;
	binding_free(binding);
}

/* Item 7: of one Call-ID only what is newer counts. */
static bool in_order(const struct binding *binding, const struct sip_register *request)
{
	return strcmp(binding->call_id, request->call_id) != 0 || request->cseq > binding->cseq;
}

static unsigned expiry_of(const struct sip_register *request, const struct sip_contact *contact)
{
	unsigned expires_s = contact->expires_s;

	if (expires_s == SIP_EXPIRES_NONE)
		expires_s = request->expires_s;
	if (expires_s == SIP_EXPIRES_NONE)
		expires_s = BINDING_DEFAULT_S;
	return expires_s > BINDING_MAX_S ? BINDING_MAX_S : expires_s;
}

static int check(struct bindings *bindings, const struct sip_register *request)
{
	for (size_t i = 0; i < request->contact_count; i++) {
		const struct sip_contact *contact = &request->contacts[i];
		const struct binding *binding = *find(bindings, contact->key);
		unsigned expires_s = expiry_of(request, contact);

		if (expires_s > 0 && expires_s < BINDING_MIN_S)
			return -ERANGE;
		if (binding && !in_order(binding, request))
			return -ESTALE;
	}
	return 0;
}

static struct binding *binding_new(const struct sip_register *request,
				   const struct sip_contact *contact, mono_ms now)
{
	struct binding *binding = calloc(1, sizeof(*binding));

	if (!binding)
		return NULL;
	binding->uri = strdup(contact->uri);
	binding->key = strdup(contact->key);
	binding->hop = strdup(request->hop);
	binding->user_agent = strdup(request->user_agent);
	binding->call_id = strdup(request->call_id);
	binding->cseq = request->cseq;
	binding->source = request->source;
	binding->since_ms = now;
	binding->expires_ms = now + (mono_ms)expiry_of(request, contact) * 1000;
	if (!binding->uri || !binding->key || !binding->hop || !binding->user_agent ||
	    !binding->call_id)
		return binding_free(binding);
	return binding;
}

/* Before anything changes: NULL in ret_fresh for a contact that goes. */
static int make_all(const struct sip_register *request, struct binding **ret_fresh, mono_ms now)
{
	for (size_t i = 0; i < request->contact_count; i++) {
		if (expiry_of(request, &request->contacts[i]) == 0)
			continue;
		ret_fresh[i] = binding_new(request, &request->contacts[i], now);
		if (ret_fresh[i])
			continue;
		while (i > 0)
			binding_free(ret_fresh[--i]);
		return -ENOMEM;
	}
	return 0;
}

static void replace(struct bindings *bindings, const char *key, struct binding *take_fresh)
{
	struct binding **at = find(bindings, key);

	if (*at) {
		if (take_fresh)
			take_fresh->since_ms = (*at)->since_ms;
		cut(bindings, at);
	}
	if (!take_fresh)
		return;
	take_fresh->next = bindings->first;
	bindings->first = take_fresh;
	bindings->count++;
}

static void drop_oldest(struct bindings *bindings, size_t max)
{
	struct binding **at = &bindings->first;

	for (size_t i = 0; i < max && *at; i++)
		at = &(*at)->next;
	while (*at)
		cut(bindings, at);
}

/* Item 6: `Contact: *` takes all away, and stands alone. */
static int remove_all(struct bindings *bindings, const struct sip_register *request)
{
	if (request->contact_count > 0 || request->expires_s != 0)
		return -EINVAL;
	for (const struct binding *b = bindings->first; b; b = b->next)
		if (!in_order(b, request))
			return -ESTALE;
	bindings_done(bindings);
	return 0;
}

int bindings_update(struct bindings *bindings, const struct sip_register *request, size_t max,
		    mono_ms now)
{
	struct binding *fresh[SIP_CONTACT_MAX] = { NULL };
	int err;

	bindings_expire(bindings, now);
	if (request->star)
		return remove_all(bindings, request);
	err = check(bindings, request);
	if (!err)
		err = make_all(request, fresh, now);
	if (err)
		return err;
	for (size_t i = 0; i < request->contact_count; i++)
		replace(bindings, request->contacts[i].key, fresh[i]);
	drop_oldest(bindings, max);
	return 0;
}

void bindings_expire(struct bindings *bindings, mono_ms now)
{
	struct binding **at = &bindings->first;

	while (*at) {
		if ((*at)->expires_ms <= now)
			cut(bindings, at);
		else
			at = &(*at)->next;
	}
}

void bindings_done(struct bindings *bindings)
{
	while (bindings->first)
		cut(bindings, &bindings->first);
}
