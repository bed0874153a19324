/* The reference of nodes, messages, commands, settings and events, as Markdown.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <string.h>

#include "cli/describe.h"
#include "command/registry.h"
#include "command/settings_private.h"
#include "run/builtin.h"

/* A cell of a table: no line feeds, and '|' escaped. */
static void write_cell(struct ml_buffer *out, const char *text)
{
	for (; text && *text; text++) {
		if (*text == '|')
			ml_buffer_append(out, "\\|", 2);
		else
			ml_buffer_append(out, *text == '\n' ? " " : text, 1);
	}
}

static void write_row(struct ml_buffer *out, const char *const *cells, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		ml_buffer_appendf(out, "%s", i ? " | " : "| ");
		write_cell(out, cells[i]);
	}
	ml_buffer_appendf(out, " |\n");
}

/* A name as code. */
static const char *code(const char *text, char buffer[DESCRIBE_MAX])
{
	(void)snprintf(buffer, DESCRIBE_MAX, "`%s`", text);
	return buffer;
}

static void write_param(struct ml_buffer *out, const struct ml_param *param)
{
	char name[DESCRIBE_MAX], kind[DESCRIBE_MAX], preset[DESCRIBE_MAX];
	struct ml_buffer help = {0};
	ml_buffer_appendf(&help, "%s", param->help ? param->help : param->title);
	for (const struct ml_choice *c = param->choices; c && c->name; c++) {
		const size_t length = c->help ? strlen(c->help) : 0;
		if (length > 0)
			ml_buffer_appendf(&help, " `%s`: %s%s", c->name, c->help,
				c->help[length - 1] == '.' ? "" : ".");
	}
	const char *const cells[] = {code(param->name, name), describe_kind(param, kind),
		describe_default(param, preset), help.data};
	write_row(out, cells, 4);
	ml_buffer_free(&help);
}

static void write_params(struct ml_buffer *out, const struct ml_param *params)
{
	if (!params || !params->name)
		return;
	ml_buffer_appendf(out, "\n| parameter | kind | default | |\n|---|---|---|---|\n");
	for (; params->name; params++)
		write_param(out, params);
}

static void write_ports(struct ml_buffer *out, const struct ml_port *ports)
{
	char name[DESCRIBE_MAX], type[DESCRIBE_MAX];
	if (!ports->name)
		return;
	ml_buffer_appendf(out, "\n| port | | message | |\n|---|---|---|---|\n");
	for (; ports->name; ports++) {
		const char *const direction = ports->direction == ML_OUTPUT ? "out"
					      : ports->required             ? "in, must be wired"
									    : "in";
		const char *const cells[] = {code(ports->name, name), direction,
			code(ports->type->name, type), ports->help};
		write_row(out, cells, 4);
	}
}

static void write_class(void *user, const struct ml_node_class *class)
{
	struct ml_buffer *const out = user;
	char name[DESCRIBE_MAX];
	ml_buffer_appendf(out, "\n### `%s`: %s\n\n%s\n", class->type, class->title,
		class->help ? class->help : "");
	if (class->lane)
		ml_buffer_appendf(out, "\nRuns on the lane `%s` unless the graph says otherwise.\n",
			class->lane);
	write_ports(out, class->ports);
	write_params(out, class->params);
	for (const struct ml_action *a = class->actions; a && a->name; a++) {
		ml_buffer_appendf(
			out, "\nAction `%s`: %s\n", a->name, a->help ? a->help : a->title);
		write_params(out, a->params);
	}
	if (class->metrics && class->metrics->name)
		ml_buffer_appendf(out, "\n| figure | | |\n|---|---|---|\n");
	for (const struct ml_metric *m = class->metrics; m && m->name; m++) {
		const char *const cells[] = {
			code(m->name, name), m->gauge ? "gauge" : "counter", m->help};
		write_row(out, cells, 3);
	}
}

