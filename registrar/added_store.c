/* SPDX-License-Identifier: Apache-2.0 */
#include "registrar/added_store.h"

#include <stddef.h>

struct added_store *added_store_close(struct added_store *store)
{
	return store ? store->ops->close(store) : NULL;
}

int added_store_write(struct added_store *store, const struct added_batch *batch)
{
	return store->ops->write(store, batch);
}

int added_store_connect(struct added_store *store, mono_ms deadline, struct pg **ret_pg)
{
	*ret_pg = NULL;
	return store->ops->connect ? store->ops->connect(store, deadline, ret_pg) : 0;
}

void added_store_leave(struct added_store *store)
{
	if (store->ops->leave)
		store->ops->leave(store);
}
