/* The tables of the engine's own commands, one a file; each ended by a NULL name.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef ML_COMMAND_BUILTIN_H
#define ML_COMMAND_BUILTIN_H

#include <meterloom/command.h>
#include <meterloom/family.h>

extern const struct ml_command ml_job_commands[];          /* job.*, command.list */
extern const struct ml_command ml_setting_commands[];      /* setting.*, secret.* */
extern const struct ml_command ml_event_commands[];        /* event.* */
extern const struct ml_command ml_log_commands[];          /* log.* */
extern const struct ml_command ml_clock_commands[];        /* clock.* */
extern const struct ml_command ml_graph_commands[];        /* graph.*, revision.* */
extern const struct ml_command ml_node_commands[];         /* node.* */
extern const struct ml_command ml_engine_commands_table[]; /* engine.status, metrics.get */

/* The result of node.types: one array of all node classes with ports, actions, metrics and the JSON
 * Schema of their parameters. `families` is ended by NULL. */
void ml_node_types_to_json(const struct ml_family *const *families, struct ml_json_writer *w);

#endif
