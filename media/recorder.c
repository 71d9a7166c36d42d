/* SPDX-License-Identifier: Apache-2.0 */
#include "media/recorder.h"
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include "base/e164.h"
#include "base/log.h"
#include "base/mailbox.h"
#include "base/metrics.h"
#include "base/str.h"
#include "base/thread.h"
#include "media/recording_file.h"
#include "media/recording_folder.h"
#include "media/tone.h"

#define RING_SAMPLES 32768 /* 4 s: the disk may be slow for so long; a power of two */
#define ROUND_MS     200   /* between two looks at the rings */
#define EXPIRE_MS    (3600 * (mono_ms)1000) /* between two looks for what is too old */
#define BATCH_FRAMES 1600

static struct metric recordings_total = METRIC_COUNTER_INIT(
	"breakout_recordings_total", NULL, "Messages and calls recorded and on disk");
static struct metric broken_total =
	METRIC_COUNTER_INIT("breakout_recordings_broken_total", NULL,
			    "Recordings that the disk did not take, or not to their end");
static struct metric dropped_total =
	METRIC_COUNTER_INIT("breakout_recording_dropped_samples_total", NULL,
			    "Samples of recordings that were silenced because the disk was slow");

struct recording {
	struct recorder *recorder; /* borrowed */
	char *folder, *name, *about;
	char *shown;                    /* folder and name for the log: a mailbox may be a number */
	struct media_recording options; /* its texts are those above */

	/* Between the threads. */
	atomic_int state;       /* enum recording_state; written by the recorder's thread */
	atomic_uint head, tail; /* samples taken out and put in, since create */
	atomic_bool closed;     /* the last the other thread writes */
	bool keep;              /* valid once closed */
	const char *why;
	uint64_t dropped;  /* samples; the other thread's until closed */
	int16_t *ring;     /* RING_SAMPLES; NULL: */
	struct tape *tape; /* both directions of a call instead; own */

	/* The recorder's thread. */
	struct recording *next;
	struct recording_file file;
};

struct recorder {
	struct mailbox *mailbox;
	pthread_t thread;
	bool running; /* the thread exists */
	/* Its own. */
	struct recording *list;
	char *kept; /* a folder whose recordings are removed after: */
	unsigned kept_days;
	mono_ms expire_ms; /* when it is looked at next */
	bool stop;
};

struct recorder_mail {
	struct mail mail;
	struct recording *recording; /* to begin */
	char *folder;                /* to recover, or with days: to be kept so long */
	unsigned days;
};

/* ---- one message ---- */

static void set_state(struct recording *recording, enum recording_state state)
{
	atomic_store_explicit(&recording->state, (int)state, memory_order_release);
}

enum recording_state recording_state(const struct recording *recording)
{
	return (enum recording_state)atomic_load_explicit(&recording->state, memory_order_acquire);
}

const struct media_recording *recording_options(const struct recording *recording)
{
	return &recording->options;
}

static void recording_free(struct recording *recording)
{
	recording_file_done(&recording->file);
	tape_destroy(recording->tape);
	free(recording->ring);
	free((char *)recording->options.public_key);
	free(recording->folder);
	free(recording->name);
	free(recording->shown);
	free(recording->about);
	free(recording);
}

static void open_recording(struct recording *recording)
{
	unsigned channels = recording->tape ? TAPE_CHANNELS : 1;
	const char *why;
	int err = recording_file_make(&recording->file, &recording->options, channels, &why);

	if (!err) {
		set_state(recording, RECORDING_OPEN);
		return;
	}
	if (why)
		log_error("media",
			  "recording=%s cannot be sealed with key=%s: %s: mend recordings.key",
			  recording->shown, recording->options.public_key, why);
	else
		log_error("media",
			  "recording=%s cannot be made: %s: mend path, rights or space of the "
			  "folder",
			  recording->shown, strerror(-err));
	metric_add(&broken_total, 1);
	recording_file_throw_away(&recording->file);
	set_state(recording, RECORDING_FAILED);
}

static void broke(struct recording *recording, int err)
{
	log_error("media", "recording=%s takes no more: %s: make room; what was written is kept",
		  recording->shown, strerror(-err));
	metric_add(&broken_total, 1);
	set_state(recording, RECORDING_BROKEN);
}

static void store(struct recording *recording, const int16_t *samples, size_t frames)
{
	int err;

	if (frames == 0 || recording_state(recording) != RECORDING_OPEN)
		return;
	err = recording_file_write(&recording->file, samples, frames);
	if (err)
		broke(recording, err);
}

