/* SPDX-License-Identifier: Apache-2.0 */
/* main.c - breakout-watchdog: withdraws what a dead daemon left registered.
 *
 * A registration lives for an hour whether its calls are served or not. When the daemon, or
 * every node of a fleet, is dead and stays dead, it takes back what the core was told of. It
 * ends at once when one is there again.
 */
#include <getopt.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sysexits.h>
#include <time.h>
#include "base/log.h"
#include "tools/watchdog/watchdog.h"

#define LOOK_MAX_MS 500 /* between two looks */
#define LOOK_MIN_MS 20

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

static int begin(struct watchdog *watchdog)
{
	const struct config *config = watchdog->config;
	int err = 0;

	if (config->postgres.conninfo)
		err = watch_fleet_begin(watchdog);
	else
		absence_init(&watchdog->absence, config->health.watchdog_after_ms, clock_now());
	if (err)
		log_error("watchdog", "out of memory");
	else
		log_info("watchdog", "ready version=%s store=%s after_ms=%lld", BREAKOUT_VERSION,
			 watchdog->fleet ? "store.postgres" : config->store_sqlite,
			 (long long)watchdog->absence.after_ms);
	return err;
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
	if (begin(watchdog))
		return EXIT_FAILURE;
	do {
		if (watchdog->fleet)
			watch_fleet(watchdog);
		else
			watch_daemon(watchdog);
	} while (!sleep_ms(&signals, interval(watchdog)));
	withdraw_end(watchdog);
	fleet_watch_destroy(watchdog->fleet);
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
	      "Withdraws all registrations on file once breakoutd, or every node of its fleet,\n"
	      "has been dead for health.watchdog.after. Exit status: 0 stopped, 1 no memory,\n"
	      "2 usage, 78 the configuration is at fault.\n",
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
	watchdog.config = withdraw_read_config(watchdog.path, true);
	if (optind != argc || !watchdog.config) {
		config_destroy(watchdog.config);
		if (optind == argc)
			return EX_CONFIG;
		usage(stderr);
		return 2;
	}
	log_set_level(watchdog.config->log_level);
	log_set_format(watchdog.config->log_format);
	status = watch(&watchdog);
	config_destroy(watchdog.config);
	return status;
}
