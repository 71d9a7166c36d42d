/* SPDX-License-Identifier: Apache-2.0 */
#include "tas/admin/settings.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "base/str.h"
#include "tas/admin/text.h"

#define DAY_MS 86400000

static json_t *or_null(const char *text)
{
	return text ? text_json(text) : json_null();
}

static bool view_of(const struct admin_options *options, struct admin_view *ret_view)
{
	if (!options->view)
		return false;
	options->view(ret_view, options->arg);
	return true;
}

static json_t *nothing(void)
{
	return json_pack("{s:s}", "error", "this daemon has no configuration to show");
}

/* ---- settings ---- */

/* The values that were in force at the start, where another one waits. */
struct waiting {
	json_t *values;
};

static void note_waiting(const struct config_change *change, void *arg)
{
	struct waiting *waiting = arg;

	if (change->apply == CONFIG_APPLY_RESTART)
		json_object_set_new(waiting->values, change->name, or_null(change->before));
}

static bool is_in(const char *name, const char *section)
{
	size_t length = strlen(section);

	return !length ||
	       (str_starts(name, section) && (name[length] == '\0' || name[length] == '.'));
}

json_t *settings_config(const struct admin_options *options, const char *section)
{
	struct waiting waiting = { .values = json_object() };
	const struct config_setting *settings;
	json_t *list = json_array();
	struct admin_view view;
	size_t count;

	if (!view_of(options, &view)) {
		json_decref(list);
		json_decref(waiting.values);
		return nothing();
	}
	(void)config_compare(view.started, view.config, view.config, note_waiting, &waiting);
	settings = config_settings(view.config, &count);
	for (size_t i = 0; i < count; i++) {
		json_t *setting, *now = json_object_get(waiting.values, settings[i].name);

		if (!is_in(settings[i].name, section))
			continue;
		setting = json_pack("{s:s, s:o, s:o, s:s}", "name", settings[i].name, "value",
				    or_null(settings[i].value), "origin",
				    text_json(settings[i].origin), "reload",
				    config_apply_name(settings[i].apply));
		if (setting && now)
			json_object_set(setting, "in_force", now);
		json_array_append_new(list, setting);
	}
	json_decref(waiting.values);
	return json_pack("{s:s, s:s, s:o}", "config", view.config->version, "file",
			 view.config->path, "settings", list);
}

/* ---- reloads ---- */

static json_t *changes_json(const struct reload_report *report)
{
	json_t *list = json_array();

	for (size_t i = 0; list && i < report->change_count; i++) {
		const struct config_change *change = &report->changes[i];

		json_array_append_new(list, json_pack("{s:o, s:o, s:o, s:s}", "name",
						      or_null(change->name), "before",
						      or_null(change->before), "after",
						      or_null(change->after), "reload",
						      config_apply_name(change->apply)));
	}
	return list;
}

static json_t *findings_json(const char *findings)
{
	json_t *list = json_array();

	while (list && findings && *findings) {
		size_t length = strcspn(findings, "\n");
		char *line = strndup(findings, length);

		json_array_append_new(list, or_null(line));
		free(line);
		findings += length + (findings[length] == '\n');
	}
	return list;
}

json_t *settings_reload(const struct admin_options *options, const char *number)
{
	unsigned long wanted = strtoul(number, NULL, 10);
	struct admin_view view;

	if (!options->reload || !view_of(options, &view))
		return nothing();
	if (!*number)
		return json_pack("{s:I}", "reload", (json_int_t)options->reload(options->arg));
	/* A later one has read all that this one would have. */
	if (view.reload->number < wanted)
		return json_pack("{s:I, s:b}", "reload", (json_int_t)wanted, "done", 0);
	return json_pack("{s:I, s:b, s:b, s:o, s:o, s:I, s:I, s:s}", "reload",
			 (json_int_t)view.reload->number, "done", 1, "refused",
			 view.reload->refused, "findings", findings_json(view.reload->findings),
			 "changes", changes_json(view.reload), "unchanged",
			 (json_int_t)view.reload->unchanged, "restart",
			 (json_int_t)view.reload->restart, "config", view.reload->version);
}

/* ---- certificates ---- */

static json_t *certificate_json(const struct tls_certificate *certificate)
{
	wall_ms left_ms = certificate->not_after - clock_wall();

	return json_pack("{s:o, s:o, s:o, s:I, s:I, s:i, s:s, s:b}", "subject",
			 text_json(certificate->subject), "names", text_json(certificate->names),
			 "issuers", text_json(certificate->issuers), "not_before",
			 (json_int_t)(certificate->not_before / 1000), "not_after",
			 (json_int_t)(certificate->not_after / 1000), "days_left",
			 (int)(left_ms < 0 ? -1 : left_ms / DAY_MS), "fingerprint",
			 certificate->fingerprint, "for_domain", certificate->for_domain);
}

json_t *settings_certificates(const struct admin_options *options, const char *unused)
{
	json_t *list = json_array();
	struct admin_view view;

	(void)unused;
	if (!view_of(options, &view)) {
		json_decref(list);
		return nothing();
	}
	for (size_t i = 0; i < TLS_FILES; i++) {
		const struct tls_file *file = &view.files->list[i];

		if (file->path)
			json_array_append_new(
				list,
				json_pack("{s:s, s:s*, s:s, s:o, s:b, s:o}", "role",
					  tls_role_name(file->role), "tenant", file->tenant, "key",
					  file->key ? file->key : "", "path", text_json(file->path),
					  "ca", tls_role_is_ca(file->role), "live",
					  file->err ? json_null() : certificate_json(&file->is)));
	}
	return json_pack("{s:s, s:o}", "domain", view.config->domain, "certificates", list);
}

static void add_disk(json_t *entry, const char *domain)
{
	const char *path = json_string_value(json_object_get(entry, "path"));
	const json_t *live = json_object_get(entry, "live");
	bool sip = !strcmp(json_string_value(json_object_get(entry, "role")), "sip");
	struct tls_certificate certificate;
	int err = tls_describe(path, sip ? domain : NULL,
			       json_is_true(json_object_get(entry, "ca")), &certificate);
	const char *fingerprint = json_string_value(json_object_get(live, "fingerprint"));

	if (err) {
		json_object_set_new(entry, "disk", json_null());
		json_object_set_new(
			entry, "disk_error",
			json_string(err == -EINVAL ? "holds no PEM certificate" : strerror(-err)));
		return;
	}
	json_object_set_new(entry, "disk", certificate_json(&certificate));
	json_object_set_new(
		entry, "same",
		json_boolean(fingerprint && !strcmp(fingerprint, certificate.fingerprint)));
	tls_certificate_done(&certificate);
}

void settings_add_disk(json_t *answer)
{
	const json_t *list = json_object_get(answer, "certificates");
	const char *domain = json_string_value(json_object_get(answer, "domain"));

	for (size_t i = 0; i < json_array_size(list); i++)
		add_disk(json_array_get(list, i), domain);
}
