/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <errno.h>
#include <jansson.h>
#include <poll.h>
#include <pthread.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>
#include "base/metrics.h"
#include "tas/admin/admin.h"
#include "tas/admin/explain.h"
#include "tas/sip/endpoint.h"
#include "tas/sip/trace.h"

/* The doors below, as far as an operator looks. */

static struct mailbox *sip_mailbox;
static bool sip_thread_hangs;
static unsigned drained;
static char refreshed[E164_ROOM];

struct mailbox *sip_loop_mailbox(struct sip_loop *loop)
{
	(void)loop;
	return sip_mailbox;
}

size_t sip_endpoint_leg_count(const struct sip_endpoint *endpoint)
{
	(void)endpoint;
	return 4;
}

struct sip_trace *sip_endpoint_trace(const struct sip_endpoint *endpoint)
{
	return (struct sip_trace *)(uintptr_t)endpoint;
}

size_t sip_trace_each(const struct sip_trace *trace, const char *call,
		      void (*visit)(const struct sip_trace_entry *entry, void *arg), void *arg)
{
	struct sip_trace_entry entry = { .kind = SIP_TRACE_MESSAGE,
					 .at = 1700000000000,
					 .sent = true,
					 .transport = SIP_TRANSPORT_TLS,
					 .local = "192.0.2.1",
					 .remote = "192.0.2.2",
					 .local_port = 5061,
					 .remote_port = 40000,
					 .text = "BYE sip:\xff SIP/2.0, and more",
					 .length = 18 };

	if (!trace || strcmp(call, "0123456789abcdef") != 0)
		return 0;
	visit(&entry, arg);
	entry = (struct sip_trace_entry){ .kind = SIP_TRACE_NOTE, .text = "end", .length = 3 };
	visit(&entry, arg);
	return 2;
}

bool sip_trace_keeps(const struct sip_trace *trace)
{
	return trace != NULL;
}

int sip_trace_follow(struct sip_trace *trace, const struct sip_trace_follow *follow)
{
	(void)trace, (void)follow;
	return -ENOMEM;
}

void sip_trace_unfollow(struct sip_trace *trace)
{
	(void)trace;
}

wall_ms sip_trace_since(const struct sip_trace *trace)
{
	(void)trace;
	return 1600000000000;
}

enum sip_answers sip_endpoint_answers(const struct sip_endpoint *endpoint, const char *uri)
{
	(void)endpoint;
	return strcmp(uri, "sips:core.example.com") == 0 ? SIP_ANSWERS : SIP_SILENT;
}

static struct config config = {
	.domain = (char[]){ "tas.example.com" },
	.version = "0123456789abcdef",
	.cdr_file = (char[]){ "/var/log/cdr.jsonl" },
	.services = &(struct config_service){ .name = (char[]){ "loop" } },
	.service_count = 1,
	.core.sbc.uri = (char[]){ "sips:core.example.com" },
	.tenants = &(struct config_tenant){ .name = (char[]){ "acme" },
					    .sbc.uri = (char[]){ "sips:acme.example.com" } },
	.tenant_count = 1
};

const struct config *service_config(const struct service_room *room)
{
	(void)room;
	return &config;
}

json_t *explain(struct service_room *room, const json_t *question)
{
	(void)room;
	return json_pack("{s:O}", "asked", json_object_get(question, "called"));
}

void service_each_line(const struct service_room *room,
		       void (*visit)(const struct sip_line_info *info, void *arg), void *arg)
{
	struct sip_line_info info = { .peer = "pbx",
				      .uri = "sip:192.0.2.10",
				      .state = HEALTH_DOWN,
				      .since_ms = clock_now() - 61500,
				      .why = "no response in time",
				      .binding = "registered",
				      .calls = 7,
				      .failures = 3,
				      .peer_calls = 2,
				      .peer_calls_max = 30 };

	(void)room;
	visit(&info, arg);
	info.uri = "sip:192.0.2.11";
	info.state = HEALTH_UP;
	visit(&info, arg);
}

