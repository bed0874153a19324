/* What the commands about reports share.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef STORE_REPORT_COMMANDS_H
#define STORE_REPORT_COMMANDS_H

#include "store/query_node.h"

/* A destination that a command is about. */
struct report_subject {
	struct ml_engine *engine;
	struct store_writer *writer;
	struct store_outbox *outbox;
	struct store_query *query; /* NULL: none runs for it */
	const char *destination;
	struct store_outstanding out;
	bool has;
};

int report_find_subject(struct ml_job *job, const char *destination, struct report_subject *subject,
	struct ml_error *err);

void report_write_time(struct ml_json_writer *w, const char *key, ml_time time);
void report_write_unsigned(struct ml_json_writer *w, const char *key, uint64_t value);

struct report_history_params {
	char *destination;
	int64_t limit;
};

void report_run_list(struct ml_job *job, void *params);
void report_run_history(struct ml_job *job, void *params);

extern const struct ml_command store_report_commands[];

#endif
