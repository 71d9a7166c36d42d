/* SPDX-License-Identifier: Apache-2.0 */
#include "registrar/cores.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/hash.h"
#include "base/hash_siphash.h"
#include "base/secret.h"
#include "base/str.h"
#include "proto/pem_check.h"

static char *keep(struct registrar_cores *cores, const char *text)
{
	return text ? arena_dup(&cores->arena, text, strlen(text)) : NULL;
}

static struct config_api keep_api(struct registrar_cores *cores, const struct config_api *from)
{
	struct config_api api = *from;

	api.target = keep(cores, from->target);
	api.token_url = keep(cores, from->token_url);
	api.client_id = keep(cores, from->client_id);
	api.client_secret_file = keep(cores, from->client_secret_file);
	api.scope = keep(cores, from->scope);
	api.ca_file = keep(cores, from->ca_file);
	api.server_name = keep(cores, from->server_name);
	return api;
}

/* ---- the files ---- */

static const char *place_of(const struct config *config, const char *setting)
{
	size_t count;
	const struct config_setting *settings = config_settings(config, &count);

	for (size_t i = 0; i < count; i++)
		if (!strcmp(settings[i].name, setting))
			return settings[i].origin;
	return "configuration";
}

static int read_roots(struct registrar_cores *cores, struct core *core, const struct config *config,
		      struct str *ret_findings)
{
	char error[512], setting[TENANT_NAME_ROOM + 32], *pem;
	int err;

	if (!core->api.ca_file)
		return 0;
	err = pem_check_ca(core->api.ca_file, &pem, error, sizeof(error));
	if (!err) {
		core->roots = keep(cores, pem);
		free(pem);
	} else if (err == -EINVAL) {
		if (core == cores->list)
			(void)snprintf(setting, sizeof(setting), "core.api.ca_file");
		else
			(void)snprintf(setting, sizeof(setting), "tenants.%s.api.ca_file",
				       core->name);
		str_addf(ret_findings, "%s: error: `%s`: %s\n", place_of(config, setting), setting,
			 error);
	}
	return err;
}

/* One that cannot be read is told of when a token is to be fetched with it. */
static uint64_t read_secret(const char *path)
{
	char secret[SECRET_ROOM];
	uint64_t hash;

	if (!path || secret_read(path, secret))
		return 0;
	hash = hash_bytes(secret, strlen(secret));
	explicit_bzero(secret, sizeof(secret));
	return hash;
}

int registrar_cores_read(struct registrar_cores **ret_cores, const struct config *config,
			 struct str *ret_findings)
{
	struct registrar_cores *cores = calloc(1, sizeof(*cores));
	int err = cores ? 0 : -ENOMEM, bad = 0;

	for (size_t i = 0; !err && i < config_tenants(config); i++) {
		struct core *core = &cores->list[cores->count++];

		core->name = keep(cores, config_tenant_name(config, i));
		core->api = keep_api(cores, config_tenant_api(config, i));
		if (cores->arena.failed)
			err = -ENOMEM;
		else
			err = read_roots(cores, core, config, ret_findings);
		core->secret = read_secret(core->api.client_secret_file);
		if (err == -EINVAL) { /* all of them are told */
			bad = err;
			err = 0;
		}
	}
	if (!err && (cores->arena.failed || ret_findings->failed))
		err = -ENOMEM;
	if (err || bad) {
		registrar_cores_destroy(cores);
		return err ? err : bad;
	}
	*ret_cores = cores;
	return 0;
}

struct registrar_cores *registrar_cores_destroy(struct registrar_cores *cores)
{
	if (!cores)
		return NULL;
	arena_done(&cores->arena);
	free(cores);
	return NULL;
}

/* ---- two of them ---- */

static bool same(const char *a, const char *b)
{
	return a && b ? !strcmp(a, b) : a == b;
}

bool core_same_way(const struct core *a, const struct core *b)
{
	return core_same_target(a, b) && same(a->roots, b->roots) &&
	       same(a->api.server_name, b->api.server_name) &&
	       a->api.plaintext == b->api.plaintext && a->api.keepalive_s == b->api.keepalive_s &&
	       a->api.keepalive_timeout_s == b->api.keepalive_timeout_s;
}

bool core_same_rights(const struct core *a, const struct core *b)
{
	return same(a->api.token_url, b->api.token_url) &&
	       same(a->api.client_id, b->api.client_id) && a->secret == b->secret &&
	       same(a->api.scope, b->api.scope) && a->api.raw_basic == b->api.raw_basic;
}

bool core_same_account(const struct core *a, const struct core *b)
{
	return same(a->api.client_id, b->api.client_id);
}

bool core_same_target(const struct core *a, const struct core *b)
{
	return same(a->api.target, b->api.target);
}

uint64_t core_identity(const struct core *core)
{
	const char *texts[] = { core->api.target, core->api.client_id };
	uint64_t hash = 1;

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		size_t length = texts[i] ? strlen(texts[i]) : 0;
		const uint64_t key[2] = { hash, length };

		hash = siphash_2_4(key, texts[i] ? texts[i] : "", length);
	}
	return hash >> 1 | 1; /* stores have signed numbers */
}
