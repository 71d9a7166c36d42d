/* SPDX-License-Identifier: Apache-2.0 */
#include "records/feed.h"

#include <errno.h>
#include <string.h>
#include "base/log.h"
#include "base/metrics.h"

#define LONGEST_PAUSE_MS 60000
#define KEEP_BATCH       500

static struct metric rows_total = METRIC_COUNTER_INIT("breakout_records_rows_total", NULL,
						      "Records handed to the database as rows");
static struct metric broken_total = METRIC_COUNTER_INIT(
	"breakout_records_broken_total", NULL, "Lines of the file of records that are no record");
static struct metric behind =
	METRIC_GAUGE_INIT("breakout_records_behind_bytes", "to=\"database\"",
			  "Bytes of the file of records that have not got there yet");

static void let_go(struct feed *feed)
{
	cursor_done(&feed->cursor);
	feed->rows = feed->ops->close(feed->rows);
}

void feed_done(struct feed *feed)
{
	if (feed->rows)
		let_go(feed);
}

/* What fails is given up as a whole: reading goes on from the position that the
 * database knows once it can be reached again. */
static void fail(struct feed *feed, mono_ms now, int err, const char *why)
{
	if (feed->rows)
		let_go(feed);
	if (backoff_failed(&feed->backoff, now, LONGEST_PAUSE_MS))
		log_error("records",
			  "records.%s %s cannot be used: %s; rows wait in the file of records: "
			  "mend it, nothing is lost",
			  feed->ops->name, feed->where.database, *why ? why : strerror(-err));
}

static bool reach(struct feed *feed, mono_ms now)
{
	char why[ROWS_ERROR_ROOM] = "";
	struct cursor_position position;
	struct rows *rows;
	int err;

	if (feed->rows)
		return true;
	if (!backoff_passes(&feed->backoff, now))
		return false;
	err = feed->ops->open(&rows, &feed->where, &position, why);
	if (!err) {
		feed->rows = rows;
		err = cursor_init(&feed->cursor, feed->spool, &position);
	}
	if (err)
		fail(feed, now, err, why);
	return !err;
}

/* Reads up to a batch; a line that is no record is told of and passed over. */
static int read_batch(struct feed *feed, size_t *ret_count)
{
	const char *line;
	size_t count = 0;
	int got = 1;

	while (count < FEED_BATCH && (got = cursor_read(&feed->cursor, &line)) == 1) {
		int err = row_parse(&feed->batch[count], line);

		if (err == -ENOMEM) {
			got = err;
			break;
		}
		if (!err) {
			count++;
			continue;
		}
		metric_add(&broken_total, 1);
		log_error("records", "%s: the line before byte %lld is no record: left out",
			  feed->spool, (long long)feed->cursor.at.offset);
	}
	*ret_count = count;
	return got;
}

bool feed_work(struct feed *feed, mono_ms now)
{
	char why[ROWS_ERROR_ROOM] = "";
	struct cursor_position before;
	size_t count;
	int got, err = 0;

	if (!feed->where.database || !reach(feed, now))
		return false;
	before = feed->cursor.at;
	got = read_batch(feed, &count);
	if (got >= 0 && memcmp(&before, &feed->cursor.at, sizeof(before)) != 0)
		err = feed->ops->write(feed->rows, feed->batch, count, &feed->cursor.at, why);
	for (size_t i = 0; i < count; i++)
		row_done(&feed->batch[i]);
	if (got < 0 || err) {
		fail(feed, now, err ? err : got, why);
		return false;
	}
	metric_add(&rows_total, (int64_t)count);
	if (got == 0)
		metric_set(&behind, 0);
	else
		metric_set(&behind, cursor_behind(&feed->cursor));
	if (backoff_worked(&feed->backoff))
		log_notice("records", "records.%s %s works again", feed->ops->name,
			   feed->where.database);
	return got == 1;
}

bool feed_keep(struct feed *feed, mono_ms now, wall_ms expire_before, wall_ms mask_before)
{
	char why[ROWS_ERROR_ROOM] = "";
	int expired = 0, masked = 0;

	if (!feed->where.database || !reach(feed, now))
		return false;
	if (expire_before)
		expired = feed->ops->expire(feed->rows, expire_before, KEEP_BATCH, why);
	if (expired >= 0 && mask_before)
		masked = feed->ops->mask(feed->rows, mask_before, KEEP_BATCH, why);
	if (expired < 0 || masked < 0) {
		fail(feed, now, expired < 0 ? expired : masked, why);
		return false;
	}
	return expired == KEEP_BATCH || masked == KEEP_BATCH;
}
