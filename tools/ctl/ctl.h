/* SPDX-License-Identifier: Apache-2.0 */
/* ctl.h - breakoutctl: asking the daemon, and showing what it said. */
#ifndef BREAKOUT_TOOLS_CTL_CTL_H
#define BREAKOUT_TOOLS_CTL_CTL_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/types.h>
#include "base/macros.h"

#define SOCKET_PATH "/run/breakout/breakout.sock"

enum { STATUS_OK, STATUS_NO, STATUS_USAGE, STATUS_UNREACHABLE, STATUS_DIFFERENT, STATUS_CRITICAL };

#define HEADERS_MAX 32

/* Of `explain`; NULL: not given. */
struct explain_options {
	bool given; /* any of them */
	const char *from, *to, *direction, *at, *trunk;
	const char *headers[HEADERS_MAX];
	size_t header_count;
	unsigned load; /* percent */
	const char *config, *cdr, *replay, *with;
};

/* Of `regs plan`, as written; NULL: not given. */
struct plan_options {
	bool given; /* any of them */
	const char *count, *outage, *ttl, *rate;
};

/* Of `records`, as written; NULL: not given. */
struct record_options {
	bool given; /* any of them */
	const char *since, *until, *number, *cause;
	bool csv;
};

/* Of `regs pause` and `regs resume`, as written; NULL: not given. */
struct pause_options {
	bool given; /* any of them */
	bool all;
	const char *service, *span, *why;
};

/* Of `regs import`. */
struct import_options {
	bool given; /* any of them */
	bool dry_run;
	bool replace;
	const char *into; /* NULL: not given */
};

/* Of `trace on`, and of `calls ID`; NULL: not given. */
struct trace_options {
	const char *calls;
	bool ladder;
};

/* Of `regs add`, as written; NULL: not given. */
struct number_options {
	bool given; /* any of them */
	bool change;
	const char *route_type, *tenant;
};

enum format { FORMAT_TABLE, FORMAT_JSON, FORMAT_TEXT, FORMAT_HTML, FORMAT_PCAPNG };

struct options {
	const char *socket_path;
	enum format format;
	bool json;                     /* format is FORMAT_JSON */
	const char *argument, *second; /* of the command; NULL: none */
	const char *const *words;      /* all arguments, NULL-ended */
	const char *key;               /* of unseal; NULL: none */
	const char *source;            /* of regs; NULL: all */
	bool once;                     /* of top */
	bool yes;                      /* do not ask */
	struct explain_options explain;
	struct plan_options plan;
	struct record_options records;
	struct pause_options pause;
	struct import_options import;
	struct trace_options trace;
	struct number_options number;
};

void say_usage(FILE *to); /* usage.c */
enum options_result {
	OPTIONS_FINE, /* optind is where the command begins */
	OPTIONS_SAID, /* what was asked for: version, help */
	OPTIONS_WRONG
};
enum options_result options_read(struct options *options, int argc, char **argv);

/* Sends one request line, reads one JSON document. 0; -EPROTO (no JSON came),
 * or why the socket cannot be reached (-ENOENT, -ECONNREFUSED, -EACCES ...). */
int ask(const char *socket_path, const char *request, json_t **ret_answer) MUST_CHECK;
/* The same, without the patience for a busy daemon. */
int ask_within(const char *socket_path, const char *request, unsigned wait_s,
	       json_t **ret_answer) MUST_CHECK;
/* False: nobody takes questions there, for certain. Asks none, and waits for nobody. */
bool ask_reaches(const char *socket_path);

/* Bytes that go with a request, after its line. */
struct ask_body {
	const char *bytes;
	size_t length;
};
/* As ask_or_say(); body may be NULL. What is wrong with it is said line by line. */
json_t *ask_body_or_say(const struct options *options, const char *request,
			const struct ask_body *body, unsigned wait_s, int *ret_status);

/* The daemon's answer, or NULL after saying why there is none. */
json_t *ask_or_say(const struct options *options, const char *request, int *ret_status);

/* An order: a word and its terms as JSON. body may be NULL; wait_s 0: as long as ask(). */
json_t *ask_order(const struct options *options, const char *order, json_t *take_terms,
		  const struct ask_body *body, unsigned wait_s, int *ret_status);

/* Where the records are: as --cdr says, as `configured` says (NULL: nothing), as the
 * daemon says. The caller frees it; NULL after saying why there are none. */
char *record_path(const struct options *options, const char *configured, int *ret_status);

int run_explain(const struct options *options);
int run_call(const struct options *options); /* of `calls`, with an id */
int run_fleet(const struct options *options);
/* With --yes, or by who sits at the terminal; false: not, and that has been said. */
bool confirmed(const struct options *options, const char *question);
int run_records(const struct options *options);
int run_regs(const struct options *options);
int run_regs_plan(const struct options *options);
bool is_source(const char *name); /* "config", "api" or "consent" */
/* Whether --source asks for this registration. */
bool of_source(const struct options *options, const json_t *reg);
int run_export(const struct options *options); /* of `regs`: these eight */
int run_add(const struct options *options);
int run_delete(const struct options *options);
int run_import(const struct options *options);
int run_import_numbers(const struct options *options); /* --into api */
int run_pauses(const struct options *options);
int run_pause(const struct options *options);
int run_resume(const struct options *options);
/* What the first line of an export begins with. */
#define EXPORT_HEADER "# number,route_type,service,state,expires_s"
/* All registrations in number order, page by page; `before` came already. bar: what is
 * done with them, to show how far it is; NULL: no bar. A status, said if it is bad. */
typedef void page_fn(const json_t *page, size_t before, void *arg);
int each_page(const struct options *options, const char *bar, page_fn *visit, void *arg);
void show_progress(const char *what, size_t done, size_t total, bool end); /* on stderr */
void show_read(FILE *from, off_t size, bool end); /* how far into a file of that size */
/* A number and one of `units`, each with its factor: 30m, 1.5M. NULL: *amount stays. */
bool take_amount(const char *text, const char *units, const double *factors, double *amount);
int run_trace(const struct options *options);
int run_traced(const struct options *options); /* of `trace`: on, off, list */
/* How the call stood at --at, of the daemon's trace or of its record. */
int show_standing(const struct options *options, const json_t *trace, const json_t *record);
int run_unseal(const struct options *options);
int run_config(const struct options *options);
int run_reload(const struct options *options);
/* Makes the daemon read its configuration again: its report, or NULL after saying why
 * there is none. */
json_t *reload_and_wait(const struct options *options, int *ret_status);
int run_restart(const struct options *options);
int run_cert(const struct options *options);
int run_diagnose(const struct options *options);
int run_top(const struct options *options);

int print_json(const json_t *document); /* STATUS_OK */
/* For people, on stdout. */
void show_explanation(const json_t *explanation);
void show_replay(const json_t *differences); /* array */
void show_status(const json_t *status);
void show_regs(const json_t *regs);         /* array */
void show_origin(const json_t *reg);        /* who added it, where it is configured */
void show_attempts(const json_t *attempts); /* array */
void show_pauses(const json_t *pauses);     /* array */
void show_fleet(const json_t *fleet);
void show_plan(const json_t *plan);
void show_trunks(const json_t *lines);
void show_calls(const json_t *calls);
void show_log(const json_t *levels); /* array */
void show_devices(const json_t *devices);

#endif
