/* SPDX-License-Identifier: Apache-2.0 */
/* start_sip.c - the media engine and the SIP endpoint, and what they ask the rooms. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "base/log.h"
#include "base/processors.h"
#include "base/secret.h"
#include "base/str.h"
#include "tas/daemon.h"
#include "tas/sip/tls_guard.h"

#define MEDIA_THREADS_MAX 8

static int identify(const struct sip_source *source, void *arg)
{
	const struct daemon *daemon = arg;

	return service_identify(daemon->service, source);
}

static bool knows_host(const char *host, void *arg)
{
	const struct daemon *daemon = arg;

	return service_knows_host(daemon->service, host);
}

static int authenticate(const struct sip_proof *proof, struct sip_demand *ret_demand, void *arg)
{
	const struct daemon *daemon = arg;

	return service_authenticate(daemon->service, proof, ret_demand);
}

static int admit(const struct sip_newcomer *call, unsigned *ret_retry_after_s, void *arg)
{
	const struct daemon *daemon = arg;

	return service_admit(daemon->service, call, ret_retry_after_s);
}

static void on_invite(struct leg *leg, void *arg)
{
	const struct daemon *daemon = arg;

	service_invite(daemon->service, leg);
}

static int visit(const struct sip_visitor *visitor, struct str *ret_headers, void *arg)
{
	const struct daemon *daemon = arg;

	return device_visit(daemon->devices, visitor, ret_headers);
}

static int enrol(int peer, const struct sip_register *request, struct str *ret_headers, void *arg)
{
	const struct daemon *daemon = arg;

	return device_enrol(daemon->devices, peer, request, ret_headers);
}

static int options_status(void *arg)
{
	const struct daemon *daemon = arg;

	return daemon_draining(arg) || load_is_sick(daemon->load) ? 503 : 200;
}

static void on_media(int fd, void *arg)
{
	const struct daemon *daemon = arg;

	(void)fd;
	media_engine_drain(daemon->media);
}
/* What a process that was killed left in the mailboxes; it is no reason not to
 * start. */
static void recover_mailbox(struct daemon *daemon, const struct config_action *action)
{
	struct str folder = { 0 };
	char *path;

	str_addf(&folder, "%s/%s", action->voicemail_dir, action->mailbox);
	path = str_take(&folder);
	if (!path || media_recover(daemon->media, path) < 0)
		log_error("main", "start: no memory to complete the messages of %s",
			  action->mailbox);
	free(path);
}

static void recover_mailboxes(struct daemon *daemon)
{
	const struct config *config = daemon->config;

	for (size_t i = 0; i < config->service_count; i++)
		for (size_t k = 0; k < config->services[i].rule_count; k++) {
			const struct config_rule *rule = &config->services[i].rules[k];

			for (size_t a = 0; a < rule->action_count; a++)
				if (rule->actions[a].kind == ACTION_VOICEMAIL)
					recover_mailbox(daemon, &rule->actions[a]);
		}
}

static void recover_recordings(struct daemon *daemon)
{
	if (media_recover(daemon->media, daemon->config->recordings.dir) < 0)
		log_error("main", "start: no memory to complete the recordings of calls");
	daemon_keep_recordings(daemon);
}

static unsigned media_threads(const struct config_media *config)
{
	unsigned cores = processors_usable_count();

	if (config->threads > 0)
		return config->threads;
	if (config->cpus.count > 0)
		return config->cpus.count;
	return cores < MEDIA_THREADS_MAX ? cores : MEDIA_THREADS_MAX;
}

/* The mask comes from who starts us: a cpuset, CPUAffinity= of systemd, taskset. */
static int check_processors(const struct processors *cpus)
{
	struct str usable = { 0 };

	for (unsigned i = 0; i < cpus->count; i++) {
		if (processors_usable(cpus->numbers[i]))
			continue;
		processors_add_usable(&usable);
		log_error("main",
			  "start: media.cpus names processor %u, which this process may not use: "
			  "name some of %s, or let it use more (AllowedCPUs= and CPUAffinity= of "
			  "its service, cpuset of its container)",
			  cpus->numbers[i], usable.text ? usable.text : "those it may use");
		str_done(&usable);
		return -EINVAL;
	}
	return 0;
}

static struct media_address address_of(const struct config_media *config, size_t i)
{
	return (struct media_address){ config->addresses[i],
				       config->advertised_count ? config->advertised_addresses[i]
								: NULL };
}

static void say_media(const struct config_media *config)
{
	log_error("main",
		  "start: media.ports %u-%u hold no pair, or media.advertised_address is of "
		  "another family than its media.address: check both",
		  config->port_min, config->port_max);
}

