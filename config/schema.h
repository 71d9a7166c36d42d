/* SPDX-License-Identifier: Apache-2.0 */
/* schema.h - tables that say which keys a mapping has, and their reader.
 *
 * A table row is the only place that knows a key's name, kind, default, bounds,
 * meaning and what a reload does with it; checking, defaults, `breakoutctl config`,
 * the answer of a reload, --set, the environment and both reference pages
 * (docs/configuration.md, breakout.yaml(5)) all come from it.
 *
 * To add a key: a member in config.h and a row in the table of its mapping, with
 * .apply where it differs from the mapping's own row; a line in
 * config/samples/breakout.yaml; then `cmake --build build --target reference`
 * writes the pages anew (a test fails while they are older than the tables). A
 * key whose kind reads a mapping itself names that one's table too (.schema).
 */
#ifndef BREAKOUT_CONFIG_SCHEMA_H
#define BREAKOUT_CONFIG_SCHEMA_H

#include "base/hash.h"
#include "base/str.h"
#include "config/config.h"
#include "config/tree.h"

/* What one config_load() works with. */
struct reader {
	struct arena *arena;
	struct findings *findings;
	struct config *config;
	const char *folder; /* of the main file, with the closing slash; "" for none */
	bool check_files;
	struct str_map *trunks;         /* name -> trunk.c's struct named */
	struct str_map *services;       /* name -> its index + 1 */
	struct pending_list *pending;   /* registrations so far */
	const struct config_swap *swap; /* NULL: none */
	bool orders;                    /* numbers are added while we run: stricter rules */
	struct service_ref *refs;       /* service.c's: services named before they are defined */
	struct claim *claims;           /* change.c's: numbers that calls may show */
	struct derived *derived;        /* defaults that other values decide */
};

/* The value of a key that nobody gave, for those who ask what is in force. */
struct derived {
	struct derived *next;
	const char *name, *text; /* borrowed: a constant; of the arena */
};

/* One value on its way from a node into a struct. */
struct value {
	const struct key *key;
	const char *name; /* dotted, "core.api.target" */
	const struct node *node;
	void *target;
};
typedef void read_fn(struct reader *reader, const struct value *value);

struct kind {
	const char *name;     /* as documentation calls it */
	enum node_kind shape; /* anything else is an error before read() sees it */
	read_fn *read;
};

enum key_flags {
	KEY_REQUIRED = 1,
	KEY_FILE = 2,   /* names a file that must be readable */
	KEY_SECRET = 4, /* and that others should not read */
	KEY_HIDDEN = 8, /* the value itself is a secret: it is shown as *** */
};

struct key {
	const char *name;
	const struct kind *kind;
	size_t offset;               /* of the member in the mapping's struct */
	size_t item_size;            /* not 0: a list; the member points to items of this size */
	size_t count_offset;         /* of a list's count */
	const char *fallback;        /* the default as a file would say it; lists: words */
	unsigned min, max;           /* numbers; durations in the member's unit */
	unsigned flags;              /* of enum key_flags */
	enum config_apply apply;     /* CONFIG_APPLY_AS_PARENT: that of the mapping it is in */
	const struct schema *schema; /* of kind_map, and of kinds that read a mapping themselves */
	const struct schema *const *schemas; /* NULL-ended, of a kind that reads several sorts */
	bool named;                          /* a mapping from names to what schema describes */
	const char *help;                    /* ends the sentence "`key` is missing: ..." */
};

struct schema {
	const char *name; /* dotted; "" is the top */
	const struct key *keys;
	size_t count;
};

/* Fills the struct at `target` from a mapping (NULL: all defaults). `at` is
 * where a missing key is reported. */
void schema_read(struct reader *reader, const struct schema *schema, const struct node *node,
		 struct place at, void *target);

/* The key of this name, or NULL. */
const struct key *schema_find(const struct schema *schema, const char *name);

/* Says which of a schema's keys the name was meant to be; as suggestion(). */
const char *schema_suggestion(struct reader *reader, const struct schema *schema, const char *name);

/* Adds what a value may be, for people: ", 50ms to 30s"; nothing where all may. */
void key_add_bounds(const struct key *key, struct str *out);

/* Adds "`name`: `text` problem". */
void value_error(struct reader *reader, const struct value *value, const char *format, ...)
	PRINTF_LIKE(3, 4);

/* "file:line:column", as long as the config lives; NULL: no memory. */
char *place_text(struct reader *reader, struct place at);

/* The index of the value's text among `words`, or -1 after adding an error. */
int value_word(struct reader *reader, const struct value *value, const char *const *words,
	       size_t count);

/* ". Did you mean `x`?" or ". Known: a, b"; borrowed from the arena. */
const char *suggestion(struct reader *reader, const char *text,
		       const char *(*get)(const void *list, size_t i), const void *list,
		       size_t count);

extern const struct kind kind_conninfo; /* libpq's, without a password */
extern const struct kind kind_map, kind_text, kind_path, kind_bool, kind_number, kind_port, kind_ms,
	kind_seconds, kind_bytes, kind_host, kind_host_pattern, kind_host_port, kind_url,
	kind_web_url, kind_sip_uri, kind_address, kind_cidr, kind_listen, kind_port_range,
	kind_digits, kind_header, kind_processors;

#endif
