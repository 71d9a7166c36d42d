/* SPDX-License-Identifier: Apache-2.0 */
#include "sql/postgres.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <libpq-fe.h>
#include "base/secret.h"

struct pg {
	PGconn *connection; /* NULL: none */
	char *conninfo, *password_file;
	char error[256];
	bool lacks_rights, bad_data;
};

int pg_create(struct pg **ret_pg, const char *conninfo, const char *password_file)
{
	struct pg *pg = calloc(1, sizeof(*pg));

	if (!pg)
		return -ENOMEM;
	pg->conninfo = strdup(conninfo);
	pg->password_file = str_dup_or_null(password_file);
	if (!pg->conninfo || (password_file && !pg->password_file)) {
		pg_destroy(pg);
		return -ENOMEM;
	}
	*ret_pg = pg;
	return 0;
}

struct pg *pg_destroy(struct pg *pg)
{
	if (!pg)
		return NULL;
	PQfinish(pg->connection);
	free(pg->conninfo);
	free(pg->password_file);
	free(pg);
	return NULL;
}

/* libpq's own texts have several lines. */
static void one_line(char *to, size_t room, const char *text)
{
	size_t n = 0;

	while (*text && n + 1 < room) {
		char c = *text++;

		if (c == '\n' || c == '\t')
			c = ' ';
		if (c == ' ' && (!n || to[n - 1] == ' '))
			continue;
		to[n++] = c;
	}
	while (n && to[n - 1] == ' ')
		n--;
	to[n] = '\0';
}

static int fail(struct pg *pg, const char *why)
{
	one_line(pg->error, sizeof(pg->error), why);
	return -EIO;
}

int pg_check(const char *conninfo, char *ret_error, size_t room)
{
	char *why = NULL;
	PQconninfoOption *options = PQconninfoParse(conninfo, &why);
	int err = options ? 0 : -EINVAL;

	if (err)
		one_line(ret_error, room, why ? why : "out of memory");
	PQconninfoFree(options);
	PQfreemem(why);
	return err;
}

const char *pg_error(const struct pg *pg)
{
	return pg->error;
}

bool pg_lacks_rights(const struct pg *pg)
{
	return pg->lacks_rights;
}

bool pg_bad_data(const struct pg *pg)
{
	return pg->bad_data;
}

bool pg_connected(const struct pg *pg)
{
	return pg->connection != NULL;
}

/* PQfinish() says goodbye, which may fail but does not wait. */
void pg_drop(struct pg *pg)
{
	PQfinish(pg->connection);
	pg->connection = NULL;
}

/* ---- waiting ---- */

/* False: the time is over. */
static bool await(const struct pg *pg, short events, mono_ms deadline)
{
	struct pollfd fd = { .fd = PQsocket(pg->connection), .events = events };
	int ready;

	do {
		mono_ms left = deadline - clock_now();

		if (left <= 0)
			return false;
		ready = poll(&fd, 1, left < 1000 ? (int)left : 1000);
	} while (ready == 0 || (ready < 0 && errno == EINTR));
	return ready > 0;
}

/* ---- connecting ---- */

static int start(struct pg *pg)
{
	char password[SECRET_ROOM] = "";
	const char *names[] = { "dbname",          "password",        "application_name",
				"client_encoding", "keepalives_idle", NULL };
	const char *values[] = { pg->conninfo, password, "breakout", "UTF8", "10", NULL };
	int err = pg->password_file ? secret_read(pg->password_file, password) : 0;

	if (err) {
		snprintf(pg->error, sizeof(pg->error), "password file %.150s: %s",
			 pg->password_file, strerror(-err));
		return -EIO;
	}
	if (!pg->password_file)
		values[1] = NULL; /* as the connection string or libpq's own files say */
	/* What the string says of application_name and the like is overridden; it names
	 * the database. */
	pg->connection = PQconnectStartParams(names, values, /* expand_dbname= */ 1);
	explicit_bzero(password, sizeof(password));
	if (!pg->connection)
		return fail(pg, "out of memory");
	return 0;
}

int pg_connect(struct pg *pg, mono_ms deadline)
{
	PostgresPollingStatusType turn = PGRES_POLLING_WRITING;
	int err;

	pg_drop(pg);
	err = start(pg);
	if (err)
		return err;
	if (PQstatus(pg->connection) == CONNECTION_BAD)
		turn = PGRES_POLLING_FAILED;
	while (turn == PGRES_POLLING_READING || turn == PGRES_POLLING_WRITING) {
		if (!await(pg, turn == PGRES_POLLING_READING ? POLLIN : POLLOUT, deadline)) {
			err = fail(pg, "no answer from the server in time");
			break;
		}
		turn = PQconnectPoll(pg->connection);
	}
	if (!err && turn != PGRES_POLLING_OK)
		err = fail(pg, PQerrorMessage(pg->connection));
	if (!err && PQsetnonblocking(pg->connection, 1))
		err = fail(pg, "out of memory");
	if (err)
		pg_drop(pg);
	return err;
}

