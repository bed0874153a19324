/* The books of a simulation: what meters gave, what is in the store, what head-ends got, compared
 * value by value. SPDX-License-Identifier: Apache-2.0
 *
 * A reading is booked as one number made of its meter and the texts of all its values, in whatever
 * order; a row of a report as that and the time in it.
 */
#ifndef SIM_LEDGER_H
#define SIM_LEDGER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <meterloom/json.h>
#include <meterloom/zone.h>

#include "meter/reading.h"

struct sim_ledger;

enum { SIM_LEDGER_HEAD_ENDS_MAX = 16, SIM_LEDGER_EXAMPLES_MAX = 8 };

/* NULL: out of memory. `zone` (kept) is that of the times in reports. */
struct sim_ledger *sim_ledger_new(const struct ml_zone *zone);
void sim_ledger_free(struct sim_ledger *ledger); /* accepts NULL */

/* A meter's telegram came out whole at `wall`. `perhaps`: it need not have been taken, since it
 * came late, or was one that is sent again. */
void sim_ledger_given(
	struct sim_ledger *ledger, const struct meter_reading *reading, ml_time wall, bool perhaps);

/* A reading of the store, in the order of its sequence numbers. `due`: it must have been reported.
 */
void sim_ledger_stored(struct sim_ledger *ledger, const struct meter_reading *reading,
	uint64_t sequence, bool due);

/* A document that a head-end took, in the order of its coming. false: its rows cannot be read,
 * since it is not of a template that is known here. */
bool sim_ledger_document(struct sim_ledger *ledger, unsigned head_end, const char *key,
	const char *text, size_t length);

struct sim_account {
	uint64_t given, perhaps; /* telegrams */
	uint64_t stored;         /* readings with values */
	uint64_t lost;           /* given, and not stored */
	uint64_t invented;       /* stored, and never given */
};

struct sim_delivery {
	uint64_t documents, rows; /* that came for the first time */
	uint64_t repeated_documents, repeated_rows;
	uint64_t changed;      /* documents that came again with other bytes */
	uint64_t lost;         /* stored and due, and not reported */
	uint64_t invented;     /* reported, and not stored */
	uint64_t out_of_order; /* documents that came after one with newer readings */
	uint64_t unread;       /* documents whose rows could not be read */
};

/* Both may be called once, after all was booked. -ENOMEM. */
int sim_ledger_compare_store(struct sim_ledger *ledger, struct sim_account *account);
int sim_ledger_compare_head_end(
	struct sim_ledger *ledger, unsigned head_end, struct sim_delivery *delivery);

/* Whether the comparisons that follow keep examples: where filters change readings they tell
 * nothing. */
void sim_ledger_keep_examples(struct sim_ledger *ledger, bool keep);
/* Some of what is lost or invented, a line each. */
const char *sim_ledger_examples(const struct sim_ledger *ledger);

/* The memory gave out: nothing can be said. */
bool sim_ledger_failed(const struct sim_ledger *ledger);

#endif
