/* SPDX-License-Identifier: Apache-2.0 */
/* wish.c - numbers that come from elsewhere, read by the rules for configured ones and
 * against the services and tenants of a configuration in force. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "config/registration.h"

/* What a reader works with. It adds to a copy: the configuration stays as it is. */
struct apart {
	struct config config;
	struct arena arena;
	struct findings findings;
	struct pending_list pending;
	struct reader reader;
};

static int apart_init(struct apart *apart, const struct config *config)
{
	int err;

	memset(apart, 0, sizeof(*apart));
	config_without_numbers(config, &apart->config);
	apart->reader = (struct reader){ .arena = &apart->arena,
					 .findings = &apart->findings,
					 .config = &apart->config,
					 .folder = "",
					 .pending = &apart->pending,
					 .orders = true };
	err = str_map_create(&apart->reader.services);
	for (size_t i = 0; !err && i < config->service_count; i++)
		err = str_map_put(apart->reader.services, config->services[i].name,
				  (void *)(uintptr_t)(i + 1));
	return err;
}

static void apart_done(struct apart *apart)
{
	registrations_done(&apart->pending);
	str_map_destroy(apart->reader.services);
	findings_done(&apart->findings);
	free(apart->config.registrations);
	arena_done(&apart->arena);
}

static int apart_settle(struct apart *apart)
{
	registrations_settle(&apart->reader);
	if (apart->arena.failed || apart->findings.failed)
		return -ENOMEM;
	return apart->findings.errors ? -EINVAL : 0;
}

/* As a line of a file; NULL: a part of it could not stand in one, or no memory. */
static char *line_of(const struct config_wish *wish, struct str *ret_error)
{
	const char *const parts[] = { wish->number ? wish->number : "+4799000001", wish->route_type,
				      wish->service, wish->tenant };
	struct str line = { 0 };

	for (size_t i = 0; i < ARRAY_SIZE(parts); i++) {
		const char *part = parts[i] ? parts[i] : "";

		if (part[strcspn(part, ",#\r\n")]) {
			str_add(ret_error, "a number, a route type and names have no comma, # or "
					   "line end in them");
			str_done(&line);
			return NULL;
		}
		str_addf(&line, "%s%s", i ? "," : "", part);
	}
	return str_take(&line);
}

int config_check_number(const struct config *config, const struct config_wish *wish,
			struct config_registration *ret_registration, struct str *ret_error)
{
	struct apart apart;
	char *line;
	int err;

	if (!wish->route_type || !*wish->route_type) {
		str_add(ret_error, "say the route type: loop, fork, fallback, loop_mo, loop_mt or "
				   "ingress");
		return -EINVAL;
	}
	line = line_of(wish, ret_error);
	if (!line)
		return ret_error->length ? -EINVAL : -ENOMEM;
	err = apart_init(&apart, config);
	if (!err) {
		apart.reader.orders = wish->number;
		registrations_line(&apart.reader, (struct place){ 0, 1, 1 }, line);
		err = apart_settle(&apart);
	}
	if (err == -EINVAL)
		str_add(ret_error, findings_first(&apart.findings));
	if (!err)
		*ret_registration = apart.config.registrations[0];
	apart_done(&apart);
	free(line);
	return err;
}

int config_read_csv(const struct config *config, const char *path, const char *name,
		    struct config_registration **ret_list, size_t *ret_count,
		    struct str *ret_errors)
{
	struct apart apart;
	int err = apart_init(&apart, config);

	if (!err) {
		registrations_file(&apart.reader, path, name);
		err = apart_settle(&apart);
		findings_write(&apart.findings, ret_errors);
	}
	if (!err) {
		*ret_count = apart.config.registration_count;
		*ret_list = apart.config.registrations;
		apart.config.registrations = NULL;
	}
	apart_done(&apart);
	return err;
}
