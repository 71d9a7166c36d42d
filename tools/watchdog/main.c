/* SPDX-License-Identifier: Apache-2.0 */
/* main.c - breakout-watchdog: withdraws what a dead daemon left registered.
 *
 * A registration lives for an hour whether its calls are served or not. When the daemon
 * is dead and stays dead, the store says what the core was told of; a registrar that
 * wants none of it takes it all back, paced and resumed as ever. It ends at once when the
 * daemon is there again. vigil.h says how the two keep apart.
 *
 * Threads: main, and the registrar's while it acts.
 */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>
#include "base/log.h"
#include "base/str.h"
#include "config/config.h"
#include "registrar/registrar.h"
#include "registrar/vigil.h"
#include "tools/ctl/ctl.h"
#include "tools/watchdog/absence.h"

#define LOOK_MAX_MS 500 /* between two looks */
#define LOOK_MIN_MS 20
#define ASK_MS      10000 /* between two questions to one that hangs */
#define ANSWER_S    3     /* it has two seconds to say that it is busy */
#define RETRY_MS    5000  /* after we could not act */
#define TELL_MS     10000 /* between two words on how far it is */

struct watchdog {
	const char *path;
	struct config *config; /* the last one that was sound */
	struct absence absence;
	struct vigil *vigil; /* while we act */
	struct registrar *registrar;
	mono_ms died;     /* the daemon's last sign of life; 0: not known */
	mono_ms asked;    /* one that hangs */
	mono_ms told;     /* how far it is */
	mono_ms retry_at; /* not before */
};

/* ---- the configuration ---- */

static struct config *load(const char *path, bool say)
{
	struct config *config = NULL;
	struct str findings = { 0 };
	const struct config_sources sources = { .path = path, .environment = environ };
	int err = config_load_from(&sources, &config, &findings);

	if (err && say)
		fputs(findings.text ? findings.text : "out of memory\n", stderr);
	str_done(&findings);
	return err ? NULL : config;
}

/* The daemon may have died of its configuration: then the one before counts. */
static void refresh_config(struct watchdog *watchdog)
{
	struct config *fresh = load(watchdog->path, false);

	if (!fresh || !fresh->store_sqlite) {
		config_destroy(fresh);
		log_notice("watchdog", "%s is not sound: what was read before counts",
			   watchdog->path);
		return;
	}
	config_destroy(watchdog->config);
	watchdog->config = fresh;
}

/* ---- withdrawing ---- */

static size_t count_left(struct registrar *registrar)
{
	struct registrar_summary summary;
	size_t left = 0;

	registrar_summary(registrar, &summary);
	for (int i = 0; i < REG_STATE_COUNT; i++)
		left += summary.by_state[i];
	return left;
}

static void let_go(struct watchdog *watchdog)
{
	watchdog->registrar = registrar_destroy(watchdog->registrar);
	watchdog->vigil = vigil_leave(watchdog->vigil);
}

static void could_not(struct watchdog *watchdog, mono_ms now)
{
	let_go(watchdog);
	absence_could_not(&watchdog->absence);
	watchdog->retry_at = now + RETRY_MS;
}

/* One that wants nothing: what is on file is to be taken back. */
static int start_registrar(struct watchdog *watchdog)
{
	struct config nothing;
	struct config_tenant tenants[CONFIG_TENANTS];
	int err;

	config_without_numbers(watchdog->config, &nothing);
	for (size_t i = 0; i < nothing.tenant_count; i++)
		tenants[i] = nothing.tenants[i];
	nothing.tenants = tenants;
	for (size_t i = 0; nothing.health.rate && i < nothing.tenant_count; i++)
		tenants[i].api.max_rate = nothing.health.rate;
	if (nothing.health.rate)
		nothing.core.api.max_rate = nothing.health.rate;
	err = registrar_create(&watchdog->registrar, &nothing);
	return err ? err : registrar_start(watchdog->registrar);
}

static long long gone_ms(const struct watchdog *watchdog, mono_ms now)
{
	return (long long)(now - (watchdog->died ? watchdog->died : watchdog->absence.since));
}

