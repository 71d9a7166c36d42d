/* SPDX-License-Identifier: Apache-2.0 */
/* config.h - the door to the config room: one file in, one checked struct out.
 *
 * It knows the YAML file, its schema, defaults and units. It does not know
 * sockets, SIP stacks or databases. A loaded config is immutable; a reload
 * loads a second one. All strings belong to the config.
 *
 * Threads: any may read a config; whoever loaded it destroys it.
 */
#ifndef BREAKOUT_CONFIG_CONFIG_H
#define BREAKOUT_CONFIG_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include "base/clock.h"
#include "base/e164.h"
#include "base/log.h"
#include "base/macros.h"
#include "base/processors.h"
#include "base/str.h"

/* The wire numbers of wgtwo.sipbreakout.v1.RouteType. */
enum route_type {
	ROUTE_TYPE_NONE = 0,
	ROUTE_TYPE_LOOP = 1,
	ROUTE_TYPE_FORK = 2,
	ROUTE_TYPE_FALLBACK = 3,
	ROUTE_TYPE_LOOP_MO = 4,
	ROUTE_TYPE_LOOP_MT = 5,
	ROUTE_TYPE_INGRESS = 6,
	ROUTE_TYPE_COUNT
};
const char *route_type_name(enum route_type type); /* "loop_mo" */
int route_type_parse(const char *name, enum route_type *ret_type) MUST_CHECK;

enum sip_transport { SIP_TRANSPORT_UDP, SIP_TRANSPORT_TCP, SIP_TRANSPORT_TLS };
const char *sip_transport_name(enum sip_transport transport); /* "tls" */

struct config_listen {
	enum sip_transport transport;
	char *host;    /* literal address, without brackets */
	uint16_t port; /* 0: any free one (tests) */
};

struct config_cidr {
	struct sockaddr_storage address;
	unsigned prefix_length; /* bits */
};
/* IPv4-mapped IPv6 addresses compare as IPv4. */
bool config_cidr_contains(const struct config_cidr *cidr, const struct sockaddr *address);
bool config_cidrs_contain(const struct config_cidr *cidrs, size_t count,
			  const struct sockaddr *address); /* any of them */

/* What devices are asked to prove their password with. */
enum device_digest {
	DEVICE_DIGEST_MD5, /* alone: many soft phones give up when they are offered another */
	DEVICE_DIGEST_SHA256,
	DEVICE_DIGEST_BOTH
};

struct config_sip {
	struct config_listen *listen;
	size_t listen_count;
	char *certificate;            /* PEM path: leaf, then intermediates */
	char *private_key;            /* PEM path */
	char *ca_file;                /* PEM path: who may sign a next hop; NULL: system's */
	unsigned certificate_check_s; /* between looks at the files; 0: none; 60 */
	char *user_agent;             /* default "breakout" */
	unsigned connect_ms;        /* connect + TLS handshake + first answer to an INVITE: 1000 */
	unsigned handshake_s;       /* an accepted connection finishes its TLS handshake: 10 */
	unsigned keepalive_s;       /* OPTIONS on idle TLS connections to the SBC: 30; 0: none */
	unsigned t1_ms;             /* RFC 3261 17.1.1.1: 500 */
	unsigned session_expires_s; /* RFC 4028: 1800; 0: only if the peer asks */
	unsigned min_se_s;          /* RFC 4028: 90 */
	enum device_digest device_digest; /* md5 */
	char **dns_servers;               /* "address:port"; none: those of /etc/resolv.conf */
	size_t dns_server_count;
};

struct config_api {
	char *target;    /* host:port */
	char *token_url; /* https://... ; NULL: no token (sandbox) */
	char *client_id;
	char *client_secret_file; /* one line; read when a token is fetched */
	char *scope;              /* default "call.routing:write" */
	bool raw_basic;       /* send id and secret unencoded in Basic (against RFC 6749 2.3.1) */
	char *ca_file;        /* PEM; NULL: system's */
	char *server_name;    /* expected certificate name; NULL: host of target */
	bool plaintext;       /* no TLS: loopback targets only */
	unsigned deadline_ms; /* per call: 10000 */
	unsigned keepalive_s; /* 60 */
	unsigned keepalive_timeout_s; /* 10 */
	unsigned max_rate; /* requests a second; 0: twice what the numbers need, at least 500 */
};

/* How a peer writes telephone numbers: +4799000001, 4799000001, national with
 * its prefix (099000001, and 0046... for other countries), 004799000001. */
enum number_format { NUMBER_E164, NUMBER_E164_NO_PLUS, NUMBER_NATIONAL, NUMBER_INTERNATIONAL };

