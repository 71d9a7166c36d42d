/* SPDX-License-Identifier: Apache-2.0 */
/* reload.c - tenants that come, change and go: what is configured, what a daemon makes of
 * it, and what is to be held where. As registrar.c has it, without the thread. */
#include <stdlib.h>
#include <string.h>
#include "base/str.h"
#include "tests/simulate/world.h"

/* A core may take so long to hear of what was sent before: late ones included. */
#define STRAY (30 * SECOND)
/* A fetch of a token that failed is tried again after a minute at most. */
#define FETCH_AGAIN (61 * SECOND)

extern api_token_fn *const wires_on_token;

static const char *const names[TENANTS] = { "default", "acme", "bolt", "corn" };

const char *tenant_name(unsigned tenant)
{
	return names[tenant];
}

unsigned daemon_tenant(const char *name)
{
	for (unsigned i = 1; i < TENANTS; i++)
		if (!strcmp(name, names[i]))
			return i;
	return 0;
}

/* ---- what is configured ---- */

static unsigned account_of(unsigned tenant, const struct tenant_plan *plan)
{
	return tenant * 2 + plan->account;
}

static void new_secret(unsigned tenant)
{
	struct tenant_plan *plan = &world.plan.tenants[tenant];

	plan->secret = ++world.accounts[account_of(tenant, plan)].secret_latest;
}

static unsigned draw_tenant(void)
{
	unsigned tenant;

	do
		tenant = below(TENANTS);
	while (!world.plan.tenants[tenant].there);
	return tenant;
}

/* Some numbers come, go or move. */
static void move_numbers(void)
{
	unsigned many = (unsigned)phones(), from = below(many), to = from + 1 + below(many);
	unsigned tenant = draw_tenant();

	for (unsigned i = from; i < to && i < many; i++) {
		world.plan.numbers[i].tenant = tenant;
		world.plan.numbers[i].type = (enum route_type)(below(3) * 2);
	}
}

/* Its numbers go elsewhere, or nowhere. */
static void remove_tenant(unsigned tenant)
{
	struct tenant_plan *plan = &world.plan.tenants[tenant];
	bool all = chance() < 0.4;

	if (!tenant || !plan->there)
		return;
	plan->there = false;
	for (unsigned i = 0; i < phones(); i++) {
		if (world.plan.numbers[i].tenant != tenant)
			continue;
		world.plan.numbers[i].tenant = draw_tenant();
		if (!all && chance() < 0.5)
			world.plan.numbers[i].type = ROUTE_TYPE_NONE;
	}
	if (!world.is_fleet && chance() < 0.15) /* so are its rights */
		world_event(between(0, MINUTE), EVENT_REVOKE, account_of(tenant, plan));
}

static void add_tenant(unsigned tenant)
{
	struct tenant_plan *plan = &world.plan.tenants[tenant];

	if (plan->there)
		return;
	plan->there = true;
	if (world.spots > 1 && chance() < 0.3)
		plan->target = below(2);
	if (world.spots > 1 && chance() < 0.3)
		plan->account = below(2);
	new_secret(tenant);
	move_numbers();
}

static void change_tenant(unsigned tenant)
{
	struct tenant_plan *plan = &world.plan.tenants[tenant];

	switch (world.spots > 1 ? below(4) : 2 + below(2)) {
	case 0:
		plan->target = !plan->target;
		break;
	case 1:
		plan->account = !plan->account;
		new_secret(tenant);
		break;
	case 2:
		new_secret(tenant);
		if (!world.is_fleet && chance() < 0.5)
			world_event(between(0, MINUTE), EVENT_REVOKE, account_of(tenant, plan));
		break;
	case 3:
		plan->deadline_ms = DEADLINE - below(2);
		break;
	}
}

static void change_one(void)
{
	unsigned tenant = below(TENANTS);

	switch (below(6)) {
	case 0:
		add_tenant(tenant);
		break;
	case 1:
		remove_tenant(tenant);
		break;
	case 2:
	case 3:
		if (world.plan.tenants[tenant].there)
			change_tenant(tenant);
		break;
	case 4:
		move_numbers();
		break;
	case 5:
		world.plan.domain += chance() < 0.2;
		break;
	}
}

void reload_change(void)
{
	for (unsigned i = 1 + below(4); i > 0; i--)
		change_one();
}

void reload_draw(bool soon)
{
	struct node *node = &world.nodes[0];

	if (clock_now() >= world.calms)
		return;
	reload_change();
	say("another configuration");
	if (node->keeper && chance() < 0.15) /* it may die over it */
		node->kill_after = (int)below(12);
	world_event(soon || chance() < 0.5 ? 0 : between(0, MINUTE), EVENT_RELOAD, 0);
}

