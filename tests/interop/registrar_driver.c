/* SPDX-License-Identifier: Apache-2.0 */
/* registrar_driver - a registrar on a configuration file, commanded from stdin:
 *
 *   list             one line a number: number state route failures error
 *   summary          states, API and token
 *   fleet            standing, shards owned and held, nodes that live
 *   drain            hand all over
 *   pause NUMBER     take it from the core, for 0.7 s with `pause NUMBER shortly`
 *   resume NUMBER    give it back
 *   pauses           those in force
 *   add NUMBER COUNT so many from this one on are added, as loops
 *   delete NUMBER COUNT  and deleted; both are answered by 0 or a negative errno
 *   added            one line a number that an order wants: number state
 *   forget NODE      a node of the fleet is dead
 *   refresh [NUMBER] refresh now
 *   reload FILE      take the set of numbers from another file
 *   stop [withdraw]  end; end of input does the same without withdrawing
 *
 * Each command is answered by its lines and a closing "ok". The log goes to
 * stderr.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/clock.h"
#include "config/config.h"
#include "registrar/registrar.h"

#define GRACE_MS 5000

static struct config *in_force;

static struct config *load(const char *path)
{
	struct str errors = { 0 };
	struct config *config = NULL;
	int err = config_load(path, /* check_files= */ false, &config, &errors);
	char *text = str_take(&errors);

	if (text && text[0])
		fprintf(stderr, "%s\n", text);
	free(text);
	return err ? NULL : config;
}

static void print_one(const struct reg_info *info, void *arg)
{
	(void)arg;
	printf("%s %s %s %u %s\n", info->number, reg_state_name(info->state),
	       route_type_name(info->route_type), info->failures, info->last_error);
}

static void print_summary(struct registrar *registrar)
{
	struct registrar_summary summary;

	registrar_summary(registrar, &summary);
	for (unsigned i = 0; i < REG_STATE_COUNT; i++)
		printf("%s=%zu ", reg_state_name((enum reg_state)i), summary.by_state[i]);
	printf("api_up=%d token_ok=%d expiry=%d\n", summary.api_up, summary.token_ok,
	       summary.first_expiry_ms != 0);
}

static void print_fleet(struct registrar *registrar)
{
	struct registrar_fleet fleet;

	registrar_fleet(registrar, &fleet);
	printf("%s shards=%u held=%u alive=%u\n", fleet.on ? fleet.standing : "single",
	       fleet.shards, fleet.held, fleet.alive);
}

static void reload(struct registrar *registrar, const char *path)
{
	struct config *config = load(path);
	struct registrar_cores *cores = NULL;
	struct str findings = { 0 };

	if (!config || registrar_cores_read(&cores, config, &findings) ||
	    registrar_reconfigure(registrar, config, cores)) {
		printf("failed %s\n", findings.text ? findings.text : "");
		config_destroy(config);
	} else {
		config_destroy(in_force);
		in_force = config;
	}
	str_done(&findings);
}

static void pause_one(struct registrar *registrar, char *argument)
{
	struct reg_pause pause = { .scope = PAUSE_NUMBER, .who = "driver", .why = "a try" };
	char *shortly = strchr(argument, ' ');

	if (shortly)
		*shortly = '\0';
	snprintf(pause.what, sizeof(pause.what), "%s", argument);
	pause.since = clock_wall();
	pause.until = shortly ? pause.since + 700 : 0;
	printf("%d\n", registrar_pause(registrar, &pause));
}

static void print_pauses(struct registrar *registrar)
{
	struct reg_pause list[8];
	size_t count = registrar_pauses(registrar, list, ARRAY_SIZE(list));

	for (size_t i = 0; i < count && i < ARRAY_SIZE(list); i++)
		printf("%s %s %s\n", pause_scope_name(list[i].scope), list[i].what, list[i].why);
}

