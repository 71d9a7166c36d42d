/* SPDX-License-Identifier: Apache-2.0 */
#include "tas/admin/numbers.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include "base/str.h"

#define SAMPLES       5   /* of each kind of change */
#define CONFIGURED    100 /* lines of an import that are told to be configured elsewhere */
#define PLACE_ROOM    4352
#define NAME_ROOM     256
#define SENTENCE_ROOM (PLACE_ROOM + 256)

static json_t *failed(int status, const char *sentence)
{
	return json_pack("{s:o, s:i}", "error", text_json(sentence), "status", status);
}

/* It goes into the log and onto terminals. */
static bool is_plain(const char *text, size_t room)
{
	for (const char *c = text; *c; c++)
		if ((unsigned char)*c < ' ' || *c == 0x7f)
			return false;
	return strlen(text) < room;
}

static json_t *number_failed(int status, const char *number, const char *sentence)
{
	char text[SENTENCE_ROOM];

	snprintf(text, sizeof(text), "%s%s", number, sentence);
	return failed(status, text);
}

/* Why an order was not carried out. */
static json_t *failure(int err, const struct reg_outcome *outcome)
{
	switch (err) {
	case -EEXIST:
		return number_failed(409, outcome->number,
				     " was added before: change it with PUT (`regs add --change`)");
	case -ENOENT:
		return number_failed(404, outcome->number,
				     " was not added by the API: nothing is deleted");
	case -ENOTSUP:
		return failed(400, "no number can be added without store.sqlite or store.postgres: "
				   "a restart would forget it");
	case -ENOSPC:
		return failed(400, "too many numbers, or too many kinds of them");
	case -EBUSY:
		return failed(503, "another process or node gives orders at this moment: ask once "
				   "more");
	case -ENOMEM:
		return failed(503, "no memory");
	default:
		return failed(503, "the store cannot be written: the log says why");
	}
}

/* ---- one number ---- */

static json_t *is_configured(const struct config *config, const char *number)
{
	const struct config_registration *its = config_find_number(config, number);
	char place[PLACE_ROOM], text[SENTENCE_ROOM];

	if (!its)
		return NULL;
	config_place(config, its, place, sizeof(place));
	snprintf(text, sizeof(text),
		 "%s is configured in %s, which goes before the API: change it there and reload; "
		 "`breakoutctl regs pause` holds it back",
		 number, place);
	return failed(409, text);
}

static const char *text_of(const json_t *document, const char *key)
{
	return json_string_value(json_object_get(document, key));
}

/* NULL, or what is wrong with the order itself. */
static json_t *check_keys(const json_t *document, const char *const *known)
{
	const char *key, *const *its;
	char text[SENTENCE_ROOM];
	json_t *value;

	if (!json_is_object(document))
		return failed(400, "the order is no JSON object");
	json_object_foreach((json_t *)document, key, value)
	{
		for (its = known; *its && strcmp(*its, key) != 0;)
			its++;
		if (*its)
			continue;
		snprintf(text, sizeof(text), "`%.40s` means nothing here", key);
		return failed(400, text);
	}
	return NULL;
}

static json_t *read_wish(const struct number_order *order, const json_t *document,
			 struct config_registration *ret_registration)
{
	static const char *const known[] = { "number", "route_type", "service", "tenant", NULL };
	const struct config_wish wish = { .number = text_of(document, "number"),
					  .route_type = text_of(document, "route_type"),
					  .service = text_of(document, "service"),
					  .tenant = text_of(document, "tenant") };
	struct str error = { 0 };
	json_t *wrong = check_keys(document, known);
	int err;

	if (wrong)
		return wrong;
	if (!wish.number)
		return failed(400, "say which `number`, in E.164 form such as +4799000001");
	err = config_check_number(order->config, &wish, ret_registration, &error);
	if (err)
		wrong = err == -EINVAL && error.text ? failed(400, error.text)
						     : failed(503, "no memory");
	str_done(&error);
	return wrong;
}

