/* SPDX-License-Identifier: Apache-2.0 */
/* OpenSSL's AES and SHA-1 as cipher and authentication types of libsrtp2.
 *
 * Debian's libsrtp2 is built on NSS: a packet costs 2 to 155 us, growing with
 * the number of sessions, behind a global lock. With these types it costs 0.3
 * us, flat, without a lock (172-byte packets, 32 to 20,000 sessions). The
 * contract of each function is libsrtp2's cipher.h and auth.h. */

/* Two saved SHA_CTX halve the cost of HMAC against EVP_MAC; OpenSSL 3 calls
 * the low-level functions deprecated but keeps them. */
#define OPENSSL_SUPPRESS_DEPRECATED
#include "media/srtp.h"
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/sha.h>
#include <srtp2/auth.h>
#include <srtp2/cipher.h>
#include <srtp2/srtp.h>
#include <stdlib.h>
#include <string.h>
#include "media/srtp_openssl.h"

#define ICM_SALT 14 /* RFC 3711 8.2 */
#define GCM_SALT 12 /* RFC 7714 8.1 */

struct aes {
	EVP_CIPHER_CTX *context;
	const EVP_CIPHER *algorithm; /* of the process, fetched once */
	int key_length;
	int tag_length;
	uint8_t salt[16]; /* ICM only, right-padded with zero */
};

static struct {
	EVP_CIPHER *ctr_128, *ctr_256, *gcm_128, *gcm_256;
} algorithms;

static srtp_err_status_t aes_alloc(srtp_cipher_pointer_t *cp, const srtp_cipher_type_t *type,
				   const EVP_CIPHER *algorithm, int key_len, int tag_len)
{
	srtp_cipher_t *cipher = calloc(1, sizeof(*cipher));
	struct aes *aes = calloc(1, sizeof(*aes));
	EVP_CIPHER_CTX *context = EVP_CIPHER_CTX_new();

	if (!cipher || !aes || !context) {
		free(cipher);
		free(aes);
		EVP_CIPHER_CTX_free(context);
		return srtp_err_status_alloc_fail;
	}
	aes->context = context;
	aes->algorithm = algorithm;
	aes->key_length = EVP_CIPHER_get_key_length(algorithm);
	aes->tag_length = tag_len;
	cipher->state = aes;
	cipher->type = type;
	cipher->algorithm = (int)type->id;
	cipher->key_len = key_len;
	*cp = cipher;
	return srtp_err_status_ok;
}

static srtp_err_status_t aes_dealloc(srtp_cipher_pointer_t cipher)
{
	struct aes *aes = cipher->state;

	EVP_CIPHER_CTX_free(aes->context); /* wipes the key schedule */
	OPENSSL_cleanse(aes, sizeof(*aes));
	free(aes);
	free(cipher);
	return srtp_err_status_ok;
}

static srtp_err_status_t status_of(bool ok, srtp_err_status_t otherwise)
{
	return ok ? srtp_err_status_ok : otherwise;
}

static srtp_err_status_t icm_init(void *state, const uint8_t *key)
{
	struct aes *aes = state;

	memcpy(aes->salt, key + aes->key_length, ICM_SALT);
	return status_of(EVP_EncryptInit_ex2(aes->context, aes->algorithm, key, NULL, NULL) == 1,
			 srtp_err_status_init_fail);
}

/* The counter block is salt XOR iv. Source: RFC 3711 4.1.1. */
static srtp_err_status_t icm_set_iv(void *state, uint8_t *iv, srtp_cipher_direction_t direction)
{
	struct aes *aes = state;
	uint8_t counter[16];

	(void)direction; /* a counter mode encrypts and decrypts alike */
	for (size_t i = 0; i < sizeof(counter); i++)
		counter[i] = aes->salt[i] ^ iv[i];
	return status_of(EVP_EncryptInit_ex2(aes->context, NULL, NULL, counter, NULL) == 1,
			 srtp_err_status_cipher_fail);
}