size_t call_room_count(const struct call_room *room)
{
	(void)room;
	return 2;
}

const char *call_verdict_name(enum call_verdict verdict)
{
	return verdict == VERDICT_ONE_WAY ? "one-way" : verdict == VERDICT_OK ? "ok" : "other";
}

size_t call_room_verdict_count(enum call_verdict verdict)
{
	return verdict == VERDICT_OK ? 2 : 0;
}

const char *call_bypass_name(enum call_bypass bypass)
{
	return bypass == CALL_BYPASS_OVERLOAD ? "overload" : "other";
}

const char *call_state_name(enum call_state state)
{
	return state == CALL_TALKING ? "TALKING" : "?";
}

void call_room_each(struct call_room *room, void (*visit)(const struct call_info *info, void *arg),
		    void *arg)
{
	struct call_info info = { .id = "0123456789abcdef",
				  .state = CALL_TALKING,
				  .direction = DIRECTION_MT,
				  .route_type = ROUTE_TYPE_FORK,
				  .number = "+4799000001",
				  .from = "\xff\"bad\"",
				  .verdict = VERDICT_ONE_WAY,
				  .verdict_why = "nothing arrives",
				  .media = true };

	(void)room;
	info.receipt[MEDIA_B].packets_in = 7;
	info.receipt[MEDIA_B].jitter_us = 2500;
	info.receipt[MEDIA_B].reported = true;
	info.receipt[MEDIA_B].reported_percent = 4;
	visit(&info, arg);
}

const char *reg_state_name(enum reg_state state)
{
	return state == REG_ACTIVE ? "active" : "other";
}

static void fill_reg(struct reg_info *info)
{
	*info = (struct reg_info){ .number = "+4799000001",
				   .route_type = ROUTE_TYPE_LOOP,
				   .state = REG_ACTIVE,
				   .expires_ms = clock_now() + 60500 };
}

int registrar_lookup(struct registrar *registrar, const char *number, struct reg_info *ret_info)
{
	(void)registrar;
	if (strcmp(number, "+4799000001") != 0)
		return -ENOENT;
	fill_reg(ret_info);
	return 0;
}

size_t registrar_list(struct registrar *registrar, const char *after, size_t max,
		      void (*visit)(const struct reg_info *info, void *arg), void *arg)
{
	struct reg_info info;

	(void)registrar;
	(void)max;
	if (after)
		return 0;
	fill_reg(&info);
	visit(&info, arg);
	return 1;
}

size_t registrar_attempts(struct registrar *registrar, const char *number,
			  struct reg_attempt *ret_attempts, size_t room)
{
	(void)registrar, (void)number, (void)room;
	ret_attempts[0] = (struct reg_attempt){ .at = clock_wall() - 5000, .text = "UNAVAILABLE" };
	return 1;
}

void registrar_refresh(struct registrar *registrar, const char *number)
{
	(void)registrar;
	snprintf(refreshed, sizeof(refreshed), "%s", number ? number : "all");
}

void registrar_summary(struct registrar *registrar, struct registrar_summary *ret_summary)
{
	(void)registrar;
	*ret_summary = (struct registrar_summary){
		.api_asked = true,
		.api_up = true,
		.tenant_count = 2,
		.tenants = { { .name = "default",
			       .asked = true,
			       .api_up = true,
			       .by_state = { [REG_ACTIVE] = 1 } },
			     { .name = "acme",
			       .down = true,
			       .leaving = true,
			       .margin_ms = 61000 } },
	};
	ret_summary->by_state[REG_ACTIVE] = 1;
}

/* Orders about numbers are test_numbers.c's. */
int registrar_order(struct registrar *registrar, const struct reg_order *order,
		    struct reg_outcome *ret_outcome)
{
	(void)registrar;
	*ret_outcome = (struct reg_outcome){ .count = { order->put_count } };
	return 0;
}

