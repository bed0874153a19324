/* One probe of a search on the line.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "mbus/search_probe.h"

#include <string.h>

#include "mbus/link.h"

enum {
	ACK = 0xE5,
	ECHO_LENGTH = 5, /* so much of a frame that comes back shows that it is an echo */
	ANSWER_MAX = 3 * MBUS_FRAME_MAX, /* the longest answer, with rests between its bytes */
	SENSE_KNOWN = 3,                 /* times that agree */
};

enum { PHASE_CONTACT, PHASE_CHECK, PHASE_REQUEST };
enum { STATE_RESTING, STATE_WAITING, STATE_OVER };

static ml_time later_of(ml_time a, ml_time b)
{
	return a > b ? a : b;
}

static ml_time sooner_of(ml_time a, ml_time b)
{
	return a < b ? a : b;
}

/* Sends the frame of `phase` once the line has rested. */
static void go(struct mbus_probe *p, unsigned phase, ml_time rest, ml_time now)
{
	p->phase = (uint8_t)phase;
	p->state = STATE_RESTING;
	p->rest_until = later_of(p->rest_until, now + rest);
	p->quiet_by =
		p->rest_until + p->timing.collision + mbus_line_time(p->what.baud, MBUS_FRAME_MAX);
	p->when = p->rest_until;
}

void mbus_probe_begin(struct mbus_probe *p, const struct mbus_search_probe *what,
	const struct mbus_timing *timing, ml_time now)
{
	p->what = *what;
	p->timing = *timing;
	p->requests = 0;
	p->contacted = p->disturbed = p->over = false;
	p->answer = (struct mbus_search_answer){.outcome = MBUS_SEARCH_SILENT};
	go(p, PHASE_CONTACT, timing->request, now);
}

ml_time mbus_probe_when(const struct mbus_probe *p)
{
	return p->when;
}

static void end(struct mbus_probe *p, enum mbus_search_outcome outcome, ml_time rest, ml_time now)
{
	p->answer.outcome = outcome;
	p->state = STATE_OVER;
	p->over = true;
	p->when = ML_NEVER;
	p->rest_until = now + rest;
}

static void note(uint8_t *count)
{
	if (*count < SENSE_KNOWN)
		(*count)++;
}

/* Whether it is known that this has always meant several so far. */
static bool means_several(const struct mbus_probe *p, const struct mbus_probe_sense *sense)
{
	return !p->what.careful && sense->one == 0 && sense->several >= SENSE_KNOWN;
}

/* ---- What was heard ---- */

/* Bytes at the beginning that are the own frame. */
static size_t echo(const struct mbus_probe *p)
{
	const size_t enough = p->in_length < ECHO_LENGTH ? p->in_length : ECHO_LENGTH;
	for (size_t i = 0; i < enough; i++) {
		if (p->broken[i] || p->in[i] != p->out[i])
			return 0;
	}
	return p->in_length < p->out_length ? p->in_length : p->out_length;
}

/* After a selection: how many acknowledged, as far as can be heard. */
struct acknowledged {
	size_t acks;   /* clean ones */
	size_t others; /* bytes */
};

static struct acknowledged count_acks(const struct mbus_probe *p)
{
	struct acknowledged count = {0};
	for (size_t i = echo(p); i < p->in_length; i++) {
		if (p->in[i] == ACK && !p->broken[i])
			count.acks++;
		else
			count.others++;
	}
	return count;
}

/* The telegrams in what came; `others`: bytes that belong to none. */
struct telegrams {
	size_t good, others;
	size_t begin, length; /* of the first */
};

/* Looks at bytes of which none has an error. */
static void scan_run(const struct mbus_probe *p, size_t begin, size_t end, struct telegrams *found)
{
	while (begin < end) {
		struct mbus_found here;
		const enum mbus_scan kind =
			mbus_link_scan(p->in + begin, end - begin, true, false, &here);
		if (kind != MBUS_SCAN_LONG) {
			found->others += end - begin;
			return;
		}
		if (found->good == 0) {
			found->begin = begin + here.begin;
			found->length = here.length;
		}
		found->good++;
		found->others += here.begin;
		begin += here.begin + here.length;
	}
}

static struct telegrams find_telegrams(const struct mbus_probe *p)
{
	struct telegrams found = {0};
	size_t begin = echo(p);
	for (size_t i = begin; i < p->in_length; i++) {
		if (!p->broken[i])
			continue;
		scan_run(p, begin, i, &found);
		found.others++;
		begin = i + 1;
	}
	scan_run(p, begin, p->in_length, &found);
	return found;
}

/* ---- What follows ---- */

static void judge_contact(struct mbus_probe *p, ml_time now)
{
	const struct mbus_timing *t = &p->timing;
	const struct acknowledged heard = count_acks(p);
	const size_t all = heard.acks + heard.others;
	const ml_time idle =
		p->what.secondary ? t->request : later_of(t->initialization, t->request);
	p->answer.heard = (uint8_t)(all < UINT8_MAX ? all : UINT8_MAX);
	if (all == 0) {
		end(p, MBUS_SEARCH_SILENT, t->request, now);
	} else if (heard.acks == 1 && (heard.others == 0 || !means_several(p, &p->beside))) {
		p->disturbed = heard.others > 0;
		go(p, PHASE_REQUEST, idle, now);
	} else if (heard.acks > 0) {
		end(p, MBUS_SEARCH_SEVERAL, t->request, now);
	} else {
		go(p, PHASE_CHECK, t->collision, now);
	}
}

