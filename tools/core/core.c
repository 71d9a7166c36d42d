/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/core/core.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <limits.h>
#include <openssl/rand.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/log.h"
#include "media/media.h"
#include "tas/sip/endpoint.h"
#include "tas/sip/sip_loop.h"
#include "tools/core/api.h"
#include "tools/core/control.h"
#include "tools/core/pki.h"
#include "tools/core/token.h"

#define CLIENT_ID "breakout-demo"

enum { SWEEP_MS = 250, SECRET_ROOM = 64 };

enum side { SIDE_PEERING, SIDE_ACCESS, SIDE_PHONES, SIDE_PBX, SIDE_COUNT };

struct core {
	struct core_options options;
	char pki[PATH_MAX], certificate[PATH_MAX + 16], private_key[PATH_MAX + 16];
	char ca[PATH_MAX + 16], secret_file[PATH_MAX], secret[SECRET_ROOM];
	struct sip_loop *loop;
	struct media_engine *media;
	struct book *book;
	struct token_server *token;
	struct api_server *api;
	struct sip_endpoint *endpoints[SIDE_COUNT];
	struct ua *phones, *pbx;
	struct sbc *sbc;
	struct trials *trials;
	struct control *control;
	struct timer sweep;
	unsigned tones_used;
	int signals;
};

void core_options_default(struct core_options *ret_options)
{
	*ret_options = (struct core_options){
		.address = "127.0.0.1",
		.pbx_address = "127.0.0.2",
		.media_min = 30000,
		.media_max = 39999,
		.ttl_s = 3600,
		.token_life_s = 3600,
		.no_answer_ms = 30000,
		.token_required = true,
	};
}

static int failed(const char *what, int err, const char *detail)
{
	log_error("core", "%s: %s%s%s", what, strerror(-err), *detail ? ": " : "", detail);
	return err;
}

/* Once for the folder: users put it into the configuration of their TAS. The
 * last characters only survive if the client form-encodes them. */
static int open_secret(struct core *core)
{
	unsigned char random[16];
	FILE *file = fopen(core->secret_file, "re");

	if (file) {
		bool ok = fgets(core->secret, sizeof(core->secret), file);
		(void)fclose(file); /* was only read */
		core->secret[strcspn(core->secret, "\r\n")] = '\0';
		return ok ? 0 : -EINVAL;
	}
	if (RAND_bytes(random, sizeof(random)) != 1)
		return -EIO;
	size_t at = 0;
	for (size_t i = 0; i < sizeof(random); i++)
		at += (size_t)snprintf(core->secret + at, sizeof(core->secret) - at, "%02x",
				       random[i]);
	(void)snprintf(core->secret + at, sizeof(core->secret) - at, "+%%/:");
	int fd = open(core->secret_file, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd < 0)
		return -errno;
	int err = dprintf(fd, "%s\n", core->secret) < 0 ? -EIO : 0;
	return close(fd) < 0 ? -errno : err;
}

static int issue(struct core *core, const char *name, const char *const *names, size_t count,
		 char *error, size_t room)
{
	const char *subjects[20] = { core->options.address };
	size_t subject_count = 1;

	for (size_t i = 0; i < count; i++)
		subjects[subject_count++] = names[i];
	if (strncmp(core->options.address, "127.", 4) == 0)
		subjects[subject_count++] = "localhost";
	return pki_issue(core->pki, name, subjects, subject_count, error, room);
}

static int open_folder(struct core *core)
{
	const struct core_options *options = &core->options;
	char error[256] = "";

	(void)snprintf(core->pki, sizeof(core->pki), "%s/pki", options->folder);
	(void)snprintf(core->certificate, sizeof(core->certificate), "%s/core.pem", core->pki);
	(void)snprintf(core->private_key, sizeof(core->private_key), "%s/core.key", core->pki);
	(void)snprintf(core->ca, sizeof(core->ca), "%s/ca.pem", core->pki);
	(void)snprintf(core->secret_file, sizeof(core->secret_file), "%s/client-secret",
		       options->folder);
	if (mkdir(options->folder, 0755) < 0 && errno != EEXIST)
		return failed(options->folder, -errno, "");
	int err = pki_open(core->pki, error, sizeof(error));
	if (!err)
		err = issue(core, "core", options->core_names, options->core_name_count, error,
			    sizeof(error));
	if (!err)
		err = issue(core, "tas", options->tas_names, options->tas_name_count, error,
			    sizeof(error));
	if (!err)
		err = open_secret(core);
	return err ? failed("certificates", err, error) : 0;
}