static bool answers(const char *socket_path)
{
	json_t *answer = NULL;
	bool well = ask_within(socket_path, "status", ANSWER_S, &answer) == 0 &&
		    !json_object_get(answer, "error");

	json_decref(answer);
	return well;
}

static void act(struct watchdog *watchdog, mono_ms now)
{
	int err;

	refresh_config(watchdog);
	if (answers(watchdog->config->admin_socket)) { /* on another store, or before its locks */
		log_error("watchdog",
			  "no breakoutd has the store %s, but one answers at %s: nothing is "
			  "withdrawn; both have to be of one configuration",
			  watchdog->config->store_sqlite, watchdog->config->admin_socket);
		could_not(watchdog, now);
		return;
	}
	if (access(watchdog->config->store_sqlite, F_OK) < 0) {
		absence_acted(&watchdog->absence); /* nothing was ever registered */
		return;
	}
	err = vigil_stand_in(&watchdog->vigil, watchdog->config->store_sqlite);
	if (!err)
		err = start_registrar(watchdog);
	if (err) {
		if (err != -EBUSY) /* the daemon, at the last moment */
			log_error("watchdog",
				  "cannot withdraw from %s: %s; tried again in %d s: look at the "
				  "lines above, the rights of that folder and core.api",
				  watchdog->config->store_sqlite, strerror(-err), RETRY_MS / 1000);
		could_not(watchdog, now);
		return;
	}
	watchdog->told = now;
	log_error("watchdog",
		  "breakoutd is dead dead_ms=%lld: withdrawing registrations=%zu so that calls "
		  "go past us; start it, and they come back",
		  gone_ms(watchdog, now), count_left(watchdog->registrar));
}

static void look_how_far(struct watchdog *watchdog, mono_ms now)
{
	size_t left;

	if (!watchdog->registrar)
		return;
	left = count_left(watchdog->registrar);
	if (!left) {
		let_go(watchdog);
		absence_acted(&watchdog->absence);
		log_notice("watchdog", "all withdrawn to_native_ms=%lld", gone_ms(watchdog, now));
	} else if (now - watchdog->told >= TELL_MS) {
		watchdog->told = now;
		log_notice("watchdog", "withdrawing left=%zu", left);
	}
}

/* ---- one that hangs ---- */

/* Its calls count more than its registrations: one that serves them is left alone. */
static void see_to_hanging(struct watchdog *watchdog, const struct vigil_sign *sign, mono_ms now)
{
	const struct config *config = watchdog->config;

	if (watchdog->asked && now - watchdog->asked < ASK_MS)
		return;
	watchdog->asked = now;
	if (answers(config->admin_socket)) {
		log_error("watchdog",
			  "breakoutd pid=%d takes calls, but what keeps its registrations has not "
			  "moved for %lld ms: restart it when calls allow",
			  (int)sign->pid, (long long)(now - sign->beat));
		return;
	}
	if (!config->health.watchdog_kills || sign->pid <= 0) {
		log_error("watchdog",
			  "breakoutd pid=%d hangs for %lld ms and answers nobody: kill it "
			  "(health.watchdog.kill_hung is false)",
			  (int)sign->pid, (long long)(now - sign->beat));
		return;
	}
	log_error("watchdog", "breakoutd pid=%d hangs for %lld ms and answers nobody: killed",
		  (int)sign->pid, (long long)(now - sign->beat));
	if (kill(sign->pid, SIGKILL) < 0)
		log_error("watchdog", "it cannot be killed: %s", strerror(errno));
}

/* ---- looking ---- */

static void look(struct watchdog *watchdog)
{
	mono_ms now = clock_now();
	struct vigil_sign sign;

	vigil_look(watchdog->config->store_sqlite, &sign);
	if (sign.alive)
		watchdog->died = sign.beat;
	if (now < watchdog->retry_at && !sign.alive)
		return;
	switch (absence_see(&watchdog->absence, &sign, now)) {
	case ABSENCE_WENT:
		log_notice("watchdog", "breakoutd is gone: it has %lld ms to come back",
			   (long long)watchdog->absence.after_ms);
		break;
	case ABSENCE_ACT:
		act(watchdog, now);
		break;
	case ABSENCE_BACK:
		let_go(watchdog);
		watchdog->asked = 0; /* another one was */
		log_notice("watchdog", "breakoutd is there pid=%d", (int)sign.pid);
		break;
	case ABSENCE_HANGS:
		see_to_hanging(watchdog, &sign, now);
		break;
	case ABSENCE_NO_NEWS:
		look_how_far(watchdog, now);
		break;
	}
}

