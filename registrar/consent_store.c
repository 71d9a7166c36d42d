/* SPDX-License-Identifier: Apache-2.0 */
#include "registrar/consent_store.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/e164.h"
#include "base/log.h"
#include "registrar/consent_share.h"
#include "sql/sqlite.h"

/* A list may be a little older than an event that came before it. */
#define SETTLE_MS 30000

/* FULL: an acknowledged event must outlive a power cut, not only a kill.
 * https://www.sqlite.org/pragma.html#pragma_synchronous */
static const char setup[] =
	"PRAGMA journal_mode=WAL;"
	"PRAGMA synchronous=FULL;"
	"PRAGMA temp_store=MEMORY;"
	"BEGIN IMMEDIATE;"
	"CREATE TABLE IF NOT EXISTS consents("
	" number INTEGER PRIMARY KEY, id TEXT NOT NULL, given INTEGER NOT NULL,"
	" at_ms INTEGER NOT NULL, seen_ms INTEGER NOT NULL);"
	"CREATE INDEX IF NOT EXISTS consents_by_id ON consents(id);"
	"CREATE TABLE IF NOT EXISTS consent_record("
	" written_ms INTEGER NOT NULL, number TEXT NOT NULL, subscription TEXT NOT NULL,"
	" what TEXT NOT NULL, why TEXT NOT NULL, event TEXT NOT NULL, at_ms INTEGER NOT NULL);"
	"CREATE TABLE IF NOT EXISTS consent_reader(name TEXT NOT NULL);"
	"INSERT INTO consent_reader SELECT lower(hex(randomblob(4)))"
	" WHERE NOT EXISTS(SELECT 1 FROM consent_reader);"
	"COMMIT;"
	"CREATE TEMP TABLE listed(id TEXT PRIMARY KEY) WITHOUT ROWID;"
	/* A fleet's: the serials of rows as they are in its database. */
	"CREATE TEMP TABLE heard(number INTEGER PRIMARY KEY, serial INTEGER NOT NULL);";

/* Rows of which a list can say something: ?1 is when it began to be read, less
 * what it may lag. */
#define JUDGED " id <> '' AND seen_ms < ?1"
#define MISSING                                                                                    \
	"given AND NOT EXISTS(SELECT 1 FROM listed WHERE listed.id = consents.id) AND" JUDGED
#define RETURNED                                                                                   \
	"NOT given AND EXISTS(SELECT 1 FROM listed WHERE listed.id = consents.id) AND" JUDGED

enum statement {
	READER,
	ALL,
	FIND,
	FIND_OTHER,
	PUT,
	RECORD,
	LIST_CLEAR,
	LIST_ADD,
	LIST_HAS,
	LIST_NUMBERS,
	COUNT_LISTED,
	COUNT_MISSING,
	COUNT_UNSETTLED,
	COUNT_UNKNOWN,
	EACH_MISSING,
	EACH_RETURNED,
	NOTE_DELETED,
	FORGET_ROWS,
	FORGET_RECORD,
	GET_HEARD,
	SET_HEARD,
	STATEMENT_COUNT
};

