/* SPDX-License-Identifier: Apache-2.0 */
/* registration.h - the numbers to keep registered, from YAML lists and CSV files. */
#ifndef BREAKOUT_CONFIG_REGISTRATION_H
#define BREAKOUT_CONFIG_REGISTRATION_H

#include "config/schema.h"

/* Registrations while they are read; what config.registrations is made of. */
struct pending_list {
	struct pending *list;
	size_t count, room;
};

/* A list of groups; needs the services to be read already. */
extern const struct kind kind_registrations;
extern const struct schema group_schema; /* what a group may say */

/* loop, fork, ...: an int that is an enum route_type. */
extern const struct kind kind_route_type;
/* Checks that a route type and a service (NULL: none named) go together; false after
 * adding an error at `at`. */
bool service_resolve(struct reader *reader, struct place at, int route_type, const char *name,
		     uint32_t *ret_index);

/* One line of a CSV file, number[,route_type[,service[,tenant]]]; may be written to. */
void registrations_line(struct reader *reader, struct place at, char *line);
/* All lines of one, which findings call `name`. */
void registrations_file(struct reader *reader, const char *path, const char *name);

/* Sorts, refuses numbers given twice, and hands them to the config. */
void registrations_settle(struct reader *reader);
void registrations_done(struct pending_list *pending);

#endif
