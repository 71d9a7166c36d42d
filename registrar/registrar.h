/* SPDX-License-Identifier: Apache-2.0 */
/* registrar.h - the door to the registrar room.
 *
 * Keeps every configured number registered at the core: upserts, refreshes
 * before the TTL the core returned ends, deletes what was removed. It knows
 * numbers, route types, the core's API and the store; it does not know calls.
 *
 * Threads: one of its own, always inside the gRPC completion queue. All
 * functions here may be called from any one other thread; registrar_lookup()
 * and registrar_summary() from all.
 */
#ifndef BREAKOUT_REGISTRAR_REGISTRAR_H
#define BREAKOUT_REGISTRAR_REGISTRAR_H

#include <stdatomic.h>
#include "base/clock.h"
#include "base/macros.h"
#include "base/str.h"
#include "config/config.h"

struct registrar; /* opaque */
struct vigil;     /* vigil.h */

enum reg_state {
	REG_NEW,         /* configured, never asked for */
	REG_PENDING,     /* a request is on its way */
	REG_ACTIVE,      /* the core confirmed it, TTL running */
	REG_BACKOFF,     /* failed in a way that heals; waits to try again */
	REG_REFUSED,     /* the core will not have it; tried again slowly */
	REG_WITHDRAWING, /* no longer wanted, or held; delete on its way or due */
	REG_WITHHELD,    /* wanted, and not told to the core while the gate is closed */
	REG_ELSEWHERE,   /* another node of the fleet keeps it */
	REG_STATE_COUNT
};
const char *reg_state_name(enum reg_state state);

/* What an operator took from the core for a while: registrar_pause(). */
enum pause_scope { PAUSE_ALL, PAUSE_SERVICE, PAUSE_NUMBER };
const char *pause_scope_name(enum pause_scope scope); /* "service" */

#define PAUSE_NAME_ROOM 128

struct reg_pause {
	enum pause_scope scope;
	char what[PAUSE_NAME_ROOM]; /* "" of all, a service's name, or a number */
	char who[64], why[160];
	wall_ms since, until; /* until 0: until somebody resumes it */
};

#define TENANT_NAME_ROOM 40

/* Who wants a number registered. Of several the first one counts. */
enum reg_source {
	REG_SOURCE_CONFIG,
	REG_SOURCE_API,     /* added while we run: registrar_order() */
	REG_SOURCE_CONSENT, /* the core says that its owner consents */
	REG_SOURCE_NONE,    /* nobody: it is on its way out */
	REG_SOURCE_COUNT = REG_SOURCE_NONE
};
const char *reg_source_name(enum reg_source source); /* "config", "api", "consent", "none" */

struct reg_info {
	char number[E164_ROOM];
	enum route_type route_type;
	enum reg_state state;
	uint32_t service; /* index into the config's services */
	enum reg_source source;
	mono_ms expires_ms;                 /* when the core forgets it; 0: not active */
	mono_ms next_ms;                    /* next attempt */
	unsigned failures;                  /* in a row */
	bool held;                          /* kept from the core: last_error says why */
	bool paused;                        /* by an operator's order */
	char tenant[TENANT_NAME_ROOM];      /* whose core */
	bool moves;                         /* another tenant's core has it yet */
	char service_name[PAUSE_NAME_ROOM]; /* "" if not known */
	char last_error[96];                /* "" if none */
};

/* A number that was added while we run, as it was added. */
struct reg_added {
	char number[E164_ROOM];
	enum route_type route_type;
	char service[PAUSE_NAME_ROOM];
	char tenant[TENANT_NAME_ROOM];
	char who[64];
	wall_ms since;
};

enum reg_change {
	REG_CHANGE_ADDED,
	REG_CHANGE_CHANGED,
	REG_CHANGE_REMOVED,
	REG_CHANGE_UNCHANGED,
	REG_CHANGE_COUNT
};
const char *reg_change_name(enum reg_change change); /* "added" */

