/* The line between a master and virtual meters.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "sim/line.h"

#include <stdlib.h>
#include <string.h>

#include "mbus/link.h"

enum {
	IN_MAX = 600,
	HEARD_MAX = 512,
	GAP_BITS = 33, /* a longer silence ends a frame */
	CHUNK_MS = 16, /* adapters hand on what came in so much time */
	JITTER = 16,   /* parts of a bit by which answers of a meter begin unlike */
};

/* What one sends on the line. */
struct voice {
	struct sim_sound sound; /* the first member: the line's list points to it */
	struct voice *next;     /* unused ones */
	size_t meter;           /* NOBODY: no meter's */
	bool spoilt;            /* somebody else spoke meanwhile, or it did not come through */
	uint8_t bytes[SIM_ANSWER_MAX];
};

#define NOBODY SIZE_MAX

/* What the meters of one rate hear. */
struct listener {
	unsigned baud; /* 0: they follow the master */
	uint8_t in[IN_MAX];
	size_t length;
	struct listener *next;
};

struct sim_line {
	struct sim_options options;
	struct sim_meter *meters;   /* owned */
	struct listener *listeners; /* owned */
	struct sim_rate master;
	ml_time in_end; /* when the last of what the master sends has left it */
	bool heard;     /* not yet looked at by the meters */
	bool cut, shorted;
	const struct sim_sound **sounds; /* owned; each the head of a voice */
	size_t sound_count, sound_capacity;
	struct voice *unused; /* owned */
	struct sim_ear ear;   /* the master's */
	uint64_t answers;     /* so far */
	struct sim_line_watch watch;
	struct sim_line_hand hand;
	ml_time act_at, now;
	uint8_t out[HEARD_MAX];
};

/* ---- Life ---- */

static struct listener *listener_of(struct sim_line *line, unsigned baud)
{
	struct listener *l = line->listeners;
	while (l && l->baud != baud)
		l = l->next;
	if (!l && (l = calloc(1, sizeof *l))) {
		l->baud = baud;
		l->next = line->listeners;
		line->listeners = l;
	}
	return l;
}

struct sim_line *sim_line_new(const struct sim_options *options)
{
	struct sim_line *line = calloc(1, sizeof *line);
	if (!line)
		return NULL;
	line->options = *options;
	line->act_at = ML_NEVER;
	line->master = (struct sim_rate){options->baud, ML_PARITY_EVEN};
	line->ear.rate = line->master;
	line->meters = calloc(options->meters ? options->meters : 1, sizeof *line->meters);
	bool whole = line->meters != NULL;
	for (unsigned i = 0; whole && i < options->meters; i++) {
		struct sim_meter *meter = &line->meters[i];
		sim_meter_init(meter, options->seed, i);
		meter->baud = options->autobaud                 ? 0
			      : i % 2 == 1 && options->odd_baud ? options->odd_baud
								: options->baud;
		whole = listener_of(line, meter->baud) != NULL;
	}
	if (whole)
		return line;
	sim_line_free(line);
	return NULL;
}

/* A sound is the first member of its voice, which is ours. */
static struct voice *voice_of(const struct sim_line *line, size_t index)
{
	return (struct voice *)(uintptr_t)line->sounds[index];
}

static void forget(struct sim_line *line, size_t index)
{
	struct voice *voice = voice_of(line, index);
	voice->next = line->unused;
	line->unused = voice;
	line->sounds[index] = line->sounds[--line->sound_count];
}

void sim_line_free(struct sim_line *line)
{
	if (!line)
		return;
	while (line->sound_count > 0)
		forget(line, 0);
	for (struct voice *next, *voice = line->unused; voice; voice = next) {
		next = voice->next;
		free(voice);
	}
	for (struct listener *next, *l = line->listeners; l; l = next) {
		next = l->next;
		free(l);
	}
	free(line->sounds);
	free(line->meters);
	free(line);
}

size_t sim_line_meter_count(const struct sim_line *line)
{
	return line->options.meters;
}

struct sim_meter *sim_line_change_meter(struct sim_line *line, size_t index)
{
	return index < line->options.meters ? &line->meters[index] : NULL;
}

const struct sim_meter *sim_line_meter(const struct sim_line *line, size_t index)
{
	return index < line->options.meters ? &line->meters[index] : NULL;
}

bool sim_line_set_meter_baud(struct sim_line *line, size_t index, unsigned baud)
{
	if (index >= line->options.meters || !listener_of(line, baud))
		return false;
	line->meters[index].baud = baud;
	line->meters[index].next_baud = line->meters[index].old_baud = 0;
	return true;
}

