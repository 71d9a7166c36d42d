/* SPDX-License-Identifier: Apache-2.0 */
/* Answers of a DNS server: the first byte of an input says which records are looked for in
 * the rest. Whatever is taken from it is an address or a name that can stand in a URI. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include "tas/sip/dns_answer.h"
#include "tests/fuzz/fuzz.h"

static void check_record(const struct dns_record *record)
{
	size_t length = strnlen(record->text, sizeof(record->text));

	if (length == sizeof(record->text) ||
	    strnlen(record->service, sizeof(record->service)) == sizeof(record->service))
		abort();
	for (size_t i = 0; i < length; i++)
		if (record->text[i] <= ' ' || record->text[i] >= 0x7f ||
		    strchr(";?<>\"@/\\", record->text[i]))
			abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const enum dns_type types[] = { DNS_A, DNS_AAAA, DNS_SRV, DNS_NAPTR };
	struct dns_answer answer;
	unsigned char *bytes;

	if (!size)
		return 0;
	bytes = malloc(size - 1 ? size - 1 : 1); /* ends where the answer does */
	if (!bytes)
		return 0;
	memcpy(bytes, data + 1, size - 1);
	if (dns_answer_read(bytes, size - 1, types[data[0] % ARRAY_SIZE(types)], &answer) == 0) {
		if (answer.count > DNS_RECORDS_MAX)
			abort();
		for (size_t i = 0; i < answer.count; i++)
			check_record(&answer.records[i]);
	}
	free(bytes);
	return 0;
}
