/* SPDX-License-Identifier: Apache-2.0 */
#include "tas/sip/tls_files.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

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
	bool ca, renews;
} roles[TLS_ROLE_COUNT] = {
	[TLS_ROLE_SIP] = { "sip", "sip.certificate", false, true },
	[TLS_ROLE_SIP_CA] = { "sip_ca", "sip.ca_file", true, true },
	[TLS_ROLE_CLIENT_CA] = { "client_ca", "core.sbc.client_ca", true, true },
	[TLS_ROLE_MEDIA] = { "media", "media.certificate", false, true },
	[TLS_ROLE_HTTP] = { "http", "admin.http.certificate", false, true },
	[TLS_ROLE_API_CA] = { "api_ca", "core.api.ca_file", true, false },
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

const char *tls_role_key(enum tls_role role)
{
	return roles[role].key;
}

bool tls_role_is_ca(enum tls_role role)
{
	return roles[role].ca;
}

bool tls_role_renews(enum tls_role role)
{
	return roles[role].renews;
}

static const char *path_of(const struct config *config, enum tls_role role)
{
	switch (role) {
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

	for (int i = 0; i < TLS_ROLE_COUNT; i++)
		mix(&stamp, path_of(config, (enum tls_role)i));
	for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
		mix(&stamp, keys[i]);
	return stamp;
}

void tls_files_read(struct tls_files *ret_files, const struct config *config)
{
	*ret_files = (struct tls_files){ .stamp = stamp_of(config) };
	for (int i = 0; i < TLS_ROLE_COUNT; i++) {
		struct tls_file *file = &ret_files->list[i];
		const char *path = path_of(config, (enum tls_role)i);
		bool named = i == TLS_ROLE_SIP; /* only this one must be for our domain */

		file->path = str_dup_or_null(path);
		if (path)
			file->err = file->path ? tls_describe(path, named ? config->domain : NULL,
							      roles[i].ca, &file->is)
					       : -ENOMEM;
	}
}

void tls_files_done(struct tls_files *files)
{
	for (int i = 0; i < TLS_ROLE_COUNT; i++) {
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

static bool same(const struct tls_file *a, const struct tls_file *b)
{
	return !a->path == !b->path && a->err == b->err &&
	       !strcmp(a->is.fingerprint, b->is.fingerprint);
}

void tls_files_renew(struct tls_files *files, struct tls_files *fresh, unsigned refused,
		     struct str *ret_changed)
{
	for (int i = 0; i < TLS_ROLE_COUNT; i++) {
		struct tls_file old = files->list[i];

		if (!roles[i].renews || refused & 1u << i)
			continue;
		if (!same(&old, &fresh->list[i]))
			str_addf(ret_changed, "%s%s", ret_changed->length ? ", " : "",
				 roles[i].name);
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

static void look_at(struct tls_watch *watch, int role, const struct tls_file *file, wall_ms now)
{
	int64_t left_ms = file->is.not_after - now;
	int64_t days = left_ms < 0 ? -1 : left_ms / DAY_MS;
	unsigned level = level_of(days), before = watch->roles[role].level;
	bool daily = days < DAILY && now - watch->roles[role].said >= DAY_MS;

	metric_set(&expires[role], left_ms / 1000);
	watch->roles[role].level = level;
	if (level <= before && !(level && daily))
		return;
	watch->roles[role].said = now;
	if (left_ms < 0)
		log_error("sip", "certificate %s of %s has expired: renew it", file->path,
			  roles[role].key);
	else if (days < DAILY)
		log_error("sip", "certificate %s of %s expires in %" PRId64 " days: renew it",
			  file->path, roles[role].key, days);
	else
		log_notice("sip", "certificate %s of %s expires in %" PRId64 " days: renew it",
			   file->path, roles[role].key, days);
}

void tls_watch_look(struct tls_watch *watch, const struct tls_files *files, wall_ms now)
{
	for (int i = 0; i < TLS_ROLE_COUNT; i++)
		if (files->list[i].path && !files->list[i].err)
			look_at(watch, i, &files->list[i], now);
}
