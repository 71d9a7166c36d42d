/* SPDX-License-Identifier: Apache-2.0 */
/* test_settings.c - what an operator is told of the configuration and of a reload. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tas/admin/settings.h"
#include "tests/fake/folder.h"

#define BASE                                                                                       \
	"domain: tas.example.com\n"                                                                \
	"sip: { certificate: cert.pem, private_key: key.pem, keepalive: %us }\n"                   \
	"core: { api: { target: api.example.net:443 }, "                                           \
	"sbc: { uri: sips:sbc.example.net, trusted: [192.0.2.0/24] } }\n"                          \
	"media: { address: 198.51.100.10, ports: 10000-10999 }\n"                                  \
	"limits: { calls: %u }\n"

static struct config *started, *config;
static struct reload_report report;
static struct tls_files files;
static unsigned reloads;

static struct config *load(unsigned keepalive, unsigned calls)
{
	struct config *loaded = NULL;
	struct str findings = { 0 };
	char path[160];
	FILE *file;

	(void)snprintf(path, sizeof(path), "%s/breakout.yaml", folder);
	file = fopen(path, "w");
	assert_non_null(file);
	fprintf(file, BASE, keepalive, calls);
	assert_int_equal(fclose(file), 0);
	assert_int_equal(config_load(path, false, &loaded, &findings), 0);
	str_done(&findings);
	return loaded;
}

static void view(struct admin_view *ret_view, void *arg)
{
	(void)arg;
	*ret_view = (struct admin_view){
		.started = started, .config = config, .reload = &report, .files = &files
	};
}

static unsigned reload(void *arg)
{
	(void)arg;
	return ++reloads;
}

static const struct admin_options options = { .reload = reload, .view = view };

static int set_up(void **state)
{
	(void)state;
	if (folder_make())
		return -1;
	started = load(100, 10);
	config = load(200, 20);
	reload_report_compare(&report, started, started, config);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	reload_report_done(&report);
	config_destroy(started);
	config_destroy(config);
	return folder_remove();
}

static const char *text(const json_t *object, const char *key)
{
	return json_string_value(json_object_get(object, key));
}

static void a_section_of_the_settings_can_be_asked_for(void **state)
{
	json_t *answer = settings_config(&options, "sip.keepalive"), *setting;
	json_t *all = settings_config(&options, ""),
	       *part = settings_config(&options, "sip.keepal");

	(void)state;
	assert_int_equal(json_array_size(json_object_get(answer, "settings")), 1);
	setting = json_array_get(json_object_get(answer, "settings"), 0);
	assert_string_equal(text(setting, "value"), "200s");
	assert_string_equal(text(setting, "in_force"), "100s"); /* until a restart */
	assert_string_equal(text(setting, "reload"), "restart");
	assert_true(json_array_size(json_object_get(all, "settings")) > 60);
	assert_int_equal(json_array_size(json_object_get(part, "settings")), 0);
	json_decref(answer);
	json_decref(all);
	json_decref(part);
}

static void what_came_of_a_reload_is_told_once_it_is_done(void **state)
{
	json_t *answer = settings_reload(&options, "");
	json_t *early = settings_reload(&options, "1"), *done, *change;

	(void)state;
	assert_int_equal(json_integer_value(json_object_get(answer, "reload")), 1);
	assert_true(json_is_false(json_object_get(early, "done")));
	report.number = 2; /* a later one has read all that the first would have */
	done = settings_reload(&options, "1");
	assert_true(json_is_true(json_object_get(done, "done")));
	assert_int_equal(json_integer_value(json_object_get(done, "restart")), 1);
	assert_int_equal(json_array_size(json_object_get(done, "changes")), 2);
	change = json_array_get(json_object_get(done, "changes"), 0);
	assert_string_equal(text(change, "name"), "limits.calls");
	assert_string_equal(text(change, "before"), "10");
	assert_string_equal(text(change, "after"), "20");
	json_decref(answer);
	json_decref(early);
	json_decref(done);
}

static void a_file_that_is_gone_is_told_beside_what_is_in_force(void **state)
{
	json_t *answer, *entry;

	(void)state;
	tls_files_read(&files, config);
	answer = settings_certificates(&options, "");
	settings_add_disk(answer);
	assert_int_equal(json_array_size(json_object_get(answer, "certificates")), 1);
	entry = json_array_get(json_object_get(answer, "certificates"), 0);
	assert_string_equal(text(entry, "key"), "sip.certificate");
	assert_true(json_is_null(json_object_get(entry, "live")));
	assert_string_equal(text(entry, "disk_error"), "No such file or directory");
	json_decref(answer);
	tls_files_done(&files);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_section_of_the_settings_can_be_asked_for),
		cmocka_unit_test(what_came_of_a_reload_is_told_once_it_is_done),
		cmocka_unit_test(a_file_that_is_gone_is_told_beside_what_is_in_force),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
