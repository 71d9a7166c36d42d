/* SPDX-License-Identifier: Apache-2.0 */
#include "media/codecs.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include "base/str.h"
#include "media/voice.h"

#define DYNAMIC_FIRST 96 /* RFC 3551 6 */

static bool is_named(const struct sdp_codec *codec, const char *name)
{
	return str_equal_nocase(codec->name, name);
}

static bool is_event(const struct sdp_codec *codec)
{
	return is_named(codec, "telephone-event");
}

/* The value behind "name=", with its length; NULL: not there. */
static const char *fmtp_value(const char *fmtp, const char *name, size_t *ret_length)
{
	size_t length = strlen(name);

	while (*fmtp) {
		fmtp += strspn(fmtp, " ;");
		if (strncasecmp(fmtp, name, length) == 0 && fmtp[length] == '=') {
			fmtp += length + 1;
			*ret_length = strcspn(fmtp, " ;");
			return fmtp;
		}
		fmtp += strcspn(fmtp, ";");
	}
	return NULL;
}

unsigned codecs_fmtp_number(const char *fmtp, const char *name, unsigned fallback)
{
	size_t length;
	const char *value = fmtp_value(fmtp, name, &length);
	char *end;
	unsigned long number;

	if (!value)
		return fallback;
	number = strtoul(value, &end, 10);
	return end == value || number > INT32_MAX ? fallback : (unsigned)number;
}

/* Sets of modes that both must keep to; one that says nothing is told. */
static bool same_mode_set(const char *a, const char *b)
{
	size_t a_length, b_length;
	const char *a_set = fmtp_value(a, "mode-set", &a_length);
	const char *b_set = fmtp_value(b, "mode-set", &b_length);

	return !a_set || !b_set || (a_length == b_length && strncmp(a_set, b_set, a_length) == 0);
}

/* Parameters that change the payload's layout must agree for it to be passed on
 * (RFC 4867 8.1). */
static bool same_layout(const struct sdp_codec *a, const struct sdp_codec *b)
{
	static const char *const layout[] = { "octet-align", "crc", "robust-sorting",
					      "interleaving" };

	if (!is_named(a, "AMR") && !is_named(a, "AMR-WB"))
		return true;
	for (size_t i = 0; i < ARRAY_SIZE(layout); i++)
		if (codecs_fmtp_number(a->fmtp, layout[i], 0) !=
		    codecs_fmtp_number(b->fmtp, layout[i], 0))
			return false;
	return same_mode_set(a->fmtp, b->fmtp);
}

static bool same_codec(const struct sdp_codec *a, const struct sdp_codec *b)
{
	return a->rate == b->rate && a->channels == b->channels && is_named(a, b->name) &&
	       same_layout(a, b);
}

/* The entry of `desc` that means `codec`: the one with the same number if the
 * codec is listed more than once. */
static const struct sdp_codec *find_codec(const struct media_desc *desc,
					  const struct sdp_codec *codec)
{
	const struct sdp_codec *found = NULL;

	for (unsigned i = 0; i < desc->codec_count; i++) {
		if (!same_codec(&desc->codecs[i], codec))
			continue;
		if (desc->codecs[i].type == codec->type)
			return &desc->codecs[i];
		if (!found)
			found = &desc->codecs[i];
	}
	return found;
}

bool codecs_equal(const struct sdp_codec *a, const struct sdp_codec *b)
{
	return a->type == b->type && a->rate == b->rate && a->channels == b->channels &&
	       strcmp(a->name, b->name) == 0 && strcmp(a->fmtp, b->fmtp) == 0;
}

bool codecs_is_speech(const struct sdp_codec *codec)
{
	return !is_event(codec) && !is_named(codec, "CN");
}

const struct sdp_codec *codecs_first_speech(const struct media_desc *desc)
{
	for (unsigned i = 0; i < desc->codec_count; i++)
		if (codecs_is_speech(&desc->codecs[i]))
			return &desc->codecs[i];
	return NULL;
}

/* The first that can be converted; NULL: none. */
static const struct sdp_codec *first_convertible(const struct media_desc *desc)
{
	for (unsigned i = 0; i < desc->codec_count; i++)
		if (voice_kind_speaks(voice_kind_of(&desc->codecs[i])))
			return &desc->codecs[i];
	return NULL;
}

