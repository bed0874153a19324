/* The master of a wired bus as a state machine.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "mbus/master.h"

#include <assert.h>
#include <string.h>

enum {
	ACK = 0xE5,
	FROM_MASTER = 0x40, /* in the control field */

	/* The longest answer, with rests between its bytes of twice their own time. */
	ANSWER_MAX = 3 * MBUS_FRAME_MAX,

	/* So much of a frame that comes back shows that it is an echo: no answer begins so. */
	ECHO_SHORT = 2,
	ECHO_LONG = 5,
};

static ml_time later_of(ml_time a, ml_time b)
{
	return a > b ? a : b;
}

static ml_time sooner_of(ml_time a, ml_time b)
{
	return a < b ? a : b;
}

void mbus_master_init(struct mbus_master *m)
{
	memset(m, 0, sizeof *m);
	m->when = ML_NEVER;
}

bool mbus_master_idle(const struct mbus_master *m)
{
	return m->state == MBUS_IDLE;
}

bool mbus_master_telling(const struct mbus_master *m)
{
	return m->state == MBUS_TELLING;
}

ml_time mbus_master_when(const struct mbus_master *m)
{
	return m->when;
}

struct mbus_peer mbus_master_peer(const struct mbus_master *m)
{
	return m->request.peer;
}

/* ---- From one phase to the next ---- */

/* Somebody speaks, and it is no good frame. */
static bool is_held(const struct mbus_master *m, ml_time now)
{
	return m->sound_last > m->good_last && now < m->sound_last + m->request.timing.gap;
}

/* Sends the frame of `phase` once the line has rested. */
static void go(struct mbus_master *m, enum mbus_master_phase phase, ml_time rest, ml_time now)
{
	m->phase = phase;
	m->rest_until = later_of(m->rest_until, now + rest);
	m->quiet_by = m->rest_until + m->request.timing.collision +
		      mbus_line_time(m->request.baud, MBUS_FRAME_MAX);
	if (m->fresh && is_held(m, now)) {
		m->rest_until = later_of(m->rest_until, m->sound_last + m->request.timing.gap);
		m->quiet_by = later_of(m->quiet_by, m->sound_since + m->request.patience);
	}
	m->state = MBUS_RESTING;
	m->when = m->rest_until;
}

static void fail(struct mbus_master *m)
{
	m->state = MBUS_TELLING;
	m->telling = MBUS_STEP_FAILED;
	m->over = true;
	m->when = ML_NEVER;
	m->request.peer.known = false;
}

void mbus_master_read(struct mbus_master *m, const struct mbus_request *request, ml_time now)
{
	assert(m->state == MBUS_IDLE);
	m->request = *request;
	m->attempt = m->selections = m->number = m->tries = 0;
	m->resend = m->last_try = m->over = m->limited = m->endless = false;
	m->fresh = true;
	m->commanded = !request->has_command;
	m->result = m->cancelled = METER_FRAME_OK;
	m->answer_length = m->before_length = 0;
	enum mbus_master_phase first = MBUS_RESET;
	if (request->secondary)
		first = MBUS_SELECT;
	else if (request->peer.known && !m->commanded)
		first = MBUS_COMMAND;
	else if (request->peer.known && request->telegrams > 0)
		first = MBUS_REQUEST;
	go(m, first, 0, now);
}

void mbus_master_cancel(struct mbus_master *m, enum meter_frame_result result)
{
	if (m->state == MBUS_IDLE || (m->state == MBUS_TELLING && m->over))
		return;
	if (m->state == MBUS_TELLING) {
		m->cancelled = result;
		return;
	}
	m->result = result;
	m->answer_length = 0;
	fail(m);
}

/* Keeps what an unsuccessful attempt had to show. A silence tells less than anything before it. */
static void note(
	struct mbus_master *m, enum meter_frame_result result, const uint8_t *bytes, size_t length)
{
	if (result == METER_FRAME_TIMEOUT && m->result != METER_FRAME_OK)
		return;
	m->result = result;
	m->answer_length = length < sizeof m->answer ? length : sizeof m->answer;
	if (m->answer_length > 0)
		memcpy(m->answer, bytes, m->answer_length);
}

