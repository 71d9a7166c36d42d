/* SPDX-License-Identifier: Apache-2.0 */
/* cores.h - what the configuration says of each tenant's core, with the files it names:
 * read before any of it counts.
 *
 * Threads: made on any, handed over whole.
 */
#ifndef BREAKOUT_REGISTRAR_CORES_H
#define BREAKOUT_REGISTRAR_CORES_H

#include "config/arena.h"
#include "registrar/registrar.h"

struct core {
	const char *name;
	struct config_api api;
	const char *roots; /* PEM text of ca_file; NULL: the system's */
	uint64_t secret;   /* stands for the client secret, to see that it is another one */
};

struct registrar_cores {
	struct arena arena; /* what the texts below are in */
	size_t count;
	struct core list[CONFIG_TENANTS]; /* in the configuration's order: default first */
};

/* Whether a connection of the one serves the other; whether tokens of both are got alike. */
bool core_same_way(const struct core *a, const struct core *b);
bool core_same_rights(const struct core *a, const struct core *b);
/* Whether the same client is known at both, and whether both are at the same place. */
bool core_same_account(const struct core *a, const struct core *b);
/* Stands for both, in a store: the same over restarts and on every machine. Not 0. */
uint64_t core_identity(const struct core *core);
bool core_same_target(const struct core *a, const struct core *b);

#endif
