/* SPDX-License-Identifier: Apache-2.0 */
/* test_resolver.c - a zone of a few lines answers, at once or when told to. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
/* cmocka wants the four above before it */
#include <cmocka.h>

#include <errno.h>

#include "base/log.h"
#include "base/macros.h"
#include "tas/sip/resolver.h"

#define ALL (1u << SIP_TRANSPORT_UDP | 1u << SIP_TRANSPORT_TCP | 1u << SIP_TRANSPORT_TLS)

/* What the DNS holds. */
struct entry {
	const char *name;
	enum dns_type type;
	unsigned ttl_s, priority, weight, port;
	const char *service, *text;
};

struct waiting {
	char name[300];
	enum dns_type type;
	dns_answer_fn *on_answer;
	void *arg;
};

static struct {
	const struct entry *entries;
	size_t count;
	int err;   /* instead of any answer */
	bool late; /* answers come with answer_now() */
	struct waiting waiting[16];
	size_t waiting_count;
	char asked[600]; /* "NAPTR pbx " */
} zone;

static struct timer_wheel *wheel;
static struct resolver *resolver;
static struct resolver_name *name;
static unsigned changes;

static void answer(const struct waiting *question)
{
	struct dns_answer found = { .ttl_s = UINT32_MAX };

	for (size_t i = 0; i < zone.count && !zone.err; i++) {
		const struct entry *entry = &zone.entries[i];
		struct dns_record *record = &found.records[found.count];

		if (entry->type != question->type || strcmp(entry->name, question->name) != 0)
			continue;
		record->priority = (uint16_t)entry->priority;
		record->weight = (uint16_t)entry->weight;
		record->port = (uint16_t)entry->port;
		(void)snprintf(record->service, sizeof(record->service), "%s",
			       entry->service ? entry->service : "");
		(void)snprintf(record->text, sizeof(record->text), "%s", entry->text);
		found.ttl_s = entry->ttl_s < found.ttl_s ? entry->ttl_s : found.ttl_s;
		found.count++;
	}
	question->on_answer(zone.err, zone.err ? NULL : &found, question->arg);
}

static void ask(void *asked, const char *host, enum dns_type type, dns_answer_fn *on_answer,
		void *arg)
{
	const char *word = type == DNS_A      ? "A"
			   : type == DNS_AAAA ? "AAAA"
			   : type == DNS_SRV  ? "SRV"
					      : "NAPTR";
	struct waiting question = { .type = type, .on_answer = on_answer, .arg = arg };
	size_t used = strlen(zone.asked);

	(void)asked;
	(void)snprintf(zone.asked + used, sizeof(zone.asked) - used, "%s %s ", word, host);
	(void)snprintf(question.name, sizeof(question.name), "%s", host);
	if (zone.late)
		zone.waiting[zone.waiting_count++] = question;
	else
		answer(&question);
}

static void answer_now(void)
{
	while (zone.waiting_count)
		answer(&zone.waiting[--zone.waiting_count]);
}

static void on_change(void *arg)
{
	(void)arg;
	changes++;
}

static void ignore(enum log_level level, const char *area, const char *line, void *arg)
{
	(void)level;
	(void)area;
	(void)line;
	(void)arg;
}

static void open_resolver(unsigned transports)
{
	const struct resolver_options options = { .ask = ask,
						  .wheel = wheel,
						  .transports = transports,
						  .ipv4 = true,
						  .ipv6 = true,
						  .hosts_path = "/dev/null" };

	assert_int_equal(resolver_create(&resolver, &options), 0);
}

static int set_up(void **state)
{
	(void)state;
	memset(&zone, 0, sizeof(zone));
	changes = 0;
	clock_fake_set(1000);
	log_set_sink(ignore, NULL);
	assert_int_equal(timer_wheel_create(&wheel, clock_now()), 0);
	open_resolver(ALL);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	name = resolver_unwatch(name);
	answer_now(); /* late answers find nobody */
	resolver = resolver_destroy(resolver);
	wheel = timer_wheel_destroy(wheel);
	log_set_sink(NULL, NULL);
	clock_real();
	return 0;
}

static void holds(const struct entry *entries, size_t count)
{
	zone.entries = entries;
	zone.count = count;
}
#define HOLDS(entries) holds(entries, ARRAY_SIZE(entries))

static void watch(const char *uri)
{
	assert_int_equal(resolver_watch(&name, resolver, uri, on_change, NULL), 0);
}

