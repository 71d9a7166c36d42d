/* SPDX-License-Identifier: Apache-2.0 */
/* start.c - the rooms, one after another, and down again the other way round. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>
#include "base/log.h"
#include "base/str.h"
#include "tas/daemon.h"
#include "tas/notify.h"

#define NAMES_MS      1000 /* what a start waits for the DNS */
#define NAMES_STEP_MS 20
#define TURN_MS       15000 /* for a watchdog to end the requests it has out */

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

	return registrar_lookup(daemon->registrar, number, &info) == 0 &&
	       info.source == REG_SOURCE_CONSENT;
}

static bool find_added(const char *number, struct service_number *ret_number, void *arg)
{
	const struct daemon *daemon = arg;
	struct reg_added added;

	if (registrar_find_added(daemon->registrar, number, &added))
		return false;
	ret_number->route_type = added.route_type;
	snprintf(ret_number->service, sizeof(ret_number->service), "%s", added.service);
	snprintf(ret_number->tenant, sizeof(ret_number->tenant), "%s", added.tenant);
	return true;
}

/* For the trace of a call: what the core knew of its number. */
static void tell_standing(const char *number, bool in_full, char *ret_text, size_t room, void *arg)
{
	const struct daemon *daemon = arg;
	struct registrar_summary summary;
	struct reg_info info;
	char api[64] = "";

	if (registrar_lookup(daemon->registrar, number, &info) < 0) {
		(void)snprintf(ret_text, room, "registration=none");
		return;
	}
	if (in_full) {
		registrar_summary(daemon->registrar, &summary);
		(void)snprintf(api, sizeof(api), " api=%s token=%s", summary.api_up ? "up" : "down",
			       summary.token_ok ? "ok" : "none");
	}
	(void)snprintf(ret_text, room, "registration=%s expires_s=%lld failures=%u%s%s%s%s",
		       reg_state_name(info.state),
		       info.expires_ms ? (long long)(info.expires_ms - clock_now()) / 1000 : 0,
		       info.failures, api, info.last_error[0] ? " error=\"" : "", info.last_error,
		       info.last_error[0] ? "\"" : "");
}

static uint64_t idle_ns(void *arg)
{
	const struct daemon *daemon = arg;

	return sip_loop_idle_ns(daemon->loop);
}

static unsigned load_percent(void *arg)
{
	const struct daemon *daemon = arg;

	size_t calls = call_room_count(daemon->calls) + elders_calls(daemon);

	return (unsigned)(calls * 100 / daemon->config->max_calls);
}
static unsigned ports_percent(void *arg)
{
	const struct daemon *daemon = arg;

	return media_engine_ports_percent(daemon->media);
}

static void on_hooks(int fd, void *arg)
{
	const struct daemon *daemon = arg;

	(void)fd;
	hook_room_drain(daemon->hooks);
}

int daemon_failed(const char *what, int err)
{
	log_error("main", "start: %s: %s", what, strerror(-err));
	return err;
}
static int start_hooks(struct daemon *daemon)
{
	int err = hook_room_create(&daemon->hooks);

	if (!err)
		err = sip_loop_watch(daemon->loop, hook_room_fd(daemon->hooks), on_hooks, daemon);
	return err ? daemon_failed("webhooks", err) : 0;
}