int registrar_find_added(struct registrar *registrar, const char *number,
			 struct reg_added *ret_added)
{
	(void)registrar;
	if (strcmp(number, "+4799000002") != 0)
		return -ENOENT;
	*ret_added = (struct reg_added){ .route_type = ROUTE_TYPE_LOOP };
	return 0;
}

static struct reg_pause paused;
static char resumed[PAUSE_NAME_ROOM];
static int pause_error;

const char *pause_scope_name(enum pause_scope scope)
{
	return scope == PAUSE_NUMBER ? "number" : scope == PAUSE_SERVICE ? "service" : "all";
}

int registrar_pause(struct registrar *registrar, const struct reg_pause *pause)
{
	(void)registrar;
	paused = *pause;
	return pause_error;
}

int registrar_resume(struct registrar *registrar, enum pause_scope scope, const char *what,
		     const char *who)
{
	(void)registrar, (void)scope, (void)who;
	snprintf(resumed, sizeof(resumed), "%s", what);
	return pause_error;
}

size_t registrar_pauses(struct registrar *registrar, struct reg_pause *ret_pauses, size_t room)
{
	(void)registrar;
	if (room)
		*ret_pauses = paused;
	return 1;
}

static char forgotten[64];

int registrar_forget_node(struct registrar *registrar, const char *node, const char *who,
			  struct registrar_forgotten *ret_forgotten)
{
	(void)registrar;
	*ret_forgotten = (struct registrar_forgotten){ .shards = 128, .seen_ms = 2500 };
	snprintf(forgotten, sizeof(forgotten), "%s by %s", node, *who ? "somebody" : "nobody");
	return !strcmp(node, "tas1") ? -EBUSY : !strcmp(node, "tas2") ? 0 : -ENOENT;
}

void registrar_fleet(struct registrar *registrar, struct registrar_fleet *ret_fleet)
{
	(void)registrar;
	*ret_fleet = (struct registrar_fleet){ .on = true,
					       .node = "tas1",
					       .standing = "good",
					       .shards = 256,
					       .alive = 1,
					       .node_count = 1 };
	ret_fleet->nodes[0] = (struct registrar_node){ .name = "tas1", .shards = 256 };
}

int registrar_owner(struct registrar *registrar, const char *number, char ret_node[static 64])
{
	(void)registrar, (void)number;
	strcpy(ret_node, "tas1");
	return 0;
}

void device_each(struct device_room *room, void (*visit)(const struct device_info *info, void *arg),
		 void *arg)
{
	const struct device_info info = { .name = "anna",
					  .uri = "sip:x@10.0.0.1",
					  .hop = "sip:192.0.2.1:5555;transport=tcp",
					  .user_agent = "\xff",
					  .expires_s = 60 };

	(void)room;
	visit(&info, arg);
}

static struct vitals_report vitals_seen;

void vitals_report(struct vitals *vitals, struct vitals_report *ret_report)
{
	(void)vitals;
	*ret_report = vitals_seen;
	for (int i = 0; i < VITAL_KIND_COUNT; i++)
		ret_report->signs[i].name = "dns";
}

static void drain(void *arg)
{
	(void)arg;
	drained++;
}

static const char *undrain(void *arg)
{
	(void)arg;
	if (!drained)
		return "nothing drains";
	drained = 0;
	return NULL;
}

static bool draining(void *arg)
{
	(void)arg;
	return drained > 0;
}

/* ---- the rig ---- */

static char path[64];
static struct admin *admin;

static struct admin_options options(void)
{
	return (struct admin_options){ .socket_path = path,
				       .config = &config,
				       .registrar = (struct registrar *)&config,
				       .service = (struct service_room *)&config,
				       .endpoint = (struct sip_endpoint *)&config,
				       .devices = (struct device_room *)&config,
				       .vitals = (struct vitals *)&config,
				       .drain = drain,
				       .undrain = undrain,
				       .draining = draining };
}