/* "10.0.0.1:5060/udp 10.0.0.2:5060/udp" */
static const char *targets(void)
{
	static char text[600];
	const struct resolver_target *list;
	size_t count = resolver_targets(name, &list), used = 0;

	text[0] = '\0';
	for (size_t i = 0; i < count; i++)
		used += (size_t)snprintf(text + used, sizeof(text) - used, "%s%s:%u/%s",
					 i ? " " : "", list[i].address, list[i].port,
					 sip_transport_name(list[i].transport));
	return text;
}

static void pass(unsigned s)
{
	for (unsigned i = 0; i < s * 10; i++) {
		clock_fake_advance(100);
		(void)timer_wheel_advance(wheel, clock_now(), 0);
	}
}

static const struct entry simple[] = {
	{ .name = "pbx.test", .type = DNS_A, .ttl_s = 60, .text = "10.0.0.1" },
};

static void naptr_chooses_transport_and_srv_the_hosts(void **state)
{
	static const struct entry entries[] = {
		{ "pbx.test", DNS_NAPTR, 60, 20, 1, 0, "SIP+D2U", "_sip._udp.other.test" },
		{ "pbx.test", DNS_NAPTR, 60, 10, 2, 0, "SIP+D2T", "_sip._tcp.other.test" },
		{ "pbx.test", DNS_NAPTR, 60, 10, 1, 0, "E2U+sip", "nowhere.test" },
		{ "_sip._tcp.other.test", DNS_SRV, 60, 2, 0, 5070, NULL, "b.test" },
		{ "_sip._tcp.other.test", DNS_SRV, 60, 1, 0, 5060, NULL, "a.test" },
		{ "a.test", DNS_A, 60, 0, 0, 0, NULL, "10.0.0.2" },
		{ "a.test", DNS_AAAA, 60, 0, 0, 0, NULL, "2001:db8::1" },
		{ "b.test", DNS_A, 60, 0, 0, 0, NULL, "10.0.0.1" },
	};

	(void)state;
	HOLDS(entries);
	watch("sip:pbx.test");
	assert_string_equal(targets(), "10.0.0.2:5060/tcp 2001:db8::1:5060/tcp 10.0.0.1:5070/tcp");
	assert_int_equal(changes, 1);
	assert_true(resolver_settled(resolver));
}

static void a_sips_name_goes_nowhere_but_to_tls(void **state)
{
	static const struct entry entries[] = {
		{ "sbc.test", DNS_NAPTR, 60, 1, 1, 0, "SIP+D2T", "_sip._tcp.sbc.test" },
		{ "_sip._tcp.sbc.test", DNS_SRV, 60, 1, 0, 5060, NULL, "a.test" },
		{ "_sips._tcp.sbc.test", DNS_SRV, 60, 1, 0, 5063, NULL, "a.test" },
		{ "a.test", DNS_A, 60, 0, 0, 0, NULL, "10.0.0.2" },
	};
	char uri[RESOLVER_HOP_ROOM];

	(void)state;
	HOLDS(entries);
	watch("sips:sbc.test");
	assert_string_equal(targets(), "10.0.0.2:5063/tls");
	assert_true(resolver_find(resolver, "SBC.test", 0, SIP_TRANSPORT_TLS, uri));
	/* RFC 5922: the certificate must carry the name we were given. */
	assert_string_equal(uri, "sips:sbc.test:5063;maddr=10.0.0.2");
	assert_false(resolver_find(resolver, "sbc.test", 5061, SIP_TRANSPORT_TLS, uri));
	assert_false(resolver_find(resolver, "sbc.test", 0, SIP_TRANSPORT_UDP, uri));
}

static void what_the_uri_says_is_not_asked_for(void **state)
{
	(void)state;
	HOLDS(simple);
	watch("sip:pbx.test:5080");
	assert_string_equal(zone.asked, "A pbx.test AAAA pbx.test ");
	assert_string_equal(targets(), "10.0.0.1:5080/udp");
	name = resolver_unwatch(name);
	zone.asked[0] = '\0';
	watch("sip:pbx.test;transport=tcp");
	assert_string_equal(zone.asked, "SRV _sip._tcp.pbx.test A pbx.test AAAA pbx.test ");
	assert_string_equal(targets(), "10.0.0.1:5060/tcp");
	assert_int_equal(resolver_watch(&name, resolver, "sip:192.0.2.1", on_change, NULL),
			 -EINVAL);
}

static void without_records_of_services_the_host_itself_is_called(void **state)
{
	(void)state;
	HOLDS(simple);
	watch("sip:pbx.test");
	assert_string_equal(zone.asked, "NAPTR pbx.test SRV _sip._udp.pbx.test "
					"SRV _sip._tcp.pbx.test A pbx.test AAAA pbx.test ");
	assert_string_equal(targets(), "10.0.0.1:5060/udp");
}