static void write_nodes(struct ml_buffer *out, const struct ml_family *const *families)
{
	for (const struct describe_category *c = describe_categories;; c++) {
		struct ml_buffer part = {0};
		describe_classes(families, c->name, write_class, &part);
		if (part.length > 0)
			ml_buffer_appendf(
				out, "\n## %s\n%s", c->name ? c->title : "Other nodes", part.data);
		ml_buffer_free(&part);
		if (!c->name)
			return;
	}
}

static void write_types(struct ml_buffer *out, const struct ml_family *family)
{
	char name[DESCRIBE_MAX];
	const struct ml_message_type *const *type = family->message_types;
	for (; type && *type; type++) {
		const char *const cells[] = {code((*type)->name, name), (*type)->help};
		write_row(out, cells, 2);
	}
}

static void write_messages(struct ml_buffer *out, const struct ml_family *const *families)
{
	ml_buffer_appendf(out,
		"\n## Messages\n\nWhat moves along the edges; an edge joins ports of one "
		"type.\n\n| message | |\n|---|---|\n");
	write_types(out, &ml_builtin_family);
	for (; *families; families++)
		write_types(out, *families);
}

static void write_command(struct ml_buffer *out, const struct ml_command *command)
{
	ml_buffer_appendf(out, "\n### `%s`: %s\n\n%s Role: %s.\n", command->name, command->title,
		command->help, ml_role_name(command->role));
	write_params(out, command->params);
}

/* The command whose name follows `after`; NULL: none. */
static const struct ml_command *next_in(
	const struct ml_command *table, const char *after, const struct ml_command *next)
{
	for (; table && table->name; table++) {
		if (strcmp(table->name, after) > 0 &&
			(!next || strcmp(table->name, next->name) < 0))
			next = table;
	}
	return next;
}

static const struct ml_command *next_command(
	const struct ml_family *const *families, const char *after)
{
	const struct ml_command *next = NULL;
	for (const struct ml_command *const *table = ml_builtin_commands; *table; table++)
		next = next_in(*table, after, next);
	for (; *families; families++)
		next = next_in((*families)->commands, after, next);
	return next;
}

static void write_commands(struct ml_buffer *out, const struct ml_family *const *families)
{
	ml_buffer_appendf(out,
		"\n## Commands\n\nEach is called by name: `meterloom call NAME JSON`, "
		"`POST /api/v1/commands/NAME`, or as a method of `/rpc`.\n");
	const struct ml_command *command = next_command(families, "");
	for (; command; command = next_command(families, command->name))
		write_command(out, command);
}

static void write_settings_of(struct ml_buffer *out, const struct ml_setting *settings)
{
	for (; settings && settings->param.name; settings++)
		write_param(out, &settings->param);
}

static void write_settings(struct ml_buffer *out, const struct ml_family *const *families)
{
	ml_buffer_appendf(
		out, "\n## Settings\n\n| setting | kind | default | |\n|---|---|---|---|\n");
	write_settings_of(out, ml_builtin_settings);
	for (; *families; families++)
		write_settings_of(out, (*families)->settings);
}

static void write_events_of(struct ml_buffer *out, const struct ml_event_class *events)
{
	char name[DESCRIBE_MAX];
	for (; events && events->code; events++) {
		const char *const cells[] = {code(events->code, name),
			ml_log_level_name(events->severity), events->text, events->advice};
		write_row(out, cells, 4);
	}
}

static void write_events(struct ml_buffer *out, const struct ml_family *const *families)
{
	ml_buffer_appendf(
		out, "\n## Events\n\n| event | severity | | what to do |\n|---|---|---|---|\n");
	write_events_of(out, ml_builtin_family.events);
	for (; *families; families++)
		write_events_of(out, (*families)->events);
}

void reference_write(const struct ml_family *const *families, struct ml_buffer *out)
{
	ml_buffer_appendf(out, "# Reference\n\nMade from the declarations by `meterloom nodes "
			       "--markdown`: change those, not this page.\n");
	write_nodes(out, families);
	write_messages(out, families);
	write_commands(out, families);
	write_settings(out, families);
	write_events(out, families);
}
