/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>

#include "base/ticket.h"

static void a_ticket_finds_its_object_until_revoked(void **state)
{
	struct ticket_table *table;
	struct ticket ticket;
	int object;

	(void)state;
	assert_int_equal(ticket_table_create(&table), 0);
	assert_int_equal(ticket_issue(table, &object, &ticket), 0);
	assert_int_not_equal(ticket.generation, 0);
	assert_ptr_equal(ticket_find(table, ticket), &object);
	assert_int_equal(ticket_count(table), 1);
	ticket_revoke(table, ticket);
	assert_null(ticket_find(table, ticket));
	ticket_revoke(table, ticket); /* twice is fine */
	assert_int_equal(ticket_count(table), 0);
	ticket_table_destroy(table);
}

static void a_reused_slot_does_not_answer_to_its_old_ticket(void **state)
{
	struct ticket_table *table;
	struct ticket old, fresh = { 0 };
	int object;

	(void)state;
	assert_int_equal(ticket_table_create(&table), 0);
	assert_int_equal(ticket_issue(table, &object, &old), 0);
	ticket_revoke(table, old);
	do { /* the free list is first in, first out: the slot comes round again */
		if (fresh.generation)
			ticket_revoke(table, fresh);
		assert_int_equal(ticket_issue(table, &object, &fresh), 0);
	} while (fresh.slot != old.slot);
	assert_null(ticket_find(table, old));
	assert_ptr_equal(ticket_find(table, fresh), &object);
	ticket_table_destroy(table);
}

static void nonsense_tickets_find_nothing(void **state)
{
	struct ticket_table *table;
	struct ticket ticket;
	int object;

	(void)state;
	assert_int_equal(ticket_table_create(&table), 0);
	assert_null(ticket_find(table, (struct ticket){ 0 }));
	assert_int_equal(ticket_issue(table, &object, &ticket), 0);
	assert_null(ticket_find(table, (struct ticket){ 0 }));
	assert_null(ticket_find(table, (struct ticket){ UINT32_MAX, UINT32_MAX }));
	assert_null(ticket_find(table, (struct ticket){ ticket.slot, 0 }));
	assert_null(ticket_find(table, (struct ticket){ ticket.slot + 1, 1 }));
	assert_int_equal(ticket_issue(table, NULL, &ticket), -EINVAL);
	ticket_table_destroy(table);
	assert_null(ticket_table_destroy(NULL));
}

static void a_grown_table_finds_and_revokes_each(void **state)
{
	static struct ticket tickets[1000];
	static int objects[1000];
	struct ticket_table *table;

	(void)state;
	assert_int_equal(ticket_table_create(&table), 0);
	for (int i = 0; i < 1000; i++)
		assert_int_equal(ticket_issue(table, &objects[i], &tickets[i]), 0);
	for (int i = 0; i < 1000; i++) {
		assert_ptr_equal(ticket_find(table, tickets[i]), &objects[i]);
		ticket_revoke(table, tickets[i]);
	}
	assert_int_equal(ticket_count(table), 0);
	ticket_table_destroy(table);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_ticket_finds_its_object_until_revoked),
		cmocka_unit_test(a_reused_slot_does_not_answer_to_its_old_ticket),
		cmocka_unit_test(nonsense_tickets_find_nothing),
		cmocka_unit_test(a_grown_table_finds_and_revokes_each),
	};
	return cmocka_run_group_tests_name("ticket", tests, NULL, NULL);
}
