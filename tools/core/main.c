/* SPDX-License-Identifier: Apache-2.0 */
/* breakout-core: a simulated mobile core in a box. See docs/simulator.md. */
#include <errno.h>
#include <getopt.h>
#include <jansson.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/log.h"
#include "base/macros.h"
#include "tools/core/client.h"
#include "tools/core/core.h"
#include "tools/core/demo.h"
#include "tools/core/pki.h"
#include "tools/core/report.h"
#include "tools/core/sample.h"

static const char usage[] =
	"breakout-core: a mobile core on your desk\n"
	"\n"
	"  breakout-core run --dir D [options]      token endpoint, gRPC API, SBC, phones, PBX\n"
	"      --address A            the core's address (127.0.0.1)\n"
	"      --pbx-address A        the PBX's (127.0.0.2)\n"
	"      --sip-port N --api-port N --token-port N --pbx-port N    (0: any free one)\n"
	"      --media-ports MIN-MAX  (30000-39999)\n"
	"      --core-name H, --tas-name H   more names in the certificates; repeatable\n"
	"      --ttl T                life of a registration (3600s)\n"
	"      --token-life T         life of a token (3600s)\n"
	"      --no-answer T          FALLBACK: how long the callee rings (30s)\n"
	"      --native-when-tas-fails   LOOP goes on natively if the TAS is out of reach or 5xx\n"
	"      --no-token             the API needs no token, as the sandbox\n"
	"      --trunk URI            where the PBX calls the TAS: sip:HOST:PORT;transport=udp\n"
	"      --requests FILE        control requests to begin with, one JSON object a line\n"
	"      --log LEVEL            error, notice, info or debug\n"
	"\n"
	"  breakout-core call --dir D --from N --to N   places a call, prints ladder and verdict\n"
	"      --talk T (1s)  --patience T (20s)  --hangup caller|callee  --hold  --pbx\n"
	"      --anonymous  --offerless  --reliable  --header 'Name: value'  --json  --trace\n"
	"  breakout-core phone --dir D --number N --when answer|no-answer|busy|reject|off|STATUS\n"
	"      --ring T (300ms)  --early  --reliable (RFC 3262)\n"
	"  breakout-core pbx --dir D [--number N] --when ...   the same for the PBX or a phone of "
	"it\n"
	"  breakout-core fault --dir D KIND [--number N] [--count N] [--for T]\n"
	"      unavailable slow hang unauthenticated resource_exhausted not_acceptable\n"
	"      token_down token_refused; `fault --dir D clear` ends them all\n"
	"  breakout-core wait --dir D --number N...     until these numbers are registered\n"
	"  breakout-core status|registrations|calls|parties|revoke-tokens|stop --dir D\n"
	"  breakout-core do --dir D '{\"do\":\"...\"}'       any control request\n"
	"\n"
	"  breakout-core config --dir D --sip-port N --trunk-port N [--media-ports MIN-MAX]\n"
	"      prints a breakoutd.yaml that fits\n"
	"  breakout-core pki --dir D --name FILE HOST...              one more certificate\n"
	"  breakout-core demo --breakoutd PATH [--samples D] [--dir D] [--only TEXT] [--keep] "
	"[--verbose]\n"
	"      --samples D: the folder config/samples, to show its profiles too\n"
	"\n"
	"T is a number with ms, s, m or h.\n";

enum {
	OPT_DIR = 256,
	OPT_ADDRESS,
	OPT_PBX_ADDRESS,
	OPT_SIP_PORT,
	OPT_API_PORT,
	OPT_TOKEN_PORT,
	OPT_PBX_PORT,
	OPT_TRUNK_PORT,
	OPT_MEDIA_PORTS,
	OPT_CORE_NAME,
	OPT_TAS_NAME,
	OPT_TTL,
	OPT_TOKEN_LIFE,
	OPT_NO_ANSWER,
	OPT_NATIVE,
	OPT_NO_TOKEN,
	OPT_TRUNK,
	OPT_REQUESTS,
	OPT_LOG,
	OPT_FROM,
	OPT_TO,
	OPT_TALK,
	OPT_PATIENCE,
	OPT_HANGUP,
	OPT_HOLD,
	OPT_PBX,
	OPT_ANONYMOUS,
	OPT_OFFERLESS,
	OPT_RELIABLE,
	OPT_HEADER,
	OPT_JSON,
	OPT_TRACE,
	OPT_NUMBER,
	OPT_WHEN,
	OPT_RING,
	OPT_EARLY,
	OPT_COUNT,
	OPT_FOR,
	OPT_BREAKOUTD,
	OPT_SAMPLES,
	OPT_ONLY,
	OPT_KEEP,
	OPT_VERBOSE,
	OPT_NAME,
	OPT_HELP
};

