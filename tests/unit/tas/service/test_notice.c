/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/fake/service_rig.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/clock.h"
#include "base/fd_link.h"
#include "base/log.h"
#include "base/timer_wheel.h"

static char secret_path[] = "/tmp/breakout-secret-XXXXXX";
static char mail_dir[] = "/tmp/breakout-mail-XXXXXX";
static struct config_webhook server = { .url = TEXT("https://crm.example.com/messages"),
					.secret_file = secret_path,
					.deadline_ms = 10000,
					.connections = 4,
					.queue = 1000 };
static struct config_action action = { .kind = ACTION_VOICEMAIL,
				       .mailbox = TEXT("office"),
				       .voicemail_dir = mail_dir,
				       .message_s = 60,
				       .notify = &server };
static struct config_rule rule = { .directions = 7, .actions = &action, .action_count = 1 };
static struct config_service office;
static struct timer_wheel *wheel;
static int hooks; /* somewhere to point to */

/* Where the notice of leave() waits for the next start. */
static const char *kept(void)
{
	static char path[128];

	(void)snprintf(path, sizeof(path), "%s/.untold-0123456789abcdef", mail_dir);
	return path;
}

static int start(struct service_rig *rig)
{
	return service_create(&rig->room,
			      &(struct service_options){ .config = &rig->config,
							 .hooks = (struct hook_room *)&hooks,
							 .wheel = wheel });
}

static int setup(void **state)
{
	struct service_rig *rig;
	int fd = mkstemp(strcpy(secret_path, "/tmp/breakout-secret-XXXXXX"));

	assert_true(fd >= 0);
	assert_non_null(mkdtemp(strcpy(mail_dir, "/tmp/breakout-mail-XXXXXX")));
	assert_int_equal(write(fd, "s3cret\n", 7), 7);
	close(fd);
	assert_int_equal(rig_setup(state), 0);
	rig = *state;
	office = rig_services[RIG_OFFICE];
	rig_services[RIG_OFFICE].rules = &rule;
	rig_services[RIG_OFFICE].rule_count = 1;
	rig->config.webhooks = &server;
	rig->config.webhook_count = 1;
	service_destroy(rig->room);
	clock_fake_set(1000);
	assert_int_equal(timer_wheel_create(&wheel, 1000), 0);
	return start(rig);
}

static int teardown(void **state)
{
	int err;

	rig_services[RIG_OFFICE] = office;
	unlink(secret_path);
	err = rig_teardown(state); /* the room's timers first */
	(void)unlink(kept());
	assert_int_equal(rmdir(mail_dir), 0);
	wheel = timer_wheel_destroy(wheel);
	clock_real();
	return err;
}

/* A call leaves a message and is over: its plan goes. */
static void leave(struct service_rig *rig)
{
	struct call_notice *notice;

	rig_decide(rig, "+004712345678", "+4799000001");
	assert_non_null(rig->plan->steps[0].mailbox);
	notice = rig->plan->steps[0].mailbox->notice;
	assert_non_null(notice);
	notice->tell(notice, &(struct call_message){ .mailbox = "office",
						     .caller = "",
						     .called = "+4712345678",
						     .number = "+4799000001",
						     .file = "20231114T221320Z-1.wav",
						     .call = "0123456789abcdef",
						     .call_id = "a\"b",
						     .length_ms = 2040 });
	rig->plan = call_plan_free(rig->plan);
}

static void pass(unsigned seconds)
{
	clock_fake_set(clock_now() + (mono_ms)seconds * 1000);
	(void)timer_wheel_advance(wheel, clock_now(), 0);
}

static void a_message_is_told_signed_when_the_call_is_over(void **state)
{
	leave(*state);
	assert_int_equal(fake_posts, 1);
	assert_string_equal(fake_ask.url, "https://crm.example.com/messages");
	assert_string_equal(fake_ask.secret, "s3cret");
	assert_int_equal(fake_ask.deadline_ms, 10000);
	assert_string_equal(fake_ask.body,
			    "{\"version\":1,\"event\":\"message\",\"mailbox\":\"office\","
			    "\"caller\":\"\",\"called\":\"+4712345678\","
			    "\"number\":\"+4799000001\",\"file\":\"20231114T221320Z-1.wav\","
			    "\"call\":\"0123456789abcdef\",\"call_id\":\"a\\\"b\","
			    "\"length_ms\":2040}");
	fake_hook_reply(HOOK_ANSWERED, 204, "");
	pass(3600);
	assert_int_equal(fake_posts, 1);
}

