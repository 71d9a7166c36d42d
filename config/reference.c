/* SPDX-License-Identifier: Apache-2.0 */
#include "config/reference.h"

#include <string.h>

#include "config/keys.h"

#define SECTIONS_MAX 64

/* One table on its way to a page. */
struct page {
	struct str *out;
	void (*begin)(struct str *out, const char *title);
	void (*row)(struct str *out, const struct key *key, enum config_apply apply);
	void (*end)(struct str *out);
	const struct schema *seen[SECTIONS_MAX]; /* some are used in several places */
	size_t seen_count;
};

/* ---- what a row says ---- */

static bool is_section(const struct key *key)
{
	return key->kind == &kind_map && !key->item_size;
}

static void add_kind(struct str *out, const struct key *key)
{
	str_addf(out, "%s%s", key->item_size ? "list: " : "", key->kind->name);
	key_add_bounds(key, out);
}

/* Where there is no fallback, the end of `help` says in words what is. */
static const char *words_for_default(const struct key *key)
{
	const char *last = NULL;

	if (key->fallback || key->flags & KEY_REQUIRED)
		return NULL;
	for (const char *at = key->help; (at = strstr(at, "; ")); at += 2)
		last = at;
	return last;
}

static void add_default(struct str *out, const struct key *key, const char *quote)
{
	const char *words = words_for_default(key);

	if (key->flags & KEY_REQUIRED)
		str_add(out, "required");
	else if (key->fallback)
		str_addf(out, "%s%s%s", quote, key->fallback, quote);
	else
		str_add(out, words ? words + 2 : "none");
}

/* Without those words. */
static void add_help(struct str *out, const struct key *key)
{
	const char *words = words_for_default(key);

	str_add_n(out, key->help, words ? (size_t)(words - key->help) : strlen(key->help));
}

/* ---- all tables ---- */

static void add_section(struct page *page, const struct schema *schema, const char *title,
			enum config_apply apply);

static bool is_new(struct page *page, const struct schema *schema)
{
	for (size_t i = 0; i < page->seen_count; i++)
		if (page->seen[i] == schema)
			return false;
	if (page->seen_count < SECTIONS_MAX)
		page->seen[page->seen_count++] = schema;
	return true;
}

/* The tables that a key leads to. */
static void add_below(struct page *page, const struct key *key, const char *title,
		      enum config_apply apply)
{
	struct str below = { 0 };

	str_addf(&below, "%s%s%s%s", title, *title ? "." : "", key->name,
		 key->named        ? ".NAME"
		 : is_section(key) ? ""
		 : key->item_size  ? "[]"
				   : "");
	if (key->schema && below.text)
		add_section(page, key->schema, below.text, apply);
	for (size_t i = 0; key->schemas && key->schemas[i] && below.text; i++) {
		const struct schema *schema = key->schemas[i];
		struct str action = { 0 };

		str_addf(&action, "%s: %s (%s)", below.text, schema->name, schema->keys[0].name);
		if (action.text)
			add_section(page, schema, action.text, apply);
		str_done(&action);
	}
	str_done(&below);
}

static void add_section(struct page *page, const struct schema *schema, const char *title,
			enum config_apply apply)
{
	bool rows = false;

	if (!is_new(page, schema))
		return;
	for (size_t i = 0; i < schema->count; i++)
		rows = rows || !is_section(&schema->keys[i]);
	if (rows) {
		page->begin(page->out, *title ? title : "Top level");
		for (size_t i = 0; i < schema->count; i++) {
			const struct key *key = &schema->keys[i];

			if (!is_section(key))
				page->row(page->out, key, key->apply ? key->apply : apply);
		}
		page->end(page->out);
	}
	for (size_t i = 0; i < schema->count; i++) {
		const struct key *key = &schema->keys[i];

		add_below(page, key, title, key->apply ? key->apply : apply);
	}
}

/* ---- docs/configuration.md ---- */

static const char markdown_head[] =
	"# Configuration\n"
	"\n"
	"<!-- Made from the tables in config/ by `cmake --build build --target reference`. -->\n"
	"\n"
	"One YAML file, `/etc/breakout/breakout.yaml`, and the files of `conf.d/` beside it that\n"
	"end in `.yaml`, in the order of their names: mappings are merged, lists are joined, and\n"
	"a value that two files give is an error. `config/samples/` has whole files.\n"
	"\n"
	"A key can be set from outside, which goes before what the files say:\n"
	"\n"
	"```sh\n"
	"BREAKOUT_CORE_API_MAX_RATE=100 breakoutd            # the environment\n"
	"breakoutd --set core.api.max_rate=100               # the command line, before the "
	"environment\n"
	"```\n"
	"\n"
	"The value is YAML, so a list is `[a, b]`. What is inside of a list (a trunk, a rule) is\n"
	"set by files only. `breakoutd --print-config` says what comes out of all this, and\n"
	"`breakoutctl config` what the running daemon goes by: each key with its value and the\n"
	"place it comes from, file and line, environment, command line or default.\n"
	"\n"
	"Durations are a number with `h`, `m`, `s` or `ms`, sizes one with `KiB`, `MiB` or `GiB`.\n"
	"Paths begin at the folder of the file. Secrets are always in files of their own.\n"
	"\n"
	"The column *reload* says when a change counts after `breakoutctl reload` or SIGHUP: at\n"
	"once, for new calls (and connections), or only after a restart.\n";

