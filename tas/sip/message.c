/* SPDX-License-Identifier: Apache-2.0 */
/* message.c - see message.h. */
#include "tas/sip/message.h"

#include <errno.h>
#include <netinet/in.h>
#include <sofia-sip/hostdomain.h>
#include <sofia-sip/msg_header.h>
#include <sofia-sip/nta.h>
#include <sofia-sip/sip_header.h>
#include <sofia-sip/sip_status.h>
#include <stdlib.h>
#include <string.h>

#include "base/macros.h"
#include "base/str.h"
#include "tas/sip/body.h"
#include "tas/sip/hosts.h"

#define NAME_MAX_LENGTH 63 /* no header has a longer one */

/* One received line: its bytes are kept as they came (MSG_DO_EXTRACT_COPY). */
static int add_line(struct sip_headers *headers, const char *line, size_t length)
{
	const char *colon = memchr(line, ':', length);
	size_t name_length = colon ? (size_t)(colon - line) : 0;
	int err;

	if (!colon || name_length > NAME_MAX_LENGTH)
		return 0;
	err = sip_headers_add_raw(headers, line, name_length, colon + 1, length - name_length - 1);
	/* Its name is known now, and cheap to judge. */
	if (!err && sip_header_is_own(headers->items[headers->count - 1].name))
		free(headers->items[--headers->count].value);
	return err == -ENOMEM ? err : 0;
}

/* Most of a message: known by their class no name need be looked up. What sofia
 * could not read has another, and is judged by its name. */
static bool is_own_class(const msg_hclass_t *class)
{
	return class == sip_via_class || class == sip_from_class || class == sip_to_class ||
	       class == sip_call_id_class || class == sip_cseq_class ||
	       class == sip_contact_class || class == sip_route_class ||
	       class == sip_record_route_class || class == sip_max_forwards_class ||
	       class == sip_content_type_class || class == sip_content_length_class;
}

static int add_lines(const msg_t *msg, struct sip_headers *headers)
{
	msg_header_t *const *head = msg_chain_head(msg);

	for (const msg_header_t *h = head ? *head : NULL; h; h = h->sh_succ) {
		const msg_hclass_t *class = h->sh_class;

		if (class == sip_request_class || class == sip_status_class ||
		    class == sip_separator_class || class == sip_payload_class ||
		    is_own_class(class) || !h->sh_data || !h->sh_len)
			continue;
		if (add_line(headers, h->sh_data, h->sh_len) < 0)
			return -ENOMEM;
	}
	return 0;
}

/* RFC 3840 section 9: what a user agent can, as far as we leave it able to; the
 * methods, events and schemes it knows are not those that we take. */
static bool is_feature(const char *param)
{
	static const char *const names[] = {
		"audio",    "automata",    "class", "duplex",      "data",     "control",
		"mobility", "description", "video", "text",        "priority", "isfocus",
		"type",     "language",    "actor", "application",
	};
	size_t length = strcspn(param, "= \t");

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (length == strlen(names[i]) && strncasecmp(param, names[i], length) == 0)
			return true;
	return param[0] == '+';
}

static int take_features(const sip_contact_t *contact, struct sip_headers *headers)
{
	struct str features = { 0 };
	char *text;

	for (const char *const *param = (const char *const *)contact->m_params; param && *param;
	     param++)
		if (is_feature(*param))
			str_addf(&features, ";%s", *param);
	text = str_take(&features);
	if (!text)
		return -ENOMEM;
	if (*text)
		headers->features = text;
	else
		free(text);
	return 0;
}

static int take_redirect(const sip_contact_t *contact, struct sip_headers *headers)
{
	struct str all = { 0 };

	for (; contact; contact = contact->m_next) {
		char *one = sip_header_as_string(NULL, (const sip_header_t *)contact);

		str_addf(&all, "%s%s", all.length ? ", " : "", one ? one : "");
		all.failed = all.failed || !one;
		su_free(NULL, one);
	}
	headers->redirect = str_take(&all);
	return headers->redirect ? 0 : -ENOMEM;
}

/* A header's value as it came, but for folds; NULL: no memory, or not to be told
 * on. */
static char *raw_value(const void *header)
{
	const sip_header_t *h = header;
	const char *line = h->sh_data, *colon = line ? memchr(line, ':', h->sh_len) : NULL;
	struct sip_headers one = { 0 };
	char *value = NULL;

	if (colon && sip_headers_add_raw(&one, "X", 1, colon + 1,
					 h->sh_len - (size_t)(colon + 1 - line)) == 0) {
		value = one.items[0].value;
		one.items[0].value = NULL;
	}
	sip_headers_done(&one);
	return value;
}

static int fill_body(struct sip_headers *headers, const char *type, const sip_payload_t *payload,
		     const void *const *fields)
{
	int err = sip_body_create(&headers->body, type, payload->pl_data, payload->pl_len);

	for (int i = 0; !err && i < BODY_FIELDS; i++) {
		if (!fields[i])
			continue;
		headers->body->fields[i] = raw_value(fields[i]);
		err = headers->body->fields[i] ? 0 : -ENOMEM;
	}
	return err;
}

