/* The file layer: the system's table, and what is made of any.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <meterloom/files.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PATH_MAX_BYTES = 4096, TREE_DEPTH_MAX = 8 };

/* ---- The system's ---- */

static int system_open(void *user, const char *path, int flags, unsigned mode)
{
	(void)user;
	const int fd = open(path, flags | O_CLOEXEC | O_NOFOLLOW, (mode_t)mode);
	return fd < 0 ? -errno : fd;
}

static int64_t system_read(void *user, int fd, void *bytes, size_t size)
{
	ssize_t n;
	(void)user;
	do {
		n = read(fd, bytes, size);
	} while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : n;
}

static int64_t system_write(void *user, int fd, const void *bytes, size_t length)
{
	ssize_t n;
	(void)user;
	do {
		n = write(fd, bytes, length);
	} while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : n;
}

static int system_sync(void *user, int fd)
{
	(void)user;
	return fsync(fd) < 0 ? -errno : 0;
}

static int system_close(void *user, int fd)
{
	(void)user;
	return close(fd) < 0 ? -errno : 0;
}

/* File systems that cannot refuse in one step do it in two. */
static int system_rename(void *user, const char *from, const char *to, bool replace)
{
	struct stat info;
	(void)user;
	if (!replace) {
		if (renameat2(AT_FDCWD, from, AT_FDCWD, to, RENAME_NOREPLACE) == 0)
			return 0;
		if (errno != EINVAL && errno != ENOSYS)
			return -errno;
		if (lstat(to, &info) == 0)
			return -EEXIST;
	}
	return rename(from, to) < 0 ? -errno : 0;
}

static int system_remove(void *user, const char *path)
{
	(void)user;
	return unlink(path) < 0 ? -errno : 0;
}

static int system_make_folder(void *user, const char *path, unsigned mode)
{
	(void)user;
	return mkdir(path, (mode_t)mode) < 0 ? -errno : 0;
}

static int system_remove_folder(void *user, const char *path)
{
	(void)user;
	return rmdir(path) < 0 ? -errno : 0;
}

static int system_sync_folder(void *user, const char *path)
{
	(void)user;
	const int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	int result = fsync(fd) < 0 ? -errno : 0;
	if (result == -EINVAL)
		result = 0; /* a file system that knows no such thing */
	(void)close(fd);
	return result;
}

static int system_list(void *user, const char *path,
	void (*each)(void *context, const char *name, bool folder), void *context)
{
	(void)user;
	DIR *directory = opendir(path);
	if (!directory)
		return -errno;
	for (const struct dirent *entry; (errno = 0, entry = readdir(directory));) {
		struct stat info;
		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
			continue;
		const bool known =
			fstatat(dirfd(directory), entry->d_name, &info, AT_SYMLINK_NOFOLLOW) == 0;
		each(context, entry->d_name, known && S_ISDIR(info.st_mode));
	}
	const int result = -errno;
	(void)closedir(directory);
	return result;
}

const struct ml_files ml_files_system = {
	.open = system_open,
	.read = system_read,
	.write = system_write,
	.sync = system_sync,
	.close = system_close,
	.rename = system_rename,
	.remove = system_remove,
	.make_folder = system_make_folder,
	.remove_folder = system_remove_folder,
	.sync_folder = system_sync_folder,
	.list = system_list,
};

static int no_sync(void *user, int fd)
{
	(void)user;
	(void)fd;
	return 0;
}

static int no_sync_folder(void *user, const char *path)
{
	(void)user;
	(void)path;
	return 0;
}

const struct ml_files ml_files_unsynced = {
	.open = system_open,
	.read = system_read,
	.write = system_write,
	.sync = no_sync,
	.close = system_close,
	.rename = system_rename,
	.remove = system_remove,
	.make_folder = system_make_folder,
	.remove_folder = system_remove_folder,
	.sync_folder = no_sync_folder,
	.list = system_list,
};

/* ---- Of any ---- */

int ml_files_write_all(const struct ml_files *files, int fd, const void *bytes, size_t length)
{
	const char *at = bytes;
	while (length > 0) {
		const int64_t n = files->write(files->user, fd, at, length);
		if (n < 0)
			return (int)n;
		if (n == 0)
			return -EIO;
		at += n;
		length -= (size_t)n;
	}
	return 0;
}