static int setup(void **state)
{
	struct admin_options wanted = options();

	(void)state;
	snprintf(path, sizeof(path), "/tmp/breakout-admin-%d.sock", (int)getpid());
	wanted.socket_path = path;
	drained = 0;
	sip_thread_hangs = false;
	assert_int_equal(mailbox_create(&sip_mailbox, NULL), 0);
	assert_int_equal(admin_create(&admin, &wanted), 0);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	admin = admin_destroy(admin);
	sip_mailbox = mailbox_destroy(sip_mailbox, NULL);
	assert_int_equal(access(path, F_OK), -1);
	return 0;
}

static int dial(void)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	memcpy(address.sun_path, path, sizeof(path));
	assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	return fd;
}

/* Plays the SIP thread while the answer comes. */
static json_t *ask(const char *request)
{
	int fd = dial();
	char answer[8192];
	size_t used = 0;
	json_t *json;

	assert_int_equal(write(fd, request, strlen(request)), strlen(request));
	for (;;) {
		struct pollfd fds[] = { { .fd = fd, .events = POLLIN },
					{ .fd = mailbox_fd(sip_mailbox), .events = POLLIN } };
		ssize_t n;

		assert_true(poll(fds, sip_thread_hangs ? 1 : 2, 10000) > 0);
		if (!sip_thread_hangs && fds[1].revents)
			mailbox_drain(sip_mailbox, 0);
		if (!fds[0].revents)
			continue;
		n = read(fd, answer + used, sizeof(answer) - used);
		if (n <= 0)
			break;
		used += (size_t)n;
	}
	close(fd);
	json = json_loadb(answer, used, 0, NULL);
	assert_non_null(json);
	return json;
}

static void assert_text(const json_t *json, const char *key, const char *wanted)
{
	assert_string_equal(json_string_value(json_object_get(json, key)), wanted);
}

static void status_tells_what_is_sick(void **state)
{
	json_t *json, *health, *check;

	(void)state;
	vitals_seen = (struct vitals_report){ .gate = HEALTH_GATE_REPORT,
					      .sick = true,
					      .why = "sip: it hangs" };
	vitals_seen.signs[0].does = HEALTH_DOES_WITHDRAW;
	vitals_seen.signs[0].vital = (struct vital){ .sick = true, .why = "it hangs" };
	json = ask("status\n");
	health = json_object_get(json, "health");
	assert_text(health, "gate", "report");
	assert_text(health, "why", "sip: it hangs");
	assert_true(json_is_true(json_object_get(health, "sick")));
	check = json_array_get(json_object_get(health, "checks"), 0);
	assert_text(check, "state", "sick");
	assert_text(check, "does", "withdraw");
	assert_text(check, "why", "it hangs");
	check = json_array_get(json_object_get(health, "checks"), 1);
	assert_text(check, "state", "off");
	assert_text(check, "why", "");
	json_decref(json);
}

static void status_joins_what_the_rooms_know(void **state)
{
	json_t *json = ask("status\n"), *tenant;

	(void)state;
	assert_text(json, "domain", "tas.example.com");
	assert_text(json, "config", "0123456789abcdef");
	assert_text(json, "cdr", "/var/log/cdr.jsonl");
	assert_int_equal(json_integer_value(json_object_get(json, "calls")), 2);
	assert_int_equal(json_integer_value(json_object_get(json, "legs")), 4);
	assert_true(json_is_true(json_object_get(json, "sbc_ok")));
	assert_true(json_is_false(json_object_get(json, "draining")));
	assert_null(json_object_get(json, "tenant_sbcs"));
	tenant = json_array_get(json_object_get(json, "tenants"), 0);
	assert_true(json_is_true(json_object_get(tenant, "sbc_ok")));
	tenant = json_array_get(json_object_get(json, "tenants"), 1);
	assert_true(json_is_false(json_object_get(tenant, "sbc_ok")));
	assert_string_equal(json_string_value(json_object_get(tenant, "name")), "acme");
	assert_true(json_is_true(json_object_get(tenant, "down")));
	assert_true(json_is_true(json_object_get(tenant, "leaving")));
	assert_true(json_is_null(json_object_get(tenant, "api_up"))); /* it was not asked */
	assert_int_equal(json_integer_value(json_object_get(tenant, "margin_s")), 61);
	assert_true(json_is_true(json_object_get(json, "api_up")));
	assert_int_equal(json_integer_value(
				 json_object_get(json_object_get(json, "registrations"), "active")),
			 1);
	json_decref(json);
}

