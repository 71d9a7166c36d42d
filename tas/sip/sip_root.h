/* SPDX-License-Identifier: Apache-2.0 */
/* sip_root.h - sofia's root inside the loop, for this room's own files. */
#ifndef BREAKOUT_TAS_SIP_SIP_ROOT_H
#define BREAKOUT_TAS_SIP_SIP_ROOT_H

struct sip_loop;
struct su_root_s;

struct su_root_s *sip_loop_root(struct sip_loop *loop);

#endif
