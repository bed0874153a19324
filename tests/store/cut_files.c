/* A disk whose power is cut: its files as the file layer has them.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store/cut.h"

enum { FILES_MAX = 1024 };

static char *paths[FILES_MAX]; /* by descriptor; NULL: not of this folder */

static int f_open(void *user, const char *path, int flags, unsigned mode)
{
	struct stat status;
	const bool there = lstat(path, &status) == 0;
	struct cut_file *known = cut_file(path);
	(void)user;
	if (known && !there && flags & O_CREAT) {
		const int room = cut_operation(true);
		if (room < 0)
			return room;
	}
	const int fd = ml_files_system.open(NULL, path, flags, mode);
	if (fd < 0 || fd >= FILES_MAX || !known)
		return fd;
	if (!there)
		cut_made(path, false);
	paths[fd] = strdup(path);
	return fd;
}

static int64_t f_read(void *user, int fd, void *bytes, size_t size)
{
	(void)user;
	return ml_files_system.read(NULL, fd, bytes, size);
}

static void read_old(void *from, void *bytes, size_t length, int64_t at)
{
	const int fd = open(from, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || pread(fd, bytes, length, at) < 0)
		abort();
	(void)close(fd);
}

static int64_t f_write(void *user, int fd, const void *bytes, size_t length)
{
	struct stat status;
	(void)user;
	if (fd < FILES_MAX && paths[fd]) {
		const int64_t at = lseek(fd, 0, SEEK_CUR);
		if (at < 0 || fstat(fd, &status) < 0)
			abort();
		cut_before_write(cut_file(paths[fd]), at, (int64_t)length, status.st_size, read_old,
			paths[fd]);
		const int room = cut_operation(true);
		if (room < 0)
			return room;
	}
	return ml_files_system.write(NULL, fd, bytes, length);
}

static int f_sync(void *user, int fd)
{
	(void)user;
	if (fd >= FILES_MAX || !paths[fd])
		return ml_files_system.sync(NULL, fd);
	(void)cut_operation(false);
	cut_synced(cut_file(paths[fd]));
	return 0;
}

static int f_close(void *user, int fd)
{
	(void)user;
	if (fd < FILES_MAX) {
		free(paths[fd]);
		paths[fd] = NULL;
	}
	return ml_files_system.close(NULL, fd);
}

static int f_rename(void *user, const char *from, const char *to, bool replace)
{
	struct stat status;
	(void)user;
	if (lstat(from, &status) < 0)
		return -errno;
	if (!replace && lstat(to, &status) == 0)
		return -EEXIST;
	const int room = cut_operation(true);
	if (room < 0)
		return room;
	cut_renaming(from, to);
	return ml_files_system.rename(NULL, from, to, replace);
}

static int f_remove(void *user, const char *path)
{
	struct stat status;
	(void)user;
	if (lstat(path, &status) < 0)
		return -errno;
	if (cut_operation(true) == -EROFS)
		return -EROFS;
	cut_removing(path, false);
	return ml_files_system.remove(NULL, path);
}

static int f_make_folder(void *user, const char *path, unsigned mode)
{
	(void)user;
	const int room = cut_operation(true);
	if (room < 0)
		return room;
	const int result = ml_files_system.make_folder(NULL, path, mode);
	if (result == 0)
		cut_made(path, true);
	return result;
}

static int f_remove_folder(void *user, const char *path)
{
	(void)user;
	if (cut_operation(true) == -EROFS)
		return -EROFS;
	const int result = ml_files_system.remove_folder(NULL, path);
	if (result == 0)
		cut_removing(path, true);
	return result;
}

static int f_sync_folder(void *user, const char *path)
{
	(void)user;
	(void)cut_operation(false);
	cut_folder_synced(path);
	return 0;
}

static int f_list(void *user, const char *path,
	void (*each)(void *context, const char *name, bool folder), void *context)
{
	(void)user;
	return ml_files_system.list(NULL, path, each, context);
}

const struct ml_files cut_files = {
	.open = f_open,
	.read = f_read,
	.write = f_write,
	.sync = f_sync,
	.close = f_close,
	.rename = f_rename,
	.remove = f_remove,
	.make_folder = f_make_folder,
	.remove_folder = f_remove_folder,
	.sync_folder = f_sync_folder,
	.list = f_list,
};