void reload_revoke(uint32_t index)
{
	struct account *account = &world.accounts[index];
	const struct tenant_plan *plan = &world.plan.tenants[index / 2];
	bool in_use = plan->there && account_of(index / 2, plan) == index;

	say("secrets of account %u.%u are revoked", index / 2, index % 2);
	account->secret_from = in_use ? plan->secret : account->secret_latest + 1;
	if (chance() < 0.5)
		account->token_from = world.token_latest + 1;
}

void reload_begin(void)
{
	world.links = true;
	world.comings = !world.is_fleet;
	world_cores(TENANTS, world.is_fleet ? 1 : SPOTS);
	for (unsigned i = 0; i < CORES; i++)
		world.cores[i].since = clock_now();
	for (unsigned i = 0; i < TENANTS; i++) {
		struct tenant_plan *plan = &world.plan.tenants[i];

		plan->there = !i || chance() < 0.5;
		plan->deadline_ms = DEADLINE;
		new_secret(i);
		world.nodes[0].served[i].core = NO_CORE;
	}
	world.plan.domain = 1;
	say("%zu numbers", phones());
	for (unsigned i = 0; i < phones(); i++) {
		world.plan.numbers[i].tenant = draw_tenant();
		world.plan.numbers[i].type = ROUTE_TYPE_LOOP_MO;
	}
}

/* ---- as a daemon is told ---- */

static char *digits(struct registrar_cores *cores, unsigned a, unsigned b)
{
	char text[24];
	int length = snprintf(text, sizeof(text), "%u.%u", a, b);

	return arena_dup(&cores->arena, text, (size_t)length);
}

struct registrar_cores *reload_cores(const struct plan *plan)
{
	struct registrar_cores *cores = calloc(1, sizeof(*cores));

	if (!cores)
		abort();
	for (unsigned i = 0; i < TENANTS; i++) {
		const struct tenant_plan *from = &plan->tenants[i];
		struct core *core = &cores->list[cores->count];

		if (!from->there)
			continue;
		cores->count++;
		core->name = names[i];
		core->secret = from->secret;
		core->api = (struct config_api){
			.target = digits(cores, i, from->target),
			.token_url = (char *)"https://id.example/token",
			.client_id = digits(cores, i, from->account),
			.client_secret_file = digits(cores, from->secret, 0),
			.deadline_ms = from->deadline_ms,
			.max_rate = world.max_rate,
		};
	}
	if (cores->arena.failed)
		abort();
	return cores;
}

/* Tenants by their places in the configuration. */
struct wanted *reload_wanted(const struct plan *plan)
{
	struct wanted *wanted = calloc(1, sizeof(*wanted));
	uint8_t places[TENANTS] = { 0 }, count = 0;
	char uri[32];

	snprintf(uri, sizeof(uri), "sips:v%u.example", plan->domain);
	if (!wanted)
		abort();
	wanted->sip_uri = strdup(uri);
	wanted->numbers = calloc(phones() + 1, sizeof(*wanted->numbers));
	if (!wanted->sip_uri || !wanted->numbers)
		abort();
	for (unsigned i = 0; i < TENANTS; i++) {
		if (!plan->tenants[i].there)
			continue;
		wanted->prefixes[count].mo = strdup("00");
		if (!wanted->prefixes[count].mo)
			abort();
		places[i] = count++;
	}
	for (unsigned i = 0; i < phones(); i++)
		if (plan->numbers[i].type != ROUTE_TYPE_NONE)
			wanted->numbers[wanted->count++] = (struct wanted_number){
				.number = FIRST_NUMBER + i,
				.route_type = (uint8_t)plan->numbers[i].type,
				.tenant = places[plan->numbers[i].tenant],
			};
	return wanted;
}

/* ---- what is to be held where ---- */

const struct link *reload_link(const struct node *node, unsigned tenant)
{
	for (size_t i = 0; i < node->links.count; i++)
		if (node->links.list[i].name && !strcmp(node->links.list[i].name, names[tenant]))
			return &node->links.list[i];
	return NULL;
}

/* Who forgot it was to see that nothing is left. */
static void judge_left(const struct node *node, unsigned tenant, unsigned core)
{
	if (node->plan.tenants[tenant].there)
		return;
	for (unsigned i = 0; i < phones(); i++) {
		const struct number *number = place_of(FIRST_NUMBER + i, core);

		if (number->held && !number->untold && !number->abandoned &&
		    number->held_until > clock_now() + STRAY &&
		    number->excused_until < clock_now() && world.unsure_until < clock_now())
			fail("%s has gone, and number %u is held for %lld s yet", names[tenant], i,
			     (long long)((number->held_until - clock_now()) / SECOND));
	}
}

void reload_leave_open(const struct number *number)
{
	for (unsigned core = 0; core < CORES; core++) {
		struct number *other = place_of(phone_of(number), core);

		other->open |= !other->wanted;
	}
}

