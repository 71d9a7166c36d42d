/* SPDX-License-Identifier: Apache-2.0 */
/* dns.c - c-ares inside the loop: its sockets in an epoll set of their own, which
 * the loop watches as one descriptor, and its time-outs in one timer. */
#include "tas/sip/dns.h"

#include <ares.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "base/str.h"
#include "base/timer_wheel.h"
#include "tas/sip/sip_loop.h"

/* A server that is silent costs this once, twice of it at the second try, and
 * then the next one is asked. */
#define TIMEOUT_MS 1000
#define TRIES      2
#define CLASS_IN   1

struct dns {
	struct sip_loop *loop;
	ares_channel channel;
	int epoll;
	struct timer timer;
};

struct question {
	dns_answer_fn *on_answer;
	void *arg;
	enum dns_type type;
};

/* ---- what c-ares waits for ---- */

static void start_timer(struct dns *dns)
{
	struct timeval room, *left = ares_timeout(dns->channel, NULL, &room);

	if (!left) {
		timer_cancel(&dns->timer);
		return;
	}
	timer_start(sip_loop_wheel(dns->loop), &dns->timer,
		    clock_now() + (mono_ms)left->tv_sec * 1000 + left->tv_usec / 1000 + 1);
}

static void on_timer(struct timer *timer, void *arg)
{
	struct dns *dns = arg;

	(void)timer;
	ares_process_fd(dns->channel, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
	start_timer(dns);
}

static void on_ready(int fd, void *arg)
{
	struct dns *dns = arg;
	struct epoll_event events[8];
	int count = epoll_wait(fd, events, ARRAY_SIZE(events), 0);

	for (int i = 0; i < count; i++) {
		unsigned what = events[i].events;

		ares_process_fd(dns->channel,
				what & ~(unsigned)EPOLLOUT ? events[i].data.fd : ARES_SOCKET_BAD,
				what & EPOLLOUT ? events[i].data.fd : ARES_SOCKET_BAD);
	}
	start_timer(dns);
}

static void on_socket(void *arg, ares_socket_t fd, int readable, int writable)
{
	struct dns *dns = arg;
	struct epoll_event event = { .events =
					     (readable ? EPOLLIN : 0u) | (writable ? EPOLLOUT : 0u),
				     .data.fd = fd };

	/* A socket that cannot be watched is one that does not answer. */
	if (!event.events)
		(void)epoll_ctl(dns->epoll, EPOLL_CTL_DEL, fd, NULL);
	else if (epoll_ctl(dns->epoll, EPOLL_CTL_MOD, fd, &event) < 0)
		(void)epoll_ctl(dns->epoll, EPOLL_CTL_ADD, fd, &event);
}

/* ---- questions ---- */

static int error_of(int status)
{
	switch (status) {
	case ARES_SUCCESS:
	case ARES_ENODATA:
		return 0;
	case ARES_ENOTFOUND:
	case ARES_EBADNAME:
		return -ENOENT;
	case ARES_EDESTRUCTION:
	case ARES_ECANCELLED:
		return -ECANCELED;
	case ARES_ENOMEM:
		return -ENOMEM;
	default:
		return -EHOSTUNREACH;
	}
}

static void on_reply(void *arg, int status, int timeouts, unsigned char *bytes, int length)
{
	struct question *question = arg;
	struct dns_answer answer = { .count = 0 };
	int err = error_of(status);

	(void)timeouts;
	if (status == ARES_SUCCESS)
		err = dns_answer_read(bytes, (size_t)length, question->type, &answer);
	question->on_answer(err, err ? NULL : &answer, question->arg);
	free(question);
}

void dns_ask(struct dns *dns, const char *name, enum dns_type type, dns_answer_fn *on_answer,
	     void *arg)
{
	struct question *question = malloc(sizeof(*question));

	if (!question) {
		on_answer(-ENOMEM, NULL, arg);
		return;
	}
	*question = (struct question){ .on_answer = on_answer, .arg = arg, .type = type };
	ares_query(dns->channel, name, CLASS_IN, type, on_reply, question);
	start_timer(dns);
}

/* ---- life ---- */

static int set_servers(struct dns *dns, char *const *servers, size_t count)
{
	struct str list = { 0 };
	int status;

	for (size_t i = 0; i < count; i++)
		str_addf(&list, "%s%s", i ? "," : "", servers[i]);
	status = list.failed ? ARES_ENOMEM : ares_set_servers_ports_csv(dns->channel, list.text);
	str_done(&list);
	return status == ARES_SUCCESS ? 0 : status == ARES_ENOMEM ? -ENOMEM : -EINVAL;
}

static int open_channel(struct dns *dns)
{
	struct ares_options options = { .timeout = TIMEOUT_MS,
					.tries = TRIES,
					.sock_state_cb = on_socket,
					.sock_state_cb_data = dns };

	return ares_init_options(&dns->channel, &options,
				 ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_SOCK_STATE_CB) ==
			       ARES_SUCCESS
		       ? 0
		       : -ENOMEM;
}

int dns_create(struct dns **ret_dns, struct sip_loop *loop, char *const *servers,
	       size_t server_count)
{
	struct dns *dns;
	int err;

	if (ares_library_init(ARES_LIB_INIT_ALL) != ARES_SUCCESS)
		return -ENOMEM;
	dns = calloc(1, sizeof(*dns));
	if (!dns) {
		ares_library_cleanup();
		return -ENOMEM;
	}
	dns->loop = loop;
	timer_init(&dns->timer, on_timer, dns);
	dns->epoll = epoll_create1(EPOLL_CLOEXEC);
	err = dns->epoll < 0 ? -ENOMEM : open_channel(dns);
	if (!err && server_count)
		err = set_servers(dns, servers, server_count);
	if (!err)
		err = sip_loop_watch(loop, dns->epoll, on_ready, dns);
	if (err) {
		dns_destroy(dns);
		return err;
	}
	*ret_dns = dns;
	return 0;
}

struct dns *dns_destroy(struct dns *dns)
{
	if (!dns)
		return NULL;
	if (dns->channel)
		ares_destroy(dns->channel);
	timer_cancel(&dns->timer);
	if (dns->epoll >= 0) {
		sip_loop_unwatch(dns->loop, dns->epoll);
		close(dns->epoll);
	}
	free(dns);
	ares_library_cleanup();
	return NULL;
}