/* telephone-event, of the wanted clock if there is one; NULL: none. */
static const struct sdp_codec *find_event(const struct media_desc *desc, uint32_t rate)
{
	const struct sdp_codec *found = NULL;

	for (unsigned i = 0; i < desc->codec_count; i++) {
		if (!is_event(&desc->codecs[i]))
			continue;
		if (desc->codecs[i].rate == rate)
			return &desc->codecs[i];
		if (!found)
			found = &desc->codecs[i];
	}
	return found;
}

static bool has_type(const struct media_desc *desc, uint8_t type)
{
	for (unsigned i = 0; i < desc->codec_count; i++)
		if (desc->codecs[i].type == type)
			return true;
	return false;
}

static void append(struct media_desc *desc, const struct sdp_codec *codec)
{
	if (desc->codec_count < SDP_CODECS_MAX)
		desc->codecs[desc->codec_count++] = *codec;
}

static bool takes_events(const struct media_codecs *rules)
{
	return rules->dtmf != MEDIA_DTMF_INFO && rules->dtmf != MEDIA_DTMF_INBAND;
}

/* Tones can be put into its speech; into Opus, which would have to be decoded and
 * encoded for them, only where the side is said to want them. */
static bool tones_reach(const struct media_codecs *rules, const struct sdp_codec *speech)
{
	if (!speech)
		return false;
	return rules->dtmf == MEDIA_DTMF_INBAND || voice_kind_of(speech) != VOICE_OPUS;
}

/* Keeps what is named, in the order of the names; CN and telephone-event go with
 * whatever is left. */
void codecs_restrict(const struct media_codecs *rules, struct media_desc *desc)
{
	struct sdp_codec all[SDP_CODECS_MAX];
	unsigned count = desc->codec_count;

	memcpy(all, desc->codecs, sizeof(all));
	desc->codec_count = 0;
	for (unsigned name = 0; name < rules->count; name++)
		for (unsigned i = 0; i < count; i++)
			if (is_named(&all[i], rules->names[name]))
				append(desc, &all[i]);
	for (unsigned i = 0; i < count; i++) {
		if (is_event(&all[i]) ? !takes_events(rules)
				      : rules->count > 0 && codecs_is_speech(&all[i]))
			continue;
		append(desc, &all[i]);
	}
}

bool codecs_allow(const struct media_codecs *rules, const struct media_desc *desc)
{
	bool speaks = false;

	for (unsigned i = 0; i < desc->codec_count; i++) {
		if (!codecs_is_speech(&desc->codecs[i]))
			continue;
		speaks = true;
		for (unsigned name = 0; name < rules->count; name++)
			if (is_named(&desc->codecs[i], rules->names[name]))
				return true;
	}
	return !speaks || rules->count == 0;
}

static uint8_t free_type(const struct media_desc *offer, const struct media_desc *onward,
			 uint8_t wanted)
{
	uint8_t type = wanted;

	while (has_type(offer, type) || has_type(onward, type))
		type = type >= DYNAMIC_FIRST && type < 127 ? (uint8_t)(type + 1) : DYNAMIC_FIRST;
	return type;
}

/* Behind what passes, in the order of the side. */
static void add_converted(const struct media_desc *offer, const struct media_codecs *rules,
			  struct media_desc *onward)
{
	static const struct media_codecs usual = { .names = { "PCMA", "PCMU", "G722", "opus" },
						   .count = 4 };
	static const uint8_t types[VOICE_KINDS] = {
		[VOICE_PCMA] = 8, [VOICE_G722] = 9, [VOICE_OPUS] = 111
	};
	const struct media_codecs *order = rules->count > 0 ? rules : &usual;

	for (unsigned i = 0; i < order->count; i++) {
		enum voice_kind kind = voice_kind_named(order->names[i]);
		struct sdp_codec codec;

		if (!voice_kind_speaks(kind))
			continue;
		voice_describe(kind, &codec);
		if (find_codec(onward, &codec))
			continue;
		codec.type = free_type(offer, onward, types[kind]);
		append(onward, &codec);
	}
}

/* One telephone-event for each clock that speech has (RFC 4733 2.1). Of who offers none
 * digits come even so if they are tones in its speech, or told by its signalling. */
