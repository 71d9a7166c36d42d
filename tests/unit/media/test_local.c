/* SPDX-License-Identifier: Apache-2.0 */
/* Sounds and messages of a local side, heard and left over loopback. */
#define RIG_PORTS 24600

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include "media/sound_file.h"
#include "tests/fake/folder.h"
#include "tests/fake/wav.h"
#include "tests/unit/media/session_rig.h"

static void play(enum media_leg_kind kind)
{
	struct media_local local = { .sound = sound_of(1500, 900), .repeat = 2, .tone_hz = 600 };
	struct party *caller = phone(kind, &tone_440);
	struct party *player = party_create(kind, MEDIA_LEG_LOCAL, &local);
	mono_ms began = clock_now();

	media_sound_unref(local.sound); /* the session has its own */
	connect_directly(caller, player);
	await_tone(caller, MEDIA_B, 1500);
	await_event(player, MEDIA_EV_PLAYED, MEDIA_B, 1);
	assert_true(clock_now() - began >= 2 * 900);
	await_tone(caller, MEDIA_B, 600); /* what stands behind the sound */
	assert_int_equal(player->count[MEDIA_EV_PLAYED][MEDIA_B], 1);
	party_destroy(caller);
	party_destroy(player);
}

static void a_sound_is_played_as_often_as_wanted_and_its_end_told(void **state)
{
	(void)state;
	play(MEDIA_LEG_RTP);
}

static void a_sound_waits_for_a_peer_that_can_hear_it(void **state)
{
	(void)state;
	play(MEDIA_LEG_WEBRTC);
}

static void a_sound_without_end_goes_on_until_the_session_ends(void **state)
{
	struct media_local local = { .sound = sound_of(1500, 40) };
	struct party *caller = phone(MEDIA_LEG_RTP, &tone_440);
	struct party *player = party_create(MEDIA_LEG_RTP, MEDIA_LEG_LOCAL, &local);

	(void)state;
	media_sound_unref(local.sound);
	connect_directly(caller, player);
	await_tone(caller, MEDIA_B, 1500); /* five and more rounds */
	assert_int_equal(player->count[MEDIA_EV_PLAYED][MEDIA_B], 0);
	party_destroy(caller);
	party_destroy(player);
}

static void message_in(struct media_recording *recording, struct media_local *local, char *where,
		       unsigned max_ms)
{
	assert_int_equal(folder_make(), 0);
	(void)snprintf(where, 64, "%s/office", folder);
	*recording = (struct media_recording){ .folder = where,
					       .name = "m1",
					       .about = "{\"to\":\"x\"",
					       .beep = true,
					       .max_ms = max_ms };
	*local = (struct media_local){ .recording = recording };
}

static void await_file(const char *path)
{
	mono_ms deadline = clock_now() + PATIENCE_MS;

	while (access(path, F_OK) != 0)
		turn(deadline);
}

static void take_message(struct party *caller)
{
	struct party *box;
	struct media_recording recording;
	struct media_local local;
	char where[64], path[128], why[SOUND_FILE_WHY_ROOM];
	int16_t *samples;
	size_t count;

	message_in(&recording, &local, where, 1400);
	box = party_create(MEDIA_LEG_WEBRTC, MEDIA_LEG_LOCAL, &local);
	connect_directly(caller, box);
	await_tone(caller, MEDIA_B, 1000); /* the beep */
	await_event(box, MEDIA_EV_RECORDED, MEDIA_B, 1);
	assert_string_equal(box->reason, "max_length");
	assert_in_range(receipt(box, MEDIA_B).recorded_ms, 1200, 1400);
	(void)snprintf(path, sizeof(path), "%s/m1.json", where);
	await_file(path); /* the last to get its name */
	(void)snprintf(path, sizeof(path), "%s/m1.wav", where);
	assert_int_equal(sound_file_read(path, &samples, &count, why), 0);
	assert_in_range(count, 1200 * 8, 1400 * 8);
	assert_int_equal(wav_tone_of(samples, count), 440);
	free(samples);
	party_destroy(caller);
	party_destroy(box);
	assert_int_equal(folder_remove(), 0);
}

static void a_message_is_taken_after_the_beep(void **state)
{
	(void)state;
	take_message(phone(MEDIA_LEG_WEBRTC, &tone_440));
}