void sim_line_watch(struct sim_line *line, const struct sim_line_watch *watch)
{
	line->watch = *watch;
}

void sim_line_handle(struct sim_line *line, const struct sim_line_hand *hand)
{
	line->hand = *hand;
	line->act_at = hand->acts ? 0 : ML_NEVER;
}

void sim_line_act_at(struct sim_line *line, ml_time when)
{
	line->act_at = when;
}

ml_time sim_line_now(const struct sim_line *line)
{
	return line->now;
}

void sim_line_set_rate(struct sim_line *line, struct sim_rate rate)
{
	line->master = line->ear.rate = rate;
}

void sim_line_set_cut(struct sim_line *line, bool cut)
{
	line->cut = cut;
}

void sim_line_set_short(struct sim_line *line, bool shorted)
{
	line->shorted = shorted;
}

void sim_line_set_echo(struct sim_line *line, bool echo)
{
	line->options.echo = echo;
}

bool sim_line_is_short(const struct sim_line *line)
{
	return line->shorted;
}

/* ---- Voices ---- */

/* The next place of the list, with a voice that is not in it yet. NULL: out of memory. */
static struct voice *new_voice(struct sim_line *line)
{
	if (line->sound_count == line->sound_capacity) {
		const size_t capacity = line->sound_capacity ? 2 * line->sound_capacity : 8;
		const struct sim_sound **sounds = realloc(line->sounds, capacity * sizeof *sounds);
		if (!sounds)
			return NULL;
		line->sounds = sounds;
		line->sound_capacity = capacity;
	}
	struct voice *voice = line->unused;
	if (voice)
		line->unused = voice->next;
	else
		voice = calloc(1, sizeof *voice);
	return voice;
}

static void speak(struct sim_line *line, struct voice *voice, size_t length, unsigned gap,
	struct sim_rate rate, ml_time begin)
{
	/* Who has heard all that was said before listens on from here; a late answer that nobody
	 * has begun to hear must not make him deaf until then. */
	bool unheard = true;
	for (size_t i = 0; i < line->sound_count; i++)
		unheard = unheard && line->sounds[i]->begin >= line->ear.at;
	if (line->sound_count == 0 || (unheard && begin < line->ear.at))
		line->ear.at = begin;
	voice->sound = (struct sim_sound){
		.begin = begin, .rate = rate, .gap = gap, .bytes = voice->bytes, .length = length};
	voice->spoilt = false;
	for (size_t i = 0; i < line->sound_count; i++) {
		struct voice *other = voice_of(line, i);
		if (sim_sound_end(&other->sound) > begin &&
			other->sound.begin < sim_sound_end(&voice->sound))
			other->spoilt = voice->spoilt = true;
	}
	line->sounds[line->sound_count++] = &voice->sound;
}

bool sim_line_disturb(struct sim_line *line, const uint8_t *bytes, size_t length,
	struct sim_rate rate, ml_time begin)
{
	struct voice *voice = new_voice(line);
	if (!voice)
		return false;
	length = length < sizeof voice->bytes ? length : sizeof voice->bytes;
	memcpy(voice->bytes, bytes, length);
	voice->meter = NOBODY;
	speak(line, voice, length, 0, rate, begin);
	return true;
}

/* From when on one may answer. Where no time passes, answers to several requests come one after the
 * other all the same. */
static ml_time free_from(const struct sim_line *line, ml_time from)
{
	for (size_t i = 0; line->options.fast && i < line->sound_count; i++) {
		const ml_time end = sim_sound_end(line->sounds[i]);
		from = end > from ? end : from;
	}
	return from;
}

/* ---- From the master to the meters ---- */

static ml_time line_time(const struct sim_line *line, struct sim_rate rate, uint64_t bits)
{
	return line->options.fast ? 0 : sim_bits(rate, bits);
}

static void put(struct listener *l, const uint8_t *bytes, size_t length)
{
	if (length > IN_MAX - l->length)
		l->length = 0;
	if (length > IN_MAX) {
		bytes += length - IN_MAX;
		length = IN_MAX;
	}
	memcpy(l->in + l->length, bytes, length);
	l->length += length;
}

/* What a meter of another rate makes of it; what has an error is thrown away. */
static void put_as_heard(struct listener *l, const struct sim_sound *sound)
{
	struct sim_ear ear = {{l->baud, ML_PARITY_EVEN}, sound->begin};
	struct sim_heard heard;
	if (l->baud == 0)
		ear.rate.baud = sound->rate.baud;
	while (sim_ear_hear(&ear, &sound, 1, ML_NEVER, &heard)) {
		if (heard.marks)
			l->length = 0;
		else
			put(l, &heard.byte, 1);
	}
}