/* Who is still there? */
static void judge_check(struct mbus_probe *p, ml_time now)
{
	const struct mbus_timing *t = &p->timing;
	const struct acknowledged heard = count_acks(p);
	if (heard.acks + heard.others == 0) {
		end(p, MBUS_SEARCH_NOISE, t->request, now);
	} else if (heard.acks == 1 && heard.others == 0 && !p->contacted) {
		/* One alone, whose first acknowledgement was damaged. */
		p->contacted = true;
		p->answer.repeats++;
		go(p, PHASE_CONTACT, later_of(t->initialization, t->request), now);
	} else {
		end(p, MBUS_SEARCH_SEVERAL, t->collision, now);
	}
}

static void one(struct mbus_probe *p, const struct telegrams *found, ml_time now)
{
	uint8_t identity[8];
	const uint8_t *frame = p->in + found->begin;
	if (p->disturbed)
		note(&p->beside.one);
	else if (p->requests > 1)
		note(&p->after.one);
	if (!mbus_link_identity(frame, found->length, identity, &p->answer.whole)) {
		end(p, MBUS_SEARCH_MUTE, p->timing.request, now);
		return;
	}
	meter_identity_read(identity, &p->answer.identity);
	p->answer.primary = frame[5];
	p->answer.disturbed = p->disturbed || found->others > 0;
	end(p, MBUS_SEARCH_ONE, found->others > 0 ? p->timing.collision : p->timing.request, now);
}

/* Several telegrams at once may leave no bit of rest between them, so that nothing is heard while
 * they go on; and who speaks does not listen. So the longest of them is waited for. */
static ml_time until_all_are_silent(const struct mbus_probe *p, ml_time now)
{
	const ml_time end = p->deadline + mbus_line_time(p->what.baud, MBUS_FRAME_MAX);
	return later_of(p->timing.collision, end - now);
}

static void judge_request(struct mbus_probe *p, ml_time now)
{
	const struct mbus_timing *t = &p->timing;
	const struct telegrams found = find_telegrams(p);
	const size_t skipped = echo(p);
	if (found.good == 1) {
		one(p, &found, now);
	} else if (found.good == 0 && found.others == 0) {
		if (p->requests <= t->readout_retries)
			go(p, PHASE_REQUEST, t->request, now);
		else
			end(p, MBUS_SEARCH_MUTE, t->request, now);
	} else if (found.good == 0 && found.others == 1 && p->in[skipped] == ACK &&
		   !p->broken[skipped]) {
		end(p, MBUS_SEARCH_MUTE, t->request, now);
	} else if (found.good == 0 && !p->disturbed && p->requests == 1 &&
		   !means_several(p, &p->after)) {
		/* They sounded like one: was it noise, or are they several? */
		go(p, PHASE_REQUEST, until_all_are_silent(p, now), now);
	} else {
		if (p->disturbed)
			note(&p->beside.several);
		else if (p->requests > 1)
			note(&p->after.several);
		end(p, MBUS_SEARCH_SEVERAL, until_all_are_silent(p, now), now);
	}
}

static void judge(struct mbus_probe *p, ml_time now)
{
	if (p->phase == PHASE_CONTACT)
		judge_contact(p, now);
	else if (p->phase == PHASE_CHECK)
		judge_check(p, now);
	else
		judge_request(p, now);
}

/* ---- The line ---- */

void mbus_probe_received(
	struct mbus_probe *p, const uint8_t *bytes, size_t length, bool damaged, ml_time now)
{
	const ml_time silence = now + p->timing.gap;
	if (p->state != STATE_WAITING) {
		/* Somebody speaks out of turn: let it pass, but not forever. */
		p->rest_until = later_of(p->rest_until, silence);
		if (p->state == STATE_RESTING)
			p->when = p->rest_until = sooner_of(p->rest_until, p->quiet_by);
		return;
	}
	const size_t room = sizeof p->in - p->in_length;
	const size_t fits = length < room ? length : room;
	memcpy(p->in + p->in_length, bytes, fits);
	for (size_t i = 0; i < fits; i++)
		p->broken[p->in_length + i] = damaged;
	p->in_length += fits;
	p->when = sooner_of(later_of(p->deadline, silence), p->give_up);
}

static void send(struct mbus_probe *p, ml_time now)
{
	const bool secondary = p->what.secondary;
	const uint8_t address = secondary ? MBUS_ADDRESS_SELECTED : p->what.primary;
	if (p->phase == PHASE_CONTACT && secondary)
		p->out_length = mbus_build_select(p->out, p->what.address, NULL);
	else if (p->phase == PHASE_REQUEST)
		p->out_length = mbus_build_req_ud2(p->out, address, true);
	else
		p->out_length = mbus_build_snd_nke(p->out, address);
	if (p->phase == PHASE_REQUEST)
		p->requests++;
	p->in_length = 0;
	p->deadline = now + mbus_line_time(p->what.baud, p->out_length) + p->timing.response;
	p->give_up = p->deadline + p->timing.response + mbus_line_time(p->what.baud, ANSWER_MAX);
	p->when = p->deadline;
	p->state = STATE_WAITING;
}

enum mbus_probe_step mbus_probe_next(
	struct mbus_probe *p, ml_time now, const uint8_t **bytes, size_t *length)
{
	if (p->state == STATE_WAITING && now >= p->when)
		judge(p, now);
	if (p->state == STATE_RESTING && now >= p->when) {
		send(p, now);
		*bytes = p->out;
		*length = p->out_length;
		return MBUS_PROBE_SEND;
	}
	if (!p->over)
		return MBUS_PROBE_WAIT;
	p->over = false;
	return MBUS_PROBE_OVER;
}
