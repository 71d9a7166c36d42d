/* SPDX-License-Identifier: Apache-2.0 */
/* notice.c - somebody's server is told that a message was left.
 *
 * The call is over by then, and its plan about to go: what is to be told stays with the
 * room until the server has taken it or was asked often enough. The notice holds a copy
 * of all it needs, as the configuration may be exchanged meanwhile.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "base/fd_link.h"
#include "base/secret.h"
#include "base/str.h"
#include "base/timer_wheel.h"
#include "tas/service/decision.h"
#include "tas/service/untold.h"

/* Seconds from one attempt to the next: a server that is being restarted is back within
 * the first, one that is being mended within the last. */
static const unsigned pauses_s[] = { 5, 30, 120, 600 };

struct message_notice {
	struct call_notice notice;
	struct service_room *room;
	char *url, *ca_file, *secret;
	char *dir; /* of the mailboxes: where it waits from our stop to the next start */
	bool unsigned_by_mistake; /* the secret could not be read */
	unsigned deadline_ms, connections, queue;
	/* Once told, the room's: */
	struct message_notice *next, **link; /* link is NULL: the plan's */
	char *body, *call;
	unsigned attempts;
	struct hook_ask *ask;
	struct timer timer;
};

static void notice_free(struct message_notice *notice)
{
	timer_cancel(&notice->timer);
	if (notice->link) {
		*notice->link = notice->next;
		if (notice->next)
			notice->next->link = notice->link;
	}
	free(notice->url);
	free(notice->ca_file);
	free(notice->dir);
	secret_free(notice->secret);
	free(notice->body);
	free(notice->call);
	free(notice);
}

/* A server that is told twice knows the message by its file. */
static void leave(const struct message_notice *notice)
{
	const struct untold untold = { .url = notice->url,
				       .call = notice->call,
				       .body = notice->body };
	int err = notice->dir ? untold_keep(notice->dir, &untold) : -ENOENT;

	if (err)
		log_error("service",
			  "call=%s nobody was told of its message, and the notice cannot be kept "
			  "in %s: %s. The message itself is kept",
			  notice->call, notice->dir ? notice->dir : "?", strerror(-err));
	else
		log_notice("service", "call=%s nobody was told of its message: the next start does",
			   notice->call);
}

void notices_done(struct service_room *room)
{
	while (room->notices) {
		struct message_notice *notice = room->notices;

		leave(notice);
		notice->ask = hook_cancel(notice->ask);
		notice_free(notice);
	}
}

/* ---- attempts ---- */

static void failed(struct message_notice *notice, const char *what, const char *detail)
{
	const char *colon = detail[0] ? ": " : "";
	unsigned pause_s;

	if (notice->attempts > ARRAY_SIZE(pauses_s)) {
		log_error("service",
			  "call=%s nobody was told of its message, %u attempts, the last: %s%s%s. "
			  "Look at the server of voicemail.notify; the message itself is kept",
			  notice->call, notice->attempts, what, colon, detail);
		notice_free(notice);
		return;
	}
	pause_s = pauses_s[notice->attempts - 1];
	log_notice("service", "call=%s notice of its message failed (%s%s%s), again in %u s",
		   notice->call, what, colon, detail, pause_s);
	timer_start(notice->room->wheel, &notice->timer, clock_now() + (mono_ms)pause_s * 1000);
}

static void on_reply(const struct hook_reply *reply, void *arg)
{
	struct message_notice *notice = arg;
	struct str what = { 0 };

	notice->ask = NULL;
	if (reply->result == HOOK_ANSWERED) {
		log_info("service", "call=%s message told in %u ms", notice->call, reply->took_ms);
		notice_free(notice);
		return;
	}
	if (reply->result == HOOK_STATUS)
		str_addf(&what, "HTTP status %d", reply->status);
	else
		str_add(&what, hook_result_name(reply->result));
	failed(notice, what.failed ? "out of memory" : what.text, reply->detail);
	str_done(&what);
}

static void attempt(struct message_notice *notice)
{
	const struct hook_request request = {
		.url = notice->url,
		.ca_file = notice->ca_file,
		.secret = notice->secret,
		.deadline_ms = notice->deadline_ms,
		.connections = notice->connections,
		.queue = notice->queue,
		.body = notice->body,
	};
	int err;

	notice->attempts++;
	err = hook_post(&notice->ask, notice->room->hooks, &request, on_reply, notice);
	if (err)
		failed(notice,
		       err == -EBUSY    ? hook_result_name(HOOK_FULL)
		       : err == -EAGAIN ? hook_result_name(HOOK_SUSPENDED)
					: strerror(-err),
		       "");
}

static void on_timer(struct timer *timer, void *arg)
{
	(void)timer;
	attempt(arg);
}

/* ---- the message ---- */