/* What is said goes elsewhere from now on. */
static void serve(struct node *node, unsigned tenant, unsigned core)
{
	struct served *served = &node->served[tenant];

	if (served->core == core)
		return;
	say("%s %s is served at %u", node->name, names[tenant], core);
	for (unsigned i = 0; served->core != NO_CORE && i < phones(); i++) {
		struct number *from = place_of(FIRST_NUMBER + i, served->core);

		if (from->wanted && (from->confirmed || from->perhaps))
			reload_leave_open(from);
		from->abandoned = true;
		from->confirmed = from->perhaps = false;
		if (core == NO_CORE)
			continue;
		/* What was kept there for a while may be here. */
		place_of(FIRST_NUMBER + i, core)->leaving = from->leaving;
		place_of(FIRST_NUMBER + i, core)->open = from->open;
		place_of(FIRST_NUMBER + i, core)->confirmed = false;
	}
	served->core = core;
}

static void look(struct node *node, unsigned tenant)
{
	const struct link *link = reload_link(node, tenant);
	struct served *served = &node->served[tenant];
	unsigned ignored, core = NO_CORE;

	if (link) {
		if (link->core) {
			served->account = node->plan.tenants[tenant].account;
			served->secret = node->plan.tenants[tenant].secret;
		}
		core = tenant * SPOTS + wires_target(link->client, &ignored) * 2 + served->account;
	} else if (node->keeper && served->core != NO_CORE) {
		judge_left(node, tenant, served->core);
	}
	serve(node, tenant, core);
}

/* Of a number. */
static unsigned home_of(const struct node *node, unsigned i)
{
	unsigned tenant = node->plan.numbers[i].tenant;

	return node->plan.tenants[tenant].there && node->plan.numbers[i].type != ROUTE_TYPE_NONE
		       ? node->served[tenant].core
		       : NO_CORE;
}

static void want_at(const struct node *node, unsigned i, unsigned core, bool here)
{
	struct number *number = place_of(FIRST_NUMBER + i, core);

	/* What nobody knows of stays so if nothing is said while it is wanted. */
	number->stray |= here && number->abandoned;
	number->abandoned = !here && (number->abandoned || number->stray);
	number->stray &= here;
	daemon_want(number, here ? node->plan.domain * 8 + (terms)node->plan.numbers[i].type : 0);
	number->leaving |= node->sick || node->plan.numbers[i].type == ROUTE_TYPE_NONE;
}

/* After the configuration is another, or the way to a core. */
static void settle(struct node *node)
{
	for (unsigned i = 0; i < TENANTS; i++)
		look(node, i);
	for (unsigned i = 0; i < phones(); i++) {
		unsigned home = home_of(node, i);

		/* Where it comes first, as it may have been kept there until now. */
		if (home != NO_CORE)
			want_at(node, i, home, true);
		for (unsigned core = 0; core < CORES; core++)
			if (core != home)
				want_at(node, i, core, false);
	}
}

void reload_moved(struct node *node)
{
	settle(node);
}

/* Its tenant's core has it: nobody else needs to keep it, whatever comes. Or the one has it
 * that was that until a moment ago, of which the keeper may not have heard yet. */
void reload_confirmed(const struct number *number)
{
	const struct served *served = &world.nodes[0].served[core_of(number) / world.spots];

	if (world.comings && served->core != core_of(number) && served->core != NO_CORE &&
	    place_of(phone_of(number), served->core)->wanted)
		reload_leave_open(number);
	for (unsigned core = 0; number->wanted && core < world.tenants * world.spots; core++) {
		struct number *other = place_of(phone_of(number), core);

		other->leaving |= !other->wanted;
	}
}

/* ---- a daemon ---- */

void reload_map(const struct node *node, struct wanted *wanted)
{
	uint8_t map[CONFIG_TENANTS];

	links_map(&node->links, map);
	wanted_map(wanted, map);
}

void reload_read(struct node *node)
{
	struct wanted *wanted;

	if (!node->keeper || node->frozen)
		return; /* it will when it starts */
	say("%s reads it", node->name);
	node->plan = world.plan;
	links_take(&node->links, reload_cores(&node->plan), node->keeper, clock_now());
	settle(node);
	if (node->frozen)
		return;
	wanted = reload_wanted(&node->plan);
	reload_map(node, wanted);
	if (keeper_want(node->keeper, wanted, clock_now()))
		abort();
	wanted_destroy(wanted);
}

static void on_token_refused(unsigned tenant, const char *token, void *arg)
{
	struct node *node = arg;

	say("the keeper wants another token for %s", node->links.list[tenant].name);
	api_token_invalidate(node->links.list[tenant].token, token);
}

