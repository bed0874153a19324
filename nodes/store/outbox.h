/* The outbox: rendered documents of what is outstanding, each rendered once.
 * SPDX-License-Identifier: Apache-2.0
 *
 * DATA/outbox/KEY/NODE holds what the node NODE rendered for the range of that key: the documents
 * and a manifest. It is written as NODE.part, synced, and then takes its name, so that it is there
 * whole or not at all. What the database does not call outstanding is removed.
 *
 * Blocks on the disk. Any thread; no two at a time for one key and node.
 */
#ifndef STORE_OUTBOX_H
#define STORE_OUTBOX_H

#include <sqlite3.h>

#include <meterloom/family.h>

#include "meter/delivery.h"

enum { STORE_OUTBOX_PATH_MAX = 512, STORE_OUTBOX_DOCUMENT_MAX = 64 };

struct store_outbox;

/* The service, started after that of the writer. */
#define STORE_OUTBOX_SERVICE "outbox"
int store_outbox_start(struct ml_engine *engine, void **ret_service, struct ml_error *err);
void store_outbox_stop(void *service);

/* NULL: the engine has none. */
struct store_outbox *store_outbox(struct ml_engine *engine);

/* A delivery whose documents are kept here. NULL: out of memory. */
struct meter_delivery *store_outbox_delivery(struct store_outbox *outbox, const char *destination,
	const char *key, enum meter_delivery_purpose purpose);

/* A new random key. */
int store_outbox_draw(
	struct store_outbox *outbox, char key[METER_DELIVERY_KEY_MAX], struct ml_error *err);

/* Removes what is kept for a key. */
void store_outbox_remove(struct store_outbox *outbox, const char *key);

/* Once after the start, before anything is rendered: removes what the database does not call
 * outstanding. On the lane that writes `db`, or before there are lanes. */
int store_outbox_tidy(struct store_outbox *outbox, sqlite3 *db, struct ml_error *err);

/* The documents of a key as a JSON array, each with its name in the API ("KEY.3"). */
void store_outbox_list(struct store_outbox *outbox, const char *key, struct ml_json_writer *w);

/* Finds a document by its name in the API. -ENOENT; -EINVAL: that is no such name. */
int store_outbox_document(struct store_outbox *outbox, const char *name,
	struct meter_document *document, struct ml_error *err);

#endif
