/* SPDX-License-Identifier: Apache-2.0 */
#include "bare_grpc.h"
#include <grpc/byte_buffer.h>
#include <grpc/grpc.h>
#include <grpc/grpc_security.h>
#include <grpc/slice.h>
#include <grpc/support/time.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include "base/macros.h"

#define DEADLINE_MS 10000

struct run {
	const struct bare_grpc_load *load;
	grpc_channel *channel;
	grpc_completion_queue *queue;
	unsigned long to_send, done, failed;
};

struct call {
	grpc_call *call;
	grpc_metadata header;
	grpc_metadata_array initial, trailing;
	grpc_byte_buffer *request, *response;
	grpc_status_code status;
	grpc_slice details;
};

static double cpu_s(void)
{
	struct rusage usage;

	(void)getrusage(RUSAGE_SELF, &usage);
	return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
	       (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

static void start_batch(struct call *call)
{
	grpc_op ops[6];

	memset(ops, 0, sizeof(ops));
	ops[0].op = GRPC_OP_SEND_INITIAL_METADATA;
	ops[0].data.send_initial_metadata.count = 1;
	ops[0].data.send_initial_metadata.metadata = &call->header;
	ops[1].op = GRPC_OP_SEND_MESSAGE;
	ops[1].data.send_message.send_message = call->request;
	ops[2].op = GRPC_OP_SEND_CLOSE_FROM_CLIENT;
	ops[3].op = GRPC_OP_RECV_INITIAL_METADATA;
	ops[3].data.recv_initial_metadata.recv_initial_metadata = &call->initial;
	ops[4].op = GRPC_OP_RECV_MESSAGE;
	ops[4].data.recv_message.recv_message = &call->response;
	ops[5].op = GRPC_OP_RECV_STATUS_ON_CLIENT;
	ops[5].data.recv_status_on_client.trailing_metadata = &call->trailing;
	ops[5].data.recv_status_on_client.status = &call->status;
	ops[5].data.recv_status_on_client.status_details = &call->details;
	if (grpc_call_start_batch(call->call, ops, ARRAY_SIZE(ops), call, NULL) != GRPC_CALL_OK)
		abort();
}

static void send_one(struct run *run)
{
	const struct bare_grpc_load *load = run->load;
	struct call *call;
	grpc_slice slice;

	if (run->to_send == 0)
		return;
	run->to_send--;
	call = calloc(1, sizeof(*call));
	if (!call)
		abort();
	call->call = grpc_channel_create_call(
		run->channel, NULL, GRPC_PROPAGATE_DEFAULTS, run->queue,
		grpc_slice_from_static_string(load->path), NULL,
		gpr_time_add(gpr_now(GPR_CLOCK_MONOTONIC),
			     gpr_time_from_millis(DEADLINE_MS, GPR_TIMESPAN)),
		NULL);
	slice = grpc_slice_from_copied_buffer((const char *)load->message, load->length);
	call->request = grpc_raw_byte_buffer_create(&slice, 1);
	grpc_slice_unref(slice);
	call->header.key = grpc_slice_from_static_string("authorization");
	call->header.value = grpc_slice_from_static_string(load->token);
	call->details = grpc_empty_slice();
	start_batch(call);
}

static void end(struct run *run, struct call *call)
{
	run->done++;
	run->failed += call->status != GRPC_STATUS_OK;
	grpc_call_unref(call->call);
	grpc_metadata_array_destroy(&call->initial);
	grpc_metadata_array_destroy(&call->trailing);
	grpc_byte_buffer_destroy(call->request);
	grpc_byte_buffer_destroy(call->response);
	grpc_slice_unref(call->details);
	free(call);
}

static void make(struct run *run, unsigned long count)
{
	run->to_send = count;
	run->done = 0;
	for (unsigned i = 0; i < run->load->in_flight; i++)
		send_one(run);
	while (run->done < count) {
		grpc_event event = grpc_completion_queue_next(
			run->queue, gpr_inf_future(GPR_CLOCK_MONOTONIC), NULL);

		end(run, event.tag);
		send_one(run);
	}
}

static grpc_channel *connect_to(const struct bare_grpc_load *load)
{
	grpc_arg list[] = {
		{ .type = GRPC_ARG_INTEGER, .key = (char *)GRPC_ARG_ENABLE_RETRIES },
		{ .type = GRPC_ARG_STRING,
		  .key = (char *)GRPC_SSL_TARGET_NAME_OVERRIDE_ARG,
		  .value.string = (char *)load->server_name },
	};
	grpc_channel_args args = { ARRAY_SIZE(list), list };
	grpc_channel_credentials *credentials =
		grpc_ssl_credentials_create_ex(load->ca_pem, NULL, NULL, NULL);
	grpc_channel *channel = grpc_channel_create(load->target, credentials, &args);

	grpc_channel_credentials_release(credentials);
	return channel;
}

double bare_grpc_s(const struct bare_grpc_load *load)
{
	struct run run = { .load = load };
	double cpu;

	grpc_init();
	run.channel = connect_to(load);
	run.queue = grpc_completion_queue_create_for_next(NULL);
	make(&run, load->warm_up);
	cpu = cpu_s();
	make(&run, load->count);
	cpu = cpu_s() - cpu;
	grpc_channel_destroy(run.channel);
	grpc_completion_queue_shutdown(run.queue);
	while (grpc_completion_queue_next(run.queue, gpr_inf_future(GPR_CLOCK_MONOTONIC), NULL)
		       .type != GRPC_QUEUE_SHUTDOWN)
		;
	grpc_completion_queue_destroy(run.queue);
	grpc_shutdown_blocking();
	return run.failed ? 0 : cpu / (double)load->count;
}
