/* The node file-sink: puts reports into a folder.
 * SPDX-License-Identifier: Apache-2.0
 *
 * It writes to disks and waits for them, so it asks for the lane "files". One report at a time: one
 * that could not be written is tried again before the next is taken.
 */
#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <meterloom/command.h>
#include <meterloom/engine.h>
#include <meterloom/event.h>
#include <meterloom/node.h>

#include "meter/delivery.h"
#include "report/family.h"
#include "report/file_place.h"
#include "report/retry_params.h"

enum { IN };
enum { DELIVERED, FAILED, RETRIES, BYTES }; /* metrics */

struct file_sink {
	/* parameters */
	char *folder;
	int collision;
	struct report_retry_own retry;

	struct ml_node *node;
	struct ml_message *held; /* what waits for a retry; NULL: nothing */
	unsigned retries;        /* done for it */
	struct ml_timer timer;
	char *place; /* the folder, absolute; NULL: it would be in a data directory, and there is
			none */
};

/* Folders of the graph stay below files/ unless they are absolute. */
static int check_folder(const json_t *value, struct ml_error *err)
{
	const char *folder = json_string_value(value);
	const size_t length = strlen(folder);
	if (strcmp(folder, "..") == 0 || strncmp(folder, "../", 3) == 0 || strstr(folder, "/../") ||
		(length >= 3 && strcmp(folder + length - 3, "/..") == 0))
		return ml_error_set(err, -EINVAL,
			"'..' leads out of the folder: expected a folder below the data "
			"directory's files/, "
			"or an absolute path");
	return 0;
}

static int sink_prepare(struct ml_node *node, void *instance, struct ml_error *err)
{
	struct file_sink *self = instance;
	const char *data = ml_engine_data(ml_node_engine(node));
	self->node = node;
	if (self->folder[0] == '/') {
		self->place = strdup(self->folder);
	} else if (data) {
		char *base = realpath(data, NULL);
		char place[4096];
		const int length = snprintf(
			place, sizeof place, "%s/files/%s", base ? base : data, self->folder);
		free(base);
		if (length < 0 || (size_t)length >= sizeof place)
			return ml_error_set(
				err, -ENAMETOOLONG, "the path of the folder is too long");
		self->place = strdup(place);
	} else {
		return 0;
	}
	return self->place ? 0 : ml_error_set(err, -ENOMEM, "out of memory");
}

static void give_up(struct file_sink *self, int code, const char *reason)
{
	struct ml_node *node = self->node;
	const struct meter_document *document = meter_document(self->held);
	/* Another file of that name is there for good. */
	const bool refused = code == -EEXIST;
	meter_delivery_tell(document->delivery,
		refused ? METER_DELIVERY_REFUSED : METER_DELIVERY_FAILED,
		self->place ? self->place : self->folder, reason);
	if (meter_delivery_purpose(document->delivery) == METER_DELIVERY_REPORT) {
		ml_node_count(node, FAILED, 1);
		ml_node_state(node, self->place && !refused ? ML_STATE_WAITING : ML_STATE_FAULT,
			"%s", reason);
		ml_event_raise(ml_node_engine(node), refused ? "report-refused" : "report-failed",
			ml_node_id(node), "report", document->name, "receiver", self->folder,
			"reason", reason, NULL);
	}
	ml_fail(node, self->held, "%s", reason);
	self->held = NULL;
	ml_node_demand(node, IN, 1);
}

static void try_again_or_give_up(struct file_sink *self, const struct ml_error *err)
{
	const struct meter_document *document = meter_document(self->held);
	const struct report_retry_plan plan = report_retry_plan(&self->retry, document);
	const ml_time wall = ml_node_wall(self->node);
	ml_time at = 0;
	if (!self->place || err->code == -EEXIST ||
		!report_retry_at(&plan, self->retries, wall, 0, document->next, &at)) {
		give_up(self, err->code, err->text);
		return;
	}
	meter_delivery_tell(document->delivery, METER_DELIVERY_FAILED, self->place, err->text);
	ml_node_state(self->node, ML_STATE_WAITING, "retry %u of %u of %s in %lld s: %s",
		self->retries + 1, plan.count, document->name, (long long)((at - wall) / ML_SEC),
		err->text);
	ml_node_log(self->node, ML_LOG_WARNING, "%s; retry %u of %u in %lld s", err->text,
		self->retries + 1, plan.count, (long long)((at - wall) / ML_SEC));
	ml_timer_start(&self->timer, ml_node_now(self->node) + (at - wall));
}

static void deliver(struct file_sink *self)
{
	struct ml_node *node = self->node;
	const struct meter_document *document = meter_document(self->held);
	struct ml_error err = ML_ERROR_NONE;
	char name[FILE_NAME_MAX] = "";
	const struct file_job job = {
		.files = ml_engine_files(ml_node_engine(node)),
		.folder = self->place ? self->place : "",
		.source = document->path,
		.size = document->size,
		.name = document->name,
		.tag = ml_node_id(node),
		.collision = (enum file_collision)self->collision,
	};
	const int r =
		self->place ? file_place(&job, name, &err)
			    : ml_error_set(&err, -ENOENT, "there is no data directory to write to");
	if (r != 0) {
		try_again_or_give_up(self, &err);
		return;
	}
	ml_node_count(node, DELIVERED, 1);
	ml_node_count(node, BYTES, (int64_t)document->size);
	ml_node_log(node, ML_LOG_INFO, "wrote %s (%llu bytes)", name,
		(unsigned long long)document->size);
	ml_node_state(node, ML_STATE_RUNNING, "wrote %s", name);
	meter_delivery_tell(document->delivery, METER_DELIVERY_DELIVERED, self->place, NULL);
	ml_release(node, self->held);
	self->held = NULL;
	ml_node_demand(node, IN, 1);
}