static const char *const statements[STATEMENT_COUNT] = {
	[READER] = "SELECT name FROM consent_reader",
	[ALL] = "SELECT number FROM consents WHERE given ORDER BY number",
	[FIND] = "SELECT given, at_ms, id FROM consents WHERE number = ?1",
	/* The same subscription under another number. */
	[FIND_OTHER] = "SELECT number, given, at_ms FROM consents"
		       " WHERE id = ?1 AND id <> '' AND number <> ?2"
		       " ORDER BY given DESC, at_ms DESC",
	[PUT] = "INSERT OR REPLACE INTO consents(number, id, given, at_ms, seen_ms)"
		" VALUES(?1, ?2, ?3, ?4, ?5)",
	[RECORD] = "INSERT INTO consent_record(written_ms, number, subscription, what, why, event,"
		   " at_ms) VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7)",
	[LIST_CLEAR] = "DELETE FROM listed",
	[LIST_ADD] = "INSERT OR IGNORE INTO listed(id) VALUES(?1)",
	[LIST_HAS] = "SELECT 1 FROM listed WHERE id = ?1",
	/* A core may name subscriptions by their numbers. */
	[LIST_NUMBERS] = "SELECT id FROM listed WHERE id LIKE '+%'"
			 " AND NOT EXISTS(SELECT 1 FROM consents WHERE consents.id = listed.id)",
	[COUNT_LISTED] = "SELECT count(*) FROM listed",
	[COUNT_MISSING] = "SELECT count(*) FROM consents WHERE " MISSING,
	[COUNT_UNSETTLED] = "SELECT count(*) FROM consents WHERE id <> '' AND seen_ms >= ?1 AND"
			    " given <> EXISTS(SELECT 1 FROM listed WHERE listed.id = consents.id)",
	[COUNT_UNKNOWN] = "SELECT count(*) FROM listed"
			  " WHERE NOT EXISTS(SELECT 1 FROM consents WHERE consents.id = listed.id)",
	[EACH_MISSING] =
		"SELECT number, id FROM consents WHERE number > ?2 AND " MISSING " ORDER BY number",
	[EACH_RETURNED] = "SELECT number, id FROM consents WHERE number > ?2 AND " RETURNED
			  " ORDER BY number",
	[NOTE_DELETED] = "INSERT INTO consent_record(written_ms, number, subscription, what, why,"
			 " event, at_ms)"
			 " SELECT ?2, '+' || number, id, 'deleted', 'the core confirmed', '', ?2"
			 " FROM consents WHERE number = ?1 AND NOT given",
	[FORGET_ROWS] = "DELETE FROM consents WHERE NOT given AND seen_ms < ?1",
	[FORGET_RECORD] = "DELETE FROM consent_record WHERE written_ms < ?1",
	[GET_HEARD] = "SELECT serial FROM heard WHERE number = ?1",
	[SET_HEARD] = "INSERT OR REPLACE INTO heard(number, serial) VALUES(?1, ?2)",
};

struct consent_store {
	char *path;
	struct consent_share *share; /* NULL: the file is all there is */
	sqlite3 *db;
	sqlite3_stmt *prepared[STATEMENT_COUNT];
	consent_effect_fn *effect;
	void *arg;
	char name[16];
	int code;           /* the transaction's first error */
	wall_ms list_began; /* less SETTLE_MS */
	bool list_trusted;  /* `listed` is complete and was not held */
};

static void keep_error(struct consent_store *store, int code)
{
	if (store->code == SQLITE_OK)
		store->code = code;
}

/* ---- open and close ---- */

static int read_name(struct consent_store *store)
{
	sqlite3_stmt *statement = store->prepared[READER];
	int code = sqlite3_step(statement);

	if (code == SQLITE_ROW)
		snprintf(store->name, sizeof(store->name), "%s",
			 (const char *)sqlite3_column_text(statement, 0));
	sqlite3_reset(statement);
	return code == SQLITE_ROW ? SQLITE_OK : code;
}

static int db_open(struct consent_store *store)
{
	int code = sql_open_beside(&store->db, store->path, setup);

	if (code == SQLITE_OK)
		code = sql_prepare(store->db, statements, STATEMENT_COUNT, store->prepared);
	return code == SQLITE_OK ? read_name(store) : code;
}

static int store_create(struct consent_store **ret_store, const char *path,
			struct consent_share *share, consent_effect_fn *effect, void *arg)
{
	struct consent_store *store = calloc(1, sizeof(*store));

	if (!store)
		return -ENOMEM;
	store->effect = effect;
	store->arg = arg;
	store->share = share;
	store->path = strdup(path);
	if (!store->path) {
		consent_store_close(store);
		return -ENOMEM;
	}
	if (db_open(store) != SQLITE_OK) {
		log_error(
			"registrar",
			"the consents in %s cannot be read (%s): nothing is done without them, as "
			"their numbers would be withdrawn. Mend the file, or move it aside: then "
			"they are read anew from the core",
			path, sqlite3_errmsg(store->db));
		consent_store_close(store);
		return -EIO;
	}
	*ret_store = store;
	return 0;
}