/* Rows of tenants that nobody has configured. */
static size_t strangers(const struct node *node)
{
	size_t count = 0;

	for (unsigned tenant = 0; tenant < TENANTS; tenant++)
		for (unsigned i = 0; !node->plan.tenants[tenant].there && i < phones(); i++)
			count += row_of(FIRST_NUMBER + i, tenant)->stored != 0;
	return count;
}

/* A row says that there was a registration, not that it was being deleted: such a number is
 * kept as any other is that another tenant gets. And whether it is believed is open here. */
static void believe_rows(const struct node *node)
{
	for (unsigned tenant = 0; tenant < TENANTS; tenant++)
		for (unsigned i = 0; node->served[tenant].core != NO_CORE && i < phones(); i++) {
			struct number *number =
				place_of(FIRST_NUMBER + i, node->served[tenant].core);
			terms stored = row_of(FIRST_NUMBER + i, tenant)->stored;

			if (stored)
				number->leaving = number->stray = false;
			number->open = false;
			number->confirmed &= stored != 0;
			number->perhaps = stored != 0;
		}
}

void reload_connect(struct node *node, struct keeper_options *options)
{
	node->links = (struct links){ .on_token = wires_on_token };
	if (links_create(&node->links, reload_cores(&node->plan)))
		abort();
	options->token_refused = on_token_refused;
	options->tenant_count = node->links.count;
	for (size_t i = 0; i < node->links.count; i++)
		options->tenants[i] = link_as_tenant(&node->links.list[i]);
}

void reload_start(struct node *node)
{
	struct keeper_options options = { .store = "disk",
					  .arg = node,
					  .seed = world.seed ^ (uint64_t)clock_now() };
	unsigned said = world.strangers_said;
	struct wanted *wanted;
	char boot[16];

	node->plan = world.plan;
	reload_connect(node, &options);
	snprintf(boot, sizeof(boot), "%u", node->boot);
	options.boot = boot;
	settle(node);
	believe_rows(node);
	wanted = reload_wanted(&node->plan);
	if (keeper_create(&node->keeper, &options, wanted, clock_now()))
		abort();
	wanted_destroy(wanted);
	if (strangers(node) && said == world.strangers_said)
		fail("rows of tenants that are not configured are passed over in silence");
	if (links_fetch(&node->links))
		abort();
}

void reload_destroy(struct node *node)
{
	wires_forget(node);
	links_end_tokens(&node->links);
	links_disconnect(&node->links);
	links_done(&node->links);
}

/* ---- what must hold ---- */

unsigned reload_core(struct node *node, const struct api_client *client, const char *token)
{
	unsigned tenant, target = wires_target(client, &tenant), owner, account, core;
	char *end;

	(void)strtoul(token, &end, 10);
	owner = (unsigned)strtoul(end + 1, &end, 10);
	account = (unsigned)strtoul(end + 1, NULL, 10);
	if (owner != tenant)
		fail("a token of %s is shown to the core of %s", names[owner], names[tenant]);
	core = tenant * world.spots + target * 2 + account;
	if (world.comings && core != node->served[tenant].core)
		fail("a token of account %u.%u is shown to target %u.%u", tenant, account, tenant,
		     target);
	return core;
}

/* Its tenant can get tokens, or has one. */
static bool has_rights(struct node *node, unsigned tenant)
{
	struct served *served = &node->served[tenant];
	const struct account *account = &world.accounts[tenant * 2 + served->account];
	const struct link *link = reload_link(node, tenant);
	bool good = link && served->secret >= account->secret_from && !world.weather.tokens_down;
	unsigned index = link ? (unsigned)(link - node->links.list) : 0;

	if (!good)
		served->rights = 0;
	else if (!served->rights)
		served->rights = clock_now();
	return good &&
	       (keeper_token_of(node->keeper, index) || clock_now() - served->rights > FETCH_AGAIN);
}

static void note_calm(struct node *node)
{
	for (unsigned core = 0; core < CORES; core++) {
		unsigned tenant = core / SPOTS;
		bool serves = node->keeper && !node->frozen && node->served[tenant].core == core &&
			      has_rights(node, tenant);

		calm_note(&world.cores[core],
			  !serves || world.calm.trouble || world.ways[core] != WAY_OPEN);
	}
}

void reload_run(struct node *node)
{
	links_run(&node->links, node->keeper, clock_now());
	settle(node);
	note_calm(node);
}

void reload_judge(void)
{
	note_calm(&world.nodes[0]);
}

/* In the end nothing is left of who went. */
void reload_judge_end(void)
{
	const struct node *node = &world.nodes[0];

	for (unsigned i = 0; i < TENANTS && node->keeper; i++)
		if (!node->plan.tenants[i].there && reload_link(node, i))
			fail("%s has not gone", names[i]);
}