/* Headers that say who calls. */
enum identity_header {
	IDENTITY_ASSERTED,     /* P-Asserted-Identity, RFC 3325 */
	IDENTITY_PREFERRED,    /* P-Preferred-Identity, RFC 3325 */
	IDENTITY_REMOTE_PARTY, /* Remote-Party-ID, draft-ietf-sip-privacy */
	IDENTITY_FROM
};

/* Bits: how a peer is told who diverted a call. */
enum diversion_form { DIVERSION_FORM_DIVERSION = 1, DIVERSION_FORM_HISTORY = 2 };

/* What a peer is believed and told about who calls. Zero is a trunk's default. */
struct config_identity {
	bool trust; /* of our trust domain, RFC 3324: may assert, and learns what is hidden */
	enum identity_header *caller_from; /* the first that is there; none: ASSERTED,
					    * REMOTE_PARTY, FROM */
	size_t caller_from_count;
	enum identity_header *send; /* besides From */
	size_t send_count;
	unsigned diversion; /* bits of diversion_form; 0: not told */
	enum number_format number_format;
	char *country_code;         /* digits; NULL: none */
	char *national_prefix;      /* digits; NULL: none */
	char *international_prefix; /* digits; NULL: 00 */
};

struct config_sbc {
	char *uri;                   /* sips:host[:port], where leg 3 goes */
	struct config_cidr *trusted; /* who may send us leg 2 */
	size_t trusted_count;
	char **hosts; /* names, or *.names, that Contact and Record-Route may give too */
	size_t host_count;
	char *client_ca;    /* PEM; set: the SBC must show a certificate it signed */
	char *client_name;  /* and that certifies this DNS name; NULL: any */
	char *hop_key_file; /* secret for the marks on leg 3; NULL: a random one */
	bool transfers;     /* a subscriber's phone may send the other side elsewhere */
	/* In calls with a trunk or device at the other end; here `trust`, ASSERTED
	 * in `send` and both forms of `diversion` are the default. */
	struct config_identity identity;
	char **allow_headers; /* of a trunk's calls, that may cross to the core */
	size_t allow_header_count;
};

#define CONFIG_TENANTS        16 /* at most, with the default one */
#define CONFIG_TENANT_DEFAULT "default"

/* A further target of the core's API, with numbers and prefixes of its own. */
struct config_tenant {
	char *name;
	struct config_api api;
	char *prefix_mo, *prefix_mt; /* digits; NULL: none */
	struct config_tenant_sbc {
		char *uri; /* where its calls go back; NULL: core.sbc has them too */
		struct config_cidr *trusted; /* besides those of core.sbc */
		size_t trusted_count;
		char **hosts; /* as those of core.sbc */
		size_t host_count;
	} sbc;
};

struct config_core {
	struct config_api api;
	struct config_sbc sbc;
};

enum media_kind {
	MEDIA_WEBRTC,
	MEDIA_DTLS, /* DTLS-SRTP without ICE */
	MEDIA_SDES, /* SRTP with keys in the SDP, RFC 4568 */
	MEDIA_SDES_OR_RTP,
	MEDIA_RTP
};

/* Which of a trunk's addresses is tried first. */
enum trunk_order { TRUNK_IN_ORDER, TRUNK_WEIGHTED, TRUNK_ROUND_ROBIN };

/* A user name, and the file whose first line is its password. */
struct config_trunk_auth {
	char *username, *password_file; /* NULL: none */
	char *realm;                    /* the only one that is answered; NULL: any */
	bool md5;                       /* MD5 will do where nothing better is offered */
};

/* From where a peer's media may come besides the address of its SDP. */
enum latching { LATCHING_SIGNALLED, LATCHING_OFF, LATCHING_ANY };
/* How digits reach a trunk and come from it. */
enum trunk_dtmf { TRUNK_DTMF_AUTO, TRUNK_DTMF_RFC4733, TRUNK_DTMF_INFO, TRUNK_DTMF_INBAND };