/* Counter mode and GCM alike; GCM's tag comes from gcm_get_tag(). */
static srtp_err_status_t aes_crypt(void *state, uint8_t *buffer, unsigned int *length)
{
	struct aes *aes = state;
	int out;

	return status_of(EVP_CipherUpdate(aes->context, buffer, &out, buffer, (int)*length) == 1,
			 srtp_err_status_cipher_fail);
}

static srtp_err_status_t gcm_init(void *state, const uint8_t *key)
{
	struct aes *aes = state;

	return status_of(EVP_CipherInit_ex2(aes->context, aes->algorithm, key, NULL, 1, NULL) == 1,
			 srtp_err_status_init_fail);
}

/* 12 bytes, already XORed with the salt by libsrtp (RFC 7714 8.1). */
static srtp_err_status_t gcm_set_iv(void *state, uint8_t *iv, srtp_cipher_direction_t direction)
{
	struct aes *aes = state;
	int encrypt = direction == srtp_direction_encrypt;

	return status_of(EVP_CipherInit_ex2(aes->context, NULL, NULL, iv, encrypt, NULL) == 1,
			 srtp_err_status_cipher_fail);
}

static srtp_err_status_t gcm_set_aad(void *state, const uint8_t *aad, uint32_t length)
{
	struct aes *aes = state;
	int out;

	return status_of(EVP_CipherUpdate(aes->context, NULL, &out, aad, (int)length) == 1,
			 srtp_err_status_cipher_fail);
}

static srtp_err_status_t gcm_get_tag(void *state, uint8_t *tag, uint32_t *length)
{
	struct aes *aes = state;
	uint8_t none[16];
	int out;

	if (EVP_CipherFinal_ex(aes->context, none, &out) != 1 ||
	    EVP_CIPHER_CTX_ctrl(aes->context, EVP_CTRL_AEAD_GET_TAG, aes->tag_length, tag) != 1)
		return srtp_err_status_algo_fail;
	*length = (uint32_t)aes->tag_length;
	return srtp_err_status_ok;
}

static srtp_err_status_t gcm_decrypt(void *state, uint8_t *buffer, unsigned int *length)
{
	struct aes *aes = state;
	int body = (int)*length - aes->tag_length, out;
	uint8_t none[16];

	if (body < 0)
		return srtp_err_status_bad_param;
	/* The tag must be there before Final checks it. */
	if (EVP_CIPHER_CTX_ctrl(aes->context, EVP_CTRL_AEAD_SET_TAG, aes->tag_length,
				buffer + body) != 1 ||
	    EVP_CipherUpdate(aes->context, buffer, &out, buffer, body) != 1 ||
	    EVP_CipherFinal_ex(aes->context, none, &out) != 1)
		return srtp_err_status_auth_fail;
	*length = (unsigned)body;
	return srtp_err_status_ok;
}

struct hmac {
	SHA_CTX inner, outer; /* with the padded key absorbed (RFC 2104 4) */
	SHA_CTX running;
};

static srtp_err_status_t hmac_alloc(srtp_auth_pointer_t *ap, int key_len, int out_len);

static srtp_err_status_t hmac_dealloc(srtp_auth_pointer_t auth)
{
	OPENSSL_cleanse(auth->state, sizeof(struct hmac));
	free(auth->state);
	free(auth);
	return srtp_err_status_ok;
}

static srtp_err_status_t hmac_start(void *state)
{
	struct hmac *hmac = state;

	hmac->running = hmac->inner;
	return srtp_err_status_ok;
}

static srtp_err_status_t hmac_init(void *state, const uint8_t *key, int key_len)
{
	struct hmac *hmac = state;
	uint8_t pad[SHA_CBLOCK];

	memset(pad, 0x36, sizeof(pad));
	for (int i = 0; i < key_len; i++)
		pad[i] ^= key[i];
	SHA1_Init(&hmac->inner);
	SHA1_Update(&hmac->inner, pad, sizeof(pad));
	for (size_t i = 0; i < sizeof(pad); i++)
		pad[i] ^= 0x36 ^ 0x5c;
	SHA1_Init(&hmac->outer);
	SHA1_Update(&hmac->outer, pad, sizeof(pad));
	OPENSSL_cleanse(pad, sizeof(pad));
	return hmac_start(state);
}