static int open_services(struct core *core)
{
	const struct core_options *options = &core->options;
	struct token_server_options token = {
		.address = options->address,
		.port = options->token_port,
		.certificate = core->certificate,
		.private_key = core->private_key,
		.client_id = CLIENT_ID,
		.client_secret = core->secret,
		.life_s = options->token_life_s,
		.book = core->book,
	};
	struct api_server_options api = {
		.address = options->address,
		.port = options->api_port,
		.certificate = core->certificate,
		.private_key = core->private_key,
		.ttl_s = options->ttl_s,
		.token_required = options->token_required,
		.book = core->book,
	};
	int err = token_server_create(&core->token, &token);
	if (err)
		return failed("token endpoint", err, options->address);
	err = api_server_create(&core->api, &api);
	return err ? failed("gRPC service", err, options->address) : 0;
}

static void on_peering_invite(struct leg *leg, void *arg)
{
	sbc_peering_invite(((struct core *)arg)->sbc, leg);
}

static void on_access_invite(struct leg *leg, void *arg)
{
	sbc_access_invite(((struct core *)arg)->sbc, leg);
}

static void on_phone_invite(struct leg *leg, void *arg)
{
	ua_invite(((struct core *)arg)->phones, leg);
}

static void on_pbx_invite(struct leg *leg, void *arg)
{
	ua_invite(((struct core *)arg)->pbx, leg);
}

/* Whoever reaches the simulator may use it: it is for one's own machine. */
static int everybody(const struct sip_source *source, void *arg)
{
	(void)source;
	(void)arg;
	return 0;
}

static int always_well(void *arg)
{
	(void)arg;
	return 200;
}

static int open_endpoint(struct core *core, enum side side, const struct config_listen *listen,
			 size_t count, void (*invite)(struct leg *leg, void *arg))
{
	char error[256] = "";
	struct sip_endpoint_options options = {
		.listen = listen,
		.listen_count = count,
		.certificate = core->certificate,
		.private_key = core->private_key,
		.ca_file = core->ca,
		.user_agent = "breakout-core",
		.connect_ms = 2000,
		.handshake_s = 10,
		.t1_ms = 500,
		.verify_next_hop = true,
	};
	struct sip_endpoint_handlers handlers = {
		.identify = everybody,
		.invite = invite,
		.options_status = always_well,
		.arg = core,
	};
	int err = sip_endpoint_create(&core->endpoints[side], core->loop, &options, &handlers,
				      error, sizeof(error));
	return err ? failed("SIP", err, error) : 0;
}

static int open_endpoints(struct core *core)
{
	char *address = (char *)core->options.address, *pbx = (char *)core->options.pbx_address;
	struct config_listen peering = { SIP_TRANSPORT_TLS, address, core->options.sip_port };
	struct config_listen inside = { SIP_TRANSPORT_TLS, address, 0 };
	struct config_listen udp = { SIP_TRANSPORT_UDP, pbx, core->options.pbx_port };
	int err = open_endpoint(core, SIDE_PEERING, &peering, 1, on_peering_invite);

	if (!err)
		err = open_endpoint(core, SIDE_ACCESS, &inside, 1, on_access_invite);
	if (!err)
		err = open_endpoint(core, SIDE_PHONES, &inside, 1, on_phone_invite);
	if (err)
		return err;
	struct config_listen both[] = { udp, { SIP_TRANSPORT_TCP, pbx, core->options.pbx_port } };
	return open_endpoint(core, SIDE_PBX, both, ARRAY_SIZE(both), on_pbx_invite);
}

static int open_agents(struct core *core)
{
	struct ua_options phones = {
		.endpoint = core->endpoints[SIDE_PHONES],
		.media = core->media,
		.wheel = sip_loop_wheel(core->loop),
		.kind = MEDIA_LEG_WEBRTC,
		.domain = core->options.address,
		.tones_used = &core->tones_used,
	};
	struct ua_options pbx = phones;

	pbx.endpoint = core->endpoints[SIDE_PBX];
	pbx.kind = MEDIA_LEG_RTP;
	pbx.only_party = "pbx";
	pbx.domain = core->options.pbx_address;
	int err = ua_create(&core->phones, &phones);
	return err ? err : ua_create(&core->pbx, &pbx);
}

