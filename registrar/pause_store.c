/* SPDX-License-Identifier: Apache-2.0 */
#include "registrar/pause_store.h"

struct pause_store *pause_store_close(struct pause_store *store)
{
	return store ? store->ops->close(store) : NULL;
}

int pause_store_put(struct pause_store *store, const struct reg_pause *pause)
{
	return store->ops->put(store, pause);
}

int pause_store_drop(struct pause_store *store, enum pause_scope scope, const char *what)
{
	return store->ops->drop(store, scope, what);
}

bool pause_store_shared(const struct pause_store *store)
{
	return store && store->ops->shared;
}
