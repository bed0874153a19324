/* Reading time zones: TZif files (RFC 8536).
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "zone_data.h"

enum { HEADER_SIZE = 44, TYPE_SIZE = 6, OFFSET_MAX = 26 * 3600, TYPES_MAX = 256 };

/* The counts of a header, and where its block lies. */
struct block {
	const unsigned char *data;
	size_t time_size; /* bytes of a time: 4 in the first block, 8 in the second */
	size_t is_utc, is_standard, leaps, times, types, chars;
};

static uint32_t read_u32(const unsigned char *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static int64_t read_time(const unsigned char *p, size_t size)
{
	if (size == 4)
		return (int32_t)read_u32(p);
	return (int64_t)((uint64_t)read_u32(p) << 32 | read_u32(p + 4));
}

static int bad_file(struct ml_error *err, const char *name, const char *why)
{
	return ml_error_set(err, -EBADMSG,
		"the file of time zone %s is damaged (%s): reinstall the system's tzdata", name,
		why);
}

/* Reads a header and checks that its block is all there. *size is the size of both. */
static bool read_header(
	const unsigned char *data, size_t length, size_t time_size, struct block *b, size_t *size)
{
	if (length < HEADER_SIZE || memcmp(data, "TZif", 4) != 0)
		return false;
	*b = (struct block){
		.data = data + HEADER_SIZE,
		.time_size = time_size,
		.is_utc = read_u32(data + 20),
		.is_standard = read_u32(data + 24),
		.leaps = read_u32(data + 28),
		.times = read_u32(data + 32),
		.types = read_u32(data + 36),
		.chars = read_u32(data + 40),
	};
	const size_t counts[] = {b->is_utc, b->is_standard, b->leaps, b->times, b->types, b->chars};
	for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) {
		if (counts[i] > ML_ZONE_FILE_MAX)
			return false;
	}
	*size = HEADER_SIZE + b->times * (time_size + 1) + b->types * TYPE_SIZE + b->chars +
		b->leaps * (time_size + 4) + b->is_standard + b->is_utc;
	return *size <= length;
}

/* One block of memory with the zone and all its tables. */
static struct ml_zone *allocate(const char *name, const struct block *b, size_t footer_length,
	int64_t **times, struct zone_type **types, uint8_t **type_of, char **texts)
{
	const size_t times_at = sizeof(struct ml_zone);
	const size_t types_at = times_at + b->times * sizeof **times;
	const size_t type_of_at = types_at + b->types * sizeof **types;
	const size_t texts_at = type_of_at + b->times;
	char *memory = calloc(1, texts_at + b->chars + 2 * footer_length + 4);
	if (!memory)
		return NULL;
	struct ml_zone *zone = (struct ml_zone *)(void *)memory;
	*times = (int64_t *)(void *)(memory + times_at);
	*types = (struct zone_type *)(void *)(memory + types_at);
	*type_of = (uint8_t *)(memory + type_of_at);
	*texts = memory + texts_at;
	(void)snprintf(zone->name, sizeof zone->name, "%s", name);
	zone->count = b->times;
	zone->times = *times;
	zone->types = *types;
	zone->type_of = *type_of;
	zone->texts = *texts;
	return zone;
}

static const char *fill_times(const struct block *b, int64_t *times, uint8_t *type_of)
{
	const unsigned char *indexes = b->data + b->times * b->time_size;
	for (size_t i = 0; i < b->times; i++) {
		times[i] = read_time(b->data + i * b->time_size, b->time_size);
		type_of[i] = indexes[i];
		if (i > 0 && times[i] <= times[i - 1])
			return "its transitions are not in order";
		if (type_of[i] >= b->types)
			return "a transition names a type that is not there";
	}
	return NULL;
}

static const char *fill_types(const struct block *b, struct zone_type *types, char *texts)
{
	const unsigned char *p = b->data + b->times * (b->time_size + 1);
	memcpy(texts, p + b->types * TYPE_SIZE, b->chars);
	texts[b->chars] = '\0';
	for (size_t i = 0; i < b->types; i++, p += TYPE_SIZE) {
		types[i].offset = (int32_t)read_u32(p);
		types[i].daylight = p[4] != 0;
		types[i].abbreviation = p[5];
		if (types[i].offset < -OFFSET_MAX || types[i].offset > OFFSET_MAX)
			return "an offset from UTC is more than a day";
		if (p[5] >= b->chars)
			return "a type's name is not there";
	}
	return NULL;
}

/* The footer's text lies between two line feeds. */
static bool find_footer(
	const unsigned char *data, size_t length, const char **footer, size_t *footer_length)
{
	if (length < 2 || data[0] != '\n')
		return false;
	const unsigned char *end = memchr(data + 1, '\n', length - 1);
	if (!end)
		return false;
	*footer = (const char *)data + 1;
	*footer_length = (size_t)(end - data) - 1;
	return true;
}

