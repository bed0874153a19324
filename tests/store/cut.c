/* A disk whose power is cut: what is on the disk for sure, and what is made of the rest.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "store/cut.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { SECTOR = 512, PATH_LENGTH = 512 };

struct sector {
	int64_t number;
	uint8_t bytes[SECTOR];
};

struct cut_file {
	char path[PATH_LENGTH];
	int64_t size;  /* when it was synced last; -1: nothing happened since */
	uint8_t *kept; /* of each sector, whether it is among `sectors` */
	size_t kept_size;
	struct sector *sectors; /* as they were when it was synced last */
	size_t count, capacity;
	struct cut_file *next;
};

enum kind { MADE, MADE_FOLDER, REMOVED, REMOVED_FOLDER, RENAMED };

/* What happened to a name, and is not on the disk for sure. */
struct change {
	enum kind kind;
	char path[PATH_LENGTH], to[PATH_LENGTH];
	char grave[PATH_LENGTH]; /* what was removed, or replaced by a rename; "": nothing */
};

static struct {
	char folder[PATH_LENGTH];
	uint64_t random;
	uint64_t operations, cut_at;
	uint64_t syncs, cut_at_sync;
	uint64_t writes, full_from, full_to;
	bool read_only;
	struct cut_file *files;
	struct change *changes;
	size_t change_count, change_capacity;
	uint64_t graves;
} disk;

static uint64_t next_random(void)
{
	disk.random ^= disk.random << 13;
	disk.random ^= disk.random >> 7;
	disk.random ^= disk.random << 17;
	return disk.random;
}

static void *grown(void *items, size_t *capacity, size_t size)
{
	*capacity = *capacity ? *capacity * 2 : 64;
	items = realloc(items, *capacity * size);
	if (!items)
		abort();
	return items;
}

static void copy_path(char *to, const char *from)
{
	if (snprintf(to, PATH_LENGTH, "%s", from) >= PATH_LENGTH)
		abort();
}

static bool is_below(const char *path, const char *folder)
{
	const size_t length = strlen(folder);
	return strncmp(path, folder, length) == 0 && (path[length] == '/' || path[length] == '\0');
}

/* ---- What is not on the disk for sure ---- */

struct cut_file *cut_file(const char *path)
{
	struct cut_file *file = disk.files;
	if (!path || !is_below(path, disk.folder))
		return NULL;
	while (file && strcmp(file->path, path) != 0)
		file = file->next;
	if (!file) {
		file = calloc(1, sizeof *file);
		if (!file)
			abort();
		copy_path(file->path, path);
		file->size = -1;
		file->next = disk.files;
		disk.files = file;
	}
	return file;
}

static void keep_sector(struct cut_file *file, int64_t number, cut_reader reader, void *from)
{
	if ((size_t)number >= file->kept_size) {
		const size_t size = (size_t)number + 4096;
		file->kept = realloc(file->kept, size);
		if (!file->kept)
			abort();
		memset(file->kept + file->kept_size, 0, size - file->kept_size);
		file->kept_size = size;
	}
	if (file->kept[number])
		return;
	file->kept[number] = 1;
	if (file->count == file->capacity)
		file->sectors = grown(file->sectors, &file->capacity, sizeof *file->sectors);
	struct sector *sector = &file->sectors[file->count++];
	sector->number = number;
	memset(sector->bytes, 0, SECTOR);
	if (number * SECTOR < file->size)
		reader(from, sector->bytes, SECTOR, number * SECTOR);
}

void cut_before_write(struct cut_file *file, int64_t at, int64_t length, int64_t size,
	cut_reader reader, void *from)
{
	if (!file || length <= 0)
		return;
	if (file->size < 0)
		file->size = size;
	for (int64_t number = at / SECTOR; number <= (at + length - 1) / SECTOR; number++)
		keep_sector(file, number, reader, from);
}

void cut_synced(struct cut_file *file)
{
	if (!file)
		return;
	for (size_t i = 0; i < file->count; i++)
		file->kept[file->sectors[i].number] = 0;
	file->count = 0;
	file->size = -1;
}

static bool folder_is(const char *path, const char *folder)
{
	const char *slash = strrchr(path, '/');
	return slash && strlen(folder) == (size_t)(slash - path) &&
	       strncmp(path, folder, (size_t)(slash - path)) == 0;
}

/* One journal of names, as file systems have it: with a change go those before it. */
void cut_folder_synced(const char *path)
{
	size_t sure = 0;
	for (size_t i = 0; i < disk.change_count; i++) {
		const struct change *change = &disk.changes[i];
		if (folder_is(change->path, path) ||
			(change->kind == RENAMED && folder_is(change->to, path)))
			sure = i + 1;
	}
	memmove(disk.changes, disk.changes + sure,
		(disk.change_count - sure) * sizeof *disk.changes);
	disk.change_count -= sure;
}

void cut_folder_of_synced(const char *path)
{
	char folder[PATH_LENGTH];
	copy_path(folder, path);
	char *slash = strrchr(folder, '/');
	if (slash)
		*slash = '\0';
	cut_folder_synced(folder);
}

static struct change *add_change(enum kind kind, const char *path)
{
	if (disk.change_count == disk.change_capacity)
		disk.changes = grown(disk.changes, &disk.change_capacity, sizeof *disk.changes);
	struct change *change = &disk.changes[disk.change_count++];
	change->kind = kind;
	copy_path(change->path, path);
	change->to[0] = '\0';
	change->grave[0] = '\0';
	return change;
}

