/* SPDX-License-Identifier: Apache-2.0 */
#include "media/rtcp.h"
#include "media/relay.h"

#define TYPE_SR      200
#define TYPE_RR      201
#define SR_HEADER    28 /* bytes up to the first block: RFC 3550 6.4.1 */
#define RR_HEADER    8  /* 6.4.2 */
#define BLOCK_LENGTH 24
#define SSRC_AT      4
#define NTP_AT       8 /* 64 bits in an SR */

static void read_block(const uint8_t *bytes, struct rtcp_block *ret_block)
{
	uint32_t lost = relay_word_at(bytes + 4) & 0xffffff;

	*ret_block = (struct rtcp_block){
		.ssrc = relay_word_at(bytes),
		.fraction = bytes[4],
		.lost = lost & 0x800000 ? (int32_t)lost - 0x1000000 : (int32_t)lost,
		.jitter = relay_word_at(bytes + 12),
		.last_sr = relay_word_at(bytes + 16),
		.delay = relay_word_at(bytes + 20),
	};
}

static bool read_report(const uint8_t *packet, size_t length, struct rtcp_report *ret_report)
{
	bool sender = packet[1] == TYPE_SR;
	size_t header = sender ? SR_HEADER : RR_HEADER;
	uint8_t count = packet[0] & 0x1f;

	if ((!sender && packet[1] != TYPE_RR) || length < header + (size_t)count * BLOCK_LENGTH)
		return false;
	ret_report->sender = sender;
	ret_report->ssrc = relay_word_at(packet + SSRC_AT);
	ret_report->ntp = sender ? relay_word_at(packet + NTP_AT + 2) : 0;
	ret_report->count = count;
	for (unsigned i = 0; i < count; i++)
		read_block(packet + header + (size_t)i * BLOCK_LENGTH, &ret_report->blocks[i]);
	return true;
}

bool rtcp_next_report(const uint8_t *packet, size_t length, size_t *at,
		      struct rtcp_report *ret_report)
{
	while (*at + 4 <= length) {
		const uint8_t *part = packet + *at;
		size_t size = ((size_t)(part[2] << 8 | part[3]) + 1) * 4;

		*at += size;
		if (read_report(part, size, ret_report))
			return true;
	}
	return false;
}
