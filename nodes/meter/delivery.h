/* A delivery: what a batch of a store, its documents and its receivers have in common.
 * SPDX-License-Identifier: Apache-2.0
 *
 * The store makes one each time it sends a batch and hands it on in the message. Who renders asks
 * it for the documents that were rendered for this batch before, and gives it those that it
 * renders, so that they are kept and sent again as they are. Who delivers tells it how a try ended.
 * When the batch's ack is told, the store looks at what was told.
 *
 * Counted by reference. Any thread. Functions that only tell take NULL: documents of batches that
 * are no store's have no delivery.
 */
#ifndef METER_DELIVERY_H
#define METER_DELIVERY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <meterloom/error.h>
#include <meterloom/json.h>

#include "meter/document.h"

enum meter_delivery_purpose {
	METER_DELIVERY_REPORT,
	METER_DELIVERY_TEST, /* goes to the receiver, marked, and counts for nothing: no retries */
	METER_DELIVERY_RENDER, /* is only rendered: who renders it lets go of it then */
};

/* From good to bad: of several the worst holds. */
enum meter_delivery_result {
	METER_DELIVERY_UNKNOWN, /* nothing was told yet */
	METER_DELIVERY_DELIVERED,
	METER_DELIVERY_FAILED,  /* may go well another time */
	METER_DELIVERY_REFUSED, /* will not go well by itself: a person must look */
};

enum {
	METER_DELIVERY_KEY_MAX = 33, /* bytes, with the NUL: 128 bits in hex */
	METER_DELIVERY_RECEIVER_MAX = 200,
	METER_DELIVERY_REASON_MAX = 256,
	METER_DELIVERY_DOCUMENTS_MAX = 4096, /* that one node renders for one batch */
	METER_DELIVERY_LISTED_MAX = 50,      /* that are remembered by their names */
};

struct meter_delivery;

/* Where documents are kept: written by the store. `node` is the id of the node that renders. All
 * block on the disk; any thread. */
struct meter_keeper {
	/* What this node rendered for the batch before; the caller frees the array. Gives how
	 * many; -ENOENT without setting `err`: nothing yet. */
	int (*find)(const struct meter_delivery *delivery, const char *node,
		struct meter_document **ret_documents, struct ml_error *err);
	/* Makes an empty folder to render into. Its path goes to `folder`, of
	 * METER_DOCUMENT_PATH_MAX bytes. What an earlier try left there is gone. */
	int (*begin)(const struct meter_delivery *delivery, const char *node, char *folder,
		struct ml_error *err);
	/* All is rendered and synced: from now on these are the documents. Their paths are
	 * changed. On an error nothing is left of them. */
	int (*keep)(const struct meter_delivery *delivery, const char *node,
		struct meter_document *documents, size_t count, struct ml_error *err);
	/* Instead of keep(): removes the folder. */
	void (*drop)(const struct meter_delivery *delivery, const char *node);
};

/* NULL: out of memory. `user` is for the keeper. `key`: 32 hex digits. */
struct meter_delivery *meter_delivery_new(const char *destination, const char *key,
	enum meter_delivery_purpose purpose, const struct meter_keeper *keeper, void *user);
struct meter_delivery *meter_delivery_retain(struct meter_delivery *delivery); /* accepts NULL */
void meter_delivery_release(struct meter_delivery *delivery);                  /* accepts NULL */

const char *meter_delivery_destination(const struct meter_delivery *delivery);
const char *meter_delivery_key(const struct meter_delivery *delivery); /* "" for NULL */
enum meter_delivery_purpose meter_delivery_purpose(
	const struct meter_delivery *delivery); /* NULL: a report */
const struct meter_keeper *meter_delivery_keeper(const struct meter_delivery *delivery);
void *meter_delivery_user(const struct meter_delivery *delivery);

/* ---- Told ---- */

/* How a try ended: by whom ("https://head-end.example/meters") and why; both may be NULL. To be
 * told before the message is let go of or failed, also for each try after which another follows. */
void meter_delivery_tell(struct meter_delivery *delivery, enum meter_delivery_result result,
	const char *receiver, const char *reason);

/* These documents belong to it, rendered now or before. */
void meter_delivery_add(
	struct meter_delivery *delivery, const struct meter_document *documents, size_t count);

/* ---- Asked ---- */

struct meter_delivery_outcome {
	enum meter_delivery_result result;
	unsigned tries;                             /* that were told */
	char receiver[METER_DELIVERY_RECEIVER_MAX]; /* of the worst, the last of these */
	char reason[METER_DELIVERY_REASON_MAX];
};

void meter_delivery_outcome(
	struct meter_delivery *delivery, struct meter_delivery_outcome *ret_outcome);

/* The first METER_DELIVERY_LISTED_MAX documents as a JSON array: {"name", "type", "charset",
 * "size", "sha256"}. */
void meter_delivery_documents(struct meter_delivery *delivery, struct ml_json_writer *w);

#endif
