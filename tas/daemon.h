/* SPDX-License-Identifier: Apache-2.0 */
/* daemon.h - the rooms together; for the files that build them (main.c, start.c,
 * start_sip.c, reload.c, stop.c) and for no other.
 *
 * Threads: main's, which is the SIP thread.
 */
#ifndef BREAKOUT_TAS_DAEMON_H
#define BREAKOUT_TAS_DAEMON_H

#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include "base/errand.h"
#include "base/macros.h"
#include "config/config.h"
#include "hook/hook.h"
#include "media/media.h"
#include "records/records.h"
#include "registrar/registrar.h"
#include "registrar/vigil.h"
#include "tas/admin/admin.h"
#include "tas/call/call.h"
#include "tas/device/device.h"
#include "tas/load/load.h"
#include "tas/handover.h"
#include "tas/reading.h"
#include "tas/service/service.h"
#include "tas/sip/endpoint.h"
#include "tas/sip/hep.h"
#include "tas/sip/sip_loop.h"
#include "tas/traced/traced.h"
#include "tas/vitals/vitals.h"

#define WITHDRAW_MS 5000 /* the core answers a delete in milliseconds */

enum stopping { STOP_NOT, STOP_DRAINING, STOP_ENDING };

struct daemon {
	struct config_sources sources;
	bool level_given;            /* on the command line; the configuration's counts no more */
	struct config *first;        /* what endpoint and engine were made from: its settings */
	struct config *config;       /* the one in force */
	struct media_sounds *sounds; /* that it names */
	struct dtls_identity *identity; /* that it names, or NULL */
	struct ice_servers *servers;    /* that it names, or NULL */
	struct sip_loop *loop;
	struct media_engine *media;
	struct sip_endpoint *endpoint;
	struct hep *hep;       /* NULL: none */
	struct traced *traced; /* NULL: no number can be traced */
	struct registrar *registrar;
	struct vigil *vigil; /* NULL: no sign of life is given */
	struct call_room *calls;
	struct records *records; /* NULL: nothing is made of call records */
	struct hook_room *hooks;
	struct device_room *devices;
	struct load_room *load;
	struct service_room *service;
	struct vitals *vitals;
	struct admin *admin;
	struct admin_herald *herald; /* in its place while it starts; NULL: none */
	_Atomic(const char *) step;  /* of the start, for the herald */
	atomic_size_t loaded;        /* registrations of the store */
	size_t configured;           /* at the start: a reload may come meanwhile */
	struct errand *errand;       /* a reading under way; NULL: none */
	struct reading reading;      /* the errand's until it is done */
	unsigned reloads;            /* asked for, ever: the number of the last one */
	unsigned reload;             /* the number of the one under way */
	bool reload_again;           /* asked for meanwhile */
	struct reload_report report; /* of the last one that is done */
	struct tls_files files;      /* certificates in force */
	struct tls_watch watch;
	struct timer look_timer; /* at the certificates' files */
	int signal_fd;
	/* The command line, for a process that takes our place; program "": not known. */
	char program[4096];
	char *name, **arguments;
	size_t argument_count;
	struct predecessor *predecessor; /* NULL: there was none */
	struct elder *elders;            /* the youngest first */
	struct successor *successor;     /* NULL: there is none */
	struct admin_restart restart;
	bool trusts; /* the one before said its last word to the core, and wrote it down */
	bool left;   /* our place is the successor's: only calls end here */
	enum stopping stopping;
	bool stop_signalled; /* there is no way back */
	bool stop_told;      /* to the service manager */
	mono_ms linger_until, drain_until;
	struct timer drain_timer, linger_timer, watchdog_timer, log_timer;
	mono_ms watchdog_ms; /* 0: none asked for */
};

/* start.c. 0 or an error that is logged; then daemon_take_down() too. */
int daemon_start(struct daemon *daemon, const sigset_t *signals) MUST_CHECK;
void daemon_take_down(struct daemon *daemon);
void daemon_start_records(struct daemon *daemon);
/* A socket beside the one that another process has now; "": none. */
void daemon_start_side_admin(struct daemon *daemon, const char *path);
int daemon_failed(const char *what, int err); /* logs it, returns it */

/* start_sip.c */
int daemon_start_media(struct daemon *daemon) MUST_CHECK;
int daemon_start_sip(struct daemon *daemon) MUST_CHECK;
void daemon_start_trace(struct daemon *daemon);
void daemon_keep_alive(struct daemon *daemon); /* as the configuration in force says */

/* reload.c */
void daemon_reload_init(struct daemon *daemon);
int daemon_load(struct daemon *daemon) MUST_CHECK; /* at start */
unsigned daemon_reload(void *daemon);              /* its number */
void daemon_set_log(const struct daemon *daemon, const struct config *config);
struct call_limits daemon_limits(const struct config *config);
void daemon_keep_recordings(struct daemon *daemon);
void daemon_plan_look(struct daemon *daemon);

/* stop.c */
void daemon_stop_init(struct daemon *daemon);
void daemon_drain(void *daemon);
const char *daemon_undrain(void *daemon); /* NULL: done; else why not */
bool daemon_draining(void *daemon);
void daemon_stop_signal(struct daemon *daemon);
void daemon_drain_calls(struct daemon *daemon);   /* until they have ended, or their time */
void daemon_calls_changed(struct daemon *daemon); /* a draining one's: perhaps it ends now */
void daemon_end_calls(struct daemon *daemon);     /* now */

#endif