/* A body that is just SDP needs no keeping: its Content-Type says it all. */
static int take_body(const sip_t *sip, struct sip_headers *headers)
{
	const void *fields[BODY_FIELDS] = { [BODY_MIME_VERSION] = sip->sip_mime_version,
					    [BODY_DISPOSITION] = sip->sip_content_disposition,
					    [BODY_LANGUAGE] = sip->sip_content_language,
					    [BODY_ENCODING] = sip->sip_content_encoding };
	bool more = false;
	char *type;
	int err = 0;

	if (!sip->sip_payload || !sip->sip_payload->pl_len || !sip->sip_content_type)
		return 0;
	type = raw_value(sip->sip_content_type);
	for (int i = 0; i < BODY_FIELDS; i++)
		more = more || fields[i];
	if (type && (more || !str_equal_nocase(type, "application/sdp")))
		err = fill_body(headers, type, sip->sip_payload, fields);
	free(type);
	return err;
}

int message_headers(const msg_t *msg, struct sip_headers *ret_headers)
{
	const sip_t *sip = msg ? sip_object((msg_t *)msg) : NULL;
	int status = sip && sip->sip_status ? sip->sip_status->st_status : 0;
	int err = sip ? add_lines(msg, ret_headers) : 0;

	if (err || !sip)
		return err;
	if (sip->sip_contact && status >= 300 && status < 400)
		err = take_redirect(sip->sip_contact, ret_headers);
	else if (sip->sip_contact)
		err = take_features(sip->sip_contact, ret_headers);
	return err ? err : take_body(sip, ret_headers);
}

void message_authorizations(const sip_t *sip, struct sip_headers *ret_headers)
{
	for (const sip_authorization_t *au = sip->sip_authorization; au; au = au->au_next) {
		const char *line = au->au_common->h_data;
		const char *colon = line ? memchr(line, ':', au->au_common->h_len) : NULL;

		if (!colon || ret_headers->count == MESSAGE_AUTHORIZATION_MAX)
			continue;
		/* What cannot be taken proves nothing. */
		(void)!sip_headers_add_raw(ret_headers, "Authorization", 13, colon + 1,
					   au->au_common->h_len - (size_t)(colon + 1 - line));
	}
}

int message_sdp(const sip_t *sip, char **ret_sdp)
{
	const sip_payload_t *payload = sip ? sip->sip_payload : NULL;
	char *type;
	int err;

	*ret_sdp = NULL;
	if (!payload || !payload->pl_len)
		return 0;
	if (!sip->sip_content_type)
		return -ENOTSUP;
	if (sip->sip_content_encoding)
		return -ENOTSUP;
	type = sip_header_as_string(NULL, (sip_header_t *)sip->sip_content_type);
	if (!type)
		return -ENOMEM;
	err = body_find_sdp(type, payload->pl_data, payload->pl_len, ret_sdp);
	su_free(NULL, type);
	return err;
}

char *message_sdp_or_null(const sip_t *sip)
{
	char *sdp = NULL;

	return message_sdp(sip, &sdp) < 0 ? NULL : sdp;
}

static int add_header(msg_t *msg, const struct sip_header *header)
{
	su_home_t *home = msg_home(msg);
	char *line = su_sprintf(home, "%s: %s", header->name, header->value);

	if (!line)
		return -ENOMEM;
	/* As unknown header: written as it is, not as sofia understands it. */
	return sip_add_make(msg, sip_object(msg), sip_unknown_class, line) < 0 ? -EINVAL : 0;
}

/* A received body with our SDP in it. */
static int add_body(msg_t *msg, const struct sip_body *body, const char *sdp)
{
	su_home_t *home = msg_home(msg);
	sip_t *sip = sip_object(msg);
	sip_payload_t *payload;
	size_t length;
	char *text;
	int err = sip_body_with(body, sdp, &text, &length);

	if (err)
		return err;
	payload = sip_payload_create(home, text, (isize_t)length);
	free(text);
	if (!payload || sip_header_insert(msg, sip, (sip_header_t *)payload) < 0)
		return -ENOMEM;
	for (int i = 0; i < BODY_FIELDS; i++) {
		struct sip_header field = { (char *)body_field_name(i), body->fields[i] };

		err = body->fields[i] ? add_header(msg, &field) : 0;
		if (err)
			return err;
	}
	return add_header(msg, &(struct sip_header){ (char *)"Content-Type", body->type });
}

