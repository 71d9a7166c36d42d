/* SPDX-License-Identifier: Apache-2.0 */
/* registration.c - groups of numbers, CSV files, duplicates, lookup. */
#include "config/registration.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "config/consent.h"
#include "config/lines.h"
#include "config/service.h"
#include "config/tenant.h"

#define REGISTRATIONS_MAX 2000000u
#define PREFIX_LIKE_MAX   10u /* such numbers are named, the others counted */

/* One on its way into the configuration. `its` names at most 255 files. */
struct pending {
	struct config_registration its;
	uint32_t file, column; /* the line is its own */
};

static struct pending pending_of(uint64_t number, struct place at, int route_type, uint32_t service,
				 unsigned tenant)
{
	return (struct pending){
		.its = { .number = number & E164_PACKED_MAX,
			 .route_type = (unsigned)route_type & 0xfu,
			 .tenant = tenant & 0xfu,
			 .service = service & CONFIG_SERVICE_MAX,
			 .file = (at.file <= UINT8_MAX ? at.file : 0) & 0xffu,
			 .line = at.line },
		.file = at.file,
		.column = at.column,
	};
}

static struct place pending_place(const struct pending *pending)
{
	return (struct place){ pending->file, pending->its.line, pending->column };
}

static const char *const route_names[ROUTE_TYPE_COUNT] = {
	[ROUTE_TYPE_NONE] = "none",       [ROUTE_TYPE_LOOP] = "loop",
	[ROUTE_TYPE_FORK] = "fork",       [ROUTE_TYPE_FALLBACK] = "fallback",
	[ROUTE_TYPE_LOOP_MO] = "loop_mo", [ROUTE_TYPE_LOOP_MT] = "loop_mt",
	[ROUTE_TYPE_INGRESS] = "ingress",
};

/* Those an operator may write. */
#define ROUTE_CHOICES      (route_names + ROUTE_TYPE_LOOP)
#define ROUTE_CHOICE_COUNT (ROUTE_TYPE_COUNT - ROUTE_TYPE_LOOP)

const char *route_type_name(enum route_type type)
{
	return (unsigned)type < ROUTE_TYPE_COUNT ? route_names[type] : "unknown";
}

int route_type_parse(const char *name, enum route_type *ret_type)
{
	for (int i = ROUTE_TYPE_LOOP; i < ROUTE_TYPE_COUNT; i++) {
		if (strcmp(name, route_names[i]))
			continue;
		*ret_type = (enum route_type)i;
		return 0;
	}
	return -EINVAL;
}

/* Why a text is no number, said without the number itself. */
static const char *number_problem(const char *text)
{
	size_t digits = text[0] == '+' ? strspn(text + 1, "0123456789") : 0;

	if (text[0] != '+')
		return "does not begin with + and the country code";
	if (text[1 + digits])
		return "has something else than digits after the +";
	if (text[1] == '0')
		return "begins with 0 after the +: no country code does";
	if (digits < 3)
		return "has fewer than 3 digits";
	if (digits > 15)
		return "has more than 15 digits";
	return NULL;
}

static bool number_parse(struct reader *reader, struct place at, const char *text,
			 uint64_t *ret_number)
{
	const char *problem = number_problem(text);
	char masked[64];

	if (problem) {
		e164_mask(text, masked, sizeof(masked));
		find_error(reader->findings, at,
			   "the number `%s` %s. Write it in E.164 form, such as +4799000001",
			   masked, problem);
		return false;
	}
	*ret_number = e164_pack(text);
	return true;
}

/* A number in a YAML list. */
struct number {
	uint64_t packed; /* 0: was wrong */
	struct place at;
};

static void read_e164(struct reader *reader, const struct value *value)
{
	struct number *number = value->target;

	number->at = value->node->at;
	(void)number_parse(reader, number->at, value->node->text, &number->packed);
}

static void read_route_type(struct reader *reader, const struct value *value)
{
	*(int *)value->target =
		value_word(reader, value, ROUTE_CHOICES, ROUTE_CHOICE_COUNT) + ROUTE_TYPE_LOOP;
}

static const struct kind kind_e164 = { "E.164 number", NODE_SCALAR, read_e164 };
const struct kind kind_route_type = { "route type", NODE_SCALAR, read_route_type };

struct group {
	struct number *number, *numbers;
	size_t number_count, numbers_count;
	char *file;
	int route_type; /* ROUTE_TYPE_NONE: not given */
	char *service, *tenant;
	struct config_consents *consents; /* kind_consents hands them on itself */
	struct place at;
	bool usable; /* route type and service of the group may be used */
	uint32_t service_index;
	unsigned tenant_index;
};

