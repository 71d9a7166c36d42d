/* SPDX-License-Identifier: Apache-2.0 */
/* device.h - the door to tas/device: soft phones that register with us.
 *
 * It knows who may log in, with which password and how often that may fail, and
 * where each device is. It does not know calls. A name that does not exist and a
 * password that is wrong look the same from outside.
 *
 * Threads: the SIP thread.
 */
#ifndef BREAKOUT_TAS_DEVICE_DEVICE_H
#define BREAKOUT_TAS_DEVICE_DEVICE_H

#include "base/clock.h"
#include "base/fd_link.h"
#include "base/macros.h"
#include "base/str.h"
#include "config/config.h"
#include "tas/sip/visitor.h"

struct device_room; /* opaque */

/* config: borrowed until device_reconfigure(). A password that cannot be read is
 * logged; its device cannot log in. */
int device_room_create(struct device_room **ret_room, const struct config *config) MUST_CHECK;
struct device_room *device_room_destroy(struct device_room *room);
/* Devices keep their phones by name. */
void device_reconfigure(struct device_room *room, const struct config *config);

/* Peers' numbers begin here: this and the device's own, which stays the same through
 * reloads, whatever comes before it in the list. */
#define DEVICE_PEER 0x10000
/* room NULL: there are none. device: of config.devices. */
int device_peer(const struct device_room *room, size_t device);
/* False: it is no device, or one that a reload took away. */
bool device_place(const struct device_room *room, int peer, size_t *ret_device);

/* For sip_endpoint_handlers.visit: INVITE and REGISTER need a password, the rest
 * is taken from where a device is registered. */
int device_visit(struct device_room *room, const struct sip_visitor *visitor,
		 struct str *ret_headers);
/* For sip_endpoint_handlers.enrol. */
int device_enrol(struct device_room *room, int peer, const struct sip_register *request,
		 struct str *ret_headers);

/* Where to send a call; texts are the room's until it is asked or told again. */
struct device_contact {
	const char *uri, *hop;
};
/* The one refreshed last first. Returns how many, at most SIP_CONTACT_MAX. */
size_t device_contacts(struct device_room *room, size_t device,
		       struct device_contact ret_contacts[static SIP_CONTACT_MAX]);

/* One phone, or a device without any (uri is ""). */
struct device_info {
	const char *name, *uri, *hop, *user_agent;
	unsigned expires_s; /* from now on */
	unsigned since_s;   /* registered for */
};
void device_each(struct device_room *room, void (*visit)(const struct device_info *info, void *arg),
		 void *arg);

/* For a daemon that takes our place: each phone, packed (fd_link.h), with its hop. */
void device_pack_each(struct device_room *room,
		      void (*visit)(const struct str *packed, const char *hop, void *arg),
		      void *arg);
/* The other way. A device that is not configured any more is left out. */
void device_unpack(struct device_room *room, struct unpack *from);

#endif
