/* SPDX-License-Identifier: Apache-2.0 */
/* main.c - breakoutd: builds the rooms, joins them, and takes them down again.
 *
 * Order at start: configuration, media engine, SIP endpoint, registrar; a
 * number is registered only once its calls can be served. At stop the other
 * way round, after the calls have ended or their time is over.
 *
 * Threads: main is the SIP thread. Every signal is blocked before any library
 * starts and read from a descriptor.
 */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sysexits.h>
#include <unistd.h>
#include "base/errand.h"
#include "base/log.h"
#include "base/secret.h"
#include "config/config.h"
#include "hook/hook.h"
#include "media/media.h"
#include "records/records.h"
#include "registrar/registrar.h"
#include "registrar/vigil.h"
#include "tas/admin/admin.h"
#include "tas/call/call.h"
#include "tas/device/device.h"
#include "tas/load/load.h"
#include "tas/reading.h"
#include "tas/service/service.h"
#include "tas/sip/endpoint.h"
#include "tas/sip/hep.h"
#include "tas/sip/sip_loop.h"

#include "tas/sip/tls_guard.h"
#include "tas/vitals/vitals.h"

#define WITHDRAW_MS       5000 /* the core answers a delete in milliseconds */
#define LINGER_MS         2000 /* for BYEs to be answered at the end */
#define LINGER_STEP_MS    50
#define MEDIA_THREADS_MAX 8
#define NAMES_MS          1000 /* what a start waits for the DNS */
#define NAMES_STEP_MS     20
#define GIVEN_MAX         64    /* --set */
#define LOOK_S            60    /* at how long certificates last, where nothing else is looked at */
#define TURN_MS           15000 /* for a watchdog to end the requests it has out */

enum stopping { STOP_NOT, STOP_DRAINING, STOP_ENDING };

struct daemon {
	struct config_sources sources;
	bool level_given;            /* on the command line; the configuration's counts no more */
	struct config *first;        /* what endpoint and engine were made from */
	struct config *config;       /* the one in force */
	struct media_sounds *sounds; /* that it names */
	struct dtls_identity *identity; /* that it names, or NULL */
	struct sip_loop *loop;
	struct media_engine *media;
	struct sip_endpoint *endpoint;
	struct hep *hep; /* NULL: none */
	struct registrar *registrar;
	struct vigil *vigil; /* NULL: no sign of life is given */
	struct call_room *calls;
	struct records *records; /* NULL: nothing is made of call records */
	struct hook_room *hooks;
	struct device_room *devices;
	struct load_room *load;
	struct service_room *service;
	struct vitals *vitals;
	struct admin *admin;
	struct errand *errand;       /* a reading under way; NULL: none */
	struct reading reading;      /* the errand's until it is done */
	unsigned reloads;            /* asked for, ever: the number of the last one */
	unsigned reload;             /* the number of the one under way */
	bool reload_again;           /* asked for meanwhile */
	struct reload_report report; /* of the last one that is done */
	struct tls_files files;      /* certificates in force */
	struct tls_watch watch;
	struct timer look_timer; /* at the certificates' files */
	int signal_fd;
	enum stopping stopping;
	bool stop_signalled; /* there is no way back */
	bool stop_told;      /* to the service manager */
	mono_ms linger_until;
	struct timer drain_timer, linger_timer, watchdog_timer, log_timer;
	mono_ms watchdog_ms; /* 0: none asked for */
};

/* ---- the service manager ---- */

/* sd_notify(3): a datagram to the socket it named. */
static void notify(const char *state)
{
	const char *path = getenv("NOTIFY_SOCKET");
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	size_t length = path ? strlen(path) : 0;
	int fd;

	if (length == 0 || length >= sizeof(address.sun_path))
		return;
	memcpy(address.sun_path, path, length);
	if (path[0] == '@')
		address.sun_path[0] = '\0'; /* abstract */
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return;
	if (sendto(fd, state, strlen(state), MSG_NOSIGNAL, (struct sockaddr *)&address,
		   (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length)) < 0)
		log_notice("main", "the service manager does not listen: %s", strerror(errno));
	close(fd);
}

static void on_watchdog(struct timer *timer, void *arg)
{
	struct daemon *daemon = arg;

	notify("WATCHDOG=1");
	timer_start(sip_loop_wheel(daemon->loop), timer, clock_now() + daemon->watchdog_ms);
}

/* Half of what the manager allows: sd_watchdog_enabled(3). */
static void start_watchdog(struct daemon *daemon)
{
	const char *usec = getenv("WATCHDOG_USEC");

	timer_init(&daemon->watchdog_timer, on_watchdog, daemon);
	daemon->watchdog_ms = usec ? strtoll(usec, NULL, 10) / 2000 : 0;
	if (daemon->watchdog_ms > 0)
		on_watchdog(&daemon->watchdog_timer, daemon);
}