/* ---- statements ---- */

static int flush(struct pg *pg, mono_ms deadline)
{
	int left;

	while ((left = PQflush(pg->connection)) == 1)
		if (!await(pg, POLLOUT | POLLIN, deadline) || !PQconsumeInput(pg->connection))
			return -EIO;
	return left ? -EIO : 0;
}

/* The last result that is not NULL, or NULL. */
static PGresult *receive(struct pg *pg, mono_ms deadline)
{
	PGresult *result = NULL, *next;

	for (;;) {
		while (PQisBusy(pg->connection)) {
			if (!await(pg, POLLIN, deadline) || !PQconsumeInput(pg->connection)) {
				PQclear(result);
				return NULL;
			}
		}
		next = PQgetResult(pg->connection);
		if (!next)
			return result;
		/* Of several statements the first that failed tells the story. */
		if (result && PQresultStatus(result) == PGRES_FATAL_ERROR) {
			PQclear(next);
			continue;
		}
		PQclear(result);
		result = next;
	}
}

static int judge(struct pg *pg, const PGresult *result)
{
	ExecStatusType status = PQresultStatus(result);
	const char *state;

	if (status == PGRES_TUPLES_OK || status == PGRES_COMMAND_OK)
		return 0;
	fail(pg, PQresultErrorMessage(result));
	if (PQstatus(pg->connection) == CONNECTION_BAD) {
		pg_drop(pg);
		return -EIO;
	}
	state = PQresultErrorField(result, PG_DIAG_SQLSTATE);
	pg->lacks_rights = state && !strcmp(state, "42501");
	pg->bad_data = state && (!strncmp(state, "22", 2) || !strncmp(state, "23", 2));
	return -EPROTO;
}

static int finish(struct pg *pg, bool sent, mono_ms deadline, struct pg_rows **ret_rows)
{
	PGresult *result = NULL;
	int err;

	if (sent && !flush(pg, deadline))
		result = receive(pg, deadline);
	if (!result) {
		fail(pg, clock_now() >= deadline ? "no answer from the server in time"
						 : PQerrorMessage(pg->connection));
		pg_drop(pg);
		return -EIO;
	}
	err = judge(pg, result);
	if (!err && ret_rows)
		*ret_rows = (struct pg_rows *)result;
	else
		PQclear(result);
	return err;
}

int pg_exec(struct pg *pg, const char *statement, const char *const *params, size_t count,
	    mono_ms deadline, struct pg_rows **ret_rows)
{
	if (!pg->connection)
		return fail(pg, "not connected");
	pg->lacks_rights = pg->bad_data = false;
	return finish(pg,
		      PQsendQueryParams(pg->connection, statement, (int)count, NULL, params, NULL,
					NULL, /* resultFormat= */ 0) == 1,
		      deadline, ret_rows);
}

int pg_script(struct pg *pg, const char *statements, mono_ms deadline)
{
	if (!pg->connection)
		return fail(pg, "not connected");
	pg->lacks_rights = pg->bad_data = false;
	return finish(pg, PQsendQuery(pg->connection, statements) == 1, deadline, NULL);
}

/* ---- answers ---- */

/* struct pg_rows is a PGresult under another name. */
static const PGresult *result_of(const struct pg_rows *rows)
{
	return (const PGresult *)rows;
}

size_t pg_row_count(const struct pg_rows *rows)
{
	return (size_t)PQntuples(result_of(rows));
}

const char *pg_text(const struct pg_rows *rows, size_t row, size_t column)
{
	return PQgetvalue(result_of(rows), (int)row, (int)column);
}

int64_t pg_int(const struct pg_rows *rows, size_t row, size_t column)
{
	return strtoll(pg_text(rows, row, column), NULL, 10);
}

bool pg_bool(const struct pg_rows *rows, size_t row, size_t column)
{
	return pg_text(rows, row, column)[0] == 't';
}

size_t pg_affected(const struct pg_rows *rows)
{
	return strtoul(PQcmdTuples((PGresult *)rows), NULL, 10);
}

struct pg_rows *pg_rows_destroy(struct pg_rows *rows)
{
	PQclear((PGresult *)rows);
	return NULL;
}

/* ---- notifications ---- */

int pg_fd(const struct pg *pg)
{
	return pg->connection ? PQsocket(pg->connection) : -1;
}

bool pg_notified(struct pg *pg)
{
	PGnotify *notify;
	bool any = false;

	if (!pg->connection)
		return false;
	if (!PQconsumeInput(pg->connection)) {
		fail(pg, PQerrorMessage(pg->connection));
		pg_drop(pg);
		return true; /* something has happened: look */
	}
	while ((notify = PQnotifies(pg->connection))) {
		any = true;
		PQfreemem(notify);
	}
	return any;
}
