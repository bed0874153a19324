/* The whole way from a source of readings to a receiver of documents: source, store, a query for
 * the destination "office" with at most ten readouts of a meter, "render", and "end".
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TESTS_STORE_WAY_H
#define TESTS_STORE_WAY_H

#include <jansson.h>

#include <meterloom/files.h>

#include "store/kit.h"
#include "store/receiver.h"

/* Parameters of the node "render". */
extern const char way_csv[], way_json[];

/* Applies the graph with these. */
void way_apply(struct kit *kit, const char *render);
/* The same with another number of readouts. */
void way_apply_limit(struct kit *kit, const char *render, unsigned limit);
/* A kit with it; both may be NULL. */
struct kit *way_begin(const char *data, const struct ml_files *files);
int way_setup(void **state);
int way_teardown(void **state);
struct kit *way_restart(void **state);

/* How many files and folders lie in the outbox, at any depth. */
size_t way_kept(struct kit *kit);

/* A value of the one destination in report.list, by its path: "outstanding.documents.0.name". */
const json_t *way_listed(struct kit *kit, const char *path);
void way_expect_text(struct kit *kit, const char *path, const char *text);
void way_expect_number(struct kit *kit, const char *path, json_int_t number);

/* Two that were received are the same. */
void way_expect_same(size_t first, size_t second);
/* Whether a text stands in one. */
bool way_holds(size_t index, const char *text);

#endif