static json_t *added_json(const struct config *config, const struct config_registration *its)
{
	char number[E164_ROOM];

	e164_unpack(its->number, number);
	return json_pack("{s:s, s:s, s:o, s:o, s:s}", "number", number, "route_type",
			 route_type_name((enum route_type)its->route_type), "service",
			 text_json(config->services[its->service].name), "tenant",
			 text_json(config_tenant_name(config, its->tenant)), "source",
			 reg_source_name(REG_SOURCE_API));
}

static const char *change_of(const struct reg_outcome *outcome)
{
	for (int i = 0; i < REG_CHANGE_COUNT; i++)
		if (outcome->count[i])
			return reg_change_name((enum reg_change)i);
	return reg_change_name(REG_CHANGE_UNCHANGED);
}

static json_t *put_one(const struct number_order *order, bool only_new)
{
	json_t *document = json_loads(order->document, JSON_REJECT_DUPLICATES, NULL), *result;
	struct config_registration registration;
	const struct reg_order put = { .config = order->config,
				       .put = &registration,
				       .put_count = 1,
				       .only_new = only_new,
				       .who = order->who };
	struct reg_outcome outcome;
	char number[E164_ROOM];
	int err;

	result = read_wish(order, document, &registration);
	json_decref(document);
	if (!result) {
		e164_unpack(registration.number, number);
		result = is_configured(order->config, number);
	}
	if (result)
		return result;
	err = registrar_order(order->registrar, &put, &outcome);
	if (err)
		return failure(err, &outcome);
	result = added_json(order->config, &registration);
	if (result)
		json_object_set_new(result, "change", json_string(change_of(&outcome)));
	return result;
}

json_t *number_add(const struct number_order *order)
{
	return put_one(order, /* only_new= */ true);
}

json_t *number_put(const struct number_order *order)
{
	return put_one(order, /* only_new= */ false);
}

/* ---- deleting ---- */