static unsigned retries(const struct mbus_master *m)
{
	if (m->last_try)
		return 0;
	return m->number > 0 ? m->request.timing.multi_retries : m->request.timing.readout_retries;
}

/* The contact is made: goes on with the command, the first request, or the end. */
static void contacted(struct mbus_master *m, ml_time rest, ml_time now)
{
	m->attempt = 0;
	if (!m->commanded) {
		go(m, MBUS_COMMAND, rest, now);
	} else if (m->request.telegrams > 0) {
		go(m, MBUS_REQUEST, rest, now);
	} else {
		m->state = MBUS_TELLING;
		m->telling = MBUS_STEP_DONE;
		m->over = true;
		m->when = ML_NEVER;
		m->rest_until = now + rest;
	}
}

/* SND_NKE was not acknowledged. Some old meters do not know it; they may still answer. */
static void try_without_reset(struct mbus_master *m, ml_time rest, ml_time now)
{
	const bool silent = m->result == METER_FRAME_TIMEOUT;
	if (m->request.telegrams == 0 || (m->request.quick && silent)) {
		fail(m);
		return;
	}
	m->last_try = m->commanded = true;
	m->resend = false;
	m->request.peer = (struct mbus_peer){.known = true, .fcb = true};
	contacted(m, rest, now);
}

/* The command was not acknowledged. */
static void try_without_command(struct mbus_master *m, ml_time rest, ml_time now)
{
	if (!m->request.command_optional || m->request.telegrams == 0) {
		fail(m);
		return;
	}
	m->commanded = true;
	m->resend = false;
	contacted(m, rest, now);
}

/* Nothing good came: tries again, or ends the readout. */
static void try_again(struct mbus_master *m, bool disturbed, ml_time now)
{
	const struct mbus_timing *t = &m->request.timing;
	const ml_time rest = disturbed ? t->collision : t->request;
	m->resend = true;
	switch (m->phase) {
	case MBUS_DESELECT:
		go(m, MBUS_SELECT, rest, now);
		return;
	case MBUS_SELECT:
		if (m->selections++ >= t->selection_retries) {
			fail(m);
			return;
		}
		go(m, disturbed ? MBUS_DESELECT : MBUS_SELECT, rest, now);
		return;
	case MBUS_RESET:
		if (m->attempt++ < t->readout_retries) {
			go(m, MBUS_RESET, rest, now);
			return;
		}
		try_without_reset(m, rest, now);
		return;
	case MBUS_COMMAND:
		if (m->attempt++ < t->readout_retries)
			go(m, MBUS_COMMAND, rest, now);
		else
			try_without_command(m, rest, now);
		return;
	case MBUS_REQUEST:
		break;
	}
	if (m->attempt >= retries(m)) {
		fail(m);
		return;
	}
	m->attempt++;
	m->selections = 0;
	/* A meter that twice did not answer may have lost its selection. Between telegrams it may
	 * not be selected anew: that begins with the first again. */
	const bool select = m->request.secondary && m->number == 0 && m->attempt >= 2;
	go(m, select ? MBUS_SELECT : MBUS_REQUEST, rest, now);
}

/* The meter acknowledged SND_NKE, a selection or a command. */
static void acknowledged(struct mbus_master *m, ml_time now)
{
	const struct mbus_timing *t = &m->request.timing;
	const enum mbus_master_phase phase = m->phase;
	m->resend = false;
	if (phase == MBUS_DESELECT) {
		go(m, MBUS_SELECT, t->initialization, now);
		return;
	}
	if (phase == MBUS_COMMAND) {
		m->request.peer.fcb = !m->request.peer.fcb;
		m->commanded = true;
		contacted(m, t->request, now);
		return;
	}
	/* Both clear the meter's memory of the frame count bit: what comes first carries 1. */
	m->request.peer = (struct mbus_peer){.known = true, .fcb = true};
	if (phase == MBUS_SELECT && m->attempt > 0) {
		m->resend = true;
		go(m, MBUS_REQUEST, t->request, now);
		return;
	}
	contacted(m, phase == MBUS_RESET ? t->initialization : t->request, now);
}

