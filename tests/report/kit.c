/* An engine with a source of documents, for the tests of sinks.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "report/kit.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <mbedtls/sha256.h>

#include <meterloom/command.h>

#include "meter/family.h"
#include "report/family.h"

/* ---- The source ---- */

static int desk_start(struct ml_engine *engine, void **ret_service, struct ml_error *err)
{
	(void)engine;
	(void)err;
	*ret_service = calloc(1, sizeof(struct kit *));
	return *ret_service ? 0 : -1;
}

static struct kit *kit_of(struct ml_node *node)
{
	struct kit **slot = ml_service(ml_node_engine(node), "desk");
	return *slot;
}

static void source_start(struct ml_node *node, void *self)
{
	(void)self;
	const struct kit *kit = kit_of(node);
	for (size_t i = 0; i < kit->document_count; i++) {
		struct ml_message *message = ml_message_new(
			node, &meter_document_type, sizeof(struct meter_document), NULL);
		assert_non_null(message);
		memcpy(message->payload, &kit->documents[i], sizeof(struct meter_document));
		assert_int_equal(ml_ack_attach(node, message, i), 0);
		ml_emit(node, 0, message);
	}
}

static void source_acked(struct ml_node *node, void *self, uint64_t cookie, bool delivered)
{
	(void)self;
	(void)cookie;
	struct kit *kit = kit_of(node);
	atomic_fetch_add(delivered ? &kit->delivered : &kit->failed, 1);
}

static const struct ml_port source_ports[] = {
	{.name = "out", .direction = ML_OUTPUT, .type = &meter_document_type, .help = "Documents."},
	{0}};

static const struct ml_node_class source_class = {
	.type = "t-documents",
	.version = 1,
	.title = "Documents",
	.help = "Emits documents.",
	.category = "source",
	.ports = source_ports,
	.size = 8,
	.flags = ML_NODE_SOURCE,
	.start = source_start,
	.acked = source_acked,
};

static const struct ml_node_class *const classes[] = {&source_class, NULL};
static const struct ml_service_class services[] = {{"desk", desk_start, free}, {0}};
static const struct ml_family kit_family = {
	.abi = ML_FAMILY_ABI,
	.size = sizeof(struct ml_family),
	.name = "kit",
	.node_classes = classes,
	.services = services,
};

/* ---- The engine ---- */

static struct kit *make(struct ml_clock *clock, const struct ml_family *const *families)
{
	struct kit *kit = calloc(1, sizeof *kit);
	assert_non_null(kit);
	(void)snprintf(kit->folder, sizeof kit->folder, "/tmp/meterloom-test-XXXXXX");
	assert_non_null(mkdtemp(kit->folder));
	kit->clock = clock;
	kit->log = ml_log_new(kit->clock, 0);
	ml_log_set_minimum(kit->log, ML_LOG_DEBUG);
	char data[128];
	char key[128];
	(void)snprintf(data, sizeof data, "%s/data", kit->folder);
	(void)snprintf(key, sizeof key, "%s/device.key", kit->folder);
	const struct ml_engine_options options = {.families = families,
		.clock = kit->clock,
		.log = kit->log,
		.data = data,
		.device_key = key};
	struct ml_error err = ML_ERROR_NONE;
	if (ml_engine_new(&options, &kit->engine, &err) != 0)
		fail_msg("engine: %s", err.text);
	struct kit **slot = ml_service(kit->engine, "desk");
	*slot = kit;
	return kit;
}

struct kit *kit_new(void)
{
	static const struct ml_family *const families[] = {
		&meter_family, &report_family, &kit_family, NULL};
	return make(ml_clock_new_real(), families);
}

struct kit *kit_new_simulated(const struct ml_family *family)
{
	static const struct ml_family *families[] = {
		&meter_family, &report_family, &kit_family, NULL, NULL};
	families[3] = family;
	return make(ml_clock_new_simulated(INT64_C(1769868000000000)), families);
}

void kit_free(struct kit *kit)
{
	ml_engine_free(kit->engine);
	ml_log_free(kit->log);
	ml_clock_free(kit->clock);
	char command[128];
	(void)snprintf(command, sizeof command, "rm -rf '%s'", kit->folder);
	assert_int_equal(system(command), 0);
	free(kit);
}

struct meter_document *kit_document(struct kit *kit, const char *name, const char *content)
{
	assert_true(kit->document_count < KIT_DOCUMENTS_MAX);
	struct meter_document *document = &kit->documents[kit->document_count++];
	memset(document, 0, sizeof *document);
	char path[sizeof kit->folder + 32];
	(void)snprintf(path, sizeof path, "%s/document-%zu", kit->folder, kit->document_count);
	memcpy(document->path, path, strlen(path) + 1);
	(void)snprintf(document->name, sizeof document->name, "%s", name);
	(void)snprintf(document->type, sizeof document->type, "text/csv");
	(void)snprintf(document->charset, sizeof document->charset, "ISO-8859-1");
	document->size = strlen(content);
	(void)mbedtls_sha256_ret(
		(const unsigned char *)content, strlen(content), document->hash, 0);
	meter_document_set_key(document);
	document->due = ml_clock_wall(kit->clock);
	FILE *file = fopen(document->path, "wb");
	assert_non_null(file);
	assert_int_equal(fwrite(content, 1, strlen(content), file), strlen(content));
	assert_int_equal(fclose(file), 0);
	return document;
}

