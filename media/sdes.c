/* SPDX-License-Identifier: Apache-2.0 */
#include "media/sdes.h"
#include <ctype.h>
#include <errno.h>
#include <string.h>
#include <strings.h>
#include <sys/random.h>

#define LIFETIME_BITS_MAX 48 /* of SRTP: RFC 3711 9.2 */

/* As RFC 4568 6.2 and RFC 7714 14.2 write them. */
static const char *const suite_names[SRTP_SUITE_COUNT] = {
	[SRTP_SUITE_AEAD_AES_128_GCM] = "AEAD_AES_128_GCM",
	[SRTP_SUITE_AEAD_AES_256_GCM] = "AEAD_AES_256_GCM",
	[SRTP_SUITE_AES128_CM_SHA1_80] = "AES_CM_128_HMAC_SHA1_80",
	[SRTP_SUITE_AES128_CM_SHA1_32] = "AES_CM_128_HMAC_SHA1_32",
};

static const char base64_digits[] =
	"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

static size_t key_length(enum srtp_suite suite)
{
	return srtp_suite_key_length(suite) + srtp_suite_salt_length(suite);
}

/* Exactly `length` bytes from `text` of `room` characters. With or without the
 * padding: rtpengine leaves it out, and nothing is ambiguous without it. */
static bool read_base64(const char *text, size_t room, uint8_t *to, size_t length)
{
	size_t digits = (length * 8 + 5) / 6, padded = (length + 2) / 3 * 4;
	uint32_t bits = 0;
	unsigned have = 0;

	if (room != digits && room != padded)
		return false;
	for (size_t i = 0; i < digits; i++) {
		const char *digit = memchr(base64_digits, text[i], sizeof(base64_digits) - 1);

		if (!digit)
			return false;
		bits = bits << 6 | (uint32_t)(digit - base64_digits);
		have += 6;
		if (have >= 8) {
			have -= 8;
			*to++ = (uint8_t)(bits >> have);
		}
	}
	return strspn(text + digits, "=") >= room - digits;
}

static void write_base64(struct str *out, const uint8_t *bytes, size_t length)
{
	char group[5] = "";

	for (size_t i = 0; i < length; i += 3) {
		size_t rest = length - i;
		uint32_t bits = (uint32_t)bytes[i] << 16;

		bits |= rest > 1 ? (uint32_t)bytes[i + 1] << 8 : 0;
		bits |= rest > 2 ? bytes[i + 2] : 0;
		group[0] = base64_digits[bits >> 18];
		group[1] = base64_digits[bits >> 12 & 63];
		group[2] = '=';
		group[3] = '=';
		if (rest > 1)
			group[2] = base64_digits[bits >> 6 & 63];
		if (rest > 2)
			group[3] = base64_digits[bits & 63];
		str_add(out, group);
	}
	explicit_bzero(group, sizeof(group));
}

/* A decimal of `length` characters; false: it is none, or above `max`. */
static bool read_decimal(const char *text, size_t length, uint64_t max, uint64_t *ret_value)
{
	uint64_t value = 0;

	if (length == 0 || length > 19)
		return false;
	for (size_t i = 0; i < length; i++) {
		if (!isdigit((unsigned char)text[i]))
			return false;
		value = value * 10 + (uint64_t)(text[i] - '0');
	}
	*ret_value = value;
	return value <= max;
}

/* "2^31" or "1048576" packets. Read for its form only: at 50 packets a second
 * the shortest of use outlives any call, and a peer near its end re-offers. */
static bool read_lifetime(const char *text, size_t length)
{
	uint64_t value;

	if (length > 2 && memcmp(text, "2^", 2) == 0)
		return read_decimal(text + 2, length - 2, LIFETIME_BITS_MAX, &value);
	return read_decimal(text, length, 1ULL << LIFETIME_BITS_MAX, &value) && value > 0;
}

