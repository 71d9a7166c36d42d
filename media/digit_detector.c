/* SPDX-License-Identifier: Apache-2.0 */
#include "media/digit_detector.h"
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <spandsp.h>

/* spandsp decides after each block, and only then calls back. */
#define BLOCK 102 /* samples: 12.75 ms */
/* From the end of a digit to the begin of the next: 10 ms without the tone are two blocks,
 * which is one digit, 40 ms are three at least (ITU-T Q.24). */
#define SAME_DIGIT 2
/* dB that the low tone may be louder by, and the high one: 8 and 4 by Q.24, with a margin. */
#define TWIST         10
#define REVERSE_TWIST 5
#define AS_IT_IS      (-99) /* the level from which on a tone is one: -42 dBm0 */

struct digit_detector {
	dtmf_rx_state_t *state;
	digit_detector_fn *found;
	void *arg;
	unsigned filled; /* samples of the block */
	char digit;      /* that was told last, */
	bool ended;      /* and whether it seems to be over, */
	unsigned since;  /* for so many blocks */
};

static void tell(struct digit_detector *detector, char digit)
{
	detector->ended = false;
	detector->found(digit, detector->arg);
}

static void on_change(void *arg, int code, int level, int delay)
{
	struct digit_detector *detector = arg;

	(void)level;
	(void)delay;
	if (!code) {
		detector->ended = true;
		detector->since = 0;
	} else if (detector->ended && code == detector->digit) {
		detector->ended = false; /* it goes on */
	} else {
		if (detector->ended)
			tell(detector, 0);
		detector->digit = (char)code;
		tell(detector, detector->digit);
	}
}

int digit_detector_create(struct digit_detector **ret_detector, digit_detector_fn *found, void *arg)
{
	struct digit_detector *detector = calloc(1, sizeof(*detector));

	if (!detector)
		return -ENOMEM;
	detector->state = dtmf_rx_init(NULL, NULL, NULL);
	if (!detector->state) {
		free(detector);
		return -ENOMEM;
	}
	detector->found = found;
	detector->arg = arg;
	dtmf_rx_parms(detector->state, /* filter_dialtone= */ false, TWIST, REVERSE_TWIST,
		      AS_IT_IS);
	dtmf_rx_set_realtime_callback(detector->state, on_change, detector);
	*ret_detector = detector;
	return 0;
}

struct digit_detector *digit_detector_destroy(struct digit_detector *detector)
{
	if (!detector)
		return NULL;
	(void)dtmf_rx_free(detector->state);
	free(detector);
	return NULL;
}

void digit_detector_hear(struct digit_detector *detector, const int16_t *samples, size_t count)
{
	while (count > 0) {
		size_t left = BLOCK - detector->filled, step = count < left ? count : left;

		(void)dtmf_rx(detector->state, samples, (int)step);
		samples += step;
		count -= step;
		detector->filled = (unsigned)(detector->filled + step) % BLOCK;
		if (detector->filled == 0 && detector->ended && detector->since++ >= SAME_DIGIT)
			tell(detector, 0);
	}
}
