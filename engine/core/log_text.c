/* Log entries as JSON and as lines on a terminal.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <meterloom/log.h>
#include <meterloom/zone.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const char *const level_names[] = {
	[ML_LOG_DEBUG] = "debug",
	[ML_LOG_INFO] = "info",
	[ML_LOG_WARNING] = "warning",
	[ML_LOG_ERROR] = "error",
};

enum { LEVELS = sizeof level_names / sizeof *level_names };

const char *ml_log_level_name(enum ml_log_level level)
{
	return (unsigned)level < LEVELS ? level_names[level] : "error";
}

bool ml_log_level_parse(const char *name, enum ml_log_level *level)
{
	for (unsigned i = 0; i < LEVELS; i++) {
		if (strcmp(name, level_names[i]) == 0) {
			*level = (enum ml_log_level)i;
			return true;
		}
	}
	return false;
}

void ml_log_write_json(const struct ml_log_entry *entry, struct ml_json_writer *w)
{
	char time[ML_TIME_TEXT_MAX];
	const size_t length = ml_time_format(entry->wall, time);
	ml_json_begin_object(w);
	ml_json_key(w, "sequence");
	ml_json_unsigned(w, entry->sequence);
	ml_json_key(w, "time");
	ml_json_string_n(w, time, length);
	ml_json_key(w, "level");
	ml_json_string(w, ml_log_level_name(entry->level));
	ml_json_key(w, "origin");
	ml_json_string(w, entry->origin);
	ml_json_key(w, "text");
	ml_json_string(w, entry->text);
	if (entry->suppressed) {
		ml_json_key(w, "suppressed");
		ml_json_unsigned(w, entry->suppressed);
	}
	if (entry->uncertain) {
		ml_json_key(w, "uncertain");
		ml_json_bool(w, true);
	}
	ml_json_end_object(w);
}

static void write_all(int fd, const char *text, size_t length)
{
	while (length > 0) {
		const ssize_t written = write(fd, text, length);
		if (written < 0 && errno == EINTR)
			continue;
		if (written <= 0)
			return; /* nobody reads any more, and where would one say so */
		text += written;
		length -= (size_t)written;
	}
}

void ml_log_to_terminal(const struct ml_log_entry *entry, void *context)
{
	static const char *const colours[] = {
		[ML_LOG_DEBUG] = "\033[2m",
		[ML_LOG_INFO] = "",
		[ML_LOG_WARNING] = "\033[33m",
		[ML_LOG_ERROR] = "\033[31m",
	};
	const struct ml_log_terminal *terminal = context;
	const struct ml_zone *zone = terminal->zone ? terminal->zone : ml_zone_utc();
	const struct ml_civil at = ml_zone_to_civil(zone, entry->wall);
	const char *colour = terminal->colour ? colours[entry->level] : "";
	char line[ML_LOG_TEXT_MAX + ML_LOG_ORIGIN_MAX + 128];
	const int length = snprintf(line, sizeof line,
		"%04d-%02d-%02d %02d:%02d:%02d.%03d %s%-7s %s%s%s%s\n", at.year, at.month, at.day,
		at.hour, at.minute, at.second, at.microsecond / 1000, colour,
		ml_log_level_name(entry->level), entry->origin, entry->origin[0] ? ": " : "",
		entry->text, *colour ? "\033[0m" : "");
	if (length > 0)
		write_all(terminal->fd, line,
			(size_t)length < sizeof line ? (size_t)length : sizeof line - 1);
}
