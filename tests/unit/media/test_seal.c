/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <string.h>
#include <unistd.h>
#include "media/seal.h"
#include "tests/fake/folder.h"
#include "tests/fake/rsa.h"

static char own[64], public[64], path[64];
static const char *why;

static int setup(void **state)
{
	(void)state;
	if (folder_make())
		return -1;
	(void)snprintf(own, sizeof(own), "%s/own.pem", folder);
	(void)snprintf(public, sizeof(public), "%s/public.pem", folder);
	(void)snprintf(path, sizeof(path), "%s/sealed", folder);
	return rsa_write(own, public, 2048);
}

static int teardown(void **state)
{
	(void)state;
	return folder_remove();
}

static void add(struct seal *seal, FILE *file, const char *text, bool last)
{
	uint8_t bytes[256];
	size_t length = strlen(text);

	assert_int_equal(seal_chunk(seal, (const uint8_t *)text, length, last, bytes), 0);
	assert_int_equal(fwrite(bytes, 1, length + SEAL_OVERHEAD, file), length + SEAL_OVERHEAD);
}

static void write_sealed(bool whole)
{
	uint8_t header[SEAL_HEADER_MAX];
	FILE *file = fopen(path, "w");
	struct seal *seal;

	assert_int_equal(seal_create(&seal, public, &why), 0);
	(void)!fwrite(header, 1, seal_header(seal, header), file);
	add(seal, file, "first", false);
	add(seal, file, "second", false);
	if (whole)
		add(seal, file, "", true);
	fclose(file);
	seal_destroy(seal);
}

static int open_sealed(struct unseal **ret_unseal, FILE **ret_file)
{
	*ret_file = fopen(path, "r");
	return unseal_create(ret_unseal, *ret_file, own, &why);
}

static void assert_next(struct unseal *unseal, const char *text, bool last)
{
	static uint8_t plain[SEAL_CHUNK_MAX];
	size_t length;
	bool was_last;

	assert_int_equal(unseal_next(unseal, plain, &length, &was_last), 0);
	assert_int_equal(length, strlen(text));
	assert_memory_equal(plain, text, length);
	assert_int_equal(was_last, last);
}

static void what_is_sealed_is_read_by_the_private_key(void **state)
{
	struct unseal *unseal;
	size_t chunks;
	FILE *file;

	(void)state;
	write_sealed(true);
	assert_int_equal(open_sealed(&unseal, &file), 0);
	assert_next(unseal, "first", false);
	assert_next(unseal, "second", false);
	assert_next(unseal, "", true);
	assert_int_equal(seal_measure(fileno(file), &chunks), strlen("firstsecond"));
	assert_int_equal(chunks, 2);
	unseal_destroy(unseal);
	fclose(file);
}

static void a_file_cut_short_is_read_up_to_its_last_whole_chunk(void **state)
{
	static uint8_t plain[SEAL_CHUNK_MAX];
	struct unseal *unseal;
	size_t length, chunks;
	FILE *file;
	bool last;

	(void)state;
	write_sealed(false);
	assert_int_equal(truncate(path, 8 + 2 + 256 + 5 + SEAL_OVERHEAD + 7), 0);
	assert_int_equal(open_sealed(&unseal, &file), 0);
	assert_next(unseal, "first", false);
	assert_int_equal(unseal_next(unseal, plain, &length, &last), -ENODATA);
	assert_int_equal(seal_measure(fileno(file), &chunks), strlen("first"));
	assert_int_equal(chunks, 1);
	unseal_destroy(unseal);
	fclose(file);
}

/* The n-th byte behind the wrapped key is another one. */
static int change(long at)
{
	static uint8_t plain[SEAL_CHUNK_MAX];
	struct unseal *unseal;
	size_t length;
	FILE *file;
	bool last;
	int byte, err;

	write_sealed(true);
	file = fopen(path, "r+");
	(void)fseek(file, 8 + 2 + 256 + at, SEEK_SET);
	byte = getc(file);
	(void)fseek(file, -1, SEEK_CUR);
	putc(byte ^ 1, file);
	fclose(file);
	assert_int_equal(open_sealed(&unseal, &file), 0);
	err = unseal_next(unseal, plain, &length, &last);
	unseal_destroy(unseal);
	fclose(file);
	return err;
}

static void what_was_changed_is_refused(void **state)
{
	(void)state;
	assert_int_equal(change(0), -EBADMSG);                     /* length: beyond all measure */
	assert_int_equal(change(3), -EBADMSG);                     /* by one */
	assert_int_equal(change(4), -EBADMSG);                     /* text */
	assert_int_equal(change(5 + SEAL_OVERHEAD - 1), -EBADMSG); /* tag */
}

static void keys_that_cannot_seal_are_named(void **state)
{
	struct seal *seal;

	(void)state;
	assert_int_equal(seal_create(&seal, "/nonexistent", &why), -ENOENT);
	assert_int_equal(seal_create(&seal, own, &why), -EINVAL);
	assert_non_null(strstr(why, "no RSA public key"));
	assert_int_equal(rsa_write(own, public, 1024), 0);
	assert_int_equal(seal_create(&seal, public, &why), -EINVAL);
}

static void another_key_or_no_sealed_file_is_refused(void **state)
{
	struct unseal *unseal;
	FILE *file;

	(void)state;
	write_sealed(true);
	assert_int_equal(rsa_write(own, public, 2048), 0);
	assert_int_equal(open_sealed(&unseal, &file), -EINVAL);
	fclose(file);
	file = fopen(path, "w");
	fputs("RIFFxxxxWAVE", file);
	fclose(file);
	assert_int_equal(open_sealed(&unseal, &file), -EINVAL);
	assert_string_equal(why, "the file is not sealed");
	fclose(file);
}

#define T(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(what_is_sealed_is_read_by_the_private_key),
		T(a_file_cut_short_is_read_up_to_its_last_whole_chunk),
		T(what_was_changed_is_refused),
		T(keys_that_cannot_seal_are_named),
		T(another_key_or_no_sealed_file_is_refused),
	};

	return cmocka_run_group_tests_name("media/seal", tests, NULL, NULL);
}
