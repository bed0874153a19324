/* Recordings from files.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "sim/recording_file.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { READ_SIZE = 64 * 1024 };

struct work {
	struct mbus_recording_reader reader;
	struct mbus_recorded event;
	char text[READ_SIZE];
};

static int take(
	struct work *w, size_t length, struct sim_recording_reading *reading, struct ml_error *err)
{
	for (size_t at = 0; at < length;) {
		const ssize_t n =
			mbus_recording_feed(&w->reader, w->text + at, length - at, &w->event, err);
		if (n < 0)
			return (int)n;
		at += (size_t)n;
		if (w->event.kind == MBUS_RECORDED_NOTHING || !reading->event)
			continue;
		const int result = reading->event(reading->user, &w->reader.head, &w->event);
		if (result != 0)
			return result;
	}
	return 0;
}

static int read_all(FILE *file, const char *path, struct work *w,
	struct sim_recording_reading *reading, struct ml_error *err)
{
	struct ml_error wrong = ML_ERROR_NONE;
	int result = 0;
	size_t length = 0;
	errno = 0;
	while (result == 0 && (length = fread(w->text, 1, sizeof w->text, file)) > 0)
		result = take(w, length, reading, &wrong);
	if (result == 0 && ferror(file))
		return ml_error_set(
			err, errno ? -errno : -EIO, "%s: %s", path, strerror(errno ? errno : EIO));
	if (result == 0)
		result = mbus_recording_end(&w->reader, &wrong);
	reading->head = w->reader.head;
	reading->cut = w->reader.cut;
	if (wrong.code != 0) {
		ml_error_prefix(&wrong, "%s:%d:%d", path, wrong.line, wrong.column);
		if (err && err->code == 0)
			*err = wrong;
	}
	return result;
}

int sim_recording_read(
	const char *path, struct sim_recording_reading *reading, struct ml_error *err)
{
	const bool terminal = strcmp(path, "-") == 0;
	struct work *w = malloc(sizeof *w);
	if (!w)
		return ml_error_set(err, -ENOMEM, "out of memory");
	FILE *file = terminal ? stdin : fopen(path, "rbe");
	int result = 0;
	if (file) {
		mbus_recording_reader_init(&w->reader);
		result = read_all(file, terminal ? "standard input" : path, w, reading, err);
		if (!terminal)
			(void)fclose(file);
	} else {
		result = ml_error_set(
			err, -errno, "the recording %s cannot be read: %s", path, strerror(errno));
	}
	free(w);
	return result;
}
