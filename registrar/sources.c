/* SPDX-License-Identifier: Apache-2.0 */
#include "registrar/sources.h"

#include <errno.h>
#include <stdlib.h>
#include "registrar/consent_set.h"

int sources_want(const struct sources *sources, const struct wanted *configured,
		 struct wanted **ret_all, mono_ms now)
{
	struct wanted *all;
	int err = consents_want(sources->consents, configured, &all, now);

	if (err)
		return err;
	err = added_join(sources->added, all);
	if (err)
		wanted_destroy(all);
	else
		*ret_all = all;
	return err;
}

/* False: it is the configuration's, and no matter of this. */
static bool reconsider(const struct sources *sources, uint64_t number,
		       struct wanted_number *ret_wanted)
{
	if (consent_set_has(consents_configured(sources->consents), number))
		return false;
	if (!added_wanted(sources->added, number, ret_wanted) &&
	    !consents_wanted(sources->consents, number, ret_wanted))
		*ret_wanted = (struct wanted_number){ .number = number,
						      .tenant = WANTED_NOWHERE,
						      .route_type = ROUTE_TYPE_NONE };
	return true;
}

int sources_reconsider(const struct sources *sources, struct keeper *keeper,
		       const uint64_t *numbers, size_t count, mono_ms now)
{
	struct wanted some = *consents_configured(sources->consents)->texts; /* borrowed */
	int err;

	some.count = 0;
	some.numbers = calloc(count + 1, sizeof(*some.numbers));
	if (!some.numbers)
		return -ENOMEM;
	for (size_t i = 0; i < count; i++)
		some.count += reconsider(sources, numbers[i], &some.numbers[some.count]);
	err = keeper_want_some(keeper, &some, now);
	free(some.numbers);
	return err;
}