/* Files of this path or below it are called something else from now on. */
static void rename_known(const char *from, const char *to)
{
	const size_t length = strlen(from);
	for (struct cut_file *file = disk.files; file; file = file->next) {
		char path[2 * PATH_LENGTH];
		if (!is_below(file->path, from))
			continue;
		(void)snprintf(path, sizeof path, "%s%s", to, file->path + length);
		copy_path(file->path, path);
	}
}

static void bury(struct change *change, const char *path)
{
	char grave[2 * PATH_LENGTH];
	(void)snprintf(grave, sizeof grave, "%s-grave/%llu", disk.folder,
		(unsigned long long)++disk.graves);
	if (link(path, grave) < 0)
		return;
	copy_path(change->grave, grave);
	rename_known(path, grave);
}

void cut_made(const char *path, bool folder)
{
	if (is_below(path, disk.folder))
		(void)add_change(folder ? MADE_FOLDER : MADE, path);
}

void cut_removing(const char *path, bool folder)
{
	if (!is_below(path, disk.folder))
		return;
	struct change *change = add_change(folder ? REMOVED_FOLDER : REMOVED, path);
	if (!folder)
		bury(change, path);
}

void cut_renaming(const char *from, const char *to)
{
	if (!is_below(from, disk.folder))
		return;
	struct change *change = add_change(RENAMED, from);
	copy_path(change->to, to);
	bury(change, to);
	rename_known(from, to);
}

/* ---- The cut ---- */

static void remove_tree(const char *path)
{
	char command[PATH_LENGTH + 16];
	(void)snprintf(command, sizeof command, "rm -rf '%s'", path);
	if (system(command) != 0)
		abort();
}

static void undo(const struct change *change)
{
	switch (change->kind) {
	case MADE:
		(void)unlink(change->path);
		break;
	case MADE_FOLDER:
		remove_tree(change->path);
		break;
	case REMOVED:
		if (change->grave[0])
			(void)rename(change->grave, change->path);
		break;
	case REMOVED_FOLDER:
		(void)mkdir(change->path, 0700);
		break;
	case RENAMED:
		(void)rename(change->to, change->path);
		rename_known(change->to, change->path);
		if (change->grave[0])
			(void)rename(change->grave, change->to);
		break;
	}
}

/* Before the undoing of names, so that each is found by the name it has now. */
static void lose_content(const struct cut_file *file, unsigned percent)
{
	struct stat status;
	if (file->size < 0)
		return;
	const int fd = open(file->path, O_RDWR | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &status) < 0)
		return;
	int64_t size = status.st_size;
	const int64_t was = size;
	if (size > file->size) {
		const uint64_t kind = next_random() % 3;
		if (kind == 0)
			size = file->size;
		else if (kind == 1)
			size = file->size +
			       (int64_t)(next_random() % (uint64_t)(size - file->size + 1));
	} else if (size < file->size && next_random() % 2) {
		size = file->size;
	}
	for (size_t i = 0; i < file->count; i++) {
		const struct sector *sector = &file->sectors[i];
		const bool beyond = sector->number * SECTOR >= was;
		if (!beyond && next_random() % 100 >= percent)
			continue;
		if (pwrite(fd, sector->bytes, SECTOR, sector->number * SECTOR) != SECTOR)
			abort();
	}
	if (ftruncate(fd, size) < 0)
		abort();
	(void)close(fd);
}

void cut_power_now(void)
{
	static const unsigned percents[] = {0, 5, 50, 95, 100};
	const unsigned percent = percents[next_random() % 5];
	for (const struct cut_file *file = disk.files; file; file = file->next)
		lose_content(file, percent);
	size_t stay = (size_t)(next_random() % (disk.change_count + 1));
	if (next_random() % 3 == 0)
		stay = 0;
	while (disk.change_count > stay)
		undo(&disk.changes[--disk.change_count]);
	_exit(CUT_EXIT);
}

int cut_operation(bool writes)
{
	disk.operations++;
	if (disk.cut_at && disk.operations >= disk.cut_at)
		cut_power_now();
	if (!writes) {
		if (++disk.syncs == disk.cut_at_sync)
			cut_power_now();
		return 0;
	}
	if (disk.read_only)
		return -EROFS;
	disk.writes++;
	return disk.writes >= disk.full_from && disk.writes < disk.full_to ? -ENOSPC : 0;
}

void cut_power_in(uint64_t operations)
{
	disk.cut_at = operations ? disk.operations + operations : 0;
}

void cut_power_at_sync(uint64_t syncs)
{
	disk.cut_at_sync = syncs ? disk.syncs + syncs : 0;
}

void cut_no_room(uint64_t first, uint64_t count)
{
	disk.full_from = disk.writes + first;
	disk.full_to = count > UINT64_MAX - disk.full_from ? UINT64_MAX : disk.full_from + count;
}

void cut_read_only(bool read_only)
{
	disk.read_only = read_only;
}

uint64_t cut_operations(void)
{
	return disk.operations;
}

uint64_t cut_writes(void)
{
	return disk.writes;
}

void cut_vfs_install(void);

void cut_install(const char *folder, uint64_t seed)
{
	char grave[2 * PATH_LENGTH];
	copy_path(disk.folder, folder);
	disk.random = seed * 2654435761u + 88172645463325252u;
	for (unsigned i = 0; i < 8; i++)
		(void)next_random();
	(void)snprintf(grave, sizeof grave, "%s-grave", folder);
	(void)mkdir(grave, 0700);
	cut_vfs_install();
}
