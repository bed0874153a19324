/* The file beside readings.db that tells which database belongs here and how far it had got.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "store/mark.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { PATH_MAX_LENGTH = 4096 };

static const char name[] = "readings.mark";
static const char head[] = "meterloom readings 1\n";

/* FNV-1a: against a file that was cut off or edited, not against an enemy. */
static uint64_t sum_of(const char *text, size_t length)
{
	uint64_t sum = 14695981039346656037u;
	for (size_t i = 0; i < length; i++)
		sum = (sum ^ (uint8_t)text[i]) * 1099511628211u;
	return sum;
}

int store_mark_format(const struct store_mark *mark, char *text)
{
	int length = snprintf(text, STORE_MARK_TEXT_MAX,
		"%sepoch %" PRIu64 "\ngeneration %" PRIu64 "\ncommitted %" PRIu64
		"\nceiling %" PRIu64 "\nclean %d\n",
		head, mark->epoch, mark->generation, mark->committed, mark->ceiling, mark->clean);
	length += snprintf(text + length, STORE_MARK_TEXT_MAX - (size_t)length,
		"sum %016" PRIx64 "\n", sum_of(text, (size_t)length));
	return length;
}

static bool take_number(const char **at, const char *end, const char *key, uint64_t *value)
{
	const size_t length = strlen(key);
	const char *p = *at;
	if ((size_t)(end - p) < length + 2 || memcmp(p, key, length) != 0 || p[length] != ' ')
		return false;
	p += length + 1;
	const char *const first = p;
	*value = 0;
	for (; p < end && *p >= '0' && *p <= '9'; p++) {
		const uint64_t digit = (uint64_t)(*p - '0');
		if (*value > (UINT64_MAX - digit) / 10)
			return false;
		*value = *value * 10 + digit;
	}
	if (p == first || p == end || *p != '\n')
		return false;
	*at = p + 1;
	return true;
}

int store_mark_parse(const char *text, size_t length, struct store_mark *mark, struct ml_error *err)
{
	const char *at = text + sizeof head - 1;
	const char *const end = text + length;
	uint64_t clean = 0;
	char again[STORE_MARK_TEXT_MAX];
	*mark = (struct store_mark){0};
	if (length < sizeof head - 1 || memcmp(text, head, sizeof head - 1) != 0 ||
		!take_number(&at, end, "epoch", &mark->epoch) ||
		!take_number(&at, end, "generation", &mark->generation) ||
		!take_number(&at, end, "committed", &mark->committed) ||
		!take_number(&at, end, "ceiling", &mark->ceiling) ||
		!take_number(&at, end, "clean", &clean) || clean > 1)
		goto bad;
	mark->clean = clean == 1;
	/* There is one way to write it, its sum included. */
	if ((size_t)store_mark_format(mark, again) != length || memcmp(again, text, length) != 0)
		goto bad;
	return 0;
bad:
	*mark = (struct store_mark){0};
	return ml_error_set(err, -EBADMSG,
		"%s is not as this program wrote it; it is made anew from readings.db", name);
}

int store_mark_read(const struct ml_files *files, const char *data, struct store_mark *mark,
	struct ml_error *err)
{
	char path[PATH_MAX_LENGTH];
	struct ml_buffer text = {0};
	*mark = (struct store_mark){0};
	if (snprintf(path, sizeof path, "%s/%s", data, name) >= (int)sizeof path)
		return ml_error_set(err, -ENAMETOOLONG, "the data directory's path is too long");
	int result = ml_files_read(files, path, STORE_MARK_TEXT_MAX, &text, err);
	if (result == 0)
		result = store_mark_parse(text.data ? text.data : "", text.length, mark, err);
	else if (result == -EFBIG)
		result = -EBADMSG;
	ml_buffer_free(&text);
	return result == -ENOENT ? 0 : result < 0 ? result : 1;
}

int store_mark_write(const struct ml_files *files, const char *data, const struct store_mark *mark,
	struct ml_error *err)
{
	char path[PATH_MAX_LENGTH], part[PATH_MAX_LENGTH], text[STORE_MARK_TEXT_MAX];
	const int length = store_mark_format(mark, text);
	if (snprintf(path, sizeof path, "%s/%s", data, name) >= (int)sizeof path ||
		snprintf(part, sizeof part, "%s/%s.part", data, name) >= (int)sizeof part)
		return ml_error_set(err, -ENAMETOOLONG, "the data directory's path is too long");
	(void)files->remove(files->user, part);
	int result = ml_files_write_new(files, part, 0600, text, (size_t)length, err);
	if (result < 0)
		return result;
	result = files->rename(files->user, part, path, true);
	if (result == 0)
		result = files->sync_folder(files->user, data);
	if (result < 0)
		(void)ml_error_set(err, result, "writing %s: %s", path, strerror(-result));
	return result;
}
