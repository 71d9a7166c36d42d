/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/fake/folder.h"
#include "tests/fake/service_rig.h"

#include <unistd.h>

#include "tas/sip/digest.h"

static char password_path[200];
static struct sip_source source;
static struct service_room *room;
static struct config_trunk trunks[2];
static struct config config;

static int set_up(void **state)
{
	struct sockaddr_in *v4 = (struct sockaddr_in *)&source.address;
	FILE *file;

	if (rig_setup(state) || folder_make())
		return -1;
	snprintf(password_path, sizeof(password_path), "%s/password", folder);
	file = fopen(password_path, "w");
	if (!file || fputs("secret\n", file) < 0 || fclose(file))
		return -1;
	v4->sin_family = AF_INET;
	inet_pton(AF_INET, "192.0.2.77", &v4->sin_addr);
	config = ((struct service_rig *)*state)->config;
	trunks[0] = rig_trunks[0];
	trunks[1] = rig_trunks[1];
	trunks[0].ingress_auth = (struct config_trunk_auth){ .username = TEXT("pbx"),
							     .password_file = password_path };
	config.trunks = trunks;
	return service_create(&room, &(struct service_options){ .config = &config });
}

static int tear_down(void **state)
{
	room = service_destroy(room);
	return folder_remove() || rig_teardown(state);
}

static int ask(int peer, const char *answer, struct sip_demand *ret_demand)
{
	const struct sip_proof proof = { .peer = peer,
					 .source = &source,
					 .method = "INVITE",
					 .answers = &answer,
					 .answer_count = answer ? 1 : 0 };

	memset(ret_demand, 0, sizeof(*ret_demand));
	return service_authenticate(room, &proof, ret_demand);
}

static void forget(struct sip_demand *demand)
{
	for (size_t i = 0; i < demand->count; i++)
		free(demand->challenges[i]);
}

/* Challenged as trunk 1, then what the room says of this client's answer. */
static int dialogue(const char *username, const char *password)
{
	struct digest_identity *identity = NULL;
	struct digest_session session = { 0 };
	struct digest_answer said;
	struct sip_demand demand, again;
	int status;

	assert_int_equal(ask(1, NULL, &demand), 401);
	assert_int_equal(
		digest_identity_create(&identity,
				       &(struct digest_identity_options){ .username = username,
									  .password = password }),
		0);
	assert_int_equal(digest_answer(identity, &session, "INVITE", "sip:x@tas",
				       (const char *const *)demand.challenges, demand.count, &said),
			 0);
	status = ask(1, said.text, &again);
	if (status == 0) { /* captured by somebody who listens */
		assert_int_equal(ask(1, said.text, &again), 401);
		assert_non_null(strstr(again.challenges[0], "stale=true"));
	}
	forget(&demand);
	forget(&again);
	free(said.text);
	digest_identity_unref(identity);
	return status;
}

static void core_and_other_trunks_are_not_asked(void **state)
{
	struct sip_demand demand;

	(void)state;
	assert_int_equal(ask(SERVICE_PEER_CORE, NULL, &demand), 0);
	assert_int_equal(ask(2, NULL, &demand), 0);
	assert_int_equal(ask(9, NULL, &demand), 0); /* is refused later on */
}

static void trunk_with_the_password_may_call(void **state)
{
	(void)state;
	assert_int_equal(dialogue("pbx", "secret"), 0);
}

static void trunk_without_it_may_not(void **state)
{
	(void)state;
	assert_int_equal(dialogue("pbx", "guess"), 403);
	assert_int_equal(dialogue("PBX", "secret"), 403);
	assert_int_equal(dialogue("pbx", ""), 403);
}

static void challenge_is_for_our_realm_and_strong(void **state)
{
	struct sip_demand demand;

	(void)state;
	assert_int_equal(ask(1, "Digest realm=\"other\", nonce=\"x\"", &demand), 401);
	assert_int_equal(demand.count, 2);
	assert_non_null(strstr(demand.challenges[0], "realm=\"tas.example.com\""));
	assert_null(strstr(demand.challenges[1], "MD5"));
	forget(&demand);
	trunks[0].ingress_auth.md5 = true;
	assert_int_equal(ask(1, NULL, &demand), 401);
	assert_int_equal(demand.count, 3);
	assert_non_null(strstr(demand.challenges[2], "algorithm=MD5"));
	forget(&demand);
}

static void password_that_cannot_be_read_lets_nobody_in(void **state)
{
	(void)state;
	room = service_destroy(room);
	assert_int_equal(unlink(password_path), 0);
	assert_int_equal(service_create(&room, &(struct service_options){ .config = &config }), 0);
	assert_int_equal(dialogue("pbx", ""), 403);
	assert_int_equal(dialogue("pbx", "secret"), 403);
}

#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(core_and_other_trunks_are_not_asked),
		T(trunk_with_the_password_may_call),
		T(trunk_without_it_may_not),
		T(challenge_is_for_our_realm_and_strong),
		T(password_that_cannot_be_read_lets_nobody_in),
	};

	return cmocka_run_group_tests_name("tas/service/proof", tests, NULL, NULL);
}