/* ---- stopping ---- */

static void on_linger(struct timer *timer, void *arg)
{
	struct daemon *daemon = arg;

	bool quiet = sip_endpoint_leg_count(daemon->endpoint) == 0 &&
		     sip_endpoint_binding_count(daemon->endpoint) == 0;

	if (quiet || clock_now() >= daemon->linger_until)
		sip_loop_stop(daemon->loop);
	else
		timer_start(sip_loop_wheel(daemon->loop), timer, clock_now() + LINGER_STEP_MS);
}

/* The manager would kill us after its own idea of a stop's length; the operator's
 * is stop.drain. Source: sd_notify(3), EXTEND_TIMEOUT_USEC.
 * An operator's drain is told when it ends: told before, it could not be taken back. */
static void say_stopping(struct daemon *daemon)
{
	uint64_t ms = (uint64_t)daemon->config->drain_s * 1000 + LINGER_MS + WITHDRAW_MS;
	char state[64];

	if (daemon->stop_told)
		return;
	daemon->stop_told = true;
	(void)snprintf(state, sizeof(state), "STOPPING=1\nEXTEND_TIMEOUT_USEC=%" PRIu64, ms * 1000);
	notify(state);
}

/* No call is left; the last goodbyes may still be on their way. */
static void end(struct daemon *daemon)
{
	if (daemon->stopping == STOP_ENDING)
		return;
	daemon->stopping = STOP_ENDING;
	say_stopping(daemon);
	daemon->linger_until = clock_now() + LINGER_MS;
	timer_start(sip_loop_wheel(daemon->loop), &daemon->linger_timer, clock_now());
}

static void on_last_call(void *arg)
{
	end(arg);
}

static void on_drain_over(struct timer *timer, void *arg)
{
	struct daemon *daemon = arg;

	(void)timer;
	log_notice("main", "stop: %zu calls are ended", call_room_count(daemon->calls));
	call_room_end_all(daemon->calls, CAUSE_DRAINING);
	end(daemon);
}

/* Deletes go out while calls end, so that new ones go past us. */
static void withdraw(struct daemon *daemon)
{
	struct config nothing = *daemon->config;

	nothing.registrations = NULL;
	nothing.registration_count = 0;
	nothing.consents = NULL;
	if (registrar_reconfigure(daemon->registrar, &nothing) < 0)
		log_error("main",
			  "stop: no memory to withdraw registrations, they end with their TTL");
}

static void drain(void *arg)
{
	struct daemon *daemon = arg;

	if (daemon->stopping != STOP_NOT)
		return;
	daemon->stopping = STOP_DRAINING;
	log_info("main", "stop: draining calls=%zu for_s=%u", call_room_count(daemon->calls),
		 daemon->config->drain_s);
	vitals_freeze(daemon->vitals, true);
	call_room_drain(daemon->calls, true);
	service_leave_trunks(daemon->service);
	if (daemon->config->withdraw_at_stop)
		withdraw(daemon);
	registrar_hand_over(daemon->registrar, true);
	if (call_room_count(daemon->calls) == 0) {
		end(daemon);
		return;
	}
	call_room_on_empty(daemon->calls, on_last_call, daemon);
	timer_start(sip_loop_wheel(daemon->loop), &daemon->drain_timer,
		    clock_now() + (mono_ms)daemon->config->drain_s * 1000);
}

/* NULL: done. Registers again at the trunks that were left, and who was withdrawn. */
static const char *undrain(void *arg)
{
	struct daemon *daemon = arg;

	if (daemon->stopping == STOP_NOT)
		return "nothing drains";
	if (daemon->stopping == STOP_ENDING)
		return "too late: it ends. Start it again";
	if (daemon->stop_signalled)
		return "a signal stops this daemon. Start it again when it has ended";
	/* What was withdrawn, and what was reloaded meanwhile. */
	if (registrar_reconfigure(daemon->registrar, daemon->config) < 0)
		return "no memory to take registrations back: it drains on";
	timer_cancel(&daemon->drain_timer);
	call_room_on_empty(daemon->calls, NULL, NULL);
	registrar_hand_over(daemon->registrar, false);
	call_room_drain(daemon->calls, false);
	service_return_to_trunks(daemon->service);
	vitals_freeze(daemon->vitals, false);
	daemon->stopping = STOP_NOT;
	log_info("main", "stop: taken back calls=%zu", call_room_count(daemon->calls));
	return NULL;
}

static bool draining(void *arg)
{
	const struct daemon *daemon = arg;

	return daemon->stopping != STOP_NOT;
}