static srtp_err_status_t hmac_update(void *state, const uint8_t *buffer, int length)
{
	struct hmac *hmac = state;

	SHA1_Update(&hmac->running, buffer, (size_t)length);
	return srtp_err_status_ok;
}

static srtp_err_status_t hmac_compute(void *state, const uint8_t *buffer, int length, int tag_len,
				      uint8_t *tag)
{
	struct hmac *hmac = state;
	uint8_t digest[SHA_DIGEST_LENGTH];
	SHA_CTX outer = hmac->outer;

	if (tag_len > (int)sizeof(digest))
		return srtp_err_status_bad_param;
	SHA1_Update(&hmac->running, buffer, (size_t)length);
	SHA1_Final(digest, &hmac->running);
	SHA1_Update(&outer, digest, sizeof(digest));
	SHA1_Final(digest, &outer);
	memcpy(tag, digest, (size_t)tag_len);
	return srtp_err_status_ok;
}

/* RFC 2202 case 1. */
static const uint8_t hmac_key[20] = { 0x0b, 0x0b, 0x0b, 0x0b, 0x0b, 0x0b, 0x0b, 0x0b, 0x0b, 0x0b,
				      0x0b, 0x0b, 0x0b, 0x0b, 0x0b, 0x0b, 0x0b, 0x0b, 0x0b, 0x0b };
static const uint8_t hmac_tag[20] = { 0xb6, 0x17, 0x31, 0x86, 0x55, 0x05, 0x72, 0x64, 0xe2, 0x8b,
				      0xc0, 0xb6, 0xfb, 0x37, 0x8c, 0x8e, 0xf1, 0x46, 0xbe, 0x00 };
static const srtp_auth_test_case_t hmac_case = { 20, hmac_key, 8,   (const uint8_t *)"Hi There",
						 20, hmac_tag, NULL };

static const srtp_auth_type_t hmac_type = {
	hmac_alloc, hmac_dealloc,          hmac_init,  hmac_compute,  hmac_update,
	hmac_start, "HMAC-SHA1 (OpenSSL)", &hmac_case, SRTP_HMAC_SHA1
};

static srtp_err_status_t hmac_alloc(srtp_auth_pointer_t *ap, int key_len, int out_len)
{
	srtp_auth_t *auth;

	if (key_len > SHA_CBLOCK || out_len > SHA_DIGEST_LENGTH)
		return srtp_err_status_bad_param;
	auth = calloc(1, sizeof(*auth));
	if (auth)
		auth->state = calloc(1, sizeof(struct hmac));
	if (!auth || !auth->state) {
		free(auth);
		return srtp_err_status_alloc_fail;
	}
	auth->type = &hmac_type;
	auth->out_len = out_len;
	auth->key_len = key_len;
	*ap = auth;
	return srtp_err_status_ok;
}

/* NIST SP 800-38A F.5.1 (CTR-AES128, first block). libsrtp's counter block is
 * salt XOR index with 16 zero bits at the end, so the vector's counter is cut
 * to what ICM can express: RFC 3711 B.2, keystream for counter ...0000. */
static const uint8_t icm_128_key[30] = {
	0x2b, 0x7e, 0x15, 0x16, 0x28, 0xae, 0xd2, 0xa6, 0xab, 0xf7, 0x15, 0x88, 0x09, 0xcf, 0x4f,
	0x3c, 0xf0, 0xf1, 0xf2, 0xf3, 0xf4, 0xf5, 0xf6, 0xf7, 0xf8, 0xf9, 0xfa, 0xfb, 0xfc, 0xfd
};
static uint8_t zero_iv[16];
static const uint8_t zeros[32];
static const uint8_t icm_128_stream[32] = { 0xe0, 0x3e, 0xad, 0x09, 0x35, 0xc9, 0x5e, 0x80,
					    0xe1, 0x66, 0xb1, 0x6d, 0xd9, 0x2b, 0x4e, 0xb4,
					    0xd2, 0x35, 0x13, 0x16, 0x2b, 0x02, 0xd0, 0xf7,
					    0x2a, 0x43, 0xa2, 0xfe, 0x4a, 0x5f, 0x97, 0xab };