struct config_trunk {
	char *name;
	char **uris; /* sip:host[:port][;transport=tcp] */
	size_t uri_count;
	enum trunk_order order; /* in_order */
	unsigned *weights;      /* of the uris, 1 to 1000; none: all the same */
	size_t weight_count;
	unsigned *failover_on; /* statuses 400 to 599 after which the next address is tried */
	size_t failover_count;
	unsigned options_s;  /* between OPTIONS to each address: 30; 0: none */
	unsigned down_after; /* failures in a row: 3 */
	unsigned up_after;   /* answers in a row: 2 */
	unsigned *down_on;   /* statuses 400 to 599 that are as bad as no answer: 408, 503 */
	size_t down_count;
	unsigned max_calls;            /* at the same time, both directions; 0: no limit */
	unsigned max_rate;             /* new calls a second, both directions; 0: no limit */
	struct config_trunk_auth auth; /* who we are to it */
	struct config_trunk_auth ingress_auth; /* who it is when it calls us */
	char *aor;                             /* sip:user@host we register as; NULL: we do not */
	unsigned expires_s;                    /* of that registration: 3600 */
	struct config_cidr *trusted; /* source addresses besides the uris' literal hosts */
	size_t trusted_count;
	char **hosts; /* names, or *.names, that Contact and Record-Route may give too */
	size_t host_count;
	enum media_kind media; /* default rtp */
	bool keys_in_clear;    /* SDES keys may go over SIP without TLS */
	bool shared_port;      /* it sends media from where its SDP says: one port for all */
	enum latching latching;
	char *media_address; /* one of media.address; NULL: the one on the way to it */
	char **codecs;       /* names, most wanted first; none: all, as the other side orders */
	size_t codec_count;
	enum trunk_dtmf dtmf; /* default auto */
	/* Heard by whom it holds or transfers; NULL: only a ring-back tone in a transfer. */
	const struct config_sound *hold_music;
	char **allow_headers; /* names that may cross to the trunk, besides the standard ones */
	size_t allow_header_count;
	struct config_identity identity;
	size_t service; /* index into config.services: rules for its calls; 0: none */
	bool ingress;   /* may place calls to ingress registrations */
};

/* A file to be played. The media room reads it; `at` is where it is named. */
struct config_sound {
	struct config_sound *next;
	char *path;
	char *at; /* "file:line:column" */
	size_t index;
};

/* A soft phone that registers with us. */
struct config_device {
	char *name, *username; /* username: the name if not given */
	char *password_file;   /* one line */
	char *number; /* an ingress registration, which it calls as; NULL: it cannot call */
	enum media_kind media; /* default rtp */
	bool keys_in_clear;    /* SDES keys may go over SIP without TLS */
	enum latching latching;
	unsigned max_contacts; /* phones at the same time: 3 */
};

/* What a step of a rule does with the call. */
enum action_kind {
	ACTION_LOOP,     /* leg 3 to the core */
	ACTION_DIAL,     /* a trunk */
	ACTION_DEVICE,   /* a registered soft phone */
	ACTION_RING,     /* several targets, one of which gets the call */
	ACTION_ANNOUNCE, /* something to hear before the next action */
	ACTION_ANSWER,   /* ourselves */
	ACTION_VOICEMAIL,
	ACTION_REJECT,
	ACTION_REDIRECT, /* the caller is told where to go instead */
	ACTION_WEBHOOK   /* somebody's server says which of the others */
};
enum answer_kind { ANSWER_ECHO, ANSWER_TONE, ANSWER_SOUND };

/* A server that is asked what to do with a call. */
struct config_webhook {
	char *url;            /* https://..., or http://... */
	char *secret_file;    /* one line; NULL: requests are not signed */
	char *ca_file;        /* PEM: who may sign its certificate; NULL: system's */
	bool plaintext;       /* http to another machine is meant */
	unsigned deadline_ms; /* from the question to the whole answer: 800 */
	unsigned connections; /* at the same time: 32 */
	unsigned queue;       /* calls that may wait for one of them: 256 */
	char **headers;       /* of the INVITE, that it is told */
	size_t header_count;
	size_t index; /* counts the configuration's webhooks from 0 */
	struct config_webhook *next;
};

/* Who can be rung together with others. */
enum target_kind {
	TARGET_TRUNK,      /* a PBX, or one of its phones */
	TARGET_SUBSCRIBER, /* the phone of who is called, by leg 3; not where the core rings it */
	TARGET_NUMBER,     /* another number, by leg 3 */
	TARGET_DEVICE      /* a registered soft phone */
};
struct config_target {
	enum target_kind kind;
	size_t trunk;     /* TRUNK: index into config.trunks */
	size_t device;    /* DEVICE: index into config.devices */
	char *number;     /* TRUNK: dialled there, NULL: the called one; NUMBER: E.164 */
	unsigned after_s; /* rings so much later than the others */
	unsigned ring_s;  /* give up on it after; 0: as the action says */
	unsigned weight;  /* its share of the calls, 1..100 */
};
enum ring_order {
	RING_PARALLEL, /* all at once; the others one after the other: */
	RING_SEQUENCE, /* as listed */
	RING_WEIGHTED, /* who is first is shared out by weight */
	RING_ROUND_ROBIN,
	RING_LONGEST_IDLE /* who has been without a call for the longest time is first */
};
#define CONFIG_TARGETS_MAX 16

/* Which of several numbers a call shows. */
enum caller_pick { PICK_IN_TURN, PICK_BY_CALLED };