static const struct option long_options[] = {
	{ "dir", 1, NULL, OPT_DIR },
	{ "address", 1, NULL, OPT_ADDRESS },
	{ "pbx-address", 1, NULL, OPT_PBX_ADDRESS },
	{ "sip-port", 1, NULL, OPT_SIP_PORT },
	{ "api-port", 1, NULL, OPT_API_PORT },
	{ "token-port", 1, NULL, OPT_TOKEN_PORT },
	{ "pbx-port", 1, NULL, OPT_PBX_PORT },
	{ "trunk-port", 1, NULL, OPT_TRUNK_PORT },
	{ "media-ports", 1, NULL, OPT_MEDIA_PORTS },
	{ "core-name", 1, NULL, OPT_CORE_NAME },
	{ "tas-name", 1, NULL, OPT_TAS_NAME },
	{ "ttl", 1, NULL, OPT_TTL },
	{ "token-life", 1, NULL, OPT_TOKEN_LIFE },
	{ "no-answer", 1, NULL, OPT_NO_ANSWER },
	{ "native-when-tas-fails", 0, NULL, OPT_NATIVE },
	{ "no-token", 0, NULL, OPT_NO_TOKEN },
	{ "trunk", 1, NULL, OPT_TRUNK },
	{ "requests", 1, NULL, OPT_REQUESTS },
	{ "log", 1, NULL, OPT_LOG },
	{ "from", 1, NULL, OPT_FROM },
	{ "to", 1, NULL, OPT_TO },
	{ "talk", 1, NULL, OPT_TALK },
	{ "patience", 1, NULL, OPT_PATIENCE },
	{ "hangup", 1, NULL, OPT_HANGUP },
	{ "hold", 0, NULL, OPT_HOLD },
	{ "pbx", 0, NULL, OPT_PBX },
	{ "anonymous", 0, NULL, OPT_ANONYMOUS },
	{ "offerless", 0, NULL, OPT_OFFERLESS },
	{ "reliable", 0, NULL, OPT_RELIABLE },
	{ "header", 1, NULL, OPT_HEADER },
	{ "json", 0, NULL, OPT_JSON },
	{ "trace", 0, NULL, OPT_TRACE },
	{ "number", 1, NULL, OPT_NUMBER },
	{ "when", 1, NULL, OPT_WHEN },
	{ "ring", 1, NULL, OPT_RING },
	{ "early", 0, NULL, OPT_EARLY },
	{ "count", 1, NULL, OPT_COUNT },
	{ "for", 1, NULL, OPT_FOR },
	{ "breakoutd", 1, NULL, OPT_BREAKOUTD },
	{ "samples", 1, NULL, OPT_SAMPLES },
	{ "only", 1, NULL, OPT_ONLY },
	{ "keep", 0, NULL, OPT_KEEP },
	{ "verbose", 0, NULL, OPT_VERBOSE },
	{ "name", 1, NULL, OPT_NAME },
	{ "help", 0, NULL, OPT_HELP },
	{ 0 },
};

/* All that any command line can say. */
struct command {
	const char *word, *dir, *name;
	struct core_options core;
	struct demo_options demo;
	uint16_t trunk_port;
	json_t *request; /* what goes to the socket, but for "do" */
	json_t *numbers, *headers;
	bool json, trace, media_given;
	char **rest;
	int rest_count;
};

static int bad(const char *what, const char *value)
{
	(void)fprintf(stderr, "breakout-core: %s: %s\n", what, value);
	return -EINVAL;
}

/* "300ms", "2s", "5m", "1h", or seconds. */
static int read_ms(const char *text, unsigned *ret_ms)
{
	char *unit;
	double value = strtod(text, &unit);
	double scale = strcmp(unit, "ms") == 0            ? 1
		       : strcmp(unit, "m") == 0           ? 60000
		       : strcmp(unit, "h") == 0           ? 3600000
		       : !*unit || strcmp(unit, "s") == 0 ? 1000
							  : 0;

	if (unit == text || value < 0 || scale == 0 || value * scale > 1e9)
		return bad("not a time such as 300ms, 2s or 5m", text);
	*ret_ms = (unsigned)(value * scale);
	return 0;
}

