/* SPDX-License-Identifier: Apache-2.0 */
#include "registrar/store.h"

struct store *store_close(struct store *store)
{
	return store ? store->ops->close(store) : NULL;
}

int store_write(struct store *store, const struct store_row *rows, size_t count,
		enum store_purpose purpose, const char **ret_error)
{
	return store->ops->write(store, rows, count, purpose, ret_error);
}

size_t store_batch(const struct store *store)
{
	return store->ops->batch;
}
