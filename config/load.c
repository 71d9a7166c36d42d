/* SPDX-License-Identifier: Apache-2.0 */
/* load.c - files to tree, tree to config, findings to text. */
#include "config/config.h"

#include <dirent.h>
#include <errno.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "config/change.h"
#include "config/check.h"
#include "config/keys.h"
#include "config/override.h"
#include "config/registration.h"
#include "config/service.h"
#include "config/settings.h"
#include "config/version.h"
#include "config/when.h"
#include "config/zone.h"

/* The arena holds everything the config points to. */
struct loaded {
	struct config config;
	struct arena arena;
};

/* Counts further holders only: the last one, whoever it is, finds none. */
static bool give_up(_Atomic unsigned *holders)
{
	unsigned further = atomic_load(holders);

	while (further)
		if (atomic_compare_exchange_weak(holders, &further, further - 1))
			return false;
	return true;
}

struct config *config_ref(const struct config *config)
{
	struct config *kept = (struct config *)config; /* nothing that it says changes */

	atomic_fetch_add(&kept->references, 1);
	return kept;
}

struct config *config_keep_settings(const struct config *config)
{
	struct config *kept = (struct config *)config; /* as above */

	atomic_fetch_add(&kept->keepers, 1);
	return kept;
}

struct config *config_leave(struct config *config)
{
	struct loaded *loaded;

	if (!config || !give_up(&config->keepers))
		return NULL;
	loaded = CONTAINER_OF(config, struct loaded, config);
	zones_done(config);
	arena_done(&loaded->arena);
	free(loaded);
	return NULL;
}

struct config *config_destroy(struct config *config)
{
	if (!config || !give_up(&config->references))
		return NULL;
	free(config->registrations);
	config->registrations = NULL;
	config->registration_count = 0;
	return config_leave(config);
}

void config_without_numbers(const struct config *from, struct config *ret_config)
{
	const size_t head = offsetof(struct config, path);

	/* Not who holds it, which others may be counting: the copy is its owner's alone. */
	memset(ret_config, 0, head);
	memcpy((char *)ret_config + head, (const char *)from + head, sizeof(*from) - head);
	ret_config->registrations = NULL;
	ret_config->registration_count = 0;
	ret_config->consents = NULL;
	ret_config->no_numbers = true;
}

static int wanted(const struct dirent *entry)
{
	const char *dot = strrchr(entry->d_name, '.');

	return entry->d_name[0] != '.' && dot && !strcmp(dot, ".yaml");
}

/* Byte order, whatever the locale. */
static int by_name(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

/* Adds the files of conf.d/; false if one of them is no YAML. */
static bool add_folder(struct reader *reader, struct node **root)
{
	struct dirent **entries = NULL;
	struct str path = { 0 };
	bool sound = true;
	int count;

	str_addf(&path, "%sconf.d", reader->folder);
	if (path.failed) {
		reader->arena->failed = true;
		return false;
	}
	count = scandir(path.text, &entries, wanted, by_name);
	if (count < 0 && errno != ENOENT && errno != ENOTDIR)
		find_error(reader->findings, (*root)->at, "cannot read %s: %s. Check permissions",
			   path.text, strerror(errno));
	for (int i = 0; i < count; i++) {
		struct str file = { 0 };
		struct node *more = NULL;

		str_addf(&file, "%s/%s", path.text, entries[i]->d_name);
		if (file.failed)
			reader->arena->failed = true;
		else
			more = tree_read(reader->arena, reader->findings, file.text);
		if (more)
			*root = tree_merge(reader->arena, reader->findings, *root, more);
		sound = sound && more;
		str_done(&file);
		free(entries[i]);
	}
	free(entries);
	str_done(&path);
	return sound;
}

static void read_config(struct reader *reader, const struct node *root)
{
	struct place top = { root->at.file, 1, 1 };

	services_begin(reader, node_find(root, "services"));
	if (reader->arena->failed)
		return;
	schema_read(reader, &config_schema, root, top, reader->config);
	services_settle(reader);
	registrations_settle(reader);
	when_settle(reader);
	change_settle(reader);
	check_all(reader, root);
	version_settle(reader->config, root);
	settings_settle(reader, root);
}

static void read_all(struct reader *reader, const struct config_sources *sources)
{
	const char *path = sources->path;
	const char *slash = strrchr(path, '/');
	struct node *root = tree_read(reader->arena, reader->findings, path);

	reader->folder = arena_dup(reader->arena, path, slash ? (size_t)(slash - path) + 1 : 0);
	reader->config->path = arena_dup(reader->arena, path, strlen(path));
	if (!root || !reader->folder || str_map_create(&reader->trunks) ||
	    str_map_create(&reader->services)) {
		/* Without a root there is a finding, unless memory ran out. */
		reader->arena->failed = reader->arena->failed || root;
		return;
	}
	/* A file that cannot be read would make others look wrong. */
	if (add_folder(reader, &root))
		read_config(reader, override_apply(reader, root, sources));
}

/* For messages of later on. */
static void keep_sources(struct reader *reader)
{
	const struct findings *findings = reader->findings;
	struct config *config = reader->config;

	config->sources = arena_alloc(reader->arena, findings->file_count, sizeof(char *));
	for (uint32_t i = 0; config->sources && i < findings->file_count; i++) {
		config->sources[i] =
			arena_dup(reader->arena, findings->files[i], strlen(findings->files[i]));
		config->source_count++;
	}
}

int config_load(const char *path, bool check_files, struct config **ret_config,
		struct str *ret_errors)
{
	const struct config_sources file = { .path = path, .check_files = check_files };

	return config_load_from(&file, ret_config, ret_errors);
}

int config_load_from(const struct config_sources *sources, struct config **ret_config,
		     struct str *ret_errors)
{
	struct loaded *loaded = calloc(1, sizeof(*loaded));
	struct findings findings = { 0 };
	struct pending_list pending = { 0 };
	struct reader reader = { .findings = &findings,
				 .check_files = sources->check_files,
				 .pending = &pending,
				 .swap = sources->swap };
	int err;

	if (!loaded)
		return -ENOMEM;
	reader.arena = &loaded->arena;
	reader.config = &loaded->config;
	read_all(&reader, sources);
	keep_sources(&reader);
	findings_write(&findings, ret_errors);
	err = findings.errors ? -EINVAL : 0;
	if (loaded->arena.failed || findings.failed || ret_errors->failed)
		err = -ENOMEM;
	registrations_done(&pending);
	str_map_destroy(reader.trunks);
	str_map_destroy(reader.services);
	findings_done(&findings);
	if (err)
		config_destroy(&loaded->config);
	else
		*ret_config = &loaded->config;
	return err;
}
