/* SPDX-License-Identifier: Apache-2.0 */
/* demo.h - the whole product on one machine: core, PBX, breakoutd, real calls. */
#ifndef BREAKOUT_TOOLS_CORE_DEMO_H
#define BREAKOUT_TOOLS_CORE_DEMO_H

#include <stdbool.h>

struct demo_options {
	const char *breakoutd; /* path of the program */
	const char *folder;    /* NULL: a new one, removed afterwards unless `keep` */
	const char *samples;   /* folder of the profiles; NULL: they are not shown */
	const char *only;      /* part of a scenario's name; NULL: all */
	bool keep;             /* leave everything running until a key is pressed, keep files */
	bool verbose;          /* every message of every call */
};

/* 0 if every call went as it should, else 1. */
int demo_run(const struct demo_options *options);

#endif
