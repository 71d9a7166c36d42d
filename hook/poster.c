/* SPDX-License-Identifier: Apache-2.0 */
/* poster.c - the only file of this room that includes libcurl.
 *
 * One multi handle: its transfers share a cache of connections that are kept
 * alive and used again.
 */
#include "hook/poster.h"

#include <ctype.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <curl/curl.h>
#include "base/log.h"
#include "base/thread.h"

#define KEPT_CONNECTIONS 256L
#define IDLE_S           60L   /* servers commonly close after 60 to 75 s */
#define CA_CACHE_S       60L   /* a CA file that was exchanged counts after a minute */
#define POLL_MS          60000 /* mail and sockets wake the thread; this is only a bound */

struct transfer {
	CURL *easy;
	struct curl_slist *headers;
	bool too_large;
	char error[CURL_ERROR_SIZE];
};

struct poster {
	struct mailbox *mailbox, *replies; /* own; borrowed */
	mail_fn *deliver;
	pthread_t thread;
	bool started;
	/* The thread's: */
	CURLM *multi;
	struct job *jobs; /* under way */
	bool stop;
};

static struct transfer *transfer_free(struct transfer *transfer)
{
	if (!transfer)
		return NULL;
	curl_easy_cleanup(transfer->easy);
	curl_slist_free_all(transfer->headers);
	free(transfer);
	return NULL;
}

struct job *job_free(struct job *job)
{
	if (!job)
		return NULL;
	free(job->url);
	free(job->ca_file);
	free(job->body);
	str_done(&job->answer);
	free(job);
	return NULL;
}

/* ---- one transfer ---- */

static size_t on_body(char *data, size_t size, size_t count, void *arg)
{
	struct job *job = arg;
	size_t length = size * count;

	if (length > HOOK_BODY_MAX - job->answer.length) {
		job->transfer->too_large = true;
		return 0;
	}
	str_add_n(&job->answer, data, length);
	return job->answer.failed ? 0 : length;
}

static int add_header(struct transfer *transfer, const char *line)
{
	struct curl_slist *longer = curl_slist_append(transfer->headers, line);

	if (!longer)
		return -ENOMEM;
	transfer->headers = longer;
	return 0;
}

static int add_headers(struct transfer *transfer, const struct job *job)
{
	char line[SIGN_ROOM + 32];
	int err = add_header(transfer, "Content-Type: application/json");

	if (!err)
		err = add_header(transfer, "Accept: application/json");
	if (!err)
		err = add_header(transfer, "Expect:"); /* a pause we have no time for */
	if (err || !job->signature[0])
		return err;
	snprintf(line, sizeof(line), "Breakout-Signature: %s", job->signature);
	return add_header(transfer, line);
}

static int set_request(struct job *job)
{
	struct transfer *transfer = job->transfer;
	CURL *easy = transfer->easy;
	CURLcode code = curl_easy_setopt(easy, CURLOPT_URL, job->url);

	if (code == CURLE_OK)
		code = curl_easy_setopt(easy, CURLOPT_USERAGENT, "breakout/" BREAKOUT_VERSION);
	if (code == CURLE_OK && job->ca_file)
		code = curl_easy_setopt(easy, CURLOPT_CAINFO, job->ca_file);
	/* An environment variable must not decide who hears of calls. */
	if (code == CURLE_OK)
		code = curl_easy_setopt(easy, CURLOPT_PROXY, "");
	if (code == CURLE_OK)
		code = curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "https,http");
	curl_easy_setopt(easy, CURLOPT_HTTPHEADER, transfer->headers);
	curl_easy_setopt(easy, CURLOPT_POSTFIELDS, job->body);
	curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE, (long)strlen(job->body));
	curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
	curl_easy_setopt(easy, CURLOPT_WRITEDATA, job);
	curl_easy_setopt(easy, CURLOPT_PRIVATE, job);
	curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, transfer->error);
	return code == CURLE_OK ? 0 : -ENOMEM;
}

