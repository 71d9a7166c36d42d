/* SPDX-License-Identifier: Apache-2.0 */
/* device.c - the room: log-ins, REGISTERs, and where everybody is. */
#include "tas/device/device.h"

#include <errno.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/log.h"
#include "base/metrics.h"
#include "base/roster.h"
#include "base/secret.h"
#include "tas/device/attempts.h"
#include "tas/device/phone.h"
#include "tas/sip/digest.h"

#define NONCE_S 60 /* a phone answers at once; a slow network takes seconds */

struct device {
	char *name, *password; /* password NULL: cannot log in */
	struct phones phones;
};

struct device_room {
	const struct config *config;
	struct digest_guard *guard;
	struct device *devices; /* config->devices */
	size_t count;
	struct roster numbers; /* for peers */
	struct attempts attempts;
	struct log_limit refused_log, silent_log;
};

/* ---- counting ---- */

enum outcome { OUTCOME_ACCEPTED, OUTCOME_CHALLENGED, OUTCOME_REFUSED, OUTCOME_IGNORED };

static struct metric logins[] = {
	[OUTCOME_ACCEPTED] =
		METRIC_COUNTER_INIT("breakout_device_requests_total", "result=\"accepted\"",
				    "Requests of devices, by what came of them"),
	[OUTCOME_CHALLENGED] =
		METRIC_COUNTER_INIT("breakout_device_requests_total", "result=\"challenged\"",
				    "Requests of devices, by what came of them"),
	[OUTCOME_REFUSED] =
		METRIC_COUNTER_INIT("breakout_device_requests_total", "result=\"refused\"",
				    "Requests of devices, by what came of them"),
	[OUTCOME_IGNORED] =
		METRIC_COUNTER_INIT("breakout_device_requests_total", "result=\"ignored\"",
				    "Requests of devices, by what came of them"),
};

/* ---- the room ---- */

static void devices_done(struct device *devices, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		free(devices[i].name);
		secret_free(devices[i].password);
		phones_done(&devices[i].phones);
	}
	free(devices);
}

static char *read_password(const struct config_device *config)
{
	char password[SECRET_ROOM], *copy;
	int err = secret_read(config->password_file, password);

	if (err) {
		log_error("device",
			  "device=%s cannot log in: password_file %s: %s. Put its password on the "
			  "first line and reload",
			  config->name, config->password_file, strerror(-err));
		return NULL;
	}
	copy = strdup(password);
	explicit_bzero(password, sizeof(password));
	return copy;
}

static int read_devices(const struct config *config, struct device **ret_devices)
{
	struct device *devices = calloc(config->device_count + 1, sizeof(*devices));

	if (!devices)
		return -ENOMEM;
	for (size_t i = 0; i < config->device_count; i++) {
		devices[i].name = strdup(config->devices[i].name);
		if (!devices[i].name) {
			devices_done(devices, config->device_count);
			return -ENOMEM;
		}
		devices[i].password = read_password(&config->devices[i]);
	}
	*ret_devices = devices;
	return 0;
}

static const char *device_name(const void *list, size_t i)
{
	return ((const struct config_device *)list)[i].name;
}

static int number_devices(struct device_room *room, const struct config *config)
{
	return roster_take(&room->numbers, device_name, config->devices, config->device_count);
}

int device_peer(const struct device_room *room, size_t device)
{
	return DEVICE_PEER + (int)(room ? roster_number(&room->numbers, device) : device);
}

bool device_place(const struct device_room *room, int peer, size_t *ret_device)
{
	return room && peer >= DEVICE_PEER &&
	       roster_place(&room->numbers, (size_t)(peer - DEVICE_PEER), ret_device) &&
	       *ret_device < room->count;
}

int device_room_create(struct device_room **ret_room, const struct config *config)
{
	struct device_room *room = calloc(1, sizeof(*room));
	int err;

	if (!room)
		return -ENOMEM;
	room->config = config;
	err = digest_guard_create(&room->guard, NONCE_S);
	if (!err)
		err = read_devices(config, &room->devices);
	if (!err)
		err = number_devices(room, config);
	if (err) {
		device_room_destroy(room);
		return err;
	}
	room->count = config->device_count;
	*ret_room = room;
	return 0;
}

struct device_room *device_room_destroy(struct device_room *room)
{
	if (!room)
		return NULL;
	devices_done(room->devices, room->count);
	digest_guard_destroy(room->guard);
	roster_done(&room->numbers);
	free(room);
	return NULL;
}

/* Those that stay keep where they are. */
static void move_phones(struct device_room *room, struct device *fresh, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		for (size_t k = 0; k < room->count; k++) {
			if (strcmp(fresh[i].name, room->devices[k].name) != 0)
				continue;
			fresh[i].phones = room->devices[k].phones;
			room->devices[k].phones = (struct phones){ .first = NULL };
		}
	}
}

