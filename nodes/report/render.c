/* The node `template-render`: a batch in, documents out.
 * SPDX-License-Identifier: Apache-2.0
 *
 * Rendering reads the database and burns, so the node asks for the lane "render" and blocks there.
 * It takes one batch at a time; its documents go on as there is room for them, and share its ack.
 * What was rendered for a batch of the store is kept, and is sent again as it was.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <meterloom/command.h>
#include <meterloom/engine.h>
#include <meterloom/node.h>
#include <meterloom/setting.h>

#include "meter/batch.h"
#include "meter/delivery.h"
#include "report/family.h"
#include "report/spool.h"
#include "report/template.h"

enum { PORT_IN, PORT_OUT };
enum { COUNT_DOCUMENTS, COUNT_BYTES, COUNT_REPLACED, COUNT_EMPTY };

struct render {
	/* parameters */
	char *template;
	json_t *options;
	int charset, language, separator, decimal_sign, line_end, first_day;
	bool empty;
	int64_t memory; /* KiB */
	int64_t instructions;
	ml_time time;

	struct ml_node *node;
	struct report_template *loaded;
	struct meter_list *list;          /* may be NULL */
	struct ml_message *batch;         /* whose documents are going on; NULL: none */
	struct meter_document *documents; /* owned */
	size_t count, next;               /* of these */
	bool failing; /* the last report was not rendered, and the state says so */
};

/* ---- What the gateway is called ---- */

struct identity {
	json_t *serial, *name, *contact; /* references; may be NULL */
	struct ml_zone *zone;            /* NULL: UTC */
};

static const char *text_or(const json_t *value, const char *preset)
{
	return json_is_string(value) ? json_string_value(value) : preset;
}

static void identity_get(struct ml_engine *engine, struct identity *identity)
{
	json_t *zone = ml_setting_get(engine, "gateway.time_zone");
	*identity = (struct identity){
		.serial = ml_setting_get(engine, "gateway.serial"),
		.name = ml_setting_get(engine, "gateway.name"),
		.contact = ml_setting_get(engine, "gateway.contact"),
	};
	if (ml_zone_load(text_or(zone, "UTC"), NULL, &identity->zone, NULL) < 0)
		identity->zone = NULL;
	json_decref(zone);
}

static void identity_free(struct identity *identity)
{
	json_decref(identity->serial);
	json_decref(identity->name);
	json_decref(identity->contact);
	ml_zone_free(identity->zone);
}

/* ---- Documents ---- */

static bool emit_one(struct render *self, struct meter_document *document)
{
	struct ml_node *node = self->node;
	struct ml_message *message = ml_message_new(
		node, &meter_document_type, sizeof(struct meter_document), self->batch);
	if (!message) {
		ml_node_log(
			node, ML_LOG_ERROR, "%s: there is no memory to pass it on", document->name);
		return false;
	}
	memcpy(message->payload, document, sizeof *document);
	(void)meter_delivery_retain(document->delivery);
	document->path[0] = '\0'; /* the file is the message's now */
	ml_node_count(node, COUNT_DOCUMENTS, 1);
	ml_node_count(node, COUNT_BYTES, (int64_t)document->size);
	ml_emit(node, PORT_OUT, message);
	return true;
}

/* Those that were not passed on; what is kept stays. */
static void forget_documents(struct render *self)
{
	for (size_t i = 0; i < self->count; i++) {
		if (self->documents[i].path[0] && !self->documents[i].kept)
			(void)unlink(self->documents[i].path);
	}
	free(self->documents);
	self->documents = NULL;
	self->count = 0;
	self->next = 0;
}

/* Emits as many documents as there is room for; after the last the batch is done with. */
static void emit_some(struct render *self)
{
	bool lost = false;
	while (!lost && self->next < self->count) {
		if (ml_room(self->node, PORT_OUT) == 0)
			return; /* goes on in render_room() */
		lost = !emit_one(self, &self->documents[self->next++]);
	}
	forget_documents(self);
	if (lost)
		ml_fail(self->node, self->batch, "a document could not be passed on");
	else
		ml_release(self->node, self->batch);
	self->batch = NULL;
	ml_node_demand(self->node, PORT_IN, 1);
}

static void render_room(struct ml_node *node, void *user)
{
	struct render *self = user;
	(void)node;
	if (self->batch)
		emit_some(self);
}

/* ---- Rendering ---- */

