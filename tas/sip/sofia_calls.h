/* SPDX-License-Identifier: Apache-2.0 */
/* sofia_calls.h - for functions of ours that hide those libsofia would call: whether it
 * is libsofia that calls, and the function that is hidden.
 *
 * Threads: any.
 */
#ifndef BREAKOUT_TAS_SIP_SOFIA_CALLS_H
#define BREAKOUT_TAS_SIP_SOFIA_CALLS_H

#include <stdatomic.h>
#include <stdbool.h>

bool sofia_calls(const void *caller);
#define FROM_SOFIA() sofia_calls(__builtin_return_address(0))

/* Ends the process, with the reason logged, if there is none. */
void *sofia_next_symbol(const char *name);

/* The function that ours hides. Looked up once; two threads may both do it. */
#define REAL(name)                                                                                 \
	({                                                                                         \
		static void *_Atomic found;                                                        \
		void *real_ = atomic_load_explicit(&found, memory_order_acquire);                  \
                                                                                                   \
		if (!real_) {                                                                      \
			real_ = sofia_next_symbol(#name);                                          \
			atomic_store_explicit(&found, real_, memory_order_release);                \
		}                                                                                  \
		(__typeof__(&name))real_;                                                          \
	})

#endif
