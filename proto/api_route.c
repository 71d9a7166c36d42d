/* SPDX-License-Identifier: Apache-2.0 */
#include <grpc/grpc.h>
#include <grpc/grpc_security.h>
#include <grpc/support/time.h>

#include "proto/api_route.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include "proto/pem_check.h"

#define WATCH_MS 1000

static grpc_arg integer_arg(const char *key, int value)
{
	return (grpc_arg){ .type = GRPC_ARG_INTEGER, .key = (char *)key, .value.integer = value };
}

static grpc_arg string_arg(const char *key, const char *value)
{
	return (grpc_arg){ .type = GRPC_ARG_STRING,
			   .key = (char *)key,
			   .value.string = (char *)value };
}

static int or_default(unsigned value, int fallback)
{
	return value ? (int)value : fallback;
}

static grpc_channel *create_channel(const struct api_client_options *o,
				    grpc_channel_credentials *credentials)
{
	grpc_arg list[] = {
		string_arg(GRPC_ARG_PRIMARY_USER_AGENT_STRING, "breakout/" BREAKOUT_VERSION),
		/* The core's load balancer forgets connections silent for 350 s. */
		integer_arg(GRPC_ARG_KEEPALIVE_TIME_MS, or_default(o->keepalive_ms, 60000)),
		integer_arg(GRPC_ARG_KEEPALIVE_TIMEOUT_MS,
			    or_default(o->keepalive_timeout_ms, 10000)),
		integer_arg(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1),
		integer_arg(GRPC_ARG_HTTP2_MAX_PINGS_WITHOUT_DATA, 0),
		/* This oddly named one bounds connect and TLS handshake too. */
		integer_arg(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS,
			    or_default(o->connect_timeout_ms, 5000)),
		integer_arg(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS,
			    or_default(o->backoff_initial_ms, 500)),
		integer_arg(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, or_default(o->backoff_max_ms, 5000)),
		/* Callers retry themselves; the library's retries cost 10 % CPU. */
		integer_arg(GRPC_ARG_ENABLE_RETRIES, 0),
		/* The default drops a connection without calls after 30 minutes. */
		integer_arg(GRPC_ARG_CLIENT_IDLE_TIMEOUT_MS, INT32_MAX),
		string_arg(GRPC_SSL_TARGET_NAME_OVERRIDE_ARG, o->server_name),
	};
	grpc_channel_args args = { ARRAY_SIZE(list), list };

	if (!o->server_name)
		args.num_args--;
	return grpc_channel_create(o->target, credentials, &args);
}

/* Each of its own: channels that share the object share a connection, and a new one is
 * to prove what is new. */
static int create_credentials(const struct api_client_options *options,
			      grpc_channel_credentials **ret_credentials, char *error,
			      size_t error_room)
{
	char *pem = NULL;
	int err;

	if (options->plaintext) {
		*ret_credentials = grpc_insecure_credentials_create();
		return 0;
	}
	if (options->ca_file && !options->ca_pem) {
		err = pem_check_ca(options->ca_file, &pem, error, error_room);
		if (err)
			return err;
	}
	*ret_credentials =
		grpc_ssl_credentials_create_ex(pem ? pem : options->ca_pem, NULL, NULL, NULL);
	free(pem);
	if (!*ret_credentials) {
		snprintf(error, error_room,
			 "no TLS: the system's CA certificates are missing; "
			 "install ca-certificates or name a CA file");
		return -EINVAL;
	}
	return 0;
}

static void on_watched(struct api_tag *tag, bool ok)
{
	struct api_route *route = CONTAINER_OF(tag, struct api_route, tag);
	struct api_client *client = route->client;

	(void)ok; /* a second is over, or the state is another */
	route->watched = false;
	api_client_watched(client);
	api_route_settle(route);
	api_client_look(client);
}

int api_route_create(struct api_route **ret_route, struct api_client *client,
		     const struct api_client_options *options, char *error, size_t error_room)
{
	grpc_channel_credentials *credentials = NULL;
	struct api_route *route;
	int err = create_credentials(options, &credentials, error, error_room);

	if (err)
		return err;
	route = calloc(1, sizeof(*route));
	if (route) {
		route->client = client;
		route->tag.complete = on_watched;
		route->channel = create_channel(options, credentials);
	}
	grpc_channel_credentials_release(credentials);
	if (!route || !route->channel) {
		free(route);
		return -ENOMEM;
	}
	*ret_route = route;
	return 0;
}

void api_route_settle(struct api_route *route)
{
	if (!route->retired || route->calls || route->watched)
		return;
	if (route->channel)
		grpc_channel_destroy(route->channel);
	free(route);
}

void api_route_retire(struct api_route *route)
{
	if (!route)
		return;
	route->retired = true;
	if (route->watched && !route->calls) { /* ends the watch as well */
		grpc_channel_destroy(route->channel);
		route->channel = NULL;
	}
	api_route_settle(route);
}

bool api_route_ready(struct api_route *route)
{
	return grpc_channel_check_connectivity_state(route->channel, 0) == GRPC_CHANNEL_READY;
}

void api_route_watch(struct api_route *route, grpc_completion_queue *queue)
{
	grpc_connectivity_state state = grpc_channel_check_connectivity_state(route->channel, 1);

	route->watched = true;
	api_tag_hand_over(&route->tag);
	grpc_channel_watch_connectivity_state(
		route->channel, state,
		gpr_time_add(gpr_now(GPR_CLOCK_MONOTONIC),
			     gpr_time_from_millis(WATCH_MS, GPR_TIMESPAN)),
		queue, &route->tag);
}