static void set_manners(CURL *easy, mono_ms left)
{
	curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, (long)left);
	curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, (long)left);
	/* Else giving up would wait for the resolver's thread. */
	curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L);
	curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
	curl_easy_setopt(easy, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
	/* One request a connection: a lost packet holds up nobody else's. */
	curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	curl_easy_setopt(easy, CURLOPT_MAXAGE_CONN, IDLE_S);
	curl_easy_setopt(easy, CURLOPT_CA_CACHE_TIMEOUT, CA_CACHE_S);
}

static int start_transfer(struct poster *poster, struct job *job, mono_ms left)
{
	struct transfer *transfer = calloc(1, sizeof(*transfer));
	int err;

	if (!transfer)
		return -ENOMEM;
	job->transfer = transfer;
	transfer->easy = curl_easy_init();
	err = transfer->easy ? add_headers(transfer, job) : -ENOMEM;
	if (!err)
		err = set_request(job);
	if (err)
		return err;
	set_manners(transfer->easy, left);
	return curl_multi_add_handle(poster->multi, transfer->easy) == CURLM_OK ? 0 : -ENOMEM;
}

/* ---- jobs ---- */

static void link_job(struct poster *poster, struct job *job)
{
	job->next = poster->jobs;
	job->link = &poster->jobs;
	if (job->next)
		job->next->link = &job->next;
	poster->jobs = job;
}

/* Takes it out of the thread's hands. */
static void drop_transfer(struct poster *poster, struct job *job)
{
	*job->link = job->next;
	if (job->next)
		job->next->link = job->link;
	if (job->transfer && job->transfer->easy) /* fine if it was never added */
		curl_multi_remove_handle(poster->multi, job->transfer->easy);
	job->transfer = transfer_free(job->transfer);
}

static void send_back(struct poster *poster, struct job *take_job, enum hook_result result)
{
	take_job->result = result;
	take_job->mail.deliver = poster->deliver;
	mailbox_post(poster->replies, &take_job->mail);
}

static void on_job(struct mail *mail, void *receiver)
{
	struct job *job = CONTAINER_OF(mail, struct job, mail);
	struct poster *poster = receiver;
	mono_ms left = job->due_ms - clock_now();

	link_job(poster, job);
	if (left > 0 && start_transfer(poster, job, left) == 0)
		return;
	drop_transfer(poster, job);
	snprintf(job->detail, sizeof(job->detail), "%s",
		 left > 0 ? "out of memory" : "it waited too long for a connection");
	send_back(poster, job, left > 0 ? HOOK_UNREACHABLE : HOOK_TIMEOUT);
}

struct cancel {
	struct mail mail;
	struct ticket ticket;
};

static void on_cancel(struct mail *mail, void *receiver)
{
	struct cancel *cancel = CONTAINER_OF(mail, struct cancel, mail);
	struct poster *poster = receiver;
	struct job *job = poster->jobs;

	while (job && (job->ticket.slot != cancel->ticket.slot ||
		       job->ticket.generation != cancel->ticket.generation))
		job = job->next;
	if (job) {
		drop_transfer(poster, job);
		job_free(job);
	}
	free(cancel);
}

/* What curl says, short and printable. */
static void put_detail(struct job *job, CURLcode code)
{
	const char *text = job->transfer->error;
	size_t used = 0;

	if (!*text)
		text = curl_easy_strerror(code);
	for (; *text && used + 1 < sizeof(job->detail); text++)
		job->detail[used++] = isprint((unsigned char)*text) ? *text : '?';
	job->detail[used] = '\0';
}

static enum hook_result result_of(const struct job *job, CURLcode code)
{
	if (code == CURLE_OK)
		return job->status >= 200 && job->status < 300 ? HOOK_ANSWERED : HOOK_STATUS;
	if (job->transfer->too_large)
		return HOOK_TOO_LARGE;
	if (code == CURLE_OPERATION_TIMEDOUT)
		return HOOK_TIMEOUT;
	if (code == CURLE_PEER_FAILED_VERIFICATION || code == CURLE_SSL_CACERT_BADFILE ||
	    code == CURLE_SSL_ISSUER_ERROR)
		return HOOK_UNTRUSTED;
	return HOOK_UNREACHABLE;
}

