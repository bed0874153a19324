/* Streams by address: finds the scheme and hands the calls on.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <meterloom/stream.h>

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include <meterloom/engine.h>
#include <meterloom/family.h>

#include "run/stream_schemes.h"

static const struct ml_stream_scheme *const built_in[] = {&ml_stream_serial, &ml_stream_tcp};
enum { BUILT_IN = sizeof built_in / sizeof *built_in };

static bool is_named(const struct ml_stream_scheme *scheme, const char *name, size_t length)
{
	return strlen(scheme->name) == length && memcmp(scheme->name, name, length) == 0;
}

/* Adds a scheme's form to the list of those that are known. */
static void list(char *text, size_t size, const struct ml_stream_scheme *scheme)
{
	const size_t used = strlen(text);
	(void)snprintf(text + used, size - used, "%s%s:%s", used > 0 ? ", " : "", scheme->name,
		scheme->help);
}

/* The scheme called `name`, or NULL with the known ones in `known`. */
static const struct ml_stream_scheme *find(const struct ml_family *const *families,
	const char *name, size_t length, char *known, size_t known_size)
{
	known[0] = '\0';
	for (size_t i = 0; i < BUILT_IN; i++) {
		if (is_named(built_in[i], name, length))
			return built_in[i];
		list(known, known_size, built_in[i]);
	}
	for (; families && *families; families++) {
		const struct ml_stream_scheme *scheme = (*families)->streams;
		for (; scheme && scheme->name; scheme++) {
			if (is_named(scheme, name, length))
				return scheme;
			list(known, known_size, scheme);
		}
	}
	return NULL;
}

static int resolve(const struct ml_family *const *families, const char *address,
	const struct ml_stream_scheme **ret_scheme, const char **ret_rest, struct ml_error *err)
{
	char known[ML_ERROR_TEXT_MAX / 2];
	const char *colon = strchr(address, ':');
	const size_t length = colon ? (size_t)(colon - address) : 0;
	const struct ml_stream_scheme *scheme =
		find(families, address, length, known, sizeof known);
	if (!scheme)
		return ml_error_set(err, -EINVAL,
			"the interface '%.40s' is of no kind known here: expected %s", address,
			known);
	*ret_scheme = scheme;
	*ret_rest = colon + 1;
	return scheme->check ? scheme->check(colon + 1, err) : 0;
}

int ml_stream_check(
	const struct ml_family *const *families, const char *address, struct ml_error *err)
{
	const struct ml_stream_scheme *scheme = NULL;
	const char *rest = NULL;
	return resolve(families, address, &scheme, &rest, err);
}

int ml_stream_open(struct ml_engine *engine, struct ml_lane *lane, const char *address,
	const struct ml_line *line, const struct ml_stream_events *events, void *user,
	struct ml_stream **ret_stream, struct ml_error *err)
{
	const struct ml_stream_scheme *scheme = NULL;
	const char *rest = NULL;
	*ret_stream = NULL;
	const int result = resolve(ml_engine_families(engine), address, &scheme, &rest, err);
	if (result < 0)
		return result;
	return scheme->open(engine, lane, rest, line, events, user, ret_stream, err);
}

int ml_stream_write(struct ml_stream *stream, const uint8_t *bytes, size_t length)
{
	return length > 0 ? stream->ops->write(stream, bytes, length) : 0;
}

int ml_stream_set_line(struct ml_stream *stream, const struct ml_line *line)
{
	return stream->ops->set_line ? stream->ops->set_line(stream, line) : -ENOTSUP;
}

int ml_stream_signals(struct ml_stream *stream, unsigned *set)
{
	*set = 0;
	return stream->ops->signals ? stream->ops->signals(stream, set) : -ENOTSUP;
}

void ml_stream_discard(struct ml_stream *stream)
{
	if (stream->ops->discard)
		stream->ops->discard(stream);
}

void ml_stream_close(struct ml_stream *stream)
{
	if (stream)
		stream->ops->close(stream);
}
