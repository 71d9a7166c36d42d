/* SPDX-License-Identifier: Apache-2.0 */
#include "tas/reading.h"

#include <errno.h>
#include <string.h>
#include "base/log.h"
#include "tas/sip/tls_check.h"

static void read_certificates(struct reading *reading, const struct config *config)
{
	reading->err = media_identity_create(&reading->identity, config, &reading->findings);
	if (!reading->err)
		reading->err = tls_check_config(&reading->tls, config, &reading->findings);
	if (!reading->err)
		reading->err = registrar_cores_read(&reading->cores, config, &reading->findings);
	if (!reading->err)
		tls_files_read(&reading->files, config);
}

void reading_run(struct reading *reading)
{
	reading->err = config_load_from(reading->sources, &reading->config, &reading->findings);
	if (reading->err)
		return;
	reading->err = media_sounds_create(&reading->sounds, reading->config, reading->before,
					   &reading->findings);
	if (!reading->err)
		reading->err = media_servers_create(&reading->servers, reading->config,
						    &reading->findings);
	if (!reading->err)
		read_certificates(reading, reading->config);
	if (!reading->err && reading->in_force)
		reload_report_compare(&reading->report, reading->started, reading->in_force,
				      reading->config);
	if (reading->err)
		reading->config = config_destroy(reading->config);
}

void reading_look(struct reading *reading)
{
	uint64_t stamp = tls_files_stamp(reading->in_force, reading->stamp);

	reading->changed = stamp != reading->stamp;
	reading->stamp = stamp;
	if (reading->changed)
		read_certificates(reading, reading->in_force);
}

void reading_done(struct reading *reading)
{
	config_destroy(reading->config);
	media_sounds_destroy(reading->sounds);
	media_identity_unref(reading->identity);
	media_servers_unref(reading->servers);
	tls_check_done(reading->tls);
	registrar_cores_destroy(reading->cores);
	tls_files_done(&reading->files);
	reload_report_done(&reading->report);
	str_done(&reading->findings);
	*reading = (struct reading){ 0 };
}

void reading_log_findings(const char *findings)
{
	while (findings && *findings) {
		size_t length = strcspn(findings, "\n");
		bool warning = memmem(findings, length, ": warning: ", 11) != NULL;

		log_write(warning ? LOG_LEVEL_NOTICE : LOG_LEVEL_ERROR, "config", "%.*s",
			  (int)length, findings);
		findings += length + (findings[length] == '\n');
	}
}

void reading_print_settings(const struct config *config, struct str *out)
{
	size_t count;
	const struct config_setting *settings = config_settings(config, &count);

	for (size_t i = 0; i < count; i++)
		str_addf(out, "%s: %s  # %s\n", settings[i].name,
			 settings[i].value ? settings[i].value : "null", settings[i].origin);
}