static int render_to(struct render *self, const struct ml_message *message, const char *folder,
	struct report_documents *documents, struct ml_error *err)
{
	struct ml_engine *engine = ml_node_engine(self->node);
	struct identity identity;
	char prefix[32];
	(void)snprintf(prefix, sizeof prefix, "%016" PRIx64, message->trace);
	identity_get(engine, &identity);
	const struct meter_snapshot *snapshot = self->list ? meter_list_snapshot(self->list) : NULL;
	const struct report_job job = {
		.batch = meter_batch(message),
		.snapshot = snapshot,
		.gateway = {.serial = text_or(identity.serial, ""),
			.name = text_or(identity.name, ""),
			.contact = text_or(identity.contact, ""),
			.zone = identity.zone ? identity.zone : ml_zone_utc()},
		.files = ml_engine_files(engine),
		.folder = folder,
		.prefix = prefix,
	};
	const int result = report_template_render(self->loaded, &job, documents, err);
	meter_snapshot_release(snapshot);
	identity_free(&identity);
	return result;
}

/* Takes over the files of what was rendered. */
static int take_documents(
	struct render *self, struct report_documents *rendered, struct ml_error *err)
{
	self->documents = calloc(rendered->count + 1, sizeof *self->documents);
	if (!self->documents)
		return ml_error_set(err, -ENOMEM, "out of memory");
	for (size_t i = 0; i < rendered->count; i++) {
		struct report_output *output = rendered->items[i];
		self->documents[i] = output->document;
		output->document.path[0] = '\0';
		ml_node_count(self->node, COUNT_REPLACED, (int64_t)output->replaced);
	}
	self->count = rendered->count;
	return 0;
}

/* Into the spool: for batches that are no store's. */
static int render_loose(struct render *self, const struct ml_message *message, struct ml_error *err)
{
	struct report_documents rendered;
	int result = render_to(
		self, message, report_spool_folder(ml_node_engine(self->node)), &rendered, err);
	if (result == 0)
		result = take_documents(self, &rendered, err);
	report_documents_discard(&rendered);
	return result;
}

/* Into the outbox, once for each key. */
static int render_kept(struct render *self, const struct ml_message *message,
	struct meter_delivery *delivery, struct ml_error *err)
{
	const struct meter_keeper *keeper = meter_delivery_keeper(delivery);
	const char *id = ml_node_id(self->node);
	struct report_documents rendered;
	char folder[METER_DOCUMENT_PATH_MAX];
	int result = keeper->begin(delivery, id, folder, err);
	if (result < 0)
		return result;
	result = render_to(self, message, folder, &rendered, err);
	if (result == 0)
		result = take_documents(self, &rendered, err);
	if (result == 0)
		result = keeper->keep(delivery, id, self->documents, self->count, err);
	else
		keeper->drop(delivery, id);
	report_documents_discard(&rendered);
	if (result < 0) {
		free(self->documents);
		self->documents = NULL;
		self->count = 0;
	}
	return result;
}

/* What was rendered before is sent as it is, whatever template and settings are now. What belongs
 * to the try and not to the bytes is that of the batch. */
static int find_or_render(
	struct render *self, const struct ml_message *message, struct ml_error *err)
{
	const struct meter_batch *batch = meter_batch(message);
	struct meter_delivery *delivery = batch->delivery;
	if (!delivery)
		return render_loose(self, message, err);
	int result = meter_delivery_keeper(delivery)->find(
		delivery, ml_node_id(self->node), &self->documents, err);
	if (result >= 0)
		self->count = (size_t)result;
	else if (result == -ENOENT)
		result = render_kept(self, message, delivery, err);
	for (size_t i = 0; i < self->count; i++) {
		struct meter_document *document = &self->documents[i];
		document->delivery = delivery;
		document->due = batch->trigger.due;
		document->next = batch->trigger.next;
		document->period = batch->trigger.period;
		meter_document_set_key(document);
	}
	if (result >= 0)
		meter_delivery_add(delivery, self->documents, self->count);
	return result < 0 ? result : 0;
}

static void fail_batch(struct render *self, struct ml_message *message, const struct ml_error *err)
{
	meter_delivery_tell(meter_batch(message)->delivery, METER_DELIVERY_FAILED,
		ml_node_id(self->node), err->text);
	ml_fail(self->node, message, "%s", err->text);
	ml_node_state(self->node, ML_STATE_FAULT, "%s: %s",
		report_template_tripped(self->loaded) ? "stopped after overruns in a row; the last"
						      : "the last report was not rendered",
		err->text);
	self->failing = true;
	ml_node_demand(self->node, PORT_IN, 1);
}

static void render_process(struct ml_node *node, void *user, unsigned port,
	struct ml_message *const *messages, size_t count)
{
	struct render *self = user;
	struct ml_error err = ML_ERROR_NONE;
	struct ml_message *message = messages[0];
	const struct meter_batch *batch = meter_batch(message);
	(void)port;
	(void)count; /* 1, as the demand says */
	if (batch->count == 0 && !self->empty) {
		ml_node_count(node, COUNT_EMPTY, 1);
		ml_release(node, message);
		ml_node_demand(node, PORT_IN, 1);
		return;
	}
	if (find_or_render(self, message, &err) < 0) {
		fail_batch(self, message, &err);
		return;
	}
	if (self->failing)
		ml_node_state(node, ML_STATE_RUNNING, NULL);
	self->failing = false;
	self->batch = message;
	if (meter_delivery_purpose(batch->delivery) == METER_DELIVERY_RENDER)
		self->next = self->count; /* that is all */
	emit_some(self);
}

