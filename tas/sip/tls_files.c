/* SPDX-License-Identifier: Apache-2.0 */
#include "tas/sip/tls_files.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "base/hash.h"
#include "base/hash_siphash.h"
#include "base/log.h"
#include "base/metrics.h"
#include "base/str.h"

#define DAY_MS   86400000
#define DAILY    7   /* days before the end from which it is said every day */
#define REST_MS  100 /* files that have not changed for so long are complete */
#define REST_MAX 10  /* times that is waited for */

static const struct role {
	const char *name, *key;
	bool ca;
} roles[TLS_ROLE_COUNT] = {
	[TLS_ROLE_SIP] = { "sip", "sip.certificate", false },
	[TLS_ROLE_SIP_CA] = { "sip_ca", "sip.ca_file", true },
	[TLS_ROLE_CLIENT_CA] = { "client_ca", "core.sbc.client_ca", true },
	[TLS_ROLE_MEDIA] = { "media", "media.certificate", false },
	[TLS_ROLE_HTTP] = { "http", "admin.http.certificate", false },
	[TLS_ROLE_API_CA] = { "api_ca", "core.api.ca_file", true },
};

#define EXPIRES(role)                                                                              \
	METRIC_GAUGE_INIT("breakout_certificate_expires_seconds", "file=\"" role "\"",             \
			  "Until the certificate in a file ends; below 0, since")

static struct metric expires[TLS_ROLE_COUNT] = {
	[TLS_ROLE_SIP] = EXPIRES("sip"),
	[TLS_ROLE_SIP_CA] = EXPIRES("sip_ca"),
	[TLS_ROLE_CLIENT_CA] = EXPIRES("client_ca"),
	[TLS_ROLE_MEDIA] = EXPIRES("media"),
	[TLS_ROLE_HTTP] = EXPIRES("http"),
	[TLS_ROLE_API_CA] = EXPIRES("api_ca"),
};

const char *tls_role_name(enum tls_role role)
{
	return roles[role].name;
}

bool tls_role_is_ca(enum tls_role role)
{
	return roles[role].ca;
}

static enum tls_role role_at(size_t index)
{
	return index < TLS_ROLE_COUNT ? (enum tls_role)index : TLS_ROLE_API_CA;
}

/* Of config_tenants(); 0: the file is not of one in the list. */
static size_t tenant_at(size_t index)
{
	return index < TLS_ROLE_COUNT ? 0 : index - TLS_ROLE_COUNT + 1;
}

static const char *path_at(const struct config *config, size_t index)
{
	size_t tenant = tenant_at(index);

	if (tenant)
		return tenant < config_tenants(config) ? config_tenant_api(config, tenant)->ca_file
						       : NULL;
	switch (role_at(index)) {
	case TLS_ROLE_SIP:
		return config->sip.certificate;
	case TLS_ROLE_SIP_CA:
		return config->sip.ca_file;
	case TLS_ROLE_CLIENT_CA:
		return config->core.sbc.client_ca;
	case TLS_ROLE_MEDIA:
		return config->media.certificate;
	case TLS_ROLE_HTTP:
		return config->http.certificate;
	case TLS_ROLE_API_CA:
		return config->core.api.ca_file;
	case TLS_ROLE_COUNT:
		break;
	}
	return NULL;
}

/* ---- reading ---- */

static void mix(uint64_t *stamp, const char *path)
{
	const uint64_t key[2] = { *stamp, 1 };
	struct stat st = { .st_size = 0 };
	uint64_t words[6];

	if (!path)
		return;
	if (stat(path, &st) < 0)
		st.st_size = -1; /* what is not there differs from what is */
	words[0] = (uint64_t)st.st_dev;
	words[1] = (uint64_t)st.st_ino;
	words[2] = (uint64_t)st.st_size;
	words[3] = (uint64_t)st.st_mtim.tv_sec;
	words[4] = (uint64_t)st.st_mtim.tv_nsec;
	words[5] = siphash_2_4(key, path, strlen(path));
	*stamp = siphash_2_4(key, words, sizeof(words));
}

static uint64_t stamp_of(const struct config *config)
{
	const char *const keys[] = { config->sip.private_key, config->media.private_key,
				     config->http.private_key };
	uint64_t stamp = 1;

	for (size_t i = 0; i < TLS_FILES; i++)
		mix(&stamp, path_at(config, i));
	for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
		mix(&stamp, keys[i]);
	return stamp;
}

static void name_it(struct tls_file *file, const char *tenant)
{
	struct str key = { 0 };

	file->tenant = str_dup_or_null(tenant);
	if (tenant)
		str_addf(&key, "tenants.%s.api.ca_file", tenant);
	else
		str_add(&key, roles[file->role].key);
	file->key = str_take(&key);
}

