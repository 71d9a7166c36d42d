/* SPDX-License-Identifier: Apache-2.0 */
/* The checked longjmp(3) takes a jump to another stack for a mistake. */
#undef _FORTIFY_SOURCE
#include "tests/simulate/fiber.h"

#include <stdint.h>
#include <stdlib.h>

#define STACK (256 * 1024)

/* The sanitizers want to know which stack they are on. */
#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/common_interface_defs.h>
#define LEAVE(kept, stack, size)  __sanitizer_start_switch_fiber(kept, stack, size)
#define ARRIVE(kept, stack, size) __sanitizer_finish_switch_fiber(kept, stack, size)
#else
#define LEAVE(kept, stack, size)  ((void)0)
#define ARRIVE(kept, stack, size) ((void)0)
#endif
#if defined(__SANITIZE_THREAD__)
#include <sanitizer/tsan_interface.h>
#define TSAN_SWITCH(to) __tsan_switch_to_fiber(to, 0)
#else
#define TSAN_SWITCH(to) ((void)0)
#endif

static void run(unsigned high, unsigned low)
{
	struct fiber *fiber = (struct fiber *)(((uintptr_t)high << 32) | low);

	ARRIVE(NULL, &fiber->outside_stack, &fiber->outside_size);
	for (;;) {
		fiber->work(fiber->arg);
		fiber_pause(fiber);
	}
}

void fiber_create(struct fiber *fiber, void (*work)(void *arg), void *arg)
{
	uintptr_t self = (uintptr_t)fiber;

	fiber->work = work;
	fiber->arg = arg;
	fiber->entered = false;
	fiber->stack = malloc(STACK);
	if (!fiber->stack || getcontext(&fiber->inside))
		abort();
	fiber->inside.uc_stack.ss_sp = fiber->stack;
	fiber->inside.uc_stack.ss_size = STACK;
	fiber->inside.uc_link = NULL;
	/* makecontext(3) passes ints. */
	makecontext(&fiber->inside, (void (*)(void))run, 2, (unsigned)(self >> 32), (unsigned)self);
#if defined(__SANITIZE_THREAD__)
	fiber->tsan_inside = __tsan_create_fiber(0);
#endif
}

void fiber_destroy(struct fiber *fiber)
{
#if defined(__SANITIZE_THREAD__)
	if (fiber->tsan_inside)
		__tsan_destroy_fiber(fiber->tsan_inside);
#endif
	free(fiber->stack);
	fiber->stack = NULL;
}

/* swapcontext(3) asks the kernel for the signal mask each time, which takes longer than
 * what a fiber does between two pauses: it is for the sanitizers, which follow it. */
static void enter(struct fiber *fiber)
{
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
	if (swapcontext(&fiber->outside, &fiber->inside))
		abort();
#else
	if (_setjmp(fiber->outside_jump))
		return;
	if (fiber->entered)
		_longjmp(fiber->inside_jump, 1);
	fiber->entered = true;
	setcontext(&fiber->inside);
	abort();
#endif
}

static void leave(struct fiber *fiber)
{
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
	if (swapcontext(&fiber->inside, &fiber->outside))
		abort();
#else
	if (!_setjmp(fiber->inside_jump))
		_longjmp(fiber->outside_jump, 1);
#endif
}

void fiber_resume(struct fiber *fiber)
{
#if defined(__SANITIZE_THREAD__)
	fiber->tsan_outside = __tsan_get_current_fiber();
#endif
	LEAVE(&fiber->asan_outside, fiber->stack, STACK);
	TSAN_SWITCH(fiber->tsan_inside);
	enter(fiber);
	ARRIVE(fiber->asan_outside, NULL, NULL);
}

void fiber_pause(struct fiber *fiber)
{
	LEAVE(&fiber->asan_inside, fiber->outside_stack, fiber->outside_size);
	TSAN_SWITCH(fiber->tsan_outside);
	leave(fiber);
	ARRIVE(fiber->asan_inside, &fiber->outside_stack, &fiber->outside_size);
}
