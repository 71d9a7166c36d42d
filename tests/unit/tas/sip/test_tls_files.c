/* SPDX-License-Identifier: Apache-2.0 */
/* test_tls_files.c - what a file of certificates is said to hold, when it changed,
 * and how often its end is spoken of. */
#include "tests/unit/tas/sip/scene.h"

#include <errno.h>

#include "base/metrics.h"
#include "tas/sip/tls_files.h"

#define DAY_MS 86400000LL

static struct pki pki;
static unsigned lines;
static char line[300];

static void note_line(enum log_level level, const char *area, const char *text, void *arg)
{
	(void)area;
	(void)arg;
	if (level > LOG_LEVEL_NOTICE)
		return;
	lines++;
	(void)snprintf(line, sizeof(line), "%s", text);
}

static int set_up(void **state)
{
	(void)state;
	pki_init(&pki);
	log_set_sink(note_line, NULL);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	pki_done(&pki);
	return 0;
}

static struct config config_of(const char *name)
{
	char file[64];
	struct config config = { .domain = (char *)"tas.example.com" };

	(void)snprintf(file, sizeof(file), "%s.pem", name);
	config.sip.certificate = (char *)pki_path(&pki, file);
	(void)snprintf(file, sizeof(file), "%s.key", name);
	config.sip.private_key = (char *)pki_path(&pki, file);
	config.sip.ca_file = (char *)pki.ca;
	return config;
}

static void a_chain_is_told_in_words(void **state)
{
	struct tls_certificate certificate;

	(void)state;
	assert_int_equal(
		tls_describe(pki_path(&pki, "good.pem"), "tas.example.com", false, &certificate),
		0);
	assert_memory_equal(certificate.subject, "CN=test ", 8);
	assert_string_equal(certificate.names, "localhost, tas.example.com, 127.0.0.1");
	assert_non_null(strstr(certificate.issuers, ", CN=test ")); /* the second one's issuer */
	assert_int_equal(certificate.count, 2);
	assert_int_equal((certificate.not_after - clock_wall() + DAY_MS / 2) / DAY_MS, 200);
	assert_int_equal(strlen(certificate.fingerprint), 64);
	assert_true(certificate.for_domain);
	tls_certificate_done(&certificate);
	assert_int_equal(
		tls_describe(pki_path(&pki, "good.pem"), "other.example", false, &certificate), 0);
	assert_false(certificate.for_domain);
	tls_certificate_done(&certificate);
}

static void of_cas_the_first_to_end_counts(void **state)
{
	struct tls_certificate certificate;
	const char *path = pki_write_chain(&pki, "cas.pem", pki.root.certificate,
					   pki.intermediate.certificate, NULL);

	(void)state;
	assert_int_equal(tls_describe(path, NULL, true, &certificate), 0);
	assert_int_equal((certificate.not_after - clock_wall() + DAY_MS / 2) / DAY_MS, 300);
	assert_null(strchr(certificate.issuers, ','));
	tls_certificate_done(&certificate);
}

static void what_is_no_certificate_is_said_so(void **state)
{
	struct tls_certificate certificate;

	(void)state;
	assert_int_equal(tls_describe("/nonexistent", NULL, false, &certificate), -ENOENT);
	assert_int_equal(tls_describe(pki_path(&pki, "good.key"), NULL, false, &certificate),
			 -EINVAL);
}

static void a_file_that_is_written_changes_the_stamp(void **state)
{
	struct config config;
	struct tls_files files, fresh;
	struct str changed = { 0 };

	(void)state;
	pki_identity(&pki, "live", "DNS:tas.example.com", 90);
	config = config_of("live");
	tls_files_read(&files, &config);
	assert_int_equal(files.list[TLS_ROLE_SIP].err, 0);
	assert_int_equal(files.list[TLS_ROLE_SIP_CA].err, 0);
	assert_null(files.list[TLS_ROLE_MEDIA].path);
	assert_int_equal(tls_files_stamp(&config, files.stamp), files.stamp);
	pki_identity(&pki, "live", "DNS:tas.example.com", 91);
	assert_int_not_equal(tls_files_stamp(&config, files.stamp), files.stamp);
	tls_files_read(&fresh, &config);
	tls_files_renew(&files, &fresh, 1u << TLS_ROLE_SIP, &changed);
	assert_int_equal(changed.length, 0); /* the old one stays */
	assert_string_not_equal(files.list[TLS_ROLE_SIP].is.fingerprint,
				fresh.list[TLS_ROLE_SIP].is.fingerprint);
	tls_files_renew(&files, &fresh, 0, &changed);
	assert_string_equal(changed.text, "sip"); /* the CA is the same */
	assert_int_equal(tls_files_stamp(&config, files.stamp), files.stamp);
	str_done(&changed);
	tls_files_done(&fresh);
	tls_files_done(&files);
}

/* ---- the end ---- */

static unsigned lines_at(struct tls_watch *watch, const struct tls_files *files, double days_left)
{
	wall_ms end = files->list[TLS_ROLE_SIP].is.not_after;

	lines = 0;
	tls_watch_look(watch, files, end - (wall_ms)(days_left * (double)DAY_MS));
	return lines;
}

