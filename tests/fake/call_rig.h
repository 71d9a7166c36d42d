/* SPDX-License-Identifier: Apache-2.0 */
/* call_rig.h - a call room on fake legs, fake media and fake time. */
#ifndef BREAKOUT_TESTS_FAKE_CALL_RIG_H
#define BREAKOUT_TESTS_FAKE_CALL_RIG_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <unistd.h>
#include "base/log.h"
#include "tas/call/call.h"
#include "tests/fake/fake_leg.h"
#include "tests/fake/fake_media.h"
#include "tests/fake/text.h"

struct rig {
	struct timer_wheel *wheel;
	struct call_room *room;
	struct leg *a;
	char cdr[64];
	char start_line[1024], end_line[1024]; /* the last ones of the log */
	unsigned starts, ends;
	unsigned refused;       /* calls that never began, by the test's count */
	enum leg_100rel rel100; /* what A says */
	int peer;               /* who A is */
};

static inline void rig_log(enum log_level level, const char *area, const char *line, void *arg)
{
	struct rig *rig = arg;

	(void)level;
	(void)area;
	if (strstr(line, " start direction=")) {
		rig->starts++;
		snprintf(rig->start_line, sizeof(rig->start_line), "%s", line);
	}
	if (strstr(line, " end cause=")) {
		rig->ends++;
		snprintf(rig->end_line, sizeof(rig->end_line), "%s", line);
	}
}

static inline struct call_limits rig_limits(unsigned calls)
{
	return (struct call_limits){ .calls = calls, .duration_s = 4 * 3600 };
}

static inline int rig_setup_traced(void **state, struct sip_trace *trace)
{
	struct rig *rig = calloc(1, sizeof(*rig));
	int fd;

	assert_non_null(rig);
	clock_fake_set(1000);
	clock_fake_wall_set(1700000000123);
	log_set_sink(rig_log, rig);
	assert_int_equal(timer_wheel_create(&rig->wheel, clock_now()), 0);
	snprintf(rig->cdr, sizeof(rig->cdr), "/tmp/breakout-cdr-XXXXXX");
	fd = mkstemp(rig->cdr);
	assert_true(fd >= 0);
	close(fd);
	assert_int_equal(call_room_create(&rig->room,
					  &(struct call_room_options){ .trace = trace,
								       .wheel = rig->wheel,
								       .cdr_file = rig->cdr,
								       .limits = rig_limits(100) }),
			 0);
	*state = rig;
	return 0;
}

static inline int rig_setup(void **state)
{
	return rig_setup_traced(state, NULL);
}

/* What the records say, once the room has gone. */
static inline void rig_read_cdr(struct rig *rig, char *text, size_t room)
{
	rig->room = call_room_destroy(rig->room); /* the writer has finished */
	text_read(rig->cdr, text, room);
}

static inline unsigned rig_cdr_lines(const struct rig *rig)
{
	FILE *file = fopen(rig->cdr, "r");
	unsigned lines = 0;
	int c;

	assert_non_null(file);
	while ((c = getc(file)) != EOF)
		lines += c == '\n';
	fclose(file);
	return lines;
}

/* Whatever a test did: every call that began has one CDR, no leg and no
 * session is left. */
static inline int rig_teardown(void **state)
{
	struct rig *rig = *state;

	rig->room = call_room_destroy(rig->room);
	assert_int_equal(rig->ends, rig->starts);
	assert_int_equal(rig_cdr_lines(rig), rig->starts + rig->refused);
	assert_int_equal(fake_leg_live_count(), 0);
	fake_legs_reset();
	fake_media_reset();
	unlink(rig->cdr);
	timer_wheel_destroy(rig->wheel);
	log_set_sink(NULL, NULL);
	clock_real();
	free(rig);
	return 0;
}

static inline void rig_advance(struct rig *rig, mono_ms ms)
{
	clock_fake_advance(ms);
	timer_wheel_advance(rig->wheel, clock_now(), 0);
}

static inline bool rig_ended_with(const struct rig *rig, const char *cause, const char *by)
{
	char wanted[64];

	snprintf(wanted, sizeof(wanted), " end cause=%s by=%s ", cause, by);
	if (strstr(rig->end_line, wanted))
		return true;
	print_error("wanted%s, got: %s\n", wanted, rig->end_line);
	return false;
}

/* Steps for plans; each returned by value, its texts on the heap. */
static inline struct call_step rig_dial(const char *label)
{
	return (struct call_step){ .kind = CALL_STEP_DIAL,
				   .label = strdup(label),
				   .request_uri = strdup("sips:+4712345678@core.example.net"),
				   .from_uri = strdup("sips:+4799000001@tas.example.com"),
				   .to_uri = strdup("sips:+4712345678@core.example.net"),
				   .max_forwards = 69,
				   .media = MEDIA_LEG_RTP };
}

static inline struct call_step rig_loop(void)
{
	struct call_step step = rig_dial("loop");

	step.to_core = true;
	step.media = MEDIA_LEG_WEBRTC;
	return step;
}

static inline struct call_step rig_passed(void)
{
	struct call_step step = rig_loop();

	step.bypass = CALL_BYPASS_UNTOUCHED;
	return step;
}

static inline struct call_step rig_rescue(void)
{
	struct call_step step = rig_passed();

	step.only_after_trouble = true;
	return step;
}