/* What is to become of the numbers that were added: all of it or nothing. */
struct reg_order {
	const struct config *config; /* in force; `put` was read against it, and names none that it
				      * has itself: config_check_number(), config_read_csv() */
	const struct config_registration *put; /* ascending, distinct */
	size_t put_count;
	const uint64_t *drop; /* ascending, distinct; -ENOENT if one was not added */
	size_t drop_count;
	bool only_new; /* -EEXIST if one of `put` was added before */
	bool replace;  /* all others go */
	bool dry_run;  /* only says what it would do */
	const char *who;
	/* NULL, or hears of each number that it adds, changes or removes, in their order. */
	void (*visit)(enum reg_change change, const struct reg_added *before,
		      const struct reg_added *after, void *arg);
	void *arg;
};
struct reg_outcome {
	size_t count[REG_CHANGE_COUNT];
	char number[E164_ROOM]; /* -ENOENT, -EEXIST: the first one of which */
};

/* A request that did not go well, or the first that did after such. */
struct reg_attempt {
	wall_ms at;
	unsigned took_ms;
	uint32_t lapsed_ms; /* so long had the core forgotten it; 0: it had not */
	bool withdrawal;    /* a delete */
	char text[96];      /* status and the core's own words; "" : it went well */
};

struct registrar_summary {
	/* In all. api_up: of every tenant that has numbers and was asked; margin: the least of
	 * theirs. */
	size_t by_state[REG_STATE_COUNT];
	mono_ms first_expiry_ms; /* earliest expiry of an active one; 0: none */
	size_t lapsed;           /* have been registered, and the core has forgotten them */
	size_t left_behind;      /* of tenants that are not configured: they lapse by themselves */
	mono_ms margin_ms;       /* the core may be away so long until somebody lapses */
	bool api_asked;          /* since the start; else nobody knows whether it answers */
	bool api_up;             /* last request was answered */
	bool token_ok;
	bool store_ok;         /* the last write to the store worked, or there is none */
	size_t paused;         /* registrations kept from the core by an operator's order */
	size_t pauses;         /* such orders */
	size_t held;           /* registrations kept from the core because we are sick */
	mono_ms held_since_ms; /* the trouble began; 0: none are */
	mono_ms native_ms;     /* how long the latest such trouble held calls; 0: there was none */
	char held_why[96];     /* "" if none are */
	struct registrar_consents {
		bool wanted;      /* by the configuration; false: the rest is 0 */
		size_t count;     /* numbers with a consent, configured ones too */
		bool elsewhere;   /* another node of the fleet reads stream and list */
		bool stream_up;   /* the core tells us of changes */
		mono_ms event_ms; /* when it last did; 0: not since the start */
		mono_ms list_ms;  /* when all were last compared; 0: not since the start */
		uint64_t events, redeliveries, acks, acks_failed;
		size_t held;    /* missing in the last list, and not withdrawn */
		size_t unknown; /* in the last list, and their number is not known */
	} consents;
	size_t by_source[REG_SOURCE_COUNT]; /* of those that are wanted */
	/* Of them, those that begin like a prefix (config_prefix_like()); of up to ten seconds
	 * ago. */
	size_t prefix_like[REG_SOURCE_COUNT];
	struct registrar_added {
		size_t count;    /* numbers that were added while we run */
		size_t both;     /* of them, configured too */
		size_t stranded; /* of them, not registered: what they name is not configured */
	} added;
	size_t tenant_count; /* 1: there is the default one alone */
	struct registrar_tenant {
		char name[TENANT_NAME_ROOM];
		size_t by_state[REG_STATE_COUNT], count;
		size_t by_source[REG_SOURCE_COUNT]; /* of those that are wanted, and not elsewhere
						     */
		bool asked;                         /* as api_asked */
		bool api_up, token_ok;
		bool leaving; /* not configured any more: goes once it is empty */
		bool down;    /* the circuit breaker is open */
		mono_ms first_expiry_ms,
			margin_ms; /* as above; of up to ten seconds ago, and so: */
		size_t lapsed;
		double rate;       /* requests a second that it may be sent */
		unsigned max_rate; /* as configured; 0: as the numbers need */
		uint32_t ttl_s;    /* the core's latest; 0: not known yet */
		unsigned in_flight;
	} tenants[CONFIG_TENANTS];
};

#define REGISTRAR_SERVICES_MAX 1024 /* further ones are never held on their own */

/* What is thought of our health: registrar_judge(). */
struct registrar_verdict {
	bool sick;     /* as a whole: every registration is held */
	mono_ms since; /* the first sign of this trouble */
	unsigned rate; /* deletes a second; 0: the registrar's own */
	char why[96];
	/* Bit by index into the services of the configuration with this version: their
	 * only way out is down. */
	uint64_t services[REGISTRAR_SERVICES_MAX / 64];
	uint64_t config; /* registrar_config_id() */
	mono_ms services_since;
	char services_why[96];
};
uint64_t registrar_config_id(const struct config *config);

