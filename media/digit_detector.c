/* SPDX-License-Identifier: Apache-2.0 */
#include "media/digit_detector.h"
#include <errno.h>
#include <stdlib.h>
#include <spandsp.h>

struct digit_detector {
	dtmf_rx_state_t *state;
	digit_detector_fn *found;
	void *arg;
};

static void on_change(void *arg, int code, int level, int delay)
{
	struct digit_detector *detector = arg;

	(void)level;
	(void)delay;
	detector->found((char)code, detector->arg);
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
	(void)dtmf_rx(detector->state, samples, (int)count);
}