static inline struct call_step rig_stand_in(const char *label)
{
	struct call_step step = rig_dial(label);

	step.only_after_trouble = true;
	return step;
}

static inline struct call_step rig_ring(const struct call_step *targets, size_t count)
{
	struct call_step step = { .kind = CALL_STEP_RING,
				  .label = strdup("ring"),
				  .ring_ms = 25 * 1000,
				  .target_count = count };

	if (count == 0)
		return step;
	step.targets = calloc(count, sizeof(*targets));
	assert_non_null(step.targets);
	memcpy(step.targets, targets, count * sizeof(*targets));
	return step;
}

#define RIG_RING(...)                                                                              \
	rig_ring((const struct call_step[]){ __VA_ARGS__ },                                        \
		 sizeof((const struct call_step[]){ __VA_ARGS__ }) / sizeof(struct call_step))

static inline struct call_step rig_answer(void)
{
	return (struct call_step){ .kind = CALL_STEP_ANSWER,
				   .label = strdup("answer"),
				   .local = { .tone_hz = 425 } };
}

static inline struct call_step rig_reject(int status)
{
	return (struct call_step){ .kind = CALL_STEP_REJECT,
				   .label = strdup("reject"),
				   .status = status,
				   .phrase = strdup("Not Today"),
				   .cause = CAUSE_REJECTED };
}

/* Plays once and hangs up; or, as a rejection, plays twice before it. */
static inline struct call_step rig_play(void)
{
	return (struct call_step){ .kind = CALL_STEP_ANSWER,
				   .label = strdup("answer play"),
				   .local = { .sound = fake_media_sound(), .repeat = 1 } };
}

static inline struct call_step rig_announce(void)
{
	struct call_step step = rig_play();

	step.early = true;
	return step;
}

/* In an answered call; then the next step. */
static inline struct call_step rig_announce_ahead(void)
{
	struct call_step step = rig_play();

	step.goes_on = true;
	return step;
}

static inline struct call_step rig_announced_reject(bool early)
{
	struct call_step step = rig_reject(603);

	step.local = (struct media_local){ .sound = fake_media_sound(), .repeat = 2 };
	step.early = early;
	return step;
}

static inline struct call_plan *rig_plan(const struct call_step *steps, size_t count)
{
	struct call_plan *plan = calloc(1, sizeof(*plan));

	assert_non_null(plan);
	plan->steps = calloc(count, sizeof(*steps));
	assert_non_null(plan->steps);
	memcpy(plan->steps, steps, count * sizeof(*steps));
	plan->step_count = count;
	plan->direction = DIRECTION_MO;
	plan->route_type = ROUTE_TYPE_LOOP;
	snprintf(plan->number, sizeof(plan->number), "+4799000001");
	snprintf(plan->called, sizeof(plan->called), "+4712345678");
	plan->service = strdup("office/1");
	return plan;
}

#define RIG_PLAN(...)                                                                              \
	rig_plan((const struct call_step[]){ __VA_ARGS__ },                                        \
		 sizeof((const struct call_step[]){ __VA_ARGS__ }) / sizeof(struct call_step))

/* A call of this plan; offer NULL: a delayed offer. */
static inline void rig_start(struct rig *rig, const char *offer, struct call_plan *plan)
{
	rig->a = fake_leg_incoming("+004712345678", "+4799000001", offer);
	rig->a->info.rel100 = rig->rel100;
	rig->a->info.peer = rig->peer;
	assert_int_equal(call_start(rig->room, rig->a, plan), 0);
}

/* Up to B's ringing INVITE, with a session. */
static inline struct leg *rig_dialling(struct rig *rig, struct call_plan *plan)
{
	rig_start(rig, "offer-a", plan);
	assert_true(fake_media_reply(fake_media_last(), "offer-for-b"));
	assert_non_null(fake_leg_last());
	return fake_leg_last();
}

static inline struct leg *rig_talking(struct rig *rig, struct call_plan *plan)
{
	struct leg *b = rig_dialling(rig, plan);

	fake_leg_event(b, LEG_EV_ANSWERED, 200, "answer-b");
	assert_true(fake_media_reply(fake_media_last(), "answer-for-a"));
	fake_leg_event(rig->a, LEG_EV_CONFIRMED, 0, NULL);
	return b;
}

static inline struct leg *rig_talking_passed(struct rig *rig)
{
	struct leg *b;

	rig_start(rig, "offer-a", RIG_PLAN(rig_passed()));
	b = fake_leg_last();
	fake_leg_event(b, LEG_EV_ANSWERED, 200, "answer-b");
	fake_leg_event(rig->a, LEG_EV_CONFIRMED, 0, NULL);
	return b;
}

/* The last thing done to a leg was this. */
#define assert_did(leg, what_, status_, sdp_)                                                      \
	do {                                                                                       \
		const struct fake_leg_done *did_ = fake_leg_did(leg);                              \
		const char *sdp_wanted_ = (sdp_);                                                  \
		assert_non_null(did_);                                                             \
		assert_int_equal(did_->what, what_);                                               \
		assert_int_equal(did_->status, status_);                                           \
		if (sdp_wanted_)                                                                   \
			assert_string_equal(did_->sdp, sdp_wanted_);                               \
		else                                                                               \
			assert_null(did_->sdp);                                                    \
	} while (0)

#endif