void sim_line_received(struct sim_line *line, const uint8_t *bytes, size_t length, ml_time now)
{
	const struct sim_rate rate = line->master;
	const bool pause = now > line->in_end + line_time(line, rate, GAP_BITS) + ML_SEC / 10;
	const struct sim_sound sound = {.begin = line->in_end > now ? line->in_end : now,
		.rate = rate,
		.bytes = bytes,
		.length = length};
	line->in_end = sound.begin + line_time(line, rate, length * sim_byte_bits(rate));
	const ml_time echo = free_from(line, sound.begin);
	for (size_t at = 0; line->options.echo && at < length; at += SIM_ANSWER_MAX) {
		const size_t rest = length - at;
		(void)sim_line_disturb(line, bytes + at,
			rest < SIM_ANSWER_MAX ? rest : SIM_ANSWER_MAX, rate,
			echo + sim_bits(rate, at * sim_byte_bits(rate)));
	}
	for (struct listener *l = line->listeners; l; l = l->next) {
		/* Half a frame that was left is noise. */
		if (pause)
			l->length = 0;
		if (line->cut || line->shorted)
			continue;
		if ((l->baud == 0 || l->baud == rate.baud) && rate.parity == ML_PARITY_EVEN)
			put(l, bytes, length);
		else
			put_as_heard(l, &sound);
	}
	line->heard = true;
}

struct sim_rate sim_line_rate(const struct sim_line *line, const struct sim_meter *meter)
{
	return (struct sim_rate){meter->baud ? meter->baud : line->master.baud, ML_PARITY_EVEN};
}

ml_time sim_line_drained(const struct sim_line *line)
{
	return line->in_end;
}

/* ---- The meters ---- */

static void answer(struct sim_line *line, struct sim_meter *meter, const struct mbus_frame *frame,
	ml_time from, ml_time wall)
{
	const struct sim_rate rate = sim_line_rate(line, meter);
	struct voice *voice = new_voice(line);
	if (!voice)
		return;
	ml_time later = 0;
	size_t length = sim_meter_answer(meter, frame, wall, voice->bytes);
	voice->meter = (size_t)(meter - line->meters);
	if (length > 0 && line->watch.answers)
		line->watch.answers(line->watch.user, voice->meter, voice->bytes, &length, &later);
	if (length == 0) {
		voice->next = line->unused;
		line->unused = voice;
		return;
	}
	const unsigned delay = line->options.delay ? line->options.delay : meter->delay;
	/* No two answers of a meter come at quite the same time. */
	const uint64_t part =
		line->options.delay ? 0 : sim_hash(meter->seed, line->answers) % JITTER;
	const ml_time begin = from + later + sim_bits(rate, delay) +
			      (ml_time)(part * (uint64_t)sim_bits(rate, 1) / JITTER);
	line->answers++;
	speak(line, voice, length, line->options.gap, rate, begin);
	meter->speaks_until = line->options.fast ? 0 : sim_sound_end(&voice->sound);
}

static void ask_meters(
	struct sim_line *line, unsigned baud, const struct mbus_frame *frame, ml_time wall)
{
	const ml_time from = free_from(line, line->in_end);
	for (unsigned i = 0; i < line->options.meters; i++) {
		struct sim_meter *meter = &line->meters[i];
		/* Who speaks does not listen. */
		if (meter->baud != baud || meter->speaks_until > line->in_end || meter->unplugged)
			continue;
		if (line->hand.asked)
			line->hand.asked(line->hand.user, meter, i);
		answer(line, meter, frame, from, wall);
	}
}

/* Takes the frames out of what the master sent. */
static void listen(struct sim_line *line, struct listener *l, ml_time wall)
{
	struct mbus_found found;
	for (;;) {
		const enum mbus_scan kind = mbus_link_scan(l->in, l->length, false, false, &found);
		if (kind < MBUS_SCAN_ACK) {
			if (kind != MBUS_SCAN_PARTIAL)
				l->length = 0;
			return;
		}
		struct mbus_frame frame;
		if (mbus_frame_check(l->in + found.begin, found.length, &frame, NULL) ==
			MBUS_CHECK_OK)
			ask_meters(line, l->baud, &frame, wall);
		const size_t used = found.begin + found.length;
		l->length -= used;
		memmove(l->in, l->in + used, l->length);
	}
}

/* Meters that were told another rate, and those that went back to their old one. */
static void settle_rates(struct sim_line *line, ml_time wall)
{
	for (unsigned i = 0; i < line->options.meters; i++) {
		struct sim_meter *meter = &line->meters[i];
		if (sim_meter_settle(meter, wall))
			(void)listener_of(line, meter->baud);
	}
}