#define REGISTRAR_NODES  32
#define REGISTRAR_SHARDS 256

/* Of a fleet that shares a database. */
struct registrar_fleet {
	bool on;                   /* else nothing below means anything */
	char node[64];             /* our name */
	const char *standing;      /* lease_standing_name() */
	unsigned shards, held;     /* ours; of them those whose numbers are only refreshed */
	mono_ms held_ms;           /* until the last hold ends by itself; 0: there is none */
	bool reachable;            /* the database, at the last attempt */
	int64_t version, in_force; /* of the configuration: ours, the fleet's */
	unsigned alive;            /* nodes */
	/* As the database had them at the last look: */
	size_t node_count;
	struct registrar_node {
		char name[64];
		unsigned shards;
		bool alive, draining, current; /* current: has the configuration in force */
		int64_t version;
		mono_ms seen_ms; /* ago */
	} nodes[REGISTRAR_NODES];
	uint8_t owner[REGISTRAR_SHARDS]; /* index into nodes, plus 1; 0: nobody */
};

/* Of each tenant's core: how it is reached, with which rights, and the files that are named
 * for it. */
struct registrar_cores;
/* Any thread: reads files. 0, -ENOMEM, or -EINVAL with findings as of config_load(). */
int registrar_cores_read(struct registrar_cores **ret_cores, const struct config *config,
			 struct str *ret_findings) MUST_CHECK;
struct registrar_cores *registrar_cores_destroy(struct registrar_cores *cores);

/* Opens the store and takes the wanted set from `config` (kept by reference). sip_uri is what the
 * core is told: sips:domain[:port]. loaded: NULL, or is counted up meanwhile by what is read from
 * the store, for other threads. Returns 0, -ENOMEM, or, with the reason logged, -EIO (store) or
 * -EINVAL. */
int registrar_create(struct registrar **ret_registrar, const struct config *config,
		     atomic_size_t *loaded) MUST_CHECK;

/* Each verdict that registrar_judge() brings is told on as a sign of life: it says that
 * the thread that judges and the one that deletes both run. Borrowed until
 * registrar_stop(); before registrar_start(). */
void registrar_keep_vigil(struct registrar *registrar, struct vigil *vigil);

/* Starts the thread. 0 or -EAGAIN. */
int registrar_start(struct registrar *registrar) MUST_CHECK;

/* Takes a new wanted set: adds, changes, withdraws by difference. Keeps a reference.
 * take_cores: of the same configuration; NULL: its cores are those in force. */
int registrar_reconfigure(struct registrar *registrar, const struct config *config,
			  struct registrar_cores *take_cores) MUST_CHECK;
/* Only the files that are named for the cores may be others than before. */
void registrar_renew(struct registrar *registrar, struct registrar_cores *take_cores);

/* Closes or opens the gate, as often as one likes. What is held is deleted at the
 * core, the most affected first: numbers of sick services, then loops, then the
 * rest; what is not any more is registered again. Both are paced. */
void registrar_judge(struct registrar *registrar, const struct registrar_verdict *verdict);

/* Makes the next refresh of one number (NULL: all) due now. */
void registrar_refresh(struct registrar *registrar, const char *number);

/* Takes a number, a service's numbers or all from the core until `until` or until
 * registrar_resume() ends it, over restarts too. One of the same scope and name is
 * replaced. The caller says who and why; the order is logged with both.
 * In a fleet it holds on all nodes. 0; -ENOENT (no such registration or service),
 * -ENOTSUP (no store to keep it in),
 * -ENOSPC (too many), -EIO (the store; logged). Any thread; waits for the disk. */
int registrar_pause(struct registrar *registrar, const struct reg_pause *pause) MUST_CHECK;
/* Ends that order and no other. 0, -ENOENT (there is none) or -EIO. Any thread. */
int registrar_resume(struct registrar *registrar, enum pause_scope scope, const char *what,
		     const char *who) MUST_CHECK;
/* Copies the orders in force, as far as there is room; how many there are. Any thread. */
size_t registrar_pauses(struct registrar *registrar, struct reg_pause *ret_pauses, size_t room);

