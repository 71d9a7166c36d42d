/* SPDX-License-Identifier: Apache-2.0 */
/* world.h - a world for the keeper to live in: clocks that only move here, a core,
 * a network and a disk that fail as a seed says.
 *
 * The keeper is the real one. What it calls outside of its room is played by
 * core_model.c (upsert_send()) and store_model.c (store_open() ...), linked in
 * their place. faults.c draws what goes wrong, judge.c says what must hold all
 * the same. One seed is one run: nothing here asks the machine for anything.
 *
 * A world has one node with a disk, or a fleet of two or three: then the real
 * fleet_turn.c, lease.c, keeper_shards.c and store_postgres.c stand before
 * link.c and database.c, which play the statements and what becomes of them on the way. Each
 * node's two threads are fibers; they sleep where the real ones wait for an answer.
 *
 * Or it has one node and the cores of two tenants, between which numbers move; the second
 * one is away for as long as it likes, which is no excuse for the numbers of the first.
 * Each number has two places in `numbers` then, one for each core.
 *
 * Or tenants come, change and go by reloads: then the real links.c stands before wires.c,
 * which plays connections and tokens. Each tenant has had two cores and two accounts at
 * either, and a number four places for each tenant; reload.c says what is configured. In a
 * fleet each tenant has one of both; fleet_reload.c.
 */
#ifndef BREAKOUT_TESTS_SIMULATE_WORLD_H
#define BREAKOUT_TESTS_SIMULATE_WORLD_H

#include <stdio.h>
#include "registrar/fleet.h"
#include "registrar/keeper.h"
#include "registrar/links.h"
#include "registrar/upsert.h"
#include "tests/simulate/fiber.h"

#define FIRST_NUMBER 4790000000u
#define SECOND       ((mono_ms)1000)
#define MINUTE       (60 * SECOND)
#define HOUR         (60 * MINUTE)
#define DEADLINE     (10 * SECOND)
#define WALL_START   1800000000000
#define NODES        3
#define INBOX        64
#define TENANTS      4 /* that come and go; the first is the default one, which stays */
#define SPOTS        4 /* of such a one: two targets, two accounts at each */
#define CORES        (TENANTS * SPOTS)
#define PHONES       64 /* in worlds of such, at most */
#define NO_CORE      CORES

/* What the core is told of a number, in one word: the version of the domain and
 * the route type; 0: nothing. */
typedef uint32_t terms;

struct number {
	terms wanted, held;    /* by the configuration; by the core */
	bool confirmed;        /* the keeper was told that the core has it */
	bool perhaps;          /* or it found so in the store */
	bool arrived;          /* dito, at some time since it is wanted here */
	bool leaving;          /* it was given up for another core, or for being sick */
	bool abandoned;        /* its tenant is served elsewhere, or by nobody, since */
	bool stray;            /* so it was, and it is wanted again, and nothing was said yet */
	bool open;             /* whether it was given up is not known here */
	mono_ms wanted_since;  /* the configuration says so */
	mono_ms held_until;    /* by the core's clock */
	uint32_t held_ttl_s;   /* as the core gave it */
	mono_ms wrong_since;   /* the two differ; 0: they agree */
	bool untold;           /* that TTL is shorter than before, in answer to what was given up */
	mono_ms excused_until; /* it was made to fail on its own */
	mono_ms minute;        /* start of the one counted in: */
	uint8_t sent[NODES];   /* requests in it, of each node */
	uint8_t in_flight[NODES];
	uint8_t poison;      /* enum poison */
	unsigned dead_asked; /* in this death of the core */
	/* The disk, or the fleet's database: */
	terms stored;
	uint32_t stored_ttl_s;
	wall_ms stored_until;
	uint64_t stored_core;
	int64_t stored_version; /* of the configuration that made the row what it is */
	/* Under the newest epoch a request named: */
	uint64_t epoch;
	terms said; /* 0: a delete */
};

enum poison { POISON_NONE, POISON_REFUSED, POISON_HANGS, POISON_FAILS };

/* How requests fare at present. */
struct weather {
	double lose_request, lose_answer, refuse, duplicate, late;
	mono_ms delay_min, delay_max;
	unsigned limit; /* requests a second that the core takes; 0: any */
	uint32_t ttl_s;
	bool silent, disk_full, tokens_down;
};

