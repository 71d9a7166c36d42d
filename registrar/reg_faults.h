/* SPDX-License-Identifier: Apache-2.0 */
/* reg_faults.h - why the last request of a record failed, for the few of which it did.
 *
 * A map from handles to texts. No thread and no lock of its own.
 */
#ifndef BREAKOUT_REGISTRAR_REG_FAULTS_H
#define BREAKOUT_REGISTRAR_REG_FAULTS_H

#include <stdbool.h>
#include <stdint.h>
#include "base/hash_slots.h"

#define REG_FAULT_ROOM 96 /* longer ones are cut */

/* Zero-initialise. */
struct reg_faults {
	struct hash_slots slots; /* of struct reg_fault, own */
};
void reg_faults_done(struct reg_faults *faults);

/* NULL: none. Borrowed until the next put. */
const char *reg_faults_find(const struct reg_faults *faults, uint32_t handle);
/* Copies the text; NULL takes it away. Whether there is one now: without memory there is none. */
bool reg_faults_put(struct reg_faults *faults, uint32_t handle, const char *text);

#endif
