/* SPDX-License-Identifier: Apache-2.0 */
/* client.h - asking a running simulator through its socket. */
#ifndef BREAKOUT_TOOLS_CORE_CLIENT_H
#define BREAKOUT_TOOLS_CORE_CLIENT_H

#include <jansson.h>
#include "base/macros.h"

struct client; /* opaque */

/* FOLDER/core.sock. 0 or -errno. */
int client_open(struct client **ret_client, const char *folder) MUST_CHECK;
struct client *client_close(struct client *client);

/* Sends the request and waits for its answer; NULL if the simulator is gone. */
json_t *client_ask(struct client *client, json_t *take_request);

/* FOLDER/core.json, or NULL. */
json_t *client_description(const char *folder);

#endif
