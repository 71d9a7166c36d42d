/* SPDX-License-Identifier: Apache-2.0 */
/* Two cores that are asked without tokens; connections lead anywhere at once. */
#include "registrar/links.h"
#include "tests/fake/keeper_rig.h"

/* ---- connections: that of the second link is the rig's second core ---- */

int api_client_create(struct api_client **ret_client, const struct api_client_options *options,
		      char *error, size_t error_room)
{
	(void)error, (void)error_room;
	*ret_client = strcmp(options->target, "second") ? NULL : second_client;
	return 0;
}

struct api_client *api_client_destroy(struct api_client *client)
{
	(void)client;
	return NULL;
}

int api_client_renew(struct api_client *client, const struct api_client_options *options,
		     bool at_once, char *error, size_t error_room)
{
	(void)client, (void)options, (void)error, (void)error_room;
	assert_true(at_once);
	return 0;
}

bool api_client_renewing(const struct api_client *client)
{
	(void)client;
	return false;
}

int api_token_create(struct api_token **ret_token, const struct api_token_options *options,
		     api_token_fn *on_token, void *arg)
{
	(void)ret_token, (void)options, (void)on_token, (void)arg;
	return -EINVAL;
}

struct api_token *api_token_destroy(struct api_token *token)
{
	assert_null(token);
	return NULL;
}

int api_token_change(struct api_token *token, const struct api_token_options *options, bool anew)
{
	(void)token, (void)options, (void)anew;
	return -EINVAL;
}

void api_token_quit(struct api_token *token)
{
	(void)token;
}

/* ---- helpers ---- */

static struct registrar_cores *cores_as(const char *target, const char *account)
{
	struct registrar_cores *cores = calloc(1, sizeof(*cores));

	assert_non_null(cores);
	cores->count = 2;
	cores->list[0] = (struct core){ .name = "default", .api.target = (char *)"first" };
	cores->list[1] =
		(struct core){ .name = "acme",
			       .api = { .target = (char *)target, .client_id = (char *)account } };
	return cores;
}

/* 1 to `first` at the first core, 10 in all. */
static struct wanted *want_at(unsigned first)
{
	struct wanted *wanted = want(1, 10, "tas.example.com", ROUTE_TYPE_LOOP);

	wanted->prefixes[1].mo = strdup("02");
	for (unsigned i = first; i < 10; i++)
		wanted->numbers[i].tenant = 1;
	return wanted;
}

static void rewant_at(struct keeper *keeper, unsigned first)
{
	struct wanted *wanted = want_at(first);

	assert_int_equal(keeper_want(keeper, wanted, clock_now()), 0);
	wanted_destroy(wanted);
}

static struct keeper *start_at(struct links *links, unsigned first)
{
	struct keeper_options options = { .tenant_count = 2, .seed = 99 };
	struct wanted *wanted = want_at(first);
	struct keeper *keeper;

	assert_int_equal(links_create(links, cores_as("second", "one")), 0);
	for (unsigned i = 0; i < 2; i++)
		options.tenants[i] = link_as_tenant(&links->list[i]);
	assert_int_equal(keeper_create(&keeper, &options, wanted, clock_now()), 0);
	wanted_destroy(wanted);
	return keeper;
}

/* ---- tests ---- */

static void what_another_account_has_does_not_count_for_numbers_that_come(void **state)
{
	struct links links = { 0 };
	struct keeper *keeper = start_at(&links, 5);

	(void)state;
	pass(keeper, 60000);
	core.down = true;
	rewant_at(keeper, 10); /* all to the first, in vain: they are kept at the second */
	pass(keeper, 60000);
	links_take(&links, cores_as("elsewhere", "two"), keeper, clock_now());
	rewant_at(keeper, 5); /* and back, to another core and account */
	core.down = false;
	core.second_down = true;
	pass(keeper, 60000);
	for (unsigned i = 6; i <= 10; i++) {
		assert_int_equal(core.deletes[i], 0); /* the second has not got them yet */
		assert_true(core.expires[i] > clock_now());
	}
	core.second_down = false;
	pass(keeper, 120000);
	for (unsigned i = 6; i <= 10; i++) {
		assert_int_equal(core.expires[i], 0);
		assert_true(core.second_expires[i] > clock_now());
	}
	end(keeper);
	links_disconnect(&links);
	links_done(&links);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		KEEPER(what_another_account_has_does_not_count_for_numbers_that_come),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
