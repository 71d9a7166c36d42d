/* SPDX-License-Identifier: Apache-2.0 */
/* show_status.c - the daemon as a whole. */
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include "tools/ctl/ctl.h"
#include "tools/ctl/table.h"

/* One line while all is well, else one more for each check that fails. */
static void show_health(const json_t *health)
{
	const json_t *checks = json_object_get(health, "checks"), *check;
	char since[32];
	size_t i;

	if (!health)
		return;
	printf("health     %s, gate %s\n",
	       json_is_true(json_object_get(health, "sick")) ? "SICK" : "well",
	       text_of(health, "gate"));
	json_array_foreach(checks, i, check)
	{
		if (!strcmp(text_of(check, "why"), "-"))
			continue;
		span_text(number_of(check, "since_s"), since, sizeof(since));
		printf("           %s is %s for %s (%s): %s\n", text_of(check, "check"),
		       text_of(check, "state"), since, text_of(check, "does"),
		       text_of(check, "why"));
	}
	if (number_of(health, "stranded_services"))
		printf("           services whose trunks are all down: %lld\n",
		       number_of(health, "stranded_services"));
}

static void show_age(const char *what, long long age_s)
{
	char age[32];

	span_text(age_s, age, sizeof(age));
	if (age_s < 0)
		printf(", no %s yet", what);
	else
		printf(", last %s %s ago", what, age);
}

/* Where all are configured there is nothing to tell. */
static void show_sources(const json_t *status)
{
	const json_t *sources = json_object_get(status, "sources");
	long long api = number_of(sources, "api"), consent = number_of(sources, "consent");
	long long both = number_of(sources, "api_configured_too");
	long long stranded = number_of(sources, "api_stranded");
	const json_t *prefixed = json_object_get(status, "prefix_like");
	long long prefix_like = number_of(prefixed, "config") + number_of(prefixed, "api") +
				number_of(prefixed, "consent");

	if (!api && !consent && !both && !stranded && !prefix_like)
		return;
	printf("sources    config %lld, api %lld, consent %lld", number_of(sources, "config"), api,
	       consent);
	if (both)
		printf(", %lld of the api configured too", both);
	if (stranded)
		printf(", %lld of the api STRANDED: their service or tenant is not configured",
		       stranded);
	if (prefix_like)
		printf(", %lld in all BEGIN LIKE A PREFIX", prefix_like);
	putchar('\n');
}

static void show_consents(const json_t *consents)
{
	if (!consents)
		return;
	if (json_is_true(json_object_get(consents, "elsewhere"))) {
		printf("consents   %lld, another node of the fleet reads them\n",
		       number_of(consents, "count"));
		return;
	}
	printf("consents   %lld, stream: %s", number_of(consents, "count"),
	       json_is_true(json_object_get(consents, "stream_up")) ? "open" : "CLOSED");
	show_age("event", number_of(consents, "event_age_s"));
	show_age("list", number_of(consents, "list_age_s"));
	if (number_of(consents, "held"))
		printf(", %lld HELD", number_of(consents, "held"));
	if (number_of(consents, "unknown"))
		printf(", %lld without a number", number_of(consents, "unknown"));
	putchar('\n');
}

static void show_load(const json_t *load)
{
	long long admitted = number_of(load, "admitted_percent");

	if (!json_is_object(load))
		return;
	printf("load       %s: sip %lld %%, media %lld %%, calls %lld %%, memory %lld %%, files "
	       "%lld %%",
	       text_of(load, "level"), number_of(load, "sip_percent"),
	       number_of(load, "media_percent"), number_of(load, "calls_percent"),
	       number_of(load, "memory_percent"), number_of(load, "files_percent"));
	if (admitted < 100)
		printf(", %lld %% of new calls admitted", admitted);
	putchar('\n');
}

static void node_row(const json_t *node, char cells[COLUMNS_MAX][CELL])
{
	snprintf(cells[0], CELL, "%s", text_of(node, "name"));
	snprintf(cells[1], CELL, "%s",
		 !json_is_true(json_object_get(node, "alive"))     ? "silent"
		 : json_is_true(json_object_get(node, "draining")) ? "draining"
								   : "lives");
	snprintf(cells[2], CELL, "%lld", number_of(node, "shards"));
	snprintf(cells[3], CELL, "%lld%s", number_of(node, "version"),
		 json_is_true(json_object_get(node, "current")) ? "" : " (not in force)");
	snprintf(cells[4], CELL, "%.1fs ago", (double)number_of(node, "seen_ms") / 1000);
}

void show_fleet(const json_t *fleet)
{
	static const char *const titles[] = { "NODE", "STATE", "SHARDS", "VERSION", "SEEN", NULL };
	char left[32];

	printf("fleet      node %s, database answers: %s, lease: %s, %lld shards of 256",
	       text_of(fleet, "node"), yes_no(fleet, "database"), text_of(fleet, "standing"),
	       number_of(fleet, "shards"));
	if (number_of(fleet, "held"))
		printf(" (%lld only refreshed)", number_of(fleet, "held"));
	if (number_of(fleet, "held_s")) {
		span_text(number_of(fleet, "held_s"), left, sizeof(left));
		printf("\nheld       for %s at most: a node that died may be alone and go on. "
		       "Start "
		       "it, or if it is dead for certain: breakoutctl fleet forget NODE",
		       left);
	}
	printf("\nversion    %lld, in force %lld\n\n", number_of(fleet, "version"),
	       number_of(fleet, "in_force"));
	show_table(json_object_get(fleet, "nodes"), titles, node_row);
}

/* "in 14s", or "13s ago": it has lapsed. */
static void first_text(const json_t *of, char *ret_text, size_t room)
{
	long long left = number_of(of, "first_expiry_s");
	char span[32];

	span_text(left < 0 ? -left : left, span, sizeof(span));
	snprintf(ret_text, room, "%s%s%s", left > 0 ? "in " : "", span, left < 0 ? " AGO" : "");
}