static const struct key group_keys[] = {
	{ .name = "number",
	  .kind = &kind_e164,
	  .offset = offsetof(struct group, number),
	  .item_size = sizeof(struct number),
	  .count_offset = offsetof(struct group, number_count),
	  .help = "one number" },
	{ .name = "numbers",
	  .kind = &kind_e164,
	  .offset = offsetof(struct group, numbers),
	  .item_size = sizeof(struct number),
	  .count_offset = offsetof(struct group, numbers_count),
	  .help = "a list of numbers" },
	{ .name = "file",
	  .kind = &kind_path,
	  .offset = offsetof(struct group, file),
	  .help = "CSV file: number[,route_type[,service[,tenant]]] a line" },
	{ .name = "route_type",
	  .kind = &kind_route_type,
	  .offset = offsetof(struct group, route_type),
	  .help = "loop, fork, fallback, loop_mo, loop_mt or ingress" },
	{ .name = "service",
	  .kind = &kind_text,
	  .offset = offsetof(struct group, service),
	  .help = "what to do with its calls: a name under services" },
	{ .name = "tenant",
	  .kind = &kind_text,
	  .offset = offsetof(struct group, tenant),
	  .help = "whose core to register at: a name under tenants; that of core.api" },
	{ .name = "consents",
	  .kind = &kind_consents,
	  .offset = offsetof(struct group, consents),
	  .schema = &consent_schema,
	  .help = "instead of numbers: those that the core says consent" },
};

const struct schema group_schema = { "registrations[]", group_keys, ARRAY_SIZE(group_keys) };

static bool pending_add(struct reader *reader, struct pending registration)
{
	struct pending_list *pending = reader->pending;

	if (pending->count == REGISTRATIONS_MAX) {
		find_error(reader->findings, pending_place(&registration),
			   "more than %u registrations. Use another node for the rest",
			   REGISTRATIONS_MAX);
		pending->count++; /* said once */
	}
	if (pending->count > REGISTRATIONS_MAX)
		return false;
	if (pending->count == pending->room) {
		size_t room = pending->room ? pending->room * 2 : 64;
		struct pending *list = realloc(pending->list, room * sizeof(*list));

		if (!list) {
			reader->arena->failed = true;
			return false;
		}
		pending->list = list;
		pending->room = room;
	}
	pending->list[pending->count++] = registration;
	return true;
}

static bool takes_call(const struct config_action *action)
{
	for (size_t i = 0; i < action->target_count; i++)
		if (action->targets[i].kind != TARGET_SUBSCRIBER)
			return true;
	switch (action->kind) {
	case ACTION_DIAL:
	case ACTION_DEVICE:
	case ACTION_ANSWER:
	case ACTION_VOICEMAIL:
	case ACTION_REDIRECT:
	case ACTION_WEBHOOK: /* it may say any of them */
		return true;
	case ACTION_LOOP:
	case ACTION_ANNOUNCE:
	case ACTION_RING:
	case ACTION_REJECT:
		break;
	}
	return false;
}

/* Whether a service can take a call that the core does not want back. */
static bool takes_calls(const struct config_service *service)
{
	for (size_t i = 0; i < service->rule_count; i++)
		for (size_t k = 0; k < service->rules[i].action_count; k++)
			if (takes_call(&service->rules[i].actions[k]))
				return true;
	return false;
}

bool service_resolve(struct reader *reader, struct place at, int route_type, const char *name,
		     uint32_t *ret_index)
{
	const struct config *config = reader->config;
	bool hands_over = route_type == ROUTE_TYPE_FORK || route_type == ROUTE_TYPE_FALLBACK;
	uintptr_t index = name ? (uintptr_t)str_map_find(reader->services, name) : 1;

	if (!name && hands_over) {
		find_error(reader->findings, at,
			   "`service` is missing: a %s call goes to a PBX. Name a service whose "
			   "rules dial a trunk or answer",
			   route_names[route_type]);
		return false;
	}
	if (!index) {
		find_error(reader->findings, at, "no service is called `%.60s`%s", name,
			   service_suggestion(reader, name));
		return false;
	}
	if (hands_over && !takes_calls(&config->services[index - 1])) {
		find_error(reader->findings, at,
			   "the service `%.60s` never dials a trunk or answers, so a %s call would "
			   "find nobody. Add `do: { dial: TRUNK }` to it",
			   name, route_names[route_type]);
		return false;
	}
	*ret_index = (uint32_t)(index - 1);
	return true;
}