static char *body_of(const struct call_message *message)
{
	const struct {
		const char *name, *value;
	} members[] = {
		{ "mailbox", message->mailbox }, { "caller", message->caller },
		{ "called", message->called },   { "number", message->number },
		{ "file", message->file },       { "call", message->call },
		{ "call_id", message->call_id },
	};
	struct str json = { 0 };

	str_add(&json, "{\"version\":1,\"event\":\"message\"");
	for (size_t i = 0; i < ARRAY_SIZE(members); i++) {
		str_addf(&json, ",\"%s\":", members[i].name);
		str_add_json(&json, members[i].value);
	}
	str_addf(&json, ",\"length_ms\":%u}", message->length_ms);
	return str_take(&json);
}

static struct message_notice *of(struct call_notice *notice)
{
	return CONTAINER_OF(notice, struct message_notice, notice);
}

/* The room's from now on. */
static void keep(struct message_notice *notice)
{
	struct service_room *room = notice->room;

	notice->next = room->notices;
	notice->link = &room->notices;
	if (notice->next)
		notice->next->link = &notice->next;
	room->notices = notice;
}

static void notice_tell(struct call_notice *base, const struct call_message *message)
{
	struct message_notice *notice = of(base);
	struct service_room *room = notice->room;

	if (!room->hooks || notice->link)
		return;
	if (notice->unsigned_by_mistake) {
		log_error("service",
			  "call=%s nobody is told of its message: voicemail.notify.secret_file "
			  "could not be read",
			  message->call);
		return;
	}
	notice->body = body_of(message);
	notice->call = strdup(message->call);
	if (!notice->body || !notice->call) {
		log_error("service", "call=%s nobody is told of its message: out of memory",
			  message->call);
		return;
	}
	keep(notice);
	attempt(notice);
}

static void notice_destroy(struct call_notice *base)
{
	struct message_notice *notice = of(base);

	if (!notice->link)
		notice_free(notice);
}

/* ---- to a process that takes our place ---- */

static void pack(struct str *to, const struct message_notice *notice)
{
	mono_ms wait = timer_active(&notice->timer) ? notice->timer.due_ms - clock_now() : 0;

	pack_text(to, notice->url);
	pack_text(to, notice->ca_file);
	pack_text(to, notice->secret);
	pack_text(to, notice->body);
	pack_text(to, notice->call);
	pack_number(to, notice->deadline_ms);
	pack_number(to, notice->connections);
	pack_number(to, notice->queue);
	/* One that is on its way is not known to have been heard: it goes again. */
	pack_number(to, notice->attempts - (notice->ask ? 1 : 0));
	pack_number(to, wait > 0 ? (uint64_t)wait : 0);
	pack_text(to, notice->dir);
}

void service_hand_over_notices(struct service_room *room,
			       int (*send)(const struct str *packed, void *arg), void *arg)
{
	int err = 0;

	while (room->notices && !err) {
		struct message_notice *notice = room->notices;
		struct str packed = { 0 };

		pack(&packed, notice);
		err = packed.failed ? -ENOMEM : send(&packed, arg);
		if (packed.text)
			explicit_bzero(packed.text, packed.length);
		str_done(&packed);
		if (err)
			return; /* they end with us, and that is said */
		notice->ask = hook_cancel(notice->ask);
		notice_free(notice);
	}
}

/* NULL: there was none, or no memory. */
static char *unpack_copy(struct unpack *from)
{
	size_t length;
	const char *text = unpack_bytes(from, &length);

	return length ? strndup(text, length) : NULL;
}

int service_take_notice(struct service_room *room, struct unpack *from)
{
	struct message_notice *notice = calloc(1, sizeof(*notice));
	mono_ms wait;

	if (!notice)
		return -ENOMEM;
	notice->room = room;
	timer_init(&notice->timer, on_timer, notice);
	notice->url = unpack_copy(from);
	notice->ca_file = unpack_copy(from);
	notice->secret = unpack_copy(from);
	notice->body = unpack_copy(from);
	notice->call = unpack_copy(from);
	notice->deadline_ms = (unsigned)unpack_number(from);
	notice->connections = (unsigned)unpack_number(from);
	notice->queue = (unsigned)unpack_number(from);
	notice->attempts = (unsigned)unpack_number(from);
	wait = (mono_ms)unpack_number(from);
	if (from->at < from->end) /* a process of an older version does not say */
		notice->dir = unpack_copy(from);
	if (from->failed || !notice->url || !notice->body || !notice->call) {
		notice_free(notice);
		return from->failed ? -EPROTO : -ENOMEM;
	}
	keep(notice);
	timer_start(room->wheel, &notice->timer, clock_now() + wait);
	return 0;
}

