/* The tables of the engine's own commands, one a file; each ended by a NULL name.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef ML_COMMAND_BUILTIN_H
#define ML_COMMAND_BUILTIN_H

#include <meterloom/command.h>

extern const struct ml_command ml_job_commands[];          /* job.*, command.list */
extern const struct ml_command ml_setting_commands[];      /* setting.*, secret.* */
extern const struct ml_command ml_event_commands[];        /* event.* */
extern const struct ml_command ml_log_commands[];          /* log.* */
extern const struct ml_command ml_graph_commands[];        /* graph.*, revision.* */
extern const struct ml_command ml_node_commands[];         /* node.* */
extern const struct ml_command ml_engine_commands_table[]; /* engine.status, metrics.get */

#endif