static void timer_fired(struct ml_timer *timer)
{
	struct file_sink *self = timer->user;
	self->retries++;
	ml_node_count(self->node, RETRIES, 1);
	deliver(self);
}

static void sink_start(struct ml_node *node, void *instance)
{
	struct file_sink *self = instance;
	ml_timer_init(&self->timer, ml_node_lane(node), timer_fired, self);
	ml_node_demand(node, IN, 1);
	if (!self->place)
		ml_node_state(node, ML_STATE_FAULT,
			"there is no data directory: set 'folder' to an absolute path");
	else
		ml_node_state(node, ML_STATE_RUNNING, "writes to %s", self->place);
}

static void sink_process(struct ml_node *node, void *instance, unsigned port,
	struct ml_message *const *messages, size_t count)
{
	struct file_sink *self = instance;
	(void)node;
	(void)port;
	(void)count; /* 1, as the demand says */
	self->held = messages[0];
	self->retries = 0;
	deliver(self);
}

static void sink_stop(struct ml_node *node, void *instance)
{
	struct file_sink *self = instance;
	if (self->held)
		ml_fail(node, self->held, "the node was stopped before the report was delivered");
	self->held = NULL;
}

static void sink_retry(struct ml_node *node, void *instance, struct ml_job *job, void *params)
{
	struct file_sink *self = instance;
	struct ml_error err = ML_ERROR_NONE;
	(void)params;
	if (!self->held) {
		ml_error_set(&err, -EAGAIN, "no report waits for a retry here");
		ml_job_fail(job, &err);
		return;
	}
	ml_timer_start(&self->timer, ml_node_now(node));
	ml_job_succeed(job);
}

static void sink_let_go(struct ml_node *node, void *instance, struct ml_job *job, void *params)
{
	struct file_sink *self = instance;
	struct ml_error err = ML_ERROR_NONE;
	(void)node;
	(void)params;
	if (!self->held) {
		ml_error_set(&err, -EAGAIN, "no report waits for a retry here");
		ml_job_fail(job, &err);
		return;
	}
	ml_timer_stop(&self->timer);
	give_up(self, -ECANCELED, "its wait for a retry was ended by a person");
	ml_job_succeed(job);
}

static void sink_destroy(void *instance)
{
	struct file_sink *self = instance;
	free(self->place);
	self->place = NULL;
}

static const struct ml_choice collision_choices[] = {
	{"number", FILE_NUMBER, "the new one gets a number: NAME-2.csv"},
	{"replace", FILE_REPLACE, "the new one takes its place"},
	{"refuse", FILE_REFUSE, "the new one is refused"},
	{0},
};

static const struct ml_param sink_params[] = {
	{.name = "folder",
		.kind = ML_PARAM_STRING,
		.offset = offsetof(struct file_sink, folder),
		.title = "Folder",
		.help = "Where the files go: a folder below files/ of the data directory, or an "
			"absolute "
			"path. It is made where it is missing.",
		.preset = "\"reports\"",
		.min = 1,
		.max = 1000,
		.check = check_folder},
	{.name = "collision",
		.kind = ML_PARAM_CHOICE,
		.offset = offsetof(struct file_sink, collision),
		.title = "Same name",
		.help = "What is done where a file of that name, with other content, is there "
			"already.",
		.preset = "\"number\"",
		.choices = collision_choices},
	REPORT_RETRY_PARAMS(struct file_sink, "a file could not be written"),
	{0},
};

static const struct ml_port sink_ports[] = {
	[IN] = {"in", ML_INPUT, &meter_document_type, .required = true, .help = "Reports."},
	{0},
};

static const struct ml_action sink_actions[] = {
	{.name = "retry",
		.title = "Try again now",
		.help = "Writes the report that waits for its retry at once.",
		.run = sink_retry},
	{.name = "let-go",
		.title = "Do not wait for the retry",
		.help = "Ends the wait of the report for its retry: it counts as failed, and stays "
			"outstanding. report.discard or report.rebuild can be called then; else "
			"the "
			"next trigger sends it again.",
		.run = sink_let_go},
	{0},
};

static const struct ml_metric sink_metrics[] = {
	[DELIVERED] = {"delivered", .help = "Reports written."},
	[FAILED] = {"given_up", .help = "Reports that could not be written."},
	[RETRIES] = {"retries", .help = "Tries after the first."},
	[BYTES] = {"bytes", .help = "Bytes of the reports written."},
	{0},
};

const struct ml_node_class report_file_sink_class = {
	.type = "file-sink",
	.version = 1,
	.title = "Write to files",
	.help = "Puts each report into a folder, under its own name. A file appears whole or not "
		"at all, and "
		"counts as delivered once it is safe on the disk.",
	.category = "sink",
	.params = sink_params,
	.ports = sink_ports,
	.actions = sink_actions,
	.metrics = sink_metrics,
	.size = sizeof(struct file_sink),
	.lane = "files",
	.prepare = sink_prepare,
	.start = sink_start,
	.process = sink_process,
	.stop = sink_stop,
	.destroy = sink_destroy,
};