int consent_store_open(struct consent_store **ret_store, const char *path,
		       consent_effect_fn *effect, void *arg)
{
	return store_create(ret_store, path, NULL, effect, arg);
}

int consent_store_share(struct consent_store **ret_store, struct consent_share *share,
			consent_effect_fn *effect, void *arg)
{
	return store_create(ret_store, ":memory:", share, effect, arg);
}

struct consent_store *consent_store_close(struct consent_store *store)
{
	if (!store)
		return NULL;
	sql_finalize(store->prepared, STATEMENT_COUNT);
	sqlite3_close(store->db);
	free(store->path);
	free(store);
	return NULL;
}

const char *consent_store_name(const struct consent_store *store)
{
	return store->name;
}

/* ---- reading ---- */

int consent_store_each(struct consent_store *store, int (*visit)(uint64_t number, void *arg),
		       void *arg)
{
	sqlite3_stmt *all = store->prepared[ALL];
	int code, err = 0;

	while (!err && (code = sqlite3_step(all)) == SQLITE_ROW)
		err = visit((uint64_t)sqlite3_column_int64(all, 0), arg);
	sqlite3_reset(all);
	if (err)
		return err;
	return code == SQLITE_DONE ? 0 : -EIO;
}

/* What is known of a number. */
struct row {
	bool there, given;
	wall_ms at;
	char id[CONSENT_ID_ROOM];
};

static void find(struct consent_store *store, uint64_t number, struct row *ret_row)
{
	sqlite3_stmt *statement = store->prepared[FIND];
	int code;

	memset(ret_row, 0, sizeof(*ret_row));
	sqlite3_bind_int64(statement, 1, (sqlite3_int64)number);
	code = sqlite3_step(statement);
	if (code == SQLITE_ROW) {
		ret_row->there = true;
		ret_row->given = sqlite3_column_int(statement, 0);
		ret_row->at = sqlite3_column_int64(statement, 1);
		snprintf(ret_row->id, sizeof(ret_row->id), "%s",
			 (const char *)sqlite3_column_text(statement, 2));
	} else if (code != SQLITE_DONE) {
		keep_error(store, code);
	}
	sqlite3_reset(statement);
}

bool consent_store_has(struct consent_store *store, uint64_t number)
{
	struct row row;

	find(store, number, &row);
	return row.given;
}

/* ---- transactions ---- */

static int failed(struct consent_store *store, int code, const char **ret_error)
{
	*ret_error = sqlite3_errstr(code);
	if (!sqlite3_get_autocommit(store->db))
		sqlite3_exec(store->db, "ROLLBACK", NULL, NULL, NULL);
	return -EIO;
}

int consent_store_begin(struct consent_store *store, const char **ret_error)
{
	store->code = sqlite3_exec(store->db, "BEGIN IMMEDIATE", NULL, NULL, NULL);
	if (store->share)
		consent_share_begin(store->share);
	return store->code == SQLITE_OK ? 0 : failed(store, store->code, ret_error);
}

static void set_serial(struct consent_store *store, uint64_t number, int64_t serial)
{
	sqlite3_stmt *statement = store->prepared[SET_HEARD];

	sqlite3_bind_int64(statement, 1, (sqlite3_int64)number);
	sqlite3_bind_int64(statement, 2, serial);
	keep_error(store, sql_run(statement, NULL));
}

/* What the database has, it has: a failure here leaves what the next look brings. */
static int share_commit(struct consent_store *store, const char **ret_error)
{
	uint64_t number;
	int64_t serial;
	int err = consent_share_commit(store->share, &serial, ret_error);

	if (err) {
		sqlite3_exec(store->db, "ROLLBACK", NULL, NULL, NULL);
		return err;
	}
	for (size_t i = 0; i < consent_share_written(store->share, i, &number); i++)
		set_serial(store, number, serial);
	return 0;
}

