/* SPDX-License-Identifier: Apache-2.0 */
/* hosts.c - see hosts.h. */
#include "tas/sip/hosts.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/str.h"

/* Whether a line of hosts(5) names `name`; its address in `*ret_address`. */
static bool line_names(char *line, const char *name, const char **ret_address)
{
	static const char blanks[] = " \t\r\n";
	char *rest = NULL, *word;

	line[strcspn(line, "#")] = '\0';
	*ret_address = strtok_r(line, blanks, &rest);
	if (!*ret_address)
		return false;
	while ((word = strtok_r(NULL, blanks, &rest)))
		if (str_equal_nocase(word, name))
			return true;
	return false;
}

int hosts_find(const char *path, const char *name, char ret_address[static INET6_ADDRSTRLEN])
{
	unsigned char bytes[sizeof(struct in6_addr)];
	FILE *file = fopen(path, "re");
	const char *address;
	int err = -ENOENT;
	char line[512];

	if (!file)
		return -ENOENT;
	while (fgets(line, sizeof(line), file)) {
		bool ipv4;

		if (!line_names(line, name, &address))
			continue;
		ipv4 = inet_pton(AF_INET, address, bytes) == 1;
		if (!ipv4 && (err == 0 || inet_pton(AF_INET6, address, bytes) != 1))
			continue;
		(void)snprintf(ret_address, INET6_ADDRSTRLEN, "%s", address);
		err = 0;
		if (ipv4)
			break;
	}
	(void)fclose(file); /* only read */
	return err;
}