/* ---- Life ---- */

static void print(void *user, const char *text, size_t length)
{
	const struct render *self = user;
	(void)length;
	ml_node_log(self->node, ML_LOG_INFO, "%s", text);
}

static int load(struct render *self, const char *text, size_t length, struct ml_error *err)
{
	const struct report_options options = {
		.name = self->template,
		.text = text,
		.length = length,
		.values = self->options,
		.locale = {.charset = (enum report_charset)self->charset,
			.language = (enum report_language)self->language,
			.separator = (char)self->separator,
			.decimal_sign = (char)self->decimal_sign,
			.line_end = self->line_end ? "\r\n" : "\n",
			.first_day = self->first_day},
		.memory = (size_t)self->memory * 1024,
		.instructions = self->instructions,
		.time = self->time,
		.trip_after = 3,
		.clock = ml_engine_clock(ml_node_engine(self->node)),
		.print = print,
		.user = self,
	};
	return report_template_new(&options, &self->loaded, err);
}

static int load_file(struct render *self, struct ml_error *err)
{
	char *text = NULL;
	size_t length;
	int result = ml_script_read(ml_node_engine(self->node), "templates",
		report_shipped_templates, self->template, &text, &length, err);
	if (result == 0)
		result = load(self, text, length, err);
	free(text);
	return result;
}

static int render_prepare(struct ml_node *node, void *user, struct ml_error *err)
{
	struct render *self = user;
	self->node = node;
	self->list = meter_list(ml_node_engine(node));
	if (self->options && !json_is_object(self->options))
		return ml_error_set_pointer(
			err, -EINVAL, "/options", "expected an object of options");
	const int result = load_file(self, err);
	if (result < 0 && err) {
		char option[sizeof err->pointer];
		memcpy(option, err->pointer, sizeof option);
		(void)snprintf(err->pointer, sizeof err->pointer, "%s%s",
			option[0] ? "/options" : "/template", option);
		err->line = 0; /* a place in the template is none in the graph */
	}
	return result;
}

static void render_start(struct ml_node *node, void *user)
{
	(void)user;
	ml_node_demand(node, PORT_IN, 1);
}

static void render_stop(struct ml_node *node, void *user)
{
	struct render *self = user;
	forget_documents(self);
	if (self->batch)
		ml_fail(node, self->batch,
			"the node was stopped before its documents were passed on");
	self->batch = NULL;
}

static void render_destroy(void *user)
{
	struct render *self = user;
	report_template_free(self->loaded);
}

static void run_reset(struct ml_node *node, void *user, struct ml_job *job, void *params)
{
	struct render *self = user;
	(void)params;
	report_template_reset(self->loaded);
	self->failing = false;
	ml_node_state(node, ML_STATE_RUNNING, NULL);
	ml_job_succeed(job);
}

static void run_reload(struct ml_node *node, void *user, struct ml_job *job, void *params)
{
	struct render *self = user;
	struct report_template *before = self->loaded;
	struct ml_error err = ML_ERROR_NONE;
	(void)params;
	self->loaded = NULL;
	if (load_file(self, &err) < 0) {
		self->loaded = before;
		ml_job_fail(job, &err);
		return;
	}
	report_template_free(before);
	ml_node_state(node, ML_STATE_RUNNING, NULL);
	ml_job_succeed(job);
}

/* ---- Class ---- */

#define FIELD(name) offsetof(struct render, name)

