/* SPDX-License-Identifier: Apache-2.0 */
#include "tas/sip/sofia_calls.h"

#include <dlfcn.h>
#include <link.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include "base/log.h"

static uintptr_t sofia_start, sofia_end; /* libsofia's mapped range */

static int find_sofia(struct dl_phdr_info *info, size_t size, void *arg)
{
	uintptr_t inside = *(uintptr_t *)arg;

	(void)size;
	for (int i = 0; i < info->dlpi_phnum; i++) {
		const ElfW(Phdr) *part = &info->dlpi_phdr[i];
		uintptr_t start = info->dlpi_addr + part->p_vaddr;

		if (part->p_type != PT_LOAD || !(part->p_flags & PF_X))
			continue;
		if (inside < start || inside >= start + part->p_memsz)
			continue;
		sofia_start = start;
		sofia_end = start + part->p_memsz;
		return 1;
	}
	return 0;
}

static void find(void)
{
	uintptr_t inside = (uintptr_t)dlsym(RTLD_DEFAULT, "nta_agent_create");

	dl_iterate_phdr(find_sofia, &inside);
}

bool sofia_calls(const void *caller)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	pthread_once(&once, find);
	return (uintptr_t)caller >= sofia_start && (uintptr_t)caller < sofia_end;
}

void *sofia_next_symbol(const char *name)
{
	void *symbol = dlsym(RTLD_NEXT, name);

	if (!symbol) {
		log_error("sip", "libssl, libsofia-sip-ua or libc has no %s: reinstall them", name);
		abort();
	}
	return symbol;
}