static int compare_numbers(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

/* NULL: read, ascending and distinct. */
static json_t *read_numbers(const json_t *list, uint64_t *ret_numbers, size_t *ret_count)
{
	size_t i, kept = 0;
	json_t *item;

	json_array_foreach(list, i, item)
	{
		ret_numbers[i] = e164_pack(json_string_value(item));
		if (!ret_numbers[i])
			return failed(400, "a number is not in E.164 form, such as +4799000001");
	}
	qsort(ret_numbers, i, sizeof(*ret_numbers), compare_numbers);
	for (size_t k = 0; k < i; k++)
		if (!kept || ret_numbers[kept - 1] != ret_numbers[k])
			ret_numbers[kept++] = ret_numbers[k];
	*ret_count = kept;
	return NULL;
}

/* Why a number that was not added cannot be deleted, if somebody else wants it. */
static json_t *is_others(const struct number_order *order, const char *number)
{
	struct reg_info info;
	json_t *configured = is_configured(order->config, number);

	if (configured || registrar_lookup(order->registrar, number, &info) ||
	    info.source != REG_SOURCE_CONSENT)
		return configured;
	return number_failed(409, number,
			     " is registered because its owner consents: that is taken back at the "
			     "core; `breakoutctl regs pause` holds it back");
}

/* Those that are registered all the same. */
static json_t *still_there(const struct number_order *order, const uint64_t *numbers, size_t count)
{
	json_t *list = json_array();
	char number[E164_ROOM], place[PLACE_ROOM];

	for (size_t i = 0; list && i < count; i++) {
		const struct config_registration *its;

		e164_unpack(numbers[i], number);
		its = config_find_number(order->config, number);
		if (!its)
			continue;
		config_place(order->config, its, place, sizeof(place));
		json_array_append_new(list, json_pack("{s:s, s:o}", "number", number, "configured",
						      text_json(place)));
	}
	return list;
}

static json_t *delete_all(const struct number_order *order, const uint64_t *numbers, size_t count)
{
	const struct reg_order drop = {
		.config = order->config, .drop = numbers, .drop_count = count, .who = order->who
	};
	struct reg_outcome outcome;
	json_t *others;
	int err = registrar_order(order->registrar, &drop, &outcome);

	if (!err)
		return json_pack("{s:I, s:o}", "deleted",
				 (json_int_t)outcome.count[REG_CHANGE_REMOVED], "configured",
				 still_there(order, numbers, count));
	others = err == -ENOENT ? is_others(order, outcome.number) : NULL;
	return others ? others : failure(err, &outcome);
}

json_t *number_delete(const struct number_order *order)
{
	static const char *const known[] = { "numbers", NULL };
	json_t *document = json_loads(order->document, JSON_REJECT_DUPLICATES, NULL);
	const json_t *list = json_object_get(document, "numbers");
	json_t *result = check_keys(document, known);
	size_t count = json_array_size(list);
	uint64_t *numbers = NULL;

	if (!result && !count)
		result = failed(400, "say which `numbers`: a list of them");
	if (!result) {
		numbers = calloc(count, sizeof(*numbers));
		result = numbers ? read_numbers(list, numbers, &count) : failed(503, "no memory");
	}
	if (!result)
		result = delete_all(order, numbers, count);
	free(numbers);
	json_decref(document);
	return result;
}

/* ---- many at once ---- */

/* What an import changes, with the first few of each kind. */
struct samples {
	json_t *lists[REG_CHANGE_COUNT];
};

static json_t *terms_json(const struct reg_added *added)
{
	return added ? json_pack("{s:s, s:o, s:o}", "route_type",
				 route_type_name(added->route_type), "service",
				 text_json(added->service), "tenant", text_json(added->tenant))
		     : json_null();
}

static void on_change(enum reg_change change, const struct reg_added *before,
		      const struct reg_added *after, void *arg)
{
	struct samples *samples = arg;

	if (json_array_size(samples->lists[change]) < SAMPLES)
		json_array_append_new(samples->lists[change],
				      json_pack("{s:s, s:o, s:o}", "number",
						after ? after->number : before->number, "before",
						terms_json(before), "after", terms_json(after)));
}

static json_t *import_json(const struct reg_outcome *outcome, const struct samples *samples,
			   bool applied)
{
	json_t *json = json_pack("{s:b}", "applied", applied);

	for (int i = 0; json && i < REG_CHANGE_COUNT; i++)
		json_object_set_new(json, reg_change_name((enum reg_change)i),
				    json_pack("{s:I, s:O}", "count", (json_int_t)outcome->count[i],
					      "samples", samples->lists[i]));
	return json;
}

static json_t *import_list(const struct number_order *order, const json_t *document,
			   const struct config_registration *list, size_t count)
{
	struct samples samples;
	struct reg_order put = { .config = order->config,
				 .put = list,
				 .put_count = count,
				 .replace = json_is_true(json_object_get(document, "replace")),
				 .dry_run = json_is_true(json_object_get(document, "dry_run")),
				 .who = order->who,
				 .visit = on_change,
				 .arg = &samples };
	struct reg_outcome outcome;
	json_t *result;
	int err;

	for (int i = 0; i < REG_CHANGE_COUNT; i++)
		samples.lists[i] = json_array();
	err = registrar_order(order->registrar, &put, &outcome);
	result = err ? failure(err, &outcome) : import_json(&outcome, &samples, !put.dry_run);
	for (int i = 0; i < REG_CHANGE_COUNT; i++)
		json_decref(samples.lists[i]);
	return result;
}

/* Lines of numbers that the configuration names are mistakes like any other. */
static void find_configured(const struct config *config, const struct config_registration *list,
			    size_t count, const char *name, struct str *errors)
{
	char place[PLACE_ROOM], number[E164_ROOM];
	size_t found = 0;

	for (size_t i = 0; i < count; i++) {
		const struct config_registration *its;

		e164_unpack(list[i].number, number);
		its = config_find_number(config, number);
		if (!its || ++found > CONFIGURED)
			continue;
		config_place(config, its, place, sizeof(place));
		str_addf(errors,
			 "%s:%u:1: error: the number %s is configured in %s, which goes before the "
			 "API. Remove one\n",
			 name, list[i].line, number, place);
	}
	if (found > CONFIGURED)
		str_addf(errors, "%s:1:1: error: %zu more numbers are configured elsewhere\n", name,
			 found - CONFIGURED);
}

static json_t *wrong_lines(const char *errors)
{
	json_t *list = json_array(), *result;
	size_t length;

	for (const char *line = errors; list && *line; line += length + (line[length] == '\n')) {
		char *text;

		length = strcspn(line, "\n");
		text = strndup(line, length);
		json_array_append_new(list, text_json(text ? text : ""));
		free(text);
	}
	result = failed(400, "nothing is imported: mend what `findings` say");
	if (result)
		json_object_set_new(result, "findings", list);
	return result;
}

/* In memory, where a file is read from. -1: errno. */
static int file_of(const char *body, size_t length)
{
	int fd = memfd_create("numbers", MFD_CLOEXEC);
	ssize_t n;

	while (fd >= 0 && length) {
		n = write(fd, body, length);
		if (n <= 0) {
			close(fd);
			return -1;
		}
		body += n;
		length -= (size_t)n;
	}
	return fd;
}

static json_t *import_body(const struct number_order *order, const json_t *document,
			   const char *name)
{
	struct config_registration *list = NULL;
	int fd = file_of(order->body, order->length), err = fd < 0 ? -ENOMEM : 0;
	struct str errors = { 0 };
	char path[32];
	size_t count = 0;
	json_t *result;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	if (!err)
		err = config_read_csv(order->config, path, name, &list, &count, &errors);
	if (fd >= 0)
		close(fd);
	if (!err)
		find_configured(order->config, list, count, name, &errors);
	if (err == -ENOMEM || errors.failed)
		result = failed(503, "no memory");
	else if (err || errors.length)
		result = wrong_lines(errors.text ? errors.text : "");
	else
		result = import_list(order, document, list, count);
	free(list);
	str_done(&errors);
	return result;
}

json_t *number_import(const struct number_order *order)
{
	static const char *const known[] = { "replace", "dry_run", "name", "length", NULL };
	json_t *document = json_loads(order->document, JSON_REJECT_DUPLICATES, NULL);
	const char *name = text_of(document, "name");
	json_t *result = check_keys(document, known);

	if (!result && !order->body)
		result = failed(400, "the lines are missing: number,route_type[,service[,tenant]]");
	if (!result && name && !is_plain(name, NAME_ROOM))
		result = failed(400, "the name cannot be shown");
	if (!result)
		result = import_body(order, document, name && *name ? name : "body");
	json_decref(document);
	return result;
}

/* ---- where a number is from ---- */

static json_t *prefix_json(const struct config *config, const struct config_prefix *prefix)
{
	struct str sentence = { 0 };
	json_t *json;

	config_prefix_say(config, prefix, &sentence);
	json = text_json(sentence.text ? sentence.text : prefix->digits);
	str_done(&sentence);
	return json;
}

json_t *number_origin(struct registrar *registrar, const struct config *config, const char *number)
{
	const struct config_registration *its = config ? config_find_number(config, number) : NULL;
	struct config_prefix prefix;
	struct reg_added added;
	char place[PLACE_ROOM];
	json_t *origin = json_object(), *terms;

	if (!registrar_find_added(registrar, number, &added)) {
		terms = terms_json(&added);
		json_object_update_new(terms, json_pack("{s:o, s:I}", "who", text_json(added.who),
							"at_ms", (json_int_t)added.since));
		json_object_set_new(origin, "added", terms);
	}
	if (its) {
		config_place(config, its, place, sizeof(place));
		json_object_set_new(origin, "configured", text_json(place));
	}
	if (config && config_prefix_like(config, e164_pack(number), &prefix))
		json_object_set_new(origin, "prefix_like", prefix_json(config, &prefix));
	return origin;
}