void device_reconfigure(struct device_room *room, const struct config *config)
{
	struct device *fresh = NULL;

	if (number_devices(room, config) < 0 || read_devices(config, &fresh) < 0) {
		log_error("device", "no memory for the devices: none can log in until the next "
				    "reload");
	} else {
		move_phones(room, fresh, config->device_count);
	}
	devices_done(room->devices, room->count);
	room->devices = fresh;
	room->count = fresh ? config->device_count : 0;
	room->config = config;
}

/* ---- who ---- */

static bool same_source(const struct sockaddr_storage *a, const struct sockaddr_storage *b)
{
	const struct sockaddr_in6 *a6 = (const void *)a, *b6 = (const void *)b;
	const struct sockaddr_in *a4 = (const void *)a, *b4 = (const void *)b;

	if (a->ss_family != b->ss_family)
		return false;
	if (a->ss_family == AF_INET6)
		return a6->sin6_port == b6->sin6_port &&
		       memcmp(&a6->sin6_addr, &b6->sin6_addr, sizeof(a6->sin6_addr)) == 0;
	return a4->sin_port == b4->sin_port && a4->sin_addr.s_addr == b4->sin_addr.s_addr;
}

/* The device that is registered there. */
static int find_source(struct device_room *room, const struct sockaddr_storage *source)
{
	mono_ms now = clock_now();

	for (size_t i = 0; i < room->count; i++)
		for (const struct phone *b = room->devices[i].phones.first; b; b = b->next)
			if (b->expires_ms > now && same_source(&b->source, source))
				return device_peer(room, i);
	return SIP_VISITOR_STRANGER;
}

static size_t find_login(const struct device_room *room, const char *username)
{
	size_t found = room->count;

	for (size_t i = 0; i < room->count; i++) /* all: the time says nothing */
		if (digest_equal(room->config->devices[i].username, username))
			found = i;
	return found;
}

static int ignore(struct device_room *room, const struct sip_visitor *visitor)
{
	unsigned suppressed;

	metric_add(&logins[OUTCOME_IGNORED], 1);
	if (log_limit_pass(&room->silent_log, 1, 60 * 1000, &suppressed))
		log_notice("device",
			   "too many failed log-ins, no answers from=%s method=%s not_logged=%u: "
			   "limits.device_attempts=%u a minute",
			   visitor->address, visitor->method, suppressed,
			   room->config->device_attempts);
	return SIP_VISITOR_IGNORED;
}

static int challenge(struct device_room *room, const struct sip_visitor *visitor, bool stale,
		     struct str *ret_headers)
{
	enum device_digest digest = room->config->sip.device_digest;
	const struct digest_challenge challenge = { .realm = room->config->domain,
						    .md5 = digest != DEVICE_DIGEST_SHA256,
						    .source = visitor->address,
						    .stale = stale };
	char *values[DIGEST_ALGORITHM_COUNT];
	size_t count = digest_challenge(room->guard, &challenge, values);

	metric_add(&logins[OUTCOME_CHALLENGED], 1);
	for (size_t i = 0; i < count; i++) { /* MD5 is the last */
		if (digest != DEVICE_DIGEST_MD5 || i + 1 == count)
			str_addf(ret_headers, "WWW-Authenticate: %s\r\n", values[i]);
		free(values[i]);
	}
	return count ? SIP_VISITOR_CHALLENGED : SIP_VISITOR_IGNORED;
}

static int refuse(struct device_room *room, const struct sip_visitor *visitor)
{
	unsigned suppressed;

	metric_add(&logins[OUTCOME_REFUSED], 1);
	if (log_limit_pass(&room->refused_log, 5, 60 * 1000, &suppressed))
		log_notice("device", "log-in refused from=%s method=%s not_logged=%u",
			   visitor->address, visitor->method, suppressed);
	return SIP_VISITOR_FORBIDDEN;
}

static int verify(struct device_room *room, const struct sip_visitor *visitor,
		  const char *authorization, const char *username, struct str *ret_headers)
{
	size_t i = find_login(room, username);
	bool known = i < room->count;
	const struct digest_check check = {
		.authorization = authorization,
		.realm = room->config->domain,
		.md5 = room->config->sip.device_digest != DEVICE_DIGEST_SHA256,
		.source = visitor->address,
		.method = visitor->method,
		.password = known ? room->devices[i].password : NULL,
	};

	switch (digest_verify(room->guard, &check)) {
	case DIGEST_ACCEPTED:
		metric_add(&logins[OUTCOME_ACCEPTED], 1);
		attempts_give_back(&room->attempts, visitor->source, room->config->device_attempts,
				   clock_now());
		return device_peer(room, i);
	case DIGEST_STALE:
		return challenge(room, visitor, true, ret_headers);
	case DIGEST_REFUSED:
		break;
	}
	return refuse(room, visitor);
}

