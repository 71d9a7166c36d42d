/* SPDX-License-Identifier: Apache-2.0 */
/* hosts.h - names of /etc/hosts, which sofia's resolver does not read. */
#ifndef BREAKOUT_TAS_SIP_HOSTS_H
#define BREAKOUT_TAS_SIP_HOSTS_H

#include <netinet/in.h>
#include "base/macros.h"

/* The first IPv4 address of `name` in a file like hosts(5), else the first IPv6
 * one. Nothing is kept between calls: what an operator writes there holds for
 * the next call. -ENOENT: not in the file, which then is the DNS' business. */
int hosts_find(const char *path, const char *name,
	       char ret_address[static INET6_ADDRSTRLEN]) MUST_CHECK;

#endif
