/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "tas/service/classify.h"

static bool registered(const char *number, void *arg)
{
	(void)arg;
	return strcmp(number, "+4799000001") == 0 || strcmp(number, "+4799000002") == 0;
}

#define A    "+4799000001"
#define B    "+4799000002"
#define X    "+4712345678"
#define LONG "1234567890123456789012345678901234567890123456789012345678901234567890"

static const struct row {
	const char *mo, *mt, *user, *caller;
	enum call_direction direction;
	const char *called, *subscriber;
	bool prefix;
} rows[] = {
	/* prefix after the plus */
	{ "00", "01", "+0047112334455", A, DIRECTION_MO, "+47112334455", A, true },
	{ "00", "01", "+014799000002", X, DIRECTION_MT, B, B, true },
	{ "00", "01", "+004799000002", A, DIRECTION_MO, B, A, true },
	/* short codes have no plus */
	{ "00", "01", "00112", A, DIRECTION_MO, "112", A, true },
	{ "00", "01", "00*21*4799000002#", A, DIRECTION_MO, "*21*4799000002#", A, true },
	/* never two prefixes */
	{ "00", "01", "+000047112334455", A, DIRECTION_MO, "+0047112334455", A, true },
	{ "00", "01", "+000147112334455", A, DIRECTION_MO, "+0147112334455", A, true },
	/* a prefix without a registered subscriber */
	{ "00", "01", "+0047112334455", X, DIRECTION_MO, "+47112334455", "", true },
	{ "00", "01", "+0147112334455", X, DIRECTION_MT, "+47112334455", "", true },
	/* no prefix: who is registered */
	{ "00", "01", B, X, DIRECTION_MT, B, B, false },
	{ "00", "01", X, A, DIRECTION_MO, X, A, false },
	{ "00", "01", B, A, DIRECTION_MO, B, A, false },
	{ "00", "01", X, X, DIRECTION_UNKNOWN, X, "", false },
	{ NULL, NULL, B, X, DIRECTION_MT, B, B, false },
	{ NULL, NULL, "+0047112334455", A, DIRECTION_MO, "+0047112334455", A, false },
	{ NULL, "01", "+0147112334455", A, DIRECTION_MT, "+47112334455", "", true },
	{ "", "", B, X, DIRECTION_MT, B, B, false },
	/* formats of numbers */
	{ "00", "01", "+0047112334455", "4799000001", DIRECTION_MO, "+47112334455", A, true },
	{ "00", "01", "+0047112334455", "004799000001", DIRECTION_MO, "+47112334455", A, true },
	{ "00", "01", "+0047112334455", "+47-990-00.001", DIRECTION_MO, "+47112334455", A, true },
	{ "00", "01", "+0047112334455;npdi;rn=+47", A ";cpc=payphone", DIRECTION_MO, "+47112334455",
	  A, true },
	{ NULL, NULL, "4799000002", X, DIRECTION_MT, "4799000002", B, false },
	/* hostile */
	{ "00", "01", "", "", DIRECTION_UNKNOWN, "", "", false },
	{ "00", "01", "+", "+", DIRECTION_UNKNOWN, "+", "", false },
	{ "00", "01", "+00", A, DIRECTION_MO, "+00", A, false },
	{ "00", "01", "00", A, DIRECTION_MO, "00", A, false },
	{ "00", "01", "+00alice", A, DIRECTION_MO, "+00alice", A, false },
	{ "00", "01", "+0047\"<>\r\n", X, DIRECTION_UNKNOWN, "+0047\"<>\r\n", "", false },
	{ "00", "01", "+00" LONG, X, DIRECTION_UNKNOWN, "", "", false },
	{ "00", "01", LONG, LONG, DIRECTION_UNKNOWN, "", "", false },
	{ "00", "01", ";;;", ";", DIRECTION_UNKNOWN, "", "", false },
	{ "00", "01", "++0047112334455", X, DIRECTION_UNKNOWN, "++0047112334455", "", false },
	/* a prefix that could be a country code is believed: check warns of it */
	{ "22", NULL, "+2247112334455", A, DIRECTION_MO, "+47112334455", A, true },
};

static void every_row_of_the_table_holds(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const struct row *row = &rows[i];
		struct classification c;

		const struct config config = { .prefix_mo = (char *)row->mo,
					       .prefix_mt = (char *)row->mt };

		classify(&config, row->user, row->caller, registered, NULL, &c);
		if (c.direction != row->direction || strcmp(c.called, row->called) ||
		    strcmp(c.subscriber, row->subscriber) || c.prefix_found != row->prefix)
			fail_msg(
				"row %zu user \"%s\": direction %d called \"%s\" subscriber \"%s\" "
				"prefix %d",
				i, row->user, c.direction, c.called, c.subscriber, c.prefix_found);
	}
}

static void a_prefix_names_the_tenant(void **state)
{
	struct config_tenant tenants[] = {
		{ .name = (char *)"acme", .prefix_mo = (char *)"02", .prefix_mt = (char *)"03" },
		{ .name = (char *)"none" },
		{ .name = (char *)"far", .prefix_mt = (char *)"0004" }
	};
	const struct config config = { .prefix_mo = (char *)"001",
				       .prefix_mt = (char *)"01",
				       .tenants = tenants,
				       .tenant_count = ARRAY_SIZE(tenants) };
	static const struct {
		const char *user;
		enum call_direction direction;
		unsigned tenant;
		const char *called;
	} calls[] = {
		{ "+00147112334455", DIRECTION_MO, 0, "+47112334455" },
		{ "+0147112334455", DIRECTION_MT, 0, "+47112334455" },
		{ "+0247112334455", DIRECTION_MO, 1, "+47112334455" },
		{ "+0347112334455", DIRECTION_MT, 1, "+47112334455" },
		{ "+000447112334455", DIRECTION_MT, 3, "+47112334455" },
		{ "02112", DIRECTION_MO, 1, "112" },
		{ X, DIRECTION_UNKNOWN, 0, X },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(calls); i++) {
		struct classification c;

		classify(&config, calls[i].user, X, registered, NULL, &c);
		assert_int_equal(c.direction, calls[i].direction);
		assert_int_equal(c.tenant, calls[i].tenant);
		assert_string_equal(c.called, calls[i].called);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_row_of_the_table_holds),
		cmocka_unit_test(a_prefix_names_the_tenant),
	};

	return cmocka_run_group_tests_name("tas/service/classify", tests, NULL, NULL);
}
