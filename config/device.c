/* SPDX-License-Identifier: Apache-2.0 */
/* device.c - soft phones by definition and by name. */
#include "config/device.h"

#include <string.h>

#include "config/trunk.h"

#define AT(member) .offset = offsetof(struct config_device, member)

/* A login, or a name that the To header of a call will show. */
static void read_user(struct reader *reader, const struct value *value)
{
	static const char unreserved[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
					 "0123456789+-_.";
	const char *text = value->node->text;

	if (text[strspn(text, unreserved)])
		value_error(reader, value, "cannot be a user name. Write letters, digits and +-_.");
	else
		kind_text.read(reader, value);
}

static void read_number(struct reader *reader, const struct value *value)
{
	if (!e164_valid(value->node->text))
		value_error(reader, value, "is not a number. Write +, country code and number");
	else
		kind_text.read(reader, value);
}

static const struct kind kind_user = { "user name", NODE_SCALAR, read_user };
static const struct kind kind_number_e164 = { "number", NODE_SCALAR, read_number };

static const struct key device_keys[] = {
	{ .name = "name",
	  .kind = &kind_user,
	  AT(name),
	  .flags = KEY_REQUIRED,
	  .help = "what `dial: { device: ... }` calls it" },
	{ .name = "username", .kind = &kind_user, AT(username), .help = "its login; the name" },
	{ .name = "password_file",
	  .kind = &kind_path,
	  AT(password_file),
	  .flags = KEY_REQUIRED | KEY_FILE | KEY_SECRET,
	  .help = "a file whose first line is its password" },
	{ .name = "number",
	  .kind = &kind_number_e164,
	  AT(number),
	  .help = "the ingress registration it calls as; none, it cannot call" },
	{ .name = "media",
	  .kind = &kind_media,
	  AT(media),
	  .fallback = "rtp",
	  .help = "rtp; sdes or sdes_or_rtp, with keys in the SDP; dtls; webrtc, with ICE" },
	{ .name = "keys_in_clear",
	  .kind = &kind_bool,
	  AT(keys_in_clear),
	  .fallback = "false",
	  .help = "let sdes be used over SIP without TLS, where the keys can be read" },
	{ .name = "latching",
	  .kind = &kind_latching,
	  AT(latching),
	  .fallback = "signalled",
	  .help = "whence its media is believed, besides the addresses of its SDP: signalled, that "
		  "host, or if it is private the one it is registered from; off; any, if it is "
		  "private from anywhere" },
	{ .name = "max_contacts",
	  .kind = &kind_number,
	  AT(max_contacts),
	  .fallback = "3",
	  .min = 1,
	  .max = 16,
	  .help = "how many phones may be registered at the same time" },
};

const struct schema device_schema = { "devices[]", device_keys, ARRAY_SIZE(device_keys) };

static void read_device(struct reader *reader, const struct value *value)
{
	struct config_device *device = value->target;

	schema_read(reader, &device_schema, value->node, value->node->at, device);
	if (!device->username)
		device->username = device->name;
}

static const char *device_name(const void *list, size_t i)
{
	const char *name = ((const struct config_device *)list)[i].name;

	return name ? name : "";
}

static void read_device_name(struct reader *reader, const struct value *value)
{
	const struct config *config = reader->config;
	const char *text = value->node->text;

	for (size_t i = 0; i < config->device_count; i++) {
		if (strcmp(device_name(config->devices, i), text) == 0) {
			*(size_t *)value->target = i;
			return;
		}
	}
	find_error(reader->findings, value->node->at, "no device is called `%.60s`%s", text,
		   suggestion(reader, text, device_name, config->devices, config->device_count));
}

static void check_twins(struct reader *reader, const struct config_device *devices, size_t i,
			struct place at)
{
	const struct config_device *one = &devices[i];

	for (size_t k = 0; k < i; k++) {
		const struct config_device *other = &devices[k];

		if (!one->name || !other->name || !one->username || !other->username)
			continue;
		if (strcmp(one->name, other->name) == 0)
			find_error(reader->findings, at,
				   "a device called `%.60s` is defined already. Rename one",
				   one->name);
		else if (strcmp(one->username, other->username) == 0)
			find_error(
				reader->findings, at,
				"`%.60s` and `%.60s` have the same `username`. Give each its own",
				other->name, one->name);
	}
}

static void check_number(struct reader *reader, const struct config_device *device, struct place at)
{
	const struct config_registration *registration =
		device->number ? config_find_number(reader->config, device->number) : NULL;

	if (device->number && (!registration || registration->route_type != ROUTE_TYPE_INGRESS))
		find_error(
			reader->findings, at,
			"`devices[].number`: `%s` is no ingress registration. Add one with "
			"`route_type: ingress`, or leave the key out if the device shall not call",
			device->number);
}

void devices_check(struct reader *reader, const struct node *root)
{
	const struct node *list = node_find(root, "devices");
	const struct config *config = reader->config;

	for (size_t i = 0; i < config->device_count; i++) {
		struct place at = list->kind == NODE_LIST ? list->items[i]->at : list->at;

		check_twins(reader, config->devices, i, at);
		check_number(reader, &config->devices[i], at);
	}
}

static void read_digest(struct reader *reader, const struct value *value)
{
	static const char *const words[] = { [DEVICE_DIGEST_MD5] = "md5",
					     [DEVICE_DIGEST_SHA256] = "sha-256",
					     [DEVICE_DIGEST_BOTH] = "both" };
	int word = value_word(reader, value, words, ARRAY_SIZE(words));

	if (word >= 0)
		*(enum device_digest *)value->target = (enum device_digest)word;
}

const struct kind kind_device_digest = { "md5, sha-256 or both", NODE_SCALAR, read_digest };
const struct kind kind_device = { "device", NODE_MAP, read_device };
const struct kind kind_device_name = { "device name", NODE_SCALAR, read_device_name };