static void add_events(const struct media_desc *offer, const struct media_codecs *sayer,
		       const struct media_codecs *rules, struct media_desc *onward)
{
	bool come = find_event(offer, 0) || !takes_events(sayer);
	unsigned count = onward->codec_count;
	struct sdp_codec event = { .name = "telephone-event", .channels = 1, .fmtp = "0-15" };

	if (!takes_events(rules) || (rules->dtmf != MEDIA_DTMF_RFC4733 && !come))
		return;
	for (unsigned i = 0; i < count; i++) {
		const struct sdp_codec *codec = &onward->codecs[i], *there;

		if (!voice_kind_speaks(voice_kind_of(codec)))
			continue;
		there = find_event(onward, codec->rate);
		if (there && there->rate == codec->rate)
			continue;
		event.rate = codec->rate;
		event.type = free_type(offer, onward, event.rate == 8000 ? 101 : 110);
		append(onward, &event);
	}
}

bool codecs_offer(const struct media_desc *offer, const struct codecs_rules *rules,
		  enum media_side to, struct media_desc *ret_onward)
{
	ret_onward->codec_count = 0;
	for (unsigned i = 0; i < offer->codec_count; i++)
		if (!is_named(&offer->codecs[i], "red"))
			append(ret_onward, &offer->codecs[i]);
	codecs_restrict(&rules->side[to], ret_onward);
	if (rules->transcode && first_convertible(offer)) {
		add_converted(offer, &rules->side[to], ret_onward);
		add_events(offer, &rules->side[!to], &rules->side[to], ret_onward);
	}
	return codecs_first_speech(ret_onward) != NULL;
}

/* What both have, in the offer's numbers. */
static void answer_common(const struct media_desc *offer, const struct media_desc *answer,
			  struct media_desc *ret_back)
{
	for (unsigned i = 0; i < answer->codec_count; i++) {
		const struct sdp_codec *theirs = &answer->codecs[i];
		const struct sdp_codec *offered = find_codec(offer, theirs);
		struct sdp_codec back = *theirs; /* name as written, parameters of who answered */

		if (!offered || is_named(theirs, "red") || has_type(ret_back, offered->type))
			continue;
		back.type = offered->type;
		append(ret_back, &back);
	}
}

/* The first speech of the offer that what the answerer has can become. */
static void answer_converted(const struct media_desc *offer, struct media_desc *ret_back)
{
	const struct sdp_codec *offered = first_convertible(offer);
	struct sdp_codec back;

	voice_describe(voice_kind_of(offered), &back); /* with our wishes, not theirs */
	back.type = offered->type;
	ret_back->codec_count = 0;
	append(ret_back, &back);
}

/* Digits come in whatever clock the offerer has, if they can go on in some way. */
static void answer_events(const struct media_desc *offer, const struct media_desc *answer,
			  const struct media_codecs *answerer, struct media_desc *ret_back)
{
	const struct sdp_codec *event = find_event(offer, codecs_first_speech(ret_back)->rate);

	if (event && !has_type(ret_back, event->type) &&
	    (find_event(answer, 0) || answerer->dtmf == MEDIA_DTMF_INFO ||
	     tones_reach(answerer, first_convertible(answer))))
		append(ret_back, event);
}

bool codecs_answer(const struct media_desc *offer, const struct media_desc *answer,
		   const struct codecs_rules *rules, enum media_side answerer,
		   struct media_desc *ret_back)
{
	ret_back->codec_count = 0;
	answer_common(offer, answer, ret_back);
	if (rules->transcode && !codecs_first_speech(ret_back) && first_convertible(offer) &&
	    first_convertible(answer))
		answer_converted(offer, ret_back);
	if (!codecs_first_speech(ret_back))
		return false;
	if (rules->transcode)
		answer_events(offer, answer, &rules->side[answerer], ret_back);
	return true;
}

void codecs_keep(const struct media_desc *offer, struct media_desc *back)
{
	for (unsigned i = 0; i < offer->codec_count; i++) {
		const struct sdp_codec *codec = &offer->codecs[i];

		if (voice_kind_speaks(voice_kind_of(codec)) && !has_type(back, codec->type))
			append(back, codec);
	}
}

bool codecs_common(const struct media_desc *offer, const struct media_desc *ours,
		   struct media_desc *ret_common)
{
	ret_common->codec_count = 0;
	for (unsigned cheap = 2; cheap-- > 0;) /* Opus costs a hundred times what G.711 does */
		for (unsigned i = 0; i < offer->codec_count; i++)
			if (find_codec(ours, &offer->codecs[i]) &&
			    (voice_kind_of(&offer->codecs[i]) != VOICE_OPUS) == (bool)cheap)
				append(ret_common, &offer->codecs[i]);
	return codecs_first_speech(ret_common) != NULL;
}

