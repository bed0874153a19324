/* A recording that is being written to a file.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "sim/record_file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

int sim_record_open(struct sim_record_file *f, const char *path, struct ml_error *err)
{
	struct stat st;
	f->path = path;
	f->length = 0;
	f->written = 0;
	f->fd = strcmp(path, "-") == 0
			? dup(STDOUT_FILENO)
			: open(path, O_WRONLY | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC, 0644);
	if (f->fd < 0 && errno == EEXIST)
		return ml_error_set(err, -EEXIST,
			"%s is there already: choose another name, or remove it", path);
	if (f->fd < 0)
		return ml_error_set(err, -errno, "%s cannot be written: %s", path, strerror(errno));
	f->regular = fstat(f->fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_size == 0;
	return 0;
}

static int fail(struct sim_record_file *f, int code, struct ml_error *err)
{
	f->length = 0;
	/* What was taken of a line is taken back, so that whoever looks at it does not wonder. */
	if (f->regular)
		(void)!ftruncate(f->fd, (off_t)f->written);
	return ml_error_set(err, code, "%s cannot be written: %s; its first %llu bytes are kept",
		f->path, strerror(-code), (unsigned long long)f->written);
}

int sim_record_flush(struct sim_record_file *f, struct ml_error *err)
{
	size_t done = 0;
	while (done < f->length) {
		const ssize_t n = write(f->fd, f->text + done, f->length - done);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0) {
			const int code = n < 0 ? -errno : -ENOSPC;
			while (done > 0 && f->text[done - 1] != '\n')
				done--;
			f->written += done;
			return fail(f, code, err);
		}
		done += (size_t)n;
	}
	f->written += f->length;
	f->length = 0;
	return 0;
}

int sim_record_put(struct sim_record_file *f, const char *line, size_t length, struct ml_error *err)
{
	if (f->length + length > sizeof f->text) {
		const int result = sim_record_flush(f, err);
		if (result < 0)
			return result;
	}
	memcpy(f->text + f->length, line, length);
	f->length += length;
	return 0;
}

int sim_record_close(struct sim_record_file *f, struct ml_error *err)
{
	if (f->fd < 0)
		return 0;
	int result = sim_record_flush(f, err);
	if (result == 0 && f->regular && fsync(f->fd) < 0)
		result = fail(f, -errno, err);
	(void)close(f->fd);
	f->fd = -1;
	return result;
}