int ml_files_write_new(const struct ml_files *files, const char *path, unsigned mode,
	const void *bytes, size_t length, struct ml_error *err)
{
	const int fd = files->open(files->user, path, O_WRONLY | O_CREAT | O_EXCL, mode);
	if (fd < 0)
		return ml_error_set(err, fd, "%s: cannot be made: %s", path, strerror(-fd));
	int result = ml_files_write_all(files, fd, bytes, length);
	if (result == 0)
		result = files->sync(files->user, fd);
	const int closed = files->close(files->user, fd);
	result = result ? result : closed;
	if (result == 0)
		return 0;
	(void)files->remove(files->user, path);
	return ml_error_set(err, result, "%s: cannot be written: %s", path, strerror(-result));
}

int ml_files_read(const struct ml_files *files, const char *path, size_t max, struct ml_buffer *out,
	struct ml_error *err)
{
	char bytes[4096];
	size_t length = 0;
	int64_t n;
	const int fd = files->open(files->user, path, O_RDONLY | O_NONBLOCK, 0);
	if (fd == -ENOENT)
		return fd;
	if (fd < 0)
		return ml_error_set(err, fd, "%s: cannot be read: %s", path, strerror(-fd));
	while ((n = files->read(files->user, fd, bytes, sizeof bytes)) > 0 &&
		(length += (size_t)n) <= max)
		ml_buffer_append(out, bytes, (size_t)n);
	(void)files->close(files->user, fd);
	if (n < 0)
		return ml_error_set(err, (int)n, "%s: cannot be read: %s", path, strerror((int)-n));
	if (length > max)
		return ml_error_set(err, -EFBIG, "%s: is larger than %zu bytes", path, max);
	return out->failed ? ml_error_set(err, -ENOMEM, "out of memory") : 0;
}

static int make_and_sync(const struct ml_files *files, char *path, unsigned mode)
{
	const int result = files->make_folder(files->user, path, mode);
	char *slash = strrchr(path, '/');
	if (result < 0)
		return result == -EEXIST ? 0 : result;
	if (slash && slash != path)
		*slash = '\0';
	(void)files->sync_folder(files->user, !slash ? "." : slash == path ? "/" : path);
	if (slash)
		*slash = '/';
	return 0;
}

/* Makes the last folder of a path, and those above it where they are missing. */
static int make_folder(const struct ml_files *files, char *path, unsigned mode)
{
	int result = make_and_sync(files, path, mode);
	char *slash = strrchr(path, '/');
	if (result != -ENOENT || !slash || slash == path)
		return result;
	*slash = '\0';
	result = make_folder(files, path, mode);
	*slash = '/';
	return result < 0 ? result : make_and_sync(files, path, mode);
}

int ml_files_make_folders(
	const struct ml_files *files, const char *path, unsigned mode, struct ml_error *err)
{
	char place[PATH_MAX_BYTES];
	size_t length = strlen(path);
	if (length == 0 || length >= sizeof place)
		return ml_error_set(err, -ENAMETOOLONG, "'%.100s' is no path of a folder", path);
	memcpy(place, path, length + 1);
	while (length > 1 && place[length - 1] == '/')
		place[--length] = '\0';
	const int result = make_folder(files, place, mode);
	return result < 0 ? ml_error_set(err, result, "%s: the folder cannot be made: %s", path,
				    strerror(-result))
			  : 0;
}

/* The names of a folder: removing while listing would skip some. */
struct names {
	struct ml_buffer text; /* 'd' or 'f', the name, NUL */
};

static void add_name(void *context, const char *name, bool folder)
{
	struct names *names = context;
	ml_buffer_append(&names->text, folder ? "d" : "f", 1);
	ml_buffer_append(&names->text, name, strlen(name) + 1);
}

static int remove_tree(const struct ml_files *files, const char *path, int depth)
{
	struct names names = {.text = {0}};
	char place[PATH_MAX_BYTES];
	int result =
		depth > TREE_DEPTH_MAX ? -ELOOP : files->list(files->user, path, add_name, &names);
	if (result == -ENOENT)
		return 0;
	if (result == 0 && names.text.failed)
		result = -ENOMEM;
	for (size_t at = 0; result == 0 && at < names.text.length;) {
		const char *entry = names.text.data + at;
		at += strlen(entry) + 1;
		const int length = snprintf(place, sizeof place, "%s/%s", path, entry + 1);
		if (length < 0 || (size_t)length >= sizeof place)
			result = -ENAMETOOLONG;
		else if (*entry == 'd')
			result = remove_tree(files, place, depth + 1);
		else
			result = files->remove(files->user, place);
	}
	ml_buffer_free(&names.text);
	return result ? result : files->remove_folder(files->user, path);
}

int ml_files_remove_tree(const struct ml_files *files, const char *path)
{
	return remove_tree(files, path, 1);
}
