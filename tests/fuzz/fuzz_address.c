/* SPDX-License-Identifier: Apache-2.0 */
/* Lines "Name: value" of a peer: what is told on of its addresses, diversions
 * and history is read again as what it was, and no line more. What it gives as
 * its reason has a cause of ours. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "tas/sip/cause_map.h"
#include "tas/sip/diversion.h"
#include "tests/fuzz/fuzz.h"

static void add_lines(struct sip_headers *headers, const char *text, size_t size)
{
	while (size) {
		const char *end = memchr(text, '\n', size);
		size_t length = end ? (size_t)(end - text) : size;
		const char *colon = memchr(text, ':', length);

		if (colon && sip_headers_add_raw(headers, text, (size_t)(colon - text), colon + 1,
						 length - (size_t)(colon + 1 - text)) == -ENOMEM)
			return; /* more headers than a message may have */
		length += end != NULL;
		text += length;
		size -= length;
	}
}

static void check_same(const struct sip_address *a, const struct sip_address *b)
{
	if (strcmp(a->display, b->display) != 0 || strcmp(a->uri, b->uri) != 0 ||
	    strcmp(a->user, b->user) != 0 || strcmp(a->host, b->host) != 0)
		abort();
}

static void check_address(const char *text, size_t length)
{
	struct sip_address first, second;
	struct str out = { 0 };
	char *written;

	if (sip_address_parse(&first, text, length) < 0)
		return;
	sip_address_write(&out, &first);
	written = str_take(&out);
	if (!written || strpbrk(written, "\r\n") ||
	    sip_address_parse(&second, written, strlen(written)) < 0)
		abort();
	check_same(&first, &second);
	sip_address_done(&first);
	sip_address_done(&second);
	free(written);
}

/* Written as Diversion, diversions are the same again. */
static void check_diversions(const struct sip_headers *headers)
{
	struct diversions diversions = { 0 }, again = { 0 };
	struct sip_headers written = { 0 }, history = { 0 };

	if (diversions_read(&diversions, headers) < 0 ||
	    diversions_add_diversion(&diversions, &written) < 0 ||
	    diversions_add_history(&diversions, "sip:target@h", &history) < 0 ||
	    diversions_read(&again, &written) < 0)
		abort();
	if (again.count != diversions.count || history.count > DIVERSIONS_MAX + 1)
		abort();
	for (size_t i = 0; i < again.count; i++)
		if (again.items[i].reason != diversions.items[i].reason ||
		    again.items[i].times != diversions.items[i].times ||
		    again.items[i].hidden != diversions.items[i].hidden ||
		    strcmp(again.items[i].by.user, diversions.items[i].by.user) != 0)
			abort();
	diversions_done(&diversions);
	diversions_done(&again);
	sip_headers_done(&written);
	sip_headers_done(&history);
}

static void check_reason(const char *value)
{
	struct cause_reason said = { 0 };
	char written[128];

	cause_read_reason(&said, value);
	cause_to_reason(cause_from_bye(&said), written, sizeof(written));
	cause_to_reason(cause_from_response(480, &said), written, sizeof(written));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sip_headers headers = { 0 };

	add_lines(&headers, (const char *)data, size);
	for (size_t i = 0; i < headers.count; i++) {
		const char *list = headers.items[i].value, *item;
		size_t length;

		check_reason(list);
		while ((item = sip_address_next(&list, &length)))
			check_address(item, length);
	}
	check_diversions(&headers);
	sip_headers_done(&headers);
	return 0;
}