/* "1:4": value and bytes. The value is big-endian in each packet. */
static bool read_mki(const char *text, size_t length, struct sdes_crypto *crypto)
{
	const char *colon = memchr(text, ':', length);
	uint64_t value, bytes;

	if (!colon || !read_decimal(text, (size_t)(colon - text), UINT64_MAX, &value) ||
	    !read_decimal(colon + 1, length - (size_t)(colon + 1 - text), SRTP_MKI_MAX, &bytes) ||
	    bytes == 0 || (bytes < 8 && value >> (bytes * 8) != 0))
		return false;
	crypto->mki_length = (uint8_t)bytes;
	for (size_t i = bytes; i > 0; i--, value >>= 8)
		crypto->mki[i - 1] = (uint8_t)value;
	return true;
}

/* inline:KEY[|lifetime][|mki:length]. Several keys behind one another (";") would
 * need each packet's MKI to choose, and no peer was seen to send them. */
static bool read_key(const char *text, size_t length, struct sdes_crypto *crypto)
{
	const char *end = text + length, *bar;
	bool lifetime = false;

	if (length < 7 || strncasecmp(text, "inline:", 7) != 0)
		return false;
	text += 7;
	bar = memchr(text, '|', (size_t)(end - text));
	if (!read_base64(text, (size_t)((bar ? bar : end) - text), crypto->key,
			 key_length(crypto->suite)))
		return false;
	while (bar) {
		size_t part;

		text = bar + 1;
		bar = memchr(text, '|', (size_t)(end - text));
		part = (size_t)((bar ? bar : end) - text);
		if (memchr(text, ':', part)) {
			if (crypto->mki_length || !read_mki(text, part, crypto))
				return false;
		} else if (lifetime || crypto->mki_length || !read_lifetime(text, part)) {
			return false;
		} else {
			lifetime = true;
		}
	}
	return true;
}

/* Only what changes nothing for us may follow the key: a hint, and what its
 * author marked as such (RFC 4568 6.3.7). UNENCRYPTED_SRTP and its like may not. */
static bool parameters_fine(const char *text)
{
	while (*text != '\0') {
		text += strspn(text, " ");
		if (*text != '\0' && *text != '-' && !str_starts(text, "WSH="))
			return false;
		text += strcspn(text, " ");
	}
	return true;
}

static bool read_suite(const char *text, size_t length, enum srtp_suite *ret_suite)
{
	for (unsigned i = 0; i < SRTP_SUITE_COUNT; i++) {
		if (strlen(suite_names[i]) == length &&
		    strncasecmp(text, suite_names[i], length) == 0) {
			*ret_suite = (enum srtp_suite)i;
			return true;
		}
	}
	return false;
}

bool sdes_parse(const char *value, struct sdes_crypto *ret_crypto)
{
	struct sdes_crypto crypto = { .tag = 0 };
	size_t length = strcspn(value, " ");
	uint64_t tag;
	bool fine = read_decimal(value, length, SDES_TAG_MAX, &tag) && length <= 9;

	value += length + strspn(value + length, " ");
	length = strcspn(value, " ");
	fine = fine && read_suite(value, length, &crypto.suite);
	value += length + strspn(value + length, " ");
	length = strcspn(value, " ");
	fine = fine && read_key(value, length, &crypto) && parameters_fine(value + length);
	/* libsrtp2 2.5 looks for the MKI of SRTCP where SRTP's tag would end, and these
	 * two suites differ there. */
	if (crypto.suite == SRTP_SUITE_AES128_CM_SHA1_32 && crypto.mki_length)
		fine = false;
	if (fine) {
		crypto.tag = (uint32_t)tag;
		*ret_crypto = crypto;
	}
	explicit_bzero(&crypto, sizeof(crypto));
	return fine;
}

void sdes_write(struct str *out, const struct sdes_crypto *crypto)
{
	str_addf(out, "a=crypto:%u %s inline:", crypto->tag, suite_names[crypto->suite]);
	write_base64(out, crypto->key, key_length(crypto->suite));
	str_add(out, "\r\n");
}

