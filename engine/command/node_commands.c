/* Commands on nodes: node.list, node.types, node.action.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <stddef.h>
#include <string.h>

#include <meterloom/nearest.h>

#include "command/builtin.h"
#include "command/registry.h"
#include "run/runtime.h"

/* ---- node.types ---- */

static const struct ml_param no_params[] = {{0}};

static void write_text(struct ml_json_writer *w, const char *key, const char *text)
{
	ml_json_key(w, key);
	ml_json_string(w, text);
}

static void write_schema(struct ml_json_writer *w, const struct ml_param *params)
{
	ml_json_key(w, "params");
	ml_params_schema(params ? params : no_params, w);
}

static void write_ports(struct ml_json_writer *w, const struct ml_node_class *class)
{
	ml_json_key(w, "ports");
	ml_json_begin_array(w);
	for (const struct ml_port *port = class->ports; port && port->name; port++) {
		ml_json_begin_object(w);
		write_text(w, "name", port->name);
		write_text(w, "direction", port->direction == ML_INPUT ? "in" : "out");
		write_text(w, "type", port->type->name);
		ml_json_key(w, "required");
		ml_json_bool(w, port->required);
		write_text(w, "help", port->help);
		ml_json_end_object(w);
	}
	ml_json_end_array(w);
}

static void write_actions(struct ml_json_writer *w, const struct ml_node_class *class)
{
	ml_json_key(w, "actions");
	ml_json_begin_array(w);
	for (const struct ml_action *action = class->actions; action && action->name; action++) {
		ml_json_begin_object(w);
		write_text(w, "name", action->name);
		write_text(w, "title", action->title);
		write_text(w, "help", action->help);
		write_schema(w, action->params);
		ml_json_end_object(w);
	}
	ml_json_end_array(w);
}

static void write_metrics(struct ml_json_writer *w, const struct ml_node_class *class)
{
	ml_json_key(w, "metrics");
	ml_json_begin_array(w);
	for (const struct ml_metric *metric = class->metrics; metric && metric->name; metric++) {
		ml_json_begin_object(w);
		write_text(w, "name", metric->name);
		write_text(w, "kind", metric->gauge ? "gauge" : "counter");
		write_text(w, "help", metric->help);
		ml_json_end_object(w);
	}
	ml_json_end_array(w);
}

static void write_class(struct ml_json_writer *w, const struct ml_node_class *class)
{
	ml_json_begin_object(w);
	write_text(w, "type", class->type);
	ml_json_key(w, "version");
	ml_json_unsigned(w, class->version);
	write_text(w, "title", class->title);
	write_text(w, "help", class->help);
	write_text(w, "category", class->category);
	write_text(w, "lane", class->lane ? class->lane : "main");
	write_ports(w, class);
	write_schema(w, class->params);
	write_actions(w, class);
	write_metrics(w, class);
	ml_json_end_object(w);
}

void ml_node_types_to_json(const struct ml_family *const *families, struct ml_json_writer *w)
{
	ml_json_begin_array(w);
	for (; *families; families++) {
		const struct ml_node_class *const *class = (*families)->node_classes;
		for (; class && *class; class ++)
			write_class(w, *class);
	}
	ml_json_end_array(w);
}

static void types_run(struct ml_job *job, void *params)
{
	(void)params;
	ml_node_types_to_json(ml_engine_families(ml_job_engine(job)), ml_job_result(job));
	ml_job_succeed(job);
}

/* ---- node.list ---- */

static void write_node(
	struct ml_json_writer *w, struct ml_runtime *runtime, const struct ml_node *node)
{
	static const char *const states[] = {
		[ML_STATE_STOPPED] = "stopped",
		[ML_STATE_RUNNING] = "running",
		[ML_STATE_WAITING] = "waiting",
		[ML_STATE_FAULT] = "fault",
	};
	char text[sizeof node->state_text], time[ML_TIME_TEXT_MAX];
	(void)pthread_mutex_lock(&runtime->state_lock);
	const enum ml_state state = node->state;
	const ml_time since = node->state_since;
	memcpy(text, node->state_text, sizeof text);
	(void)pthread_mutex_unlock(&runtime->state_lock);
	ml_json_begin_object(w);
	write_text(w, "id", node->id);
	write_text(w, "type", node->class->type);
	write_text(w, "lane", node->lane->name);
	write_text(w, "state", states[state]);
	write_text(w, "text", text);
	ml_json_key(w, "since");
	ml_json_string_n(w, time, ml_time_format(since, time));
	ml_json_key(w, "actions");
	ml_json_begin_array(w);
	for (const struct ml_action *action = node->class->actions; action && action->name;
		action++)
		ml_json_string(w, action->name);
	ml_json_end_array(w);
	ml_json_end_object(w);
}

static void list_run(struct ml_job *job, void *params)
{
	(void)params;
	struct ml_json_writer *w = ml_job_result(job);
	struct ml_runtime *runtime = ml_job_engine(job)->runtime;
	ml_json_begin_array(w);
	for (size_t i = 0; i < runtime->node_count; i++)
		write_node(w, runtime, runtime->nodes[i]);
	ml_json_end_array(w);
	ml_job_succeed(job);
}

