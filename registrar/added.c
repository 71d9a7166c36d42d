/* SPDX-License-Identifier: Apache-2.0 */
#include "registrar/added.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include "base/log.h"
#include "registrar/added_order.h"
#include "registrar/added_store.h"
#include "sql/postgres.h"

#define CONNECT_MS 5000  /* whoever gave the order waits meanwhile */
#define CATCH_MS   30000 /* for what other nodes were ordered */
#define TRIES      5     /* while other nodes are faster */

/* What terms come to by the configuration in force. */
struct resolved {
	bool known, stranded; /* stranded: something of them is not configured */
	uint8_t tenant;
	uint32_t service;
};

struct added {
	struct added_options options; /* path is borrowed until added_load() */
	/* An order waits for the disk or the database: taken before the other lock, which who
	 * places calls meets. */
	pthread_mutex_t orders_lock;
	struct added_store *store; /* NULL: nothing can be added */
	bool rests;

	pthread_mutex_t lock;
	struct added_set set;
	struct added_cursor cursor; /* a fleet's: up to where it is known */
	size_t both;                /* as of added_join() */
	struct resolved *resolved;  /* by terms; own */
	size_t resolved_count;

	/* Registrar thread: */
	struct config *config; /* own reference; NULL: none of them is wanted */
	uint8_t tenants[CONFIG_TENANTS];
};

/* ---- create and destroy ---- */

int added_create(struct added **ret_added, const struct added_options *options)
{
	struct added *added = calloc(1, sizeof(*added));
	int err = 0;

	if (!added)
		return -ENOMEM;
	added->options = *options;
	added->options.postgres = NULL;
	added->cursor = (struct added_cursor){ -1, 0 };
	pthread_mutex_init(&added->orders_lock, NULL);
	pthread_mutex_init(&added->lock, NULL);
	if (options->postgres) {
		added->options.path = NULL;
		err = added_store_share(&added->store, options->postgres);
	}
	if (err)
		added_destroy(added);
	else
		*ret_added = added;
	return err;
}

struct added *added_destroy(struct added *added)
{
	if (!added)
		return NULL;
	added_store_close(added->store);
	added_set_done(&added->set);
	config_destroy(added->config);
	free(added->resolved);
	pthread_mutex_destroy(&added->lock);
	pthread_mutex_destroy(&added->orders_lock);
	free(added);
	return NULL;
}

/* ---- what is read ---- */

/* Rows on their way into memory. */
struct reading {
	struct added_set *set;
	struct added_step *steps;
	size_t count, room;
};

static int take_row(struct reading *reading, const struct added_row *row, enum reg_change change)
{
	struct added_step step = {
		change, { .number = row->number, .since_s = (uint32_t)(row->since / 1000) }
	};
	char text[E164_ROOM];
	int err;

	e164_unpack(row->number, text);
	if (!e164_valid(text) || row->route_type <= ROUTE_TYPE_NONE ||
	    row->route_type >= ROUTE_TYPE_COUNT)
		return 0; /* nothing we wrote */
	err = added_set_terms(reading->set, row->route_type, row->service, row->tenant,
			      &step.number.terms);
	if (!err)
		err = added_set_who(reading->set, row->who, &step.number.who);
	if (err)
		return err;
	if (reading->count == reading->room) {
		size_t room = reading->room * 2 + 64;
		struct added_step *grown = reallocarray(reading->steps, room, sizeof(*grown));

		if (!grown)
			return -ENOMEM;
		reading->steps = grown;
		reading->room = room;
	}
	reading->steps[reading->count++] = step;
	return 0;
}

static int on_row(const struct added_row *row, void *arg)
{
	return take_row(arg, row, REG_CHANGE_ADDED);
}

int added_load(struct added *added)
{
	struct reading reading = { .set = &added->set };
	int err = 0;

	pthread_mutex_lock(&added->lock);
	if (added->options.path)
		err = added_store_open(&added->store, added->options.path, on_row, &reading);
	added->options.path = NULL;
	if (!err)
		err = added_set_apply(&added->set, reading.steps, reading.count);
	pthread_mutex_unlock(&added->lock);
	free(reading.steps);
	return err;
}

/* ---- what other nodes were ordered ---- */

static int compare_steps(const void *a, const void *b)
{
	const struct added_step *x = a, *y = b;

	return x->number.number < y->number.number ? -1 : x->number.number > y->number.number;
}