enum event_kind {
	EVENT_ARRIVE,  /* a request at the core */
	EVENT_ANSWER,  /* the core's, or the deadline's, at the keeper */
	EVENT_TOKEN,   /* the token endpoint's */
	EVENT_FAULT,   /* the next one is drawn */
	EVENT_END,     /* of a fault */
	EVENT_RESTART, /* the daemon */
	EVENT_HEALTH,  /* of the daemon: it falls sick, or is well again */
	EVENT_CHECK,
	EVENT_AWAY, /* a tenant's core is, or is back */
	/* Where tenants come and go: */
	EVENT_PLAN,   /* another configuration is written */
	EVENT_DIAL,   /* a connection is tried */
	EVENT_FETCH,  /* a token is */
	EVENT_TOLD,   /* what came of that reaches the registrar */
	EVENT_REVOKE, /* an account's secrets of before count no more */
	/* Of a fleet: */
	EVENT_RELOAD, /* a node reads the configuration; also where tenants come and go */
	EVENT_STOP,   /* a node ends in good order */
	EVENT_FORGET, /* an operator says that a node is dead */
	EVENT_BESIDE, /* another fault, beside one or in the wake of it */
	EVENT_LATE    /* a statement that was given up arrives at the database */
};

struct event {
	mono_ms at;
	uint64_t order;
	enum event_kind kind;
	uint32_t index; /* request, fault, node or statement */
};

struct span {
	mono_ms from, to;
};

/* When something was all right, and when not. Zero-initialise. */
#define SPANS 1024
struct calm {
	bool trouble;
	mono_ms began, since; /* the trouble, the calm */
	struct span spans[SPANS];
	size_t count; /* of troubles that are over */
};

/* How a way is at present. */
enum way { WAY_OPEN, WAY_REFUSED, WAY_SILENT };

/* A configuration, as far as it is of tenants and numbers. */
struct plan {
	struct tenant_plan {
		bool there;
		unsigned target, account; /* 0 or 1 */
		unsigned secret;
		unsigned deadline_ms;
	} tenants[TENANTS];
	unsigned domain;
	struct {
		unsigned tenant;
		enum route_type type; /* none: it is not there */
	} numbers[PHONES];
};

struct thread {
	struct fiber fiber;
	mono_ms wake; /* INT64_MAX: not before somebody wakes it */
	bool inside;  /* it sleeps in the middle of its work */
};

struct node {
	char name[4];
	char other_client;     /* its address is the client of the second tenant */
	struct links links;    /* where tenants come and go, and so are: */
	struct plan plan;      /* its configuration */
	struct served {        /* each tenant */
		unsigned core; /* what is said now goes there; NO_CORE: nowhere */
		unsigned account;
		unsigned secret; /* the last one it was given */
		mono_ms rights;  /* when its secret was good for something again; 0: it is not */
	} served[TENANTS];
	struct keeper *keeper; /* NULL: the daemon is down */
	bool frozen;           /* killed: nothing it does has an effect any more */
	int kill_after;        /* effects; < 0: never */
	bool power_lost;
	unsigned boot;
	mono_ms suspended_until;
	bool sick; /* the core shall hold nothing */
	struct thread registrar, beater;
	bool linked[TENANTS]; /* of a fleet whose tenants come and go: as of the last turn */
	unsigned in_flight;
	mono_ms second;
	unsigned in_second;
	struct dead {           /* since nothing gets through, to each tenant's core */
		unsigned asked; /* numbers for the first time */
		mono_ms since;  /* it has asked for DISTINCT; 0: not yet */
		unsigned sent;  /* once it must know */
	} dead[CORES];
	mono_ms turns_second;
	unsigned turns_in_second; /* that it asked for at once */
	/* Of a fleet: */
	struct fleet *fleet;
	struct fleet_news *inbox[INBOX];
	size_t inbox_count;
	terms *wanted; /* its configuration */
	int64_t version;
	unsigned domain;
	bool reload, refresh, draining, stopping, ended;
	bool stays_away; /* once it is killed, for long */
	mono_ms stop_by;
	enum way to_core, to_database;
	mono_ms database_back;        /* 0: it is not within reach */
	mono_ms database_lost;        /* 0: within reach */
	bool had[LEASE_SHARDS];       /* what it kept when the database was lost */
	uint64_t had_as;              /* its session then */
	mono_ms life_late;            /* when a beat or a join of its came late, last */
	bool notified, may_be_called; /* its beater */
	struct calm well;             /* it, the core and the database */
	uint64_t writes, written;     /* serials of writes: the last one sent, and answered */
};