static const srtp_cipher_test_case_t icm_128_case = { 30,  icm_128_key,    zero_iv, 32,   zeros,
						      32,  icm_128_stream, 0,       NULL, 0,
						      NULL };

/* RFC 6188 7.1 (AES_256_CM test vectors, same shape). */
static const uint8_t icm_256_key[46] = { 0x57, 0xf8, 0x2f, 0xe3, 0x61, 0x3f, 0xd1, 0x70, 0xa8, 0x5e,
					 0xc9, 0x3c, 0x40, 0xb1, 0xf0, 0x92, 0x2e, 0xc4, 0xcb, 0x0d,
					 0xc0, 0x25, 0xb5, 0x82, 0x72, 0x14, 0x7c, 0xc4, 0x38, 0x94,
					 0x4a, 0x98, 0xf0, 0xf1, 0xf2, 0xf3, 0xf4, 0xf5, 0xf6, 0xf7,
					 0xf8, 0xf9, 0xfa, 0xfb, 0xfc, 0xfd };
static const uint8_t icm_256_stream[32] = { 0x92, 0xbd, 0xd2, 0x8a, 0x93, 0xc3, 0xf5, 0x25,
					    0x11, 0xc6, 0x77, 0xd0, 0x8b, 0x55, 0x15, 0xa4,
					    0x9d, 0xa7, 0x1b, 0x23, 0x78, 0xa8, 0x54, 0xf6,
					    0x70, 0x50, 0x75, 0x6d, 0xed, 0x16, 0x5b, 0xac };
static const srtp_cipher_test_case_t icm_256_case = { 46,  icm_256_key,    zero_iv, 32,   zeros,
						      32,  icm_256_stream, 0,       NULL, 0,
						      NULL };

/* McGrew and Viega, The Galois/Counter Mode of Operation, test case 4 (the
 * salt at the end of libsrtp's key is not used by the cipher itself). */
static uint8_t gcm_iv[12] = {
	0xca, 0xfe, 0xba, 0xbe, 0xfa, 0xce, 0xdb, 0xad, 0xde, 0xca, 0xf8, 0x88
};
static const uint8_t gcm_aad[20] = { 0xfe, 0xed, 0xfa, 0xce, 0xde, 0xad, 0xbe, 0xef, 0xfe, 0xed,
				     0xfa, 0xce, 0xde, 0xad, 0xbe, 0xef, 0xab, 0xad, 0xda, 0xd2 };
static const uint8_t gcm_plain[60] = { 0xd9, 0x31, 0x32, 0x25, 0xf8, 0x84, 0x06, 0xe5, 0xa5, 0x59,
				       0x09, 0xc5, 0xaf, 0xf5, 0x26, 0x9a, 0x86, 0xa7, 0xa9, 0x53,
				       0x15, 0x34, 0xf7, 0xda, 0x2e, 0x4c, 0x30, 0x3d, 0x8a, 0x31,
				       0x8a, 0x72, 0x1c, 0x3c, 0x0c, 0x95, 0x95, 0x68, 0x09, 0x53,
				       0x2f, 0xcf, 0x0e, 0x24, 0x49, 0xa6, 0xb5, 0x25, 0xb1, 0x6a,
				       0xed, 0xf5, 0xaa, 0x0d, 0xe6, 0x57, 0xba, 0x63, 0x7b, 0x39 };
static const uint8_t gcm_128_key[28] = { 0xfe, 0xff, 0xe9, 0x92, 0x86, 0x65, 0x73, 0x1c, 0x6d, 0x6a,
					 0x8f, 0x94, 0x67, 0x30, 0x83, 0x08, 0,    0,    0,    0 };