static void markdown_begin(struct str *out, const char *title)
{
	str_addf(out,
		 "\n## %s\n\n| key | value | default | reload | meaning |\n"
		 "|---|---|---|---|---|\n",
		 title);
}

static void markdown_row(struct str *out, const struct key *key, enum config_apply apply)
{
	str_addf(out, "| `%s` | ", key->name);
	add_kind(out, key);
	str_add(out, " | ");
	add_default(out, key, "`");
	str_addf(out, " | %s | ", config_apply_name(apply));
	add_help(out, key);
	str_add(out, " |\n");
}

static void markdown_end(struct str *out)
{
	(void)out; /* a table ends where its rows end */
}

void reference_markdown(struct str *out)
{
	struct page page = {
		.out = out, .begin = markdown_begin, .row = markdown_row, .end = markdown_end
	};

	str_add(out, markdown_head);
	add_section(&page, &config_schema, "", CONFIG_APPLY_AS_PARENT);
}

/* ---- breakout.yaml(5) ---- */

static const char man_head[] =
	".\\\" SPDX-License-Identifier: Apache-2.0\n"
	".\\\" Made from the tables in config/ by cmake --build build --target reference\n"
	".Dd November 25, 2026\n"
	".Dt BREAKOUT.YAML 5\n"
	".Os breakout\n"
	".Sh NAME\n"
	".Nm breakout.yaml\n"
	".Nd configuration of breakoutd\n"
	".Sh DESCRIPTION\n"
	"The configuration of\n"
	".Xr breakoutd 8\n"
	"is one YAML file and those of a folder\n"
	".Pa conf.d\n"
	"beside it whose names end in\n"
	".Pa .yaml ,\n"
	"in the order of their names: mappings are merged, lists are joined, and a value that\n"
	"two files give is an error.\n"
	".Ql breakoutctl check\n"
	"names every mistake in a file, with line and column, and\n"
	".Ql breakoutctl config\n"
	"what the running daemon goes by.\n"
	".Pp\n"
	"The environment and the command line go before the files, the command line first:\n"
	".Ev BREAKOUT_CORE_API_MAX_RATE\n"
	"or\n"
	".Fl -set Cm core.api.max_rate=100 .\n"
	"The value is YAML.\n"
	"What is inside of a list is set by files only.\n"
	".Pp\n"
	"Durations are a number with\n"
	".Cm h , m , s\n"
	"or\n"
	".Cm ms ,\n"
	"sizes one with\n"
	".Cm KiB , MiB\n"
	"or\n"
	".Cm GiB .\n"
	"Paths begin at the folder of the file.\n"
	"Secrets are always in files of their own.\n"
	".Sh KEYS\n"
	"Below each section are its keys, with what they take, their default, and when a\n"
	"change counts after a reload: at once, for new calls, or after a restart.\n";

static const char man_tail[] = ".Sh FILES\n"
			       ".Bl -tag -width Ds\n"
			       ".It Pa /etc/breakout/breakout.yaml\n"
			       "The configuration.\n"
			       ".It Pa /usr/share/breakout/samples\n"
			       "Whole files to begin with, commented.\n"
			       ".El\n"
			       ".Sh SEE ALSO\n"
			       ".Xr breakoutctl 1 ,\n"
			       ".Xr breakoutd 8\n";

/* Text that troff must not take for a request or an escape. */
static void add_troff(struct str *out, const char *text)
{
	if (*text == '.' || *text == '\'')
		str_add(out, "\\&");
	for (; *text; text++) {
		if (*text == '\\')
			str_add(out, "\\e");
		else if (*text == '-')
			str_add(out, "\\-");
		else if (*text != '`') /* which marks code in other pages */
			str_add_n(out, text, 1);
	}
}

static void man_begin(struct str *out, const char *title)
{
	str_add(out, ".Ss ");
	add_troff(out, title);
	str_add(out, "\n.Bl -tag -width Ds\n");
}

/* A line of its own for each sentence. */
static void man_sentence(struct str *out, const char *label, struct str *text)
{
	str_add(out, label);
	if (text->text)
		add_troff(out, text->text);
	out->failed = out->failed || text->failed;
	str_add(out, ".\n");
	str_done(text);
}

static void man_row(struct str *out, const struct key *key, enum config_apply apply)
{
	struct str text = { 0 };

	str_addf(out, ".It Cm %s\n", key->name);
	add_help(&text, key);
	man_sentence(out, "", &text);
	add_kind(&text, key);
	man_sentence(out, "Value: ", &text);
	add_default(&text, key, "");
	man_sentence(out, "Default: ", &text);
	str_add(&text, config_apply_name(apply));
	man_sentence(out, "Reload: ", &text);
}

static void man_end(struct str *out)
{
	str_add(out, ".El\n");
}

void reference_man(struct str *out)
{
	struct page page = { .out = out, .begin = man_begin, .row = man_row, .end = man_end };

	str_add(out, man_head);
	add_section(&page, &config_schema, "", CONFIG_APPLY_AS_PARENT);
	str_add(out, man_tail);
}