int ml_zone_parse(const char *name, const void *bytes, size_t length, struct ml_zone **zone,
	struct ml_error *err)
{
	const unsigned char *data = bytes;
	const char *footer = "", *why = NULL;
	size_t size, footer_length = 0;
	struct block b;
	if (!read_header(data, length, 4, &b, &size))
		return bad_file(err, name, "it is cut short or no TZif file");
	if (data[4] >= '2') {
		data += size;
		length -= size;
		if (!read_header(data, length, 8, &b, &size))
			return bad_file(err, name, "its second part is cut short");
		if (!find_footer(data + size, length - size, &footer, &footer_length))
			return bad_file(err, name, "it has no footer");
	}
	if (b.types == 0 || b.types > TYPES_MAX || b.chars == 0)
		return bad_file(err, name, "it has no types");
	if (b.leaps > 0)
		return ml_error_set(err, -ENOTSUP,
			"time zone %s counts leap seconds: use the zone of that name outside of "
			"right/",
			name);
	int64_t *times;
	struct zone_type *types;
	uint8_t *type_of;
	char *texts;
	struct ml_zone *made = allocate(name, &b, footer_length, &times, &types, &type_of, &texts);
	if (!made)
		return ml_error_set(err, -ENOMEM, "out of memory");
	why = fill_times(&b, times, type_of);
	if (!why)
		why = fill_types(&b, types, texts);
	size_t used = b.chars + 1;
	if (!why && zone_read_footer(footer, footer_length, &made->footer, texts, &used) != 0)
		why = "its rule for future years is wrong";
	if (why) {
		free(made);
		return bad_file(err, name, why);
	}
	*zone = made;
	return 0;
}

void ml_zone_free(struct ml_zone *zone)
{
	if (zone != ml_zone_utc())
		free(zone);
}

/* ---- Files ---- */

/* Letters, digits, '_', '+', '-' and single '/' between parts, so that no name leaves the folder.
 */
static bool is_name(const char *name)
{
	static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				      "0123456789_+-/";
	const size_t length = strlen(name);
	return length > 0 && length < ML_ZONE_NAME_MAX && strspn(name, allowed) == length &&
	       name[0] != '/' && name[length - 1] != '/' && !strstr(name, "//");
}

static int read_file(const char *path, const char *name, unsigned char *bytes, size_t *length,
	struct ml_error *err)
{
	int result = 0;
	struct stat st;
	const int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0) {
		result = -errno;
		if (result == -ENOENT || result == -ENOTDIR)
			return ml_error_set(err, -ENOENT,
				"no time zone %s: expected a name like Europe/Paris (%s)", name,
				path);
		return ml_error_set(err, result, "cannot read %s: %s", path, strerror(-result));
	}
	if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode)) {
		result = ml_error_set(err, -ENOENT,
			"no time zone %s: expected a name like Europe/Paris (%s is no file)", name,
			path);
		goto out;
	}
	*length = 0;
	for (;;) {
		const ssize_t got = read(fd, bytes + *length, ML_ZONE_FILE_MAX - *length);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			result = ml_error_set(
				err, -errno, "cannot read %s: %s", path, strerror(errno));
		if (got <= 0)
			break;
		*length += (size_t)got;
	}
	if (result == 0 && *length == ML_ZONE_FILE_MAX)
		result = bad_file(err, name, "it is too large");
out:
	(void)close(fd);
	return result;
}

int ml_zone_load(const char *name, const char *folder, struct ml_zone **zone, struct ml_error *err)
{
	if (strcmp(name, "UTC") == 0) {
		*zone = (struct ml_zone *)(uintptr_t)
			ml_zone_utc(); /* only read, and freed by nobody */
		return 0;
	}
	if (!is_name(name))
		return ml_error_set(err, -EINVAL,
			"\"%.64s\" is no time zone: expected a name like Europe/Paris or UTC",
			name);
	char path[4096];
	if (snprintf(path, sizeof path, "%s/%s", folder ? folder : ML_ZONE_FOLDER, name) >=
		(int)sizeof path)
		return ml_error_set(
			err, -ENAMETOOLONG, "the folder of the time zones has too long a name");
	unsigned char *bytes = malloc(ML_ZONE_FILE_MAX);
	if (!bytes)
		return ml_error_set(err, -ENOMEM, "out of memory");
	size_t length;
	int result = read_file(path, name, bytes, &length, err);
	if (result == 0)
		result = ml_zone_parse(name, bytes, length, zone, err);
	free(bytes);
	return result;
}
