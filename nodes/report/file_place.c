/* Puts a copy of a file into a folder: whole or not at all, and safe once it is there.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "report/file_place.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { CHUNK = 16 * 1024, NUMBERS_MAX = 10000 };

static int fail(struct ml_error *err, const struct file_job *job, const char *what)
{
	const int code = errno;
	if (code == ENOSPC || code == EDQUOT)
		return ml_error_set(err, -code,
			"no space left in %s for %s (%llu bytes): remove files, or set another "
			"folder",
			job->folder, job->name, (unsigned long long)job->size);
	return ml_error_set(
		err, -code, "%s %s/%s: %s", what, job->folder, job->name, strerror(code));
}

/* Makes the folder and those above it. */
static int make_folder(const struct file_job *job, struct ml_error *err)
{
	char path[4096];
	const int length = snprintf(path, sizeof path, "%s", job->folder);
	if (length < 1 || (size_t)length >= sizeof path || path[0] != '/')
		return ml_error_set(
			err, -EINVAL, "the folder '%.100s' is no absolute path", job->folder);
	for (char *slash = path + 1;; slash++) {
		const char here = *slash;
		if (here != '/' && here != '\0')
			continue;
		*slash = '\0';
		if (mkdir(path, 0777) != 0 && errno != EEXIST)
			return fail(err, job, "cannot make the folder for");
		*slash = here;
		if (here == '\0')
			return 0;
	}
}

static int write_all(int fd, const char *data, size_t length)
{
	while (length > 0) {
		const ssize_t n = write(fd, data, length);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -1;
		data += n;
		length -= (size_t)n;
	}
	return 0;
}

static int copy(const struct file_job *job, int from, int to, struct ml_error *err)
{
	char data[CHUNK];
	uint64_t done = 0;
	for (;;) {
		const ssize_t n = read(from, data, sizeof data);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return fail(err, job, "cannot read the report of");
		if (n == 0)
			break;
		if (write_all(to, data, (size_t)n) != 0)
			return fail(err, job, "cannot write");
		done += (uint64_t)n;
	}
	if (done != job->size)
		return ml_error_set(err, -EIO,
			"the report %s has %llu bytes where %llu were rendered", job->name,
			(unsigned long long)done, (unsigned long long)job->size);
	if (fsync(to) != 0)
		return fail(err, job, "cannot write");
	return 0;
}

static size_t read_full(int fd, char *data, size_t size)
{
	size_t done = 0;
	while (done < size) {
		const ssize_t n = read(fd, data + done, size - done);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		done += (size_t)n;
	}
	return done;
}

/* Whether the folder has a file of this name with the bytes of the source. */
static bool same_bytes(const struct file_job *job, int folder, const char *name, int source)
{
	const int fd = openat(folder, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	if (fd < 0)
		return false;
	struct stat info;
	bool same = fstat(fd, &info) == 0 && S_ISREG(info.st_mode) &&
		    (uint64_t)info.st_size == job->size && lseek(source, 0, SEEK_SET) == 0;
	while (same) {
		char a[CHUNK / 2];
		char b[CHUNK / 2];
		const size_t n = read_full(fd, a, sizeof a);
		same = read_full(source, b, sizeof b) == n && memcmp(a, b, n) == 0;
		if (n < sizeof a)
			break;
	}
	(void)close(fd);
	return same;
}

/* Gives a name that nothing has yet; file systems that cannot do that in one step do it in two. */
static int rename_new(int folder, const char *from, const char *to)
{
	if (renameat2(folder, from, folder, to, RENAME_NOREPLACE) == 0)
		return 0;
	if (errno != EINVAL && errno != ENOSYS)
		return -1;
	if (faccessat(folder, to, F_OK, AT_SYMLINK_NOFOLLOW) == 0) {
		errno = EEXIST;
		return -1;
	}
	return renameat(folder, from, folder, to);
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
static int settle(const struct file_job *job, int folder, const char *part, int source, char *out,
	struct ml_error *err)
{
	const int last = job->collision == FILE_NUMBER ? NUMBERS_MAX : 1;
	for (int number = 1; number <= last; number++) {
		number_name(job->name, number, out);
		if (rename_new(folder, part, out) == 0)
			return 0;
		if (errno != EEXIST)
			return fail(err, job, "cannot name");
		if (same_bytes(job, folder, out, source))
			return 1;
		if (job->collision == FILE_REPLACE)
			return renameat(folder, part, folder, out) == 0
				       ? 0
				       : fail(err, job, "cannot replace");
	}
	errno = EEXIST;
	return fail(err, job, "there is already a file");
}

int file_place(const struct file_job *job, char *out, struct ml_error *err)
{
	out[0] = '\0';
	if (!job->name[0] || strchr(job->name, '/') || strcmp(job->name, ".") == 0 ||
		strcmp(job->name, "..") == 0 || strlen(job->name) > FILE_NAME_MAX - 16)
		return ml_error_set(err, -EINVAL, "'%.100s' is no name for a file", job->name);
	char part[FILE_NAME_MAX];
	(void)snprintf(part, sizeof part, ".%.200s.part", job->tag);
	int r = make_folder(job, err);
	if (r != 0)
		return r;
	int source = -1;
	int to = -1;
	bool wrote = false;
	const int folder = open(job->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (folder < 0)
		return fail(err, job, "cannot open the folder for");
	source = open(job->source, O_RDONLY | O_CLOEXEC);
	if (source < 0) {
		r = fail(err, job, "cannot read the report of");
		goto out;
	}
	(void)unlinkat(folder, part, 0); /* of a try that ended with the power */
	to = openat(folder, part, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0666);
	if (to < 0) {
		r = fail(err, job, "cannot write");
		goto out;
	}
	wrote = true;
	r = copy(job, source, to, err);
	if (r != 0)
		goto out;
	r = settle(job, folder, part, source, out, err);
	wrote = r != 0;
	if (r >= 0)
		r = fsync(folder) == 0 ? 0 : fail(err, job, "cannot write");
out:
	if (wrote)
		(void)unlinkat(folder, part, 0);
	if (to >= 0)
		(void)close(to);
	if (source >= 0)
		(void)close(source);
	(void)close(folder);
	return r;
}