static void registrations_are_listed_and_looked_up(void **state)
{
	json_t *json = ask("regs\r\n"), *one;

	(void)state;
	assert_int_equal(json_array_size(json_object_get(json, "registrations")), 1);
	json_decref(json);
	json = ask("regs +4799000001\n");
	assert_int_equal(json_array_size(json_object_get(json, "registrations")), 0);
	json_decref(json);
	one = ask("reg +4799000001\n");
	assert_text(one, "state", "active");
	assert_text(one, "route_type", "loop");
	assert_int_equal(json_integer_value(json_object_get(one, "expires_s")), 60);
	assert_text(json_array_get(json_object_get(one, "attempts"), 0), "error", "UNAVAILABLE");
	json_decref(one);
	one = ask("reg +47\n");
	assert_non_null(json_object_get(one, "error"));
	json_decref(one);
}

static void a_number_that_waits_for_its_service_says_so(void **state)
{
	json_t *json = ask("reg +4799000002\n");

	(void)state;
	assert_non_null(strstr(json_string_value(json_object_get(json, "error")),
			       "was added by the API and is not registered"));
	json_decref(json);
}

static void lines_of_numbers_follow_their_request(void **state)
{
	json_t *json = ask("import {\"length\":36}\n+4799000001,loop\n+4799000002,loop_mo\nrest");

	(void)state;
	assert_int_equal(
		json_integer_value(json_object_get(json_object_get(json, "added"), "count")), 2);
	assert_true(json_is_true(json_object_get(json, "applied")));
	json_decref(json);
	json = ask("import {}\n");
	assert_text(json, "error", "the lines are missing: number,route_type[,service[,tenant]]");
	json_decref(json);
	json = ask("import {\"length\":999999999999}\n");
	assert_non_null(json_object_get(json, "error"));
	json_decref(json);
}

static void devices_are_listed(void **state)
{
	json_t *json = ask("devices\n"), *device;

	(void)state;
	device = json_array_get(json_object_get(json, "devices"), 0);
	assert_text(device, "name", "anna");
	assert_text(device, "contact", "sip:x@10.0.0.1");
	assert_text(device, "user_agent", "?");
	assert_int_equal(json_integer_value(json_object_get(device, "expires_s")), 60);
	json_decref(json);
}

static void trunks_are_told_address_by_address(void **state)
{
	json_t *json = ask("trunks\n"), *lines = json_object_get(json, "trunks");
	json_t *line = json_array_get(lines, 0);

	(void)state;
	assert_int_equal(json_array_size(lines), 2);
	assert_text(line, "trunk", "pbx");
	assert_text(line, "address", "sip:192.0.2.10");
	assert_text(line, "state", "down");
	assert_text(line, "last_failure", "no response in time");
	assert_text(line, "registered", "registered");
	assert_int_equal(json_integer_value(json_object_get(line, "since_s")), 61);
	assert_int_equal(json_integer_value(json_object_get(line, "failures")), 3);
	assert_int_equal(json_integer_value(json_object_get(line, "calls_max")), 30);
	json_decref(json);
	json = ask("status\n");
	assert_int_equal(json_integer_value(json_object_get(json, "trunk_addresses")), 2);
	assert_int_equal(json_integer_value(json_object_get(json, "trunk_addresses_down")), 1);
	json_decref(json);
}