/* Under the lock. */
static void tell(struct added *added, const struct added_step *steps, size_t count)
{
	uint64_t *numbers = calloc(count, sizeof(*numbers));

	for (size_t i = 0; numbers && i < count; i++)
		numbers[i] = steps[i].number.number;
	if (numbers)
		added->options.changed(numbers, count, added->options.arg);
	else
		log_error("registrar",
			  "out of memory: %zu numbers that were added, changed or "
			  "deleted count from the next reload on",
			  count);
}

/* Under the lock. What the other thread that looks was told already is left out. */
static int take_page(struct added *added, const struct added_page *page)
{
	struct reading reading = { .set = &added->set };
	struct added_cursor cursor = added->cursor, its;
	struct added_row row;
	int err = 0;

	for (size_t i = 0; !err && i < page->count; i++) {
		bool given = added_page_row(page, i, &row, &its);

		if (its.serial < cursor.serial ||
		    (its.serial == cursor.serial && its.number <= cursor.number))
			continue;
		cursor = its;
		err = take_row(&reading, &row, given ? REG_CHANGE_ADDED : REG_CHANGE_REMOVED);
	}
	if (!err && reading.count) {
		qsort(reading.steps, reading.count, sizeof(*reading.steps), compare_steps);
		err = added_set_apply(&added->set, reading.steps, reading.count);
	}
	if (!err && !page->count && page->head >= cursor.serial)
		cursor = (struct added_cursor){ page->head, INT64_MAX };
	if (!err) {
		added->cursor = cursor;
		if (reading.count)
			tell(added, reading.steps, reading.count);
	}
	free(reading.steps);
	return err;
}

int added_look(struct added *added, struct pg *pg, mono_ms deadline)
{
	struct added_cursor after;
	struct added_page page;
	bool more;
	int err;

	do {
		pthread_mutex_lock(&added->lock);
		after = added->cursor;
		pthread_mutex_unlock(&added->lock);
		err = added_page_read(pg, deadline, &after, &page);
		if (err)
			return err;
		more = page.count > 0;
		pthread_mutex_lock(&added->lock);
		err = take_page(added, &page);
		pthread_mutex_unlock(&added->lock);
		added_page_done(&page);
	} while (!err && more);
	return err;
}

/* ---- orders ---- */

static void log_order(const struct reg_order *order, const struct added_plan *plan)
{
	const struct reg_outcome *outcome = &plan->outcome;
	char number[E164_ROOM], masked[E164_ROOM] = "";

	if (plan->count == 1) {
		e164_unpack(plan->steps[0].number.number, number);
		e164_mask(number, masked, sizeof(masked));
		log_notice("registrar", "reg=%s %s by=\"%s\"", masked,
			   reg_change_name(plan->steps[0].change), order->who);
		return;
	}
	log_notice("registrar", "numbers added=%zu changed=%zu removed=%zu by=\"%s\"",
		   outcome->count[REG_CHANGE_ADDED], outcome->count[REG_CHANGE_CHANGED],
		   outcome->count[REG_CHANGE_REMOVED], order->who);
}

/* It is durable; also where there is no memory to say so. */
static void put_in_force(struct added *added, const struct added_plan *plan, int64_t serial)
{
	pthread_mutex_lock(&added->lock);
	if (added->cursor.serial <= serial) { /* else the fleet's thread has read it already */
		if (added_set_apply(&added->set, plan->steps, plan->count))
			log_error("registrar",
				  "out of memory: %zu numbers that were added, changed "
				  "or deleted count from the next start on",
				  plan->count);
		else
			tell(added, plan->steps, plan->count);
		if (serial >= 0)
			added->cursor = (struct added_cursor){ serial + 1, INT64_MAX };
	}
	pthread_mutex_unlock(&added->lock);
}

/* What the order comes to now. Terms and names that it brings are known from then on. */
static int make_plan(struct added *added, const struct reg_order *order, wall_ms at,
		     struct added_plan *ret_plan, int64_t *ret_serial)
{
	int err;

	pthread_mutex_lock(&added->lock);
	*ret_serial = added->cursor.serial;
	err = added_plan_make(ret_plan, &added->set, order, at);
	pthread_mutex_unlock(&added->lock);
	return err;
}

static int try_order(struct added *added, const struct reg_order *order, struct pg *pg,
		     struct reg_outcome *ret_outcome)
{
	struct added_plan plan = { .steps = NULL };
	struct added_batch batch = { .set = &plan.names, .at = clock_wall(), .who = order->who };
	int err = pg ? added_look(added, pg, clock_now() + CATCH_MS) : 0;

