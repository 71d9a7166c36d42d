/* SPDX-License-Identifier: Apache-2.0 */
/* message.c - a message left for somebody: its file's name, and what stands in
 * the JSON file beside it.
 *
 * Numbers are no part of the name, which shows in the log.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "tas/call/call_state.h"

static char *about_text(const struct call *call, const struct call_mailbox *mailbox,
			const char *time)
{
	const struct {
		const char *name, *value;
	} members[] = {
		{ "id", call->id },
		{ "mailbox", mailbox->name },
		{ "caller", mailbox->caller },
		{ "called", mailbox->called },
		{ "number", call->plan->number },
		{ "time", time },
		{ "call_id", leg_info(call->leg[MEDIA_A])->call_id },
	};
	struct str json = { 0 };

	for (size_t i = 0; i < ARRAY_SIZE(members); i++) {
		if (!members[i].value)
			continue;
		str_addf(&json, "%c\"%s\":", i ? ',' : '{', members[i].name);
		str_add_json(&json, members[i].value);
	}
	return str_take(&json);
}

int message_init(struct message *message, struct call *call, const struct call_mailbox *mailbox)
{
	time_t seconds = (time_t)(clock_wall() / 1000);
	char time_text[32];
	struct str path = { 0 };
	struct tm tm;

	gmtime_r(&seconds, &tm);
	strftime(message->name, sizeof(message->name), "%Y%m%dT%H%M%SZ-", &tm);
	snprintf(message->name + strlen(message->name), sizeof(message->name) - 20, "%s", call->id);
	strftime(time_text, sizeof(time_text), "%Y-%m-%dT%H:%M:%SZ", &tm);
	message->about = about_text(call, mailbox, time_text);
	str_addf(&path, "%s/%s%s", mailbox->folder, message->name,
		 media_recording_ending(mailbox->opus, mailbox->public_key));
	free(call->message_path);
	call->message_path = str_take(&path);
	if (!message->about || !call->message_path)
		return -ENOMEM;
	message->recording = (struct media_recording){ .folder = mailbox->folder,
						       .name = message->name,
						       .about = message->about,
						       .public_key = mailbox->public_key,
						       .opus = mailbox->opus,
						       .beep = mailbox->beep,
						       .max_ms = mailbox->max_ms,
						       .silence_ms = mailbox->silence_ms };
	return 0;
}

void message_done(struct message *message)
{
	free(message->about);
}

const char *message_left(const struct call *call)
{
	enum media_record_state state = record_receipt(call, MEDIA_A)->record;

	if (call->recorded)
		return state == MEDIA_RECORD_FAILED || state == MEDIA_RECORD_CODEC
			       ? NULL
			       : call->message_path;
	return record_receipt(call, MEDIA_B)->recorded_ms >= MEDIA_RECORDING_SHORTEST_MS
		       ? call->message_path
		       : NULL;
}

void message_tell(const struct call *call)
{
	const struct call_mailbox *mailbox = call_current_step(call)->mailbox;
	const char *path = message_left(call);

	if (!path || call->recorded || !mailbox || !mailbox->notice)
		return;
	mailbox->notice->tell(
		mailbox->notice,
		&(struct call_message){ .mailbox = mailbox->name,
					.caller = mailbox->caller,
					.called = mailbox->called,
					.number = call->plan->number,
					.file = strrchr(path, '/') + 1, /* message_init() */
					.call = call->id,
					.call_id = call_caller(call)->call_id,
					.length_ms = record_receipt(call, MEDIA_B)->recorded_ms });
}

/* Trouble with it is no reason to end the call. */
void message_record(struct call *call)
{
	struct message message = { 0 };
	int err;

	if (!call->plan->recording || !call->session || call_current_step(call)->mailbox)
		return;
	err = message_init(&message, call, call->plan->recording);
	if (!err)
		err = media_record(call->session, &message.recording);
	message_done(&message);
	if (err)
		log_error("call", "call=%s is not recorded: out of memory", call->id);
	else
		call->recorded = true;
}
