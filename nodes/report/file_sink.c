/* The node file-sink: puts reports into a folder.
 * SPDX-License-Identifier: Apache-2.0
 *
 * It writes to disks and waits for them, so it asks for the lane "files".
 */
#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <meterloom/engine.h>
#include <meterloom/event.h>
#include <meterloom/node.h>

#include "meter/delivery.h"
#include "report/family.h"
#include "report/file_place.h"

enum { IN };
enum { DELIVERED, FAILED, BYTES }; /* metrics */

struct file_sink {
	/* parameters */
	char *folder;
	int collision;

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

static void sink_start(struct ml_node *node, void *instance)
{
	const struct file_sink *self = instance;
	if (!self->place)
		ml_node_state(node, ML_STATE_FAULT,
			"there is no data directory: set 'folder' to an absolute path");
	else
		ml_node_state(node, ML_STATE_RUNNING, "writes to %s", self->place);
}

static void deliver(struct ml_node *node, struct file_sink *self, struct ml_message *message)
{
	const struct meter_document *document = meter_document(message);
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
	if (r == 0) {
		ml_node_count(node, DELIVERED, 1);
		ml_node_count(node, BYTES, (int64_t)document->size);
		ml_node_log(node, ML_LOG_INFO, "wrote %s (%llu bytes)", name,
			(unsigned long long)document->size);
		ml_node_state(node, ML_STATE_RUNNING, "wrote %s", name);
		meter_delivery_tell(
			document->delivery, METER_DELIVERY_DELIVERED, self->place, NULL);
		ml_release(node, message);
		return;
	}
	meter_delivery_tell(document->delivery, METER_DELIVERY_FAILED,
		self->place ? self->place : self->folder, err.text);
	ml_node_count(node, FAILED, 1);
	ml_node_state(node, self->place ? ML_STATE_WAITING : ML_STATE_FAULT, "%s", err.text);
	ml_event_raise(ml_node_engine(node), "report-failed", ml_node_id(node), "report",
		document->name, "receiver", self->folder, "reason", err.text, NULL);
	ml_fail(node, message, "%s", err.text);
}

static void sink_process(struct ml_node *node, void *instance, unsigned port,
	struct ml_message *const *messages, size_t count)
{
	(void)port;
	for (size_t i = 0; i < count; i++)
		deliver(node, instance, messages[i]);
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
	{"refuse", FILE_REFUSE, "the new one fails"},
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
	{0},
};

static const struct ml_port sink_ports[] = {
	[IN] = {"in", ML_INPUT, &meter_document_type, .required = true, .help = "Reports."},
	{0},
};

static const struct ml_metric sink_metrics[] = {
	[DELIVERED] = {"delivered", .help = "Reports written."},
	[FAILED] = {"given_up", .help = "Reports that could not be written."},
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
	.metrics = sink_metrics,
	.size = sizeof(struct file_sink),
	.lane = "files",
	.prepare = sink_prepare,
	.start = sink_start,
	.process = sink_process,
	.destroy = sink_destroy,
};