int consent_store_commit(struct consent_store *store, const char **ret_error)
{
	int err = store->share && store->code == SQLITE_OK ? share_commit(store, ret_error) : 0;

	if (err)
		return err;
	if (store->code == SQLITE_OK)
		store->code = sqlite3_exec(store->db, "COMMIT", NULL, NULL, NULL);
	return store->code == SQLITE_OK ? 0 : failed(store, store->code, ret_error);
}

/* ---- changes ---- */

static void record(struct consent_store *store, const struct consent_change *change,
		   const char *what, const char *why)
{
	sqlite3_stmt *statement = store->prepared[RECORD];
	char number[E164_ROOM];

	e164_unpack(change->number, number);
	if (store->share) {
		consent_share_record(store->share, &(struct consent_note){ .written = clock_wall(),
									   .number = number,
									   .id = change->id,
									   .what = what,
									   .why = why,
									   .event = change->event,
									   .at = change->at });
		return;
	}
	sqlite3_bind_int64(statement, 1, clock_wall());
	sqlite3_bind_text(statement, 2, number, -1, SQLITE_TRANSIENT);
	sqlite3_bind_text(statement, 3, change->id, -1, SQLITE_TRANSIENT);
	sqlite3_bind_text(statement, 4, what, -1, SQLITE_STATIC);
	sqlite3_bind_text(statement, 5, why, -1, SQLITE_STATIC);
	sqlite3_bind_text(statement, 6, change->event, -1, SQLITE_TRANSIENT);
	sqlite3_bind_int64(statement, 7, change->at);
	keep_error(store, sql_run(statement, NULL));
}

static void put_row(struct consent_store *store, const struct consent_row *row)
{
	sqlite3_stmt *statement = store->prepared[PUT];

	sqlite3_bind_int64(statement, 1, (sqlite3_int64)row->number);
	sqlite3_bind_text(statement, 2, row->id, -1, SQLITE_TRANSIENT);
	sqlite3_bind_int(statement, 3, row->given);
	sqlite3_bind_int64(statement, 4, row->at);
	sqlite3_bind_int64(statement, 5, row->seen);
	keep_error(store, sql_run(statement, NULL));
}

/* Writes a number's row, and what that means. `why` NULL: nothing to record. */
static void put(struct consent_store *store, const struct consent_change *change, bool was_given,
		bool given, const char *why)
{
	struct consent_row row = {
		.number = change->number, .given = given, .at = change->at, .seen = clock_wall()
	};

	snprintf(row.id, sizeof(row.id), "%s", change->id);
	put_row(store, &row);
	if (store->share)
		consent_share_put(store->share, &row);
	if (why)
		record(store, change, given ? "added" : "revoked", why);
	if (given != was_given)
		store->effect(change->number, given, store->arg);
}

/* The subscription's other number, the one that counts now or did last; 0: none. */
static uint64_t find_other(struct consent_store *store, const struct consent_change *change,
			   struct row *ret_row)
{
	sqlite3_stmt *statement = store->prepared[FIND_OTHER];
	uint64_t number = 0;
	int code;

	sqlite3_bind_text(statement, 1, change->id, -1, SQLITE_TRANSIENT);
	sqlite3_bind_int64(statement, 2, (sqlite3_int64)change->number);
	code = sqlite3_step(statement);
	if (code == SQLITE_ROW) {
		number = (uint64_t)sqlite3_column_int64(statement, 0);
		ret_row->given = sqlite3_column_int(statement, 1);
		ret_row->at = sqlite3_column_int64(statement, 2);
	} else if (code != SQLITE_DONE) {
		keep_error(store, code);
	}
	sqlite3_reset(statement);
	return number;
}

static bool list_has(struct consent_store *store, const char *id)
{
	sqlite3_int64 there = 0;

	sqlite3_bind_text(store->prepared[LIST_HAS], 1, id, -1, SQLITE_TRANSIENT);
	keep_error(store, sql_run(store->prepared[LIST_HAS], &there));
	return there;
}

/* An event from before a list that does not name the subscription any more: the core
 * tells its history, and registering the number for a moment would be wrong. */