static int read_seconds(const char *text, unsigned *ret_s)
{
	unsigned ms = 0;
	int err = read_ms(text, &ms);

	if (err)
		return err;
	*ret_s = ms / 1000;
	return *ret_s ? 0 : bad("at least one second", text);
}

static int read_port(const char *text, uint16_t *ret_port)
{
	char *end;
	unsigned long port = strtoul(text, &end, 10);

	if (!*text || *end || port > 65535)
		return bad("not a port", text);
	*ret_port = (uint16_t)port;
	return 0;
}

static int read_ports(const char *text, struct core_options *core)
{
	char *dash, *end = NULL;
	unsigned long min = strtoul(text, &dash, 10), max = 0;

	if (*dash == '-')
		max = strtoul(dash + 1, &end, 10);
	if (!end || *end || !min || max > 65535 || max <= min)
		return bad("not a range such as 30000-39999", text);
	core->media_min = (uint16_t)min;
	core->media_max = (uint16_t)max;
	return 0;
}

static int add_name(const char **list, size_t *count, size_t room, const char *name)
{
	if (*count == room)
		return bad("too many names", name);
	list[(*count)++] = name;
	return 0;
}

static int set_text(struct command *command, const char *key, const char *value)
{
	return json_object_set_new(command->request, key, json_string(value))
		       ? bad("not UTF-8", value)
		       : 0;
}

static int set_ms(struct command *command, const char *key, const char *value)
{
	unsigned ms = 0;
	int err = read_ms(value, &ms);

	return err ? err : json_object_set_new(command->request, key, json_integer(ms));
}

static int set_count(struct command *command, const char *key, const char *value)
{
	char *end;
	unsigned long count = strtoul(value, &end, 10);

	if (!*value || *end || count > INT_MAX)
		return bad("not a count", value);
	return json_object_set_new(command->request, key, json_integer((json_int_t)count));
}

static int set_true(struct command *command, const char *key)
{
	return json_object_set_new(command->request, key, json_true());
}

static int add_header(struct command *command, const char *text)
{
	const char *colon = strchr(text, ':');
	char name[64];

	if (!colon || colon == text || colon - text >= (int)sizeof(name))
		return bad("not 'Name: value'", text);
	(void)snprintf(name, sizeof(name), "%.*s", (int)(colon - text), text);
	return json_object_set_new(command->headers, name,
				   json_string(colon + 1 + strspn(colon + 1, " ")))
		       ? bad("not UTF-8", text)
		       : 0;
}

static int read_run_option(struct command *command, int option, const char *value)
{
	struct core_options *core = &command->core;
	enum log_level level;

	switch (option) {
	case OPT_ADDRESS:
		core->address = value;
		return 0;
	case OPT_PBX_ADDRESS:
		core->pbx_address = value;
		return 0;
	case OPT_SIP_PORT:
		return read_port(value, &core->sip_port);
	case OPT_API_PORT:
		return read_port(value, &core->api_port);
	case OPT_TOKEN_PORT:
		return read_port(value, &core->token_port);
	case OPT_PBX_PORT:
		return read_port(value, &core->pbx_port);
	case OPT_TRUNK_PORT:
		return read_port(value, &command->trunk_port);
	case OPT_MEDIA_PORTS:
		command->media_given = true;
		return read_ports(value, core);
	case OPT_CORE_NAME:
		return add_name(core->core_names, &core->core_name_count,
				ARRAY_SIZE(core->core_names), value);
	case OPT_TAS_NAME:
		return add_name(core->tas_names, &core->tas_name_count, ARRAY_SIZE(core->tas_names),
				value);
	case OPT_TTL:
		return read_seconds(value, &core->ttl_s);
	case OPT_TOKEN_LIFE:
		return read_seconds(value, &core->token_life_s);
	case OPT_NO_ANSWER:
		return read_ms(value, &core->no_answer_ms);
	case OPT_NATIVE:
		core->native_when_tas_fails = true;
		return 0;
	case OPT_NO_TOKEN:
		core->token_required = false;
		return 0;
	case OPT_TRUNK:
		core->tas_trunk = value;
		return 0;
	case OPT_REQUESTS:
		core->requests = value;
		return 0;
	case OPT_LOG:
		if (log_level_parse(value, &level))
			return bad("error, notice, info or debug", value);
		log_set_level(level);
		return 0;
	default:
		return -ENOENT;
	}
}