static const uint8_t gcm_128_sealed[76] = {
	0x42, 0x83, 0x1e, 0xc2, 0x21, 0x77, 0x74, 0x24, 0x4b, 0x72, 0x21, 0xb7, 0x84,
	0xd0, 0xd4, 0x9c, 0xe3, 0xaa, 0x21, 0x2f, 0x2c, 0x02, 0xa4, 0xe0, 0x35, 0xc1,
	0x7e, 0x23, 0x29, 0xac, 0xa1, 0x2e, 0x21, 0xd5, 0x14, 0xb2, 0x54, 0x66, 0x93,
	0x1c, 0x7d, 0x8f, 0x6a, 0x5a, 0xac, 0x84, 0xaa, 0x05, 0x1b, 0xa3, 0x0b, 0x39,
	0x6a, 0x0a, 0xac, 0x97, 0x3d, 0x58, 0xe0, 0x91, 0x5b, 0xc9, 0x4f, 0xbc, 0x32,
	0x21, 0xa5, 0xdb, 0x94, 0xfa, 0xe9, 0x5a, 0xe7, 0x12, 0x1a, 0x47
};
static const srtp_cipher_test_case_t gcm_128_case = {
	28, gcm_128_key, gcm_iv, 60, gcm_plain, 76, gcm_128_sealed, 20, gcm_aad, 16, NULL
};

/* The same paper, test case 16. */
static const uint8_t gcm_256_key[44] = { 0xfe, 0xff, 0xe9, 0x92, 0x86, 0x65, 0x73, 0x1c, 0x6d,
					 0x6a, 0x8f, 0x94, 0x67, 0x30, 0x83, 0x08, 0xfe, 0xff,
					 0xe9, 0x92, 0x86, 0x65, 0x73, 0x1c, 0x6d, 0x6a, 0x8f,
					 0x94, 0x67, 0x30, 0x83, 0x08, 0,    0,    0,    0 };
static const uint8_t gcm_256_sealed[76] = {
	0x52, 0x2d, 0xc1, 0xf0, 0x99, 0x56, 0x7d, 0x07, 0xf4, 0x7f, 0x37, 0xa3, 0x2a,
	0x84, 0x42, 0x7d, 0x64, 0x3a, 0x8c, 0xdc, 0xbf, 0xe5, 0xc0, 0xc9, 0x75, 0x98,
	0xa2, 0xbd, 0x25, 0x55, 0xd1, 0xaa, 0x8c, 0xb0, 0x8e, 0x48, 0x59, 0x0d, 0xbb,
	0x3d, 0xa7, 0xb0, 0x8b, 0x10, 0x56, 0x82, 0x88, 0x38, 0xc5, 0xf6, 0x1e, 0x63,
	0x93, 0xba, 0x7a, 0x0a, 0xbc, 0xc9, 0xf6, 0x62, 0x76, 0xfc, 0x6e, 0xce, 0x0f,
	0x4e, 0x17, 0x68, 0xcd, 0xdf, 0x88, 0x53, 0xbb, 0x2d, 0x55, 0x1b
};
static const srtp_cipher_test_case_t gcm_256_case = {
	44, gcm_256_key, gcm_iv, 60, gcm_plain, 76, gcm_256_sealed, 20, gcm_aad, 16, NULL
};

static srtp_err_status_t icm_128_alloc(srtp_cipher_pointer_t *cp, int key_len, int tag_len);
static srtp_err_status_t icm_256_alloc(srtp_cipher_pointer_t *cp, int key_len, int tag_len);
static srtp_err_status_t gcm_128_alloc(srtp_cipher_pointer_t *cp, int key_len, int tag_len);
static srtp_err_status_t gcm_256_alloc(srtp_cipher_pointer_t *cp, int key_len, int tag_len);

