/* SPDX-License-Identifier: Apache-2.0 */
/* bare_grpc.h - what a unary call costs with the gRPC C core and nothing else. */
#ifndef BREAKOUT_PERF_BARE_GRPC_H
#define BREAKOUT_PERF_BARE_GRPC_H

#include <stddef.h>
#include <stdint.h>

struct bare_grpc_load {
	const char *target, *ca_pem, *server_name;
	const char *path;  /* of the method */
	const char *token; /* what the authorization header holds */
	const uint8_t *message;
	size_t length;
	unsigned in_flight;
	unsigned long warm_up, count;
};

/* CPU time of the process for one call, in seconds: one connection, so many calls in
 * flight, the same bytes each time, no answer decoded. 0: one failed. */
double bare_grpc_s(const struct bare_grpc_load *load);

#endif
