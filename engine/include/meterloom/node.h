/* Node classes: what a node author writes, and what a node may ask of the engine.
 * SPDX-License-Identifier: Apache-2.0
 *
 * One file holds one node: its parameters, its ports, its functions and, at the end, the class. The
 * engine allocates the instance (`size` bytes, zeroed), fills in the parameters, and calls:
 *
 *   check    any thread       pure; while a graph is checked; sees only the parameters
 *   prepare  control thread   may fail; opens nothing that another instance may hold
 *   start    the node's lane  cannot fail: what the world refuses is a state (ml_node_state)
 *   process  the node's lane  messages of one input port, with room for what they may put out
 *   round    the node's lane  a round's begin or end came on all inputs concerned
 *   room     the node's lane  an output that had no room has some again
 *   acked    the node's lane  an ack that this node attached is told; never after `stop`
 *   stop     the node's lane  lets go of messages, handles, timers and resources
 *   destroy  control thread   frees what prepare made; also after a prepare that failed
 *
 * A node lives on one lane and its functions never run at the same time: they need no locks. None
 * may block, unless the class asks for a lane of its own. An instance may be stopped at any moment
 * between two of its functions.
 */
#ifndef METERLOOM_NODE_H
#define METERLOOM_NODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <meterloom/clock.h>
#include <meterloom/error.h>
#include <meterloom/log.h>
#include <meterloom/message.h>
#include <meterloom/param.h>

struct uv_loop_s;
struct ml_engine;
struct ml_family;
struct ml_job;
struct ml_lane;
struct ml_node;

/* ---- Declarations ---- */

enum ml_port_direction { ML_INPUT, ML_OUTPUT };

struct ml_port {
	const char *name; /* "in", "out", "failed"; NULL ends the table */
	enum ml_port_direction direction;
	const struct ml_message_type *type;
	/* Outputs: the most messages it emits for one message of any input while in `process`. 0:
	 * it emits only outside `process` and asks ml_room() itself; so does every source and
	 * query, whatever stands here. */
	unsigned most;
	bool required; /* an input that must be wired for the node to make sense; else the check
			  says so */
	/* Beside the ordinary port of the same type, which comes before it in the table: an edge
	 * that leaves the port out never means this one. */
	bool by_name;
	const char *help;
};

/* What a person can ask of a node: "run now", "read now", "preview". Runs as a job on its lane. */
struct ml_action {
	const char *name; /* kebab-case; NULL ends the table */
	const char *title, *help;
	const struct ml_param *params; /* may be NULL */
	size_t params_size;
	/* Ends the job with ml_job_succeed() or ml_job_fail(), now or later (see command.h), at the
	 * latest in `stop`. */
	void (*run)(struct ml_node *node, void *self, struct ml_job *job, void *params);
};

/* A counter or gauge of its own, beside those that the engine keeps for each node. */
struct ml_metric {
	const char *name; /* snake_case; NULL ends the table */
	bool gauge;       /* else a counter that only grows */
	const char *help;
};

enum {
	/* Makes messages from the outside world or a database. It takes what triggers it at once,
	 * so that back-pressure from behind it ends there. */
	ML_NODE_SOURCE = 1 << 0,
	ML_NODE_ROUNDS = 1 << 1,       /* begins rounds; those that reach it end there */
	ML_NODE_HOLDS_ROUNDS = 1 << 2, /* passes rounds on itself (ml_round_forward), maybe later */
	ML_NODE_STORE = 1 << 3,        /* keeps what it gets: must not wait for a network peer */
	ML_NODE_NETWORK_SINK = 1 << 4, /* may wait long for a peer */
	ML_NODE_CANNOT_WAIT = 1 << 5,  /* a source that drops when there is no room (radio) */
	/* Gives what is kept, not what comes in: neither rounds nor back-pressure go through it. */
	ML_NODE_QUERY = 1 << 7,
	/* What it puts out is for one destination: two nodes of category "sink" behind it are an
	   error. */
	ML_NODE_ONE_SINK = 1 << 6,
};

/* Collects, while a graph is checked, what a node will want to itself. */
struct ml_check;

struct ml_node_class {
	const char *type;     /* "mbus-source": kebab-case, unique */
	unsigned version;     /* of its parameters, from 1 */
	const char *title;    /* "Wired M-Bus": English, short */
	const char *help;     /* English, some sentences */
	const char *category; /* "source", "process", "store", "report", "trigger", "sink" */
	const struct ml_param *params; /* may be NULL */
	const struct ml_port *ports;
	const struct ml_action *actions; /* may be NULL */
	const struct ml_metric *metrics; /* may be NULL */
	size_t size;                     /* of the instance */
	const char *lane; /* NULL: the shared lane "main"; else the lane this class asks for
			     ("database") */
	unsigned flags;
	/* err->pointer, where set, begins at the parameters: "/url"; so in prepare. */
	int (*check)(
		const void *self, struct ml_check *check, struct ml_error *err); /* may be NULL */
	int (*prepare)(struct ml_node *node, void *self, struct ml_error *err);  /* may be NULL */
	void (*start)(struct ml_node *node, void *self);                         /* may be NULL */
	void (*process)(struct ml_node *node, void *self, unsigned port,
		struct ml_message *const *messages,
		size_t count); /* may be NULL where there is no input */
	void (*round)(
		struct ml_node *node, void *self, const struct ml_round *round); /* may be NULL */
	void (*room)(struct ml_node *node, void *self);                          /* may be NULL */
	void (*acked)(struct ml_node *node, void *self, uint64_t cookie, bool delivered);
	void (*stop)(struct ml_node *node, void *self); /* may be NULL */
	void (*destroy)(void *self);                    /* may be NULL */
	/* Brings parameters of an older version to this one, in place. NULL: version 1 is the only
	 * one. */
	int (*migrate)(unsigned from, json_t *params, struct ml_error *err);
};

