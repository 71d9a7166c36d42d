/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/core/client.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

struct client {
	int fd;
	FILE *answers;
};

int client_open(struct client **ret_client, const char *folder)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	struct client *client = calloc(1, sizeof(*client));
	int err = 0, fd = -1;

	if (!client)
		return -ENOMEM;
	if (snprintf(address.sun_path, sizeof(address.sun_path), "%s/core.sock", folder) >=
	    (int)sizeof(address.sun_path))
		err = -ENAMETOOLONG;
	if (!err) {
		fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
		if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
			err = -errno;
	}
	if (!err) {
		client->fd = fd;
		client->answers = fdopen(fd, "r");
		if (!client->answers)
			err = -errno;
	}
	if (err) {
		if (fd >= 0)
			(void)close(fd);
		free(client);
		return err;
	}
	*ret_client = client;
	return 0;
}

struct client *client_close(struct client *client)
{
	if (!client)
		return NULL;
	(void)fclose(client->answers);
	free(client);
	return NULL;
}

json_t *client_ask(struct client *client, json_t *take_request)
{
	char *text = json_dumps(take_request, JSON_COMPACT), *line = NULL;
	json_t *answer = NULL;
	size_t room = 0;

	json_decref(take_request);
	if (!text)
		return NULL;
	if (dprintf(client->fd, "%s\n", text) > 0 && getline(&line, &room, client->answers) > 0)
		answer = json_loads(line, 0, NULL);
	free(text);
	free(line);
	return answer;
}

json_t *client_description(const char *folder)
{
	char path[PATH_MAX];

	(void)snprintf(path, sizeof(path), "%s/core.json", folder);
	return json_load_file(path, 0, NULL);
}