/* What lies in one piece at the head of the ring goes to the file. */
static size_t write_piece(struct recording *recording)
{
	unsigned head = atomic_load_explicit(&recording->head, memory_order_relaxed);
	unsigned tail = atomic_load_explicit(&recording->tail, memory_order_acquire);
	unsigned at = head % RING_SAMPLES, count = tail - head;

	if (count > RING_SAMPLES - at)
		count = RING_SAMPLES - at;
	store(recording, recording->ring + at, count);
	atomic_store_explicit(&recording->head, head + count, memory_order_release);
	return count;
}

static size_t write_frames(struct recording *recording, bool closed)
{
	int16_t frames[BATCH_FRAMES][TAPE_CHANNELS];
	size_t count = tape_play(recording->tape, frames, BATCH_FRAMES, clock_now(), closed);

	store(recording, frames[0], count);
	return count;
}

static void complete(struct recording *recording)
{
	uint64_t dropped = recording->tape ? tape_dropped(recording->tape) : recording->dropped;
	int err = recording_file_complete(&recording->file, dropped / (TONE_RATE / 1000),
					  recording->why);

	if (err) {
		log_error("media",
			  "recording=%s cannot be completed: %s: make room; it is completed "
			  "at the next start",
			  recording->shown, strerror(-err));
		return;
	}
	metric_add(&recordings_total, 1);
	metric_add(&dropped_total, (int64_t)dropped);
	log_info("media", "recording=%s length_ms=%u dropped=%llu ended=%s", recording->shown,
		 recording_file_ms(&recording->file), (unsigned long long)dropped, recording->why);
}

static void finish(struct recording *recording)
{
	enum recording_state state = recording_state(recording);

	if (state == RECORDING_FAILED)
		; /* there is nothing */
	else if (recording->keep &&
		 recording_file_ms(&recording->file) >= MEDIA_RECORDING_SHORTEST_MS)
		complete(recording);
	else
		recording_file_throw_away(&recording->file);
	recording_free(recording);
}

void recording_write(struct recording *recording, const int16_t *samples, size_t count)
{
	unsigned head = atomic_load_explicit(&recording->head, memory_order_acquire);
	unsigned tail = atomic_load_explicit(&recording->tail, memory_order_relaxed);

	if (count > RING_SAMPLES - (tail - head)) {
		recording->dropped += count;
		return;
	}
	for (size_t i = 0; i < count; i++)
		recording->ring[(tail + i) % RING_SAMPLES] = samples[i];
	atomic_store_explicit(&recording->tail, tail + (unsigned)count, memory_order_release);
}

struct recording *recording_close(struct recording *take_recording, bool keep, const char *why)
{
	if (!take_recording)
		return NULL;
	take_recording->keep = keep;
	take_recording->why = why;
	atomic_store_explicit(&take_recording->closed, true, memory_order_release);
	return NULL;
}

/* ---- the thread ---- */

static void on_mail(struct mail *mail, void *receiver)
{
	struct recorder_mail *message = CONTAINER_OF(mail, struct recorder_mail, mail);
	struct recorder *recorder = receiver;

	if (message->recording) {
		open_recording(message->recording);
		message->recording->next = recorder->list;
		recorder->list = message->recording;
	} else if (message->days) {
		free(recorder->kept);
		recorder->kept = message->folder;
		recorder->kept_days = message->days;
		recorder->expire_ms = clock_now();
		message->folder = NULL;
	} else if (message->folder) {
		recording_files_recover(message->folder);
	} else {
		recorder->stop = true;
	}
	free(message->folder);
	free(message);
}

/* The order matters: what was written before the close is taken after it. */
static void serve(struct recorder *recorder)
{
	struct recording **link = &recorder->list;

	while (*link) {
		struct recording *recording = *link;
		bool closed = atomic_load_explicit(&recording->closed, memory_order_acquire);

		while ((recording->tape ? write_frames(recording, closed)
					: write_piece(recording)) > 0)
			;
		if (closed) {
			*link = recording->next;
			finish(recording);
		} else {
			link = &recording->next;
		}
	}
}

static void expire(struct recorder *recorder)
{
	if (!recorder->kept || clock_now() < recorder->expire_ms)
		return;
	recording_files_expire(recorder->kept, recorder->kept_days, clock_wall());
	recorder->expire_ms = clock_now() + EXPIRE_MS;
}

static void *run(void *arg)
{
	struct recorder *recorder = arg;
	struct pollfd pfd = { .fd = mailbox_fd(recorder->mailbox), .events = POLLIN };

	while (!recorder->stop || recorder->list) {
		int wait_ms = recorder->kept ? (int)EXPIRE_MS : -1;

		(void)poll(&pfd, 1, recorder->list ? ROUND_MS : wait_ms); /* EINTR: look again */
		(void)mailbox_drain(recorder->mailbox, 0);
		serve(recorder);
		expire(recorder);
	}
	return NULL;
}

