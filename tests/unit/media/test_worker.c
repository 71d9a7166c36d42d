/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <sched.h>

#include "base/processors.h"
#include "media/worker.h"

struct look {
	struct mail mail;
	cpu_set_t mask;
};

static void on_look(struct mail *mail, void *receiver)
{
	struct look *look = CONTAINER_OF(mail, struct look, mail);

	(void)receiver;
	if (sched_getaffinity(0, sizeof(look->mask), &look->mask))
		CPU_ZERO(&look->mask);
}

/* The mask of a worker's thread; the mail is delivered before it ends. */
static void look_at(int processor, struct look *look)
{
	struct worker *worker;

	assert_int_equal(worker_create(&worker, 0, processor), 0);
	*look = (struct look){ .mail.deliver = on_look };
	worker_post(worker, &look->mail);
	worker_destroy(worker);
}

static void a_thread_stays_on_its_processor(void **state)
{
	struct look look;
	unsigned last = 0;

	(void)state;
	for (unsigned i = 0; i < CPU_SETSIZE; i++)
		if (processors_usable(i))
			last = i;
	look_at((int)last, &look);
	assert_int_equal(CPU_COUNT(&look.mask), 1);
	assert_true(CPU_ISSET(last, &look.mask));
	look_at(WORKER_ANYWHERE, &look);
	assert_int_equal(CPU_COUNT(&look.mask), processors_usable_count());
}

static void a_processor_that_is_not_there_is_refused(void **state)
{
	struct worker *worker = NULL;

	(void)state;
	assert_int_equal(worker_create(&worker, 0, CPU_SETSIZE - 1), -EINVAL);
	assert_null(worker);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_thread_stays_on_its_processor),
		cmocka_unit_test(a_processor_that_is_not_there_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