/* What becomes of a called number; all NULL: nothing. */
struct config_rewrite {
	char *strip, *prepend; /* at the front; NULL: nothing */
	char *replace;         /* the whole number; NULL: not */
};
/* False: the number stays as it is. */
bool config_rewrite(const struct config_rewrite *rewrite, const char *number, char *ret_number,
		    size_t room);

/* Whether a redirected caller can be told to call it. */
bool config_contact_valid(const char *text);

struct config_action {
	enum action_kind kind;
	size_t trunk;    /* DIAL: index into config.trunks */
	size_t device;   /* DEVICE: index into config.devices */
	unsigned ring_s; /* LOOP, DIAL, DEVICE: give up after; 0: 180. RING: on all, or on each one
			  * of an order that takes turns; 0: 180, or 30 */
	enum ring_order order;         /* RING */
	struct config_target *targets; /* RING */
	size_t target_count;
	enum answer_kind answer; /* ANSWER */
	unsigned tone_hz;        /* ANSWER_TONE: 425 */
	int status;              /* REJECT: 400..699; 603 */
	char *reason;            /* REJECT: reason phrase or NULL */
	char *contact;           /* REDIRECT: URI */
	char **callers;          /* LOOP: shown instead of who calls; none: nobody */
	size_t caller_count;
	enum caller_pick pick;        /* LOOP: which of them */
	size_t turn;                  /* LOOP: of config.turn_count, its own */
	struct config_rewrite number; /* LOOP, DIAL: of the called one */
	struct config_webhook *webhook;
	/* VOICEMAIL */
	char *mailbox;                 /* a folder of this name in: */
	char *voicemail_dir;           /* path */
	struct config_webhook *notify; /* is told of each message; NULL: nobody */
	bool beep;
	unsigned message_s; /* a message ends after; 180 */
	unsigned silence_s; /* and when nobody speaks for so long; 5; 0: it does not */
	/* What is played: ANNOUNCE, ANSWER_SOUND, the greeting of VOICEMAIL, and before a REJECT;
	 * NULL: nothing. */
	const struct config_sound *sound;
	unsigned repeat;   /* times it is played; 0: until the caller hangs up */
	bool answer_first; /* ANNOUNCE, REJECT: play it in an answered call, not as early media */
};

/* Bits of config_rule.directions and results of classification. */
enum call_direction { DIRECTION_MO = 1, DIRECTION_MT = 2, DIRECTION_UNKNOWN = 4 };
const char *call_direction_name(enum call_direction direction); /* "mo", "mt", "unknown" */

/* Which numbers a rule is about. */
enum pattern_kind {
	PATTERN_RANGE,    /* from..to, of one length; a single number is both */
	PATTERN_PREFIX,   /* begins with `from` */
	PATTERN_LIST,     /* stands in a file */
	PATTERN_ANONYMOUS /* the caller hides, or is not known */
};
/* A file of numbers, read once for all rules that name it. */
struct config_numbers {
	struct config_numbers *next;
	char *path;
	uint64_t *keys; /* sorted; numbers.c knows what they mean */
	size_t count;
};
bool config_numbers_contain(const struct config_numbers *numbers, const char *number);

struct config_pattern {
	enum pattern_kind kind;
	char *from, *to;
	const struct config_numbers *list;
};
/* False for PATTERN_ANONYMOUS, which is no matter of a number. */
bool config_pattern_matches(const struct config_pattern *pattern, const char *number);

/* When a rule is for. */
struct config_zone; /* opaque: zone.c */
struct config_local {
	unsigned year, month, day;
	unsigned weekday; /* 0: Monday */
	unsigned minute;  /* of the day */
};
const char *config_zone_name(const struct config_zone *zone);
void config_zone_local(const struct config_zone *zone, wall_ms now, struct config_local *ret_local);

struct config_window {
	char *text;      /* as it was written */
	uint8_t days;    /* bit 0: Monday; the days it begins on */
	uint16_t from;   /* minute of the day */
	uint16_t length; /* minutes, up to a week */
	const struct config_zone *zone;
};
/* `local` is the time in the window's zone. */
bool config_window_contains(const struct config_window *window, const struct config_local *local);

struct config_date {
	uint16_t year; /* 0: every year */
	uint8_t month, day;
};
struct config_dates {
	struct config_date *dates;
	size_t count;
};
enum holiday_rule { HOLIDAY_ANY, HOLIDAY_ONLY, HOLIDAY_NEVER };

/* What a header of the INVITE must be like. */
struct config_header {
	char *name;
	char *matches; /* with * for any characters and ? for one; NULL: being there is enough */
	bool case_sensitive;
};
bool config_header_matches(const struct config_header *header, const char *value);

