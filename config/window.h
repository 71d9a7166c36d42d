/* SPDX-License-Identifier: Apache-2.0 */
/* window.h - times of the week, and the days that are different. */
#ifndef BREAKOUT_CONFIG_WINDOW_H
#define BREAKOUT_CONFIG_WINDOW_H

#include "config/schema.h"

/* "Mon-Fri 08:00-17:00 Europe/Oslo": a struct config_window. */
extern const struct kind kind_window;
/* "12-25", "2026-04-03" or `{ file: PATH }`: a struct config_dates. */
extern const struct kind kind_dates;

#endif
