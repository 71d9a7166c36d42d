/* SPDX-License-Identifier: Apache-2.0 */
/* things.h - a service for tests that the peer of grpc_peer.h understands. All
 * its methods take and give a wgtwo.common.v1.E164. */
#ifndef BREAKOUT_TESTS_THINGS_H
#define BREAKOUT_TESTS_THINGS_H

#include "wgtwo/common/v1/phonenumber.pb-c.h"

#define THING(name)                                                                                \
	{                                                                                          \
		name, &wgtwo__common__v1__e164__descriptor, &wgtwo__common__v1__e164__descriptor   \
	}

static const ProtobufCMethodDescriptor things_methods[] = {
	THING("Count"), THING("Echo"), THING("Fail"), THING("Garbage"), THING("Hang"),
};
static const unsigned things_by_name[] = { 0, 1, 2, 3, 4 };

static const ProtobufCServiceDescriptor things = {
	.magic = PROTOBUF_C__SERVICE_DESCRIPTOR_MAGIC,
	.name = "test.Things",
	.short_name = "Things",
	.c_name = "Things",
	.package = "test",
	.n_methods = 5,
	.methods = things_methods,
	.method_indices_by_name = things_by_name,
};

static inline Wgtwo__Common__V1__E164 thing(const char *text)
{
	Wgtwo__Common__V1__E164 message;

	wgtwo__common__v1__e164__init(&message);
	message.e164 = (char *)text;
	return message;
}

#endif
