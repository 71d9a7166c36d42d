/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/fake/call_rig.h"

static struct call_step voicemail(void)
{
	struct call_step step = rig_play();

	step.mailbox = calloc(1, sizeof(*step.mailbox));
	assert_non_null(step.mailbox);
	*step.mailbox = (struct call_mailbox){ .name = strdup("office"),
					       .folder = strdup("/mail/office"),
					       .caller = strdup("+4799000001"),
					       .called = strdup("+4712345678"),
					       .beep = true,
					       .max_ms = 180000,
					       .silence_ms = 5000 };
	return step;
}

/* Up to the ACK. */
static struct media_session *answered(struct rig *rig, struct call_plan *plan)
{
	rig_start(rig, "offer-a", plan);
	assert_true(fake_media_reply(fake_media_last(), "answer-for-a"));
	assert_did(rig->a, FAKE_LEG_ANSWER, 200, "answer-for-a");
	fake_leg_event(rig->a, LEG_EV_CONFIRMED, 0, NULL);
	return fake_media_last();
}

static void over(const char *why)
{
	struct media_session *session = fake_media_last();

	session->on_event(
		session,
		&(struct media_event){ .type = MEDIA_EV_RECORDED, .side = MEDIA_B, .reason = why },
		session->arg);
}

static void file_is_named_by_time_and_call_and_says_who_called(void **state)
{
	struct rig *rig = *state;
	struct media_session *session = answered(rig, RIG_PLAN(voicemail()));
	char id[17], wanted[512];

	assert_string_equal(session->recording.folder, "/mail/office");
	assert_int_equal(strlen(session->recording.name), strlen("20231114T221320Z-") + 16);
	snprintf(id, sizeof(id), "%s", session->recording.name + strlen("20231114T221320Z-"));
	snprintf(wanted, sizeof(wanted),
		 "{\"id\":\"%s\",\"mailbox\":\"office\",\"caller\":\"+4799000001\","
		 "\"called\":\"+4712345678\",\"number\":\"+4799000001\","
		 "\"time\":\"2023-11-14T22:13:20Z\",\"call_id\":\"%s\"",
		 id, rig->a->info.call_id);
	assert_string_equal(session->recording.about, wanted);
	assert_true(session->recording.beep);
	assert_int_equal(session->recording.max_ms, 180000);
	assert_int_equal(session->recording.silence_ms, 5000);
	assert_non_null(session->local.sound); /* the greeting */
	fake_leg_end(rig->a, LEG_END_BYE, 200);
	assert_true(rig_ended_with(rig, "normal", "a"));
}

/* Whoever wants to hear of messages. */
static struct call_message heard;
static unsigned told, destroyed;

static void tell(struct call_notice *notice, const struct call_message *message)
{
	(void)notice;
	heard = *message;
	assert_string_equal(message->mailbox, "office");
	assert_string_equal(message->caller, "+4799000001");
	assert_string_equal(message->called, "+4712345678");
	assert_memory_equal(message->file, "20231114T221320Z-", 17);
	assert_non_null(strstr(message->file, message->call));
	told++;
}

static void destroy(struct call_notice *notice)
{
	(void)notice;
	destroyed++;
}

static void message_is_told_when_the_call_is_over(void **state)
{
	static struct call_notice notice = { tell, destroy };
	struct rig *rig = *state;

	told = destroyed = 0;
	for (unsigned ms = 0; ms <= 2040; ms += 2040) { /* nothing said is no message */
		struct call_step step = voicemail();

		step.mailbox->notice = &notice;
		fake_media_recorded(ms);
		answered(rig, RIG_PLAN(step));
		assert_int_equal(told, 0);
		fake_leg_end(rig->a, LEG_END_BYE, 200);
	}
	assert_int_equal(told, 1);
	assert_int_equal(heard.length_ms, 2040);
	assert_int_equal(destroyed, 2);
}

static void message_that_is_over_ends_the_call(void **state)
{
	struct rig *rig = *state;

	answered(rig, RIG_PLAN(voicemail()));
	over("silence");
	assert_true(rig_ended_with(rig, "normal", "us"));
	assert_string_equal(rig->a->farewell_reason,
			    "Q.850;cause=16;text=\"Normal call clearing\"");
}

static void message_that_finds_no_room_is_our_fault(void **state)
{
	struct rig *rig = *state;

	answered(rig, RIG_PLAN(voicemail()));
	over("disk");
	assert_true(rig_ended_with(rig, "internal", "us"));
}

static void message_may_be_over_before_the_ack(void **state)
{
	struct rig *rig = *state;

	rig_start(rig, "offer-a", RIG_PLAN(voicemail()));
	fake_media_reply(fake_media_last(), "answer-for-a");
	over("key");
	assert_true(rig_ended_with(rig, "normal", "us"));
}

