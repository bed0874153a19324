/* A recording behind a port.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <stdlib.h>

#include <meterloom/engine.h>
#include <meterloom/node.h>

#include "sim/port.h"
#include "sim/replay.h"

struct player {
	struct ml_lane *lane;
	struct sim_replay *replay; /* not owned */
	struct sim_port *port;     /* whose closing frees this */
	struct ml_timer timer;
	bool begun;
};

static void plan(struct player *p)
{
	const ml_time when = sim_replay_when(p->replay);
	if (when == ML_NEVER)
		ml_timer_stop(&p->timer);
	else
		ml_timer_start(&p->timer, when);
}

static void fire(struct ml_timer *timer)
{
	struct player *p = timer->user;
	const ml_time now = ml_lane_now(p->lane);
	const uint8_t *bytes = NULL;
	bool damaged = false;
	size_t length;
	if (!p->begun) {
		p->begun = true;
		sim_replay_begin(p->replay, now);
	}
	while ((length = sim_replay_take(p->replay, now, &bytes, &damaged)) > 0)
		sim_port_send(p->port, bytes, length);
	plan(p);
}

static void on_received(void *user, const uint8_t *bytes, size_t length)
{
	struct player *p = user;
	sim_replay_received(p->replay, bytes, length, ml_lane_now(p->lane));
	plan(p);
}

static void on_rate(void *user, struct sim_rate rate)
{
	struct player *p = user;
	sim_replay_set_baud(p->replay, rate.baud);
}

static void on_closed(void *user)
{
	struct player *p = user;
	ml_timer_stop(&p->timer);
	free(p);
}

static struct player *new_player(struct ml_lane *lane, struct sim_replay *replay,
	struct sim_behind *behind, struct ml_error *err)
{
	struct player *p = calloc(1, sizeof *p);
	if (!p) {
		ml_error_set(err, -ENOMEM, "out of memory");
		return NULL;
	}
	p->lane = lane;
	p->replay = replay;
	ml_timer_init(&p->timer, lane, fire, p);
	*behind = (struct sim_behind){
		.user = p,
		.received = on_received,
		.rate = on_rate,
		.closed = on_closed,
		.baud = sim_replay_baud(replay),
	};
	return p;
}

static void start(struct player *p, struct sim_port *port)
{
	p->port = port;
	ml_timer_start(&p->timer, ml_lane_now(p->lane));
}

int sim_port_replay_pty(struct ml_lane *lane, struct sim_replay *replay, const char *link,
	struct sim_port **ret_port, struct ml_error *err)
{
	struct sim_behind behind;
	struct player *p = new_player(lane, replay, &behind, err);
	*ret_port = NULL;
	if (!p)
		return -ENOMEM;
	const int result = sim_port_open_pty(lane, &behind, link, ret_port, err);
	if (result == 0)
		start(p, *ret_port);
	return result;
}

int sim_port_replay_tcp(struct ml_lane *lane, struct sim_replay *replay, const char *address,
	uint16_t number, struct sim_port **ret_port, struct ml_error *err)
{
	struct sim_behind behind;
	struct player *p = new_player(lane, replay, &behind, err);
	*ret_port = NULL;
	if (!p)
		return -ENOMEM;
	const int result = sim_port_open_tcp(lane, &behind, address, number, ret_port, err);
	if (result == 0)
		start(p, *ret_port);
	return result;
}
