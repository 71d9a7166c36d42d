/* SPDX-License-Identifier: Apache-2.0 */
/* engine.c - what all sessions share: threads, ports, certificate, servers. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include "base/log.h"
#include "media/media_private.h"
#include "media/srtp.h"

#define IDENTITY_MS (24 * 3600 * 1000) /* a certificate of our own serves new sessions */

static int check_bindable(const union net_address *address)
{
	int fd = socket(address->any.sa_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	int err = 0;

	if (fd < 0)
		return -errno;
	if (bind(fd, &address->any, net_size(address)))
		err = -errno;
	close(fd);
	return err;
}

static int add_host(struct net_hosts *hosts, const char *address, const char *advertised)
{
	union net_address *own = &hosts->own[hosts->count], *told = &hosts->told[hosts->count];
	int err;

	if (hosts->count == NET_HOSTS_MAX || !address || net_parse(address, 0, own) ||
	    net_parse(advertised ? advertised : address, 0, told) ||
	    own->any.sa_family != told->any.sa_family)
		return -EINVAL;
	hosts->count++;
	err = check_bindable(own);
	if (!err)
		return 0;
	log_error("media",
		  "%s in media.address is not an address of this machine (%s): give one that "
		  "`ip address` shows; what a NAT maps to it is media.advertised_address",
		  address, strerror(-err));
	return -EIO;
}

static int read_hosts(const struct media_engine_options *options, struct net_hosts *ret_hosts)
{
	int err;

	memset(ret_hosts, 0, sizeof(*ret_hosts));
	err = add_host(ret_hosts, options->address, options->advertised);
	for (unsigned i = 0; !err && i < options->other_count; i++)
		err = add_host(ret_hosts, options->others[i].address,
			       options->others[i].advertised);
	return err;
}

static int start_crypto(struct media_engine *engine)
{
	const char *why;
	int err = srtp_start(&why);

	if (err) {
		log_error("media", "crypto self-test failed in %s: media cannot be served", why);
		return err;
	}
	if (engine->pinned)
		return 0;
	err = dtls_identity_create(&engine->identity, NULL);
	if (err)
		log_error("media", "OpenSSL made no certificate for DTLS: check its configuration");
	engine->renew_ms = clock_now() + IDENTITY_MS;
	return err;
}

/* One port for all that the worker serves; it is never given back. */
static int start_lite(struct media_engine *engine, unsigned index)
{
	const struct net_hosts *hosts = &engine->hosts;
	uint16_t port;
	int err = ports_take(engine->ports, hosts->own, hosts->count, &port);

	if (err)
		return err;
	return lite_create(&engine->lites[index], engine->workers[index], hosts, port);
}

static int start_workers(struct media_engine *engine, const struct media_engine_options *options)
{
	const struct processors *cpus = &options->cpus;
	int err = 0;

	for (unsigned i = 0; !err && i < options->threads; i++) {
		err = worker_create(&engine->workers[i], i,
				    cpus->count ? cpus->numbers[i % cpus->count] : WORKER_ANYWHERE);
		if (err)
			break;
		engine->worker_count++;
		if (options->ice_lite)
			err = start_lite(engine, i);
	}
	return err;
}

mono_ms media_engine_beat(const struct media_engine *engine)
{
	mono_ms slowest = clock_now();

	for (unsigned i = 0; i < engine->worker_count; i++) {
		mono_ms beat = worker_beat(engine->workers[i]);

		slowest = beat < slowest ? beat : slowest;
	}
	return slowest;
}

int media_engine_create(struct media_engine **ret_engine,
			const struct media_engine_options *options)
{
	struct media_engine *engine;
	struct net_hosts hosts;
	int err;

	if (options->threads == 0 || options->threads > THREADS_MAX)
		return -EINVAL;
	err = read_hosts(options, &hosts);
	if (err)
		return err;
	engine = calloc(1, sizeof(*engine));
	if (!engine)
		return -ENOMEM;
	engine->hosts = hosts;
	engine->rtp_timeout_s = options->rtp_timeout_s;
	engine->hold_timeout_s = options->hold_timeout_s;
	engine->opus_complexity = options->opus_complexity;
	if (options->identity)
		media_engine_use_identity(engine, options->identity);
	err = ports_create(&engine->ports, options->port_min, options->port_max);
	if (!err)
		err = start_crypto(engine);
	if (!err)
		err = mailbox_create(&engine->inbox, engine);
	if (!err)
		err = ticket_table_create(&engine->tickets);
	if (!err)
		err = recorder_create(&engine->recorder);
	if (!err)
		err = start_workers(engine, options);
	if (!err)
		media_engine_use_servers(engine, options->servers);
	if (err) {
		media_engine_destroy(engine);
		return err;
	}
	*ret_engine = engine;
	return 0;
}

struct media_engine *media_engine_destroy(struct media_engine *engine)
{
	if (!engine)
		return NULL;
	for (unsigned i = 0; i < engine->worker_count; i++)
		worker_destroy(engine->workers[i]);
	for (unsigned i = 0; i < engine->worker_count; i++)
		lite_destroy(engine->lites[i]);
	for (unsigned i = 0; i < engine->worker_count; i++)
		hub_destroy(engine->hubs[i]);
	recorder_destroy(engine->recorder);
	media_sound_unref(engine->ringback);
	mailbox_destroy(engine->inbox, media_news_free);
	ticket_table_destroy(engine->tickets);
	dtls_identity_unref(engine->identity);
	media_engine_use_servers(engine, NULL);
	ports_destroy(engine->ports);
	free(engine);
	return NULL;
}

int media_recover(struct media_engine *engine, const char *folder)
{
	return recorder_recover(engine->recorder, folder);
}

int media_keep(struct media_engine *engine, const char *folder, unsigned days)
{
	return recorder_keep(engine->recorder, folder, days);
}

int media_engine_fd(const struct media_engine *engine)
{
	return mailbox_fd(engine->inbox);
}

void media_engine_drain(struct media_engine *engine)
{
	(void)mailbox_drain(engine->inbox, 0);
}

void media_renew_identity(struct media_engine *engine)
{
	struct dtls_identity *fresh;

	if (engine->pinned || clock_now() < engine->renew_ms)
		return;
	engine->renew_ms = clock_now() + IDENTITY_MS;
	if (dtls_identity_create(&fresh, NULL)) {
		log_error("media", "OpenSSL made no new certificate for DTLS: the old one stays");
		return;
	}
	dtls_identity_unref(engine->identity);
	engine->identity = fresh;
}

void media_engine_use_identity(struct media_engine *engine, struct dtls_identity *identity)
{
	if (identity) {
		dtls_identity_unref(engine->identity);
		engine->identity = dtls_identity_ref(identity);
	} else if (engine->pinned) {
		engine->renew_ms = 0; /* with the next session */
	}
	engine->pinned = identity != NULL;
}

void media_engine_use_servers(struct media_engine *engine, struct ice_servers *servers)
{
	struct ice_servers *before = engine->servers;

	if (servers && servers_start(servers, &engine->hosts.own[0], before))
		log_error("media",
			  "no thread to ask STUN and TURN servers: calls use them unasked");
	engine->servers = servers_ref(servers);
	if (before)
		servers_stop(before);
	servers_unref(before);
}