	if (err == -EIO || err == -EPROTO)
		log_error("registrar",
			  "what other nodes of the fleet have added cannot be read "
			  "(store.postgres): %s",
			  pg_error(pg));
	if (err)
		return err == -EPROTO ? -EIO : err;
	err = make_plan(added, order, batch.at, &plan, &batch.serial);
	*ret_outcome = plan.outcome;
	batch.steps = plan.steps;
	batch.count = plan.count;
	if (!err && plan.count && !order->dry_run) {
		err = added_store_write(added->store, &batch);
		if (!err) {
			put_in_force(added, &plan, batch.serial);
			log_order(order, &plan);
		}
	}
	if (!err)
		added_plan_visit(&plan, order);
	added_plan_done(&plan);
	return err;
}

static int carry_out(struct added *added, const struct reg_order *order,
		     struct reg_outcome *ret_outcome)
{
	struct pg *pg;
	int err = added_store_connect(added->store, clock_now() + CONNECT_MS, &pg);

	if (err)
		return err;
	err = -EAGAIN;
	for (int i = 0; i < TRIES && err == -EAGAIN; i++)
		err = try_order(added, order, pg, ret_outcome);
	added_store_leave(added->store);
	return err == -EAGAIN ? -EBUSY : err;
}

int added_order(struct added *added, const struct reg_order *order, struct reg_outcome *ret_outcome)
{
	int err;

	*ret_outcome = (struct reg_outcome){ .number = "" };
	pthread_mutex_lock(&added->orders_lock);
	if (!added->store)
		err = -ENOTSUP;
	else if (added->rests)
		err = -EBUSY;
	else
		err = carry_out(added, order, ret_outcome);
	pthread_mutex_unlock(&added->orders_lock);
	return err;
}

void added_rest(struct added *added, bool rests)
{
	pthread_mutex_lock(&added->orders_lock);
	added->rests = rests;
	pthread_mutex_unlock(&added->orders_lock);
}

/* ---- questions ---- */

bool added_has(struct added *added, uint64_t number)
{
	bool has;

	pthread_mutex_lock(&added->lock);
	has = added_set_find(&added->set, number) != NULL;
	pthread_mutex_unlock(&added->lock);
	return has;
}

int added_find(struct added *added, uint64_t number, struct reg_added *ret_added)
{
	const struct added_number *found;

	pthread_mutex_lock(&added->lock);
	found = added_set_find(&added->set, number);
	if (found)
		added_set_describe(&added->set, found, ret_added);
	pthread_mutex_unlock(&added->lock);
	return found ? 0 : -ENOENT;
}

void added_summary(struct added *added, struct registrar_added *ret_summary)
{
	pthread_mutex_lock(&added->lock);
	*ret_summary = (struct registrar_added){ .count = added->set.count, .both = added->both };
	for (size_t i = 0; i < added->set.count; i++) {
		uint16_t terms = added->set.list[i].terms;

		ret_summary->stranded +=
			terms < added->resolved_count && added->resolved[terms].stranded;
	}
	pthread_mutex_unlock(&added->lock);
}

/* How many have each terms; own. NULL: no memory. */
static size_t *count_terms(const struct added_set *set)
{
	size_t *counts = calloc(set->terms_count + 1, sizeof(*counts));

	for (size_t i = 0; counts && i < set->count; i++)
		counts[set->list[i].terms]++;
	return counts;
}

static int check_terms(const struct config *config, const struct added_terms *terms,
		       struct config_registration *ret_registration, struct str *ret_error)
{
	const struct config_wish wish = { .route_type = route_type_name(
						  (enum route_type)terms->route_type),
					  .service = terms->service,
					  .tenant = terms->tenant };

	return config_check_number(config, &wish, ret_registration, ret_error);
}

int added_check(struct added *added, const struct config *config, struct str *ret_errors)
{
	struct config_registration registration;
	size_t *counts;
	int err;

	pthread_mutex_lock(&added->lock);
	counts = count_terms(&added->set);
	err = counts ? 0 : -ENOMEM;
	for (size_t i = 0; err != -ENOMEM && i < added->set.terms_count; i++) {
		struct str why = { 0 };
		int one = counts[i] ? check_terms(config, &added->set.terms[i], &registration, &why)
				    : 0;

		if (one == -EINVAL)
			str_addf(ret_errors,
				 "%s:1:1: error: %zu numbers that were added by the API could not "
				 "be registered: %s; or change or delete them first\n",
				 config->path ? config->path : "", counts[i], why.text);
		if (one)
			err = one;
		str_done(&why);
	}
	pthread_mutex_unlock(&added->lock);
	free(counts);
	return err;
}