/* What goes on as it is. */
static void map_types(const struct media_desc *offer, const struct media_desc *answer,
		      codecs_map from_offerer, codecs_map from_answerer)
{
	memset(from_offerer, CODECS_DROP, sizeof(codecs_map));
	memset(from_answerer, CODECS_DROP, sizeof(codecs_map));

	for (unsigned i = 0; i < answer->codec_count; i++) {
		const struct sdp_codec *theirs = &answer->codecs[i];
		const struct sdp_codec *offered = find_codec(offer, theirs);

		if (!offered || from_offerer[offered->type] != CODECS_DROP)
			continue;
		from_offerer[offered->type] = theirs->type;
		from_answerer[offered->type] = offered->type;
		if (!has_type(offer, theirs->type))
			from_answerer[theirs->type] = offered->type;
	}
	for (unsigned i = 0; i < offer->codec_count; i++) {
		const struct sdp_codec *offered = &offer->codecs[i];

		if (from_answerer[offered->type] == CODECS_DROP && !is_named(offered, "red"))
			from_answerer[offered->type] = offered->type;
	}
}

/* From who says to who hears, each by the description that names what it may use. */
struct direction {
	const struct media_desc *says, *hears;
	const struct media_desc *timing; /* the hearer's own */
	const struct media_codecs *sayer, *hearer;
};

/* How the hearer takes digits. */
static void choose_digits(const struct direction *direction, struct codecs_way *way)
{
	const struct sdp_codec *event =
		takes_events(direction->hearer) ? find_event(direction->hears, way->to.rate) : NULL;

	way->event_rate = event ? event->rate : 8000;
	if (direction->hearer->dtmf == MEDIA_DTMF_INFO) {
		way->digits = CODECS_DIGITS_TELL;
	} else if (event) {
		way->digits = CODECS_DIGITS_EVENTS;
		way->event_type = event->type;
	} else if (tones_reach(direction->hearer, first_convertible(direction->hears))) {
		way->digits = CODECS_DIGITS_TONES;
	}
}

static bool is_passed(const struct codecs_way *way, uint8_t type)
{
	return way->types[type] < 128;
}

/* True: some speech goes on as it is. */
static bool convert_speech(const struct direction *direction, struct codecs_way *way)
{
	bool passes = false;

	for (unsigned i = 0; i < direction->says->codec_count; i++) {
		const struct sdp_codec *codec = &direction->says->codecs[i];
		enum voice_kind kind = voice_kind_of(codec);

		way->kinds[codec->type] = (uint8_t)kind;
		if (voice_kind_speaks(kind) && (way->hear_tones || !is_passed(way, codec->type))) {
			way->types[codec->type] = CODECS_CONVERT;
			way->converts = true;
		} else if (codecs_is_speech(codec)) {
			passes = true;
		}
	}
	return passes;
}

static void convert_rest(const struct direction *direction, bool passes, struct codecs_way *way)
{
	bool own_stream = way->converts && !passes;

	for (unsigned i = 0; i < direction->says->codec_count; i++) {
		const struct sdp_codec *codec = &direction->says->codecs[i];
		uint8_t type = codec->type;

		if (is_event(codec)) {
			if (way->digits == CODECS_DIGITS_EVENTS && is_passed(way, type) &&
			    !own_stream)
				continue;
			way->event_rates[type] = codec->rate;
			way->types[type] =
				way->digits == CODECS_DIGITS_DROP ? CODECS_DROP : CODECS_CONVERT;
			if (way->digits == CODECS_DIGITS_TONES && !way->converts)
				way->converts = way->lazy = true;
		} else if (own_stream && way->kinds[type] == VOICE_NOISE) {
			way->types[type] = CODECS_CONVERT;
		}
	}
}

/* One that all of them can be decoded at. */
static unsigned rate_of(const struct codecs_way *way)
{
	unsigned rate = 0;

	for (unsigned i = 0; i < sizeof(way->kinds); i++) {
		enum voice_kind kind = (enum voice_kind)way->kinds[i];
		unsigned of_kind = voice_rate(kind, voice_kind_of(&way->to));

		if (voice_kind_speaks(kind) && (!rate || of_kind < rate))
			rate = of_kind;
	}
	return rate ? rate : 8000;
}