/* Adds, changes and deletes numbers while we run: durable before it returns, over restarts,
 * and in a fleet on all nodes. Logged and recorded with who says so.
 * 0; -EEXIST, -ENOENT (ret_outcome names the number), -ENOTSUP (no store to keep them in),
 * -EBUSY (another process is taking our place, or other nodes give orders: once more),
 * -ENOSPC (too many, or of too many kinds), -ENOMEM, -EIO (the store; logged. A fleet's: it may
 * have been done). Any thread; waits for the disk. */
int registrar_order(struct registrar *registrar, const struct reg_order *order,
		    struct reg_outcome *ret_outcome) MUST_CHECK;
/* A number as it was added. 0 or -ENOENT. Any thread. */
int registrar_find_added(struct registrar *registrar, const char *number,
			 struct reg_added *ret_added) MUST_CHECK;
/* Whether the numbers that were added could be registered by this configuration: 0, -ENOMEM, or
 * -EINVAL with a line for each reason, as of config_load(). Any thread. */
int registrar_check(struct registrar *registrar, const struct config *config,
		    struct str *ret_errors) MUST_CHECK;

/* A fleet's: the other nodes take over our numbers, while calls go on, or we take our
 * share again. Nobody else there: they stay. Outside of a fleet nothing happens. */
void registrar_hand_over(struct registrar *registrar, bool hands_over);

/* Ends the thread; with `withdraw` first deletes everything, for at most
 * `grace_ms`. Then registrar_destroy(). */
void registrar_stop(struct registrar *registrar, bool withdraw, unsigned grace_ms);
struct registrar *registrar_destroy(struct registrar *registrar);

/* Says and writes nothing more, until registrar_wake() or for ever: another process goes
 * on with the store. What is out is waited for for at most `grace_ms`, on the thread;
 * registrar_rests() says once it is done, and what is known can be asked all the time.
 * A fleet's node goes on beating until that process has joined in its name, for a minute. */
void registrar_rest(struct registrar *registrar, unsigned grace_ms);
bool registrar_rests(const struct registrar *registrar);
/* And then: nothing may reach the core any more, and all that was said is in the store. */
bool registrar_rests_settled(const struct registrar *registrar);
/* Before registrar_start(), of a fleet's: so it was with the process that had our name. What
 * the core was told is then not told again before it is due. */
void registrar_trust(struct registrar *registrar);
int registrar_wake(struct registrar *registrar) MUST_CHECK; /* as registrar_start() */

/* Copies what is known of a number. 0 or -ENOENT. Any thread; takes the shard
 * lock, the only lock a caller meets, held for the copy. */
int registrar_lookup(struct registrar *registrar, const char *number,
		     struct reg_info *ret_info) MUST_CHECK;
void registrar_summary(struct registrar *registrar, struct registrar_summary *ret_summary);

/* Whether the last write to the store worked, or there is none. Any thread; no lock. */
bool registrar_store_ok(const struct registrar *registrar);

/* Any thread. */
void registrar_fleet(struct registrar *registrar, struct registrar_fleet *ret_fleet);
/* The node that keeps a number. 0, or -ENOENT: no fleet, or nobody does. Any thread. */
int registrar_owner(struct registrar *registrar, const char *number,
		    char ret_node[static 64]) MUST_CHECK;

struct registrar_forgotten {
	size_t shards;   /* that need not wait for the node any more */
	mono_ms seen_ms; /* how long ago it was seen */
};
/* An operator knows that a node of the fleet, which the others have put out, is dead: its
 * numbers are not only refreshed any more. Logged with `who`. 0, -ENOTSUP (no fleet),
 * -ENOENT (no such node), -EBUSY (nobody has put it out; ret_forgotten->seen_ms is set),
 * -ENOMEM or -EIO (the database; logged). Any thread; waits for the database. */
int registrar_forget_node(struct registrar *registrar, const char *node, const char *who,
			  struct registrar_forgotten *ret_forgotten) MUST_CHECK;

/* The last ones of a number, newest first, as far as the registrar remembers: it
 * keeps some thousand of all numbers together. Any thread. */
size_t registrar_attempts(struct registrar *registrar, const char *number,
			  struct reg_attempt *ret_attempts, size_t room);

/* Visits copies in number order, at most `max`, those after `after` (NULL:
 * from the start). Any thread. */
size_t registrar_list(struct registrar *registrar, const char *after, size_t max,
		      void (*visit)(const struct reg_info *info, void *arg), void *arg);

#endif