int device_visit(struct device_room *room, const struct sip_visitor *visitor,
		 struct str *ret_headers)
{
	char username[128];

	if (room->count == 0)
		return SIP_VISITOR_STRANGER;
	if (strcmp(visitor->method, "ACK") == 0)
		return SIP_VISITOR_UNANSWERED; /* of a 401, from whoever */
	if (strcmp(visitor->method, "REGISTER") != 0 && strcmp(visitor->method, "INVITE") != 0)
		return find_source(room, visitor->source);
	if (!attempts_take(&room->attempts, visitor->source, room->config->device_attempts,
			   clock_now()))
		return ignore(room, visitor);
	for (size_t i = 0; i < visitor->authorization_count; i++) {
		const char *authorization = visitor->authorizations[i];

		if (digest_username(authorization, room->config->domain, username,
				    sizeof(username)) == 0)
			return verify(room, visitor, authorization, username, ret_headers);
	}
	return challenge(room, visitor, false, ret_headers);
}

/* ---- where ---- */

static void add_contacts(const struct phones *phones, struct str *headers)
{
	mono_ms now = clock_now();

	for (const struct phone *b = phones->first; b; b = b->next)
		str_addf(headers, "Contact: <%s>;expires=%lld\r\n", b->uri,
			 (long long)(b->expires_ms - now + 999) / 1000);
}

static void log_change(const struct device *device, size_t before,
		       const struct sip_register *request)
{
	if (device->phones.count != before)
		log_info("device", "device=%s contacts=%zu hop=%s", device->name,
			 device->phones.count, request->hop);
}

int device_enrol(struct device_room *room, int peer, const struct sip_register *request,
		 struct str *ret_headers)
{
	struct device *device;
	size_t index, before;
	int err;

	if (!device_place(room, peer, &index))
		return 403; /* a reload took it away since device_visit() */
	device = &room->devices[index];

	/* Items 4 and 5: an address is registered by whom it belongs to. */
	if (strcmp(request->user, device->name) != 0 &&
	    strcmp(request->user, room->config->devices[index].username) != 0)
		return 403;
	before = device->phones.count;
	err = phones_update(&device->phones, request, room->config->devices[index].max_contacts,
			    clock_now());
	switch (err) {
	case 0:
		log_change(device, before, request);
		add_contacts(&device->phones, ret_headers);
		return 200;
	case -ERANGE:
		str_addf(ret_headers, "Min-Expires: %d\r\n", PHONE_MIN_S);
		return 423;
	case -EINVAL:
		return 400;
	default: /* out of order, or no memory: RFC 3261 section 10.3 item 7 */
		return 500;
	}
}

size_t device_contacts(struct device_room *room, size_t device,
		       struct device_contact ret_contacts[static SIP_CONTACT_MAX])
{
	size_t count = 0;

	if (device >= room->count)
		return 0;
	phones_expire(&room->devices[device].phones, clock_now());
	for (const struct phone *b = room->devices[device].phones.first;
	     b && count < SIP_CONTACT_MAX; b = b->next)
		ret_contacts[count++] = (struct device_contact){ .uri = b->uri, .hop = b->hop };
	return count;
}

void device_pack_each(struct device_room *room,
		      void (*visit)(const struct str *packed, const char *hop, void *arg),
		      void *arg)
{
	for (size_t i = 0; i < room->count; i++)
		for (const struct phone *b = room->devices[i].phones.first; b; b = b->next) {
			struct str packed = { 0 };

			pack_text(&packed, room->devices[i].name);
			phone_pack(b, &packed);
			visit(&packed, b->hop, arg);
			str_done(&packed);
		}
}

void device_unpack(struct device_room *room, struct unpack *from)
{
	char name[256];

	unpack_text(from, name, sizeof(name));
	for (size_t i = 0; i < room->count; i++)
		if (!strcmp(room->devices[i].name, name))
			(void)phones_unpack(&room->devices[i].phones, from, clock_now());
}

void device_each(struct device_room *room, void (*visit)(const struct device_info *info, void *arg),
		 void *arg)
{
	mono_ms now = clock_now();

	for (size_t i = 0; i < room->count; i++) {
		struct device *device = &room->devices[i];
		struct device_info info = {
			.name = device->name, .uri = "", .hop = "", .user_agent = ""
		};

		phones_expire(&device->phones, now);
		if (!device->phones.first)
			visit(&info, arg);
		for (const struct phone *b = device->phones.first; b; b = b->next) {
			info.uri = b->uri;
			info.hop = b->hop;
			info.user_agent = b->user_agent;
			info.expires_s = (unsigned)((b->expires_ms - now) / 1000);
			info.since_s = (unsigned)((now - b->since_ms) / 1000);
			visit(&info, arg);
		}
	}
}
