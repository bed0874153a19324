/* What the families of this program declare: complete, without clashes, with defaults that hold.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <meterloom/family.h>

#include "command/registry.h"
#include "command/settings_private.h"

extern const struct ml_family *const ml_families[];

enum { PORT_NAME_MAX = 16 };

static size_t mistakes;

static void mistake(const char *of, const char *format, ...) ML_PRINTF(2, 3);

static void mistake(const char *of, const char *format, ...)
{
	char text[512];
	va_list args;
	va_start(args, format);
	(void)vsnprintf(text, sizeof text, format, args);
	va_end(args);
	print_error("%s: %s\n", of, text);
	mistakes++;
}

/* A text for people: there, and a sentence where it is one. */
static void check_help(const char *of, const char *what, const char *text)
{
	if (!text || !*text)
		mistake(of, "%s has no help", what);
	else if (text[strlen(text) - 1] != '.')
		mistake(of, "the help of %s does not end with a full stop: %s", what, text);
}

static const struct ml_setting *find_setting(const char *name)
{
	for (const struct ml_setting *s = ml_builtin_settings; s->param.name; s++) {
		if (strcmp(s->param.name, name) == 0)
			return s;
	}
	for (size_t i = 0; ml_families[i]; i++) {
		const struct ml_setting *s = ml_families[i]->settings;
		for (; s && s->param.name; s++) {
			if (strcmp(s->param.name, name) == 0)
				return s;
		}
	}
	return NULL;
}

static void check_param(const char *of, const struct ml_param *param)
{
	if (!param->title || !*param->title)
		mistake(of, "%s has no title", param->name);
	check_help(of, param->name, param->help);
	if (param->kind == ML_PARAM_CHOICE && !param->choices)
		mistake(of, "%s has no choices", param->name);
	if ((param->flags & ML_PARAM_INHERIT) && !param->setting)
		mistake(of, "%s inherits no setting", param->name);
	if (param->setting && !find_setting(param->setting))
		mistake(of, "%s inherits '%s', which is no setting", param->name, param->setting);
	if (param->preset && (param->flags & ML_PARAM_REQUIRED) &&
		!(param->flags & ML_PARAM_INHERIT))
		mistake(of, "%s is required and has a default", param->name);
	if (!param->preset)
		return;
	struct ml_errors errors = {0};
	json_t *const value = json_loads(param->preset, JSON_DECODE_ANY, NULL);
	const struct ml_params_source source = {
		.pointer = "", .text = param->preset, .length = strlen(param->preset)};
	if (!value)
		mistake(of, "the default of %s is not JSON: %s", param->name, param->preset);
	else if (ml_param_check(param, value, &source, &errors) != 0)
		mistake(of, "the default of %s: %s", param->name, errors.items[0].text);
	json_decref(value);
	ml_errors_free(&errors);
}

static void check_params(const char *of, const struct ml_param *params, size_t size)
{
	for (const struct ml_param *p = params; p && p->name; p++) {
		check_param(of, p);
		if (p->offset >= size)
			mistake(of, "%s lies outside its struct", p->name);
		for (const struct ml_param *q = params; q < p; q++) {
			if (strcmp(p->name, q->name) == 0)
				mistake(of, "two parameters are called %s", p->name);
			if (p->offset == q->offset)
				mistake(of, "%s and %s share a field", p->name, q->name);
		}
	}
}

static void check_ports(const struct ml_node_class *class)
{
	bool inputs = false;
	for (const struct ml_port *p = class->ports; p->name; p++) {
		if (strlen(p->name) > PORT_NAME_MAX || strpbrk(p->name, ".>, "))
			mistake(class->type, "'%s' is no name for a port", p->name);
		if (!p->type)
			mistake(class->type, "port %s has no type", p->name);
		check_help(class->type, p->name, p->help);
		inputs |= p->direction == ML_INPUT;
		for (const struct ml_port *q = class->ports; q < p; q++) {
			if (strcmp(p->name, q->name) == 0)
				mistake(class->type, "two ports are called %s", p->name);
		}
	}
	if (inputs && !class->process)
		mistake(class->type, "has an input and no process");
}

