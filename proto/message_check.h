/* SPDX-License-Identifier: Apache-2.0 */
/* message_check.h - may this message go out? */
#ifndef BREAKOUT_PROTO_MESSAGE_CHECK_H
#define BREAKOUT_PROTO_MESSAGE_CHECK_H

#include <stdbool.h>
#include <protobuf-c/protobuf-c.h>

/* False if a string anywhere in it is not UTF-8. protobuf-c packs any bytes,
 * but proto3 strings are UTF-8 and other implementations refuse the message
 * as a whole (protobuf.dev, "Language Guide (proto 3)", scalar value types). */
bool message_check_utf8(const ProtobufCMessage *message);

bool utf8_valid(const char *text);

#endif