static void take(struct mbus_master *m, const uint8_t *frame, size_t length, ml_time now)
{
	struct mbus_request *r = &m->request;
	const bool more = mbus_link_more_follows(frame, length);
	memcpy(m->answer, frame, length);
	m->answer_length = length;
	m->limited = more && m->number + 1 >= r->telegrams;
	m->over = !more || m->limited;
	/* A meter that was left in the middle, or has just told its last telegram, is to begin with
	 * its first one next time: that takes another SND_NKE. */
	r->peer.known = m->number == 0 && !more;
	r->peer.fcb = !r->peer.fcb;
	m->state = MBUS_TELLING;
	m->telling = MBUS_STEP_TELEGRAM;
	m->when = ML_NEVER;
	m->rest_until = now + r->timing.request;
}

/* ---- What was heard ---- */

static bool is_from_asked(struct mbus_master *m, const uint8_t *frame, size_t length)
{
	const struct mbus_request *r = &m->request;
	uint8_t identity[8];
	bool whole = false;
	if (!r->secondary)
		return r->primary == MBUS_ADDRESS_TEST || r->primary == MBUS_ADDRESS_SELECTED ||
		       frame[5] == r->primary;
	if (!mbus_link_identity(frame, length, identity, &whole))
		return true;
	return mbus_link_matches(identity, whole, r->address);
}

static bool is_repeated(const struct mbus_master *m, const uint8_t *frame, size_t length)
{
	return m->number > 0 && length == m->before_length && memcmp(frame, m->before, length) == 0;
}

/* A good frame was found. */
static void heard(struct mbus_master *m, enum mbus_scan kind, const uint8_t *frame, size_t length,
	ml_time now)
{
	m->good_last = now;
	if (kind == MBUS_SCAN_ACK) {
		acknowledged(m, now);
		return;
	}
	const uint8_t control = kind == MBUS_SCAN_LONG ? frame[4] : frame[1];
	if (control & FROM_MASTER) {
		m->tally.echoes++;
		return;
	}
	const bool answer = m->phase == MBUS_REQUEST && kind == MBUS_SCAN_LONG &&
			    (control & 0x0F) == MBUS_RSP_UD;
	if (answer && is_repeated(m, frame, length)) {
		m->repeated = true;
	} else if (answer && is_from_asked(m, frame, length)) {
		take(m, frame, length, now);
		return;
	} else if (answer) {
		note(m, METER_FRAME_WRONG_METER, frame, length);
	}
	/* An answer to something else held the line: the right one may still come. */
	m->tally.stale++;
	const struct mbus_timing *t = &m->request.timing;
	m->deadline = later_of(m->deadline, now + t->response);
}

/* Why an attempt failed, by what was heard. */
static enum meter_frame_result judge(const struct mbus_master *m, enum mbus_scan left)
{
	const bool disturbed = m->in_length > 0;
	if (m->phase != MBUS_REQUEST)
		return disturbed ? METER_FRAME_COLLISION : METER_FRAME_TIMEOUT;
	if (m->in_broken > 0)
		return METER_FRAME_COLLISION;
	if (left == MBUS_SCAN_DAMAGED)
		return METER_FRAME_CHECKSUM;
	if (m->in_length == 1 && m->in[0] == ACK)
		return METER_FRAME_REFUSED;
	if (disturbed)
		return METER_FRAME_MALFORMED;
	return m->repeated ? METER_FRAME_REPEATED : METER_FRAME_TIMEOUT;
}

/* Nothing more will come for this attempt. */
static void conclude(struct mbus_master *m, enum mbus_scan left, ml_time now)
{
	const bool disturbed = m->in_length > 0;
	const enum meter_frame_result result = judge(m, left);
	if (result == METER_FRAME_CHECKSUM)
		m->tally.damaged++;
	else if (result != METER_FRAME_REFUSED)
		m->tally.noise += m->in_length;
	/* What a selection heard is no telegram. */
	note(m, result, m->in, m->phase == MBUS_REQUEST ? m->in_length : 0);
	m->in_length = m->in_clean = 0;
	try_again(m, disturbed, now);
}