static char *graph_of(const char *type, const char *params)
{
	char *text = NULL;
	assert_true(asprintf(&text,
			    "{'meterloom': 1, 'nodes': [{'id': 'docs', 'type': 't-documents'}, "
			    "{'id': 'sink', 'type': '%s', 'params': {%s}}], "
			    "'edges': [{'from': 'docs', 'to': 'sink'}]}",
			    type, params) > 0);
	for (char *c = text; *c; c++)
		*c = *c == '\'' ? '"' : *c;
	return text;
}

void kit_apply(struct kit *kit, const char *type, const char *format, ...)
{
	char *params = NULL;
	va_list args;
	va_start(args, format);
	assert_true(vasprintf(&params, format, args) >= 0);
	va_end(args);
	char *graph = graph_of(type, params);
	struct ml_errors errors = {0};
	if (ml_engine_apply(kit->engine, graph, strlen(graph), &errors) != 0)
		fail_msg("%s: %s", errors.items[0].pointer, errors.items[0].text);
	ml_errors_free(&errors);
	free(graph);
	free(params);
}

char *kit_check(struct kit *kit, const char *type, const char *params)
{
	char *graph = graph_of(type, params);
	struct ml_errors errors = {0};
	struct ml_buffer text = {0};
	(void)ml_engine_check(kit->engine, graph, strlen(graph), &errors);
	ml_buffer_append(&text, "", 0);
	for (size_t i = 0; i < errors.count; i++)
		ml_buffer_appendf(&text, "%s: %s\n", errors.items[i].pointer, errors.items[i].text);
	ml_errors_free(&errors);
	free(graph);
	char *out = strdup(text.data ? text.data : "");
	ml_buffer_free(&text);
	return out;
}

/* ---- Waiting ---- */

struct wait {
	struct kit *kit;
	bool (*ready)(struct kit *kit, const void *user);
	const void *user;
	ml_time give_up;
	struct ml_timer timer;
};

static void wait_fire(struct ml_timer *timer)
{
	struct wait *wait = timer->user;
	const ml_time now = ml_clock_monotonic(wait->kit->clock);
	if (now > wait->give_up || wait->ready(wait->kit, wait->user))
		ml_engine_quit(wait->kit->engine);
	else
		ml_timer_start(timer, now + 2 * ML_MSEC);
}

static void wait_until(
	struct kit *kit, bool (*ready)(struct kit *kit, const void *user), const void *user)
{
	struct wait wait = {.kit = kit, .ready = ready, .user = user};
	const ml_time now = ml_clock_monotonic(kit->clock);
	wait.give_up = now + 30 * ML_SEC;
	ml_timer_init(&wait.timer, ml_engine_lane(kit->engine, "control"), wait_fire, &wait);
	ml_timer_start(&wait.timer, now);
	ml_engine_run(kit->engine);
	ml_timer_stop(&wait.timer);
	if (!ready(kit, user))
		fail_msg("it did not come to that within 30 s; the log:\n%s", kit_log(kit));
}

static bool acks_told(struct kit *kit, const void *user)
{
	return atomic_load(&kit->delivered) + atomic_load(&kit->failed) >= *(const unsigned *)user;
}

void kit_wait(struct kit *kit, unsigned acks)
{
	wait_until(kit, acks_told, &acks);
}

static bool text_stands(struct kit *kit, const void *user)
{
	if (strstr(kit_log(kit), user))
		return true;
	struct ml_buffer buffer = {0};
	struct ml_json_writer w;
	ml_json_writer_init(&w, &buffer);
	ml_engine_metrics(kit->engine, &w);
	const bool found = buffer.data && strstr(buffer.data, user);
	ml_buffer_free(&buffer);
	return found;
}

void kit_wait_text(struct kit *kit, const char *text)
{
	wait_until(kit, text_stands, text);
}

static void add_line(const struct ml_log_entry *entry, void *context)
{
	struct kit *kit = context;
	const size_t length = strlen(kit->text);
	(void)snprintf(kit->text + length, sizeof kit->text - length, "%s %s: %s\n",
		ml_log_level_name(entry->level), entry->origin, entry->text);
}

const char *kit_log(struct kit *kit)
{
	kit->text[0] = '\0';
	(void)ml_log_list(kit->log, 0, ML_LOG_DEBUG, add_line, kit);
	return kit->text;
}

static void call_done(void *user, const struct ml_outcome *outcome)
{
	*(int *)user = outcome->code;
}

static bool call_told(struct kit *kit, const void *user)
{
	(void)kit;
	return *(const int *)user != 1;
}

static int call(struct kit *kit, const char *command, json_t *params)
{
	int code = 1;
	const struct ml_call call = {.command = command,
		.params = params,
		.role = ML_ROLE_ADMIN,
		.done = call_done,
		.user_data = &code,
		.lane = ml_engine_lane(kit->engine, "control")};
	assert_non_null(params);
	assert_true(ml_command_call(kit->engine, &call) != 0);
	json_decref(params);
	wait_until(kit, call_told, &code);
	return code;
}

void kit_secret(struct kit *kit, const char *name, const char *value)
{
	assert_int_equal(
		call(kit, "secret.set", json_pack("{s:s, s:s}", "name", name, "value", value)), 0);
}

void kit_setting(struct kit *kit, const char *name, json_t *value)
{
	assert_int_equal(
		call(kit, "setting.set", json_pack("{s:s, s:o}", "name", name, "value", value)), 0);
}

int kit_act(struct kit *kit, const char *action)
{
	return call(kit, "node.action", json_pack("{s:s, s:s}", "node", "sink", "action", action));
}