static void a_server_that_does_not_take_it_is_asked_a_few_times(void **state)
{
	static const unsigned pauses_s[] = { 5, 30, 120, 600 };

	leave(*state);
	for (unsigned i = 0; i < 4; i++) {
		fake_hook_reply(HOOK_STATUS, 500, "");
		pass(pauses_s[i] - 1);
		assert_int_equal(fake_posts, i + 1);
		pass(1);
		assert_int_equal(fake_posts, i + 2);
	}
	fake_hook_reply(HOOK_TIMEOUT, 0, "");
	pass(3600);
	assert_int_equal(fake_posts, 5);
}

static void a_full_queue_is_an_attempt_too(void **state)
{
	fake_post_fails = -EBUSY;
	leave(*state);
	fake_post_fails = 0;
	pass(5);
	assert_int_equal(fake_posts, 2);
	fake_hook_reply(HOOK_ANSWERED, 200, "");
}

static void restart(struct service_rig *rig)
{
	rig->room = service_destroy(rig->room);
	assert_int_equal(start(rig), 0);
	service_take_up_notices(rig->room);
	pass(1);
}

/* On its way, and between two attempts; and once told it is not told again. */
static void what_waits_when_we_stop_is_told_after_the_next_start(void **state)
{
	struct service_rig *rig = *state;
	static char body[sizeof(fake_ask.body)];

	leave(rig);
	(void)snprintf(body, sizeof(body), "%s", fake_ask.body);
	restart(rig);
	assert_int_equal(fake_cancels, 1);
	assert_int_equal(fake_posts, 2);
	assert_string_equal(fake_ask.body, body);
	assert_string_equal(fake_ask.secret, "s3cret");
	assert_int_equal(access(kept(), F_OK), -1);
	fake_hook_reply(HOOK_STATUS, 500, "");
	restart(rig);
	assert_int_equal(fake_posts, 3);
	fake_hook_reply(HOOK_ANSWERED, 200, "");
	restart(rig);
	assert_int_equal(fake_posts, 3);
}

static void another_servers_notice_and_one_without_its_secret_wait_on(void **state)
{
	struct service_rig *rig = *state;
	char *url = server.url, *secret = server.secret_file;

	leave(rig);
	server.url = TEXT("https://other.example.com/");
	restart(rig);
	server.url = url;
	server.secret_file = TEXT("/nonexistent");
	restart(rig);
	assert_int_equal(fake_posts, 1);
	server.secret_file = secret;
	restart(rig);
	assert_int_equal(fake_posts, 2);
	fake_hook_reply(HOOK_ANSWERED, 200, "");
}

static char orphan_log[4096];

static void on_log(enum log_level level, const char *area, const char *line, void *arg)
{
	(void)area, (void)arg;
	if (level == LOG_LEVEL_ERROR)
		strncat(orphan_log, line, sizeof(orphan_log) - strlen(orphan_log) - 1);
}

static void restart_listening(struct service_rig *rig)
{
	orphan_log[0] = '\0';
	log_set_sink(on_log, NULL);
	restart(rig);
	log_set_sink(NULL, NULL);
}

static void let_it_be_old(unsigned days)
{
	struct timespec then = { .tv_sec = clock_wall() / 1000 - (time_t)days * 86400 };

	assert_int_equal(utimensat(AT_FDCWD, kept(), (struct timespec[]){ then, then }, 0), 0);
}

/* The file stays as long as a month, and the log says what to do. */
static void one_that_nobody_is_to_be_told_of_any_more_is_named_and_dropped_when_old(void **state)
{
	struct config_action both[2] = { action, action };
	struct service_rig *rig = *state;
	char *url = server.url, *said;

	leave(rig);
	rule.actions = both;
	rule.action_count = 2; /* one folder is looked through once */
	server.url = TEXT("https://other.example.com/");
	restart_listening(rig);
	said = strstr(orphan_log, "put it back and restart");
	assert_non_null(said);
	assert_null(strstr(said + 1, "put it back and restart"));
	assert_non_null(strstr(orphan_log, kept()));
	both[0].notify = both[1].notify = NULL;
	let_it_be_old(29);
	restart_listening(rig);
	assert_non_null(strstr(orphan_log, "It is dropped in 1 days"));
	assert_int_equal(access(kept(), F_OK), 0);
	let_it_be_old(30);
	restart_listening(rig);
	assert_non_null(strstr(orphan_log, "dropped after 30 days"));
	assert_int_equal(access(kept(), F_OK), -1);
	restart_listening(rig);
	assert_string_equal(orphan_log, "");
	server.url = url;
	rule.actions = &action;
	rule.action_count = 1;
	assert_int_equal(fake_posts, 1);
}