static int read_request_option(struct command *command, int option, const char *value)
{
	switch (option) {
	case OPT_FROM:
		return set_text(command, "from", value);
	case OPT_TO:
		return set_text(command, "to", value);
	case OPT_TALK:
		return set_ms(command, "talk_ms", value);
	case OPT_PATIENCE:
		return set_ms(command, "patience_ms", value);
	case OPT_HANGUP:
		return set_text(command, "hangup", value);
	case OPT_HOLD:
		return set_true(command, "hold");
	case OPT_PBX:
		return set_text(command, "at", "pbx");
	case OPT_ANONYMOUS:
		return set_true(command, "anonymous");
	case OPT_OFFERLESS:
		return set_true(command, "offerless");
	case OPT_RELIABLE:
		return set_true(command, "reliable");
	case OPT_HEADER:
		return add_header(command, value);
	case OPT_NUMBER:
		(void)json_array_append_new(command->numbers, json_string(value));
		return set_text(command, "number", value);
	case OPT_WHEN:
		return set_text(command, "when_called", value);
	case OPT_RING:
		return set_ms(command, "ring_ms", value);
	case OPT_EARLY:
		return set_true(command, "early");
	case OPT_COUNT:
		return set_count(command, "count", value);
	case OPT_FOR:
		return set_ms(command, "ms", value);
	default:
		return -ENOENT;
	}
}

static int read_option(struct command *command, int option, const char *value)
{
	int err = read_run_option(command, option, value);

	if (err == -ENOENT)
		err = read_request_option(command, option, value);
	if (err != -ENOENT)
		return err;
	switch (option) {
	case OPT_DIR:
		command->dir = value;
		return 0;
	case OPT_JSON:
		command->json = true;
		return 0;
	case OPT_TRACE:
		command->trace = true;
		return 0;
	case OPT_BREAKOUTD:
		command->demo.breakoutd = value;
		return 0;
	case OPT_SAMPLES:
		command->demo.samples = value;
		return 0;
	case OPT_ONLY:
		command->demo.only = value;
		return 0;
	case OPT_KEEP:
		command->demo.keep = true;
		return 0;
	case OPT_VERBOSE:
		command->demo.verbose = true;
		return 0;
	case OPT_NAME:
		command->name = value;
		return 0;
	default:
		return -EINVAL; /* getopt has said what is wrong */
	}
}

static int cmd_run(struct command *command)
{
	command->core.folder = command->dir;
	return core_run(&command->core) ? 1 : 0;
}

static int cmd_demo(struct command *command)
{
	command->demo.folder = command->dir;
	if (!command->demo.breakoutd)
		return bad("demo needs", "--breakoutd PATH") ? 2 : 0;
	return demo_run(&command->demo);
}

static json_t *ask(struct command *command, const char *what)
{
	struct client *client;
	int err = client_open(&client, command->dir);

	if (err) {
		(void)fprintf(stderr, "breakout-core: no simulator answers in %s: %s\n",
			      command->dir, strerror(-err));
		return NULL;
	}
	if (what)
		(void)json_object_set_new(command->request, "do", json_string(what));
	json_t *answer = client_ask(client, json_incref(command->request));
	client_close(client);
	if (!answer)
		(void)fprintf(stderr, "breakout-core: the simulator went away\n");
	return answer;
}

static int print_answer(json_t *take_answer)
{
	bool ok = json_is_true(json_object_get(take_answer, "ok"));

	if (take_answer) {
		(void)json_dumpf(take_answer, stdout, JSON_INDENT(2) | JSON_PRESERVE_ORDER);
		(void)putchar('\n');
	}
	json_decref(take_answer);
	return ok ? 0 : 1;
}

static int cmd_ask(struct command *command)
{
	return print_answer(ask(command, command->word));
}

static int cmd_call(struct command *command)
{
	(void)json_object_set(command->request, "headers", command->headers);
	json_t *answer = ask(command, "call");
	if (command->json || !json_is_true(json_object_get(answer, "ok")))
		return print_answer(answer);
	report_ladder(stdout, answer);
	if (command->trace)
		report_trace(stdout, answer);
	bool good = strcmp(report_text(answer, "outcome"), "answered") == 0;
	json_decref(answer);
	return good ? 0 : 1;
}

static int cmd_fault(struct command *command)
{
	if (command->rest_count != 1)
		return bad("fault needs", "its kind, or clear") ? 2 : 0;
	if (strcmp(command->rest[0], "clear") == 0)
		return print_answer(ask(command, "clear-faults"));
	(void)set_text(command, "kind", command->rest[0]);
	return print_answer(ask(command, "fault"));
}

