/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz.h - libFuzzer's entry point, which every fuzz target defines. */
#ifndef BREAKOUT_TESTS_FUZZ_H
#define BREAKOUT_TESTS_FUZZ_H

#include <stddef.h>
#include <stdint.h>

/* NOLINTNEXTLINE: the name is libFuzzer's */
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

#endif