int daemon_start_media(struct daemon *daemon)
{
	const struct config_media *config = &daemon->config->media;
	struct media_address hosts[CONFIG_ADDRESSES_MAX];
	struct media_engine_options options = {
		.address = address_of(config, 0).address,
		.advertised = address_of(config, 0).advertised,
		.others = hosts + 1,
		.other_count = (unsigned)config->address_count - 1,
		.port_min = config->port_min,
		.port_max = config->port_max,
		.threads = media_threads(config),
		.cpus = config->cpus,
		.ice_lite = config->ice == MEDIA_ICE_LITE,
		.rtp_timeout_s = config->rtp_timeout_s,
		.hold_timeout_s = config->hold_timeout_s,
		.opus_complexity = config->opus_complexity,
		.identity = daemon->identity,
		.servers = daemon->servers,
	};
	int err = check_processors(&config->cpus);

	if (err)
		return err;
	for (size_t i = 0; i < config->address_count; i++)
		hosts[i] = address_of(config, i);
	err = media_engine_create(&daemon->media, &options);
	if (err == -EINVAL)
		say_media(config);
	else if (err && err != -EIO) /* that one is logged where it happened */
		(void)daemon_failed("media engine", err);
	if (err)
		return err;
	if (!predecessor_lives(daemon)) { /* its messages are no left-overs */
		recover_mailboxes(daemon);
		recover_recordings(daemon);
	} else {
		daemon_keep_recordings(daemon);
	}
	return sip_loop_watch(daemon->loop, media_engine_fd(daemon->media), on_media, daemon);
}

/* The transports the trunks want, for sip_endpoint_options.reach. */
static unsigned trunk_transports(const struct config *config)
{
	unsigned reach = 0;

	for (size_t i = 0; i < config->trunk_count; i++)
		for (size_t j = 0; j < config->trunks[i].uri_count; j++)
			reach |= config_uri_transports(config->trunks[i].uris[j]);
	return reach;
}

/* Those of tenants too; a core that has none of its own shares that of core.sbc. */
void daemon_keep_alive(struct daemon *daemon)
{
	const struct config *config = daemon->config;
	const char *uris[CONFIG_TENANTS];
	size_t count = 0;
	int err;

	for (size_t i = 0; i < config_tenants(config) && i < CONFIG_TENANTS; i++)
		uris[count++] = config_tenant_sbc(config, i);
	err = sip_endpoint_keep_alive(daemon->endpoint, uris, count);
	if (err == -EINVAL)
		log_error("sip", "an SBC is not asked whether it answers: core.sbc.uri or a "
				 "tenants[].sbc.uri is none that requests can be sent to. Write "
				 "for example sips:sbc.example.net");
	else if (err)
		log_error("sip",
			  "no memory to ask every SBC whether it answers: reload to try again");
}

int daemon_start_sip(struct daemon *daemon)
{
	const struct config_sip *config = &daemon->config->sip;
	const struct sip_endpoint_handlers handlers = { .identify = identify,
							.knows_host = knows_host,
							.visit = visit,
							.enrol = enrol,
							.authenticate = authenticate,
							.admit = admit,
							.invite = on_invite,
							.options_status = options_status,
							.arg = daemon };
	struct sip_endpoint_options options = {
		.listen = config->listen,
		.listen_count = config->listen_count,
		.certificate = config->certificate,
		.private_key = config->private_key,
		.ca_file = config->ca_file,
		.client_ca = daemon->config->core.sbc.client_ca,
		.user_agent = config->user_agent,
		.domain = daemon->config->domain,
		.connect_ms = config->connect_ms,
		.handshake_s = config->handshake_s,
		.keepalive_s = config->keepalive_s,
		.t1_ms = config->t1_ms,
		.session_expires_s = config->session_expires_s,
		.min_se_s = config->min_se_s,
		.dns_servers = config->dns_servers,
		.dns_server_count = config->dns_server_count,
		.reach = trunk_transports(daemon->config),
		.silent = predecessor_lives(daemon),
		.trace_bytes = daemon->config->trace.bytes,
		.verify_next_hop = true,
	};
	char error[256] = "";
	int err = tls_guard_self_test(error, sizeof(error));

	options.inherited = predecessor_sockets(daemon, &options.inherited_count);

	if (!err)
		err = sip_endpoint_create(&daemon->endpoint, daemon->loop, &options, &handlers,
					  error, sizeof(error));
	if (!err)
		daemon_keep_alive(daemon);
	else
		log_error("main", "start: sip: %s", error[0] ? error : strerror(-err));
	return err;
}

/* Calls matter more than who looks on. */
static void start_hep(struct daemon *daemon)
{
	const struct config_trace *config = &daemon->config->trace;
	char password[SECRET_ROOM] = "";
	int err = 0;

	if (!config->hep)
		return;
	if (config->hep_password_file)
		err = secret_read(config->hep_password_file, password);
	if (!err)
		err = hep_create(&daemon->hep, sip_endpoint_trace(daemon->endpoint), config->hep,
				 config->hep_id, *password ? password : NULL);
	explicit_bzero(password, sizeof(password));
	if (err)
		log_error("main", "nothing is mirrored to trace.hep.to %s: %s", config->hep,
			  strerror(-err));
}

void daemon_start_trace(struct daemon *daemon)
{
	const struct config_trace *config = &daemon->config->trace;
	int err = 0;

	start_hep(daemon);
	if (config->dir_bytes)
		err = traced_create(&daemon->traced, sip_endpoint_trace(daemon->endpoint), config);
	if (err)
		log_error("main", "no number can be traced: %s", strerror(-err));
}
