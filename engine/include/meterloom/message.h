/* Messages: what moves along the edges.
 * SPDX-License-Identifier: Apache-2.0
 *
 * A message is immutable once emitted and is counted by reference. Emitting hands the caller's
 * reference on: a hop costs no counting. A node that gets a message owns one reference and gives it
 * away in exactly one of these ways: ml_emit(), ml_release() (done with it), ml_fail() (could not
 * do what it was for), or by keeping it for later.
 *
 * A message's memory comes from the pool of the lane that made it, in size classes that are kept
 * and used again: after warming up no message is allocated from the system.
 *
 * Ack: a source may attach one to a message that it made (ml_ack_attach). What is derived from a
 * message (ml_message_new with a parent) shares its ack. When the last message that shares it has
 * been let go of, the source is told once, on its own lane: delivered, or failed if any branch
 * failed it.
 *
 * Thread: all functions that take a node are called on that node's lane.
 */
#ifndef METERLOOM_MESSAGE_H
#define METERLOOM_MESSAGE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <meterloom/clock.h>
#include <meterloom/error.h>
#include <meterloom/json.h>

struct lua_State;
struct ml_ack;
struct ml_node;
struct ml_pool;
struct ml_message;

/* A kind of message, declared by a family as a constant; ports name it, and an edge joins only
 * ports of the same one. */
struct ml_message_type {
	const char *name; /* "reading"; one word, unique in the engine */
	const char *help; /* one sentence, English */
	/* Frees what the payload refers to outside itself; NULL where it refers to nothing. Any
	 * lane. */
	void (*destroy)(void *payload);
	/* Writes the message as one JSON object, for taps. Any lane. Never NULL. */
	void (*to_json)(const struct ml_message *message, struct ml_json_writer *w);
	/* Pushes the message for a Lua filter; NULL: filters do not take this type. */
	void (*to_lua)(struct lua_State *L, struct ml_node *node, struct ml_message *message);
};

struct ml_message {
	const struct ml_message_type *type;
	struct ml_pool *pool;    /* private */
	struct ml_ack *ack;      /* private */
	struct ml_message *next; /* a list of its only holder's (ml_message_own) */
	ml_time time;        /* wall time of what it tells: of a telegram, when it was received */
	uint64_t trace;      /* below 2^53; what is derived from a telegram keeps its trace */
	atomic_uint refs;    /* private */
	uint32_t size;       /* bytes of payload */
	uint32_t size_class; /* private */
	_Alignas(16) unsigned char payload[];
};

enum { ML_MESSAGE_MAX = 64 * 1024 }; /* bytes of payload */

/* Makes a message with one reference and `size` bytes of payload that are not initialized.
 * With a parent: same time, trace and ack. Without: time is now, the trace is new, there is no ack.
 * NULL: out of memory, or size is over ML_MESSAGE_MAX. */
struct ml_message *ml_message_new(struct ml_node *node, const struct ml_message_type *type,
	size_t size, const struct ml_message *parent);

/* One more reference, for keeping a message beside passing it on. */
struct ml_message *ml_retain(struct ml_message *message);

/* The same message where nobody else holds it; else a copy of it (with its ack, time and trace)
 * that nobody else does, and this reference is let go of. Branches share a message: who links
 * messages by `next` owns them first. Types that refer to anything outside themselves cannot be
 * copied. NULL: out of memory, and the caller still holds the message. */
struct ml_message *ml_message_own(struct ml_node *node, struct ml_message *message);

/* Lets go of one reference; done with it, as far as this node is concerned. Accepts NULL. */
void ml_release(struct ml_node *node, struct ml_message *message);

/* Lets go of one reference as failed: the ack fails (unless the node hangs on an optional branch),
 * the node's failures are counted, and the reason is logged under the node's name (flood
 * controlled). */
void ml_fail(struct ml_node *node, struct ml_message *message, const char *format, ...)
	ML_PRINTF(3, 4);

/* Attaches an ack to a message that this node made and has not yet emitted. When it is told, the
 * class's `acked` gets `cookie`; an instance that has stopped meanwhile is not told any more, nor
 * is its successor. -ENOMEM. -EEXIST: the message has one, its parent's perhaps. */
int ml_ack_attach(struct ml_node *node, struct ml_message *message, uint64_t cookie);

/* ---- Rounds: a readout of a list of meters ---- */

enum { ML_ROUND_NAME_MAX = 40 };

enum ml_round_phase { ML_ROUND_BEGIN, ML_ROUND_END };

/* Travels in band, in order with the messages of each edge, past filters, and is never dropped. A
 * node passes it on once it came on all inputs that lead back to its source. */
struct ml_round {
	uint64_t id; /* trace of the round */
	enum ml_round_phase phase;
	ml_time time;     /* wall time of this phase */
	ml_time due;      /* when the schedule wanted it; equals time of begin for a manual one */
	uint32_t origin;  /* private: which source began it */
	uint32_t applied; /* private: how many graphs had been applied then */
	uint32_t meters;  /* how many are to be read */
	uint32_t read, failed;          /* in the end phase: how many were, and were not */
	char source[ML_ROUND_NAME_MAX]; /* filled in: id of the node that began it */
	char bus[ML_ROUND_NAME_MAX];    /* what it reads, as people call it; "": the default */
};

/* ---- Types that the engine itself declares ---- */

/* A trigger: "do it now". */
struct ml_trigger {
	char kind[16];  /* "preset", "cron", "manual", "round-stored", "start" */
	ml_time due;    /* wall time it was due */
	ml_time next;   /* wall time of the one after it; ML_NEVER: none is known */
	ml_time period; /* shortest gap of the schedule's next firings; 0: not known */
	uint64_t round; /* the round it tells the end of; 0: none */
};

extern const struct ml_message_type ml_trigger_type; /* payload: struct ml_trigger */

#endif
