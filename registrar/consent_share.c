/* SPDX-License-Identifier: Apache-2.0 */
#include "registrar/consent_share.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/str.h"
#include "sql/postgres.h"

#define WRITE_MS  1500 /* the registrar waits meanwhile */
#define LOOK_ROWS "10000"

struct consent_share {
	struct pg *pg;
	struct consent_lead lead;
	bool doubts;
	int64_t writes; /* under the epoch; also those that failed */
	struct consent_row *rows;
	size_t count, room;
	struct str notes[7]; /* columns of consent_record */
	bool failed;         /* no memory for some of it */
	char error[256];
};

/* ---- create and destroy ---- */

int consent_share_create(struct consent_share **ret_share, const struct config_postgres *config)
{
	struct consent_share *share = calloc(1, sizeof(*share));
	int err;

	if (!share)
		return -ENOMEM;
	err = pg_create(&share->pg, config->conninfo, config->password_file);
	if (err)
		free(share);
	else
		*ret_share = share;
	return err;
}

struct consent_share *consent_share_destroy(struct consent_share *share)
{
	if (!share)
		return NULL;
	consent_share_begin(share);
	free(share->rows);
	pg_destroy(share->pg);
	free(share);
	return NULL;
}

void consent_share_lead(struct consent_share *share, const struct consent_lead *lead)
{
	if (lead->epoch != share->lead.epoch)
		share->writes = 0;
	share->lead = *lead;
}

bool consent_share_doubts(struct consent_share *share)
{
	bool doubts = share->doubts;

	share->doubts = false;
	return doubts;
}

/* Until the fleet says otherwise. */
static int doubt(struct consent_share *share, int err)
{
	if (err == -EIO) {
		share->doubts = true;
		share->lead.reachable = false;
	}
	return err;
}

/* ---- a transaction ---- */

void consent_share_begin(struct consent_share *share)
{
	share->count = 0;
	share->failed = false;
	for (size_t i = 0; i < ARRAY_SIZE(share->notes); i++)
		str_done(&share->notes[i]);
}

void consent_share_put(struct consent_share *share, const struct consent_row *row)
{
	if (share->count == share->room) {
		size_t room = share->room * 2 + 16;
		struct consent_row *grown = reallocarray(share->rows, room, sizeof(*grown));

		if (!grown) {
			share->failed = true;
			return;
		}
		share->rows = grown;
		share->room = room;
	}
	share->rows[share->count] = *row;
	share->rows[share->count].serial = (int64_t)share->count; /* the order, so far */
	share->count++;
}

void consent_share_record(struct consent_share *share, const struct consent_note *note)
{
	struct str *columns = share->notes;

	pg_array_int(&columns[0], note->written);
	pg_array_text(&columns[1], note->number);
	pg_array_text(&columns[2], note->id);
	pg_array_text(&columns[3], note->what);
	pg_array_text(&columns[4], note->why);
	pg_array_text(&columns[5], note->event);
	pg_array_int(&columns[6], note->at);
}

static int compare_rows(const void *a, const void *b)
{
	const struct consent_row *x = a, *y = b;

	if (x->number != y->number)
		return x->number < y->number ? -1 : 1;
	return x->serial < y->serial ? -1 : x->serial > y->serial;
}

/* Of each number what was written last. */
static void settle(struct consent_share *share)
{
	size_t kept = 0;

	if (share->count)
		qsort(share->rows, share->count, sizeof(*share->rows), compare_rows);
	for (size_t i = 0; i < share->count; i++)
		if (i + 1 == share->count || share->rows[i + 1].number != share->rows[i].number)
			share->rows[kept++] = share->rows[i];
	share->count = kept;
}

/* One statement, one transaction. It holds the shard for as long as it lasts. A statement
 * that we gave up may arrive after one that we did not: the number of the write, which
 * grows, turns it away. */