/* Whoever speaks to the core for our store has to have ended. */
static int take_vigil(struct daemon *daemon)
{
	const char *store = daemon->config->store_sqlite;
	int err = predecessor_take_store(daemon);

	if (!err && store && !daemon->vigil)
		err = vigil_keep(&daemon->vigil, store, TURN_MS);
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
void daemon_start_records(struct daemon *daemon)
{
	const struct config *config = daemon->config;
	const struct config_records *records = &config->records;
	int err = 0;

	if (config->cdr_file && (records->sqlite || records->postgres || records->webhook.url ||
				 records->keep_days || records->mask_days))
		err = records_create(&daemon->records, config->cdr_file, config->postgres.node,
				     records);
	if (err)
		log_error("main", "start: nothing is made of call records: %s", strerror(-err));
}

/* Herald's thread. */
static void say_start(struct str *to, void *arg)
{
	struct daemon *daemon = arg;

	str_addf(to,
		 "breakoutd starts: %s; %zu registrations have come from the store, %zu are "
		 "configured. Ask again in a moment",
		 atomic_load(&daemon->step), atomic_load(&daemon->loaded), daemon->configured);
}

/* Without one the operator asks in vain for a while, and then start_admin() says why. */
static void raise_herald(struct daemon *daemon)
{
	const char *path = daemon->config->admin_socket;

	atomic_store(&daemon->step, "it waits for whoever has the store");
	daemon->configured = daemon->config->registration_count;
	if (path && !predecessor_lives(daemon))
		(void)!admin_herald_create(&daemon->herald, path, say_start, daemon);
}

static int inherit_admin_socket(const char *name, void *arg)
{
	struct daemon *daemon = arg;
	struct admin_herald *herald = daemon->herald;

	if (!herald || !str_starts(name, "unix:"))
		return predecessor_admin_socket(name, arg);
	daemon->herald = NULL;
	return admin_herald_end(herald);
}

static int start_rooms(struct daemon *daemon)
{
	const struct config *config = daemon->config;
	int err;

	raise_herald(daemon);
	err = take_vigil(daemon);
	if (err)
		return err;
	atomic_store(&daemon->step, "it reads the store");
	err = registrar_create(&daemon->registrar, config, &daemon->loaded);
	if (err == -ENOMEM) /* the rest is logged where it happened */
		return daemon_failed("registrar", err);
	if (err)
		return err;
	atomic_store(&daemon->step, "the store is read");
	registrar_keep_vigil(daemon->registrar, daemon->vigil);
	if (daemon->trusts)
		registrar_trust(daemon->registrar);
	err = call_room_create(
		&daemon->calls,
		&(struct call_room_options){ .endpoint = daemon->endpoint,
					     .trace = sip_endpoint_trace(daemon->endpoint),
					     .media = daemon->media,
					     .wheel = sip_loop_wheel(daemon->loop),
					     .cdr_file = config->cdr_file,
					     .beside = predecessor_lives(daemon),
					     .records = &config->records,
					     .standing = tell_standing,
					     .standing_arg = daemon,
					     .limits = daemon_limits(config) });
	if (err) {
		log_error("main", "start: cdr.file %s cannot be written: %s: mend path or rights",
			  config->cdr_file ? config->cdr_file : "-", strerror(-err));
		return err;
	}
	daemon_start_records(daemon);
	err = start_hooks(daemon);
	if (err)
		return err;
	err = device_room_create(&daemon->devices, config);
	if (err)
		return daemon_failed("devices", err);
	predecessor_take_phones(daemon);
	err = load_room_create(&daemon->load,
			       &(struct load_room_options){ .wheel = sip_loop_wheel(daemon->loop),
							    .shed_percent = config->max_busy,
							    .idle_ns = idle_ns,
							    .calls_percent = load_percent,
							    .ports_percent = ports_percent,
							    .arg = daemon });
	if (err)
		return daemon_failed("load", err);
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
							.find_added = find_added,
							.load = load_percent,
							.load_room = daemon->load,
							.arg = daemon });
	if (err)
		return daemon_failed("services", err);
	call_room_on_transfer(daemon->calls, service_transfer, daemon->service);
	return 0;
}