static void choose_way(const struct direction *direction, bool transcode, struct codecs_way *way)
{
	const struct sdp_codec *to = first_convertible(direction->hears);

	way->to = to ? *to : *codecs_first_speech(direction->hears);
	if (!transcode)
		return;
	choose_digits(direction, way);
	if (!to)
		return;
	way->hear_tones =
		direction->sayer->dtmf == MEDIA_DTMF_INBAND &&
		(way->digits == CODECS_DIGITS_EVENTS || way->digits == CODECS_DIGITS_TELL);
	convert_rest(direction, convert_speech(direction, way), way);
	if (way->digits == CODECS_DIGITS_TONES && !way->converts &&
	    direction->hearer->dtmf != MEDIA_DTMF_AUTO) /* digits of INFO will come */
		way->converts = way->lazy = true;
	way->pcm_rate = rate_of(way);
	way->frame_ms = voice_frame_ms(voice_kind_of(to), direction->timing->ptime,
				       direction->timing->maxptime);
}

/* Under which numbers digits come, where both descriptions name one that of the offer. */
static void mark_events(const struct media_desc *offer, const struct media_desc *desc,
			struct codecs_way *way)
{
	for (unsigned i = 0; i < desc->codec_count; i++) {
		const struct sdp_codec *codec = &desc->codecs[i];

		if (is_event(codec) && way->types[codec->type] != CODECS_DROP &&
		    (desc == offer || !has_type(offer, codec->type)))
			way->events[codec->type / 64] |= UINT64_C(1) << codec->type % 64;
	}
}

void codecs_ways(const struct codecs_agreement *agreement, const struct codecs_rules *rules,
		 struct codecs_way *ret_from_offerer, struct codecs_way *ret_from_answerer)
{
	const struct media_codecs *offerer = &rules->side[agreement->offerer];
	const struct media_codecs *answerer = &rules->side[!agreement->offerer];
	const struct direction there = { agreement->back, agreement->answer, agreement->answer,
					 offerer, answerer };
	const struct direction back = { agreement->answer, agreement->back, agreement->offer,
					answerer, offerer };

	memset(ret_from_offerer, 0, sizeof(*ret_from_offerer));
	memset(ret_from_answerer, 0, sizeof(*ret_from_answerer));
	map_types(agreement->offer, agreement->answer, ret_from_offerer->types,
		  ret_from_answerer->types);
	choose_way(&there, rules->transcode, ret_from_offerer);
	choose_way(&back, rules->transcode, ret_from_answerer);
	mark_events(agreement->offer, agreement->offer, ret_from_offerer);
	mark_events(agreement->offer, agreement->offer, ret_from_answerer);
	mark_events(agreement->offer, agreement->answer, ret_from_answerer);
}

bool codecs_way_same(const struct codecs_way *a, const struct codecs_way *b)
{
	return memcmp(a->types, b->types, sizeof(a->types)) == 0 &&
	       memcmp(a->kinds, b->kinds, sizeof(a->kinds)) == 0 &&
	       memcmp(a->event_rates, b->event_rates, sizeof(a->event_rates)) == 0 &&
	       a->converts == b->converts && a->lazy == b->lazy && codecs_equal(&a->to, &b->to) &&
	       a->pcm_rate == b->pcm_rate && a->frame_ms == b->frame_ms && a->digits == b->digits &&
	       a->hear_tones == b->hear_tones && a->event_type == b->event_type &&
	       a->event_rate == b->event_rate;
}

/* One more name behind those that are there. What has no room in whole is an ellipsis,
 * which is the end. */
static size_t list_more(char *text, size_t used, size_t room, const char *name)
{
	static const char more[] = ", ...";
	size_t left = room - used;
	int n;

	if (left < sizeof(more))
		return used;
	n = snprintf(text + used, left, "%s%s", used ? ", " : "", name);
	if (n >= 0 && (size_t)n + sizeof(more) <= left)
		return used + (size_t)n;
	(void)snprintf(text + used, left, "%s", used ? more : more + 2);
	return room;
}

void codecs_list(const struct media_desc *desc, char *ret_text, size_t room)
{
	char name[sizeof(desc->codecs[0].name) + 12];
	size_t used = 0;

	(void)snprintf(ret_text, room, "none");
	for (unsigned i = 0; i < desc->codec_count && used < room; i++) {
		(void)snprintf(name, sizeof(name), "%s/%u", desc->codecs[i].name,
			       desc->codecs[i].rate);
		used = list_more(ret_text, used, room, name);
	}
}

void codecs_list_allowed(const struct media_codecs *rules, char *ret_text, size_t room)
{
	size_t used = 0;

	(void)snprintf(ret_text, room, "any");
	for (unsigned i = 0; i < rules->count && used < room; i++)
		used = list_more(ret_text, used, room, rules->names[i]);
}
