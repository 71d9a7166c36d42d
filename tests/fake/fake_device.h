/* SPDX-License-Identifier: Apache-2.0 */
/* fake_device.h - where devices are, as the test says. */
#ifndef BREAKOUT_TESTS_FAKE_FAKE_DEVICE_H
#define BREAKOUT_TESTS_FAKE_FAKE_DEVICE_H

#include "tas/device/device.h"

static struct device_contact fake_contacts[SIP_CONTACT_MAX]; /* of every device */
static size_t fake_contact_count;

size_t device_contacts(struct device_room *room, size_t device,
		       struct device_contact ret_contacts[static SIP_CONTACT_MAX])
{
	(void)room;
	(void)device;
	memcpy(ret_contacts, fake_contacts, sizeof(fake_contacts));
	return fake_contact_count;
}

/* Nothing is reloaded: a device is where it stands. */
int device_peer(const struct device_room *room, size_t device)
{
	(void)room;
	return DEVICE_PEER + (int)device;
}

bool device_place(const struct device_room *room, int peer, size_t *ret_device)
{
	(void)room;
	*ret_device = (size_t)(peer - DEVICE_PEER);
	return peer >= DEVICE_PEER;
}

#endif