static void calls_with_hostile_texts_are_still_json(void **state)
{
	json_t *json = ask("calls\n");
	json_t *call = json_array_get(json_object_get(json, "calls"), 0);

	(void)state;
	assert_text(call, "state", "TALKING");
	assert_text(call, "from", "?\"bad\"");
	assert_int_equal(
		json_integer_value(json_object_get(json_object_get(call, "b"), "packets_in")), 7);
	json_decref(json);
}

static void what_was_said_in_a_call_is_told(void **state)
{
	json_t *json = ask("trace 0123456789abcdef\n"), *entries, *first;

	(void)state;
	assert_text(json, "call", "0123456789abcdef");
	entries = json_object_get(json, "entries");
	assert_int_equal(json_array_size(entries), 2);
	first = json_array_get(entries, 0);
	assert_text(first, "text", "BYE sip:? SIP/2.0,");
	assert_text(first, "transport", "tls");
	assert_text(first, "remote", "192.0.2.2");
	assert_true(json_is_true(json_object_get(first, "sent")));
	assert_text(json_array_get(entries, 1), "kind", "note");
	assert_null(json_object_get(json_array_get(entries, 1), "sent"));
	json_decref(json);
	json = ask("trace other\n");
	assert_non_null(strstr(json_string_value(json_object_get(json, "error")), "too long ago"));
	json_decref(json);
}

static void expect_refusal(const char *request, const char *words)
{
	json_t *answer = ask(request);

	assert_non_null(strstr(json_string_value(json_object_get(answer, "error")), words));
	json_decref(answer);
}

static void an_order_to_pause_says_who_why_and_how_long(void **state)
{
	json_t *answer;

	(void)state;
	json_decref(ask("pause {\"number\":\"+4799000001\",\"why\":\"moving\",\"for_s\":60}\n"));
	assert_int_equal(paused.scope, PAUSE_NUMBER);
	assert_string_equal(paused.what, "+4799000001");
	assert_string_equal(paused.why, "moving");
	assert_true(*paused.who);
	assert_int_equal(paused.until - paused.since, 60000);
	answer = ask("pauses\n");
	assert_int_equal(json_array_size(json_object_get(answer, "pauses")), 1);
	json_decref(answer);
	json_decref(ask("pause {\"service\":\"desk\",\"why\":\"moving\"}\n"));
	assert_int_equal(paused.scope, PAUSE_SERVICE);
	assert_int_equal(paused.until, 0);
	json_decref(ask("resume {\"service\":\"desk\"}\n"));
	assert_string_equal(resumed, "desk");
	json_decref(ask("pause {\"all\":true,\"why\":\"moving\"}\n"));
	assert_int_equal(paused.scope, PAUSE_ALL);
}

static void an_order_to_pause_that_is_unclear_is_refused(void **state)
{
	(void)state;
	expect_refusal("pause {\"all\":true}\n", "say why");
	expect_refusal("pause {\"all\":true,\"why\":\"a\\nb\"}\n", "say why");
	expect_refusal("pause {\"why\":\"a\"}\n", "say one of");
	expect_refusal("pause nonsense\n", "say one of");
	expect_refusal("pause {\"all\":true,\"service\":\"a\",\"why\":\"a\"}\n", "say one of");
	expect_refusal("pause {\"number\":\"112\",\"why\":\"a\"}\n", "E.164");
	expect_refusal("pause {\"all\":true,\"why\":\"a\",\"for_s\":0}\n", "for_s");
	pause_error = -ENOTSUP;
	expect_refusal("pause {\"all\":true,\"why\":\"a\"}\n", "store.sqlite");
	pause_error = -ENOENT;
	expect_refusal("pause {\"service\":\"a\",\"why\":\"a\"}\n", "no service");
	expect_refusal("resume {\"all\":true}\n", "no such pause");
	pause_error = 0;
}

static void where_no_number_can_be_traced_that_is_said(void **state)
{
	(void)state;
	expect_refusal("traced\n", "trace.dir_size is 0");
	expect_refusal("trace_on {\"number\":\"+4799000001\"}\n", "trace.dir_size is 0");
	expect_refusal("trace_off {\"all\":true}\n", "trace.dir_size is 0");
}