/* A list without items matches every call. */
struct config_rule {
	unsigned directions;            /* bits; when.direction absent: all */
	struct config_pattern *callers; /* any of them */
	size_t caller_count;
	struct config_pattern *called; /* any of them */
	size_t called_count;
	struct config_pattern *numbers; /* registered ones, any of them */
	size_t number_count;
	unsigned route_types;          /* bits 1 << enum route_type; 0: all */
	struct config_window *windows; /* any of them */
	size_t window_count;
	enum holiday_rule holiday;
	struct config_header *headers; /* any of them */
	size_t header_count;
	size_t *trunks; /* who sent the call: indexes into config.trunks, any of them */
	size_t trunk_count;
	unsigned tenants;              /* bits 1 << index of a tenant; 0: all */
	unsigned load;                 /* percent of limits.calls, at least; 0: any */
	struct config_action *actions; /* tried in order until one succeeds */
	size_t action_count;
	bool record; /* the call is recorded once it is answered */
};

struct config_service {
	char *name;
	struct config_rule *rules; /* first match wins */
	size_t rule_count;
	bool fail_to_loop; /* on_failure: loop (default) or reject */
};

/* One number to keep registered. */
#define CONFIG_SERVICE_MAX ((1u << 24) - 1) /* index; a file of 16 MiB names fewer */
struct config_registration {
	uint64_t number : 50;    /* e164_pack() */
	uint64_t route_type : 4; /* enum route_type */
	uint64_t tenant : 4;     /* config_tenant_name() etc. */
	uint32_t service : 24;   /* index into config.services */
	uint32_t file : 8;       /* where it was configured, for messages: see config_place() */
	uint32_t line;
};
_Static_assert(CONFIG_TENANTS <= 16, "four bits");
_Static_assert(sizeof(struct config_registration) == 16, "a million take 16 MB");

/* The numbers that the core says consent, all alike. */
struct config_consents {
	int route_type; /* enum route_type */
	char *service_name;
	uint32_t service;          /* index into config.services */
	char *tenant_name;         /* NULL: the default one */
	unsigned tenant;           /* config_tenant_name() etc. */
	char *queue;               /* our place in the core's events */
	unsigned max_in_flight;    /* events without acknowledgement: 50 */
	unsigned list_every_s;     /* all are compared: 900 */
	unsigned withdraw_at_most; /* for not being in a list: 20 */
	unsigned keep_days;        /* of the record: 365 */
	uint32_t line;             /* where it was configured, for messages */
};

/* Of calls whose rule says `record`. */
struct config_recordings {
	char *dir;          /* path */
	char *key;          /* PEM file: who has its private key can hear them; NULL: anybody who
			     * can read the files */
	bool opus;          /* instead of WAV */
	unsigned keep_days; /* then they are removed; 0: never */
};

/* Who gets call records by HTTP. */
struct config_record_hook {
	char *url;            /* NULL: nobody */
	char *secret_file;    /* one line; NULL: requests are not signed */
	char *ca_file;        /* PEM: who may sign its certificate; NULL: system's */
	bool plaintext;       /* http to another machine is meant */
	unsigned deadline_ms; /* of one request: 10000 */
	unsigned batch;       /* records in one request: 100 */
};

/* What becomes of call records. */
struct config_records {
	char *sqlite;        /* path of a database with a row for each; NULL: none */
	char *postgres;      /* the same in PostgreSQL: how libpq is to connect; NULL: none */
	char *password_file; /* of that; NULL: none */
	struct config_record_hook webhook;
	unsigned keep_days;  /* rows and rotated files go after; 0: never */
	unsigned mask_days;  /* and lose their numbers after; 0: never */
	bool mask_at_once;   /* no number is ever written whole */
	bool rotate_daily;   /* cdr_file is renamed with the first record of a day */
	size_t rotate_bytes; /* and once it is as large; 0: never */
};

enum media_ice { MEDIA_ICE_FULL, MEDIA_ICE_LITE };

/* What the full agent tells its peers: all it has, or relayed addresses only. */
enum ice_policy { ICE_POLICY_ALL, ICE_POLICY_RELAY };

#define CONFIG_TURN_MAX 4 /* of a call, each gathers from all of them */

enum turn_transport { TURN_UDP, TURN_TCP };

/* A TURN server. One of the two files is named. */
struct config_turn {
	char *address; /* host:port */
	enum turn_transport transport;
	char *username;
	char *password_file; /* one line */
	char *secret_file;   /* one line, shared with it: passwords are made of it */
};

/* Which loops that no rule wants the audio of are carried without it: their SDP
 * crosses untouched. */