static void the_end_is_spoken_of_at_some_days_and_then_daily(void **state)
{
	struct tls_files files = { .list[TLS_ROLE_SIP] = { .key = (char *)"sip.certificate",
							   .path = (char *)"x.pem",
							   .is.not_after = 400 * DAY_MS } };
	struct tls_watch watch = { 0 };

	(void)state;
	assert_int_equal(lines_at(&watch, &files, 60), 0);
	assert_int_equal(lines_at(&watch, &files, 29.9), 1);
	assert_string_equal(line, "certificate x.pem of sip.certificate expires in 29 days: renew "
				  "it");
	assert_int_equal(lines_at(&watch, &files, 29.8), 0);
	assert_int_equal(lines_at(&watch, &files, 20), 0);
	assert_int_equal(lines_at(&watch, &files, 13.9), 1);
	assert_int_equal(lines_at(&watch, &files, 6.9), 1);
	assert_int_equal(lines_at(&watch, &files, 6.5), 0);
	assert_int_equal(lines_at(&watch, &files, 5.8), 1); /* from here on once a day */
	assert_int_equal(lines_at(&watch, &files, 4.7), 1);
	assert_int_equal(lines_at(&watch, &files, 4.6), 0);
	assert_int_equal(lines_at(&watch, &files, -0.1), 1);
	assert_string_equal(line, "certificate x.pem of sip.certificate has expired: renew it");
	assert_int_equal(lines_at(&watch, &files, -0.5), 0);
	assert_int_equal(lines_at(&watch, &files, -1.2), 1);
}

static void a_renewed_one_is_warned_of_anew(void **state)
{
	struct tls_files files = { .list[TLS_ROLE_SIP] = { .key = (char *)"sip.certificate",
							   .path = (char *)"x.pem",
							   .is.not_after = 400 * DAY_MS } };
	struct tls_watch watch = { 0 };

	(void)state;
	assert_int_equal(lines_at(&watch, &files, 20), 1);
	assert_int_equal(lines_at(&watch, &files, 90), 0);
	assert_int_equal(lines_at(&watch, &files, 20), 1);
}

static void the_metric_counts_down(void **state)
{
	struct tls_files files = { .list[TLS_ROLE_SIP] = { .key = (char *)"sip.certificate",
							   .path = (char *)"x.pem",
							   .is.not_after = 400 * DAY_MS } };
	struct tls_watch watch = { 0 };
	struct str text = { 0 };

	(void)state;
	(void)lines_at(&watch, &files, 2);
	metrics_text(&text);
	assert_non_null(
		strstr(text.text, "breakout_certificate_expires_seconds{file=\"sip\"} 172800\n"));
	assert_null(strstr(text.text, "{file=\"http\"}")); /* none is configured */
	str_done(&text);
}

/* ---- tenants ---- */

static struct config config_with(struct config_tenant *tenants, size_t count)
{
	struct config config = config_of("good");

	for (size_t i = 0; i < count; i++)
		tenants[i].api.ca_file = (char *)pki.ca;
	config.tenants = tenants;
	config.tenant_count = count;
	return config;
}

static void each_tenants_ca_file_is_told_by_its_name(void **state)
{
	struct config_tenant two[] = { { .name = (char *)"acme" }, { .name = (char *)"other" } };
	struct config_tenant one[] = { { .name = (char *)"other" } };
	struct config config = config_with(two, 2);
	struct tls_files files, fresh;
	struct tls_watch watch = { 0 };
	struct str changed = { 0 }, text = { 0 };
	wall_ms soon;

	(void)state;
	tls_files_read(&files, &config);
	assert_string_equal(files.list[TLS_ROLE_COUNT].key, "tenants.acme.api.ca_file");
	assert_string_equal(files.list[TLS_ROLE_COUNT + 1].tenant, "other");
	soon = files.list[TLS_ROLE_COUNT].is.not_after - 20 * DAY_MS;
	tls_watch_look(&watch, &files, soon);
	lines = 0;
	config = config_with(one, 1);
	tls_files_read(&fresh, &config);
	tls_files_renew(&files, &fresh, 0, &changed);
	assert_int_equal(changed.length, 0); /* the first is gone, the second what it was */
	assert_null(files.list[TLS_ROLE_COUNT + 1].path);
	tls_watch_look(&watch, &files, soon);
	assert_int_equal(lines, 1); /* at another place it is said once more, and not never */
	assert_non_null(strstr(line, " of tenants.other.api.ca_file expires in 20 days"));
	metrics_text(&text);
	assert_non_null(strstr(text.text, "{file=\"api_ca\",tenant=\"other\"} 1728000\n"));
	assert_null(strstr(text.text, "tenant=\"acme\""));
	str_done(&text);
	one[0].api.ca_file = (char *)pki_path(&pki, "good.pem");
	tls_files_done(&fresh);
	tls_files_read(&fresh, &config);
	tls_files_renew(&files, &fresh, 0, &changed);
	assert_string_equal(changed.text, "api_ca of other");
	str_done(&changed);
	tls_files_done(&fresh);
	tls_files_done(&files);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_chain_is_told_in_words),
		cmocka_unit_test(of_cas_the_first_to_end_counts),
		cmocka_unit_test(what_is_no_certificate_is_said_so),
		cmocka_unit_test(a_file_that_is_written_changes_the_stamp),
		cmocka_unit_test(the_end_is_spoken_of_at_some_days_and_then_daily),
		cmocka_unit_test(a_renewed_one_is_warned_of_anew),
		cmocka_unit_test(the_metric_counts_down),
		cmocka_unit_test(each_tenants_ca_file_is_told_by_its_name),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