static void drop_in(struct mbus_master *m, size_t count)
{
	m->in_length -= count;
	m->in_clean = m->in_clean > count ? m->in_clean - count : 0;
	memmove(m->in, m->in + count, m->in_length);
}

/* Takes out what the master hears of itself, whole or damaged. */
static void skip_echo(struct mbus_master *m)
{
	const size_t enough = m->out_length > ECHO_LONG ? ECHO_LONG : ECHO_SHORT;
	if (!m->echo_known && m->in_length >= enough) {
		m->echo_known = true;
		if (m->in_clean == 0 && memcmp(m->in, m->out, enough) == 0) {
			m->echo_length = m->out_length;
			m->tally.echoes++;
		}
	}
	const size_t count = m->in_length < m->echo_length ? m->in_length : m->echo_length;
	if (count > 0) {
		m->echo_length -= count;
		drop_in(m, count);
	}
}

/* The next whole frame of what has come, copied to `frame`; what is left otherwise. */
static enum mbus_scan next_frame(
	struct mbus_master *m, bool complete, uint8_t frame[MBUS_FRAME_MAX], size_t *length)
{
	struct mbus_found found;
	const size_t clean = m->in_clean;
	const enum mbus_scan kind = mbus_link_scan(
		m->in + clean, m->in_length - clean, complete, m->phase != MBUS_REQUEST, &found);
	if (kind < MBUS_SCAN_ACK)
		return kind;
	*length = found.length;
	memcpy(frame, m->in + clean + found.begin, found.length);
	m->tally.noise += clean + found.begin;
	drop_in(m, clean + found.begin + found.length);
	return kind;
}

/* Takes the frames out of what has come. `complete`: the line has been silent since. */
static void examine(struct mbus_master *m, bool complete, ml_time now)
{
	enum mbus_scan kind = MBUS_SCAN_NONE;
	skip_echo(m);
	while (m->state == MBUS_WAITING) {
		uint8_t frame[MBUS_FRAME_MAX];
		size_t length = 0;
		kind = next_frame(m, complete, frame, &length);
		if (kind < MBUS_SCAN_ACK)
			break;
		heard(m, kind, frame, length, now);
	}
	if (m->state != MBUS_WAITING)
		return;
	if (complete && (kind == MBUS_SCAN_DAMAGED || now >= m->deadline)) {
		conclude(m, kind, now);
		return;
	}
	const ml_time silence = now + m->request.timing.gap;
	const bool whole = kind == MBUS_SCAN_DAMAGED || kind == MBUS_SCAN_PARTIAL;
	m->when = whole ? silence : m->in_length > 0 ? later_of(m->deadline, silence) : m->deadline;
	m->when = sooner_of(m->when, m->give_up);
}

/* Bytes came, `broken` of them with an error. */
static void take_in(
	struct mbus_master *m, const uint8_t *bytes, size_t length, size_t broken, ml_time now)
{
	if (!is_held(m, now))
		m->sound_since = now;
	m->sound_last = now;
	m->tally.bytes_in += length;
	m->tally.broken += broken;
	if (m->state != MBUS_WAITING) {
		/* Somebody speaks out of turn: let it pass, but not forever. */
		m->tally.noise += length;
		const ml_time quiet = now + m->request.timing.gap;
		m->rest_until = later_of(m->rest_until, quiet);
		if (m->state == MBUS_RESTING)
			m->when = m->rest_until = sooner_of(m->rest_until, m->quiet_by);
		return;
	}
	const size_t room = sizeof m->in - m->in_length;
	const size_t fits = length < room ? length : room;
	memcpy(m->in + m->in_length, bytes, fits);
	m->in_length += fits;
	m->tally.noise += length - fits;
	if (broken > 0)
		m->in_clean = m->in_length;
	m->in_broken += broken;
	examine(m, false, now);
}

void mbus_master_received(struct mbus_master *m, const uint8_t *bytes, size_t length, ml_time now)
{
	take_in(m, bytes, length, 0, now);
}

void mbus_master_damaged(struct mbus_master *m, const uint8_t *bytes, size_t length, ml_time now)
{
	take_in(m, bytes, length, length, now);
}

