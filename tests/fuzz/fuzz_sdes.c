/* SPDX-License-Identifier: Apache-2.0 */
/* The value of a peer's a=crypto: what is read can be written and read again. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include "media/sdes.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char start[] = "a=crypto:";
	struct sdes_crypto crypto, again;
	struct str out = { .text = NULL };
	char *text = malloc(size + 1);

	if (!text)
		return 0;
	memcpy(text, data, size);
	text[size] = '\0';
	if (sdes_parse(text, &crypto)) {
		sdes_write(&out, &crypto);
		if (out.failed || strchr(out.text, '\n') != out.text + out.length - 1)
			abort(); /* a line was smuggled in */
		out.text[out.length - 2] = '\0';
		if (!sdes_parse(out.text + sizeof(start) - 1, &again) || again.tag != crypto.tag ||
		    again.suite != crypto.suite ||
		    memcmp(again.key, crypto.key, sizeof(crypto.key)) != 0)
			abort();
	}
	str_done(&out);
	free(text);
	return 0;
}