enum media_bypass { MEDIA_BYPASS_NEVER, MEDIA_BYPASS_LOOPS, MEDIA_BYPASS_OVERLOAD };

#define CONFIG_ADDRESSES_MAX 4

struct config_media {
	/* To bind, and in SDP: ICE all, everything else the one on the way to the peer; default:
	 * of the first tls listener if literal. */
	char **addresses;
	size_t address_count;
	/* In SDP instead: what a NAT maps to each. */
	char **advertised_addresses;
	size_t advertised_count;     /* 0, or as many */
	uint16_t port_min, port_max; /* 20000-29999 */
	enum media_ice ice;
	enum ice_policy ice_policy; /* all */
	char *stun;                 /* host:port; NULL: none */
	struct config_turn *turn;
	size_t turn_count;
	char *turn_at;                   /* "file:line:column" */
	unsigned gather_ms;              /* what an offer waits for their answers at most: 500 */
	enum media_bypass bypass;        /* overload */
	unsigned threads;                /* 0: one per core, at most 8; or per one of `cpus` */
	struct processors cpus;          /* what each is pinned to; none: the kernel chooses */
	unsigned rtp_timeout_s;          /* no RTP on an established call: 60; 0: never */
	unsigned opus_complexity;        /* of what is encoded, 0 to 10: 2 */
	unsigned hold_timeout_s;         /* nothing from a side on hold: 7200; 0: never */
	char *certificate, *private_key; /* PEM paths; NULL: made at start */
	char *certificate_at;            /* "file:line:column" of the first */
};

/* What somebody may ask for over HTTP; each role may what those before it may. */
enum http_role { HTTP_ROLE_NONE, HTTP_ROLE_READ, HTTP_ROLE_OPERATE, HTTP_ROLE_ADMIN };
const char *http_role_name(enum http_role role);

struct config_http_listen {
	enum { HTTP_LISTEN_UNIX, HTTP_LISTEN_PLAIN, HTTP_LISTEN_TLS } kind;
	char *host; /* literal address; path of a Unix socket */
	uint16_t port;
};

struct config_http_token {
	char *name; /* who has it, for the log */
	enum http_role role;
	char *file; /* its first line is the token */
};

struct config_http {
	struct config_http_listen *listen;
	size_t listen_count; /* 0: no HTTP side */
	char *certificate, *private_key;
	struct config_http_token *tokens;
	size_t token_count;
	unsigned rate; /* requests a second of one token or address: 20 */
};

/* What becomes of the registrations while we are sick. */
enum health_gate { HEALTH_GATE_OFF, HEALTH_GATE_REPORT, HEALTH_GATE_WITHDRAW };
const char *health_gate_name(enum health_gate gate); /* "report" */

/* What a check is for. */
enum health_does {
	HEALTH_DOES_NOTHING,
	HEALTH_DOES_REPORT,
	HEALTH_DOES_PROVEN, /* as WITHDRAW, once it has passed since the start */
	HEALTH_DOES_WITHDRAW
};
const char *health_does_name(enum health_does does); /* "proven" */

struct config_health_check {
	enum health_does does;
	unsigned every_ms, sick_after_ms, well_after_ms;
};

struct config_health {
	enum health_gate gate;
	unsigned rate; /* requests a second while withdrawing; 0: as core.api.max_rate */
	struct config_health_check self_call, dns, sip, media, store, trunks;
	char *self_call_to;      /* host:port; NULL: our first tls listener */
	char *self_call_ca_file; /* PEM; NULL: config_sip.ca_file */
	unsigned self_call_timeout_ms;
	char **dns_addresses; /* literal */
	size_t dns_address_count;
	unsigned watchdog_after_ms;        /* dead for so long */
	unsigned watchdog_unseen_after_ms; /* a fleet's node that nobody can look at */
	bool watchdog_kills;               /* one that hangs */
};

/* What was said lately, for `breakoutctl trace`. */
struct config_trace {
	size_t bytes;    /* 0: nothing is kept */
	char *hep;       /* address:port of a HEP3 collector, to mirror to; NULL: none */
	unsigned hep_id; /* capture agent id */
	char *hep_password_file;
	char *dir;          /* where calls of traced numbers are kept in full */
	size_t dir_bytes;   /* all of them; 0: none are */
	unsigned keep_days; /* then they are removed; 0: only when there is no room */
};

/* A database that several nodes share. */
struct config_postgres {
	char *conninfo; /* libpq's; NULL: none, the file is the store */
	char *password_file;
	char *node;       /* our name; NULL: the machine's */
	unsigned version; /* of the registrations: the greatest of all nodes counts */
	unsigned lease_ms;
	unsigned alone_s; /* registrations are refreshed so long without the database */
};