static void a_dead_node_is_forgotten_by_somebodys_word(void **state)
{
	json_t *answer;

	(void)state;
	answer = ask("forget {\"node\":\"tas2\"}\n");
	assert_int_equal(json_integer_value(json_object_get(answer, "shards")), 128);
	assert_string_equal(forgotten, "tas2 by somebody");
	json_decref(answer);
	expect_refusal("forget {\"node\":\"tas1\"}\n", "it was seen 2.5 s ago");
	expect_refusal("forget {\"node\":\"tas3\"}\n", "no node of this name");
	expect_refusal("forget tas2\n", "say which node");
}

static void refresh_and_drain_reach_their_rooms(void **state)
{
	json_t *answer;

	(void)state;
	json_decref(ask("refresh\n"));
	assert_string_equal(refreshed, "all");
	json_decref(ask("refresh +4799000001\n"));
	assert_string_equal(refreshed, "+4799000001");
	json_decref(ask("drain\n"));
	assert_int_equal(drained, 1);
	answer = ask("undrain\n");
	assert_true(json_is_false(json_object_get(answer, "draining")));
	json_decref(answer);
	assert_int_equal(drained, 0);
	answer = ask("undrain\n");
	assert_text(answer, "error", "nothing drains");
	json_decref(answer);
}

static void metrics_are_told_by_name(void **state)
{
	static struct metric some = METRIC_COUNTER_INIT("breakout_some_total", "a=\"b\"", "Some");
	json_t *json;

	(void)state;
	metric_add(&some, 3);
	json = ask("metrics\n");
	assert_true(json_array_size(json_object_get(json, "metrics")) >= 1);
	json_decref(json);
}

static void an_explanation_is_asked_for_with_a_document(void **state)
{
	json_t *json = ask("explain {\"called\":\"+4799000001\"}\n");

	(void)state;
	assert_text(json, "asked", "+4799000001");
	json_decref(json);
}

static void rubbish_gets_a_sentence(void **state)
{
	static const char *const requests[] = { "\n",
						"nonsense\n",
						"explain\n",
						"explain [1]\n",
						"explain {\n",
						"status 1\n",
						"reg\n",
						"reg 9999999999999999999999999999999999"
						"99999999999999999999999999999999999\n" };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(requests); i++) {
		json_t *json = ask(requests[i]);

		assert_non_null(json_object_get(json, "error"));
		json_decref(json);
	}
}

static void endless_request_is_hung_up_on(void **state)
{
	int fd = dial();
	char flood[32768], byte;

	(void)state;
	memset(flood, 'x', sizeof(flood));
	assert_true(send(fd, flood, sizeof(flood), MSG_NOSIGNAL) > 0);
	assert_true(read(fd, &byte, 1) <= 0);
	close(fd);
	json_decref(ask("status\n"));
}

static void hanging_sip_thread_is_reported(void **state)
{
	json_t *json;

	(void)state;
	sip_thread_hangs = true;
	json = ask("calls\n");
	assert_non_null(json_object_get(json, "error"));
	json_decref(json);
	mailbox_drain(sip_mailbox, 0); /* the late answer finds nobody and harms nobody */
}

static void socket_is_for_owner_and_group(void **state)
{
	struct stat st;

	(void)state;
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0660);
}

static void live_socket_is_left_alone(void **state)
{
	struct admin_options wanted = options();
	struct admin *second = NULL;

	(void)state;
	assert_int_equal(admin_create(&second, &wanted), -EADDRINUSE);
	assert_null(second);
	json_decref(ask("status\n"));
}

static void stale_socket_is_replaced(void **state)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	struct admin_options wanted = options();
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	(void)state;
	admin = admin_destroy(admin);
	memcpy(address.sun_path, path, sizeof(path));
	assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	close(fd); /* as a crash leaves it */
	assert_int_equal(admin_create(&admin, &wanted), 0);
}