static void mailbox_that_takes_nothing_does_not_answer(void **state)
{
	struct rig *rig = *state;

	rig_start(rig, "offer-a", RIG_PLAN(voicemail(), rig_rescue()));
	fake_media_refuse(fake_media_last(), MEDIA_A, 503);
	assert_int_equal(rig->a->done_count, 0);      /* no answer */
	assert_int_equal(fake_leg_invite_count(), 1); /* it goes on to the core */
}

static void call_record_names_the_file(void **state)
{
	struct rig *rig = *state;
	char cdr[4096];

	fake_media_recorded(4321);
	answered(rig, RIG_PLAN(voicemail()));
	fake_leg_end(rig->a, LEG_END_BYE, 200);
	rig_read_cdr(rig, cdr, sizeof(cdr));
	assert_non_null(strstr(cdr, ",\"recording\":\"/mail/office/20231114T221320Z-"));
	assert_non_null(strstr(cdr, ".wav\",\"recording_ms\":4321,"));
}

static void call_record_names_no_file_that_is_not_kept(void **state)
{
	struct rig *rig = *state;
	char cdr[4096];

	fake_media_recorded(MEDIA_RECORDING_SHORTEST_MS - 1);
	answered(rig, RIG_PLAN(voicemail()));
	fake_leg_end(rig->a, LEG_END_BYE, 200);
	rig_read_cdr(rig, cdr, sizeof(cdr));
	assert_null(strstr(cdr, "recording"));
}

static struct call_plan *recorded(struct call_step step)
{
	struct call_plan *plan = RIG_PLAN(step);

	plan->recording = calloc(1, sizeof(*plan->recording));
	assert_non_null(plan->recording);
	*plan->recording = (struct call_mailbox){ .folder = strdup("/rec"),
						  .public_key = strdup("/key.pem"),
						  .caller = strdup(""),
						  .called = strdup("+4712345678") };
	return plan;
}

static void call_is_recorded_from_its_answer_on(void **state)
{
	struct rig *rig = *state;
	struct media_receipt side = { .record = MEDIA_RECORD_OPEN };
	struct media_session *session;
	char cdr[4096];

	rig_start(rig, "offer-a", recorded(rig_loop()));
	session = fake_media_last();
	fake_media_reply(session, "offer-for-b");
	assert_int_equal(session->records, 0);
	fake_leg_event(fake_leg_last(), LEG_EV_ANSWERED, 200, "answer-b");
	fake_media_reply(session, "answer-for-a");
	assert_int_equal(session->records, 1);
	assert_string_equal(session->recording.folder, "/rec");
	assert_non_null(strstr(session->recording.about, "\"caller\":\"\",\"called\":\"+47"));
	assert_null(strstr(session->recording.about, "mailbox"));
	fake_media_receipt(MEDIA_A, &side);
	fake_leg_end(rig->a, LEG_END_BYE, 200);
	rig_read_cdr(rig, cdr, sizeof(cdr));
	assert_non_null(strstr(cdr, "\"recording\":\"/rec/20231114T221320Z-"));
	assert_non_null(strstr(cdr, ".wav.sealed\""));
}

static void call_that_could_not_be_recorded_says_why(void **state)
{
	struct rig *rig = *state;
	struct media_receipt side = { .record = MEDIA_RECORD_CODEC };
	char cdr[4096];

	rig_talking(rig, recorded(rig_loop()));
	fake_media_receipt(MEDIA_A, &side);
	fake_leg_end(rig->a, LEG_END_BYE, 200);
	rig_read_cdr(rig, cdr, sizeof(cdr));
	assert_null(strstr(cdr, "\"recording\":"));
	assert_non_null(strstr(cdr, "\"recording_why\":\"its codec is not decoded here\""));
}

static void a_message_is_not_recorded_twice(void **state)
{
	struct rig *rig = *state;

	answered(rig, recorded(voicemail()));
	assert_int_equal(fake_media_last()->records, 0);
}

#define WITH_RIG(test) cmocka_unit_test_setup_teardown(test, rig_setup, rig_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_RIG(file_is_named_by_time_and_call_and_says_who_called),
		WITH_RIG(message_is_told_when_the_call_is_over),
		WITH_RIG(message_that_is_over_ends_the_call),
		WITH_RIG(message_that_finds_no_room_is_our_fault),
		WITH_RIG(message_may_be_over_before_the_ack),
		WITH_RIG(mailbox_that_takes_nothing_does_not_answer),
		WITH_RIG(call_record_names_the_file),
		WITH_RIG(call_record_names_no_file_that_is_not_kept),
		WITH_RIG(call_is_recorded_from_its_answer_on),
		WITH_RIG(call_that_could_not_be_recorded_says_why),
		WITH_RIG(a_message_is_not_recorded_twice),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