struct request {
	struct node *node;
	struct upsert_call *call; /* NULL: nobody waits any more */
	unsigned number;
	terms asked;
	unsigned token;
	bool answered, used, closing; /* closing: its end is planned */
	enum upsert_kind kind;
	struct upsert_answer answer;
	mono_ms sent;
};

struct world {
	uint64_t seed, random;
	FILE *timeline; /* NULL: nothing is told */
	size_t count;
	struct number *numbers;
	mono_ms ends, calms; /* no new faults from `calms` on */
	mono_ms fault_every;

	struct request *requests;
	size_t request_count;
	uint32_t free_request;

	struct weather weather;
	unsigned version;      /* of the configuration's domain */
	int64_t store_version; /* of a fleet's configuration */
	unsigned token_valid_from, token_latest;

	struct node nodes[NODES];
	unsigned node_count;

	mono_ms *quiet;         /* NULL, or until when the judge need not look at each number */
	bool sleeps;            /* the registrar's thread, until something comes for it */
	bool orders;            /* some numbers come and go by orders, which the disk keeps */
	unsigned tenants;       /* 1 or 2, or TENANTS that come and go */
	unsigned spots;         /* of each: 1, or SPOTS */
	size_t phones;          /* telephone numbers, each of which has that many places */
	enum way ways[CORES];   /* to each core */
	mono_ms second_excused; /* until then numbers of the second may be in a poor way */
	unsigned troubles;      /* that last */
	struct calm calm;       /* of one node */
	mono_ms unsure_until;   /* the disk has forgotten what was promised */

	/* Where tenants come and go: */
	bool links;       /* the real links.c stands before wires.c */
	bool comings;     /* of a single node */
	struct plan plan; /* the newest */
	struct calm cores[CORES];
	struct account {
		unsigned secret_latest, secret_from; /* this one counts, and later ones */
		unsigned token_from;                 /* dito */
	} accounts[TENANTS * 2];
	unsigned strangers_said; /* how often it was said that rows are of nobody */

	/* A fleet's: */
	bool is_fleet;
	unsigned max_rate; /* requests a second of a node; 0: as the numbers need */
	mono_ms lease_ms, alone_ms;
	enum way database;
	mono_ms database_slow;  /* a statement takes up to so long */
	wall_ms database_clock; /* ahead of the wall clock */
	struct calm all_well, lossless;
	struct calm *kept; /* of each number: who owns it has what it needs for it */
	struct calm *free; /* dito: and the newest configuration, and may say what is new */
	uint64_t hands;    /* database_epochs(), and since when: */
	mono_ms hands_since;
	uint32_t faults;                    /* bits: those that happen in this world */
	mono_ms unkept_since[LEASE_SHARDS]; /* at checks */
	bool rested;                        /* the shards had come to rest at the last check */
	uint64_t rested_epochs;

	/* Judged: */
	unsigned long long sent, lapses, excused, checks;
	unsigned most_in_second;
	bool dead;       /* nothing gets through */
	unsigned deaths; /* how often that began, and when last: */
	mono_ms dead_since;
	mono_ms limit_second;
	unsigned limit_taken;
	char failure[256]; /* "" while all is well */
};

extern struct world world;

/* Places of a telephone number at a tenant's core, and back. */
static inline size_t phones(void)
{
	return world.phones;
}
static inline struct number *place_of(uint64_t number, unsigned core)
{
	return &world.numbers[number - FIRST_NUMBER + core * phones()];
}
/* What is stored of a number is so by tenant. */
static inline struct number *row_of(uint64_t number, unsigned tenant)
{
	return place_of(number, tenant * world.spots);
}
static inline unsigned core_of(const struct number *number)
{
	if (world.phones == world.count)
		return 0;
	return (unsigned)((size_t)(number - world.numbers) / phones());
}
static inline uint64_t phone_of(const struct number *number)
{
	return FIRST_NUMBER + (uint64_t)((size_t)(number - world.numbers) % phones());
}

