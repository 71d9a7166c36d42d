/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/config/fixture.h"

#define TOKENS "tokens: [ { name: p, role: read, token_file: t } ]"

static void without_the_key_there_is_no_http_side(void **state)
{
	struct config *config = expect_config(BASE);

	(void)state;
	assert_int_equal(config->http.listen_count, 0);
	config_destroy(config);
}

static void an_http_side_in_full(void **state)
{
	struct config *config =
		expect_config(BASE "admin:\n  http:\n"
				   "    listen: [ \"unix:/run/x.sock\", \"http://127.0.0.1:8080\", "
				   "\"https://[::]:8443\" ]\n"
				   "    certificate: c\n    private_key: k\n    rate: 5\n"
				   "    tokens:\n      - { name: p, role: read, token_file: p }\n"
				   "      - { name: o, role: operate, token_file: o }\n"
				   "      - { name: a, role: admin, token_file: a }\n");
	const struct config_http *http = &config->http;

	(void)state;
	assert_int_equal(http->listen_count, 3);
	assert_int_equal(http->listen[0].kind, HTTP_LISTEN_UNIX);
	assert_string_equal(http->listen[0].host, "/run/x.sock");
	assert_int_equal(http->listen[1].kind, HTTP_LISTEN_PLAIN);
	assert_string_equal(http->listen[1].host, "127.0.0.1");
	assert_int_equal(http->listen[1].port, 8080);
	assert_int_equal(http->listen[2].kind, HTTP_LISTEN_TLS);
	assert_string_equal(http->listen[2].host, "::");
	assert_int_equal(http->listen[2].port, 8443);
	assert_non_null(strstr(http->certificate, "/c"));
	assert_int_equal(http->rate, 5);
	assert_int_equal(http->tokens[0].role, HTTP_ROLE_READ);
	assert_int_equal(http->tokens[1].role, HTTP_ROLE_OPERATE);
	assert_int_equal(http->tokens[2].role, HTTP_ROLE_ADMIN);
	assert_string_equal(http_role_name(HTTP_ROLE_OPERATE), "operate");
	config_destroy(config);
}

static void each_mistake_is_named(void **state)
{
	static const struct {
		const char *http, *finding;
	} cases[] = {
		{ "listen: [ \"ftp://x\" ]", "is no listener. Write unix:" },
		{ "listen: [ \"unix:http.sock\" ]", "names no absolute path" },
		{ "listen: [ \"http://127.0.0.1\" ], " TOKENS, "names no port" },
		{ "listen: [ \"http://localhost:80\" ], " TOKENS, "names a host" },
		{ "listen: [ \"http://192.0.2.1:80\" ], " TOKENS, "in clear. Write https://" },
		{ "listen: [ \"http://[::]:80\" ], " TOKENS, "in clear. Write https://" },
		{ "listen: [ \"https://[::]:8443\" ], " TOKENS, "`certificate` and `private_key`" },
		{ "listen: [ \"http://127.0.0.1:80\" ]", "has no `tokens`: nobody" },
		{ "tokens: [ { name: p, role: root, token_file: t } ]",
		  "Known: read, operate, admin" },
		{ "tokens: [ { name: p, role: none, token_file: t } ]",
		  "Known: read, operate, admin" },
		{ "tokens: [ { role: read, token_file: t } ]",
		  "`admin.http.tokens.name` is missing" },
		{ "tokens: [ { name: p, role: read, token_file: t }, "
		  "{ name: p, role: admin, token_file: u } ]",
		  "names `p` twice" },
		{ "rate: 0", "rate" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		char text[1024], found[4096];
		struct config *config;

		(void)snprintf(text, sizeof(text), BASE "admin: { http: { %s } }\n", cases[i].http);
		put("breakout.yaml", text);
		assert_int_equal(load(false, &config, found, sizeof(found)), -EINVAL);
		assert_non_null(strstr(found, "breakout.yaml:5:"));
		if (!strstr(found, cases[i].finding))
			fail_msg("%s: %s", cases[i].http, found);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		IN_FOLDER(without_the_key_there_is_no_http_side),
		IN_FOLDER(an_http_side_in_full),
		IN_FOLDER(each_mistake_is_named),
	};

	return cmocka_run_group_tests_name("config/http", tests, NULL, NULL);
}
