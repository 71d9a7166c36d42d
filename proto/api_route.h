/* SPDX-License-Identifier: Apache-2.0 */
/* api_route.h - a connection to the core: a channel, with whom it trusts.
 *
 * A client has one, and a second one while the first is being replaced. Calls stay on the
 * one they began on, which ends with the last of them. Included after gRPC's headers;
 * everything runs on the client's thread.
 */
#ifndef BREAKOUT_PROTO_API_ROUTE_H
#define BREAKOUT_PROTO_API_ROUTE_H

#include "proto/api_call.h"

struct api_route {
	grpc_channel *channel;
	unsigned calls; /* open ones on it */
	bool retired;   /* nothing new goes this way */
	bool watched;   /* a completion of `tag` is to come */
	struct api_tag tag;
	struct api_client *client;
};

/* Connects with the first call, or when it is watched. 0, -ENOMEM or -EINVAL with a
 * sentence in error. */
int api_route_create(struct api_route **ret_route, struct api_client *client,
		     const struct api_client_options *options, char *error,
		     size_t error_room) MUST_CHECK;
/* It ends now, or with the last that uses it. NULL is fine. */
void api_route_retire(struct api_route *route);
/* After a call or a watch of it has ended. */
void api_route_settle(struct api_route *route);

bool api_route_ready(struct api_route *route);
/* Connects; `tag` completes when its state changes, after a second at the latest. */
void api_route_watch(struct api_route *route, grpc_completion_queue *queue);

#endif
