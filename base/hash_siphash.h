/* SPDX-License-Identifier: Apache-2.0 */
/* hash_siphash.h - the bare function under hash.h, for its known-answer test. */
#ifndef BREAKOUT_BASE_HASH_SIPHASH_H
#define BREAKOUT_BASE_HASH_SIPHASH_H

#include <stddef.h>
#include <stdint.h>

/* Aumasson, Bernstein: "SipHash: a fast short-input PRF" (2012), 2 and 4 rounds. */
uint64_t siphash_2_4(const uint64_t with_key[2], const void *bytes, size_t length);

#endif
