/* SPDX-License-Identifier: Apache-2.0 */
/* http.c - where the operator's HTTP side listens, and who may ask it what. */
#include "config/http.h"

#include <string.h>
#include <sys/un.h>
#include "config/address.h"

#define AT(member)       .offset = offsetof(struct config_http, member)
#define LIST(list, size) AT(list), .item_size = sizeof(size)
#define COUNT(member)    .count_offset = offsetof(struct config_http, member)
#define TOKEN_AT(member) .offset = offsetof(struct config_http_token, member)

static const char *const roles[] = { [HTTP_ROLE_NONE] = "none",
				     [HTTP_ROLE_READ] = "read",
				     [HTTP_ROLE_OPERATE] = "operate",
				     [HTTP_ROLE_ADMIN] = "admin" };

const char *http_role_name(enum http_role role)
{
	return roles[role];
}

static void read_role(struct reader *reader, const struct value *value)
{
	/* `none` is nobody's. */
	int role = value_word(reader, value, roles + 1, ARRAY_SIZE(roles) - 1);

	if (role >= 0)
		*(enum http_role *)value->target = (enum http_role)(role + 1);
}

static void read_unix(struct reader *reader, const struct value *value)
{
	struct config_http_listen *listen = value->target;
	const char *path = value->node->text + strlen("unix:");

	listen->kind = HTTP_LISTEN_UNIX;
	if (*path != '/')
		value_error(reader, value, "names no absolute path. Write unix:/run/...");
	else if (strlen(path) >= sizeof(((struct sockaddr_un *)NULL)->sun_path))
		value_error(reader, value,
			    "is longer than the 107 characters a socket's path may have. "
			    "Shorten it");
	else
		listen->host = arena_dup(reader->arena, path, strlen(path));
}

static void read_address(struct reader *reader, const struct value *value, const char *text)
{
	struct config_http_listen *listen = value->target;
	char host[HOST_ROOM];
	const char *problem = host_port_parse(text, strlen(text), host, &listen->port);

	if (problem)
		value_error(reader, value, "%s", problem);
	else if (!host_is_literal(host))
		value_error(reader, value,
			    "names a host. Write an address of this machine, or [::] for all");
	else if (!strrchr(text, ':') || strrchr(text, ']') > strrchr(text, ':'))
		value_error(reader, value, "names no port. Write one, such as %s:8443", text);
	else if (listen->kind == HTTP_LISTEN_PLAIN && !host_is_loopback(host))
		value_error(reader, value,
			    "would send tokens through the network in clear. Write https://, or "
			    "127.0.0.1");
	else
		listen->host = arena_dup(reader->arena, host, strlen(host));
}

static void read_listener(struct reader *reader, const struct value *value)
{
	struct config_http_listen *listen = value->target;
	const char *text = value->node->text;

	if (!strncmp(text, "unix:", 5)) {
		read_unix(reader, value);
	} else if (!strncasecmp(text, "https://", 8)) {
		listen->kind = HTTP_LISTEN_TLS;
		read_address(reader, value, text + 8);
	} else if (!strncasecmp(text, "http://", 7)) {
		listen->kind = HTTP_LISTEN_PLAIN;
		read_address(reader, value, text + 7);
	} else {
		value_error(reader, value,
			    "is no listener. Write unix:/run/breakout/http.sock, "
			    "http://127.0.0.1:8080 or https://[::]:8443");
	}
}

static const struct kind kind_role = { "role", NODE_SCALAR, read_role };
static const struct kind kind_http_listen = { "listener", NODE_SCALAR, read_listener };

static const struct key token_keys[] = {
	{ .name = "name",
	  .kind = &kind_text,
	  TOKEN_AT(name),
	  .flags = KEY_REQUIRED,
	  .help = "who has it, for the log" },
	{ .name = "role",
	  .kind = &kind_role,
	  TOKEN_AT(role),
	  .flags = KEY_REQUIRED,
	  .help = "read, operate (may refresh) or admin (may stop it)" },
	{ .name = "token_file",
	  .kind = &kind_path,
	  TOKEN_AT(file),
	  .flags = KEY_REQUIRED | KEY_FILE | KEY_SECRET,
	  .help = "a file whose first line is the token" },
};
static const struct schema token_schema = { "admin.http.tokens", token_keys,
					    ARRAY_SIZE(token_keys) };

static const struct key http_keys[] = {
	{ .name = "listen",
	  .kind = &kind_http_listen,
	  LIST(listen, struct config_http_listen),
	  COUNT(listen_count),
	  .help = "unix:/path, http://127.0.0.1:port or https://address:port; nowhere" },
	{ .name = "certificate",
	  .kind = &kind_path,
	  AT(certificate),
	  .flags = KEY_FILE,
	  .apply = CONFIG_APPLY_NEXT,
	  .help = "PEM file: certificate and intermediates, for https" },
	{ .name = "private_key",
	  .kind = &kind_path,
	  AT(private_key),
	  .flags = KEY_FILE | KEY_SECRET,
	  .apply = CONFIG_APPLY_NEXT,
	  .help = "PEM file: its key" },
	{ .name = "tokens",
	  .kind = &kind_map,
	  .schema = &token_schema,
	  LIST(tokens, struct config_http_token),
	  COUNT(token_count),
	  .apply = CONFIG_APPLY_NOW,
	  .help = "who may ask over a network; nobody" },
	{ .name = "rate",
	  .kind = &kind_number,
	  AT(rate),
	  .fallback = "20",
	  .min = 1,
	  .max = 10000,
	  .apply = CONFIG_APPLY_NOW,
	  .help = "requests a second of one token or address" },
};
const struct schema http_schema = { "admin.http", http_keys, ARRAY_SIZE(http_keys) };

static void check_tokens(struct reader *reader, struct place at)
{
	const struct config_http *http = &reader->config->http;

	for (size_t i = 0; i < http->token_count; i++)
		for (size_t k = 0; k < i; k++)
			if (http->tokens[i].name && http->tokens[k].name &&
			    !strcmp(http->tokens[i].name, http->tokens[k].name))
				find_error(reader->findings, at,
					   "`admin.http.tokens` names `%.60s` twice. Rename one",
					   http->tokens[i].name);
}

void http_check(struct reader *reader, struct place at)
{
	const struct config_http *http = &reader->config->http;
	bool network = false, tls = false;

	for (size_t i = 0; i < http->listen_count; i++) {
		network = network || http->listen[i].kind != HTTP_LISTEN_UNIX;
		tls = tls || http->listen[i].kind == HTTP_LISTEN_TLS;
	}
	if (tls && (!http->certificate || !http->private_key))
		find_error(reader->findings, at,
			   "`admin.http` listens for https without `certificate` and "
			   "`private_key`. Name the PEM files");
	if (network && !http->token_count)
		find_error(reader->findings, at,
			   "`admin.http` listens on a network address and has no `tokens`: nobody "
			   "could ask. Write { name: ..., role: read, token_file: ... }");
	check_tokens(reader, at);
}