/* ---- agenda.c ---- */
void world_event(mono_ms after, enum event_kind kind, uint32_t index);
mono_ms world_due(void);       /* when the next one happens */
struct event world_next(void); /* takes it off; there is one */
void world_forget(void);       /* all of them */

/* ---- world.c ---- */
void world_cores(unsigned tenants, unsigned spots); /* once count is known */
/* Whether anything gets through to the core; what nodes sent before counts no more. */
void world_core_is_dead(bool dead);
double chance(void); /* [0, 1) */
mono_ms between(mono_ms from, mono_ms to);
unsigned below(unsigned n);
void say(const char *format, ...) PRINTF_LIKE(1, 2);
void fail(const char *format, ...) PRINTF_LIKE(1, 2);
/* One more effect of the daemon; false: it was killed before it. */
bool take_effect(struct node *node);
struct node *node_at(uint32_t index);

/* ---- daemon.c ---- */
void daemon_start(struct node *node);
void daemon_kill(struct node *node, mono_ms down);
void daemon_end(struct node *node);
void daemon_configure(struct node *node);
void daemon_order(struct node *node, unsigned from, unsigned many); /* of numbers alone */
void daemon_want(struct number *number, terms wanted);
void daemon_token(struct node *node);
void daemon_health(struct node *node);
void daemon_judge(struct node *node); /* says whether it is sick */
/* What the core is to hold of a number now. */
terms daemon_wish(const struct number *number);
/* Wanted at the other tenant's core, which has not confirmed it yet: this one keeps it. */
bool daemon_lingers(const struct number *number);
/* Where a number is wanted that has more than one place; NULL: nowhere, or it has one. */
const struct number *daemon_wanted_place(const struct number *number);
bool daemon_may_linger(const struct number *number); /* as far as is known here */
unsigned daemon_tenant(const char *name);            /* its index; "": the first */
struct wanted *daemon_wanted(const struct node *node);
struct api_client *daemon_client(struct node *node, unsigned tenant);
struct node *daemon_of(struct api_client *client, unsigned *ret_tenant);
/* Runs what is due; returns when it wants the next turn. */
mono_ms daemon_run(struct node *node);
/* Whether its registrar can hear of anything now; else when. */
mono_ms daemon_deaf_until(const struct node *node);

/* ---- member.c: a daemon in a fleet ---- */
void member_create(struct node *node); /* before its keeper */
void member_start(struct node *node);  /* after it */
mono_ms member_run(struct node *node); /* as daemon_run() */
void member_unwind(struct node *node); /* what its threads are at comes to nothing */
void member_destroy(struct node *node);
void member_reload(struct node *node);
void member_refresh(struct node *node); /* all of its numbers */
void member_stop(struct node *node);    /* in good order */
void member_drain(struct node *node, bool drains);
void member_notify(struct node *node); /* the database has news */
const struct config_postgres *member_config(const struct node *node);
/* The thread that runs sleeps. False: its process died meanwhile. */
bool member_sleep(struct node *node, mono_ms until);

/* ---- reload.c: tenants that come, change and go ---- */
void reload_begin(void);
void reload_change(void); /* the newest plan */
struct registrar_cores *reload_cores(const struct plan *plan);
struct wanted *reload_wanted(const struct plan *plan);           /* tenants by their places there */
void reload_map(const struct node *node, struct wanted *wanted); /* by their links */
const struct link *reload_link(const struct node *node, unsigned tenant); /* NULL: none */
/* Links for what its plan says, and what a keeper is to know of them. */
void reload_connect(struct node *node, struct keeper_options *options);
void reload_draw(bool soon); /* another configuration; soon: it is read at once */
void reload_revoke(uint32_t account);
void reload_read(struct node *node);
void reload_start(struct node *node); /* instead of keeper_create() */
void reload_run(struct node *node);   /* after keeper_run() */
void reload_destroy(struct node *node);
void reload_moved(struct node *node); /* a connection leads elsewhere */
void reload_confirmed(const struct number *number);
/* That it is where it is wanted has been taken for true, or may have been, and counts no
 * more: whether others gave it up meanwhile is open. */
