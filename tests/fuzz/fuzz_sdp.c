/* SPDX-License-Identifier: Apache-2.0 */
/* SDP of a peer: whatever it says, what we write from it is good SDP again. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include "media/codecs.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct media_desc *desc, *again;
	struct media_desc onward = { .codec_count = 0 };
	static const struct codecs_rules rules = { .transcode = true };
	struct media_desc back = { .codec_count = 0 };
	struct codecs_way there, other_way;
	const char *why;
	char list[100], *text, *written;

	text = malloc(size + 1);
	if (!text)
		return 0;
	memcpy(text, data, size);
	text[size] = '\0';
	if (sdp_parse(text, &desc, &why) == 0) {
		codecs_list(desc, list, sizeof(list));
		(void)codecs_offer(desc, &rules, MEDIA_B, &onward);
		if (codecs_answer(desc, &onward, &rules, MEDIA_B, &back))
			codecs_ways(&(struct codecs_agreement){ desc, &onward, &back, MEDIA_A },
				    &rules, &there, &other_way);
		written = sdp_write(desc, 1, 1);
		if (desc->proto != SDP_PROTO_OTHER && desc->codec_count > 0) {
			if (!written || sdp_parse(written, &again, &why))
				abort();
			if (again->section_count != desc->section_count ||
			    again->codec_count != desc->codec_count)
				abort(); /* a line was smuggled in or lost */
			free(again);
		}
		free(written);
		free(desc);
	}
	free(text);
	return 0;
}
