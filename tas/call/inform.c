/* SPDX-License-Identifier: Apache-2.0 */
/* inform.c - INFO from one side to the other, and its answer back.
 *
 * A loop passes on whatever it is; a trunk is told digits, which is what INFO is
 * still used for (application/dtmf-relay, application/dtmf). Where the rules of a
 * side say so, digits become RFC 4733 in the media, and those of the media INFO.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include "base/log.h"
#include "base/str.h"
#include "tas/call/call_state.h"

static bool is_digits(const char *type)
{
	static const char *const types[] = { "application/dtmf-relay", "application/dtmf" };

	for (size_t i = 0; type && i < ARRAY_SIZE(types); i++) {
		size_t length = strlen(types[i]);

		if (strncasecmp(type, types[i], length) == 0 &&
		    (!type[length] || strchr("; \t", type[length])))
			return true;
	}
	return false;
}

static int status_of(int err)
{
	switch (err) {
	case -EBUSY:
		return 491;
	case -EOPNOTSUPP:
		return 405;
	default:
		return 500;
	}
}

/* What most phones send if they say no length. */
#define USUAL_MS 160
#define LEAST_MS 40
#define MOST_MS  8000

/* The value of a line "Name=value" or "Name: value"; NULL: there is none. */
static const char *line_value(const char *body, const char *name)
{
	size_t length = strlen(name);

	while (body && strncasecmp(body, name, length) != 0) {
		body = strchr(body, '\n');
		body = body ? body + 1 : NULL;
	}
	return body ? body + length + strspn(body + length, " \t=:") : NULL;
}

/* "5", or the event's number for what is no number: "10" is the star. */
static char digit_at(const char *text)
{
	static const char digits[] = "0123456789*#ABCD";
	size_t length = strspn(text, "0123456789");
	unsigned long number;

	if (length == 2) {
		number = strtoul(text, NULL, 10);
		return number < sizeof(digits) - 1 ? digits[number] : '\0';
	}
	return text[0] && strchr("0123456789*#ABCDabcd", text[0]) ? text[0] : '\0';
}

/* False: it is none that we can read. */
static bool read_digit(const struct leg_event *event, char *ret_digit, unsigned *ret_ms)
{
	const char *signal, *duration;
	long ms = USUAL_MS;

	if (!event->body || !is_digits(event->body_type))
		return false;
	signal = line_value(event->body, "Signal");
	duration = line_value(event->body, "Duration");
	if (duration)
		ms = strtol(duration, NULL, 10);
	*ret_digit = digit_at(signal ? signal : event->body);
	*ret_ms = (unsigned)(ms < LEAST_MS ? LEAST_MS : ms > MOST_MS ? MOST_MS : ms);
	return *ret_digit != '\0';
}

/* Digits of `from` reach the other side in the media. */
static bool in_media(const struct call *call, enum media_side from)
{
	enum media_dtmf to = call_codecs(call, call_other_side(from))->dtmf;

	if (!call->session || call->pass_through)
		return false;
	return to == MEDIA_DTMF_RFC4733 || to == MEDIA_DTMF_INBAND ||
	       (to != MEDIA_DTMF_INFO && call_codecs(call, from)->dtmf == MEDIA_DTMF_INFO);
}

/* True: the media takes it. */
static bool put_into_media(struct call *call, enum media_side from, const struct leg_event *event)
{
	unsigned ms;
	char digit;

	return in_media(call, from) && read_digit(event, &digit, &ms) &&
	       media_digit(call->session, call_other_side(from), digit, ms) == 0;
}

/* One at a time: INFO that overtook each other would mix the digits up. */
static void tell_next(struct call *call, enum media_side to)
{
	struct digits *digits = call->digits[to];
	char body[64];
	int err;

	if (!digits || digits->count == 0 || digits->out || !call->leg[to])
		return;
	(void)snprintf(body, sizeof(body), "Signal=%c\r\nDuration=%u\r\n", digits->waiting[0].digit,
		       digits->waiting[0].ms);
	err = leg_inform(call->leg[to], "application/dtmf-relay", body);
	if (err == -EBUSY)
		return; /* the answer to the one on its way comes here too */
	digits->out = err == 0;
	digits->count--;
	memmove(digits->waiting, digits->waiting + 1, digits->count * sizeof(digits->waiting[0]));
	if (err)
		log_notice("call", "call=%s side=%c a digit is lost: INFO err=%d", call->id,
			   to == MEDIA_A ? 'a' : 'b', err);
}

void inform_of_digit(struct call *call, enum media_side from, char digit, unsigned ms)
{
	enum media_side to = call_other_side(from);
	struct digits *digits = call->digits[to];

	if (!digits)
		digits = call->digits[to] = calloc(1, sizeof(*digits));
	if (digits && digits->count < DIGITS_MAX) { /* more wait for nobody who answers */
		digits->waiting[digits->count].digit = digit;
		digits->waiting[digits->count++].ms = ms;
	}
	tell_next(call, to);
}

void inform(struct call *call, enum media_side from, const struct leg_event *event)
{
	struct leg *other = call->leg[call_other_side(from)];
	int err, status = 0;

	if (put_into_media(call, from, event)) {
		(void)leg_inform_answer(call->leg[from], 200); /* a lost one is asked for again */
		return;
	}
	if (!call_current_step(call)->to_core && !is_digits(event->body_type))
		status = event->body ? 415 : 200; /* RFC 6086 4.2.2: an empty one is alive */
	else if (!other)
		status = 200; /* we talk to it ourselves, and listen to nothing of it */
	if (!status) {
		err = leg_inform(other, event->body_type, event->body);
		if (!err)
			return;
		status = status_of(err);
	}
	(void)leg_inform_answer(call->leg[from], status); /* a lost one is asked for again */
}

void inform_answered(struct call *call, enum media_side side, int status)
{
	struct leg *from = call->leg[call_other_side(side)];

	if (call->digits[side] && call->digits[side]->out)
		call->digits[side]->out = false;
	else if (from)
		(void)leg_inform_answer(from, status); /* none waits: no harm */
	tell_next(call, side);
}