static bool csv_route_type(struct reader *reader, const struct group *group, struct place at,
			   const char *field, int *ret_type)
{
	enum route_type type;

	*ret_type = group->route_type;
	if (!*field && *ret_type)
		return true;
	if (!*field) {
		find_error(reader->findings, at, "no route type: write it in the second column%s",
			   group->file ? ", or as `route_type` beside `file` for all lines" : "");
		return false;
	}
	if (route_type_parse(field, &type)) {
		struct node node = { .at = at, .text = field };
		struct value value = { .name = "route_type", .node = &node };

		(void)value_word(reader, &value, ROUTE_CHOICES, ROUTE_CHOICE_COUNT);
		return false;
	}
	*ret_type = (int)type;
	return true;
}

static void csv_line(struct reader *reader, struct place at, char *line, void *arg)
{
	const struct group *group = arg;
	char *start = line, *rest = line;
	char *number = line_next_field(&rest), *type = line_next_field(&rest),
	     *service = line_next_field(&rest), *tenant = line_next_field(&rest);
	struct place number_at = at, type_at = at, service_at = at, tenant_at = at;
	unsigned tenant_index = group->tenant_index;
	uint32_t service_index = group->service_index;
	uint64_t packed;
	int route_type;

	number_at.column += (uint32_t)(number - start);
	type_at.column += (uint32_t)(type - start);
	service_at.column += (uint32_t)(service - start);
	tenant_at.column += (uint32_t)(tenant - start);
	if (*rest) {
		at.column += (uint32_t)(rest - start);
		find_error(reader->findings, at,
			   "a fifth column. Write number, route_type, service and tenant only");
		return;
	}
	if (!number_parse(reader, number_at, number, &packed) ||
	    !csv_route_type(reader, group, type_at, type, &route_type) ||
	    (*tenant && !tenant_resolve(reader, tenant_at, tenant, &tenant_index)))
		return;
	/* The group's own pair has been checked once for all lines. */
	if (!*type && !*service && !group->usable)
		return;
	if ((*type || *service) &&
	    !service_resolve(reader, *service ? service_at : type_at, route_type,
			     *service ? service : group->service, &service_index))
		return;
	(void)pending_add(reader,
			  pending_of(packed, number_at, route_type, service_index, tenant_index));
}

void registrations_line(struct reader *reader, struct place at, char *line)
{
	struct group none = { .route_type = ROUTE_TYPE_NONE };

	csv_line(reader, at, line, &none);
}

void registrations_file(struct reader *reader, const char *path, const char *name)
{
	struct group none = { .route_type = ROUTE_TYPE_NONE };

	lines_read_as(reader, path, name, (struct place){ .line = 1, .column = 1 }, csv_line,
		      &none);
}

static void add_numbers(struct reader *reader, const struct group *group,
			const struct number *numbers, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (numbers[i].packed &&
		    !pending_add(reader,
				 pending_of(numbers[i].packed, numbers[i].at, group->route_type,
					    group->service_index, group->tenant_index)))
			return;
}

/* Where a group's finding about one of its keys belongs. */
static struct place group_place(const struct node *node, const char *key)
{
	const struct node *value = node_find(node, key);

	return value ? value->at : node->at;
}

/* A group's file, or what is looked at in its place. */
static void read_file(struct reader *reader, struct group *group)
{
	const struct config_swap *swap = reader->swap;
	struct config *config = reader->config;

	config->registration_files[config->registration_file_count++] = group->file;
	if (swap && (!swap->path || !strcmp(swap->path, group->file)))
		lines_read_as(reader, swap->from, swap->name, group->at, csv_line, group);
	else
		lines_read(reader, group->file, group->at, csv_line, group);
}

static void read_group(struct reader *reader, const struct node *node)
{
	struct group group = { .at = group_place(node, "file") };
	bool listed, named = node_find(node, "route_type") != NULL;

	schema_read(reader, &group_schema, node, node->at, &group);
	if (node_find(node, "consents")) {
		if (node->count > 1)
			find_error(reader->findings, node->at,
				   "`consents` stand alone: what else is here would hold for no "
				   "number. Write it inside `consents`, or in a group of its own");
		return;
	}
	listed = group.number_count || group.numbers_count;
	if (!listed && !node_find(node, "file") && !node_find(node, "number") &&
	    !node_find(node, "numbers"))
		find_error(reader->findings, node->at,
			   "the registration names no number. Write `numbers: [...]` or "
			   "`file: numbers.csv`");
	if (listed && !named)
		find_error(reader->findings, node->at,
			   "`route_type` is missing: loop, fork, fallback, loop_mo, loop_mt or "
			   "ingress");
	(void)tenant_resolve(reader, group_place(node, "tenant"), group.tenant,
			     &group.tenant_index); /* what is wrong is a finding */
	/* Without a type of its own only a file's lines can tell what they need. */
	if (group.route_type || group.service)
		group.usable =
			service_resolve(reader, group_place(node, "service"), group.route_type,
					group.service, &group.service_index);
	if (group.usable && group.route_type) {
		add_numbers(reader, &group, group.number, group.number_count);
		add_numbers(reader, &group, group.numbers, group.numbers_count);
	}
	if (group.file)
		read_file(reader, &group);
}

