/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/message_check.h"

#include <stdint.h>

/* Length of the well-formed sequence at `s`, 0 if there is none. RFC 3629
 * section 4; the second byte carries the rules against overlong forms,
 * surrogates and values above U+10FFFF. */
static unsigned sequence_length(const uint8_t *s)
{
	uint8_t low = 0x80, high = 0xbf;
	unsigned length;

	if (s[0] < 0x80)
		return 1;
	if (s[0] >= 0xc2 && s[0] <= 0xdf)
		length = 2;
	else if (s[0] >= 0xe0 && s[0] <= 0xef)
		length = 3;
	else if (s[0] >= 0xf0 && s[0] <= 0xf4)
		length = 4;
	else
		return 0;

	if (s[0] == 0xe0)
		low = 0xa0;
	else if (s[0] == 0xed)
		high = 0x9f;
	else if (s[0] == 0xf0)
		low = 0x90;
	else if (s[0] == 0xf4)
		high = 0x8f;
	if (s[1] < low || s[1] > high)
		return 0;
	for (unsigned i = 2; i < length; i++)
		if ((s[i] & 0xc0) != 0x80)
			return 0;
	return length;
}

bool utf8_valid(const char *text)
{
	const uint8_t *s = (const uint8_t *)text;

	while (*s) {
		unsigned length = sequence_length(s);

		if (!length)
			return false;
		s += length;
	}
	return true;
}

static bool value_valid(const ProtobufCFieldDescriptor *field, const void *value)
{
	if (field->type == PROTOBUF_C_TYPE_STRING) {
		const char *text = *(char *const *)value;

		return !text || utf8_valid(text);
	}
	if (field->type == PROTOBUF_C_TYPE_MESSAGE) {
		const ProtobufCMessage *message = *(ProtobufCMessage *const *)value;

		return !message || message_check_utf8(message);
	}
	return true;
}

static bool field_valid(const ProtobufCMessage *message, const ProtobufCFieldDescriptor *field)
{
	const uint8_t *base = (const uint8_t *)message;
	const void *member = base + field->offset;

	if (field->label == PROTOBUF_C_LABEL_REPEATED) {
		const size_t count = *(const size_t *)(base + field->quantifier_offset);
		/* Strings and messages are repeated as arrays of pointers. */
		const void *const *array = *(const void *const *const *)member;

		if (field->type != PROTOBUF_C_TYPE_STRING && field->type != PROTOBUF_C_TYPE_MESSAGE)
			return true;
		for (size_t i = 0; i < count; i++)
			if (!value_valid(field, &array[i]))
				return false;
		return true;
	}
	/* Of a oneof only the member its case names is there. */
	if (field->flags & PROTOBUF_C_FIELD_FLAG_ONEOF &&
	    *(const uint32_t *)(base + field->quantifier_offset) != field->id)
		return true;
	return value_valid(field, member);
}

bool message_check_utf8(const ProtobufCMessage *message)
{
	const ProtobufCMessageDescriptor *descriptor = message->descriptor;

	for (unsigned i = 0; i < descriptor->n_fields; i++)
		if (!field_valid(message, &descriptor->fields[i]))
			return false;
	return true;
}