struct config {
	_Atomic unsigned references; /* further ones: config_ref() */
	_Atomic unsigned keepers;    /* of the settings, further to all who have a reference */
	char *path;
	char version[17];      /* a name for what it says, hexadecimal */
	char *domain;          /* host in every registration's sip_uri */
	uint16_t sip_uri_port; /* 0: none in sip_uri, the core looks up SRV */
	struct config_sip sip;
	struct config_core core;
	char *prefix_mo, *prefix_mt;   /* of the default tenant: digits; NULL: none */
	struct config_tenant *tenants; /* the further ones */
	size_t tenant_count;
	char *store_sqlite; /* path */
	struct config_postgres postgres;
	char *cdr_file; /* JSON lines; NULL: only the log */
	struct config_records records;
	char *admin_socket; /* path of the Unix socket */
	struct config_http http;
	struct config_trace trace;
	struct config_health health;
	enum log_level log_level;
	enum log_format log_format;
	unsigned log_rate; /* lines a second of one place: 2000; 0: any */
	struct config_media media;
	struct config_recordings recordings;
	bool withdraw_at_stop;               /* delete every registration at stop */
	unsigned max_calls;                  /* concurrent; 10000 */
	unsigned max_calls_per_number;       /* concurrent, of one registered number; 0: no limit */
	unsigned max_call_s;                 /* a call ends after; 14400 */
	unsigned max_busy;                   /* percent of the SIP thread's time: 95; 0: any */
	unsigned drain_s;                    /* after SIGTERM calls may last: 14400 */
	const struct config_zone *time_zone; /* of windows that name none, and of holidays */
	struct config_dates *holidays;
	size_t holiday_count;
	char **watched_headers; /* names that some rule looks at, once each */
	size_t watched_header_count;
	size_t turn_count;            /* actions that take turns */
	struct config_zone *zones;    /* every one that is named somewhere */
	struct config_numbers *lists; /* every file that is named somewhere */
	char **emergency;             /* numbers sent to leg 3 first and untouched */
	size_t emergency_count;
	struct config_trunk *trunks;
	size_t trunk_count;
	struct config_device *devices;
	size_t device_count;
	unsigned device_attempts;        /* log-ins of one source a minute that may fail: 30 */
	struct config_service *services; /* [0] is the built-in "loop" */
	size_t service_count;
	struct config_webhook *webhooks; /* all actions', a list */
	size_t webhook_count;
	struct config_sound *sounds; /* every file that an action plays, once */
	size_t sound_count;
	struct config_registration *registrations; /* sorted by number, no duplicates; heap */
	size_t registration_count;
	char **registration_files; /* where some of them are from: paths of CSV files */
	size_t registration_file_count;
	char **sources; /* every file that was read; config_registration.file counts from 1 */
	size_t source_count;
	struct config_consents *consents; /* NULL: none but the above */
	bool no_numbers; /* not even those of other sources: config_without_numbers() */
	struct config_setting *settings; /* for config_settings() */
	size_t setting_count;
};

/* What a reload does with a key. */
enum config_apply {
	CONFIG_APPLY_AS_PARENT, /* in a table only: as the mapping the key is in */
	CONFIG_APPLY_NOW,       /* it counts at once, also for what is under way */
	CONFIG_APPLY_NEXT,      /* for new calls, connections or files; others keep the old */
	CONFIG_APPLY_RESTART    /* the old value stays until the next start */
};
const char *config_apply_name(enum config_apply apply); /* "at once" */

/* One key as it is in force. Values are as a file would say them, on one line,
 * secrets as ***. */
struct config_setting {
	const char *name;   /* "core.api.target", "trunks.pbx.uris", "services.night" */
	const char *value;  /* NULL: none, and there is no default */
	const char *origin; /* "file:line:column", "environment NAME", "command line", "default" */
	enum config_apply apply;
};
/* In the order of the tables, as long as the config lives. */
const struct config_setting *config_settings(const struct config *config, size_t *ret_count);

/* What differs from one configuration to another. */
struct config_change {
	const char *name;
	const char *before, *after; /* values as in config_setting; NULL: none */
	enum config_apply apply;
};
typedef void config_change_fn(const struct config_change *change, void *arg);
/* Calls for each setting that differs, also for the registrations, in numbers. What
 * only counts after a restart is compared with what the daemon was `started` from.
 * Returns how many settings are the same. */
size_t config_compare(const struct config *started, const struct config *before,
		      const struct config *after, config_change_fn *visit, void *arg);

/* A file of numbers that is read from elsewhere, to see what would come of it. */
struct config_swap {
	const char *path; /* as in config.registration_files; NULL: each of them */
	const char *from; /* what is read */
	const char *name; /* what findings call it */
};

