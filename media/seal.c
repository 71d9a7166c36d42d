/* SPDX-License-Identifier: Apache-2.0 */
#include "media/seal.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/rsa.h>

#define KEY_BYTES   32
#define NONCE_BYTES 12
#define TAG_BYTES   16
#define LENGTH_AT   8 /* of the wrapped key */
#define LAST        0x80000000u
#define BITS_LEAST  2048

static const char magic[] = "BRKSEAL1";

struct seal {
	EVP_CIPHER_CTX *cipher;
	uint8_t wrapped[SEAL_HEADER_MAX];
	size_t wrapped_length;
	uint64_t chunks;
};

struct unseal {
	FILE *file;
	EVP_CIPHER_CTX *cipher;
	uint64_t chunks;
	uint8_t sealed[SEAL_CHUNK_MAX + TAG_BYTES];
};

static void put_number(uint8_t *to, uint64_t value, unsigned bytes)
{
	for (unsigned i = 0; i < bytes; i++)
		to[i] = (uint8_t)(value >> 8 * (bytes - 1 - i));
}

static uint32_t word_at(const uint8_t *bytes)
{
	return (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 |
	       bytes[3];
}

/* NULL: *ret_err and *ret_why say it. */
static EVP_PKEY *read_key(const char *path, bool private_key, int *ret_err, const char **ret_why)
{
	FILE *file = fopen(path, "re");
	EVP_PKEY *key;

	if (!file) {
		*ret_err = -errno;
		*ret_why = "the key file cannot be opened";
		return NULL;
	}
	key = private_key ? PEM_read_PrivateKey(file, NULL, NULL, NULL)
			  : PEM_read_PUBKEY(file, NULL, NULL, NULL);
	fclose(file);
	if (key && EVP_PKEY_is_a(key, "RSA") && EVP_PKEY_get_bits(key) >= BITS_LEAST)
		return key;
	EVP_PKEY_free(key);
	*ret_err = -EINVAL;
	*ret_why = private_key ? "the key file holds no RSA private key in PEM format"
			       : "the key file holds no RSA public key of at least 2048 bits in "
				 "PEM format";
	return NULL;
}

static EVP_PKEY_CTX *oaep(EVP_PKEY *key, int (*begin)(EVP_PKEY_CTX *))
{
	EVP_PKEY_CTX *context = EVP_PKEY_CTX_new(key, NULL);

	if (context && begin(context) > 0 &&
	    EVP_PKEY_CTX_set_rsa_padding(context, RSA_PKCS1_OAEP_PADDING) > 0 &&
	    EVP_PKEY_CTX_set_rsa_oaep_md(context, EVP_sha256()) > 0)
		return context;
	EVP_PKEY_CTX_free(context);
	return NULL;
}

static int wrap(struct seal *seal, EVP_PKEY *public_key, const uint8_t key[KEY_BYTES])
{
	EVP_PKEY_CTX *context = oaep(public_key, EVP_PKEY_encrypt_init);
	int err = -EIO;

	seal->wrapped_length = sizeof(seal->wrapped);
	if (context &&
	    EVP_PKEY_encrypt(context, seal->wrapped, &seal->wrapped_length, key, KEY_BYTES) > 0)
		err = 0;
	EVP_PKEY_CTX_free(context);
	return err;
}

int seal_create(struct seal **ret_seal, const char *public_key, const char **ret_why)
{
	struct seal *seal = calloc(1, sizeof(*seal));
	uint8_t key[KEY_BYTES];
	int err = -ENOMEM;
	EVP_PKEY *pem;

	if (!seal)
		return -ENOMEM;
	pem = read_key(public_key, /* private_key= */ false, &err, ret_why);
	if (!pem)
		goto fail;
	*ret_why = "OpenSSL cannot encrypt with this key";
	err = RAND_bytes(key, sizeof(key)) == 1 ? wrap(seal, pem, key) : -EIO;
	EVP_PKEY_free(pem);
	seal->cipher = EVP_CIPHER_CTX_new();
	if (!err && (!seal->cipher ||
		     EVP_EncryptInit_ex(seal->cipher, EVP_aes_256_gcm(), NULL, key, NULL) != 1))
		err = -EIO;
	OPENSSL_cleanse(key, sizeof(key));
	if (err)
		goto fail;
	*ret_seal = seal;
	return 0;
fail:
	seal_destroy(seal);
	return err;
}

struct seal *seal_destroy(struct seal *seal)
{
	if (!seal)
		return NULL;
	EVP_CIPHER_CTX_free(seal->cipher);
	free(seal);
	return NULL;
}

size_t seal_header(const struct seal *seal, uint8_t ret_bytes[static SEAL_HEADER_MAX])
{
	memcpy(ret_bytes, magic, LENGTH_AT);
	put_number(ret_bytes + LENGTH_AT, seal->wrapped_length, 2);
	memcpy(ret_bytes + LENGTH_AT + 2, seal->wrapped, seal->wrapped_length);
	return LENGTH_AT + 2 + seal->wrapped_length;
}

int seal_chunk(struct seal *seal, const uint8_t *plain, size_t length, bool last,
	       uint8_t *ret_bytes)
{
	uint8_t nonce[NONCE_BYTES] = { 0 };
	int used;

	put_number(nonce + 4, seal->chunks++, 8);
	put_number(ret_bytes, length | (last ? LAST : 0), 4);
	if (EVP_EncryptInit_ex(seal->cipher, NULL, NULL, NULL, nonce) != 1 ||
	    EVP_EncryptUpdate(seal->cipher, NULL, &used, ret_bytes, 4) != 1 ||
	    EVP_EncryptUpdate(seal->cipher, ret_bytes + 4, &used, plain, (int)length) != 1 ||
	    EVP_EncryptFinal_ex(seal->cipher, ret_bytes + 4 + length, &used) != 1 ||
	    EVP_CIPHER_CTX_ctrl(seal->cipher, EVP_CTRL_AEAD_GET_TAG, TAG_BYTES,
				ret_bytes + 4 + length) != 1)
		return -EIO;
	return 0;
}

/* ---- the other way ---- */

static int unwrap(struct unseal *unseal, EVP_PKEY *private_key, const uint8_t *wrapped,
		  size_t length)
{
	EVP_PKEY_CTX *context = oaep(private_key, EVP_PKEY_decrypt_init);
	uint8_t key[SEAL_HEADER_MAX];
	size_t key_length = sizeof(key);
	int err = -EINVAL;

	if (context && EVP_PKEY_decrypt(context, key, &key_length, wrapped, length) > 0 &&
	    key_length == KEY_BYTES &&
	    EVP_DecryptInit_ex(unseal->cipher, EVP_aes_256_gcm(), NULL, key, NULL) == 1)
		err = 0;
	OPENSSL_cleanse(key, sizeof(key));
	EVP_PKEY_CTX_free(context);
	return err;
}

static int read_header(struct unseal *unseal, const char *private_key, const char **ret_why)
{
	uint8_t head[LENGTH_AT + 2], wrapped[SEAL_HEADER_MAX];
	EVP_PKEY *pem;
	size_t length;
	int err;

	*ret_why = "the file is not sealed";
	if (fread(head, 1, sizeof(head), unseal->file) != sizeof(head) ||
	    memcmp(head, magic, LENGTH_AT) != 0)
		return -EINVAL;
	length = (size_t)head[LENGTH_AT] << 8 | head[LENGTH_AT + 1];
	if (length > sizeof(wrapped) || fread(wrapped, 1, length, unseal->file) != length)
		return -EINVAL;
	pem = read_key(private_key, /* private_key= */ true, &err, ret_why);
	if (!pem)
		return err;
	*ret_why = "the file was sealed for another key";
	err = unwrap(unseal, pem, wrapped, length);
	EVP_PKEY_free(pem);
	return err;
}

int unseal_create(struct unseal **ret_unseal, FILE *file, const char *private_key,
		  const char **ret_why)
{
	struct unseal *unseal = calloc(1, sizeof(*unseal));
	int err = -ENOMEM;

	if (!unseal)
		return -ENOMEM;
	unseal->file = file;
	unseal->cipher = EVP_CIPHER_CTX_new();
	if (unseal->cipher)
		err = read_header(unseal, private_key, ret_why);
	if (err) {
		unseal_destroy(unseal);
		return err;
	}
	*ret_unseal = unseal;
	return 0;
}

struct unseal *unseal_destroy(struct unseal *unseal)
{
	if (!unseal)
		return NULL;
	EVP_CIPHER_CTX_free(unseal->cipher);
	free(unseal);
	return NULL;
}

int unseal_next(struct unseal *unseal, uint8_t *ret_plain, size_t *ret_length, bool *ret_last)
{
	uint8_t nonce[NONCE_BYTES] = { 0 }, head[4];
	size_t length;
	int used;

	if (fread(head, 1, sizeof(head), unseal->file) != sizeof(head))
		return -ENODATA;
	length = word_at(head) & ~LAST;
	if (length > SEAL_CHUNK_MAX)
		return -EBADMSG;
	if (fread(unseal->sealed, 1, length + TAG_BYTES, unseal->file) != length + TAG_BYTES)
		return -ENODATA;
	put_number(nonce + 4, unseal->chunks++, 8);
	if (EVP_DecryptInit_ex(unseal->cipher, NULL, NULL, NULL, nonce) != 1 ||
	    EVP_DecryptUpdate(unseal->cipher, NULL, &used, head, sizeof(head)) != 1 ||
	    EVP_DecryptUpdate(unseal->cipher, ret_plain, &used, unseal->sealed, (int)length) != 1 ||
	    EVP_CIPHER_CTX_ctrl(unseal->cipher, EVP_CTRL_AEAD_SET_TAG, TAG_BYTES,
				unseal->sealed + length) != 1 ||
	    EVP_DecryptFinal_ex(unseal->cipher, ret_plain + length, &used) != 1)
		return -EBADMSG;
	*ret_length = length;
	*ret_last = word_at(head) & LAST;
	return 0;
}

uint64_t seal_measure(int fd, size_t *ret_chunks)
{
	uint8_t head[LENGTH_AT + 2], word[4];
	uint64_t plain = 0;
	off_t at, end = lseek(fd, 0, SEEK_END);

	*ret_chunks = 0;
	if (pread(fd, head, sizeof(head), 0) != sizeof(head))
		return 0;
	at = (off_t)sizeof(head) + (head[LENGTH_AT] << 8 | head[LENGTH_AT + 1]);
	while (pread(fd, word, sizeof(word), at) == sizeof(word)) {
		uint32_t length = word_at(word) & ~LAST;

		at += SEAL_OVERHEAD + (off_t)length;
		if (length > SEAL_CHUNK_MAX || at > end)
			break;
		plain += length;
		*ret_chunks += length > 0;
	}
	return plain;
}