static const struct ml_param params[] = {
	{.name = "template",
		.kind = ML_PARAM_STRING,
		.offset = FIELD(template),
		.title = "Template",
		.help = "Name, without .lua, of a file in templates/ of the data directory, or of "
			"a "
			"template that ships with the program: 3101, 3115, json.",
		.min = 1,
		.max = 64,
		.flags = ML_PARAM_REQUIRED},
	{.name = "options",
		.kind = ML_PARAM_JSON,
		.offset = FIELD(options),
		.title = "Options",
		.help = "Options of the template, as an object.",
		.flags = ML_PARAM_NULLABLE},
	{.name = "charset",
		.kind = ML_PARAM_CHOICE,
		.offset = FIELD(charset),
		.title = "Character set",
		.help = "What has no place in it is written as close as it goes, or as ?.",
		.preset = "\"UTF-8\"",
		.choices = report_charset_choices,
		.setting = "report.charset",
		.flags = ML_PARAM_INHERIT},
	{.name = "decimal_sign",
		.kind = ML_PARAM_CHOICE,
		.offset = FIELD(decimal_sign),
		.title = "Decimal sign",
		.help = "Between the whole part of a number and its decimals.",
		.preset = "\"point\"",
		.choices = report_sign_choices,
		.setting = "report.decimal_sign",
		.flags = ML_PARAM_INHERIT},
	{.name = "separator",
		.kind = ML_PARAM_CHOICE,
		.offset = FIELD(separator),
		.title = "Separator",
		.help = "Between the fields of a CSV report.",
		.preset = "\"semicolon\"",
		.choices = report_separator_choices,
		.setting = "report.separator",
		.flags = ML_PARAM_INHERIT},
	{.name = "line_end",
		.kind = ML_PARAM_CHOICE,
		.offset = FIELD(line_end),
		.title = "Line end",
		.help = "What ends a line of a report.",
		.preset = "\"crlf\"",
		.choices = report_line_end_choices,
		.setting = "report.line_end",
		.flags = ML_PARAM_INHERIT},
	{.name = "language",
		.kind = ML_PARAM_CHOICE,
		.offset = FIELD(language),
		.title = "Language",
		.help = "Of the words in the report.",
		.preset = "\"en\"",
		.choices = report_language_choices,
		.setting = "report.language",
		.flags = ML_PARAM_INHERIT},
	{.name = "first_day_of_week",
		.kind = ML_PARAM_CHOICE,
		.offset = FIELD(first_day),
		.title = "First day of the week",
		.help = "In reports that count weeks.",
		.preset = "\"monday\"",
		.choices = report_first_day_choices,
		.setting = "report.first_day_of_week",
		.flags = ML_PARAM_INHERIT},
	{.name = "empty",
		.kind = ML_PARAM_BOOL,
		.offset = FIELD(empty),
		.title = "Empty reports",
		.help = "Render a report when there is nothing new, too.",
		.preset = "false"},
	{.name = "memory",
		.kind = ML_PARAM_INTEGER,
		.offset = FIELD(memory),
		.title = "Memory",
		.help = "What the template may hold.",
		.unit = "KiB",
		.preset = "8192",
		.min = 256,
		.max = 65536,
		.flags = ML_PARAM_ADVANCED},
	{.name = "instructions",
		.kind = ML_PARAM_INTEGER,
		.offset = FIELD(instructions),
		.title = "Instructions",
		.help = "What the template may take for 64 readings.",
		.preset = "20000000",
		.min = 1000,
		.max = 1000000000,
		.flags = ML_PARAM_ADVANCED},
	{.name = "time",
		.kind = ML_PARAM_DURATION,
		.offset = FIELD(time),
		.title = "Time",
		.help = "What the template may take for 64 readings, on the clock.",
		.unit = "s",
		.preset = "10",
		.min = 1,
		.max = 600,
		.flags = ML_PARAM_ADVANCED},
	{.name = NULL},
};

static const struct ml_port ports[] = {
	{.name = "in",
		.direction = ML_INPUT,
		.type = &meter_batch_type,
		.required = true,
		.help = "Readings to be reported."},
	{.name = "out",
		.direction = ML_OUTPUT,
		.type = &meter_document_type,
		.help = "The documents that the template wrote."},
	{.name = NULL},
};

static const struct ml_action actions[] = {
	{.name = "reload",
		.title = "Read the template again",
		.help = "Takes up the template's file as it is now. Where it has an error the one "
			"before stays in use.",
		.run = run_reload},
	{.name = "reset",
		.title = "Reset",
		.help = "Uses the template again after it was stopped for overrunning its limits.",
		.run = run_reset},
	{.name = NULL},
};

static const struct ml_metric metrics[] = {
	[COUNT_DOCUMENTS] = {.name = "documents", .help = "Documents that were passed on."},
	[COUNT_BYTES] = {.name = "bytes", .help = "Bytes of these."},
	[COUNT_REPLACED] = {.name = "replaced",
		.help = "Characters the character set has no place for."},
	[COUNT_EMPTY] = {.name = "empty",
		.help = "Batches without readings, of which no report was made."},
	[COUNT_EMPTY + 1] = {.name = NULL},
};

const struct ml_node_class report_render_class = {
	.type = "template-render",
	.version = 1,
	.title = "Render a report",
	.help = "Writes one or more documents from a batch of readings by a Lua template. "
		"Templates that "
		"ship: 3101 (all values, one row a reading), 3115 (a header line before each "
		"meter's "
		"rows) and json. docs/reference/templates.md tells how to write one.",
	.category = "report",
	.params = params,
	.ports = ports,
	.actions = actions,
	.metrics = metrics,
	.size = sizeof(struct render),
	.lane = "render",
	.prepare = render_prepare,
	.start = render_start,
	.process = render_process,
	.room = render_room,
	.stop = render_stop,
	.destroy = render_destroy,
};