/* Where a configuration comes from. The command line goes before the environment,
 * and that before the file. */
struct config_sources {
	const char *path;
	bool check_files;         /* also open what it names (certificate chain, key, secret) */
	const char *const *given; /* "core.api.max_rate=100", from the command line */
	size_t given_count;
	char *const
		*environment; /* as environ(7), BREAKOUT_CORE_API_MAX_RATE=100; NULL: not asked */
	const struct config_swap *swap; /* NULL: none */
};
/* As config_load(), which reads nothing but the file. */
int config_load_from(const struct config_sources *sources, struct config **ret_config,
		     struct str *ret_errors) MUST_CHECK;

/* Reads and checks a file (and conf.d/ beside it: *.yaml, in name order).
 *
 * ret_errors: all findings, one "file:line:column: error: what. how to mend"
 * or "...: warning: ..." a line; filled also on success (warnings). The caller
 * has initialised it and ends it with str_done().
 * check_files: also open what the file names (certificate chain, key, secret).
 * Returns 0, -EINVAL (errors were added) or -ENOMEM.
 */
int config_load(const char *path, bool check_files, struct config **ret_config,
		struct str *ret_errors) MUST_CHECK;
/* Gives up one reference; with the last one it is gone. NULL is fine. */
struct config *config_destroy(struct config *config);
/* One more, for who keeps it: config_destroy(). Threads: any. */
struct config *config_ref(const struct config *config);
/* The same of all but the numbers: once nobody has a reference any more they are gone, and
 * none of them is asked for. Ends with config_leave(); NULL is fine there. */
struct config *config_keep_settings(const struct config *config);
struct config *config_leave(struct config *config);
/* A copy that wants nothing registered, for who withdraws all. Lives no longer than `from`, and
 * is neither kept nor destroyed. */
void config_without_numbers(const struct config *from, struct config *ret_config);

/* Tenants count from 0: what `core.api` and `prefixes` say, called "default"; then those
 * of config.tenants. */
size_t config_tenants(const struct config *config);
const char *config_tenant_name(const struct config *config, size_t index);
const struct config_api *config_tenant_api(const struct config *config, size_t index);
/* Where the calls of a tenant's core go back: its own SBC's URI, else that of core.sbc. */
const char *config_tenant_sbc(const struct config *config, size_t index);
/* DIRECTION_MO's, or that of MT. NULL: none. */
const char *config_tenant_prefix(const struct config *config, size_t index,
				 enum call_direction direction);

/* What the core puts before the numbers of a tenant's calls, in one direction. */
struct config_prefix {
	const char *digits;
	size_t tenant;
	enum call_direction direction;
};
/* The one that a number's own digits begin with (packed as e164_pack() does): a call to it
 * without a prefix is taken for one to the rest of the number. False: there is none. */
bool config_prefix_like(const struct config *config, uint64_t number,
			struct config_prefix *ret_prefix);
/* That, in a sentence without the number and without a full stop. */
void config_prefix_say(const struct config *config, const struct config_prefix *prefix,
		       struct str *sentence);

/* In `config->time_zone`. */
bool config_is_holiday(const struct config *config, const struct config_local *local);

/* RFC 3263 section 4.1: what the URI names, else TLS for sips and UDP for sip. */
enum sip_transport config_uri_transport(const char *uri);
/* Bits 1 << enum sip_transport: what the DNS may choose for it. */
unsigned config_uri_transports(const char *uri);

/* Borrowed; NULL if the number is not configured. */
const struct config_registration *config_find_number(const struct config *config,
						     const char *number);
/* "/etc/breakout/numbers.csv:12"; the line alone if there are too many files. */
void config_place(const struct config *config, const struct config_registration *registration,
		  char *ret_place, size_t room);

/* What somebody says of a number outside of the configuration; NULL or "": nothing. Without
 * a number it is said of any. */
struct config_wish {
	const char *number, *route_type, *service, *tenant;
};
/* What it comes to, by the rules for a configured number, and one more: it may not begin
 * like a prefix (config_prefix_like()). 0, -ENOMEM, or -EINVAL with one sentence in
 * ret_error. */
int config_check_number(const struct config *config, const struct config_wish *wish,
			struct config_registration *ret_registration,
			struct str *ret_error) MUST_CHECK;
/* The same of all lines of a file as registrations[].file names them, which findings call
 * `name`. ret_list: ascending, distinct, the caller's with free(). 0, -ENOMEM, or -EINVAL
 * with all findings in ret_errors, as of config_load(). */
int config_read_csv(const struct config *config, const char *path, const char *name,
		    struct config_registration **ret_list, size_t *ret_count,
		    struct str *ret_errors) MUST_CHECK;

#endif
