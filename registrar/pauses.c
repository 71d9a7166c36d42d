/* SPDX-License-Identifier: Apache-2.0 */
#include "registrar/pauses.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/e164.h"
#include "base/log.h"
#include "base/metrics.h"
#include "registrar/pause_store.h"

#define PAUSES_MAX 4096 /* more numbers than that belong to a service of their own */

static struct metric pauses_gauge = METRIC_GAUGE_INIT(
	"breakout_pauses", NULL, "Pauses in force: of numbers, of services, of everything.");

struct pause_services {
	struct pause_service {
		char *name;
		bool paused; /* drawn, see below */
	} * list;
	size_t count;
};

struct pauses {
	/* An order waits for the disk or the database: taken before the other lock, which
	 * those who place calls meet. */
	pthread_mutex_t orders_lock;
	struct pause_store *store;
	const char *path; /* borrowed until pauses_load() */

	pthread_mutex_t lock;
	unsigned orders;        /* carried out here */
	bool heard;             /* what others ordered */
	struct reg_pause *list; /* PAUSES_MAX of them */
	size_t count;
	struct pause_services *services; /* NULL: not known yet */
	/* Drawn from what stands above, to be asked for a million records: */
	bool all;
	uint64_t numbers[PAUSES_MAX]; /* ascending */
	size_t number_count;
};

const char *pause_scope_name(enum pause_scope scope)
{
	static const char *const names[] = {
		[PAUSE_ALL] = "all", [PAUSE_SERVICE] = "service", [PAUSE_NUMBER] = "number"
	};

	return (unsigned)scope < ARRAY_SIZE(names) ? names[scope] : "?";
}

/* ---- services ---- */

struct pause_services *pause_services_create(const struct config *config)
{
	struct pause_services *services = calloc(1, sizeof(*services));

	if (!services)
		return NULL;
	services->list = calloc(config->service_count + 1, sizeof(*services->list));
	if (!services->list)
		return pause_services_destroy(services);
	for (size_t i = 0; i < config->service_count; i++) {
		services->list[i].name = strdup(config->services[i].name);
		services->count++;
		if (!services->list[i].name)
			return pause_services_destroy(services);
	}
	return services;
}

struct pause_services *pause_services_destroy(struct pause_services *services)
{
	if (!services)
		return NULL;
	for (size_t i = 0; i < services->count; i++)
		free(services->list[i].name);
	free(services->list);
	free(services);
	return NULL;
}

/* NULL: there is none of this number. */
static struct pause_service *service_at(const struct pauses *pauses, uint32_t service)
{
	return pauses->services && service < pauses->services->count
		       ? &pauses->services->list[service]
		       : NULL;
}

static struct pause_service *find_service(const struct pauses *pauses, const char *name)
{
	struct pause_service *service;

	for (uint32_t i = 0; (service = service_at(pauses, i)); i++)
		if (!strcmp(service->name, name))
			return service;
	return NULL;
}

/* ---- under the lock ---- */

