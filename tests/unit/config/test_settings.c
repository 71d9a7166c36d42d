/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/config/fixture.h"

static const struct config_setting *find(const struct config *config, const char *name)
{
	size_t count;
	const struct config_setting *settings = config_settings(config, &count);

	for (size_t i = 0; i < count; i++)
		if (!strcmp(settings[i].name, name))
			return &settings[i];
	fail_msg("no setting is called %s", name);
	return NULL;
}

static void expect_setting(const struct config *config, const char *name, const char *value,
			   const char *origin)
{
	const struct config_setting *setting = find(config, name);
	const char *from = setting->origin;

	if (str_starts(from, folder))
		from += strlen(folder) + 1;
	if (value)
		assert_string_equal(setting->value, value);
	else
		assert_null(setting->value);
	assert_string_equal(from, origin);
}

static void a_setting_says_its_value_and_where_it_stands(void **state)
{
	struct config *config;

	(void)state;
	put("conf.d/more.yaml", "limits:\n  calls: 7\n");
	config = expect_config(BASE "stop: { drain: 90s }\n");
	expect_setting(config, "domain", "tas.example.com", "breakout.yaml:1:9");
	expect_setting(config, "stop.drain", "90s", "breakout.yaml:5:16");
	expect_setting(config, "limits.calls", "7", "conf.d/more.yaml:2:10");
	expect_setting(config, "limits.duration", "4h", "default");
	expect_setting(config, "cdr.file", NULL, "default");
	expect_setting(config, "emergency", "[112, 911, 999, 000, 110, 113, 118, 119]", "default");
	expect_setting(config, "sip.listen", "[\"tls://[::]:5061\"]", "default");
	expect_setting(config, "core.sbc.trusted", "[192.0.2.0/24]", "breakout.yaml:3:90");
	expect_setting(config, "registrations", "0 numbers", "default");
	config_destroy(config);
}

static void paths_are_whole_and_what_others_decide_is_known(void **state)
{
	struct config *config =
		expect_config(DOMAIN CORE "sip: { certificate: cert.pem, private_key: key.pem, "
					  "listen: 'tls://192.0.2.7:5061' }\n");
	char path[200];

	(void)state;
	(void)snprintf(path, sizeof(path), "%s/cert.pem", folder);
	assert_string_equal(find(config, "sip.certificate")->value, path);
	expect_setting(config, "sip.listen", "[tls://192.0.2.7:5061]", "breakout.yaml:3:61");
	expect_setting(config, "media.address", "192.0.2.7", "default");
	config_destroy(config);
}

static void parts_of_lists_go_by_their_names(void **state)
{
	struct config *config =
		expect_config(BASE "trunks: [{ name: pbx, uris: [sip:pbx.example.com], "
				   "limits: { calls: 4 } }]\n"
				   "services: { night: [{ do: { webhook: "
				   "\"https://crm.example.com/x\" } }] }\n");

	(void)state;
	expect_setting(config, "trunks.pbx.limits.calls", "4", "breakout.yaml:5:69");
	expect_setting(config, "trunks.pbx.options_every", "30s", "default");
	assert_int_equal(find(config, "trunks.pbx.media")->apply, CONFIG_APPLY_NEXT);
	expect_setting(config, "services.night", "[{ do: { webhook: https://crm.example.com/x } }]",
		       "breakout.yaml:6:20");
	config_destroy(config);
}

static void a_reload_class_is_that_of_the_nearest_mapping(void **state)
{
	struct config *config = expect_config(BASE);

	(void)state;
	assert_int_equal(find(config, "core.api.target")->apply, CONFIG_APPLY_NOW);
	assert_int_equal(find(config, "store.sqlite")->apply, CONFIG_APPLY_RESTART);
	assert_int_equal(find(config, "core.sbc.uri")->apply, CONFIG_APPLY_NEXT);
	assert_int_equal(find(config, "log.level")->apply, CONFIG_APPLY_NOW);
	assert_int_equal(find(config, "admin.http.rate")->apply, CONFIG_APPLY_NOW);
	config_destroy(config);
}

static void overrides_are_named_as_origins(void **state)
{
	const char *const given[] = { "limits.calls=5" };
	char *const environment[] = { (char *)"BREAKOUT_STOP_DRAIN=1h", NULL };
	char path[160];
	const struct config_sources sources = {
		.path = path, .given = given, .given_count = 1, .environment = environment
	};
	struct config *config;
	struct str errors = { 0 };

	(void)state;
	put("breakout.yaml", BASE);
	(void)snprintf(path, sizeof(path), "%s/breakout.yaml", folder);
	assert_int_equal(config_load_from(&sources, &config, &errors), 0);
	expect_setting(config, "limits.calls", "5", "command line --set limits.calls");
	expect_setting(config, "stop.drain", "1h", "environment BREAKOUT_STOP_DRAIN");
	config_destroy(config);
	str_done(&errors);
}

/* ---- two of them ---- */

static char changes[2000];

static void note(const struct config_change *change, void *arg)
{
	size_t used = strlen(changes);

	(void)arg;
	(void)snprintf(changes + used, sizeof(changes) - used, "%s: %s -> %s (%s)\n", change->name,
		       change->before ? change->before : "-", change->after ? change->after : "-",
		       config_apply_name(change->apply));
}

static void what_changed_is_told_by_key(void **state)
{
	struct config *before =
		expect_config(BASE "limits: { calls: 5 }\n"
				   "trunks: [{ name: a, uris: [sip:a.example.com] }, "
				   "{ name: b, uris: [sip:b.example.com] }]\n"
				   "registrations: [{ numbers: [\"+4799000001\", \"+4799000002\"], "
				   "route_type: loop }]\n");
	struct config *after = expect_config(
		BASE "limits: { calls: 6 }\n"
		     "trunks: [{ name: b, uris: [sip:b.example.com] }, "
		     "{ name: a, uris: [sip:a.example.com], dtmf: info }]\n"
		     "registrations: [{ numbers: [\"+4799000002\", \"+4799000003\"], "
		     "route_type: loop }, { number: \"+479900000\", route_type: loop_mo }]\n");
	size_t same;

	(void)state;
	changes[0] = '\0';
	same = config_compare(before, before, after, note, NULL);
	assert_string_equal(changes,
			    "limits.calls: 5 -> 6 (new calls)\n"
			    "trunks.a.dtmf: auto -> info (new calls)\n"
			    "registrations: 2 numbers -> 3 numbers: 2 new, 1 gone, 0 changed "
			    "(at once)\n");
	assert_true(same > 80);
	changes[0] = '\0';
	assert_true(config_compare(after, after, after, note, NULL) > same);
	assert_string_equal(changes, "");
	config_destroy(before);
	config_destroy(after);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		IN_FOLDER(a_setting_says_its_value_and_where_it_stands),
		IN_FOLDER(paths_are_whole_and_what_others_decide_is_known),
		IN_FOLDER(parts_of_lists_go_by_their_names),
		IN_FOLDER(a_reload_class_is_that_of_the_nearest_mapping),
		IN_FOLDER(overrides_are_named_as_origins),
		IN_FOLDER(what_changed_is_told_by_key),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
