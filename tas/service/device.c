/* SPDX-License-Identifier: Apache-2.0 */
/* device.c - a call to a soft phone that is registered with us: all its contacts
 * ring, each over the way its REGISTER came. It is told as little as a trunk. */
#include <string.h>
#include "tas/device/device.h"
#include "tas/service/decision.h"
#include "tas/service/identity.h"
#include "tas/service/uri.h"

/* As a trunk that is not trusted and gets no headers but the standard ones. */
static const struct config_trunk told;

void device_codecs(const struct config_device *device, struct media_codecs *ret_codecs)
{
	ret_codecs->convert = true;
	ret_codecs->latching = decision_latching(device->latching);
}

static void add_contact(struct decision *decision, const struct config_device *device,
			const struct device_contact *contact, size_t index, unsigned ring_s)
{
	struct uri_view ours = { .rest = decision->config->domain };
	struct call_step *step;

	if (!decision_keys_fine(device->media, device->keys_in_clear,
				config_uri_transport(contact->hop))) {
		log_notice("service", "device=%s not called: its keys would go in the clear",
			   device->name);
		return;
	}
	step = decision_add_step(decision, CALL_STEP_DIAL, index ? "device %s/%zu" : "device %s",
				 device->name, index + 1);
	if (!step)
		return;
	step->request_uri = decision_text(decision, strdup(contact->uri));
	step->next_hop = decision_text(decision, strdup(contact->hop));
	step->keep_hop = true;
	step->peer =
		device_peer(decision->room->devices, (size_t)(device - decision->config->devices));
	step->to_uri = decision_text(decision, uri_with_user(&ours, "sip", device->name));
	identity_tell_trunk(decision, step, &told);
	identity_allow_responses(step, &told, true);
	step->max_forwards = decision->info->max_forwards - 1;
	step->media = decision_media(device->media);
	device_codecs(device, &step->codecs);
	step->ring_ms = ring_s * 1000;
}

void device_add_each(struct decision *decision, size_t index, unsigned ring_s)
{
	struct device_contact contacts[SIP_CONTACT_MAX];
	size_t count = 0;

	if (decision->room->devices)
		count = device_contacts(decision->room->devices, index, contacts);
	for (size_t i = 0; i < count; i++)
		add_contact(decision, &decision->config->devices[index], &contacts[i], i, ring_s);
}

void device_add(struct decision *decision, size_t index, unsigned ring_s)
{
	size_t first = decision->plan->step_count;

	device_add_each(decision, index, ring_s);
	if (decision->plan->step_count > first + 1)
		ring_fold(decision, first, false, ring_s * 1000);
}
