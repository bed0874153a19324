/* An engine with a source of documents, for the tests of sinks.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TESTS_REPORT_KIT_H
#define TESTS_REPORT_KIT_H

#include <jansson.h>
#include <stdatomic.h>
#include <stdbool.h>

#include <meterloom/engine.h>
#include <meterloom/family.h>

#include "meter/document.h"

enum { KIT_DOCUMENTS_MAX = 8, KIT_LOG_MAX = 65536 };

struct kit {
	char folder[64]; /* of the test; removed at its end */
	struct ml_clock *clock;
	struct ml_log *log;
	struct ml_engine *engine;
	/* What the node "t-documents" emits when it starts; fill in before kit_apply(). */
	struct meter_document documents[KIT_DOCUMENTS_MAX];
	size_t document_count;
	atomic_uint delivered, failed; /* acks */
	char text[KIT_LOG_MAX];        /* what was logged, a line each */
};

struct kit *kit_new(void);
/* On the simulated clock, with one more family. */
struct kit *kit_new_simulated(const struct ml_family *family);
void kit_free(struct kit *kit);

/* Adds a document with this name and content to those that are emitted. */
struct meter_document *kit_document(struct kit *kit, const char *name, const char *content);

/* Applies documents -> sink of this type and parameters (with ' for "). Fails the test where
 * refused. */
void kit_apply(struct kit *kit, const char *type, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* The errors of checking such a graph, as one text of lines "pointer: text". The caller frees it.
 */
char *kit_check(struct kit *kit, const char *type, const char *params);

void kit_secret(struct kit *kit, const char *name, const char *value);
/* Takes over the reference. */
void kit_setting(struct kit *kit, const char *name, json_t *value);

/* Calls an action of the sink. Gives its code. */
int kit_act(struct kit *kit, const char *action);

/* Turns the control lane until so many acks were told; fails the test after 30 s. */
void kit_wait(struct kit *kit, unsigned acks);
/* Until the text stands in the metrics or the log. */
void kit_wait_text(struct kit *kit, const char *text);

/* The log up to now. */
const char *kit_log(struct kit *kit);

#endif
