/* SPDX-License-Identifier: Apache-2.0 */
#include "media/recorder.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/e164.h"
#include "base/log.h"
#include "base/mailbox.h"
#include "base/metrics.h"
#include "base/str.h"
#include "media/tone.h"

#define RING_SAMPLES 32768 /* 4 s: the disk may be slow for so long; a power of two */
#define ROUND_MS     200   /* between two looks at the rings */
#define HEADER_BYTES 44
#define SAMPLE_BYTES 2
#define NAME_ROOM    (NAME_MAX + sizeof(".json.part"))

static struct metric recordings_total =
	METRIC_COUNTER_INIT("breakout_recordings_total", NULL, "Messages recorded and on disk");
static struct metric broken_total =
	METRIC_COUNTER_INIT("breakout_recordings_broken_total", NULL,
			    "Messages that the disk did not take, or not to their end");
static struct metric dropped_total =
	METRIC_COUNTER_INIT("breakout_recording_dropped_samples_total", NULL,
			    "Samples of messages that were silenced because the disk was slow");

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
	uint64_t dropped; /* samples; the other thread's until closed */
	int16_t ring[RING_SAMPLES];

	/* The recorder's thread. */
	struct recording *next;
	int wav, json, directory; /* -1: not open */
	uint32_t written;         /* samples in the file */
};

struct recorder {
	struct mailbox *mailbox;
	pthread_t thread;
	bool running; /* the thread exists */
	/* Its own. */
	struct recording *list;
	bool stop;
};

struct recorder_mail {
	struct mail mail;
	struct recording *recording; /* to begin */
	char *folder;                /* to recover */
};

/* ---- files ---- */

static void put_number(uint8_t *to, uint32_t value, unsigned bytes)
{
	for (unsigned i = 0; i < bytes; i++)
		to[i] = (uint8_t)(value >> 8 * i);
}

/* RIFF WAVE, format 1 (PCM), little endian. Source: Multimedia Programming
 * Interface and Data Specifications 1.0, IBM and Microsoft, 1991. */
static void wav_header(uint8_t header[HEADER_BYTES], uint32_t samples)
{
	uint32_t size = samples * SAMPLE_BYTES;

	memcpy(header, "RIFF....WAVEfmt ", 16);
	put_number(header + 4, HEADER_BYTES - 8 + size, 4);
	put_number(header + 16, 16, 4); /* bytes of the format that follows */
	put_number(header + 20, 1, 2);  /* PCM */
	put_number(header + 22, 1, 2);  /* channels */
	put_number(header + 24, TONE_RATE, 4);
	put_number(header + 28, TONE_RATE * SAMPLE_BYTES, 4);
	put_number(header + 32, SAMPLE_BYTES, 2);
	put_number(header + 34, SAMPLE_BYTES * 8, 2);
	memcpy(header + 36, "data", 4);
	put_number(header + 40, size, 4);
}

/* ret_done: how much of it the file has, also on failure. */
static int write_some(int fd, const void *bytes, size_t length, off_t at, size_t *ret_done)
{
	for (*ret_done = 0; *ret_done < length;) {
		ssize_t n = pwrite(fd, (const char *)bytes + *ret_done, length - *ret_done,
				   at + (off_t)*ret_done);

		if (n < 0 && errno != EINTR)
			return -errno;
		if (n > 0)
			*ret_done += (size_t)n;
	}
	return 0;
}

static int write_at(int fd, const void *bytes, size_t length, off_t at)
{
	size_t done;

	return write_some(fd, bytes, length, at, &done);
}

static int write_header(int wav, uint32_t samples)
{
	uint8_t header[HEADER_BYTES];

	wav_header(header, samples);
	return write_at(wav, header, sizeof(header), 0);
}

/* "NAME.wav.part"; a name is short: config and call see to it. */
static const char *file_name(char room[NAME_ROOM], const char *name, const char *ending)
{
	(void)snprintf(room, NAME_ROOM, "%s%s", name, ending);
	return room;
}

static int make_file(int directory, const char *name, const char *ending)
{
	char room[NAME_ROOM];
	int fd = openat(directory, file_name(room, name, ending),
			O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0640);

	return fd < 0 ? -errno : fd;
}