static const srtp_cipher_type_t icm_128_type = { icm_128_alloc,
						 aes_dealloc,
						 icm_init,
						 NULL,
						 aes_crypt,
						 aes_crypt,
						 icm_set_iv,
						 NULL,
						 "AES-128 ICM (OpenSSL)",
						 &icm_128_case,
						 SRTP_AES_ICM_128 };
static const srtp_cipher_type_t icm_256_type = { icm_256_alloc,
						 aes_dealloc,
						 icm_init,
						 NULL,
						 aes_crypt,
						 aes_crypt,
						 icm_set_iv,
						 NULL,
						 "AES-256 ICM (OpenSSL)",
						 &icm_256_case,
						 SRTP_AES_ICM_256 };
static const srtp_cipher_type_t gcm_128_type = {
	gcm_128_alloc, aes_dealloc,     gcm_init,
	gcm_set_aad,   aes_crypt,       gcm_decrypt,
	gcm_set_iv,    gcm_get_tag,     "AES-128 GCM (OpenSSL)",
	&gcm_128_case, SRTP_AES_GCM_128
};
static const srtp_cipher_type_t gcm_256_type = {
	gcm_256_alloc, aes_dealloc,     gcm_init,
	gcm_set_aad,   aes_crypt,       gcm_decrypt,
	gcm_set_iv,    gcm_get_tag,     "AES-256 GCM (OpenSSL)",
	&gcm_256_case, SRTP_AES_GCM_256
};

static srtp_err_status_t icm_128_alloc(srtp_cipher_pointer_t *cp, int key_len, int tag_len)
{
	if (key_len != 16 + ICM_SALT)
		return srtp_err_status_bad_param;
	return aes_alloc(cp, &icm_128_type, algorithms.ctr_128, key_len, tag_len);
}

static srtp_err_status_t icm_256_alloc(srtp_cipher_pointer_t *cp, int key_len, int tag_len)
{
	if (key_len != 32 + ICM_SALT)
		return srtp_err_status_bad_param;
	return aes_alloc(cp, &icm_256_type, algorithms.ctr_256, key_len, tag_len);
}

static srtp_err_status_t gcm_128_alloc(srtp_cipher_pointer_t *cp, int key_len, int tag_len)
{
	if (key_len != 16 + GCM_SALT || (tag_len != 16 && tag_len != 8))
		return srtp_err_status_bad_param;
	return aes_alloc(cp, &gcm_128_type, algorithms.gcm_128, key_len, tag_len);
}

static srtp_err_status_t gcm_256_alloc(srtp_cipher_pointer_t *cp, int key_len, int tag_len)
{
	if (key_len != 32 + GCM_SALT || (tag_len != 16 && tag_len != 8))
		return srtp_err_status_bad_param;
	return aes_alloc(cp, &gcm_256_type, algorithms.gcm_256, key_len, tag_len);
}

const char *srtp_openssl_install(void)
{
	static const srtp_cipher_type_t *const types[] = { &icm_128_type, &icm_256_type,
							   &gcm_128_type, &gcm_256_type };

	algorithms.ctr_128 = EVP_CIPHER_fetch(NULL, "AES-128-CTR", NULL);
	algorithms.ctr_256 = EVP_CIPHER_fetch(NULL, "AES-256-CTR", NULL);
	algorithms.gcm_128 = EVP_CIPHER_fetch(NULL, "AES-128-GCM", NULL);
	algorithms.gcm_256 = EVP_CIPHER_fetch(NULL, "AES-256-GCM", NULL);
	if (!algorithms.ctr_128 || !algorithms.ctr_256 || !algorithms.gcm_128 ||
	    !algorithms.gcm_256)
		return "OpenSSL has no AES in CTR or GCM mode";

	/* The library runs its own known-answer tests and ours on each. */
	for (size_t i = 0; i < ARRAY_SIZE(types); i++)
		if (srtp_replace_cipher_type(types[i], types[i]->id) != srtp_err_status_ok)
			return types[i]->description;
	if (srtp_replace_auth_type(&hmac_type, SRTP_HMAC_SHA1) != srtp_err_status_ok)
		return hmac_type.description;
	return NULL;
}