static int cmd_wait(struct command *command)
{
	(void)json_object_set(command->request, "numbers", command->numbers);
	json_t *patience = json_object_get(command->request, "patience_ms");
	if (patience)
		(void)json_object_set(command->request, "timeout_ms", patience);
	return print_answer(ask(command, "wait-registered"));
}

static int cmd_do(struct command *command)
{
	json_error_t error;

	if (command->rest_count != 1)
		return bad("do needs", "one JSON object") ? 2 : 0;
	json_decref(command->request);
	command->request = json_loads(command->rest[0], 0, &error);
	if (!command->request) {
		command->request = json_object();
		return bad("not JSON", error.text) ? 2 : 0;
	}
	return print_answer(ask(command, NULL));
}

static int cmd_config(struct command *command)
{
	struct sample_options options = {
		.folder = command->dir,
		.sip_port = command->core.sip_port ? command->core.sip_port : 5061,
		.trunk_port = command->trunk_port ? command->trunk_port : 5060,
		.media_min = command->media_given ? command->core.media_min : 20000,
		.media_max = command->media_given ? command->core.media_max : 29999,
	};
	json_t *description = client_description(command->dir);

	if (!description)
		return bad("no simulator runs in", command->dir) ? 1 : 0;
	char *text = sample_text(description, &options);
	if (text)
		(void)fputs(text, stdout);
	json_decref(description);
	free(text);
	return text ? 0 : 1;
}

static int cmd_pki(struct command *command)
{
	char folder[PATH_MAX], error[256];

	if (!command->name || !command->rest_count)
		return bad("pki needs", "--name FILE and at least one host") ? 2 : 0;
	(void)snprintf(folder, sizeof(folder), "%s/pki", command->dir);
	if (pki_open(folder, error, sizeof(error)) ||
	    pki_issue(folder, command->name, (const char *const *)command->rest,
		      (size_t)command->rest_count, error, sizeof(error)))
		return bad("pki", error) ? 1 : 0;
	(void)printf("%s/%s.pem\n%s/%s.key\n%s/ca.pem\n", folder, command->name, folder,
		     command->name, folder);
	return 0;
}

static const struct {
	const char *word;
	int (*carry_out)(struct command *command);
	bool without_dir;
} commands[] = {
	{ "run", cmd_run, false },           { "demo", cmd_demo, true },
	{ "call", cmd_call, false },         { "phone", cmd_ask, false },
	{ "pbx", cmd_ask, false },           { "fault", cmd_fault, false },
	{ "wait", cmd_wait, false },         { "status", cmd_ask, false },
	{ "registrations", cmd_ask, false }, { "calls", cmd_ask, false },
	{ "parties", cmd_ask, false },       { "revoke-tokens", cmd_ask, false },
	{ "stop", cmd_ask, false },          { "do", cmd_do, false },
	{ "config", cmd_config, false },     { "pki", cmd_pki, false },
};

static int carry_out(struct command *command)
{
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++) {
		if (strcmp(commands[i].word, command->word) != 0)
			continue;
		if (!command->dir && !commands[i].without_dir)
			return bad("which simulator? give", "--dir D") ? 2 : 0;
		return commands[i].carry_out(command);
	}
	(void)bad("no such command", command->word);
	(void)fputs(usage, stderr);
	return 2;
}

int main(int argc, char **argv)
{
	struct command command = { .request = json_object(),
				   .numbers = json_array(),
				   .headers = json_object() };
	int option, result = 0;

	core_options_default(&command.core);
	if (argc < 2 || strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "help") == 0) {
		(void)fputs(usage, argc < 2 ? stderr : stdout);
		result = argc < 2 ? 2 : 0;
		goto out;
	}
	if (strcmp(argv[1], "--version") == 0) {
		(void)puts("breakout-core " BREAKOUT_VERSION);
		goto out;
	}
	command.word = argv[1];
	argv[1] = argv[0]; /* getopt names the program by it */
	while ((option = getopt_long(argc - 1, argv + 1, "", long_options, NULL)) != -1) {
		if (option == OPT_HELP) {
			(void)fputs(usage, stdout);
			goto out;
		}
		if (read_option(&command, option, optarg)) {
			result = 2;
			goto out;
		}
	}
	command.rest = argv + 1 + optind;
	command.rest_count = argc - 1 - optind;
	result = carry_out(&command);
out:
	json_decref(command.request);
	json_decref(command.numbers);
	json_decref(command.headers);
	return result;
}
