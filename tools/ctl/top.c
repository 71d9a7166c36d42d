/* SPDX-License-Identifier: Apache-2.0 */
/* top.c - `breakoutctl top`: what goes on now, drawn again every second. */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>
#include "base/clock.h"
#include "base/str.h"
#include "tools/ctl/ctl.h"
#include "tools/look/top.h"

#define EVERY_MS 1000

/* ECMA-48: the other screen without cursor, and back; home; clear to the end. */
#define SCREEN_ENTER "\033[?1049h\033[?25l"
#define SCREEN_LEAVE "\033[?25h\033[?1049l"
#define SCREEN_HOME  "\033[H"
#define LINE_REST    "\033[K"
#define SCREEN_REST  "\033[J"

struct answers {
	json_t *status, *calls, *trunks, *metrics; /* as they came */
	struct top_shot shot;
};

static void answers_done(struct answers *answers)
{
	json_decref(answers->status);
	json_decref(answers->calls);
	json_decref(answers->trunks);
	json_decref(answers->metrics);
	*answers = (struct answers){ 0 };
}

/* STATUS_OK, or another status with nothing to free, after saying why. */
static int look(const struct options *options, struct answers *answers)
{
	int status = STATUS_OK;

	*answers = (struct answers){ 0 };
	answers->status = ask_or_say(options, "status", &status);
	if (!status)
		answers->calls = ask_or_say(options, "calls", &status);
	if (!status)
		answers->trunks = ask_or_say(options, "trunks", &status);
	if (!status)
		answers->metrics = ask_or_say(options, "metrics", &status);
	if (status) {
		answers_done(answers);
		return status;
	}
	answers->shot = (struct top_shot){
		.status = answers->status,
		.calls = json_object_get(answers->calls, "calls"),
		.trunks = json_object_get(answers->trunks, "trunks"),
		.metrics = json_object_get(answers->metrics, "metrics"),
		.at_ms = clock_now(),
	};
	return STATUS_OK;
}

static void write_all(const char *text, size_t length)
{
	while (length) {
		ssize_t n = write(STDOUT_FILENO, text, length);

		if (n < 0 && errno != EINTR)
			return; /* nobody looks any more; the next key or signal ends us */
		if (n > 0) {
			text += n;
			length -= (size_t)n;
		}
	}
}

/* The last column and row stay free: a full one would scroll. */
static void draw(const struct top_shot *before, const struct top_shot *now)
{
	struct winsize size = { .ws_row = 24, .ws_col = 80 };
	struct str frame = { 0 }, screen = { 0 };

	(void)ioctl(STDOUT_FILENO, TIOCGWINSZ, &size); /* else the usual 80x24 */
	top_draw(&frame, before, now, size.ws_row > 1 ? size.ws_row - 1U : 1,
		 size.ws_col > 1 ? size.ws_col - 1U : 79);
	str_add(&screen, SCREEN_HOME);
	for (const char *at = frame.text ? frame.text : ""; *at; at++) {
		if (*at == '\n')
			str_add(&screen, LINE_REST);
		str_add_n(&screen, at, 1);
	}
	str_add(&screen, SCREEN_REST);
	if (screen.text)
		write_all(screen.text, screen.length);
	str_done(&frame);
	str_done(&screen);
}

static volatile sig_atomic_t ended;

static void on_signal(int number)
{
	(void)number;
	ended = 1;
}

static void take_signals(void)
{
	const struct sigaction end = { .sa_handler = on_signal, .sa_flags = SA_RESTART };

	(void)sigaction(SIGINT, &end, NULL); /* cannot fail: these may be caught */
	(void)sigaction(SIGTERM, &end, NULL);
	(void)sigaction(SIGHUP, &end, NULL);
}

/* True: the operator has enough of it. */
static bool wait_for_quit(void)
{
	struct pollfd keys = { .fd = STDIN_FILENO, .events = POLLIN };
	char key = 0;

	if (poll(&keys, 1, EVERY_MS) <= 0)
		return ended != 0;
	return read(STDIN_FILENO, &key, 1) <= 0 || key == 'q' || key == 'Q';
}

static int run_once(const struct options *options)
{
	struct answers before, now;
	struct str frame = { 0 };
	int status = look(options, &before);

	if (status)
		return status;
	(void)poll(NULL, 0, EVERY_MS); /* a rate is between two looks */
	status = look(options, &now);
	if (!status) {
		top_draw(&frame, &before.shot, &now.shot, UINT16_MAX, 200);
		fputs(frame.text ? frame.text : "", stdout);
		answers_done(&now);
	}
	str_done(&frame);
	answers_done(&before);
	return status;
}

static int run_screen(const struct options *options)
{
	struct answers before = { 0 }, now;
	int status;

	while ((status = look(options, &now)) == STATUS_OK) {
		draw(before.status ? &before.shot : NULL, &now.shot);
		answers_done(&before);
		before = now;
		if (wait_for_quit())
			break;
	}
	answers_done(&before);
	return status;
}

int run_top(const struct options *options)
{
	struct termios was, raw;
	int status;

	if (options->json)
		return STATUS_USAGE; /* `-o json status` and its like are for programs */
	if (options->once)
		return run_once(options);
	if (!isatty(STDOUT_FILENO) || tcgetattr(STDIN_FILENO, &was) < 0) {
		fputs("breakoutctl: top needs a terminal; --once does not\n", stderr);
		return STATUS_NO;
	}
	take_signals();
	raw = was;
	raw.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
	(void)tcsetattr(STDIN_FILENO, TCSANOW, &raw); /* else q waits for Enter */
	write_all(SCREEN_ENTER, sizeof(SCREEN_ENTER) - 1);
	status = run_screen(options);
	write_all(SCREEN_LEAVE, sizeof(SCREEN_LEAVE) - 1);
	(void)tcsetattr(STDIN_FILENO, TCSANOW, &was);
	if (status)
		fputs("breakoutctl: top has ended: the daemon is gone\n", stderr);
	return status;
}