/* The folder and the one above it, as far as they are missing. */
static int open_folder(const char *folder)
{
	const char *slash = strrchr(folder, '/');
	char *parent = slash && slash > folder ? strndup(folder, (size_t)(slash - folder)) : NULL;
	int fd;

	if (parent)
		(void)mkdir(parent, 0750); /* if it is not there then, opening says so */
	free(parent);
	(void)mkdir(folder, 0750);
	fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

static void remove_part(int directory, const char *name, const char *ending)
{
	char room[NAME_ROOM];

	(void)unlinkat(directory, file_name(room, name, ending), 0); /* may not be there */
}

static int give_name(int directory, const char *name, const char *from, const char *to)
{
	char part[NAME_ROOM], whole[NAME_ROOM];

	return renameat(directory, file_name(part, name, from), directory,
			file_name(whole, name, to))
		       ? -errno
		       : 0;
}

/* The sound first: who finds the JSON file finds both. */
static int give_names(int directory, const char *name, bool wav)
{
	int err = wav ? give_name(directory, name, ".wav.part", ".wav") : 0;

	if (!err)
		err = give_name(directory, name, ".json.part", ".json");
	if (!err && fsync(directory) < 0)
		err = -errno;
	return err;
}

static unsigned ms_of(uint32_t samples)
{
	return samples / (TONE_RATE / 1000);
}

/* The members of the JSON file that only the end knows. */
static int end_json(int json, uint32_t samples, uint64_t dropped, const char *why)
{
	char text[128];
	struct stat st;
	int length = snprintf(
		text, sizeof(text), ",\"length_ms\":%u,\"dropped_ms\":%llu,\"ended\":\"%s\"}\n",
		ms_of(samples), (unsigned long long)dropped / (TONE_RATE / 1000), why);
	int err;

	if (fstat(json, &st) < 0)
		return -errno;
	err = write_at(json, text, (size_t)length, st.st_size);
	return !err && fsync(json) < 0 ? -errno : err;
}

static int end_wav(int wav, uint32_t samples)
{
	int err = write_header(wav, samples);

	if (!err && ftruncate(wav, HEADER_BYTES + (off_t)samples * SAMPLE_BYTES) < 0)
		err = -errno;
	return !err && fsync(wav) < 0 ? -errno : err;
}

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

static void close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

static void recording_free(struct recording *recording)
{
	close_fd(&recording->wav);
	close_fd(&recording->json);
	close_fd(&recording->directory);
	free(recording->folder);
	free(recording->name);
	free(recording->shown);
	free(recording->about);
	free(recording);
}

static void throw_away(struct recording *recording)
{
	if (recording->wav >= 0)
		remove_part(recording->directory, recording->name, ".wav.part");
	if (recording->json >= 0)
		remove_part(recording->directory, recording->name, ".json.part");
}

/* The JSON file is there before the other and locked: so recovery finds both,
 * and leaves alone what somebody still writes. */
static int make_files(struct recording *recording)
{
	int err;

	recording->directory = err = open_folder(recording->folder);
	if (err >= 0)
		recording->json = err =
			make_file(recording->directory, recording->name, ".json.part");
	if (err >= 0)
		err = flock(recording->json, LOCK_EX | LOCK_NB) < 0 ? -errno : 0;
	if (err >= 0)
		err = write_at(recording->json, recording->about, strlen(recording->about), 0);
	if (err >= 0)
		recording->wav = err =
			make_file(recording->directory, recording->name, ".wav.part");
	if (err >= 0)
		err = write_header(recording->wav, 0);
	return err;
}

static void open_recording(struct recording *recording)
{
	int err = make_files(recording);

	if (!err) {
		set_state(recording, RECORDING_OPEN);
		return;
	}
	log_error(
		"media",
		"recording=%s/%s.wav cannot be made: %s: mend path, rights or space of the folder",
		recording->folder, recording->name, strerror(-err));
	metric_add(&broken_total, 1);
	throw_away(recording);
	set_state(recording, RECORDING_FAILED);
}

static void broke(struct recording *recording, int err)
{
	log_error("media", "recording=%s takes no more: %s: make room; what was written is kept",
		  recording->shown, strerror(-err));
	metric_add(&broken_total, 1);
	set_state(recording, RECORDING_BROKEN);
}

/* What lies in one piece at the head of the ring goes to the file. */
static unsigned write_piece(struct recording *recording)
{
	unsigned head = atomic_load_explicit(&recording->head, memory_order_relaxed);
	unsigned tail = atomic_load_explicit(&recording->tail, memory_order_acquire);
	unsigned at = head % RING_SAMPLES, count = tail - head;
	size_t done;
	int err;

	if (count > RING_SAMPLES - at)
		count = RING_SAMPLES - at;
	if (count > 0 && recording_state(recording) == RECORDING_OPEN) {
		err = write_some(recording->wav, recording->ring + at, count * SAMPLE_BYTES,
				 HEADER_BYTES + (off_t)recording->written * SAMPLE_BYTES, &done);
		recording->written += (uint32_t)(done / SAMPLE_BYTES);
		if (!err)
			err = write_header(recording->wav, recording->written);
		if (err)
			broke(recording, err);
	}
	atomic_store_explicit(&recording->head, head + count, memory_order_release);
	return count;
}

static void complete(struct recording *recording)
{
	int err = end_wav(recording->wav, recording->written);

	if (!err)
		err = end_json(recording->json, recording->written, recording->dropped,
			       recording->why);
	if (!err)
		err = give_names(recording->directory, recording->name, /* wav= */ true);
	if (err) {
		log_error("media",
			  "recording=%s cannot be completed: %s: make room; it is completed "
			  "at the next start",
			  recording->shown, strerror(-err));
		return;
	}
	metric_add(&recordings_total, 1);
	log_info("media", "recording=%s length_ms=%u dropped=%llu ended=%s", recording->shown,
		 ms_of(recording->written), (unsigned long long)recording->dropped, recording->why);
}

static void finish(struct recording *recording)
{
	enum recording_state state = recording_state(recording);

	metric_add(&dropped_total, (int64_t)recording->dropped);
	if (state == RECORDING_FAILED)
		; /* there is nothing */
	else if (recording->keep && ms_of(recording->written) >= MEDIA_RECORDING_SHORTEST_MS)
		complete(recording);
	else
		throw_away(recording);
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

/* ---- what a dead process left ---- */

/* Whether the JSON text has been ended already. */
static bool json_ended(int json)
{
	struct stat st;
	char last = '\0';

	return fstat(json, &st) == 0 && st.st_size > 0 &&
	       pread(json, &last, 1, st.st_size - 1) == 1 && last == '\n';
}

static int recover_files(int directory, const char *name, int json, int wav)
{
	struct stat st;
	uint32_t samples;
	int err;

	if (fstat(wav, &st) < 0)
		return -errno;
	samples = st.st_size < HEADER_BYTES
			  ? 0
			  : (uint32_t)((st.st_size - HEADER_BYTES) / SAMPLE_BYTES);
	if (ms_of(samples) < MEDIA_RECORDING_SHORTEST_MS) {
		remove_part(directory, name, ".wav.part");
		remove_part(directory, name, ".json.part");
		return 0;
	}
	err = end_wav(wav, samples);
	if (!err && !json_ended(json))
		err = end_json(json, samples, 0, "interrupted");
	if (!err)
		err = give_names(directory, name, /* wav= */ true);
	if (!err)
		log_notice("media", "recording=%s.wav length_ms=%u recovered", name,
			   ms_of(samples));
	return err;
}

static void recover_message(int directory, const char *name)
{
	char room[NAME_ROOM];
	int json = openat(directory, file_name(room, name, ".json.part"),
			  O_RDWR | O_NOFOLLOW | O_CLOEXEC);
	int wav = openat(directory, file_name(room, name, ".wav.part"),
			 O_RDWR | O_NOFOLLOW | O_CLOEXEC);
	int err = 0;

	if (json < 0 || flock(json, LOCK_EX | LOCK_NB) < 0)
		; /* somebody is at it */
	else if (wav >= 0)
		err = recover_files(directory, name, json, wav);
	else if (faccessat(directory, file_name(room, name, ".wav"), F_OK, 0) == 0)
		err = give_names(directory, name, /* wav= */ false);
	else
		remove_part(directory, name, ".json.part");
	if (err)
		log_error("media", "recording=%s.wav.part cannot be completed: %s", name,
			  strerror(-err));
	close_fd(&json);
	close_fd(&wav);
}

static void recover_folder(const char *folder)
{
	static const char ending[] = ".json.part";
	int directory = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *entries = directory < 0 ? NULL : fdopendir(dup(directory));
	const struct dirent *entry;

	while (entries && (entry = readdir(entries))) {
		size_t length = strlen(entry->d_name);
		char name[NAME_MAX + 1];

		if (length < sizeof(ending) ||
		    strcmp(entry->d_name + length + 1 - sizeof(ending), ending) != 0)
			continue;
		(void)snprintf(name, sizeof(name), "%.*s", (int)(length + 1 - sizeof(ending)),
			       entry->d_name);
		recover_message(directory, name);
	}
	if (entries)
		closedir(entries);
	close_fd(&directory); /* a folder that is not there has nothing to recover */
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
	} else if (message->folder) {
		recover_folder(message->folder);
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

		while (write_piece(recording) > 0)
			;
		if (closed) {
			*link = recording->next;
			finish(recording);
		} else {
			link = &recording->next;
		}
	}
}

static void *run(void *arg)
{
	struct recorder *recorder = arg;
	struct pollfd pfd = { .fd = mailbox_fd(recorder->mailbox), .events = POLLIN };
	sigset_t all;

	(void)sigfillset(&all);
	(void)pthread_sigmask(SIG_BLOCK, &all, NULL); /* SIGXFSZ too: EFBIG says it */
	while (!recorder->stop || recorder->list) {
		(void)poll(&pfd, 1, recorder->list ? ROUND_MS : -1); /* EINTR: look again */
		(void)mailbox_drain(recorder->mailbox, 0);
		serve(recorder);
	}
	return NULL;
}

/* recording and folder NULL: stop. Takes the folder, also on failure. */
static int post(struct recorder *recorder, struct recording *recording, char *take_folder)
{
	struct recorder_mail *message = calloc(1, sizeof(*message));

	if (!message) {
		free(take_folder);
		return -ENOMEM;
	}
	message->mail.deliver = on_mail;
	message->recording = recording;
	message->folder = take_folder;
	mailbox_post(recorder->mailbox, &message->mail);
	return 0;
}

int recorder_recover(struct recorder *recorder, const char *folder)
{
	char *copy = strdup(folder);

	return copy ? post(recorder, NULL, copy) : -ENOMEM;
}

static char *shown_path(const char *folder, const char *name)
{
	const char *slash = strrchr(folder, '/');
	const char *box = slash ? slash + 1 : folder;
	char masked[80];
	struct str path = { 0 };

	e164_mask_name(box, masked, sizeof(masked));
	str_addf(&path, "%.*s%s/%s.wav", (int)(box - folder), folder, masked, name);
	return str_take(&path);
}

int recording_create(struct recording **ret_recording, struct recorder *recorder,
		     const struct media_recording *options)
{
	struct recording *recording = calloc(1, sizeof(*recording));

	if (!recording)
		return -ENOMEM;
	recording->wav = recording->json = recording->directory = -1;
	recording->folder = strdup(options->folder);
	recording->name = strdup(options->name);
	recording->about = strdup(options->about);
	recording->shown = shown_path(options->folder, options->name);
	recording->options = *options;
	recording->options.folder = recording->folder;
	recording->options.name = recording->name;
	recording->options.about = recording->about;
	if (!recording->folder || !recording->name || !recording->about || !recording->shown ||
	    post(recorder, recording, NULL) < 0) {
		recording_free(recording);
		return -ENOMEM;
	}
	*ret_recording = recording;
	return 0;
}

int recorder_create(struct recorder **ret_recorder)
{
	struct recorder *recorder = calloc(1, sizeof(*recorder));
	int err;

	if (!recorder)
		return -ENOMEM;
	err = mailbox_create(&recorder->mailbox, recorder);
	if (!err)
		err = -pthread_create(&recorder->thread, NULL, run, recorder);
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
		while (post(recorder, NULL, NULL) < 0)
			(void)poll(NULL, 0, 10); /* a few bytes will be free again */
		pthread_join(recorder->thread, NULL);
	}
	mailbox_destroy(recorder->mailbox, NULL);
	free(recorder);
	return NULL;
}