/* Within `check`: this node will hold `name` ("tty:/dev/ttyUSB0", "listen:0.0.0.0:502", "bus:main")
 * alone; two nodes that claim one name are an error that names both, at `param` of each. The text
 * is copied. */
void ml_check_claim(struct ml_check *check, const char *param, const char *name);

/* Within `check`: the families of the program, ended by NULL. */
const struct ml_family *const *ml_check_families(const struct ml_check *check);

/* ---- What a node may ask; all on its lane unless said otherwise ---- */

const char *ml_node_id(const struct ml_node *node);           /* any thread */
struct ml_engine *ml_node_engine(const struct ml_node *node); /* any thread */
struct ml_lane *ml_node_lane(const struct ml_node *node);     /* any thread */
struct uv_loop_s *ml_node_loop(const struct ml_node *node);   /* NULL in a simulated engine */
ml_time ml_node_now(const struct ml_node *node);              /* monotonic */
ml_time ml_node_wall(const struct ml_node *node);

/* Index of an output port by its place in the class's table (inputs and outputs are counted
 * together, in the order of the table): ports are named by this number everywhere. */

/* Emits on an output: the reference goes to the edges. A port without an edge lets go of it as
 * done. Where an edge of policy `wait` has no room, the message fails there (counted as a drop,
 * logged): a source asks ml_room() first. In `process`, room for `most` messages for each message
 * is certain. */
void ml_emit(struct ml_node *node, unsigned port, struct ml_message *message);

/* The same for several, in their order: cheaper than one by one. */
void ml_emit_all(
	struct ml_node *node, unsigned port, struct ml_message *const *messages, size_t count);

/* How many messages can be emitted now without a loss; SIZE_MAX where nothing is wired or all edges
 * drop by policy. After 0, `room` is called once there is some again on that port. */
size_t ml_room(struct ml_node *node, unsigned port);

bool ml_port_wired(const struct ml_node *node, unsigned port);

/* Asynchronous nodes: at most this many messages are handed to `process` until more is allowed;
 * begins unlimited. A node that holds one message at a time sets 1 at start, and 1 again when it is
 * done. */
void ml_node_demand(struct ml_node *node, unsigned port, size_t messages);

/* Begins and ends a round on all outputs. id and phase are filled in. A source has one round at a
 * time: to begin another ends it, and so does `stop`. */
void ml_round_begin(struct ml_node *node, struct ml_round *round);
void ml_round_end(struct ml_node *node, struct ml_round *round);
/* With ML_NODE_HOLDS_ROUNDS: passes on what `round` was told, each begin and each end; in `stop`
 * what it still holds. */
void ml_round_forward(struct ml_node *node, const struct ml_round *round);

/* Timers: embedded in the instance, on monotonic time. The engine stops them all after `stop`. */
struct ml_timer {
	void (*fire)(struct ml_timer *timer); /* on the lane */
	void *user;
	/* private */
	struct ml_lane *lane;
	ml_time due;
	uint64_t order;
	struct ml_timer *child, *next, **link; /* link NULL: not running */
};

void ml_timer_init(struct ml_timer *timer, struct ml_lane *lane,
	void (*fire)(struct ml_timer *timer), void *user);
void ml_timer_start(struct ml_timer *timer, ml_time due); /* again: moves it */
void ml_timer_stop(struct ml_timer *timer);               /* also when not running */
static inline bool ml_timer_running(const struct ml_timer *timer)
{
	return timer->link != NULL;
}

/* State as people see it; kept until changed. Text NULL: none. Not a log line by itself: a change
 * to or from ML_STATE_FAULT is logged. */
enum ml_state {
	ML_STATE_STOPPED,
	ML_STATE_RUNNING,
	ML_STATE_WAITING, /* for the world: an adapter, a peer; goes on by itself */
	ML_STATE_FAULT,   /* needs a person */
};
void ml_node_state(struct ml_node *node, enum ml_state state, const char *format, ...)
	ML_PRINTF(3, 4);

void ml_node_log(struct ml_node *node, enum ml_log_level level, const char *format, ...)
	ML_PRINTF(3, 4);

/* Adds to a counter, or sets a gauge, of the class's `metrics`, by its place in the table. */
void ml_node_count(struct ml_node *node, unsigned metric, int64_t add);
void ml_node_gauge(struct ml_node *node, unsigned metric, int64_t value);

/* Resources: things only one may hold. `start` claims; -EBUSY: another instance still holds it (one
 * that drains): try again with a timer. All are let go of after `stop`. A value left by the old
 * instance of the same node (an open descriptor, say) is handed to the new one; one left by another
 * node is disposed of before the claim succeeds. */
int ml_resource_claim(struct ml_node *node, const char *name);
/* In `stop`: leaves a value for the next instance; `dispose` is called if none comes for it. */
void ml_resource_leave(
	struct ml_node *node, const char *name, void *value, void (*dispose)(void *value));
/* After a claim: the value left, or NULL. The caller owns it from then on. */
void *ml_resource_take(struct ml_node *node, const char *name);

/* Runs fn(user) on a lane, in the order of posting. Any thread. -ENOMEM; -ECANCELED: the lane ends.
 */
int ml_lane_post(struct ml_lane *lane, void (*fn)(void *user), void *user);

#endif
