/* SPDX-License-Identifier: Apache-2.0 */
/* world.c - chance, and what is told of a run. */
#include "tests/simulate/world.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

struct world world;

double chance(void)
{
	return reg_random(&world.random);
}

mono_ms between(mono_ms from, mono_ms to)
{
	return from + (mono_ms)((double)(to - from) * chance());
}

unsigned below(unsigned n)
{
	return (unsigned)((double)n * chance());
}

static void stamp(FILE *to)
{
	mono_ms now = clock_now();

	fprintf(to, "%3lldh%02lldm%02lld.%03llds  ", (long long)(now / HOUR),
		(long long)(now / MINUTE % 60), (long long)(now / SECOND % 60),
		(long long)(now % SECOND));
}

void say(const char *format, ...)
{
	va_list arguments;

	if (!world.timeline)
		return;
	stamp(world.timeline);
	va_start(arguments, format);
	vfprintf(world.timeline, format, arguments);
	va_end(arguments);
	fputc('\n', world.timeline);
}

void fail(const char *format, ...)
{
	va_list arguments;

	if (world.failure[0])
		return;
	va_start(arguments, format);
	vsnprintf(world.failure, sizeof(world.failure), format, arguments);
	va_end(arguments);
	say("BROKEN: %s", world.failure);
}

bool take_effect(struct node *node)
{
	if (node->frozen)
		return false;
	if (node->kill_after >= 0 && node->kill_after-- == 0) {
		say("%s killed at this point", node->name);
		node->frozen = true;
		return false;
	}
	return true;
}

struct node *node_at(uint32_t index)
{
	return &world.nodes[index];
}

void world_cores(unsigned tenants, unsigned spots)
{
	world.tenants = tenants;
	world.spots = spots;
	world.phones = world.count / (tenants * spots);
}

void world_core_is_dead(bool dead)
{
	if (dead && !world.dead) {
		world.deaths++;
		world.dead_since = clock_now();
	}
	world.dead = dead;
	for (unsigned i = 0; i < NODES; i++)
		memset(world.nodes[i].dead, 0, sizeof(world.nodes[i].dead));
}
