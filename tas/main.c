/* SPDX-License-Identifier: Apache-2.0 */
/* main.c - breakoutd: the process and its command line.
 *
 * Order at start: configuration, media engine, SIP endpoint, registrar; a
 * number is registered only once its calls can be served. At stop the other
 * way round, after the calls have ended or their time is over.
 *
 * Threads: main is the SIP thread. Every signal is blocked before any library
 * starts and read from a descriptor.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <malloc.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sysexits.h>
#include <unistd.h>
#include "base/log.h"
#include "base/str.h"
#include "tas/daemon.h"

#define GIVEN_MAX 64 /* --set */

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

/* A reload takes as much memory again as a million numbers need, for a moment. glibc's own
 * rule would, from the first such moment on, keep it for the next one. jemalloc, where it is
 * linked, has rules of its own: allocator.c. */
static void give_memory_back(void)
{
	(void)mallopt(M_MMAP_THRESHOLD, 256 * 1024); /* only advice: what is refused costs memory */
	(void)mallopt(M_TRIM_THRESHOLD, 1024 * 1024);
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

/* Not a child of the process that started us, so that the service manager is told of our
 * end, even while that one lives. Nothing has begun that a fork could break. */
static void leave_parent(void)
{
	pid_t child = fork();

	if (child != 0)
		_exit(child < 0 ? EXIT_FAILURE : EXIT_SUCCESS);
}

/* take_over: the link to a process whose place is taken; -1: there is none. */
static int serve(struct daemon *daemon, int take_over)
{
	sigset_t signals;
	int status = EXIT_FAILURE;

	if (take_over >= 0)
		leave_parent();
	block_signals(&signals);
	guard_process();
	give_memory_back();
	if (take_over >= 0 && predecessor_greet(daemon, take_over) < 0)
		return EXIT_FAILURE;
	if (daemon_load(daemon) < 0)
		return EX_CONFIG;
	daemon->first = config_keep_settings(daemon->config);
	daemon_set_log(daemon, daemon->config);
	if (daemon_start(daemon, &signals) == 0) {
		sip_loop_run(daemon->loop);
		status = EXIT_SUCCESS;
	} else {
		predecessor_refuse(daemon, "the new program could not start: its last lines in the "
					   "log say why");
	}
	daemon_take_down(daemon);
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

enum { OPT_CHECK = 256, OPT_PRINT, OPT_TAKE_OVER, OPT_VERSION };

/* For a process that takes our place one day, which gets the same. Returns the link to one
 * whose place we take, which comes first on the line; -1: there is none. */
static int keep_command_line(struct daemon *daemon, int argc, char **argv)
{
	static const char option[] = "--take-over=";
	bool takes_over = argc > 1 && str_starts(argv[1], option);
	ssize_t length = readlink("/proc/self/exe", daemon->program, sizeof(daemon->program) - 1);
	int link = -1;

	if (length < 0)
		length = 0;
	daemon->program[length] = '\0';
	if (takes_over) {
		link = atoi(argv[1] + sizeof(option) - 1);
		(void)fcntl(link, F_SETFD, FD_CLOEXEC);
	}
	daemon->name = argv[0];
	daemon->arguments = argv + 1 + takes_over;
	daemon->argument_count = (size_t)(argc - 1 - takes_over);
	return link;
}

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
						 { "take-over", required_argument, NULL,
						   OPT_TAKE_OVER },
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
	int option, take_over;

	take_over = keep_command_line(&daemon, argc, argv);

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
		case OPT_TAKE_OVER: /* keep_command_line() has seen to it */
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
	return check_only ? check(&daemon.sources, print) : serve(&daemon, take_over);
}
