/* A disk whose power is cut: its files as SQLite sees them.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>

#include "store/cut.h"

void cut_vfs_install(void);

struct file {
	sqlite3_file base;
	struct cut_file *known; /* NULL: of another folder, or temporary */
	char *path;
	bool made; /* and its folder not yet synced, as SQLite does for journals and logs */
	sqlite3_file *real;
};

static struct file *of(sqlite3_file *f)
{
	return (struct file *)(void *)f;
}

#define REAL(f) (of(f)->real)
#define BELOW(f) (of(f)->real->pMethods)

static int x_close(sqlite3_file *f)
{
	sqlite3_file *real = REAL(f);
	const int code = real->pMethods ? real->pMethods->xClose(real) : SQLITE_OK;
	free(real);
	free(of(f)->path);
	return code;
}

static int x_read(sqlite3_file *f, void *data, int length, sqlite3_int64 at)
{
	return BELOW(f)->xRead(REAL(f), data, length, at);
}

static void read_old(void *from, void *bytes, size_t length, int64_t at)
{
	sqlite3_file *real = from;
	const int code = real->pMethods->xRead(real, bytes, (int)length, at);
	if (code != SQLITE_OK && code != SQLITE_IOERR_SHORT_READ)
		abort();
}

static int64_t size_now(sqlite3_file *f)
{
	sqlite3_int64 size = 0;
	if (BELOW(f)->xFileSize(REAL(f), &size) != SQLITE_OK)
		abort();
	return size;
}

/* The cut may come when it is written: then it is among what may be lost. */
static int x_write(sqlite3_file *f, const void *data, int length, sqlite3_int64 at)
{
	struct cut_file *known = of(f)->known;
	if (!known)
		return BELOW(f)->xWrite(REAL(f), data, length, at);
	cut_before_write(known, at, length, size_now(f), read_old, REAL(f));
	const int room = cut_operation(true);
	if (room < 0)
		return room == -ENOSPC ? SQLITE_FULL : SQLITE_READONLY;
	return BELOW(f)->xWrite(REAL(f), data, length, at);
}

static int x_truncate(sqlite3_file *f, sqlite3_int64 size)
{
	const int64_t now = size_now(f);
	if (of(f)->known) {
		if (size < now)
			cut_before_write(of(f)->known, size, now - size, now, read_old, REAL(f));
		if (cut_operation(true) == -EROFS)
			return SQLITE_READONLY;
	}
	return BELOW(f)->xTruncate(REAL(f), size);
}

static int x_sync(sqlite3_file *f, int flags)
{
	struct file *file = of(f);
	if (!file->known)
		return BELOW(f)->xSync(REAL(f), flags);
	(void)cut_operation(false);
	cut_synced(file->known);
	if (file->made)
		cut_folder_of_synced(file->path);
	file->made = false;
	return SQLITE_OK;
}

static int x_size(sqlite3_file *f, sqlite3_int64 *size)
{
	return BELOW(f)->xFileSize(REAL(f), size);
}

static int x_lock(sqlite3_file *f, int level)
{
	return BELOW(f)->xLock(REAL(f), level);
}

static int x_unlock(sqlite3_file *f, int level)
{
	return BELOW(f)->xUnlock(REAL(f), level);
}

static int x_check(sqlite3_file *f, int *reserved)
{
	return BELOW(f)->xCheckReservedLock(REAL(f), reserved);
}

/* Nothing is written but by x_write. */
static int x_control(sqlite3_file *f, int op, void *arg)
{
	if (op == SQLITE_FCNTL_CHUNK_SIZE || op == SQLITE_FCNTL_SIZE_HINT)
		return SQLITE_NOTFOUND;
	return BELOW(f)->xFileControl(REAL(f), op, arg);
}

static int x_sector(sqlite3_file *f)
{
	return BELOW(f)->xSectorSize(REAL(f));
}

static int x_device(sqlite3_file *f)
{
	return BELOW(f)->xDeviceCharacteristics(REAL(f));
}

static int x_shm_map(sqlite3_file *f, int page, int size, int extend, void volatile **at)
{
	return BELOW(f)->xShmMap(REAL(f), page, size, extend, at);
}

static int x_shm_lock(sqlite3_file *f, int offset, int n, int flags)
{
	return BELOW(f)->xShmLock(REAL(f), offset, n, flags);
}

static void x_shm_barrier(sqlite3_file *f)
{
	BELOW(f)->xShmBarrier(REAL(f));
}

static int x_shm_unmap(sqlite3_file *f, int remove)
{
	return BELOW(f)->xShmUnmap(REAL(f), remove);
}

static const sqlite3_io_methods methods = {
	.iVersion = 2,
	.xClose = x_close,
	.xRead = x_read,
	.xWrite = x_write,
	.xTruncate = x_truncate,
	.xSync = x_sync,
	.xFileSize = x_size,
	.xLock = x_lock,
	.xUnlock = x_unlock,
	.xCheckReservedLock = x_check,
	.xFileControl = x_control,
	.xSectorSize = x_sector,
	.xDeviceCharacteristics = x_device,
	.xShmMap = x_shm_map,
	.xShmLock = x_shm_lock,
	.xShmBarrier = x_shm_barrier,
	.xShmUnmap = x_shm_unmap,
};

static int x_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *f, int flags, int *out)
{
	enum {
		LASTING = SQLITE_OPEN_MAIN_DB | SQLITE_OPEN_MAIN_JOURNAL | SQLITE_OPEN_WAL |
			  SQLITE_OPEN_SUPER_JOURNAL
	};
	sqlite3_vfs *below = vfs->pAppData;
	struct file *file = of(f);
	*file = (struct file){0};
	file->real = calloc(1, (size_t)below->szOsFile);
	if (!file->real)
		return SQLITE_NOMEM;
	struct cut_file *known = flags & LASTING ? cut_file(name) : NULL;
	int there = 1;
	if (known)
		(void)below->xAccess(below, name, SQLITE_ACCESS_EXISTS, &there);
	const int code = below->xOpen(below, name, file->real, flags, out);
	if (code != SQLITE_OK) {
		free(file->real);
		return code;
	}
	file->base.pMethods = &methods;
	if (known) {
		file->known = known;
		file->path = strdup(name);
		file->made = !there && !(flags & SQLITE_OPEN_MAIN_DB);
		if (!there)
			cut_made(name, false);
	}
	return SQLITE_OK;
}

static int x_delete(sqlite3_vfs *vfs, const char *name, int sync)
{
	sqlite3_vfs *below = vfs->pAppData;
	if (cut_file(name)) {
		if (cut_operation(true) == -EROFS)
			return SQLITE_READONLY;
		cut_removing(name, false);
	}
	const int code = below->xDelete(below, name, 0);
	if (sync)
		cut_folder_of_synced(name);
	return code;
}

void cut_vfs_install(void)
{
	static sqlite3_vfs vfs;
	sqlite3_initialize();
	sqlite3_vfs *below = sqlite3_vfs_find(NULL);
	vfs = *below;
	vfs.zName = "cut";
	vfs.pAppData = below;
	vfs.szOsFile = (int)sizeof(struct file);
	vfs.xOpen = x_open;
	vfs.xDelete = x_delete;
	if (sqlite3_vfs_register(&vfs, 1) != SQLITE_OK)
		abort();
}