/* True: a signal says that it is time to go. */
static bool sleep_ms(const sigset_t *signals, mono_ms ms)
{
	const struct timespec wait = { .tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000 };

	return sigtimedwait(signals, NULL, &wait) > 0;
}

static mono_ms interval(const struct watchdog *watchdog)
{
	mono_ms tenth = watchdog->absence.after_ms / 10;

	return tenth < LOOK_MIN_MS ? LOOK_MIN_MS : tenth < LOOK_MAX_MS ? tenth : LOOK_MAX_MS;
}

static int watch(struct watchdog *watchdog)
{
	const struct rlimit none = { 0, 0 };
	sigset_t signals;

	(void)setrlimit(RLIMIT_CORE, &none); /* tokens live in memory */
	(void)signal(SIGPIPE, SIG_IGN);
	sigemptyset(&signals);
	sigaddset(&signals, SIGTERM);
	sigaddset(&signals, SIGINT);
	(void)pthread_sigmask(SIG_BLOCK, &signals, NULL);
	absence_init(&watchdog->absence, watchdog->config->health.watchdog_after_ms, clock_now());
	log_info("watchdog", "ready version=%s store=%s after_ms=%u", BREAKOUT_VERSION,
		 watchdog->config->store_sqlite, watchdog->config->health.watchdog_after_ms);
	do
		look(watchdog);
	while (!sleep_ms(&signals, interval(watchdog)));
	let_go(watchdog);
	log_info("watchdog", "stopped");
	return EXIT_SUCCESS;
}

static void usage(FILE *to)
{
	fputs("usage: breakout-watchdog [--config FILE]\n"
	      "\n"
	      "  -c, --config FILE  the daemon's configuration (/etc/breakout/breakout.yaml)\n"
	      "      --version      print the version and leave\n"
	      "  -h, --help         print this and leave\n"
	      "\n"
	      "Withdraws all registrations on file once breakoutd has been dead for\n"
	      "health.watchdog.after. Exit status: 0 stopped, 2 usage, 78 the configuration is\n"
	      "at fault.\n",
	      to);
}

enum { OPT_VERSION = 256 };

int main(int argc, char **argv)
{
	static const struct option options[] = { { "config", required_argument, NULL, 'c' },
						 { "version", no_argument, NULL, OPT_VERSION },
						 { "help", no_argument, NULL, 'h' },
						 { NULL, 0, NULL, 0 } };
	struct watchdog watchdog = { .path = "/etc/breakout/breakout.yaml" };
	int option, status;

	while ((option = getopt_long(argc, argv, "c:h", options, NULL)) != -1) {
		switch (option) {
		case 'c':
			watchdog.path = optarg;
			break;
		case OPT_VERSION:
			puts("breakout-watchdog " BREAKOUT_VERSION);
			return EXIT_SUCCESS;
		case 'h':
			usage(stdout);
			return EXIT_SUCCESS;
		default:
			usage(stderr);
			return 2;
		}
	}
	watchdog.config = load(watchdog.path, true);
	if (optind != argc || !watchdog.config) {
		config_destroy(watchdog.config);
		if (optind == argc)
			return EX_CONFIG;
		usage(stderr);
		return 2;
	}
	log_set_level(watchdog.config->log_level);
	log_set_format(watchdog.config->log_format);
	if (watchdog.config->store_sqlite) {
		status = watch(&watchdog);
	} else {
		log_notice("watchdog", "nothing to watch: with store.postgres the other nodes take "
				       "over from a dead daemon");
		status = EXIT_SUCCESS;
	}
	config_destroy(watchdog.config);
	return status;
}
