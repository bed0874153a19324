/* The master of a wired bus as a state machine.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "mbus/master.h"

#include <assert.h>
#include <string.h>

enum {
	BITS = 11, /* of a byte on the line: start, eight, parity, stop */
	SLAVE_BITS = 330,
	GAP_BITS = 33,
	BAUD_MIN = 300,

	ACK = 0xE5,
	FROM_MASTER = 0x40, /* in the control field */
};

#define SLAVE_TIME (50 * ML_MSEC)
#define GAP_TIME (20 * ML_MSEC)

static ml_time bit_times(unsigned baud, unsigned bits)
{
	return (ml_time)bits * ML_SEC / (baud ? baud : BAUD_MIN);
}

ml_time mbus_line_time(unsigned baud, size_t length)
{
	return bit_times(baud, (unsigned)length * BITS);
}

void mbus_timing_derive(struct mbus_timing *t, unsigned baud)
{
	const ml_time slave = bit_times(baud, SLAVE_BITS) + SLAVE_TIME + t->latency;
	if (t->response == 0)
		t->response = slave + bit_times(baud, BITS);
	if (t->multi_response == 0)
		t->multi_response = t->response;
	if (t->initialization == 0)
		t->initialization = bit_times(baud, BITS);
	if (t->request == 0)
		t->request = bit_times(baud, BITS);
	if (t->collision == 0)
		t->collision = slave;
	if (t->gap == 0)
		t->gap = bit_times(baud, GAP_BITS) + GAP_TIME + t->latency;
}

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

ml_time mbus_master_when(const struct mbus_master *m)
{
	return m->when;
}

struct mbus_peer mbus_master_peer(const struct mbus_master *m)
{
	return m->request.peer;
}

/* ---- From one phase to the next ---- */

/* Sends the frame of `phase` once the line has rested. */
static void go(struct mbus_master *m, enum mbus_master_phase phase, ml_time rest, ml_time now)
{
	m->phase = phase;
	m->rest_until = later_of(m->rest_until, now + rest);
	m->quiet_by = m->rest_until + m->request.timing.collision +
		      mbus_line_time(m->request.baud, MBUS_FRAME_MAX);
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
	m->resend = m->last_try = m->over = m->limited = false;
	m->result = m->cancelled = METER_FRAME_OK;
	m->answer_length = m->before_length = 0;
	const enum mbus_master_phase first = request->secondary    ? MBUS_SELECT
					     : request->peer.known ? MBUS_REQUEST
								   : MBUS_RESET;
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
		/* Some old meters do not know SND_NKE; they may still answer a request. */
		m->attempt = 0;
		m->last_try = true;
		m->resend = false;
		m->request.peer = (struct mbus_peer){.known = true, .fcb = true};
		go(m, MBUS_REQUEST, rest, now);
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

/* The meter acknowledged SND_NKE or a selection. */
static void acknowledged(struct mbus_master *m, ml_time now)
{
	const struct mbus_timing *t = &m->request.timing;
	m->resend = false;
	if (m->phase == MBUS_DESELECT) {
		go(m, MBUS_SELECT, t->initialization, now);
		return;
	}
	/* Both clear the meter's memory of the frame count bit: the first request carries 1. */
	m->request.peer = (struct mbus_peer){.known = true, .fcb = true};
	if (m->phase == MBUS_RESET)
		m->attempt = 0;
	m->resend = m->attempt > 0;
	go(m, MBUS_REQUEST, m->phase == MBUS_RESET ? t->initialization : t->request, now);
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

/* Nothing more will come for this attempt. */
static void conclude(struct mbus_master *m, enum mbus_scan left, ml_time now)
{
	const bool disturbed = m->in_length > 0;
	enum meter_frame_result result = METER_FRAME_TIMEOUT;
	if (m->phase != MBUS_REQUEST)
		result = disturbed ? METER_FRAME_COLLISION : METER_FRAME_TIMEOUT;
	else if (left == MBUS_SCAN_DAMAGED)
		result = METER_FRAME_CHECKSUM;
	else if (m->in_length == 1 && m->in[0] == ACK)
		result = METER_FRAME_REFUSED;
	else if (disturbed)
		result = METER_FRAME_MALFORMED;
	else if (m->repeated)
		result = METER_FRAME_REPEATED;
	if (result == METER_FRAME_CHECKSUM)
		m->tally.damaged++;
	else if (result != METER_FRAME_REFUSED)
		m->tally.noise += m->in_length;
	/* What a selection heard is no telegram. */
	note(m, result, m->in, m->phase == MBUS_REQUEST ? m->in_length : 0);
	m->in_length = 0;
	try_again(m, disturbed, now);
}

/* Takes the frames out of what has come. `complete`: the line has been silent since. */
static void examine(struct mbus_master *m, bool complete, ml_time now)
{
	enum mbus_scan kind = MBUS_SCAN_NONE;
	while (m->state == MBUS_WAITING) {
		struct mbus_found found;
		kind = mbus_link_scan(
			m->in, m->in_length, complete, m->phase != MBUS_REQUEST, &found);
		if (kind < MBUS_SCAN_ACK)
			break;
		uint8_t frame[MBUS_FRAME_MAX];
		memcpy(frame, m->in + found.begin, found.length);
		m->tally.noise += found.begin;
		const size_t used = found.begin + found.length;
		m->in_length -= used;
		memmove(m->in, m->in + used, m->in_length);
		heard(m, kind, frame, found.length, now);
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

void mbus_master_received(struct mbus_master *m, const uint8_t *bytes, size_t length, ml_time now)
{
	m->tally.bytes_in += length;
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
	examine(m, false, now);
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
		if (now >= m->give_up)
			m->deadline = now;
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
	m->give_up = m->deadline + wait + mbus_line_time(r->baud, MBUS_MASTER_BUFFER);
	m->when = m->deadline;
	m->in_length = 0;
	m->repeated = false;
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
