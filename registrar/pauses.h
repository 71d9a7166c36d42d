/* SPDX-License-Identifier: Apache-2.0 */
/* pauses.h - what an operator has taken from the core for a while: numbers, services,
 * or everything.
 *
 * A pause is an order about names, not about records: it counts for numbers that are
 * configured later too, and stays over restarts and reloads until it is ended or its
 * time is over by the wall clock. The keeper holds what is paused as it holds what a
 * sick TAS must not have.
 *
 * In a fleet an order of any node holds on all: it is written to the database they
 * share, and the others hear of it with their next look.
 *
 * Threads: any; locks of its own, which nobody holds while taking another. Only orders
 * wait for the store.
 */
#ifndef BREAKOUT_REGISTRAR_PAUSES_H
#define BREAKOUT_REGISTRAR_PAUSES_H

#include <stddef.h>
#include "registrar/registrar.h"

struct pauses; /* opaque; NULL to those who ask: nothing is paused */
struct pause_services;

/* path: the store's file, borrowed until pauses_load(); postgres: a fleet's database
 * instead. Both NULL: nothing can be paused, because it would be forgotten. 0 or
 * -ENOMEM. */
int pauses_create(struct pauses **ret_pauses, const char *path,
		  const struct config_postgres *postgres) MUST_CHECK;
struct pauses *pauses_destroy(struct pauses *pauses);

/* Reads those on file, once the store has been opened. 0, -ENOMEM or -EIO (logged). */
int pauses_load(struct pauses *pauses) MUST_CHECK;

/* The names of a configuration's services, by the numbers that registrations have. */
struct pause_services *pause_services_create(const struct config *config); /* NULL: no memory */
struct pause_services *pause_services_destroy(struct pause_services *services);

/* These are the services from here on. */
void pauses_services(struct pauses *pauses, struct pause_services *take_services);

/* As registrar_pause() and registrar_resume() say. */
int pauses_put(struct pauses *pauses, const struct reg_pause *pause) MUST_CHECK;
int pauses_end(struct pauses *pauses, enum pause_scope scope, const char *what,
	       const char *who) MUST_CHECK;

/* A fleet's: all there are, by a look at its database that began when pauses_orders()
 * was `orders`. False: an order was carried out here meanwhile, look again. The list is
 * written to. */
unsigned pauses_orders(struct pauses *pauses);
bool pauses_hear(struct pauses *pauses, unsigned orders, struct reg_pause *list,
		 size_t count) MUST_CHECK;

bool pauses_hold(struct pauses *pauses, uint64_t number, uint32_t service);
/* The nearest that holds it: its own, its service's, that of all. 0 or -ENOENT. */
int pauses_find(struct pauses *pauses, uint64_t number, uint32_t service,
		struct reg_pause *ret_pause) MUST_CHECK;
size_t pauses_count(struct pauses *pauses);
/* Copies, as far as there is room; how many there were. */
size_t pauses_list(struct pauses *pauses, struct reg_pause *ret_pauses, size_t room);

/* Ends those whose time is over. True: some were. */
bool pauses_expire(struct pauses *pauses, wall_ms now);
wall_ms pauses_next(struct pauses *pauses); /* the next end; 0: none has one */

/* "" if there is none such. */
void pauses_service_name(struct pauses *pauses, uint32_t service, char *ret_name, size_t room);

#endif
