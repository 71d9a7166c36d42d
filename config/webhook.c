/* SPDX-License-Identifier: Apache-2.0 */
#include "config/webhook.h"

#include "config/address.h"

#define AT(member) .offset = offsetof(struct config_webhook, member)

/* Whom, in which way. */
#define SERVER_KEYS                                                                                \
	{ .name = "secret_file",                                                                   \
	  .kind = &kind_path,                                                                      \
	  AT(secret_file),                                                                         \
	  .flags = KEY_FILE | KEY_SECRET,                                                          \
	  .help = "a file whose first line signs our requests; none, they are not signed" },       \
		{ .name = "ca_file",                                                               \
		  .kind = &kind_path,                                                              \
		  AT(ca_file),                                                                     \
		  .flags = KEY_FILE,                                                               \
		  .help = "PEM file of who may sign its certificate; the system's" },              \
	{                                                                                          \
		.name = "plaintext", .kind = &kind_bool, AT(plaintext), .fallback = "false",       \
		.help = "whether http:// to another machine is meant"                              \
	}

static const struct key webhook_keys[] = {
	{ .name = "url",
	  .kind = &kind_web_url,
	  AT(url),
	  .flags = KEY_REQUIRED,
	  .help = "whom to ask, such as https://crm.example.com/calls" },
	SERVER_KEYS,
	{ .name = "deadline",
	  .kind = &kind_ms,
	  AT(deadline_ms),
	  .fallback = "800ms",
	  .min = 50,
	  .max = 5000, /* the caller hears nothing meanwhile */
	  .help = "how long a call may wait for the answer" },
	{ .name = "connections",
	  .kind = &kind_number,
	  AT(connections),
	  .fallback = "32",
	  .min = 1,
	  .max = 1000,
	  .help = "requests at the same time" },
	{ .name = "queue",
	  .kind = &kind_number,
	  AT(queue),
	  .fallback = "256",
	  .min = 0,
	  .max = 10000,
	  .help = "calls that may wait for one of the connections" },
	{ .name = "headers",
	  .kind = &kind_header,
	  AT(headers),
	  .item_size = sizeof(char *),
	  .count_offset = offsetof(struct config_webhook, header_count),
	  .help = "headers of the call that it is told" },
};

/* Nobody waits for it. */
static const struct key notify_keys[] = {
	{ .name = "url",
	  .kind = &kind_web_url,
	  AT(url),
	  .flags = KEY_REQUIRED,
	  .help = "whom to tell, such as https://crm.example.com/messages" },
	SERVER_KEYS,
	{ .name = "deadline",
	  .kind = &kind_ms,
	  AT(deadline_ms),
	  .fallback = "10s",
	  .min = 100,
	  .max = 120000,
	  .help = "how long it may take to answer" },
};

const struct schema notify_schema = { "notify", notify_keys, ARRAY_SIZE(notify_keys) };

static void read_notify(struct reader *reader, const struct value *value)
{
	struct config_webhook *server = webhook_begin(reader);

	if (!server)
		return;
	server->connections = 4;
	server->queue = 1000;
	schema_read(reader, &notify_schema, value->node, value->node->at, server);
	webhook_check(reader, server, "notify", value->node->at);
	*(struct config_webhook **)value->target = server;
}

const struct kind kind_notify = { "mapping", NODE_MAP, read_notify };

const struct schema webhook_schema = { "webhook", webhook_keys, ARRAY_SIZE(webhook_keys) };

struct config_webhook *webhook_begin(struct reader *reader)
{
	struct config *config = reader->config;
	struct config_webhook *webhook = arena_alloc(reader->arena, 1, sizeof(*webhook));

	if (!webhook)
		return NULL;
	webhook->index = config->webhook_count++;
	webhook->next = config->webhooks;
	config->webhooks = webhook;
	return webhook;
}

void webhook_check(struct reader *reader, const struct config_webhook *webhook, const char *name,
		   struct place at)
{
	bool clear = false;

	if (!webhook->url || web_url_parse(webhook->url, &clear) || !clear || webhook->plaintext)
		return;
	find_error(reader->findings, at,
		   "`%s.url`: `%.60s` would send numbers and answers in clear. Write https://, "
		   "or `plaintext: true` if the way there is safe",
		   name, webhook->url);
}