/* For the server and the mailboxes of an action. NULL: no memory. */
static struct message_notice *notice_create(struct service_room *room,
					    const struct config_action *action)
{
	struct message_notice *notice = calloc(1, sizeof(*notice));
	const struct config_webhook *server = action->notify;
	const char *secret = room->secrets ? room->secrets[server->index] : NULL;

	if (!notice)
		return NULL;
	notice->notice = (struct call_notice){ .tell = notice_tell, .destroy = notice_destroy };
	notice->room = room;
	timer_init(&notice->timer, on_timer, notice);
	notice->url = strdup(server->url);
	notice->ca_file = str_dup_or_null(server->ca_file);
	notice->secret = str_dup_or_null(secret);
	notice->dir = strdup(action->voicemail_dir);
	notice->unsigned_by_mistake = server->secret_file && !secret;
	notice->deadline_ms = server->deadline_ms;
	notice->connections = server->connections;
	notice->queue = server->queue;
	if (notice->url && notice->dir && !notice->ca_file == !server->ca_file &&
	    !notice->secret == !secret)
		return notice;
	notice_free(notice);
	return NULL;
}

struct call_notice *notice_new(struct decision *decision, const struct config_action *action)
{
	struct message_notice *notice = notice_create(decision->room, action);

	if (!notice)
		decision->failed = true;
	return notice ? &notice->notice : NULL;
}

/* ---- what a stop left ---- */

#define ORPHAN_DAYS 30 /* what nobody is to be told of any more is kept for so long */
#define DAY_S       86400

typedef bool mailbox_fn(const struct config_action *action, void *arg);

/* Whether some step that takes messages is as it says: it is asked of each until one is. */
static bool any_mailbox(const struct config *config, mailbox_fn *is, void *arg)
{
	for (size_t i = 0; i < config->service_count; i++)
		for (size_t j = 0; j < config->services[i].rule_count; j++) {
			const struct config_rule *rule = &config->services[i].rules[j];

			for (size_t k = 0; k < rule->action_count; k++)
				if (rule->actions[k].kind == ACTION_VOICEMAIL &&
				    is(&rule->actions[k], arg))
					return true;
		}
	return false;
}

struct taking {
	struct service_room *room;
	const struct config_action *action;
	const struct untold *untold;       /* the one in question */
	const struct config_action *first; /* that has the action's folder */
};

static int take_untold(const struct untold *untold, void *arg)
{
	const struct taking *taking = arg;
	struct message_notice *notice;

	if (strcmp(untold->url, taking->action->notify->url))
		return 0; /* another action's; or nobody's any more */
	notice = notice_create(taking->room, taking->action);
	if (!notice)
		return -ENOMEM;
	notice->body = strdup(untold->body);
	notice->call = strdup(untold->call);
	if (!notice->body || !notice->call || notice->unsigned_by_mistake) {
		int err = notice->unsigned_by_mistake ? -ENOKEY : -ENOMEM;

		notice_free(notice);
		return err;
	}
	keep(notice);
	timer_start(taking->room->wheel, &notice->timer, clock_now());
	return 1;
}

static bool take_up(const struct config_action *action, void *arg)
{
	struct taking taking = { .room = arg, .action = action };

	if (action->notify)
		untold_each(action->voicemail_dir, take_untold, &taking);
	return false;
}

static bool tells_it(const struct config_action *action, void *arg)
{
	const struct taking *taking = arg;

	return action->notify && !strcmp(action->notify->url, taking->untold->url) &&
	       !strcmp(action->voicemail_dir, taking->action->voicemail_dir);
}

/* Nobody is told of it by any step that there is now. */
static int judge_orphan(const struct untold *untold, void *arg)
{
	struct taking *taking = arg;
	long long left = ORPHAN_DAYS - untold->kept_s / DAY_S;

	taking->untold = untold;
	if (any_mailbox(taking->room->config, tells_it, taking))
		return 0;
	if (left <= 0) {
		log_error("service",
			  "call=%s its notice is dropped after %d days: no voicemail.notify with "
			  "this folder has its url. The message itself is kept",
			  untold->call, ORPHAN_DAYS);
		return 1;
	}
	log_error("service",
		  "call=%s no voicemail.notify with this folder has the url that is told of its "
		  "message, the second line of %s: put it back and restart, or remove that file. "
		  "It is dropped in %lld days",
		  untold->call, untold->path, left);
	return 0;
}

static bool has_its_dir(const struct config_action *action, void *arg)
{
	struct taking *taking = arg;
	bool has = !strcmp(action->voicemail_dir, taking->action->voicemail_dir);

	if (has)
		taking->first = action;
	return has;
}

static bool look_for_orphans(const struct config_action *action, void *arg)
{
	struct taking taking = { .room = arg, .action = action };

	(void)any_mailbox(taking.room->config, has_its_dir, &taking); /* there is this one */
	if (taking.first == action)
		untold_each(action->voicemail_dir, judge_orphan, &taking);
	return false;
}

void service_take_up_notices(struct service_room *room)
{
	if (!room->hooks)
		return;
	(void)any_mailbox(room->config, take_up, room);
	(void)any_mailbox(room->config, look_for_orphans, room);
}
