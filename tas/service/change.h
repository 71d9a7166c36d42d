/* SPDX-License-Identifier: Apache-2.0 */
/* change.h - inside of tas/service: steps with other numbers than the call came
 * with.
 *
 * Threads: the SIP thread.
 */
#ifndef BREAKOUT_TAS_SERVICE_CHANGE_H
#define BREAKOUT_TAS_SERVICE_CHANGE_H

#include "tas/service/decision.h"

/* Makes room for the turns of the configuration, all at their beginning. 0 or -ENOMEM. */
int change_turns_apply(struct service_room *room) MUST_CHECK;

/* `loop`: leg 3, with another caller or called number if the action says so. */
void change_loop(struct decision *decision, const struct config_action *action);
/* `dial`: a trunk, with another called number if the action says so. */
void change_dial(struct decision *decision, const struct config_action *action);

#endif
