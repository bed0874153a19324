/* The commands of the recordings that a gateway keeps, on the lane "files".
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <meterloom/engine.h>
#include <meterloom/files.h>

#include "mbus/keeper.h"
#include "mbus/keeper_commands.h"

enum {
	PATH_SIZE = 4096 + MBUS_KEPT_NAME_MAX,
	PART_MAX = 4 * 1024 * 1024, /* of a recording, in one result */
	READ_SIZE = 64 * 1024,
};

static int folder_of(struct ml_job *job, char out[PATH_SIZE], struct ml_error *err)
{
	const char *data = ml_engine_data(ml_job_engine(job));
	if (!data)
		return ml_error_set(
			err, -ENOENT, "this gateway has no data directory, and no recordings");
	(void)snprintf(out, PATH_SIZE, "%s/" MBUS_KEEPER_FOLDER, data);
	return 0;
}

/* ---- recording.list ---- */

struct listing {
	char (*names)[MBUS_KEPT_NAME_MAX]; /* owned */
	size_t count, capacity;
};

static void add_name(void *context, const char *name, bool folder)
{
	struct listing *l = context;
	if (folder || strlen(name) >= MBUS_KEPT_NAME_MAX)
		return;
	if (l->count == l->capacity) {
		const size_t capacity = l->capacity ? l->capacity * 2 : 16;
		void *bigger = realloc(l->names, capacity * sizeof *l->names);
		if (!bigger)
			return;
		l->names = bigger;
		l->capacity = capacity;
	}
	(void)snprintf(l->names[l->count++], MBUS_KEPT_NAME_MAX, "%s", name);
}

static int newest_first(const void *a, const void *b)
{
	return strcmp(b, a);
}

void mbus_recording_list(struct ml_job *job, void *params)
{
	const struct ml_files *files = ml_engine_files(ml_job_engine(job));
	char folder[PATH_SIZE];
	struct listing l = {0};
	struct ml_error err = ML_ERROR_NONE;
	(void)params;
	if (folder_of(job, folder, &err) < 0) {
		ml_job_fail(job, &err);
		return;
	}
	/* Where nothing was recorded yet there is no folder. */
	(void)files->list(files->user, folder, add_name, &l);
	if (l.count > 0)
		qsort(l.names, l.count, sizeof l.names[0], newest_first);
	struct ml_json_writer *w = ml_job_result(job);
	ml_json_begin_object(w);
	ml_json_key(w, "recordings");
	ml_json_begin_array(w);
	for (size_t i = 0; i < l.count; i++)
		ml_json_string(w, l.names[i]);
	ml_json_end_array(w);
	ml_json_end_object(w);
	free(l.names);
	ml_job_succeed(job);
}

/* ---- recording.show ---- */

static int check_name(const json_t *value, struct ml_error *err)
{
	const char *name = json_string_value(value);
	return strchr(name, '/') || name[0] == '.'
		       ? ml_error_set(err, -EINVAL,
				 "'%.40s': expected the name of a recording, as recording.list "
				 "gives it",
				 name)
		       : 0;
}

const struct ml_param mbus_recording_show_params[] = {
	{.name = "name",
		.kind = ML_PARAM_STRING,
		.offset = offsetof(struct mbus_recording_wanted, name),
		.title = "Recording",
		.help = "Its name, as recording.list gives it.",
		.min = 1,
		.max = MBUS_KEPT_NAME_MAX - 1,
		.check = check_name,
		.flags = ML_PARAM_REQUIRED},
	{.name = "from",
		.kind = ML_PARAM_INTEGER,
		.offset = offsetof(struct mbus_recording_wanted, from),
		.title = "From",
		.help = "The byte to begin with: what `next` said.",
		.preset = "0",
		.min = 0,
		.max = INT32_MAX},
	{0},
};

static int open_one(
	struct ml_job *job, const char *name, char path[PATH_SIZE], struct ml_error *err)
{
	const struct ml_files *files = ml_engine_files(ml_job_engine(job));
	char folder[PATH_SIZE];
	const int result = folder_of(job, folder, err);
	if (result < 0)
		return result;
	(void)snprintf(path, PATH_SIZE, "%.4000s/%.95s", folder, name);
	const int fd = files->open(files->user, path, O_RDONLY, 0);
	if (fd < 0)
		return ml_error_set(err, fd, "the recording %s cannot be read: %s", name,
			fd == -ENOENT ? "there is none of that name; recording.list tells those "
					"there are"
				      : strerror(-fd));
	return fd;
}

