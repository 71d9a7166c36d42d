/* SPDX-License-Identifier: Apache-2.0 */
#include "tas/device/phone.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "base/str.h"

static struct phone *phone_free(struct phone *phone)
{
	if (!phone)
		return NULL;
	free(phone->uri);
	free(phone->key);
	free(phone->hop);
	free(phone->user_agent);
	free(phone->call_id);
	free(phone);
	return NULL;
}

static struct phone **find(struct phones *phones, const char *key)
{
	struct phone **at = &phones->first;

	while (*at && strcmp((*at)->key, key) != 0)
		at = &(*at)->next;
	return at;
}

static void cut(struct phones *phones, struct phone **at)
{
	struct phone *phone = *at;

	*at = phone->next;
	phones->count--;
	phone_free(phone);
}

/* Item 7: of one Call-ID only what is newer counts. */
static bool in_order(const struct phone *phone, const struct sip_register *request)
{
	return strcmp(phone->call_id, request->call_id) != 0 || request->cseq > phone->cseq;
}

static unsigned expiry_of(const struct sip_register *request, const struct sip_contact *contact)
{
	unsigned expires_s = contact->expires_s;

	if (expires_s == SIP_EXPIRES_NONE)
		expires_s = request->expires_s;
	if (expires_s == SIP_EXPIRES_NONE)
		expires_s = PHONE_DEFAULT_S;
	return expires_s > PHONE_MAX_S ? PHONE_MAX_S : expires_s;
}

static int check(struct phones *phones, const struct sip_register *request)
{
	for (size_t i = 0; i < request->contact_count; i++) {
		const struct sip_contact *contact = &request->contacts[i];
		const struct phone *phone = *find(phones, contact->key);
		unsigned expires_s = expiry_of(request, contact);

		if (expires_s > 0 && expires_s < PHONE_MIN_S)
			return -ERANGE;
		if (phone && !in_order(phone, request))
			return -ESTALE;
	}
	return 0;
}

static struct phone *phone_new(const struct sip_register *request,
			       const struct sip_contact *contact, mono_ms now)
{
	struct phone *phone = calloc(1, sizeof(*phone));

	if (!phone)
		return NULL;
	phone->uri = strdup(contact->uri);
	phone->key = strdup(contact->key);
	phone->hop = strdup(request->hop);
	phone->user_agent = strdup(request->user_agent);
	phone->call_id = strdup(request->call_id);
	phone->cseq = request->cseq;
	phone->source = request->source;
	phone->since_ms = now;
	phone->expires_ms = now + (mono_ms)expiry_of(request, contact) * 1000;
	if (!phone->uri || !phone->key || !phone->hop || !phone->user_agent || !phone->call_id)
		return phone_free(phone);
	return phone;
}

/* Before anything changes: NULL in ret_fresh for a contact that goes. */
static int make_all(const struct sip_register *request, struct phone **ret_fresh, mono_ms now)
{
	for (size_t i = 0; i < request->contact_count; i++) {
		if (expiry_of(request, &request->contacts[i]) == 0)
			continue;
		ret_fresh[i] = phone_new(request, &request->contacts[i], now);
		if (ret_fresh[i])
			continue;
		while (i > 0)
			phone_free(ret_fresh[--i]);
		return -ENOMEM;
	}
	return 0;
}

static void replace(struct phones *phones, const char *key, struct phone *take_fresh)
{
	struct phone **at = find(phones, key);

	if (*at) {
		if (take_fresh)
			take_fresh->since_ms = (*at)->since_ms;
		cut(phones, at);
	}
	if (!take_fresh)
		return;
	take_fresh->next = phones->first;
	phones->first = take_fresh;
	phones->count++;
}

static void drop_oldest(struct phones *phones, size_t max)
{
	struct phone **at = &phones->first;

	for (size_t i = 0; i < max && *at; i++)
		at = &(*at)->next;
	while (*at)
		cut(phones, at);
}

/* Item 6: `Contact: *` takes all away, and stands alone. */
static int remove_all(struct phones *phones, const struct sip_register *request)
{
	if (request->contact_count > 0 || request->expires_s != 0)
		return -EINVAL;
	for (const struct phone *b = phones->first; b; b = b->next)
		if (!in_order(b, request))
			return -ESTALE;
	phones_done(phones);
	return 0;
}

int phones_update(struct phones *phones, const struct sip_register *request, size_t max,
		  mono_ms now)
{
	struct phone *fresh[SIP_CONTACT_MAX] = { NULL };
	int err;

	phones_expire(phones, now);
	if (request->star)
		return remove_all(phones, request);
	err = check(phones, request);
	if (!err)
		err = make_all(request, fresh, now);
	if (err)
		return err;
	for (size_t i = 0; i < request->contact_count; i++)
		replace(phones, request->contacts[i].key, fresh[i]);
	drop_oldest(phones, max);
	return 0;
}

void phones_expire(struct phones *phones, mono_ms now)
{
	struct phone **at = &phones->first;

	while (*at) {
		if ((*at)->expires_ms <= now)
			cut(phones, at);
		else
			at = &(*at)->next;
	}
}

void phone_pack(const struct phone *phone, struct str *frame)
{
	pack_text(frame, phone->uri);
	pack_text(frame, phone->key);
	pack_text(frame, phone->hop);
	pack_text(frame, phone->user_agent);
	pack_text(frame, phone->call_id);
	pack_number(frame, phone->cseq);
	pack_bytes(frame, &phone->source, sizeof(phone->source));
	pack_number(frame, (uint64_t)phone->expires_ms);
	pack_number(frame, (uint64_t)phone->since_ms);
}

static char *unpack_copy(struct unpack *from)
{
	size_t length;
	const char *bytes = unpack_bytes(from, &length);

	return bytes ? strndup(bytes, length) : NULL;
}

bool phones_unpack(struct phones *phones, struct unpack *from, mono_ms now)
{
	struct phone *phone = calloc(1, sizeof(*phone));
	struct phone **last = &phones->first;

	if (!phone)
		return false;
	phone->uri = unpack_copy(from);
	phone->key = unpack_copy(from);
	phone->hop = unpack_copy(from);
	phone->user_agent = unpack_copy(from);
	phone->call_id = unpack_copy(from);
	phone->cseq = (uint32_t)unpack_number(from);
	unpack_into(from, &phone->source, sizeof(phone->source));
	phone->expires_ms = (mono_ms)unpack_number(from);
	phone->since_ms = (mono_ms)unpack_number(from);
	if (from->failed || phone->expires_ms <= now || !phone->uri || !phone->key || !phone->hop ||
	    !phone->user_agent || !phone->call_id) {
		phone_free(phone);
		return false;
	}
	while (*last) /* they come in the order they are kept in */
		last = &(*last)->next;
	*last = phone;
	phones->count++;
	return true;
}

void phones_done(struct phones *phones)
{
	while (phones->first)
		cut(phones, &phones->first);
}