static void host_port(char *ret_text, size_t room, const char *address, uint16_t port)
{
	(void)snprintf(ret_text, room, strchr(address, ':') ? "[%s]:%u" : "%s:%u", address, port);
}

static int open_sbc(struct core *core)
{
	const struct core_options *options = &core->options;
	struct sbc_options sbc = {
		.book = core->book,
		.wheel = sip_loop_wheel(core->loop),
		.access = core->endpoints[SIDE_ACCESS],
		.peering = core->endpoints[SIDE_PEERING],
		.no_answer_ms = options->no_answer_ms,
		.native_when_tas_fails = options->native_when_tas_fails,
	};

	host_port(sbc.phones, sizeof(sbc.phones), options->address,
		  sip_endpoint_port(core->endpoints[SIDE_PHONES], 0));
	(void)snprintf(sbc.domain, sizeof(sbc.domain), "%s", options->address);
	int err = sbc_create(&core->sbc, &sbc);
	if (err)
		return err;
	struct trials_options trials = {
		.wheel = sip_loop_wheel(core->loop),
		.sbc = core->sbc,
		.phones = core->phones,
		.pbx = core->pbx,
	};
	host_port(trials.access, sizeof(trials.access), options->address,
		  sip_endpoint_port(core->endpoints[SIDE_ACCESS], 0));
	(void)snprintf(trials.tas_trunk, sizeof(trials.tas_trunk), "%s",
		       options->tas_trunk ? options->tas_trunk : "");
	return trials_create(&core->trials, &trials);
}

static void on_media_ready(int fd, void *arg)
{
	(void)fd;
	media_engine_drain(((struct core *)arg)->media);
}

static void on_signal(int fd, void *arg)
{
	struct signalfd_siginfo info;
	struct core *core = arg;

	if (read(fd, &info, sizeof(info)) == (ssize_t)sizeof(info))
		sip_loop_stop(core->loop);
}

static void on_sweep(struct timer *timer, void *arg)
{
	struct core *core = arg;
	unsigned count = book_sweep(core->book);

	if (count)
		log_notice("core", "%u registrations expired: calls go natively", count);
	timer_start(sip_loop_wheel(core->loop), timer, clock_now() + SWEEP_MS);
}

/* Blocked before any library starts a thread, so that only the loop sees them. */
static int block_signals(struct core *core)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGHUP);
	sigaddset(&set, SIGPIPE);
	(void)pthread_sigmask(SIG_BLOCK, &set, NULL);
	sigdelset(&set, SIGPIPE);
	core->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	return core->signals < 0 ? -errno : 0;
}

static int open_loop(struct core *core)
{
	struct media_engine_options media = {
		.address = core->options.address,
		.port_min = core->options.media_min,
		.port_max = core->options.media_max,
		.threads = 1,
	};
	int err = sip_loop_create(&core->loop);

	if (!err)
		err = sip_loop_watch(core->loop, core->signals, on_signal, core);
	if (err)
		return failed("event loop", err, "");
	err = media_engine_create(&core->media, &media);
	if (!err)
		err = sip_loop_watch(core->loop, media_engine_fd(core->media), on_media_ready,
				     core);
	if (err)
		return failed("media", err, core->options.address);
	timer_init(&core->sweep, on_sweep, core);
	timer_start(sip_loop_wheel(core->loop), &core->sweep, clock_now() + SWEEP_MS);
	return book_create(&core->book);
}

static int open_control(struct core *core)
{
	char path[PATH_MAX], error[256] = "";
	struct control_options options = {
		.socket_path = path,
		.loop = core->loop,
		.book = core->book,
		.sbc = core->sbc,
		.trials = core->trials,
		.phones = core->phones,
		.pbx = core->pbx,
	};

	(void)snprintf(path, sizeof(path), "%s/core.sock", core->options.folder);
	memcpy(options.endpoints, core->endpoints, sizeof(options.endpoints));
	int err = control_create(&core->control, &options);
	if (err)
		return failed(path, err, "");
	if (core->options.requests)
		err = control_run_file(core->control, core->options.requests, error, sizeof(error));
	return err ? failed("requests", err, error) : 0;
}

