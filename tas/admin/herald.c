/* SPDX-License-Identifier: Apache-2.0 */
/* herald.c - what breakoutctl's socket answers before the rooms are there that it looks into. */
#include <errno.h>
#include <stdlib.h>
#include "base/str.h"
#include "tas/admin/line_server.h"

struct admin_herald {
	struct line_server *server;
	void (*say)(struct str *to, void *arg);
	void *arg;
};

static json_t *answer_all(const char *line, const struct answer_body *body, const char *who,
			  void *arg)
{
	const struct admin_herald *herald = arg;
	struct str text = { 0 };
	json_t *json;

	(void)line, (void)body, (void)who;
	herald->say(&text, herald->arg);
	json = text.failed ? NULL : json_pack("{s:s}", "error", text.text ? text.text : "");
	str_done(&text);
	return json;
}

int admin_herald_create(struct admin_herald **ret_herald, const char *path,
			void (*say)(struct str *to, void *arg), void *arg)
{
	struct admin_herald *herald = calloc(1, sizeof(*herald));
	int err;

	if (!herald)
		return -ENOMEM;
	*herald = (struct admin_herald){ .say = say, .arg = arg };
	err = line_server_create(&herald->server, path, -1, answer_all, herald);
	if (err) {
		free(herald);
		return err;
	}
	*ret_herald = herald;
	return 0;
}

int admin_herald_end(struct admin_herald *take_herald)
{
	int fd = line_server_end(take_herald->server);

	free(take_herald);
	return fd;
}

struct admin_herald *admin_herald_destroy(struct admin_herald *herald)
{
	if (!herald)
		return NULL;
	line_server_destroy(herald->server);
	free(herald);
	return NULL;
}