/* The first asks, the second insists, the third does not wait. To somebody who has drained
 * with breakoutctl before, the first changes nothing: calls go on. */
static void on_stop_signal(struct daemon *daemon)
{
	bool first = !daemon->stop_signalled;

	daemon->stop_signalled = true;
	switch (daemon->stopping) {
	case STOP_NOT:
		say_stopping(daemon);
		drain(daemon);
		break;
	case STOP_DRAINING:
		if (first)
			say_stopping(daemon);
		else
			on_drain_over(&daemon->drain_timer, daemon);
		break;
	case STOP_ENDING:
		sip_loop_stop(daemon->loop);
		break;
	}
}

/* ---- configuration ---- */

static int load(struct daemon *daemon)
{
	struct reading reading = { .sources = &daemon->sources };
	int err;

	reading_run(&reading);
	reading_log_findings(reading.findings.text);
	err = reading.err;
	daemon->config = reading.config;
	daemon->sounds = reading.sounds;
	daemon->identity = reading.identity;
	daemon->files = reading.files;
	reading.files = (struct tls_files){ .stamp = 0 };
	reading.config = NULL;
	reading.sounds = NULL;
	reading.identity = NULL;
	reading_done(&reading);
	return err;
}

static struct call_limits limits_of(const struct config *config)
{
	return (struct call_limits){ .calls = config->max_calls,
				     .calls_per_number = config->max_calls_per_number,
				     .duration_s = config->max_call_s };
}

static void set_log(const struct daemon *daemon, const struct config *config)
{
	if (!daemon->level_given)
		log_set_level(config->log_level);
	log_set_format(config->log_format);
	log_set_rate(config->log_rate);
}

static void on_log_timer(struct timer *timer, void *arg)
{
	const struct daemon *daemon = arg;

	log_tell_suppressed();
	timer_start(sip_loop_wheel(daemon->loop), timer, clock_now() + 1000);
}

/* Recordings of calls, as the configuration in force says. */
static void keep_recordings(struct daemon *daemon)
{
	const struct config_recordings *config = &daemon->config->recordings;

	if (config->keep_days && media_keep(daemon->media, config->dir, config->keep_days) < 0)
		log_error("main", "no memory to remove old recordings");
}

/* Sooner than a person would notice, and rarely enough to cost nothing. */
static void plan_look(struct daemon *daemon)
{
	unsigned every_s = daemon->config->sip.certificate_check_s;

	timer_start(sip_loop_wheel(daemon->loop), &daemon->look_timer,
		    clock_now() + (mono_ms)(every_s ? every_s : LOOK_S) * 1000);
}

/* The certificates of a reading, for all that begins from now on. */
static void renew(struct daemon *daemon, struct reading *reading, const struct config *config)
{
	struct str changed = { 0 };

	if (sip_endpoint_renew_tls(daemon->endpoint, reading->tls, config->domain) < 0)
		log_error("main", "no memory for new certificates: the old ones stay");
	reading->tls = NULL;
	media_engine_use_identity(daemon->media, reading->identity);
	media_identity_unref(daemon->identity);
	daemon->identity = reading->identity;
	reading->identity = NULL;
	tls_files_renew(&daemon->files, &reading->files, &changed);
	if (changed.length)
		log_info("main", "certificates renewed: %s; connections that are there go on",
			 changed.text);
	tls_watch_look(&daemon->watch, &daemon->files, clock_wall());
	str_done(&changed);
}

/* The registrar has taken it: it was the last that could refuse. */
static void apply(struct daemon *daemon, struct reading *reading)
{
	struct config *fresh = reading->config;
	struct call_limits limits = limits_of(fresh);

	device_reconfigure(daemon->devices, fresh);
	service_reconfigure(daemon->service, fresh, reading->sounds);
	media_sounds_destroy(daemon->sounds); /* calls keep theirs */
	daemon->sounds = reading->sounds;
	renew(daemon, reading, fresh);
	call_room_set_limits(daemon->calls, &limits);
	if (daemon->stopping != STOP_NOT)
		service_leave_trunks(daemon->service); /* also those that are new */
	vitals_reconfigure(daemon->vitals, fresh);
	load_room_reconfigure(daemon->load, fresh->max_busy);
	admin_reconfigure(daemon->admin, fresh);
	set_log(daemon, fresh);
	if (daemon->config != daemon->first)
		config_destroy(daemon->config);
	daemon->config = fresh;
	reading->config = NULL;
	reading->sounds = NULL;
	keep_recordings(daemon);
	plan_look(daemon);
	log_info("main",
		 "reloaded registrations=%zu services=%zu trunks=%zu config=%s applied=%zu "
		 "unchanged=%zu restart=%zu",
		 fresh->registration_count, fresh->service_count, fresh->trunk_count,
		 fresh->version, reading->report.change_count - reading->report.restart,
		 reading->report.unchanged, reading->report.restart);
}

