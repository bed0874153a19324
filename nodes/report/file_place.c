/* Puts a copy of a file into a folder: whole or not at all, and safe once it is there.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "report/file_place.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

enum { CHUNK = 16 * 1024, NUMBERS_MAX = 10000, PLACE_MAX = 4096 };

static int fail(struct ml_error *err, const struct file_job *job, const char *what, int code)
{
	if (code == -ENOSPC || code == -EDQUOT)
		return ml_error_set(err, code,
			"no space left in %s for %s (%llu bytes): remove files, or set another "
			"folder",
			job->folder, job->name, (unsigned long long)job->size);
	return ml_error_set(
		err, code, "%s %s/%s: %s", what, job->folder, job->name, strerror(-code));
}

static void find_place(const struct file_job *job, const char *name, char out[PLACE_MAX])
{
	(void)snprintf(out, PLACE_MAX, "%s/%s", job->folder, name);
}

/* Makes the folder and those above it. */
static int make_folder(const struct file_job *job, struct ml_error *err)
{
	const size_t length = strlen(job->folder);
	if (length < 1 || length + FILE_NAME_MAX + 2 > PLACE_MAX || job->folder[0] != '/')
		return ml_error_set(
			err, -EINVAL, "the folder '%.100s' is no absolute path", job->folder);
	const int r = ml_files_make_folders(job->files, job->folder, 0777, NULL);
	return r < 0 ? fail(err, job, "cannot make the folder for", r) : 0;
}

static int copy(const struct file_job *job, int from, int to, struct ml_error *err)
{
	const struct ml_files *files = job->files;
	char data[CHUNK];
	uint64_t done = 0;
	int64_t n;
	while ((n = files->read(files->user, from, data, sizeof data)) > 0) {
		const int r = ml_files_write_all(files, to, data, (size_t)n);
		if (r < 0)
			return fail(err, job, "cannot write", r);
		done += (uint64_t)n;
	}
	if (n < 0)
		return fail(err, job, "cannot read the report of", (int)n);
	if (done != job->size)
		return ml_error_set(err, -EIO,
			"the report %s has %llu bytes where %llu were rendered", job->name,
			(unsigned long long)done, (unsigned long long)job->size);
	const int r = files->sync(files->user, to);
	return r < 0 ? fail(err, job, "cannot write", r) : 0;
}

static size_t read_full(const struct ml_files *files, int fd, char *data, size_t size)
{
	size_t done = 0;
	int64_t n = 1;
	while (done < size && n > 0) {
		n = files->read(files->user, fd, data + done, size - done);
		done += n > 0 ? (size_t)n : 0;
	}
	return done;
}

/* Whether the file of this path has the bytes of the source. */
static bool same_bytes(const struct file_job *job, const char *place)
{
	const struct ml_files *files = job->files;
	uint64_t size = 0;
	bool same = true;
	const int there = files->open(files->user, place, O_RDONLY | O_NONBLOCK, 0);
	const int source = files->open(files->user, job->source, O_RDONLY, 0);
	while (same && there >= 0 && source >= 0) {
		char a[CHUNK / 2];
		char b[CHUNK / 2];
		const size_t n = read_full(files, there, a, sizeof a);
		same = read_full(files, source, b, sizeof b) == n && memcmp(a, b, n) == 0;
		size += n;
		if (n < sizeof a)
			break;
	}
	same = same && there >= 0 && source >= 0 && size == job->size;
	if (there >= 0)
		(void)files->close(files->user, there);
	if (source >= 0)
		(void)files->close(files->user, source);
	return same;
}

/* "NAME-2.csv": the number goes before the last ending. */
static void number_name(const char *name, int number, char *out)
{
	const char *dot = strrchr(name, '.');
	const int stem = (int)(dot && dot != name ? dot - name : (ptrdiff_t)strlen(name));
	if (number == 1)
		(void)snprintf(out, FILE_NAME_MAX, "%s", name);
	else
		(void)snprintf(out, FILE_NAME_MAX, "%.*s-%d%s", stem, name, number, name + stem);
}

/* Gives the copy its name. 1: a file with the same bytes is there already. */
static int settle(const struct file_job *job, const char *part, char *out, struct ml_error *err)
{
	const struct ml_files *files = job->files;
	const int last = job->collision == FILE_NUMBER ? NUMBERS_MAX : 1;
	char place[PLACE_MAX];
	for (int number = 1; number <= last; number++) {
		number_name(job->name, number, out);
		find_place(job, out, place);
		int r = files->rename(files->user, part, place, false);
		if (r == 0)
			return 0;
		if (r != -EEXIST)
			return fail(err, job, "cannot name", r);
		if (same_bytes(job, place))
			return 1;
		if (job->collision == FILE_REPLACE) {
			r = files->rename(files->user, part, place, true);
			return r < 0 ? fail(err, job, "cannot replace", r) : 0;
		}
	}
	return fail(err, job, "there is already a file", -EEXIST);
}

/* The copy under a name that nobody looks for. */
static int write_part(const struct file_job *job, const char *part, struct ml_error *err)
{
	const struct ml_files *files = job->files;
	const int source = files->open(files->user, job->source, O_RDONLY, 0);
	if (source < 0)
		return fail(err, job, "cannot read the report of", source);
	(void)files->remove(files->user, part); /* of a try that ended with the power */
	const int to = files->open(files->user, part, O_WRONLY | O_CREAT | O_EXCL, 0666);
	int r = to < 0 ? fail(err, job, "cannot write", to) : copy(job, source, to, err);
	if (to >= 0) {
		const int closed = files->close(files->user, to);
		if (r == 0 && closed < 0)
			r = fail(err, job, "cannot write", closed);
		if (r < 0)
			(void)files->remove(files->user, part);
	}
	(void)files->close(files->user, source);
	return r;
}

int file_place(const struct file_job *job, char *out, struct ml_error *err)
{
	char name[FILE_NAME_MAX], part[PLACE_MAX];
	out[0] = '\0';
	if (!job->name[0] || strchr(job->name, '/') || strcmp(job->name, ".") == 0 ||
		strcmp(job->name, "..") == 0 || strlen(job->name) > FILE_NAME_MAX - 16)
		return ml_error_set(err, -EINVAL, "'%.100s' is no name for a file", job->name);
	int r = make_folder(job, err);
	if (r != 0)
		return r;
	(void)snprintf(name, sizeof name, ".%.200s.part", job->tag);
	find_place(job, name, part);
	r = write_part(job, part, err);
	if (r < 0)
		return r;
	r = settle(job, part, out, err);
	if (r != 0)
		(void)job->files->remove(job->files->user, part);
	if (r < 0)
		return r;
	r = job->files->sync_folder(job->files->user, job->folder);
	return r < 0 ? fail(err, job, "cannot write", r) : 0;
}
