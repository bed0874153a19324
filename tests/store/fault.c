/* Disks that fail: a file layer under SQLite for the files of readings.db.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "store/fault.h"

#include <sqlite3.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static enum fault current;

struct file {
	sqlite3_file base;
	bool concerned; /* of readings.db */
	sqlite3_file *real;
};

#define REAL(f) (((struct file *)(void *)(f))->real)

static bool strikes(sqlite3_file *f, enum fault fault)
{
	return ((struct file *)(void *)f)->concerned && current == fault;
}

static int x_close(sqlite3_file *f)
{
	sqlite3_file *real = REAL(f);
	const int code = real->pMethods ? real->pMethods->xClose(real) : SQLITE_OK;
	free(real);
	return code;
}

static int x_read(sqlite3_file *f, void *data, int length, sqlite3_int64 at)
{
	return REAL(f)->pMethods->xRead(REAL(f), data, length, at);
}

static int x_write(sqlite3_file *f, const void *data, int length, sqlite3_int64 at)
{
	if (strikes(f, FAULT_FULL))
		return SQLITE_FULL;
	if (strikes(f, FAULT_READ_ONLY))
		return SQLITE_READONLY;
	return REAL(f)->pMethods->xWrite(REAL(f), data, length, at);
}

static int x_truncate(sqlite3_file *f, sqlite3_int64 size)
{
	return REAL(f)->pMethods->xTruncate(REAL(f), size);
}

static int x_sync(sqlite3_file *f, int flags)
{
	if (strikes(f, FAULT_SYNC))
		return SQLITE_IOERR_FSYNC;
	return REAL(f)->pMethods->xSync(REAL(f), flags);
}

static int x_size(sqlite3_file *f, sqlite3_int64 *size)
{
	return REAL(f)->pMethods->xFileSize(REAL(f), size);
}

static int x_lock(sqlite3_file *f, int level)
{
	return REAL(f)->pMethods->xLock(REAL(f), level);
}

static int x_unlock(sqlite3_file *f, int level)
{
	return REAL(f)->pMethods->xUnlock(REAL(f), level);
}

static int x_check(sqlite3_file *f, int *reserved)
{
	return REAL(f)->pMethods->xCheckReservedLock(REAL(f), reserved);
}

static int x_control(sqlite3_file *f, int op, void *arg)
{
	return REAL(f)->pMethods->xFileControl(REAL(f), op, arg);
}

static int x_sector(sqlite3_file *f)
{
	return REAL(f)->pMethods->xSectorSize(REAL(f));
}

static int x_device(sqlite3_file *f)
{
	return REAL(f)->pMethods->xDeviceCharacteristics(REAL(f));
}

static int x_shm_map(sqlite3_file *f, int page, int size, int extend, void volatile **at)
{
	return REAL(f)->pMethods->xShmMap(REAL(f), page, size, extend, at);
}

static int x_shm_lock(sqlite3_file *f, int offset, int n, int flags)
{
	return REAL(f)->pMethods->xShmLock(REAL(f), offset, n, flags);
}

static void x_shm_barrier(sqlite3_file *f)
{
	REAL(f)->pMethods->xShmBarrier(REAL(f));
}

static int x_shm_unmap(sqlite3_file *f, int remove)
{
	return REAL(f)->pMethods->xShmUnmap(REAL(f), remove);
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
	sqlite3_vfs *below = vfs->pAppData;
	struct file *file = (struct file *)(void *)f;
	file->base.pMethods = NULL;
	file->concerned = name && strstr(name, "readings.db") != NULL;
	if (file->concerned && current == FAULT_OPEN)
		return SQLITE_CANTOPEN;
	file->real = calloc(1, (size_t)below->szOsFile);
	if (!file->real)
		return SQLITE_NOMEM;
	const int code = below->xOpen(below, name, file->real, flags, out);
	if (code == SQLITE_OK)
		file->base.pMethods = &methods;
	else
		free(file->real);
	return code;
}

void fault_install(void)
{
	static sqlite3_vfs vfs;
	sqlite3_initialize();
	sqlite3_vfs *below = sqlite3_vfs_find(NULL);
	vfs = *below;
	vfs.zName = "fault";
	vfs.pAppData = below;
	vfs.szOsFile = (int)sizeof(struct file);
	vfs.xOpen = x_open;
	if (sqlite3_vfs_register(&vfs, 1) != SQLITE_OK)
		abort();
}

void fault_set(enum fault fault)
{
	current = fault;
}