void reload_leave_open(const struct number *number);
void reload_judge(void);
void reload_judge_end(void);
const char *tenant_name(unsigned tenant);
/* Where a request goes. */
unsigned reload_core(struct node *node, const struct api_client *client, const char *token);

/* ---- fleet_reload.c: the same in a fleet ---- */
void fleet_reload_begin(void);
void fleet_reload_draw(void);
void fleet_reload_look(struct node *node); /* after a turn of its registrar's */
void fleet_reload_judge_sent(const struct node *node, const struct number *number,
			     enum upsert_kind kind);
void fleet_reload_judge_end(void);

/* ---- wires.c: connections and tokens under links.c ---- */
void wires_dial(uint32_t index);
void wires_fetch(uint32_t index);
void wires_told(uint32_t index);
struct node *wires_teller(uint32_t index);  /* to whom that is told; NULL: it died */
void wires_forget(const struct node *node); /* it dies */
unsigned wires_target(const struct api_client *client, unsigned *ret_tenant);
struct node *wires_node(const struct api_client *client);

/* ---- core_model.c ---- */
bool core_is_awaited(uint32_t index); /* the answer */
void core_arrive(uint32_t index);
void core_answer(uint32_t index);
void core_drop_daemon(struct node *node); /* it died: nobody waits for answers */
/* It has gone over to another target than this one of the tenant's. */
void core_drop_calls(const struct node *node, unsigned tenant, unsigned target);

/* ---- store_model.c ---- */
void store_lose_power(void);
void store_checkpoint(void);
void store_done(void);

/* ---- database.c ---- */
void database_begin(void);
/* Of a shard: whose session it has, 0: none. */
uint64_t database_owner(unsigned shard);
uint64_t database_epochs(void); /* of all shards, summed */
enum place { PLACE_NONE, PLACE_OUT, PLACE_MEMBER } database_place(const char *name);
/* An operator says that this node is dead: as fleet_forget.c. */
void database_forget(const char *name);
size_t database_writers(void);
/* How long the core holds it yet, by its row; 0: the row does not say. */
mono_ms database_row_left(const struct number *number);

/* ---- link.c ---- */
void link_late(uint32_t index); /* a statement that was given up arrives */
void link_done(void);

/* ---- faults.c ---- */
void fault_fair(uint32_t ttl_s); /* where a run begins */
void fault_draw(void);
void fault_end(uint32_t index);
/* The second tenant's core, or not any more; where tenants come and go one more, or this
 * one not any more. */
void fault_away(uint32_t which);
mono_ms fault_down_time(const struct node *node); /* of a daemon that was killed */
mono_ms fault_length(void);

/* ---- fleet_faults.c ---- */
void fleet_fault_begin(void);
void fleet_fault_draw(void);
void fleet_fault_configure(void);
void fleet_fault_end(uint32_t index);
void fleet_fault_beside(uint32_t index);
void fleet_fault_forget(struct node *node);

/* ---- judge.c ---- */
void judge_sent(struct node *node, struct number *number, enum upsert_kind kind, terms asked);
void judge_lapse(struct number *number);
void judge_turn(struct node *node, mono_ms next); /* after keeper_run() */
void judge_check(void);
void judge_touched(const struct number *number); /* what is wanted or held of it has changed */
void trouble_begins(void);
void trouble_ends(void);
void calm_note(struct calm *calm, bool trouble);
mono_ms calm_longest(const struct calm *calm, mono_ms from, mono_ms to);
mono_ms calm_for(const struct calm *calm); /* until now; 0: there is trouble */

/* ---- fleet_judge.c ---- */
void fleet_judge_sent(struct node *node, struct number *number, enum upsert_kind kind, terms asked);
void fleet_judge_state(void); /* something has changed */
/* A shard is given; a node becomes a member: nothing of theirs may be on its way. */
void fleet_judge_given(const char *name, unsigned shard);
void fleet_judge_joins(const struct node *node);
mono_ms fleet_judge_calm(const struct number *number, mono_ms from, mono_ms to);
void fleet_judge_check(void);
/* Who keeps it knows its tenant no more: it is left to lapse. */
bool fleet_judge_left(const struct number *number);
/* Since when there is somebody to say what is to be said of it; INT64_MAX: there is nobody. */
mono_ms fleet_judge_free(const struct number *number);

#endif