static void a_caller_without_g711_leaves_a_message_too(void **state)
{
	(void)state;
	take_message(phone_of(MEDIA_LEG_WEBRTC, &tone_440, "opus"));
	take_message(phone_of(MEDIA_LEG_WEBRTC, &tone_440, "G722"));
}

static void a_mailbox_that_takes_nothing_is_not_answered_for(void **state)
{
	struct party *caller = phone(MEDIA_LEG_RTP, &tone_440), *box;
	struct media_recording recording;
	struct media_local local;
	char where[64];

	(void)state;
	message_in(&recording, &local, where, 1400);
	recording.folder = "/proc/no/such/box";
	box = party_create(MEDIA_LEG_RTP, MEDIA_LEG_LOCAL, &local);
	assert_int_equal(media_offer(box->session, MEDIA_A, offer_of(caller)), 0);
	await_event(box, MEDIA_EV_REFUSED, MEDIA_A, 1);
	assert_int_equal(box->status, 503);
	assert_int_equal(box->count[MEDIA_EV_ANSWER][MEDIA_A], 0);
	party_destroy(caller);
	party_destroy(box);
	assert_int_equal(folder_remove(), 0);
}

/* RFC 4733: # with the end bit, each one an event of its own. */
static void press_hash(int fd, const struct sockaddr_in *to, uint32_t timestamp)
{
	uint8_t packet[16] = { 0x80, 101, 0, 1, 0, 0, 0, 0, 0, 0, 0, 9, 11, 0x8a, 0x03, 0x20 };

	for (unsigned i = 0; i < 4; i++)
		packet[4 + i] = (uint8_t)(timestamp >> (24 - 8 * i));
	packet[3] = (uint8_t)(timestamp / 1000);
	(void)sendto(fd, packet, sizeof(packet), 0, (const struct sockaddr *)to, sizeof(*to));
}

static void a_key_ends_a_message(void **state)
{
	struct sockaddr_in us = { .sin_family = AF_INET }, to = us;
	socklen_t length = sizeof(us);
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct media_recording recording;
	struct media_local local;
	struct party *box;
	char where[64], offer[256];
	mono_ms deadline = clock_now() + PATIENCE_MS;

	(void)state;
	message_in(&recording, &local, where, 60000);
	recording.beep = false;
	box = party_create(MEDIA_LEG_RTP, MEDIA_LEG_LOCAL, &local);
	us.sin_addr.s_addr = to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	assert_int_equal(bind(fd, (struct sockaddr *)&us, sizeof(us)), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&us, &length), 0);
	(void)snprintf(offer, sizeof(offer),
		       "v=0\r\nc=IN IP4 127.0.0.1\r\nm=audio %u RTP/AVP 8 101\r\n"
		       "a=rtpmap:101 telephone-event/8000\r\n",
		       ntohs(us.sin_port));
	assert_int_equal(media_offer(box->session, MEDIA_A, offer), 0);
	await_event(box, MEDIA_EV_ANSWER, MEDIA_A, 1);
	to.sin_port = htons((uint16_t)atoi(strstr(box->sdp[MEDIA_EV_ANSWER][0], "m=audio ") + 8));
	for (uint32_t at = 1000; box->count[MEDIA_EV_RECORDED][MEDIA_B] == 0; at += 1000) {
		press_hash(fd, &to, at);
		turn(deadline);
	}
	assert_string_equal(box->reason, "key");
	close(fd);
	party_destroy(box);
	(void)folder_remove(); /* the recorder may be removing the same files */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_sound_is_played_as_often_as_wanted_and_its_end_told),
		cmocka_unit_test(a_sound_waits_for_a_peer_that_can_hear_it),
		cmocka_unit_test(a_sound_without_end_goes_on_until_the_session_ends),
		cmocka_unit_test(a_message_is_taken_after_the_beep),
		cmocka_unit_test(a_caller_without_g711_leaves_a_message_too),
		cmocka_unit_test(a_mailbox_that_takes_nothing_is_not_answered_for),
		cmocka_unit_test(a_key_ends_a_message),
	};

	return cmocka_run_group_tests_name("media/local", tests, start_engines, stop_engines);
}