static int new_key(struct sdes_crypto *crypto)
{
	return getrandom(crypto->key, sizeof(crypto->key), 0) == (ssize_t)sizeof(crypto->key)
		       ? 0
		       : -EIO;
}

int sdes_make(struct sdes *sdes)
{
	int err = 0;

	for (unsigned i = 0; i < SRTP_SUITE_COUNT && !err && !sdes->made; i++) {
		sdes->own[i].suite = (enum srtp_suite)i;
		sdes->own[i].tag = i + 1;
		err = new_key(&sdes->own[i]);
	}
	sdes->made = !err;
	return err;
}

void sdes_wipe(struct sdes *sdes)
{
	explicit_bzero(sdes, sizeof(*sdes));
}

/* The suite with the short tag is for peers that know no other. */
static bool offers(const struct sdes *sdes, enum srtp_suite suite)
{
	return suite != SRTP_SUITE_AES128_CM_SHA1_32 || (sdes->agreed && sdes->ours.suite == suite);
}

uint8_t sdes_offer(const struct sdes *sdes, struct sdes_crypto ret_lines[static SDES_LINES_MAX])
{
	uint8_t count = 0;

	for (unsigned i = 0; i < SRTP_SUITE_COUNT; i++)
		if (offers(sdes, (enum srtp_suite)i))
			ret_lines[count++] = sdes->own[i];
	return count;
}

const struct sdes_crypto *sdes_choose(const struct sdes *sdes, const struct sdes_crypto *lines,
				      unsigned count, bool is_offer)
{
	const struct sdes_crypto *short_tag = NULL;

	for (unsigned i = 0; i < count; i++) {
		if (!is_offer && (sdes->own[lines[i].suite].tag != lines[i].tag ||
				  !offers(sdes, lines[i].suite)))
			continue;
		if (lines[i].suite != SRTP_SUITE_AES128_CM_SHA1_32)
			return &lines[i];
		if (!short_tag)
			short_tag = &lines[i];
	}
	return short_tag;
}

static bool same_keys(const struct sdes_crypto *a, const struct sdes_crypto *b)
{
	return a->suite == b->suite && a->mki_length == b->mki_length &&
	       memcmp(a->mki, b->mki, a->mki_length) == 0 &&
	       memcmp(a->key, b->key, key_length(a->suite)) == 0;
}

int sdes_agree(struct sdes *sdes, const struct sdes_crypto *theirs, bool we_offered,
	       enum sdes_change *ret_change)
{
	bool known = sdes->agreed && same_keys(&sdes->theirs, theirs);
	struct sdes_crypto *own = &sdes->own[theirs->suite];
	bool ours_kept;
	int err = sdes_make(sdes);

	if (!err && !we_offered && sdes->agreed && !known)
		err = new_key(own);
	/* A suite that comes back later must not find the key it had: its packets would be
	 * counted from the start again, over the same key stream. */
	if (!err && sdes->agreed && sdes->ours.suite != theirs->suite)
		err = new_key(&sdes->own[sdes->ours.suite]);
	if (err)
		return err;
	ours_kept = sdes->agreed && same_keys(&sdes->ours, own);
	sdes->theirs = *theirs;
	sdes->ours = *own;
	if (!we_offered) /* the answer repeats the tag it answers: RFC 4568 5.1.2 */
		sdes->ours.tag = theirs->tag;
	sdes->agreed = true;
	*ret_change = !ours_kept ? SDES_BOTH : known ? SDES_KEPT : SDES_INBOUND;
	return 0;
}

void sdes_keys(const struct sdes *sdes, struct srtp_keys *ret_keys)
{
	ret_keys->suite = sdes->ours.suite;
	memcpy(ret_keys->inbound, sdes->theirs.key, sizeof(ret_keys->inbound));
	memcpy(ret_keys->outbound, sdes->ours.key, sizeof(ret_keys->outbound));
	ret_keys->mki_length = sdes->theirs.mki_length;
	memcpy(ret_keys->mki, sdes->theirs.mki, sizeof(ret_keys->mki));
}