/* None is left: whoever is last in the queue lapses even if the core never is away. */
static void margin_text(const json_t *of, char *ret_text, size_t room)
{
	long long margin = number_of(of, "margin_s");

	span_text(margin, ret_text, room);
	if (margin < 0)
		snprintf(ret_text, room, "NONE");
}

static const char *const tenant_titles[] = { "TENANT", "SBC",          "API",    "TOKEN", "ACTIVE",
					     "OTHER",  "FIRST EXPIRY", "MARGIN", "RATE",  NULL };

/* Not asked: sip.keepalive is 0, or the tenant is not configured any more. */
static const char *sbc_word(const json_t *tenant)
{
	const json_t *ok = json_object_get(tenant, "sbc_ok");

	return json_is_true(ok) ? "answers" : json_is_false(ok) ? "SILENT" : "not asked";
}

static void tenant_row(const json_t *tenant, char cells[COLUMNS_MAX][CELL])
{
	long long all = 0;
	const char *state;
	json_t *states = json_object_get(tenant, "registrations"), *count;

	json_object_foreach(states, state, count) all += json_integer_value(count);
	snprintf(cells[0], CELL, "%s%s", text_of(tenant, "name"),
		 json_is_true(json_object_get(tenant, "leaving")) ? " (leaving)" : "");
	snprintf(cells[1], CELL, "%s", sbc_word(tenant));
	snprintf(cells[2], CELL, "%s",
		 json_is_null(json_object_get(tenant, "api_up"))   ? "not asked yet"
		 : json_is_true(json_object_get(tenant, "down"))   ? "DOWN"
		 : json_is_true(json_object_get(tenant, "api_up")) ? "answers"
								   : "does not answer");
	snprintf(cells[3], CELL, "%s", yes_no(tenant, "token_ok"));
	snprintf(cells[4], CELL, "%lld", number_of(states, "active"));
	snprintf(cells[5], CELL, "%lld", all - number_of(states, "active"));
	first_text(tenant, cells[6], CELL);
	margin_text(tenant, cells[7], CELL);
	snprintf(cells[8], CELL, "%lld/s", number_of(tenant, "rate"));
}

static void show_elders(const json_t *elders)
{
	const json_t *elder;
	size_t i;

	json_array_foreach(elders, i, elder) printf(
		"before     pid=%lld still has %lld calls, for %lld s at most\n",
		number_of(elder, "pid"), number_of(elder, "calls"), number_of(elder, "ends_in_s"));
}

void show_status(const json_t *status)
{
	json_t *states = json_object_get(status, "registrations"), *count;
	char uptime[32], expiry[48], margin[32];
	const char *state;

	span_text(number_of(status, "uptime_s"), uptime, sizeof(uptime));
	printf("breakoutd %s pid=%lld domain=%s up=%s%s\n", text_of(status, "version"),
	       number_of(status, "pid"), text_of(status, "domain"), uptime,
	       json_is_true(json_object_get(status, "draining")) ? " DRAINING" : "");
	show_elders(json_object_get(status, "predecessors"));
	printf("config     %s\n", text_of(status, "config"));
	printf("calls      %lld (%lld legs)\n", number_of(status, "calls"),
	       number_of(status, "legs"));
	printf("media     ");
	json_object_foreach(json_object_get(status, "media"), state, count)
		printf(" %s=%lld", state, (long long)json_integer_value(count));
	putchar('\n');
	show_load(json_object_get(status, "load"));
	printf("core sbc   answers: %s\n", json_is_null(json_object_get(status, "sbc_ok"))
						   ? "not asked"
						   : yes_no(status, "sbc_ok"));
	if (number_of(status, "trunk_addresses"))
		printf("trunks     %lld addresses, %lld down\n",
		       number_of(status, "trunk_addresses"),
		       number_of(status, "trunk_addresses_down"));
	show_health(json_object_get(status, "health"));
	if (!states)
		return;
	first_text(status, expiry, sizeof(expiry));
	printf("core api   answers: %s, token: %s\n",
	       json_is_null(json_object_get(status, "api_up")) ? "not asked yet"
							       : yes_no(status, "api_up"),
	       yes_no(status, "token_ok"));
	printf("registered");
	json_object_foreach((json_t *)states, state, count) /* the macro only reads */
		printf(" %s=%lld", state, (long long)json_integer_value(count));
	margin_text(status, margin, sizeof(margin));
	printf(", first expiry %s, margin %s\n", expiry, margin);
	if (number_of(status, "lapsed"))
		printf("lapsed     %lld: the core has forgotten them, their calls go past us\n",
		       number_of(status, "lapsed"));
	if (number_of(status, "left_behind"))
		printf("left       %lld of tenants that are not configured: they lapse by "
		       "themselves\n",
		       number_of(status, "left_behind"));
	if (json_array_size(json_object_get(status, "tenants")) > 1)
		show_table(json_object_get(status, "tenants"), tenant_titles, tenant_row);
	if (json_object_get(status, "fleet"))
		show_fleet(json_object_get(status, "fleet"));
	show_sources(status);
	show_consents(json_object_get(status, "consents"));
	if (number_of(status, "pauses"))
		printf("paused     %lld by %lld orders: breakoutctl regs pauses\n",
		       number_of(status, "paused"), number_of(status, "pauses"));
	if (!number_of(status, "withheld"))
		return;
	span_text(number_of(status, "withheld_s"), expiry, sizeof(expiry));
	printf("withheld   %lld for %s: %s\n", number_of(status, "withheld"), expiry,
	       text_of(status, "withheld_why"));
}