static int compare_numbers(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

static void draw(struct pauses *pauses)
{
	struct pause_service *service;

	pauses->all = false;
	pauses->number_count = 0;
	for (uint32_t k = 0; (service = service_at(pauses, k)); k++)
		service->paused = false;
	for (size_t i = 0; i < pauses->count; i++) {
		const struct reg_pause *pause = &pauses->list[i];

		pauses->all |= pause->scope == PAUSE_ALL;
		if (pause->scope == PAUSE_NUMBER)
			pauses->numbers[pauses->number_count++] = e164_pack(pause->what);
		service = pause->scope == PAUSE_SERVICE ? find_service(pauses, pause->what) : NULL;
		if (service)
			service->paused = true;
	}
	qsort(pauses->numbers, pauses->number_count, sizeof(pauses->numbers[0]), compare_numbers);
	metric_set(&pauses_gauge, (int64_t)pauses->count);
}

static struct reg_pause *find(struct pauses *pauses, enum pause_scope scope, const char *what)
{
	for (size_t i = 0; i < pauses->count; i++)
		if (pauses->list[i].scope == scope && !strcmp(pauses->list[i].what, what))
			return &pauses->list[i];
	return NULL;
}

static bool holds(const struct pauses *pauses, uint64_t number, uint32_t service)
{
	const struct pause_service *its = service_at(pauses, service);

	return pauses->all || (its && its->paused) ||
	       (pauses->number_count && bsearch(&number, pauses->numbers, pauses->number_count,
						sizeof(number), compare_numbers));
}

static void drop(struct pauses *pauses, struct reg_pause *pause)
{
	*pause = pauses->list[--pauses->count];
}

/* "all", "service=desk" or "number=+4799***12". */
static void name_of(const struct reg_pause *pause, char *ret_name, size_t room)
{
	char what[PAUSE_NAME_ROOM];

	snprintf(what, sizeof(what), "%s", pause->what);
	if (pause->scope == PAUSE_NUMBER)
		e164_mask(pause->what, what, sizeof(what));
	snprintf(ret_name, room, "%s%s%s", pause_scope_name(pause->scope), *what ? "=" : "", what);
}

static void say(const struct reg_pause *pause, const char *what_happened)
{
	char name[PAUSE_NAME_ROOM + 16], until[CLOCK_TEXT_ROOM] = "resumed";

	name_of(pause, name, sizeof(name));
	if (pause->until)
		clock_wall_text(pause->until, until);
	log_notice("registrar", "%s %s by=\"%s\" until=%s why=\"%s\"", what_happened, name,
		   pause->who, until, pause->why);
}

static void say_ended(const struct reg_pause *pause, const char *who)
{
	char name[PAUSE_NAME_ROOM + 16];

	name_of(pause, name, sizeof(name));
	log_notice("registrar", "resumed %s by=\"%s\" paused_by=\"%s\"", name, who, pause->who);
}

/* ---- create and destroy ---- */

int pauses_create(struct pauses **ret_pauses, const char *path,
		  const struct config_postgres *postgres)
{
	struct pauses *pauses = calloc(1, sizeof(*pauses));
	int err = 0;

	if (!pauses)
		return -ENOMEM;
	pthread_mutex_init(&pauses->orders_lock, NULL);
	pthread_mutex_init(&pauses->lock, NULL);
	pauses->list = calloc(PAUSES_MAX, sizeof(*pauses->list));
	if (!pauses->list)
		err = -ENOMEM;
	else if (postgres)
		err = pause_store_share(&pauses->store, postgres);
	else
		pauses->path = path;
	if (err)
		pauses_destroy(pauses);
	else
		*ret_pauses = pauses;
	return err;
}

struct pauses *pauses_destroy(struct pauses *pauses)
{
	if (!pauses)
		return NULL;
	pause_store_close(pauses->store);
	pthread_mutex_destroy(&pauses->lock);
	pthread_mutex_destroy(&pauses->orders_lock);
	pause_services_destroy(pauses->services);
	free(pauses->list);
	free(pauses);
	return NULL;
}

static int on_pause(const struct reg_pause *pause, void *arg)
{
	struct pauses *pauses = arg;
	bool sound = pause->scope != PAUSE_NUMBER || e164_pack(pause->what);

	if (sound && pauses->count < PAUSES_MAX) {
		pauses->list[pauses->count++] = *pause;
		say(pause, "still paused:");
	}
	return 0;
}

int pauses_load(struct pauses *pauses)
{
	int err = 0;

	pthread_mutex_lock(&pauses->lock);
	if (pauses->path)
		err = pause_store_open(&pauses->store, pauses->path, on_pause, pauses);
	pauses->path = NULL;
	draw(pauses);
	pthread_mutex_unlock(&pauses->lock);
	return err;
}

void pauses_services(struct pauses *pauses, struct pause_services *take_services)
{
	pthread_mutex_lock(&pauses->lock);
	pause_services_destroy(pauses->services);
	pauses->services = take_services;
	draw(pauses);
	pthread_mutex_unlock(&pauses->lock);
}

/* ---- orders ---- */

static int may_put(struct pauses *pauses, const struct reg_pause *pause)
{
	if (pause->scope == PAUSE_SERVICE && !find_service(pauses, pause->what))
		return -ENOENT;
	if (!find(pauses, pause->scope, pause->what) && pauses->count == PAUSES_MAX)
		return -ENOSPC;
	return 0;
}

/* It is written. */
static void put(struct pauses *pauses, const struct reg_pause *pause)
{
	struct reg_pause *place = find(pauses, pause->scope, pause->what);

	if (!place && pauses->count < PAUSES_MAX) /* else others were faster, by this moment */
		place = &pauses->list[pauses->count++];
	if (place)
		*place = *pause;
	pauses->orders++;
	draw(pauses);
	say(pause, "paused");
}

int pauses_put(struct pauses *pauses, const struct reg_pause *pause)
{
	int err;

	pthread_mutex_lock(&pauses->orders_lock);
	pthread_mutex_lock(&pauses->lock);
	err = pauses->store ? may_put(pauses, pause) : -ENOTSUP;
	pthread_mutex_unlock(&pauses->lock);
	if (!err)
		err = pause_store_put(pauses->store, pause);
	if (!err) {
		pthread_mutex_lock(&pauses->lock);
		put(pauses, pause);
		pthread_mutex_unlock(&pauses->lock);
	}
	pthread_mutex_unlock(&pauses->orders_lock);
	return err;
}

/* It is not written any more. */
static void end(struct pauses *pauses, enum pause_scope scope, const char *what, const char *who)
{
	struct reg_pause *pause = find(pauses, scope, what);

	pauses->orders++;
	if (!pause)
		return; /* its time was over at this moment */
	say_ended(pause, who);
	drop(pauses, pause);
	draw(pauses);
}

int pauses_end(struct pauses *pauses, enum pause_scope scope, const char *what, const char *who)
{
	int err;

	pthread_mutex_lock(&pauses->orders_lock);
	pthread_mutex_lock(&pauses->lock);
	err = find(pauses, scope, what) ? 0 : -ENOENT;
	pthread_mutex_unlock(&pauses->lock);
	if (!err)
		err = pause_store_drop(pauses->store, scope, what);
	if (!err) {
		pthread_mutex_lock(&pauses->lock);
		end(pauses, scope, what, who);
		pthread_mutex_unlock(&pauses->lock);
	}
	pthread_mutex_unlock(&pauses->orders_lock);
	return err;
}

/* ---- what others ordered ---- */

unsigned pauses_orders(struct pauses *pauses)
{
	unsigned orders;

	pthread_mutex_lock(&pauses->lock);
	orders = pauses->orders;
	pthread_mutex_unlock(&pauses->lock);
	return orders;
}

static const struct reg_pause *find_in(const struct reg_pause *list, size_t count,
				       const struct reg_pause *pause)
{
	for (size_t i = 0; i < count; i++)
		if (list[i].scope == pause->scope && !strcmp(list[i].what, pause->what))
			return &list[i];
	return NULL;
}

/* Those whose time is not over, by our clock. */
static size_t keep_sound(struct reg_pause *list, size_t count)
{
	wall_ms now = clock_wall();
	size_t kept = 0;

	for (size_t i = 0; i < count && kept < PAUSES_MAX; i++) {
		bool sound = (unsigned)list[i].scope <= PAUSE_NUMBER &&
			     (list[i].scope != PAUSE_NUMBER || e164_pack(list[i].what));

		if (sound && (!list[i].until || list[i].until > now))
			list[kept++] = list[i];
	}
	return kept;
}

static void say_news(const struct pauses *pauses, const struct reg_pause *list, size_t count)
{
	for (size_t i = 0; i < pauses->count; i++)
		if (!find_in(list, count, &pauses->list[i]))
			say_ended(&pauses->list[i], "another node");
	for (size_t i = 0; i < count; i++) {
		const struct reg_pause *known = find_in(pauses->list, pauses->count, &list[i]);

		if (!known || known->since != list[i].since || known->until != list[i].until)
			say(&list[i], pauses->heard ? "paused by another node:" : "still paused:");
	}
}

bool pauses_hear(struct pauses *pauses, unsigned orders, struct reg_pause *list, size_t count)
{
	bool fresh;

	pthread_mutex_lock(&pauses->lock);
	fresh = orders == pauses->orders;
	if (fresh) {
		count = keep_sound(list, count);
		say_news(pauses, list, count);
		memcpy(pauses->list, list, count * sizeof(*list));
		pauses->count = count;
		pauses->heard = true;
		draw(pauses);
	}
	pthread_mutex_unlock(&pauses->lock);
	return fresh;
}

/* ---- questions ---- */

bool pauses_hold(struct pauses *pauses, uint64_t number, uint32_t service)
{
	bool held;

	if (!pauses)
		return false;
	pthread_mutex_lock(&pauses->lock);
	held = holds(pauses, number, service);
	pthread_mutex_unlock(&pauses->lock);
	return held;
}

int pauses_find(struct pauses *pauses, uint64_t number, uint32_t service,
		struct reg_pause *ret_pause)
{
	const struct pause_service *its;
	const struct reg_pause *found;
	char text[E164_ROOM];

	if (!pauses)
		return -ENOENT;
	e164_unpack(number, text);
	pthread_mutex_lock(&pauses->lock);
	found = find(pauses, PAUSE_NUMBER, text);
	its = service_at(pauses, service);
	if (!found && its)
		found = find(pauses, PAUSE_SERVICE, its->name);
	if (!found)
		found = find(pauses, PAUSE_ALL, "");
	if (found)
		*ret_pause = *found;
	pthread_mutex_unlock(&pauses->lock);
	return found ? 0 : -ENOENT;
}

size_t pauses_count(struct pauses *pauses)
{
	return pauses_list(pauses, NULL, 0);
}

size_t pauses_list(struct pauses *pauses, struct reg_pause *ret_pauses, size_t room)
{
	size_t count;

	if (!pauses)
		return 0;
	pthread_mutex_lock(&pauses->lock);
	count = pauses->count;
	for (size_t i = 0; i < count && i < room; i++)
		ret_pauses[i] = pauses->list[i];
	pthread_mutex_unlock(&pauses->lock);
	return count;
}

/* What cannot be forgotten on file now is ended again after the next start; each node
 * of a fleet ends it by its own clock. */
static bool expire(struct pauses *pauses, bool on_file, wall_ms now)
{
	bool some = false;

	pthread_mutex_lock(&pauses->lock);
	for (size_t i = pauses->count; i-- > 0;) {
		struct reg_pause *pause = &pauses->list[i];

		if (!pause->until || pause->until > now)
			continue;
		if (on_file)
			pause_store_drop(pauses->store, pause->scope, pause->what);
		say(pause, "its time is over, resumed:");
		drop(pauses, pause);
		some = true;
	}
	if (some)
		draw(pauses);
	pthread_mutex_unlock(&pauses->lock);
	return some;
}

bool pauses_expire(struct pauses *pauses, wall_ms now)
{
	bool some;

	if (!pauses)
		return false;
	if (pause_store_shared(pauses->store))
		return expire(pauses, /* on_file= */ false, now);
	pthread_mutex_lock(&pauses->orders_lock);
	some = expire(pauses, /* on_file= */ true, now);
	pthread_mutex_unlock(&pauses->orders_lock);
	return some;
}

wall_ms pauses_next(struct pauses *pauses)
{
	wall_ms next = 0;

	if (!pauses)
		return 0;
	pthread_mutex_lock(&pauses->lock);
	for (size_t i = 0; i < pauses->count; i++) {
		wall_ms until = pauses->list[i].until;

		if (until && (!next || until < next))
			next = until;
	}
	pthread_mutex_unlock(&pauses->lock);
	return next;
}

void pauses_service_name(struct pauses *pauses, uint32_t service, char *ret_name, size_t room)
{
	const struct pause_service *its;

	ret_name[0] = '\0';
	if (!pauses)
		return;
	pthread_mutex_lock(&pauses->lock);
	its = service_at(pauses, service);
	if (its)
		snprintf(ret_name, room, "%s", its->name);
	pthread_mutex_unlock(&pauses->lock);
}