static bool outlived(struct consent_store *store, const struct consent_change *change)
{
	return store->list_trusted && change->id[0] && change->at < store->list_began &&
	       !list_has(store, change->id);
}

/* Of events of the same moment, the one that takes back counts. */
static bool comes_late(const struct row *row, const struct consent_change *change)
{
	if (!row->there)
		return false;
	if (change->at == row->at)
		return !row->given && change->kind != CONSENT_REVOKED;
	return change->at < row->at;
}

static void give(struct consent_store *store, const struct consent_change *change,
		 const struct row *row)
{
	struct consent_change other = *change;
	struct row known;

	other.number = find_other(store, change, &known);
	if (other.number && known.given && known.at > change->at)
		return; /* the subscription has moved on to that number */
	if (other.number && known.given)
		put(store, &other, true, false, "the subscription has another number");
	if (outlived(store, change))
		put(store, change, row->given, false, row->given ? "list" : NULL);
	else
		put(store, change, row->given, true, row->given ? NULL : "event");
}

static void take(struct consent_store *store, const struct consent_change *change,
		 const struct row *row)
{
	struct consent_change other = *change;
	struct row known;

	other.number = find_other(store, change, &known);
	if (other.number && known.given && known.at <= change->at)
		put(store, &other, true, false, "event");
	put(store, change, row->given, false, row->given || !row->there ? "event" : NULL);
}

void consent_store_apply(struct consent_store *store, const struct consent_change *change)
{
	struct consent_change known = *change;
	struct row row;

	if (store->code != SQLITE_OK)
		return;
	if (!known.number) { /* the same subscription, under whatever number */
		known.number = find_other(store, change, &row);
		if (!known.number)
			return;
	}
	find(store, known.number, &row);
	if (comes_late(&row, &known))
		return;
	if (!known.id[0])
		known.id = row.id;
	if (known.kind == CONSENT_REVOKED)
		take(store, &known, &row);
	else
		give(store, &known, &row);
}

/* ---- the list ---- */

int consent_store_list_begin(struct consent_store *store, wall_ms now)
{
	store->list_trusted = false;
	store->list_began = now - SETTLE_MS;
	return sql_run(store->prepared[LIST_CLEAR], NULL) == SQLITE_OK ? 0 : -EIO;
}

int consent_store_list_add(struct consent_store *store, const char *id)
{
	sqlite3_bind_text(store->prepared[LIST_ADD], 1, id, -1, SQLITE_TRANSIENT);
	return sql_run(store->prepared[LIST_ADD], NULL) == SQLITE_OK ? 0 : -EIO;
}

static size_t count_of(struct consent_store *store, enum statement which)
{
	sqlite3_stmt *statement = store->prepared[which];
	sqlite3_int64 count = 0;

	if (sqlite3_bind_parameter_count(statement))
		sqlite3_bind_int64(statement, 1, store->list_began);
	keep_error(store, sql_run(statement, &count));
	return (size_t)count;
}

/* One row at a time, as what is written may leave what is read. */
static size_t change_each(struct consent_store *store, enum statement which, bool given)
{
	sqlite3_stmt *statement = store->prepared[which];
	struct consent_change change = { .id = "", .event = "", .at = store->list_began };
	char id[CONSENT_ID_ROOM];
	size_t changed = 0;

	sqlite3_bind_int64(statement, 1, store->list_began);
	for (;;) {
		sqlite3_bind_int64(statement, 2, (sqlite3_int64)change.number);
		if (store->code != SQLITE_OK || sqlite3_step(statement) != SQLITE_ROW)
			break;
		change.number = (uint64_t)sqlite3_column_int64(statement, 0);
		snprintf(id, sizeof(id), "%s", (const char *)sqlite3_column_text(statement, 1));
		change.id = id;
		sqlite3_reset(statement);
		put(store, &change, !given, given, "list");
		changed++;
	}
	sqlite3_reset(statement);
	return changed;
}