static json_t *describe(const struct core *core)
{
	const struct core_options *options = &core->options;
	const char *address = options->address;
	char target[80], token[120], sbc[96], udp[96], tcp[112], tas[PATH_MAX + 16],
		key[PATH_MAX + 16], sock[PATH_MAX + 16], authority[80];

	host_port(target, sizeof(target), address, api_server_port(core->api));
	host_port(authority, sizeof(authority), address, token_server_port(core->token));
	(void)snprintf(token, sizeof(token), "https://%s/oauth2/token", authority);
	host_port(authority, sizeof(authority), address,
		  sip_endpoint_port(core->endpoints[SIDE_PEERING], 0));
	(void)snprintf(sbc, sizeof(sbc), "sips:%s", authority);
	host_port(authority, sizeof(authority), options->pbx_address,
		  sip_endpoint_port(core->endpoints[SIDE_PBX], 0));
	(void)snprintf(udp, sizeof(udp), "sip:%s", authority);
	host_port(authority, sizeof(authority), options->pbx_address,
		  sip_endpoint_port(core->endpoints[SIDE_PBX], 1));
	(void)snprintf(tcp, sizeof(tcp), "sip:%s;transport=tcp", authority);
	(void)snprintf(tas, sizeof(tas), "%s/tas.pem", core->pki);
	(void)snprintf(key, sizeof(key), "%s/tas.key", core->pki);
	(void)snprintf(sock, sizeof(sock), "%s/core.sock", options->folder);
	return json_pack("{s:i, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s}",
			 "pid", (int)getpid(), "address", address, "api_target", target,
			 "token_url", token, "client_id", CLIENT_ID, "client_secret_file",
			 core->secret_file, "ca_file", core->ca, "sbc_uri", sbc, "tas_certificate",
			 tas, "tas_private_key", key, "pbx_address", options->pbx_address,
			 "pbx_udp", udp, "pbx_tcp", tcp, "socket", sock);
}

/* In place of the old one only when whole: who waits for it may read at once. */
static int announce(const struct core *core)
{
	char path[PATH_MAX], part[PATH_MAX + 8];
	json_t *text = describe(core);

	(void)snprintf(path, sizeof(path), "%s/core.json", core->options.folder);
	(void)snprintf(part, sizeof(part), "%s.part", path);
	int err = json_dump_file(text, part, JSON_INDENT(2) | JSON_PRESERVE_ORDER) ? -EIO : 0;
	json_decref(text);
	if (!err && rename(part, path) < 0)
		err = -errno;
	if (err)
		return failed(path, err, "");
	log_notice("core", "ready api=%u token=%u sip=%u file=%s", api_server_port(core->api),
		   token_server_port(core->token),
		   sip_endpoint_port(core->endpoints[SIDE_PEERING], 0), path);
	return 0;
}

static int open_all(struct core *core)
{
	int err = block_signals(core);

	if (!err)
		err = open_folder(core);
	if (!err)
		err = open_loop(core);
	if (!err)
		err = open_services(core);
	if (!err)
		err = open_endpoints(core);
	if (!err)
		err = open_agents(core);
	if (!err)
		err = open_sbc(core);
	if (!err)
		err = open_control(core);
	return err ? err : announce(core);
}

static void close_all(struct core *core)
{
	char path[PATH_MAX];

	(void)snprintf(path, sizeof(path), "%s/core.json", core->options.folder);
	(void)unlink(path); /* if it came to that */
	control_destroy(core->control);
	trials_destroy(core->trials);
	sbc_destroy(core->sbc);
	ua_destroy(core->phones);
	ua_destroy(core->pbx);
	for (int side = 0; side < SIDE_COUNT; side++)
		sip_endpoint_destroy(core->endpoints[side]);
	api_server_destroy(core->api);
	token_server_destroy(core->token);
	if (core->media) {
		sip_loop_unwatch(core->loop, media_engine_fd(core->media));
		media_engine_destroy(core->media);
	}
	if (core->loop) {
		timer_cancel(&core->sweep);
		sip_loop_unwatch(core->loop, core->signals);
		sip_loop_destroy(core->loop);
	}
	book_destroy(core->book);
	if (core->signals >= 0)
		(void)close(core->signals);
	free(core);
}

int core_run(const struct core_options *options)
{
	struct core *core = calloc(1, sizeof(*core));

	if (!core)
		return -ENOMEM;
	core->options = *options;
	core->signals = -1;
	int err = open_all(core);
	if (!err)
		sip_loop_run(core->loop);
	close_all(core);
	return err;
}