static const char write_all[] =
	"WITH mine AS MATERIALIZED (SELECT 1 FROM breakout.shard WHERE shard = 0 AND"
	" session = $1::bigint AND epoch = $2::bigint FOR SHARE),"
	" turn AS (UPDATE breakout.consent_reader r SET epoch = $2, write = $3::bigint FROM mine"
	" WHERE (r.epoch, r.write) < ($2, $3) RETURNING 1),"
	" put AS (INSERT INTO breakout.consent AS c SELECT u.number, u.id, u.given, u.at_ms,"
	" u.seen_ms, nextval('breakout.consent_serial') FROM unnest($4::bigint[], $5::text[],"
	" $6::integer[], $7::bigint[], $8::bigint[]) AS u(number, id, given, at_ms, seen_ms), turn"
	" ON CONFLICT (number) DO UPDATE SET id = EXCLUDED.id, given = EXCLUDED.given,"
	" at_ms = EXCLUDED.at_ms, seen_ms = EXCLUDED.seen_ms, serial = EXCLUDED.serial"
	" RETURNING c.serial),"
	" noted AS (INSERT INTO breakout.consent_record SELECT u.* FROM unnest($9::bigint[],"
	" $10::text[], $11::text[], $12::text[], $13::text[], $14::text[], $15::bigint[]) AS"
	" u(written_ms, number, subscription, what, why, event, at_ms), turn)"
	/* The others look at once; a notification that is lost is made good by their next beat. */
	" SELECT EXISTS (SELECT 1 FROM turn), coalesce((SELECT max(serial) FROM put), 0),"
	" pg_notify('breakout', '')";

enum column { SESSION, EPOCH, WRITE, NUMBERS, IDS, GIVEN, ATS, SEEN, NOTES, COLUMN_COUNT = 15 };

static void add_rows(const struct consent_share *share, struct str columns[COLUMN_COUNT])
{
	for (size_t i = 0; i < share->count; i++) {
		const struct consent_row *row = &share->rows[i];

		pg_array_int(&columns[NUMBERS], (int64_t)row->number);
		pg_array_text(&columns[IDS], row->id);
		pg_array_int(&columns[GIVEN], row->given);
		pg_array_int(&columns[ATS], row->at);
		pg_array_int(&columns[SEEN], row->seen);
	}
	for (int i = NUMBERS; i < NOTES; i++)
		pg_array_end(&columns[i]);
}

static int ask(struct consent_share *share, const struct str columns[COLUMN_COUNT],
	       int64_t *ret_serial)
{
	const char *params[COLUMN_COUNT];
	mono_ms deadline = clock_now() + WRITE_MS;
	struct pg_rows *answer;
	bool done;
	int err = pg_connected(share->pg) ? 0 : pg_connect(share->pg, deadline);

	for (int i = 0; i < COLUMN_COUNT; i++) {
		if (columns[i].failed)
			return -ENOMEM;
		params[i] = columns[i].text;
	}
	if (!err)
		err = pg_exec(share->pg, write_all, params, COLUMN_COUNT, deadline, &answer);
	if (err)
		return doubt(share, err);
	done = pg_bool(answer, 0, 0);
	*ret_serial = pg_int(answer, 0, 1);
	pg_rows_destroy(answer);
	return done ? 0 : -EPERM;
}

static int not_written(struct consent_share *share, const char *why, const char **ret_error)
{
	snprintf(share->error, sizeof(share->error), "%s", why);
	*ret_error = share->error;
	return -EIO;
}

int consent_share_commit(struct consent_share *share, int64_t *ret_serial, const char **ret_error)
{
	struct str columns[COLUMN_COUNT] = { 0 };
	int err;

	if (share->failed)
		return not_written(share, "out of memory", ret_error);
	if (!share->lead.epoch)
		return not_written(share, "another node writes them", ret_error);
	if (!share->lead.reachable)
		return not_written(share, "the fleet's database cannot be reached", ret_error);
	settle(share);
	str_addf(&columns[SESSION], "%" PRIu64, share->lead.session);
	str_addf(&columns[EPOCH], "%" PRIu64, share->lead.epoch);
	str_addf(&columns[WRITE], "%" PRId64, ++share->writes);
	add_rows(share, columns);
	for (size_t i = 0; i < ARRAY_SIZE(share->notes); i++) {
		pg_array_end(&share->notes[i]);
		columns[NOTES + i] = share->notes[i]; /* borrowed */
	}
	err = ask(share, columns, ret_serial);
	for (int i = 0; i < NOTES; i++)
		str_done(&columns[i]);
	if (err == -EPERM)
		return not_written(share, "another node writes them by now", ret_error);
	if (err)
		return not_written(share, err == -ENOMEM ? "out of memory" : pg_error(share->pg),
				   ret_error);
	return 0;
}

