/* The pages of readings.db with its write-ahead log laid over them.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "store/pages_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { LOG_HEAD = 32, FRAME_HEAD = 24, USUAL_PAGE = 4096, PAGES_MAX = 1 << 28 };

static uint32_t be32(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static uint32_t le32(const uint8_t *p)
{
	return (uint32_t)p[3] << 24 | (uint32_t)p[2] << 16 | (uint32_t)p[1] << 8 | p[0];
}

static bool read_at(int fd, void *bytes, size_t length, uint64_t at)
{
	return pread(fd, bytes, length, (off_t)at) == (ssize_t)length;
}

static bool read_page(void *user, uint32_t number, uint8_t *page)
{
	const struct store_pages_file *file = user;
	const uint32_t size = file->pages.size;
	if (file->in_log[number])
		return read_at(file->log, page, size, file->in_log[number]);
	return read_at(file->file, page, size, (uint64_t)(number - 1) * size);
}

/* ---- The log ---- */

struct log_state {
	bool big;
	uint32_t salt[2], sum[2];
	uint32_t page_size;
	uint64_t last_commit; /* bytes of the log up to the end of the last transaction */
	uint32_t count;       /* pages of the database after it */
};

static void add_sum(struct log_state *log, const uint8_t *bytes, size_t length)
{
	for (size_t i = 0; i < length; i += 8) {
		const uint32_t first = log->big ? be32(bytes + i) : le32(bytes + i);
		const uint32_t second = log->big ? be32(bytes + i + 4) : le32(bytes + i + 4);
		log->sum[0] += first + log->sum[1];
		log->sum[1] += second + log->sum[0];
	}
}

static bool good_page_size(uint32_t size)
{
	return size >= 512 && size <= 65536 && (size & (size - 1)) == 0;
}

static bool read_log_head(int fd, struct log_state *log)
{
	uint8_t head[LOG_HEAD];
	if (fd < 0 || !read_at(fd, head, sizeof head, 0) || (be32(head) & ~1u) != 0x377F0682)
		return false;
	*log = (struct log_state){.big = be32(head) & 1, .page_size = be32(head + 8)};
	log->salt[0] = be32(head + 16);
	log->salt[1] = be32(head + 20);
	add_sum(log, head, 24);
	return good_page_size(log->page_size) && log->sum[0] == be32(head + 24) &&
	       log->sum[1] == be32(head + 28);
}

/* The next frame, whose sum goes on from those before it. */
static bool take_frame(int fd, struct log_state *log, uint64_t at, uint8_t *frame)
{
	if (!read_at(fd, frame, FRAME_HEAD + log->page_size, at) ||
		be32(frame + 8) != log->salt[0] || be32(frame + 12) != log->salt[1])
		return false;
	add_sum(log, frame, 8);
	add_sum(log, frame + FRAME_HEAD, log->page_size);
	return log->sum[0] == be32(frame + 16) && log->sum[1] == be32(frame + 20);
}

/* Calls `each` with the frames of transactions that are whole. */
static void read_log(int fd, struct log_state *log, struct store_pages_file *file)
{
	struct log_state again = *log;
	uint8_t *frame = malloc(FRAME_HEAD + (size_t)log->page_size);
	uint64_t at = LOG_HEAD;
	while (frame && take_frame(fd, log, at, frame)) {
		at += FRAME_HEAD + log->page_size;
		if (be32(frame + 4)) {
			log->last_commit = at;
			log->count = be32(frame + 4);
		}
	}
	for (at = LOG_HEAD; frame && file->in_log && at < log->last_commit;
		at += FRAME_HEAD + log->page_size) {
		if (!take_frame(fd, &again, at, frame))
			break;
		const uint32_t number = be32(frame);
		if (number >= 1 && number <= file->pages.count)
			file->in_log[number] = at + FRAME_HEAD;
	}
	free(frame);
}

/* ---- The file ---- */

static void read_head(struct store_pages_file *file, uint64_t bytes, const struct log_state *log)
{
	uint8_t head[100] = {0};
	uint32_t size = 0;
	const bool ours = read_at(file->file, head, sizeof head, 0) &&
			  memcmp(head, "SQLite format 3", 16) == 0;
	if (ours)
		size = (uint32_t)head[16] << 8 | head[17];
	size = size == 1 ? 65536 : size;
	if (!good_page_size(size))
		size = log->page_size ? log->page_size : USUAL_PAGE;
	file->pages.size = size;
	file->pages.usable = size - (ours && head[20] <= size - 480 ? head[20] : 0u);
	const uint64_t whole = bytes / size;
	file->pages.count = whole < PAGES_MAX ? (uint32_t)whole : PAGES_MAX;
	if (ours) {
		file->free_list = be32(head + 32);
		const uint32_t count = be32(head + 28);
		if (count && count < file->pages.count)
			file->pages.count = count;
	}
}

int store_pages_open(struct store_pages_file *file, const char *path, struct ml_error *err)
{
	char log_path[4096];
	struct stat status;
	struct log_state log = {0};
	*file = (struct store_pages_file){.log = -1};
	file->pages.read = read_page;
	file->pages.user = file;
	file->file = open(path, O_RDONLY | O_CLOEXEC);
	if (file->file < 0 || fstat(file->file, &status) < 0)
		return ml_error_set(err, -errno, "reading %s: %s", path, strerror(errno));
	if (snprintf(log_path, sizeof log_path, "%s-wal", path) < (int)sizeof log_path)
		file->log = open(log_path, O_RDONLY | O_CLOEXEC);
	if (!read_log_head(file->log, &log))
		log.page_size = 0;
	read_head(file, (uint64_t)status.st_size, &log);
	if (log.page_size == file->pages.size) {
		struct log_state first = log;
		read_log(file->log, &first, file); /* how large the database is */
		if (first.count && first.count < PAGES_MAX)
			file->pages.count = first.count;
	}
	file->in_log = calloc((size_t)file->pages.count + 1, sizeof *file->in_log);
	if (!file->in_log)
		return ml_error_set(err, -ENOMEM, "out of memory");
	if (log.page_size == file->pages.size)
		read_log(file->log, &log, file);
	/* The list of free pages as it is now. */
	uint8_t *page = malloc(file->pages.size);
	if (page && file->pages.count && file->in_log[1] && read_page(file, 1, page))
		file->free_list = be32(page + 32);
	free(page);
	return 0;
}

void store_pages_close(struct store_pages_file *file)
{
	free(file->in_log);
	if (file->file >= 0)
		(void)close(file->file);
	if (file->log >= 0)
		(void)close(file->log);
}