static void refuse_reload(struct daemon *daemon, int err)
{
	log_error("main", "reload refused, the old configuration stays: %s", strerror(-err));
	reload_report_done(&daemon->report);
	daemon->report.refused = true;
	(void)strcpy(daemon->report.version, daemon->config->version);
}

/* For who asked. */
static void report_reload(struct daemon *daemon, struct reading *reading, int err)
{
	if (!err) {
		reload_report_done(&daemon->report);
		daemon->report = reading->report;
		reading->report = (struct reload_report){ .number = 0 };
	}
	daemon->report.number = daemon->reload;
	daemon->report.findings = str_dup_or_null(reading->findings.text);
}

static void start_reload(struct daemon *daemon);

/* Whatever was read: a reload that was asked for meanwhile begins now. */
static void end_reading(struct daemon *daemon)
{
	reading_done(&daemon->reading);
	if (daemon->reload_again)
		start_reload(daemon);
}

/* The files have been read on another thread; calls went on meanwhile. */
static void on_reload(void *arg)
{
	struct reading *reading = arg;
	struct daemon *daemon = CONTAINER_OF(reading, struct daemon, reading);
	int err = reading->err;

	daemon->errand = errand_destroy(daemon->errand);
	reading_log_findings(reading->findings.text);
	if (!err && daemon->stopping == STOP_NOT)
		err = registrar_reconfigure(daemon->registrar, reading->config);
	if (err)
		refuse_reload(daemon, err);
	else
		apply(daemon, reading);
	report_reload(daemon, reading, err);
	end_reading(daemon);
}

static void run_reading(void *arg)
{
	reading_run(arg);
}

/* What a reading on another thread looks at; the configuration in force stays what it
 * is until that is done. */
static int start_reading(struct daemon *daemon, void (*run)(void *arg), void (*done)(void *arg))
{
	const struct errand_work work = { .run = run, .done = done, .arg = &daemon->reading };

	daemon->reading = (struct reading){ .sources = &daemon->sources,
					    .before = daemon->sounds,
					    .started = daemon->first,
					    .in_force = daemon->config,
					    .stamp = daemon->files.stamp };
	return errand_create(&daemon->errand, sip_loop_mailbox(daemon->loop), &work);
}

static void start_reload(struct daemon *daemon)
{
	int err;

	daemon->reload_again = false;
	daemon->reload = daemon->reloads;
	err = start_reading(daemon, run_reading, on_reload);
	if (!err)
		return;
	refuse_reload(daemon, err);
	report_reload(daemon, &daemon->reading, err);
}

/* One that comes while another is under way reads the files once more. Returns its
 * number. */
static unsigned reload(void *arg)
{
	struct daemon *daemon = arg;

	if (daemon->reload_again)
		return daemon->reloads;
	daemon->reloads++;
	daemon->reload_again = daemon->errand != NULL;
	if (!daemon->errand)
		start_reload(daemon);
	return daemon->reloads;
}

/* ---- certificates that change while we run ---- */

static void run_look(void *arg)
{
	reading_look(arg);
}

static void on_look(void *arg)
{
	struct reading *reading = arg;
	struct daemon *daemon = CONTAINER_OF(reading, struct daemon, reading);

	daemon->errand = errand_destroy(daemon->errand);
	daemon->files.stamp = reading->stamp; /* what is refused is refused once */
	if (reading->changed && reading->err) {
		reading_log_findings(reading->findings.text);
		log_error("main", "certificates on disk have changed and are refused: those in "
				  "force stay until the files are mended");
	} else if (reading->changed) {
		renew(daemon, reading, daemon->config);
	}
	end_reading(daemon);
}

static void on_look_timer(struct timer *timer, void *arg)
{
	struct daemon *daemon = arg;
	(void)timer;
	tls_watch_look(&daemon->watch, &daemon->files, clock_wall());
	if (daemon->config->sip.certificate_check_s && !daemon->errand &&
	    start_reading(daemon, run_look, on_look) < 0)
		log_notice("main", "no thread to look at the certificates");
	plan_look(daemon);
}

static void on_signal(int fd, void *arg)
{
	struct daemon *daemon = arg;
	struct signalfd_siginfo info;

	if (read(fd, &info, sizeof(info)) != sizeof(info))
		return;
	if (info.ssi_signo == SIGHUP)
		reload(daemon);
	else
		on_stop_signal(daemon);
}

/* ---- the rooms ---- */

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

static bool is_registered(const char *number, void *arg)
{
	const struct daemon *daemon = arg;
	struct reg_info info;

	return registrar_lookup(daemon->registrar, number, &info) == 0;
}

