/* SPDX-License-Identifier: Apache-2.0 */
#include "config/records.h"

#include <stdlib.h>
#include <string.h>

#include "config/address.h"

#define AT(member)    .offset = offsetof(struct config, records.member)
#define NESTED(table) .kind = &kind_map, .schema = &(table)
#define DAYS_MAX      36500

/* "90d"; false: anything else. */
static bool take_days(const char *text, unsigned *ret_days)
{
	char *rest;
	unsigned long days = strtoul(text, &rest, 10);

	if (*text < '0' || *text > '9' || strcmp(rest, "d") || days > DAYS_MAX)
		return false;
	*ret_days = (unsigned)days;
	return true;
}

static void read_days(struct reader *reader, const struct value *value)
{
	const char *text = value->node->text;

	if (strcmp(text, "0") && !take_days(text, value->target))
		value_error(reader, value, "is no number of days. Write it with d, such as 90d");
}

static const struct kind kind_days = { "days", NODE_SCALAR, read_days };

static void read_mask(struct reader *reader, const struct value *value)
{
	static const char *const words[] = { "false", "true", "no", "yes", "off", "on" };
	struct config_records *records = &reader->config->records;
	const char *text = value->node->text;

	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		if (!strcmp(text, words[i])) {
			records->mask_at_once = i % 2;
			return;
		}
	if (!take_days(text, &records->mask_days) || !records->mask_days)
		value_error(reader, value,
			    "is neither yes, no, nor a number of days. Write 30d to mask records "
			    "of that age, yes to write them masked");
}

static const struct kind kind_mask = { "yes, no, or days", NODE_SCALAR, read_mask };

static void read_rotate(struct reader *reader, const struct value *value)
{
	static const char *const words[] = { "no", "daily" };
	int word = value_word(reader, value, words, ARRAY_SIZE(words));

	*(bool *)value->target = word == 1;
}

static const struct kind kind_rotate = { "no or daily", NODE_SCALAR, read_rotate };

static const struct key hook_keys[] = {
	{ .name = "url",
	  .kind = &kind_web_url,
	  AT(webhook.url),
	  .help = "whom to send records to, such as https://billing.example.com/calls; nobody" },
	{ .name = "secret_file",
	  .kind = &kind_path,
	  AT(webhook.secret_file),
	  .flags = KEY_FILE | KEY_SECRET,
	  .help = "a file whose first line signs what is sent; none, it is not signed" },
	{ .name = "ca_file",
	  .kind = &kind_path,
	  AT(webhook.ca_file),
	  .flags = KEY_FILE,
	  .help = "PEM file of who may sign its certificate; the system's" },
	{ .name = "plaintext",
	  .kind = &kind_bool,
	  AT(webhook.plaintext),
	  .fallback = "false",
	  .help = "whether http:// to another machine is meant" },
	{ .name = "deadline",
	  .kind = &kind_ms,
	  AT(webhook.deadline_ms),
	  .fallback = "10s",
	  .min = 100,
	  .max = 120000,
	  .help = "how long it may take to answer" },
	{ .name = "batch",
	  .kind = &kind_number,
	  AT(webhook.batch),
	  .fallback = "100",
	  .min = 1,
	  .max = 1000,
	  .help = "records in one request, at most" },
};
static const struct schema hook_schema = { "records.webhook", hook_keys, ARRAY_SIZE(hook_keys) };

static const struct key record_keys[] = {
	{ .name = "sqlite",
	  .kind = &kind_path,
	  AT(sqlite),
	  .help = "a database file with one row for each call; none" },
	{ .name = "postgres",
	  .kind = &kind_conninfo,
	  AT(postgres),
	  .help = "a PostgreSQL database with one row for each call, as libpq has it, "
		  "\"host=db.example.com dbname=calls user=breakout\"; none" },
	{ .name = "password_file",
	  .kind = &kind_path,
	  AT(password_file),
	  .flags = KEY_FILE | KEY_SECRET,
	  .help = "the password for it, on the first line; what ~/.pgpass says" },
	{ .name = "webhook",
	  NESTED(hook_schema),
	  .help = "an HTTP server that records are sent to" },
	{ .name = "retention",
	  .kind = &kind_days,
	  AT(keep_days),
	  .fallback = "0",
	  .help = "rows and rotated files are removed after so many days, such as 90d; 0: never" },
	{ .name = "mask",
	  .kind = &kind_mask,
	  AT(mask_days),
	  .fallback = "no",
	  .help = "numbers are masked in what is as old as 30d, or (yes) in all that is written" },
	{ .name = "rotate",
	  .kind = &kind_rotate,
	  AT(rotate_daily),
	  .fallback = "no",
	  .help = "daily: cdr.file is renamed with the first record of a day" },
	{ .name = "rotate_size",
	  .kind = &kind_bytes,
	  AT(rotate_bytes),
	  .fallback = "0",
	  .min = 64,
	  .max = 104857600,
	  .help = "cdr.file is renamed once it is as large; 0: never" },
};
const struct schema records_schema = { "records", record_keys, ARRAY_SIZE(record_keys) };

void records_check(struct reader *reader, struct place at)
{
	const struct config *config = reader->config;
	const struct config_records *records = &config->records;
	bool clear = false;

	if (records->sqlite && records->postgres)
		find_error(reader->findings, at,
			   "`records.sqlite` stands beside `records.postgres`. Remove one");
	if (!config->cdr_file && (records->sqlite || records->postgres || records->webhook.url))
		find_error(reader->findings, at,
			   "`records` is made from the file of records, and there is none. Write "
			   "`cdr: { file: /var/log/breakout/cdr.jsonl }`");
	if (records->webhook.url && !web_url_parse(records->webhook.url, &clear) && clear &&
	    !records->webhook.plaintext)
		find_error(reader->findings, at,
			   "`records.webhook.url`: `%.60s` would send numbers in clear. Write "
			   "https://, or `plaintext: true` if the way there is safe",
			   records->webhook.url);
	if (records->mask_days && records->keep_days && records->mask_days >= records->keep_days)
		find_warning(reader->findings, at,
			     "`records.mask` is never reached: `retention` removes records after "
			     "%u days",
			     records->keep_days);
}