/* Takes the folder, also on failure. */
static int post(struct recorder *recorder, const struct recorder_mail *content)
{
	struct recorder_mail *message = calloc(1, sizeof(*message));

	if (!message) {
		free(content->folder);
		return -ENOMEM;
	}
	*message = *content;
	message->mail.deliver = on_mail;
	mailbox_post(recorder->mailbox, &message->mail);
	return 0;
}

int recorder_recover(struct recorder *recorder, const char *folder)
{
	char *copy = strdup(folder);

	return copy ? post(recorder, &(struct recorder_mail){ .folder = copy }) : -ENOMEM;
}

int recorder_keep(struct recorder *recorder, const char *folder, unsigned days)
{
	char *copy = strdup(folder);

	if (!copy)
		return -ENOMEM;
	return post(recorder, &(struct recorder_mail){ .folder = copy, .days = days });
}

static char *shown_path(const struct media_recording *options)
{
	const char *folder = options->folder, *slash = strrchr(folder, '/');
	const char *box = slash ? slash + 1 : folder;
	char masked[80];
	struct str path = { 0 };

	e164_mask_name(box, masked, sizeof(masked));
	str_addf(&path, "%.*s%s/%s%s", (int)(box - folder), folder, masked, options->name,
		 media_recording_ending(options->opus, options->public_key));
	return str_take(&path);
}

static int copy_options(struct recording *recording, const struct media_recording *options)
{
	recording->folder = strdup(options->folder);
	recording->name = strdup(options->name);
	recording->about = strdup(options->about);
	recording->shown = shown_path(options);
	recording->options = *options;
	recording->options.folder = recording->folder;
	recording->options.name = recording->name;
	recording->options.about = recording->about;
	recording->options.public_key = options->public_key ? strdup(options->public_key) : NULL;
	if (!recording->folder || !recording->name || !recording->about || !recording->shown ||
	    (options->public_key && !recording->options.public_key))
		return -ENOMEM;
	return 0;
}

/* With a ring, or a tape instead, which is taken also on failure. */
static int create(struct recording **ret_recording, struct recorder *recorder,
		  const struct media_recording *options, struct tape *take_tape)
{
	struct recording *recording = calloc(1, sizeof(*recording));
	int err;

	if (!recording) {
		tape_destroy(take_tape);
		return -ENOMEM;
	}
	recording_file_init(&recording->file);
	recording->tape = take_tape;
	if (!take_tape)
		recording->ring = calloc(RING_SAMPLES, sizeof(*recording->ring));
	err = take_tape || recording->ring ? copy_options(recording, options) : -ENOMEM;
	if (!err)
		err = post(recorder, &(struct recorder_mail){ .recording = recording });
	if (err) {
		recording_free(recording);
		return err;
	}
	*ret_recording = recording;
	return 0;
}

int recording_create(struct recording **ret_recording, struct recorder *recorder,
		     const struct media_recording *options)
{
	return create(ret_recording, recorder, options, NULL);
}

int recording_create_call(struct recording **ret_recording, struct recorder *recorder,
			  const struct media_recording *options)
{
	struct tape *tape;
	int err = tape_create(&tape, clock_now());

	return err ? err : create(ret_recording, recorder, options, tape);
}

struct tape *recording_tape(const struct recording *recording)
{
	return recording->tape;
}

int recorder_create(struct recorder **ret_recorder)
{
	struct recorder *recorder = calloc(1, sizeof(*recorder));
	int err;

	if (!recorder)
		return -ENOMEM;
	err = mailbox_create(&recorder->mailbox, recorder);
	if (!err)
		err = thread_start(&recorder->thread, "recorder", THREAD_PATIENT, run, recorder);
	if (err) {
		recorder_destroy(recorder);
		return err;
	}
	recorder->running = true;
	*ret_recorder = recorder;
	return 0;
}

struct recorder *recorder_destroy(struct recorder *recorder)
{
	if (!recorder)
		return NULL;
	if (recorder->running) {
		while (post(recorder, &(struct recorder_mail){ .folder = NULL }) < 0)
			(void)poll(NULL, 0, 10); /* a few bytes will be free again */
		pthread_join(recorder->thread, NULL);
	}
	mailbox_destroy(recorder->mailbox, NULL);
	free(recorder->kept);
	free(recorder);
	return NULL;
}