static void read_registrations(struct reader *reader, const struct value *value)
{
	reader->config->registration_files =
		arena_alloc(reader->arena, value->node->count, sizeof(char *));
	if (!reader->config->registration_files)
		return;
	for (size_t i = 0; i < value->node->count; i++) {
		const struct node *item = value->node->items[i];

		if (item->kind == NODE_MAP)
			read_group(reader, item);
		else
			find_error(reader->findings, item->at,
				   "a registration must be a mapping. Write "
				   "`- { numbers: [...], route_type: loop }`");
	}
}

const struct kind kind_registrations = { "registrations", NODE_LIST, read_registrations };

static int compare(const void *left, const void *right)
{
	const struct pending *a = left, *b = right;

	if (a->its.number != b->its.number)
		return a->its.number < b->its.number ? -1 : 1;
	if (a->file != b->file)
		return a->file < b->file ? -1 : 1;
	if (a->its.line != b->its.line)
		return a->its.line < b->its.line ? -1 : 1;
	return a->column < b->column ? -1 : a->column > b->column;
}

/* Long lists mostly are in order: then qsort() would take as much memory again for nothing. */
static void sort(struct pending *list, size_t count)
{
	for (size_t i = 1; i < count; i++) {
		if (compare(&list[i - 1], &list[i]) <= 0)
			continue;
		qsort(list, count, sizeof(*list), compare);
		return;
	}
}

static void report_twins(struct reader *reader, const struct pending *list, size_t count)
{
	const struct pending *first = list;
	char number[E164_ROOM], masked[E164_ROOM];

	for (size_t i = 1; i < count; i++) {
		if (list[i].its.number != first->its.number) {
			first = &list[i];
			continue;
		}
		e164_unpack(first->its.number, number);
		e164_mask(number, masked, sizeof(masked));
		find_error(reader->findings, pending_place(&list[i]),
			   "the number %s is registered already at %s:%u:%u%s. Remove one", masked,
			   findings_file(reader->findings, first->file), first->its.line,
			   first->column,
			   list[i].its.tenant == first->its.tenant
				   ? ""
				   : ", for another tenant: one core has a number");
	}
}

/* Numbers that are read as a prefix and something else. In a configuration they may be
 * what there is to work with; more of them are not taken while we run. */
static void report_prefix_like(struct reader *reader, const struct pending *list, size_t count)
{
	void (*find)(struct findings *, struct place, const char *, ...) PRINTF_LIKE(3, 4) =
		reader->orders ? find_error : find_warning;
	char number[E164_ROOM], masked[E164_ROOM];
	struct config_prefix prefix;
	size_t found = 0, last = 0;

	for (size_t i = 0; i < count; i++) {
		struct str why = { 0 };

		if (!config_prefix_like(reader->config, list[i].its.number, &prefix))
			continue;
		last = i;
		if (++found > PREFIX_LIKE_MAX)
			continue;
		e164_unpack(list[i].its.number, number);
		e164_mask(number, masked, sizeof(masked));
		config_prefix_say(reader->config, &prefix, &why);
		find(reader->findings, pending_place(&list[i]),
		     "the number %s %s. Agree with the core on a prefix that begins with 0%s",
		     masked, why.text ? why.text : "",
		     reader->orders ? ", or name the number in the configuration" : "");
		str_done(&why);
	}
	if (found > PREFIX_LIKE_MAX)
		find(reader->findings, pending_place(&list[last]),
		     "%zu more numbers, this the last of them, begin with a prefix. Agree with the "
		     "core on one that begins with 0",
		     found - PREFIX_LIKE_MAX);
}

/* In the place where they were read, which is the longer one. */
void registrations_settle(struct reader *reader)
{
	struct config *config = reader->config;
	struct pending *list = reader->pending->list;
	size_t count = reader->pending->count;

	if (!count || count > REGISTRATIONS_MAX)
		return;
	sort(list, count);
	report_twins(reader, list, count);
	report_prefix_like(reader, list, count);
	config->registrations = (struct config_registration *)list;
	config->registration_count = count;
	for (size_t i = 0; i < count; i++)
		memmove(&config->registrations[i], &list[i].its, sizeof(list[i].its));
	/* Without memory for less it stays as long as it is. */
	list = realloc(list, count * sizeof(*config->registrations));
	if (list)
		config->registrations = (struct config_registration *)list;
	*reader->pending = (struct pending_list){ 0 };
}

void registrations_done(struct pending_list *pending)
{
	free(pending->list);
	*pending = (struct pending_list){ 0 };
}