int message_add(msg_t *msg, const struct sip_headers *headers, const char *sdp)
{
	sip_t *sip = sip_object(msg);

	for (size_t i = 0; headers && i < headers->count; i++) {
		int err;

		if (sip_header_is_own(headers->items[i].name))
			continue;
		err = add_header(msg, &headers->items[i]);
		if (err)
			return err;
	}
	if (headers && headers->redirect &&
	    sip_add_make(msg, sip, sip_contact_class, headers->redirect) < 0)
		return -EINVAL;
	if (headers && headers->body && !sdp == !headers->body->sdp_length)
		return add_body(msg, headers->body, sdp);
	if (!sdp)
		return 0;
	if (sip_add_make(msg, sip, sip_content_type_class, "application/sdp") < 0 ||
	    sip_add_make(msg, sip, sip_payload_class, sdp) < 0)
		return -ENOMEM;
	return 0;
}

sip_unknown_t *message_more(su_home_t *home, const struct sip_headers *headers)
{
	sip_unknown_t *first = NULL, **end = &first;

	for (size_t i = 0; headers && i < headers->count; i++) {
		const struct sip_header *item = &headers->items[i];
		char *line;

		if (sip_header_is_own(item->name))
			continue;
		line = su_sprintf(home, "%s: %s", item->name, item->value);
		*end = line ? sip_unknown_make(home, line) : NULL;
		if (!*end)
			return first;
		end = &(*end)->un_next;
	}
	return first;
}

char *message_phrase(su_home_t *home, const char *text)
{
	char *copy = su_strdup(home, text);

	for (char *at = copy; at && *at; at++)
		if ((unsigned char)*at < 0x20 || *at == 0x7f)
			*at = ' ';
	return copy;
}

char *message_user(su_home_t *home, const url_t *url)
{
	const char *escaped = url && url->url_user ? url->url_user : "";
	char *user = su_alloc(home, (isize_t)strlen(escaped) + 1);

	if (!user)
		return NULL;
	url_unescape(user, escaped);
	/* "%00" ends the string early for whoever reads it: compare with the
	 * length that unescaping should give. */
	for (const char *at = escaped; *at; at++)
		if (at[0] == '%' && at[1] == '0' && at[2] == '0')
			return NULL;
	for (const char *at = user; *at; at++)
		if ((unsigned char)*at < 0x20 || *at == 0x7f)
			return NULL;
	return user;
}

bool message_scheme_known(const url_t *url)
{
	return url->url_type == url_sip || url->url_type == url_sips || url->url_type == url_tel ||
	       (url->url_scheme && str_equal_nocase(url->url_scheme, "urn"));
}

bool message_uri_valid(const char *uri, enum url_type_e *ret_type)
{
	url_t *url;
	bool valid;

	for (const char *at = uri; *at; at++)
		if ((unsigned char)*at <= 0x20 || *at == 0x7f || strchr("<>\"", *at))
			return false;
	url = url_make(NULL, uri);
	if (!url)
		return false;
	/* Headers in a URI would become headers of the request. */
	valid = message_scheme_known(url) && !url->url_headers;
	if (url->url_type == url_sip || url->url_type == url_sips)
		valid = valid && url->url_host && url->url_host[0];
	if (valid && ret_type)
		*ret_type = (enum url_type_e)url->url_type;
	su_free(NULL, url);
	return valid;
}

const char *message_find(const struct sip_headers *headers, const char *name)
{
	return headers ? sip_headers_find(headers, name) : NULL;
}

enum sip_transport message_transport(const url_t *url)
{
	char name[8] = "";

	if (url->url_params)
		url_param(url->url_params, "transport", name, sizeof(name));
	if (url->url_type == url_sips || str_equal_nocase(name, "tls"))
		return SIP_TRANSPORT_TLS;
	return str_equal_nocase(name, "tcp") ? SIP_TRANSPORT_TCP : SIP_TRANSPORT_UDP;
}

const char *message_why(const sip_t *sip)
{
	if (!sip)
		return "no response in time";
	if (nta_sip_is_internal((sip_t *)sip) && sip->sip_status->st_status == 503 &&
	    strcmp(sip->sip_status->st_phrase, sip_503_Service_unavailable) == 0)
		return "connection refused, unreachable or lost";
	return sip->sip_status->st_phrase;
}

char *message_hop(su_home_t *home, const url_t *url, enum sip_transport transport)
{
	const char *params = url->url_params ? url->url_params : "";
	char address[INET6_ADDRSTRLEN];
	char *hop;

	if (url->url_type != url_sip || url_has_param(url, "transport"))
		hop = url_as_string(home, url);
	else
		hop = su_sprintf(home, "sip:%s%s%s;transport=%s%s%s", url->url_host,
				 url->url_port ? ":" : "", url->url_port ? url->url_port : "",
				 sip_transport_name(transport), params[0] ? ";" : "", params);
	if (!hop || url->url_headers || !url->url_host || host_is_ip_address(url->url_host) ||
	    url_has_param(url, "maddr") || hosts_find("/etc/hosts", url->url_host, address) < 0)
		return hop;
	/* The name stays what a certificate is checked against. */
	return su_sprintf(home, "%s;maddr=%s", hop, address);
}