void tls_files_read(struct tls_files *ret_files, const struct config *config)
{
	*ret_files = (struct tls_files){ .stamp = stamp_of(config) };
	for (size_t i = 0; i < TLS_FILES; i++) {
		struct tls_file *file = &ret_files->list[i];
		size_t tenant = tenant_at(i);
		const char *path = path_at(config, i);
		bool named = i == TLS_ROLE_SIP; /* only this one must be for our domain */

		file->role = role_at(i);
		if (!path)
			continue;
		name_it(file, tenant ? config_tenant_name(config, tenant) : NULL);
		file->path = str_dup_or_null(path);
		file->err = file->path && file->key
				    ? tls_describe(path, named ? config->domain : NULL,
						   roles[file->role].ca, &file->is)
				    : -ENOMEM;
	}
}

void tls_files_done(struct tls_files *files)
{
	for (size_t i = 0; i < TLS_FILES; i++) {
		free(files->list[i].tenant);
		free(files->list[i].key);
		free(files->list[i].path);
		tls_certificate_done(&files->list[i].is);
	}
	*files = (struct tls_files){ .stamp = 0 };
}

uint64_t tls_files_stamp(const struct config *config, uint64_t known)
{
	const struct timespec rest = { .tv_nsec = REST_MS * 1000000L };
	uint64_t now = stamp_of(config), before = known;

	for (int i = 0; now != before && i < REST_MAX; i++) {
		before = now;
		(void)nanosleep(&rest, NULL); /* shorter does no harm */
		now = stamp_of(config);
	}
	return now;
}

static bool same_text(const char *a, const char *b)
{
	return a && b ? !strcmp(a, b) : a == b;
}

static bool same(const struct tls_file *a, const struct tls_file *b)
{
	return !a->path == !b->path && a->err == b->err &&
	       !strcmp(a->is.fingerprint, b->is.fingerprint);
}

/* Tenants come and go: theirs may have been at another place. */
static bool was_there(const struct tls_files *files, const struct tls_file *fresh, size_t index)
{
	if (index < TLS_ROLE_COUNT)
		return same(&files->list[index], fresh);
	for (size_t i = TLS_ROLE_COUNT; i < TLS_FILES; i++)
		if (same_text(files->list[i].tenant, fresh->tenant))
			return same(&files->list[i], fresh);
	return !fresh->path;
}

void tls_files_renew(struct tls_files *files, struct tls_files *fresh, unsigned refused,
		     struct str *ret_changed)
{
	for (size_t i = 0; i < TLS_FILES; i++) {
		const struct tls_file *file = &fresh->list[i];

		if (refused & 1u << file->role || was_there(files, file, i))
			continue;
		str_addf(ret_changed, "%s%s%s%s", ret_changed->length ? ", " : "",
			 roles[file->role].name, file->tenant ? " of " : "",
			 file->tenant ? file->tenant : "");
	}
	for (size_t i = 0; i < TLS_FILES; i++) {
		struct tls_file old = files->list[i];

		if (refused & 1u << old.role)
			continue;
		files->list[i] = fresh->list[i];
		fresh->list[i] = old;
	}
	files->stamp = fresh->stamp;
}

/* ---- watching ---- */

/* How many of the marks have been passed. */
static unsigned level_of(int64_t days)
{
	static const int marks[] = { 30, 14, 7, 3, 1, 0 };
	unsigned level = 0;

	while (level < ARRAY_SIZE(marks) && days < marks[level])
		level++;
	return level;
}

static struct metric_family tenants_expire = {
	.name = "breakout_certificate_expires_seconds",
	.help = "Until the certificate in a file ends; below 0, since",
	.before = "file=\"api_ca\",",
	.label = "tenant",
	.kind = METRIC_GAUGE,
};

static void look_at(struct tls_said *said, const struct tls_file *file, wall_ms now)
{
	int64_t left_ms = file->is.not_after - now;
	int64_t days = left_ms < 0 ? -1 : left_ms / DAY_MS;
	unsigned level = level_of(days), before;
	struct metric *gauge =
		file->tenant ? metric_of(&tenants_expire, file->tenant) : &expires[file->role];
	uint64_t whose = file->tenant ? hash_bytes(file->tenant, strlen(file->tenant)) : 0;
	bool daily;

	if (said->whose != whose)
		*said = (struct tls_said){ .whose = whose };
	before = said->level;
	daily = days < DAILY && now - said->said >= DAY_MS;
	if (gauge)
		metric_set(gauge, left_ms / 1000);
	said->level = level;
	if (level <= before && !(level && daily))
		return;
	said->said = now;
	if (left_ms < 0)
		log_error("sip", "certificate %s of %s has expired: renew it", file->path,
			  file->key);
	else if (days < DAILY)
		log_error("sip", "certificate %s of %s expires in %" PRId64 " days: renew it",
			  file->path, file->key, days);
	else
		log_notice("sip", "certificate %s of %s expires in %" PRId64 " days: renew it",
			   file->path, file->key, days);
}

void tls_watch_look(struct tls_watch *watch, const struct tls_files *files, wall_ms now)
{
	metric_hide_all(&tenants_expire); /* some may have gone */
	for (size_t i = 0; i < TLS_FILES; i++)
		if (files->list[i].path && !files->list[i].err)
			look_at(&watch->files[i], &files->list[i], now);
}