size_t consent_share_written(const struct consent_share *share, size_t i, uint64_t *ret_number)
{
	if (i < share->count)
		*ret_number = share->rows[i].number;
	return share->count;
}

/* ---- beside transactions ---- */

static int execute(struct consent_share *share, const char *statement, const char *const *params,
		   size_t count)
{
	mono_ms deadline = clock_now() + WRITE_MS;
	int err = 0;

	if (!share->lead.reachable)
		return -EIO;
	if (!pg_connected(share->pg))
		err = pg_connect(share->pg, deadline);
	if (!err)
		err = pg_exec(share->pg, statement, params, count, deadline, NULL);
	return doubt(share, err) ? -EIO : 0;
}

int consent_share_note_deleted(struct consent_share *share, const struct consent_deletion *list,
			       size_t count)
{
	struct str numbers = { 0 }, ats = { 0 };
	int err = -EIO;

	for (size_t i = 0; i < count; i++) {
		pg_array_int(&numbers, (int64_t)list[i].number);
		pg_array_int(&ats, list[i].at);
	}
	pg_array_end(&numbers);
	pg_array_end(&ats);
	if (!numbers.failed && !ats.failed)
		err = execute(
			share,
			"INSERT INTO breakout.consent_record(written_ms, number, subscription,"
			" what, why, event, at_ms) SELECT u.at_ms, '+' || c.number, c.id,"
			" 'deleted', 'the core confirmed', '', u.at_ms FROM"
			" unnest($1::bigint[], $2::bigint[]) AS u(number, at_ms) JOIN"
			" breakout.consent c ON c.number = u.number AND c.given = 0",
			(const char *[]){ numbers.text, ats.text }, 2);
	str_done(&numbers);
	str_done(&ats);
	return err;
}

/* What is not dropped now is with the next list. */
void consent_share_forget(struct consent_share *share, wall_ms before)
{
	char text[PG_INT_ROOM];
	const char *params[] = { pg_number(text, before) };

	if (!execute(share, "DELETE FROM breakout.consent WHERE given = 0 AND seen_ms < $1", params,
		     1))
		(void)!execute(share, "DELETE FROM breakout.consent_record WHERE written_ms < $1",
			       params, 1);
}

/* ---- a look ---- */

struct consent_news *consent_news_destroy(struct consent_news *news)
{
	if (news)
		free(news->rows);
	free(news);
	return NULL;
}

static struct consent_news *news_of(const struct pg_rows *rows)
{
	struct consent_news *news = calloc(1, sizeof(*news));

	if (!news)
		return NULL;
	news->rows = calloc(pg_row_count(rows), sizeof(*news->rows));
	if (!news->rows)
		return consent_news_destroy(news);
	snprintf(news->name, sizeof(news->name), "%s", pg_text(rows, 0, 6));
	for (size_t i = 0; i < pg_row_count(rows) && pg_int(rows, i, 0); i++) {
		struct consent_row *row = &news->rows[news->count++];

		row->number = (uint64_t)pg_int(rows, i, 0);
		snprintf(row->id, sizeof(row->id), "%s", pg_text(rows, i, 1));
		row->given = pg_int(rows, i, 2);
		row->at = pg_int(rows, i, 3);
		row->seen = pg_int(rows, i, 4);
		row->serial = news->serial = pg_int(rows, i, 5);
	}
	return news;
}

int consent_look(struct pg *pg, mono_ms deadline, int64_t serial, struct consent_news **ret_news)
{
	char text[PG_INT_ROOM];
	const char *params[] = { pg_number(text, serial) };
	struct pg_rows *rows;
	bool any;
	int err =
		pg_exec(pg,
			"SELECT c.number, c.id, c.given, c.at_ms, c.seen_ms, c.serial, r.name FROM"
			" breakout.consent_reader r LEFT JOIN breakout.consent c ON c.serial > $1"
			" ORDER BY c.serial LIMIT " LOOK_ROWS,
			params, 1, deadline, &rows);

	if (err)
		return err;
	any = pg_row_count(rows) && (serial < 0 || pg_int(rows, 0, 0));
	*ret_news = any ? news_of(rows) : NULL;
	pg_rows_destroy(rows);
	return any && !*ret_news ? -ENOMEM : 0;
}