static bool is_consented(const char *number, void *arg)
{
	const struct daemon *daemon = arg;
	struct reg_info info;

	return registrar_lookup(daemon->registrar, number, &info) == 0 && info.consented;
}

static uint64_t idle_ns(void *arg)
{
	const struct daemon *daemon = arg;

	return sip_loop_idle_ns(daemon->loop);
}

static unsigned load_percent(void *arg)
{
	const struct daemon *daemon = arg;

	return (unsigned)(call_room_count(daemon->calls) * 100 / daemon->config->max_calls);
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

	return draining(arg) || load_is_sick(daemon->load) ? 503 : 200;
}

static void on_media(int fd, void *arg)
{
	const struct daemon *daemon = arg;

	(void)fd;
	media_engine_drain(daemon->media);
}

static void on_hooks(int fd, void *arg)
{
	const struct daemon *daemon = arg;

	(void)fd;
	hook_room_drain(daemon->hooks);
}

static int failed(const char *what, int err)
{
	log_error("main", "start: %s: %s", what, strerror(-err));
	return err;
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
	keep_recordings(daemon);
}

static int start_media(struct daemon *daemon)
{
	const struct config_media *config = &daemon->config->media;
	long cores = sysconf(_SC_NPROCESSORS_ONLN);
	struct media_engine_options options = {
		.address = config->address,
		.advertised = config->advertised_address,
		.port_min = config->port_min,
		.port_max = config->port_max,
		.threads = config->threads,
		.ice_lite = config->ice == MEDIA_ICE_LITE,
		.rtp_timeout_s = config->rtp_timeout_s,
		.hold_timeout_s = config->hold_timeout_s,
		.opus_complexity = config->opus_complexity,
		.identity = daemon->identity,
	};
	int err;

	if (options.threads == 0)
		options.threads = cores < 1                   ? 1
				  : cores > MEDIA_THREADS_MAX ? MEDIA_THREADS_MAX
							      : (unsigned)cores;
	err = media_engine_create(&daemon->media, &options);
	if (err == -EINVAL)
		log_error("main",
			  "start: media.address %s is not of this machine, or media.ports %u-%u "
			  "hold no pair: give an address of this machine; what a NAT maps to it is "
			  "media.advertised_address",
			  config->address, config->port_min, config->port_max);
	else if (err && err != -EIO) /* that one is logged where it happened */
		(void)failed("media engine", err);
	if (err)
		return err;
	recover_mailboxes(daemon);
	recover_recordings(daemon);
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

static int start_endpoint(struct daemon *daemon)
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
	const struct sip_endpoint_options options = {
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
		.keepalive_uri = daemon->config->core.sbc.uri,
		.dns_servers = config->dns_servers,
		.dns_server_count = config->dns_server_count,
		.reach = trunk_transports(daemon->config),
		.trace_bytes = daemon->config->trace.bytes,
		.verify_next_hop = true,
	};
	char error[256] = "";
	int err = tls_guard_self_test(error, sizeof(error));

	if (!err)
		err = sip_endpoint_create(&daemon->endpoint, daemon->loop, &options, &handlers,
					  error, sizeof(error));
	if (err)
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

static int start_hooks(struct daemon *daemon)
{
	int err = hook_room_create(&daemon->hooks);

	if (!err)
		err = sip_loop_watch(daemon->loop, hook_room_fd(daemon->hooks), on_hooks, daemon);
	return err ? failed("webhooks", err) : 0;
}

/* Whoever speaks to the core for our store has to have ended. */
static int take_vigil(struct daemon *daemon)
{
	const char *store = daemon->config->store_sqlite;
	int err = store ? vigil_keep(&daemon->vigil, store, TURN_MS) : 0;

	if (err == -EBUSY)
		log_error("main",
			  "start: another daemon has the store %s: stop it, or give this "
			  "one a store of its own",
			  store);
	else if (err == -ETIMEDOUT)
		log_error("main",
			  "start: breakout-watchdog withdraws from %s and does not let go: "
			  "restart it",
			  store);
	else if (err) /* the registrar says what is wrong with the place */
		err = 0;
	return err;
}

/* Calls matter more than what is made of their records, which wait in their file. */
static void start_records(struct daemon *daemon)
{
	const struct config *config = daemon->config;
	const struct config_records *records = &config->records;
	int err = 0;

	if (config->cdr_file &&
	    (records->sqlite || records->webhook.url || records->keep_days || records->mask_days))
		err = records_create(&daemon->records, config->cdr_file, records);
	if (err)
		log_error("main", "start: nothing is made of call records: %s", strerror(-err));
}

static int start_rooms(struct daemon *daemon)
{
	const struct config *config = daemon->config;
	int err = take_vigil(daemon);

	if (err)
		return err;
	err = registrar_create(&daemon->registrar, config);
	if (err == -ENOMEM) /* the rest is logged where it happened */
		return failed("registrar", err);
	if (err)
		return err;
	registrar_keep_vigil(daemon->registrar, daemon->vigil);
	err = call_room_create(
		&daemon->calls,
		&(struct call_room_options){ .endpoint = daemon->endpoint,
					     .trace = sip_endpoint_trace(daemon->endpoint),
					     .media = daemon->media,
					     .wheel = sip_loop_wheel(daemon->loop),
					     .cdr_file = config->cdr_file,
					     .records = &config->records,
					     .limits = limits_of(config) });
	if (err) {
		log_error("main", "start: cdr.file %s cannot be written: %s: mend path or rights",
			  config->cdr_file ? config->cdr_file : "-", strerror(-err));
		return err;
	}
	start_records(daemon);
	err = start_hooks(daemon);
	if (err)
		return err;
	err = device_room_create(&daemon->devices, config);
	if (err)
		return failed("devices", err);
	err = load_room_create(&daemon->load,
			       &(struct load_room_options){ .wheel = sip_loop_wheel(daemon->loop),
							    .shed_percent = config->max_busy,
							    .idle_ns = idle_ns,
							    .calls_percent = load_percent,
							    .arg = daemon });
	if (err)
		return failed("load", err);
	err = service_create(&daemon->service,
			     &(struct service_options){ .config = config,
							.calls = daemon->calls,
							.hooks = daemon->hooks,
							.wheel = sip_loop_wheel(daemon->loop),
							.devices = daemon->devices,
							.sounds = daemon->sounds,
							.endpoint = daemon->endpoint,
							.is_registered = is_registered,
							.is_consented = is_consented,
							.load = load_percent,
							.load_room = daemon->load,
							.arg = daemon });
	if (err)
		return failed("services", err);
	call_room_on_transfer(daemon->calls, service_transfer, daemon->service);
	return 0;
}

static void show_admin(struct admin_view *ret_view, void *arg)
{
	const struct daemon *daemon = arg;

	*ret_view = (struct admin_view){ .started = daemon->first,
					 .config = daemon->config,
					 .reload = &daemon->report,
					 .files = &daemon->files };
}

static int start_vitals(struct daemon *daemon)
{
	const struct vitals_options options = { .config = daemon->config,
						.registrar = daemon->registrar,
						.media = daemon->media,
						.endpoint = daemon->endpoint,
						.loop = daemon->loop,
						.service = daemon->service };
	int err = vitals_create(&daemon->vitals, &options);

	return err ? failed("health", err) : 0;
}

/* Calls matter more than the operator's socket, unless the socket says that
 * another daemon has the calls. */
static int start_admin(struct daemon *daemon)
{
	const struct admin_options options = { .socket_path = daemon->config->admin_socket,
					       .config = daemon->config,
					       .registrar = daemon->registrar,
					       .calls = daemon->calls,
					       .service = daemon->service,
					       .endpoint = daemon->endpoint,
					       .devices = daemon->devices,
					       .vitals = daemon->vitals,
					       .load = daemon->load,
					       .loop = daemon->loop,
					       .asks_sbc = daemon->config->sip.keepalive_s > 0,
					       .drain = drain,
					       .undrain = undrain,
					       .draining = draining,
					       .reload = reload,
					       .view = show_admin,
					       .arg = daemon };
	int err = options.socket_path ? admin_create(&daemon->admin, &options) : 0;

	if (err == -EADDRINUSE)
		return failed("another daemon answers at admin.socket", err);
	if (err)
		log_error("main", "no admin socket at %s, breakoutctl will not work: %s",
			  options.socket_path, strerror(-err));
	return 0;
}

static int start_signals(struct daemon *daemon, const sigset_t *signals)
{
	daemon->signal_fd = signalfd(-1, signals, SFD_CLOEXEC | SFD_NONBLOCK);
	if (daemon->signal_fd < 0)
		return failed("signals", -errno);
	return sip_loop_watch(daemon->loop, daemon->signal_fd, on_signal, daemon);
}

/* The first call should find what the DNS knows of trunks and core; a DNS that is
 * silent does not keep the others from being served. */
static void await_names(struct daemon *daemon)
{
	mono_ms until = clock_now() + NAMES_MS;

	while (!sip_endpoint_names_settled(daemon->endpoint) && clock_now() < until)
		sip_loop_step(daemon->loop, NAMES_STEP_MS);
}

static void say_ready(const struct daemon *daemon)
{
	const struct config *config = daemon->config;
	struct str ports = { 0 };

	for (size_t i = 0; i < config->sip.listen_count; i++)
		str_addf(&ports, "%s%s:%u", i ? "," : "",
			 sip_transport_name(config->sip.listen[i].transport),
			 sip_endpoint_port(daemon->endpoint, i));
	log_info("main", "ready version=%s config=%s listen=%s media=%s:%u-%u registrations=%zu",
		 BREAKOUT_VERSION, config->version, ports.text ? ports.text : "",
		 config->media.address, config->media.port_min, config->media.port_max,
		 config->registration_count);
	str_done(&ports);
	notify("READY=1");
}

static int start(struct daemon *daemon, const sigset_t *signals)
{
	int err = sip_loop_create(&daemon->loop);

	if (err)
		return failed("event loop", err);
	timer_init(&daemon->drain_timer, on_drain_over, daemon);
	timer_init(&daemon->linger_timer, on_linger, daemon);
	timer_init(&daemon->look_timer, on_look_timer, daemon);
	timer_init(&daemon->log_timer, on_log_timer, daemon);
	err = start_signals(daemon, signals);
	if (!err)
		err = start_media(daemon);
	if (!err)
		err = start_endpoint(daemon);
	if (!err)
		start_hep(daemon);
	if (!err)
		err = start_rooms(daemon);
	if (!err)
		await_names(daemon);
	if (!err)
		err = start_vitals(daemon);
	if (!err)
		err = start_admin(daemon);
	if (!err)
		err = registrar_start(daemon->registrar);
	if (err)
		return err;
	start_watchdog(daemon);
	tls_watch_look(&daemon->watch, &daemon->files, clock_wall());
	plan_look(daemon);
	on_log_timer(&daemon->log_timer, daemon);
	say_ready(daemon);
	return 0;
}

static void take_down(struct daemon *daemon)
{
	if (daemon->vigil) /* from here on it is quiet, and not hung */
		vigil_beat(daemon->vigil, VIGIL_STOPPING, clock_now());
	daemon->admin = admin_destroy(daemon->admin);
	daemon->errand = errand_destroy(daemon->errand);
	reading_done(&daemon->reading);
	reload_report_done(&daemon->report);
	tls_files_done(&daemon->files);
	daemon->vitals = vitals_destroy(daemon->vitals);
	if (daemon->registrar)
		registrar_stop(daemon->registrar, daemon->config->withdraw_at_stop, WITHDRAW_MS);
	daemon->calls = call_room_destroy(daemon->calls);
	daemon->records = records_destroy(daemon->records); /* after the last record */
	daemon->service = service_destroy(daemon->service);
	daemon->load = load_room_destroy(daemon->load);
	daemon->devices = device_room_destroy(daemon->devices);
	daemon->hep = hep_destroy(daemon->hep);
	daemon->endpoint = sip_endpoint_destroy(daemon->endpoint);
	if (daemon->hooks)
		sip_loop_unwatch(daemon->loop, hook_room_fd(daemon->hooks));
	daemon->hooks = hook_room_destroy(daemon->hooks);
	daemon->registrar = registrar_destroy(daemon->registrar);
	daemon->vigil = vigil_leave(daemon->vigil);
	if (daemon->media)
		sip_loop_unwatch(daemon->loop, media_engine_fd(daemon->media));
	daemon->media = media_engine_destroy(daemon->media);
	if (daemon->signal_fd >= 0) {
		sip_loop_unwatch(daemon->loop, daemon->signal_fd);
		close(daemon->signal_fd);
	}
	daemon->loop = sip_loop_destroy(daemon->loop);
	media_identity_unref(daemon->identity);
	media_sounds_destroy(daemon->sounds);
	if (daemon->config != daemon->first)
		config_destroy(daemon->config);
	config_destroy(daemon->first);
}

/* ---- the process ---- */

/* Keys live in memory: no core file, no ptrace by others of the same user. */
static void guard_process(void)
{
	const struct rlimit none = { 0, 0 };
	struct rlimit files;

	if (setrlimit(RLIMIT_CORE, &none) < 0)
		log_notice("main", "core dumps stay on: %s", strerror(errno));
#ifndef __SANITIZE_ADDRESS__ /* its leak check traces the process */
	if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
		log_notice("main", "process stays dumpable: %s", strerror(errno));
#endif
	if (getrlimit(RLIMIT_NOFILE, &files) == 0 && files.rlim_cur < files.rlim_max) {
		files.rlim_cur = files.rlim_max;
		if (setrlimit(RLIMIT_NOFILE, &files) < 0)
			log_notice("main", "file limit stays: %s", strerror(errno));
	}
}

static void block_signals(sigset_t *ret_signals)
{
	sigemptyset(ret_signals);
	sigaddset(ret_signals, SIGTERM);
	sigaddset(ret_signals, SIGINT);
	sigaddset(ret_signals, SIGHUP);
	pthread_sigmask(SIG_BLOCK, ret_signals, NULL);
	signal(SIGPIPE, SIG_IGN);
}

static int serve(struct daemon *daemon)
{
	sigset_t signals;
	int status = EXIT_FAILURE;

	block_signals(&signals);
	guard_process();
	if (load(daemon) < 0)
		return EX_CONFIG;
	daemon->first = daemon->config;
	set_log(daemon, daemon->config);
	if (start(daemon, &signals) == 0) {
		sip_loop_run(daemon->loop);
		status = EXIT_SUCCESS;
	}
	take_down(daemon);
	log_set_rate(0); /* what was kept back is told now or never */
	if (status == EXIT_SUCCESS)
		log_info("main", "stopped");
	return status;
}

/* --check, and --print-config where it is fine. */
static int check(const struct config_sources *sources, bool print)
{
	struct reading reading = { .sources = sources };
	struct str settings = { 0 };
	int err;

	reading_run(&reading);
	err = reading.err;
	if (reading.findings.text)
		fputs(reading.findings.text, stderr);
	if (print && reading.config) {
		reading_print_settings(reading.config, &settings);
		fputs(settings.text ? settings.text : "", stdout);
	}
	str_done(&settings);
	reading_done(&reading);
	return err ? EX_CONFIG : EXIT_SUCCESS;
}

static void usage(FILE *to)
{
	fputs("usage: breakoutd [--config FILE] [--set KEY=VALUE]... [--log-level LEVEL]\n"
	      "                 [--check | --print-config]\n"
	      "\n"
	      "  -c, --config FILE      configuration (/etc/breakout/breakout.yaml)\n"
	      "  -l, --log-level LEVEL  error, notice, info or debug; over the configuration's\n"
	      "  -s, --set KEY=VALUE    a key over the configuration's: core.api.max_rate=100\n"
	      "      --check            read the configuration, say what is wrong, and leave\n"
	      "      --print-config     the same, and print each key as it is in force, with\n"
	      "                         where it comes from\n"
	      "      --version          print the version and leave\n"
	      "  -h, --help             print this and leave\n"
	      "\n"
	      "BREAKOUT_CORE_API_MAX_RATE=100 in the environment says the same as --set, which\n"
	      "goes before it; both go before the configuration.\n"
	      "\n"
	      "SIGHUP reads the configuration again, SIGTERM lets calls end first, a second\n"
	      "SIGTERM ends them. Exit status: 0 stopped, 1 could not start, 2 usage,\n"
	      "78 the configuration is at fault.\n",
	      to);
}

enum { OPT_CHECK = 256, OPT_PRINT, OPT_VERSION };

static int wrong_usage(void)
{
	usage(stderr);
	return 2;
}

int main(int argc, char **argv)
{
	static const struct option options[] = { { "config", required_argument, NULL, 'c' },
						 { "log-level", required_argument, NULL, 'l' },
						 { "set", required_argument, NULL, 's' },
						 { "check", no_argument, NULL, OPT_CHECK },
						 { "print-config", no_argument, NULL, OPT_PRINT },
						 { "version", no_argument, NULL, OPT_VERSION },
						 { "help", no_argument, NULL, 'h' },
						 { NULL, 0, NULL, 0 } };
	static const char *given[GIVEN_MAX];
	struct daemon daemon = { .sources = { .path = "/etc/breakout/breakout.yaml",
					      .check_files = true,
					      .given = given,
					      .environment = environ },
				 .signal_fd = -1 };

	enum log_level level;
	bool check_only = false, print = false;
	int option;

	while ((option = getopt_long(argc, argv, "c:l:s:h", options, NULL)) != -1) {
		switch (option) {
		case 'c':
			daemon.sources.path = optarg;
			break;
		case 's':
			if (daemon.sources.given_count == GIVEN_MAX)
				return wrong_usage();
			given[daemon.sources.given_count++] = optarg;
			break;
		case 'l':
			if (log_level_parse(optarg, &level) < 0)
				return wrong_usage();
			log_set_level(level);
			daemon.level_given = true;
			break;
		case OPT_CHECK:
			check_only = true;
			break;
		case OPT_PRINT:
			check_only = print = true;
			break;
		case OPT_VERSION:
			puts("breakoutd " BREAKOUT_VERSION);
			return EXIT_SUCCESS;
		case 'h':
			usage(stdout);
			return EXIT_SUCCESS;
		default:
			return wrong_usage();
		}
	}
	if (optind != argc)
		return wrong_usage();
	return check_only ? check(&daemon.sources, print) : serve(&daemon);
}