static void a_transport_we_have_no_port_for_is_not_chosen(void **state)
{
	static const struct entry entries[] = {
		{ "pbx.test", DNS_NAPTR, 60, 1, 1, 0, "SIP+D2T", "_sip._tcp.pbx.test" },
		{ "_sip._tcp.pbx.test", DNS_SRV, 60, 1, 0, 5060, NULL, "pbx.test" },
		{ "pbx.test", DNS_A, 60, 0, 0, 0, NULL, "10.0.0.1" },
	};

	(void)state;
	resolver = resolver_destroy(resolver);
	open_resolver(1u << SIP_TRANSPORT_UDP);
	HOLDS(entries);
	watch("sip:pbx.test");
	assert_string_equal(targets(), "10.0.0.1:5060/udp");
}

static void a_service_that_is_not_offered_leads_nowhere(void **state)
{
	static const struct entry entries[] = {
		{ "_sip._udp.pbx.test", DNS_SRV, 60, 0, 0, 0, NULL, "" },
		{ "pbx.test", DNS_A, 60, 0, 0, 0, NULL, "10.0.0.1" },
	};

	(void)state;
	HOLDS(entries);
	watch("sip:pbx.test;transport=udp");
	assert_string_equal(targets(), "");
	assert_true(resolver_settled(resolver));
}

static void an_address_is_asked_for_again_when_its_time_is_over(void **state)
{
	static const struct entry moved[] = {
		{ .name = "pbx.test", .type = DNS_A, .ttl_s = 60, .text = "10.0.0.9" },
	};

	(void)state;
	HOLDS(simple);
	watch("sip:pbx.test:5060");
	HOLDS(moved);
	pass(59);
	assert_string_equal(targets(), "10.0.0.1:5060/udp");
	pass(2);
	assert_string_equal(targets(), "10.0.0.9:5060/udp");
	assert_int_equal(changes, 2);
	pass(120);
	assert_int_equal(changes, 2); /* the same is no change */
}

static void servers_that_turn_their_lists_change_nothing(void **state)
{
	static const struct entry one[] = {
		{ "pbx.test", DNS_A, 1, 0, 0, 0, NULL, "10.0.0.1" },
		{ "pbx.test", DNS_A, 1, 0, 0, 0, NULL, "10.0.0.2" },
	}, other[] = {
		{ "pbx.test", DNS_A, 1, 0, 0, 0, NULL, "10.0.0.2" },
		{ "pbx.test", DNS_A, 1, 0, 0, 0, NULL, "10.0.0.1" },
	};

	(void)state;
	HOLDS(one);
	watch("sip:pbx.test:5060");
	HOLDS(other);
	pass(3);
	assert_int_equal(changes, 1);
}

static void what_was_known_holds_for_a_day_without_a_dns(void **state)
{
	(void)state;
	HOLDS(simple);
	watch("sip:pbx.test:5060");
	zone.err = -EHOSTUNREACH;
	pass(23 * 3600);
	assert_string_equal(targets(), "10.0.0.1:5060/udp");
	pass(3700);
	assert_string_equal(targets(), "");
	zone.err = 0;
	pass(6);
	assert_string_equal(targets(), "10.0.0.1:5060/udp");
}

static void answers_after_nobody_asks_any_more_are_dropped(void **state)
{
	(void)state;
	HOLDS(simple);
	zone.late = true;
	watch("sip:pbx.test");
	assert_false(resolver_settled(resolver));
	name = resolver_unwatch(name);
	answer_now();
	assert_int_equal(changes, 0);
	watch("sip:pbx.test:5060");
	answer_now();
	assert_string_equal(targets(), "10.0.0.1:5060/udp");
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(naptr_chooses_transport_and_srv_the_hosts),
		TEST(a_sips_name_goes_nowhere_but_to_tls),
		TEST(what_the_uri_says_is_not_asked_for),
		TEST(without_records_of_services_the_host_itself_is_called),
		TEST(a_transport_we_have_no_port_for_is_not_chosen),
		TEST(a_service_that_is_not_offered_leads_nowhere),
		TEST(an_address_is_asked_for_again_when_its_time_is_over),
		TEST(servers_that_turn_their_lists_change_nothing),
		TEST(what_was_known_holds_for_a_day_without_a_dns),
		TEST(answers_after_nobody_asks_any_more_are_dropped),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