static void finish(struct poster *poster, CURL *easy, CURLcode code)
{
	struct job *job = NULL;
	enum hook_result result;
	long status = 0;

	curl_easy_getinfo(easy, CURLINFO_PRIVATE, &job);
	curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
	job->status = (int)status;
	result = result_of(job, code);
	if (code != CURLE_OK)
		put_detail(job, code);
	drop_transfer(poster, job);
	send_back(poster, job, result);
}

/* ---- the thread ---- */

static void *run(void *arg)
{
	struct poster *poster = arg;

	while (!poster->stop) {
		struct curl_waitfd mail = { .fd = mailbox_fd(poster->mailbox),
					    .events = CURL_WAIT_POLLIN };
		int running, left;
		CURLMsg *message;

		curl_multi_perform(poster->multi, &running);
		while ((message = curl_multi_info_read(poster->multi, &left)))
			if (message->msg == CURLMSG_DONE)
				finish(poster, message->easy_handle, message->data.result);
		curl_multi_poll(poster->multi, &mail, 1, POLL_MS, NULL);
		mailbox_drain(poster->mailbox, 0);
	}
	for (struct job *job = poster->jobs, *next; job; job = next) {
		next = job->next;
		drop_transfer(poster, job);
		job_free(job);
	}
	return NULL;
}

static int start_thread(struct poster *poster)
{
	int err = thread_start(&poster->thread, "hook", THREAD_PROMPT, run, poster);

	poster->started = !err;
	return err;
}

int poster_create(struct poster **ret_poster, struct mailbox *replies, mail_fn *deliver)
{
	struct poster *poster;
	int err;

	if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
		return -ENOMEM;
	poster = calloc(1, sizeof(*poster));
	if (!poster) {
		curl_global_cleanup();
		return -ENOMEM;
	}
	poster->replies = replies;
	poster->deliver = deliver;
	poster->multi = curl_multi_init();
	err = poster->multi ? mailbox_create(&poster->mailbox, poster) : -ENOMEM;
	if (!err) {
		curl_multi_setopt(poster->multi, CURLMOPT_MAXCONNECTS, KEPT_CONNECTIONS);
		err = start_thread(poster);
	}
	if (err) {
		poster_destroy(poster);
		return err;
	}
	*ret_poster = poster;
	return 0;
}

static void on_stop(struct mail *mail, void *receiver)
{
	struct poster *poster = receiver;

	poster->stop = true;
	free(mail);
}

/* What waits at the thread's door when it has gone. */
static void dispose(struct mail *mail)
{
	if (mail->deliver == on_job)
		job_free(CONTAINER_OF(mail, struct job, mail));
	else
		free(mail);
}

struct poster *poster_destroy(struct poster *poster)
{
	if (!poster)
		return NULL;
	if (poster->started) {
		struct mail *stop = calloc(1, sizeof(*stop));

		if (!stop)
			abort(); /* a thread that cannot be stopped cannot be freed either */
		stop->deliver = on_stop;
		mailbox_post(poster->mailbox, stop);
		pthread_join(poster->thread, NULL);
	}
	mailbox_destroy(poster->mailbox, dispose);
	curl_multi_cleanup(poster->multi);
	free(poster);
	curl_global_cleanup();
	return NULL;
}

void poster_post(struct poster *poster, struct job *take_job)
{
	take_job->mail.deliver = on_job;
	mailbox_post(poster->mailbox, &take_job->mail);
}

/* Without memory the job ends at its own deadline. */
void poster_cancel(struct poster *poster, struct ticket ticket)
{
	struct cancel *cancel = calloc(1, sizeof(*cancel));

	if (!cancel)
		return;
	cancel->mail.deliver = on_cancel;
	cancel->ticket = ticket;
	mailbox_post(poster->mailbox, &cancel->mail);
}