/* ---- From the meters to the master ---- */

static size_t chunk(const struct sim_line *line)
{
	const size_t bytes =
		(size_t)line->master.baud * CHUNK_MS / (sim_byte_bits(line->master) * (size_t)1000);
	return bytes > 0 ? bytes : 1;
}

/* When there is something to hear, or to do for the meters. */
static ml_time when_heard(const struct sim_line *line)
{
	if (line->heard)
		return line->in_end;
	if (line->sound_count == 0)
		return ML_NEVER;
	if (line->options.fast)
		return line->in_end;
	/* The last of what the adapter will hand on together. */
	const ml_time soon =
		sim_ear_when_more(&line->ear, line->sounds, line->sound_count, chunk(line) - 1);
	if (soon != ML_NEVER)
		return soon;
	const ml_time pause =
		sim_bits(line->master, 2 * sim_byte_bits(line->master) + line->options.gap);
	struct sim_ear ear = line->ear;
	ml_time last = sim_ear_when(&ear, line->sounds, line->sound_count);
	if (last == ML_NEVER)
		return line->in_end; /* all was heard: only to be forgotten */
	for (size_t more = chunk(line) - 1; more > 0; more--) {
		ear.at = last - sim_bits(line->master, 1) / 2;
		const ml_time next = sim_ear_when(&ear, line->sounds, line->sound_count);
		if (next == ML_NEVER || next > last + pause)
			break;
		last = next;
	}
	return last;
}

ml_time sim_line_when(const struct sim_line *line)
{
	const ml_time when = when_heard(line);
	return line->act_at < when ? line->act_at : when;
}

static void forget_what_is_over(struct sim_line *line)
{
	const bool silent = sim_ear_when(&line->ear, line->sounds, line->sound_count) == ML_NEVER;
	for (size_t i = line->sound_count; i-- > 0;) {
		const struct voice *voice = voice_of(line, i);
		if (!silent && sim_sound_end(&voice->sound) > line->ear.at)
			continue;
		if (voice->meter != NOBODY && !voice->spoilt && line->watch.came)
			line->watch.came(
				line->watch.user, voice->meter, voice->bytes, voice->sound.length);
		forget(line, i);
	}
}

static void spoil(struct sim_line *line)
{
	for (size_t i = 0; i < line->sound_count; i++) {
		if (line->sounds[i]->begin <= line->ear.at)
			voice_of(line, i)->spoilt = true;
	}
}

static size_t take(struct sim_line *line, ml_time now, ml_time wall, bool mixed, bool *damaged)
{
	size_t count = 0;
	line->now = now;
	if (now >= line->act_at) {
		line->act_at = ML_NEVER;
		line->hand.acts(line->hand.user, now, wall);
	}
	if (line->heard && now >= line->in_end) {
		line->heard = false;
		settle_rates(line, wall);
		for (struct listener *l = line->listeners; l; l = l->next)
			listen(line, l, wall);
		settle_rates(line, wall);
	}
	const ml_time until = line->options.fast ? ML_NEVER : now;
	if (!line->cut && !line->shorted)
		count = sim_ear_copy(&line->ear, line->sounds, line->sound_count, until, line->out,
			sizeof line->out);
	while (count < sizeof line->out) {
		struct sim_ear ear = line->ear;
		struct sim_heard heard;
		if (!sim_ear_hear(&ear, line->sounds, line->sound_count, until, &heard))
			break;
		const bool bad = heard.marks != 0;
		if (!mixed && count > 0 && bad != *damaged)
			break;
		*damaged = bad;
		line->ear = ear;
		if (bad || line->cut || line->shorted)
			spoil(line);
		if (!line->cut && !line->shorted)
			line->out[count++] = heard.byte;
	}
	forget_what_is_over(line);
	return count;
}

size_t sim_line_take_run(
	struct sim_line *line, ml_time now, ml_time wall, const uint8_t **bytes, bool *damaged)
{
	*bytes = line->out;
	*damaged = false;
	return take(line, now, wall, false, damaged);
}

size_t sim_line_take(struct sim_line *line, ml_time now, ml_time wall, const uint8_t **bytes)
{
	bool damaged = false;
	*bytes = line->out;
	return take(line, now, wall, true, &damaged);
}

void sim_line_discard(struct sim_line *line)
{
	for (struct listener *l = line->listeners; l; l = l->next)
		l->length = 0;
	line->heard = false;
	while (line->sound_count > 0)
		forget(line, 0);
}