/* Appends what stands from `from` on, at most PART_MAX bytes and whole lines of them. *more: there
 * is more behind. */
static int read_part(const struct ml_files *files, int fd, uint64_t from, struct ml_buffer *out,
	bool *more, struct ml_error *err)
{
	char *bytes = malloc(READ_SIZE);
	uint64_t at = 0;
	int64_t n = 0;
	*more = false;
	if (!bytes)
		return ml_error_set(err, -ENOMEM, "out of memory");
	while (!*more && (n = files->read(files->user, fd, bytes, READ_SIZE)) > 0) {
		const uint64_t end = at + (uint64_t)n;
		const size_t skip = from <= at ? 0 : from < end ? (size_t)(from - at) : (size_t)n;
		ml_buffer_append(out, bytes + skip, (size_t)n - skip);
		at = end;
		*more = out->length > PART_MAX;
	}
	free(bytes);
	if (n < 0)
		return ml_error_set(err, (int)n, "it cannot be read: %s", strerror((int)-n));
	while (*more && out->length > 0 &&
		(out->length > PART_MAX || out->data[out->length - 1] != '\n'))
		out->length--;
	return out->failed ? ml_error_set(err, -ENOMEM, "out of memory") : 0;
}

void mbus_recording_show(struct ml_job *job, void *params)
{
	const struct mbus_recording_wanted *p = params;
	const struct ml_files *files = ml_engine_files(ml_job_engine(job));
	struct ml_error err = ML_ERROR_NONE;
	struct ml_buffer text = {0};
	char path[PATH_SIZE];
	bool more = false;
	const int fd = open_one(job, p->name, path, &err);
	int result = fd;
	if (fd >= 0) {
		result = read_part(files, fd, (uint64_t)p->from, &text, &more, &err);
		(void)files->close(files->user, fd);
	}
	if (result < 0) {
		ml_job_fail(job, &err);
		goto out;
	}
	struct ml_json_writer *w = ml_job_result(job);
	ml_json_begin_object(w);
	ml_json_key(w, "name");
	ml_json_string(w, p->name);
	ml_json_key(w, "text");
	ml_json_string_n(w, text.length > 0 ? text.data : "", text.length);
	ml_json_key(w, "next");
	if (more)
		ml_json_unsigned(w, (uint64_t)p->from + text.length);
	else
		ml_json_null(w);
	ml_json_end_object(w);
	ml_job_succeed(job);
out:
	ml_buffer_free(&text);
}

/* ---- recording.remove ---- */

const struct ml_param mbus_recording_remove_params[] = {
	{.name = "name",
		.kind = ML_PARAM_STRING,
		.offset = offsetof(struct mbus_recording_wanted, name),
		.title = "Recording",
		.help = "Its name, as recording.list gives it.",
		.min = 1,
		.max = MBUS_KEPT_NAME_MAX - 1,
		.check = check_name,
		.flags = ML_PARAM_REQUIRED},
	{0},
};

void mbus_recording_remove(struct ml_job *job, void *params)
{
	const struct mbus_recording_wanted *p = params;
	const struct ml_files *files = ml_engine_files(ml_job_engine(job));
	struct ml_error err = ML_ERROR_NONE;
	char path[PATH_SIZE];
	const int fd = open_one(job, p->name, path, &err);
	int result = fd;
	if (fd >= 0) {
		(void)files->close(files->user, fd);
		result =
			mbus_keeper_writes(files, path)
				? ml_error_set(&err, -EBUSY,
					  "the recording %s is being written: cancel its job first",
					  p->name)
				: files->remove(files->user, path);
	}
	if (result < 0) {
		ml_error_set(&err, result, "the recording %s cannot be removed: %s", p->name,
			strerror(-result));
		ml_job_fail(job, &err);
		return;
	}
	ml_job_succeed(job);
}
