/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/core/sample.h"

#include <stdio.h>
#include <string.h>
#include <time.h>
#include "base/str.h"
#include "tools/core/profile.h"
#include "tools/core/report.h"

static const struct {
	const char *number, *route_type, *service;
} numbers[] = {
	{ "+4799000001", "loop", "" },        { "+4799000002", "loop_mo", "" },
	{ "+4799000003", "loop_mt", "" },     { "+4799000004", "fork", "pbx" },
	{ "+4799000005", "fallback", "pbx" }, { "+4799000006", "ingress", "" },
	{ "+4799000007", "loop", "closed" },  { "+4799000008", "loop", "echo" },
	{ "+4799000009", "loop", "tone" },
};

static void add_core(struct str *text, const json_t *d)
{
	str_addf(text,
		 "core:\n"
		 "  api:\n"
		 "    target: \"%s\"\n"
		 "    token_url: \"%s\"\n"
		 "    client_id: \"%s\"\n"
		 "    client_secret_file: \"%s\"\n"
		 "    ca_file: \"%s\"\n",
		 report_text(d, "api_target"), report_text(d, "token_url"),
		 report_text(d, "client_id"), report_text(d, "client_secret_file"),
		 report_text(d, "ca_file"));
	str_addf(text,
		 "  sbc:\n"
		 "    uri: \"%s\"\n"
		 "    trusted: [\"%s/32\"]\n",
		 report_text(d, "sbc_uri"), report_text(d, "address"));
}

static void add_sip(struct str *text, const json_t *d, const struct sample_options *options)
{
	const char *address = report_text(d, "address");

	str_addf(text,
		 "domain: \"%s\"\n"
		 "sip_uri_port: %u\n"
		 "sip:\n"
		 "  listen: [\"tls://%s:%u\", \"udp://%s:%u\"]\n"
		 "  certificate: \"%s\"\n"
		 "  private_key: \"%s\"\n"
		 "  ca_file: \"%s\"\n",
		 address, options->sip_port, address, options->sip_port, address,
		 options->trunk_port, report_text(d, "tas_certificate"),
		 report_text(d, "tas_private_key"), report_text(d, "ca_file"));
}

static void add_files(struct str *text, const json_t *d, const struct sample_options *options)
{
	str_addf(text,
		 "store: { sqlite: \"%s/breakout.db\" }\n"
		 "cdr: { file: \"%s/cdr.jsonl\" }\n"
		 "trace: { dir: \"%s/trace\" }\n"
		 "admin: { socket: \"%s/breakout.sock\" }\n"
		 "media: { address: \"%s\", ports: \"%u-%u\", threads: 1 }\n",
		 options->folder, options->folder, options->folder, options->folder,
		 report_text(d, "address"), options->media_min, options->media_max);
}

static void add_services(struct str *text, const json_t *d)
{
	str_addf(text,
		 "prefixes: { mobile_originating: \"00\", mobile_terminating: \"01\" }\n"
		 "trunks:\n"
		 "  - name: pbx\n"
		 "    uris: [\"%s\"]\n"
		 "    ingress: true\n"
		 "    allow_headers: [Session-ID]\n"
		 "services:\n"
		 "  pbx: [{ do: { dial: pbx } }]\n"
		 "  closed: [{ do: { reject: { status: 603, reason: Closed } } }]\n"
		 "  echo: [{ do: { answer: echo } }]\n"
		 "  tone: [{ do: { answer: { tone: 425 } } }]\n"
		 "registrations:\n",
		 report_text(d, "pbx_udp"));
	for (size_t i = 0; i < ARRAY_SIZE(numbers); i++) {
		str_addf(text, "  - { number: \"%s\", route_type: %s", numbers[i].number,
			 numbers[i].route_type);
		if (*numbers[i].service)
			str_addf(text, ", service: %s", numbers[i].service);
		str_add(text, " }\n");
	}
}

static int add_profile(struct str *text, const json_t *d, const struct sample_options *options)
{
	struct profile profile = { .samples = options->samples,
				   .name = options->profile,
				   .folder = options->folder,
				   .pbx = report_text(d, "pbx_udp"),
				   .closed = options->closed,
				   .now = time(NULL) };
	char dead[96];
	int err;

	/* Nobody is at the discard port. */
	(void)snprintf(dead, sizeof(dead), "sip:%s:9;transport=udp", report_text(d, "pbx_address"));
	profile.dead_pbx = dead;
	err = profile_add(text, &profile);
	if (err)
		(void)fprintf(stderr, "%s/%s: %s\n", profile.samples, profile.name, strerror(-err));
	return err;
}

char *sample_text(const json_t *description, const struct sample_options *options)
{
	struct str text = { 0 };

	add_sip(&text, description, options);
	add_core(&text, description);
	add_files(&text, description, options);
	if (!options->profile) {
		add_services(&text, description);
	} else if (add_profile(&text, description, options)) {
		str_done(&text);
		return NULL;
	}
	return str_take(&text);
}

json_t *sample_numbers(const char *text)
{
	const char *at = strstr(text, "\nregistrations:");
	json_t *list = json_array();

	while (at && (at = strstr(at, "\"+"))) {
		size_t length = strcspn(++at, "\"");

		(void)json_array_append_new(list, json_stringn(at, length));
		at += length;
	}
	return list;
}