static void show_admin(struct admin_view *ret_view, void *arg)
{
	const struct daemon *daemon = arg;

	*ret_view = (struct admin_view){ .started = daemon->first,
					 .config = daemon->config,
					 .reload = &daemon->report,
					 .restart = &daemon->restart,
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

	return err ? daemon_failed("health", err) : 0;
}

static struct admin_options admin_options(struct daemon *daemon)
{
	return (struct admin_options){ .socket_path = daemon->config->admin_socket,
				       .config = daemon->config,
				       .registrar = daemon->registrar,
				       .calls = daemon->calls,
				       .service = daemon->service,
				       .endpoint = daemon->endpoint,
				       .devices = daemon->devices,
				       .vitals = daemon->vitals,
				       .load = daemon->load,
				       .traced = daemon->traced,
				       .loop = daemon->loop,
				       .drain = daemon_drain,
				       .undrain = daemon_undrain,
				       .draining = daemon_draining,
				       .inherit = inherit_admin_socket,
				       .restart = successor_start,
				       .reload = daemon_reload,
				       .view = show_admin,
				       .arg = daemon };
}

/* Calls matter more than the operator's socket, unless the socket says that
 * another daemon has the calls. */
static int start_admin(struct daemon *daemon)
{
	const struct admin_options options = admin_options(daemon);
	int err = options.socket_path ? admin_create(&daemon->admin, &options) : 0;

	if (err == -EADDRINUSE)
		return daemon_failed("another daemon answers at admin.socket", err);
	if (err)
		log_error("main", "no admin socket at %s, breakoutctl will not work: %s",
			  options.socket_path, strerror(-err));
	return 0;
}

void daemon_start_side_admin(struct daemon *daemon, const char *path)
{
	struct admin_options options = admin_options(daemon);
	int err;

	if (!*path)
		return;
	options.socket_path = path;
	options.only_socket = true;
	options.inherit = NULL;
	err = admin_create(&daemon->admin, &options);
	if (err)
		log_notice("main", "no admin socket at %s, our calls are not shown: %s", path,
			   strerror(-err));
}

static void on_signal(int fd, void *arg)
{
	struct daemon *daemon = arg;
	struct signalfd_siginfo info;

	if (read(fd, &info, sizeof(info)) != sizeof(info))
		return;
	if (info.ssi_signo == SIGHUP)
		daemon_reload(daemon);
	else
		daemon_stop_signal(daemon);
}

static int start_signals(struct daemon *daemon, const sigset_t *signals)
{
	daemon->signal_fd = signalfd(-1, signals, SFD_CLOEXEC | SFD_NONBLOCK);
	if (daemon->signal_fd < 0)
		return daemon_failed("signals", -errno);
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

static void on_watchdog(struct timer *timer, void *arg)
{
	struct daemon *daemon = arg;

	notify_manager("WATCHDOG=1");
	timer_start(sip_loop_wheel(daemon->loop), timer, clock_now() + daemon->watchdog_ms);
}

static void start_watchdog(struct daemon *daemon)
{
	timer_init(&daemon->watchdog_timer, on_watchdog, daemon);
	daemon->watchdog_ms = notify_watchdog_ms();
	if (daemon->watchdog_ms > 0)
		on_watchdog(&daemon->watchdog_timer, daemon);
}

static void on_log_timer(struct timer *timer, void *arg)
{
	const struct daemon *daemon = arg;

	log_tell_suppressed();
	timer_start(sip_loop_wheel(daemon->loop), timer, clock_now() + 1000);
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
		 config->media.addresses[0], config->media.port_min, config->media.port_max,
		 config->registration_count);
	str_done(&ports);
	notify_manager("READY=1");
}

int daemon_start(struct daemon *daemon, const sigset_t *signals)
{
	int err = sip_loop_create(&daemon->loop);

	if (err)
		return daemon_failed("event loop", err);
	daemon_stop_init(daemon);
	daemon_reload_init(daemon);
	timer_init(&daemon->log_timer, on_log_timer, daemon);
	err = start_signals(daemon, signals);
	if (!err)
		err = daemon_start_media(daemon);
	if (!err)
		err = daemon_start_sip(daemon);
	if (!err)
		daemon_start_trace(daemon);
	if (!err)
		err = start_rooms(daemon);
	if (!err)
		await_names(daemon);
	if (!err)
		err = predecessor_take_place(daemon);
	if (!err)
		err = start_vitals(daemon);
	if (!err)
		err = start_admin(daemon);
	predecessor_close_unused(daemon);
	if (!err)
		err = registrar_start(daemon->registrar);
	if (err)
		return err;
	service_take_up_notices(daemon->service);
	start_watchdog(daemon);
	tls_watch_look(&daemon->watch, &daemon->files, clock_wall());
	daemon_plan_look(daemon);
	on_log_timer(&daemon->log_timer, daemon);
	say_ready(daemon);
	return 0;
}

void daemon_take_down(struct daemon *daemon)
{
	successor_done(daemon);
	predecessor_done(daemon);
	elders_done(daemon);
	if (daemon->vigil && !daemon->left) /* from here on it is quiet, and not hung */
		vigil_beat(daemon->vigil, VIGIL_STOPPING, clock_now());
	daemon->admin = admin_destroy(daemon->admin);
	daemon->herald = admin_herald_destroy(daemon->herald);
	daemon->errand = errand_destroy(daemon->errand);
	reading_done(&daemon->reading);
	reload_report_done(&daemon->report);
	tls_files_done(&daemon->files);
	daemon->vitals = vitals_destroy(daemon->vitals);
	if (daemon->registrar)
		registrar_stop(daemon->registrar, daemon->config->withdraw_at_stop && !daemon->left,
			       WITHDRAW_MS);
	daemon->calls = call_room_destroy(daemon->calls);
	daemon->records = records_destroy(daemon->records); /* after the last record */
	daemon->service = service_destroy(daemon->service);
	daemon->load = load_room_destroy(daemon->load);
	daemon->devices = device_room_destroy(daemon->devices);
	daemon->traced = traced_destroy(daemon->traced);
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
	media_servers_unref(daemon->servers);
	media_sounds_destroy(daemon->sounds);
	config_destroy(daemon->config);
	config_leave(daemon->first);
}