/* So many numbers from one on are added or deleted. */
static void order(struct registrar *registrar, const char *argument, bool add)
{
	struct config_registration *list;
	struct reg_outcome outcome;
	uint64_t *numbers;
	uint64_t first;
	size_t count;

	if (sscanf(argument, "+%" SCNu64 " %zu", &first, &count) != 2 || count > 1000000)
		return;
	list = calloc(count, sizeof(*list));
	numbers = calloc(count, sizeof(*numbers));
	for (size_t i = 0; list && numbers && i < count; i++) {
		numbers[i] = first + i;
		list[i].number = (first + i) & E164_PACKED_MAX;
		list[i].route_type = ROUTE_TYPE_LOOP;
	}
	if (list && numbers)
		printf("%d\n", registrar_order(registrar,
					       &(struct reg_order){ .config = in_force,
								    .put = list,
								    .put_count = add ? count : 0,
								    .drop = numbers,
								    .drop_count = add ? 0 : count,
								    .who = "driver" },
					       &outcome));
	free(list);
	free(numbers);
}

static void print_added(const struct reg_info *info, void *arg)
{
	(void)arg;
	if (info->source == REG_SOURCE_API)
		printf("%s %s\n", info->number, reg_state_name(info->state));
}

static void forget(struct registrar *registrar, const char *node)
{
	struct registrar_forgotten forgotten;
	int err = registrar_forget_node(registrar, node, "driver", &forgotten);

	printf("%s %zu\n", err ? strerror(-err) : "forgotten", forgotten.shards);
}

/* True when it is over; `withdraw` says how. */
static bool command(struct registrar *registrar, char *line, bool *ret_withdraw)
{
	char *argument;

	line[strcspn(line, "\n")] = '\0';
	argument = strchr(line, ' ');
	if (argument)
		*argument++ = '\0';
	if (!strcmp(line, "stop")) {
		*ret_withdraw = argument && !strcmp(argument, "withdraw");
		return true;
	}
	if (!strcmp(line, "list"))
		registrar_list(registrar, NULL, SIZE_MAX, print_one, NULL);
	else if (!strcmp(line, "summary"))
		print_summary(registrar);
	else if (!strcmp(line, "fleet"))
		print_fleet(registrar);
	else if (!strcmp(line, "drain"))
		registrar_hand_over(registrar, true);
	else if (!strcmp(line, "sick") || !strcmp(line, "well"))
		registrar_judge(registrar, &(struct registrar_verdict){ .sick = line[0] == 's',
									.since = clock_now(),
									.why = "told so" });
	else if (!strcmp(line, "pause") && argument)
		pause_one(registrar, argument);
	else if (!strcmp(line, "resume") && argument)
		printf("%d\n", registrar_resume(registrar, PAUSE_NUMBER, argument, "driver"));
	else if (!strcmp(line, "pauses"))
		print_pauses(registrar);
	else if (!strcmp(line, "add") && argument)
		order(registrar, argument, true);
	else if (!strcmp(line, "delete") && argument)
		order(registrar, argument, false);
	else if (!strcmp(line, "added"))
		registrar_list(registrar, NULL, SIZE_MAX, print_added, NULL);
	else if (!strcmp(line, "forget") && argument)
		forget(registrar, argument);
	else if (!strcmp(line, "refresh"))
		registrar_refresh(registrar, argument);
	else if (!strcmp(line, "reload") && argument)
		reload(registrar, argument);
	else
		printf("what? %s\n", line);
	printf("ok\n");
	fflush(stdout);
	return false;
}

int main(int argc, char **argv)
{
	struct registrar *registrar;
	struct config *config;
	bool withdraw = false;
	char line[4096];

	if (argc != 2) {
		fprintf(stderr, "usage: registrar_driver CONFIG\n");
		return 2;
	}
	config = load(argv[1]);
	if (!config || registrar_create(&registrar, config, NULL)) {
		config_destroy(config);
		return 1;
	}
	in_force = config;
	if (registrar_start(registrar))
		return 1;
	while (fgets(line, sizeof(line), stdin))
		if (command(registrar, line, &withdraw))
			break;
	registrar_stop(registrar, withdraw, GRACE_MS);
	registrar_destroy(registrar);
	config_destroy(in_force);
	printf("ended\n");
	return 0;
}