/* ---- what is wanted ---- */

void added_configure(struct added *added, const struct config *config,
		     const uint8_t tenants[CONFIG_TENANTS])
{
	config_destroy(added->config);
	added->config = config && !config->no_numbers ? config_ref(config) : NULL;
	for (size_t i = 0; i < CONFIG_TENANTS; i++)
		added->tenants[i] = tenants ? tenants[i] : (uint8_t)i;
	pthread_mutex_lock(&added->lock);
	added->resolved_count = 0;
	pthread_mutex_unlock(&added->lock);
}

/* Under the lock: terms may have been added meanwhile. NULL: no memory. */
static const struct resolved *resolve(struct added *added, uint16_t terms)
{
	struct config_registration registration;
	struct resolved *grown, *its;
	struct str why = { 0 };

	if (terms >= added->resolved_count) {
		size_t count = added->set.terms_count;

		grown = reallocarray(added->resolved, count, sizeof(*grown));
		if (!grown)
			return NULL;
		memset(&grown[added->resolved_count], 0,
		       (count - added->resolved_count) * sizeof(*grown));
		added->resolved = grown;
		added->resolved_count = count;
	}
	its = &added->resolved[terms];
	if (its->known)
		return its;
	its->known = true;
	its->stranded = check_terms(added->config, &added->set.terms[terms], &registration, &why);
	if (!its->stranded) {
		its->service = registration.service;
		its->tenant = added->tenants[registration.tenant];
	} else {
		log_error("registrar",
			  "numbers that were added by the API are not registered: %s; or change or "
			  "delete them",
			  why.text ? why.text : "out of memory");
	}
	str_done(&why);
	return its;
}

/* Under the lock. Not wanted: of no tenant, so that no record is made for it. */
static struct wanted_number want(struct added *added, const struct added_number *number)
{
	const struct resolved *its = added->config ? resolve(added, number->terms) : NULL;

	if (!its || its->stranded)
		return (struct wanted_number){ .number = number->number,
					       .tenant = WANTED_NOWHERE,
					       .route_type = ROUTE_TYPE_NONE };
	return (struct wanted_number){ .number = number->number,
				       .service = its->service,
				       .route_type = added->set.terms[number->terms].route_type,
				       .tenant = its->tenant,
				       .source = REG_SOURCE_API };
}

bool added_wanted(struct added *added, uint64_t number, struct wanted_number *ret_wanted)
{
	const struct added_number *found;

	pthread_mutex_lock(&added->lock);
	found = added_set_find(&added->set, number);
	if (found)
		*ret_wanted = want(added, found);
	pthread_mutex_unlock(&added->lock);
	return found != NULL;
}

/* Both in number order, into `list`, which has room for all. */
static size_t join(struct added *added, const struct wanted *all, struct wanted_number *list)
{
	size_t kept = 0, next = 0;

	for (size_t i = 0; i < added->set.count; i++) {
		struct wanted_number ours = want(added, &added->set.list[i]);

		while (next < all->count && all->numbers[next].number < ours.number)
			list[kept++] = all->numbers[next++];
		if (next < all->count && all->numbers[next].number == ours.number) {
			if (all->numbers[next].source == REG_SOURCE_CONFIG) {
				added->both++;
				list[kept++] = all->numbers[next++];
				continue;
			}
			next++; /* a consent's */
		}
		if (ours.route_type != ROUTE_TYPE_NONE)
			list[kept++] = ours;
	}
	while (next < all->count)
		list[kept++] = all->numbers[next++];
	return kept;
}

int added_join(struct added *added, struct wanted *all)
{
	struct wanted_number *list;
	size_t both = 0;

	pthread_mutex_lock(&added->lock);
	added->both = 0;
	list = added->set.count && added->config
		       ? calloc(all->count + added->set.count, sizeof(*list))
		       : NULL;
	if (list) {
		all->count = join(added, all, list);
		free(all->numbers);
		all->numbers = list;
		both = added->both;
	}
	pthread_mutex_unlock(&added->lock);
	if (!list && added->config && added->set.count)
		return -ENOMEM;
	if (both)
		log_notice("registrar",
			   "%zu numbers were added by the API and are configured too: "
			   "as they are configured counts",
			   both);
	return 0;
}
