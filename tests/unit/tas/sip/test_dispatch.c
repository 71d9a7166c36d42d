/* SPDX-License-Identifier: Apache-2.0 */
/* test_dispatch.c - the torture messages of RFC 4475, each over a connection of
 * its own, each with its verdict; and the endpoint serves on after every one.
 *
 * The messages are the RFC's, with the transport in Via set to the one used
 * (RFC 3261 section 18.1.1 forbids any other).
 */
#include "tests/unit/tas/sip/wire.h"

/* The status a message must get; "100": a call came in; "-": none, because sofia
 * cannot find a usable Via in it (badinv01), a NUL ends its reading (intmeth),
 * it is a response, or its end has not come (clerr, baddn as published). */
static const struct {
	const char *name, *verdict;
} verdicts[] = {
	{ "wsinv", "481" },      { "intmeth", "-" },    { "esc01", "100" },
	{ "escnull", "405" },    { "esc02", "405" },    { "lwsdisp", "200" },
	{ "longreq", "100" },    { "dblreq", "405" },   { "semiuri", "200" },
	{ "transports", "200" }, { "mpart01", "405" },  { "unreason", "-" },
	{ "noreason", "-" },     { "badinv01", "-" },   { "clerr", "-" },
	{ "ncl", "400" },        { "scalar02", "400" }, { "scalarlg", "-" },
	{ "quotbal", "400" },    { "ltgtruri", "400" }, { "lwsruri", "-" },
	{ "lwsstart", "100" },   { "trws", "200" },     { "escruri", "400" },
	{ "baddate", "100" },    { "regbadct", "400" }, { "badaspec", "200" },
	{ "baddn", "-" },        { "badvers", "505" },  { "mismatch01", "400" },
	{ "mismatch02", "400" }, { "bigcode", "-" },    { "badbranch", "200" },
	{ "insuf", "400" },      { "unkscm", "416" },   { "novelsc", "416" },
	{ "unksm2", "405" },     { "bext01", "420" },   { "invut", "415" },
	{ "regaut01", "405" },   { "multi01", "400" },  { "mcl01", "400" },
	{ "bcast", "-" },        { "zeromf", "200" },   { "cparam01", "405" },
	{ "cparam02", "405" },   { "regescrt", "405" }, { "sdp01", "100" },
	{ "inv2543", "400" },
};

static struct wire wire;

/* Reads a message and puts our transport in its Vias. */
static size_t load(const char *name, char *room, size_t size)
{
	char path[128];
	FILE *file;
	size_t length;

	(void)snprintf(path, sizeof(path), "tests/data/rfc4475/%s.dat", name);
	file = fopen(path, "rb");
	if (!file)
		fail_msg("%s cannot be opened", path);
	length = fread(room, 1, size, file);
	fclose(file);
	for (size_t i = 0; i + 4 < length; i++)
		if (memcmp(room + i, "/UDP", 4) == 0 || memcmp(room + i, "/TLS", 4) == 0)
			memcpy(room + i, "/TCP", 4);
	return length;
}

/* The status that came back, "-" for none. */
static void exchange(const char *name, char ret_status[4])
{
	static char bytes[20000];
	size_t length = load(name, bytes, sizeof(bytes));
	const char *response;

	memset(&scene.callee, 0, sizeof(scene.callee));
	wire_open(&wire, SOCK_STREAM, sip_endpoint_port(scene.b, 0));
	wire_send_raw(&wire, bytes, length);
	for (int i = 0; i < 20 && !strstr(wire.got, "SIP/2.0 "); i++)
		wire_poll(&wire);
	response = strstr(wire.got, "SIP/2.0 ");
	(void)snprintf(ret_status, 4, "%.3s",
		       response == wire.got && response ? response + 8 : "-");
	scene.callee.leg = leg_release(scene.callee.leg, NULL);
	wire_close(&wire);
	scene_settle();
}

static void serves_on(void)
{
	wire_open(&wire, SOCK_STREAM, sip_endpoint_port(scene.b, 0));
	wire_request(&wire, "OPTIONS", "sip:127.0.0.1", "TCP", "", "");
	wire_expect(&wire, "SIP/2.0 200 ");
	wire_close(&wire);
}

static void every_torture_message_gets_its_verdict(void **state)
{
	struct config_listen listen;
	struct sip_endpoint_options options;
	unsigned wrong = 0;
	char status[4];

	(void)state;
	scene_open();
	options = scene_options(&listen, SIP_TRANSPORT_TCP);
	scene.a = scene_endpoint(&options);
	scene.b = scene_endpoint(&options);
	for (size_t i = 0; i < ARRAY_SIZE(verdicts); i++) {
		exchange(verdicts[i].name, status);
		if (strcmp(status, verdicts[i].verdict) != 0) {
			print_error("%s: %s, not %s\n", verdicts[i].name, status,
				    verdicts[i].verdict);
			wrong++;
		}
		serves_on();
	}
	assert_int_equal(wrong, 0);
	scene_close();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_torture_message_gets_its_verdict),
	};

	return cmocka_run_group_tests_name("tas/sip/dispatch", tests, NULL, NULL);
}
