/* SPDX-License-Identifier: Apache-2.0 */
/* admin.h - the door to tas/admin: the operator's Unix socket and HTTP side.
 *
 * HTTP is described by tas/admin/page/openapi.json. On the Unix socket, one request line in,
 * one JSON document out, then the connection closes:
 *
 * - status: one object
 * - regs [AFTER]: {"registrations": [...], "more": bool}, by number
 * - reg NUMBER: one registration
 * - calls: {"calls": [...]}, those of processes that were here before with their "pid"
 * - trunks: {"trunks": [...]}, one object for each address
 * - devices: {"devices": [...]}, one for each contact
 * - add, put, delete, import ...: see numbers.h; the bytes of an import follow the line, as many
 *   as it says ("length")
 * - refresh [NUMBER]: makes the next refresh due now
 * - drain: as SIGTERM does
 * - undrain: takes it back while calls go on
 * - restart: begins to put a new process in the place of this one; `status` says how it went
 * - explain QUESTION: why a call goes where it goes, see explain.h
 * - trace ID: what was said in a call, by its id or a Call-ID
 * - traced, trace_on ORDER, trace_off ORDER: see traced.h
 * - log [[AREA=]LEVEL [for TIME]]: see log_levels.h
 * - metrics: {"metrics": [...], "text": what Prometheus reads}
 *
 * What cannot be answered is {"error": "one sentence"}.
 *
 * Reads other rooms, changes nothing but through their doors.
 *
 * Threads: one of its own and one for each HTTP listener; they ask the SIP
 * thread by mail and wait for the answer for at most two seconds.
 */
#ifndef BREAKOUT_TAS_ADMIN_ADMIN_H
#define BREAKOUT_TAS_ADMIN_ADMIN_H

#include <stdbool.h>
#include "base/macros.h"
#include "base/str.h"
#include "config/config.h"
#include "registrar/registrar.h"
#include "tas/admin/reload.h"
#include "tas/call/call.h"
#include "tas/device/device.h"
#include "tas/load/load.h"
#include "tas/service/service.h"
#include "tas/sip/sip_loop.h"
#include "tas/sip/tls_files.h"
#include "tas/traced/traced.h"
#include "tas/vitals/vitals.h"

struct admin; /* opaque */

/* What the daemon goes by; borrowed until the SIP thread goes on. */
struct admin_view {
	const struct config *started; /* what needs a restart is as here */
	const struct config *config;  /* in force */
	const struct reload_report *reload;
	const struct tls_files *files;
	const struct admin_restart *restart; /* NULL (tests): nothing is known */
};

#define RESTART_ELDERS_MAX 3 /* each has the memory of a daemon */

#define RESTART_SOCKET_ROOM 108 /* sun_path of unix(7) */

/* How the daemon and others that were or will be in its place stand. */
struct admin_restart {
	enum { RESTART_NONE, RESTART_GOES_ON, RESTART_FAILED } state; /* of the last one */
	char why[1024];                                               /* it failed */
	/* Were here before us, and still have calls; the youngest first. */
	struct restart_elder {
		int pid;
		size_t calls, legs;
		unsigned for_s;                   /* until they are ended */
		char socket[RESTART_SOCKET_ROOM]; /* as admin_options.socket_path; "": none */
	} elders[RESTART_ELDERS_MAX];
	size_t elder_count;
};

struct admin_options {
	const char *socket_path;       /* copied */
	bool only_socket;              /* no HTTP and no orders: another process has our place */
	const struct config *config;   /* in force; kept by reference */
	struct registrar *registrar;   /* borrowed; may be NULL (tests) */
	struct call_room *calls;       /* borrowed */
	struct service_room *service;  /* borrowed; may be NULL (tests) */
	struct sip_endpoint *endpoint; /* borrowed; may be NULL (tests) */
	struct device_room *devices;   /* borrowed; may be NULL (tests) */
	struct vitals *vitals;         /* borrowed; may be NULL (tests) */
	struct load_room *load;        /* borrowed; may be NULL (tests) */
	struct traced *traced;         /* borrowed; NULL: no number can be traced */
	struct sip_loop *loop;         /* borrowed */
	/* A socket that listens already, of a daemon that was here before, by the name
	 * admin_each_socket() gave it there; the admin's then. -1: none. NULL: none at all. */
	int (*inherit)(const char *name, void *arg);
	/* Called on the SIP thread. */
	void (*drain)(void *arg);
	const char *(*undrain)(void *arg); /* NULL: done; else why it cannot be */
	bool (*draining)(void *arg);
	/* Begins to put another process in our place; NULL: it does, else why not. NULL
	 * (tests): nothing can. */
	const char *(*restart)(void *arg);
	unsigned (*reload)(void *arg); /* begins one; its number. NULL (tests): there is none */
	void (*view)(struct admin_view *ret_view, void *arg); /* NULL (tests): nothing to see */
	void *arg;
};
/* 0, -EADDRINUSE (another daemon answers there), -EACCES, -ENOMEM, or what
 * else the path did not allow (-ENOENT, -ENAMETOOLONG). Destroy it while the
 * loop and the rooms it looks into still exist. */
int admin_create(struct admin **ret_admin, const struct admin_options *options) MUST_CHECK;
struct admin *admin_destroy(struct admin *admin);
/* The sockets it listens on, with names; and the end of all but these sockets, which
 * another process has then. */
void admin_each_socket(const struct admin *admin,
		       void (*visit)(const char *name, int fd, void *arg), void *arg);
struct admin *admin_hand_over(struct admin *admin);
/* Takes over another configuration, of tokens and rate too; listeners stay. NULL is
 * fine. Threads: the SIP thread. */
void admin_reconfigure(struct admin *admin, const struct config *config);
/* The certificate of https, if its files changed. 0, or why the old one stays, which the
 * log says. NULL is fine. Threads: the SIP thread. */
int admin_renew_certificate(struct admin *admin, const struct config *config) MUST_CHECK;

/* The socket while the daemon starts: whatever is asked is answered by what `say` adds, as an
 * error. */
struct admin_herald; /* opaque */

/* say: called on a thread of its own. 0, or as admin_create(). */
int admin_herald_create(struct admin_herald **ret_herald, const char *path,
			void (*say)(struct str *to, void *arg), void *arg) MUST_CHECK;
/* The socket, which listens on, for admin_options.inherit to give. */
int admin_herald_end(struct admin_herald *take_herald);
struct admin_herald *admin_herald_destroy(struct admin_herald *herald);

#endif