static void add_numbers(struct consent_store *store)
{
	sqlite3_stmt *statement = store->prepared[LIST_NUMBERS];
	struct consent_change change = { .event = "", .at = store->list_began };
	struct row row;
	char id[CONSENT_ID_ROOM];

	while (store->code == SQLITE_OK && sqlite3_step(statement) == SQLITE_ROW) {
		snprintf(id, sizeof(id), "%s", (const char *)sqlite3_column_text(statement, 0));
		change.number = e164_pack(id);
		if (!change.number)
			continue;
		change.id = id;
		find(store, change.number, &row);
		if (!row.there || row.at < store->list_began)
			put(store, &change, row.given, true, row.given ? NULL : "list");
	}
	sqlite3_reset(statement);
}

void consent_store_list_apply(struct consent_store *store, size_t at_most,
			      struct consent_verdict *ret_verdict)
{
	memset(ret_verdict, 0, sizeof(*ret_verdict));
	ret_verdict->listed = count_of(store, COUNT_LISTED);
	ret_verdict->missing = count_of(store, COUNT_MISSING);
	ret_verdict->unsettled = count_of(store, COUNT_UNSETTLED);
	ret_verdict->held = ret_verdict->missing > at_most;
	if (!ret_verdict->held)
		(void)change_each(store, EACH_MISSING, false);
	add_numbers(store);
	ret_verdict->returned = change_each(store, EACH_RETURNED, true);
	ret_verdict->unknown = count_of(store, COUNT_UNKNOWN);
	store->list_trusted = !ret_verdict->held && store->code == SQLITE_OK;
}

/* ---- the record ---- */

bool consent_store_took_back(struct consent_store *store, uint64_t number)
{
	struct row row;

	find(store, number, &row);
	return row.there && !row.given;
}

int consent_store_note_deleted(struct consent_store *store, const struct consent_deletion *list,
			       size_t count)
{
	sqlite3_stmt *statement = store->prepared[NOTE_DELETED];
	const char *why;

	if (store->share)
		return consent_share_note_deleted(store->share, list, count);
	if (consent_store_begin(store, &why))
		return -EIO;
	for (size_t i = 0; i < count; i++) {
		sqlite3_bind_int64(statement, 1, (sqlite3_int64)list[i].number);
		sqlite3_bind_int64(statement, 2, list[i].at);
		keep_error(store, sql_run(statement, NULL));
	}
	return consent_store_commit(store, &why);
}

void consent_store_forget(struct consent_store *store, wall_ms before)
{
	if (store->share)
		consent_share_forget(store->share, before);
	sqlite3_bind_int64(store->prepared[FORGET_ROWS], 1, before);
	keep_error(store, sql_run(store->prepared[FORGET_ROWS], NULL));
	sqlite3_bind_int64(store->prepared[FORGET_RECORD], 1, before);
	keep_error(store, sql_run(store->prepared[FORGET_RECORD], NULL));
}

/* ---- what others write ---- */

static void hear(struct consent_store *store, const struct consent_row *row)
{
	sqlite3_stmt *statement = store->prepared[GET_HEARD];
	sqlite3_int64 serial = 0;
	struct row known;

	sqlite3_bind_int64(statement, 1, (sqlite3_int64)row->number);
	keep_error(store, sql_run(statement, &serial));
	if (row->serial <= serial)
		return;
	find(store, row->number, &known);
	put_row(store, row);
	set_serial(store, row->number, row->serial);
	if (row->given != known.given)
		store->effect(row->number, row->given, store->arg);
}

int consent_store_hear(struct consent_store *store, const char *name,
		       const struct consent_row *rows, size_t count)
{
	const char *why;

	snprintf(store->name, sizeof(store->name), "%s", name);
	store->code = sqlite3_exec(store->db, "BEGIN IMMEDIATE", NULL, NULL, NULL);
	for (size_t i = 0; store->code == SQLITE_OK && i < count; i++)
		hear(store, &rows[i]);
	if (store->code == SQLITE_OK)
		store->code = sqlite3_exec(store->db, "COMMIT", NULL, NULL, NULL);
	return store->code == SQLITE_OK ? 0 : failed(store, store->code, &why);
}