static void write_kept(const char *text)
{
	FILE *file = fopen(kept(), "w");

	assert_non_null(file);
	assert_true(fputs(text, file) >= 0);
	assert_int_equal(fclose(file), 0);
}

static void half_a_file_and_a_strange_one_tell_nothing(void **state)
{
	struct service_rig *rig = *state;

	write_kept("breakout notice 1\nhttps://crm.example.com/messages\n0123456789abcdef\n");
	restart(rig);
	write_kept("breakout notice 1\nhttps://crm.example.com/messages\n01234567");
	restart(rig);
	write_kept("{}\n");
	restart(rig);
	write_kept("");
	restart(rig);
	assert_int_equal(fake_posts, 0);
}

/* It is said in the log, and that is all that can be done. */
static void without_a_folder_it_is_lost(void **state)
{
	struct service_rig *rig = *state;

	leave(rig);
	assert_int_equal(rmdir(mail_dir), 0);
	restart(rig);
	assert_int_equal(fake_posts, 1);
	assert_int_equal(mkdir(mail_dir, 0700), 0);
}

static char handed[1024];
static size_t handed_length;

static int hand(const struct str *packed, void *arg)
{
	(void)arg;
	assert_true(packed->length < sizeof(handed));
	memcpy(handed, packed->text, packed->length);
	handed_length = packed->length;
	return 0;
}

static int fail_to_hand(const struct str *packed, void *arg)
{
	(void)packed;
	(void)arg;
	return -EPIPE;
}

static int take(struct service_rig *rig)
{
	struct unpack from = { .at = handed, .end = handed + handed_length };

	return service_take_notice(rig->room, &from);
}

/* Between two attempts, and while one is on its way. */
static void another_process_goes_on_where_we_were(void **state)
{
	struct service_rig *rig = *state;

	leave(rig);
	fake_hook_reply(HOOK_STATUS, 500, "");
	pass(2);
	service_hand_over_notices(rig->room, fail_to_hand, NULL);
	service_hand_over_notices(rig->room, hand, NULL);
	pass(100);
	assert_int_equal(fake_posts, 1);
	assert_int_equal(take(rig), 0);
	pass(2);
	assert_int_equal(fake_posts, 1);
	pass(1);
	assert_int_equal(fake_posts, 2);
	assert_string_equal(fake_ask.secret, "s3cret");
	assert_non_null(strstr(fake_ask.body, "20231114T221320Z-1.wav"));

	service_hand_over_notices(rig->room, hand, NULL);
	assert_int_equal(fake_cancels, 1);
	assert_int_equal(take(rig), 0);
	pass(1);
	assert_int_equal(fake_posts, 3);
	fake_hook_reply(HOOK_STATUS, 500, "");
	pass(29); /* after the second attempt */
	assert_int_equal(fake_posts, 3);
	pass(1);
	assert_int_equal(fake_posts, 4);
	fake_hook_reply(HOOK_ANSWERED, 200, "");
	pass(3600);
	assert_int_equal(fake_posts, 4);
}

static void half_a_notice_is_none(void **state)
{
	struct service_rig *rig = *state;

	leave(rig);
	service_hand_over_notices(rig->room, hand, NULL);
	handed_length -= 4;
	assert_int_equal(take(rig), -EPROTO);
	pass(3600);
	assert_int_equal(fake_posts, 1);
}

static void without_its_secret_nobody_is_told(void **state)
{
	struct service_rig *rig = *state;

	unlink(secret_path);
	service_reconfigure(rig->room, &rig->config, NULL);
	leave(rig);
	assert_int_equal(fake_posts, 0);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(a_message_is_told_signed_when_the_call_is_over),
		T(a_server_that_does_not_take_it_is_asked_a_few_times),
		T(a_full_queue_is_an_attempt_too),
		T(what_waits_when_we_stop_is_told_after_the_next_start),
		T(another_servers_notice_and_one_without_its_secret_wait_on),
		T(one_that_nobody_is_to_be_told_of_any_more_is_named_and_dropped_when_old),
		T(half_a_file_and_a_strange_one_tell_nothing),
		T(without_a_folder_it_is_lost),
		T(another_process_goes_on_where_we_were),
		T(half_a_notice_is_none),
		T(without_its_secret_nobody_is_told),
	};

	return cmocka_run_group_tests_name("tas/service/notice", tests, NULL, NULL);
}
