/* SPDX-License-Identifier: Apache-2.0 */
#include "registrar/order_share.h"

#include <errno.h>
#include "base/log.h"

int order_share_init(struct order_share *share, const char *what,
		     const struct config_postgres *config)
{
	*share = (struct order_share){ .what = what };
	return pg_create(&share->pg, config->conninfo, config->password_file);
}

void order_share_done(struct order_share *share)
{
	share->pg = pg_destroy(share->pg);
}

int order_share_failed(const struct order_share *share, const char *doing)
{
	log_error("registrar", "%s cannot be %s in the fleet's database (store.postgres): %s",
		  share->what, doing, pg_error(share->pg));
	return -EIO;
}

void order_share_follow_up(struct order_share *share, const char *drop_old, wall_ms before,
			   mono_ms deadline)
{
	char text[PG_INT_ROOM];
	const char *params[] = { pg_number(text, before) };

	if (!pg_exec(share->pg, "NOTIFY breakout", NULL, 0, deadline, NULL))
		(void)!pg_exec(share->pg, drop_old, params, 1, deadline, NULL);
}