void mbus_master_sent(struct mbus_master *m, ml_time now)
{
	if (m->state != MBUS_WAITING)
		return;
	const ml_time wait =
		m->number > 0 ? m->request.timing.multi_response : m->request.timing.response;
	if (now + wait <= m->deadline)
		return;
	m->give_up += now + wait - m->deadline;
	m->deadline = now + wait;
	m->when = later_of(m->when, m->deadline);
}

void mbus_master_due(struct mbus_master *m, ml_time now)
{
	if (now < m->when)
		return;
	if (m->state == MBUS_RESTING) {
		m->state = MBUS_SENDING;
		m->when = ML_NEVER;
	} else if (m->state == MBUS_WAITING) {
		if (now >= m->give_up) {
			m->deadline = now;
			m->endless = m->endless || (!m->held && is_held(m, now));
		}
		examine(m, true, now);
	}
}

/* ---- What is to be done ---- */

static void build(struct mbus_master *m)
{
	const struct mbus_request *r = &m->request;
	const uint8_t address = r->secondary ? MBUS_ADDRESS_SELECTED : r->primary;
	switch (m->phase) {
	case MBUS_RESET:
	case MBUS_DESELECT:
		m->out_length = mbus_build_snd_nke(m->out, address);
		break;
	case MBUS_SELECT:
		m->out_length = mbus_build_select(m->out, r->address, NULL);
		break;
	case MBUS_COMMAND:
		m->out_length = mbus_build_long(m->out,
			(uint8_t)(MBUS_SND_UD | (r->peer.fcb ? MBUS_FCB : 0)), address,
			r->command_ci, r->command, r->command_length);
		break;
	case MBUS_REQUEST:
		m->out_length = mbus_build_req_ud2(m->out, address, r->peer.fcb);
		break;
	}
}

static void send(struct mbus_master *m, ml_time now, struct mbus_step *step)
{
	const struct mbus_request *r = &m->request;
	build(m);
	const ml_time out = mbus_line_time(r->baud, m->out_length);
	const ml_time wait = m->number > 0 ? r->timing.multi_response : r->timing.response;
	m->deadline = now + out + wait;
	m->give_up = m->deadline + wait + mbus_line_time(r->baud, ANSWER_MAX);
	m->when = m->deadline;
	m->in_length = m->in_clean = m->in_broken = 0;
	m->echo_length = 0;
	m->echo_known = m->repeated = false;
	if (m->fresh)
		m->held = is_held(m, now);
	m->fresh = false;
	m->state = MBUS_WAITING;
	m->tries += m->phase != MBUS_DESELECT && (m->resend || m->tries == 0);
	m->tally.requests++;
	m->tally.retries += m->resend;
	m->tally.bytes_out += m->out_length;
	*step = (struct mbus_step){
		.kind = MBUS_STEP_SEND,
		.bytes = m->out,
		.length = m->out_length,
	};
}

static void tell(struct mbus_master *m, ml_time now, struct mbus_step *step)
{
	*step = (struct mbus_step){
		.kind = m->telling,
		.bytes = m->answer,
		.length = m->answer_length,
		.result = m->telling == MBUS_STEP_FAILED ? m->result : METER_FRAME_OK,
		.telegram = m->number,
		.tries = m->tries,
		.last = m->over,
		.limited = m->limited,
		.endless = m->telling == MBUS_STEP_FAILED && m->endless,
	};
	if (m->over) {
		m->state = MBUS_IDLE;
		return;
	}
	memcpy(m->before, m->answer, m->answer_length);
	m->before_length = m->answer_length;
	m->number++;
	m->attempt = m->tries = 0;
	m->resend = false;
	m->result = METER_FRAME_OK;
	if (m->cancelled != METER_FRAME_OK) {
		m->result = m->cancelled;
		m->answer_length = 0;
		fail(m);
		return;
	}
	go(m, MBUS_REQUEST, 0, now);
}

bool mbus_master_next(struct mbus_master *m, ml_time now, struct mbus_step *step)
{
	if (m->state == MBUS_RESTING)
		mbus_master_due(m, now);
	if (m->state == MBUS_SENDING)
		send(m, now, step);
	else if (m->state == MBUS_TELLING)
		tell(m, now, step);
	else
		return false;
	return true;
}
