/* Borrowing a bus: what somebody else than the readout does on a line, between two meters.
 * SPDX-License-Identifier: Apache-2.0
 *
 * Whoever wants the line adds an errand; when the meter that is being read is done, the line is
 * lent: `begin`. From then on the errand may ask meters with the master's own care
 * (mbus_errand_ask), or send and receive bytes of its own, until it gives the line back. An errand
 * that takes long looks at mbus_errand_wanted() between its questions and, when a round waits,
 * gives the line back until that is over: mbus_errand_yield(). All on the lane of the node.
 */
#ifndef MBUS_ERRAND_H
#define MBUS_ERRAND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct mbus_request;
struct mbus_source;
struct mbus_step;

struct mbus_errand {
	/* The line is lent, and open. */
	void (*begin)(struct mbus_errand *errand, struct mbus_source *source);
	/* What came of mbus_errand_ask(): any step but MBUS_STEP_SEND. After the last of them the
	 * errand asks again or ends. May be NULL where it never asks. */
	void (*step)(struct mbus_errand *errand, struct mbus_source *source,
		const struct mbus_step *step);
	/* Bytes as they came, and whether with errors. NULL: the master takes them. */
	void (*received)(struct mbus_errand *errand, struct mbus_source *source,
		const uint8_t *bytes, size_t length, bool damaged);
	/* It lost the line that it held without asking, or the node ends: it is out of the list,
	 * and may free itself. */
	void (*lost)(struct mbus_errand *errand, struct mbus_source *source, const char *reason);
	/* It waits for a line that is lost, however long, and has its turn again where the line is
	 * lost under it: then `begin` is called again, and `lost` only when the node ends. */
	bool patient;
	/* private */
	struct mbus_errand *next;
	uint64_t not_before; /* rounds that must have ended, while one is wanted */
};

void mbus_errand_add(struct mbus_source *source, struct mbus_errand *errand);
/* Takes one out that was not lent the line yet; false: it was. */
bool mbus_errand_remove(struct mbus_source *source, struct mbus_errand *errand);

/* For the one that has the line. */
void mbus_errand_ask(struct mbus_source *source, const struct mbus_request *request);
bool mbus_errand_send(
	struct mbus_source *source, unsigned baud, const uint8_t *bytes, size_t length);
bool mbus_errand_wanted(const struct mbus_source *source);
void mbus_errand_end(struct mbus_source *source);
/* Gives the line back and waits for it anew, behind the others: until the round that runs or waits
 * is over. Then it has its turn before the next, so that it comes to an end beside rounds without
 * a pause: `begin` is called again, and should ask once before it looks whether a round waits. */
void mbus_errand_yield(struct mbus_source *source, struct mbus_errand *errand);

/* For the node. */
bool mbus_errand_lend(struct mbus_source *source); /* to the next; false: none waits */
void mbus_errand_lost(struct mbus_source *source);
void mbus_errand_stop(struct mbus_source *source);

#endif
