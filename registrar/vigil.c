/* SPDX-License-Identifier: Apache-2.0 */
/* vigil.c - see vigil.h. */
#include "registrar/vigil.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include "base/log.h"

#define WAIT_STEP_MS 20
#define PATH_ROOM    4096
#define LINE_ROOM    64 /* bytes, always all of them: a reader never sees half of two */

enum byte { BYTE_ALIVE = 0, BYTE_SPEAKS = 1 };

struct vigil {
	int fd;
	pthread_mutex_t lock; /* of what stands below, and of the file */
	bool failed;          /* to write */
	bool stopping;        /* said so */
};

static int open_file(const char *store, int flags)
{
	char path[PATH_ROOM];
	int fd;

	if ((size_t)snprintf(path, sizeof(path), "%s.alive", store) >= sizeof(path))
		return -ENAMETOOLONG;
	fd = open(path, flags | O_CLOEXEC, 0640);
	return fd < 0 ? -errno : fd;
}

static int lock_byte(int fd, enum byte byte)
{
	struct flock lock = {
		.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = (off_t)byte, .l_len = 1
	};

	if (fcntl(fd, F_OFD_SETLK, &lock) == 0)
		return 0;
	return errno == EAGAIN || errno == EACCES ? -EBUSY : -errno;
}

static bool is_locked(int fd, enum byte byte)
{
	struct flock lock = {
		.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = (off_t)byte, .l_len = 1
	};

	return fcntl(fd, F_OFD_GETLK, &lock) == 0 && lock.l_type != F_UNLCK;
}

static int open_vigil(struct vigil **ret_vigil, const char *store)
{
	struct vigil *vigil = calloc(1, sizeof(*vigil));
	int fd;

	if (!vigil)
		return -ENOMEM;
	fd = open_file(store, O_RDWR | O_CREAT);
	if (fd < 0) {
		free(vigil);
		return fd;
	}
	vigil->fd = fd;
	pthread_mutex_init(&vigil->lock, NULL);
	*ret_vigil = vigil;
	return 0;
}

/* The watchdog sees our first byte and lets go of the second. */
static int await_turn(const struct vigil *vigil, unsigned wait_ms)
{
	const struct timespec step = { .tv_nsec = WAIT_STEP_MS * 1000000L };
	int err = lock_byte(vigil->fd, BYTE_SPEAKS);

	for (unsigned waited = 0; err == -EBUSY && waited < wait_ms; waited += WAIT_STEP_MS) {
		nanosleep(&step, NULL);
		err = lock_byte(vigil->fd, BYTE_SPEAKS);
	}
	return err == -EBUSY ? -ETIMEDOUT : err;
}

int vigil_keep(struct vigil **ret_vigil, const char *store, unsigned wait_ms)
{
	struct vigil *vigil;
	int err = open_vigil(&vigil, store);

	if (err)
		return err;
	err = lock_byte(vigil->fd, BYTE_ALIVE);
	if (!err) {
		vigil_beat(vigil, VIGIL_STARTING, clock_now());
		err = await_turn(vigil, wait_ms);
	}
	if (err) {
		vigil_leave(vigil);
		return err;
	}
	*ret_vigil = vigil;
	return 0;
}

int vigil_stand_in(struct vigil **ret_vigil, const char *store)
{
	struct vigil *vigil;
	int err = open_vigil(&vigil, store);

	if (err)
		return err;
	err = is_locked(vigil->fd, BYTE_ALIVE) ? -EBUSY : lock_byte(vigil->fd, BYTE_SPEAKS);
	if (err) {
		vigil_leave(vigil);
		return err;
	}
	*ret_vigil = vigil;
	return 0;
}

static void write_sign(struct vigil *vigil, enum vigil_phase phase, mono_ms now)
{
	char line[LINE_ROOM];
	int length = snprintf(line, sizeof(line), "%d %d %" PRId64, (int)phase, (int)getpid(), now);

	if (length < 0 || (size_t)length >= sizeof(line))
		return;
	memset(line + length, ' ', sizeof(line) - (size_t)length);
	line[sizeof(line) - 1] = '\n';
	if (pwrite(vigil->fd, line, sizeof(line), 0) == (ssize_t)sizeof(line)) {
		vigil->failed = false;
	} else if (!vigil->failed) {
		vigil->failed = true;
		log_error("registrar",
			  "no sign of life can be written (%s): a watchdog will take us for "
			  "dead or hung; check the disk of the store",
			  strerror(errno));
	}
}

void vigil_beat(struct vigil *vigil, enum vigil_phase phase, mono_ms now)
{
	pthread_mutex_lock(&vigil->lock);
	vigil->stopping = vigil->stopping || phase == VIGIL_STOPPING;
	if (!vigil->stopping || phase == VIGIL_STOPPING)
		write_sign(vigil, phase, now);
	pthread_mutex_unlock(&vigil->lock);
}

int vigil_descriptor(const struct vigil *vigil)
{
	return vigil->fd;
}

struct vigil *vigil_adopt(int take_fd)
{
	struct vigil *vigil = take_fd < 0 ? NULL : calloc(1, sizeof(*vigil));

	if (!vigil) {
		if (take_fd >= 0)
			close(take_fd);
		return NULL;
	}
	vigil->fd = take_fd;
	pthread_mutex_init(&vigil->lock, NULL);
	vigil_beat(vigil, VIGIL_STARTING, clock_now());
	return vigil;
}

struct vigil *vigil_leave(struct vigil *vigil)
{
	if (!vigil)
		return NULL;
	close(vigil->fd); /* and with it the locks */
	pthread_mutex_destroy(&vigil->lock);
	free(vigil);
	return NULL;
}

static void read_sign(int fd, struct vigil_sign *sign)
{
	char line[LINE_ROOM + 1] = "";
	int phase = 0, pid = 0;
	int64_t beat = 0;

	if (pread(fd, line, LINE_ROOM, 0) <= 0 ||
	    sscanf(line, "%d %d %" SCNd64, &phase, &pid, &beat) != 3)
		return;
	sign->phase = phase >= VIGIL_STARTING && phase <= VIGIL_STOPPING ? (enum vigil_phase)phase
									 : VIGIL_STARTING;
	sign->pid = pid;
	sign->beat = beat;
}

void vigil_look(const char *store, struct vigil_sign *ret_sign)
{
	int fd = open_file(store, O_RDWR); /* to ask for a write lock: fcntl(2) */

	memset(ret_sign, 0, sizeof(*ret_sign));
	if (fd < 0)
		return;
	ret_sign->alive = is_locked(fd, BYTE_ALIVE);
	read_sign(fd, ret_sign);
	close(fd);
}