static void check_class(const struct ml_node_class *class)
{
	static const char *const categories[] = {
		"source", "process", "store", "report", "trigger", "sink"};
	bool known = false;
	for (size_t i = 0; i < sizeof categories / sizeof *categories; i++)
		known |= class->category && strcmp(class->category, categories[i]) == 0;
	if (!known)
		mistake(class->type, "there is no category '%s'", class->category);
	if (class->version < 1 || (class->version > 1 && !class->migrate))
		mistake(class->type, "version %u has no migration", class->version);
	if (!class->title || !*class->title)
		mistake(class->type, "has no title");
	check_help(class->type, "the class", class->help);
	if (!class->ports) {
		mistake(class->type, "has no table of ports");
		return;
	}
	check_ports(class);
	check_params(class->type, class->params, class->size);
	for (const struct ml_action *a = class->actions; a && a->name; a++) {
		check_help(class->type, a->name, a->help);
		check_params(class->type, a->params, a->params_size);
	}
	for (const struct ml_metric *m = class->metrics; m && m->name; m++)
		check_help(class->type, m->name, m->help);
}

static void classes_are_complete(void **state)
{
	(void)state;
	mistakes = 0;
	for (size_t i = 0; ml_families[i]; i++) {
		const struct ml_node_class *const *c = ml_families[i]->node_classes;
		for (; c && *c; c++)
			check_class(*c);
	}
	assert_int_equal(mistakes, 0);
}

static void check_commands(const struct ml_command *commands)
{
	for (; commands && commands->name; commands++) {
		check_help(commands->name, "the command", commands->help);
		check_params(commands->name, commands->params, commands->params_size);
		if (!commands->title || !commands->run)
			mistake(commands->name, "has no title or does nothing");
	}
}

static void commands_and_settings_are_complete(void **state)
{
	(void)state;
	mistakes = 0;
	for (const struct ml_command *const *table = ml_builtin_commands; *table; table++)
		check_commands(*table);
	for (const struct ml_setting *s = ml_builtin_settings; s->param.name; s++)
		check_param("settings", &s->param);
	for (size_t i = 0; ml_families[i]; i++) {
		check_commands(ml_families[i]->commands);
		const struct ml_setting *s = ml_families[i]->settings;
		for (; s && s->param.name; s++)
			check_param("settings", &s->param);
		for (const struct ml_event_class *e = ml_families[i]->events; e && e->code; e++) {
			if (!e->text || !*e->text)
				mistake(e->code, "the event has no text");
			check_help(e->code, "the event", e->advice);
		}
	}
	assert_int_equal(mistakes, 0);
}

/* Names that must differ: of families, node classes and message types. */
static void names_do_not_clash(void **state)
{
	(void)state;
	const char *names[1024];
	size_t count = 0;
	mistakes = 0;
	for (size_t i = 0; ml_families[i]; i++) {
		const struct ml_node_class *const *c = ml_families[i]->node_classes;
		for (; c && *c && count < 1024; c++)
			names[count++] = (*c)->type;
	}
	const size_t classes = count;
	for (size_t i = 0; ml_families[i]; i++) {
		const struct ml_message_type *const *t = ml_families[i]->message_types;
		for (; t && *t && count < 1024; t++)
			names[count++] = (*t)->name;
	}
	for (size_t i = 0; i < count; i++) {
		for (size_t j = i < classes ? 0 : classes; j < i; j++) {
			if (strcmp(names[i], names[j]) == 0)
				mistake(names[i], "is declared twice");
		}
	}
	assert_int_equal(mistakes, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(classes_are_complete),
		cmocka_unit_test(commands_and_settings_are_complete),
		cmocka_unit_test(names_do_not_clash),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