static void impossible_path_is_an_error(void **state)
{
	struct admin_options wanted = options();
	struct admin *other = NULL;
	char longer[200];

	(void)state;
	wanted.socket_path = "/nowhere/at/all.sock";
	assert_int_equal(admin_create(&other, &wanted), -ENOENT);
	memset(longer, 'x', sizeof(longer) - 1);
	longer[sizeof(longer) - 1] = '\0';
	wanted.socket_path = longer;
	assert_int_equal(admin_create(&other, &wanted), -ENAMETOOLONG);
	assert_null(other);
}

static void say_start(struct str *to, void *arg)
{
	str_addf(to, "starts: %s", (const char *)arg);
}

static int inherit_from_herald(const char *name, void *arg)
{
	struct admin_herald **herald = arg;
	int fd = admin_herald_end(*herald);

	assert_true(str_starts(name, "unix:/tmp/breakout-admin-"));
	*herald = NULL;
	return fd;
}

/* Who asks while one takes the other's place is answered by that one. */
static void before_the_rooms_are_there_the_socket_says_so(void **state)
{
	static const char *const questions[] = { "status\n", "import {\"length\":3}\nabc", "?\n" };
	struct admin_options wanted = options();
	struct admin_herald *herald = NULL, *other = NULL;
	json_t *json;

	(void)state;
	admin = admin_destroy(admin);
	assert_int_equal(admin_herald_create(&herald, path, say_start, (char[]){ "reads" }), 0);
	for (size_t i = 0; i < ARRAY_SIZE(questions); i++) {
		json = ask(questions[i]);
		assert_text(json, "error", "starts: reads");
		json_decref(json);
	}
	assert_int_equal(admin_herald_create(&other, path, say_start, NULL), -EADDRINUSE);
	wanted.inherit = inherit_from_herald;
	wanted.arg = &herald;
	assert_int_equal(admin_create(&admin, &wanted), 0);
	assert_null(herald);
	json = ask("status\n");
	assert_text(json, "domain", "tas.example.com");
	json_decref(json);
}

static void a_start_that_fails_leaves_no_socket(void **state)
{
	struct admin_herald *herald = NULL;

	(void)state;
	admin = admin_destroy(admin);
	assert_int_equal(admin_herald_create(&herald, path, say_start, (char[]){ "x" }), 0);
	assert_null(admin_herald_destroy(herald));
	assert_int_equal(access(path, F_OK), -1);
	assert_null(admin_herald_destroy(NULL));
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(status_joins_what_the_rooms_know),
		T(status_tells_what_is_sick),
		T(registrations_are_listed_and_looked_up),
		T(a_number_that_waits_for_its_service_says_so),
		T(lines_of_numbers_follow_their_request),
		T(trunks_are_told_address_by_address),
		T(calls_with_hostile_texts_are_still_json),
		T(devices_are_listed),
		T(what_was_said_in_a_call_is_told),
		T(an_order_to_pause_says_who_why_and_how_long),
		T(an_order_to_pause_that_is_unclear_is_refused),
		T(where_no_number_can_be_traced_that_is_said),
		T(a_dead_node_is_forgotten_by_somebodys_word),
		T(refresh_and_drain_reach_their_rooms),
		T(metrics_are_told_by_name),
		T(an_explanation_is_asked_for_with_a_document),
		T(rubbish_gets_a_sentence),
		T(endless_request_is_hung_up_on),
		T(hanging_sip_thread_is_reported),
		T(socket_is_for_owner_and_group),
		T(live_socket_is_left_alone),
		T(stale_socket_is_replaced),
		T(impossible_path_is_an_error),
		T(before_the_rooms_are_there_the_socket_says_so),
		T(a_start_that_fails_leaves_no_socket),
	};

	return cmocka_run_group_tests_name("tas/admin/admin", tests, NULL, NULL);
}
