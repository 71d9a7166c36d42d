/* SPDX-License-Identifier: Apache-2.0 */
/* reload.c - the configuration: read at start, read again while we run, and the
 * certificates it names. */
#include <string.h>
#include "base/log.h"
#include "tas/daemon.h"

#define LOOK_S 60 /* at how long certificates last, where nothing else is looked at */

int daemon_load(struct daemon *daemon)
{
	struct reading reading = { .sources = &daemon->sources };
	int err;

	reading_run(&reading);
	reading_log_findings(reading.findings.text);
	err = reading.err;
	if (err) {
		predecessor_refuse(daemon, reading.findings.text ? reading.findings.text
								 : "the configuration is refused");
		reading_done(&reading);
		return err;
	}
	daemon->config = reading.config;
	daemon->sounds = reading.sounds;
	daemon->identity = reading.identity;
	daemon->servers = reading.servers;
	daemon->files = reading.files;
	reading.files = (struct tls_files){ .stamp = 0 };
	reading.config = NULL;
	reading.sounds = NULL;
	reading.identity = NULL;
	reading.servers = NULL;
	reading_done(&reading);
	return 0;
}

struct call_limits daemon_limits(const struct config *config)
{
	return (struct call_limits){ .calls = config->max_calls,
				     .calls_per_number = config->max_calls_per_number,
				     .duration_s = config->max_call_s };
}

void daemon_set_log(const struct daemon *daemon, const struct config *config)
{
	if (!daemon->level_given)
		log_set_level(config->log_level);
	log_set_format(config->log_format);
	log_set_rate(config->log_rate);
}

/* Recordings of calls, as the configuration in force says. */
void daemon_keep_recordings(struct daemon *daemon)
{
	const struct config_recordings *config = &daemon->config->recordings;

	if (config->keep_days && media_keep(daemon->media, config->dir, config->keep_days) < 0)
		log_error("main", "no memory to remove old recordings");
}

/* Sooner than a person would notice, and rarely enough to cost nothing. */
void daemon_plan_look(struct daemon *daemon)
{
	unsigned every_s = daemon->config->sip.certificate_check_s;

	timer_start(sip_loop_wheel(daemon->loop), &daemon->look_timer,
		    clock_now() + (mono_ms)(every_s ? every_s : LOOK_S) * 1000);
}

/* The certificates of a reading, for all that begins from now on; those of the core's API
 * are the registrar's. */
static void renew(struct daemon *daemon, struct reading *reading, const struct config *config)
{
	struct str changed = { 0 };
	unsigned refused = 0;

	if (sip_endpoint_renew_tls(daemon->endpoint, reading->tls, config->domain) < 0)
		log_error("main", "no memory for new certificates: the old ones stay");
	reading->tls = NULL;
	if (admin_renew_certificate(daemon->admin, config) < 0)
		refused |= 1u << TLS_ROLE_HTTP;
	media_engine_use_identity(daemon->media, reading->identity);
	media_identity_unref(daemon->identity);
	daemon->identity = reading->identity;
	reading->identity = NULL;
	tls_files_renew(&daemon->files, &reading->files, refused, &changed);
	if (changed.length)
		log_info("main", "certificates renewed: %s; connections that are there go on",
			 changed.text);
	tls_watch_look(&daemon->watch, &daemon->files, clock_wall());
	str_done(&changed);
}

/* Calls in progress keep theirs. */
static void use_servers(struct daemon *daemon, struct reading *reading)
{
	media_engine_use_servers(daemon->media, reading->servers);
	media_servers_unref(daemon->servers);
	daemon->servers = reading->servers;
	reading->servers = NULL;
}

/* The registrar has taken it: it was the last that could refuse. */
static void apply(struct daemon *daemon, struct reading *reading)
{
	struct config *fresh = reading->config;
	struct call_limits limits = daemon_limits(fresh);

	device_reconfigure(daemon->devices, fresh);
	service_reconfigure(daemon->service, fresh, reading->sounds);
	media_sounds_destroy(daemon->sounds); /* calls keep theirs */
	daemon->sounds = reading->sounds;
	renew(daemon, reading, fresh);
	use_servers(daemon, reading);
	call_room_set_limits(daemon->calls, &limits);
	if (daemon->stopping != STOP_NOT)
		service_leave_trunks(daemon->service); /* also those that are new */
	vitals_reconfigure(daemon->vitals, fresh);
	load_room_reconfigure(daemon->load, fresh->max_busy);
	admin_reconfigure(daemon->admin, fresh);
	daemon_set_log(daemon, fresh);
	config_destroy(daemon->config);
	daemon->config = fresh;
	reading->config = NULL;
	reading->sounds = NULL;
	daemon_keep_recordings(daemon);
	daemon_keep_alive(daemon);
	daemon_plan_look(daemon);
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

/* What is registered without the configuration depends on its services and tenants too. */
static int check_added(struct daemon *daemon, struct reading *reading)
{
	struct str errors = { 0 };
	int err = registrar_check(daemon->registrar, reading->config, &errors);

	reading_log_findings(errors.text);
	if (errors.length)
		str_add(&reading->findings, errors.text);
	str_done(&errors);
	return err;
}

static int tell_registrar(struct daemon *daemon, struct reading *reading)
{
	struct registrar_cores *cores = reading->cores;
	int err = daemon->stopping == STOP_NOT ? check_added(daemon, reading) : 0;

	if (err)
		return err;
	reading->cores = NULL;
	if (daemon->stopping == STOP_NOT)
		return registrar_reconfigure(daemon->registrar, reading->config, cores);
	registrar_renew(daemon->registrar,
			cores); /* its numbers count when there is no end to it */
	return 0;
}

/* The files have been read on another thread; calls went on meanwhile. */
static void on_reload(void *arg)
{
	struct reading *reading = arg;
	struct daemon *daemon = CONTAINER_OF(reading, struct daemon, reading);
	int err = reading->err;

	daemon->errand = errand_destroy(daemon->errand);
	reading_log_findings(reading->findings.text);
	if (!err)
		err = tell_registrar(daemon, reading);
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
unsigned daemon_reload(void *arg)
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
		registrar_renew(daemon->registrar, reading->cores);
		reading->cores = NULL;
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
	daemon_plan_look(daemon);
}

void daemon_reload_init(struct daemon *daemon)
{
	timer_init(&daemon->look_timer, on_look_timer, daemon);
}
