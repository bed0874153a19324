/* The command trace.show: from a value to the bytes of its telegram, and from a telegram to all
 * that became of it. SPDX-License-Identifier: Apache-2.0
 */
#ifndef STORE_TRACE_H
#define STORE_TRACE_H

#include <meterloom/command.h>

struct store_trace_params {
	int64_t trace;
	char *meter;
	ml_time time;
};

extern const struct ml_param store_trace_params[];
void store_trace_run(struct ml_job *job, void *params); /* on the lane "query" */

#endif
