/* SPDX-License-Identifier: Apache-2.0 */
/* turn.c - STUN and TURN servers of the full agent. */
#include "config/turn.h"

#include "config/check.h"

#define AT(member) .offset = offsetof(struct config_turn, member)

static void read_transport(struct reader *reader, const struct value *value)
{
	static const char *const words[] = { [TURN_UDP] = "udp", [TURN_TCP] = "tcp" };
	int word = value_word(reader, value, words, ARRAY_SIZE(words));

	if (word >= 0)
		*(enum turn_transport *)value->target = (enum turn_transport)word;
}

static void read_policy(struct reader *reader, const struct value *value)
{
	static const char *const words[] = {
		[ICE_POLICY_ALL] = "all", [ICE_POLICY_RELAY] = "relay"
	};
	int word = value_word(reader, value, words, ARRAY_SIZE(words));

	if (word >= 0)
		*(enum ice_policy *)value->target = (enum ice_policy)word;
}

static const struct kind kind_transport = { "udp or tcp", NODE_SCALAR, read_transport };
const struct kind kind_ice_policy = { "all or relay", NODE_SCALAR, read_policy };

static const struct key turn_keys[] = {
	{ .name = "address",
	  .kind = &kind_host_port,
	  AT(address),
	  .flags = KEY_REQUIRED,
	  .help = "host:port of the TURN server" },
	{ .name = "transport",
	  .kind = &kind_transport,
	  AT(transport),
	  .fallback = "udp",
	  .help = "how we reach it: udp, or tcp where a firewall lets no UDP through; what it "
		  "relays is UDP" },
	{ .name = "username",
	  .kind = &kind_text,
	  AT(username),
	  .help = "who we are to it; with `secret_file` may be left out" },
	{ .name = "password_file",
	  .kind = &kind_path,
	  AT(password_file),
	  .flags = KEY_FILE | KEY_SECRET,
	  .help = "a file whose first line is our password" },
	{ .name = "secret_file",
	  .kind = &kind_path,
	  AT(secret_file),
	  .flags = KEY_FILE | KEY_SECRET,
	  .help = "in its place: a file whose first line is a secret shared with the server, of "
		  "which each call gets a password for a day (coturn's use-auth-secret)" },
};
const struct schema turn_schema = { "media.turn", turn_keys, ARRAY_SIZE(turn_keys) };

static void check_server(struct reader *reader, struct place at, const struct config_turn *turn)
{
	if (!turn->address) /* has been said */
		return;
	if (!turn->password_file == !turn->secret_file)
		find_error(reader->findings, at,
			   "`media.turn`: %.60s has %s. Name one file, `password_file` or "
			   "`secret_file`",
			   turn->address,
			   turn->secret_file ? "both a password and a secret"
					     : "neither a password nor a secret");
	else if (turn->password_file && !turn->username)
		find_error(reader->findings, at,
			   "`media.turn`: %.60s has a password and no `username`. Write it",
			   turn->address);
}

void turn_check(struct reader *reader, const struct node *root)
{
	struct config_media *media = &reader->config->media;
	struct place at = place_of(root, "media.turn");
	bool wanted = media->stun || media->turn_count;

	media->turn_at = place_text(reader, at);
	for (size_t i = 0; i < media->turn_count; i++)
		check_server(reader, at, &media->turn[i]);
	if (media->turn_count > CONFIG_TURN_MAX)
		find_error(reader->findings, at,
			   "`media.turn` has %zu servers, and a call asks all of them. Keep at "
			   "most %d",
			   media->turn_count, CONFIG_TURN_MAX);
	if (wanted && media->ice == MEDIA_ICE_LITE)
		find_error(reader->findings,
			   place_of(root, media->stun ? "media.stun" : "media.turn"),
			   "`media.ice: lite` is for a machine that peers reach directly, and asks "
			   "no STUN or TURN server. Write `ice: full`, or remove the servers");
	if (media->ice_policy == ICE_POLICY_RELAY && !media->turn_count)
		find_error(reader->findings, place_of(root, "media.ice_policy"),
			   "`media.ice_policy: relay` leaves no way for audio without a server in "
			   "`media.turn`. Name one, or write `all`");
}
