/* SPDX-License-Identifier: Apache-2.0 */
/* fiber.h - a thread that only runs when it is told to: another stack, and nothing
 * that the machine decides. */
#ifndef BREAKOUT_TESTS_SIMULATE_FIBER_H
#define BREAKOUT_TESTS_SIMULATE_FIBER_H

#include <setjmp.h>
#include <stdbool.h>
#include <ucontext.h>

struct fiber {
	ucontext_t inside, outside;
	jmp_buf inside_jump, outside_jump;
	bool entered;
	void *stack;
	void (*work)(void *arg); /* again each time it is resumed after its end */
	void *arg;
	void *tsan_inside, *tsan_outside, *asan_inside, *asan_outside;
	const void *outside_stack;
	size_t outside_size;
};

/* Once; `work` may be another from one resumption after its end to the next. */
void fiber_create(struct fiber *fiber, void (*work)(void *arg), void *arg);
void fiber_destroy(struct fiber *fiber); /* it must not be in the middle of its work */
/* Runs it until it pauses or has done its work. */
void fiber_resume(struct fiber *fiber);
/* Inside: back to who resumed it. */
void fiber_pause(struct fiber *fiber);

#endif