/* ---- node.action ---- */

struct action_params {
	char *node;
	char *action;
	json_t *params;
};

static const struct ml_param action_params[] = {
	{.name = "node",
		.kind = ML_PARAM_STRING,
		.offset = offsetof(struct action_params, node),
		.title = "Node",
		.help = "The node's id.",
		.min = 1,
		.max = 64,
		.flags = ML_PARAM_REQUIRED},
	{.name = "action",
		.kind = ML_PARAM_STRING,
		.offset = offsetof(struct action_params, action),
		.title = "Action",
		.help = "One of the actions of the node's type, such as run-now.",
		.min = 1,
		.max = 64,
		.flags = ML_PARAM_REQUIRED},
	{.name = "params",
		.kind = ML_PARAM_JSON,
		.offset = offsetof(struct action_params, params),
		.title = "Parameters",
		.help = "The parameters of the action, an object.",
		.flags = ML_PARAM_NULLABLE},
	{0},
};

static struct ml_node *find_node(struct ml_engine *engine, const char *id, struct ml_errors *errors)
{
	struct ml_node *node = ml_runtime_find(engine, id);
	struct ml_nearest near;
	if (node)
		return node;
	ml_nearest_begin(&near, id);
	for (size_t i = 0; i < engine->runtime->node_count; i++)
		ml_nearest_try(&near, engine->runtime->nodes[i]->id);
	const char *meant = ml_nearest_name(&near);
	ml_errors_addf(errors, -ENOENT, "/node", "there is no node '%s'%s%s%s", id,
		meant ? ": did you mean '" : "; node.list tells those there are",
		meant ? meant : "", meant ? "'?" : "");
	return NULL;
}

static const struct ml_action *find_action(
	const struct ml_node *node, const char *name, struct ml_errors *errors)
{
	char known[160] = "";
	size_t length = 0;
	const struct ml_action *action = node->class->actions;
	for (; action && action->name; action++) {
		if (strcmp(action->name, name) == 0)
			return action;
		if (length < sizeof known)
			length += (size_t)snprintf(known + length, sizeof known - length, "%s%s",
				length ? ", " : "", action->name);
	}
	ml_errors_addf(errors, -ENOENT, "/action",
		"the node '%s' (%s) has no action '%s': it has %s", node->id, node->class->type,
		name, length ? known : "none");
	return NULL;
}

struct action_call {
	struct ml_node *node;
	const struct ml_action *action;
	struct ml_job *job;
	void *params;
};

/* On the node's lane. */
static void run_action(void *user)
{
	const struct action_call *call = user;
	call->action->run(call->node, call->node->self, call->job, call->params);
}

static bool fill_params(
	struct action_call *call, const struct action_params *p, struct ml_errors *errors)
{
	const struct ml_param *table = call->action->params;
	struct ml_params_source source = {.pointer = "/params"};
	source.text = ml_job_param_text(call->job, "params", &source.length);
	call->params = ml_job_params(call->job, table, call->action->params_size);
	if (!call->params) {
		ml_errors_addf(errors, -ENOMEM, "", "out of memory");
		return false;
	}
	return ml_params_parse(
		       table ? table : no_params, p->params, &source, call->params, errors) == 0;
}

static void action_run(struct ml_job *job, void *params)
{
	const struct action_params *p = params;
	struct ml_errors errors = {0};
	struct action_call call = {.job = job};
	call.node = find_node(ml_job_engine(job), p->node, &errors);
	if (call.node)
		call.action = find_action(call.node, p->action, &errors);
	if (!call.action || !fill_params(&call, p, &errors)) {
		ml_job_fail_all(job, &errors);
		ml_errors_free(&errors);
		return;
	}
	/* While its lane is parked the node is certain to be there. The job may end within. */
	struct ml_lane *lane = call.node->lane;
	ml_lane_park(lane);
	ml_job_set_lane(job, lane);
	ml_lane_parked_call(lane, run_action, &call);
	ml_lane_unpark(lane);
}

const struct ml_command ml_node_commands[] = {
	{
		.name = "node.action",
		.title = "Ask something of a node",
		.help = "Runs an action of a running node, such as reading now, and gives its "
			"result.",
		.role = ML_ROLE_OPERATE,
		.params = action_params,
		.params_size = sizeof(struct action_params),
		.run = action_run,
	},
	{
		.name = "node.list",
		.title = "List nodes",
		.help = "Lists the nodes that run with type, lane, state and actions.",
		.role = ML_ROLE_READ,
		.run = list_run,
	},
	{
		.name = "node.types",
		.title = "List the types of nodes",
		.help = "Lists all types of nodes with help, ports, the JSON Schema of their "
			"parameters, "
			"actions and metrics.",
		.role = ML_ROLE_READ,
		.run = types_run,
	},
	{0},
};
